#include "ca/refresh.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "ca/certificate.h"
#include "ca/crl.h"
#include "ca/key.h"
#include "ca/pem.h"
#include "tls/asn1.h"

#define TRIES 5
#define TURN_TRIES 20
#define TURN_PAUSE_MS 50

struct signer {
    X509 *certificate;
    EVP_PKEY *key;
};

static void signer_deinit(struct signer *signer)
{
    X509_free(signer->certificate);
    EVP_PKEY_free(signer->key);
}

static enum sp_error signer_read(const struct ca_refresh *refresh, struct signer *signer,
                                 char *reason, size_t capacity)
{
    enum sp_error error =
        pem_read_certificate(refresh->issuer_cert, &signer->certificate, reason, capacity);

    if (error == SP_OK) {
        error = ca_key_read(refresh->issuer_key, &signer->key, reason, capacity);
    }
    if (error == SP_OK && X509_check_private_key(signer->certificate, signer->key) != 1) {
        (void)snprintf(reason, capacity, "%s: is not the key of the certificate in %s",
                       refresh->issuer_key, refresh->issuer_cert);
        error = SP_EKEY;
    }
    ERR_clear_error();
    return error;
}

/* One whose times cannot be read needs another; so does one of a time when the clock was wrong. */
static bool list_is_due(const X509_CRL *list, int64_t now_ms)
{
    int64_t made_ms = 0;
    int64_t next_ms = 0;

    return !asn1_time_to_ms(X509_CRL_get0_lastUpdate(list), &made_ms) ||
           !asn1_time_to_ms(X509_CRL_get0_nextUpdate(list), &next_ms) || made_ms > now_ms ||
           now_ms - made_ms > CA_CRL_REFRESH_AGE_MS || next_ms - now_ms < CA_CRL_REFRESH_LEFT_MS;
}

static bool is_same_file(const struct stat *before, const char *path)
{
    struct stat now = {0};

    return stat(path, &now) == 0 && now.st_dev == before->st_dev && now.st_ino == before->st_ino &&
           now.st_size == before->st_size && now.st_mtim.tv_sec == before->st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == before->st_mtim.tv_nsec;
}

/* Puts a new list in the place of the one at INDEX of LISTS. */
static enum sp_error renew_list(const struct signer *signer, STACK_OF(X509_CRL) * lists, int index,
                                int64_t now_ms)
{
    X509_CRL *old = sk_X509_CRL_value(lists, index);
    X509_CRL *list = NULL;
    bool is_root = X509_self_signed(signer->certificate, 0) == 1;
    enum sp_error error =
        ca_crl_new(signer->certificate, signer->key, old,
                   is_root ? CA_ROOT_CRL_DAYS : CA_ISSUING_CRL_DAYS, now_ms, &list);

    if (error == SP_OK) {
        (void)sk_X509_CRL_set(lists, index, list);
        X509_CRL_free(old);
    }
    return error;
}

/* SP_EBUSY: the file has changed while it was read. */
static enum sp_error try_refresh(const struct ca_refresh *refresh, const struct signer *signer,
                                 const char *path, bool *made, char *reason, size_t capacity)
{
    STACK_OF(X509_CRL) *lists = NULL;
    struct stat status = {0};
    bool is_there = stat(path, &status) == 0;
    enum sp_error error = pem_read_lists(path, &lists, reason, capacity);
    int index = -1;

    if (error != SP_OK) {
        return error;
    }
    index = ca_crl_find(lists, signer->certificate);
    if (index < 0) {
        (void)snprintf(reason, capacity, "%s: has no revocation list that the CA in %s has signed",
                       path, refresh->issuer_cert);
        error = SP_ENOCRL;
    } else if (refresh->always || list_is_due(sk_X509_CRL_value(lists, index), refresh->now_ms)) {
        error = renew_list(signer, lists, index, refresh->now_ms);
        if (error != SP_OK) {
            (void)snprintf(reason, capacity, "%s: OpenSSL cannot make the revocation list", path);
        } else if (!is_there || !is_same_file(&status, path)) {
            (void)snprintf(reason, capacity, "%s: changes all the time", path);
            error = SP_EBUSY;
        } else {
            error = pem_write_lists(path, lists, true, reason, capacity);
        }
        *made = error == SP_OK;
    }
    sk_X509_CRL_pop_free(lists, X509_CRL_free);
    return error;
}

/*
 * Two that make lists for one file, as a server and a `root-list` do, take turns: a lock on its
 * directory, since the file itself is replaced. Whoever may read the directory can hold it, so it
 * is not waited for for ever. The descriptor, which is to be closed; -1: there is none.
 */
static int take_turn(const char *path)
{
    const struct timespec pause = {0, TURN_PAUSE_MS * 1000000L};
    const char *slash = strrchr(path, '/');
    char *directory =
        slash == NULL ? strdup(".") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
    int fd = directory == NULL ? -1 : open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    free(directory);
    for (int i = 0; fd >= 0 && i < TURN_TRIES && flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
        (void)nanosleep(&pause, NULL);
    }
    return fd;
}

