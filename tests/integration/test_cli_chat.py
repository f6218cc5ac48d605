"""sealpost chat: for bots in JSON, for people on a pipe and on a terminal; and what it does when the server goes."""

import os
import signal
import subprocess

import harness


class Json(harness.TestCase):

    def test_a_bot(self):
        alice, bob = self.member("alice"), self.member("bob")
        chat = self.chat(alice)
        online = chat.expect(type="online")
        self.assertEqual((online["username"], online["team"]), ("alice", "test"))
        self.assertTrue(chat.ask(cmd="create-room", room="bots")["ok"])
        following = chat.ask(cmd="follow", room="#bots")
        self.assertTrue(following["ok"])
        self.assertEqual(following["head"], 1)
        said = chat.ask(cmd="say", room="bots", text="hello \U0001f600\n")
        self.assertEqual((said["ok"], said["seq"], said["room"], said["cmd"]), (True, 2, "bots", "say"))
        event = chat.expect(type="event", seq=2)
        self.assertEqual((event["text"], event["from"], event["hash"]), ("hello \U0001f600\n", "alice", said["hash"]))
        self.assertEqual(event["client_id"], said["client_id"])
        bob.ok("room", "join", "bots")
        self.assertEqual(chat.expect(type="event", kind="joined")["from"], "bob")
        self.assertTrue(chat.ask(cmd="topic", room="bots", text="bees", id=7)["ok"])
        self.assertEqual(chat.expect(type="event", kind="topic")["text"], "bees")
        sent = chat.ask(cmd="send", room="bots", path=alice.write("x.bin", b"x" * 100_000))
        self.assertEqual((sent["ok"], sent["file"]["size"]), (True, 100_000))
        self.assertEqual(chat.expect(type="event", kind="file")["file"]["id"], sent["file"]["id"])
        self.assertEqual(chat.ask(cmd="members", room="bots")["rows"], 2)
        self.assertEqual({chat.expect(type="member")["name"] for _ in range(2)}, {"alice", "bob"})
        self.assertEqual(chat.ask(cmd="files", room="bots")["rows"], 1)
        self.assertEqual(chat.expect(type="file")["name"], "x.bin")
        self.assertGreaterEqual(chat.ask(cmd="list")["rows"], 1)
        self.assertTrue(chat.ask(cmd="create-box", box="forms")["ok"])
        self.assertTrue(chat.ask(cmd="submit", box="forms", path=alice.path("x.bin"), name="y.bin")["ok"])
        self.assertTrue(chat.ask(cmd="unfollow", room="bots")["ok"])
        bob.ok("say", "bots", "unseen")
        self.assertTrue(chat.ask(cmd="follow", room="bots", last=1)["ok"])
        self.assertEqual(chat.expect(type="event", room="bots")["text"], "unseen")
        self.assertTrue(chat.ask(cmd="leave", room="bots")["ok"])
        self.assertEqual(chat.ask(cmd="say", room="bots", text="x")["error"], "not-joined")
        self.assertTrue(chat.ask(cmd="join", room="bots")["ok"])
        self.assertEqual(chat.close(), 0)

    def test_mistakes(self):
        chat = self.chat(self.member("alice"))
        for line, text in (("x", "object"), ("[]", "object"), ("{}", "not known"), ('{"cmd":"frob"}', "not known"),
                           ('{"cmd":"say"}', "missing"), ('{"cmd":"say","room":"a"}', "missing"),
                           ('{"cmd":"say","room":"A B","text":"x"}', "not a name"),
                           ('{"cmd":"say","room":"a","text":1}', "not a string"),
                           ('{"cmd":"say","room":"a","text":"x","color":"red"}', "does not take"),
                           ('{"cmd":"follow","room":"a","after":-1}', "whole number"),
                           ('{"cmd":"follow","room":"a","after":1,"last":1}', "not both"),
                           ('{"cmd":"say","room":"a","text":"x","id":true}', "id"),
                           ('{"cmd":"send","room":"a","path":"/nonexistent/x"}', "/nonexistent/x"),
                           ('{"cmd":"send","room":"a","path":"/"}', "name"),
                           ("x" * 200_000, "too long")):
            chat.send_line(line)
            result = chat.expect(type="result")
            self.assertFalse(result["ok"], line[:80])
            self.assertIn(text, result["text"], line[:80])
            if "nonexistent" in line:
                self.assertEqual(result["error"], "file")
        for wanted in (1, "one", "ünï \"q\"", None, -1.5):
            self.assertEqual(chat.ask(cmd="say", room="nowhere", text="x", id=wanted)["error"], "not-found")
        self.assertEqual(chat.ask(cmd="say", room="nowhere", text="x" * 20000)["error"], "too-large")
        self.assertEqual(chat.close(), 0)

    def test_many_at_once(self):
        alice = self.member("alice")
        alice.ok("room", "create", "many")
        lines = "".join(f'{{"cmd":"say","room":"many","text":"{i}","id":{i}}}\n' for i in range(300))
        result = alice.run("--json", "chat", stdin=lines.encode())
        self.assertEqual(result.code, 0, result)
        answers = [each for each in result.json() if each["type"] == "result"]
        self.assertEqual([each["id"] for each in answers if each["ok"]], list(range(300)))
        self.assertEqual([event["text"] for event in alice.json("log", "many", "--after", "1")],
                         [str(i) for i in range(300)])

    def test_survives_crashes(self):
        alice, bob = self.member("alice"), self.member("bob")
        alice.ok("room", "create", "crash")
        bob.ok("room", "join", "crash")
        writer, reader = self.chat(alice), self.chat(bob, "crash")
        self.assertTrue(reader.expect(type="result", cmd="follow")["ok"])
        for i in range(60):
            writer.send(cmd="say", room="crash", text=f"text {i}", id=i)
            if i % 20 == 10:
                self.server.kill()
                self.server.start()
        for i in range(60):
            self.assertTrue(writer.expect(type="result", id=i, timeout=60)["ok"])
        texts = [event["text"] for event in alice.json("log", "crash", "-n", "1000") if event["kind"] == "message"]
        self.assertEqual(texts, [f"text {i}" for i in range(60)])
        for i in range(60):
            self.assertEqual(reader.expect(type="event", text=f"text {i}", timeout=60)["from"], "alice")
        self.assertFalse([each for each in reader.seen if each["type"] == "event"])
        self.assertIsNotNone(reader.expect(type="offline"))
        self.assertEqual((writer.close(), reader.close()), (0, 0))

    def test_begins_while_the_server_is_away(self):
        alice = self.member("alice")
        self.server.kill()
        chat = self.chat(alice)
        chat.send(cmd="create-room", room="late", id=1)
        harness.time.sleep(1)
        self.assertIsNone(chat.process.poll())
        self.server.start()
        self.assertTrue(chat.expect(type="result", id=1)["ok"])
        self.assertEqual(chat.close(), 0)

    def test_room_must_be_joined(self):
        alice, bob = self.member("alice"), self.member("bob")
        alice.ok("room", "create", "closed")
        self.assertEqual(bob.run("--json", "chat", "closed").code, 4)
        self.assertEqual(bob.run("--json", "chat", "no-such-room").code, 5)

    def test_rooms_are_no_boxes(self):
        alice = self.member("alice")
        alice.ok("room", "create", "r")
        alice.ok("box", "create", "b")
        path = alice.write("secret", b"s")
        chat = self.chat(alice)
        for command, text in (({"cmd": "submit", "box": "r"}, "r is a room"), ({"cmd": "send", "room": "b"}, "is a box")):
            result = chat.ask(path=path, **command)
            self.assertEqual((result["ok"], result["error"], result["unknown"]), (False, "invalid", False))
            self.assertIn(text, result["text"])
        self.assertTrue(chat.ask(cmd="submit", box="b", path=path)["ok"])
        self.assertTrue(chat.ask(cmd="send", room="r", path=path)["ok"])
        self.assertEqual(chat.close(), 0)
        self.assertEqual(len(alice.json("file", "list", "r") + alice.json("file", "list", "b")), 2)

    def test_unfollow_at_once(self):
        alice = self.member("alice")
        alice.ok("room", "create", "brief")
        commands = [{"cmd": "follow", "room": "brief"}, {"cmd": "unfollow", "room": "brief"}, {"cmd": "list"},
                    {"cmd": "follow", "room": "brief", "last": 1}, {"cmd": "say", "room": "brief", "text": "x"},
                    {"cmd": "unfollow", "room": "brief"}, {"cmd": "unfollow", "room": "brief"}]
        lines = "".join(harness.json.dumps({"id": i, **command}) + "\n" for i, command in enumerate(commands))
        result = alice.run("--json", "chat", stdin=lines.encode())
        answers = {each["id"]: each for each in result.json() if each["type"] == "result"}
        self.assertEqual([answers[i]["ok"] for i in range(7)], 6 * [True] + [False], result)
        self.assertEqual(answers[6]["error"], "not-found")

    def test_end_of_following(self):
        alice = self.member("alice")
        alice.ok("room", "create", "ending")
        chat = self.chat(alice, "ending")
        self.assertEqual(chat.expect(type="result")["first"], 2)
        alice.ok("room", "leave", "ending")
        self.assertEqual(chat.expect(type="follow-ended")["error"], "not-joined")
        self.assertEqual(chat.close(), 0)


