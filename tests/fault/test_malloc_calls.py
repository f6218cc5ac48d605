"""Memory runs out: allocation number k fails, for every k of the server's start, of a session, and of an upload. It may
refuse, cut the connection, or not start, and says so; no signal ends it, nothing that it has acknowledged is lost, and
it serves when there is memory again."""

import contextlib
import os
import random
import signal
import subprocess
import time
import unittest

import fault
import harness
from fault import peer

# So many allocations fail in each test: the first and the last ones, which are mostly ours, and others evenly over the
# rest, which are mostly OpenSSL's. Each one if it is large enough.
RUNS = int(os.environ.get("SEALPOST_FAULT_RUNS", "60"))
CONTENT = random.Random(2).randbytes(200000)
# Leaks of OpenSSL's own on these paths are not ours to judge.
OPTIONS = fault.SANITIZER_OPTIONS + ":detect_leaks=0"

# A sanitizer that cannot start a thread for want of memory ends the program.
SANITIZER_GAVE_UP = "CHECK failed: sanitizer_linux_libcdep.cpp"


def numbers(total):
    """Which of TOTAL allocations are to fail, one in each run."""
    first, last = RUNS // 4, total - RUNS // 2
    if first >= last:
        return range(1, total + 1)
    return [*range(1, first + 1), *range(first + 1, last, max(1, (last - first) // first)), *range(last + 1, total + 1)]


def check_ended(code, what, log):
    """That a server that has ended has ended by itself."""
    if SANITIZER_GAVE_UP in log:
        return
    harness.check_sanitizers(log)
    if code < 0 or code >= 128:
        raise AssertionError(f"{what}: ended by signal {signal.Signals(abs(code) % 128).name}:\n{log[-3000:]}")


class Start(unittest.TestCase):

    def setUp(self):
        self.control = fault.Control("libfault_failing_malloc.so")
        self.server = harness.Server(env={"ASAN_OPTIONS": OPTIONS, **self.control.env})
        self.server.start()  # makes the database
        self.server.stop()

    def start_failing(self, number, burst):
        """Starts it with allocation NUMBER failing; whether it served. It must not end by a signal."""
        self.control.set(self.control.CALLS, 0)
        self.control.fail(number, burst)
        path = os.path.join(self.server.directory, "failing.log")
        with open(path, "wb") as log:
            process = subprocess.Popen([harness.SEALPOSTD, "run", "--config", self.server.config_path],
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.server.env)

        def said():
            with open(path, encoding="utf-8", errors="replace") as file:
                return file.read()
        harness.wait_until(lambda: process.poll() is not None or "event=serving" in said(), 30, "it to serve or to end")
        served = process.poll() is None
        if served:
            process.terminate()
        code = process.wait(30)
        check_ended(code, f"allocation {number} of the start, {burst} failing", said())
        if not served:
            self.assertNotEqual(code, 0, (number, burst, said()))
            self.assertRegex(said(), f"sealpostd: error: |{SANITIZER_GAVE_UP}")
        return served

    def test_every_allocation(self):
        self.start_failing(0, 0)
        total = self.control.calls
        self.assertGreater(total, 0, "the library in front of the server counts nothing")
        before = self.control.faults
        served = runs = 0
        for burst in (1, 1000000000):
            for number in numbers(total):
                served += self.start_failing(number, burst)
                runs += 1
        faults = self.control.faults - before
        self.control.stop()
        print(f"{runs} starts of {total} allocations each, {faults} failed; it served all the same {served} times")
        self.assertGreaterEqual(faults, runs // 2)
        self.server.start()
        harness.Member(self.server, "alice").ok("whoami")
        self.server.stop()


class Sessions(fault.TestCase):
    config = {"message_rate": "0"}

    @classmethod
    def setUpClass(cls):
        cls.control = fault.Control("libfault_failing_malloc.so")
        cls.env = {**cls.control.env, "ASAN_OPTIONS": OPTIONS}
        super().setUpClass()
        cls.acknowledged = []

    def setUp(self):
        super().setUp()
        self.said = self.sessions = 0

    def talk(self, client):
        """A session: what is acknowledged is kept, to be looked for at the end."""
        client.join("den")
        cursor = client.follow("den", last=5)
        for _ in range(3):
            self.said += 1
            text = f"text {self.said}"
            client.post("den", text)
            self.acknowledged.append(text)
        client.list_logs()
        client.list_members("den")
        client.watch_presence()
        client.unfollow(cursor.log.id)
        client.status()

    def transfer(self, client):
        """An upload and a download, small and large."""
        for size in (100, len(CONTENT)):
            stored = client.upload("den", f"file {size}", CONTENT[:size])
            download = peer.Download(client, stored.file.id.hex(), 0, 192 * 1024)
            if b"".join(download) != CONTENT[:size]:
                raise AssertionError("other bytes came back")

    def run_one(self, work, number, burst):
        """One session in which allocation NUMBER of WORK fails; 0: none. None, or what went wrong."""
        self.sessions += 1
        # All logins come from one address: that the server has no memory does not count against it. What fails later
        # may look like a client that goes away, so that is done from many.
        source = "127.0.1.1" if work is None else f"127.0.{2 + self.sessions // 200 % 250}.{1 + self.sessions % 200}"
        try:
            if work is None:
                self.begin_failing(number, burst)
            with contextlib.closing(self.dial_in(self.alice, source)) as client:
                if work is not None:
                    self.begin_failing(number, burst)
                    work(client)
            return None
        except peer.ProtocolViolation:
            raise
        except peer.TimedOut as error:
            raise AssertionError(f"no answer; allocation {number}, {burst} failing:\n"
                                 f"{self.server.log()[-2000:]}") from error
        except (peer.ClientError, OSError) as error:
            return type(error).__name__ if number else str(error)
        finally:
            self.control.stop()

    def begin_failing(self, number, burst):
        self.control.set(self.control.CALLS, 0)
        if number:
            self.control.fail(number, burst)

    def check_alive(self, what, outcome):
        if outcome == "ConnectionCut":
            time.sleep(0.02)  # if it has died of it, that is seen by now
        code = self.server.process.poll()
        if code is not None:
            self.server.process = None
            check_ended(code, what, self.server.log())
            raise AssertionError(f"the server ended with {code}; {what}:\n{self.server.log()[-3000:]}")

    def every_allocation(self, name, work):
        for _ in range(3):
            self.assertIsNone(self.run_one(work, 0, 0))
        total = self.control.calls
        before = self.control.faults
        outcomes = {}
        for burst in (1, 200):
            for number in numbers(total):
                outcome = self.run_one(work, number, burst) or "all went well"
                outcomes[outcome] = outcomes.get(outcome, 0) + 1
                self.check_alive(f"{name}: allocation {number} of {total}, {burst} failing", outcome)
                if number % 8 == 0:
                    self.assertIsNone(self.run_one(work, 0, 0), "with memory again")
        faults = self.control.faults - before
        runs = sum(outcomes.values())
        print(f"{name}: {runs} runs of about {total} allocations, {faults} failed: {outcomes}")
        self.assertGreater(faults, runs)

    def test_sessions_and_uploads(self):
        self.member("alice").ok("room", "create", "den")
        self.alice = self.context("alice")
        for name, work in (("login", None), ("talk", self.talk), ("transfer", self.transfer)):
            self.every_allocation(name, work)
        client = self.login("alice")
        texts = [event.text for event in client.read("den") if event.kind == peer.EventKind.MESSAGE]
        self.assertEqual(len(texts), len(set(texts)), "doubled")
        self.assertEqual(set(self.acknowledged) - set(texts), set(), "acknowledged and lost")
        print(f"{len(self.acknowledged)} messages acknowledged, {len(texts)} there")


if __name__ == "__main__":
    unittest.main(verbosity=2)
