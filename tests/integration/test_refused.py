"""Who must not get in, and whom a client must not trust: every certificate and every server that `tools/make-test-ca
bad` makes, with the real programs at both ends. What is looked at is what people see: the exit code, the sentence, the
server's log line, the alert."""

import contextlib
import datetime
import hashlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time

import harness

ALPN = "sealpost/1"
# TLS alerts (RFC 8446, 6.2) that tell a client what is wrong with its certificate.
UNSUPPORTED, REVOKED, EXPIRED, UNKNOWN, BAD, UNKNOWN_CA, REQUIRED = 43, 44, 45, 46, 42, 48, 116
ILLEGAL, INTERNAL = 47, 80

# By the error's name: the alert, what the client says of the file, and what it says to do.
TOLD = {
    "profile": (UNSUPPORTED, "this is not a member's certificate: {file}", "ask an administrator for a new one"),
    "revoked": (REVOKED, "the certificate {file} has been revoked", "ask an administrator for a new one"),
    "untrusted": (UNKNOWN_CA, "does not trust the issuer of the certificate {file}",
                  "check that it is for this server's team"),
    "identity": (UNKNOWN, "finds no member of its team in the certificate {file}",
                 "check that it is for this server's team"),
}

# Directories of bad/: the error, and what the server's log says when the client sends its whole chain.
REFUSED = {
    "revoked": ("revoked", "has been revoked"),
    "other-ca": ("untrusted", "self-signed certificate in certificate chain"),
    "other-ca-claims-ours": ("untrusted", "does not come from this team's certificate authority"),
    "self-signed": ("untrusted", "self-signed certificate"),
    "chain-too-long": ("untrusted", "chain too long"),
    "unknown-issuing-ca": ("untrusted", "not one of this server's CA file"),
    "issued-by-member": ("untrusted", "invalid CA"),
    "ca-as-leaf": ("profile", "certificate of a certificate authority"),
    "x509-v1": ("profile", "not X.509 version 3"),
    "no-eku": ("profile", "clientAuth"),
    "server-auth-only": ("profile", "purpose"),
    "any-eku": ("profile", "not clientAuth alone"),
    "only-any-eku": ("profile", "purpose"),
    "client-and-server": ("profile", "not clientAuth alone"),
    "receipts": ("profile", "purpose"),
    "no-key-usage": ("profile", "key usage"),
    "wrong-key-usage": ("profile", "digitalSignature"),
    "unknown-critical": ("profile", "critical extension"),
    "rsa-2048": ("profile", "its key is not"),
    "p-384": ("profile", "its key is not"),
    "no-key-identifier": ("profile", "Key Identifier"),
    "identity-nul": ("identity", "exactly one member"),
    "identity-newline": ("identity", "exactly one member"),
    "identity-upper-case": ("identity", "exactly one member"),
    "identity-non-ascii": ("identity", "exactly one member"),
    "identity-empty": ("identity", "exactly one member"),
    "identity-33-characters": ("identity", "exactly one member"),
    "identity-two": ("identity", "exactly one member"),
    "identity-other-team": ("identity", "exactly one member"),
    "identity-other-scheme": ("identity", "exactly one member"),
    "identity-and-dns": ("identity", "exactly one member"),
    "identity-and-email": ("identity", "exactly one member"),
    "identity-none": ("identity", "exactly one member"),
    "identity-in-cn": ("identity", "exactly one member"),
}

# What a client sees by itself, and never shows to a server: the error, its sentence, what to do. Then what a server
# finds when it is shown all the same: the error, the alert, its log's reason.
REFUSED_AT_HOME = {
    "expired": ("expired", "expired at 2020-04-01", "new certificate", "expired", EXPIRED, "has expired"),
    "not-yet-valid": ("not-yet-valid", "valid from 2090-01-01", "clock", "not-yet-valid", BAD, "not valid yet"),
    "rsa-1024": ("certificate", "key too small", "a new certificate", "profile", UNSUPPORTED, "key too weak"),
    # TLS 1.3 has no signatures of such keys, so that openssl has nothing to show.
    "p-192": ("certificate", "key too small", "a new certificate", "no-certificate", REQUIRED, "presents no certificate"),
    "large": ("certificate", "is larger than a handshake takes", "a new certificate", "tls", ILLEGAL, "is too large"),
    "huge": ("certificate", "is larger than a handshake takes", "a new certificate", "tls", ILLEGAL, "is too large"),
}


