/* Taking over what tools/make-test-ca has made: its root, its issuing CA, what was withdrawn. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/file.h"
#include "base/name.h"
#include "ca/crl.h"
#include "ca/key.h"
#include "ca/pem.h"
#include "ca/team_internal.h"

#define TEAM_FILE_BYTES 64

/* What make-test-ca has written down as the team's name. */
enum sp_error work_adopt_name(struct work *work)
{
    char path[PATH_BYTES];
    char why[256] = "";
    char *text = NULL;
    size_t size = 0;
    enum sp_error error = work_path_of(work, work->order->adopt, "team", path);

    if (error != SP_OK) {
        return error;
    }
    error = file_read(path, TEAM_FILE_BYTES, &text, &size, why, sizeof(why));
    if (error != SP_OK) {
        (void)snprintf(work->reason, sizeof(work->reason),
                       "%s: %s; is that a directory of tools/make-test-ca?", path, why);
        return error;
    }
    size = strcspn(text, "\n");
    if (name_check_team(text, size) != SP_OK) {
        (void)snprintf(work->reason, sizeof(work->reason), "%s: holds no team's name", path);
        error = SP_ENAME;
    } else if (work->order->team != NULL &&
               (strlen(work->order->team) != size || memcmp(text, work->order->team, size) != 0)) {
        (void)snprintf(work->reason, sizeof(work->reason),
                       "%s is the authority of the team '%.*s', not '%s'", work->order->adopt,
                       (int)size, text, work->order->team);
        error = SP_ENAME;
    } else {
        memcpy(work->team, text, size);
        work->team[size] = '\0';
    }
    free(text);
    return error;
}

/* The issuing CA's key, which is copied, must be its key. */
static enum sp_error adopt_key(struct work *work)
{
    char from[PATH_BYTES];
    char to[PATH_BYTES];
    enum sp_error error = work_path_of(work, work->order->adopt, "issuing/key.pem", from);

    if (error == SP_OK) {
        error = work_path_of(work, work->order->directory, "ca/issuing-key.pem", to);
    }
    if (error == SP_OK) {
        error = ca_key_read(from, &work->issuing_key, work->reason, sizeof(work->reason));
    }
    if (error == SP_OK && X509_check_private_key(work->issuing, work->issuing_key) != 1) {
        (void)snprintf(work->reason, sizeof(work->reason),
                       "%s: is not the key of the certificate beside it", from);
        error = SP_EKEY;
    }
    return error == SP_OK ? ca_key_write(work->issuing_key, to, work->reason, sizeof(work->reason))
                          : error;
}

/* The lists as they are, but for the issuing CA's, which is made anew with its entries. */
static enum sp_error adopt_lists(struct work *work)
{
    char path[PATH_BYTES];
    X509_CRL *old = NULL;
    int index = -1;
    enum sp_error error = work_path_of(work, work->order->adopt, "crl.pem", path);

    if (error == SP_OK) {
        error = pem_read_lists(path, &work->lists, work->reason, sizeof(work->reason));
    }
    if (error != SP_OK) {
        return error;
    }
    index = ca_crl_find(work->lists, work->issuing);
    if (index < 0) {
        (void)snprintf(work->reason, sizeof(work->reason),
                       "%s: has no revocation list of the issuing CA, so what was withdrawn is not "
                       "known; run: make-test-ca -d %s crl",
                       path, work->order->adopt);
        return SP_ENOCRL;
    }
    old = sk_X509_CRL_delete(work->lists, index);
    error = work_add_list(work, work->issuing, work->issuing_key, old, CA_ISSUING_CRL_DAYS);
    ca_crl_free(old);
    return error;
}

static enum sp_error adopt_certificates(struct work *work)
{
    char path[PATH_BYTES];
    enum sp_error error = work_path_of(work, work->order->adopt, "root.pem", path);

    if (error == SP_OK) {
        error = pem_read_certificate(path, &work->root, work->reason, sizeof(work->reason));
    }
    if (error == SP_OK) {
        error = work_path_of(work, work->order->adopt, "issuing/cert.pem", path);
    }
    if (error == SP_OK) {
        error = pem_read_certificate(path, &work->issuing, work->reason, sizeof(work->reason));
    }
    if (error == SP_OK && X509_verify(work->issuing, X509_get0_pubkey(work->root)) != 1) {
        (void)snprintf(work->reason, sizeof(work->reason),
                       "%s: was not signed by the root beside it", path);
        error = SP_ECERT;
    }
    if (error == SP_OK) {
        error = work_path_of(work, work->order->adopt, "ca.pem", path);
    }
    return error == SP_OK
               ? pem_read_certificates(path, &work->cas, work->reason, sizeof(work->reason))
               : error;
}

enum sp_error work_adopt(struct work *work)
{
    enum sp_error error = adopt_certificates(work);

    if (error == SP_OK) {
        error = adopt_key(work);
    }
    return error == SP_OK ? adopt_lists(work) : error;
}
