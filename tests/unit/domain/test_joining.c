/* Invitations, joining, devices, and shutting out, against the whole domain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/digest.h"
#include "db/migrate.h"
#include "domain/schema.h"
#include "unit/domain/world.h"

static struct world world;
static char path[WORLD_PATH_BYTES];

static int set_up(void **state)
{
    (void)state;
    world_make_path(path);
    world_open(&world, path);
    world.config.admit_ca = false;
    world_reopen(&world);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_close(&world);
    world_remove_path(path);
    return 0;
}

/* The code number SECRET, for NAME. ACTOR NULL: the server itself. */
static struct command *invite(const struct actor *actor, uint8_t secret, const char *name,
                              const char *logs)
{
    struct command *command = world_command(&world, COMMAND_INVITE, actor, NULL, logs);
    uint8_t bytes[JOIN_SECRET_BYTES];

    memset(bytes, secret, sizeof bytes);
    assert_int_equal(command_join_digest(bytes, &command->invite.secret_digest), SP_OK);
    (void)snprintf(command->invite.username, sizeof command->invite.username, "%s", name);
    return command;
}

static struct command *enrol(uint8_t secret, const char *key, const char *label)
{
    struct command *command = world_command(&world, COMMAND_ENROL, NULL, NULL, key);

    memset(command->enrol.secret, secret, sizeof command->enrol.secret);
    (void)snprintf(command->enrol.label, sizeof command->enrol.label, "%s", label);
    return command;
}

/* Invites, enrols, and gives the actor that then may ask. */
static struct actor join(const struct actor *by, const char *name, uint8_t secret, enum role role)
{
    struct command *command = invite(by, secret, name, NULL);

    command->invite.role = role;
    assert_int_equal(world_do(&world, command), SP_OK);
    struct reply *reply = world_run(&world, enrol(secret, "key:first", "laptop"));
    assert_int_equal(reply->kind, REPLY_ENROLLED);
    struct actor actor = reply->enrolled.actor;
    reply_free(reply);
    world_transcript(&world);
    return actor;
}

static struct actor administrator(void)
{
    return join(NULL, "root", 1, ROLE_ADMINISTRATOR);
}

/* With the certificate that was issued as number NUMBER. */
static enum sp_error log_in(const char *name, unsigned number, const char *key)
{
    struct command *command = world_command(&world, COMMAND_LOGIN, NULL, NULL, NULL);
    char chain[128];

    (void)snprintf(command->login.username, sizeof command->login.username, "%s", name);
    (void)snprintf(chain, sizeof chain, "%u %s %s", number, name, key);
    const struct slice bytes = slice_of_string(chain);
    assert_int_equal(digest_of(&bytes, 1, &command->login.fingerprint), SP_OK);
    command->login.serial_bytes = 1;
    return world_do(&world, command);
}

static enum sp_error set_member(const struct actor *actor, const char *name, bool disabled)
{
    struct command *command = world_command(&world, COMMAND_MEMBER_SET, actor, NULL, NULL);

    (void)snprintf(command->member.username, sizeof command->member.username, "%s", name);
    command->member.disabled = disabled;
    return world_do(&world, command);
}

static struct command *invite_device(const struct actor *actor, uint8_t secret, const char *name)
{
    struct command *command = invite(actor, secret, name, NULL);

    command->invite.device = true;
    return command;
}

static struct command *revoke(const struct actor *actor, const struct id *device)
{
    struct command *command = world_command(&world, COMMAND_DEVICE_REVOKE, actor, NULL, NULL);

    command->device = *device;
    return command;
}

