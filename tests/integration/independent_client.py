"""A client of the Sealpost protocol, written from PROTOCOL.md and the schema alone.

It shares no code with the server or with any other client, so that whatever works between it and
the server is what the document says, and not what both ends happen to do.  It trusts nothing the
server claims that it can check itself: every event's commitment, every link of every log's chain,
every file's digest, every credit.  What does not fit is raised as ProtocolViolation.

The schema is compiled with protoc when the module is imported; the environment variable
SEALPOST_PROTO names the .proto file.  Needs Python 3.11, protoc and python3-protobuf.

One thread, one socket: a Client reads only while one of its methods waits for something, and
answers the server's PINGs while it does.
"""

import collections
import enum
import hashlib
import importlib.util
import os
import pathlib
import re
import secrets
import select
import socket
import ssl
import struct
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from typing import NamedTuple

from google.protobuf.message import DecodeError

ALPN = "sealpost/1"
PROTOCOL_VERSION = 1
CONNECTION_STREAM = 0
MAX_STREAM = 65535
MAX_MESSAGE = 2048
MAX_RAW = 32768
MAX_SEQUENCE = 2**40 - 1


# ---- The schema ----


def compile_schema(proto):
    """Compiles a .proto file with protoc and returns it as a Python module.

    The generated file is needed only until it has been imported.
    """
    proto = pathlib.Path(proto).resolve()
    with tempfile.TemporaryDirectory(prefix="sealpost-proto-") as directory:
        subprocess.run(
            ["protoc", f"--proto_path={proto.parent}", f"--python_out={directory}", proto.name],
            check=True,
        )
        generated = pathlib.Path(directory, proto.stem + "_pb2.py")
        spec = importlib.util.spec_from_file_location(generated.stem, generated)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


pb = compile_schema(os.environ["SEALPOST_PROTO"])


# ---- What can go wrong ----


class ErrorClass(enum.Enum):
    """What an error's number says about what has happened."""

    REFUSED = "refused"
    RETRY = "retry"
    UNKNOWN = "unknown outcome"


class ErrorNumber(enum.IntEnum):
    """The numbers that ERROR, BYE and FOLLOW_ENDED may carry."""

    INVALID = 1
    BAD_NAME = 2
    NOT_FOUND = 3
    EXISTS = 4
    CONFLICT = 5
    FORBIDDEN = 6
    NOT_JOINED = 7
    TOO_LARGE = 8
    LIMIT = 9
    DIGEST_MISMATCH = 10
    SIZE_MISMATCH = 11
    INTEGRITY = 12
    CANCELLED = 13
    PROTOCOL = 14
    UNSUPPORTED = 15
    REVOKED = 33
    EXPIRED = 34
    UNTRUSTED = 36
    IDENTITY = 37
    NO_CRL = 40
    NOT_ADMITTED = 42
    DISABLED = 43
    BUSY = 64
    SLOW_DOWN = 65
    FULL = 66
    SHUTTING_DOWN = 67
    NO_MEMORY = 68
    IO = 70
    IDLE = 72
    INTERNAL = 98


def error_class(number):
    """The class of an error number, also of one that is not in the table."""
    if 1 <= number <= 63:
        return ErrorClass.REFUSED
    if 64 <= number <= 95:
        return ErrorClass.RETRY
    return ErrorClass.UNKNOWN


def error_name(number):
    """The name of an error number for people, or the number itself."""
    try:
        return ErrorNumber(number).name.lower().replace("_", "-")
    except ValueError:
        return f"error {number}"


class ClientError(Exception):
    """The base of everything that this module raises on its own."""


class ProtocolViolation(ClientError):
    """The server sent something that the protocol does not allow, or a proof that is false."""


class TimedOut(ClientError):
    """What was waited for did not come in time."""


class RequestError(ClientError):
    """The server answered a request with ERROR."""

    def __init__(self, error):
        super().__init__(f"{error_name(error.error)}: {error.text}")
        self.number = error.error
        self.text = error.text
        self.retry_after_ms = error.retry_after_ms
        self.error_class = error_class(error.error)


class SessionEnded(ClientError):
    """The connection is over; what was not answered has an unknown outcome."""


class ServerBye(SessionEnded):
    """The server ended the session with BYE."""

    def __init__(self, bye):
        super().__init__(f"{error_name(bye.error)}: {bye.text}")
        self.number = bye.error
        self.text = bye.text
        self.error_class = error_class(bye.error)


class ConnectionCut(SessionEnded):
    """The connection ended without a TLS close_notify."""


class TlsAlert(SessionEnded):
    """The server refused the connection with a TLS alert, or TLS failed otherwise."""


# ---- Frames ----


