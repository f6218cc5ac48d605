/* Times and serial numbers out of certificates and revocation lists. For src/tls only. */
#ifndef SP_TLS_ASN1_H
#define SP_TLS_ASN1_H

#include "base/base.h"

struct asn1_string_st; /* OpenSSL's ASN1_TIME and ASN1_INTEGER */

/* Milliseconds since 1970. False when TIME is NULL or malformed. */
bool asn1_time_to_ms(const struct asn1_string_st *time, int64_t *out_ms);

/* The bytes of a serial number, big-endian without leading zeros, the rest of OUT zero. False when
 * it is negative or longer than RFC 5280 allows. */
bool asn1_serial(const struct asn1_string_st *number, uint8_t out[SERIAL_BYTES], size_t *out_size);

#endif
