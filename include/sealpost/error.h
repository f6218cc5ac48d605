/*
 * The one error namespace of Sealpost: every function that can fail returns one of these, the wire
 * carries the same numbers, and the exit codes of the commands follow from them.
 *
 * Results of OpenSSL, SQLite and errno are translated into these where they occur, and go no
 * further.
 *
 * Numbers are stable: they are part of the protocol (docs/PROTOCOL.md, "Errors"). Add at the end of
 * a class, never renumber, never reuse.
 */
#ifndef SEALPOST_ERROR_H
#define SEALPOST_ERROR_H

#if defined(__GNUC__)
#define SP_CHECK __attribute__((warn_unused_result))
#define SP_API __attribute__((visibility("default")))
#else
#define SP_CHECK
#define SP_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What is known about the world after an error. */
enum sp_error_class {
    SP_CLASS_OK = 0,      /* it happened, durably */
    SP_CLASS_REFUSED = 1, /* nothing happened, and asking again will not help */
    SP_CLASS_RETRY = 2,   /* nothing happened; the same request may succeed later */
    SP_CLASS_UNKNOWN = 3, /* it may have happened: ask again with the same client_id */
};

/* X(symbol, number, class, exit code, short name, sentence) */
#define SP_ERROR_LIST(X)                                                                           \
    X(SP_OK, 0, SP_CLASS_OK, 0, "ok", "done")                                                      \
    /* refused: the request */                                                                     \
    X(SP_EINVALID, 1, SP_CLASS_REFUSED, 2, "invalid", "the request is not valid")                  \
    X(SP_ENAME, 2, SP_CLASS_REFUSED, 2, "bad-name", "the name is not allowed")                     \
    X(SP_ENOTFOUND, 3, SP_CLASS_REFUSED, 5, "not-found", "there is no such thing")                 \
    X(SP_EEXISTS, 4, SP_CLASS_REFUSED, 6, "exists", "it exists already")                           \
    X(SP_ECONFLICT, 5, SP_CLASS_REFUSED, 6, "conflict",                                            \
      "the same client id was used before for something else")                                     \
    X(SP_EFORBIDDEN, 6, SP_CLASS_REFUSED, 4, "forbidden", "you may not do that")                   \
    X(SP_ENOTJOINED, 7, SP_CLASS_REFUSED, 4, "not-joined", "you are not in that room")             \
    X(SP_ETOOLARGE, 8, SP_CLASS_REFUSED, 7, "too-large", "it is larger than the server allows")    \
    X(SP_ELIMIT, 9, SP_CLASS_REFUSED, 7, "limit", "a limit of the server is reached")              \
    X(SP_EDIGEST, 10, SP_CLASS_REFUSED, 8, "digest-mismatch",                                      \
      "the bytes that arrived do not have the SHA-256 that was announced")                         \
    X(SP_ESIZE, 11, SP_CLASS_REFUSED, 8, "size-mismatch",                                          \
      "the number of bytes that arrived is not the one that was announced")                        \
    X(SP_EINTEGRITY, 12, SP_CLASS_REFUSED, 8, "integrity", "stored or received data is damaged")   \
    X(SP_ECANCELLED, 13, SP_CLASS_REFUSED, 1, "cancelled", "it was cancelled")                     \
    X(SP_EPROTOCOL, 14, SP_CLASS_REFUSED, 1, "protocol", "the peer does not follow the protocol")  \
    X(SP_EUNSUPPORTED, 15, SP_CLASS_REFUSED, 1, "unsupported", "the peer does not know that")      \
    X(SP_ECONFIG, 16, SP_CLASS_REFUSED, 2, "config", "the configuration is not valid")             \
    X(SP_EFILE, 17, SP_CLASS_REFUSED, 1, "file", "a local file cannot be used")                    \
    X(SP_ECHANGED, 18, SP_CLASS_REFUSED, 8, "changed", "the file changed while it was read")       \
    /* refused: who is asking */                                                                   \
    X(SP_ECERT, 32, SP_CLASS_REFUSED, 4, "certificate", "the certificate is not acceptable")       \
    X(SP_EREVOKED, 33, SP_CLASS_REFUSED, 4, "revoked", "the certificate has been revoked")         \
    X(SP_EEXPIRED, 34, SP_CLASS_REFUSED, 4, "expired", "the certificate has expired")              \
    X(SP_ENOTYET, 35, SP_CLASS_REFUSED, 4, "not-yet-valid", "the certificate is not valid yet")    \
    X(SP_EUNTRUSTED, 36, SP_CLASS_REFUSED, 4, "untrusted",                                         \
      "the certificate does not come from this team's certificate authority")                      \
    X(SP_EIDENTITY, 37, SP_CLASS_REFUSED, 4, "identity",                                           \
      "the certificate does not name exactly one member of this team")                             \
    X(SP_EPROFILE, 38, SP_CLASS_REFUSED, 4, "profile",                                             \
      "the certificate is not a client certificate as this team issues them")                      \
    X(SP_ENOCERT, 39, SP_CLASS_REFUSED, 4, "no-certificate", "no certificate was presented")       \
    X(SP_ENOCRL, 40, SP_CLASS_REFUSED, 4, "no-crl",                                                \
      "there is no fresh certificate revocation list of the certificate's issuer")                 \
    X(SP_EHOST, 41, SP_CLASS_REFUSED, 4, "wrong-host",                                             \
      "the server's certificate is for another host name or address")                              \
    X(SP_ENOTADMITTED, 42, SP_CLASS_REFUSED, 4, "not-admitted",                                    \
      "the certificate is valid, but this server has not admitted the device")                     \
    X(SP_EDISABLED, 43, SP_CLASS_REFUSED, 4, "disabled", "the member or the device is shut out")   \
    X(SP_ETLS, 44, SP_CLASS_REFUSED, 4, "tls", "the TLS handshake failed")                         \
    X(SP_EKEY, 45, SP_CLASS_REFUSED, 4, "private-key", "the private key cannot be used")           \
    X(SP_ECODE, 46, SP_CLASS_REFUSED, 4, "join-code",                                              \
      "the join code is wrong, or a newer one has replaced it")                                    \
    X(SP_ECODEUSED, 47, SP_CLASS_REFUSED, 4, "code-used", "the join code has been used already")   \
    X(SP_ECODEEXPIRED, 48, SP_CLASS_REFUSED, 4, "code-expired", "the join code has expired")       \
    X(SP_EPASSPHRASE, 49, SP_CLASS_REFUSED, 4, "passphrase",                                       \
      "the passphrase of the private key is missing or wrong")                                     \
    /* retry */                                                                                    \
    X(SP_EBUSY, 64, SP_CLASS_RETRY, 1, "busy", "the server is busy; try again later")              \
    X(SP_ESLOWDOWN, 65, SP_CLASS_RETRY, 1, "slow-down", "too fast; slow down")                     \
    X(SP_EFULL, 66, SP_CLASS_RETRY, 7, "full", "there is no room left on the server's disk")       \
    X(SP_ESHUTDOWN, 67, SP_CLASS_RETRY, 69, "shutting-down", "the server is shutting down")        \
    X(SP_ENOMEM, 68, SP_CLASS_RETRY, 1, "no-memory", "out of memory")                              \
    X(SP_EUNREACHABLE, 69, SP_CLASS_RETRY, 69, "unreachable", "the server cannot be reached")      \
    X(SP_EIO, 70, SP_CLASS_RETRY, 1, "io", "an input or output operation failed")                  \
    X(SP_EAGAIN, 71, SP_CLASS_RETRY, 1, "again", "not now: wait until the socket is ready")        \
    X(SP_EIDLE, 72, SP_CLASS_RETRY, 69, "idle", "the connection was idle or stalled for too long") \
    /* unknown outcome */                                                                          \
    X(SP_EDISCONNECTED, 96, SP_CLASS_UNKNOWN, 69, "disconnected",                                  \
      "the connection ended before the answer came")                                               \
    X(SP_ETIMEOUT, 97, SP_CLASS_UNKNOWN, 69, "timeout", "no answer came in time")                  \
    X(SP_EINTERNAL, 98, SP_CLASS_UNKNOWN, 1, "internal", "an internal error")

enum sp_error {
#define SP_ERROR_ENUM(symbol, number, class, exit, name, text) symbol = (number),
    SP_ERROR_LIST(SP_ERROR_ENUM)
#undef SP_ERROR_ENUM
};

/* A short, stable, lower-case name ("not-found"), for logs and scripts. Static; never NULL. */
SP_API const char *sp_error_name(enum sp_error error);

/* A sentence part for people, without capital or full stop. Static; never NULL. */
SP_API const char *sp_error_text(enum sp_error error);

/* What is known after ERROR. A number that this version does not know is SP_CLASS_UNKNOWN. */
SP_API enum sp_error_class sp_error_class(enum sp_error error);

/* The exit code of a command that ends with ERROR (docs: README, "Exit codes"). */
SP_API int sp_error_exit_code(enum sp_error error);

#ifdef __cplusplus
}
#endif

#endif
