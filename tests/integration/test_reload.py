"""A running server takes changed settings, certificates and lists, and nobody but those they concern notices."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import time

import harness


def place(path, text):
    """Puts TEXT at PATH in one step."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(path + ".new", path)


def read(*paths):
    texts = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            texts.append(file.read())
    return "".join(texts)


class Reloading(harness.TestCase):
    """Each test has a server of its own, whose files lie in files/."""

    @classmethod
    def setUpClass(cls):
        cls.ca = harness.authority()

    def setUp(self):
        self.server = self.make_server()
        self.server.start()

    def make_server(self, **options):
        server = harness.Server(ca=self.ca, **options)
        self.files = os.path.join(server.directory, "files")
        self.fill(self.files)
        for key in ("ca", "cert", "key", "crl"):
            server.config[key] = self.file(f"{key}.pem")
        self.addCleanup(server.stop)
        return server

    def fill(self, directory):
        os.mkdir(directory)
        for source, name in ((["ca.pem"], "ca"), (["server", "cert.pem"], "cert"), (["server", "key.pem"], "key"),
                             (["crl.pem"], "crl")):
            shutil.copy(self.ca.path(*source), os.path.join(directory, name + ".pem"))

    def file(self, name):
        return os.path.join(self.files, name)

    def change(self, **keys):
        """Writes the configuration anew, in place."""
        self.server.config.update(keys)
        self.server.write_config()

    def mark(self):
        return len(self.server.log())

    def wait_for(self, pattern, offset, timeout=20):
        return harness.wait_until(lambda: re.search(pattern, self.server.log()[offset:]), timeout, pattern)

    def online(self, member):
        chat = self.chat(member)
        chat.expect(type="online")
        return chat

    def count(self, pattern, offset=0):
        return len(re.findall(pattern, self.server.log()[offset:]))

    def revoked_list(self, name):
        """The lists after NAME, a member with a certificate, was revoked."""
        self.ca.revoke(name)
        return read(self.ca.path("crl.pem"))


class Watching(Reloading):
    """However a file is changed, it is noticed without a signal."""

    def write_in_place(self, text):
        with open(self.file("crl.pem"), "w", encoding="utf-8") as file:
            file.write(text)

    def rename(self, text):
        place(self.file("crl.pem"), text)

    def link(self, text):
        place(os.path.join(self.server.directory, f"crl-{time.monotonic_ns()}"), text)
        newest = sorted(name for name in os.listdir(self.server.directory) if name.startswith("crl-"))[-1]
        os.symlink(os.path.join(self.server.directory, newest), self.file("link"))
        os.rename(self.file("link"), self.file("crl.pem"))

    def remove_and_make(self, text):
        offset = self.mark()
        os.remove(self.file("crl.pem"))
        self.wait_for("event=reload_failed .*crl.pem: .*No such file", offset)
        self.write_in_place(text)

    def replace_directory(self, text):
        shutil.copytree(self.files, self.files + ".new")
        os.rename(self.files, f"{self.files}.{time.monotonic_ns()}")
        os.rename(self.files + ".new", self.files)
        self.wait_for("event=reloaded", 0)
        self.rename(text)

    def test_ways(self):
        other = self.online(self.member("anna"))
        ways = (self.write_in_place, self.rename, self.link, self.remove_and_make, self.replace_directory, self.rename)
        for number, way in enumerate(ways):
            with self.subTest(way.__name__):
                name = f"victim{number}"
                victim = self.online(self.member(name))
                way(self.revoked_list(name))
                self.assertEqual(victim.expect(type="offline")["error"], "revoked")
                self.assertEqual(victim.close(), 4)
        self.assertTrue(other.ask(cmd="list")["ok"])
        self.assertEqual(other.close(), 0)

    def test_no_directory_for_a_while(self):
        """It is said once, and looked for again."""
        offset = self.mark()
        os.rename(self.files, self.files + ".away")
        self.wait_for("event=reload_failed", offset)
        time.sleep(2.5)
        self.assertEqual(self.count("event=reload_failed", offset), 1)
        self.member("anna").ok("whoami")
        os.rename(self.files + ".away", self.files)
        self.wait_for("event=reloaded", offset, 60)
        offset = self.mark()
        place(self.file("crl.pem"), read(self.ca.path("crl.pem")))
        self.wait_for("event=reloaded", offset)

    def test_mode_of_the_key(self):
        offset = self.mark()
        os.chmod(self.file("key.pem"), 0o644)
        self.wait_for("event=reload_failed error=private-key .*key.pem.*chmod 600", offset)
        self.member("anna").ok("whoami")
        os.chmod(self.file("key.pem"), 0o600)
        self.wait_for("event=reloaded", offset)

    def test_many_changes_are_one(self):
        offset = self.mark()
        for _ in range(20):
            place(self.file("crl.pem"), read(self.ca.path("crl.pem")))
        place(self.file("unrelated"), "")
        self.wait_for("event=reloaded", offset)
        self.assertLess(self.count("event=reloaded", offset), 10)

    def test_others_are_not_ours(self):
        offset = self.mark()
        for _ in range(3):
            place(self.file("neighbour.pem"), "")
            time.sleep(0.5)
        self.assertEqual(self.count("event=reload", offset), 0)


