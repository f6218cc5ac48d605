#include "base/utf8.h"

#include <utf8proc.h>

struct range {
    int32_t first;
    int32_t last;
};

static const struct range bidi_controls[] = {
    {0x061c, 0x061c}, /* Arabic letter mark */
    {0x200e, 0x200f}, /* left-to-right and right-to-left mark */
    {0x202a, 0x202e}, /* embeddings and overrides */
    {0x2066, 0x2069}, /* isolates */
};

/* Default_Ignorable_Code_Point of Unicode without the format characters (category Cf, which are
 * looked up) and without variation selectors 15 and 16. */
static const struct range ignorables[] = {
    {0x034f, 0x034f},   /* combining grapheme joiner */
    {0x115f, 0x1160},   /* Hangul fillers */
    {0x17b4, 0x17b5},   /* Khmer inherent vowels */
    {0x180b, 0x180f},   /* Mongolian variation selectors */
    {0x2065, 0x2065},   /* unassigned */
    {0x3164, 0x3164},   /* Hangul filler */
    {0xfe00, 0xfe0d},   /* variation selectors */
    {0xffa0, 0xffa0},   /* half-width Hangul filler */
    {0xfff0, 0xfff8},   /* unassigned */
    {0xe0000, 0xe0fff}, /* tags, variation selectors, unassigned */
};

static bool is_in(const struct range *ranges, size_t count, int32_t codepoint)
{
    for (size_t i = 0; i < count; i++) {
        if (codepoint >= ranges[i].first && codepoint <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

size_t utf8_next(const char *text, size_t size, int32_t *codepoint)
{
    utf8proc_ssize_t step = 0;

    *codepoint = 0;
    if (size == 0) {
        return 0;
    }
    /* At most a character: the length given stays positive, whatever SIZE is. */
    step = utf8proc_iterate((const utf8proc_uint8_t *)text, size < 4 ? (long)size : 4, codepoint);
    if (step <= 0) {
        *codepoint = 0;
        return 0;
    }
    return (size_t)step;
}

bool utf8_is_control(int32_t codepoint)
{
    return (codepoint >= 0 && codepoint < 0x20) || (codepoint >= 0x7f && codepoint <= 0x9f);
}

bool utf8_is_bidi_control(int32_t codepoint)
{
    return is_in(bidi_controls, COUNT_OF(bidi_controls), codepoint);
}

bool utf8_is_hidden(int32_t codepoint)
{
    if (codepoint >= 0x20 && codepoint < 0x7f) {
        return false; /* nearly always */
    }
    switch (utf8proc_category(codepoint)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return true;
    default:
        /* The bidi table again, so that an older utf8proc cannot let one through. */
        return is_in(ignorables, COUNT_OF(ignorables), codepoint) ||
               utf8_is_bidi_control(codepoint);
    }
}

bool utf8_is_pictographic(int32_t codepoint)
{
    return utf8proc_get_property(codepoint)->boundclass ==
           UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC;
}

bool utf8_is_extending(int32_t codepoint)
{
    return utf8proc_get_property(codepoint)->boundclass == UTF8PROC_BOUNDCLASS_EXTEND;
}
