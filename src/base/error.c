#include "sealpost/error.h"

#include <stddef.h>

struct entry {
    enum sp_error_class class;
    int exit_code;
    const char *name; /* NULL: no such number */
    const char *text;
};

static const struct entry entries[] = {
#define ENTRY(symbol, number, error_class, code, short_name, sentence) \
    [symbol] = {(error_class), (code), (short_name), (sentence)},
    SP_ERROR_LIST(ENTRY)
#undef ENTRY
};

/* Numbers come from the wire, too: a newer peer may send one that is not in the table. */
static const struct entry *find_entry(enum sp_error error)
{
    static const struct entry unknown = {
        .class = SP_CLASS_UNKNOWN,
        .exit_code = 1,
        .name = "unknown",
        .text = "an error that this version does not know",
    };
    size_t number = (size_t)error;

    if (number >= sizeof(entries) / sizeof(entries[0]) || entries[number].name == NULL) {
        return &unknown;
    }
    return &entries[number];
}

const char *sp_error_name(enum sp_error error)
{
    return find_entry(error)->name;
}

const char *sp_error_text(enum sp_error error)
{
    return find_entry(error)->text;
}

enum sp_error_class sp_error_class(enum sp_error error)
{
    return find_entry(error)->class;
}

int sp_error_exit_code(enum sp_error error)
{
    return find_entry(error)->exit_code;
}