def bad_authority():
    ca = harness.authority()
    ca.tool("bad")
    return ca


def serial_of(bundle):
    out = subprocess.run(["openssl", "x509", "-in", os.path.join(bundle, "cert.pem"), "-noout", "-serial"],
                         check=True, capture_output=True).stdout.decode()
    return out.strip().removeprefix("serial=").lower()


def fingerprint_of(bundle):
    with open(os.path.join(bundle, "cert.pem"), encoding="ascii") as file:
        pem = file.read()
    der = ssl.PEM_cert_to_DER_cert(pem[:pem.index("-----END CERTIFICATE-----")] + "-----END CERTIFICATE-----\n")
    return hashlib.sha256(der).hexdigest()


class Looking(harness.TestCase):
    """What the tests below look at."""

    def refused_lines(self, offset):
        """The lines about refusals that were logged behind OFFSET; waits for the first."""
        def look():
            return [line for line in self.server.log()[offset:].splitlines() if "event=refused" in line]
        harness.wait_until(look, 5, "a line event=refused")
        time.sleep(0.05)  # time for a second one, which there must not be
        return look()

    def assert_line(self, offset, error, reason, bundle=None):
        lines = self.refused_lines(offset)
        self.assertEqual(len(lines), 1, lines)
        self.assertIn(f" error={error} ", lines[0])
        self.assertRegex(lines[0], r" peer=127\.0\.0\.\d+:\d+ ")
        self.assertRegex(lines[0], r' reason="[^"]+"$')
        self.assertIn(reason, lines[0][lines[0].index("reason="):])
        if bundle is not None:
            self.assertIn(f" serial={serial_of(bundle)} ", lines[0])
            self.assertIn(f" fingerprint={fingerprint_of(bundle)} ", lines[0])
        self.assertNotIn("event=login", self.server.log()[offset:])

    def openssl(self, bundle, *options):
        """What `openssl s_client` gets from the server with the certificate in BUNDLE: the alert's number, or 0."""
        command = ["openssl", "s_client", "-connect", self.server.address, "-alpn", ALPN, "-bind", "127.0.0.2:0",
                   "-ign_eof", "-cipher", "DEFAULT@SECLEVEL=0", *options]
        if bundle is not None:
            cert = os.path.join(bundle, "cert.pem")
            command += ["-cert", cert, "-key", os.path.join(bundle, "key.pem"), "-cert_chain", cert]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
        found = re.search(rb"SSL alert number (\d+)", done.stderr)
        self.assertNotEqual(done.returncode, 0, done)
        return int(found.group(1)) if found else 0

    def assert_told(self, result, error, *sentences):
        """Exit code 4; one error and one hint on standard error, the error with all SENTENCES and its name."""
        self.assertEqual((result.code, result.out), (4, ""), result)
        lines = result.err.splitlines()
        self.assertEqual(len(lines), 2, result)
        self.assertTrue(lines[0].startswith("sealpost: error: cannot log in to "), result)
        self.assertTrue(lines[0].endswith(f" ({error})"), result)
        self.assertTrue(lines[1].startswith("sealpost: hint: "), result)
        for sentence in sentences:
            self.assertIn(sentence, result.err)


