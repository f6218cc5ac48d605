/* Uploads and downloads against a scripted server in memory. */
#include "unit/client/peer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct sp_once once = {{1, 2, 3}, {4, 5, 6}};
static const size_t sizes[] = {0, 1, 32767, 32768, 32769, 65536, 3 * 1024 * 1024 + 17};

/* SIZE bytes that are not all the same. free() them. */
static uint8_t *make_bytes(size_t size)
{
    uint8_t *bytes = malloc(size + 1);

    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(i * 2654435761U >> 13);
    }
    return bytes;
}

static int make_file(const void *data, size_t size)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* ---- Uploads ---- */

struct upload {
    uint32_t request;
    uint16_t stream;
    union message offer;
};

static void offer(struct peer *peer, int fd, struct upload *upload)
{
    assert_int_equal(sp_send(&peer->client, &once, "general", "a.bin", fd, &upload->request),
                     SP_OK);
    upload->stream = peer_hear(peer, FRAME_OFFER, &upload->offer, NULL);
    assert_string_equal(upload->offer.offer.name, "a.bin");
    assert_string_equal(upload->offer.offer.log.name, "general");
}

static void say_offered(struct peer *peer, const struct upload *upload, uint64_t credit)
{
    sealpost_v1_Offered offered = {.credit = credit};

    peer_say(peer, FRAME_OFFERED, upload->stream, &offered, nothing);
}

static void give_credit(struct peer *peer, const struct upload *upload, uint64_t bytes)
{
    sealpost_v1_Credit credit = {.bytes = bytes};

    peer_say(peer, FRAME_CREDIT, upload->stream, &credit, nothing);
}

static void say_stored(struct peer *peer, uint16_t stream, const void *data, size_t size,
                       bool repeated)
{
    struct digest digest = digest_bytes(data, size);
    sealpost_v1_Stored stored = {.has_file = true,
                                 .file = {.name = "a.bin", .sequence = 12, .size = size},
                                 .repeated = repeated};

    memcpy(stored.file.sha256, digest.bytes, DIGEST_BYTES);
    memset(stored.hash, 0xcc, sizeof(stored.hash));
    peer_say(peer, FRAME_STORED, stream, &stored, nothing);
}

/* Takes notices until there are none, which must be progress. Returns how many. */
static size_t take_progress(struct peer *peer, struct sp_progress *last)
{
    struct sp_notice notice;
    size_t count = 0;

    while (peer_next(peer, &notice)) {
        assert_int_equal(notice.type, SP_NOTICE_PROGRESS);
        assert_true(notice.progress.done >= last->done);
        *last = notice.progress;
        count++;
    }
    return count;
}

/* Lets the core get to what was said. */
static void settle(struct peer *peer)
{
    struct sp_progress last = {0};

    (void)take_progress(peer, &last);
}

static void accept_offer(struct peer *peer, const struct upload *upload, uint64_t credit)
{
    say_offered(peer, upload, credit);
    settle(peer);
}

/* Hears DATA of SIZE bytes in all, giving credit as the server does. */
static void hear_data(struct peer *peer, const struct upload *upload, const uint8_t *expected,
                      size_t size)
{
    struct sp_progress last = {0};
    size_t heard = 0;

    while (heard < size) {
        struct slice raw;

        (void)take_progress(peer, &last);
        assert_int_equal(peer_hear(peer, FRAME_DATA, NULL, &raw), upload->stream);
        assert_true(raw.size > 0 && raw.size <= size - heard);
        assert_memory_equal(raw.data, expected + heard, raw.size);
        heard += raw.size;
        give_credit(peer, upload, raw.size);
    }
}

static void hear_commit(struct peer *peer, const struct upload *upload, const void *data,
                        size_t size)
{
    struct digest digest = digest_bytes(data, size);
    union message message;

    assert_int_equal(peer_hear(peer, FRAME_COMMIT, &message, NULL), upload->stream);
    assert_int_equal(message.commit.size, size);
    assert_memory_equal(message.commit.sha256, digest.bytes, DIGEST_BYTES);
}

