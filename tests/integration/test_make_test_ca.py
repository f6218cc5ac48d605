"""tools/make-test-ca: who is out after a revocation, what is kept and what is made anew, and what it says."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

import harness

SERIAL = r"[0-9A-F]{20,40}"  # random; one of 128 begins with a zero byte, which is not written
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ"
PAST = "20200101000000Z"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class MakeTestCa(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="authority-", dir=harness.scratch())
        self.ok("--team", "ours", "init")

    def run_it(self, *arguments):
        tool = os.path.join(harness.SOURCE_DIR, "tools", "make-test-ca")
        return subprocess.run([tool, "-d", "ca", *arguments], cwd=self.directory, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False, timeout=harness.RUN_TIMEOUT_S)

    def ok(self, *arguments):
        result = self.run_it(*arguments)
        self.assertEqual(result.returncode, 0, result)
        return result

    def path(self, *parts):
        return os.path.join(self.directory, "ca", *parts)

    def copy(self, bundle):
        """A copy of the certificate that stands in members/BUNDLE now, as its owner has it."""
        number = len(os.listdir(self.directory))
        return shutil.copy(self.path("members", bundle, "cert.pem"), os.path.join(self.directory, f"{number}.pem"))

    def is_accepted(self, certificate):
        """Whether openssl takes it, with our authorities and our revocation lists."""
        done = subprocess.run(["openssl", "verify", "-crl_check_all", "-CAfile", self.path("ca.pem"), "-CRLfile",
                               self.path("crl.pem"), certificate], capture_output=True, text=True, check=False)
        self.assertIn("OK" if done.returncode == 0 else "revoked", done.stdout + done.stderr)
        return done.returncode == 0

    def devices_of_bob(self):
        for device in ((), ("phone",), ("tablet",)):
            self.ok("member", "bob", *device)
        self.ok("member", "alice")
        self.ok("member", "bob.phone", "old")  # somebody else, of a name that looks like bob's phone
        bundles = ("bob", "bob.phone", "bob.tablet", "alice", "bob.phone.old")
        return {bundle: self.copy(bundle) for bundle in bundles}

    def accepted(self, certificates):
        return {name for name, certificate in certificates.items() if self.is_accepted(certificate)}

    def test_revoke_member_takes_every_device(self):
        certificates = self.devices_of_bob()
        certificates["bob's before"] = certificates["bob"]
        self.ok("member", "bob", "--force")
        certificates["bob"] = self.copy("bob")
        shutil.rmtree(self.path("members", "bob.tablet"))  # given to bob: the books know it still
        self.assertEqual(self.accepted(certificates), set(certificates))
        said = self.ok("revoke", "bob").stdout
        self.assertEqual(self.accepted(certificates), {"alice", "bob.phone.old"})
        for who, times in (("bob", 2), ("bob, device phone", 1), ("bob, device tablet", 1)):
            self.assertEqual(len(re.findall(rf"^revoked {who}: {SERIAL}, ", said, re.M)), times, said)
        self.assertNotIn("still valid", said)
        again = self.ok("revoke", "bob")
        self.assertNotIn("revoked bob", again.stdout)
        self.assertIn("nothing to revoke", again.stderr)

    def test_revoke_device_takes_that_device(self):
        certificates = self.devices_of_bob()
        said = self.ok("revoke", "bob", "phone").stdout
        self.assertEqual(self.accepted(certificates), set(certificates) - {"bob.phone"})
        self.assertEqual(len(re.findall("^revoked ", said, re.M)), 1, said)
        self.assertRegex(said, rf"(?m)^revoked bob, device phone: {SERIAL}, which was valid until {TIME}$")
        self.assertRegex(said, rf"(?m)^still valid: bob: {SERIAL}, until {TIME}$")
        self.assertRegex(said, rf"(?m)^still valid: bob, device tablet: {SERIAL}, until {TIME}$")
        self.assertEqual(len(re.findall("^still valid", said, re.M)), 2, said)

    def test_devices_are_no_numbers(self):
        for device in ("1", "01", "1e0"):
            self.ok("member", "bob", device)
        said = self.ok("revoke", "bob", "1").stdout
        self.assertEqual(re.findall(r"^(revoked|still valid:) bob, device (\w+)", said, re.M),
                         [("revoked", "1"), ("still valid:", "01"), ("still valid:", "1e0")])

    def test_revoke_file_takes_one(self):
        certificates = self.devices_of_bob()
        said = self.ok("revoke", "ca/members/bob/cert.pem").stdout
        self.assertEqual(self.accepted(certificates), set(certificates) - {"bob"})
        self.assertRegex(said, rf"(?m)^revoked bob: {SERIAL}, ")
        self.assertEqual(len(re.findall("^still valid: bob, device ", said, re.M)), 2, said)
        self.ok("server", "localhost")
        self.assertRegex(self.ok("revoke", "ca/server/cert.pem").stdout, rf"(?m)^revoked DNS:localhost: {SERIAL}, ")

    def test_revoke_refuses_what_was_never_issued(self):
        foreign = os.path.join(self.directory, "foreign")
        subprocess.run([os.path.join(harness.SOURCE_DIR, "tools", "make-test-ca"), "-d", foreign, "init"],
                       check=True, capture_output=True)
        before = self.ok("list")
        for arguments, reason in ((("nobody",), "no certificate was issued"), (("no/file",), "no file"),
                                  ((f"{foreign}/issuing/cert.pem",), "was not issued by"),
                                  (("ca/issuing/index.txt",), "is no certificate")):
            result = self.run_it("revoke", *arguments)
            self.assertEqual((result.returncode, result.stdout), (1, ""), arguments)
            self.assertIn(reason, result.stderr)
        self.assertEqual(self.ok("list").stdout, before.stdout)

    def check_list(self):
        lines = [line.split(" ", 1)[1].strip() for line in self.ok("list").stdout.splitlines()]
        names = [re.sub(rf"^{SERIAL} +{TIME} ", "", line) for line in lines]
        bob = "URI:sealpost://ours/bob"
        self.assertEqual(names, [bob, f"{bob}, device phone", f"{bob}, device tablet", "URI:sealpost://ours/alice",
                                 f"{bob}.phone, device old"])

    def test_list_shows_the_devices(self):
        self.devices_of_bob()
        self.check_list()
        os.remove(self.path("issuing", "devices"))  # an authority from before they were recorded
        self.check_list()

    def test_a_valid_certificate_is_kept_and_told(self):
        self.ok("member", "bob")
        before = self.copy("bob")
        result = self.ok("member", "bob")
        self.assertEqual(result.stdout, "")
        self.assertRegex(result.stderr, rf"^make-test-ca: kept ca/members/bob, valid until {TIME}; --force makes another\n$")
        self.assertEqual(read(before), read(self.copy("bob")))

    def check_made_anew(self, state):
        before = {name: read(self.path("members", "bob", name)) for name in ("cert.pem", "key.pem")}
        result = self.ok("member", "bob")
        self.assertRegex(result.stdout, rf"^made ca/members/bob, valid until {TIME}; the one before is {state}\n$")
        self.assertEqual(result.stderr, "")
        for name, text in before.items():
            self.assertNotEqual(read(self.path("members", "bob", name)), text, name)
        self.assertTrue(self.is_accepted(self.copy("bob")))

    def test_a_revoked_certificate_is_made_anew(self):
        self.ok("member", "bob")
        self.ok("revoke", "bob")
        self.check_made_anew("revoked")

    def test_an_expired_certificate_is_made_anew(self):
        self.ok("member", "bob", "--until", PAST)
        self.check_made_anew("expired")

    def test_force_tells_what_stays_valid(self):
        self.ok("member", "bob")
        before = self.copy("bob")
        said = self.ok("member", "bob", "--force").stdout
        self.assertTrue(self.is_accepted(before))
        self.ok("revoke", re.search(r"unless you revoke (\S+)$", said).group(1))
        self.assertFalse(self.is_accepted(before))
        self.assertTrue(self.is_accepted(self.copy("bob")))

    def test_each_success_says_what_it_made(self):
        commands = (("server", "localhost"), ("receipts",), ("member", "bob"), ("member", "bob", "phone"), ("bad",))
        for command in commands:
            result = self.ok(*command)
            self.assertRegex(result.stdout, r"^made ca/[^\n]+\n$", command)
            self.assertEqual(result.stderr, "", command)
        for command in (("init",), *commands):
            result = self.ok(*command)
            self.assertEqual(result.stdout, "", command)
            self.assertRegex(result.stderr, r"^make-test-ca: kept ca[^\n]+\n$", command)
        self.assertRegex(self.ok("crl").stdout, r"^made ca/crl.pem anew[^\n]+\n$")
        self.assertRegex(self.ok("--force", "init").stdout, r"^made ca, [^\n]+\n$")

    def test_what_is_written_about_it(self):
        usage = self.ok("--help").stdout
        readme = read(os.path.join(harness.SOURCE_DIR, "certs", "README.md"))
        for text in (usage, readme):
            self.assertNotRegex(text, r"(ca|crl|cert|key)_file")
            self.assertIn("members/bob/cert.pem" if text is readme else "members/NAME/cert.pem", text)
        self.assertRegex(usage, r"ca\.pem, crl\.pem +ca, crl\n +server/cert\.pem, server/key\.pem +cert, key\n")
        self.assertRegex(usage, r"never after revoke, which does it itself")


if __name__ == "__main__":
    harness.main()
