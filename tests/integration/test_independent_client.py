"""Runs the server against a client that was written from PROTOCOL.md and the schema alone.

What passes here shows that the document is enough to write a client from, and that the server does
what the document says.  The expectations come from the document, too; where it leaves something
open, so do the tests.

Environment: SEALPOSTD is the server's binary, SEALPOST_SOURCE_DIR the source tree (for
tools/make-test-ca), SEALPOST_PROTO the schema.
"""

import hashlib
import os
import pathlib
import random
import re
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True  # The source tree may be read-only, and is to stay as it is.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import independent_client as sealpost  # noqa: E402
from independent_client import (  # noqa: E402
    ErrorClass,
    ErrorNumber,
    EventKind,
    FrameType,
    LogKind,
    Once,
    Tag,
    pb,
)

TEAM = "test"
START_SECONDS = 30
QUIET_SECONDS = 0.5

KIB = 1024
MIB = 1024 * KIB
SIZES = {"0 bytes": 0, "1 byte": 1, "100 KiB": 100 * KIB, "5 MiB": 5 * MIB}


def content_of(size):
    """Bytes that differ from place to place, and are the same in every run."""
    return random.Random(size).randbytes(size)


# ---- The team and its server ----


class Team:
    """A certificate authority in a directory, and the TLS contexts of its members."""

    MEMBERS = ("alice", "bob", "carol")
    REVOKED = "mallory"

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self._tool("init")
        self._tool("server", "localhost", "127.0.0.1")
        for name in (*self.MEMBERS, self.REVOKED):
            self._tool("member", name)
        self._tool("revoke", self.REVOKED)
        self._tool("crl")

    def _tool(self, *arguments):
        tool = pathlib.Path(os.environ["SEALPOST_SOURCE_DIR"], "tools", "make-test-ca")
        command = [tool, "-d", self.directory, "--team", TEAM, *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def context(self, member):
        """A fresh TLS context of a member."""
        files = self.directory / "members" / member
        return sealpost.tls_context(files / "ca.pem", files / "cert.pem", files / "key.pem")


class Server:
    """A server with its own state, which can be killed and started again."""

    def __init__(self, team, directory):
        self.team = team
        self.directory = pathlib.Path(directory)
        self.directory.mkdir()
        self.address = None
        self._process = None
        self._starts = 0
        self._config = self.directory / "sealpostd.conf"
        self._config.write_text(
            "listen = 127.0.0.1:0\n"
            f"team = {TEAM}\n"
            f"ca = {team.directory}/ca.pem\n"
            f"cert = {team.directory}/server/cert.pem\n"
            f"key = {team.directory}/server/key.pem\n"
            f"crl = {team.directory}/crl.pem\n"
            f"state = {self.directory}/state\n",
            encoding="utf-8",
        )

    def start(self):
        """Starts the server and waits until it listens."""
        self._starts += 1
        log = self.directory / f"stderr.{self._starts}"
        with log.open("wb") as stderr:
            self._process = subprocess.Popen(
                [os.environ["SEALPOSTD"], "run", "--config", self._config],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )
        self.address = ("127.0.0.1", self._wait_for_port(log))

    def _wait_for_port(self, log):
        deadline = time.monotonic() + START_SECONDS
        while True:
            ended = self._process.poll() is not None
            text = log.read_text(encoding="utf-8", errors="replace")
            for line in text.splitlines():
                port = re.search(r"\bport=(\d+)", line)
                if "event=listening" in line and port:
                    return int(port[1])
            if ended or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the server does not listen:\n{text}")
            time.sleep(0.02)

    def kill(self):
        """Ends the server as a crash would."""
        self._process.kill()
        self._process.wait()

    def stop(self):
        """Ends the server in order, and returns its exit status."""
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    @property
    def running(self):
        """Whether the server's process is there."""
        return self._process is not None and self._process.poll() is None

    def last_lines(self, count=40):
        """The end of what the server has said, for a failed test."""
        log = self.directory / f"stderr.{self._starts}"
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])


_shared = {}


def shared_directory():
    """The temporary directory of this run."""
    if "directory" not in _shared:
        directory = tempfile.TemporaryDirectory(prefix="sealpost-test-")
        unittest.addModuleCleanup(directory.cleanup)
        _shared["directory"] = pathlib.Path(directory.name)
    return _shared["directory"]


def shared_team():
    """The team, made once, since making keys and certificates takes a while."""
    if "team" not in _shared:
        _shared["team"] = Team(shared_directory() / "ca")
    return _shared["team"]


class ServerTestCase(unittest.TestCase):
    """Tests that share a server; each logs in anew, and uses names of its own."""

    @classmethod
    def setUpClass(cls):
        cls.team = shared_team()
        cls.server = Server(cls.team, shared_directory() / cls.__name__)
        cls.server.start()
        cls.addClassCleanup(cls._end_server)

    @classmethod
    def _end_server(cls):
        """Stops the server; it must have lived until now, and must end in order."""
        if not cls.server.running:
            raise AssertionError(f"the server has died:\n{cls.server.last_lines()}")
        status = cls.server.stop()
        if status != 0:
            raise AssertionError(f"the server ended with {status}:\n{cls.server.last_lines()}")

    def login(self, member, **options):
        """A session of a member, which ends with the test."""
        client = sealpost.Client(self.server.address, self.team.context(member), **options)
        self.addCleanup(client.abort)
        return client

    def room(self, name, creator, *members):
        """Creates a room and lets its creator and others join it."""
        self.assertFalse(creator.create_room(name).repeated)
        for member in (creator, *members):
            member.join(name)
        return name

    def directory(self):
        """A directory for what the test downloads."""
        directory = tempfile.TemporaryDirectory(dir=shared_directory())
        self.addCleanup(directory.cleanup)
        return pathlib.Path(directory.name)

    def assert_error(self, number, function, *arguments, **options):
        """Checks that a request is answered with a certain ERROR."""
        with self.assertRaises(sealpost.RequestError) as caught:
            function(*arguments, **options)
        self.assertEqual(caught.exception.number, number, caught.exception)
        return caught.exception

    def assert_quiet(self, client):
        """Checks that a session is alive, and that nothing comes that does not belong."""
        client.ping()
        client.listen(QUIET_SECONDS)

    def assert_fetched(self, client, file, content):
        """Downloads a file and compares it with what it should be."""
        destination = self.directory() / "fetched"
        info = client.download(file, destination)
        self.assertEqual(info.size, len(content))
        self.assertEqual(destination.read_bytes(), content)
        return info


# ---- The document's formats, without a server ----


