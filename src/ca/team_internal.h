/* A team in the making. For team.c and team_adopt.c only. */
#ifndef SP_CA_TEAM_INTERNAL_H
#define SP_CA_TEAM_INTERNAL_H

#include "ca/team.h"

#define PATH_BYTES 1024

struct evp_pkey_st;
struct stack_st_X509;
struct stack_st_X509_CRL;
struct X509_crl_st;
struct x509_st;

struct work {
    const struct ca_team_order *order;
    char team[LIMIT_TEAM_BYTES + 1];
    struct x509_st *root;
    struct evp_pkey_st *root_key; /* NULL when adopted */
    struct x509_st *issuing;
    struct evp_pkey_st *issuing_key;
    struct x509_st *server;
    struct stack_st_X509 *cas;       /* of ca.pem; holds references of its own */
    struct stack_st_X509_CRL *lists; /* of crl.pem */
    char reason[CA_TEAM_REASON_BYTES];
};

/* Keeps SENTENCE as the reason; returns ERROR. */
SP_CHECK enum sp_error work_fail(struct work *work, enum sp_error error, const char *sentence);

/* DIRECTORY/NAME into OUT; SP_EFILE when it is too long. */
SP_CHECK enum sp_error work_path_of(struct work *work, const char *directory, const char *name,
                                    char out[PATH_BYTES]);

/* A list of ISSUER's, with the entries of OLD if that is not NULL, at the end of the others. */
SP_CHECK enum sp_error work_add_list(struct work *work, struct x509_st *issuer,
                                     struct evp_pkey_st *key, const struct X509_crl_st *old,
                                     int days);

/* The team's name, and then root, issuing CA, its key, and the lists, from the directory to adopt.
 */
SP_CHECK enum sp_error work_adopt_name(struct work *work);
SP_CHECK enum sp_error work_adopt(struct work *work);

#endif
