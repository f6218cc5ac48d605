"""`sealpostd check`: each thing that can be wrong has its line, and all are looked at."""

import datetime
import json
import os
import shutil
import socket
import subprocess

import harness


def in_days(days):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).strftime("%Y%m%d%H%M%SZ")


class Check(harness.TestCase):
    """Every test breaks one thing of a directory that is good."""

    @classmethod
    def setUpClass(cls):
        cls.ca = harness.authority()

    def setUp(self):
        self.server = harness.Server(ca=self.ca)
        self.directory = self.server.directory
        self.config = self.server.config
        for key, source in (("ca", ["ca.pem"]), ("cert", ["server", "cert.pem"]), ("key", ["server", "key.pem"]),
                            ("crl", ["crl.pem"])):
            shutil.copy(self.ca.path(*source), self.file(f"{key}.pem"))
            self.config[key] = f"{key}.pem"
        self.config["listen"] = f"127.0.0.1:{harness.free_port()}"
        self.server.config_path = self.file("sealpost.conf")
        self.addCleanup(self.server.stop)

    def file(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.file(name), "w", encoding="utf-8") as file:
            file.write(text)

    def run_check(self, *arguments, command=()):
        done = subprocess.run([*command, harness.SEALPOSTD, "check", self.directory, *arguments],
                              capture_output=True, timeout=60, check=False)
        harness.check_sanitizers(done.stderr.decode())
        return done

    def check(self, subject, result, code, text, command=()):
        """SUBJECT's first line that is RESULT has TEXT, and the exit code is CODE."""
        self.server.write_config()
        done = self.run_check("--json", command=command)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        found = [row for row in rows if row["subject"] == subject and row["result"] == result]
        self.assertTrue(found, (done, rows))
        self.assertIn(text, found[0]["text"])
        if result in ("error", "warning"):
            self.assertNotEqual(found[0]["hint"], "")
        self.assertEqual(done.returncode, code, rows)
        self.assertEqual(rows[0]["subject"], "configuration")
        if rows[0]["result"] == "ok":  # everything is looked at
            self.assertEqual(rows[-1]["subject"], "descriptors")
        return rows

    def test_good(self):
        rows = self.check("configuration", "ok", 0, "sealpost.conf")
        self.assertEqual([row for row in rows if row["result"] in ("error", "warning")], [])
        done = self.run_check()
        self.assertEqual(done.returncode, 0)
        self.assertIn("0 errors", done.stdout.decode())
        self.assertFalse(os.path.exists(self.file("state")))  # nothing is made

    def test_configuration(self):
        self.config["max_sesions"] = "5"
        self.check("configuration", "error", 2, "sealpost.conf:10: unknown key 'max_sesions'")

    def test_missing_files(self):
        for key, subject, code in (("ca", "ca", 5), ("cert", "certificate", 5), ("key", "key", 4), ("crl", "lists", 5)):
            with self.subTest(key):
                os.rename(self.file(f"{key}.pem"), self.file("away"))
                self.check(subject, "error", code, f"{key}.pem: cannot be opened: No such file")
                os.rename(self.file("away"), self.file(f"{key}.pem"))

    def test_damaged_files(self):
        for key, subject in (("ca", "ca"), ("cert", "certificate"), ("key", "key"), ("crl", "lists")):
            with self.subTest(key):
                os.rename(self.file(f"{key}.pem"), self.file("away"))
                self.write(f"{key}.pem", "nonsense\n")
                os.chmod(self.file(f"{key}.pem"), 0o600)
                self.check(subject, "error", 4, f"{key}.pem: ")
                os.rename(self.file("away"), self.file(f"{key}.pem"))

    def test_key(self):
        os.chmod(self.file("key.pem"), 0o640)
        self.check("key", "error", 4, "chmod 600")
        os.chmod(self.file("key.pem"), 0o600)
        shutil.copy(self.ca.path("issuing", "key.pem"), self.file("key.pem"))
        self.check("key", "error", 4, "is not the key of the certificate")

    def test_chain(self):
        bundle = self.ca.member("anna")
        for name in ("cert.pem", "key.pem"):
            shutil.copy(os.path.join(bundle, name), self.file(name))
        self.check("chain", "error", 4, "purpose")
        other = harness.authority("alien", "alien")
        for name in ("cert.pem", "key.pem"):
            shutil.copy(other.path("server", name), self.file(name))
        self.check("chain", "error", 4, "issuer")

    def test_names(self):
        self.config["host"] = "localhost:7643"
        self.check("names", "ok", 0, "localhost")
        self.config["host"] = "chat.example.org"
        self.check("names", "error", 4, "chat.example.org")

    def openssl(self, *arguments):
        done = subprocess.run(["openssl", *arguments], env={**os.environ, "SEALPOST_CA": self.ca.directory,
                                                            "SEALPOST_SAN": "DNS:localhost"},
                              check=True, capture_output=True)
        return done.stdout.decode()

    def make_certificate(self, start, end):
        """A server's certificate for the key that is there, valid from START to END, in days from now."""
        certs = os.path.join(harness.SOURCE_DIR, "certs")
        self.openssl("req", "-new", "-key", self.file("key.pem"), "-subj", "/O=x", "-out", self.file("request"),
                     "-config", os.path.join(certs, "ca.cnf"))
        self.openssl("ca", "-batch", "-notext", "-config", os.path.join(certs, "ca.cnf"), "-name", "issuing", "-subj",
                     "/O=test", "-extfile", os.path.join(certs, "profiles.cnf"), "-extensions", "server", "-in",
                     self.file("request"), "-out", self.file("leaf"), "-startdate", in_days(start), "-enddate",
                     in_days(end))
        with open(self.file("leaf"), encoding="utf-8") as leaf, \
                open(self.ca.path("issuing", "cert.pem"), encoding="utf-8") as issuing:
            self.write("cert.pem", leaf.read() + issuing.read())

    def make_lists(self, days):
        config = os.path.join(harness.SOURCE_DIR, "certs", "ca.cnf")
        self.write("crl.pem", "".join(
            self.openssl("ca", "-gencrl", "-config", config, "-name", name, "-crl_lastupdate", in_days(-10),
                         "-crl_nextupdate", in_days(days)) for name in ("root", "issuing")))

    def test_dates(self):
        self.make_certificate(-20, -1)
        self.check("dates", "error", 4, "expired")
        self.make_certificate(-20, 5)
        self.check("dates", "warning", 0, "only")
        self.make_certificate(3, 50)
        self.check("clock", "error", 4, "begins at")

    def test_lists(self):
        self.make_lists(5)
        self.check("lists", "warning", 0, "within 7 days")
        self.make_lists(-1)
        self.check("lists", "error", 4, "no fresh revocation list")

    def test_state(self):
        self.config["state"] = "sealpost.conf"
        self.check("state", "error", 1, "cannot be written")
        self.config["state"] = "."
        self.config["disk_reserve"] = "1000000T"
        self.check("state", "error", 7, "MiB are free")

    def test_database(self):
        self.config.update(state="state", listen="127.0.0.1:0")
        self.server.start()
        self.config["listen"] = self.server.address
        harness.Member(self.server, "anna").ok("room", "create", "den")
        rows = self.check("database", "ok", 0, "version")
        self.assertIn("is running", [row for row in rows if row["subject"] == "listen"][0]["text"])
        harness.Member(self.server, "anna").ok("say", "den", "undisturbed")
        self.server.stop()
        for name in os.listdir(self.file("state")):
            if name.endswith(("-wal", "-shm")):  # as after a backup: looking does not make them
                os.remove(os.path.join(self.file("state"), name))
        before = sorted(os.listdir(self.file("state")))
        self.check("database", "ok", 0, "version")
        self.assertEqual(sorted(os.listdir(self.file("state"))), before)
        self.server.start()
        harness.Member(self.server, "anna").ok("say", "den", "x")
        self.server.kill()
        self.check("database", "warning", 0, "did not end in good order")
        self.server.start()
        self.server.stop()
        database = self.file("state/sealpost.db")
        with open(database, "r+b") as file:
            file.seek(60)
            version = file.read(4)
            file.seek(60)
            file.write(b"\0\0\1\0")
        self.check("database", "error", 2, "version 256")
        with open(database, "r+b") as file:
            file.seek(60)
            file.write(version)
        self.config["team"] = "another"
        self.check("database", "error", 2, 'the team "test"')
        self.config["team"] = "test"
        with open(database, "wb") as file:
            file.write(b"nonsense" * 1000)
        self.check("database", "error", 8, "sealpost.db")

    def test_listen(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            self.config["listen"] = f"127.0.0.1:{other.getsockname()[1]}"
            self.check("listen", "error", 1, "in use")
        self.config["listen"] = "192.0.2.1:1"
        self.check("listen", "error", 1, "192.0.2.1")

    def test_issuer(self):
        self.config["issuer_cert"] = self.ca.path("issuing", "cert.pem")
        self.check("configuration", "error", 2, "'issuer_key' is missing")
        self.config["issuer_key"] = self.ca.path("root", "key.pem")
        self.check("issuer", "error", 4, "is not the key of")
        self.config["issuer_key"] = self.ca.path("issuing", "key.pem")
        self.check("issuer", "ok", 0, "fits")
        # One that "run" would not take: a certificate that is no CA's.
        self.config["issuer_cert"], self.config["issuer_key"] = self.config["cert"], self.config["key"]
        self.check("issuer", "error", 4, "is not the certificate of a certificate authority")

    def test_descriptors(self):
        self.check("descriptors", "warning", 0, "needed", command=("sh", "-c", 'ulimit -n 100; exec "$0" "$@"'))

    def test_the_first_error_counts(self):
        os.remove(self.file("ca.pem"))
        self.config["listen"] = "192.0.2.1:1"
        rows = self.check("ca", "error", 5, "ca.pem")
        self.assertEqual([row["subject"] for row in rows if row["result"] == "error"], ["ca", "listen"])


if __name__ == "__main__":
    harness.main()