/* From the first code to a login, over a restart. */
static void test_joining(void **state)
{
    (void)state;
    struct actor root = administrator();
    assert_string_equal(root.username, "root");
    assert_int_equal(root.role, ROLE_ADMINISTRATOR);
    assert_int_equal(
        world_do(&world, world_command(&world, COMMAND_ROOM_CREATE, &root, "general", NULL)),
        SP_OK);
    assert_int_equal(
        world_do(&world, world_command(&world, COMMAND_BOX_CREATE, &root, "homework", NULL)),
        SP_OK);
    assert_int_equal(world_do(&world, invite(&root, 2, "ann", "general homework")), SP_OK);
    world_transcript(&world);
    assert_int_equal(world_do(&world, enrol(2, "key:ann", "laptop")), SP_OK);
    assert_string_equal(world_transcript(&world), "event 1/2 ann joined ann\n"
                                                  "reply enrolled ann role=0\n");
    assert_int_equal(log_in("ann", 2, "key:ann"), SP_OK);
    world_reopen(&world);
    assert_int_equal(log_in("ann", 2, "key:ann"), SP_OK);
    assert_int_equal(log_in("ann", 3, "key:ann"), SP_ENOTADMITTED);
    assert_int_equal(world_verify(&world), 3);
}

/* Whoever lost the answer gets it again; nobody else gets anything. */
static void test_a_code_works_once(void **state)
{
    (void)state;
    struct actor root = administrator();
    assert_int_equal(world_do(&world, invite(&root, 2, "ann", NULL)), SP_OK);
    struct reply *first = world_run(&world, enrol(2, "key:ann", "laptop"));
    world_reopen(&world);
    struct reply *again = world_run(&world, enrol(2, "key:ann", "laptop"));
    assert_false(first->enrolled.repeated);
    assert_true(again->enrolled.repeated);
    assert_int_equal(again->enrolled.size, first->enrolled.size);
    assert_memory_equal(again->enrolled.chain, first->enrolled.chain, first->enrolled.size);
    assert_memory_equal(&again->enrolled.actor, &first->enrolled.actor, sizeof(struct actor));
    assert_int_equal(again->enrolled.not_after_ms, first->enrolled.not_after_ms);
    assert_int_equal(world.signer.issued, 2);
    assert_int_equal(world_do(&world, enrol(2, "key:eve", "laptop")), SP_ECODEUSED);
    assert_int_equal(world_do(&world, enrol(9, "key:ann", "laptop")), SP_ECODE);
    assert_int_equal(world_do(&world, revoke(&root, &first->enrolled.actor.device_id)), SP_OK);
    assert_int_equal(world_do(&world, enrol(2, "key:ann", "laptop")), SP_EREVOKED);
    assert_int_equal(world.signer.issued, 2);
    reply_free(first);
    reply_free(again);
}

static void test_codes_expire(void **state)
{
    (void)state;
    struct actor root = administrator();
    struct command *command = invite(&root, 2, "ann", NULL);
    command->invite.valid_ms = 5000;
    struct reply *reply = world_run(&world, command);
    assert_int_equal(reply->invited.expires_ms, WORLD_START_MS + 5000);
    reply_free(reply);
    world.clock.wall_ms += 4999;
    assert_int_equal(world_do(&world, invite(&root, 3, "ann", NULL)), SP_EEXISTS);
    world.clock.wall_ms += 1;
    assert_int_equal(world_do(&world, enrol(2, "key:ann", "laptop")), SP_ECODEEXPIRED);
    /* One that cannot be used any more is in nobody's way. */
    assert_int_equal(world_do(&world, invite(&root, 3, "ann", NULL)), SP_OK);
    assert_int_equal(world_do(&world, enrol(2, "key:ann", "laptop")), SP_ECODE);
    assert_int_equal(world_do(&world, enrol(3, "key:ann", "laptop")), SP_OK);
    command = invite(&root, 4, "bob", NULL);
    command->invite.valid_ms = LIMIT_INVITATION_VALID_MS + 1;
    assert_int_equal(world_do(&world, command), SP_EINVALID);
    command = invite(&root, 4, "bob", NULL);
    command->invite.valid_ms = -1;
    assert_int_equal(world_do(&world, command), SP_EINVALID);
}

