"""Joining: lost answers, servers that are not the code's, keys under a passphrase, and the terminal."""

import base64
import hashlib
import os
import re
import select
import signal
import socket
import ssl
import termios
import threading
import unittest

import harness
import pexpect

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SECRET = b"open sesame"


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def join_code(host, port, root, secret=bytes(16)):
    """A join code as docs/PROTOCOL.md, 10, has it."""
    der = ssl.PEM_cert_to_DER_cert(read(root)[read(root).index("-----BEGIN"):].split("-----END", maxsplit=1)[0] +
                                   "-----END CERTIFICATE-----\n")
    payload = hashlib.sha256(der).digest()[:16] + secret
    crc = 0xB704CE
    for byte in f"1 {host}:{port} ".encode() + payload:
        crc ^= byte << 16
        for _ in range(8):
            crc = (crc << 1) ^ (0x1864CFB if crc & 0x800000 else 0)
    number = int.from_bytes(payload + crc.to_bytes(3, "big"), "big")
    digits = "".join(ALPHABET[number >> 5 * at & 31] for at in range(55, -1, -1))
    return f"{host}:{port}/" + "-".join(digits[at:at + 7] for at in range(0, 56, 7))


class Between:
    """Stands between clients and a server, and loses what the server says after the handshake, until told not to."""

    def __init__(self, port, to_port):
        self.to_port = to_port
        self.losing = True
        self.lost = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.to_port))
            threading.Thread(target=self._carry, args=(client, server), daemon=True).start()

    def _carry(self, client, server):
        spoken = finished = False # the server, and then the client, whose handshake is then done
        with client, server:
            while True:
                for side in select.select([client, server], [], [])[0]:
                    data = side.recv(65536)
                    if side is server and self.losing and finished:
                        self.lost.set()
                        return
                    if not data:
                        return
                    (client if side is server else server).sendall(data)
                    spoken = spoken or side is server
                    finished = finished or (spoken and side is client)


