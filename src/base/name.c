#include "base/name.h"

#include <string.h>

#include "base/utf8.h"

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* [a-z0-9][a-z0-9._-]*, up to MAXIMUM bytes. */
static enum sp_error check_ascii(const char *name, size_t size, size_t maximum)
{
    if (size == 0 || size > maximum || !is_lower_or_digit(name[0])) {
        return SP_ENAME;
    }
    for (size_t i = 1; i < size; i++) {
        if (!is_lower_or_digit(name[i]) && name[i] != '.' && name[i] != '_' && name[i] != '-') {
            return SP_ENAME;
        }
    }
    return SP_OK;
}

enum sp_error name_check_username(const char *name, size_t size)
{
    return check_ascii(name, size, LIMIT_USERNAME_BYTES);
}

enum sp_error name_check_team(const char *name, size_t size)
{
    return check_ascii(name, size, LIMIT_TEAM_BYTES);
}

enum sp_error name_check_log(const char *name, size_t size)
{
    return check_ascii(name, size, LIMIT_LOG_NAME_BYTES);
}

/* Valid UTF-8 in which REFUSED holds for no character. */
static enum sp_error check_utf8(const char *text, size_t size, bool (*refused)(int32_t codepoint))
{
    while (size > 0) {
        int32_t codepoint = 0;
        size_t step = utf8_next(text, size, &codepoint);

        if (step == 0 || refused(codepoint)) {
            return SP_ENAME;
        }
        text += step;
        size -= step;
    }
    return SP_OK;
}

static bool refused_in_file(int32_t codepoint)
{
    return codepoint == '/' || codepoint == '\\' || utf8_is_control(codepoint) ||
           utf8_is_bidi_control(codepoint);
}

static bool refused_in_text(int32_t codepoint)
{
    return codepoint == 0;
}

enum sp_error name_check_file(const char *name, size_t size)
{
    if (size == 0 || size > LIMIT_FILE_NAME_BYTES) {
        return SP_ENAME;
    }
    if (name[0] == '.' && (size == 1 || (size == 2 && name[1] == '.'))) {
        return SP_ENAME;
    }
    return check_utf8(name, size, refused_in_file);
}

enum sp_error name_check_label(const char *name, size_t size)
{
    if (size == 0 || size > LIMIT_LABEL_BYTES) {
        return SP_ENAME;
    }
    return check_utf8(name, size, utf8_is_control);
}

enum sp_error name_check_text(const char *text, size_t size)
{
    return check_utf8(text, size, refused_in_text);
}