static void test_inviting_again(void **state)
{
    (void)state;
    struct actor root = administrator();
    struct command *same = invite(&root, 2, "ann", NULL);
    assert_int_equal(world_do(&world, world_again(same)), SP_OK);
    world_transcript(&world);
    assert_int_equal(world_do(&world, same), SP_OK);
    assert_string_equal(world_transcript(&world), "reply invited ann until 605800000 repeated\n");
    assert_int_equal(world_do(&world, invite(&root, 2, "bob", NULL)), SP_ECONFLICT);
    assert_int_equal(world_do(&world, invite(&root, 3, "ann", NULL)), SP_EEXISTS);
    struct command *renewed = invite(&root, 3, "ann", NULL);
    renewed->invite.renew = true;
    assert_int_equal(world_do(&world, renewed), SP_OK);
    assert_int_equal(world_do(&world, enrol(2, "key:ann", "laptop")), SP_ECODE);
    assert_int_equal(world_do(&world, enrol(3, "key:ann", "laptop")), SP_OK);
    assert_int_equal(world_do(&world, invite(&root, 4, "ann", NULL)), SP_EEXISTS);
}

static void test_who_may_invite_whom(void **state)
{
    static const char *const bad_names[] = {"",     "Ann",     "ann!",
                                            ".ann", "ann bob", "123456789012345678901234567890123"};
    (void)state;
    struct actor root = administrator();
    struct actor ann = join(&root, "ann", 2, ROLE_MEMBER);
    assert_int_equal(world_do(&world, invite(&ann, 3, "bob", NULL)), SP_EFORBIDDEN);
    assert_int_equal(set_member(&ann, "root", true), SP_EFORBIDDEN);
    for (size_t i = 0; i < COUNT_OF(bad_names); i++) {
        struct command *command = invite(&root, 3, "x", NULL);
        memset(command->invite.username, 0, sizeof command->invite.username);
        memcpy(command->invite.username, bad_names[i], strnlen(bad_names[i], LIMIT_USERNAME_BYTES));
        enum sp_error error = world_do(&world, command);
        assert_int_equal(error, strlen(bad_names[i]) > LIMIT_USERNAME_BYTES ? SP_OK : SP_ENAME);
    }
    struct command *command = invite(&root, 4, "bob", NULL);
    command->invite.role = (enum role)7;
    assert_int_equal(world_do(&world, command), SP_EINVALID);
    assert_int_equal(world_do(&world, invite(&root, 4, "bob", "general")), SP_ENOTFOUND);
    /* Devices: one's own, or with the right to invite anybody's. */
    command = invite(&ann, 5, "", NULL);
    command->invite.device = true;
    assert_int_equal(world_do(&world, command), SP_OK);
    command = invite(&ann, 6, "root", NULL);
    command->invite.device = true;
    assert_int_equal(world_do(&world, command), SP_EFORBIDDEN);
    command = invite(&root, 6, "ann", NULL);
    command->invite.device = true;
    assert_int_equal(world_do(&world, command), SP_OK);
    command = invite(&root, 7, "nobody", NULL);
    command->invite.device = true;
    assert_int_equal(world_do(&world, command), SP_ENOTFOUND);
    struct reply *reply = world_run(&world, enrol(5, "key:phone", "phone"));
    assert_int_equal(reply->enrolled.actor.member, ann.member);
    assert_true(reply->enrolled.actor.device != ann.device);
    reply_free(reply);
}

static void test_too_many_codes_for_devices(void **state)
{
    (void)state;
    struct actor root = administrator();
    for (uint8_t secret = 10; secret < 19; secret++) {
        struct command *command = invite(&root, secret, "", NULL);
        command->invite.device = true;
        assert_int_equal(world_do(&world, command), secret < 18 ? SP_OK : SP_ELIMIT);
    }
    struct command *command = invite(&root, 18, "", NULL);
    command->invite.device = true;
    command->invite.renew = true;
    assert_int_equal(world_do(&world, command), SP_OK);
    assert_int_equal(world_do(&world, enrol(10, "key:x", "x")), SP_ECODE);
    assert_int_equal(world_do(&world, enrol(18, "key:x", "x")), SP_OK);
}

