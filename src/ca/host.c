#include "ca/host.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define LABEL_BYTES 63 /* RFC 1035, 2.3.4 */

enum ca_host_kind ca_host_kind(const char *name, uint8_t address[16])
{
    memset(address, 0, 16);
    if (inet_pton(AF_INET, name, address) == 1) {
        return CA_HOST_V4;
    }
    return inet_pton(AF_INET6, name, address) == 1 ? CA_HOST_V6 : CA_HOST_NAME;
}

/* One label of a DNS name: NULL, or what is wrong. */
static const char *check_label(const char *label, size_t size)
{
    if (size == 0) {
        return "has an empty label: a dot at its start or end, or two in a row";
    }
    if (size > LABEL_BYTES) {
        return "has a label of more than 63 characters";
    }
    for (size_t i = 0; i < size; i++) {
        if (!islower((unsigned char)label[i]) && !isdigit((unsigned char)label[i]) &&
            label[i] != '-') {
            return "has characters that no host name has: only letters, digits, '-' and '.'";
        }
    }
    return label[0] == '-' || label[size - 1] == '-' ? "has a label that begins or ends with '-'"
                                                     : NULL;
}

static const char *check_name(const char *name)
{
    const char *label = name;

    for (;;) {
        size_t size = strcspn(label, ".");
        const char *wrong = check_label(label, size);

        if (wrong != NULL) {
            return wrong;
        }
        if (label[size] == '\0') {
            /* Resolvers take what ends in a number for an address (RFC 1123, 2.1). */
            return strspn(label, "0123456789") == size ? "is neither a host name nor an address"
                                                       : NULL;
        }
        label += size + 1;
    }
}

/* TEXT in lower case, without the brackets of an address. */
static const char *copy_name(const char *text, size_t size, char name[LIMIT_HOST_BYTES + 1])
{
    bool bracketed = size >= 2 && text[0] == '[' && text[size - 1] == ']';

    text += bracketed ? 1 : 0;
    size -= bracketed ? 2 : 0;
    if (size == 0) {
        return "is empty";
    }
    if (size > LIMIT_HOST_BYTES) {
        return "is longer than 253 characters";
    }
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] <= ' ' || (unsigned char)text[i] > '~') {
            return "has characters that no host name has; write an international name in its "
                   "ASCII form (xn--...)";
        }
        name[i] = (char)tolower((unsigned char)text[i]);
    }
    name[size] = '\0';
    return NULL;
}

enum sp_error ca_hosts_add(struct ca_hosts *hosts, const char *text, size_t size, char *reason,
                           size_t capacity)
{
    char name[LIMIT_HOST_BYTES + 1] = "";
    uint8_t address[16];
    const char *wrong = copy_name(text, size, name);

    if (wrong == NULL && ca_host_kind(name, address) == CA_HOST_NAME) {
        wrong =
            strchr(name, ':') != NULL ? "is neither a host name nor an address" : check_name(name);
    }
    if (wrong != NULL) {
        (void)snprintf(reason, capacity, "%s", wrong);
        return SP_EINVALID;
    }
    for (size_t i = 0; i < hosts->count; i++) {
        if (strcmp(hosts->names[i], name) == 0) {
            (void)snprintf(reason, capacity, "is named twice");
            return SP_EEXISTS;
        }
    }
    if (hosts->count == LIMIT_SERVER_HOSTS) {
        (void)snprintf(reason, capacity, "is one too many: a certificate names %d at most",
                       LIMIT_SERVER_HOSTS);
        return SP_ELIMIT;
    }
    memcpy(hosts->names[hosts->count++], name, sizeof(name));
    return SP_OK;
}
