"""A server with few file descriptors: it takes whom it can, does not spin on whom it cannot, and takes them when others
have left."""

import contextlib
import time
import unittest

import fault
import harness

SPARE = (8, 16, 64)  # beyond what an idle server has open
CROWD = 100


class FewDescriptors(fault.TestCase):

    def setUp(self):
        super().setUp()
        self.idle = fault.descriptor_count(self.pid())

    def few(self, spare):
        """A server that may have SPARE descriptors more than an idle one."""
        limit = self.idle + spare
        env = {"ASAN_OPTIONS": fault.SANITIZER_OPTIONS}
        server = harness.Server(command=["prlimit", f"--nofile={limit}:{limit}", harness.SEALPOSTD], env=env)
        self.addCleanup(server.kill)
        return server.start()

    def fill(self, server):
        """Sessions until there is no descriptor left, then connections that must wait outside."""
        context = self.context("mallory")
        inside, outside = [], []
        self.addCleanup(lambda: [each.abort() for each in inside])
        self.addCleanup(lambda: [each.close() for each in outside])
        with contextlib.suppress(fault.peer.ClientError):
            for _ in range(CROWD):
                inside.append(self.dial_in(context, timeout=1, port=server.port))
        for _ in range(20):
            outside.append(fault.dial(server, fault.ABUSER))
        return inside, outside

    def check_quiet(self, server):
        before, lines = fault.cpu_seconds(server.process.pid), server.log().count("\n")
        time.sleep(1)
        used = fault.cpu_seconds(server.process.pid) - before
        self.assertLess(used, 0.25, "it spins")
        self.assertLess(server.log().count("\n") - lines, 15, "the log is flooded")
        return used

    def test_few(self):
        for spare in SPARE:
            with self.subTest(spare=spare):
                server = self.few(spare)
                alice = harness.Member(server, "alice")
                alice.ok("room", "create", "den")
                chat = self.chat(alice, "den")
                chat.ask(cmd="list")
                inside, outside = self.fill(server)
                self.assertIn("event=accept_paused", server.log())
                self.assertGreater(len(inside), spare // 2)
                used = self.check_quiet(server)
                print(f"{spare} spare descriptors: {len(inside)} sessions got in; idle, it took {used * 1000:.0f} ms of a "
                      "second")
                # Those who are in go on, though nothing can be opened.
                self.assertTrue(chat.ask(cmd="say", room="den", text="still here")["ok"])
                with contextlib.suppress(fault.peer.ClientError):
                    upload = fault.peer.Upload(inside[0])
                    inside[0].join("den")
                    upload.offer("den", "file", 1000000)
                self.assertTrue(chat.ask(cmd="say", room="den", text="still here")["ok"])
                for each in inside:
                    each.abort()
                for each in outside:
                    each.close()
                start = time.monotonic()
                bob = harness.Member(server, "bob")
                bob.ok("room", "join", "den")
                self.assertLess(time.monotonic() - start, 3)
                bob.ok("send", "den", bob.write("file", b"x" * 100000))
                self.assertEqual(chat.close(), 0)
                harness.wait_until(lambda server=server: fault.descriptor_count(server.process.pid) <= self.idle + 4, 10,
                                   "the descriptors")
                server.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
