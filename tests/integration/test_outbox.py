"""What the client keeps: the outbox, what was seen, and where the histories stood."""

import fcntl
import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time
import unittest

import harness


class Slow(threading.Thread):
    """A way to the server on which what the server says takes DELAY seconds."""

    def __init__(self, port, delay):
        super().__init__(daemon=True)
        self.server = port
        self.delay = delay
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.sockets = [self.listener]
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.server))
            except OSError:
                return
            self.sockets += [client, server]
            threading.Thread(target=self.pump, args=(client, server, 0), daemon=True).start()
            threading.Thread(target=self.pump, args=(server, client, self.delay), daemon=True).start()

    def close(self):
        for each in self.sockets:
            each.close()

    @staticmethod
    def pump(source, target, delay):
        try:
            while data := source.recv(65536):
                time.sleep(delay)
                target.sendall(data)
        except OSError:
            pass
        finally:
            for each in (source, target):
                try:
                    each.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


def store_of(member):
    """The path of the member's store, once there is one."""
    directory = member.path(".local/share/sealpost/stores")
    names = os.listdir(directory) if os.path.isdir(directory) else []
    return os.path.join(directory, names[0], "store.db") if names else None


def rows(path, query, *values):
    """What QUERY finds in a database that others use; nothing while that cannot be told."""
    if path is None or not os.path.exists(path):
        return []
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
    try:
        return database.execute(query, values).fetchall()
    except sqlite3.OperationalError:
        return []
    finally:
        database.close()


def waiting(member):
    return [row[0].decode() for row in rows(store_of(member), "SELECT text FROM outbox WHERE held = 0 ORDER BY no")]


def texts(member, room, *options):
    return [each["text"] for each in member.json("log", room, "--all", *options)
            if each["type"] == "event" and each["kind"] == "message"]