static void test_upload_sizes(void **state)
{
    struct peer *peer = *state;

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        size_t size = sizes[i];
        uint8_t *bytes = make_bytes(size);
        int fd = make_file(bytes, size);
        struct sp_progress last = {0};
        struct sp_notice notice;
        struct upload upload;

        offer(peer, fd, &upload);
        assert_int_equal(upload.offer.offer.size, size);
        assert_false(upload.offer.offer.size_unknown);
        accept_offer(peer, &upload, 1 << 20);
        hear_data(peer, &upload, bytes, size);
        (void)take_progress(peer, &last);
        hear_commit(peer, &upload, bytes, size);
        (void)take_progress(peer, &last);
        say_stored(peer, upload.stream, bytes, size, false);
        peer_result(peer, upload.request, SP_OK, &notice);
        assert_int_equal(notice.file.size, size);
        assert_string_equal(notice.file.name, "a.bin");
        assert_int_equal(notice.sequence, 12);
        assert_int_equal(notice.hash[0], 0xcc);
        assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
        (void)close(fd);
        free(bytes);
    }
}

static void test_upload_progress(void **state)
{
    struct peer *peer = *state;
    size_t size = 1UL << 20;
    uint8_t *bytes = make_bytes(size);
    int fd = make_file(bytes, size);
    struct sp_progress last = {0};
    struct upload upload;

    offer(peer, fd, &upload);
    say_offered(peer, &upload, UINT64_MAX);
    size_t count = take_progress(peer, &last);
    assert_int_equal(last.done, size);
    assert_int_equal(last.total, size);
    assert_in_range(count, 2, size / 65536 + 1);
    (void)close(fd);
    free(bytes);
}

static void test_upload_from_an_offset(void **state)
{
    struct peer *peer = *state;
    int fd = make_file("0123456789", 10);
    struct upload upload;
    struct slice raw;

    assert_int_equal(lseek(fd, 4, SEEK_SET), 4);
    offer(peer, fd, &upload);
    assert_int_equal(upload.offer.offer.size, 6);
    accept_offer(peer, &upload, 100);
    peer_hear(peer, FRAME_DATA, NULL, &raw);
    assert_int_equal(raw.size, 6);
    assert_memory_equal(raw.data, "456789", 6);
    hear_commit(peer, &upload, "456789", 6);
    (void)close(fd);
}

static void test_upload_waits_for_credit(void **state)
{
    struct peer *peer = *state;
    uint8_t *bytes = make_bytes(100000);
    int fd = make_file(bytes, 100000);
    struct sp_progress last = {0};
    struct upload upload;
    struct slice raw;

    offer(peer, fd, &upload);
    accept_offer(peer, &upload, 0);
    (void)take_progress(peer, &last);
    peer_hear_nothing(peer);
    assert_false(core_has_output(peer->core));
    give_credit(peer, &upload, 10);
    (void)take_progress(peer, &last);
    peer_hear(peer, FRAME_DATA, NULL, &raw);
    assert_int_equal(raw.size, 10);
    peer_hear_nothing(peer);
    give_credit(peer, &upload, 40000);
    (void)take_progress(peer, &last);
    peer_hear(peer, FRAME_DATA, NULL, &raw);
    assert_int_equal(raw.size, 32768);
    peer_hear(peer, FRAME_DATA, NULL, &raw);
    assert_int_equal(raw.size, 40000 - 32768);
    peer_hear_nothing(peer);
    give_credit(peer, &upload, UINT64_MAX);
    give_credit(peer, &upload, UINT64_MAX); /* does not wrap around */
    (void)take_progress(peer, &last);
    peer_hear(peer, FRAME_DATA, NULL, &raw);
    peer_hear(peer, FRAME_DATA, NULL, &raw);
    assert_int_equal(raw.size, 100000 - 10 - 40000 - 32768);
    hear_commit(peer, &upload, bytes, 100000);
    (void)close(fd);
    free(bytes);
}

