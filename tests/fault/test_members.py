"""Members who are in and misbehave: readers who stop reading, senders who never listen, frames that no client sends,
more messages than are allowed. They are told or cut; those who talk beside them notice little."""

import contextlib
import random
import time
import unittest

import fault
from fault import peer
from fault import harness

FrameType, pb = peer.FrameType, peer.pb
GROWTH_KIB = 64 * 1024 * fault.MEMORY_FACTOR


class StoppedReaders(fault.TestCase):
    config = {"message_rate": "0"}
    READERS = 200
    MESSAGES = 4000
    TEXT = "x" * 1000

    def test_readers(self):
        conversation = fault.Conversation(self)
        writer = self.login("carol")
        writer.create_room("flood")
        context = self.context("mallory")
        readers = []
        for _ in range(self.READERS):
            client = self.dial_in(context, fault.ABUSER, receive_buffer=4096)
            self.addCleanup(client.abort)
            if not readers:
                client.join("flood")
            readers.append((client, client.follow("flood")))
        before = conversation.talk(2)
        resident = fault.resident_kib(self.pid())
        with conversation.in_background() as during:
            waiting = []
            for number in range(self.MESSAGES):
                waiting.append(writer.start_write(FrameType.POST, "flood", f"{number} {self.TEXT}"))
                if len(waiting) == 32:
                    for exchange in waiting:
                        writer.finish_write(exchange)
                    waiting = []
            grown = fault.resident_kib(self.pid()) - resident
        print(f"{self.MESSAGES} messages to {self.READERS} members who do not read: the server grew by {grown} KiB")
        fault.check_latency(before, during)
        conversation.check_heard()
        self.assertLess(grown, GROWTH_KIB)  # unbounded it would be 800 MiB
        # Who was slow only has lost nothing. The independent client checks the order and the chain.
        for client, cursor in readers[:5]:
            events = client.wait_events(cursor, self.MESSAGES + 2)
            self.assertEqual([event.text for event in events if event.kind == peer.EventKind.MESSAGE],
                             [f"{number} {self.TEXT}" for number in range(self.MESSAGES)])


