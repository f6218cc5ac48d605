/* Sessions that join, and sessions that are shut out; without sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session/fixture.h"

#define TAIL_BYTES (1 << 20)

static struct fixture fixture;
static struct frame frame;
static union message message;

static int set_up(void **state)
{
    (void)state;
    fixture_open(&fixture, TAIL_BYTES);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fixture_settle(&fixture);
    fixture_close(&fixture);
    return 0;
}

static struct digest digest_of_code(uint8_t code)
{
    uint8_t secret[JOIN_SECRET_BYTES];
    struct digest digest;

    memset(secret, code, sizeof secret);
    assert_int_equal(command_join_digest(secret, &digest), SP_OK);
    return digest;
}

/* What `sealpostd init` does: a code from the server itself. */
static void invite(uint8_t code, const char *username, enum role role)
{
    struct command *command = NULL;

    assert_int_equal(command_new(COMMAND_INVITE, 0, &command), SP_OK);
    command->origin = (struct origin){63, 99, 0};
    command->received_ms = fixture.clock.wall_ms;
    command->invite.secret_digest = digest_of_code(code);
    command->invite.role = role;
    (void)strcpy(command->invite.username, username);
    assert_int_equal(domain_submit(fixture.domain, command), SP_OK);
    fixture_settle(&fixture);
}

static void send_enrol(struct peer *peer, uint8_t code, const char *request)
{
    sealpost_v1_Enrol enrol = {.label = "laptop"};

    memset(enrol.secret, code, sizeof enrol.secret);
    peer_send(peer, FRAME_ENROL, 1, &enrol, request, strlen(request));
}

/* Nothing more, and BYE with ERROR. */
static void expect_bye(struct peer *peer, enum sp_error error)
{
    fixture_settle(peer->fixture);
    peer_next(peer, &frame, &message);
    assert_int_equal(frame.type, FRAME_BYE);
    assert_int_equal(message.bye.error, error);
    assert_true(session_ended(peer->session));
    assert_false(peer_has_frame(peer));
}

/* Joins as USERNAME and logs in with what was issued. */
static void join_and_login(uint8_t code, const char *username, enum role role, struct peer *out)
{
    struct peer joining;
    struct command_login login = {.serial_bytes = 1, .not_after_ms = INT64_MAX};

    invite(code, username, role);
    peer_join_team(&fixture, &joining);
    send_enrol(&joining, code, "key:x");
    peer_expect(&joining, FRAME_ENROLLED, &frame, &message);
    login.fingerprint = session_join_result(joining.session)->fingerprint;
    peer_close(&joining);
    *out = (struct peer){.fixture = &fixture};
    buffer_init(&out->received, (size_t)64 << 20);
    (void)strcpy(login.username, username);
    assert_int_equal(session_new(fixture.hub, &login, out, &out->session), SP_OK);
    peer_expect(out, FRAME_WELCOME, &frame, &message);
    assert_int_equal(message.welcome.role, role);
}

static void joining(void **state)
{
    (void)state;
    struct peer peer;
    invite(1, "ann", ROLE_ADMINISTRATOR);
    peer_join_team(&fixture, &peer);
    assert_true(session_wants_input(peer.session));
    send_enrol(&peer, 1, "key:ann");
    fixture_settle(&fixture);
    peer_next(&peer, &frame, &message);
    assert_int_equal(frame.type, FRAME_ENROLLED);
    assert_string_equal(message.enrolled.username, "ann");
    assert_string_equal(message.enrolled.team, "test");
    assert_int_equal(message.enrolled.role, ROLE_ADMINISTRATOR);
    assert_false(message.enrolled.repeated);
    assert_int_equal(frame.raw.size, strlen("1 ann key:ann"));
    assert_memory_equal(frame.raw.data, "1 ann key:ann", frame.raw.size);
    expect_bye(&peer, SP_OK);
    const struct join_result *result = session_join_result(peer.session);
    assert_true(result->enrolled);
    assert_string_equal(result->username, "ann");
    assert_string_equal(session_username(peer.session), ""); /* nobody is logged in by it */
    peer_close(&peer);
}

/* The answer to a wrong code comes late, and then at once after it is due. */
static void wrong_codes_are_answered_late(void **state)
{
    (void)state;
    struct peer peer;
    invite(1, "ann", ROLE_MEMBER);
    peer_join_team(&fixture, &peer);
    send_enrol(&peer, 2, "key:ann");
    fixture_settle(&fixture);
    assert_true(session_join_result(peer.session)->code_failed);
    clock_settable_advance(&fixture.clock, JOIN_FAILURE_DELAY_MS - 1);
    session_check_idle(peer.session, clock_monotonic_ms(&fixture.clock.clock));
    assert_false(peer_has_frame(&peer));
    assert_false(session_ended(peer.session));
    clock_settable_advance(&fixture.clock, 1);
    session_check_idle(peer.session, clock_monotonic_ms(&fixture.clock.clock));
    expect_bye(&peer, SP_ECODE);
    peer_close(&peer);
}

