"""No acknowledgement before what it acknowledges is on the disk. A library records in one order what the server writes,
syncs and says (order.c). At each EVENT_RESULT, STORED and EVENT, what is certain by then (disk_model.py) is opened with
SQLite: the event must be in it and, if it is a file's, the blob must be there under its name. Then the power is cut at
random places of the record: a server is started on what is left, and must have everything that was said before.

The same is done to servers that are broken on purpose (broken.c), which must be found out."""

import collections
import contextlib
import hashlib
import os
import random
import shutil
import sqlite3
import tempfile
import threading
import time
import unittest

import disk_model
import fault
import harness
from fault import peer

CUTS = int(os.environ.get("SEALPOST_FAULT_RUNS", "12"))
SEED = int(os.environ.get("SEALPOST_FAULT_SEED", "1"))
WRITERS, UPLOADERS = 4, 2
ROUNDS = 3
INLINE_BYTES = 16384
NO_EVENT, NO_ROW = "its event is not certain", "its row is not certain"
NO_NAME, NO_BYTES = "its blob's name is not certain", "its blob's bytes are not certain"
# What is to be said of servers that are broken in the ways of broken.c.
WAYS = {"ack-first": NO_EVENT, "sync-normal": NO_EVENT, "no-directory-sync": NO_EVENT, "no-bucket-sync": NO_NAME,
        "no-file-sync": NO_BYTES}
LIBRARIES = os.environ["SEALPOST_FAULT_DIR"]

Said = collections.namedtuple("Said", "what log sequence proof file")


class Record:
    """A run of a server with members who write and upload, and what was recorded of it."""

    def __init__(self, broken=None):
        libraries = ["libfault_broken.so"] * bool(broken) + ["libfault_order.so"]
        self.top = tempfile.mkdtemp(prefix="record-", dir=harness.scratch())
        self.root = os.path.join(self.top, "disk")
        self.state = os.path.join(self.root, "state")
        os.mkdir(self.root)
        self.trace_path = os.path.join(self.top, "trace")
        self.server = harness.Server(config={"message_rate": "0", "state": self.state}, env={
            "ASAN_OPTIONS": fault.SANITIZER_OPTIONS,
            "FAULT_BROKEN": broken or "",
            "FAULT_DIRECTORY": self.root,
            "FAULT_TRACE": self.trace_path,
            "LD_PRELOAD": " ".join(os.path.join(LIBRARIES, library) for library in libraries),
        })
        self.errors = []
        self.server.start()
        try:
            self._make_traffic()
        finally:
            self.server.kill()
        if self.errors:
            raise self.errors[0]
        self.entries = list(disk_model.read_trace(self.trace_path))

    def login(self, name):
        return login(self.server, name)

    def _make_traffic(self):
        with contextlib.closing(self.login("writer0")) as client:
            client.create_room("den")
        for turn in range(ROUNDS):
            work = [threading.Thread(target=self._run, args=(self._write, number, turn)) for number in range(WRITERS)]
            work += [threading.Thread(target=self._run, args=(self._upload, number, turn)) for number in range(UPLOADERS)]
            for thread in work:
                thread.start()
            for thread in work:
                thread.join()
            time.sleep(0.3)  # the WAL is written back meanwhile

    def _run(self, work, number, turn):
        try:
            work(number, turn)
        except BaseException as error:  # pylint: disable=broad-except
            self.errors.append(error)

    def _write(self, number, turn):
        with contextlib.closing(self.login(f"writer{number}")) as client:
            client.join("den")
            client.follow("den", last=1)
            for count in range(12):
                client.post("den", f"{turn}/{number}/{count} " + "x" * (100 if count % 4 else 6000))

    def _upload(self, number, turn):
        chance = random.Random(turn * 10 + number)
        with contextlib.closing(self.login(f"uploader{number}")) as client:
            client.join("den")
            for size in (chance.randrange(1, INLINE_BYTES), chance.randrange(INLINE_BYTES + 1, 150000),
                         chance.randrange(200000, 500000)):
                client.upload("den", f"{turn}-{size}.bin", chance.randbytes(size))


def login(server, name):
    bundle = server.ca.member(name)
    context = peer.tls_context(*(os.path.join(bundle, file) for file in ("ca.pem", "cert.pem", "key.pem")))
    return peer.Client(("127.0.0.1", server.port), context)


class Speech:
    """What the server says, as far as it promises something."""

    def __init__(self):
        self.decoders = collections.defaultdict(peer.FrameDecoder)

    def hear(self, to_whom, data):
        """The promises in DATA, which begins with a frame, since no file is sent."""
        if data[4] == peer.FrameType.WELCOME:
            self.decoders[to_whom] = peer.FrameDecoder()  # memory is used again for another connection
        decoder = self.decoders[to_whom]
        decoder.feed(data)
        while (frame := decoder.next()) is not None:
            if frame.type == peer.FrameType.EVENT_RESULT:
                result = peer.decode_message(frame)
                yield Said("EVENT_RESULT", result.log.id, result.sequence, result.hash, None)
            elif frame.type == peer.FrameType.STORED:
                stored = peer.decode_message(frame)
                yield Said("STORED", stored.file.log, stored.file.sequence, stored.hash, stored.file)
            elif frame.type == peer.FrameType.EVENT:
                event = peer.parse_event(frame.raw)
                yield Said("EVENT", event.log, event.sequence, event.header, None)


