/* Uploads and downloads through a session: every size around the borders, refusals, cuts, credit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/digest.h"
#include "session/fixture.h"
#include "session/internal.h"

#define TAIL_BYTES (1 << 20)
#define STREAM 40

static struct frame frame;
static union message message;

static uint8_t *make_bytes(size_t size)
{
    uint8_t *bytes = malloc(size + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16));
    }
    return bytes;
}

static struct digest digest_bytes(const uint8_t *bytes, size_t size)
{
    struct digest digest;
    struct slice part = {bytes, size};
    assert_int_equal(digest_of(&part, 1, &digest), SP_OK);
    return digest;
}

static sealpost_v1_Offer make_offer(struct peer *peer, const char *log, uint64_t size)
{
    sealpost_v1_Offer offer = {.has_once = true,
                               .once = peer_once(peer),
                               .has_log = true,
                               .log = log_named(log),
                               .name = "data.bin",
                               .size = size};
    return offer;
}

/* Offers, and returns the credit that OFFERED gives. */
static uint64_t offer_file(struct peer *peer, const sealpost_v1_Offer *offer)
{
    peer_send(peer, FRAME_OFFER, STREAM, offer, NULL, 0);
    peer_expect(peer, FRAME_OFFERED, &frame, &message);
    return message.offered.credit;
}

/* Sends SIZE bytes within the credit. */
static void send_data(struct peer *peer, const uint8_t *bytes, size_t size, uint64_t credit)
{
    size_t sent = 0;
    while (sent < size) {
        if (credit == 0) {
            peer_expect(peer, FRAME_CREDIT, &frame, &message);
            credit += message.credit.bytes;
        }
        size_t piece = size - sent < LIMIT_RAW_BYTES ? size - sent : LIMIT_RAW_BYTES;
        piece = piece < credit ? piece : (size_t)credit;
        peer_send(peer, FRAME_DATA, STREAM, NULL, bytes + sent, piece);
        sent += piece;
        credit -= piece;
    }
}

static void commit(struct peer *peer, uint64_t size, const struct digest *digest)
{
    sealpost_v1_Commit message_out = {.size = size};
    memcpy(message_out.sha256, digest->bytes, DIGEST_BYTES);
    peer_send(peer, FRAME_COMMIT, STREAM, &message_out, NULL, 0);
}

static void expect_error(struct peer *peer, enum sp_error error)
{
    for (int i = 0; i < 2000; i++) {
        fixture_settle_files(peer->fixture);
        while (peer_has_frame(peer)) {
            peer_next(peer, &frame, &message);
            if (frame.type == FRAME_ERROR) {
                assert_int_equal(frame.stream, STREAM);
                assert_int_equal(message.error.error, error);
                return;
            }
            assert_int_not_equal(frame.type, FRAME_STORED);
        }
    }
    fail_msg("no ERROR came");
}

static unsigned count_files(struct peer *peer, const char *log)
{
    sealpost_v1_List list = {
        .what = sealpost_v1_List_What_FILES, .has_log = true, .log = log_named(log)};
    peer_send(peer, FRAME_LIST, 77, &list, NULL, 0);
    unsigned count = 0;
    fixture_settle(peer->fixture);
    do {
        peer_next(peer, &frame, &message);
        count += frame.type == FRAME_ROW_FILE ? 1 : 0;
    } while (frame.type != FRAME_LIST_END);
    return count;
}

/* Gets the file of ID (hexadecimal) and compares. */
static void expect_download(struct peer *peer, const char *id, const uint8_t *bytes, size_t size)
{
    sealpost_v1_Get get = {.credit = 100000};
    memcpy(get.file, id, strlen(id));
    peer_send(peer, FRAME_GET, STREAM, &get, NULL, 0);
    peer_expect(peer, FRAME_FILE, &frame, &message);
    assert_int_equal(message.file.file.size, size);
    size_t seen = 0;
    while (seen < size) {
        peer_expect(peer, FRAME_DATA, &frame, &message);
        assert_true(frame.raw.size > 0 && frame.raw.size <= size - seen);
        assert_memory_equal(frame.raw.data, bytes + seen, frame.raw.size);
        seen += frame.raw.size;
        sealpost_v1_Credit credit = {.bytes = frame.raw.size};
        peer_send(peer, FRAME_CREDIT, STREAM, &credit, NULL, 0);
    }
    fixture_settle_files(peer->fixture);
    assert_false(peer_has_frame(peer));
}

