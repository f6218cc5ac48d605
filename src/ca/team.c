#include "ca/team_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/file.h"
#include "base/name.h"
#include "ca/certificate.h"
#include "ca/crl.h"
#include "ca/key.h"
#include "ca/pem.h"
#include "tls/asn1.h"

static void work_deinit(struct work *work)
{
    X509_free(work->root);
    EVP_PKEY_free(work->root_key);
    X509_free(work->issuing);
    EVP_PKEY_free(work->issuing_key);
    X509_free(work->server);
    sk_X509_pop_free(work->cas, X509_free);
    sk_X509_CRL_pop_free(work->lists, X509_CRL_free);
    ERR_clear_error();
}

enum sp_error work_fail(struct work *work, enum sp_error error, const char *sentence)
{
    (void)snprintf(work->reason, sizeof(work->reason), "%s", sentence);
    return error;
}

/* DIRECTORY/NAME into OUT; SP_EFILE when it is too long. */
enum sp_error work_path_of(struct work *work, const char *directory, const char *name,
                           char out[PATH_BYTES])
{
    int size = snprintf(out, PATH_BYTES, "%s/%s", directory, name);

    return size > 0 && size < PATH_BYTES
               ? SP_OK
               : work_fail(work, SP_EFILE, "the directory's name is too long");
}

static enum sp_error make_directory(struct work *work, const char *name)
{
    char path[PATH_BYTES];
    enum sp_error error = work_path_of(work, work->order->directory, name, path);

    if (error == SP_OK && mkdir(path, 0700) != 0) {
        (void)snprintf(work->reason, sizeof(work->reason), "%s: %s", path, error_text(errno));
        error = errno == EEXIST ? SP_EEXISTS : SP_EFILE;
    }
    return error;
}

static enum sp_error sync_directory(struct work *work, const char *name)
{
    char path[PATH_BYTES];
    enum sp_error error = work_path_of(work, work->order->directory, name, path);

    if (error == SP_OK && file_sync_directory(path) != SP_OK) {
        error = work_fail(work, SP_EIO, "a directory cannot be synced");
    }
    return error;
}

static enum sp_error new_key(struct work *work, const char *name, EVP_PKEY **out)
{
    char path[PATH_BYTES];
    enum sp_error error = work_path_of(work, work->order->directory, name, path);

    if (error == SP_OK) {
        error = ca_key_new(out);
        if (error != SP_OK) {
            return work_fail(work, error, "OpenSSL cannot make a key");
        }
        error = ca_key_write(*out, path, work->reason, sizeof(work->reason));
    }
    return error;
}

static enum sp_error new_certificate(struct work *work, enum ca_profile profile, EVP_PKEY *key,
                                     X509 **out)
{
    const struct ca_order order = {
        .profile = profile,
        .team = work->team,
        .hosts = work->order->hosts,
        .key = key,
        .issuer = profile == CA_ROOT      ? NULL
                  : profile == CA_ISSUING ? work->root
                                          : work->issuing,
        .issuer_key = profile == CA_ISSUING ? work->root_key : work->issuing_key,
        .now_ms = work->order->now_ms,
    };

    return ca_certificate_new(&order, out, work->reason, sizeof(work->reason));
}

static enum sp_error write_certificates(struct work *work, const char *name, X509 *first,
                                        X509 *second)
{
    char path[PATH_BYTES];
    X509 *both[] = {first, second};
    enum sp_error error = work_path_of(work, work->order->directory, name, path);

    return error == SP_OK ? pem_write_certificates(path, both, second == NULL ? 1 : 2, work->reason,
                                                   sizeof(work->reason))
                          : error;
}

/* A list of ISSUER's, with the entries of OLD if that is not NULL, at the end of the others. */
enum sp_error work_add_list(struct work *work, X509 *issuer, EVP_PKEY *key, const X509_CRL *old,
                            int days)
{
    X509_CRL *list = NULL;
    enum sp_error error = ca_crl_new(issuer, key, old, days, work->order->now_ms, &list);

    if (error == SP_OK && sk_X509_CRL_push(work->lists, list) == 0) {
        ca_crl_free(list);
        error = SP_ENOMEM;
    }
    return error == SP_OK ? SP_OK : work_fail(work, error, "OpenSSL cannot make a revocation list");
}

static enum sp_error add_ca(struct work *work, X509 *certificate)
{
    if (X509_up_ref(certificate) != 1 || sk_X509_push(work->cas, certificate) == 0) {
        return work_fail(work, SP_ENOMEM, "out of memory");
    }
    return SP_OK;
}

static enum sp_error make_authority(struct work *work)
{
    enum sp_error error = SP_OK;

    work->cas = sk_X509_new_null();
    work->lists = sk_X509_CRL_new_null();
    error = new_key(work, "ca/root-key.pem", &work->root_key);
    if (error == SP_OK) {
        error = new_certificate(work, CA_ROOT, work->root_key, &work->root);
    }
    if (error == SP_OK) {
        error = new_key(work, "ca/issuing-key.pem", &work->issuing_key);
    }
    if (error == SP_OK) {
        error = new_certificate(work, CA_ISSUING, work->issuing_key, &work->issuing);
    }
    if (error == SP_OK) {
        error = add_ca(work, work->root);
    }
    if (error == SP_OK) {
        error = add_ca(work, work->issuing);
    }
    if (error == SP_OK) {
        error = work_add_list(work, work->root, work->root_key, NULL, CA_ROOT_CRL_DAYS);
    }
    return error == SP_OK
               ? work_add_list(work, work->issuing, work->issuing_key, NULL, CA_ISSUING_CRL_DAYS)
               : error;
}

