"""A team from nothing: sealpostd init, joining by code, inviting, devices, and being shut out at once."""

import os
import re
import stat
import subprocess
import time
import unittest

import harness

CODE = re.compile(r"^localhost:\d+/([0-9A-HJKMNP-TV-Z]{7}-){7}[0-9A-HJKMNP-TV-Z]{7}$")


class TeamCase(unittest.TestCase):
    """One team for all tests of a class, with one administrator, root."""

    @classmethod
    def setUpClass(cls):
        cls.team = harness.Team().start()
        cls.addClassCleanup(cls.team.stop)
        cls.root = cls.team.administrator()
        cls.root.ok("room", "create", "general")

    def joined(self, name, *options):
        """Somebody new, who has joined."""
        return self.team.home(name).join(self.root.invite(name, *options)[name])


class FirstDay(TeamCase):

    def test_the_first_administrator(self):
        mine = self.root.json("whoami")[0]
        self.assertEqual((mine["username"], mine["team"]), ("root", "ours"))
        devices = self.root.json("device", "list")
        self.assertEqual([(each["label"], each["current"], each["sessions"]) for each in devices], [("first", True, 1)])

    def test_joining_with_one_line(self):
        code = self.root.invite("ann", "--rooms", "general")["ann"]
        self.assertRegex(code, CODE)
        ann = self.team.home("ann")
        result = ann.ok("join", stdin=code.encode() + b"\n")
        self.assertIn("ann", result.out + result.err)
        # The profile says where and who; nothing has to be told again.
        ann.ok("say", "general", "here I am")
        events = self.root.json("log", "general")
        self.assertIn(("ann", "joined"), [(each["from"], each["kind"]) for each in events])
        self.assertIn("here I am", [each.get("text") for each in events])

    def test_the_key_stays_where_it_was_made(self):
        ann = self.joined("key-owner")
        keys = subprocess.run(["find", ann.directory, "-name", "key.pem"], check=True, capture_output=True, text=True)
        self.assertEqual(len(keys.stdout.splitlines()), 1)
        for path in keys.stdout.splitlines():
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
            self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode), 0o700)
            with open(path, encoding="ascii") as file:
                lines = file.read().splitlines()
        self.assertNotIn(lines[1], self.team.log())

    def test_codes_that_cannot_be_used(self):
        code = self.root.invite("bob")["bob"]
        wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
        somebody = self.team.home("somebody")
        for text, expected in ((wrong, "mistyped"), ("hello", "join code"), (code[:-9], "letters and digits")):
            result = somebody.run("join", stdin=text.encode() + b"\n")
            self.assertNotEqual(result.code, 0, result)
            self.assertIn(expected, result.err)
        bob = self.team.home("bob").join(code)
        again = somebody.run("join", stdin=code.encode() + b"\n")
        self.assertEqual(again.code, 4, again)
        self.assertIn("(code-used)", again.err)
        renewed = self.root.invite("carol")["carol"]
        self.root.invite("carol", "--renew")
        replaced = somebody.run("join", stdin=renewed.encode() + b"\n")
        self.assertEqual(replaced.code, 4, replaced)
        self.assertIn("(join-code)", replaced.err)
        self.assertEqual(somebody.run("whoami").code, 2) # nothing was left behind by all that
        self.assertEqual(bob.json("whoami")[0]["username"], "bob")

    def test_a_changed_code_goes_nowhere(self):
        code = self.root.invite("dora")["dora"]
        other = harness.Team().start()
        self.addCleanup(other.stop)
        # The same code, but for where it leads: its check digits do not fit any more.
        forged = re.sub(r":\d+/", f":{other.port}/", code)
        result = self.team.home("dora").run("join", stdin=forged.encode() + b"\n")
        self.assertEqual(result.code, 4, result)
        self.assertIn("mistyped", result.err)
        self.assertNotIn("join", other.log().replace("joined", ""))

    def test_members_are_listed_for_whom_they_concern(self):
        self.joined("erik")
        self.root.invite("fred")
        rows = self.root.json("member", "list")
        self.assertIn(("root", "administrator"), [(each["name"], each.get("role")) for each in rows])
        self.assertIn(("fred", "invitation"), [(each["name"], each["type"]) for each in rows])
        erik = self.team.home("erik-2").join(self.root.json("device", "add", "--member", "erik")[0]["code"])
        self.assertNotIn("fred", [each["name"] for each in erik.json("member", "list")])
        self.assertEqual(erik.run("member", "invite", "gina").code, 4)
        self.assertEqual(erik.run("device", "list", "--member", "*").code, 4)
        self.assertEqual(erik.run("member", "disable", "root").code, 4)

    def test_names(self):
        for name in ("Ann", "ann bob", ".ann", "-ann", "ä", "a/b", "", "a" * 33, "ann\n"):
            self.assertEqual(self.root.run("member", "invite", "--", name).code, 2, name)
            made = harness.Team.tool("init", self.team.directory + "-x", "--team", "ours", "--host", "localhost",
                                     "--admin", name, check=False)
            self.assertEqual(made.returncode, 2, name)
            self.assertFalse(os.path.exists(self.team.directory + "-x"))