class FrameType(enum.IntEnum):
    """The types of frames."""

    WELCOME = 1
    BYE = 2
    PING = 3
    PONG = 4
    ROOM_CREATE = 16
    BOX_CREATE = 17
    JOIN = 18
    LEAVE = 19
    TOPIC = 20
    POST = 21
    FOLLOW = 22
    UNFOLLOW = 23
    LIST = 24
    WATCH_PRESENCE = 25
    STATUS = 26
    MARK_READ = 31
    OFFER = 32
    OFFERED = 33
    DATA = 34
    CREDIT = 35
    COMMIT = 36
    STORED = 37
    CANCEL = 38
    GET = 40
    FILE = 41
    EVENT_RESULT = 48
    FOLLOWING = 49
    ROW_LOG = 50
    ROW_MEMBER = 51
    ROW_FILE = 52
    LIST_END = 53
    STATUS_RESULT = 54
    MARKED = 60
    DONE = 62
    ERROR = 63
    EVENT = 64
    FOLLOW_ENDED = 65
    PRESENCE = 66
    READ_STATE = 67


# What a server may send: the frame type and its message (None: it has none).
SERVER_MESSAGES = {
    FrameType.WELCOME: pb.Welcome,
    FrameType.BYE: pb.Bye,
    FrameType.PING: pb.Ping,
    FrameType.PONG: pb.Ping,
    FrameType.OFFERED: pb.Offered,
    FrameType.DATA: None,
    FrameType.CREDIT: pb.Credit,
    FrameType.STORED: pb.Stored,
    FrameType.FILE: pb.File,
    FrameType.EVENT_RESULT: pb.EventResult,
    FrameType.FOLLOWING: pb.Following,
    FrameType.ROW_LOG: pb.RowLog,
    FrameType.ROW_MEMBER: pb.RowMember,
    FrameType.ROW_FILE: pb.RowFile,
    FrameType.LIST_END: pb.ListEnd,
    FrameType.STATUS_RESULT: pb.StatusResult,
    FrameType.MARKED: pb.ReadState,
    FrameType.DONE: pb.Done,
    FrameType.ERROR: pb.Error,
    FrameType.EVENT: pb.Event,
    FrameType.FOLLOW_ENDED: pb.FollowEnded,
    FrameType.PRESENCE: pb.Presence,
    FrameType.READ_STATE: pb.ReadState,
}

# What only a client may send.
CLIENT_TYPES = set(FrameType) - set(SERVER_MESSAGES)

CONNECTION_TYPES = {
    FrameType.WELCOME,
    FrameType.BYE,
    FrameType.PING,
    FrameType.PONG,
    FrameType.EVENT,
    FrameType.FOLLOW_ENDED,
    FrameType.PRESENCE,
    FrameType.READ_STATE,
}

# The server's frames that have a raw part.
RAW_TYPES = {FrameType.DATA, FrameType.EVENT}

# The answers after which a stream is free again; that of a download is free after its last byte.
LAST_ANSWERS = {
    FrameType.EVENT_RESULT,
    FrameType.FOLLOWING,
    FrameType.LIST_END,
    FrameType.STATUS_RESULT,
    FrameType.STORED,
    FrameType.MARKED,
    FrameType.DONE,
    FrameType.ERROR,
}

FRAME_HEADER = struct.Struct(">HHBBH")


class Frame(NamedTuple):
    """One frame; the message is still encoded."""

    type: int
    stream: int
    message: bytes
    raw: bytes


def encode_frame(frame_type, stream, message=b"", raw=b""):
    """The bytes of a frame.  It does not check what it is given: tests send bad frames with it."""
    return FRAME_HEADER.pack(len(message), len(raw), frame_type, 0, stream) + message + raw


class FrameDecoder:
    """Takes a byte stream in pieces of any size and gives back its frames."""

    def __init__(self):
        self._bytes = bytearray()

    def feed(self, data):
        """Adds bytes that have arrived."""
        self._bytes += data

    def next(self):
        """The next complete frame, or None when more bytes are needed."""
        if len(self._bytes) < FRAME_HEADER.size:
            return None
        message_size, raw_size, frame_type, zero, stream = FRAME_HEADER.unpack_from(self._bytes)
        if message_size > MAX_MESSAGE or raw_size > MAX_RAW or zero != 0:
            raise ProtocolViolation(f"a frame header out of limits: {bytes(self._bytes[:8]).hex()}")
        raw_start = FRAME_HEADER.size + message_size
        end = raw_start + raw_size
        if len(self._bytes) < end:
            return None
        message = bytes(self._bytes[FRAME_HEADER.size : raw_start])
        raw = bytes(self._bytes[raw_start:end])
        del self._bytes[:end]
        return Frame(frame_type, stream, message, raw)


def decode_message(frame):
    """The decoded message of a server's frame, or None for a type that has none."""
    message_type = SERVER_MESSAGES[frame.type]
    if frame.raw and frame.type not in RAW_TYPES:
        raise ProtocolViolation(f"frame type {frame.type} with a raw part")
    if message_type is None:
        if frame.message:
            raise ProtocolViolation(f"frame type {frame.type} with a message")
        return None
    try:
        return message_type.FromString(frame.message)
    except DecodeError as problem:
        raise ProtocolViolation(f"frame type {frame.type} does not decode") from problem


