"""How far a room is read: the same on all of a member's devices, after a kill, and never back; and who was here last."""

import datetime

import harness


class ReadState(harness.TestCase):

    def setUp(self):
        super().setUp()
        self.alice = self.member("alice")
        self.laptop = self.member("bob", "laptop")
        self.phone = self.member("bob", "phone")
        self.talk = self.chat(self.alice)  # a program for each message would take its time

    def room(self, name):
        self.assertTrue(self.talk.ask(cmd="create-room", room=name)["ok"])
        self.laptop.ok("room", "join", name)
        return name

    def say(self, room, *texts):
        for text in texts:
            self.assertTrue(self.talk.ask(cmd="say", room=room, text=text)["ok"])

    @staticmethod
    def listed(member, room):
        """(read, unread, mentions) as `room list` has it."""
        row = next(row for row in member.json("room", "list") if row["name"] == room)
        return row["read"], row["unread"], row["mentions"]

    def test_two_devices_see_the_same(self):
        room = self.room("both")
        laptop = self.chat(self.laptop)
        laptop.expect(type="online")
        phone = self.chat(self.phone)
        phone.expect(type="online")
        self.say(room, "one", "two, @bob", "three")
        state = {"type": "read", "room": room, "read": 2, "unread": 2, "mentions": 1, "seq": 4}
        self.assertEqual(laptop.expect(type="read"), state)
        self.assertEqual(phone.expect(type="read"), state)
        self.assertEqual(self.listed(self.laptop, room), (2, 3, 1))
        self.assertEqual(self.listed(self.phone, room), (2, 3, 1))
        self.assertRegex(self.phone.ok("--plain", "room", "list").out, rf"(?m)^{room} joined 2 5 3 1 $")
        result = phone.ask(cmd="read", room=room, seq=4)
        self.assertEqual((result["read"], result["unread"], result["mentions"], result["seq"]), (4, 1, 0, 5))
        for chat in (laptop, phone):
            self.assertEqual(chat.expect(type="read")["read"], 4)
        self.assertEqual(self.listed(self.laptop, room), (4, 1, 0))
        result = phone.ask(cmd="read", room=room, seq=1)  # never back
        self.assertEqual((result["read"], result["unread"]), (4, 1))
        self.assertEqual(self.laptop.json("room", "read", room)[0]["unread"], 0)
        self.assertEqual(phone.expect(type="read")["read"], 5)
        self.assertEqual(self.listed(self.alice, room), (5, 0, 0))
        self.assertFalse(phone.ask(cmd="read", room=room, seq=-1)["ok"])
        self.assertFalse(phone.ask(cmd="read", room="nowhere")["ok"])
        self.assertEqual(laptop.close() + phone.close(), 0)

    def test_marker_survives_a_kill(self):
        room = self.room("killed")
        self.say(room, "@bob 3", "@bob 4", "@bob 5")
        for read in (3, 4, 5):
            self.phone.ok("room", "read", room, str(read))
            self.server.kill()
            self.server.start()
            self.assertEqual(self.listed(self.laptop, room), (read, 5 - read, 5 - read))

    def test_log_unread(self):
        room = self.room("later")
        self.say(room, "first", "second", "third")
        texts = lambda *more: [each.get("text") for each in self.laptop.json("log", "--unread", *more, room)]
        self.assertEqual(texts(), ["first", "second", "third"])
        self.assertEqual(texts("-n", "1"), ["first"])
        self.laptop.ok("room", "read", room, "4")
        self.assertEqual(texts(), ["third"])
        self.assertIn("nothing is unread", self.laptop.ok("room", "read", room).err)
        self.assertEqual(texts(), [])
        self.assertEqual(self.laptop.run("log", "--unread", "--all", room).code, 2)
        self.assertEqual(self.laptop.run("log", "--unread", "nowhere").code, 5)
        self.assertEqual(self.member("eve").run("log", "--unread", room).code, 4)
        self.assertEqual(self.laptop.run("room", "read", room, "x").code, 2)

    def test_coming_back_begins_anew(self):
        room = self.room("left")
        self.say(room, "@bob")
        self.laptop.ok("room", "leave", room)
        self.assertEqual(self.listed(self.phone, room), (0, 0, 0))
        self.assertEqual(self.phone.run("room", "read", room).code, 4)
        self.say(room, "@bob, are you there?")
        self.laptop.ok("room", "join", room)
        self.assertEqual(self.listed(self.phone, room), (6, 0, 0))

    def test_what_is_erased_is_not_counted(self):
        room = self.room("short")
        self.say(room, "@bob 3", "@bob 4", "@bob 5")
        self.assertEqual(self.listed(self.laptop, room), (2, 3, 3))
        self.alice.ok("room", "retention", room, "2")  # number 5, and the rule
        harness.wait_until(lambda: self.listed(self.laptop, room) == (2, 1, 1), 20, "the others to be erased")

    def test_a_terminal_marks_what_it_has_shown(self):
        room = self.room("seen")
        self.say(room, "before")
        child = self.laptop.spawn("chat", room, env={"NO_COLOR": "1"})
        child.expect_exact("alice: before")
        harness.wait_until(lambda: self.listed(self.phone, room) == (3, 0, 0), what="what was shown to be marked")
        self.say(room, "hello @bob", "not you")
        child.expect_exact("! alice: hello @bob")
        child.expect_exact(" alice: not you")
        child.sendline("/quit")  # before the second in which it tells of it is over
        child.expect(harness_eof())
        child.close()
        self.assertEqual(child.exitstatus, 0)
        self.assertEqual(self.listed(self.phone, room), (5, 0, 0))
        self.say(room, "seen until the end")
        child = self.laptop.spawn("chat", room, env={"NO_COLOR": "1"})
        child.expect_exact("alice: seen until the end")
        harness.wait_until(lambda: self.listed(self.phone, room) == (6, 0, 0), what="what was shown to be marked")
        self.say(room, "this as well")
        child.expect_exact("alice: this as well")
        child.sendintr()  # which is how most end it
        child.expect(harness_eof())
        child.close()
        self.assertEqual(self.listed(self.phone, room), (7, 0, 0))
        self.say(room, "nobody sees this")
        self.laptop.ok("chat", room, stdin=b"from a pipe\n")  # a program has seen it, and no person
        self.assertEqual(self.listed(self.phone, room), (7, 2, 0))

    def test_a_terminal_that_shows_only_the_end_marks_nothing(self):
        room = self.room("long")
        self.say(room, *(f"message {i}" for i in range(6)))
        child = self.laptop.spawn("chat", "-n", "3", room, env={"NO_COLOR": "1"})
        child.expect_exact(f"6 unread in {room}, not all of it shown here")
        self.say(room, "one more")
        child.expect_exact("alice: one more")
        harness.time.sleep(1.2)
        self.assertEqual(self.listed(self.phone, room), (2, 7, 0))
        child.sendline("/read")
        child.expect_exact(f"{room} is marked as read")
        self.say(room, "and another")  # from now on as ever
        harness.wait_until(lambda: self.listed(self.phone, room) == (10, 0, 0), what="the next one to be marked")
        child.sendline("/quit")
        child.expect(harness_eof())
        child.close()
        self.assertEqual(child.exitstatus, 0)

    def test_mentions_are_marked_for_programs(self):
        room = self.room("named")
        self.say(room, "to @bob", "to nobody")
        self.assertEqual([each.get("mention") for each in self.laptop.json("log", "-n", "2", room)], [True, None])
        self.assertEqual([each.get("mention") for each in self.alice.json("log", "-n", "2", room)], [None, None])