class Rosters(TeamCase):

    def test_a_roster_can_be_run_again(self):
        roster = self.root.write("roster.csv", b"name,role,rooms\numa,,general\nvera,administrator,\nwim\n")
        rows = self.root.json("member", "invite", "--from", roster)
        self.assertEqual([(each["name"], each["role"], each["status"]) for each in rows],
                         [("uma", "member", "invited"), ("vera", "administrator", "invited"), ("wim", "member", "invited")])
        self.team.home("uma").join(rows[0]["code"])
        vera = self.team.home("vera").join(rows[1]["code"])
        self.root.write("roster.csv", b"name,role,rooms\numa,,general\nvera,administrator,\nwim\nxaver\n")
        again = self.root.json("member", "invite", "--from", roster)
        self.assertEqual(["code" in each for each in again], [False, False, False, True])
        self.assertIn("member already", again[0]["status"])
        self.assertIn("invited already", again[2]["status"])
        renewed = self.root.json("member", "invite", "--from", roster, "--renew")
        self.assertEqual(["code" in each for each in renewed], [False, False, True, True])
        self.assertEqual(self.team.home("wim").run("join", stdin=rows[2]["code"].encode()).code, 4)
        self.team.home("wim").join(renewed[2]["code"])
        vera.ok("member", "invite", "yuri") # an administrator, too

    def test_as_csv_and_as_files(self):
        text = self.root.ok("member", "invite", "--csv", "alba", "bert").out
        header, first, second = text.splitlines()
        self.assertEqual(header, "name,role,status,expires,code")
        self.assertEqual(first.split(",")[:3], ["alba", "member", "invited"])
        self.team.home("bert").join(second.split(",")[4])
        os.mkdir(self.root.path("codes"))
        shown = self.root.ok("member", "invite", "cleo", "--files", "codes").out
        self.assertNotIn("/", shown)
        with open(self.root.path("codes/cleo.txt"), encoding="ascii") as file:
            self.team.home("cleo").join(file.read())
        self.assertEqual(stat.S_IMODE(os.stat(self.root.path("codes/cleo.txt")).st_mode), 0o600)
        # Who has one in a file is invited, until then; no form of the list says that they were there before.
        _, row = self.root.ok("member", "invite", "--csv", "dirk", "--files", "codes").out.splitlines()
        self.assertRegex(row, r"^dirk,member,invited,20[0-9T:.Z-]+,$")
        shown = self.root.json("member", "invite", "elsa", "--files", "codes")[0]
        self.assertEqual((shown["status"][:7], "expires" in shown, "code" in shown), ("invited", True, False))
        self.assertRegex(self.root.ok("--plain", "device", "add").out, r"^root device invited 20\S+ \S+\n$")

    def test_mistakes_in_a_roster(self):
        for content, expected in ((b"Ann\n", "roster.csv:1: 'Ann' is not a name"), (b"ann,king\n", "is no role"),
                                  (b"ann\nann\n", "roster.csv:2: 'ann' stands there twice")):
            roster = self.root.write("roster.csv", content)
            result = self.root.run("member", "invite", "--from", roster)
            self.assertEqual(result.code, 2, result)
            self.assertIn(expected, result.err)
        self.assertEqual(self.root.run("member", "invite", "--from", "/nonexistent").code, 2)
        self.assertEqual(self.root.run("member", "invite").code, 2)
        unknown = self.root.run("member", "invite", "ann", "--rooms", "nowhere")
        self.assertEqual(unknown.code, 5, unknown)
        self.assertIn("nowhere", unknown.err)