class Lines(harness.TestCase):

    def test_on_a_pipe(self):
        alice, bob = self.member("alice"), self.member("bob")
        alice.ok("room", "create", "den")
        result = alice.ok("chat", "den", "--commands", stdin=b"one\n\n//two\n  three\n/topic bees\n/members\n")
        self.assertIn("alice online owner", result.out)
        messages = [line.split(" ", 5)[5] for line in alice.ok("log", "den").lines() if " message " in line]
        self.assertEqual(messages, ["one", "/two", "  three"])
        self.assertEqual(alice.ok("room", "topic", "den").out, "bees\n")
        result = bob.run("chat", "den", stdin=b"x\n")
        self.assertEqual(result.code, 4)
        self.assertIn("sealpost room join den", result.err)

    def test_a_pipe_gives_no_commands(self):
        alice = self.member("alice")
        alice.ok("room", "create", "output")
        alice.ok("chat", "output", stdin=b"/topic mine\n/leave\n\n  /quit\n//etc\n/usr/bin/env\n")
        messages = [event["text"] for event in alice.json("log", "output") if event["kind"] == "message"]
        self.assertEqual(messages, ["/topic mine", "/leave", "  /quit", "//etc", "/usr/bin/env"])
        self.assertEqual(alice.ok("room", "topic", "output").out, "\n")

    def test_order_is_kept(self):
        alice = self.member("alice", "typist")
        alice.ok("room", "create", "order")
        lines = [str(i) for i in range(620)]  # more than a member may post at once
        alice.ok("chat", "order", stdin="\n".join(lines).encode())
        self.assertEqual([event["text"] for event in alice.json("log", "order", "--after", "1")], lines)

    def test_commands_are_never_posted(self):
        alice = self.member("alice")
        alice.ok("room", "create", "safe")
        result = alice.ok("chat", "safe", "--commands", stdin=b"/nick secret\n  /msg bob secret\n\t/join\n/\n/quit now\n")
        self.assertEqual(result.err.count("sealpost: error: "), 5, result)
        self.assertEqual(len(alice.ok("log", "safe").lines()), 1)
        self.assertNotIn("secret", result.err)

    def test_a_failed_text_is_shown_again(self):
        alice = self.member("alice")
        alice.ok("room", "create", "fail")
        long_text = b"z" * 20000
        result = alice.run("chat", "fail", "--commands", stdin=b"/leave\nmy precious words\n" + long_text + b"\n")
        self.assertNotEqual(result.code, 0)
        self.assertIn("my precious words", result.err)
        self.assertIn(long_text.decode(), result.err)
        self.assertEqual(len(alice.ok("room", "list").lines()) > 0, True)

    def test_the_server_stays_away(self):
        alice = self.member("alice")
        alice.ok("room", "create", "gone")
        with alice.popen("chat", "gone", "--timeout", "2", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE) as chat:
            chat.stdout.readline()
            self.server.kill()
            harness.time.sleep(0.3)
            out, err = chat.communicate(b"words into the void\n", timeout=30)
        self.server.start()
        self.assertEqual((chat.returncode, out), (75, b""), err)
        self.assertIn(b"kept in the outbox (1 waiting)", err)
        self.assertEqual(len(alice.ok("log", "gone").lines()), 2)  # whatever connects next sends it

    def test_on_a_terminal(self):
        alice, bob = self.member("alice"), self.member("bob")
        alice.ok("room", "create", "tty")
        bob.ok("room", "join", "tty")
        bob.ok("say", "tty", "before\x1b[31m")
        child = alice.spawn("chat")
        child.expect_exact("connected to 127.0.0.1 as alice")
        child.expect(r"\d\d:\d\d #tty \S*bob\S*: before\\x1B\[31m")
        child.sendline("nowhere")
        child.expect_exact("not posted: no room is chosen; /join ROOM")
        child.expect_exact("it was: nowhere")
        child.sendline("/join tty")
        child.expect_exact("you are in tty")
        child.sendline("here I am")
        child.expect(r"\d\d:\d\d \S*alice\S*: here I am")
        bob.ok("say", "tty", "two\nlines")
        child.expect(r": two\r\n      \| lines")
        child.sendline("/help")
        child.expect_exact("/topic [TEXT]")
        path = alice.write("pic.png", b"p" * 5000)
        child.sendline("/send " + path)
        child.expect(r"sent a file: pic.png \(4.8 KiB\)")
        self.server.kill()
        child.expect_exact("the connection is lost")
        child.sendline("while away")
        child.expect_exact("it is posted as soon as that is possible")
        self.server.start()
        child.expect_exact("connected to")
        child.expect(r"alice\S*: while away")
        child.sendline("/quit")
        child.expect(harness_eof())
        child.close()
        self.assertEqual(child.exitstatus, 0)
        texts = [event.get("text") for event in bob.json("log", "tty") if event["kind"] == "message"]
        self.assertEqual(texts, ["before\x1b[31m", "here I am", "two\nlines", "while away"])

    def test_left_elsewhere(self):
        alice = self.member("alice")
        alice.ok("room", "create", "left")
        child = alice.spawn("chat", "left")
        child.expect_exact("made this")
        alice.ok("room", "leave", "left")
        child.expect_exact("no more of left")
        child.sendline("where did it go")
        child.expect_exact("not posted: you are not in left any more; /join left")
        child.expect_exact("it was: where did it go")
        child.sendline("/topic bees")
        child.expect_exact("you are not in left any more")
        child.sendline("/join left")
        child.expect_exact("you are in left")
        child.sendline("here again")
        child.expect(r"alice\S*: here again")
        self.server.kill()
        child.expect_exact("the connection is lost")
        self.server.start()
        child.expect_exact("connected to")
        child.sendline("still here")
        child.expect(r"alice\S*: still here")
        child.sendline("/quit")
        child.expect(harness_eof())
        child.close()
        self.assertEqual(child.exitstatus, 0)

    def test_what_a_terminal_cuts_is_not_posted(self):
        alice = self.member("alice")
        alice.ok("room", "create", "wide")
        child = alice.spawn("chat", "wide")
        child.expect_exact("made this")
        child.setecho(False)
        for size in (4095, 4096, 6000):
            child.sendline("begin " + "w" * (size - 6))
            child.expect_exact("not posted: a line on a terminal holds 4095 bytes")
            child.expect_exact("it begins: begin www")
            child.expect_exact("sealpost say wide - < FILE")
        child.sendline("f" * 4094)
        child.expect_exact("f" * 80)
        child.sendline("short")
        child.expect(r"alice\S*: short")
        child.sendline("/quit")
        child.expect(harness_eof())
        child.close()
        self.assertEqual(child.exitstatus, 0)
        texts = [event["text"] for event in alice.json("log", "wide") if event["kind"] == "message"]
        self.assertEqual(texts, ["f" * 4094, "short"])
        child = alice.spawn("say", "wide", "-")
        child.setecho(False)
        harness.time.sleep(0.3)
        child.sendline("w" * 5000)
        child.expect_exact("a line on a terminal holds 4095 bytes")
        child.expect(harness_eof())
        child.close()
        self.assertEqual(child.exitstatus, 7)
        self.assertEqual(len(alice.json("log", "wide")), 3)

    def test_interrupt(self):
        alice = self.member("alice")
        alice.ok("room", "create", "int")
        child = alice.spawn("chat", "int")
        child.expect_exact("made this")
        child.kill(signal.SIGINT)
        child.expect(harness_eof())
        child.close()
        self.assertEqual(child.exitstatus, 130)


