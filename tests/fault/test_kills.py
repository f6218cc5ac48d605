"""kill -9 of a server to which eight clients write and two upload: see test_kills.c, which does it. Here: the
certificates and the configuration; how many kills; and that a server that acknowledges before it commits is found out."""

import os
import re
import subprocess
import unittest

import fault
import harness

KILLS = int(os.environ.get("SEALPOST_FAULT_RUNS", "100"))
SEED = os.environ.get("SEALPOST_FAULT_SEED", "1")
CLIENTS = 10
BROKEN_A_PROMISE = 3
# From the start of the process to the first login; a sanitizer takes its time.
START_MS = 8000 if "SEALPOST_FAULT_SANITIZED" in os.environ else 2000


class Kills(unittest.TestCase):

    def run_kills(self, kills, **env):
        """What the program ends with and prints."""
        server = harness.Server(config={"message_rate": "0", "listen": f"127.0.0.1:{harness.free_port()}"},
                                env={"ASAN_OPTIONS": fault.SANITIZER_OPTIONS, **env})
        for number in range(CLIENTS):
            server.ca.member(f"kill{number}")
        server.write_config()
        port = server.config["listen"].rpartition(":")[2]
        done = subprocess.run(
            [os.environ["SEALPOST_FAULT_KILLS"], harness.SEALPOSTD, server.config_path, server.log_path,
             os.path.join(server.directory, "journal"), port, server.ca.path("members"), str(kills), SEED],
            env=server.env, capture_output=True, text=True, check=False)
        print(done.stdout + done.stderr)
        if done.returncode != 0:
            print(server.log()[-2000:])
        harness.check_sanitizers(server.log() + done.stderr)
        return done, server

    def test_kills(self):
        done, server = self.run_kills(KILLS)
        self.assertEqual(done.returncode, 0)
        counts = [int(each) for each in re.findall(r"(\d+)", done.stdout.splitlines()[0])]
        self.assertEqual(counts[0], KILLS)
        self.assertEqual(sum(counts[1:]), KILLS)
        # A blob for each file that is not in the database, and nothing else.
        expected = int(re.search(r"of which (\d+) are blobs", done.stdout).group(1))
        blobs = sum(len(files) for _, _, files in os.walk(os.path.join(server.config["state"], "files")))
        self.assertEqual(blobs, expected)
        self.assertGreater(expected, 0)
        # All the starts, not the slowest: the machine may have other things to do for a moment.
        self.assertLess(int(re.search(r"first login (\d+) ms", done.stdout).group(1)), START_MS)

    def test_finds_what_acknowledges_first(self):
        done, _ = self.run_kills(20, FAULT_BROKEN="ack-first",
                                 FAULT_PRELOAD=os.path.join(os.environ["SEALPOST_FAULT_DIR"], "libfault_broken.so"))
        self.assertEqual(done.returncode, BROKEN_A_PROMISE)


if __name__ == "__main__":
    unittest.main(verbosity=2)