class Outbox(harness.TestCase):

    def room(self, name, member="alice"):
        alice = self.member(member)
        alice.ok("room", "create", name)
        return alice

    def events(self):
        return len(rows(os.path.join(self.server.config["state"], "sealpost.db"), "SELECT key FROM events"))

    def test_kept_and_sent_in_order(self):
        alice = self.room("den")
        self.server.kill()
        kept = alice.run("--json", "say", "den", "one")
        self.assertEqual(kept.code, 75, kept)
        self.assertIn("kept in the outbox (1 waiting)", kept.err)
        self.assertEqual({key: kept.json()[0][key] for key in ("type", "number", "room", "waiting")},
                         {"type": "kept", "number": 1, "room": "den", "waiting": 1})
        self.assertEqual(alice.run("say", "den", "-", stdin=b"two\n").code, 75)
        listed = alice.json("outbox", "list")
        self.assertEqual([(each["number"], each["state"], each["text"]) for each in listed],
                         [(1, "waiting", "one"), (2, "waiting", "two")])
        self.assertEqual(os.stat(store_of(alice)).st_mode & 0o777, 0o600)
        self.assertEqual(os.stat(os.path.dirname(store_of(alice))).st_mode & 0o777, 0o700)
        self.assertEqual(alice.run("outbox", "retry").code, 75)
        self.server.start()
        said = alice.json("say", "den", "three")[0]  # what waits goes first
        self.assertEqual((said["type"], said["seq"], said["repeated"]), ("posted", 4, False))
        self.assertEqual(texts(alice, "den"), ["one", "two", "three"])
        self.assertEqual(alice.ok("outbox", "list").out, "")
        self.assertEqual(alice.ok("outbox", "retry").err, "")

    def test_any_command_sends_once(self):
        alice = self.room("once")
        self.server.kill()
        for i in range(4):
            self.assertEqual(alice.run("say", "once", f"{i}").code, 75)
        self.server.start()
        runs = [alice.popen(*words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
                for words in (("whoami",), ("outbox", "retry"), ("say", "once", "4"), ("room", "list"))]
        for run in runs:
            err = run.communicate(timeout=60)[1].decode()
            harness.check_sanitizers(err)
            self.assertEqual(run.returncode, 0, err)
        self.assertEqual(texts(alice, "once"), ["0", "1", "2", "3", "4"])
        self.assertEqual(waiting(alice), [])

    def test_killed_before_it_is_sent(self):
        alice = self.room("before")
        slow = Slow(self.server.port, 0.4)
        self.addCleanup(slow.close)
        run = alice.popen("say", "before", "mine", env={"SEALPOST_SERVER": slow.address}, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)
        harness.wait_until(lambda: waiting(alice), 20, "the outbox")
        run.kill()
        run.wait()
        self.assertEqual(texts(alice, "before"), ["mine"])

    def test_killed_after_it_was_sent(self):
        alice = self.room("after")
        slow = Slow(self.server.port, 0.5)
        self.addCleanup(slow.close)
        before = self.events()
        run = alice.popen("say", "after", "mine", env={"SEALPOST_SERVER": slow.address}, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL)
        harness.wait_until(lambda: self.events() > before, 30, "the message on the server")
        run.kill()  # the answer is on its way
        run.wait()
        self.assertEqual(waiting(alice), ["mine"])
        self.assertIn("sent 1 from the outbox", alice.ok("whoami").err)
        self.assertEqual(texts(alice, "after"), ["mine"])

    def test_interrupted(self):
        alice = self.room("stop")
        slow = Slow(self.server.port, 0.5)
        self.addCleanup(slow.close)
        before = self.events()
        run = alice.popen("say", "stop", "mine", env={"SEALPOST_SERVER": slow.address}, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE)
        harness.wait_until(lambda: self.events() > before, 30, "the message on the server")
        run.send_signal(signal.SIGINT)
        err = run.communicate(timeout=30)[1].decode()
        self.assertEqual(run.returncode, 130, err)
        self.assertIn("kept in the outbox", err)  # what came of it is not known: it is asked for again
        self.assertEqual(texts(alice, "stop"), ["mine"])

    def test_refused(self):
        alice = self.room("mine")
        bob = self.member("bob")
        fresh = bob.run("say", "nowhere", "x")
        self.assertEqual((fresh.code, waiting(bob)), (5, []), fresh)
        self.server.kill()
        bob.run("say", "nowhere", "lost")
        bob.run("say", "mine", "not in")
        self.server.start()
        bob.ok("room", "join", "mine")  # sends first: both are refused
        held = bob.json("outbox", "list")
        self.assertEqual([(each["state"], each["error"]) for each in held],
                         [("held", "not-found"), ("held", "not-joined")])
        tried = bob.run("outbox", "retry", f"{held[1]['number']}")
        self.assertEqual(tried.code, 0, tried)
        self.assertEqual(texts(alice, "mine"), ["not in"])
        self.assertEqual(bob.run("outbox", "retry", "--all").code, 5)
        self.assertEqual(bob.run("outbox", "drop", "77").code, 5)
        self.assertEqual(bob.run("outbox", "drop").code, 2)
        bob.ok("outbox", "drop", f"{held[0]['number']}")
        self.assertEqual(bob.ok("outbox", "list").out, "")

    def test_another_sends(self):
        alice = self.room("two")
        alice.ok("say", "two", "first")
        with open(store_of(alice) + ".lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            kept = alice.run("say", "two", "second", "--timeout", "1")
        self.assertEqual(kept.code, 75, kept)
        self.assertIn("another process is sending what is in the outbox", kept.err)

    def test_unreadable(self):
        alice = self.room("bad")
        self.server.kill()
        alice.run("say", "bad", "kept", "--timeout", "1")
        with open(store_of(alice), "wb") as store:
            store.write(b"this is no database, and long enough to be seen to be none")
        for words in (("outbox", "list"), ("outbox", "retry"), ("outbox", "drop", "--all"), ("log", "bad", "--offline"),
                      ("room", "list", "--offline")):
            result = alice.run(*words)
            self.assertNotIn(result.code, (0, 5), result)
            self.assertIn("cannot read what is kept on this device", result.err)

    def test_damaged(self):
        """A page of the store cannot be read: that costs a warning, and neither the login nor the message."""
        alice = self.room("torn")
        alice.ok("say", "torn", "kept")
        with sqlite3.connect(store_of(alice)) as database:
            root = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'owner'").fetchone()[0]
        with open(store_of(alice), "r+b") as store:
            store.seek((root - 1) * 4096)
            store.write(b"\xff" * 4096)
        result = alice.run("whoami")
        self.assertEqual(result.code, 0, result)
        self.assertIn("nothing is kept on this device", result.err)
        self.assertEqual(texts(alice, "torn"), ["kept"])

    def test_nowhere_to_keep(self):
        alice = self.room("full")

        def no_room():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

        def say(text, **options):
            done = subprocess.run([harness.SEALPOST, "say", "full", text], capture_output=True, timeout=60, check=False,
                                  **{"env": alice.env(), **options})
            return harness.Result(done.returncode, done.stdout, done.stderr)

        result = say("one", preexec_fn=no_room)
        self.assertEqual(result.code, 0, result)
        self.assertIn("nothing is kept on this device", result.err)
        shutil.rmtree(alice.path(".local"), ignore_errors=True)
        result = say("two", env=alice.env(HOME="/dev/null/nobody"))
        self.assertEqual(result.code, 0, result)
        self.server.kill()
        for options in ({"preexec_fn": no_room}, {"env": alice.env(HOME=None)}):
            result = say("three", **options)
            self.assertEqual(result.code, 69, result)
            self.assertIn("nothing was kept of it", result.err)
        self.server.start()
        self.assertEqual(texts(alice, "full"), ["one", "two"])


class Files(harness.TestCase):

    def test_queue(self):
        alice = self.member("alice")
        alice.ok("box", "create", "homework")
        alice.ok("room", "create", "files")
        bob = self.member("bob")
        bob.ok("room", "join", "files")
        essay = bob.write("essay", b"essay" * 1000)
        draft = bob.write("draft", b"draft")
        self.server.kill()
        refused = bob.run("submit", "homework", essay, "--timeout", "1")
        self.assertEqual(refused.code, 69, refused)
        self.assertIn("NOT SUBMITTED", refused.err)
        self.assertEqual(bob.ok("outbox", "list").out, "")
        kept = bob.run("--json", "submit", "homework", essay, draft, "--queue", "--timeout", "1")
        self.assertEqual(kept.code, 75, kept)
        self.assertIn("NOT SUBMITTED", kept.err)
        self.assertEqual([each["kind"] for each in kept.json()], ["submission", "submission"])
        self.assertEqual(bob.run("send", "files", "essay", "--queue", "--timeout", "1").code, 75)
        self.assertEqual(bob.run("submit", "files", "essay", "--queue", "--timeout", "1").code, 75)
        bob.write("draft", b"DRAFT")
        self.server.start()
        sent = bob.ok("whoami")
        self.assertIn("sent 2 from the outbox", sent.err)
        self.assertEqual([(each["state"], each["error"]) for each in bob.json("outbox", "list")],
                         [("held", "changed"), ("held", "invalid")])
        self.assertEqual([each["name"] for each in alice.json("box", "show", "homework") if each["type"] == "file"],
                         ["essay"])
        self.assertEqual([each["name"] for each in alice.json("file", "list", "files")], ["essay"])


class Histories(harness.TestCase):
    """The server's history is not the one that was seen."""

    def setUp(self):
        super().setUp()
        self.alice = self.member("alice")
        self.bob = self.member("bob")
        self.state = self.server.config["state"]
        self.copy = os.path.join(self.server.directory, "copy")

    def keep_state(self):
        self.server.stop()
        shutil.rmtree(self.copy, ignore_errors=True)
        shutil.copytree(self.state, self.copy)
        self.server.start()

    def put_back(self):
        self.server.stop()
        shutil.rmtree(self.state)
        shutil.copytree(self.copy, self.state)
        self.server.start()

    def test_offline(self):
        self.alice.ok("room", "create", "seen")
        self.alice.ok("room", "topic", "seen", "what was seen")
        self.alice.ok("say", "seen", "hello")
        self.alice.ok("log", "seen", "-n", "1")
        self.bob.ok("room", "join", "seen")
        self.bob.ok("say", "seen", "missed")
        self.alice.ok("room", "list")
        online = [each for each in self.alice.json("log", "seen") if each["type"] == "event"]
        self.server.kill()
        offline = self.alice.run("--json", "log", "seen")
        self.assertEqual(offline.code, 0, offline)
        self.assertIn("up to event 5", offline.err)
        self.assertIn("not connected: as of ", offline.err)
        mark, *events = offline.json()
        self.assertEqual((mark["type"], mark["room"], mark["head"]), ("offline", "seen", 5))
        self.assertEqual(events, online)
        self.assertEqual([each["seq"] for each in self.alice.json("log", "seen", "--before", "5", "-n", "1")[1:]], [4])
        self.assertEqual([each["seq"] for each in self.alice.json("log", "seen", "-n", "2", "--offline")[1:]], [4, 5])
        listed = self.alice.json("room", "list")
        self.assertEqual(listed[0]["type"], "offline")
        self.assertNotIn("unread", listed[1])
        self.assertEqual(self.alice.ok("--plain", "room", "list").out.split()[:6], ["seen", "joined", "2", "5", "-", "-"])
        self.assertEqual([each["topic"] for each in listed if each["type"] == "room" and each["name"] == "seen"],
                         ["what was seen"])
        self.assertEqual(self.alice.run("log", "nothing").code, 69)
        self.assertEqual(self.alice.run("log", "nothing", "--offline").code, 5)
        self.assertEqual(self.member("carol").run("room", "list", "--offline").code, 5)

    def test_changed_under_the_client(self):
        for room in ("old", "other"):
            self.alice.ok("room", "create", room)
            self.bob.ok("room", "join", room)
        self.alice.ok("say", "old", "one")
        self.keep_state()
        self.alice.ok("say", "old", "two")
        self.alice.ok("say", "old", "three")
        self.alice.ok("log", "old")
        self.put_back()  # by hand: that is no new incarnation
        shorter = self.alice.run("log", "old")
        self.assertEqual(shorter.code, 8, shorter)
        self.assertIn("old ends at event 3 on the server, and this device has seen event 5", shorter.err)
        for i in range(3):
            self.bob.ok("say", "old", f"another {i}")
        changed = self.alice.run("log", "old")
        self.assertEqual(changed.code, 8, changed)
        self.assertRegex(changed.err, r"history of old .*event 5 was [0-9a-f]{8}.* and is [0-9a-f]{8}")
        self.assertIn("--accept-history", changed.err)
        refused = self.alice.run("say", "old", "four")
        self.assertEqual(refused.code, 8, refused)
        self.assertIn("nothing is sent there", refused.err)
        self.assertEqual(self.alice.run("room", "topic", "old", "x").code, 8)
        self.alice.ok("say", "other", "this one is as it was")
        self.assertNotIn("four", texts(self.bob, "old"))
        self.assertEqual(texts(self.alice, "old", "--offline"), ["one", "two", "three"])
        taken = self.alice.ok("log", "old", "--accept-history")
        self.assertIn("2 of the events that this device had seen, from 4 to 5", taken.err)
        self.assertEqual([(each["state"], each["text"]) for each in self.alice.json("outbox", "list")],
                         [("held", "two"), ("held", "three")])
        self.alice.ok("say", "old", "five")
        self.alice.ok("outbox", "retry", "--all")
        self.assertEqual(texts(self.alice, "old"),
                         ["one", "another 0", "another 1", "another 2", "five", "two", "three"])
        self.assertEqual(texts(self.alice, "old", "--offline")[-1], "three")

    def test_changed_before_say(self):
        """Whoever only says something finds out, too, and before it is sent."""
        self.alice.ok("room", "create", "quiet")
        self.keep_state()
        self.alice.ok("say", "quiet", "one")
        self.put_back()
        refused = self.alice.run("say", "quiet", "two")
        self.assertEqual(refused.code, 8, refused)
        self.assertEqual(waiting(self.alice), [])

    def test_restored(self):
        self.alice.ok("room", "create", "back")
        self.bob.ok("room", "join", "back")
        self.alice.ok("say", "back", "one")
        backup = os.path.join(self.server.directory, "backup")
        subprocess.run([harness.SEALPOSTD, "backup", "--config", self.server.config_path, backup], check=True,
                       capture_output=True)
        self.alice.ok("say", "back", "two")
        self.bob.ok("say", "back", "three")
        self.alice.ok("log", "back")
        self.alice.ok("say", "back", "four")
        self.server.stop()
        shutil.rmtree(self.state)
        subprocess.run([harness.SEALPOSTD, "restore", "--config", self.server.config_path, backup], check=True,
                       capture_output=True)
        self.server.start()
        told = self.alice.ok("whoami")
        self.assertIn("the server was restored from a backup", told.err)
        self.assertIn("back: 3 of the events that this device had seen, from 4 to 6", told.err)
        self.assertEqual([(each["state"], each["text"]) for each in self.alice.json("outbox", "list")],
                         [("held", "two"), ("held", "four")])
        self.assertEqual(self.alice.ok("whoami").err, "")  # once
        self.assertEqual(texts(self.alice, "back"), ["one"])
        self.alice.ok("outbox", "retry", "--all")
        self.alice.ok("say", "back", "five")
        self.assertEqual(texts(self.alice, "back"), ["one", "two", "four", "five"])


if __name__ == "__main__":
    harness.main()
