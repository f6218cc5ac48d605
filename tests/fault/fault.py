"""What the fault tests share: abusers, a healthy conversation beside them, what the server takes meanwhile, and the
libraries that make its calls fail. Everything else is in ../integration: harness.py (a server and the real client) and
independent_client.py (a client that can be made to misbehave)."""

import contextlib
import mmap
import os
import re
import resource
import selectors
import socket
import statistics
import struct
import sys
import tempfile
import threading
import time
import unittest.mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))

# pylint: disable=wrong-import-position
import harness  # noqa: E402
import independent_client as peer  # noqa: E402

# The thread sanitizer keeps several bytes of its own for each of the program's.
MEMORY_FACTOR = 4 if "TSAN_OPTIONS" in os.environ else 1
# A sanitizer keeps freed memory for a while: little of it, so that what the server itself keeps can be seen. And it
# does not mind that a library was put in front of it.
SANITIZER_OPTIONS = ("quarantine_size_mb=4:thread_local_quarantine_size_kb=64:verify_asan_link_order=0:"
                     "allocator_may_return_null=1")
ABUSER = "127.0.0.2"  # abuse comes from other addresses of the loopback than healthy members


def raise_descriptor_limit():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


# ---- What the server takes ----

def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptor_count(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class TestCase(harness.TestCase):
    """Tests that share a server which nothing may end."""

    config = {}
    command = None
    env = {}

    @classmethod
    def setUpClass(cls):
        raise_descriptor_limit()
        env = {"ASAN_OPTIONS": SANITIZER_OPTIONS, **cls.env}
        cls.server = harness.Server(config=cls.config, command=cls.command, env=env).start()
        cls.addClassCleanup(cls._end_server)

    def context(self, name):
        bundle = self.server.ca.member(name)
        return peer.tls_context(*(os.path.join(bundle, file) for file in ("ca.pem", "cert.pem", "key.pem")))

    def dial_in(self, context, source="127.0.0.1", port=None, receive_buffer=None, **options):
        """A session of the independent client's, from the address SOURCE, with the server (at PORT)."""
        def dial(address, timeout):
            plain = socket.socket()
            if receive_buffer is not None:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            plain.settimeout(timeout)
            plain.bind((source, 0))
            plain.connect(address)
            return plain
        with unittest.mock.patch.object(peer.socket, "create_connection", dial):
            return peer.Client(("127.0.0.1", port or self.server.port), context, **options)

    def login(self, name, **options):
        """A session that ends with the test."""
        client = self.dial_in(self.context(name), **options)
        self.addCleanup(client.abort)
        return client

    def pid(self):
        return self.server.process.pid

    def logged(self, pattern, offset=0):
        """How often the server's log has this behind OFFSET."""
        return len(re.findall(pattern, self.server.log()[offset:]))

    def assert_alive(self):
        self.assertIsNone(self.server.process.poll(), self.server.log()[-3000:])


# ---- Healthy members ----

class Conversation:
    """Two members who talk in a room all the while: says, one after the other, each timed by its sender."""

    def __init__(self, test, room="healthy"):
        alice, bob = test.member("alice"), test.member("bob")
        alice.ok("room", "create", room)
        bob.ok("room", "join", room)
        self.room = room
        self.chats = [test.chat(alice, room), test.chat(bob, room)]
        for chat in self.chats:
            chat.ask(cmd="list")  # it follows by now
        self.said = []

    def talk(self, seconds, pause=0.01):
        """The times of the round trips during so many seconds."""
        end = time.monotonic() + seconds
        times = []
        while time.monotonic() < end or len(times) < 20:
            text = f"message {len(self.said)}"
            start = time.monotonic()
            result = self.chats[len(self.said) % 2].ask(cmd="say", room=self.room, text=text)
            times.append(time.monotonic() - start)
            if not result["ok"]:
                raise AssertionError(result)
            self.said.append(text)
            time.sleep(pause)
        return times

    @contextlib.contextmanager
    def in_background(self):
        """Talks while the block runs; gives a list that has the times afterwards."""
        times, errors, stop = [], [], threading.Event()

        def run():
            try:
                while not stop.is_set():
                    times.extend(self.talk(0.2))
            except BaseException as error:  # pylint: disable=broad-except
                errors.append(error)
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield times
        finally:
            stop.set()
            thread.join()
        if errors:
            raise errors[0]

    def check_heard(self):
        """Both have got everything that either has said, in order."""
        for chat in self.chats:
            chat.expect(type="event", kind="message", text=self.said[-1])
            with chat.changed:
                texts = [each["text"] for each in chat.seen if each.get("kind") == "message"]
            if texts != self.said[:-1]:
                raise AssertionError(f"heard {len(texts) + 1} of {len(self.said)} messages, or in another order")


def describe(times):
    return f"{statistics.median(times) * 1000:.1f} ms (slowest of {len(times)}: {max(times) * 1000:.0f} ms)"


def check_latency(before, during, allowance=0.020):
    """Less than doubled, and a little for a machine that has other things to do, too."""
    print(f"healthy round trips: {describe(before)} before, {describe(during)} during")
    limit = 2 * statistics.median(before) + allowance
    if statistics.median(during) > limit:
        raise AssertionError(f"the median is more than {limit * 1000:.1f} ms")
    if max(during) > 2:
        raise AssertionError("a round trip took more than two seconds")


# ---- Abusers ----

def client_hello(context):
    """What a client sends first."""
    incoming, outgoing = peer.ssl.MemoryBIO(), peer.ssl.MemoryBIO()
    with contextlib.suppress(peer.ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


def dial(server, source, **options):
    """A connection that is under way, from the address SOURCE."""
    plain = socket.socket()
    for option, value in options.items():
        plain.setsockopt(socket.SOL_SOCKET, getattr(socket, option), value)
    plain.bind((source, 0))
    plain.setblocking(False)
    plain.connect_ex(("127.0.0.1", server.port))
    return plain


def is_over(plain):
    """Whether the server has ended the connection. What it says is thrown away."""
    try:
        while plain.recv(65536):
            pass
    except (BlockingIOError, InterruptedError):
        return False
    except OSError:
        pass
    return True


class Crowd:
    """Connections of which each is to be ended by the server; how long each lived."""

    def __init__(self):
        self.started = {}
        self.ages = []
        self.selector = selectors.DefaultSelector()

    def add(self, plain):
        self.started[plain] = time.monotonic()
        self.selector.register(plain, selectors.EVENT_READ)

    def watch(self, seconds):
        """Takes note of the ends within so many seconds; sooner if all are over."""
        end = time.monotonic() + seconds
        while self.started and time.monotonic() < end:
            for key, _ in self.selector.select(max(0, min(0.2, end - time.monotonic()))):
                if is_over(key.fileobj):
                    self.selector.unregister(key.fileobj)
                    self.ages.append(time.monotonic() - self.started.pop(key.fileobj))
                    key.fileobj.close()

    def close(self):
        self.selector.close()
        for plain in self.started:
            plain.close()
        self.started = {}


# ---- Failing calls ----

class Control:
    """The file by which a library in front of the server is told what to do: struct control of preload.h."""

    LAYOUT = struct.Struct("=5q")
    COUNTDOWN, BURST, CALLS, FAULTS, MODE = range(5)

    def __init__(self, library):
        self.path = tempfile.mkstemp(prefix="control-", dir=harness.scratch())[1]
        with open(self.path, "wb") as file:
            file.write(bytes(self.LAYOUT.size))
        with open(self.path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), self.LAYOUT.size)
        self.env = {"FAULT_CONTROL": self.path, "LD_PRELOAD": os.path.join(os.environ["SEALPOST_FAULT_DIR"], library)}

    def get(self, field):
        return struct.unpack_from("=q", self.map, 8 * field)[0]

    def set(self, field, value):
        struct.pack_into("=q", self.map, 8 * field, value)

    @property
    def calls(self):
        return self.get(self.CALLS)

    @property
    def faults(self):
        return self.get(self.FAULTS)

    def fail(self, number, burst=1):
        """Lets the allocation that is NUMBER from now on fail, and the BURST - 1 behind it."""
        self.set(self.COUNTDOWN, 0)
        self.set(self.BURST, burst)
        self.set(self.COUNTDOWN, number - 1 + burst)

    def stop(self):
        self.set(self.COUNTDOWN, 0)
        self.set(self.MODE, 0)