class Certain:
    """What SQLite finds on the least that a cut leaves, and the blobs beside it."""

    def __init__(self, disk, state):
        self.disk, self.state = disk, state
        self.database = os.path.join(state, "sealpost.db")
        self.version = None
        self.proofs = {}  # (log, sequence) to header and chain
        self.files = {}   # (log, sequence) to bucket, name, size, SHA-256

    def look(self):
        """Opens a copy. What was certain stays so."""
        if self.version == self.disk.version:
            return
        self.version = self.disk.version
        self.proofs, self.files = {}, {}
        with tempfile.TemporaryDirectory(dir=harness.scratch()) as directory:
            for suffix in ("", "-wal", "-journal"):
                content = self.disk.certain_file(self.database + suffix)
                if content is not None:
                    with open(os.path.join(directory, "db" + suffix), "wb") as file:
                        file.write(content)
            if not os.path.exists(os.path.join(directory, "db")):
                return
            with contextlib.closing(sqlite3.connect(os.path.join(directory, "db"))) as db:
                with contextlib.suppress(sqlite3.Error):
                    self._read(db)

    def _read(self, db):
        logs = {number: log for number, log in db.execute("SELECT no, id FROM logs")}
        for key, header, chain in db.execute("SELECT key, header, hash FROM events"):
            self.proofs[logs[key >> 40], key & peer.MAX_SEQUENCE] = (header, chain)
        for log, sequence, *file in db.execute("SELECT log, sequence, bucket, id, size, sha256 FROM files"):
            self.files[logs[log], sequence] = file

    def missing(self, said):
        """None, or what is not there of what is promised."""
        place = (said.log, said.sequence)
        if said.proof not in self.proofs.get(place, ()):
            self.look()
            if said.proof not in self.proofs.get(place, ()):
                return NO_EVENT
        if place not in self.files:
            return None if said.what != "STORED" else NO_ROW
        bucket, name, size, sha256 = self.files[place]
        if bucket == 0:
            return None
        blob = self.disk.certain_file(os.path.join(self.state, "files", "blobs", f"{bucket:08}", name.hex()))
        if blob is None:
            return NO_NAME
        if len(blob) != size or hashlib.sha256(blob).digest() != sha256:
            return NO_BYTES
        return None


def check_order(record):
    """How many promises there were; which of them came too early, and why."""
    disk = disk_model.Disk(record.root)
    certain = Certain(disk, record.state)
    speech = Speech()
    count, early = 0, []
    for operation, path, number, data in record.entries:
        if operation != disk_model.SAY:
            disk.take(operation, path, number, data)
            continue
        for said in speech.hear(number, data):
            count += 1
            why = certain.missing(said)
            if why is not None:
                early.append((said.what, why))
    return count, early


class Order(unittest.TestCase):

    def test_nothing_is_said_too_early(self):
        record = Record()
        count, early = check_order(record)
        syncs = sum(operation == disk_model.SYNC_END for operation, *_ in record.entries)
        print(f"{count} promises, {len(record.entries)} entries with {syncs} syncs; too early: {len(early)}")
        self.assertEqual(early[:5], [])
        self.assertGreater(count, WRITERS * 12 * ROUNDS)
        self.cut(record)

    def cut(self, record):
        chance = random.Random(SEED)
        places = sorted(chance.randrange(len(record.entries)) for _ in range(CUTS))
        disk = disk_model.Disk(record.root)
        speech = Speech()
        promises = {}
        checked = 0
        for place, (operation, path, number, data) in enumerate(record.entries):
            if operation == disk_model.SAY:
                for said in speech.hear(number, data):
                    promises[said.what, said.log, said.sequence] = said
            else:
                disk.take(operation, path, number, data)
            for _ in range(places.count(place)):
                with self.subTest(place=place):
                    checked += self.start_on(disk.after_cut(chance), record, promises.values())
        print(f"{CUTS} cuts; {checked} promises looked for, all there")
        self.assertGreater(checked, 0)

    def start_on(self, images, record, promises):
        """Starts a server on what is left, and looks for what was promised."""
        server = harness.Server(config={"message_rate": "0"}, env={"ASAN_OPTIONS": fault.SANITIZER_OPTIONS})
        disk_model.write_out(images, record.root, server.directory)
        server.start()
        try:
            with contextlib.closing(login(server, "writer0")) as client:
                if promises:
                    self.look_for(client, promises)
        finally:
            server.stop()
            shutil.rmtree(server.directory)
        return len(promises)

    def look_for(self, client, promises):
        book = client.book
        events = {event.sequence: event for event in client.read("den")}
        for said in promises:
            event = events[said.sequence]
            if said.what == "EVENT":
                self.assertEqual(event.header, said.proof)
            else:
                book.note(said.log, said.sequence, said.proof)
            if said.file is not None:
                content = b"".join(peer.Download(client, said.file.id.hex(), 0, 192 * 1024))
                self.assertEqual(hashlib.sha256(content).digest(), said.file.sha256)

    def test_finds_what_is_broken(self):
        for broken, reason in WAYS.items():
            with self.subTest(broken):
                count, early = check_order(Record(broken))
                print(f"{broken}: {len(early)} of {count} promises came too early")
                self.assertIn(reason, {why for _, why in early})


if __name__ == "__main__":
    unittest.main(verbosity=2)