class VectorTest(unittest.TestCase):
    """Frames, events and digests that were worked out by hand."""

    SALT = bytes(range(32))
    LOG = bytes(range(0xA0, 0xB0))
    CLIENT_ID = bytes(range(0xC0, 0xD0))
    DEVICE = bytes(range(0xD0, 0xE0))
    BODY = bytes.fromhex("01 0005") + b"hello"
    COMMITMENT = bytes.fromhex("404e4bced6cf24945772caada232efb5330b6e5deb2aabadf91978c6fedde179")
    HEAD_0 = bytes.fromhex("13631d1efb2fdf0f713bc27e68662c90765096e5a4754af0d9609c3b35872c71")
    HEAD_1 = bytes.fromhex("b0ccc2b3f0afa360118d5e748d7122065c9f7b4906b5aec8a74e3b0723d48f65")
    FILE_ID = bytes.fromhex("31b706aa93014e6f5b59fa8a1a452f97")
    HEADER = (
        bytes.fromhex("01 00 0001 00000008")
        + LOG
        + bytes.fromhex("0000000000000001 000001890abcdef0")
        + DEVICE
        + CLIENT_ID
        + COMMITMENT
    )

    PING = bytes.fromhex("0002 0000 03 00 0000 0801")
    POST = bytes.fromhex("0005 0002 15 00 0102 1203 0a0161 6869")

    def test_frames_are_encoded(self):
        ping = pb.Ping(token=1).SerializeToString()
        self.assertEqual(sealpost.encode_frame(FrameType.PING, 0, ping), self.PING)
        write = pb.Write(log=sealpost.log_key("a")).SerializeToString()
        self.assertEqual(sealpost.encode_frame(FrameType.POST, 0x0102, write, b"hi"), self.POST)

    def test_frames_are_decoded_from_pieces_of_any_size(self):
        stream = self.PING + self.POST + self.PING
        for size in range(1, len(stream) + 1):
            decoder = sealpost.FrameDecoder()
            frames = []
            for start in range(0, len(stream), size):
                decoder.feed(stream[start : start + size])
                while (frame := decoder.next()) is not None:
                    frames.append(frame)
            self.assertEqual(
                [(frame.type, frame.stream, frame.raw) for frame in frames],
                [(3, 0, b""), (21, 0x0102, b"hi"), (3, 0, b"")],
            )
            self.assertEqual(frames[1].message, bytes.fromhex("1203 0a0161"))

    def test_frames_out_of_limits_are_refused(self):
        for header in ("0801 0000 03 00 0000", "0000 8001 22 00 0001", "0000 0000 03 01 0000"):
            decoder = sealpost.FrameDecoder()
            decoder.feed(bytes.fromhex(header))
            with self.assertRaises(sealpost.ProtocolViolation):
                decoder.next()

    def test_messages_are_decoded_strictly(self):
        bad = (
            sealpost.Frame(FrameType.PONG, 0, b"\x08", b""),
            sealpost.Frame(FrameType.PONG, 0, b"", b"raw"),
            sealpost.Frame(FrameType.DATA, 1, b"\x08\x01", b""),
        )
        for frame in bad:
            with self.assertRaises(sealpost.ProtocolViolation):
                sealpost.decode_message(frame)
        later = sealpost.Frame(FrameType.PONG, 0, bytes.fromhex("0807 f83f01"), b"")
        self.assertEqual(sealpost.decode_message(later).token, 7)

    def test_digests(self):
        self.assertEqual(sealpost.commitment_of(self.SALT, self.BODY), self.COMMITMENT)
        self.assertEqual(sealpost.first_head(self.LOG), self.HEAD_0)
        self.assertEqual(sealpost.next_head(self.HEAD_0, self.HEADER), self.HEAD_1)
        self.assertEqual(sealpost.file_id_of(self.DEVICE, self.CLIENT_ID), self.FILE_ID)

    def test_an_event_is_parsed(self):
        event = sealpost.parse_event(self.HEADER + self.SALT + self.BODY, "alice")
        self.assertEqual(event.kind, EventKind.MESSAGE)
        self.assertEqual((event.log, event.sequence), (self.LOG, 1))
        self.assertEqual(event.time_ms, 1688102297328)
        self.assertEqual((event.author, event.client_id), (self.DEVICE, self.CLIENT_ID))
        self.assertEqual((event.text, event.member), ("hello", "alice"))

    def test_an_erased_event_is_parsed(self):
        event = sealpost.parse_event(self.HEADER)
        self.assertIsNone(event.body)
        self.assertIsNone(event.text)

    def test_bad_events_are_refused(self):
        whole = self.HEADER + self.SALT + self.BODY
        bad = [whole[:-1], whole + b"x", whole[:-1] + b"x", b"\2" + whole[1:], self.HEADER[:-1]]
        for raw in bad:
            with self.assertRaises(sealpost.ProtocolViolation):
                sealpost.parse_event(raw)

    def test_bodies(self):
        self.assertEqual(sealpost.parse_body(b""), {})
        fields = sealpost.parse_body(bytes.fromhex("02 0001 61 06 0008 0000000000000102 c8 0000"))
        self.assertEqual(fields[Tag.NAME], b"a")
        self.assertEqual(int.from_bytes(fields[Tag.SIZE], "big"), 258)
        for bad in ("02 00", "02 0002 61", "02 0000 02 0000", "02 0000 01 0000"):
            with self.assertRaises(sealpost.ProtocolViolation):
                sealpost.parse_body(bytes.fromhex(bad))

    def test_a_log_has_one_history(self):
        book = sealpost.ChainBook()
        book.note(self.LOG, 0, self.HEAD_0)
        book.note(self.LOG, 1, self.HEAD_1)
        with self.assertRaises(sealpost.ProtocolViolation):
            book.note(self.LOG, 1, self.HEAD_0)
        with self.assertRaises(sealpost.ProtocolViolation):
            book.note(self.DEVICE, 0, self.HEAD_0)

    def test_error_classes(self):
        classes = {
            1: ErrorClass.REFUSED,
            63: ErrorClass.REFUSED,
            64: ErrorClass.RETRY,
            95: ErrorClass.RETRY,
            96: ErrorClass.UNKNOWN,
            127: ErrorClass.UNKNOWN,
            4711: ErrorClass.UNKNOWN,
        }
        for number, expected in classes.items():
            self.assertEqual(sealpost.error_class(number), expected)


# ---- The connection ----


