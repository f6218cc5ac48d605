/* Whole transfers over TLS, by the blocking helpers. */
#include "unit/client/script.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/digest.h"

static const struct slice nothing = {NULL, 0};

/* A file that the server has, or gets. */
struct content {
    size_t size;
    uint8_t *bytes;
    struct digest sha256;
    bool damage; /* one byte on its way */
};

static void content_init(struct content *content, size_t size)
{
    content->size = size;
    content->bytes = malloc(size + 1);
    content->damage = false;
    assert_non_null(content->bytes);
    for (size_t i = 0; i < size; i++) {
        content->bytes[i] = (uint8_t)(i * 2654435761U >> 11);
    }
    struct slice all = {content->bytes, size};
    assert_int_equal(digest_of(&all, 1, &content->sha256), SP_OK);
}

/* A session of one script, in a directory of its own. */
struct fixture {
    char directory[64];
    char path[128];
    struct content content;
    struct script *script;
    struct sp_client *client;
};

static void begin(struct fixture *fixture, script_fn fn, size_t size)
{
    struct sp_notice notice;

    strcpy(fixture->directory, "/tmp/sealpost-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/file", fixture->directory);
    content_init(&fixture->content, size);
    fixture->script = script_start("server", &fn, 1, &fixture->content);
    fixture->client = script_client("members/alice", "localhost", script_port(fixture->script), 0);
    assert_int_equal(sp_wait_login(fixture->client, &notice), SP_OK);
}

static size_t count_files(const struct fixture *fixture)
{
    DIR *directory = opendir(fixture->directory);
    size_t count = 0;

    assert_non_null(directory);
    for (const struct dirent *entry = NULL;
         (entry = readdir(directory)) != NULL;) { /* NOLINT(concurrency-mt-unsafe): own stream */
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 ? 1 : 0;
    }
    (void)closedir(directory);
    return count;
}

static void end(struct fixture *fixture)
{
    sp_goodbye(fixture->client, 5000);
    sp_client_free(fixture->client);
    script_stop(fixture->script);
    (void)unlink(fixture->path);
    assert_int_equal(rmdir(fixture->directory), 0);
    free(fixture->content.bytes);
}

/* ---- Downloads ---- */

static void serve_get(struct line *line)
{
    const struct content *content = line->context;
    sealpost_v1_File file = {.has_file = true,
                             .file = {.id = {0xab, 0xcd, 0xef}, .size = content->size}};
    union message message;

    line_welcome(line);
    uint16_t stream = line_hear(line, FRAME_GET, &message, NULL);
    uint64_t credit = message.get.credit;
    memcpy(file.file.sha256, content->sha256.bytes, DIGEST_BYTES);
    line_say(line, FRAME_FILE, stream, &file, nothing);
    for (size_t sent = 0; sent < content->size && line->failure == NULL;) {
        size_t left = content->size - sent;
        struct slice raw = {content->bytes + sent, left < 32768 ? left : 32768};

        while (credit < raw.size && line->failure == NULL) {
            line_hear(line, FRAME_CREDIT, &message, NULL);
            credit += message.credit.bytes;
        }
        line_say(line, FRAME_DATA, stream, NULL, raw);
        credit -= raw.size;
        sent += raw.size;
    }
}

static void serve_get_and_goodbye(struct line *line)
{
    serve_get(line);
    line_expect_end(line);
    line_close(line);
}

struct seen {
    uint64_t done;
    uint64_t total;
    size_t count;
};

static void see(void *context, const struct sp_notice *notice)
{
    struct seen *seen = context;

    if (notice->type == SP_NOTICE_PROGRESS) {
        assert_true(notice->progress.done >= seen->done);
        seen->done = notice->progress.done;
        seen->total = notice->progress.total;
        seen->count++;
    }
}

static void assert_file(const char *path, const struct content *content)
{
    uint8_t *bytes = malloc(content->size + 1);
    FILE *file = fopen(path, "rbe");

    assert_non_null(bytes);
    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, content->size + 1, file), content->size);
    assert_memory_equal(bytes, content->bytes, content->size);
    (void)fclose(file);
    free(bytes);
}

