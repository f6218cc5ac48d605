"""What the server's TLS allows, seen from outside with the openssl command: one version, few parameters, no way back
into a session of before, nobody without a certificate."""

import os
import re
import subprocess

import harness

ALPN = ("-alpn", "sealpost/1")
WELCOME = b"sealpostd"  # in the first frame, as the server's name
HANDSHAKE_FAILURE, PROTOCOL_VERSION, CERTIFICATE_REQUIRED, NO_APPLICATION_PROTOCOL = 40, 70, 116, 120


class Probe:
    """What a run of `openssl s_client` came to."""

    def __init__(self, done):
        self.code = done.returncode
        self.out = done.stdout.decode("utf-8", "replace")
        self.err = done.stderr.decode("utf-8", "replace")
        alert = re.search(r"SSL alert number (\d+)", self.err)
        self.alert = int(alert.group(1)) if alert else None
        self.sessions = re.findall(r"^(New|Reused), (\S+), Cipher is (\S+)$", self.out, re.MULTILINE)

    def __repr__(self):
        return f"exit code {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"


class FromOutside(harness.TestCase):

    def command(self, *options, member="alice"):
        command = ["openssl", "s_client", "-connect", self.server.address, *options]
        if member is not None:
            bundle = self.server.ca.member(member)
            command += ["-cert", os.path.join(bundle, "cert.pem"), "-key", os.path.join(bundle, "key.pem")]
        return [*command, "-CAfile", self.server.ca.path("root.pem"), "-verify_return_error"]

    def probe(self, *options, member="alice"):
        """Ends right after the handshake, or, with `-ign_eof` among OPTIONS, when the server ends it."""
        command = self.command(*options, member=member)
        return Probe(subprocess.run(command, input=b"", capture_output=True, timeout=30, check=False))

    def stay(self, *options, send=b""):
        """A probe that waits until the server has let it in, and has sent all that it sends by itself; then it sends
        commands to s_client, and ends."""
        process = subprocess.Popen(self.command(*options), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        out = b""
        while WELCOME not in out:
            piece = os.read(process.stdout.fileno(), 65536)
            self.assertTrue(piece, out)
            out += piece
        more, err = process.communicate(send, timeout=30)
        return Probe(subprocess.CompletedProcess(process.args, process.returncode, out + more, err))

    def assert_refused(self, probe, alert):
        self.assertNotEqual(probe.code, 0, probe)
        self.assertEqual(probe.alert, alert, probe)
        self.assertNotIn(WELCOME.decode(), probe.out)

    def test_a_member_gets_in(self):
        """Otherwise all the refusals below would mean nothing."""
        probe = self.stay(*ALPN)
        self.assertEqual(probe.code, 0, probe)
        self.assertEqual([session[:2] for session in probe.sessions], [("New", "TLSv1.3")], probe)
        self.assertIn("ALPN protocol: sealpost/1", probe.out)
        self.assertIn("Verify return code: 0 (ok)", probe.out)

    def test_the_server_sends_its_chain_but_no_root(self):
        probe = self.probe(*ALPN, "-showcerts")
        self.assertEqual(probe.out.count("-----BEGIN CERTIFICATE-----"), 2, probe)

    def test_nobody_without_a_certificate(self):
        self.assert_refused(self.probe(*ALPN, "-ign_eof", member=None), CERTIFICATE_REQUIRED)

    def test_old_versions(self):
        for option in ("-tls1_2", "-tls1_1", "-tls1"):
            with self.subTest(option):
                probe = self.probe(*ALPN, "-ign_eof", option, "-cipher", "ALL@SECLEVEL=0")
                self.assert_refused(probe, PROTOCOL_VERSION)

    def test_alpn(self):
        self.assert_refused(self.probe("-ign_eof"), NO_APPLICATION_PROTOCOL)
        for names in ("h2", "http/1.1", "sealpost/2", "sealpost", "sealpost/11", "SEALPOST/1"):
            with self.subTest(names):
                self.assert_refused(self.probe("-ign_eof", "-alpn", names), NO_APPLICATION_PROTOCOL)
        probe = self.probe("-alpn", "h2,sealpost/1,http/1.1")
        self.assertIn("ALPN protocol: sealpost/1", probe.out)

    def test_groups(self):
        for group in ("X25519", "P-256"):
            with self.subTest(group):
                self.assertEqual(self.probe(*ALPN, "-groups", group).code, 0)
        for group in ("P-384", "P-521", "X448", "ffdhe2048"):
            with self.subTest(group):
                self.assert_refused(self.probe(*ALPN, "-ign_eof", "-groups", group), HANDSHAKE_FAILURE)

    def test_a_group_may_be_asked_for_again(self):
        """HelloRetryRequest: a client whose first guess is not ours is told which one is."""
        probe = self.probe(*ALPN, "-groups", "P-521:P-256")
        self.assertEqual(probe.code, 0, probe)
        self.assertIn("Server Temp Key: ECDH, prime256v1, 256 bits", probe.out)

    def test_ciphers(self):
        for name in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"):
            with self.subTest(name):
                self.assertEqual(self.probe(*ALPN, "-ciphersuites", name).sessions, [("New", "TLSv1.3", name)])
        for name in ("TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"):
            with self.subTest(name):
                self.assert_refused(self.probe(*ALPN, "-ign_eof", "-ciphersuites", name), HANDSHAKE_FAILURE)

    def test_no_tickets(self):
        """The ticket would come before WELCOME. Without one there is nothing to resume, and no early data."""
        path = os.path.join(harness.scratch(), "session.pem")
        probe = self.stay(*ALPN, "-sess_out", path, "-msg")
        self.assertIn("Finished", probe.out)  # -msg shows what comes
        self.assertNotIn("NewSessionTicket", probe.out)
        self.assertNotIn("Post-Handshake New Session Ticket", probe.out)
        self.assertNotIn("Max Early Data", probe.out)
        self.assertFalse(os.path.exists(path), "a session that can be resumed")

    def test_no_resumption(self):
        probe = self.probe(*ALPN, "-reconnect")
        self.assertEqual(probe.code, 0, probe)
        self.assertEqual(len(probe.sessions), 6, probe)
        self.assertEqual({session[0] for session in probe.sessions}, {"New"}, probe)

    def test_no_renegotiation(self):
        """TLS 1.3 has none, and nothing older is spoken; asking for it harms nobody else."""
        probe = self.stay(*ALPN, send=b"R\n")
        self.assertIn("Secure Renegotiation IS NOT supported", probe.out)
        self.assertEqual(len(probe.sessions), 1, probe)
        self.member("alice").ok("whoami")

    def test_no_compression(self):
        self.assertIn("Compression: NONE", self.probe(*ALPN, "-comp").out)

    def test_key_updates_are_taken(self):
        for command in (b"k\n", b"K\n"):
            probe = self.stay(*ALPN, "-msg", send=command)
            self.assertIn("KeyUpdate", probe.out)
            self.assertIsNone(probe.alert, probe)

    def test_a_pre_shared_key_is_no_certificate(self):
        probe = self.probe(*ALPN, "-ign_eof", "-psk", "00" * 32, "-psk_identity", "alice", member=None)
        self.assert_refused(probe, CERTIFICATE_REQUIRED)


if __name__ == "__main__":
    harness.main()