class LoginTest(ServerTestCase):
    """Who gets in, and what WELCOME says."""

    def test_welcome(self):
        welcome = self.login("alice").welcome
        self.assertEqual((welcome.team, welcome.username), (TEAM, "alice"))
        self.assertTrue(welcome.server)
        self.assertLess(abs(welcome.time_ms / 1000 - time.time()), 60)
        limits = welcome.limits
        self.assertLessEqual(limits.raw_bytes, sealpost.MAX_RAW)
        self.assertLessEqual(limits.message_bytes, sealpost.MAX_MESSAGE)
        self.assertGreaterEqual(limits.file_bytes, 5 * MIB)
        for name in ("text", "topic", "raw", "message", "file", "file_name"):
            self.assertGreater(getattr(limits, f"{name}_bytes"), 0, name)
        for name in ("page_rows", "follows", "requests", "transfers", "idle_ms"):
            self.assertGreater(getattr(limits, name), 0, name)

    def test_two_members_and_two_sessions_of_one(self):
        alice, again, bob = self.login("alice"), self.login("alice"), self.login("bob")
        self.assertEqual(bob.welcome.username, "bob")
        self.assertEqual(alice.welcome.device, again.welcome.device)
        self.assertNotEqual(alice.welcome.device, bob.welcome.device)
        self.assertEqual(alice.welcome.incarnation, bob.welcome.incarnation)

    def test_tls_is_1_3_without_tickets(self):
        alice = self.login("alice")
        alice.ping()
        self.assertEqual(alice.tls_facts(), ("TLSv1.3", False))

    def test_bye_from_the_client_ends_the_session(self):
        alice = self.login("alice")
        alice.send(FrameType.BYE, sealpost.CONNECTION_STREAM, pb.Bye())
        _, end = alice.wait_for_end()
        self.assertNotIsInstance(end, (sealpost.ConnectionCut, sealpost.TlsAlert))

    def assert_refused(self, context):
        """Checks that TLS fails, and that no WELCOME comes."""
        with self.assertRaises((sealpost.TlsAlert, sealpost.ConnectionCut)):
            sealpost.Client(self.server.address, context)

    def test_a_revoked_certificate_is_refused(self):
        self.assert_refused(self.team.context(Team.REVOKED))

    def test_no_certificate_is_refused(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.team.directory / "root.pem")
        context.set_alpn_protocols([sealpost.ALPN])
        self.assert_refused(context)

    def test_another_application_protocol_is_refused(self):
        context = self.team.context("alice")
        context.set_alpn_protocols(["http/1.1"])
        self.assert_refused(context)

    def test_no_application_protocol_is_refused(self):
        context = self.team.context("alice")
        context.set_alpn_protocols([])
        self.assert_refused(context)

    def test_older_tls_is_refused(self):
        context = self.team.context("alice")
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.assert_refused(context)


class ConnectionTest(ServerTestCase):
    """PING, and frames that a server does not want."""

    def test_ping_and_status(self):
        alice = self.login("alice")
        for _ in range(3):
            alice.ping()
        status = alice.status()
        self.assertEqual(status.server, alice.welcome.server)
        self.assertLessEqual(status.started_ms, status.time_ms)
        self.assertGreaterEqual(status.sessions, 1)
        self.assertGreaterEqual(status.members_online, 1)
        self.assertGreater(status.certificate_not_after_ms, status.time_ms)
        self.assertGreater(status.crl_next_update_ms, status.time_ms)

    def test_an_unknown_request_is_answered_and_changes_nothing(self):
        alice = self.login("alice")
        for frame_type in (99, 255):
            exchange = alice.start(frame_type, None, b"what may this be")
            error = self.assert_error(ErrorNumber.UNSUPPORTED, exchange.next, FrameType.DONE)
            self.assertEqual(error.error_class, ErrorClass.REFUSED)
        alice.ping()

    def test_unknown_fields_are_ignored(self):
        alice = self.login("alice")
        later = bytes.fromhex("f83f01")
        token = pb.Ping(token=5).SerializeToString()
        alice.send_bytes(sealpost.encode_frame(FrameType.PING, 0, token + later))
        alice.wait_until(lambda: 5 in alice.pongs)

    def test_malformed_frames_end_the_connection(self):
        short_id = pb.Create(once=pb.Once(client_id=b"x" * 15, salt=b"y" * 32), name="room")
        bad_frames = {
            "message too long": sealpost.FRAME_HEADER.pack(2049, 0, FrameType.PING, 0, 0),
            "raw part too long": sealpost.FRAME_HEADER.pack(0, 32769, FrameType.DATA, 0, 1),
            "no protobuf": sealpost.encode_frame(FrameType.PING, 0, b"\xff\xff\xff"),
            "raw part where none belongs": sealpost.encode_frame(FrameType.PING, 0, raw=b"x"),
            "an id of another length": sealpost.encode_frame(
                FrameType.ROOM_CREATE, 1, short_id.SerializeToString()
            ),
        }
        for what, bad in bad_frames.items():
            with self.subTest(what):
                alice = self.login("alice")
                alice.send_bytes(bad)
                bye, end = alice.wait_for_end()
                self.assertIsNotNone(bye, end)
                self.assertEqual(bye.number, ErrorNumber.PROTOCOL)
                self.assertNotIsInstance(end, (sealpost.ConnectionCut, sealpost.TlsAlert))

    def test_presence(self):
        alice = self.login("alice")
        alice.watch_presence()
        alice.wait_until(lambda: alice.online.get("alice"))
        alice.wait_until(lambda: not alice.online.get("bob"))
        bob = self.login("bob")
        alice.wait_until(lambda: alice.online.get("bob"))
        carol = self.login("carol")
        carol.watch_presence()
        carol.wait_until(lambda: carol.online.get("alice") and carol.online.get("bob"))
        self.assertTrue(alice.list_members()["bob"].online)
        bob.close()
        alice.wait_until(lambda: not alice.online["bob"])
        carol.abort()
        alice.wait_until(lambda: not alice.online.get("carol"))
        self.assertFalse(alice.list_members()["bob"].online)
        alice.watch_presence(False)


# ---- Rooms ----