class Members(Looking):
    """Certificates that a server must refuse."""

    @classmethod
    def setUpClass(cls):
        bad_authority()
        super().setUpClass()

    def bad(self, name):
        return self.server.ca.path("bad", name)

    def use(self, bundle):
        return self.member("alice").run("whoami", env={"SEALPOST_CERT": bundle})

    def test_all_are_here(self):
        made = {name for name in os.listdir(self.server.ca.path("bad")) if os.path.isdir(self.bad(name))}
        self.assertEqual(made, {*REFUSED, *REFUSED_AT_HOME})

    def test_by_the_client(self):
        for name, (error, _) in REFUSED.items():
            with self.subTest(name):
                _, what, do = TOLD[error]
                bundle = self.bad(name)
                offset = len(self.server.log())
                result = self.use(bundle)
                self.assert_told(result, error, what.format(file=os.path.join(bundle, "cert.pem")), do)
                self.assert_line(offset, error, "the client's certificate is refused", bundle)

    def test_by_openssl(self):
        for name, (error, reason) in REFUSED.items():
            with self.subTest(name):
                bundle = self.bad(name)
                offset = len(self.server.log())
                self.assertEqual(self.openssl(bundle), TOLD[error][0])
                self.assert_line(offset, error, reason, bundle)

    def test_at_home(self):
        for name, (error, what, do, *_) in REFUSED_AT_HOME.items():
            with self.subTest(name):
                bundle = self.bad(name)
                offset = len(self.server.log())
                self.assert_told(self.use(bundle), error, os.path.join(bundle, "cert.pem"), what, do)
                self.assertNotIn("event=refused", self.server.log()[offset:])

    def test_not_at_home(self):
        """The server does not rely on a client's looking."""
        for name, (*_, error, alert, reason) in REFUSED_AT_HOME.items():
            with self.subTest(name):
                bundle = self.bad(name)
                offset = len(self.server.log())
                self.assertEqual(self.openssl(bundle), alert)
                seen = bundle if error not in ("tls", "no-certificate") else None
                self.assert_line(offset, error, reason, seen)

    def test_none_at_all(self):
        offset = len(self.server.log())
        self.assertEqual(self.openssl(None), REQUIRED)
        self.assert_line(offset, "no-certificate", "the client presents no certificate")
        self.assertIn("serial=- fingerprint=- ", self.server.log()[offset:])

    def test_the_key_of_another(self):
        mixed = os.path.join(harness.scratch(), "mixed")
        if not os.path.isdir(mixed):
            shutil.copytree(self.server.ca.member("alice"), mixed)
            shutil.copy(os.path.join(self.server.ca.member("bob"), "key.pem"), mixed)
        self.assert_told(self.use(mixed), "private-key", "is not the key of the certificate in " + mixed)

    def test_a_good_one_gets_in_all_the_while(self):
        self.assertEqual(self.use(self.server.ca.member("alice")).code, 0)


class NotAdmitted(Looking):
    """A certificate that is good, of a device that the server does not know: told by BYE, not by an alert."""

    config = {"admit": "none"}

    def test_not_admitted(self):
        alice = self.member("alice")
        offset = len(self.server.log())
        self.assert_told(alice.run("whoami"), "not-admitted", os.path.join(alice.bundle, "cert.pem"),
                         "has not admitted its device", "ask an administrator")
        self.assert_line(offset, "not-admitted", "has not admitted the device", alice.bundle)