# ---- Events ----


class EventKind(enum.IntEnum):
    """The kinds of events; others are chained and passed over."""

    MESSAGE = 1
    LOG_CREATED = 2
    JOINED = 3
    LEFT = 4
    TOPIC = 5
    FILE = 6


class LogKind(enum.IntEnum):
    """The kinds of logs."""

    OPEN_ROOM = 1
    BOX = 4
    SUBMISSION = 5


class Tag(enum.IntEnum):
    """The fields of an event's body."""

    TEXT = 1
    NAME = 2
    MEMBER = 3
    LOG_KIND = 4
    FILE = 5
    SIZE = 6
    SHA256 = 7


EVENT_HEADER = struct.Struct(">BBHI16sQQ16s16s32s")
SALT_SIZE = 32
FIELD_HEADER = struct.Struct(">BH")


def tagged_digest(tag, *parts):
    """SHA-256 of a name, a zero byte and what follows it, as every digest of the protocol is."""
    return hashlib.sha256(tag + b"\0" + b"".join(parts)).digest()


def commitment_of(salt, body):
    """The commitment of an event's header to its body."""
    return tagged_digest(b"sealpost body 1", salt, body)


def first_head(log_id):
    """The head of a log without events."""
    return tagged_digest(b"sealpost log 1", log_id)


def next_head(head, header):
    """The head after one more event, of which only the header counts."""
    return tagged_digest(b"sealpost event 1", head, header)


def file_id_of(device, client_id):
    """The id that the server gives to the file of an OFFER."""
    return tagged_digest(b"sealpost file 1", device, client_id)[:16]


def parse_body(body):
    """The fields of an event's body as a dictionary from tag to value."""
    fields = {}
    position = 0
    last_tag = -1
    while position < len(body):
        if len(body) - position < FIELD_HEADER.size:
            raise ProtocolViolation("an event's body ends within a field's header")
        tag, size = FIELD_HEADER.unpack_from(body, position)
        position += FIELD_HEADER.size
        if tag <= last_tag:
            raise ProtocolViolation("an event's fields are not in ascending order")
        if len(body) - position < size:
            raise ProtocolViolation("an event's body ends within a field")
        fields[tag] = body[position : position + size]
        position += size
        last_tag = tag
    return fields


@dataclass(frozen=True)
class Event:
    """One event, its commitment checked.  Erased events have neither salt, body nor fields."""

    header: bytes
    kind: int
    log: bytes
    sequence: int
    time_ms: int
    author: bytes
    client_id: bytes
    commitment: bytes
    body: bytes | None
    fields: dict
    member: str

    @property
    def text(self):
        """The TEXT field, or None."""
        return self._string(Tag.TEXT)

    @property
    def name(self):
        """The NAME field, or None."""
        return self._string(Tag.NAME)

    @property
    def subject(self):
        """The MEMBER field, or None: whom the event is about, who need not be its author."""
        return self._string(Tag.MEMBER)

    @property
    def number(self):
        """The LOG_KIND field, or None."""
        value = self.fields.get(Tag.LOG_KIND)
        return None if value is None else int.from_bytes(value, "big")

    @property
    def size(self):
        """The SIZE field, or None."""
        value = self.fields.get(Tag.SIZE)
        return None if value is None else int.from_bytes(value, "big")

    def _string(self, tag):
        value = self.fields.get(tag)
        return None if value is None else value.decode("utf-8")


def parse_event(raw, member=""):
    """Parses one event and checks its commitment; the chain is the cursor's business."""
    if len(raw) < EVENT_HEADER.size:
        raise ProtocolViolation(f"an event of {len(raw)} bytes")
    header = raw[: EVENT_HEADER.size]
    (version, flags, kind, body_bytes, log, sequence, time_ms, author, client_id, commitment) = (
        EVENT_HEADER.unpack(header)
    )
    if version != 1 or flags != 0 or not 1 <= sequence <= MAX_SEQUENCE:
        raise ProtocolViolation(f"an event's header is not valid: {header.hex()}")
    body = None
    fields = {}
    if len(raw) > EVENT_HEADER.size:
        salt = raw[EVENT_HEADER.size : EVENT_HEADER.size + SALT_SIZE]
        body = raw[EVENT_HEADER.size + SALT_SIZE :]
        if len(salt) != SALT_SIZE or len(body) != body_bytes:
            raise ProtocolViolation("an event's length does not fit its header")
        if commitment_of(salt, body) != commitment:
            raise ProtocolViolation("an event's body does not fit its commitment")
        fields = parse_body(body)
    return Event(
        header, kind, log, sequence, time_ms, author, client_id, commitment, body, fields, member
    )