/* The certificates below the issuing CA, each with a new key. */
static enum sp_error make_leaves(struct work *work)
{
    EVP_PKEY *server_key = NULL;
    EVP_PKEY *receipts_key = NULL;
    X509 *receipts = NULL;
    enum sp_error error = new_key(work, "server/key.pem", &server_key);

    if (error == SP_OK) {
        error = new_certificate(work, CA_SERVER, server_key, &work->server);
    }
    if (error == SP_OK) {
        error = write_certificates(work, "server/cert.pem", work->server, work->issuing);
    }
    if (error == SP_OK) {
        error = new_key(work, "ca/receipts-key.pem", &receipts_key);
    }
    if (error == SP_OK) {
        error = new_certificate(work, CA_RECEIPTS, receipts_key, &receipts);
    }
    if (error == SP_OK) {
        error = write_certificates(work, "ca/receipts.pem", receipts, work->issuing);
    }
    X509_free(receipts);
    EVP_PKEY_free(receipts_key);
    EVP_PKEY_free(server_key);
    return error;
}

/* What is public of the authority. */
static enum sp_error write_authority(struct work *work)
{
    char path[PATH_BYTES];
    X509 **cas = NULL;
    int count = sk_X509_num(work->cas);
    enum sp_error error = write_certificates(work, "ca/root.pem", work->root, NULL);

    if (error == SP_OK) {
        error = write_certificates(work, "ca/issuing.pem", work->issuing, NULL);
    }
    if (error == SP_OK) {
        error = work_path_of(work, work->order->directory, "ca.pem", path);
    }
    cas = calloc((size_t)count, sizeof(X509 *));
    if (error == SP_OK && cas == NULL) {
        error = work_fail(work, SP_ENOMEM, "out of memory");
    }
    if (error == SP_OK) {
        for (int i = 0; i < count; i++) {
            cas[i] = sk_X509_value(work->cas, i);
        }
        error =
            pem_write_certificates(path, cas, (size_t)count, work->reason, sizeof(work->reason));
    }
    free(cas);
    if (error == SP_OK) {
        error = work_path_of(work, work->order->directory, "crl.pem", path);
    }
    return error == SP_OK
               ? pem_write_lists(path, work->lists, false, work->reason, sizeof(work->reason))
               : error;
}

static enum sp_error tell(struct work *work, struct ca_team *out)
{
    int root_list = ca_crl_find(work->lists, work->root);
    int issuing_list = ca_crl_find(work->lists, work->issuing);

    memcpy(out->team, work->team, sizeof(out->team));
    if (X509_digest(work->root, EVP_sha256(), out->root.bytes, NULL) != 1 ||
        !asn1_time_to_ms(X509_get0_notAfter(work->root), &out->root_ends_ms) ||
        !asn1_time_to_ms(X509_get0_notAfter(work->issuing), &out->issuing_ends_ms) ||
        !asn1_time_to_ms(X509_get0_notAfter(work->server), &out->server_ends_ms)) {
        return work_fail(work, SP_EINTERNAL, "a certificate that was made cannot be read");
    }
    if (root_list < 0) {
        return work_fail(work, SP_ENOCRL, "there is no revocation list of the root");
    }
    (void)asn1_time_to_ms(X509_CRL_get0_nextUpdate(sk_X509_CRL_value(work->lists, root_list)),
                          &out->root_list_ends_ms);
    out->withdrawn = (size_t)sk_X509_REVOKED_num(
        X509_CRL_get_REVOKED(sk_X509_CRL_value(work->lists, issuing_list)));
    return SP_OK;
}

static enum sp_error make(struct work *work, struct ca_team *out)
{
    enum sp_error error = make_directory(work, "ca");

    if (error == SP_OK) {
        error = make_directory(work, "server");
    }
    if (error == SP_OK) {
        error = work->order->adopt == NULL ? make_authority(work) : work_adopt(work);
    }
    if (error == SP_OK) {
        error = make_leaves(work);
    }
    if (error == SP_OK) {
        error = write_authority(work);
    }
    if (error == SP_OK) {
        error = sync_directory(work, "ca");
    }
    if (error == SP_OK) {
        error = sync_directory(work, "server");
    }
    return error == SP_OK ? tell(work, out) : error;
}

enum sp_error ca_team_make(const struct ca_team_order *order, struct ca_team *out, char *reason,
                           size_t capacity)
{
    struct work work = {.order = order};
    enum sp_error error = SP_OK;

    *out = (struct ca_team){0};
    if (order->adopt != NULL) {
        error = work_adopt_name(&work);
    } else if (name_check_team(order->team, strlen(order->team)) != SP_OK) {
        error = work_fail(&work, SP_ENAME, "the team's name is not allowed");
    } else {
        memcpy(work.team, order->team, strlen(order->team));
    }
    if (error == SP_OK) {
        error = make(&work, out);
    }
    if (error != SP_OK) {
        (void)snprintf(reason, capacity, "%s", work.reason);
        *out = (struct ca_team){0};
    }
    work_deinit(&work);
    return error;
}