class Lists(Looking):
    """Without a fresh list of every authority nobody is let in."""

    # Which list: what sealpostd says when it is to start with it.
    UNUSABLE = {
        "missing": 'has no fresh revocation list of "/O=test/CN=test issuing CA"; make a new one',
        "stale": 'has no fresh revocation list of "/O=test/CN=test issuing CA"; make a new one',
        "future": 'has no fresh revocation list of "/O=test/CN=test issuing CA"; make a new one',
        "wrong-issuer": "its signature is not that of the authority that it names",
        "delta": "it is a delta list",
        "indirect": "it is an indirect list or covers a part only",
        "issuing-revoked": "is no server's certificate of this team",
    }

    @classmethod
    def setUpClass(cls):
        bad_authority()
        super().setUpClass()

    def list_path(self, name):
        return self.server.ca.path("bad", f"crl-{name}.pem")

    def test_start(self):
        for name, sentence in self.UNUSABLE.items():
            for command in ("check", "run"):
                done = subprocess.run([harness.SEALPOSTD, command, "--config", self.server.config_path, "--crl",
                                       self.list_path(name), "--listen", "127.0.0.1:0"], stdin=subprocess.DEVNULL,
                                      capture_output=True, timeout=30, check=False)
                error = done.stderr.decode()
                harness.check_sanitizers(error)
                self.assertEqual((command, done.returncode), (command, 4), error)
                if command == "check":
                    self.assertRegex(done.stdout.decode(), "error .*" + re.escape(sentence.split(";")[0]))
                else:
                    self.assertIn("sealpostd: error: ", error)
                    self.assertIn(sentence, error)

    def test_reload(self):
        """The lists of before stay, and so do those who are in."""
        path = os.path.join(self.server.directory, "crl.pem")
        shutil.copy(self.server.ca.path("crl.pem"), path)
        self.server.config["crl"] = path
        self.server.restart()
        chat = self.chat(self.member("alice"))
        chat.ask(cmd="list")
        for name, sentence in self.UNUSABLE.items():
            with self.subTest(name):
                shutil.copy(self.list_path(name), path)
                offset = len(self.server.log())
                self.server.reload()
                wanted = re.compile("event=reload_failed.*" + re.escape(sentence.replace('"', "\\x22")))
                harness.wait_until(lambda at=offset, line=wanted: line.search(self.server.log()[at:]), 10, sentence)
                self.assertTrue(chat.ask(cmd="list")["ok"])
                self.member("bob").ok("whoami")
        shutil.copy(self.server.ca.path("crl.pem"), path)
        self.assertEqual(chat.close(), 0)

    def make_list(self, path, seconds):
        """Lists that are fresh for so many seconds."""
        ca = self.server.ca
        until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
        text = ""
        for name in ("root", "issuing"):
            out = os.path.join(self.server.directory, "one.pem")
            subprocess.run(["openssl", "ca", "-gencrl", "-config", os.path.join(harness.SOURCE_DIR, "certs", "ca.cnf"),
                            "-name", name, "-out", out, "-crl_nextupdate", until.strftime("%Y%m%d%H%M%SZ")],
                           env={**os.environ, "SEALPOST_CA": ca.directory}, check=True, capture_output=True)
            with open(out, encoding="ascii") as file:
                text += file.read()
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        return until

    def test_grown_stale(self):
        """Nobody new gets in; nobody is thrown out; a fresh list makes it good again."""
        path = os.path.join(self.server.directory, "short.pem")
        until = self.make_list(path, 5)
        self.server.config["crl"] = path
        self.server.restart()
        harness.wait_until(lambda: "event=crl_stale_soon" in self.server.log(), 5, "the warning")
        chat = self.chat(self.member("alice"))
        chat.ask(cmd="list")
        while datetime.datetime.now(datetime.timezone.utc) <= until:
            time.sleep(0.1)
        bob = self.member("bob")
        offset = len(self.server.log())
        self.assert_told_of_stale(bob.run("whoami"))
        self.assert_line(offset, "no-crl", "no fresh certificate revocation list", bob.bundle)
        self.assertEqual(self.openssl(bob.bundle), INTERNAL)
        self.assertTrue(chat.ask(cmd="list")["ok"])
        self.make_list(path, 3600)
        self.server.reload()
        harness.wait_until(lambda: "event=reloaded" in self.server.log()[offset:], 10, "the reload")
        bob.ok("whoami")
        self.assertEqual(chat.close(), 0)

    def assert_told_of_stale(self, result):
        """TLS has no alert for it: one that says that it is the server's fault."""
        self.assertEqual(result.code, 4, result)
        self.assertIn("cannot judge certificates at present", result.err)
        self.assertIn("tell its administrator", result.err)


