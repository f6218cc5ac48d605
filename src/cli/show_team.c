/* Rows of devices and of open invitations, and the join codes that were just made. */
#include <inttypes.h>
#include <string.h>

#include "base/escape.h"
#include "cli/show.h"
#include "cli/show_team.h"
#include "cli/time_text.h"

#define SHORT_FINGERPRINT_BYTES 6
#define SAFE_BYTES (4 * LIMIT_LABEL_BYTES + 1)

static const char *safe(const char *name, char out[SAFE_BYTES])
{
    (void)escape_for_terminal(name, strlen(name), false, out, SAFE_BYTES);
    return out;
}

const char *role_text(enum sp_role role)
{
    return role == SP_ROLE_ADMINISTRATOR ? "administrator" : "member";
}

static const char *device_state(const struct sp_device *device)
{
    return device->revoked_ms != 0 ? "revoked"
           : device->current       ? "this one"
           : device->sessions > 0  ? "online"
                                   : "";
}

static void show_device_json(struct output *output, const struct sp_device *device)
{
    struct json_out json;

    json_open(&json, output->data, "device");
    json_hex(&json, "id", device->id, sizeof device->id);
    json_string(&json, "member", device->username);
    json_string(&json, "label", device->label);
    json_hex(&json, "fingerprint", device->fingerprint, sizeof device->fingerprint);
    json_time(&json, "first_seen", device->first_seen_ms);
    json_time(&json, "last_seen", device->last_seen_ms);
    json_time(&json, "expires", device->not_after_ms);
    json_bool(&json, "revoked", device->revoked_ms != 0);
    if (device->revoked_ms != 0) {
        json_time(&json, "revoked_at", device->revoked_ms);
    }
    json_number(&json, "sessions", device->sessions);
    json_bool(&json, "current", device->current);
    json_close(&json);
}

void show_device(struct output *output, const struct sp_device *device)
{
    char fingerprint[DIGEST_HEX_BYTES];
    char member[SAFE_BYTES];
    char label[SAFE_BYTES];
    char seen[TIME_TEXT_BYTES];
    char expires[TIME_TEXT_BYTES];

    switch (output->mode) {
    case OUTPUT_JSON:
        show_device_json(output, device);
        break;
    case OUTPUT_PLAIN: /* FINGERPRINT MEMBER FIRST LAST EXPIRES SESSIONS revoked|- LABEL */
        hex_encode(device->fingerprint, sizeof device->fingerprint, fingerprint);
        (void)fprintf(output->data, "%s %s ", fingerprint, safe(device->username, member));
        put_time(output, device->first_seen_ms);
        (void)fputc(' ', output->data);
        put_time(output, device->last_seen_ms);
        (void)fputc(' ', output->data);
        put_time(output, device->not_after_ms);
        (void)fprintf(output->data, " %" PRIu32 " %s %s\n", device->sessions,
                      device->revoked_ms != 0 ? "revoked" : "-", safe(device->label, label));
        break;
    case OUTPUT_HUMAN:
        hex_encode(device->fingerprint, SHORT_FINGERPRINT_BYTES, fingerprint);
        time_format_local(device->last_seen_ms, clock_wall_ms(output->clock), seen);
        time_format_local(device->not_after_ms, clock_wall_ms(output->clock), expires);
        (void)fprintf(output->data, "%s  %-16s %-20s seen %16s  until %16s  %s\n", fingerprint,
                      safe(device->username, member), safe(device->label, label), seen, expires,
                      device_state(device));
        break;
    }
}

void show_invitation(struct output *output, const struct sp_invitation *invitation)
{
    struct json_out json;
    char name[SAFE_BYTES];
    char expires[TIME_TEXT_BYTES];
    const char *what = invitation->device ? "device" : role_text(invitation->role);

    switch (output->mode) {
    case OUTPUT_JSON:
        json_open(&json, output->data, "invitation");
        json_string(&json, "name", invitation->username);
        json_string(&json, "role", role_text(invitation->role));
        json_bool(&json, "device", invitation->device);
        json_time(&json, "created", invitation->created_ms);
        json_time(&json, "expires", invitation->expires_ms);
        json_string(&json, "created_by", invitation->created_by);
        json_close(&json);
        break;
    case OUTPUT_PLAIN: /* NAME invited WHAT EXPIRES */
        (void)fprintf(output->data, "%s invited %s ", safe(invitation->username, name), what);
        put_time(output, invitation->expires_ms);
        (void)fputc('\n', output->data);
        break;
    case OUTPUT_HUMAN:
        time_format_local(invitation->expires_ms, clock_wall_ms(output->clock), expires);
        (void)fprintf(output->data, "%-24s invited until %s (%s)\n",
                      safe(invitation->username, name), expires, what);
        break;
    }
}

static void show_code_human(struct output *output, const struct shown_code *code)
{
    char expires[TIME_TEXT_BYTES];
    char name[SAFE_BYTES];

    (void)safe(code->name, name);
    if (code->code == NULL) {
        (void)fprintf(output->data, "%s: %s\n", name, code->status);
        return;
    }
    time_format_local(code->expires_ms, clock_wall_ms(output->clock), expires);
    (void)fprintf(output->data, "%s (%s), once, until %s:\n    sealpost join %s\n", name,
                  code->device ? "another device" : role_text(code->role), expires, code->code);
}

void show_code(struct output *output, const struct shown_code *code, bool csv)
{
    struct json_out json;
    bool is_open = code->expires_ms != 0;

    if (output->mode == OUTPUT_JSON) {
        json_open(&json, output->data, "join_code");
        json_string(&json, "name", code->name);
        if (!code->device) {
            json_string(&json, "role", role_text(code->role));
        }
        json_bool(&json, "device", code->device);
        json_string(&json, "status", code->status);
        if (is_open) {
            json_time(&json, "expires", code->expires_ms);
        }
        if (code->code != NULL) {
            json_string(&json, "code", code->code);
        }
        json_close(&json);
    } else if (csv || output->mode == OUTPUT_PLAIN) {
        const char separator = csv ? ',' : ' ';

        (void)fprintf(output->data, "%s%c%s%c%s%c", code->name, separator,
                      code->device ? "device" : role_text(code->role), separator,
                      is_open ? "invited" : "exists", separator);
        if (is_open) {
            put_time(output, code->expires_ms);
        } else {
            (void)fputs(csv ? "" : "-", output->data);
        }
        (void)fprintf(output->data, "%c%s\n", separator,
                      code->code == NULL ? csv ? "" : "-" : code->code);
    } else {
        show_code_human(output, code);
    }
}
