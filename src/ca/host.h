/* The names and addresses that a server's certificate is for. Pure. */
#ifndef SP_CA_HOST_H
#define SP_CA_HOST_H

#include "base/base.h"

enum ca_host_kind { CA_HOST_NAME, CA_HOST_V4, CA_HOST_V6 };

struct ca_hosts {
    size_t count;
    char names[LIMIT_SERVER_HOSTS][LIMIT_HOST_BYTES + 1]; /* lower case; IPv6 without brackets */
};

/*
 * Adds one: a DNS name (labels of letters, digits and '-', RFC 1123; no '*', no '_', no dot at the
 * end), or an IPv4 or IPv6 address without a zone. SP_EINVALID, SP_EEXISTS (twice), SP_ELIMIT, and
 * what is wrong with it in REASON ("has a label that begins or ends with '-'").
 */
SP_CHECK enum sp_error ca_hosts_add(struct ca_hosts *hosts, const char *text, size_t size,
                                    char *reason, size_t capacity);

/* What NAME is, which ca_hosts_add() took. An address is put into ADDRESS, 4 or 16 bytes. */
enum ca_host_kind ca_host_kind(const char *name, uint8_t address[16]);

#endif