static void test_upload_refused(void **state)
{
    struct peer *peer = *state;
    sealpost_v1_Error error = {.error = SP_ESLOWDOWN, .retry_after_ms = 70};
    int fd = make_file("x", 1);
    struct sp_notice notice;
    struct upload upload;

    offer(peer, fd, &upload);
    peer_say(peer, FRAME_ERROR, upload.stream, &error, nothing);
    peer_result(peer, upload.request, SP_ESLOWDOWN, &notice);
    assert_int_equal(notice.retry_after_ms, 70);
    peer_hear_nothing(peer);
    (void)close(fd);
}

static void test_upload_refused_midway(void **state)
{
    struct peer *peer = *state;
    sealpost_v1_Error error = {.error = SP_EFULL, .text = "the disk is full"};
    uint8_t *bytes = make_bytes(100000);
    int fd = make_file(bytes, 100000);
    struct sp_notice notice;
    struct upload upload;

    offer(peer, fd, &upload);
    accept_offer(peer, &upload, 40000);
    hear_data(peer, &upload, bytes, 32768);
    peer_say(peer, FRAME_ERROR, upload.stream, &error, nothing);
    peer_result(peer, upload.request, SP_EFULL, &notice);
    assert_string_equal(notice.text, "the disk is full");
    give_credit(peer, &upload, 1000); /* late */
    peer_no_notice(peer);
    assert_int_equal(peer->core->phase, CORE_OPEN);
    (void)close(fd);
    free(bytes);
}

static void test_upload_of_a_pipe(void **state)
{
    struct peer *peer = *state;
    struct sp_progress last = {0};
    struct sp_notice notice;
    struct upload upload;
    struct slice raw;
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0); /* blocking, as a shell's */
    offer(peer, fds[0], &upload);
    assert_true(upload.offer.offer.size_unknown);
    accept_offer(peer, &upload, 1 << 20);
    (void)take_progress(peer, &last);
    peer_hear_nothing(peer); /* nothing is there yet, and nobody waits for it */
    assert_in_range(core_timeout_ms(peer->core), 1, 50);
    assert_int_equal(write(fds[1], "hello", 5), 5);
    peer_hear(peer, FRAME_DATA, NULL, &raw);
    assert_int_equal(raw.size, 5);
    peer_hear_nothing(peer);
    assert_int_equal(write(fds[1], " world", 6), 6);
    (void)close(fds[1]);
    peer_hear(peer, FRAME_DATA, NULL, &raw);
    hear_commit(peer, &upload, "hello world", 11);
    (void)take_progress(peer, &last);
    assert_int_equal(last.done, 11);
    assert_int_equal(last.total, 11);
    say_stored(peer, upload.stream, "hello world", 11, false);
    peer_result(peer, upload.request, SP_OK, &notice);
    (void)close(fds[0]);
}

static void test_upload_of_an_empty_pipe(void **state)
{
    struct peer *peer = *state;
    struct upload upload;
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    (void)close(fds[1]);
    offer(peer, fds[0], &upload);
    accept_offer(peer, &upload, 1);
    hear_commit(peer, &upload, "", 0);
    (void)close(fds[0]);
}

/* The file is of another size at its end than at the offer. */
static void expect_changed(struct peer *peer, int fd, off_t size)
{
    struct sp_notice notice;
    struct upload upload;

    offer(peer, fd, &upload);
    assert_int_equal(ftruncate(fd, size), 0);
    accept_offer(peer, &upload, 1 << 20);
    for (uint64_t heard = 0; heard < (size < 40000 ? (uint64_t)size : 40000);) {
        struct slice raw;

        peer_hear(peer, FRAME_DATA, NULL, &raw);
        heard += raw.size;
    }
    assert_int_equal(peer_hear(peer, FRAME_CANCEL, NULL, NULL), upload.stream);
    peer_say(peer, FRAME_DONE, upload.stream, NULL, nothing);
    peer_result(peer, upload.request, SP_ECHANGED, &notice);
    peer_hear_nothing(peer);
}

static void test_upload_changed(void **state)
{
    uint8_t *bytes = make_bytes(40000);
    int fd = make_file(bytes, 40000);

    expect_changed(*state, fd, 40001);
    assert_int_equal(ftruncate(fd, 40000), 0);
    expect_changed(*state, fd, 39999);
    assert_int_equal(ftruncate(fd, 40000), 0);
    expect_changed(*state, fd, 0);
    (void)close(fd);
    free(bytes);
}