class RoomTest(ServerTestCase):
    """Rooms, their events and their lists."""

    def test_a_conversation(self):
        alice, bob = self.login("alice"), self.login("bob")
        room = self.room("conversation", alice, bob)
        views = [alice.follow(room), bob.follow(room)]
        texts = ["first", "zweite – mit Umlaut: ü", "third\nwith a second line", "🦀"]
        results = []
        for number, text in enumerate(texts):
            results.append((alice, bob)[number % 2].post(room, text))
        bob.set_topic(room, "what it is about")
        last = alice.post(room, "end")

        for client, view in zip((alice, bob), views):
            client.wait_until(lambda view=view: view.next_sequence > last.sequence)
        self.assertEqual(views[0].events, views[1].events)
        self.assertEqual(views[0].head, last.hash)
        self.assert_conversation(views[0].events, texts, results, (alice, bob))

    def assert_conversation(self, events, texts, results, authors):
        """Checks every event of the conversation against what was sent and answered."""
        created = events[0]
        self.assertEqual(created.kind, EventKind.LOG_CREATED)
        self.assertEqual((created.name, created.subject), ("conversation", "alice"))
        self.assertEqual(created.number, LogKind.OPEN_ROOM)
        joined = [event for event in events if event.kind == EventKind.JOINED]
        self.assertIn("bob", [event.subject for event in joined])
        topics = [event for event in events if event.kind == EventKind.TOPIC]
        self.assertEqual([event.text for event in topics], ["what it is about"])
        messages = [event for event in events if event.kind == EventKind.MESSAGE]
        self.assertEqual([event.text for event in messages], [*texts, "end"])
        for number, (event, result) in enumerate(zip(messages, results)):
            author = authors[number % 2].welcome
            self.assertEqual((event.author, event.member), (author.device, author.username))
            self.assertEqual((event.sequence, event.time_ms), (result.sequence, result.time_ms))

    def test_joining_again_makes_no_event(self):
        alice, bob = self.login("alice"), self.login("bob")
        room = self.room("twice", alice, bob)
        before = len(alice.read(room))
        self.assertTrue(bob.join(room).repeated)
        self.assertEqual(len(alice.read(room)), before)

    def test_requests_are_carried_out_in_order(self):
        alice = self.login("alice")
        room = self.room("pipeline", alice)
        view = alice.follow(room)
        before = view.log.head_sequence
        count = min(100, alice.welcome.limits.requests + 10)
        texts = [f"message {number}" for number in range(count)]
        exchanges = [alice.start_write(FrameType.POST, room, text) for text in texts]
        sequences = [alice.finish_write(exchange).sequence for exchange in exchanges]
        self.assertEqual(sequences, list(range(before + 1, before + 1 + count)))
        alice.wait_until(lambda: view.next_sequence > sequences[-1])
        self.assertEqual([event.text for event in view.events[before:]], texts)

    def test_the_same_client_id_makes_one_event(self):
        alice, bob = self.login("alice"), self.login("bob")
        room = self.room("once", alice, bob)
        view = bob.follow(room)
        once = Once.fresh()
        first = alice.post(room, "only once", once)
        self.assertFalse(first.repeated)
        alice.post(room, "something else")
        again = alice.post(room, "only once", once)
        later = self.login("alice").post(room, "only once", once)
        for result in (again, later):
            self.assertTrue(result.repeated)
            self.assertEqual(result.sequence, first.sequence)
            self.assertEqual(result.hash, first.hash)
            self.assertEqual(result.time_ms, first.time_ms)
        bob.post(room, "only once", once)  # Another device: another thing.
        self.assert_quiet(bob)
        texts = [event.text for event in view.events if event.kind == EventKind.MESSAGE]
        self.assertEqual(texts, ["only once", "something else", "only once"])

    def test_every_write_can_be_repeated(self):
        alice, bob = self.login("alice"), self.login("bob")
        for create in (alice.create_room, alice.create_box):
            name = f"repeated-{create.__name__}"
            once = Once.fresh()
            first = create(name, once)
            again = create(name, once)
            self.assertEqual((first.repeated, again.repeated), (False, True))
            self.assertEqual((again.log.id, again.hash), (first.log.id, first.hash))
        room = self.room("repeated", alice)
        for write in (bob.join, lambda log, once: bob.set_topic(log, "t", once), bob.leave):
            once = Once.fresh()
            first = write(room, once)
            again = write(room, once)
            self.assertEqual((first.repeated, again.repeated), (False, True))
            self.assertEqual((again.sequence, again.hash), (first.sequence, first.hash))

    def test_a_client_id_for_something_else_is_a_conflict(self):
        alice = self.login("alice")
        room, other = self.room("conflict", alice), self.room("conflict-2", alice)
        once = Once.fresh()
        alice.post(room, "this", once)
        salted = Once(once.client_id, b"s" * 32)
        attempts = (
            lambda: alice.post(room, "that", once),
            lambda: alice.post(other, "this", once),
            lambda: alice.set_topic(room, "this", once),
            lambda: alice.post(room, "this", salted),
            lambda: alice.upload(room, "file", b"this", once),
        )
        for attempt in attempts:
            error = self.assert_error(ErrorNumber.CONFLICT, attempt)
            self.assertEqual(error.error_class, ErrorClass.REFUSED)
        messages = [event for event in alice.read(room) if event.kind == EventKind.MESSAGE]
        self.assertEqual([event.text for event in messages], ["this"])

    def test_pages(self):
        alice = self.login("alice")
        room = self.room("pages", alice)
        for number in range(10):
            head = alice.post(room, f"message {number}").sequence
        whole = alice.read(room)
        self.assertEqual([event.sequence for event in whole], list(range(1, head + 1)))
        for after in (0, 1, head - 3, head - 1, head):
            self.assertEqual(alice.read(room, after=after), whole[after:])
        for last in (1, 3, head, head + 7):
            self.assertEqual(alice.read(room, last=last), whole[-last:])

    def test_a_page_ends_by_itself(self):
        alice = self.login("alice")
        room = self.room("page-end", alice)
        head = alice.post(room, "old").sequence
        page = alice.follow(room, last=1, live=False)
        alice.wait_until(lambda: not page.open)
        self.assertEqual([event.text for event in page.events], ["old"])
        empty = alice.follow(room, after=head, live=False)
        self.assertEqual(empty.next_sequence, head + 1)
        self.assertFalse(empty.open)
        alice.post(room, "new")
        self.assert_quiet(alice)  # An event that belongs to no cursor would be a violation.

    def test_following_on_from_a_kept_head(self):
        alice = self.login("alice")
        room = self.room("extended", alice)
        alice.post(room, "seen")
        kept = alice.read(room)[-1].sequence
        alice.post(room, "missed")
        again = self.login("alice", book=alice.book)
        view = again.follow(room, after=kept)
        again.wait_events(view, 1)
        alice.post(room, "live")
        again.wait_events(view, 2)
        self.assertEqual([event.text for event in view.events], ["missed", "live"])

    def test_a_second_follow_replaces_the_first(self):
        alice = self.login("alice")
        room = self.room("replaced", alice)
        first = alice.follow(room)
        alice.wait_until(lambda: first.caught_up)
        second = alice.follow(room, last=1)
        alice.wait_until(lambda: second.caught_up)
        alice.post(room, "to the second")
        alice.wait_events(second, 2)
        self.assert_quiet(alice)
        self.assertEqual(len(second.events), 2)

    def test_unfollow(self):
        alice, bob = self.login("alice"), self.login("bob")
        room = self.room("unfollowed", alice, bob)
        view = alice.follow(room)
        alice.wait_until(lambda: view.caught_up)
        alice.unfollow(view.log.id)
        bob.post(room, "unseen")
        self.assert_quiet(alice)
        self.assertNotIn("unseen", [event.text for event in view.events])

    def test_leaving_ends_following_everywhere(self):
        alice, bob, elsewhere = self.login("alice"), self.login("bob"), self.login("bob")
        room = self.room("left", alice, bob)
        watching = alice.follow(room)
        views = {bob: bob.follow(room), elsewhere: elsewhere.follow(room)}
        bob.leave(room)
        alice.post(room, "behind his back")
        for client, view in views.items():
            client.wait_until(lambda view=view: view.ended is not None)
            self.assertEqual(view.ended, ErrorNumber.NOT_JOINED)
            self.assertNotIn("behind his back", [event.text for event in view.events])
        alice.wait_until(lambda: "behind his back" in [event.text for event in watching.events])
        left = [event for event in watching.events if event.kind == EventKind.LEFT]
        self.assertEqual([event.subject for event in left], ["bob"])
        self.assert_error(ErrorNumber.NOT_JOINED, bob.post, room, "still here?")

    def test_a_room_is_for_those_who_are_in_it(self):
        alice, bob = self.login("alice"), self.login("bob")
        room = self.room("closed-to-bob", alice)
        self.assertFalse(bob.list_logs()[room].joined)
        attempts = (
            lambda: bob.follow(room),
            lambda: bob.post(room, "hello?"),
            lambda: bob.set_topic(room, "mine"),
            lambda: bob.upload(room, "file", b"x"),
            lambda: bob.list_members(room),
            lambda: bob.list_files(room),
        )
        for attempt in attempts:
            self.assert_error(ErrorNumber.NOT_JOINED, attempt)

    def test_names(self):
        alice, bob = self.login("alice"), self.login("bob")
        self.room("taken", alice)
        self.assert_error(ErrorNumber.EXISTS, bob.create_room, "taken")
        self.assert_error(ErrorNumber.EXISTS, bob.create_box, "taken")
        self.assert_error(ErrorNumber.NOT_FOUND, bob.join, "nowhere")
        self.assert_error(ErrorNumber.NOT_FOUND, bob.join, bytes(range(16)))
        for name in ("", "Upper", ".dot", "a b", "ü", "a/b"):
            self.assert_error(ErrorNumber.BAD_NAME, bob.create_room, name)
        longest = "x" * 64
        self.assertEqual(bob.create_room(longest).log.name, longest)

    def test_a_log_by_its_id(self):
        alice = self.login("alice")
        log = alice.read(self.room("by-id", alice))[0].log
        self.assertEqual(alice.post(log, "to the id").log.name, "by-id")
        self.assertEqual(alice.read(log, last=1)[0].text, "to the id")

    def test_texts_have_limits(self):
        alice = self.login("alice")
        room = self.room("limits", alice)
        limits = alice.welcome.limits
        longest = "x" * limits.text_bytes
        alice.post(room, longest)
        self.assertEqual(alice.read(room, last=1)[0].text, longest)
        alice.set_topic(room, "x" * limits.topic_bytes)
        self.assert_error(ErrorNumber.TOO_LARGE, alice.post, room, longest + "x")
        too_long = "x" * (limits.topic_bytes + 1)
        self.assert_error(ErrorNumber.TOO_LARGE, alice.set_topic, room, too_long)

    def test_lists(self):
        alice, bob = self.login("alice"), self.login("bob")
        room = self.room("listed", alice)
        alice.create_box("listed-box")
        alice.set_topic(room, "a topic")
        logs = bob.list_logs()
        self.assertEqual(logs[room].log.kind, LogKind.OPEN_ROOM)
        self.assertEqual(logs["listed-box"].log.kind, LogKind.BOX)
        self.assertEqual(logs[room].topic, "a topic")
        self.assertEqual((logs[room].members, logs[room].joined), (1, False))
        bob.join(room)
        logs = bob.list_logs()
        self.assertEqual((logs[room].members, logs[room].joined), (2, True))
        self.assertEqual(bob.list_logs(limit=1).keys(), logs.keys())
        rows, more = bob.list_page(pb.List.LOGS, limit=1)
        self.assertEqual((len(rows), more), (1, True))

        members = bob.list_members(room)
        self.assertEqual(members.keys(), {"alice", "bob"})
        self.assertTrue(members["alice"].owner)
        self.assertFalse(members["bob"].owner)
        self.assertLessEqual({"alice", "bob"}, bob.list_members().keys())
        self.assertEqual(bob.list_files(room), [])