static void other_failures_are_answered_at_once(void **state)
{
    (void)state;
    struct peer peer;
    invite(1, "ann", ROLE_MEMBER);
    peer_join_team(&fixture, &peer);
    send_enrol(&peer, 1, "nonsense");
    fixture_settle(&fixture);
    peer_next(&peer, &frame, &message);
    assert_int_equal(message.bye.error, SP_EINVALID);
    assert_string_equal(message.bye.text, "that is no request");
    assert_false(session_join_result(peer.session)->code_failed);
    peer_close(&peer);
}

/* Nothing that members may say can be said while joining. */
static void nothing_else_can_be_said(void **state)
{
    (void)state;
    invite(1, "ann", ROLE_MEMBER);
    for (unsigned type = 0; type < 256; type++) {
        struct peer peer;
        uint8_t bytes[FRAME_HEADER_BYTES];
        bool allowed = type == FRAME_PING || type == FRAME_PONG || type == FRAME_BYE;

        peer_join_team(&fixture, &peer);
        frame_write_header(bytes, (enum frame_type)type, allowed ? 0 : 1, 0, 0);
        session_receive(peer.session, bytes, sizeof bytes);
        fixture_settle(&fixture);
        if (type == FRAME_PING) {
            peer_next(&peer, &frame, &message);
            assert_int_equal(frame.type, FRAME_PONG);
        } else if (type == FRAME_PONG) {
            assert_false(peer_has_frame(&peer));
        } else if (type == FRAME_BYE) {
            expect_bye(&peer, SP_OK);
        } else if (type == FRAME_ENROL) {
            assert_true(session_join_result(peer.session)->code_failed); /* zeros are a code, too */
        } else {
            expect_bye(&peer, SP_EPROTOCOL);
        }
        peer_close(&peer);
    }
    assert_int_equal(fixture.signer.issued, 0);
}

static void only_one_question(void **state)
{
    (void)state;
    struct peer peer;
    invite(1, "ann", ROLE_MEMBER);
    peer_join_team(&fixture, &peer);
    send_enrol(&peer, 2, "key:ann");
    send_enrol(&peer, 1, "key:ann");
    expect_bye(&peer, SP_EPROTOCOL);
    assert_int_equal(fixture.signer.issued, 0);
    peer_close(&peer);
    /* Not even too large a one. */
    char large[LIMIT_REQUEST_BYTES + 2];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    peer_join_team(&fixture, &peer);
    send_enrol(&peer, 1, large);
    expect_bye(&peer, SP_EPROTOCOL);
    peer_close(&peer);
}

/* Whoever joins is gone before the answer comes: nothing is left over. */
static void gone_before_the_answer(void **state)
{
    (void)state;
    struct peer peer;
    invite(1, "ann", ROLE_MEMBER);
    peer_join_team(&fixture, &peer);
    send_enrol(&peer, 1, "key:ann");
    peer_close(&peer);
    fixture_settle(&fixture);
    assert_int_equal(fixture.signer.issued, 1);
    peer_join_team(&fixture, &peer);
    send_enrol(&peer, 1, "key:ann");
    peer_expect(&peer, FRAME_ENROLLED, &frame, &message);
    assert_true(message.enrolled.repeated);
    assert_int_equal(fixture.signer.issued, 1);
    peer_close(&peer);
}

static void send_invite(struct peer *peer, uint8_t code, const char *username)
{
    sealpost_v1_Invite invite = {0};
    struct digest digest = digest_of_code(code);

    memcpy(invite.secret_digest, digest.bytes, sizeof invite.secret_digest);
    (void)strcpy(invite.username, username);
    peer_send(peer, FRAME_INVITE, 5, &invite, NULL, 0);
    fixture_settle(&fixture);
    peer_next(peer, &frame, &message);
    assert_int_equal(frame.stream, 5);
}

static void inviting(void **state)
{
    (void)state;
    struct peer root;
    struct peer ann;
    join_and_login(1, "root", ROLE_ADMINISTRATOR, &root);
    send_invite(&root, 2, "bob");
    assert_int_equal(frame.type, FRAME_INVITED);
    assert_string_equal(message.invited.username, "bob");
    assert_string_equal(message.invited.host, "chat.example.org");
    assert_int_equal(message.invited.port, 7000);
    assert_int_equal(message.invited.expires_ms, fixture.clock.wall_ms + INVITATION_VALID_MS);
    peer_login(&fixture, "ann", &ann);
    send_invite(&ann, 3, "eve");
    assert_int_equal(frame.type, FRAME_ERROR);
    assert_int_equal(message.error.error, SP_EFORBIDDEN);
    sealpost_v1_List list = {.what = sealpost_v1_List_What_INVITATIONS};
    peer_send(&root, FRAME_LIST, 6, &list, NULL, 0);
    peer_expect(&root, FRAME_ROW_INVITATION, &frame, &message);
    assert_string_equal(message.row_invitation.username, "bob");
    assert_string_equal(message.row_invitation.created_by, "root");
    peer_close(&root);
    peer_close(&ann);
}

