"""`sealpost doctor`: each thing that can be wrong on the way to a login has its line and its exit code."""

import datetime
import json
import os
import shutil
import ssl
import subprocess

import harness
import test_refused

SUBJECTS = ["profile", "ca", "certificate", "key", "name", "port", "tls", "server-cert", "login", "clock", "version",
            "role", "lists"]


def in_days(days):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).strftime("%Y%m%d%H%M%SZ")


class Doctor(harness.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ca = test_refused.bad_authority()
        cls.server = harness.Server(ca=cls.ca).start()
        cls.addClassCleanup(cls._end_server)

    def setUp(self):
        super().setUp()
        self.alice = self.member("alice")
        self.bundle = os.path.join(self.alice.directory, "bundle")
        shutil.copytree(self.alice.bundle, self.bundle)

    def file(self, name):
        return os.path.join(self.bundle, name)

    def doctor(self, subject, result, code, text="", timeout=5, **env):
        """SUBJECT's line is RESULT and has TEXT; what comes before it is good; all that comes behind is there."""
        env = {"SEALPOST_CERT": self.bundle, **env}
        done = self.alice.run("--json", "--timeout", str(timeout), "doctor", env=env)
        rows = [json.loads(line) for line in done.out.splitlines()]
        found = [row for row in rows if row["subject"] == subject]
        self.assertTrue(found, done)
        self.assertEqual(found[0]["result"], result, rows)
        self.assertIn(text, found[0]["text"])
        self.assertEqual(done.code, code, rows)
        if result in ("error", "warning"):
            self.assertNotEqual(found[0]["hint"], "", rows)
        if result == "error":
            self.assertEqual([row["subject"] for row in rows if row["result"] == "error"], [subject])
        subjects = [row["subject"] for row in rows]
        self.assertEqual(subjects, [each for each in SUBJECTS if each in subjects])
        self.assertEqual(subjects[-1], "profile" if subject == "profile" and code else "lists")
        return rows

    def test_good(self):
        rows = self.doctor("login", "ok", 0, "alice of the team test")
        self.assertEqual([row["subject"] for row in rows], SUBJECTS)
        self.assertEqual({row["result"] for row in rows}, {"ok"})
        result = self.alice.run("doctor")
        self.assertEqual(result.code, 0)
        self.assertIn("13 ok, 0 warnings, 0 errors, 0 skipped", result.out)

    def test_profile(self):
        self.doctor("profile", "error", 2, "no 'server' is set", SEALPOST_SERVER=None)
        self.doctor("profile", "error", 2, "missing", SEALPOST_PROFILE="missing")
        directory = os.path.join(self.alice.directory, "config", "sealpost")
        os.makedirs(directory)
        path = os.path.join(directory, "default.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"server = {self.server.address}\n")
        self.doctor("profile", "ok", 0, "default.conf; server 127.0.0.1", SEALPOST_SERVER=None)
        rows = self.doctor("profile", "ok", 0, "from the profile, certificate from the environment",
                           SEALPOST_SERVER=None)
        self.assertIn(path, rows[0]["text"])
        with open(path, "a", encoding="utf-8") as file:
            file.write("sever = x\n")
        self.doctor("profile", "error", 2, "default.conf:2: unknown key 'sever'")

    def test_missing_files(self):
        for name, subject, code in (("ca.pem", "ca", 2), ("cert.pem", "certificate", 2), ("key.pem", "key", 2)):
            with self.subTest(name):
                os.rename(self.file(name), self.file("away"))
                self.doctor(subject, "error", code, name)
                os.rename(self.file("away"), self.file(name))

    def test_damaged_files(self):
        for name, subject in (("ca.pem", "ca"), ("cert.pem", "certificate"), ("key.pem", "key")):
            with self.subTest(name):
                os.rename(self.file(name), self.file("away"))
                with open(os.open(self.file(name), os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
                    file.write("nonsense\n")
                self.doctor(subject, "error", 4, name)
                os.rename(self.file("away"), self.file(name))

    def test_key(self):
        os.chmod(self.file("key.pem"), 0o644)
        self.doctor("key", "error", 4, "chmod 600")
        os.chmod(self.file("key.pem"), 0o600)
        shutil.copy(os.path.join(self.ca.member("bob"), "key.pem"), self.file("key.pem"))
        self.doctor("key", "error", 4, "is not the key of the certificate")

    def test_dates(self):
        self.doctor("certificate", "error", 4, "expired",
                    SEALPOST_CERT=self.ca.member("late", None, "--until", "20200101000000Z"))
        self.doctor("certificate", "warning", 0, "only",
                    SEALPOST_CERT=self.ca.member("soon", None, "--until", in_days(3)))

    def test_name(self):
        self.doctor("name", "error", 69, "nowhere.invalid", SEALPOST_SERVER="nowhere.invalid:7643")

    def test_port(self):
        rows = self.doctor("port", "error", 69, "refused", SEALPOST_SERVER=f"127.0.0.1:{harness.free_port()}")
        self.assertIn("nothing listens", [row for row in rows if row["subject"] == "port"][0]["hint"])
        self.assertEqual([row["result"] for row in rows if row["subject"] == "login"], ["skipped"])

    def impostor(self, serve):
        impostor = test_refused.Impostor(serve)
        self.addCleanup(impostor.close)
        return f"localhost:{impostor.port}"

    def test_tls(self):
        def ssh(_, connection):
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" * 3)
            connection.recv(65536)

        def http(_, connection):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        def silent(_, connection):
            while connection.recv(65536):
                pass

        good = self.ca.path("server")
        says_nothing = test_refused.listen_for_secrets
        cases = {
            "ssh": (ssh, "", 4),
            "http": (http, "", 4),
            "closes": (lambda *_: None, "is it a Sealpost server?", 69),
            "says nothing": (silent, "does not answer", 69),
            "TLS 1.2": (test_refused.over_tls(good, says_nothing, version=ssl.TLSVersion.TLSv1_2), "TLS 1.3", 1),
            "no ALPN": (test_refused.over_tls(good, says_nothing, alpn=None), "", 1),
            "another protocol": (test_refused.over_tls(good, says_nothing, alpn="h2"), "", 1),
        }
        for name, (serve, text, code) in cases.items():
            with self.subTest(name):
                self.doctor("tls", "error", code, text, timeout=2, SEALPOST_SERVER=self.impostor(serve))

    def test_server_certificate(self):
        for name, (_, error, sentence) in test_refused.Servers.REFUSED.items():
            with self.subTest(name):
                directory = self.ca.path("bad-servers", name)
                address = self.impostor(test_refused.over_tls(directory, test_refused.listen_for_secrets))
                ca = {"SEALPOST_CA": self.ca.path("bad-servers", "revoked", "ca.pem"),
                      "SEALPOST_CERT": self.file("cert.pem"), "SEALPOST_KEY": self.file("key.pem")} \
                    if name == "revoked" else {}
                rows = self.doctor("server-cert", "error", 4, sentence.split("{")[0], SEALPOST_SERVER=address, **ca)
                self.assertEqual([row["error"] for row in rows if row["result"] == "error"], [error])

    def test_login(self):
        mallory = self.ca.member("mallory")
        self.ca.revoke("mallory")
        offset = self.server.log().count("event=reloaded")
        self.server.reload()
        harness.wait_until(lambda: self.server.log().count("event=reloaded") > offset, 20, "the reload")
        self.doctor("login", "error", 4, "revoked", SEALPOST_CERT=mallory)
        self.server.stop()
        self.server.config["admit"] = "none"
        self.server.start()
        self.doctor("login", "error", 4, "admitted", SEALPOST_CERT=self.ca.member("unknown"))
        self.server.stop()
        self.server.config["admit"] = "ca"
        self.server.start()

    def test_lists(self):
        path = os.path.join(self.server.directory, "short.pem")
        text = ""
        for name in ("root", "issuing"):
            text += subprocess.run(
                ["openssl", "ca", "-gencrl", "-config", os.path.join(harness.SOURCE_DIR, "certs", "ca.cnf"),
                 "-name", name, "-crl_nextupdate", in_days(3)],
                env={**os.environ, "SEALPOST_CA": self.ca.directory}, check=True, capture_output=True).stdout.decode()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        before = self.server.config["crl"]
        self.server.stop()
        self.server.config["crl"] = path
        self.server.start()
        self.doctor("lists", "warning", 0, "only")
        self.server.stop()
        self.server.config["crl"] = before
        self.server.start()


if __name__ == "__main__":
    harness.main()