static void every_size_comes_back_the_same(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,     1,     16383, 16384, 16385,
                                   32767, 32768, 32769, 65537, 3 * 1024 * 1024 + 1};
    struct fixture fixture;
    struct peer alice;
    fixture_open(&fixture, TAIL_BYTES);
    peer_login(&fixture, "alice", &alice);
    peer_create_room(&alice, "general");
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        uint8_t *bytes = make_bytes(sizes[i]);
        struct digest digest = digest_bytes(bytes, sizes[i]);
        sealpost_v1_Offer offer = make_offer(&alice, "general", sizes[i]);
        offer.size_unknown = i % 2 == 1;
        uint64_t credit = offer_file(&alice, &offer);
        send_data(&alice, bytes, sizes[i], credit);
        commit(&alice, sizes[i], &digest);
        peer_expect(&alice, FRAME_STORED, &frame, &message);
        assert_int_equal(message.stored.file.size, sizes[i]);
        assert_memory_equal(message.stored.file.sha256, digest.bytes, DIGEST_BYTES);
        assert_false(message.stored.repeated);
        char id[ID_HEX_BYTES];
        hex_encode(message.stored.file.id, ID_BYTES, id);
        expect_download(&alice, id, bytes, sizes[i]);
        /* The same again is the same file, and no byte is sent for it. */
        peer_send(&alice, FRAME_OFFER, STREAM, &offer, NULL, 0);
        peer_expect(&alice, FRAME_STORED, &frame, &message);
        assert_true(message.stored.repeated);
        /* With another salt, or another name, it is something else. */
        sealpost_v1_Offer other = offer;
        other.once.salt[0] ^= 1;
        peer_send(&alice, FRAME_OFFER, STREAM, &other, NULL, 0);
        expect_error(&alice, SP_ECONFLICT);
        other = offer;
        other.name[0] = 'D';
        peer_send(&alice, FRAME_OFFER, STREAM, &other, NULL, 0);
        expect_error(&alice, SP_ECONFLICT);
        free(bytes);
    }
    assert_int_equal(count_files(&alice, "general"), COUNT_OF(sizes));
    peer_close(&alice);
    fixture_close(&fixture);
}

static void what_is_not_as_announced_is_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    struct peer alice;
    fixture_open(&fixture, TAIL_BYTES);
    peer_login(&fixture, "alice", &alice);
    peer_create_room(&alice, "general");
    static const struct {
        size_t announced;
        size_t sent;
        size_t committed;
        bool wrong_digest;
        enum sp_error expected;
    } cases[] = {
        {100, 100, 100, true, SP_EDIGEST},      {40000, 40000, 40000, true, SP_EDIGEST},
        {100, 99, 99, false, SP_ESIZE},         {40000, 39999, 39999, false, SP_ESIZE},
        {100, 100, 101, false, SP_ESIZE},       {40000, 40000, 40001, false, SP_ESIZE},
        {40000, 40001, 40001, false, SP_ESIZE},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t *bytes = make_bytes(cases[i].sent);
        struct digest digest = digest_bytes(bytes, cases[i].sent);
        digest.bytes[5] ^= cases[i].wrong_digest ? 1 : 0;
        sealpost_v1_Offer offer = make_offer(&alice, "general", cases[i].announced);
        uint64_t credit = offer_file(&alice, &offer);
        send_data(&alice, bytes, cases[i].sent, credit);
        commit(&alice, cases[i].committed, &digest);
        expect_error(&alice, cases[i].expected);
        free(bytes);
    }
    assert_int_equal(count_files(&alice, "general"), 0);
    peer_close(&alice);
    fixture_close(&fixture);
}