static void get_file_of(size_t size)
{
    struct fixture fixture;
    struct sp_notice notice;
    struct seen seen = {0};
    struct stat status;

    begin(&fixture, serve_get_and_goodbye, size);
    assert_int_equal(
        sp_get_file(fixture.client, "abcdef", fixture.path, false, NULL, see, &seen, &notice),
        SP_OK);
    assert_int_equal(notice.type, SP_NOTICE_RESULT);
    assert_int_equal(notice.file.size, size);
    assert_int_equal(seen.done, size);
    assert_int_equal(seen.total, size);
    assert_in_range(seen.count, 1, size / 65536 + 1);
    assert_file(fixture.path, &fixture.content);
    assert_int_equal(count_files(&fixture), 1);
    assert_int_equal(stat(fixture.path, &status), 0);
    mode_t mask = umask(0);
    (void)umask(mask);
    assert_int_equal(status.st_mode & 0777, 0666 & ~mask);
    end(&fixture);
}

static void test_get_file(void **state)
{
    static const size_t sizes[] = {0, 1, 32767, 32768, 32769, 5 * 1024 * 1024 + 3};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        get_file_of(sizes[i]);
    }
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "wbe");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_get_file_does_not_overwrite(void **state)
{
    struct fixture fixture;
    struct sp_notice notice;

    (void)state;
    begin(&fixture, serve_get_and_goodbye, 1000);
    put(fixture.path, "mine");
    assert_int_equal(
        sp_get_file(fixture.client, "abcdef", fixture.path, false, NULL, NULL, NULL, &notice),
        SP_EEXISTS);
    assert_int_equal(notice.error, SP_EEXISTS);
    assert_int_equal(count_files(&fixture), 1);
    assert_int_equal(
        sp_get_file(fixture.client, "abcdef", fixture.path, true, NULL, NULL, NULL, &notice),
        SP_OK);
    assert_file(fixture.path, &fixture.content);
    assert_int_equal(count_files(&fixture), 1);
    assert_int_equal(
        sp_get_file(fixture.client, "abcdef", fixture.directory, true, NULL, NULL, NULL, &notice),
        SP_EFILE);
    assert_int_equal(sp_get_file(fixture.client, "abcdef", "/nonexistent/directory/file", true,
                                 NULL, NULL, NULL, &notice),
                     SP_EFILE);
    assert_non_null(strstr(notice.text, "No such file or directory"));
    assert_int_equal(
        sp_get_file(fixture.client, "x", fixture.path, true, NULL, NULL, NULL, &notice),
        SP_EINVALID);
    end(&fixture);
}

/* Somebody else makes the file while it is fetched. */
static void make_it_too(void *context, const struct sp_notice *notice)
{
    if (notice->type == SP_NOTICE_PROGRESS) {
        put(context, "theirs");
    }
}

static void test_get_file_race(void **state)
{
    struct fixture fixture;
    struct sp_notice notice;

    (void)state;
    begin(&fixture, serve_get_and_goodbye, 100000);
    assert_int_equal(sp_get_file(fixture.client, "abcdef", fixture.path, false, NULL, make_it_too,
                                 fixture.path, &notice),
                     SP_EEXISTS);
    assert_int_equal(count_files(&fixture), 1);
    end(&fixture);
}

static void serve_damaged(struct line *line)
{
    struct content *content = line->context;

    content->sha256.bytes[5] ^= 1;
    serve_get_and_goodbye(line);
}

static void test_get_file_damaged(void **state)
{
    struct fixture fixture;
    struct sp_notice notice;

    (void)state;
    begin(&fixture, serve_damaged, 100000);
    assert_int_equal(
        sp_get_file(fixture.client, "abcdef", fixture.path, false, NULL, NULL, NULL, &notice),
        SP_EDIGEST);
    assert_int_equal(count_files(&fixture), 0);
    end(&fixture);
}

static void serve_half(struct line *line)
{
    const struct content *content = line->context;
    sealpost_v1_File file = {.has_file = true,
                             .file = {.id = {0xab, 0xcd, 0xef}, .size = content->size}};

    line_welcome(line);
    uint16_t stream = line_hear(line, FRAME_GET, NULL, NULL);
    line_say(line, FRAME_FILE, stream, &file, nothing);
    for (size_t sent = 0; sent < content->size / 2; sent += 10000) {
        line_say(line, FRAME_DATA, stream, NULL, (struct slice){content->bytes + sent, 10000});
    }
}

static void serve_half_and_cut(struct line *line)
{
    serve_half(line);
    line_cut(line);
}