static void test_upload_cut_after_change(void **state)
{
    struct peer *peer = *state;
    int fd = make_file("0123456789", 10);
    struct sp_notice notice;
    struct upload upload;

    offer(peer, fd, &upload);
    assert_int_equal(ftruncate(fd, 5), 0);
    accept_offer(peer, &upload, 100);
    peer_hear(peer, FRAME_DATA, NULL, NULL);
    peer_hear(peer, FRAME_CANCEL, NULL, NULL);
    core_input_end(peer->core, SP_EDISCONNECTED, "cut");
    peer_result(peer, upload.request, SP_ECHANGED, &notice); /* never committed: this is certain */
    peer_closed(peer, SP_EDISCONNECTED, &notice);
    (void)close(fd);
}

static void test_upload_cut_after_commit(void **state)
{
    struct peer *peer = *state;
    int fd = make_file("0123456789", 10);
    struct sp_notice notice;
    struct upload upload;

    offer(peer, fd, &upload);
    accept_offer(peer, &upload, 100);
    peer_hear(peer, FRAME_DATA, NULL, NULL);
    peer_hear(peer, FRAME_COMMIT, NULL, NULL);
    sp_cancel(&peer->client, upload.request);
    core_input_end(peer->core, SP_EDISCONNECTED, "cut");
    peer_result(peer, upload.request, SP_EDISCONNECTED, &notice);
    peer_closed(peer, SP_EDISCONNECTED, &notice);
    (void)close(fd);
}

static void test_upload_stored_before(void **state)
{
    struct peer *peer = *state;

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        uint8_t *bytes = make_bytes(sizes[i]);
        int fd = make_file(bytes, sizes[i]);
        struct sp_notice notice;
        struct upload upload;

        offer(peer, fd, &upload);
        say_stored(peer, upload.stream, bytes, sizes[i], true);
        peer_result(peer, upload.request, SP_OK, &notice);
        assert_true(notice.repeated);
        assert_int_equal(notice.file.size, sizes[i]);
        peer_hear_nothing(peer);
        (void)close(fd);
        free(bytes);
    }
}

static void test_upload_conflict(void **state)
{
    struct peer *peer = *state;
    int fd = make_file("mine", 4);
    struct sp_notice notice;
    struct upload upload;

    offer(peer, fd, &upload);
    say_stored(peer, upload.stream, "ours", 4, true);
    peer_result(peer, upload.request, SP_ECONFLICT, &notice);
    offer(peer, fd, &upload);
    say_stored(peer, upload.stream, "mine and more", 13, true);
    peer_result(peer, upload.request, SP_ECONFLICT, &notice);
    (void)close(fd);
}

static void test_upload_stored_otherwise(void **state)
{
    struct peer *peer = *state;
    int fd = make_file("mine", 4);
    struct sp_notice notice;
    struct upload upload;

    offer(peer, fd, &upload);
    accept_offer(peer, &upload, 100);
    peer_hear(peer, FRAME_DATA, NULL, NULL);
    peer_hear(peer, FRAME_COMMIT, NULL, NULL);
    say_stored(peer, upload.stream, "ours", 4, false);
    peer_result(peer, upload.request, SP_EINTEGRITY, &notice);
    (void)close(fd);
}

static void test_upload_stored_too_soon(void **state)
{
    struct peer *peer = *state;
    int fd = make_file("mine", 4);
    struct sp_notice notice;
    struct upload upload;

    offer(peer, fd, &upload);
    accept_offer(peer, &upload, 1);
    peer_hear(peer, FRAME_DATA, NULL, NULL);
    say_stored(peer, upload.stream, "mine", 4, false);
    peer_closed(peer, SP_EPROTOCOL, &notice);
    (void)close(fd);
}

static void test_upload_offered_twice(void **state)
{
    struct peer *peer = *state;
    int fd = make_file("mine", 4);
    struct sp_notice notice;
    struct upload upload;

    offer(peer, fd, &upload);
    say_offered(peer, &upload, 1);
    say_offered(peer, &upload, 1);
    peer_closed(peer, SP_EPROTOCOL, &notice);
    (void)close(fd);
}