static void an_offer_is_judged_before_any_byte(void **state)
{
    (void)state;
    struct fixture fixture;
    struct peer alice;
    struct peer bob;
    fixture_open(&fixture, TAIL_BYTES);
    peer_login(&fixture, "alice", &alice);
    peer_login(&fixture, "bob", &bob);
    peer_create_room(&alice, "general");
    sealpost_v1_Offer offer = make_offer(&bob, "general", 10);
    peer_send(&bob, FRAME_OFFER, STREAM, &offer, NULL, 0);
    expect_error(&bob, SP_ENOTJOINED);
    offer = make_offer(&bob, "nowhere", 10);
    peer_send(&bob, FRAME_OFFER, STREAM, &offer, NULL, 0);
    expect_error(&bob, SP_ENOTFOUND);
    offer = make_offer(&alice, "general", 10);
    memcpy(offer.name, "../x", 5);
    peer_send(&alice, FRAME_OFFER, STREAM, &offer, NULL, 0);
    expect_error(&alice, SP_ENAME);
    offer = make_offer(&alice, "general", UINT64_C(1) << 62);
    peer_send(&alice, FRAME_OFFER, STREAM, &offer, NULL, 0);
    expect_error(&alice, SP_ETOOLARGE);
    peer_close(&alice);
    peer_close(&bob);
    fixture_close(&fixture);
}

static void more_than_the_credit_ends_the_session(void **state)
{
    (void)state;
    struct fixture fixture;
    struct peer alice;
    fixture_open(&fixture, TAIL_BYTES);
    peer_login(&fixture, "alice", &alice);
    peer_create_room(&alice, "general");
    sealpost_v1_Offer offer = make_offer(&alice, "general", 1 << 30);
    uint64_t credit = offer_file(&alice, &offer);
    uint8_t *bytes = make_bytes(LIMIT_RAW_BYTES);
    for (uint64_t sent = 0; sent <= credit; sent += LIMIT_RAW_BYTES) {
        peer_send(&alice, FRAME_DATA, STREAM, NULL, bytes, LIMIT_RAW_BYTES);
    }
    free(bytes);
    assert_true(session_ended(alice.session));
    assert_int_equal(session_end_reason(alice.session), SP_EPROTOCOL);
    peer_close(&alice);
    fixture_settle_files(&fixture);
    fixture_close(&fixture);
}

static void a_cut_before_commit_leaves_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    struct peer alice;
    fixture_open(&fixture, TAIL_BYTES);
    peer_login(&fixture, "alice", &alice);
    peer_create_room(&alice, "general");
    sealpost_v1_Offer offer = make_offer(&alice, "general", 100000);
    uint64_t credit = offer_file(&alice, &offer);
    uint8_t *bytes = make_bytes(100000);
    send_data(&alice, bytes, 50000, credit);
    peer_close(&alice);
    fixture_settle_files(&fixture);
    peer_login(&fixture, "alice", &alice);
    assert_int_equal(count_files(&alice, "general"), 0);
    /* The same client id may be offered again: the first attempt is forgotten. */
    credit = offer_file(&alice, &offer);
    send_data(&alice, bytes, 100000, credit);
    struct digest digest = digest_bytes(bytes, 100000);
    commit(&alice, 100000, &digest);
    peer_expect(&alice, FRAME_STORED, &frame, &message);
    free(bytes);
    peer_close(&alice);
    fixture_close(&fixture);
}

/* The client may have been told nothing; the server goes on, and a repetition finds the file. */
static void a_cut_after_commit_stores_the_file(void **state)
{
    (void)state;
    struct fixture fixture;
    struct peer alice;
    fixture_open(&fixture, TAIL_BYTES);
    peer_login(&fixture, "alice", &alice);
    peer_create_room(&alice, "general");
    sealpost_v1_Offer offer = make_offer(&alice, "general", 100000);
    uint64_t credit = offer_file(&alice, &offer);
    uint8_t *bytes = make_bytes(100000);
    send_data(&alice, bytes, 100000, credit);
    struct digest digest = digest_bytes(bytes, 100000);
    commit(&alice, 100000, &digest);
    peer_close(&alice);
    fixture_settle_files(&fixture);
    assert_int_equal(hub_busy_count(fixture.hub), 0);
    peer_login(&fixture, "alice", &alice);
    alice.next_id = 100;
    assert_int_equal(count_files(&alice, "general"), 1);
    peer_send(&alice, FRAME_OFFER, STREAM, &offer, NULL, 0);
    peer_expect(&alice, FRAME_STORED, &frame, &message);
    assert_true(message.stored.repeated);
    free(bytes);
    peer_close(&alice);
    fixture_close(&fixture);
}

