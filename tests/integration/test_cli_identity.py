"""Who may log in, and what is said when somebody may not; where the settings come from."""

import datetime
import os
import shutil

import harness


class Identity(harness.TestCase):

    def use(self, bundle, **env):
        """Runs whoami with the certificate in BUNDLE."""
        return self.member("alice").run("whoami", env={"SEALPOST_CERT": bundle, **env})

    def refused(self, bundle, name, **env):
        result = self.use(bundle, **env)
        self.assertEqual((result.code, result.out), (4, ""), result)
        self.assertIn(f"({name})", result.err)
        self.assertIn("sealpost: hint: ", result.err)

    def test_revoked(self):
        bundle = self.server.ca.member("mallory")
        self.assertEqual(self.use(bundle).code, 0)
        self.server.ca.revoke("mallory")
        self.server.restart()
        self.refused(bundle, "revoked")

    def test_revoked_while_connected(self):
        bundle = self.server.ca.member("trudy")
        trudy = self.member("trudy")
        chat = self.chat(trudy)
        chat.expect(type="online")
        self.server.ca.revoke("trudy")
        self.server.reload()
        self.assertEqual(chat.expect(type="offline")["error"], "revoked")
        self.assertEqual(chat.close(), 4)
        self.refused(bundle, "revoked")

    def test_expired(self):
        bundle = self.server.ca.member("late", None, "--until", "20200101000000Z")
        self.refused(bundle, "expired")

    def test_ends_soon(self):
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=3, hours=1)
        bundle = self.server.ca.member("soon", None, "--until", end.strftime("%Y%m%d%H%M%SZ"))
        result = self.use(bundle)
        self.assertEqual(result.code, 0)
        self.assertIn("sealpost: warning: your certificate expires in 3 days", result.err)
        end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        bundle = self.server.ca.member("sooner", None, "--until", end.strftime("%Y%m%d%H%M%SZ"))
        self.assertIn("expires in less than a day", self.use(bundle).err)
        self.assertEqual(self.use(self.server.ca.member("alice")).err, "")

    def test_another_ca(self):
        other = harness.authority("other", "test")
        alien = other.member("alice")
        self.refused(alien, "untrusted")
        ours = self.server.ca.member("alice")
        self.refused(ours, "untrusted", SEALPOST_CA=os.path.join(alien, "ca.pem"))

    def test_wrong_host(self):
        result = self.use(self.server.ca.member("alice"), SEALPOST_SERVER=f"127.0.0.2:{self.server.port}")
        self.assertIn(result.code, (4, 69), result)  # 69: it listens on 127.0.0.1 only
        result = self.use(self.server.ca.member("alice"), SEALPOST_SERVER=f"localhost:{self.server.port}")
        self.assertEqual(result.code, 0, result)

    def test_files(self):
        bundle = self.server.ca.member("alice")
        broken = os.path.join(harness.scratch(), "broken")
        shutil.copytree(bundle, broken)
        os.chmod(os.path.join(broken, "key.pem"), 0o644)
        result = self.use(broken)
        self.assertEqual(result.code, 4, result)
        self.assertIn("chmod 600", result.err)
        self.assertIn("key.pem", result.err)
        for name in ("ca.pem", "key.pem", "cert.pem"):
            os.rename(os.path.join(broken, name), os.path.join(broken, "away"))
            result = self.use(broken)
            self.assertEqual(result.code, 2, result)
            self.assertIn(name + ": No such file or directory", result.err)
            os.rename(os.path.join(broken, "away"), os.path.join(broken, name))
        result = self.use(os.path.join(broken, "nothing"))
        self.assertEqual(result.code, 2, result)
        os.remove(os.path.join(broken, "key.pem"))
        self.assertIn("key.pem", self.use(broken).err)
        shutil.copy(os.path.join(bundle, "key.pem"), os.path.join(broken, "key.pem"))
        with open(os.path.join(broken, "cert.pem"), "w", encoding="utf-8") as file:
            file.write("not a certificate\n")
        self.assertIn("cert.pem", self.use(broken).err)

    def test_settings(self):
        alice, bob = self.member("alice"), self.member("bob")
        unset = {"SEALPOST_SERVER": None, "SEALPOST_CERT": None}
        self.assertEqual(alice.run("whoami", env=unset).code, 2)
        result = alice.run("--server", self.server.address, "whoami", "--cert", alice.bundle, env=unset)
        self.assertEqual(result.code, 0, result)
        result = alice.run("whoami", "--cert", os.path.join(bob.bundle, "cert.pem"), "--key",
                           os.path.join(bob.bundle, "key.pem"), "--ca", os.path.join(bob.bundle, "ca.pem"))
        self.assertIn("username bob", result.out)
        directory = os.path.join(alice.directory, "config", "sealpost")
        os.makedirs(directory)
        os.symlink(bob.bundle, os.path.join(directory, "bob"))
        with open(os.path.join(directory, "default.conf"), "w", encoding="utf-8") as file:
            file.write(f"server = {self.server.address} # here\ncert = {alice.bundle}\n")
        with open(os.path.join(directory, "other.conf"), "w", encoding="utf-8") as file:
            file.write(f"server = {self.server.address}\ncert = bob\n")
        self.assertIn("username alice", alice.ok("whoami", env=unset).out)
        self.assertIn("username bob", alice.ok("whoami", "--profile", "other", env=unset).out)
        self.assertIn("username bob", alice.ok("whoami", env={**unset, "SEALPOST_PROFILE": "other"}).out)
        self.assertEqual(alice.run("whoami", "--profile", "missing", env=unset).code, 2)

    def test_devices(self):
        laptop, phone = self.member("alice"), self.member("alice", "phone")
        first, second = laptop.json("whoami")[0], phone.json("whoami")[0]
        self.assertEqual(first["username"], second["username"])
        self.assertNotEqual(first["device"], second["device"])


if __name__ == "__main__":
    harness.main()
