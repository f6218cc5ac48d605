"""Crowds before the door: thousands of handshakes that are begun and not ended, handshakes that drip. Those who are in
notice little, those who come get in, and what the crowd takes is bounded and given back."""

import time
import unittest

import fault
import harness

HALF_OPEN = 5000
DRIPPING = 20
HANDSHAKE_TIMEOUT_S = 10
PER_ADDRESS = 256  # LIMIT_UNAUTHENTICATED_PER_ADDRESS


class HalfOpen(fault.TestCase):

    def gather(self, crowd, hello):
        """HALF_OPEN connections from one address: every other one silent, every other one with half a ClientHello."""
        told = []
        for number in range(HALF_OPEN):
            plain = fault.dial(self.server, fault.ABUSER)
            crowd.add(plain)
            if number % 2:
                told.append(plain)
            if number % 100 == 99:
                crowd.watch(0.02)  # the kernel's queue of connections is finite, too
                for each in told:
                    if each in crowd.started:
                        try:
                            each.send(hello[:len(hello) // 2])
                        except OSError:
                            pass  # it was turned away meanwhile
                told = []

    def drip(self, drips, hello, seconds):
        """One byte of a ClientHello at a time to each of DRIPS."""
        end = time.monotonic() + seconds
        at = 0
        while time.monotonic() < end and drips.started:
            for plain in list(drips.started):
                try:
                    plain.send(hello[at:at + 1])
                except OSError:
                    pass  # noticed by watch()
            at += 1
            drips.watch(1)

    def test_crowd(self):
        conversation = fault.Conversation(self)
        hello = fault.client_hello(self.context("mallory"))
        before = conversation.talk(2)
        resident, descriptors = fault.resident_kib(self.pid()), fault.descriptor_count(self.pid())
        crowd, drips = fault.Crowd(), fault.Crowd()
        self.addCleanup(crowd.close)
        self.addCleanup(drips.close)
        offset = len(self.server.log())
        with conversation.in_background() as during:
            for _ in range(DRIPPING):
                drips.add(fault.dial(self.server, "127.0.0.3"))
            self.gather(crowd, hello)
            grown = fault.resident_kib(self.pid()) - resident
            held = fault.descriptor_count(self.pid()) - descriptors
            self.assertLessEqual(held, PER_ADDRESS + DRIPPING + 50)
            self.member("carol").ok("whoami")  # a newcomer, while all the places of the crowd are taken
            self.drip(drips, hello, HANDSHAKE_TIMEOUT_S + 3)
            crowd.watch(HANDSHAKE_TIMEOUT_S + 3)
            grown = max(grown, fault.resident_kib(self.pid()) - resident)
        print(f"{HALF_OPEN} half handshakes: {held} descriptors, {grown} KiB at most; "
              f"{self.logged('error=timeout reason=handshake', offset)} cut by the deadline, the others turned away")
        fault.check_latency(before, during)
        conversation.check_heard()
        self.assertEqual((len(crowd.started), len(drips.started)), (0, 0), "not cut")
        self.assertLess(max(crowd.ages + drips.ages), HANDSHAKE_TIMEOUT_S + 3)
        self.assertGreater(min(drips.ages), HANDSHAKE_TIMEOUT_S - 1)
        self.assertEqual(self.logged("error=timeout reason=handshake", offset), PER_ADDRESS + DRIPPING)
        self.assertIn("event=turned_away", self.server.log()[offset:])
        self.assertLess(self.logged("\n", offset), PER_ADDRESS + DRIPPING + 200, "the log is flooded")
        self.assertLess(grown, 64 * 1024 * fault.MEMORY_FACTOR)
        harness.wait_until(lambda: fault.descriptor_count(self.pid()) <= descriptors, 5, "the descriptors")


class ManyAddresses(fault.TestCase):
    """As many as the server takes at all, from addresses each of which has few."""

    ADDRESSES = 40
    EACH = 50

    def test_newcomers_get_in(self):
        conversation = fault.Conversation(self)
        before = conversation.talk(1)
        crowd = fault.Crowd()
        self.addCleanup(crowd.close)
        with conversation.in_background() as during:
            for number in range(self.ADDRESSES):
                for _ in range(self.EACH):
                    crowd.add(fault.dial(self.server, f"127.0.1.{number + 1}"))
                crowd.watch(0.01)
            start = time.monotonic()
            self.member("carol").ok("whoami")
            waited = time.monotonic() - start
        print(f"{self.ADDRESSES * self.EACH} half handshakes from {self.ADDRESSES} addresses: a newcomer waited "
              f"{waited:.2f} s")
        fault.check_latency(before, during)
        self.assertLess(waited, 2)
        harness.wait_until(lambda: "event=crowded_out" in self.server.log(), 5, "the line of the crowd, one a second")


if __name__ == "__main__":
    unittest.main(verbosity=2)