enum sp_error ca_crl_refresh(const struct ca_refresh *refresh, const char *crl_file, bool *made,
                             char *reason, size_t capacity)
{
    struct signer signer = {0};
    enum sp_error error = signer_read(refresh, &signer, reason, capacity);

    *made = false;
    if (error != SP_OK) {
        signer_deinit(&signer);
        return error;
    }
    int turn = take_turn(crl_file);
    error = SP_EBUSY;
    for (int i = 0; i < TRIES && error == SP_EBUSY; i++) {
        error = try_refresh(refresh, &signer, crl_file, made, reason, capacity);
    }
    if (turn >= 0) {
        (void)close(turn);
    }
    signer_deinit(&signer);
    return error;
}

/* Whether SIGNER has signed CERTIFICATE, and it ends soon. */
static bool certificate_is_due(const struct signer *signer, X509 *certificate, int64_t now_ms)
{
    int64_t end_ms = 0;
    bool is_ours = X509_check_issued(signer->certificate, certificate) == X509_V_OK &&
                   X509_verify(certificate, signer->key) == 1;

    ERR_clear_error();
    return is_ours && asn1_time_to_ms(X509_get0_notAfter(certificate), &end_ms) &&
           end_ms - now_ms < CA_CERTIFICATE_REFRESH_LEFT_MS;
}

static enum sp_error write_chain(const char *path, X509 *leaf, STACK_OF(X509) * chain, char *reason,
                                 size_t capacity)
{
    X509 *all[LIMIT_CHAIN_DEPTH + 2] = {leaf};
    size_t count = 1;

    for (int i = 1; i < sk_X509_num(chain) && count < COUNT_OF(all); i++) {
        all[count++] = sk_X509_value(chain, i);
    }
    return pem_replace_certificates(path, all, count, reason, capacity);
}

/* An issuing CA that ends before the certificate would, makes none that is any better. */
static bool would_last_longer(const X509 *certificate, const X509 *old)
{
    return ASN1_TIME_compare(X509_get0_notAfter(certificate), X509_get0_notAfter(old)) > 0;
}

/* One that is withdrawn, or of which that is not known, stays as it is. */
static enum sp_error is_withdrawn(const struct signer *signer, const char *crl_file,
                                  X509 *certificate, bool *withdrawn, char *reason, size_t capacity)
{
    STACK_OF(X509_CRL) *lists = NULL;
    X509_REVOKED *entry = NULL;
    enum sp_error error = pem_read_lists(crl_file, &lists, reason, capacity);
    int index = error == SP_OK ? ca_crl_find(lists, signer->certificate) : -1;

    *withdrawn = index < 0 ||
                 X509_CRL_get0_by_cert(sk_X509_CRL_value(lists, index), &entry, certificate) != 0;
    sk_X509_CRL_pop_free(lists, X509_CRL_free);
    return error;
}

static enum sp_error renew_server(const struct ca_refresh *refresh, const struct signer *signer,
                                  const char *team, STACK_OF(X509) * chain, const char *cert_file,
                                  bool *made, char *reason, size_t capacity)
{
    X509 *renewed = NULL;
    X509 *old = sk_X509_value(chain, 0);
    const struct ca_order order = {
        .profile = CA_SERVER,
        .team = team,
        .like = old,
        .key = X509_get0_pubkey(old),
        .issuer = signer->certificate,
        .issuer_key = signer->key,
        .now_ms = refresh->now_ms,
    };
    enum sp_error error = ca_certificate_new(&order, &renewed, reason, capacity);

    if (error == SP_OK && would_last_longer(renewed, old)) {
        error = write_chain(cert_file, renewed, chain, reason, capacity);
        *made = error == SP_OK;
    }
    X509_free(renewed);
    return error;
}

enum sp_error ca_server_refresh(const struct ca_refresh *refresh, const char *team,
                                const char *crl_file, const char *cert_file, bool *made,
                                char *reason, size_t capacity)
{
    struct signer signer = {0};
    STACK_OF(X509) *chain = NULL;
    bool withdrawn = false;
    enum sp_error error = signer_read(refresh, &signer, reason, capacity);

    *made = false;
    if (error == SP_OK) {
        error = pem_read_certificates(cert_file, &chain, reason, capacity);
    }
    if (error == SP_OK && certificate_is_due(&signer, sk_X509_value(chain, 0), refresh->now_ms)) {
        error =
            is_withdrawn(&signer, crl_file, sk_X509_value(chain, 0), &withdrawn, reason, capacity);
        if (error == SP_OK && !withdrawn) {
            error = renew_server(refresh, &signer, team, chain, cert_file, made, reason, capacity);
        }
    }
    sk_X509_pop_free(chain, X509_free);
    signer_deinit(&signer);
    return error;
}