class ReadStateTest(ServerTestCase):
    """Markers, what is unread, and who is mentioned (section 8)."""

    def test_all_sessions_of_a_member_have_the_same(self):
        alice, bob, phone = self.login("alice"), self.login("bob"), self.login("bob")
        room = self.room("marked", alice, bob)
        row = bob.list_logs()[room]
        self.assertEqual((row.read, row.unread, row.mentions), (2, 0, 0))
        for text in ("three", "four @bob,", "five bob@bob", "six @bobby @alice"):
            alice.post(room, text)
        alice.set_topic(room, "@bob")  # seven
        phone.wait_until(lambda: room in phone.read_states)
        state = phone.read_states[room]
        self.assertEqual((state.sequence, state.unread, state.mentions, state.log.head_sequence), (2, 2, 1, 4))
        row = bob.list_logs()[room]
        self.assertEqual((row.read, row.unread, row.mentions), (2, 4, 1))
        marked = bob.mark_read(room, 5)
        self.assertEqual((marked.sequence, marked.unread, marked.mentions, marked.log.head_sequence), (5, 1, 0, 7))
        phone.wait_until(lambda: phone.read_states[room].sequence == 5)
        self.assertEqual(phone.read_states[room], marked)
        self.assertEqual(bob.mark_read(room, 3), marked)  # never back
        self.assertEqual(bob.mark_read(room, 2**63).sequence, 7)  # the head
        self.assertEqual(bob.mark_read(room, 7).unread, 0)
        phone.post(room, "eight")  # nothing was unread, and nothing is
        row = alice.list_logs()[room]
        self.assertEqual((row.read, row.unread, row.mentions), (6, 1, 0))
        row = bob.list_logs()[room]
        self.assertEqual((row.read, row.unread, row.mentions), (8, 0, 0))

    def test_who_may_not(self):
        alice, bob = self.login("alice"), self.login("bob")
        room = self.room("unmarked", alice)
        alice.create_box("unmarked-box")
        self.assert_error(ErrorNumber.NOT_JOINED, bob.mark_read, room, 1)
        self.assert_error(ErrorNumber.FORBIDDEN, bob.mark_read, "unmarked-box", 1)
        self.assert_error(ErrorNumber.NOT_FOUND, bob.mark_read, "no-such-room", 1)
        bob.join(room)
        bob.leave(room)
        self.assert_error(ErrorNumber.NOT_JOINED, bob.mark_read, room, 1)
        row = bob.list_logs()[room]
        self.assertEqual((row.read, row.unread, row.mentions), (0, 0, 0))


