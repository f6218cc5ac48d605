/*
 * What tells devices and teams apart, out of their certificate files, without a private key. Called
 * by the client's store, which belongs to one device, and by who makes join codes. Blocks; trusts
 * nothing and checks nothing.
 */
#ifndef SP_TLS_DEVICE_H
#define SP_TLS_DEVICE_H

#include "base/base.h"

struct device_files {
    struct digest root; /* device_root_read() */
    struct digest key;  /* SHA-256 of the device's public key (SubjectPublicKeyInfo, DER) */
};

/* SHA-256 of the team's root certificate, DER: the first of the CA file. Errors as below. */
SP_CHECK enum sp_error device_root_read(const char *ca_file, struct digest *out, char *reason,
                                        size_t capacity);
/* SP_ENOTFOUND, SP_ECERT, SP_ENOMEM, SP_EINTERNAL, with one sentence in REASON that names the file.
 */
SP_CHECK enum sp_error device_files_read(const char *ca_file, const char *cert_file,
                                         struct device_files *out, char *reason, size_t capacity);

#endif