static void test_upload_cancelled(void **state)
{
    struct peer *peer = *state;
    uint8_t *bytes = make_bytes(100000);
    int fd = make_file(bytes, 100000);
    struct sp_notice notice;
    struct upload upload;

    offer(peer, fd, &upload);
    accept_offer(peer, &upload, 100);
    peer_hear(peer, FRAME_DATA, NULL, NULL);
    sp_cancel(&peer->client, upload.request);
    sp_cancel(&peer->client, upload.request);
    give_credit(peer, &upload, 1 << 20);
    assert_int_equal(peer_hear(peer, FRAME_CANCEL, NULL, NULL), upload.stream);
    peer_hear_nothing(peer);
    peer_say(peer, FRAME_DONE, upload.stream, NULL, nothing);
    peer_result(peer, upload.request, SP_ECANCELLED, &notice);
    sp_cancel(&peer->client, upload.request);
    peer_hear_nothing(peer);
    (void)close(fd);
    free(bytes);
}

static void test_upload_cancelled_too_late(void **state)
{
    struct peer *peer = *state;
    int fd = make_file("mine", 4);
    struct sp_notice notice;
    struct upload upload;

    offer(peer, fd, &upload);
    accept_offer(peer, &upload, 100);
    peer_hear(peer, FRAME_DATA, NULL, NULL);
    peer_hear(peer, FRAME_COMMIT, NULL, NULL);
    sp_cancel(&peer->client, upload.request);
    peer_hear(peer, FRAME_CANCEL, NULL, NULL);
    say_stored(peer, upload.stream, "mine", 4, false);
    peer_say(peer, FRAME_DONE, upload.stream, NULL, nothing);
    peer_result(peer, upload.request, SP_OK, &notice);
    peer_no_notice(peer);
    /* The same for one that was stored before. */
    offer(peer, fd, &upload);
    sp_cancel(&peer->client, upload.request);
    peer_hear(peer, FRAME_CANCEL, NULL, NULL);
    say_stored(peer, upload.stream, "mine", 4, true);
    peer_say(peer, FRAME_DONE, upload.stream, NULL, nothing);
    peer_result(peer, upload.request, SP_OK, &notice);
    (void)close(fd);
}

static void test_uploads_take_turns_and_chat_goes_first(void **state)
{
    struct peer *peer = *state;
    size_t size = 400000;
    uint8_t *bytes = make_bytes(size);
    int fd = make_file(bytes, size);
    struct sp_progress last = {0};
    struct upload uploads[2];
    uint32_t request = 0;
    size_t counts[2] = {0, 0};

    for (size_t i = 0; i < 2; i++) {
        offer(peer, fd, &uploads[i]);
    }
    peer->deaf = true;
    for (size_t i = 0; i < 2; i++) {
        accept_offer(peer, &uploads[i], 1 << 20);
    }
    (void)take_progress(peer, &last);
    peer->deaf = false;
    for (size_t i = 0; i < 6; i++) {
        uint16_t stream = peer_hear(peer, FRAME_DATA, NULL, NULL);

        counts[stream == uploads[0].stream ? 0 : 1]++;
    }
    assert_int_equal(counts[0], 3);
    assert_int_equal(counts[1], 3);
    struct slice before = core_output(peer->core);
    assert_in_range(before.size, 1, 16384 + 32776);
    assert_int_equal(sp_post(&peer->client, &once, "general", "x", 1, &request), SP_OK);
    struct slice after = core_output(peer->core);
    assert_in_range(after.size, before.size + 1,
                    before.size + 200); /* right behind what is there */
    (void)close(fd);
    free(bytes);
}

static void test_eight_transfers(void **state)
{
    struct peer *peer = *state;
    int fd = make_file("x", 1);
    uint32_t request = 0;
    uint32_t post = 0;

    for (size_t i = 0; i < LIMIT_TRANSFERS_PER_SESSION; i++) {
        assert_int_equal(sp_send(&peer->client, NULL, "general", "x", fd, &request), SP_OK);
    }
    assert_int_equal(sp_send(&peer->client, NULL, "general", "x", fd, &post), SP_EBUSY);
    assert_int_equal(sp_get(&peer->client, "abcdef", fd, &post), SP_EBUSY);
    assert_int_equal(sp_get_status(&peer->client, &post), SP_OK);
    (void)close(fd);
}