class RateTest(ServerTestCase):
    """Events that come faster than the server wants them."""

    def test_what_was_too_fast_succeeds_later_and_once(self):
        alice = self.login("alice")
        limits = alice.welcome.limits
        if limits.messages_per_second == 0:
            self.skipTest("this server takes any number of events")
        room = self.room("too-fast", alice)
        count = limits.message_burst + limits.messages_per_second
        requests = [(f"message {number}", Once.fresh()) for number in range(count)]
        exchanges = [
            alice.start_write(FrameType.POST, room, text, once) for text, once in requests
        ]
        errors = [self.error_of(exchange) for exchange in exchanges]
        self.assertTrue(any(errors))
        for error, (text, once) in zip(errors, requests):
            if error is not None:
                self.assertEqual(error.number, ErrorNumber.SLOW_DOWN)
                self.assertEqual(error.error_class, ErrorClass.RETRY)
                self.assertGreater(error.retry_after_ms, 0)
                sealpost.insist(lambda text=text, once=once: alice.post(room, text, once))

        sent = {once.client_id for _, once in requests}
        messages = [event for event in alice.read(room) if event.kind == EventKind.MESSAGE]
        self.assertEqual(len(messages), len(sent))
        self.assertEqual({event.client_id for event in messages}, sent)

    def error_of(self, exchange):
        """The error with which a request was answered, or None."""
        try:
            exchange.client.finish_write(exchange)
        except sealpost.RequestError as error:
            return error
        return None


# ---- Files ----


