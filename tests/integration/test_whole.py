"""The whole way through, with the real server under load and under kill -9: talk while a large file goes up, a reader
that stops, acknowledgements that survive, members who are shut out while they are connected."""

import hashlib
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time

import harness

GIB = 1 << 30
LARGE_BYTES = int(os.environ.get("SEALPOST_TEST_LARGE_BYTES", GIB))


def resident_kib(pid):
    """Resident memory of a process."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    raise AssertionError("no VmRSS")


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def message_texts(objects):
    return [each["text"] for each in objects if each.get("type") == "event" and each["kind"] == "message"]


class TalkDuringUpload(harness.TestCase):
    config = {"message_rate": "0"}

    def make_large(self, member):
        """LARGE_BYTES of which no two pieces are equal."""
        path = member.path("large.bin")
        with open(path, "wb") as file:
            for number in range(LARGE_BYTES >> 20):
                file.write(number.to_bytes(8, "big") * (1 << 17))
        return path

    def test_three_members_talk_while_a_large_file_goes_up(self):
        names = ("alice", "bob", "carol")
        members = [self.member(name) for name in names]
        members[0].ok("room", "create", "talk")
        members[0].ok("box", "create", "large")
        for member in members[1:]:
            member.ok("room", "join", "talk")
        chats = [self.chat(member, "talk") for member in members]
        for chat in chats:
            chat.ask(cmd="list")  # it follows by now
        path = self.make_large(members[1])
        upload = members[1].popen("--json", "submit", "large", path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        said = []
        slowest = 0.0
        while upload.poll() is None or len(said) < 30:
            number = len(said)
            text = f"message {number}"
            start = time.monotonic()
            result = chats[number % 3].ask(cmd="say", room="talk", text=text)
            slowest = max(slowest, time.monotonic() - start)
            self.assertTrue(result["ok"], result)
            said.append(text)
            time.sleep(0.02)
        out, err = upload.communicate()
        self.assertEqual(upload.returncode, 0, err)
        self.assertIn(sha256_of(path).encode(), out)
        for chat in chats:
            for text in said:
                chat.expect(type="event", kind="message", text=text)
            self.assertEqual(chat.close(), 0)
        print(f"{len(said)} messages during {LARGE_BYTES >> 20} MiB; the slowest answer took {slowest * 1000:.0f} ms")
        file = members[0].json("file", "list", "large")[0]
        copy = members[0].path("copy.bin")
        members[0].ok("get", file["id"], "-o", copy)
        self.assertEqual(sha256_of(copy), sha256_of(path))
        os.unlink(copy)
        os.unlink(path)


class SlowReader(harness.TestCase):
    COUNT = 10000

    @classmethod
    def setUpClass(cls):
        # A sanitizer keeps freed memory for a while; little of it, so that what the server itself keeps can be seen.
        env = {"ASAN_OPTIONS": "quarantine_size_mb=4:thread_local_quarantine_size_kb=64"}
        cls.server = harness.Server(config={"message_rate": "0"}, env=env).start()
        cls.addClassCleanup(cls._end_server)

    def test_a_client_that_stops_reading_costs_little_and_loses_nothing(self):
        alice = self.member("alice")
        bob = self.member("bob")
        alice.ok("room", "create", "flood")
        bob.ok("room", "join", "flood")
        out_path = bob.path("seen.json")
        with open(out_path, "wb") as out:
            reader = bob.popen("--json", "log", "flood", "--follow", stdout=out, stderr=subprocess.PIPE)
        harness.wait_until(lambda: os.path.getsize(out_path) > 0, 20, "the reader to follow")
        reader.send_signal(signal.SIGSTOP)
        chat = self.chat(alice, "flood")
        chat.ask(cmd="say", room="flood", text="warm")
        before = resident_kib(self.server.process.pid)
        padding = "x" * 400
        batch = 50
        for start in range(0, self.COUNT, batch):
            for number in range(start, start + batch):
                chat.send(cmd="say", room="flood", text=f"{number} {padding}", id=str(number))
            for number in range(start, start + batch):
                self.assertTrue(chat.expect(type="result", id=str(number))["ok"])
            with chat.changed:
                chat.seen.clear()
        grown = resident_kib(self.server.process.pid) - before
        print(f"{self.COUNT} messages while the reader slept: the server grew by {grown} KiB")
        # The thread sanitizer keeps several bytes of its own for each of the program's.
        self.assertLess(grown, (256 if "TSAN_OPTIONS" in os.environ else 64) * 1024)
        reader.send_signal(signal.SIGCONT)

        def seen():
            with open(out_path, "rb") as out:
                return out.read().count(b'"kind":"message"')
        try:
            harness.wait_until(lambda: seen() >= self.COUNT + 1, 60, "the reader to catch up")
        except AssertionError as error:
            reader.send_signal(signal.SIGINT)
            raise AssertionError(f"{seen()} messages seen; {reader.communicate()}; {self.server.log()[-2000:]}") from error
        reader.send_signal(signal.SIGINT)
        reader.communicate()
        with open(out_path, "rb") as out:
            objects = harness.Result(0, out.read(), b"").json()
        texts = message_texts(objects)
        self.assertEqual(texts, ["warm"] + [f"{number} {padding}" for number in range(self.COUNT)])
        self.assertEqual(chat.close(), 0)


class Kill(harness.TestCase):
    config = {"message_rate": "0"}

    def test_what_was_acknowledged_is_there_once_after_kill(self):
        alice = self.member("alice")
        alice.ok("room", "create", "kill")
        alice.ok("box", "create", "killbox")
        expected = []
        files = {}
        for turn in range(5):
            text = f"turn {turn}"
            alice.ok("say", "kill", text)
            expected.append(text)
            content = os.urandom(1000 if turn % 2 else 300000)
            path = alice.write(f"file {turn} ü.bin", content)
            sent = alice.json("submit", "killbox", path)[0]
            self.server.kill()
            files[sent["file"]["id"] if "file" in sent else sent["id"]] = content
            self.server.start()
            self.assertEqual(message_texts(alice.json("log", "kill")), expected)
            for file_id, content in files.items():
                got = alice.path("got.bin")
                alice.ok("get", file_id, "-o", got, "--force")
                with open(got, "rb") as file:
                    self.assertEqual(file.read(), content)
            self.assertEqual(len(alice.json("file", "list", "killbox")), turn + 1)

    def test_kill_at_any_moment_of_eight_writers(self):
        """Acknowledged: there exactly once. Not acknowledged: there at most once."""
        members = [self.member(f"writer{number}") for number in range(8)]
        members[0].ok("room", "create", "storm")
        for member in members[1:]:
            member.ok("room", "join", "storm")
        acknowledged = set()
        sent = set()
        for turn in range(3):
            chats = [self.chat(member, "storm") for member in members]
            for chat in chats:
                chat.ask(cmd="list")
            stop = threading.Event()

            def write(number, chat, turn=turn, stop=stop):
                count = 0
                while not stop.is_set():
                    text = f"{turn}/{number}/{count}"
                    count += 1
                    try:
                        sent.add(text)
                        chat.send(cmd="say", room="storm", text=text, id=text)
                        if chat.expect(type="result", id=text, timeout=3)["ok"]:
                            acknowledged.add(text)
                    except (AssertionError, OSError):
                        return
            writers = [threading.Thread(target=write, args=pair) for pair in enumerate(chats)]
            for writer in writers:
                writer.start()
            time.sleep(0.3 + 0.37 * turn)
            self.server.kill()
            stop.set()
            for writer in writers:
                writer.join()
            for chat in chats:
                chat.process.kill()
                chat.process.wait()
            self.server.start()
        self.assertGreater(len(acknowledged), 100)
        texts = message_texts(members[0].json("log", "storm", "-n", "1000000"))
        self.assertEqual(len(texts), len(set(texts)), "doubled")
        self.assertEqual(acknowledged - set(texts), set(), "acknowledged and lost")
        self.assertEqual(set(texts) - sent, set(), "never sent")
        print(f"3 kills: {len(sent)} sent, {len(acknowledged)} acknowledged, {len(texts)} there")


class Silence(harness.TestCase):
    def test_who_comes_after_a_long_silence_is_let_in(self):
        """With nobody connected the server sleeps in poll(2): deadlines count from when it wakes up."""
        time.sleep(11)
        self.member("alice").ok("whoami")


class ShutOut(harness.TestCase):
    def test_sigterm_tells_clients_and_ends_with_0(self):
        alice = self.member("alice")
        chat = self.chat(alice)
        chat.ask(cmd="list")
        self.assertEqual(self.server.stop(), 0)
        log = self.server.log()
        self.assertIn("event=stopping", log)
        self.assertIn("reason=shutting-down", log)

    def test_a_revoked_device_is_cut_and_nobody_else(self):
        eve = self.member("eve")
        frank = self.member("frank")
        chat_eve = self.chat(eve)
        chat_frank = self.chat(frank)
        chat_eve.ask(cmd="list")
        chat_frank.ask(cmd="list")
        self.server.ca.revoke("eve")
        self.server.ca.tool("crl")
        self.server.reload()
        harness.wait_until(lambda: "member=eve reason=revoked" in self.server.log(), 5, "eve's end")
        self.assertTrue(chat_frank.ask(cmd="list")["ok"])
        chat_eve.process.kill()
        chat_eve.process.wait()
        result = eve.run("whoami")
        self.assertEqual(result.code, 4)
        self.assertIn("revoked", result.err)
        self.assertRegex(self.server.log(), r"event=refused .*error=revoked serial=[0-9a-f]+ fingerprint=[0-9a-f]{64}")

    def test_a_handshake_begun_before_the_reload_is_judged_after_it(self):
        heidi = self.member("heidi")
        context = ssl.create_default_context(cafile=os.path.join(heidi.bundle, "ca.pem"))
        context.load_cert_chain(os.path.join(heidi.bundle, "cert.pem"), os.path.join(heidi.bundle, "key.pem"))
        context.set_alpn_protocols(["sealpost/1"])
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=5) as connection:
            with self.assertRaises(ssl.SSLWantReadError):
                tls.do_handshake()
            connection.sendall(outgoing.read())  # the ClientHello, and no more for now
            time.sleep(0.3)
            reloads = self.server.log().count("event=reloaded")
            self.server.ca.revoke("heidi")
            self.server.reload()
            harness.wait_until(lambda: self.server.log().count("event=reloaded") > reloads, 5, "the reload")
            while True:
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    incoming.write(connection.recv(65536))
            connection.sendall(outgoing.read())
            connection.settimeout(20)
            while True:
                incoming.write(connection.recv(65536))
                try:
                    self.assertEqual(tls.read(65536)[4], 2, "BYE")
                except ssl.SSLWantReadError:
                    continue
                except ssl.SSLError as error:
                    self.assertIn("revoked", str(error))
                break
        harness.wait_until(lambda: re.search("event=refused .*member=heidi.*error=revoked", self.server.log()), 5,
                           "the refusal")

    def test_a_bad_reload_keeps_the_old_certificates(self):
        path = self.server.ca.path("crl.pem")
        with open(path, "rb") as file:
            good = file.read()
        try:
            with open(path, "wb") as file:
                file.write(b"nonsense")
            self.server.reload()
            harness.wait_until(lambda: "event=reload_failed" in self.server.log(), 5, "the reload to fail")
            self.member("gina").ok("whoami")
        finally:
            with open(path, "wb") as file:
                file.write(good)

    def test_a_second_server_is_kept_out(self):
        second = subprocess.run([harness.SEALPOSTD, "run", "--config", self.server.config_path, "--listen",
                                 "127.0.0.1:0"], capture_output=True, timeout=30, check=False)
        self.assertNotEqual(second.returncode, 0)
        self.assertIn(b"sealpostd: error:", second.stderr)


if __name__ == "__main__":
    harness.main()
