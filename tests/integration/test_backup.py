"""sealpostd backup, restore and status: of a server under load, and served again."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import threading
import time
import unittest

import harness


def sealpostd(*arguments):
    done = subprocess.run([harness.SEALPOSTD, *arguments], capture_output=True, timeout=120, check=False)
    result = harness.Result(done.returncode, done.stdout, done.stderr)
    harness.check_sanitizers(result.err)
    return result


class Writer(threading.Thread):
    """Posts one message after the other, and now and then a file, until it is told to stop."""

    def __init__(self, member, room):
        super().__init__()
        self.member = member
        self.room = room
        self.acknowledged = []  # (seq, hash)
        self.stopped = threading.Event()
        self.failure = None

    def run(self):
        chat = self.member.chat(self.room)
        try:
            for i in range(1000000):
                if self.stopped.is_set():
                    break
                result = chat.ask(cmd="say", room=self.room, text=f"message {i}")
                assert result["ok"], result
                self.acknowledged.append((result["seq"], result["hash"]))
                if i % 20 == 10:
                    path = self.member.write(f"file-{i}", os.urandom(40000))
                    self.member.ok("send", self.room, path)
        except Exception as failure:  # pylint: disable=broad-except
            self.failure = failure
        finally:
            chat.close()


class Backup(harness.TestCase):

    def path(self, name):
        return os.path.join(self.server.directory, name)

    def left_behind(self):
        return [name for name in os.listdir(self.server.directory) if "partial" in name]

    def backup(self, name, *options):
        result = sealpostd("backup", "--config", self.server.config_path, self.path(name), "--json", *options)
        self.assertEqual(result.code, 0, result)
        self.assertEqual(self.left_behind(), [])
        return result.json()[0]

    def restore(self, backup):
        """A server of its own that serves what BACKUP is restored to."""
        server = harness.Server(ca=self.server.ca)
        self.addCleanup(server.kill)
        server.write_config()
        result = sealpostd("restore", "--config", server.config_path, backup, "--json")
        self.assertEqual(result.code, 0, result)
        self.assertEqual(sealpostd("fsck", server.config["state"]).code, 0)
        return server.start(), result.json()[0]

    def test_under_load(self):
        alice = self.member("alice")
        alice.ok("room", "create", "load")
        writers = []
        for name in ("bob", "carol", "dave"):
            member = self.member(name)
            member.ok("room", "join", "load")
            writers.append(Writer(member, "load"))
        for writer in writers:
            writer.start()
        backups = []
        for i in range(4):
            harness.wait_until(lambda: all(len(w.acknowledged) >= 15 * (i + 1) for w in writers)
                               or any(w.failure for w in writers), 60, "messages")
            known = [pair for writer in writers for pair in list(writer.acknowledged)]
            name = self.path(f"load-{i}")
            self.assertGreater(self.backup(f"load-{i}", *(["--copy"] if i % 2 else []))["events"], 40)
            backups.append((name, known))
        for writer in writers:
            writer.stopped.set()
        for writer in writers:
            writer.join()
            self.assertIsNone(writer.failure)
        for name, known in backups:
            checked = sealpostd("fsck", name, "--json")
            self.assertEqual(checked.code, 0, checked)
            with sqlite3.connect(f"file:{name}/sealpost.db?mode=ro", uri=True) as database:
                hashes = {key & (2**40 - 1): hash.hex() for key, hash in database.execute(
                    "SELECT key, hash FROM events WHERE key >> 40 ="
                    " (SELECT no FROM logs WHERE name = 'load')")}
            for seq, digest in known:
                self.assertEqual(hashes.get(seq), digest)  # what was acknowledged before is in it

        server, restored = self.restore(backups[-1][0])
        before = alice.json("whoami")[0]["incarnation"]
        again = harness.Member(server, "alice")
        self.assertEqual(again.json("whoami")[0]["incarnation"], restored["incarnation"])
        self.assertNotEqual(restored["incarnation"], before)
        events = {each["seq"]: each["hash"] for each in again.json("log", "load", "--all")}
        for seq, digest in backups[-1][1]:
            self.assertEqual(events.get(seq), digest)  # the heads that clients hold hold
        again.ok("say", "load", "life goes on")
        files = again.json("file", "list", "load")
        self.assertTrue(files)
        for each in files:
            again.ok("get", each["id"], "-o", again.path(each["id"]))
        server.stop()
        self.assertEqual(sealpostd("fsck", server.config["state"]).code, 0)

    def test_stopped(self):
        alice = self.member("alice")
        alice.ok("room", "create", "quiet")
        alice.ok("say", "quiet", "hello")
        alice.ok("send", "quiet", alice.write("a", os.urandom(50000)))
        self.server.stop()
        made = self.backup("stopped")
        self.assertEqual((made["type"], made["files"] > 0), ("backup", True))
        with open(os.path.join(self.path("stopped"), "backup.json"), encoding="utf-8") as file:
            manifest = json.load(file)
        self.assertEqual(manifest["events"], made["events"])
        self.assertEqual(manifest["team"], "test")
        self.assertEqual(os.stat(self.path("stopped")).st_mode & 0o777, 0o700)
        self.assertEqual(sealpostd("fsck", self.path("stopped")).code, 0)
        # A backup is backed up like any other state, and never written to.
        self.assertEqual(sealpostd("backup", self.path("stopped"), self.path("again")).code, 0)
        self.assertEqual(sorted(os.listdir(self.path("stopped"))), ["backup.json", "files", "sealpost.db"])

    def test_refused(self):
        alice = self.member("alice")
        alice.ok("room", "create", "lossy")
        alice.ok("send", "lossy", alice.write("b", os.urandom(50000)))
        self.backup("there")
        result = sealpostd("backup", "--config", self.server.config_path, self.path("there"))
        self.assertEqual(result.code, 6, result)
        result = sealpostd("restore", "--config", self.server.config_path, self.path("there"))
        self.assertEqual(result.code, 6, result)
        self.assertEqual(sealpostd("backup", "--config", self.server.config_path).code, 2)
        self.assertEqual(sealpostd("backup", "--config", self.server.config_path, "/nonexistent/x").code, 1)

        copy = self.path("damaged")
        shutil.copytree(self.path("there"), copy)
        for directory, _, names in os.walk(os.path.join(copy, "files", "blobs")):
            for name in names:
                os.remove(os.path.join(directory, name))
        result = sealpostd("backup", copy, self.path("of-damaged"))
        self.assertEqual(result.code, 8, result)
        self.assertIn("missing or has another size", result.err)
        self.assertFalse(os.path.exists(self.path("of-damaged")))
        self.assertEqual(self.left_behind(), [])

class WholeTeam(unittest.TestCase):
    """The directory that `sealpostd init` makes, with members who have joined by code."""

    def test_from_init_to_restore(self):
        team = harness.Team().start()
        self.addCleanup(lambda: team.process and team.stop())
        root = team.administrator()
        root.ok("room", "create", "general")
        ann = team.home("ann").join(root.invite("ann", "--rooms", "general")["ann"])
        ann.ok("room", "create", "anns")
        ann.ok("say", "anns", "not kept for long")
        # An administrator says what others' rooms keep, without being in them.
        root.ok("room", "retention", "anns", "1")
        harness.wait_until(lambda: " erased" in ann.ok("log", "anns").out, 30, "the erasure")
        self.assertEqual(sealpostd("fsck", team.directory).code, 0)
        status = sealpostd("status", team.directory, "--json").json()[0]
        self.assertEqual((status["team"], status["stored"]["members"]), ("ours", 2))
        backup = team.directory + ".backup"
        self.assertEqual(sealpostd("backup", team.directory, backup).code, 0)
        before = ann.json("whoami")[0]["incarnation"]
        ann.ok("say", "general", "after the backup")
        team.stop()
        os.rename(team.path("state"), team.path("state.old"))
        result = sealpostd("restore", team.directory, backup)
        self.assertEqual(result.code, 0, result)
        team.start()
        self.assertNotEqual(ann.json("whoami")[0]["incarnation"], before)
        self.assertNotIn("after the backup", ann.ok("log", "general").out)
        ann.ok("say", "general", "it goes on")
        self.assertEqual(sealpostd("fsck", team.directory).code, 0)


class Status(harness.TestCase):

    def status(self, *options):
        return sealpostd("status", "--config", self.server.config_path, *options)

    def ask(self, request):
        """Speaks to the control socket."""
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(20)
            peer.connect(self.control())
            peer.sendall(request)
            answer = b""
            while chunk := peer.recv(65536):
                answer += chunk
            return answer

    def control(self):
        return os.path.join(self.server.config["state"], "control")

    def test_counts(self):
        alice = self.member("alice")
        alice.ok("room", "create", "den")
        alice.ok("say", "den", "hello")
        alice.ok("send", "den", alice.write("a", b"bytes"))
        before = self.status("--json").json()[0]
        self.assertEqual((before["type"], before["team"], before["responsive"]), ("status", "test", True))
        self.assertEqual(before["stored"]["events"], 3)
        self.assertEqual(before["stored"]["files"], 1)
        self.assertEqual((before["stored"]["logs"], before["stored"]["members"]), (1, 1))
        self.assertEqual(before["pid"], self.server.process.pid)
        self.assertGreater(before["commits"]["count"], 0)
        self.assertGreater(before["commits"]["longest_us"], 0)
        chat = self.chat(alice, "den")
        chat.expect(type="online")
        after = self.status("--json").json()[0]
        self.assertEqual((before["sessions"], after["sessions"]), (0, 1))
        self.assertEqual(after["members_online"], 1)
        lines = dict(line.split(": ", 1) for line in self.status().lines())
        self.assertEqual(lines["stored.events"], "3")
        self.assertEqual(lines["sessions"], "1")
        self.assertEqual(lines["team"], "test")
        self.assertEqual(lines["queues.commands"], "0")

    def test_socket(self):
        self.assertEqual(os.stat(self.control()).st_mode & 0o777, 0o600)
        self.assertEqual(json.loads(self.ask(b"nonsense\n"))["error"], "unsupported")
        try:
            self.assertEqual(self.ask(b"x" * 200), b"")
        except ConnectionResetError:
            pass  # it has not even read all of that
        # Whoever asks and says nothing keeps others waiting for a few seconds only, and never the members.
        with socket.socket(socket.AF_UNIX) as silent:
            silent.connect(self.control())
            self.member("bob").ok("whoami")
            self.assertEqual(self.status().code, 0)
        # Nor does it keep the server from ending.
        with socket.socket(socket.AF_UNIX) as silent:
            silent.connect(self.control())
            time.sleep(0.2)  # it is being listened to
            before = time.monotonic()
            self.server.stop()
            self.assertLess(time.monotonic() - before, 4)

    def test_not_running(self):
        self.server.stop()
        result = self.status()
        self.assertEqual(result.code, 69, result)
        self.assertIn("no server runs", result.err)
        self.assertFalse(os.path.exists(self.control()))
        self.server.start()
        self.server.kill()  # leaves the socket behind
        self.assertEqual(self.status().code, 69)
        self.server.start()
        self.assertEqual(self.status().code, 0)


if __name__ == "__main__":
    harness.main()
