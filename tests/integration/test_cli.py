"""Every command of sealpost against the real server: what it prints, how it ends, that its JSON is JSON."""

import concurrent.futures
import hashlib
import json
import os
import random
import signal
import subprocess
import unittest

import harness


class Offline(unittest.TestCase):
    """What needs no server."""

    def run_it(self, *arguments, env=None):
        done = subprocess.run([harness.SEALPOST, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                              check=False, env={"PATH": "/usr/bin:/bin", "HOME": harness.scratch(), **(env or {})})
        return harness.Result(done.returncode, done.stdout, done.stderr)

    def commands(self):
        text = self.run_it("help").out
        block = text.split("Commands:\n")[1].split("\n\n")[0]
        names = []
        for line in block.splitlines():
            words = [word for word in line.split("  ")[1].split() if word.islower()]
            names.append(words)
        return names

    def test_help(self):
        self.assertEqual(self.run_it("help").code, 0)
        self.assertEqual(self.run_it("--help").out, self.run_it("help").out)
        self.assertGreaterEqual(len(self.commands()), 20)
        for words in self.commands():
            result = self.run_it(*words, "--help")
            self.assertEqual(result.code, 0, result)
            self.assertTrue(result.out.startswith("usage: sealpost " + " ".join(words)), result)
            self.assertEqual(result.out, self.run_it("help", *words).out)
        self.assertIn("room create", self.run_it("help", "room").out)
        self.assertEqual(self.run_it("help", "frob").code, 2)

    def test_version(self):
        self.assertEqual(self.run_it("version").out, self.run_it("--version").out)
        self.assertRegex(self.run_it("--version").out, r"^sealpost \(libsealpost \d+\.\d+\.\d+\)\n$")
        self.assertEqual(self.run_it("version", "--json").json()[0]["type"], "version")

    def test_usage(self):
        for arguments in ((), ("frob",), ("room",), ("room", "frob"), ("say",), ("whoami", "--frob"),
                          ("whoami", "x"), ("say", "BAD NAME", "x"), ("say", "@alice", "x"), ("get", "xyz"),
                          ("get", "abc"), ("log", "den", "--since", "yesterday"), ("say", "den", ""),
                          ("say", "den", "--no-input"), ("send", "den", "a", "b", "--name", "c")):
            result = self.run_it(*arguments)
            self.assertEqual(result.code, 2, arguments)
            self.assertEqual(result.out, "")
            self.assertTrue(result.err.startswith("sealpost: error: "), result)
            self.assertIn("sealpost: hint: ", result.err)

    def test_settings_are_missing(self):
        result = self.run_it("whoami")
        self.assertEqual(result.code, 2)
        self.assertIn("no 'server' is set", result.err)
        self.assertIn("SEALPOST_SERVER", result.err)

    def test_unreachable(self):
        bundle = harness.authority().member("alice")
        result = self.run_it("whoami", "--server", f"127.0.0.1:{harness.free_port()}", "--cert", bundle)
        self.assertEqual(result.code, 69, result)
        self.assertIn("(unreachable)", result.err)
        self.assertIn("sealpost: hint: ", result.err)

    def test_completions_know_every_command(self):
        for name in ("sealpost.bash", "_sealpost", "sealpost.fish"):
            path = os.path.join(harness.SOURCE_DIR, "completions", name)
            with open(path, encoding="utf-8") as file:
                text = file.read()
            for words in self.commands():
                self.assertRegex(text, r"\b" + words[-1] + r"\b", name)

    def test_manual_knows_every_command(self):
        with open(os.path.join(harness.SOURCE_DIR, "docs", "man", "sealpost.1.scd"), encoding="utf-8") as file:
            text = file.read()
        for words in self.commands():
            self.assertIn("*" + " ".join(words) + "*", text)


class Talk(harness.TestCase):

    def test_whoami(self):
        alice = self.member("alice")
        mine = alice.json("whoami")[0]
        self.assertEqual((mine["type"], mine["username"], mine["team"]), ("whoami", "alice", "test"))
        self.assertRegex(mine["device"], "^[0-9a-f]{32}$")
        self.assertRegex(mine["certificate_expires"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertIn("username alice", alice.ok("whoami").lines())
        self.assertEqual(alice.ok("whoami", "-v").err.count("logged in"), 1)

    def test_status(self):
        status = self.member("alice").json("status")[0]
        self.assertEqual(status["type"], "status")
        self.assertGreaterEqual(status["sessions"], 1)
        self.assertIn("commits ", self.member("alice").ok("status").out)

    def test_rooms(self):
        alice, bob = self.member("alice"), self.member("bob")
        self.assertIn("made the room attic", alice.ok("room", "create", "attic").err)
        again = alice.run("room", "create", "#attic")
        self.assertEqual(again.code, 6)
        self.assertIn("(exists)", again.err)
        self.assertEqual(bob.run("say", "attic", "x").code, 4)
        self.assertIn("sealpost room join attic", bob.run("say", "attic", "x").err)
        joined = bob.json("room", "join", "attic")[0]
        self.assertEqual((joined["type"], joined["room"], joined["repeated"]), ("joined", "attic", False))
        self.assertTrue(bob.json("room", "join", "attic")[0]["repeated"])
        self.assertEqual([row["name"] for row in bob.json("room", "members", "attic")], ["alice", "bob"])
        self.assertIn("alice", bob.ok("room", "members", "attic").out)
        alice.ok("room", "topic", "attic", "bees & trees")
        self.assertEqual(bob.ok("room", "topic", "attic").out, "bees & trees\n")
        row = [row for row in bob.json("room", "list") if row["name"] == "attic"][0]
        self.assertEqual((row["type"], row["members"], row["joined"], row["topic"]), ("room", 2, True, "bees & trees"))
        self.assertIn("attic joined 2 ", bob.ok("room", "list").out)
        bob.ok("room", "leave", "attic", "-q")
        self.assertEqual(bob.run("log", "attic").code, 4)
        self.assertEqual([row["name"] for row in alice.json("room", "members", "attic")], ["alice"])
        for command in (("join",), ("leave",), ("members",), ("topic",)):
            self.assertEqual(bob.run("room", *command, "no-such-room").code, 5, command)

    def test_members(self):
        self.member("alice").ok("whoami")
        self.member("bob").ok("whoami")
        members = self.member("alice").json("member", "list")
        self.assertLessEqual({"alice", "bob"}, {row["name"] for row in members})
        self.assertTrue(any(row["online"] for row in members if row["name"] == "alice"))

    def test_say_and_log(self):
        alice = self.member("alice")
        alice.ok("room", "create", "den")
        said = alice.json("say", "den", "one")[0]
        self.assertEqual((said["type"], said["room"], said["seq"], said["repeated"]), ("posted", "den", 2, False))
        self.assertEqual(alice.ok("say", "den", "-", stdin="zwei ü\n".encode()).out, "")
        alice.ok("say", "den", stdin=b"three\nlines\n")
        alice.ok("say", "den", "--", "--four\x1b[2J")
        events = alice.json("log", "den")
        self.assertEqual([event["kind"] for event in events], ["created"] + 4 * ["message"])
        self.assertEqual([event["seq"] for event in events], [1, 2, 3, 4, 5])
        self.assertEqual([event["text"] for event in events[1:]], ["one", "zwei ü", "three\nlines", "--four\x1b[2J"])
        self.assertEqual({event["from"] for event in events}, {"alice"})
        self.assertEqual(events[1]["hash"], said["hash"])
        self.assertEqual(events[1]["client_id"], said["client_id"])
        lines = alice.ok("log", "den").lines()
        self.assertEqual(len(lines), 5)
        self.assertRegex(lines[3], r"^\S+Z den 4 alice message three\\x0Alines$")
        self.assertTrue(lines[4].endswith("--four\\x1B[2J"))

        def numbers(*options):
            return [event["seq"] for event in alice.json("log", "den", *options)]
        self.assertEqual(numbers("-n", "2"), [4, 5])
        self.assertEqual(numbers("-n", "100"), [1, 2, 3, 4, 5])
        self.assertEqual(numbers("-n", "0"), [])
        self.assertEqual(numbers("--after", "3"), [4, 5])
        self.assertEqual(numbers("--after", "1", "-n", "2"), [2, 3])
        self.assertEqual(numbers("--after", "5"), [])
        self.assertEqual(numbers("--after", "500"), [])
        self.assertEqual(numbers("--since", "1h"), [1, 2, 3, 4, 5])
        self.assertEqual(numbers("--since", "2100-01-01"), [])
        self.assertEqual(numbers("--since", events[2]["time"])[-3:], [3, 4, 5])

    def test_bad_text(self):
        alice = self.member("alice")
        alice.ok("room", "create", "strict")
        self.assertEqual(alice.run("say", "strict", stdin=b"\xff").code, 2)
        self.assertEqual(alice.run("say", "strict", stdin=b"a\0b").code, 2)
        self.assertEqual(alice.run("say", "strict", stdin=b"").code, 2)
        result = alice.run("say", "strict", stdin=b"x" * 20000)
        self.assertEqual(result.code, 7, result)
        self.assertIn("(too-large)", result.err)
        longest = alice.json("whoami")[0]["max_text_bytes"]
        self.assertEqual(alice.run("say", "strict", stdin=b"y" * (longest + 1)).code, 7)
        alice.ok("say", "strict", stdin=b"\n" + b"y" * (longest - 1))
        self.assertEqual(len(alice.json("log", "strict")), 2)

    def test_log_follow(self):
        alice, bob = self.member("alice"), self.member("bob")
        alice.ok("room", "create", "live")
        bob.ok("room", "join", "live")
        follower = bob.popen("--json", "log", "live", "--follow", "-n", "1", stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        with follower:
            self.assertEqual(json.loads(follower.stdout.readline())["kind"], "joined")
            alice.ok("say", "live", "now")
            self.assertEqual(json.loads(follower.stdout.readline())["text"], "now")
            self.server.kill()
            self.server.start()
            alice.ok("say", "live", "again")
            self.assertEqual(json.loads(follower.stdout.readline())["text"], "again")
            follower.send_signal(signal.SIGINT)
            self.assertEqual(follower.wait(10), 130)
            harness.check_sanitizers(follower.stderr.read().decode())

    def test_follow_only_new(self):
        alice = self.member("alice")
        alice.ok("room", "create", "new")
        follower = alice.popen("log", "new", "-f", "-n0", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        with follower:
            harness.wait_until(lambda: self.member("alice").json("status")[0]["sessions"] >= 2)
            harness.time.sleep(0.3)
            alice.ok("say", "new", "first")
            self.assertIn(b"first", follower.stdout.readline())
            follower.terminate()
            self.assertEqual(follower.wait(10), 130)

    def test_said_exactly_once(self):
        """The server is killed again and again: whatever was said is there once, in its order; what could not be
        sent at once waits in the outbox, which all of them share."""
        alice = self.member("alice")
        alice.ok("room", "create", "once")
        codes = []

        def talk(name):
            for i in range(12):
                result = alice.run("say", "once", f"{name} {i}", "--timeout", "3")
                self.assertIn(result.code, (0, 75), result)
                codes.append(result.code)

        with concurrent.futures.ThreadPoolExecutor() as pool:
            talkers = [pool.submit(talk, name) for name in "abcde"]
            kills = 0
            while not all(talker.done() for talker in talkers):
                harness.time.sleep(random.uniform(0.1, 2))
                self.server.kill()
                self.server.start()
                kills += 1
            for talker in talkers:
                talker.result()
        alice.ok("outbox", "retry")
        there = [event["text"] for event in alice.json("log", "once", "-n", "1000") if event["kind"] == "message"]
        for name in "abcde":
            self.assertEqual([text for text in there if text[0] == name], [f"{name} {i}" for i in range(12)])
        self.assertGreater(codes.count(0), 0)
        self.assertGreater(kills, 2)

    def test_closed_pipe_is_quiet(self):
        alice = self.member("alice")
        alice.ok("room", "create", "pipe")
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run([harness.SEALPOST, "log", "pipe"], env=alice.env(), stdout=writing,
                              stderr=subprocess.PIPE, check=False)
        os.close(writing)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        with open("/dev/full", "wb") as full:
            done = subprocess.run([harness.SEALPOST, "log", "pipe"], env=alice.env(), stdout=full,
                                  stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"cannot be written", done.stderr)


class Files(harness.TestCase):

    def test_send_and_get(self):
        alice, bob = self.member("alice"), self.member("bob")
        alice.ok("room", "create", "share")
        bob.ok("room", "join", "share")
        for size in (0, 1, 16384, 16385, 3_000_000):
            content = os.urandom(size)
            path = alice.write(f"data-{size}.bin", content)
            sent = alice.json("send", "share", path)[0]
            self.assertEqual((sent["type"], sent["room"]), ("sent", "share"))
            self.assertEqual(sent["file"]["size"], size)
            self.assertEqual(sent["file"]["sha256"], hashlib.sha256(content).hexdigest())
            self.assertEqual(sent["file"]["name"], f"data-{size}.bin")
            got = bob.json("get", sent["file"]["id"])[0]
            self.assertEqual(got["path"], f"data-{size}.bin")
            with open(bob.path(got["path"]), "rb") as file:
                self.assertEqual(file.read(), content)
            self.assertEqual(bob.ok("get", sent["file"]["id"], "-o", "-").out_bytes, content)
            again = bob.run("get", sent["file"]["id"])
            self.assertEqual(again.code, 6, again)
            self.assertIn("--force", again.err)
            bob.ok("get", sent["file"]["id"][:10], "--force")
            bob.ok("get", sent["file"]["id"], "-o", "other.bin", "--force")
            self.assertEqual(bob.run("get", sent["file"]["id"], "-o", "other.bin").code, 6)
        self.assertFalse([name for name in os.listdir(bob.directory) if name.startswith(".")])
        os.mkdir(bob.path("into"))
        self.assertEqual(bob.ok("get", sent["file"]["id"], "-o", "into").out, "into/data-3000000.bin\n")
        rows = bob.json("file", "list", "share")
        self.assertEqual([row["size"] for row in rows], [0, 1, 16384, 16385, 3_000_000])
        self.assertEqual({row["from"] for row in rows}, {"alice"})
        self.assertEqual(len(bob.ok("file", "list", "share").lines()), 5)
        self.assertEqual([event["kind"] for event in bob.json("log", "share", "--after", "2")], 5 * ["file"])

    def test_get_names_its_target(self):
        alice = self.member("alice")
        alice.ok("room", "create", "target")
        sent = alice.json("send", "target", alice.write("t", b"t"))[0]["file"]["id"]
        alice.write("taken", b"")
        for target in ("taken", "no/such/file"):
            self.assertIn(target, alice.run("get", sent, "-o", target).err)
        self.assertIn("no/such/file", alice.run("get", sent, "-o", "no/such/file", "--force").err)

    @staticmethod
    def writes_into(pid, directory):
        links = []
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                links.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
            except FileNotFoundError:
                pass
        return any(link.startswith(directory + "/") for link in links)

    def test_a_killed_get_leaves_nothing(self):
        alice, bob = self.member("alice"), self.member("bob")
        alice.ok("room", "create", "killed")
        bob.ok("room", "join", "killed")
        path = alice.path("long")
        with open(path, "wb") as file:
            file.truncate(100_000_000)
        sent = alice.json("send", "killed", path)[0]["file"]["id"]
        for options in ((), ("-o", "chosen"), ("-o", "chosen", "--force")):
            with bob.popen("get", sent, *options, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as getter:
                harness.wait_until(lambda: self.writes_into(getter.pid, bob.directory), what="the file")
                getter.kill()
            self.assertEqual(os.listdir(bob.directory), [])
        bob.ok("get", sent, "-o", "chosen")
        bob.ok("get", sent, "-o", "chosen", "--force")
        self.assertEqual(os.listdir(bob.directory), ["chosen"])

    def test_names(self):
        alice = self.member("alice")
        alice.ok("room", "create", "names")
        path = alice.write("plain", b"x")
        for name in (".profile", "-rf"):
            sent = alice.json("send", "names", path, "--name", name)[0]
            self.assertEqual(sent["file"]["name"], name)
            refused = alice.run("get", sent["file"]["id"])
            self.assertEqual(refused.code, 2, refused)
            self.assertIn("-o PATH", refused.err)
            self.assertFalse(os.path.exists(alice.path(name)))
            alice.ok("get", sent["file"]["id"], "-o", "chosen", "--force")
        for name in ("a/b", "..", "", "x" * 256, "a\nb"):
            self.assertEqual(alice.run("send", "names", path, "--name", name).code, 2, name)
        odd = alice.write("ein käse ☃", b"y")
        self.assertEqual(alice.json("send", "names", odd)[0]["file"]["name"], "ein käse ☃")

    def test_failures(self):
        alice, bob = self.member("alice"), self.member("bob")
        alice.ok("room", "create", "closed")
        path = alice.write("f", b"x")
        result = bob.run("--json", "send", "closed", path)
        self.assertEqual(result.code, 4, result)
        self.assertEqual(result.json()[0]["error"], "not-joined")
        result = alice.run("send", "closed", alice.path("missing"), alice.directory, path)
        self.assertEqual(result.code, 1)
        self.assertIn("missing: cannot be opened: No such file or directory (file)", result.err)
        self.assertNotIn("room list", result.err)
        missing = alice.run("--json", "send", "closed", alice.path("missing"))
        self.assertEqual(missing.json()[0]["error"], "file")
        self.assertEqual(len(result.lines()), 1)
        self.assertTrue(result.out.startswith("sent closed 2 "))
        self.assertIn("is a directory", result.err)
        self.assertEqual(alice.run("get", "0" * 32).code, 5)
        self.assertEqual(alice.run("send", "no-such-room", path).code, 5)
        self.assertEqual(bob.run("file", "list", "closed").code, 4)

    def test_pipe(self):
        alice = self.member("alice")
        alice.ok("room", "create", "pipes")
        fifo = alice.path("fifo")
        os.mkfifo(fifo)
        with alice.popen("--json", "send", "pipes", fifo, stdout=subprocess.PIPE) as sender:
            with open(fifo, "wb") as file:
                file.write(b"z" * 200_000)
            out = sender.stdout.read()
        self.assertEqual(json.loads(out)["file"]["size"], 200_000)

    def test_pipe_without_a_writer(self):
        alice = self.member("alice")
        alice.ok("box", "create", "quiet")
        fifo = alice.path("nobody")
        os.mkfifo(fifo)
        result = alice.run("submit", "quiet", fifo, "--timeout", "1", timeout=10)
        self.assertEqual(result.code, 1, result)
        self.assertIn("NOT SUBMITTED: " + fifo + ": is a pipe, and nobody wrote to it for 1 s", result.err)
        with alice.popen("submit", "quiet", fifo, stderr=subprocess.PIPE) as sender:
            harness.time.sleep(1)
            sender.send_signal(signal.SIGINT)
            self.assertEqual(sender.wait(10), 130)
            self.assertIn(b"NOT SUBMITTED", sender.stderr.read())
        with alice.popen("submit", "quiet", fifo, "--timeout", "1", stderr=subprocess.PIPE) as sender:
            with open(fifo, "wb", buffering=0) as file:
                file.write(b"a beginning")
                self.assertEqual(sender.wait(20), 1)
            self.assertIn(b"NOT SUBMITTED: " + fifo.encode() + b": it gave nothing for 1 s", sender.stderr.read())
        self.assertEqual(alice.json("file", "list", "quiet"), [])

    def test_standard_input(self):
        alice = self.member("alice")
        alice.ok("box", "create", "stdin")
        self.assertIn("--name", alice.run("submit", "stdin", "-").err)
        submitted = alice.json("submit", "stdin", "-", "--name", "piped", stdin=b"p" * 100_000)[0]
        self.assertEqual((submitted["file"]["name"], submitted["file"]["size"]), ("piped", 100_000))
        with open(alice.write("lines", b"first\nrest"), "rb", buffering=0) as file:
            file.seek(6)
            with alice.popen("--json", "submit", "stdin", "-", "--name", "rest", stdin=file,
                             stdout=subprocess.PIPE) as sender:
                self.assertEqual(json.loads(sender.stdout.read())["file"]["size"], 4)
        self.assertEqual(alice.run("submit", "stdin", "-", "--name", "x", "--no-input").code, 2)

    def test_get_into_a_closed_pipe(self):
        alice = self.member("alice")
        alice.ok("room", "create", "flow")
        sent = alice.json("send", "flow", alice.write("long", os.urandom(3_000_000)))[0]
        with alice.popen("get", sent["file"]["id"], "-o", "-", stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE) as getter:
            self.assertEqual(len(getter.stdout.read(10)), 10)
            getter.stdout.close()
            self.assertEqual((getter.wait(20), getter.stderr.read()), (1, b""))

    def test_box(self):
        alice, bob, carol = self.member("alice"), self.member("bob"), self.member("carol")
        self.assertEqual(alice.json("box", "create", "hw1")[0]["box"], "hw1")
        self.assertIn("hw1", bob.ok("box", "list").out)
        self.assertNotIn("hw1", bob.ok("room", "list").out)
        path = bob.write("homework.txt", b"42\n")
        plain = bob.ok("submit", "hw1", path).out.split()
        self.assertEqual(plain[:2] + plain[5:], ["submitted", "hw1", "3", hashlib.sha256(b"42\n").hexdigest(),
                                                 "homework.txt"])
        submitted = carol.json("submit", "hw1", carol.write("mine", b"43"))[0]
        self.assertEqual((submitted["type"], submitted["box"]), ("submitted", "hw1"))
        self.assertEqual({row["from"] for row in alice.json("file", "list", "hw1")}, {"bob", "carol"})
        self.assertEqual({row["from"] for row in bob.json("file", "list", "hw1")}, {"bob"})
        shown = alice.json("box", "show", "hw1")
        self.assertEqual([row["type"] for row in shown], ["box", "file", "file"])
        self.assertTrue(shown[0]["owner"])
        self.assertEqual(bob.run("get", submitted["file"]["id"]).code, 5)
        alice.ok("get", submitted["file"]["id"])
        result = bob.run("submit", "hw2", path)
        self.assertEqual(result.code, 5, result)
        self.assertIn("NOT SUBMITTED: " + path, result.err)
        self.assertEqual(bob.run("box", "show", "hw2").code, 5)
        alice.ok("say", "hw1", "due on Friday")
        self.assertEqual(bob.json("log", "hw1", "-n1")[0]["text"], "due on Friday")
        self.assertEqual(bob.run("say", "hw1", "x").code, 4)

    def test_rooms_are_no_boxes(self):
        alice = self.member("alice")
        alice.ok("room", "create", "open-room")
        alice.ok("box", "create", "closed-box")
        paths = [alice.write(name, b"secret") for name in ("s1", "s2")]
        result = alice.run("submit", "open-room", *paths)
        self.assertEqual((result.code, result.out), (2, ""), result)
        self.assertIn("NOT SUBMITTED: " + paths[1] + ": open-room is a room: everybody in it would see the file; use: "
                      "sealpost send open-room", result.err)
        result = alice.run("--json", "submit", "open-room", *paths)
        self.assertEqual([(each["type"], each["error"]) for each in result.json()], 2 * [("not-submitted", "invalid")])
        result = alice.run("send", "closed-box", *paths)
        self.assertEqual((result.code, result.out), (2, ""), result)
        self.assertIn("closed-box is a box; use: sealpost submit closed-box", result.err)
        self.assertEqual(alice.json("file", "list", "open-room") + alice.json("file", "list", "closed-box"), [])

    def test_submitted_though_it_cannot_be_told(self):
        alice = self.member("alice")
        alice.ok("box", "create", "mute")
        path = alice.write("told", b"t")
        with open("/dev/full", "wb") as full:
            done = subprocess.run([harness.SEALPOST, "submit", "mute", path, path], env=alice.env(), stdout=full,
                                  stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.count(b"cannot be written"), 1, done.stderr)
        rows = alice.json("file", "list", "mute")
        self.assertEqual(len(rows), 2)
        for row in rows:
            self.assertIn(f"told was submitted to mute all the same, as {row['id']}".encode(), done.stderr)

    def test_submission_waits_for_the_server(self):
        alice = self.member("alice")
        alice.ok("box", "create", "patience")
        path = alice.write("early", b"e")
        self.server.kill()
        with alice.popen("submit", "patience", path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as sender:
            self.assertIn(b"cannot reach the server", sender.stderr.readline())
            self.server.start()
            out, err = sender.communicate(timeout=60)
        self.assertEqual(sender.returncode, 0, err)
        self.assertTrue(out.startswith(b"submitted patience "), out)
        self.server.kill()
        result = alice.run("submit", "patience", path, "--timeout", "1", timeout=20)
        self.server.start()
        self.assertEqual((result.code, result.out), (69, ""), result)
        self.assertIn("NOT SUBMITTED", result.err)

    def test_submission_survives_a_slow_start(self):
        """The time to try again begins when the connection is lost, each time."""
        alice = self.member("alice")
        alice.ok("box", "create", "slow-start")
        path = alice.path("much")
        with open(path, "wb") as file:
            file.truncate(300_000_000)
        with alice.popen("--json", "submit", "slow-start", path, "--timeout", "4", stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE) as sender:
            for _ in range(3):
                harness.time.sleep(0.4)
                self.server.kill()
                harness.time.sleep(1.6)
                self.server.start()
                harness.wait_until(lambda: alice.json("status")[0]["sessions"] >= 2, what="the sender")
            out, err = sender.communicate(timeout=60)
        self.assertEqual(sender.returncode, 0, err)
        self.assertGreaterEqual(err.count(b"sealpost: connection lost, starting again\n"), 1, err)
        self.assertEqual(len(out.splitlines()), 1)

    def test_submission_survives_a_crash(self):
        alice, bob = self.member("alice"), self.member("bob")
        alice.ok("box", "create", "crash")
        content = os.urandom(20_000_000)
        with bob.popen("--json", "submit", "crash", bob.write("big", content), stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE) as sender:
            harness.time.sleep(0.25)
            self.server.kill()
            self.server.start()
            out, err = sender.communicate(timeout=60)
        self.assertEqual(sender.returncode, 0, err)
        self.assertEqual(json.loads(out)["file"]["sha256"], hashlib.sha256(content).hexdigest())
        self.assertEqual(len(alice.json("file", "list", "crash")), 1)

    def test_interrupt(self):
        alice = self.member("alice")
        alice.ok("room", "create", "stop")
        path = alice.path("huge")
        with open(path, "wb") as file:
            file.truncate(4_000_000_000)
        with alice.popen("send", "stop", path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as sender:
            incoming = os.path.join(self.server.config["state"], "files", "incoming")
            harness.wait_until(lambda: any(entry.stat().st_size > 0 for entry in os.scandir(incoming)), 30,
                               "the first bytes of it")
            sender.send_signal(signal.SIGINT)
            out, err = sender.communicate(timeout=20)
        self.assertEqual((sender.returncode, out), (130, b""))
        self.assertIn(b"not sent: ", err)
        self.assertEqual(alice.json("file", "list", "stop"), [])


if __name__ == "__main__":
    harness.main()