class ShutOut(TeamCase):

    def test_a_lost_device(self):
        laptop = self.joined("hans", "--rooms", "general")
        phone = self.team.home("phone").join(laptop.json("device", "add")[0]["code"])
        chats = [self.open_chat(home) for home in (laptop, phone, self.root)]
        listed = {each["label"]: each for each in laptop.json("device", "list")}
        self.assertEqual(set(listed), {"hans", "phone"})
        self.assertGreaterEqual(listed["phone"]["sessions"], 1)
        code = phone.json("device", "add")[0]["code"]
        began = time.monotonic()
        laptop.ok("device", "revoke", "phone")
        offline = chats[1].expect(type="offline")
        self.assertEqual(offline["error"], "revoked")
        took = time.monotonic() - began
        self.assertLess(took, 5, "a revoked session goes on")
        self.assertEqual(chats[1].process.wait(20), 4)
        again = phone.run("whoami")
        self.assertEqual(again.code, 4)
        self.assertIn("(revoked)", again.err)
        # Nor does whoever has it come back with a code that it made beforehand.
        thief = self.team.home("thief").run("join", stdin=code.encode() + b"\n")
        self.assertEqual(thief.code, 4)
        self.assertIn("(join-code)", thief.err)
        # The others noticed nothing.
        for chat in (chats[0], chats[2]):
            self.assertTrue(chat.ask(cmd="say", room="general", text="still here")["ok"])
        revoked = {each["label"]: each["revoked"] for each in laptop.json("device", "list")}
        self.assertEqual(revoked, {"hans": False, "phone": True})

    def open_chat(self, home):
        chat = home.chat("general")
        chat.expect(type="online")

        def end():
            chat.process.kill()
            chat.process.wait()
            for stream in (chat.process.stdin, chat.process.stdout, chat.process.stderr):
                try:
                    stream.close()
                except BrokenPipeError:
                    pass
        self.addCleanup(end)
        return chat

    def test_by_fingerprint_and_by_force(self):
        ida = self.joined("ida")
        device = ida.json("device", "list")[0]
        self.assertEqual(ida.run("device", "revoke", "nothing").code, 5)
        self.assertEqual(ida.run("device", "revoke", device["fingerprint"][:8]).code, 4) # this very one
        self.assertEqual(ida.json("whoami")[0]["username"], "ida")
        ida.ok("device", "revoke", device["fingerprint"][:8], "--force")
        self.assertEqual(ida.run("whoami").code, 4)
        # An administrator helps: another device for the same member.
        code = self.root.json("device", "add", "--member", "ida")[0]["code"]
        self.assertEqual(self.team.home("ida-2").join(code).json("whoami")[0]["username"], "ida")

    def test_a_member_is_shut_out_and_let_in(self):
        jan = self.joined("jan", "--rooms", "general")
        chat = self.open_chat(jan)
        self.root.ok("member", "disable", "jan")
        self.assertEqual(chat.expect(type="offline")["error"], "disabled")
        self.assertIn("(disabled)", jan.run("say", "general", "x").err)
        taken = self.root.run("member", "invite", "jan", "--renew")
        self.assertEqual(taken.code, 4, taken)
        self.root.ok("member", "enable", "jan")
        jan.ok("say", "general", "back")
        self.assertEqual(self.root.run("member", "disable", "root").code, 4)

    def test_an_upload_stops(self):
        kim = self.joined("kim", "--rooms", "general")
        sending = kim.popen("send", "general", "-", "--name", "endless.bin", stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        sending.stdin.write(b"x" * 4000000)
        sending.stdin.flush()
        self.root.ok("device", "revoke", "kim", "--member", "kim")
        _, errors = sending.communicate(timeout=30)
        self.assertEqual(sending.returncode, 4, errors)
        self.assertIn(b"revoked", errors)
        self.assertNotIn("endless.bin", [each["name"] for each in self.root.json("file", "list", "general")])
        harness.wait_until(lambda: not os.listdir(self.team.path("state", "files", "incoming")), what="nothing to be left")

    def test_an_invitation_is_withdrawn(self):
        code = self.root.invite("lea")["lea"]
        self.root.ok("member", "disable", "lea")
        result = self.team.home("lea").run("join", stdin=code.encode())
        self.assertEqual(result.code, 4, result)


class Kills(unittest.TestCase):

    def test_who_has_joined_stays(self):
        """The server is killed right after it let somebody in."""
        team = harness.Team().start()
        root = team.administrator()
        code = root.invite("ann")["ann"]
        ann = team.home("ann").join(code)
        team.process.kill()
        team.process.wait()
        team.start()
        self.addCleanup(team.stop)
        self.assertEqual(ann.json("whoami")[0]["username"], "ann")
        self.assertEqual(len(ann.json("device", "list")), 1)
        self.assertEqual(len([each for each in root.json("member", "list") if each["name"] == "ann"]), 1)


if __name__ == "__main__":
    harness.main()
