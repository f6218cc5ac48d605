/*
 * A whole server without sockets: hub, domain (in memory, stepped by hand) and files (real, in a
 * temporary directory). Tests speak frames to sessions and look at the frames that come back.
 */
#ifndef SP_TESTS_SESSION_FIXTURE_H
#define SP_TESTS_SESSION_FIXTURE_H

#include "base/clock.h"
#include "domain/domain.h"
#include "files/files.h"
#include "session/hub.h"
#include "unit/domain/signer.h"
#include "wire/frame.h"

struct fixture {
    struct clock_settable clock;
    struct domain *domain;
    struct files *files;
    struct hub *hub;
    struct signer signer;
    struct issue_port port;
    char directory[64];
};

/* A peer of one session: what it has received, as whole frames. */
struct peer {
    struct fixture *fixture;
    struct session *session;
    struct buffer received;
    uint32_t next_id; /* for client ids */
};

void fixture_open(struct fixture *fixture, size_t tail_bytes);
/* With room for so many sessions; else 64. */
void fixture_open_large(struct fixture *fixture, size_t tail_bytes, uint32_t max_sessions);
/* With a limit on each member's messages; fixture_open() has none. */
void fixture_open_limited(struct fixture *fixture, uint32_t message_rate, uint32_t message_burst);
void fixture_close(struct fixture *fixture);

/* Lets everything happen that can: domain, files, hub. Sessions are not pulled. */
void fixture_settle(struct fixture *fixture);
/* The same until PHASE of nothing is under way in the file workers. */
void fixture_settle_files(struct fixture *fixture);

void peer_login(struct fixture *fixture, const char *username, struct peer *out);
/* One that joins. */
void peer_join_team(struct fixture *fixture, struct peer *out);
void peer_close(struct peer *peer);
void peer_send(struct peer *peer, enum frame_type type, uint16_t stream, const void *message,
               const void *raw, size_t raw_size);
/* Pulls everything that the session has to send into peer->received. */
void peer_pull(struct peer *peer);
/* Takes the next frame off; fails the test if there is none. FRAME is valid until the next call. */
void peer_next(struct peer *peer, struct frame *frame, union message *message);
/* Settles, pulls, and takes frames until one of TYPE comes; the others are passed over. */
void peer_expect(struct peer *peer, enum frame_type type, struct frame *frame,
                 union message *message);
bool peer_has_frame(struct peer *peer);

/* A fresh client id and a salt. */
sealpost_v1_Once peer_once(struct peer *peer);
sealpost_v1_LogKey log_named(const char *name);

void peer_create_room(struct peer *peer, const char *name);
void peer_join(struct peer *peer, const char *name);
void peer_post(struct peer *peer, uint16_t stream, const char *room, const char *text);
void peer_follow(struct peer *peer, const char *room, uint64_t after, bool live);

#endif