class ChainBook:
    """The heads of all logs that a client has computed or been told, by sequence number.

    A log has one history.  Whoever claims a second one for the same place is caught here, over as
    many sessions as share the book.
    """

    def __init__(self):
        self._heads = {}

    def note(self, log, sequence, head):
        """Keeps a head, or raises when another one is known for its place."""
        if len(log) != 16 or len(head) != 32:
            raise ProtocolViolation("a log's id or head of a wrong length")
        if sequence == 0 and head != first_head(log):
            raise ProtocolViolation("the head of an empty log is wrong")
        if self._heads.setdefault((log, sequence), head) != head:
            raise ProtocolViolation(f"log {log.hex()} has two histories at {sequence}")

    def note_log(self, info):
        """Keeps the head that a LogInfo tells."""
        self.note(info.id, info.head_sequence, info.head)


@dataclass
class Cursor:
    """A followed log: checks and collects its events as they come."""

    book: ChainBook
    log: object
    live: bool
    next_sequence: int
    head: bytes
    events: list = field(default_factory=list)
    ended: int | None = None

    @classmethod
    def start(cls, book, following, live):
        """The cursor that a FOLLOWING announces."""
        log = following.log
        if not 1 <= following.first <= log.head_sequence + 1:
            raise ProtocolViolation(f"FOLLOWING begins at {following.first}")
        book.note_log(log)
        book.note(log.id, following.first - 1, following.before)
        return cls(book, log, live, following.first, following.before)

    @property
    def caught_up(self):
        """Whether all has come that was there when the cursor started."""
        return self.next_sequence > self.log.head_sequence

    @property
    def open(self):
        """Whether more events may come."""
        return self.ended is None and (self.live or not self.caught_up)

    def take(self, event):
        """Checks that an event is the next one of this log, and keeps it."""
        if not self.open:
            raise ProtocolViolation("an event behind the end of its cursor")
        if event.sequence != self.next_sequence:
            raise ProtocolViolation(f"event {event.sequence} instead of {self.next_sequence}")
        if self.events and event.time_ms < self.events[-1].time_ms:
            raise ProtocolViolation("the time of a log went backwards")
        if (event.kind == EventKind.LOG_CREATED) != (event.sequence == 1):
            raise ProtocolViolation("a log's first event, and only that, is its creation")
        self.head = next_head(self.head, event.header)
        self.book.note(event.log, event.sequence, self.head)
        self.next_sequence += 1
        self.events.append(event)


# ---- The connection ----


def tls_context(root, cert, key):
    """TLS 1.3 as the protocol wants it: one root, a certificate of our own, the protocol's name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cafile=root)
    context.load_cert_chain(cert, key)
    context.set_alpn_protocols([ALPN])
    return context


class Connection:
    """Frames over TLS, on a socket that never blocks.

    Reading goes on while bytes wait to be written, so that two ends that both have much to send
    cannot wait for each other.
    """

    def __init__(self, address, context, timeout):
        plain = socket.create_connection(address, timeout)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket = context.wrap_socket(
                plain, server_hostname=address[0], suppress_ragged_eofs=False
            )
        except ssl.SSLError as problem:
            raise TlsAlert(str(problem)) from problem
        except OSError as problem:
            raise ConnectionCut(str(problem)) from problem
        finally:
            plain.close()
        self.socket.setblocking(False)
        self._decoder = FrameDecoder()
        self._out = bytearray()
        self._end = None

    def send(self, data):
        """Queues bytes and writes as many as the socket takes."""
        self._out += data
        self._flush()

    def next_frame(self, deadline):
        """The next frame; raises TimedOut at the deadline, or how the connection ended."""
        while True:
            frame = self._decoder.next()
            if frame is not None:
                return frame
            if self._end is not None:
                raise self._end
            self._turn(deadline)

    def has_input(self):
        """Whether next_frame has something to return or to raise at once."""
        self._flush()
        return self._fill()

    def drain(self, deadline):
        """Waits until all queued bytes are with the operating system, reading meanwhile."""
        while self._out and self._end is None:
            self._turn(deadline)

    def close(self):
        """Ends TLS with close_notify, as far as that is possible without waiting."""
        self.socket.setblocking(True)
        self.socket.settimeout(1)
        try:
            if self._end is None:
                self.socket.unwrap()
        except (OSError, ValueError):
            pass  # The peer closed first, or still sends: either way the connection is over.
        self.abort()

    def abort(self):
        """Drops the connection without close_notify."""
        self.socket.close()
        if self._end is None:
            self._end = SessionEnded("closed by this client")

    def _turn(self, deadline):
        """Moves bytes in either direction, or waits until that is possible."""
        if self.has_input():
            return
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimedOut("the server did not answer in time")
        ready = select.poll()  # select() knows no more than 1,024 descriptors
        ready.register(self.socket, select.POLLIN | (select.POLLOUT if self._out else 0))
        ready.poll(remaining * 1000)

    def _flush(self):
        while self._out:
            try:
                del self._out[: self.socket.send(self._out)]
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError:
                # Nobody takes it any more.  Reading will tell how the connection ended.
                self._out.clear()

    def _fill(self):
        """Reads what has arrived; says whether that was anything, be it the end."""
        arrived = self._end is not None
        while self._end is None:
            try:
                data = self.socket.recv(65536)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return arrived
            except ssl.SSLEOFError as problem:
                self._end = ConnectionCut(str(problem))
            except ssl.SSLError as problem:
                self._end = TlsAlert(str(problem))
            except OSError as problem:
                self._end = ConnectionCut(str(problem))
            else:
                if not data:
                    self._end = SessionEnded("closed by the server")
                self._decoder.feed(data)
            arrived = True
        return arrived


# ---- The client ----


class Once(NamedTuple):
    """What makes an event exactly once: the same in every attempt at the same thing."""

    client_id: bytes
    salt: bytes

    @classmethod
    def fresh(cls):
        """For a new thing."""
        return cls(secrets.token_bytes(16), secrets.token_bytes(32))

    def message(self):
        """As the schema wants it."""
        return pb.Once(client_id=self.client_id, salt=self.salt)


def insist(attempt, seconds=30.0):
    """Repeats a request for as long as its errors say that the same request may succeed later.

    ATTEMPT must send the same client id each time.  The outcome of what fails otherwise is either
    known or needs a new connection, so that is left to the caller.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except RequestError as error:
            if error.error_class != ErrorClass.RETRY or time.monotonic() > deadline:
                raise
            time.sleep(max(error.retry_after_ms, 1) / 1000)