/* Every session of the device, and no other, is told and ended; its uploads with it. */
static void a_revoked_device(void **state)
{
    (void)state;
    struct peer root;
    struct peer ann;
    struct peer again;
    struct peer bob;
    join_and_login(1, "root", ROLE_ADMINISTRATOR, &root);
    peer_login(&fixture, "ann", &ann);
    peer_login(&fixture, "ann", &again);
    peer_login(&fixture, "bob", &bob);
    peer_create_room(&ann, "general");
    sealpost_v1_Offer offer = {.has_once = true,
                               .once = peer_once(&ann),
                               .has_log = true,
                               .log = log_named("general"),
                               .name = "a.bin",
                               .size = 100000};
    peer_send(&ann, FRAME_OFFER, 9, &offer, NULL, 0);
    peer_expect(&ann, FRAME_OFFERED, &frame, &message);
    sealpost_v1_List list = {.what = sealpost_v1_List_What_DEVICES, .member = "ann"};
    peer_send(&root, FRAME_LIST, 6, &list, NULL, 0);
    peer_expect(&root, FRAME_ROW_DEVICE, &frame, &message);
    assert_int_equal(message.row_device.sessions, 2);
    assert_false(message.row_device.current);
    sealpost_v1_DeviceRevoke revoke = {{0}};
    memcpy(revoke.device, message.row_device.device, sizeof revoke.device);
    peer_send(&root, FRAME_DEVICE_REVOKE, 7, &revoke, NULL, 0);
    peer_expect(&root, FRAME_DONE, &frame, &message);
    expect_bye(&ann, SP_EREVOKED);
    expect_bye(&again, SP_EREVOKED);
    assert_true(session_is_open(bob.session));
    assert_true(session_is_open(root.session));
    fixture_settle_files(&fixture);
    assert_int_equal(hub_busy_count(fixture.hub), 0);
    peer_close(&root);
    peer_close(&ann);
    peer_close(&again);
    peer_close(&bob);
}

static void a_disabled_member(void **state)
{
    (void)state;
    struct peer root;
    struct peer ann;
    struct peer bob;
    join_and_login(1, "root", ROLE_ADMINISTRATOR, &root);
    peer_login(&fixture, "ann", &ann);
    peer_login(&fixture, "bob", &bob);
    sealpost_v1_MemberSet set = {.username = "ann", .disabled = true};
    peer_send(&bob, FRAME_MEMBER_SET, 7, &set, NULL, 0);
    fixture_settle(&fixture);
    peer_next(&bob, &frame, &message);
    assert_int_equal(message.error.error, SP_EFORBIDDEN);
    assert_true(session_is_open(ann.session));
    peer_send(&root, FRAME_MEMBER_SET, 7, &set, NULL, 0);
    peer_expect(&root, FRAME_DONE, &frame, &message);
    expect_bye(&ann, SP_EDISABLED);
    assert_true(session_is_open(bob.session));
    peer_close(&root);
    peer_close(&ann);
    peer_close(&bob);
}

/* Revoked while its login was on its way: in neither order does it stay. */
static void revoked_while_logging_in(void **state)
{
    (void)state;
    struct peer root;
    struct peer ann;
    join_and_login(1, "root", ROLE_ADMINISTRATOR, &root);
    peer_login(&fixture, "ann", &ann);
    peer_close(&ann);
    for (int login_first = 0; login_first < 2; login_first++) {
        struct command_login login = {.serial_bytes = 1, .not_after_ms = INT64_MAX};
        sealpost_v1_MemberSet set = {.username = "ann", .disabled = true};
        ann = (struct peer){.fixture = &fixture};
        buffer_init(&ann.received, 1 << 20);
        (void)strcpy(login.username, "ann");
        (void)strcpy((char *)login.fingerprint.bytes, "ann");
        if (login_first) {
            assert_int_equal(session_new(fixture.hub, &login, &ann, &ann.session), SP_OK);
        }
        peer_send(&root, FRAME_MEMBER_SET, 7, &set, NULL, 0);
        if (!login_first) {
            assert_int_equal(session_new(fixture.hub, &login, &ann, &ann.session), SP_OK);
        }
        peer_expect(&root, FRAME_DONE, &frame, &message);
        if (login_first) {
            peer_next(&ann, &frame, &message);
            assert_int_equal(frame.type, FRAME_WELCOME);
        }
        expect_bye(&ann, SP_EDISABLED);
        peer_close(&ann);
        set.disabled = false;
        peer_send(&root, FRAME_MEMBER_SET, 7, &set, NULL, 0);
        peer_expect(&root, FRAME_DONE, &frame, &message);
    }
    peer_close(&root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(joining, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wrong_codes_are_answered_late, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_failures_are_answered_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_else_can_be_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_one_question, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gone_before_the_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(inviting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_revoked_device, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_disabled_member, set_up, tear_down),
        cmocka_unit_test_setup_teardown(revoked_while_logging_in, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
