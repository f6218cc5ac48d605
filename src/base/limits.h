/*
 * Every maximum of Sealpost, in one place. All are finite. What a client must know of them is
 * announced in the WELCOME message; what an administrator may change is a default here and a key of
 * the configuration.
 */
#ifndef SP_BASE_LIMITS_H
#define SP_BASE_LIMITS_H

/* Names and text, in bytes without a terminating NUL. */
#define LIMIT_USERNAME_BYTES 32
#define LIMIT_TEAM_BYTES 32
#define LIMIT_LOG_NAME_BYTES 64   /* a room's or a box's name */
#define LIMIT_FILE_NAME_BYTES 255 /* what common file systems hold */
#define LIMIT_LABEL_BYTES 64      /* a device's label */
#define LIMIT_TOPIC_BYTES 512
#define LIMIT_TEXT_BYTES 15360 /* one chat message */
#define LIMIT_HOST_BYTES 253

/* Identifiers and digests, in bytes. */
#define ID_BYTES 16
#define DIGEST_BYTES 32
#define SALT_BYTES 32
#define SERIAL_BYTES 20 /* RFC 5280, 4.1.2.2 */

/* Wire. */
#define LIMIT_MESSAGE_BYTES 2048 /* the protobuf part of a frame */
#define LIMIT_RAW_BYTES 32768    /* the raw part of a frame */
#define FRAME_HEADER_BYTES 8
#define LIMIT_FRAME_BYTES (FRAME_HEADER_BYTES + LIMIT_MESSAGE_BYTES + LIMIT_RAW_BYTES)
#define LIMIT_EVENT_BODY_BYTES 16128 /* so that any EVENT frame fits into one TLS record */
#define LIMIT_PAGE_ROWS 100          /* rows of one list answer */
#define DEFAULT_PORT 7643

/* Sessions. */
#define LIMIT_SESSIONS 16384       /* default of max_sessions */
#define LIMIT_UNAUTHENTICATED 1024 /* connections that are not logged in yet, in all */
#define LIMIT_UNAUTHENTICATED_PER_ADDRESS 256
#define LIMIT_FAILURES_PER_ADDRESS 100 /* failed logins; one is forgotten a second */
#define LIMIT_FOLLOWS_PER_SESSION 1024 /* logs that one session reads along */
#define LIMIT_COMMANDS_PER_SESSION 64  /* commands of one session that wait for their answer */
#define HANDSHAKE_TIMEOUT_MS 10000
#define PING_AFTER_IDLE_MS 30000
#define IDLE_TIMEOUT_MS 90000
#define STALLED_WRITE_TIMEOUT_MS 60000
#define PARTIAL_FRAME_TIMEOUT_MS 60000 /* from the first to the last byte of a frame */
#define DRAIN_TIMEOUT_MS 10000

/* Joining. */
#define JOIN_SECRET_BYTES 16
#define JOIN_FINGERPRINT_BYTES 16 /* of the root's SHA-256, in a join code */
#define LIMIT_JOIN_CODE_BYTES (LIMIT_HOST_BYTES + 96)
#define LIMIT_REQUEST_BYTES 8192     /* a certificate request */
#define LIMIT_INVITATION_LOGS 16     /* rooms and boxes of one invitation */
#define LIMIT_INVITATIONS 100000     /* that are open, in all */
#define LIMIT_DEVICES_PER_MEMBER 256 /* that are not revoked */
#define LIMIT_JOINING 128     /* connections that join, at a time; also a quarter of max_sessions */
#define JOIN_TIMEOUT_MS 15000 /* of the connection, from its handshake on */
#define JOIN_FAILURE_DELAY_MS 1000                  /* before a wrong code is answered */
#define LIMIT_JOIN_FAILURES_PER_ADDRESS 100         /* wrong codes; one is forgotten a second */
#define INVITATION_VALID_MS (INT64_C(7) * 86400000) /* if nothing else is asked for */
#define LIMIT_INVITATION_VALID_MS (INT64_C(90) * 86400000)