class Withdrawing(Reloading):
    """The sessions that a change shuts out are told why; the others go on."""

    def second_authority(self):
        """Another root and issuing CA, for the same team, with names of their own."""
        directory = os.path.join(self.server.directory, "second")
        second = harness.Authority(directory, "second")
        with open(os.path.join(directory, "team"), "w", encoding="utf-8") as file:
            file.write("test\n")
        return second

    def setUp(self):
        super().setUp()
        self.second = self.second_authority()
        self.take("root", "issuing")

    def make_list(self, name):
        """A list of the second authority's CA NAME, as its books are."""
        done = subprocess.run(
            ["openssl", "ca", "-gencrl", "-config", os.path.join(harness.SOURCE_DIR, "certs", "ca.cnf"), "-name", name],
            env={**os.environ, "SEALPOST_CA": self.second.directory}, check=True, capture_output=True)
        return done.stdout.decode()

    def take(self, *names):
        """The server trusts these CAs of the second authority besides its own."""
        offset = self.mark()
        paths = {"root": self.second.path("root.pem"), "issuing": self.second.path("issuing", "cert.pem")}
        place(self.file("crl.pem"), read(self.ca.path("crl.pem")) + "".join(self.make_list(name) for name in names))
        place(self.file("ca.pem"), read(self.ca.path("ca.pem"), *(paths[name] for name in names)))
        self.server.reload()
        self.wait_for("event=reloaded", offset)

    def newcomer(self, name):
        """A member of the second authority, who is online."""
        member = harness.Member(self.server, name)
        member.bundle = self.second.member(name)
        shutil.copy(self.ca.path("root.pem"), os.path.join(member.bundle, "ca.pem"))
        return self.online(member)

    def check_ends(self, chat, error, change):
        offset = self.mark()
        anna = self.online(self.member("anna"))
        change()
        self.assertEqual(chat.expect(type="offline")["error"], error)
        self.assertEqual(chat.close(), 4)
        self.wait_for(f"event=logout .*reason={error}", offset)
        self.assertTrue(anna.ask(cmd="list")["ok"])
        self.assertEqual(anna.close(), 0)

    def test_issuing_ca_is_removed(self):
        self.check_ends(self.newcomer("nick"), "untrusted", lambda: self.take("root"))

    def test_another_root(self):
        self.check_ends(self.newcomer("nora"), "untrusted", self.take)

    def test_issuing_ca_is_revoked(self):
        def revoke():
            subprocess.run(
                ["openssl", "ca", "-config", os.path.join(harness.SOURCE_DIR, "certs", "ca.cnf"), "-name", "root",
                 "-revoke", self.second.path("issuing", "cert.pem")],
                env={**os.environ, "SEALPOST_CA": self.second.directory}, check=True, capture_output=True)
            self.take("root", "issuing")
        self.check_ends(self.newcomer("nils"), "untrusted", revoke)

    def test_entry_of_a_list(self):
        def revoke():
            self.second.revoke("nina")
            self.take("root", "issuing")
        self.check_ends(self.newcomer("nina"), "revoked", revoke)

    def connect(self, name):
        """A bare TLS connection, which is logged in without saying anything."""
        bundle = self.ca.member(name)
        context = ssl.create_default_context(cafile=os.path.join(bundle, "ca.pem"))
        context.load_cert_chain(os.path.join(bundle, "cert.pem"), os.path.join(bundle, "key.pem"))
        context.set_alpn_protocols(["sealpost/1"])
        plain = socket.create_connection(("127.0.0.1", self.server.port))
        tls = context.wrap_socket(plain, server_hostname="localhost")
        self.addCleanup(tls.close)
        return tls

    def test_many(self):
        """More than are judged in one turn: every second of them is shut out."""
        for name in ("mass", "anna") * 300:
            self.connect(name)
        harness.wait_until(lambda: self.count("event=login ") >= 600, 60, "the logins")
        place(self.file("crl.pem"),
              self.revoked_list("mass") + self.make_list("root") + self.make_list("issuing"))
        harness.wait_until(lambda: self.count("event=logout .*member=mass reason=revoked") == 300, 60, "their end")
        self.assertEqual(self.count("event=logout .*member=anna"), 0)