/* ---- Downloads ---- */

struct download {
    uint32_t request;
    uint16_t stream;
    uint64_t credit;
};

static const uint8_t file_id[ID_BYTES] = {0xab, 0xcd, 0xef, 0x01};

static void get(struct peer *peer, int fd, struct download *download)
{
    union message message;

    assert_int_equal(sp_get(&peer->client, "ABCdef01", fd, &download->request), SP_OK);
    download->stream = peer_hear(peer, FRAME_GET, &message, NULL);
    assert_string_equal(message.get.file, "abcdef01");
    assert_int_equal(message.get.offset, 0);
    assert_int_equal(message.get.credit, TRANSFER_WINDOW_BYTES);
    download->credit = message.get.credit;
}

static void say_file(struct peer *peer, const struct download *download, const void *data,
                     size_t size)
{
    struct digest digest = digest_bytes(data, size);
    sealpost_v1_File file = {.has_file = true, .file = {.name = "a.bin", .size = size}};

    memcpy(file.file.id, file_id, sizeof(file_id));
    memcpy(file.file.sha256, digest.bytes, DIGEST_BYTES);
    peer_say(peer, FRAME_FILE, download->stream, &file, nothing);
}

/* Takes the credit that the client gives. */
static void take_credit(struct peer *peer, struct download *download)
{
    struct sp_progress last = {0};
    union message message;

    (void)take_progress(peer, &last);
    while (core_has_output(peer->core) || peer->heard.size > 0) {
        assert_int_equal(peer_hear(peer, FRAME_CREDIT, &message, NULL), download->stream);
        download->credit += message.credit.bytes;
        assert_true(download->credit <= TRANSFER_WINDOW_BYTES);
    }
}

static void say_data(struct peer *peer, struct download *download, const uint8_t *data, size_t size)
{
    for (size_t said = 0; said < size;) {
        size_t now = size - said < LIMIT_RAW_BYTES ? size - said : LIMIT_RAW_BYTES;

        if (download->credit < now) {
            take_credit(peer, download);
            assert_true(download->credit >= now);
        }
        peer_say(peer, FRAME_DATA, download->stream, NULL, slice_of(data + said, now));
        download->credit -= now;
        said += now;
    }
}

static void assert_content(int fd, const uint8_t *expected, size_t size)
{
    uint8_t *got = malloc(size + 1);

    assert_non_null(got);
    assert_int_equal(pread(fd, got, size + 1, 0), size);
    assert_memory_equal(got, expected, size);
    free(got);
}

static void test_download_sizes(void **state)
{
    struct peer *peer = *state;

    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        uint8_t *bytes = make_bytes(sizes[i]);
        int fd = make_file("", 0);
        struct sp_notice notice;
        struct download download;

        get(peer, fd, &download);
        say_file(peer, &download, bytes, sizes[i]);
        say_data(peer, &download, bytes, sizes[i]);
        do {
            assert_true(peer_next(peer, &notice));
            if (notice.type == SP_NOTICE_PROGRESS) {
                assert_int_equal(notice.progress.total, sizes[i]);
                assert_true(notice.progress.done <= sizes[i]);
            }
        } while (notice.type == SP_NOTICE_PROGRESS);
        assert_int_equal(notice.type, SP_NOTICE_RESULT);
        assert_int_equal(notice.error, SP_OK);
        assert_string_equal(notice.file.name, "a.bin");
        assert_int_equal(notice.file.size, sizes[i]);
        assert_content(fd, bytes, sizes[i]);
        (void)close(fd);
        free(bytes);
    }
}