/* A request that is none uses nothing up, nor does a signer that cannot. */
static void test_what_fails_uses_no_code_up(void **state)
{
    (void)state;
    struct actor root = administrator();
    assert_int_equal(world_do(&world, invite(&root, 2, "ann", NULL)), SP_OK);
    assert_int_equal(world_do(&world, enrol(2, "nonsense", "laptop")), SP_EINVALID);
    assert_int_equal(world_do(&world, enrol(2, "key:ann", "")), SP_ENAME);
    assert_int_equal(world_do(&world, enrol(2, "key:ann", "lap\ntop")), SP_ENAME);
    world.signer.fails = SP_EEXPIRED;
    assert_int_equal(world_do(&world, enrol(2, "key:ann", "laptop")), SP_EEXPIRED);
    world.signer.fails = SP_OK;
    world_transcript(&world);
    assert_int_equal(
        world_do(&world, world_command(&world, COMMAND_LIST_MEMBERS, &root, NULL, NULL)), SP_OK);
    assert_string_equal(world_transcript(&world), "reply list of 1\n  root administrator\n");
    assert_int_equal(world_do(&world, enrol(2, "key:ann", "laptop")), SP_OK);
    world.config.issue = NULL;
    world_reopen(&world);
    assert_int_equal(world_do(&world, enrol(2, "key:ann", "laptop")), SP_EUNSUPPORTED);
}

static void test_labels_are_told_apart(void **state)
{
    (void)state;
    struct actor root = administrator();
    char longest[LIMIT_LABEL_BYTES + 1];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    for (uint8_t secret = 10; secret < 14; secret++) {
        struct command *command = invite(&root, secret, "", NULL);
        command->invite.device = true;
        assert_int_equal(world_do(&world, command), SP_OK);
        assert_int_equal(world_do(&world, enrol(secret, "key:x", secret < 12 ? "laptop" : longest)),
                         SP_OK);
    }
    world_transcript(&world);
    assert_int_equal(
        world_do(&world, world_command(&world, COMMAND_LIST_DEVICES, &root, NULL, NULL)), SP_OK);
    longest[LIMIT_LABEL_BYTES - 2] = '\0';
    char expected[512];
    (void)snprintf(expected, sizeof expected,
                   "reply list of 5\n"
                   "  laptop of root seen 1000000 to 1000000\n"
                   "  laptop-2 of root seen 1000000 to 1000000\n"
                   "  laptop-3 of root seen 1000000 to 1000000\n"
                   "  %sxx of root seen 1000000 to 1000000\n"
                   "  %s-2 of root seen 1000000 to 1000000\n",
                   longest, longest);
    assert_string_equal(world_transcript(&world), expected);
}

/* A label is not cut in the middle of a character. */
static void test_a_label_stays_text(void **state)
{
    (void)state;
    struct actor root = administrator();
    char label[LIMIT_LABEL_BYTES + 1];
    memset(label, 'x', sizeof label - 1);
    memcpy(label + LIMIT_LABEL_BYTES - 3, "\xc3\xa4x", 4);
    for (uint8_t secret = 10; secret < 12; secret++) {
        struct command *command = invite(&root, secret, "", NULL);
        command->invite.device = true;
        assert_int_equal(world_do(&world, command), SP_OK);
        assert_int_equal(world_do(&world, enrol(secret, "key:x", label)), SP_OK);
    }
    struct reply *reply =
        world_run(&world, world_command(&world, COMMAND_LIST_DEVICES, &root, NULL, NULL));
    memcpy(label + LIMIT_LABEL_BYTES - 3, "-2", 3);
    assert_string_equal(reply->list.rows[2].device.label, label);
    reply_free(reply);
}

static void test_revoking_a_device(void **state)
{
    (void)state;
    struct actor root = administrator();
    struct actor ann = join(&root, "ann", 2, ROLE_MEMBER);
    struct actor bob = join(&root, "bob", 3, ROLE_MEMBER);
    struct id unknown = {{1}};
    assert_int_equal(world_do(&world, revoke(&ann, &bob.device_id)), SP_ENOTFOUND);
    assert_int_equal(world_do(&world, revoke(&root, &unknown)), SP_ENOTFOUND);
    assert_int_equal(log_in("ann", 2, "key:first"), SP_OK);
    world_transcript(&world);
    assert_int_equal(world_do(&world, revoke(&ann, &ann.device_id)), SP_OK);
    assert_string_equal(world_transcript(&world), "shut out 2/2 revoked\nreply done\n");
    assert_int_equal(log_in("ann", 2, "key:first"), SP_EREVOKED);
    assert_int_equal(log_in("bob", 3, "key:first"), SP_OK);
    /* Once more, by somebody who may: it is so already, and nobody is told again. */
    world_transcript(&world);
    assert_int_equal(world_do(&world, revoke(&root, &ann.device_id)), SP_OK);
    assert_string_equal(world_transcript(&world), "reply done\n");
    world_reopen(&world);
    assert_int_equal(log_in("ann", 2, "key:first"), SP_EREVOKED);
}

