/*
 * A scripted server: a thread that listens on the loopback, speaks real TLS with the test CA's
 * certificates, and does with each connection what a function says. A step that does not find what
 * it expects ends the script and makes script_stop() fail the test.
 */
#ifndef TESTS_UNIT_CLIENT_SCRIPT_H
#define TESTS_UNIT_CLIENT_SCRIPT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sealpost/blocking.h"
#include "tls/stream.h"
#include "wire/frame.h"

/* One connection, as the server sees it. Everything here waits, at most some seconds. */
struct line {
    int fd;
    struct stream *stream; /* NULL: no TLS yet */
    struct authority *authority;
    struct buffer heard;
    size_t used;         /* of the frame heard last */
    const char *failure; /* the first step that failed; NULL: none */
    void *context;
};

typedef void (*script_fn)(struct line *line);

struct script;

/* One connection for each of COUNT scripts, in turn. CERTIFICATE is a directory of the test CA with
 * cert.pem and key.pem. */
struct script *script_start(const char *certificate, const script_fn *scripts, size_t count,
                            void *context);
uint16_t script_port(const struct script *script);
/* Waits until all scripts are done; fails the test if one did. */
void script_stop(struct script *script);

void line_handshake(struct line *line);
/* The handshake, which must fail; the client gets the alert. */
void line_refuse(struct line *line);
void line_say(struct line *line, enum frame_type type, uint16_t stream, const void *message,
              struct slice raw);
/* Handshake and WELCOME. */
void line_welcome(struct line *line);
/* The next frame, which must be of TYPE. RAW may be NULL; valid until the next call. */
uint16_t line_hear(struct line *line, enum frame_type type, union message *message,
                   struct slice *raw);
/* Sends close_notify, and reads until the client has ended the connection. */
void line_close(struct line *line);
/* Reads until the client's close_notify. */
void line_expect_end(struct line *line);
/* Ends the connection without close_notify. */
void line_cut(struct line *line);
/* Waits until the client ends the TCP connection. */
void line_wait_hangup(struct line *line);

/* A client of the test CA's directory CERTIFICATE, for HOST. */
struct sp_client *script_client(const char *certificate, const char *host, uint16_t port,
                                int timeout_ms);
const char *script_path(char out[512], const char *format, ...) PRINTF_LIKE(2, 3);

#endif