class Presence(harness.TestCase):

    @staticmethod
    def bob(member):
        return next(row for row in member.json("member", "list") if row["name"] == "bob")

    @staticmethod
    def moment(text):
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))

    def test_last_seen(self):
        alice = self.member("alice")
        before = datetime.datetime.now(datetime.timezone.utc)
        chat = self.chat(self.member("bob"))
        chat.expect(type="online")
        row = self.bob(alice)
        self.assertTrue(row["online"])
        self.assertNotIn("last_seen", row)
        harness.time.sleep(1.2)
        chat.close()
        row = harness.wait_until(lambda: not self.bob(alice)["online"] and self.bob(alice))
        left = self.moment(row["last_seen"])
        self.assertGreater(left - before, datetime.timedelta(seconds=1))
        self.assertLess(left - before, datetime.timedelta(seconds=30))
        chat = self.chat(self.member("bob", "phone"))
        chat.expect(type="online")
        self.server.kill()
        self.server.start()
        row = self.bob(alice)
        if not row["online"]:  # it is back by itself soon
            self.assertGreaterEqual(self.moment(row["last_seen"]), before)
        chat.expect(type="offline")
        chat.expect(type="online")
        chat.close()
        self.assertRegex(alice.ok("--plain", "member", "list").out,
                         r"(?m)^bob offline - member - \d{4}-\d\d-\d\dT[0-9:.]+Z$")


def harness_eof():
    import pexpect  # pylint: disable=import-outside-toplevel
    return pexpect.EOF


if __name__ == "__main__":
    harness.main()