/* What was asked for before and waits behind the revocation is not done any more. */
static void test_what_waits_behind_a_revocation(void **state)
{
    (void)state;
    struct actor root = administrator();
    struct actor ann = join(&root, "ann", 2, ROLE_MEMBER);
    assert_int_equal(
        world_do(&world, world_command(&world, COMMAND_ROOM_CREATE, &ann, "general", NULL)), SP_OK);
    world_transcript(&world);
    world_submit(&world, world_command(&world, COMMAND_POST, &ann, "general", "before"));
    world_submit(&world, revoke(&root, &ann.device_id));
    world_submit(&world, world_command(&world, COMMAND_POST, &ann, "general", "behind"));
    world_submit(&world, world_store(&world, &ann, "general", "a.txt", "behind", NULL));
    reply_free(world_step(&world));
    assert_string_equal(world_transcript(&world), "event 1/2 ann message before\n"
                                                  "reply event general/2 at 1000000\n"
                                                  "shut out 2/2 revoked\n"
                                                  "reply done\n"
                                                  "reply revoked\n"
                                                  "reply revoked\n");
    assert_int_equal(world_verify(&world), 2);
}

/* Whoever has a lost device cannot come back with a code that was made with it. */
static void test_codes_fall_with_the_device_that_made_them(void **state)
{
    (void)state;
    struct actor root = administrator();
    struct actor ann = join(&root, "ann", 2, ROLE_MEMBER);
    assert_int_equal(world_do(&world, invite_device(&ann, 3, "")), SP_OK);
    assert_int_equal(world_do(&world, invite_device(&root, 4, "ann")), SP_OK);
    struct reply *reply = world_run(&world, enrol(3, "key:phone", "phone"));
    struct actor phone = reply->enrolled.actor;
    reply_free(reply);
    assert_int_equal(world_do(&world, invite_device(&ann, 5, "")), SP_OK);
    assert_int_equal(world_do(&world, invite_device(&phone, 6, "")), SP_OK);
    assert_int_equal(world_do(&world, revoke(&phone, &ann.device_id)), SP_OK);
    assert_int_equal(world_do(&world, enrol(5, "key:thief", "thief")), SP_ECODE);
    assert_int_equal(world_do(&world, enrol(4, "key:tablet", "tablet")), SP_OK);
    assert_int_equal(world_do(&world, enrol(6, "key:desk", "desk")), SP_OK);
    /* So do those for others. */
    assert_int_equal(world_do(&world, invite(&root, 7, "bob", NULL)), SP_OK);
    assert_int_equal(world_do(&world, revoke(&root, &root.device_id)), SP_OK);
    assert_int_equal(world_do(&world, enrol(7, "key:bob", "laptop")), SP_ECODE);
}

/* The same, for one who is shut out: nobody comes back under a name invited beforehand. */
static void test_codes_fall_with_the_member_who_made_them(void **state)
{
    (void)state;
    struct actor root = administrator();
    struct actor eve = join(&root, "eve", 2, ROLE_ADMINISTRATOR);
    struct command *command = invite(&eve, 3, "eve2", NULL);
    command->invite.role = ROLE_ADMINISTRATOR;
    assert_int_equal(world_do(&world, command), SP_OK);
    assert_int_equal(world_do(&world, invite(&root, 4, "bob", NULL)), SP_OK);
    assert_int_equal(set_member(&root, "eve", true), SP_OK);
    assert_int_equal(world_do(&world, enrol(3, "key:eve", "laptop")), SP_ECODE);
    assert_int_equal(world_do(&world, enrol(4, "key:bob", "laptop")), SP_OK);
    assert_int_equal(set_member(&root, "eve", false), SP_OK);
    assert_int_equal(world_do(&world, enrol(3, "key:eve", "laptop")), SP_ECODE);
}