class NeverListening(fault.TestCase):
    """Requests without end, whose answers nobody reads."""

    PIECE = 64 << 10
    MOST_KIB = 16 << 10  # the kernel holds some

    def test_floods(self):
        conversation = fault.Conversation(self)
        context = self.context("mallory")
        before = conversation.talk(2)
        kinds = {
            "PING": peer.encode_frame(FrameType.PING, 0, pb.Ping(token=1).SerializeToString()),
            "unknown": peer.encode_frame(200, 7),
            "LIST": peer.encode_frame(FrameType.LIST, 7, pb.List(what=pb.List.LOGS).SerializeToString()),
            "STATUS": peer.encode_frame(FrameType.STATUS, 7),
            "POST": peer.encode_frame(FrameType.POST, 7, pb.Write(
                once=peer.Once.fresh().message(), log=peer.log_key("nowhere")).SerializeToString(), b"x" * 1000),
        }
        resident = fault.resident_kib(self.pid())
        with conversation.in_background() as during:
            flooders = {name: self.dial_in(context, fault.ABUSER, receive_buffer=4096) for name in kinds}
            taken = dict.fromkeys(kinds, 0)
            end = time.monotonic() + 5
            while time.monotonic() < end:
                for name, client in flooders.items():
                    if not client._connection._out:  # pylint: disable=protected-access
                        client.send_bytes(kinds[name] * (self.PIECE // len(kinds[name])))
                        taken[name] += self.PIECE >> 10
                    client.send_bytes(b"")  # what was queued and is taken now
                time.sleep(0.001)
            for client in flooders.values():
                client.abort()
        grown = fault.resident_kib(self.pid()) - resident
        print(f"floods: the server grew by {grown} KiB; it took, in KiB: {taken}")
        self.assertLess(max(taken.values()), self.MOST_KIB, "answers without end found room somewhere")
        fault.check_latency(before, during, allowance=0.040)
        conversation.check_heard()
        self.assertLess(grown, GROWTH_KIB)


class Nonsense(fault.TestCase):
    """What no client sends. Where the protocol says that the connection ends, it ends with BYE (protocol)."""

    ONCE = peer.Once.fresh().message()
    HEADER = peer.FRAME_HEADER
    ENDS = {
        "a message that is too long": HEADER.pack(2049, 0, FrameType.PING, 0, 0),
        "the longest message there can be": HEADER.pack(65535, 65535, FrameType.PING, 0, 0),
        "a raw part that is too long": HEADER.pack(0, 32769, FrameType.DATA, 0, 1),
        "a byte that is not 0": HEADER.pack(0, 0, FrameType.PING, 1, 0),
        "no protobuf": peer.encode_frame(FrameType.PING, 0, b"\xff" * 10),
        "half a protobuf": peer.encode_frame(FrameType.POST, 1, pb.Write(once=ONCE).SerializeToString()[:-3]),
        "a name that is too long": peer.encode_frame(
            FrameType.ROOM_CREATE, 1, pb.Create(once=ONCE, name="x" * 1000).SerializeToString()),
        "a client id that is too short": peer.encode_frame(FrameType.ROOM_CREATE, 1, pb.Create(
            once=pb.Once(client_id=b"x" * 15, salt=b"x" * 32), name="x").SerializeToString()),
        "a raw part where none belongs": peer.encode_frame(FrameType.PING, 0, b"", b"x"),
        "a raw part of the longest size where none belongs": peer.encode_frame(FrameType.STATUS, 1, b"", b"x" * 32768),
        "a request on stream 0": peer.encode_frame(FrameType.STATUS, 0),
        "PING on a stream": peer.encode_frame(FrameType.PING, 5, pb.Ping(token=1).SerializeToString()),
        "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" + b"x" * 40000,
        **{f"random bytes {seed}": random.Random(seed).randbytes(40000) for seed in range(20)},
    }
    ANSWERED = {
        "an unknown type": peer.encode_frame(200, 9),
        "a server's type": peer.encode_frame(FrameType.STORED, 9),
        "an offer without anything": peer.encode_frame(FrameType.OFFER, 9),
        "a message to nowhere": peer.encode_frame(FrameType.POST, 9),
        "a room whose name is not allowed": peer.encode_frame(
            FrameType.ROOM_CREATE, 9, pb.Create(once=ONCE, name="\u202eden").SerializeToString()),
        "a list of nothing": peer.encode_frame(FrameType.LIST, 9, pb.List(what=77).SerializeToString()),
        "a file that is not named": peer.encode_frame(FrameType.GET, 9),
    }

    def test_frames_that_end_it(self):
        conversation = fault.Conversation(self)
        offset = len(self.server.log())
        with conversation.in_background():
            for name, data in self.ENDS.items():
                with self.subTest(name):
                    client = self.login("mallory")
                    client.send_bytes(data)
                    bye, _ = client.wait_for_end()
                    self.assertIsNotNone(bye, "no BYE")
                    self.assertEqual(bye.number, peer.ErrorNumber.PROTOCOL)
        conversation.check_heard()
        harness.wait_until(lambda: self.logged("event=logout .*member=mallory reason=protocol", offset) == len(self.ENDS),
                           5, "a line for each")
        self.assertEqual(self.logged("member=alice reason=|member=bob reason=", offset), 0)
        print(f"{len(self.ENDS)} kinds of nonsense")

    def test_frames_that_are_answered(self):
        client = self.login("mallory")
        for name, data in self.ANSWERED.items():
            with self.subTest(name):
                exchange = client.start(FrameType.STATUS, pb.StatusRequest())
                exchange.next(FrameType.STATUS_RESULT)
                error = peer.Exchange(client, 9)
                client._streams[9] = error  # pylint: disable=protected-access
                client.send_bytes(data)
                with self.assertRaises(peer.RequestError):
                    error.next()
        client.ping()

    def test_more_than_the_credit(self):
        self.member("alice").ok("room", "create", "credit")
        client = self.login("alice")
        offer = pb.Offer(once=peer.Once.fresh().message(), log=peer.log_key("credit"), name="x", size_unknown=True)
        # In one piece: the server has not said OFFERED, which gives the first credit, when it comes to DATA.
        client.send_bytes(peer.encode_frame(FrameType.OFFER, 5, offer.SerializeToString(), b"") +
                          peer.encode_frame(FrameType.DATA, 5, b"", b"x"))
        bye, _ = client.wait_for_end()
        self.assertEqual(bye.number, peer.ErrorNumber.PROTOCOL)

    def test_what_is_no_tls_record(self):
        client = self.login("mallory")
        client._connection.socket.setblocking(True)  # pylint: disable=protected-access
        plain = client._connection.socket.detach()  # pylint: disable=protected-access
        with contextlib.closing(peer.socket.socket(fileno=plain)) as plain:
            plain.sendall(b"x" * 1000)
            plain.settimeout(10)
            with contextlib.suppress(ConnectionResetError):
                while plain.recv(65536):
                    pass
        self.member("alice").ok("whoami")


class TooFast(fault.TestCase):
    RATE, BURST = 10, 20
    config = {"message_rate": str(RATE), "message_burst": str(BURST)}

    def test_slow_down(self):
        mallory = self.login("trent")
        again = self.login("trent")  # all sessions of one member share its rate
        mallory.create_room("den")
        start = time.monotonic()
        exchanges = [client.start_write(FrameType.POST, "den", f"{number}")
                     for number in range(50) for client in (mallory, again)]
        taken, retries = 0, []
        for exchange in exchanges:
            try:
                exchange.client.finish_write(exchange)
                taken += 1
            except peer.RequestError as error:
                self.assertEqual(error.number, peer.ErrorNumber.SLOW_DOWN)
                retries.append(error.retry_after_ms)
        passed = time.monotonic() - start
        print(f"{taken} of 100 taken in {passed:.2f} s; the others are to come again after {min(retries)} to "
              f"{max(retries)} ms")
        self.assertGreaterEqual(taken, self.BURST - 1)  # the room's creation was one
        self.assertLessEqual(taken, self.BURST + self.RATE * passed + 1)
        self.assertGreater(min(retries), 0)
        self.assertLessEqual(max(retries), 1000 // self.RATE + 1)
        time.sleep(retries[-1] / 1000 + 0.02)
        mallory.post("den", "in time")
        with self.assertRaises(peer.RequestError):
            for _ in range(5):
                again.post("den", "too soon")

    def test_others_are_not_slowed(self):
        alice = self.login("alice")
        alice.create_room("free")
        mallory = self.login("mallory")
        mallory.join("free")
        for number in range(50):
            with contextlib.suppress(peer.RequestError):
                mallory.post("free", f"{number}")
        for number in range(self.BURST - 2):
            alice.post("free", f"{number}")

    def test_the_client_waits(self):
        """The command tries again by itself, as long as its timeout allows."""
        bob = self.member("bob")
        bob.ok("room", "create", "patient")
        chat = self.chat(bob, "patient")
        results = [chat.ask(cmd="say", room="patient", text=f"{number}") for number in range(self.BURST + 5)]
        self.assertTrue(all(result["ok"] or result["error"] == "slow-down" for result in results), results)
        bob.ok("say", "patient", "after all")


if __name__ == "__main__":
    unittest.main(verbosity=2)