def log_key(log):
    """A LogKey from a name (str) or from an id (bytes)."""
    return pb.LogKey(name=log) if isinstance(log, str) else pb.LogKey(id=log)


class Exchange:
    """One request's stream: what was asked, and the answers that have come so far."""

    def __init__(self, client, stream, live=False):
        self.client = client
        self.stream = stream
        self.live = live
        self.cursor = None
        self.inbox = collections.deque()

    def next(self, *expected, timeout=None):
        """The next answer as (type, message, raw); raises RequestError for ERROR."""
        self.client.wait_until(lambda: self.inbox, timeout)
        frame_type, message, raw = self.inbox.popleft()
        if frame_type == FrameType.ERROR:
            raise RequestError(message)
        if frame_type not in expected:
            raise ProtocolViolation(f"{FrameType(frame_type).name} does not answer this request")
        return frame_type, message, raw

    def send(self, frame_type, message=None, raw=b""):
        """Sends a further frame on this stream."""
        self.client.send(frame_type, self.stream, message, raw)


class Client:
    """One session of one member's device."""

    def __init__(self, address, context, *, book=None, timeout=20.0):
        self.book = book if book is not None else ChainBook()
        self.timeout = timeout
        self.cursors = {}
        self.online = {}
        self.last_seen = {}
        self.read_states = {}
        self.pongs = set()
        self._streams = {}
        self._last_stream = 0
        self._connection = Connection(address, context, timeout)
        try:
            self.welcome = self._login()
        except BaseException:
            self._connection.abort()
            raise

    # -- The connection --

    def _login(self):
        """Waits for WELCOME.  Until it is here the client is not logged in, and sends nothing."""
        if self._connection.socket.selected_alpn_protocol() != ALPN:
            raise ProtocolViolation("the server did not choose the protocol's ALPN name")
        frame = self._connection.next_frame(time.monotonic() + self.timeout)
        if frame.type not in (FrameType.WELCOME, FrameType.BYE):
            raise ProtocolViolation(f"the first frame is of type {frame.type}")
        if frame.stream != CONNECTION_STREAM:
            raise ProtocolViolation("the first frame is not on stream 0")
        message = decode_message(frame)
        if frame.type == FrameType.BYE:
            raise ServerBye(message)
        if message.protocol != PROTOCOL_VERSION:
            raise ProtocolViolation(f"the server speaks version {message.protocol}")
        if len(message.device) != 16 or len(message.incarnation) != 16:
            raise ProtocolViolation("an id of a wrong length in WELCOME")
        return message

    def tls_facts(self):
        """The TLS version, and whether the server has given a session ticket."""
        tls = self._connection.socket
        return tls.version(), tls.session is not None and tls.session.has_ticket

    def send(self, frame_type, stream, message=None, raw=b""):
        """Sends one frame."""
        encoded = b"" if message is None else message.SerializeToString()
        self._connection.send(encode_frame(frame_type, stream, encoded, raw))

    def send_bytes(self, data):
        """Sends bytes as they are: for tests of what a server does with bad ones."""
        self._connection.send(data)

    def close(self):
        """Ends the session with BYE and close_notify."""
        self.send(FrameType.BYE, CONNECTION_STREAM, pb.Bye())
        self._connection.close()

    def abort(self):
        """Ends the connection without a word."""
        self._connection.abort()

    def wait_until(self, condition, timeout=None):
        """Takes frames until the condition holds."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while not condition():
            self._take(self._connection.next_frame(deadline))

    def wait_for_end(self):
        """Takes frames until the connection ends, and returns how: BYE first, then its closing."""
        bye = None
        try:
            while True:
                try:
                    self.wait_until(lambda: False)
                except ServerBye as problem:
                    bye = problem
        except SessionEnded as problem:
            return bye, problem

    def listen(self, seconds):
        """Takes what comes in some time: for things of which nothing may come."""
        try:
            self.wait_until(lambda: False, seconds)
        except TimedOut:
            pass

    def take_waiting(self):
        """Takes what has arrived already, without waiting."""
        self.listen(0)

    def drain(self):
        """Waits until everything that was sent is with the operating system."""
        self._connection.drain(time.monotonic() + self.timeout)

    # -- What comes --

    def _take(self, frame):
        """Does with one frame what its type asks for."""
        if frame.type not in SERVER_MESSAGES:
            if frame.type in CLIENT_TYPES:
                raise ProtocolViolation(f"{FrameType(frame.type).name} from a server")
            return  # Types of later versions are ignored.
        message = decode_message(frame)
        if frame.type in CONNECTION_TYPES:
            if frame.stream != CONNECTION_STREAM:
                raise ProtocolViolation(f"frame type {frame.type} on stream {frame.stream}")
            self._take_connection_frame(frame, message)
        else:
            self._take_answer(frame, message)

    def _take_connection_frame(self, frame, message):
        if frame.type == FrameType.BYE:
            raise ServerBye(message)
        if frame.type == FrameType.PING:
            self.send(FrameType.PONG, CONNECTION_STREAM, message)
        elif frame.type == FrameType.PONG:
            self.pongs.add(message.token)
        elif frame.type == FrameType.EVENT:
            self._take_event(parse_event(frame.raw, message.author))
        elif frame.type == FrameType.FOLLOW_ENDED:
            self._end_cursor(message.log, message.error)
        elif frame.type == FrameType.PRESENCE:
            self.online.update({change.username: change.online for change in message.changes})
            self.last_seen.update({change.username: change.last_seen_ms for change in message.changes})
        elif frame.type == FrameType.READ_STATE:
            self._take_read_state(message)
        else:
            raise ProtocolViolation("a second WELCOME")

    def _take_read_state(self, state):
        """The newest state of a room; its marker never goes back."""
        before = self.read_states.get(state.log.name)
        if before is not None and before.sequence > state.sequence:
            raise ProtocolViolation("a marker that moved back")
        if state.sequence > state.log.head_sequence or state.mentions > state.unread:
            raise ProtocolViolation("a read state that cannot be")
        self.read_states[state.log.name] = state

    def _take_event(self, event):
        cursor = self.cursors.get(event.log)
        if cursor is None:
            raise ProtocolViolation("an event of a log that is not followed")
        cursor.take(event)
        if not cursor.open:
            del self.cursors[event.log]

    def _end_cursor(self, log, error):
        cursor = self.cursors.pop(log, None)
        if cursor is None:
            raise ProtocolViolation("the end of a log that is not followed")
        cursor.ended = error

    def _take_answer(self, frame, message):
        exchange = self._streams.get(frame.stream)
        if exchange is None:
            raise ProtocolViolation(f"frame type {frame.type} on a free stream")
        if frame.type == FrameType.FOLLOWING:
            # At once, since the events come right behind it.
            exchange.cursor = Cursor.start(self.book, message, exchange.live)
            self.cursors.pop(message.log.id, None)
            if exchange.cursor.open:
                self.cursors[message.log.id] = exchange.cursor
        exchange.inbox.append((FrameType(frame.type), message, frame.raw))
        if frame.type in LAST_ANSWERS:
            self.release(exchange)

    # -- Requests --

    def start(self, frame_type, message, raw=b"", *, live=False):
        """Sends a request on a stream of its own, without waiting for an answer."""
        stream = self._last_stream
        while True:
            stream = stream % MAX_STREAM + 1
            if stream not in self._streams:
                break
        self._last_stream = stream
        exchange = Exchange(self, stream, live)
        self._streams[stream] = exchange
        self.send(frame_type, stream, message, raw)
        return exchange

    def release(self, exchange):
        """Frees a stream after its last answer."""
        self._streams.pop(exchange.stream, None)

    def ask(self, frame_type, message, expected, raw=b""):
        """Sends a request that has one answer, and returns it."""
        return self.start(frame_type, message, raw).next(expected)[1]

    def ping(self):
        """Sends PING and waits for its PONG."""
        token = secrets.randbits(64)
        self.send(FrameType.PING, CONNECTION_STREAM, pb.Ping(token=token))
        self.wait_until(lambda: token in self.pongs)

    def status(self):
        """Asks for the server's state."""
        return self.ask(FrameType.STATUS, pb.StatusRequest(), FrameType.STATUS_RESULT)

    # -- Logs --

    def create_room(self, name, once=None):
        """Creates a room."""
        return self._create(FrameType.ROOM_CREATE, name, once)

    def create_box(self, name, once=None):
        """Creates a box."""
        return self._create(FrameType.BOX_CREATE, name, once)

    def join(self, log, once=None):
        """Joins a room."""
        return self.finish_write(self.start_write(FrameType.JOIN, log, once=once))

    def leave(self, log, once=None):
        """Leaves a room."""
        return self.finish_write(self.start_write(FrameType.LEAVE, log, once=once))

    def set_topic(self, log, topic, once=None):
        """Sets a room's topic."""
        return self.finish_write(self.start_write(FrameType.TOPIC, log, topic, once))

    def post(self, log, text, once=None):
        """Posts a text."""
        return self.finish_write(self.start_write(FrameType.POST, log, text, once))

    def start_write(self, frame_type, log, text="", once=None):
        """Sends a request that makes an event, and does not wait: several may be under way."""
        once = once or Once.fresh()
        message = pb.Write(once=once.message(), log=log_key(log))
        return self.start(frame_type, message, text.encode("utf-8"))

    def finish_write(self, exchange):
        """Waits for the answer to start_write."""
        return self._note_result(exchange.next(FrameType.EVENT_RESULT)[1])

    def _create(self, frame_type, name, once):
        message = pb.Create(once=(once or Once.fresh()).message(), name=name)
        return self._note_result(self.ask(frame_type, message, FrameType.EVENT_RESULT))

    def _note_result(self, result):
        self.book.note_log(result.log)
        self.book.note(result.log.id, result.sequence, result.hash)
        return result

    def follow(self, log, *, after=0, last=0, live=True):
        """Starts to follow a log, and returns its cursor."""
        message = pb.Follow(log=log_key(log), after=after, last=last, live=live)
        exchange = self.start(FrameType.FOLLOW, message, live=live)
        exchange.next(FrameType.FOLLOWING)
        return exchange.cursor

    def unfollow(self, log_id):
        """Ends following a log."""
        self.ask(FrameType.UNFOLLOW, pb.Unfollow(log=log_id), FrameType.DONE)
        self.cursors.pop(log_id, None)

    def read(self, log, *, after=0, last=0):
        """Reads what a log holds now: a page, which ends by itself."""
        cursor = self.follow(log, after=after, last=last, live=False)
        self.wait_until(lambda: not cursor.open)
        if cursor.ended is not None:
            raise ProtocolViolation("a page was broken off")
        return cursor.events

    def wait_events(self, cursor, count):
        """Waits until a cursor has got so many events in all."""
        self.wait_until(lambda: len(cursor.events) >= count)
        return cursor.events

    # -- Lists --

    def list_page(self, what, log=None, after=0, limit=0):
        """One answer of LIST: its rows, and whether there are more."""
        row_type = {
            pb.List.LOGS: FrameType.ROW_LOG,
            pb.List.MEMBERS: FrameType.ROW_MEMBER,
            pb.List.FILES: FrameType.ROW_FILE,
        }[what]
        message = pb.List(what=what, after=after, limit=limit)
        if log is not None:
            message.log.CopyFrom(log_key(log))
        exchange = self.start(FrameType.LIST, message)
        rows = []
        while True:
            frame_type, row, _ = exchange.next(row_type, FrameType.LIST_END)
            if frame_type == FrameType.LIST_END:
                return rows, row.more
            rows.append(row)

    def list_all(self, what, log=None, limit=0):
        """All rows of a list, over as many answers as it takes."""
        rows = []
        more = True
        while more:
            page, more = self.list_page(what, log, rows[-1].key if rows else 0, limit)
            if more and not page:
                raise ProtocolViolation("an empty answer says that there is more")
            rows += page
        if len({row.key for row in rows}) != len(rows):
            raise ProtocolViolation("a list has a row twice")
        return rows

    def list_logs(self, limit=0):
        """All rooms and boxes by name."""
        rows = self.list_all(pb.List.LOGS, limit=limit)
        for row in rows:
            self.book.note_log(row.log)
        return {row.log.name: row for row in rows}

    def list_members(self, log=None):
        """The members of the team, or of a room, by name."""
        return {row.username: row for row in self.list_all(pb.List.MEMBERS, log)}

    def list_files(self, log):
        """The files of a room or of a box that this member may see."""
        return [row.file for row in self.list_all(pb.List.FILES, log)]

    def watch_presence(self, on=True):
        """Starts or stops to be told who is online."""
        self.ask(FrameType.WATCH_PRESENCE, pb.WatchPresence(on=on), FrameType.DONE)

    def mark_read(self, log, sequence):
        """Says that a room is read up to there; returns what then holds."""
        message = pb.MarkRead(log=log_key(log), sequence=sequence)
        return self.ask(FrameType.MARK_READ, message, FrameType.MARKED)

    # -- Files --

    def upload(self, log, name, content, once=None, *, size_unknown=False):
        """Sends a file, and returns what the server says to have stored."""
        digest = hashlib.sha256(content).digest()
        upload = Upload(self, once)
        stored = upload.offer(log, name, None if size_unknown else len(content))
        if stored is None:
            upload.send(content)
            stored = upload.commit(len(content), digest)
        if stored.file.sha256 != digest or stored.file.size != len(content):
            raise ProtocolViolation("something else is stored under this client id")
        return stored

    def download(self, file, destination, window=192 * 1024):
        """Fetches a file, continuing what an earlier attempt has left in DESTINATION.part.

        The file gets its name only when its digest is right.
        """
        destination = pathlib.Path(destination)
        part = destination.with_name(destination.name + ".part")
        held = part.read_bytes() if part.exists() else b""
        digest = hashlib.sha256(held)
        download = Download(self, file, len(held), window)
        with part.open("ab") as output:
            for data in download:
                digest.update(data)
                output.write(data)
        if digest.digest() != download.file.sha256:
            part.unlink()
            raise ProtocolViolation("a file's bytes do not have its digest")
        part.rename(destination)
        return download.file