/* However many a member has made and let expire. */
static void test_expired_codes_are_forgotten(void **state)
{
    (void)state;
    struct actor root = administrator();
    struct actor ann = join(&root, "ann", 2, ROLE_MEMBER);
    for (uint8_t secret = 10; secret < 40; secret++) {
        struct command *command = invite_device(&ann, secret, "");
        command->invite.valid_ms = 1;
        assert_int_equal(world_do(&world, command), SP_OK);
        world.clock.wall_ms += 1;
    }
    struct reply *reply =
        world_run(&world, world_command(&world, COMMAND_LIST_INVITATIONS, &root, NULL, NULL));
    assert_int_equal(reply->list.count, 1);
    reply_free(reply);
}

static void test_disabling_a_member(void **state)
{
    (void)state;
    struct actor root = administrator();
    struct actor ann = join(&root, "ann", 2, ROLE_MEMBER);
    struct command *command = invite(&ann, 5, "", NULL);
    command->invite.device = true;
    assert_int_equal(world_do(&world, command), SP_OK);
    assert_int_equal(set_member(&root, "root", true), SP_EFORBIDDEN);
    assert_int_equal(set_member(&root, "nobody", true), SP_ENOTFOUND);
    world_transcript(&world);
    assert_int_equal(set_member(&root, "ann", true), SP_OK);
    assert_string_equal(world_transcript(&world), "shut out 2/0 disabled\nreply done\n");
    assert_int_equal(log_in("ann", 2, "key:first"), SP_EDISABLED);
    assert_int_equal(world_do(&world, world_command(&world, COMMAND_ROOM_CREATE, &ann, "x", NULL)),
                     SP_EDISABLED);
    /* The code for her phone is void, and so is her name for others. */
    assert_int_equal(world_do(&world, enrol(5, "key:phone", "phone")), SP_ECODE);
    assert_int_equal(world_do(&world, invite(&root, 6, "ann", NULL)), SP_EDISABLED);
    command = invite(&root, 6, "ann", NULL);
    command->invite.renew = true;
    assert_int_equal(world_do(&world, command), SP_EDISABLED);
    command = invite(&root, 6, "ann", NULL);
    command->invite.device = true;
    assert_int_equal(world_do(&world, command), SP_EDISABLED);
    struct actor bob = join(&root, "bob", 7, ROLE_MEMBER);
    world_transcript(&world);
    assert_int_equal(
        world_do(&world, world_command(&world, COMMAND_LIST_MEMBERS, &bob, NULL, NULL)), SP_OK);
    assert_string_equal(world_transcript(&world), "reply list of 2\n  root administrator\n  bob\n");
    assert_int_equal(
        world_do(&world, world_command(&world, COMMAND_LIST_MEMBERS, &root, NULL, NULL)), SP_OK);
    assert_string_equal(world_transcript(&world),
                        "reply list of 3\n  root administrator\n  ann disabled\n  bob\n");
    /* And in again: the same member on the same device. */
    assert_int_equal(set_member(&root, "ann", false), SP_OK);
    assert_int_equal(log_in("ann", 2, "key:first"), SP_OK);
    assert_int_equal(world_do(&world, world_command(&world, COMMAND_ROOM_CREATE, &ann, "x", NULL)),
                     SP_OK);
}

static void test_withdrawing_an_invitation(void **state)
{
    (void)state;
    struct actor root = administrator();
    assert_int_equal(world_do(&world, invite(&root, 2, "ann", NULL)), SP_OK);
    assert_int_equal(set_member(&root, "ann", false), SP_ENOTFOUND);
    assert_int_equal(set_member(&root, "ann", true), SP_OK);
    assert_int_equal(world_do(&world, enrol(2, "key:ann", "laptop")), SP_ECODE);
    assert_int_equal(world_do(&world, invite(&root, 3, "ann", NULL)), SP_OK);
}

