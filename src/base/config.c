#include "base/config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define REASON_BYTES 256

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static char *trim(char *text)
{
    size_t size = 0;

    while (is_space(*text)) {
        text++;
    }
    size = strlen(text);
    while (size > 0 && is_space(text[size - 1])) {
        size--;
    }
    text[size] = '\0';
    return text;
}

static void cut_comment(char *line)
{
    for (size_t i = 0; line[i] != '\0'; i++) {
        if (line[i] == '#' && (i == 0 || is_space(line[i - 1]))) {
            line[i] = '\0';
            return;
        }
    }
}

static bool is_key(const char *key)
{
    return key[0] != '\0' && key[strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

/* The callback's answer, as the end of a message. */
static enum sp_error describe(enum sp_error error, const char *key, const char *reason,
                              char *message, size_t capacity)
{
    switch (error) {
    case SP_OK:
        return SP_OK;
    case SP_ENOTFOUND:
        (void)snprintf(message, capacity, "unknown key '%s'", key);
        break;
    case SP_EEXISTS:
        (void)snprintf(message, capacity, "the key '%s' was given before", key);
        break;
    default:
        (void)snprintf(message, capacity, "'%s' %s%s", key, reason[0] == '\0' ? "failed: " : "",
                       reason[0] == '\0' ? sp_error_text(error) : reason);
        break;
    }
    return SP_ECONFIG;
}

/* One line, which is changed. On error MESSAGE says why, without file and line. */
static enum sp_error parse_line(char *line, unsigned number, config_pair_fn pair_fn, void *context,
                                char *message, size_t capacity)
{
    struct config_pair pair = {.line = number};
    char reason[REASON_BYTES] = "";
    char *equals = NULL;
    char *key = NULL;

    cut_comment(line);
    key = trim(line);
    if (*key == '\0') {
        return SP_OK;
    }
    equals = strchr(key, '=');
    if (equals == NULL) {
        (void)snprintf(message, capacity, "expected 'key = value'");
        return SP_ECONFIG;
    }
    *equals = '\0';
    pair.key = trim(key);
    pair.value = trim(equals + 1);
    if (!is_key(pair.key)) { /* not repeated: it may hold anything */
        (void)snprintf(message, capacity, "a key consists of a-z, 0-9 and '_'");
        return SP_ECONFIG;
    }
    return describe(pair_fn(context, &pair, reason, sizeof(reason)), pair.key, reason, message,
                    capacity);
}

enum sp_error config_parse(const char *name, const char *text, size_t size, config_pair_fn pair_fn,
                           void *context, char *message, size_t capacity)
{
    char line[LIMIT_CONFIG_LINE_BYTES + 1];
    char why[LIMIT_CONFIG_LINE_BYTES + REASON_BYTES + 64] = "";
    enum sp_error error = SP_OK;
    unsigned number = 0;

    while (size > 0 && error == SP_OK) {
        const char *newline = memchr(text, '\n', size);
        size_t length = newline == NULL ? size : (size_t)(newline - text);
        size_t step = newline == NULL ? size : length + 1;

        number++;
        if (length > LIMIT_CONFIG_LINE_BYTES) {
            (void)snprintf(why, sizeof(why), "the line is longer than %d bytes",
                           LIMIT_CONFIG_LINE_BYTES);
            error = SP_ECONFIG;
        } else if (memchr(text, '\0', length) != NULL) {
            (void)snprintf(why, sizeof(why), "a NUL byte");
            error = SP_ECONFIG;
        } else {
            memcpy(line, text, length);
            line[length] = '\0';
            error = parse_line(line, number, pair_fn, context, why, sizeof(why));
        }
        text += step;
        size -= step;
    }
    if (error != SP_OK) {
        (void)snprintf(message, capacity, "%s:%u: %s", name, number, why);
    } else if (capacity > 0) {
        message[0] = '\0';
    }
    return error;
}

/* The decimal digits at *AT; moves *AT behind them. */
static enum sp_error parse_digits(const char **at, uint64_t *out)
{
    uint64_t value = 0;

    if (**at < '0' || **at > '9') {
        return SP_EINVALID;
    }
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, (uint64_t)(**at - '0'), &value)) {
            return SP_EINVALID;
        }
    }
    *out = value;
    return SP_OK;
}

enum sp_error config_parse_u64(const char *value, uint64_t minimum, uint64_t maximum, uint64_t *out)
{
    uint64_t number = 0;

    *out = 0;
    if (parse_digits(&value, &number) != SP_OK || *value != '\0' || number < minimum ||
        number > maximum) {
        return SP_EINVALID;
    }
    *out = number;
    return SP_OK;
}

enum sp_error config_parse_size(const char *value, uint64_t minimum, uint64_t maximum,
                                uint64_t *out)
{
    static const char units[] = "KMGT";
    uint64_t number = 0;

    *out = 0;
    if (parse_digits(&value, &number) != SP_OK) {
        return SP_EINVALID;
    }
    if (*value != '\0') {
        const char *unit = strchr(units, *value);

        if (unit == NULL || value[1] != '\0' ||
            __builtin_mul_overflow(number, UINT64_C(1024) << (10 * (unit - units)), &number)) {
            return SP_EINVALID;
        }
    }
    if (number < minimum || number > maximum) {
        return SP_EINVALID;
    }
    *out = number;
    return SP_OK;
}

enum sp_error config_parse_bool(const char *value, bool *out)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"yes", true}, {"no", false}, {"true", true}, {"false", false}};

    *out = false;
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (strcmp(value, words[i].word) == 0) {
            *out = words[i].value;
            return SP_OK;
        }
    }
    return SP_EINVALID;
}

/* A DNS name or an IPv4 address, as far as its letters go. */
static bool is_host(const char *host)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  ".-_";

    return host[0] != '\0' && host[0] != '.' && host[0] != '-' && host[strspn(host, allowed)] == 0;
}

/* An IPv6 address, with or without a zone ("fe80::1%eth0", RFC 4007, section 11). */
static bool is_v6(const char *host)
{
    char address[INET6_ADDRSTRLEN];
    struct in6_addr parsed;
    size_t length = strcspn(host, "%");

    if (length >= sizeof(address) || (host[length] == '%' && !is_host(host + length + 1))) {
        return false;
    }
    memcpy(address, host, length);
    address[length] = '\0';
    return inet_pton(AF_INET6, address, &parsed) == 1;
}

enum sp_error config_parse_host_port(const char *value, char *host, uint16_t *port)
{
    bool bracketed = value[0] == '[';
    const char *start = bracketed ? value + 1 : value;
    size_t length = strcspn(start, bracketed ? "]" : ":");
    const char *rest = start + length;
    uint64_t number = DEFAULT_PORT;

    host[0] = '\0';
    *port = 0;
    if (length > LIMIT_HOST_BYTES || (bracketed && *rest != ']')) {
        return SP_EINVALID;
    }
    rest += bracketed ? 1 : 0;
    if (*rest != '\0' &&
        (*rest != ':' || config_parse_u64(rest + 1, 0, UINT16_MAX, &number) != SP_OK)) {
        return SP_EINVALID;
    }
    memcpy(host, start, length);
    host[length] = '\0';
    if (bracketed ? !is_v6(host) : !is_host(host)) {
        host[0] = '\0';
        return SP_EINVALID;
    }
    *port = (uint16_t)number;
    return SP_OK;
}