static void test_download_damaged(void **state)
{
    struct peer *peer = *state;
    uint8_t *bytes = make_bytes(50000);
    int fd = make_file("", 0);
    struct sp_notice notice;
    struct download download;

    get(peer, fd, &download);
    say_file(peer, &download, bytes, 50000);
    bytes[49999] ^= 1;
    say_data(peer, &download, bytes, 50000);
    peer_result(peer, download.request, SP_EDIGEST, &notice);
    (void)close(fd);
    free(bytes);
}

static void test_download_refused(void **state)
{
    struct peer *peer = *state;
    sealpost_v1_Error error = {.error = SP_ENOTFOUND};
    int fd = make_file("", 0);
    struct sp_notice notice;
    struct download download;

    get(peer, fd, &download);
    peer_say(peer, FRAME_ERROR, download.stream, &error, nothing);
    peer_result(peer, download.request, SP_ENOTFOUND, &notice);
    get(peer, fd, &download);
    say_file(peer, &download, "0123456789", 10);
    say_data(peer, &download, (const uint8_t *)"01234", 5);
    error.error = SP_EINTEGRITY;
    peer_say(peer, FRAME_ERROR, download.stream, &error, nothing);
    peer_result(peer, download.request, SP_EINTEGRITY, &notice);
    (void)close(fd);
}

static void expect_download_fails(struct peer *peer)
{
    struct sp_notice notice;

    peer_closed(peer, SP_EPROTOCOL, &notice);
}

static void test_download_of_another_file(void **state)
{
    struct peer *peer = *state;
    sealpost_v1_File file = {.has_file = true, .file = {.id = {0xab, 0xcd, 0xef, 0x02}}};
    int fd = make_file("", 0);
    struct download download;

    get(peer, fd, &download);
    peer_say(peer, FRAME_FILE, download.stream, &file, nothing);
    expect_download_fails(peer);
    (void)close(fd);
}

static void test_download_data_before_file(void **state)
{
    struct peer *peer = *state;
    int fd = make_file("", 0);
    struct download download;

    get(peer, fd, &download);
    say_data(peer, &download, (const uint8_t *)"x", 1);
    expect_download_fails(peer);
    (void)close(fd);
}

static void test_download_too_much(void **state)
{
    struct peer *peer = *state;
    int fd = make_file("", 0);
    struct download download;

    get(peer, fd, &download);
    say_file(peer, &download, "xyz", 3);
    say_data(peer, &download, (const uint8_t *)"xyzz", 4);
    expect_download_fails(peer);
    (void)close(fd);
}

static void test_download_beyond_credit(void **state)
{
    struct peer *peer = *state;
    static uint8_t bytes[LIMIT_RAW_BYTES];
    sealpost_v1_File file = {.has_file = true, .file = {.size = 100 << 20}};
    int fd = make_file("", 0);
    struct sp_notice notice;
    struct download download;

    memcpy(file.file.id, file_id, sizeof(file_id));
    get(peer, fd, &download);
    peer_say(peer, FRAME_FILE, download.stream, &file, nothing);
    sp_cancel(&peer->client, download.request); /* so no credit is given any more */
    for (size_t i = 0; i < TRANSFER_WINDOW_BYTES / LIMIT_RAW_BYTES; i++) {
        peer_say(peer, FRAME_DATA, download.stream, NULL, slice_of(bytes, sizeof(bytes)));
    }
    settle(peer);
    assert_int_equal(peer->core->phase, CORE_OPEN);
    peer_say(peer, FRAME_DATA, download.stream, NULL, slice_of(bytes, 1));
    peer_closed(peer, SP_EPROTOCOL, &notice);
    (void)close(fd);
}

static void test_download_to_a_full_disk(void **state)
{
    struct peer *peer = *state;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    struct sp_notice notice;
    struct download download;

    assert_true(fd >= 0);
    get(peer, fd, &download);
    say_file(peer, &download, "0123456789", 10);
    say_data(peer, &download, (const uint8_t *)"01234", 5);
    settle(peer);
    assert_int_equal(peer_hear(peer, FRAME_CANCEL, NULL, NULL), download.stream);
    say_data(peer, &download, (const uint8_t *)"567", 3); /* still on its way */
    peer_say(peer, FRAME_DONE, download.stream, NULL, nothing);
    peer_result(peer, download.request, SP_EFILE, &notice);
    assert_string_equal(notice.text, "cannot write the file: No space left on device");
    /* The same when the rest had been sent before CANCEL came. */
    get(peer, fd, &download);
    say_file(peer, &download, "0123456789", 10);
    say_data(peer, &download, (const uint8_t *)"01234", 5);
    say_data(peer, &download, (const uint8_t *)"56789", 5);
    peer_result(peer, download.request, SP_EFILE, &notice);
    peer_say(peer, FRAME_DONE, download.stream, NULL, nothing);
    peer_no_notice(peer);
    (void)close(fd);
}