class Joining(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.team = harness.Team().start()
        cls.addClassCleanup(cls.team.stop)
        cls.root = cls.team.administrator()

    def refused(self, code, *sentences, home=None, options=()):
        home = home or self.team.home("somebody")
        result = home.run("join", *options, stdin=code.encode())
        for sentence in sentences:
            self.assertIn(sentence, result.err)
        self.assertEqual(home.run("whoami").code, 2) # nothing is there
        return result.code

    def test_a_code_of_another_team(self):
        """Its check digits are right; the certificate authority is another."""
        other = harness.authority()
        code = join_code("localhost", self.team.port, other.path("root.pem"))
        self.assertEqual(self.refused(code, "is not the server of this join code", "(untrusted)", "ask whoever sent"), 4)

    def test_a_code_that_was_guessed(self):
        code = join_code("localhost", self.team.port, self.team.path("ca", "root.pem"), os.urandom(16))
        self.assertEqual(self.refused(code, "(join-code)", "newer"), 4)

    def test_a_name_that_the_server_does_not_have(self):
        code = join_code("127.0.0.1", self.team.port, self.team.path("ca", "root.pem"))
        self.assertEqual(self.refused(code, "(wrong-host)"), 4)

    def test_nobody_there(self):
        code = join_code("localhost", harness.free_port(), self.team.path("ca", "root.pem"))
        self.assertEqual(self.refused(code, "cannot connect", "(unreachable)", "the code can be used later"), 69)

    def test_where_nobody_can_join(self):
        server = harness.Server().start()
        self.addCleanup(server.stop)
        code = join_code("localhost", server.port, server.ca.path("root.pem"))
        self.assertEqual(self.refused(code, "lets nobody join by code", "(unsupported)"), 1)

    def test_as_an_argument(self):
        ann = self.team.home("arg")
        result = ann.ok("join", self.root.invite("arg")["arg"])
        self.assertIn("hint: ", result.err)
        self.assertIn("go on with: sealpost room list", result.err)

    def test_a_second_profile_and_one_instead(self):
        ben = self.team.home("ben").join(self.root.invite("ben")["ben"])
        code = self.root.invite("cleo")["cleo"]
        result = ben.run("join", stdin=code.encode())
        self.assertEqual(result.code, 6)
        self.assertIn("--profile", result.err)
        ben.ok("join", "--profile", "cleo", stdin=code.encode())
        self.assertEqual(ben.json("whoami")[0]["username"], "ben")
        self.assertEqual(ben.json("whoami", "--profile", "cleo")[0]["username"], "cleo")
        instead = ben.ok("join", "--force", stdin=self.root.invite("dan")["dan"].encode())
        self.assertEqual(ben.json("whoami")[0]["username"], "dan")
        kept = re.search(r"is kept in (\S+)", instead.err).group(1)
        self.assertEqual(ben.json("whoami", "--cert", kept)[0]["username"], "ben")

    def test_an_answer_that_is_lost(self):
        """The server has made the certificate, and the client is told nothing. The same code goes on."""
        port = harness.free_port()
        team = harness.Team(config={"listen": f"127.0.0.1:{port}"})
        between = Between(team.port, port)
        self.addCleanup(between.close)
        team.start()
        self.addCleanup(team.stop)
        home = team.home("first")
        result = home.run("join", stdin=team.first_code.encode())
        self.assertTrue(between.lost.is_set())
        self.assertEqual(result.code, 69, result)
        self.assertIn("the same code again", result.err)
        self.assertEqual(home.run("whoami").code, 2)
        # To anybody else the code is used up.
        between.losing = False
        other = team.home("other").run("join", stdin=team.first_code.encode())
        self.assertIn("(code-used)", other.err)
        home.join(team.first_code)
        self.assertEqual(home.json("whoami")[0]["username"], "root")
        self.assertEqual(len(home.json("device", "list")), 1)


class Sealed(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.team = harness.Team().start()
        cls.addClassCleanup(cls.team.stop)
        cls.root = cls.team.administrator()
        cls.root.ok("room", "create", "general")
        cls.home = cls.team.home("ann")
        cls.file = cls.home.write("passphrase", SECRET + b"\n")
        os.chmod(cls.file, 0o600)
        cls.home.join(cls.root.invite("ann", "--rooms", "general")["ann"], "--seal", "--passphrase-file", cls.file)

    def spawn(self, *arguments, home=None):
        home = home or self.home
        child = pexpect.spawn(harness.SEALPOST, list(arguments), env=home.env(), cwd=home.directory, timeout=60)
        self.addCleanup(child.close, force=True)
        return child

    def assert_echo(self, child):
        """What is typed is shown again."""
        self.assertTrue(termios.tcgetattr(child.child_fd)[3] & termios.ECHO)

    def test_with_a_file(self):
        key = read(os.path.join(harness.profile_directory(self.home), "key.pem"))
        self.assertTrue(key.startswith("-----BEGIN SEALPOST SEALED KEY-----\n"))
        body = base64.b64decode("".join(key.splitlines()[1:-1]))
        self.assertEqual(body[0], 1)
        self.assertNotIn(b"PRIVATE", body)
        self.home.ok("whoami", "--passphrase-file", self.file)
        wrong = self.home.write("wrong", b"open barley\n")
        os.chmod(wrong, 0o600)
        result = self.home.run("whoami", "--passphrase-file", wrong)
        self.assertEqual(result.code, 4)
        self.assertIn("the passphrase is wrong", result.err)
        os.chmod(wrong, 0o644)
        self.assertIn("chmod 600", self.home.run("whoami", "--passphrase-file", wrong).err)

    def test_without_input(self):
        result = self.home.run("whoami", "--no-input")
        self.assertEqual(result.code, 4)
        self.assertIn("(passphrase)", result.err)
        self.assertIn("--passphrase-file", result.err)

    def test_asked_on_the_terminal(self):
        child = self.spawn("whoami")
        child.expect_exact("Passphrase of ")
        child.waitnoecho()
        child.sendline(SECRET)
        child.expect(pexpect.EOF)
        self.assertIn(b"ann", child.before)
        self.assertNotIn(SECRET, child.before)

    def test_interrupted_at_the_prompt(self):
        for key, code, number in (("c", 130, None), ("\\", None, signal.SIGQUIT)):
            child = self.spawn("whoami")
            child.expect_exact("Passphrase of ")
            child.waitnoecho()
            child.sendcontrol(key)
            if number is not None:
                child.sendline("")
            child.expect(pexpect.EOF)
            self.assert_echo(child)
            child.wait()
            self.assertEqual((child.exitstatus, child.signalstatus), (code, number))

    def test_all_on_the_terminal(self):
        code = self.root.invite("bob")["bob"]
        bob = self.team.home("bob")
        mistyped = code[:-1] + ("2" if code[-1] != "2" else "3")
        child = self.spawn("join", "--seal", home=bob)
        for wrong in (mistyped, "hello", None):
            child.expect_exact("Join code: ")
            child.sendline(wrong or code)
            if wrong:
                child.expect_exact("once more, please")
        child.expect_exact("New passphrase")
        child.waitnoecho()
        child.sendline(SECRET)
        child.expect_exact("The same again")
        child.waitnoecho()
        child.sendline(b"something else")
        child.expect_exact("two different passphrases")
        child.expect(pexpect.EOF)
        self.assert_echo(child)
        self.assertFalse(os.path.exists(os.path.join(bob.directory, ".config", "sealpost")))
        child = self.spawn("join", "--seal", home=bob)
        child.expect_exact("Join code: ")
        child.sendline(code)
        for prompt in ("New passphrase", "The same again"):
            child.expect_exact(prompt)
            child.waitnoecho()
            child.sendline(SECRET)
        child.expect_exact("you are bob")
        child.expect(pexpect.EOF)
        self.assertEqual(bob.run("whoami", "--no-input").code, 4)

    def test_mistyped_thrice(self):
        child = self.spawn("join", home=self.team.home("nobody"))
        for _ in range(3):
            child.expect_exact("Join code: ")
            child.sendline("hello")
        child.expect_exact("cannot join")
        child.expect(pexpect.EOF)
        child.wait()
        self.assertEqual(child.exitstatus, 2)

    def test_asked_once_though_the_connection_is_lost(self):
        child = self.spawn("chat", "general", "--plain")
        child.expect_exact("Passphrase of ")
        child.waitnoecho()
        child.sendline(SECRET)
        self.root.ok("say", "general", "before")
        child.expect_exact("before")
        self.team.process.kill()
        self.team.process.wait()
        self.team.start()
        self.root.ok("say", "general", "afterwards")
        self.assertEqual(child.expect_exact(["afterwards", "Passphrase of "]), 0)


if __name__ == "__main__":
    harness.main()