static void cancelling_leaves_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    struct peer alice;
    fixture_open(&fixture, TAIL_BYTES);
    peer_login(&fixture, "alice", &alice);
    peer_create_room(&alice, "general");
    sealpost_v1_Offer offer = make_offer(&alice, "general", 100000);
    uint64_t credit = offer_file(&alice, &offer);
    uint8_t *bytes = make_bytes(50000);
    send_data(&alice, bytes, 50000, credit);
    peer_send(&alice, FRAME_CANCEL, STREAM, NULL, NULL, 0);
    peer_expect(&alice, FRAME_DONE, &frame, &message);
    /* What was under way when it was cancelled is passed over. */
    peer_send(&alice, FRAME_DATA, STREAM, NULL, bytes, 100);
    assert_true(session_is_open(alice.session));
    fixture_settle_files(&fixture);
    assert_int_equal(count_files(&alice, "general"), 0);
    free(bytes);
    peer_close(&alice);
    fixture_close(&fixture);
}

static void a_ninth_transfer_is_refused(void **state)
{
    (void)state;
    struct fixture fixture;
    struct peer alice;
    fixture_open(&fixture, TAIL_BYTES);
    peer_login(&fixture, "alice", &alice);
    peer_create_room(&alice, "general");
    for (uint16_t i = 0; i < LIMIT_TRANSFERS_PER_SESSION; i++) {
        sealpost_v1_Offer offer = make_offer(&alice, "general", 100000);
        peer_send(&alice, FRAME_OFFER, (uint16_t)(100 + i), &offer, NULL, 0);
        peer_expect(&alice, FRAME_OFFERED, &frame, &message);
    }
    sealpost_v1_Offer offer = make_offer(&alice, "general", 100000);
    peer_send(&alice, FRAME_OFFER, STREAM, &offer, NULL, 0);
    expect_error(&alice, SP_ELIMIT);
    peer_close(&alice);
    fixture_settle_files(&fixture);
    fixture_close(&fixture);
}

/* The answer to CANCEL may be what ends the session: nothing of it is touched afterwards. */
static void cancelling_without_memory_ends_the_session(void **state)
{
    (void)state;
    struct fixture fixture;
    struct peer alice;
    fixture_open(&fixture, TAIL_BYTES);
    peer_login(&fixture, "alice", &alice);
    peer_create_room(&alice, "general");
    sealpost_v1_Offer offer = make_offer(&alice, "general", 100000);
    (void)offer_file(&alice, &offer);
    alice.session->out.maximum = 4; /* as if there were no memory */
    peer_send(&alice, FRAME_CANCEL, STREAM, NULL, NULL, 0);
    assert_true(session_ended(alice.session));
    peer_close(&alice);
    fixture_settle_files(&fixture);
    fixture_close(&fixture);
}

/* However small the pieces: the worker has them in a few blocks, and all of them arrive. */
static void many_small_pieces_make_few_blocks(void **state)
{
    (void)state;
    enum { SIZE = 100000 };
    struct fixture fixture;
    struct peer alice;
    fixture_open(&fixture, TAIL_BYTES);
    peer_login(&fixture, "alice", &alice);
    peer_create_room(&alice, "general");
    sealpost_v1_Offer offer = make_offer(&alice, "general", SIZE);
    (void)offer_file(&alice, &offer);
    for (unsigned i = 0; i + 1 < SIZE; i++) {
        assert_true(session_wants_input(alice.session));
        peer_send(&alice, FRAME_DATA, STREAM, NULL, "x", 1);
    }
    fixture_settle_files(&fixture);
    struct transfer *transfer = transfer_find(alice.session, STREAM);
    assert_non_null(transfer);
    assert_int_equal(transfer->credit_due, 0); /* they wait for the last one */
    peer_send(&alice, FRAME_DATA, STREAM, NULL, "x", 1);
    fixture_settle_files(&fixture);
    assert_int_equal(transfer->credit_due, SIZE);
    peer_close(&alice);
    fixture_settle_files(&fixture);
    fixture_close(&fixture);
}

