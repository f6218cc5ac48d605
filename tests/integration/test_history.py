"""History page by page, its export, and rooms that do not keep everything."""

import datetime
import hashlib
import os
import struct
import time

import harness

GONE_WITHIN_S = 60  # docs/OPERATIONS.md promises it; it takes a few seconds


class History(harness.TestCase):

    def page(self, member, *options):
        """The sequence numbers of a page, and its end."""
        lines = member.json("log", *options)
        end = lines.pop()
        self.assertEqual(end["type"], "page")
        numbers = [line["seq"] for line in lines]
        self.assertEqual(numbers, list(range(end["first"], end["last"] + 1)))
        return numbers, end

    def test_pages(self):
        alice = self.member("alice")
        alice.ok("room", "create", "long")
        chat = self.chat(alice, "long")
        for i in range(2, 201):
            self.assertTrue(chat.ask(cmd="say", room="long", text=f"number {i}")["ok"])
        numbers, end = self.page(alice, "long", "--before", "101", "-n", "10")
        self.assertEqual((numbers, end["head"]), (list(range(91, 101)), 200))
        numbers, _ = self.page(alice, "long", "--before", "91", "-n", "10")
        self.assertEqual(numbers, list(range(81, 91)))
        numbers, end = self.page(alice, "long", "--before", "5")
        self.assertEqual((numbers, end["first"]), ([1, 2, 3, 4], 1))
        numbers, _ = self.page(alice, "long", "--around", "100", "-n", "5")
        self.assertEqual(numbers, [98, 99, 100, 101, 102])
        numbers, end = self.page(alice, "long", "--around", "199", "-n", "9")
        self.assertEqual(numbers, list(range(195, 201)))
        self.assertEqual(end["last"], end["head"])
        numbers, _ = self.page(alice, "long", "--before", "1")
        self.assertEqual(numbers, [])
        self.assertEqual(alice.ok("log", "long", "--before", "51", "-n", "2").out.count("\n"), 2)
        for wrong in (["--before", "5", "--around", "5"], ["--before", "5", "--after", "1"], ["--around", "9", "-f"],
                      ["--before", "0"], ["--all", "--after", "3"], ["--before", "5", "-n", "0"]):
            self.assertEqual(alice.run("log", "long", *wrong).code, 2, wrong)

    def check_chain(self, events):
        """The chain of an export, by nothing but what docs/PROTOCOL.md says of it."""
        head = hashlib.sha256(b"sealpost log 1\0" + bytes.fromhex(events[0]["log"])).digest()
        for number, event in enumerate(events, 1):
            self.assertEqual(event["seq"], number)
            moment = datetime.datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
            epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
            time_ms = (moment - epoch) // datetime.timedelta(milliseconds=1)
            header = (struct.pack(">BBHI", 1, 0, event["kind_number"], event["body_bytes"])
                      + bytes.fromhex(event["log"]) + struct.pack(">QQ", number, time_ms)
                      + bytes.fromhex(event["device"]) + bytes.fromhex(event["client_id"])
                      + bytes.fromhex(event["commitment"]))
            head = hashlib.sha256(b"sealpost event 1\0" + head + header).digest()
            self.assertEqual(event["hash"], head.hex(), event)

    def test_export(self):
        alice, bob = self.member("alice"), self.member("bob")
        alice.ok("room", "create", "export")
        bob.ok("room", "join", "export")
        bob.ok("say", "export", "one\ntwo")
        bob.ok("send", "export", bob.write("f", b"bytes"))
        alice.ok("room", "topic", "export", "bees")
        alice.ok("room", "retention", "export", "30d", "5000")
        events = alice.json("log", "export", "--all")
        self.assertEqual([event["kind"] for event in events],
                         ["created", "joined", "message", "file", "topic", "retention"])
        self.check_chain(events)
        self.assertEqual(events[2]["text"], "one\ntwo")
        self.assertEqual(events[3]["file"]["name"], "f")
        self.assertEqual((events[5]["keep_seconds"], events[5]["keep_events"]), (30 * 86400, 5000))
        alice.ok("room", "retention", "export", "1")
        harness.wait_until(lambda: "erased" in alice.ok("--json", "log", "export", "--all").out, 30, "the erasure")
        events = alice.json("log", "export", "--all")
        self.check_chain(events)
        self.assertEqual([event["kind"] for event in events if event.get("erased")], ["message", "file"])