static void test_lists_are_for_those_who_may(void **state)
{
    (void)state;
    struct actor root = administrator();
    struct actor ann = join(&root, "ann", 2, ROLE_MEMBER);
    assert_int_equal(world_do(&world, invite(&root, 3, "bob", NULL)), SP_OK);
    struct command *command = world_command(&world, COMMAND_LIST_DEVICES, &ann, NULL, NULL);
    (void)strcpy(command->list.member, "*");
    assert_int_equal(world_do(&world, command), SP_EFORBIDDEN);
    command = world_command(&world, COMMAND_LIST_DEVICES, &ann, NULL, NULL);
    (void)strcpy(command->list.member, "root");
    assert_int_equal(world_do(&world, command), SP_EFORBIDDEN);
    assert_int_equal(
        world_do(&world, world_command(&world, COMMAND_LIST_INVITATIONS, &ann, NULL, NULL)),
        SP_EFORBIDDEN);
    world_transcript(&world);
    command = world_command(&world, COMMAND_LIST_DEVICES, &ann, NULL, NULL);
    (void)strcpy(command->list.member, "ann");
    assert_int_equal(world_do(&world, command), SP_OK);
    command = world_command(&world, COMMAND_LIST_DEVICES, &root, NULL, NULL);
    (void)strcpy(command->list.member, "*");
    assert_int_equal(world_do(&world, command), SP_OK);
    assert_int_equal(
        world_do(&world, world_command(&world, COMMAND_LIST_INVITATIONS, &root, NULL, NULL)),
        SP_OK);
    assert_string_equal(world_transcript(&world), "reply list of 1\n"
                                                  "  laptop of ann seen 1000000 to 1000000\n"
                                                  "reply list of 2\n"
                                                  "  laptop of root seen 1000000 to 1000000\n"
                                                  "  laptop of ann seen 1000000 to 1000000\n"
                                                  "reply list of 1\n"
                                                  "  bob role=0 by 'root' until 605800000\n");
}

static void test_the_last_login_is_known(void **state)
{
    (void)state;
    struct actor root = administrator();
    world.clock.wall_ms += 59999;
    assert_int_equal(log_in("root", 1, "key:first"), SP_OK);
    world_transcript(&world);
    assert_int_equal(
        world_do(&world, world_command(&world, COMMAND_LIST_DEVICES, &root, NULL, NULL)), SP_OK);
    assert_string_equal(world_transcript(&world),
                        "reply list of 1\n  laptop of root seen 1000000 to 1000000\n");
    world.clock.wall_ms += 1;
    assert_int_equal(log_in("root", 1, "key:first"), SP_OK);
    world_transcript(&world);
    assert_int_equal(
        world_do(&world, world_command(&world, COMMAND_LIST_DEVICES, &root, NULL, NULL)), SP_OK);
    assert_string_equal(world_transcript(&world),
                        "reply list of 1\n  laptop of root seen 1000000 to 1060000\n");
}

/* A database from before there were codes. */
static void test_an_older_database(void **state)
{
    char reason[256];
    struct db *db = NULL;

    (void)state;
    world_close(&world);
    world_remove_path(path);
    world_make_path(path);
    assert_int_equal(db_open(path, DB_WRITER, &db, reason, sizeof reason), SP_OK);
    assert_int_equal(db_migrate(db, schema_steps, 1, reason, sizeof reason), SP_OK);
    assert_int_equal(
        db_execute(
            db, "INSERT INTO team VALUES('team', zeroblob(16), 1);"
                "INSERT INTO members(no, username, created_ms) VALUES(1, 'ann', 1);"
                "INSERT INTO devices(no, id, member, created_ms) VALUES(1, zeroblob(16), 1, 1);"),
        SP_OK);
    db_close(db);
    world.config.path = path;
    world_reopen(&world);
    struct actor root = administrator();
    assert_int_equal(world_do(&world, invite(&root, 2, "ann", NULL)), SP_EEXISTS);
    assert_int_equal(set_member(&root, "ann", true), SP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_joining, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_code_works_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_codes_expire, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_inviting_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_may_invite_whom, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_many_codes_for_devices, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_fails_uses_no_code_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_labels_are_told_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_label_stays_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_revoking_a_device, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_waits_behind_a_revocation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_codes_fall_with_the_device_that_made_them, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_codes_fall_with_the_member_who_made_them, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_expired_codes_are_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_disabling_a_member, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_withdrawing_an_invitation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lists_are_for_those_who_may, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_last_login_is_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_older_database, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
