"""sealpost-bench: each scenario runs, small and for a second, against the real server, and prints numbers that can be
true. How good they are is not looked at: that depends on the machine."""

import json
import os
import subprocess
import unittest

import harness

BENCH = os.path.join(os.path.dirname(harness.SEALPOSTD), "..", "bench", "sealpost-bench")
TIMEOUT_S = 120

# What is run, and of each figure the least and the most that is believed, of the server and of the floor; None: there
# must be no such number.
SOME = (1e-6, 1e12)
SCENARIOS = {
    ("floor", "--sessions", "20"): {
        "deliveries": (None, (1, 1e9)), "cpu_per_million": (None, SOME), "commits": (None, (1, 1e7)),
        "sha256": (None, SOME), "disk": (None, SOME)},
    ("connect", "--sessions", "20", "--in-flight", "4"): {
        "handshake": (SOME, SOME), "logins": ((1, 1e6), (1, 1e6))},
    ("idle", "--sessions", "50"): {"idle_session": ((0, 1e5), (0, 1e5))},
    ("fanout", "--sessions", "20"): {
        "deliveries": ((1, 1e9), (1, 1e9)), "cpu_per_million": (SOME, SOME), "delivery_p50": (SOME, SOME)},
    ("fanout", "--preset", "rooms", "--rooms", "5", "--sessions", "20"): {"deliveries": ((1, 1e9), (1, 1e9))},
    ("fanout", "--preset", "light", "--sessions", "40", "--rate", "100"): {
        "messages": ((1, 1e4), (1, 1e4)), "deliveries": ((2, 2e4), (2, 2e4)), "commit_p50": (None, SOME)},
    ("direct",): {"messages": ((1, 1e6), (1, 1e6)), "answer_p99": (SOME, SOME)},
    ("upload", "--size", "3M", "--files", "2"): {"transfer": (SOME, SOME), "tls_pipe": (None, SOME)},
    ("upload", "--preset", "chat", "--size", "200K"): {"delivery_p99": (SOME, SOME)},
    ("download", "--size", "3M"): {"transfer": (SOME, SOME)},
    ("growth", "--history", "5000"): {"start": (SOME, None), "page_p50": (SOME, None), "page_p95": (SOME, None)},
    ("history", "--history", "3000", "--sessions", "3"): {
        "answer_p50": (SOME, SOME), "events_read": ((1, 1e8), None), "commit_p50": (None, SOME)},
    ("commit", "--senders", "3", "--in-flight", "5"): {"messages": ((1, 1e6), (1, 1e6)), "answer_p50": (SOME, None)},
}


def run(*arguments):
    return subprocess.run([BENCH, *arguments], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


class Bench(unittest.TestCase):
    def setUp(self):
        self.state = os.path.join(harness.scratch(), "bench")
        os.makedirs(self.state, exist_ok=True)
        self.options = ["--state", self.state, "--sealpostd", harness.SEALPOSTD, "--members", "2",
                        "--tools", os.path.join(harness.SOURCE_DIR, "tools"), "--seconds", "1",
                        "--ca", os.path.join(harness.scratch(), "bench-ca")]

    def check(self, figure, side, limits):
        if limits is None:
            self.assertNotIn(side, figure)
            return
        spread = figure[side]
        self.assertLessEqual(limits[0], spread["minimum"])
        self.assertLessEqual(spread["minimum"], spread["median"])
        self.assertLessEqual(spread["median"], spread["maximum"])
        self.assertLessEqual(spread["maximum"], limits[1])

    def test_scenarios(self):
        for scenario, expected in SCENARIOS.items():
            with self.subTest(scenario=scenario):
                result = run(*scenario, *self.options, "--json")
                harness.check_sanitizers(result.stderr)
                self.assertEqual((result.stderr, result.returncode), ("", 0))
                report = json.loads(result.stdout)
                self.assertEqual(report["scenario"], scenario[0])
                for name, (server, floor) in expected.items():
                    self.check(report["figures"][name], "server", server)
                    self.check(report["figures"][name], "floor", floor)
                self.assertEqual(os.listdir(self.state), [], "it leaves nothing behind")

    def test_table(self):
        result = run("fanout", "--sessions", "4", "--repeat", "2", "--no-pin", *self.options)
        self.assertEqual((result.stderr, result.returncode), ("", 0))
        row = next(line for line in result.stdout.splitlines() if line.startswith("deliveries"))
        self.assertRegex(row, r"/s +[\d.]+ [\d.]+\.\.[\d.]+ +[\d.]+ [\d.]+\.\.[\d.]+ +\d+\.\d{3}  >= 1300000")

    def test_usage(self):
        for arguments in ([], ["nothing"], ["fanout", "--senders"], ["fanout", "--bytes", "1"], ["idle", "x"]):
            with self.subTest(arguments=arguments):
                self.assertEqual(run(*arguments).returncode, 2)
        self.assertEqual(run("--help").returncode, 0)

    def test_no_server(self):
        result = run("commit", *self.options, "--sealpostd", "/nonexistent/sealpostd")
        self.assertEqual(result.returncode, 1)
        self.assertIn("/nonexistent/sealpostd: it does not start", result.stderr)
        self.assertEqual(os.listdir(self.state), [])


if __name__ == "__main__":
    harness.main()