class FileTest(ServerTestCase):
    """Files in rooms."""

    def test_upload_and_download(self):
        alice, bob = self.login("alice"), self.login("bob")
        room = self.room("files", alice, bob)
        view = bob.follow(room)
        for what, size in SIZES.items():
            with self.subTest(what):
                content = content_of(size)
                stored = alice.upload(room, f"{what}.bin", content)
                self.assertFalse(stored.repeated)
                self.assert_file(stored.file, room, "alice", f"{what}.bin", content)
                info = self.assert_fetched(bob, stored.file.id.hex(), content)
                self.assertEqual(info, stored.file)
                bob.wait_until(lambda: view.next_sequence > stored.file.sequence)
                self.assert_file_event(view.events[stored.file.sequence - 1], stored.file)
        names = sorted(file.name for file in bob.list_files(room))
        self.assertEqual(names, sorted(f"{what}.bin" for what in SIZES))

    def assert_file(self, file, log, member, name, content):
        """Checks what the server says about a file."""
        self.assertEqual((file.log_name, file.member, file.name), (log, member, name))
        self.assertEqual(file.size, len(content))
        self.assertEqual(file.sha256, hashlib.sha256(content).digest())

    def assert_file_event(self, event, file):
        """Checks that an event tells the same as a FileInfo."""
        self.assertEqual(event.kind, EventKind.FILE)
        self.assertEqual((event.name, event.size), (file.name, file.size))
        self.assertEqual(event.fields[Tag.FILE], file.id)
        self.assertEqual(event.fields[Tag.SHA256], file.sha256)
        self.assertEqual(sealpost.file_id_of(event.author, event.client_id), file.id)
        self.assertEqual((event.member, event.time_ms), (file.member, file.time_ms))

    def test_a_size_may_be_unknown(self):
        alice = self.login("alice")
        room = self.room("unknown-size", alice)
        content = content_of(300 * KIB)
        stored = alice.upload(room, "stream", content, size_unknown=True)
        self.assert_fetched(alice, stored.file.id.hex(), content)

    def test_a_wrong_digest_is_refused_and_leaves_nothing(self):
        alice, bob = self.login("alice"), self.login("bob")
        room = self.room("wrong-digest", alice, bob)
        view = bob.follow(room)
        upload = sealpost.Upload(alice)
        self.assertIsNone(upload.offer(room, "bad", 5))
        upload.send(b"bytes")
        wrong = hashlib.sha256(b"others").digest()
        self.assert_error(ErrorNumber.DIGEST_MISMATCH, upload.commit, 5, wrong)
        self.assertEqual(alice.list_files(room), [])
        self.assert_quiet(bob)
        self.assertNotIn(EventKind.FILE, [event.kind for event in view.events])
        missing = sealpost.file_id_of(alice.welcome.device, upload.once.client_id).hex()
        self.assert_error(ErrorNumber.NOT_FOUND, sealpost.Download, alice, missing, 0, KIB)
        # The client id has stored nothing, and can still be used for the right thing.
        self.assertFalse(alice.upload(room, "bad", b"bytes", upload.once).repeated)

    def test_a_wrong_size_is_refused(self):
        alice = self.login("alice")
        room = self.room("wrong-size", alice)
        upload = sealpost.Upload(alice)
        self.assertIsNone(upload.offer(room, "short", 6))
        upload.send(b"bytes")
        digest = hashlib.sha256(b"bytes").digest()
        self.assert_error(ErrorNumber.SIZE_MISMATCH, upload.commit, 5, digest)
        self.assertEqual(alice.list_files(room), [])

    def test_a_file_too_large_is_refused_before_any_byte(self):
        alice = self.login("alice")
        room = self.room("too-large", alice)
        upload = sealpost.Upload(alice)
        size = alice.welcome.limits.file_bytes + 1
        self.assert_error(ErrorNumber.TOO_LARGE, upload.offer, room, "huge", size)

    def test_file_names(self):
        alice = self.login("alice")
        room = self.room("file-names", alice)
        for name in ("ü – 🦀.txt", "x" * 255, "...", "with space", "-rf"):
            self.assertEqual(alice.upload(room, name, b"").file.name, name)
        for name in ("", ".", "..", "a/b", "a\\b", "a\nb", "a\x7f", "a\u202eb"):
            self.assert_error(ErrorNumber.BAD_NAME, alice.upload, room, name, b"")

    def test_offering_again_finds_it_stored(self):
        alice = self.login("alice")
        room = self.room("offered-again", alice)
        once = Once.fresh()
        content = content_of(50 * KIB)
        first = alice.upload(room, "file", content, once)
        for client in (alice, self.login("alice")):
            upload = sealpost.Upload(client, once)
            again = upload.offer(room, "file", len(content))
            self.assertIsNotNone(again)
            self.assertTrue(again.repeated)
            self.assertEqual((again.file, again.hash), (first.file, first.hash))
        self.assertEqual(alice.list_files(room), [first.file])

    def test_a_cancelled_upload_leaves_nothing(self):
        alice = self.login("alice")
        room = self.room("cancelled", alice)
        upload = sealpost.Upload(alice)
        upload.offer(room, "never", 100 * KIB)
        upload.send(content_of(min(upload.credit, 10 * KIB)))
        self.assertIsNone(upload.cancel())
        self.assertEqual(alice.list_files(room), [])

    def test_an_upload_cut_off_leaves_nothing(self):
        alice = self.login("alice")
        room = self.room("cut", alice)
        cut = self.login("alice")
        upload = sealpost.Upload(cut)
        upload.offer(room, "never", 100 * KIB)
        upload.send(content_of(KIB))
        cut.abort()
        self.assert_quiet(alice)
        self.assertEqual(alice.list_files(room), [])

    def test_too_many_transfers_are_refused(self):
        alice = self.login("alice")
        room = self.room("transfers", alice)
        uploads = []
        for number in range(alice.welcome.limits.transfers):
            uploads.append(sealpost.Upload(alice))
            uploads[-1].offer(room, f"file {number}", 1)
        one_more = sealpost.Upload(alice)
        self.assert_error(ErrorNumber.LIMIT, one_more.offer, room, "one more", 1)
        uploads.pop().cancel()
        self.assertIsNone(one_more.offer(room, "one more", 1))
        digest = hashlib.sha256(b"x").digest()
        for upload in (*uploads, one_more):
            upload.send(b"x")
            upload.commit(1, digest)
        self.assertEqual(len(alice.list_files(room)), len(uploads) + 1)

    def test_a_file_by_its_first_digits(self):
        alice = self.login("alice")
        room = self.room("prefix", alice)
        content = content_of(KIB)
        file = alice.upload(room, "file", content).file
        for digits in (6, 7, 8, 31, 32):
            self.assertEqual(self.assert_fetched(alice, file.id.hex()[:digits], content), file)
        nowhere = sealpost.file_id_of(file.log, file.id).hex()
        self.assert_error(ErrorNumber.NOT_FOUND, sealpost.Download, alice, nowhere, 0, KIB)

    def test_a_download_goes_on_where_it_ended(self):
        alice = self.login("alice")
        room = self.room("offset", alice)
        content = content_of(1 * MIB)
        file = alice.upload(room, "file", content).file.id.hex()
        for held in (1, 32768, 700_001, len(content) - 1, len(content)):
            destination = self.directory() / "file"
            destination.with_name("file.part").write_bytes(content[:held])
            alice.download(file, destination)
            self.assertEqual(destination.read_bytes(), content)

    def test_a_download_keeps_to_its_credit(self):
        alice = self.login("alice")
        room = self.room("credit", alice)
        content = content_of(200 * KIB)
        file = alice.upload(room, "file", content).file.id.hex()
        self.assertEqual(b"".join(sealpost.Download(alice, file, 0, 1000)), content)
        download = sealpost.Download(alice, file, 0, 50_000)
        alice.listen(QUIET_SECONDS)
        arrived = sum(len(data) for _, _, data in download.exchange.inbox)
        self.assertEqual(arrived, 50_000)
        self.assertEqual(b"".join(download), content)

    def test_a_download_can_be_cancelled(self):
        alice = self.login("alice")
        room = self.room("enough", alice)
        file = alice.upload(room, "file", content_of(1 * MIB)).file.id.hex()
        download = sealpost.Download(alice, file, 0, 100_000)
        download.cancel()
        self.assert_quiet(alice)

    def test_a_file_is_for_those_who_are_in_its_room(self):
        alice, bob = self.login("alice"), self.login("bob")
        room = self.room("not-for-bob", alice)
        file = alice.upload(room, "file", b"secret").file.id.hex()
        with self.assertRaises(sealpost.RequestError) as caught:
            sealpost.Download(bob, file, 0, KIB)
        self.assertIn(caught.exception.number, (ErrorNumber.NOT_FOUND, ErrorNumber.NOT_JOINED))