class Upload:
    """One upload, step by step: offer, send (as often as needed), then commit or cancel."""

    def __init__(self, client, once=None):
        self.client = client
        self.once = once or Once.fresh()
        self.credit = 0
        self.exchange = None

    def offer(self, log, name, size, digest=b""):
        """Offers a file (size None: unknown).  Returns Stored when it has been stored before."""
        message = pb.Offer(
            once=self.once.message(),
            log=log_key(log),
            name=name,
            size=size or 0,
            size_unknown=size is None,
            sha256=digest,
        )
        self.exchange = self.client.start(FrameType.OFFER, message)
        frame_type, answer, _ = self.exchange.next(FrameType.OFFERED, FrameType.STORED)
        if frame_type == FrameType.STORED:
            if not answer.repeated:
                raise ProtocolViolation("STORED answers OFFER, but is not repeated")
            return self._note(answer)
        if answer.held != 0:
            raise ProtocolViolation("OFFERED says that bytes are held already")
        if answer.file != file_id_of(self.client.welcome.device, self.once.client_id):
            raise ProtocolViolation("OFFERED tells a wrong file id")
        self.credit = answer.credit
        return None

    def send(self, data):
        """Sends bytes as far as the credit goes, waiting for more credit where it ends."""
        view = memoryview(data)
        while view:
            self.client.take_waiting()
            while self.credit == 0 or self.exchange.inbox:
                self.credit += self.exchange.next(FrameType.CREDIT)[1].bytes
            count = min(len(view), self.credit, MAX_RAW)
            self.exchange.send(FrameType.DATA, raw=bytes(view[:count]))
            self.credit -= count
            view = view[count:]
            self.client.drain()

    def commit(self, size, digest):
        """Says that this was all, and waits until it is stored."""
        self.exchange.send(FrameType.COMMIT, pb.Commit(size=size, sha256=digest))
        return self._note(self._last_answer()[1])

    def cancel(self):
        """Gives the upload up.  Returns Stored when that came too late, else None."""
        self.exchange.send(FrameType.CANCEL, pb.Cancel())
        frame_type, answer, _ = self._last_answer()
        return self._note(answer) if frame_type == FrameType.STORED else None

    def _last_answer(self):
        """STORED or DONE, behind credit that was still under way."""
        while True:
            answer = self.exchange.next(FrameType.CREDIT, FrameType.STORED, FrameType.DONE)
            if answer[0] != FrameType.CREDIT:
                return answer

    def _note(self, stored):
        self.client.book.note(stored.file.log, stored.file.sequence, stored.hash)
        return stored