/* The domain. */
#define LIMIT_WAITING_COMMANDS 8192          /* commands in its queue */
#define LIMIT_COMMANDS_PER_COMMIT 4096       /* of one group commit */
#define LIMIT_LOGS 4194304                   /* rooms, boxes and their parts, in all */
#define LIMIT_SEQUENCE ((1ULL << 40) - 1)    /* events in one log */
#define LIMIT_KEEP_SECONDS 3155760000ULL     /* of retention: a hundred years */
#define LIMIT_MENTIONS 32                    /* names that one message mentions */
#define LIMIT_UNREAD_MENTIONS 1000           /* of one member in one room; more are not counted */
#define LIMIT_READ_STATES 1024               /* of one member, that a session was not told yet */
#define LIMIT_MARKS_PER_SECOND 10            /* MARK_READs of one member */
#define LIMIT_MARKS_BURST 200                /* of these at once */
#define LIMIT_SEEN_NOTES 256                 /* devices of one COMMAND_SEEN */
#define SEEN_INTERVAL_MS 60000               /* between two notes that a device is logged in */
#define LIMIT_TAIL_BYTES (64L * 1024 * 1024) /* encoded events kept in memory, in all */

/* Files. */
#define LIMIT_INLINE_FILE_BYTES 16384           /* up to this a file's bytes live in SQLite */
#define LIMIT_FILE_BYTES (1LL << 40)            /* default of max_file_bytes: 1 TiB */
#define UPLOAD_IDLE_TIMEOUT_MS 60000            /* without DATA, although there is credit */
#define LIMIT_TRANSFERS_PER_SESSION 8           /* uploads and downloads under way */
#define TRANSFER_WINDOW_BYTES (1024L * 1024)    /* credit of one transfer */
#define TRANSFER_POOL_BYTES (64L * 1024 * 1024) /* credit of all uploads of a server */
#define DISK_RESERVE_BYTES (256L * 1024 * 1024) /* never given to uploads */
#define RESERVE_STEP_BYTES (64L * 1024 * 1024)  /* for uploads of unknown size */

/* A client's own store. */
#define LIMIT_STORE_EVENTS_PER_LOG 5000       /* the newest of each log are kept */
#define LIMIT_STORE_LOGS 100000               /* that a store knows; then it learns of no others */
#define LIMIT_STORE_BYTES (64L * 1024 * 1024) /* of events and lists; then the oldest go */
#define LIMIT_STORE_CATCH_UP 100000ULL        /* missed events of a log that are read after it */
#define LIMIT_STORE_BATCH_EVENTS 256          /* that wait in memory to be written */
#define LIMIT_STORE_BATCH_BYTES (1024L * 1024)
#define LIMIT_STORE_POSTED 1000 /* own messages that could be offered again */
#define LIMIT_OUTBOX_ENTRIES 10000
#define LIMIT_OUTBOX_BYTES (64L * 1024 * 1024) /* of their texts */
#define LIMIT_PATH_BYTES 4096                  /* of a file in the outbox */

/* The server's log. */
#define LIMIT_LOG_LINE_BYTES 1024      /* its newline included */
#define LOG_RING_BYTES (1024 * 1024UL) /* lines that wait to be written */

/* Configuration and certificates. */
#define LIMIT_CONFIG_LINE_BYTES 4096
#define LIMIT_CONFIG_FILE_BYTES (1024L * 1024)
#define LIMIT_PEM_FILE_BYTES (1024L * 1024)
#define LIMIT_CRL_FILE_BYTES (64L * 1024 * 1024)
#define LIMIT_CERT_CHAIN_BYTES 32768 /* of a peer, in the handshake */
#define LIMIT_SERVER_HOSTS 32        /* names and addresses in a server's certificate */
#define LIMIT_CHAIN_DEPTH 2          /* issuing CAs between a leaf and a root */

#endif
