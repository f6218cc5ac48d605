#include "base/join_code.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/config.h"

#define PAYLOAD_BYTES (JOIN_FINGERPRINT_BYTES + JOIN_SECRET_BYTES)
#define CODED_BYTES (PAYLOAD_BYTES + 3)
#define DIGITS (CODED_BYTES * 8 / 5)
#define GROUP_DIGITS 7
#define HOST_PORT_BYTES (LIMIT_HOST_BYTES + 16)

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* The value of a digit, read as generously as Crockford wants it; -1: it is none. */
static int digit_value(char c)
{
    static const char misread[] = "ILO";
    static const int meant[] = {1, 1, 0};
    char upper = c;

    if (c == '\0') {
        return -1;
    }
    if (c >= 'a' && c <= 'z') {
        upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[c - 'a'];
    }
    const char *at = strchr(misread, upper);
    if (at != NULL) {
        return meant[at - misread];
    }
    at = strchr(alphabet, upper);
    return at == NULL ? -1 : (int)(at - alphabet);
}

static uint32_t crc24(uint32_t crc, const void *data, size_t size)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < size; i++) {
        crc ^= (uint32_t)bytes[i] << 16;
        for (int bit = 0; bit < 8; bit++) {
            crc <<= 1;
            crc ^= (crc & 0x1000000) != 0 ? 0x1864cfb : 0;
        }
    }
    return crc & 0xffffff;
}

static uint32_t checksum(const struct join_code *code, const uint8_t payload[PAYLOAD_BYTES])
{
    char where[HOST_PORT_BYTES];
    int size = snprintf(where, sizeof where, "1 %s:%u ", code->host, code->port);

    return crc24(crc24(0xb704ce, where, (size_t)size), payload, PAYLOAD_BYTES);
}

/* Lower case, without brackets. SP_EINVALID unless it is HOST or HOST:PORT of the right letters. */
static enum sp_error parse_where(const char *text, size_t size, struct join_code *out)
{
    char where[HOST_PORT_BYTES];

    if (size == 0 || size >= sizeof where) {
        return SP_EINVALID;
    }
    for (size_t i = 0; i < size; i++) {
        if (!isalnum((unsigned char)text[i]) && strchr(".-_:[]%", text[i]) == NULL) {
            return SP_EINVALID;
        }
        where[i] = (char)tolower((unsigned char)text[i]);
    }
    where[size] = '\0';
    enum sp_error error = config_parse_host_port(where, out->host, &out->port);
    return error == SP_OK && (out->host[0] == '\0' || out->port == 0) ? SP_EINVALID : error;
}

/* The digits of TEXT, without '-' and white space. SP_EINVALID: other characters, or not as many
 * as there must be. */
static enum sp_error parse_digits(const char *text, size_t size, uint8_t out[CODED_BYTES])
{
    uint32_t bits = 0;
    unsigned held = 0;
    size_t count = 0;

    for (size_t i = 0; i < size; i++) {
        int value = digit_value(text[i]);

        if (text[i] == '-' || (text[i] != '\0' && isspace((unsigned char)text[i]))) {
            continue;
        }
        if (value < 0 || count == DIGITS) {
            return SP_EINVALID;
        }
        bits = bits << 5 | (uint32_t)value;
        held += 5;
        count++;
        if (held >= 8) {
            held -= 8;
            *out++ = (uint8_t)(bits >> held);
        }
    }
    return count == DIGITS ? SP_OK : SP_EINVALID;
}

enum sp_error join_code_parse(const char *text, size_t size, struct join_code *out, char *reason,
                              size_t capacity)
{
    uint8_t coded[CODED_BYTES] = {0};
    const char *slash = NULL;

    memset(out, 0, sizeof *out);
    while (size > 0 && isspace((unsigned char)text[0])) {
        text++;
        size--;
    }
    slash = size > 0 ? memchr(text, '/', size) : NULL;
    if (slash == NULL || parse_where(text, (size_t)(slash - text), out) != SP_OK) {
        memset(out, 0, sizeof *out);
        (void)snprintf(reason, capacity,
                       "it does not begin with the name of a server and a '/'; a join code looks "
                       "like chat.example.org/7WK2MQ9-…, in 8 groups of 7");
        return SP_EINVALID;
    }
    if (parse_digits(slash + 1, size - (size_t)(slash - text) - 1, coded) != SP_OK) {
        memset(out, 0, sizeof *out);
        (void)snprintf(reason, capacity,
                       "behind the '/' there must be %d letters and digits, in 8 groups of 7",
                       DIGITS);
        return SP_ECODE;
    }
    uint32_t sum = (uint32_t)coded[PAYLOAD_BYTES] << 16 | (uint32_t)coded[PAYLOAD_BYTES + 1] << 8 |
                   coded[PAYLOAD_BYTES + 2];
    if (sum != checksum(out, coded)) {
        memset(out, 0, sizeof *out);
        (void)snprintf(reason, capacity,
                       "it is mistyped somewhere (its check digits do not fit); copy it again");
        return SP_ECODE;
    }
    memcpy(out->fingerprint, coded, JOIN_FINGERPRINT_BYTES);
    memcpy(out->secret, coded + JOIN_FINGERPRINT_BYTES, JOIN_SECRET_BYTES);
    reason[0] = '\0';
    return SP_OK;
}

/* The groups, with their NUL. */
static void write_digits(const uint8_t coded[CODED_BYTES], char *out)
{
    uint32_t bits = 0;
    unsigned held = 0;
    size_t count = 0;

    for (size_t i = 0; i < CODED_BYTES; i++) {
        bits = bits << 8 | coded[i];
        for (held += 8; held >= 5; held -= 5) {
            if (count > 0 && count % GROUP_DIGITS == 0) {
                *out++ = '-';
            }
            *out++ = alphabet[bits >> (held - 5) & 31];
            count++;
        }
    }
    *out = '\0';
}

enum sp_error join_code_format(const struct join_code *code, char *out, size_t capacity)
{
    uint8_t coded[CODED_BYTES];
    char digits[DIGITS + DIGITS / GROUP_DIGITS + 1];
    char port[8] = "";
    struct join_code parsed = {0};
    bool is_v6 = strchr(code->host, ':') != NULL;

    out[0] = '\0';
    memcpy(coded, code->fingerprint, JOIN_FINGERPRINT_BYTES);
    memcpy(coded + JOIN_FINGERPRINT_BYTES, code->secret, JOIN_SECRET_BYTES);
    if (code->port != DEFAULT_PORT) {
        (void)snprintf(port, sizeof port, ":%u", code->port);
    }
    char where[HOST_PORT_BYTES];
    int size = snprintf(where, sizeof where, is_v6 ? "[%s]%s" : "%s%s", code->host, port);
    if (size < 0 || parse_where(where, (size_t)size, &parsed) != SP_OK ||
        parsed.port != code->port) {
        return SP_EINVALID;
    }
    uint32_t sum = checksum(&parsed, coded);
    coded[PAYLOAD_BYTES] = (uint8_t)(sum >> 16);
    coded[PAYLOAD_BYTES + 1] = (uint8_t)(sum >> 8);
    coded[PAYLOAD_BYTES + 2] = (uint8_t)sum;
    write_digits(coded, digits);
    size = snprintf(out, capacity, is_v6 ? "[%s]%s/%s" : "%s%s/%s", parsed.host, port, digits);
    return size > 0 && (size_t)size < capacity ? SP_OK : SP_EINVALID;
}