class BoxTest(ServerTestCase):
    """Boxes: notices for all, submissions for their sender and the owner."""

    def test_submissions_of_all_sizes(self):
        alice, bob = self.login("alice"), self.login("bob")
        alice.create_box("homework")
        for what, size in SIZES.items():
            with self.subTest(what):
                content = content_of(size)
                file = bob.upload("homework", f"{what}.bin", content).file
                self.assertEqual((file.log_name, file.member), ("homework", "bob"))
                self.assert_fetched(bob, file.id.hex(), content)
                self.assert_fetched(alice, file.id.hex(), content)
        self.assertEqual(len(alice.list_files("homework")), len(SIZES))
        self.assertEqual(len(bob.list_files("homework")), len(SIZES))

    def test_submitters_do_not_see_each_other(self):
        alice, bob, carol = (self.login(member) for member in Team.MEMBERS)
        alice.create_box("secret-box")
        from_bob = bob.upload("secret-box", "from bob", b"bob's").file
        from_carol = carol.upload("secret-box", "from carol", b"carol's").file
        self.assertNotEqual(from_bob.log, from_carol.log)
        self.assertEqual(bob.list_files("secret-box"), [from_bob])
        self.assertEqual(carol.list_files("secret-box"), [from_carol])
        names = sorted(file.name for file in alice.list_files("secret-box"))
        self.assertEqual(names, ["from bob", "from carol"])
        self.assert_hidden(carol, from_bob)
        self.assert_hidden(bob, from_carol)
        for reader in (alice, bob):
            self.assert_submission_log(reader, from_bob)
            self.assert_fetched(reader, from_bob.id.hex(), b"bob's")

    def test_a_hidden_file_makes_no_prefix_ambiguous(self):
        alice, bob, carol = (self.login(member) for member in Team.MEMBERS)
        alice.create_box("prefixes")
        from_bob, from_carol, digits = self.colliding(bob, carol)
        bob.upload("prefixes", "from bob", b"bob's", from_bob)
        carol.upload("prefixes", "from carol", b"carol's", from_carol)
        self.assertEqual(self.assert_fetched(bob, digits, b"bob's").name, "from bob")
        self.assertEqual(self.assert_fetched(carol, digits, b"carol's").name, "from carol")
        with self.assertRaises(sealpost.RequestError) as caught:
            sealpost.Download(alice, digits, 0, KIB)
        self.assertEqual(caught.exception.error_class, ErrorClass.REFUSED)

    def colliding(self, one, other):
        """Client ids of two members for files whose ids begin with the same six digits."""
        seen = {}
        while True:
            mine, theirs = Once.fresh(), Once.fresh()
            file = sealpost.file_id_of(one.welcome.device, mine.client_id)
            seen[file.hex()[:6]] = mine
            file = sealpost.file_id_of(other.welcome.device, theirs.client_id)
            digits = file.hex()[:6]
            if digits in seen:
                return seen[digits], theirs, digits

    def assert_hidden(self, client, file):
        """Checks that a file and its log do not exist for a member."""
        for digits in (32, 8):
            self.assert_error(
                ErrorNumber.NOT_FOUND, sealpost.Download, client, file.id.hex()[:digits], 0, KIB
            )
        self.assert_error(ErrorNumber.NOT_FOUND, client.follow, file.log)
        self.assertNotIn(file.log, [row.log.id for row in client.list_logs().values()])

    def assert_submission_log(self, client, file):
        """Checks the log in which a submission is an event."""
        events = client.read(file.log)
        self.assertEqual(events[0].number, LogKind.SUBMISSION)
        self.assertEqual(events[0].subject, file.member)
        event = events[file.sequence - 1]
        self.assertEqual((event.kind, event.name), (EventKind.FILE, file.name))
        self.assertEqual(event.fields[Tag.FILE], file.id)

    def test_notices(self):
        alice, bob = self.login("alice"), self.login("bob")
        alice.create_box("notices")
        view = bob.follow("notices")
        notice = alice.post("notices", "hand in by Friday")
        bob.wait_until(lambda: view.next_sequence > notice.sequence)
        self.assertEqual(view.events[-1].text, "hand in by Friday")
        self.assertEqual(view.events[0].number, LogKind.BOX)
        self.assert_error(ErrorNumber.FORBIDDEN, bob.post, "notices", "no time")

    def test_a_wrong_digest_leaves_nothing_in_a_box(self):
        alice, bob = self.login("alice"), self.login("bob")
        alice.create_box("strict")
        upload = sealpost.Upload(bob)
        upload.offer("strict", "bad", 5)
        upload.send(b"bytes")
        wrong = hashlib.sha256(b"others").digest()
        self.assert_error(ErrorNumber.DIGEST_MISMATCH, upload.commit, 5, wrong)
        self.assertEqual(alice.list_files("strict"), [])
        self.assertEqual(bob.list_files("strict"), [])

    def test_submitting_again_finds_it_stored(self):
        alice, bob = self.login("alice"), self.login("bob")
        alice.create_box("again")
        once = Once.fresh()
        first = bob.upload("again", "file", b"content", once)
        again = bob.upload("again", "file", b"content", once)
        self.assertEqual((first.repeated, again.repeated), (False, True))
        self.assertEqual((again.file, again.hash), (first.file, first.hash))
        self.assertEqual(alice.list_files("again"), [first.file])


# ---- Crashes ----


class CrashTest(ServerTestCase):
    """kill -9 of the server: what it has acknowledged is there, and once."""

    def restart(self):
        """Kills the server and starts it again."""
        self.server.kill()
        self.server.start()

    def test_an_acknowledged_event_is_there_once(self):
        alice = self.login("alice")
        room = self.room("acknowledged", alice)
        once = Once.fresh()
        first = alice.post(room, "acknowledged", once)
        self.restart()

        again = self.login("alice", book=alice.book)
        self.assertEqual(again.welcome.incarnation, alice.welcome.incarnation)
        self.assertEqual(again.welcome.device, alice.welcome.device)
        events = [event for event in again.read(room) if event.client_id == once.client_id]
        self.assertEqual([event.sequence for event in events], [first.sequence])
        repeated = again.post(room, "acknowledged", once)
        self.assertTrue(repeated.repeated)
        self.assertEqual((repeated.sequence, repeated.hash), (first.sequence, first.hash))
        self.assertEqual(again.read(room)[-1].sequence, first.sequence)

    def test_what_was_not_answered_can_be_asked_again(self):
        alice = self.login("alice")
        room = self.room("interrupted", alice)
        requests = [(f"message {number}", Once.fresh()) for number in range(60)]
        exchanges = [
            alice.start_write(FrameType.POST, room, text, once) for text, once in requests
        ]
        alice.finish_write(exchanges[0])
        self.restart()
        with self.assertRaises(sealpost.SessionEnded):
            alice.wait_until(lambda: False)

        again = self.login("alice", book=alice.book)
        for text, once in requests:
            again.post(room, text, once)
        messages = [event for event in again.read(room) if event.kind == EventKind.MESSAGE]
        self.assertEqual(
            [(event.text, event.client_id) for event in messages],
            [(text, once.client_id) for text, once in requests],
        )

    def test_an_upload_of_unknown_outcome_can_be_offered_again(self):
        alice = self.login("alice")
        room = self.room("upload-interrupted", alice)
        once = Once.fresh()
        content = content_of(100 * KIB)
        upload = sealpost.Upload(alice, once)
        upload.offer(room, "file", len(content))
        upload.send(content)
        digest = hashlib.sha256(content).digest()
        commit = pb.Commit(size=len(content), sha256=digest)
        upload.exchange.send(FrameType.COMMIT, commit)
        alice.drain()
        self.restart()

        again = self.login("alice", book=alice.book)
        stored = again.upload(room, "file", content, once)
        self.assertEqual(again.list_files(room), [stored.file])
        self.assert_fetched(again, stored.file.id.hex(), content)

    def test_an_acknowledged_file_is_there(self):
        alice = self.login("alice")
        room = self.room("file-acknowledged", alice)
        content = content_of(300 * KIB)
        once = Once.fresh()
        stored = alice.upload(room, "file", content, once)
        self.restart()

        again = self.login("alice", book=alice.book)
        self.assert_fetched(again, stored.file.id.hex(), content)
        repeated = again.upload(room, "file", content, once)
        self.assertTrue(repeated.repeated)
        self.assertEqual((repeated.file, repeated.hash), (stored.file, stored.hash))


if __name__ == "__main__":
    unittest.main()