/* One member's uploads that stand still neither take all the room nor keep what they have. */
static void who_stands_still_leaves_room(void **state)
{
    (void)state;
    enum { SESSIONS = 4 };
    struct fixture fixture;
    struct peer alice[SESSIONS];
    struct peer bob;
    fixture_open(&fixture, TAIL_BYTES);
    for (uint32_t i = 0; i < SESSIONS; i++) {
        peer_login(&fixture, "alice", &alice[i]);
        alice[i].next_id = 1000 * i;
    }
    peer_login(&fixture, "bob", &bob);
    peer_create_room(&alice[0], "general");
    peer_join(&bob, "general");
    for (uint32_t i = 0; i < SESSIONS * LIMIT_TRANSFERS_PER_SESSION; i++) {
        struct peer *peer = &alice[i / LIMIT_TRANSFERS_PER_SESSION];
        sealpost_v1_Offer offer = make_offer(peer, "general", 2000000);
        peer_send(peer, FRAME_OFFER, (uint16_t)(100 + i), &offer, NULL, 0);
    }
    fixture_settle_files(&fixture);
    assert_in_range(fixture.hub->upload_pool_bytes, 1, TRANSFER_POOL_BYTES / 4);
    assert_true(fixture.hub->waiting_uploads > 0);
    sealpost_v1_Offer offer = make_offer(&bob, "general", 10);
    (void)offer_file(&bob, &offer);
    clock_settable_advance(&fixture.clock, UPLOAD_IDLE_TIMEOUT_MS);
    fixture_settle(&fixture);
    session_check_idle(alice[0].session, clock_monotonic_ms(&fixture.clock.clock));
    fixture_settle_files(&fixture);
    unsigned idle = 0;
    while (peer_has_frame(&alice[0])) {
        peer_next(&alice[0], &frame, &message);
        idle += frame.type == FRAME_ERROR && message.error.error == SP_EIDLE ? 1 : 0;
    }
    assert_int_equal(idle, LIMIT_TRANSFERS_PER_SESSION);
    for (uint32_t i = 0; i < SESSIONS; i++) {
        peer_close(&alice[i]);
    }
    peer_close(&bob);
    fixture_settle_files(&fixture);
    assert_int_equal(fixture.hub->upload_pool_bytes, 0);
    fixture_close(&fixture);
}

/* Nothing is read ahead for a client that gives no credit. */
static void a_download_without_credit_reads_nothing(void **state)
{
    (void)state;
    enum { SIZE = 300000 };
    struct fixture fixture;
    struct peer alice;
    fixture_open(&fixture, TAIL_BYTES);
    peer_login(&fixture, "alice", &alice);
    peer_create_room(&alice, "general");
    uint8_t *bytes = make_bytes(SIZE);
    struct digest digest = digest_bytes(bytes, SIZE);
    sealpost_v1_Offer offer = make_offer(&alice, "general", SIZE);
    uint64_t credit = offer_file(&alice, &offer);
    send_data(&alice, bytes, SIZE, credit);
    commit(&alice, SIZE, &digest);
    peer_expect(&alice, FRAME_STORED, &frame, &message);
    sealpost_v1_Get get = {.credit = 0};
    hex_encode(message.stored.file.id, ID_BYTES, get.file);
    peer_send(&alice, FRAME_GET, STREAM, &get, NULL, 0);
    peer_expect(&alice, FRAME_FILE, &frame, &message);
    fixture_settle_files(&fixture);
    assert_int_equal(fixture.hub->download_pool_bytes, 0);
    sealpost_v1_Credit more = {.bytes = 1000};
    peer_send(&alice, FRAME_CREDIT, STREAM, &more, NULL, 0);
    peer_expect(&alice, FRAME_DATA, &frame, &message);
    assert_int_equal(frame.raw.size, 1000);
    free(bytes);
    peer_close(&alice);
    assert_int_equal(fixture.hub->download_pool_bytes, 0);
    fixture_close(&fixture);
}

