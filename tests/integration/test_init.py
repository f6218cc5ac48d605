"""sealpostd init: all of it or nothing, from nothing or out of a directory of make-test-ca; and the root's list."""

import fcntl
import json
import os
import signal
import stat
import subprocess
import time
import unittest

import harness

TOOL = harness.Team.tool


def openssl(*arguments):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, text=True).stdout


class Made(unittest.TestCase):

    def test_what_is_made(self):
        team = harness.Team()
        modes = {}
        for directory, directories, files in os.walk(team.directory):
            for name in directories + files:
                path = os.path.join(directory, name)
                modes[os.path.relpath(path, team.directory)] = stat.S_IMODE(os.stat(path).st_mode)
        for private in ("ca/root-key.pem", "ca/issuing-key.pem", "ca/receipts-key.pem", "server/key.pem"):
            self.assertEqual(modes[private], 0o600, private)
        for directory in ("ca", "server", "state"):
            self.assertEqual(modes[directory], 0o700, directory)
        for public in ("ca.pem", "crl.pem", "sealpost.conf", "sealpostd.service", "server/cert.pem"):
            self.assertEqual(modes[public], 0o644, public)
        openssl("verify", "-x509_strict", "-crl_check_all", "-CAfile", team.path("ca", "root.pem"), "-CRLfile",
                team.path("crl.pem"), "-untrusted", team.path("ca", "issuing.pem"), "-purpose", "sslserver",
                team.path("server", "cert.pem"))
        checked = TOOL("check", team.directory)
        self.assertIn(" 0 errors", checked.stdout)
        with open(team.path("sealpostd.service"), encoding="utf-8") as file:
            self.assertIn(f' run "{team.directory}"\n', file.read())
        # It serves without the root's key.
        os.rename(team.path("ca", "root-key.pem"), team.directory + "-root-key.pem")
        team.start()
        self.assertEqual(team.administrator().json("whoami")[0]["username"], "root")
        team.stop()

    def test_a_path_with_everything(self):
        """What systemd would take for something else stands in the unit as it says (systemd.syntax(7))."""
        directory = os.path.join(harness.scratch(), 'a "team" at 100%, $HOME \\o')
        TOOL("init", directory, "--team", "ours", "--host", "localhost")
        with open(os.path.join(directory, "sealpostd.service"), encoding="utf-8") as file:
            unit = file.read()
        start = harness.scratch() + r'/a \"team\" at 100%%, $'
        self.assertIn(f' run "{start}$HOME \\\\o"\n', unit)
        self.assertIn(f'ReadWritePaths="{start}HOME \\\\o"\n', unit)
        refused = TOOL("init", os.path.join(harness.scratch(), "two\nlines"), "--team", "ours", "--host", "localhost",
                       check=False)
        self.assertEqual(refused.returncode, 2, refused)
        self.assertIn("has a control character in its path", refused.stderr)

    def test_a_way_back(self):
        """Whoever has lost every device is let in by who has the server; and only by them."""
        team = harness.Team()
        team.start()
        root = team.administrator()
        running = TOOL("invite", team.directory, "root", check=False)
        self.assertEqual(running.returncode, 1, running)
        self.assertIn("member invite", running.stderr)
        lost = root.json("device", "list")[0]["label"]
        root.ok("device", "revoke", lost, "--force")
        team.stop()
        older = json.loads(TOOL("invite", team.directory, "root", "--json").stdout)
        self.assertEqual((older["type"], older["name"], older["device"]), ("join_code", "root", True))
        again = TOOL("invite", team.directory, "root")
        self.assertIn("another device of root", again.stdout)
        new = json.loads(TOOL("invite", "--config", team.path("sealpost.conf"), "ann", "--admin", "--json").stdout)
        self.assertFalse(new["device"])
        new = json.loads(TOOL("invite", team.directory, "ann", "--json").stdout)  # and she still is to be one
        for arguments, exit_code in (((team.directory,), 2), ((team.directory, "Ann"), 2), ((team.path("ca"), "ann"), 2),
                                     ((team.directory, "ann", "--adm"), 2)):
            refused = TOOL("invite", *arguments, check=False)
            self.assertEqual(refused.returncode, exit_code, (arguments, refused.stderr))
        team.start()
        home = team.home("root-again")
        self.assertEqual(home.run("join", stdin=older["code"].encode() + b"\n").code, 4)  # it was replaced
        home.join(again.stdout.split()[-1])
        self.assertEqual(home.json("whoami")[0]["role"], "administrator")
        ann = team.home("ann").join(new["code"])
        self.assertEqual(ann.json("whoami")[0]["role"], "administrator")
        team.stop()

    def test_the_roots_list(self):
        team = harness.Team()
        before = openssl("crl", "-in", team.path("crl.pem"), "-noout", "-crlnumber")
        done = TOOL("root-list", "--root-key", team.path("ca", "root-key.pem"), team.directory)
        self.assertIn("another year", done.stdout)
        after = openssl("crl", "-in", team.path("crl.pem"), "-noout", "-crlnumber")
        self.assertGreater(int(after.split("=")[1], 0), int(before.split("=")[1], 0))
        wrong = TOOL("root-list", "--root-key", team.path("server", "key.pem"), team.directory, check=False)
        self.assertEqual(wrong.returncode, 4)
        self.assertIn("key.pem", wrong.stderr)
        self.assertIn(" 0 errors", TOOL("check", team.directory).stdout)

    def test_who_makes_lists_takes_turns(self):
        team = harness.Team()
        with open(team.path("crl.pem"), encoding="utf-8") as file:
            before = file.read()
        directory = os.open(team.directory, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(directory, fcntl.LOCK_EX)
        with subprocess.Popen([harness.SEALPOSTD, "root-list", "--root-key", team.path("ca", "root-key.pem"),
                               team.directory], stdout=subprocess.DEVNULL) as other:
            with self.assertRaises(subprocess.TimeoutExpired):
                other.wait(0.5)
            with open(team.path("crl.pem"), encoding="utf-8") as file:
                self.assertEqual(file.read(), before)
            os.close(directory)
            self.assertEqual(other.wait(30), 0)

    def test_refusals_leave_nothing(self):
        directory = os.path.join(harness.scratch(), "refused")
        good = ("--team", "ours", "--host", "localhost")
        for arguments, code in (((), 2), (("--team", "ours"), 2), (good[2:], 2), (("--team", "Ours", *good[2:]), 2),
                                (("--team", "ours", "--host", "no_host"), 2), (("--team", "ours", "--host", "a..b"), 2),
                                (("--team", "ours", "--host", "localhost:0"), 2), ((*good, "--listen", "a:b:c:d"), 2),
                                ((*good, "--force"), 2), (("--adopt", "/nonexistent", *good[2:]), 5),
                                (("--adopt", "/nonexistent", *good), 2)):
            result = TOOL("init", directory, *arguments, check=False)
            self.assertEqual(result.returncode, code, (arguments, result.stderr))
            self.assertTrue(result.stderr.startswith("sealpostd: error: "), result.stderr)
            self.assertEqual([name for name in os.listdir(harness.scratch()) if name.startswith("refused")], [])
        self.assertNotEqual(TOOL("init", "/nonexistent/team", *good, check=False).returncode, 0)

    def test_what_is_there_stays(self):
        directory = os.path.join(harness.scratch(), "occupied")
        os.mkdir(directory)
        with open(os.path.join(directory, "mine"), "w", encoding="utf-8") as file:
            file.write("mine")
        result = TOOL("init", directory, "--team", "ours", "--host", "localhost", check=False)
        self.assertEqual(result.returncode, 6)
        self.assertIn("'mine'", result.stderr)
        self.assertEqual(os.listdir(directory), ["mine"])
        os.remove(os.path.join(directory, "mine"))
        TOOL("init", directory, "--team", "ours", "--host", "localhost")  # an empty one will do
        self.assertIn("sealpost.conf", os.listdir(directory))

    def test_killed_in_the_middle(self):
        for number in range(12):
            directory = os.path.join(harness.scratch(), f"killed{number}")
            process = subprocess.Popen([harness.SEALPOSTD, "init", directory, "--team", "ours", "--host", "localhost"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.02 * number)
            process.send_signal(signal.SIGKILL)
            process.wait()
            if os.path.exists(directory):  # then it is all there
                self.assertIn(" 0 errors", TOOL("check", directory).stdout)


class Adopted(unittest.TestCase):

    def test_certificates_go_on_being_good(self):
        ca = harness.Authority(os.path.join(harness.scratch(), "old"), "old")
        old, gone = ca.member("anna"), ca.member("gone")
        ca.revoke("gone")
        team = harness.Team.__new__(harness.Team)
        team.env = dict(os.environ)
        team.directory = os.path.join(harness.scratch(), "adopted")
        team.port = harness.free_port()
        team.config = {"listen": f"127.0.0.1:{team.port}", "disk_reserve": "0"}
        team.log_path = team.directory + ".log"
        made = json.loads(TOOL("init", team.directory, "--adopt", ca.directory, "--host", f"localhost:{team.port}",
                               "--admin", "root", "--json").stdout)
        self.assertEqual((made["team"], made["revoked"]), ("old", 1))
        self.assertFalse(os.path.exists(team.path("ca", "root-key.pem")))
        team.start()
        self.addCleanup(team.stop)
        root = team.home("root").join(made["code"])
        for bundle, code in ((old, 0), (gone, 4)):
            result = root.run("whoami", "--server", f"localhost:{team.port}", "--cert", bundle)
            self.assertEqual(result.code, code, result)
        self.assertIn("anna", [each["name"] for each in root.json("member", "list")])
        # A member from before gets another device by a code, and is the same one.
        anna = team.home("anna").join(root.json("device", "add", "--member", "anna")[0]["code"])
        self.assertEqual(len(anna.json("device", "list")), 2)


if __name__ == "__main__":
    harness.main()
