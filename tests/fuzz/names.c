/* Names: our checks against the rules written down a second time, character by character. */
#include "names.h"

#include "base/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the characters of a text are. */
struct traits {
    bool valid;
    bool has_nul;
    bool has_control;
    bool has_bidi;
    bool has_separator;
};

static struct traits look_at(const uint8_t *data, size_t size)
{
    struct traits traits = {.valid = true};

    while (size > 0) {
        uint32_t c = 0;
        size_t step = oracle_next(data, size, &c);

        if (step == 0) {
            traits.valid = false;
            break;
        }
        traits.has_nul |= c == 0;
        traits.has_control |= oracle_is_control(c);
        traits.has_bidi |= oracle_is_bidi(c);
        traits.has_separator |= c == '/' || c == '\\';
        data += step;
        size -= step;
    }
    return traits;
}

static bool is_ascii_name(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        bool letter = (data[i] >= 'a' && data[i] <= 'z') || (data[i] >= '0' && data[i] <= '9');
        bool mark = data[i] == '.' || data[i] == '_' || data[i] == '-';

        if (!letter && (!mark || i == 0)) {
            return false;
        }
    }
    return size > 0;
}

static bool is_dots(const uint8_t *data, size_t size)
{
    return (size == 1 || size == 2) && data[0] == '.' && data[size - 1] == '.';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *name = (const char *)data;
    struct traits traits = look_at(data, size);
    bool ascii = is_ascii_name(data, size);
    bool file = traits.valid && !traits.has_control && !traits.has_bidi && !traits.has_separator &&
                size > 0 && size <= LIMIT_FILE_NAME_BYTES && !is_dots(data, size);
    bool label = traits.valid && !traits.has_control && size > 0 && size <= LIMIT_LABEL_BYTES;

    require((name_check_username(name, size) == SP_OK) == (ascii && size <= LIMIT_USERNAME_BYTES));
    require((name_check_team(name, size) == SP_OK) == (ascii && size <= LIMIT_TEAM_BYTES));
    require((name_check_log(name, size) == SP_OK) == (ascii && size <= LIMIT_LOG_NAME_BYTES));
    require((name_check_file(name, size) == SP_OK) == file);
    require((name_check_label(name, size) == SP_OK) == label);
    require((name_check_text(name, size) == SP_OK) == (traits.valid && !traits.has_nul));
    return 0;
}