static void a_box_hides_others_submissions(void **state)
{
    (void)state;
    struct fixture fixture;
    struct peer owner;
    struct peer alice;
    struct peer bob;
    fixture_open(&fixture, TAIL_BYTES);
    peer_login(&fixture, "owner", &owner);
    peer_login(&fixture, "alice", &alice);
    peer_login(&fixture, "bob", &bob);
    sealpost_v1_Create create = {.has_once = true, .once = peer_once(&owner), .name = "homework"};
    peer_send(&owner, FRAME_BOX_CREATE, 1, &create, NULL, 0);
    peer_expect(&owner, FRAME_EVENT_RESULT, &frame, &message);
    uint8_t *bytes = make_bytes(20000);
    struct digest digest = digest_bytes(bytes, 20000);
    sealpost_v1_Offer offer = make_offer(&alice, "homework", 20000);
    uint64_t credit = offer_file(&alice, &offer);
    send_data(&alice, bytes, 20000, credit);
    commit(&alice, 20000, &digest);
    peer_expect(&alice, FRAME_STORED, &frame, &message);
    char id[ID_HEX_BYTES];
    hex_encode(message.stored.file.id, ID_BYTES, id);
    assert_int_equal(count_files(&owner, "homework"), 1);
    assert_int_equal(count_files(&alice, "homework"), 1);
    assert_int_equal(count_files(&bob, "homework"), 0);
    expect_download(&owner, id, bytes, 20000);
    sealpost_v1_Get get = {.credit = 100000};
    memcpy(get.file, id, sizeof id);
    peer_send(&bob, FRAME_GET, STREAM, &get, NULL, 0);
    expect_error(&bob, SP_ENOTFOUND);
    /* Not even the keys of a list tell that there is a log between what one may see. */
    peer_create_room(&owner, "later");
    sealpost_v1_List list = {.what = sealpost_v1_List_What_LOGS};
    peer_send(&bob, FRAME_LIST, 78, &list, NULL, 0);
    peer_expect(&bob, FRAME_ROW_LOG, &frame, &message);
    assert_int_equal(message.row_log.key, 1);
    peer_expect(&bob, FRAME_ROW_LOG, &frame, &message);
    assert_int_equal(message.row_log.key, 2);
    assert_string_equal(message.row_log.log.name, "later");
    /* From a key on. */
    list.after = 1;
    peer_send(&bob, FRAME_LIST, 78, &list, NULL, 0);
    peer_expect(&bob, FRAME_ROW_LOG, &frame, &message);
    assert_string_equal(message.row_log.log.name, "later");
    free(bytes);
    peer_close(&owner);
    peer_close(&alice);
    peer_close(&bob);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_comes_back_the_same),
        cmocka_unit_test(what_is_not_as_announced_is_refused),
        cmocka_unit_test(an_offer_is_judged_before_any_byte),
        cmocka_unit_test(more_than_the_credit_ends_the_session),
        cmocka_unit_test(a_cut_before_commit_leaves_nothing),
        cmocka_unit_test(a_cut_after_commit_stores_the_file),
        cmocka_unit_test(cancelling_leaves_nothing),
        cmocka_unit_test(a_ninth_transfer_is_refused),
        cmocka_unit_test(cancelling_without_memory_ends_the_session),
        cmocka_unit_test(many_small_pieces_make_few_blocks),
        cmocka_unit_test(who_stands_still_leaves_room),
        cmocka_unit_test(a_download_without_credit_reads_nothing),
        cmocka_unit_test(a_box_hides_others_submissions),
    };
    return cmocka_run_group_tests_name("session/transfers", tests, NULL, NULL);
}