class Settings(Reloading):
    """What can change at run time does; of the rest the log tells."""

    def reloaded(self, keys, **changes):
        offset = self.mark()
        self.change(**changes)
        self.wait_for(f"event=reloaded .*changed={keys}\n", offset)
        return offset

    def test_message_rate(self):
        anna = self.member("anna")
        anna.ok("room", "create", "den")
        chat = self.online(anna)
        self.reloaded("message_rate,message_burst", message_rate=1, message_burst=1)
        begin = time.monotonic()
        for _ in range(4):  # the client waits as long as it is told to
            self.assertTrue(chat.ask(cmd="say", room="den", text="x")["ok"])
        self.assertGreater(time.monotonic() - begin, 2)
        self.reloaded("message_rate", message_rate=0)
        for _ in range(5):
            self.assertTrue(chat.ask(cmd="say", room="den", text="x")["ok"])
        self.assertEqual(chat.close(), 0)

    def test_max_file_bytes(self):
        anna = self.member("anna")
        anna.ok("room", "create", "den")
        path = anna.write("file", b"x" * 5000)
        anna.ok("send", "den", path)
        self.reloaded("max_file_bytes", max_file_bytes="4K")
        self.assertEqual(anna.run("send", "den", path).code, 7)
        self.reloaded("max_file_bytes", max_file_bytes="8K")
        anna.ok("send", "den", path)

    def test_admit(self):
        self.member("anna").ok("whoami")
        self.reloaded("admit", admit="none")
        self.assertIn("not admitted", self.member("otto").run("whoami").err)
        self.member("anna").ok("whoami")
        self.reloaded("admit", admit="ca")
        self.member("otto").ok("whoami")

    def test_log_level(self):
        offset = self.reloaded("log_level", log_level="debug")
        self.member("anna").ok("whoami")
        self.wait_for("event=connection .*to=serving", offset)
        self.reloaded("log_level", log_level="error")
        offset = self.mark()
        self.member("anna").ok("whoami")
        self.reloaded("log_level", log_level="info")
        self.assertEqual(self.count("event=login", offset), 0)

    def test_paths(self):
        moved = os.path.join(self.server.directory, "moved")
        self.fill(moved)
        self.reloaded("ca,cert,key,crl", **{key: os.path.join(moved, f"{key}.pem")
                                            for key in ("ca", "cert", "key", "crl")})
        shutil.rmtree(self.files)
        offset = self.mark()
        place(os.path.join(moved, "crl.pem"), read(self.ca.path("crl.pem")))
        self.wait_for("event=reloaded .*changed=none", offset)  # the new place is watched
        self.files = moved

    def test_at_the_next_start_only(self):
        offset = self.mark()
        self.change(max_sessions=5, readers=1, disk_reserve="1K", host="chat.example.org")
        self.wait_for("event=reloaded .*changed=host\n", offset)
        line = self.wait_for("event=restart_needed .*", offset).group()
        self.assertIn("keys=max_sessions,disk_reserve,readers reason=", line)
        self.assertIn("next start", line)
        offset = self.mark()
        self.change(team="another", max_sessions=16384, readers=2, disk_reserve=0)
        self.wait_for("event=restart_needed .*keys=team ", offset)
        self.member("anna").ok("whoami")
        self.change(team="test")

    def test_a_mistake_changes_nothing(self):
        for text, sentence in (("message_rat = 5", "unknown key 'message_rat'"), ("admit = all", "neither"),
                               ("nonsense", "expected 'key = value'"), ("host = a b", "is not HOST")):
            with self.subTest(text):
                offset = self.mark()
                before = read(self.server.config_path)
                place(self.server.config_path, "message_rate = 1\nmessage_burst = 1\n" + text + "\n" +
                      before.replace("admit = ca", ""))
                line = self.wait_for("event=reload_failed .*" + re.escape(sentence), offset).group()
                self.assertIn(f"error=config reason=\"{self.server.config_path}:3: ", line)
                anna = self.member("anna")
                anna.run("room", "create", "den")
                for _ in range(3):
                    anna.ok("say", "den", "x")
                place(self.server.config_path, before)
                self.wait_for("event=reloaded", offset)

    def test_all_or_nothing(self):
        """Good settings are not taken with bad certificates."""
        offset = self.mark()
        shutil.copy(self.file("key.pem"), self.file("good.pem"))
        shutil.copy(self.ca.path("issuing", "key.pem"), self.file("key.pem"))
        self.change(admit="none")
        self.wait_for("event=reload_failed error=private-key .*is not the key of", offset)
        self.member("someone").ok("whoami")
        os.rename(self.file("good.pem"), self.file("key.pem"))
        self.wait_for("event=reloaded .*changed=admit", offset)
        self.assertIn("not admitted", self.member("nobody").run("whoami").err)

    def test_flags_go_on_overriding_the_file(self):
        self.server.stop()
        self.server = self.make_server(command=["sh", "-c", 'exec "$0" "$@" --admit none', harness.SEALPOSTD])
        self.server.start()
        self.reloaded("message_rate", message_rate=10)
        self.assertIn("not admitted", self.member("anna").run("whoami").err)

    def test_a_directory(self):
        """`run DIR` reads DIR/sealpost.conf, and watches that."""
        self.server.stop()
        self.server.config_path = self.file("sealpost.conf")
        self.server.command = ["sh", "-c", 'exec "$0" run "$(dirname "$3")"', harness.SEALPOSTD]
        self.server.start()
        self.reloaded("message_rate", message_rate=10)
        self.member("anna").ok("whoami")


del Reloading  # it is the others' base, not a test

if __name__ == "__main__":
    harness.main()