static void test_get_file_cut(void **state)
{
    struct fixture fixture;
    struct sp_notice notice;

    (void)state;
    begin(&fixture, serve_half_and_cut, 20000);
    assert_int_equal(
        sp_get_file(fixture.client, "abcdef", fixture.path, false, NULL, NULL, NULL, &notice),
        SP_EDISCONNECTED);
    assert_int_equal(count_files(&fixture), 0);
    end(&fixture);
}

static void serve_half_and_wait(struct line *line)
{
    uint16_t stream = 0;

    serve_half(line);
    stream = line_hear(line, FRAME_CANCEL, NULL, NULL);
    line_say(line, FRAME_DONE, stream, NULL, nothing);
    line_expect_end(line);
    line_close(line);
}

/* As a signal handler would. */
static volatile int stop;

static void stop_it(void *context, const struct sp_notice *notice)
{
    (void)context;
    if (notice->type == SP_NOTICE_PROGRESS) {
        stop = 1;
    }
}

static void test_get_file_stopped(void **state)
{
    struct fixture fixture;
    struct sp_notice notice;

    (void)state;
    stop = 0;
    begin(&fixture, serve_half_and_wait, 200000);
    assert_int_equal(
        sp_get_file(fixture.client, "abcdef", fixture.path, false, &stop, stop_it, NULL, &notice),
        SP_ECANCELLED);
    assert_int_equal(notice.error, SP_ECANCELLED);
    assert_int_equal(count_files(&fixture), 0);
    end(&fixture);
}

/* ---- Uploads ---- */

/* Takes an upload with a window of WINDOW bytes, with pings between. */
static void serve_send(struct line *line)
{
    const struct content *content = line->context;
    sealpost_v1_Offered offered = {.credit = 262144};
    sealpost_v1_Stored stored = {.has_file = true, .file = {.size = content->size}};
    struct digest_stream *digest = NULL;
    struct digest sha256;
    union message message;

    line_welcome(line);
    uint16_t stream = line_hear(line, FRAME_OFFER, &message, NULL);
    line_say(line, FRAME_OFFERED, stream, &offered, nothing);
    if (digest_stream_new(&digest) != SP_OK) {
        line->failure = "no digest";
    }
    for (size_t got = 0; got < content->size && line->failure == NULL;) {
        struct slice raw;
        line_hear(line, FRAME_DATA, NULL, &raw);
        if (line->failure != NULL || digest_stream_update(digest, raw.data, raw.size) != SP_OK) {
            break;
        }
        got += raw.size;
        sealpost_v1_Credit credit = {.bytes = raw.size};
        line_say(line, FRAME_CREDIT, stream, &credit, nothing);
    }
    line_hear(line, FRAME_COMMIT, &message, NULL);
    if (line->failure == NULL && (digest_stream_finish(digest, &sha256) != SP_OK ||
                                  memcmp(message.commit.sha256, sha256.bytes, DIGEST_BYTES) != 0 ||
                                  memcmp(content->sha256.bytes, sha256.bytes, DIGEST_BYTES) != 0)) {
        line->failure = "another digest";
    }
    memcpy(stored.file.sha256, content->sha256.bytes, DIGEST_BYTES);
    line_say(line, FRAME_STORED, stream, &stored, nothing);
    digest_stream_free(digest);
    line_expect_end(line);
    line_close(line);
}

static void send_of(size_t size)
{
    struct fixture fixture;
    struct sp_notice notice;
    struct seen seen = {0};
    uint32_t request = 0;

    begin(&fixture, serve_send, size);
    int fd = open(fixture.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, fixture.content.bytes, size), size);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(sp_send(fixture.client, NULL, "general", "a.bin", fd, &request), SP_OK);
    assert_int_equal(sp_wait(fixture.client, request, 10000, NULL, see, &seen, &notice), SP_OK);
    assert_int_equal(notice.file.size, size);
    assert_int_equal(seen.done, size);
    assert_int_equal(seen.total, size);
    (void)close(fd);
    end(&fixture);
}

static void test_send(void **state)
{
    static const size_t sizes[] = {0, 1, 32767, 32768, 32769, 5 * 1024 * 1024 + 3};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        send_of(sizes[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get_file),      cmocka_unit_test(test_get_file_does_not_overwrite),
        cmocka_unit_test(test_get_file_race), cmocka_unit_test(test_get_file_damaged),
        cmocka_unit_test(test_get_file_cut),  cmocka_unit_test(test_get_file_stopped),
        cmocka_unit_test(test_send),
    };

    return cmocka_run_group_tests_name("client blocking", tests, NULL, NULL);
}
