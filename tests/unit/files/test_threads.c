/* Four workers, many transfers at once, at changing speeds: nothing is lost, nothing mixed up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "faults.h"
#include "fixture.h"

#define UPLOADS 400
#define AT_ONCE 40

/* What is expected of one upload. */
enum fate { FATE_SEALED, FATE_WRONG, FATE_CANCELLED, FATE_RELEASED, FATES };

struct sending {
    struct upload *upload;
    enum fate fate;
    size_t size;
    uint64_t written;
    bool ready;
    bool ended;
    uint32_t bucket;
};

static void begin_one(struct fixture *fixture, struct sending *sending, unsigned number)
{
    uint8_t *data = make_bytes(sending->size, number);
    struct id file = make_id(number);
    struct digest digest = digest_bytes(data, sending->size);
    uint64_t declared = number % 3 == 0 ? UINT64_MAX : sending->size;

    assert_int_equal(
        files_upload_begin(fixture->files, number, &file, declared, CREDIT_BYTES, &sending->upload),
        SP_OK);
    for (size_t at = 0; at < sending->size; at += 10000) {
        size_t part = sending->size - at < 10000 ? sending->size - at : 10000;
        assert_int_equal(files_upload_write(sending->upload, data + at, part), SP_OK);
    }
    digest.bytes[0] ^= sending->fate == FATE_WRONG;
    if (sending->fate != FATE_CANCELLED) {
        assert_int_equal(files_upload_commit(sending->upload, sending->size, &digest), SP_OK);
    }
    if (sending->fate == FATE_CANCELLED || sending->fate == FATE_RELEASED) {
        files_upload_release(sending->upload);
        sending->upload = NULL;
    }
    free(data);
}

static void take_one(struct fixture *fixture, struct sending *sendings)
{
    struct files_completion *completion = fixture_wait(fixture);
    struct sending *sending = &sendings[completion->token];

    assert_false(sending->ended);
    switch (completion->event) {
    case FILES_READY:
        assert_false(sending->ready);
        sending->ready = true;
        break;
    case FILES_WRITTEN:
        assert_true(sending->ready);
        sending->written += completion->bytes;
        break;
    case FILES_SEALED:
    case FILES_FAILED:
        assert_true(sending->fate != FATE_CANCELLED);
        assert_int_equal(completion->error, sending->fate == FATE_WRONG ? SP_EDIGEST : SP_OK);
        assert_true(sending->written == sending->size);
        sending->ended = true;
        sending->bucket = completion->bucket;
        files_upload_release(sending->upload);
        break;
    default:
        fail();
    }
    files_completion_free(completion);
}

static unsigned count_ended(const struct sending *sendings, unsigned begun)
{
    unsigned ended = 0;

    for (unsigned i = 0; i < begun; i++) {
        ended += sendings[i].ended || sendings[i].fate == FATE_CANCELLED;
    }
    return ended;
}

static void run_all(unsigned delay_us)
{
    static struct sending sendings[UPLOADS];
    struct fixture fixture;
    uint8_t *dice = make_bytes(UPLOADS, 9);
    unsigned blobs = 0;

    memset(sendings, 0, sizeof(sendings));
    fixture_init(&fixture, 4, true);
    faults_delay(delay_us);
    for (unsigned i = 0; i < UPLOADS; i++) {
        sendings[i].size = (size_t)dice[i] * (i % 7) * 200;
        sendings[i].fate = (enum fate)(dice[i] / 3 % FATES);
        begin_one(&fixture, &sendings[i], i);
        while (i + 1 - count_ended(sendings, i + 1) >= AT_ONCE) {
            take_one(&fixture, sendings);
        }
    }
    while (count_ended(sendings, UPLOADS) < UPLOADS) {
        take_one(&fixture, sendings);
    }
    faults_delay(0);
    while (!fixture_is_quiet(&fixture)) {
        take_one(&fixture, sendings);
    }
    for (unsigned i = 0; i < UPLOADS; i++) {
        uint8_t *data = make_bytes(sendings[i].size, i);
        if (sendings[i].bucket != 0) {
            assert_true(blob_is(&fixture, sendings[i].bucket, i, data, sendings[i].size));
            blobs++;
        }
        free(data);
    }
    fixture_close(&fixture);
    assert_true(blobs > UPLOADS / 8);
    assert_int_equal(count_blobs(&fixture), blobs);
    assert_int_equal(count_entries(&fixture, "incoming"), 0);
    fixture_deinit(&fixture);
    free(dice);
}

static void test_many_uploads(void **state)
{
    (void)state;
    run_all(0);
}

static void test_slow_workers(void **state)
{
    (void)state;
    run_all(3000);
}

/* Waits until the only worker has done all that it was given, without taking a completion: twice,
 * because the first time its batch may not be over. */
static void wait_for_worker(struct fixture *fixture)
{
    for (unsigned i = 0; i < 2; i++) {
        char path[160];
        struct id file = make_id(9999);
        write_file(blob_path(fixture, 1, 9999, path), "", 0);
        files_discard(fixture->files, 1, &file);
        while (access(path, F_OK) == 0) {
            (void)usleep(1000);
        }
    }
}

/* However many completions wait untaken, one call tells of them; the next comes after a take. */
static void test_notice_is_coalesced(void **state)
{
    uint8_t *data = make_bytes(20000, 1);
    struct fixture fixture;

    (void)state;
    fixture_init(&fixture, 1, true);
    files_upload_release(send_file(&fixture, 1, 20000, data, 20000, CHUNK_BYTES));
    files_completion_free(wait_end(&fixture)); /* there is a bucket now */
    assert_true(fixture_is_quiet(&fixture));
    unsigned before = fixture.notify_count;
    for (unsigned round = 1; round <= 3; round++) {
        for (unsigned i = 0; i < 20; i++) {
            unsigned number = round * 100 + i;
            files_upload_release(send_file(&fixture, number, 20000, data, 20000, CHUNK_BYTES));
        }
        wait_for_worker(&fixture);
        (void)pthread_mutex_lock(&fixture.mutex);
        assert_int_equal(fixture.notify_count, before + round);
        (void)pthread_mutex_unlock(&fixture.mutex);
        struct files_completion *completion = files_take(fixture.files);
        unsigned count = 0;
        while (completion != NULL) {
            struct files_completion *next = files_completion_next(completion);
            files_completion_free(completion);
            completion = next;
            count++;
        }
        assert_int_equal(count, 60); /* ready, written, sealed */
    }
    fixture_deinit(&fixture);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_uploads),
        cmocka_unit_test(test_slow_workers),
        cmocka_unit_test(test_notice_is_coalesced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