class Retention(harness.TestCase):

    def disk(self):
        """All bytes below the state directory, by file."""
        for directory, _, names in os.walk(self.server.config["state"]):
            for name in names:
                try:
                    with open(os.path.join(directory, name), "rb") as file:
                        yield os.path.join(directory, name), file.read()
                except OSError:
                    pass  # the control socket; a file that is gone meanwhile

    def count(self, secret):
        return sum(content.count(secret) for _, content in self.disk())

    def blobs(self):
        return [path for path, _ in self.disk() if "/blobs/" in path]

    def test_rules(self):
        alice, bob = self.member("alice"), self.member("bob")
        alice.ok("room", "create", "den")
        bob.ok("room", "join", "den")
        self.assertEqual(alice.ok("room", "retention", "den").out, "0 0\n")
        self.assertEqual(bob.run("room", "retention", "den", "1d").code, 4)
        alice.ok("room", "retention", "den", "12h")
        self.assertEqual(bob.ok("room", "retention", "den").out, "43200 0\n")
        alice.ok("room", "retention", "den", "1000", "1d")
        self.assertEqual(bob.ok("room", "retention", "den").out, "86400 1000\n")
        row = [each for each in bob.json("room", "list") if each["name"] == "den"][0]
        self.assertEqual((row["keep_seconds"], row["keep_events"]), (86400, 1000))
        alice.ok("room", "retention", "den", "off")
        self.assertEqual(bob.ok("room", "retention", "den").out, "0 0\n")
        self.assertIn("alice retention 43200 0\n", bob.ok("log", "den").out)
        for wrong in ("yes", "0", "0d", "9w", "-1", "99999999999999999999", "1d1d"):
            self.assertEqual(alice.run("room", "retention", "den", wrong).code, 2, wrong)
        self.assertEqual(alice.run("room", "retention", "den", "1d", "2d").code, 2)
        self.assertEqual(alice.run("room", "retention", "nowhere", "1d").code, 5)

    def test_gone_from_the_disk(self):
        alice, bob = self.member("alice"), self.member("bob")
        secret = b"xyzzy-the-secret"
        alice.ok("room", "create", "secrets")
        bob.ok("room", "join", "secrets")
        follower = self.chat(bob, "secrets")
        for i in range(40):
            text = f"{i} {secret.decode()} " + "." * (i * 300)
            alice.ok("say", "secrets", "-", stdin=text.encode())
        alice.ok("send", "secrets", alice.write("small.txt", secret * 10))
        alice.ok("send", "secrets", alice.write("large.bin", secret * 10000))
        alice.ok("send", "secrets", alice.write(secret.decode() + ".txt", b"harmless"))
        follower.expect(type="event", seq=45)
        self.assertGreater(self.count(secret), 10050)
        self.assertEqual(len(self.blobs()), 1)
        files = alice.json("file", "list", "secrets")
        begin = time.monotonic()
        alice.ok("room", "retention", "secrets", "1")
        harness.wait_until(lambda: self.count(secret) == 0, GONE_WITHIN_S, "the erasure")
        print(f"gone after {time.monotonic() - begin:.1f} s", end=" ", flush=True)
        self.assertEqual(self.blobs(), [])
        for file in files:
            self.assertEqual(alice.run("get", file["id"]).code, 5)
        self.assertEqual(alice.json("file", "list", "secrets"), [])
        # Nor does the server's memory of what was said lately bring it back.
        self.assertNotIn(secret.decode(), alice.ok("log", "secrets", "--all").out)
        alice.ok("say", "secrets", "still here")
        self.assertTrue(alice.ok("log", "secrets", "-n", "1").out.endswith(" message still here\n"))

    def test_after_a_crash(self):
        alice = self.member("alice")
        alice.ok("room", "create", "crash")
        for i in range(3):
            alice.ok("send", "crash", alice.write(f"f{i}", os.urandom(50000)))
        before = len(self.blobs())
        alice.ok("room", "retention", "crash", "1")
        self.server.kill()  # perhaps before the blobs are unlinked
        self.server.start()
        harness.wait_until(lambda: len(self.blobs()) == before - 3, 30, "the blobs to be unlinked")
        harness.wait_until(lambda: [each for each in alice.json("log", "crash", "--all") if each.get("erased")], 30,
                           "the erasure")

    def test_by_age(self):
        alice = self.member("alice")
        alice.ok("room", "create", "short")
        alice.ok("room", "retention", "short", "2s")
        alice.ok("say", "short", "soon forgotten")
        self.assertIn("soon forgotten", alice.ok("log", "short").out)
        harness.wait_until(lambda: " erased " in alice.ok("log", "short").out, 30, "the erasure")


if __name__ == "__main__":
    harness.main()