class Terminal(harness.TestCase):

    def test_no_binary_on_a_terminal(self):
        alice = self.member("alice")
        alice.ok("room", "create", "bin")
        sent = alice.json("send", "bin", alice.write("b", os.urandom(100)))[0]
        child = alice.spawn("get", sent["file"]["id"], "-o", "-")
        child.expect_exact("not written to a terminal")
        child.expect(harness_eof())
        child.close()
        self.assertEqual(child.exitstatus, 2)

    def test_progress(self):
        alice = self.member("alice")
        alice.ok("box", "create", "slow")
        path = alice.path("large")
        with open(path, "wb") as file:
            file.truncate(60_000_000)
        child = alice.spawn("submit", "slow", path, timeout=60)
        child.expect(harness_eof())
        child.close()
        text = child.before
        self.assertEqual(child.exitstatus, 0, text)
        percents = [int(each) for each in harness.re.findall(r" (\d+)%  ", text)]
        self.assertGreater(len(percents), 1)
        self.assertEqual(percents, sorted(percents))
        for word in ("id  ", "size      60000000 bytes (57.2 MiB)", "SHA-256 ", "time ", "sequence  2"):
            self.assertIn(word, text)
        self.assertIn("\x1b[1mlarge\x1b[0m", text)
        self.assertNotIn("\x1b", alice.spawn("whoami", "--no-color").read())

    def test_log_of_a_box(self):
        alice = self.member("alice")
        alice.ok("box", "create", "looked-at")
        child = alice.spawn("log", "looked-at")
        self.assertIn("hint: what was submitted is in: sealpost box show looked-at", child.read())
        child.close()
        child = alice.spawn("log", "looked-at", "-q")
        self.assertNotIn("hint", child.read())
        child.close()
        self.assertEqual(alice.ok("log", "looked-at").err, "")

    def test_no_color(self):
        alice = self.member("alice")
        alice.ok("room", "create", "grey")
        for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            child = alice.spawn("log", "grey", env=env)
            self.assertNotIn("\x1b", child.read())
            child.close()
        child = alice.spawn("log", "grey")
        self.assertIn("\x1b[1malice", child.read())
        child.close()

    def test_say_needs_text_on_a_terminal(self):
        child = self.member("alice").spawn("say", "grey")
        child.expect_exact("there is no text")
        child.expect(harness_eof())
        child.close()
        self.assertEqual(child.exitstatus, 2)


def harness_eof():
    import pexpect  # pylint: disable=import-outside-toplevel
    return pexpect.EOF


if __name__ == "__main__":
    harness.main()
