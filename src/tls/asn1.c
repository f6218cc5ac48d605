#include "tls/asn1.h"

#include <string.h>
#include <time.h>

#include <openssl/asn1.h>

#define MS_PER_SECOND 1000

bool asn1_time_to_ms(const struct asn1_string_st *time, int64_t *out_ms)
{
    struct tm calendar = {0};

    *out_ms = 0;
    if (time == NULL || ASN1_TIME_to_tm(time, &calendar) != 1) {
        return false;
    }
    *out_ms = (int64_t)timegm(&calendar) * MS_PER_SECOND;
    return true;
}

bool asn1_serial(const struct asn1_string_st *number, uint8_t out[SERIAL_BYTES], size_t *out_size)
{
    int size = ASN1_STRING_length(number);

    memset(out, 0, SERIAL_BYTES);
    *out_size = 0;
    if (ASN1_STRING_type(number) != V_ASN1_INTEGER || size < 1 || size > SERIAL_BYTES) {
        return false; /* a negative one is of another type, V_ASN1_NEG_INTEGER */
    }
    memcpy(out, ASN1_STRING_get0_data(number), (size_t)size);
    *out_size = (size_t)size;
    return true;
}
