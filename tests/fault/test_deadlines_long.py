"""The long deadlines: a reader who takes nothing for 60 s, half a frame for 60 s, silence for 90 s. Each is cut when it
is due, and who moves ever so slowly is not."""

import time
import unittest

import fault
from fault import peer
from fault import harness

STALLED_S = PARTIAL_S = 60
IDLE_S = 90
LATE_S = 8  # the loop looks twice a second; the machine may be busy
READERS = 200


class Deadlines(fault.TestCase):
    config = {"message_rate": "0"}

    def wait_for_logouts(self, member, count, reason, timeout):
        pattern = f"event=logout .*member={member} reason={reason}"
        harness.wait_until(lambda: self.logged(pattern) >= count, timeout, f"{count} logouts of {member}")
        self.assertEqual(self.logged(f"event=logout .*member={member} "), count)

    def test_stopped_readers(self):
        writer = self.login("carol")
        writer.create_room("flood")
        context = self.context("mallory")
        readers = []
        for _ in range(READERS):
            client = self.dial_in(context, fault.ABUSER, receive_buffer=4096)
            self.addCleanup(client.abort)
            if not readers:
                client.join("flood")
            readers.append((client, client.follow("flood")))
        slow = self.dial_in(self.context("dave"), receive_buffer=4096)
        self.addCleanup(slow.abort)
        slow.join("flood")
        cursor = slow.follow("flood")
        start = time.monotonic()
        for number in range(4000):
            writer.post("flood", f"{number} " + "x" * 1000)
        written = time.monotonic()
        descriptors = fault.descriptor_count(self.pid())
        while self.logged("event=logout .*member=mallory reason=idle") < READERS:
            self.assertLess(time.monotonic(), written + STALLED_S + LATE_S, "not cut")
            time.sleep(2)
            slow.listen(0.05)  # a little, now and then
            writer.ping()
        self.assertGreater(time.monotonic(), start + STALLED_S - 1)
        self.assertEqual(self.logged("event=logout .*member=mallory "), READERS)
        print(f"{READERS} readers were cut {time.monotonic() - written:.0f} s after the last message")
        self.assertLessEqual(fault.descriptor_count(self.pid()), descriptors - READERS + 5)
        events = slow.wait_events(cursor, 4000 + 3)
        self.assertEqual(len([event for event in events if event.kind == peer.EventKind.MESSAGE]), 4000)

    def test_half_a_frame(self):
        """One byte every 5 s: bytes come all the while, but never a whole frame."""
        conversation = fault.Conversation(self)
        frame = peer.encode_frame(peer.FrameType.POST, 1, b"", b"x" * 100)
        drips = [self.login("erin") for _ in range(10)]
        start = time.monotonic()
        with conversation.in_background():
            for at in range(PARTIAL_S // 5 + 4):
                for client in drips:
                    client.send_bytes(frame[at:at + 1])
                time.sleep(5)
                if self.logged("event=logout .*member=erin reason=idle") == len(drips):
                    break
        self.wait_for_logouts("erin", len(drips), "idle", 1)
        waited = time.monotonic() - start
        print(f"half a frame: cut after {waited:.0f} s")
        self.assertGreater(waited, PARTIAL_S - 1)
        self.assertLess(waited, PARTIAL_S + 5 + LATE_S)
        bye, _ = drips[0].wait_for_end()
        self.assertEqual(bye.number, peer.ErrorNumber.IDLE)

    def test_silence(self):
        """PING after 30 s, cut after 90 s; half a TLS record is silence, too. Who answers PING stays."""
        silent = [self.login("frank") for _ in range(5)]
        polite = self.login("grace")
        start = time.monotonic()
        record = b"\x17\x03\x03\x40\x00"
        for second in range(IDLE_S + LATE_S):
            if second < len(record):
                raw = silent[0]._connection.socket  # pylint: disable=protected-access
                peer.socket.socket.send(raw, record[second:second + 1])
            polite.listen(1)
            if self.logged("event=logout .*member=frank reason=idle") == len(silent):
                break
        self.wait_for_logouts("frank", len(silent), "idle", 1)
        waited = time.monotonic() - start
        print(f"silence: cut after {waited:.0f} s")
        self.assertGreater(waited, IDLE_S - 1)
        polite.ping()


if __name__ == "__main__":
    unittest.main(verbosity=2)