static void test_download_cancelled(void **state)
{
    struct peer *peer = *state;
    int fd = make_file("", 0);
    struct sp_notice notice;
    struct download download;

    get(peer, fd, &download);
    say_file(peer, &download, "0123456789", 10);
    say_data(peer, &download, (const uint8_t *)"01234", 5);
    sp_cancel(&peer->client, download.request);
    assert_int_equal(peer_hear(peer, FRAME_CANCEL, NULL, NULL), download.stream);
    peer_say(peer, FRAME_DONE, download.stream, NULL, nothing);
    peer_result(peer, download.request, SP_ECANCELLED, &notice);
    /* Too late: it is whole. */
    get(peer, fd, &download);
    say_file(peer, &download, "0123456789", 10);
    sp_cancel(&peer->client, download.request);
    say_data(peer, &download, (const uint8_t *)"0123456789", 10);
    peer_result(peer, download.request, SP_OK, &notice);
    (void)close(fd);
}

static void test_done_without_cancel(void **state)
{
    struct peer *peer = *state;
    int fd = make_file("", 0);
    struct download download;

    get(peer, fd, &download);
    peer_say(peer, FRAME_DONE, download.stream, NULL, nothing);
    expect_download_fails(peer);
    (void)close(fd);
}

static void test_detached(void **state)
{
    struct peer *peer = *state;
    int fd = make_file("", 0);
    struct sp_notice notice;
    struct download download;

    get(peer, fd, &download);
    say_file(peer, &download, "0123456789", 10);
    peer_no_notice(peer);
    client_detach(&peer->client, download.request);
    (void)close(fd);
    say_data(peer, &download, (const uint8_t *)"0123456789", 10);
    peer_result(peer, download.request, SP_ECANCELLED, &notice);
}

/* Every transcript, handed over at once and byte by byte. */
#define BOTH(test)                                                                  \
    cmocka_unit_test_setup_teardown(test, peer_setup, peer_teardown),               \
    {                                                                               \
#test " (byte by byte)", test, peer_setup_byte_by_byte, peer_teardown, NULL \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_upload_sizes),
        BOTH(test_upload_progress),
        BOTH(test_upload_from_an_offset),
        BOTH(test_upload_waits_for_credit),
        BOTH(test_upload_refused),
        BOTH(test_upload_refused_midway),
        BOTH(test_upload_of_a_pipe),
        BOTH(test_upload_of_an_empty_pipe),
        BOTH(test_upload_changed),
        BOTH(test_upload_cut_after_change),
        BOTH(test_upload_cut_after_commit),
        BOTH(test_upload_stored_before),
        BOTH(test_upload_conflict),
        BOTH(test_upload_stored_otherwise),
        BOTH(test_upload_stored_too_soon),
        BOTH(test_upload_offered_twice),
        BOTH(test_upload_cancelled),
        BOTH(test_upload_cancelled_too_late),
        BOTH(test_uploads_take_turns_and_chat_goes_first),
        BOTH(test_eight_transfers),
        BOTH(test_download_sizes),
        BOTH(test_download_damaged),
        BOTH(test_download_refused),
        BOTH(test_download_of_another_file),
        BOTH(test_download_data_before_file),
        BOTH(test_download_too_much),
        BOTH(test_download_beyond_credit),
        BOTH(test_download_to_a_full_disk),
        BOTH(test_download_cancelled),
        BOTH(test_done_without_cancel),
        BOTH(test_detached),
    };

    return cmocka_run_group_tests_name("client transfers", tests, NULL, NULL);
}