class Download:
    """One download: iterating over it gives the bytes, and gives the server credit for more."""

    def __init__(self, client, file, offset, window):
        self.client = client
        self.window = window
        self.granted = window
        self.exchange = client.start(
            FrameType.GET, pb.Get(file=file, offset=offset, credit=window)
        )
        self.file = self.exchange.next(FrameType.FILE)[1].file
        if not re.match(re.escape(file), self.file.id.hex()):
            raise ProtocolViolation("FILE tells of another file")
        self.remaining = self.file.size - offset
        self._end_if_complete()

    def __iter__(self):
        while self.remaining:
            _, _, data = self.exchange.next(FrameType.DATA)
            if len(data) > self.granted:
                raise ProtocolViolation("more bytes than credit")
            if len(data) > self.remaining:
                raise ProtocolViolation("more bytes than the file has")
            self.granted -= len(data)
            self.remaining -= len(data)
            self._end_if_complete()
            self._grant()
            yield data

    def cancel(self):
        """Ends the download; bytes that are still under way are thrown away."""
        self.exchange.send(FrameType.CANCEL, pb.Cancel())
        while self.exchange.next(FrameType.DATA, FrameType.DONE)[0] != FrameType.DONE:
            pass

    def _grant(self):
        """Gives credit up to the window again, in steps of at least half of it."""
        more = min(self.window, self.remaining) - self.granted
        if more > 0 and (more >= self.window // 2 or self.granted == 0):
            self.exchange.send(FrameType.CREDIT, pb.Credit(bytes=more))
            self.granted += more

    def _end_if_complete(self):
        if self.remaining < 0:
            raise ProtocolViolation("a download from behind the end of its file")
        if self.remaining == 0:
            self.client.release(self.exchange)
