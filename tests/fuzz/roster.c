/* Rosters: every row that is taken holds names that the server takes, and no name twice. */
#include "names.h"

#include <string.h>

#include "base/name.h"
#include "cli/roster.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct roster roster;
    char message[ROSTER_MESSAGE_BYTES];

    if (roster_parse("roster", (const char *)data, size, &roster, message, sizeof message) !=
        SP_OK) {
        require(message[0] != '\0' && roster.rows == NULL);
        return 0;
    }
    for (size_t i = 0; i < roster.count; i++) {
        const struct roster_row *row = &roster.rows[i];

        require(name_check_username(row->username, strlen(row->username)) == SP_OK);
        require(row->log_count <= LIMIT_INVITATION_LOGS);
        for (size_t k = 0; k < row->log_count; k++) {
            require(name_check_log(row->logs[k], strlen(row->logs[k])) == SP_OK);
        }
        for (size_t k = 0; k < i; k++) {
            require(strcmp(row->username, roster.rows[k].username) != 0);
        }
    }
    roster_deinit(&roster);
    return 0;
}
