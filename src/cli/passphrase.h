/*
 * Passphrases and codes: asked for on the terminal, whatever standard input is, or read from a
 * file. Never taken from arguments or the environment. Called by join and, through libsealpost, by
 * whatever connects.
 */
#ifndef SP_CLI_PASSPHRASE_H
#define SP_CLI_PASSPHRASE_H

#include "cli/output.h"

#define PASSPHRASE_FILE_BYTES 1025 /* the longest passphrase, and its line end */

struct passphrase {
    struct output *output;
    const char *file; /* --passphrase-file; NULL: the terminal is asked */
    bool may_ask;
    const volatile int *stop;
    /* What was given last, so that it need not be given again when the connection is made anew. */
    char kept[PASSPHRASE_FILE_BYTES];
};

/*
 * Asks PROMPT on /dev/tty and reads a line into OUT, without its end; with HIDDEN nothing that is
 * typed is shown, and the terminal is as before afterwards, also when it is interrupted. SP_EFILE:
 * there is no terminal; SP_ECANCELLED, SP_ETOOLARGE.
 */
SP_CHECK enum sp_error terminal_ask(const char *prompt, bool hidden, const volatile int *stop,
                                    char *out, size_t capacity);

/* An sp_passphrase_fn; CONTEXT is a struct passphrase. Once given it is kept, until it is
 * forgotten: when it turns out to be wrong, and at the end. */
SP_CHECK enum sp_error passphrase_get(void *context, const char *path, char *out, size_t capacity);
void passphrase_forget(struct passphrase *passphrase);
/* A new one: from the file, or asked twice. SP_EPASSPHRASE: they differ, or it is empty; that was
 * said. */
SP_CHECK enum sp_error passphrase_new(const struct passphrase *source, char *out, size_t capacity);

#endif
