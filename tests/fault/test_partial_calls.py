"""Whatever recv() and send() choose to do, what is said is the same: one byte a call, any number of bytes, EAGAIN on
nine of ten calls, at the server, at the client, at both."""

import hashlib
import json
import random
import unittest

import fault
import harness

CONTENT = random.Random(1).randbytes(300000)
MODES = {"one byte": 1, "any number": 2, "EAGAIN": 3}
# What differs from run to run, and nothing else.
VARIES = {"time", "id", "device", "hash", "head", "log", "file", "server_time", "client_id", "commitment", "salt",
          "last_seen"}


def plain(value):
    """Without what differs from run to run."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items() if key not in VARIES}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value


class PartialCalls(unittest.TestCase):

    def setUp(self):
        self.control = fault.Control("libfault_partial_io.so")

    def converse(self, client_env):
        """Two members, rooms, texts of every size, files up and down; what all of it printed."""
        server = harness.Server(env={"ASAN_OPTIONS": fault.SANITIZER_OPTIONS, **self.control.env}).start()
        alice, bob = harness.Member(server, "alice"), harness.Member(server, "bob")
        transcript = []

        def run(member, *arguments, **options):
            result = member.run(*arguments, env={"ASAN_OPTIONS": fault.SANITIZER_OPTIONS, **client_env}, **options)
            self.assertEqual(result.code, 0, (arguments, result))
            transcript.append((arguments[:3], [plain(json.loads(line)) for line in result.lines()]))
        try:
            run(alice, "--json", "room", "create", "den")
            run(bob, "--json", "room", "join", "den")
            for size in (1, 100, 5000, 15000):
                run(alice, "--json", "say", "den", "-", stdin=b"x" * size)
                run(bob, "--json", "say", "den", f"{size} of x")
            run(bob, "--json", "room", "topic", "den", "x")
            for size in (0, 1000, len(CONTENT)):
                alice.write(f"{size}.bin", CONTENT[:size])
                run(alice, "--json", "send", "den", f"{size}.bin")
            run(bob, "--json", "log", "den", "-n", "1000")
            run(bob, "--json", "file", "list", "den")
            files = bob.json("file", "list", "den")
            for file in files:
                got = bob.path("got")
                bob.ok("get", file["id"], "-o", got, "--force",
                       env={"ASAN_OPTIONS": fault.SANITIZER_OPTIONS, **client_env})
                with open(got, "rb") as copy:
                    content = copy.read()
                self.assertEqual(hashlib.sha256(content).hexdigest(), file["sha256"])
                self.assertEqual(content, CONTENT[:len(content)])
            run(alice, "--json", "room", "list")
            run(alice, "--json", "room", "members", "den")
        finally:
            server.stop()
        return transcript

    def test_same_transcript(self):
        expected = self.converse({})
        self.assertGreater(sum(len(lines) for _, lines in expected), 30)
        self.assertEqual(self.control.faults, 0)
        for name, mode in MODES.items():
            for where, client_env in (("server", {}), ("both ends", self.control.env)):
                with self.subTest(mode=name, where=where):
                    before = self.control.faults
                    self.control.set(self.control.MODE, mode)
                    self.assertEqual(self.converse(client_env), expected)
                    faults = self.control.faults - before
                    print(f"{name} at {where}: {faults} of the calls did less than they were asked for")
                    self.assertGreater(faults, 1000)
        self.control.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