class Impostor:
    """A server on Python's TLS alone, which would take anybody; it lives for one connection after the other."""

    def __init__(self, serve, address="127.0.0.1"):
        self.listener = socket.create_server((address, 0))
        self.port = self.listener.getsockname()[1]
        self.serve = serve
        self.got = b""
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError, ssl.SSLError):
                connection.settimeout(20)
                self.serve(self, connection)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


def over_tls(bundle, then, alpn=ALPN, version=ssl.TLSVersion.TLSv1_3):
    """A way to serve: a handshake with the certificate in BUNDLE, then THEN(impostor, tls)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(os.path.join(bundle, "cert.pem"), os.path.join(bundle, "key.pem"))
    if alpn is not None:
        context.set_alpn_protocols([alpn])

    def serve(impostor, connection):
        with context.wrap_socket(connection, server_side=True) as tls:
            then(impostor, tls)
    return serve


def listen_for_secrets(impostor, connection):
    """Takes what the client sends, and says nothing."""
    while data := connection.recv(65536):
        impostor.got += data


class Servers(harness.TestCase):
    """Servers that a client must refuse, whatever they say."""

    # Directories of bad-servers/: whom the client dials, the error, and what it says.
    REFUSED = {
        "wrong-host": ("localhost", "wrong-host", "is for another host name or address"),
        "wrong-host-in-cn": ("localhost", "wrong-host", "is for another host name or address"),
        "cn-only": ("localhost", "wrong-host", "is for another host name or address"),
        "member": ("localhost", "profile", "is not a server's certificate"),
        "client-auth": ("localhost", "profile", "is not a server's certificate"),
        "no-server-auth": ("localhost", "profile", "is not a server's certificate"),
        "no-key-identifier": ("localhost", "profile", "is not a server's certificate"),
        "expired": ("localhost", "expired", "has expired"),
        "not-yet-valid": ("localhost", "not-yet-valid", "is not valid yet"),
        "other-ca": ("localhost", "untrusted", "does not come from the team's authority in {ca}"),
        "self-signed": ("localhost", "untrusted", "does not come from the team's authority in {ca}"),
        "revoked": ("localhost", "revoked", "has been revoked"),
    }

    @classmethod
    def setUpClass(cls):
        cls.ca = bad_authority()
        cls.server = None

    def setUp(self):
        self.ca = type(self).ca
        self.bundle = self.ca.member("alice")

    def impostor(self, serve, address="127.0.0.1"):
        impostor = Impostor(serve, address)
        self.addCleanup(impostor.close)
        return impostor

    def visit(self, impostor, host="localhost", timeout=3, **env):
        """whoami at the impostor's; the time that it took must fit its timeout."""
        env = {"PATH": "/usr/bin:/bin", "HOME": harness.scratch(), "SEALPOST_CERT": self.bundle,
               "SEALPOST_SERVER": f"{host}:{impostor.port}", **env}
        start = time.monotonic()
        done = subprocess.run([harness.SEALPOST, "--timeout", str(timeout), "whoami"], stdin=subprocess.DEVNULL,
                              capture_output=True, env=env, timeout=60, check=False)
        result = harness.Result(done.returncode, done.stdout, done.stderr)
        harness.check_sanitizers(result.err)
        self.assertLess(time.monotonic() - start, timeout + 5, result)
        self.assertEqual(result.out, "")
        self.assertTrue(result.err.startswith(f"sealpost: error: cannot log in to {host}:{impostor.port}: "), result)
        return result

    def assert_refused(self, impostor, result, code, error, *sentences):
        self.assertEqual(result.code, code, result)
        self.assertIn(f" ({error})\n", result.err)
        self.assertIn("sealpost: hint: ", result.err)
        for sentence in sentences:
            self.assertIn(sentence, result.err)
        self.assertEqual(impostor.got, b"", "the client has told something to a server that it does not trust")

    def test_all_are_here(self):
        self.assertEqual(set(os.listdir(self.ca.path("bad-servers"))), set(self.REFUSED))

    def test_certificates(self):
        for name, (host, error, sentence) in self.REFUSED.items():
            with self.subTest(name):
                bundle = self.ca.path("bad-servers", name)
                impostor = self.impostor(over_tls(bundle, listen_for_secrets))
                # A client learns of revoked servers from lists that stand beside the pinned root.
                ca = os.path.join(bundle if name == "revoked" else self.bundle, "ca.pem")
                result = self.visit(impostor, host, SEALPOST_CA=ca)
                self.assert_refused(impostor, result, 4, error, f"the certificate of {host}:{impostor.port} ",
                                    sentence.format(ca=ca))

    def test_wrong_address(self):
        """The server's own good certificate, at an address that is not in it."""
        impostor = self.impostor(over_tls(self.ca.path("server"), listen_for_secrets), "127.0.0.2")
        result = self.visit(impostor, "127.0.0.2")
        self.assert_refused(impostor, result, 4, "wrong-host", "is for another host name or address",
                            "check the server's name")

    def test_tls_1_2(self):
        impostor = self.impostor(over_tls(self.ca.path("server"), listen_for_secrets, version=ssl.TLSVersion.TLSv1_2))
        self.assert_refused(impostor, self.visit(impostor), 1, "unsupported", "TLS 1.3")

    def test_no_protocol(self):
        impostor = self.impostor(over_tls(self.ca.path("server"), listen_for_secrets, alpn=None))
        self.assert_refused(impostor, self.visit(impostor), 1, "unsupported", "has not agreed to the Sealpost protocol")

    def test_another_protocol(self):
        impostor = self.impostor(over_tls(self.ca.path("server"), listen_for_secrets, alpn="h2"))
        self.assert_refused(impostor, self.visit(impostor), 1, "unsupported", "protocol")

    def test_nothing_said(self):
        impostor = self.impostor(listen_for_nothing)
        result = self.visit(impostor, timeout=2)
        self.assert_refused(impostor, result, 69, "timeout", "does not answer; is it a Sealpost server?")

    def test_nothing_said_after_the_handshake(self):
        """The server speaks first; until then the client says nothing."""
        impostor = self.impostor(over_tls(self.ca.path("server"), listen_for_secrets))
        result = self.visit(impostor, timeout=2)
        self.assert_refused(impostor, result, 69, "timeout", "does not answer; is it a Sealpost server?")

    def test_half_a_welcome(self):
        def begin(impostor, tls):
            tls.sendall(b"\x00\x40\x00\x00\x01\x00\x00\x00 and no more")
            listen_for_secrets(impostor, tls)
        impostor = self.impostor(over_tls(self.ca.path("server"), begin))
        result = self.visit(impostor, timeout=2)
        self.assert_refused(impostor, result, 69, "timeout", "does not answer; is it a Sealpost server?")

    def test_closed_at_once(self):
        impostor = self.impostor(lambda impostor, connection: None)
        result = self.visit(impostor)
        self.assert_refused(impostor, result, 69, "unreachable", "ended the connection during the TLS handshake")

    def test_closed_after_the_handshake(self):
        impostor = self.impostor(over_tls(self.ca.path("server"), lambda impostor, tls: tls.unwrap()))
        result = self.visit(impostor)
        self.assert_refused(impostor, result, 69, "unreachable", "without letting us in, and did not say why")

    def test_no_tls(self):
        impostor = self.impostor(lambda impostor, connection: connection.sendall(b"220 mail.example ready\r\n" * 40))
        result = self.visit(impostor)
        self.assert_refused(impostor, result, 4, "tls", "does not speak TLS")

    def test_nonsense_instead_of_a_welcome(self):
        def talk(impostor, tls):
            tls.sendall(b"\xff" * 64)
            listen_for_nothing(impostor, tls)
        impostor = self.impostor(over_tls(self.ca.path("server"), talk))
        result = self.visit(impostor)
        self.assertEqual(result.code, 1, result)
        self.assertIn("(protocol)", result.err)


def listen_for_nothing(_, connection):
    """Takes what the client sends (a ClientHello), and says nothing."""
    while connection.recv(65536):
        pass


if __name__ == "__main__":
    harness.main()
