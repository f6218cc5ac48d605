"""sealpostd fsck: each kind of damage is made, and is found and named."""

import hashlib
import os
import sqlite3
import subprocess
import unittest

import harness

SHIFT = 40


class Fsck(unittest.TestCase):
    """One server is filled once; each test damages a copy of its state."""

    @classmethod
    def setUpClass(cls):
        cls.server = harness.Server().start()
        cls.state = cls.server.config["state"]
        alice, bob, eve = (harness.Member(cls.server, name) for name in ("alice", "bob", "eve"))
        alice.ok("room", "create", "den")
        bob.ok("room", "join", "den")
        eve.ok("room", "join", "den")
        eve.ok("room", "leave", "den")
        for i in range(10):
            bob.ok("say", "den", f"message {i}")
        alice.ok("room", "topic", "den", "bees")
        bob.ok("send", "den", bob.write("small.txt", b"small"))
        bob.ok("send", "den", bob.write("large.bin", os.urandom(300000)))
        alice.ok("box", "create", "hw")
        bob.ok("submit", "hw", bob.write("essay.txt", b"an essay"))
        alice.ok("room", "create", "short")
        alice.ok("room", "retention", "short", "2")
        for i in range(5):
            alice.ok("say", "short", f"short {i}")
        alice.ok("send", "short", alice.write("gone.bin", os.urandom(100000)))
        alice.ok("say", "short", "last")
        alice.ok("room", "retention", "short", "1")
        harness.wait_until(lambda: cls.erased() >= 6, 20, "the erasure")

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    @classmethod
    def erased(cls):
        with sqlite3.connect(f"file:{cls.state}/sealpost.db?mode=ro", uri=True) as database:
            return database.execute("SELECT count(*) FROM events WHERE body IS NULL").fetchone()[0]

    def setUp(self):
        if self.server.process is not None:
            self.running = self.run_fsck(self.state)
            self.assertEqual(self.running.code, 0, self.running)
            self.server.stop()
        self.copy = os.path.join(self.server.directory, self.id().rsplit(".", 1)[-1])
        subprocess.run(["cp", "-a", self.state, self.copy], check=True)

    def run_fsck(self, directory, *options):
        done = subprocess.run([harness.SEALPOSTD, "fsck", directory, *options], capture_output=True, timeout=120,
                              check=False)
        result = harness.Result(done.returncode, done.stdout, done.stderr)
        harness.check_sanitizers(result.err)
        return result

    def findings(self, code=8):
        result = self.run_fsck(self.copy, "--json")
        self.assertEqual(result.code, code, result)
        lines = result.json()
        self.assertEqual([line["type"] for line in lines], ["finding"] * (len(lines) - 1) + ["summary"])
        self.assertEqual(lines[-1]["findings"], len(lines) - 1)
        return lines[:-1]

    def sql(self, statement, *values):
        with sqlite3.connect(os.path.join(self.copy, "sealpost.db")) as database:
            database.execute("PRAGMA foreign_keys = OFF")
            cursor = database.execute(statement, values)
            database.commit()
            return cursor.fetchall()

    def key(self, room, seq):
        return (self.sql("SELECT no FROM logs WHERE name = ?", room)[0][0] << SHIFT) | seq

    def blob(self):
        bucket, file = self.sql("SELECT bucket, id FROM files WHERE bucket > 0")[0]
        return os.path.join(self.copy, "files", "blobs", f"{bucket:08}", file.hex())

    def check(self, *expected):
        """EXPECTED: (check, room, seq) of each finding, in any order."""
        found = [(each["check"], each["room"], each["seq"]) for each in self.findings()]
        self.assertEqual(sorted(found), sorted(expected))

    def flip(self, table, column, where, at, *values):
        """Changes one byte of a blob in a row."""
        data = bytearray(self.sql(f"SELECT {column} FROM {table} WHERE {where}", *values)[0][0])
        data[at] ^= 1
        self.sql(f"UPDATE {table} SET {column} = ? WHERE {where}", bytes(data), *values)

    def test_nothing(self):
        self.assertEqual(self.findings(0), [])
        self.assertEqual(self.run_fsck(self.copy).err, "")
        summary = self.run_fsck(self.copy, "--json").json()[-1]
        self.assertEqual((summary["logs"], summary["files"], summary["blobs"]), (4, 3, 1))
        self.assertGreaterEqual(summary["erased"], 6)
        self.assertEqual(summary["bytes"], 300000)

    def test_configuration(self):
        result = self.run_fsck("--config", self.server.config_path)
        self.assertEqual(result.code, 0, result)
        self.assertIn("all is as it was stored", result.out)

    def test_usage(self):
        self.assertEqual(self.run_fsck("/nonexistent").code, 2)
        self.assertEqual(self.run_fsck(self.copy, "--nonsense").code, 2)
        self.assertEqual(self.run_fsck(self.copy, "another").code, 2)

    def test_body(self):
        self.flip("events", "body", "key = ?", 3, self.key("den", 7))
        self.check(("commitment", "den", 7))
        human = self.run_fsck(self.copy)
        self.assertEqual(human.code, 8)
        self.assertIn("den, event 7: ", human.out)

    def test_salt(self):
        self.flip("events", "salt", "key = ?", 31, self.key("den", 8))
        self.check(("commitment", "den", 8))

    def test_header(self):
        self.flip("events", "header", "key = ?", 39, self.key("den", 6))  # its time
        self.assertIn(("chain", "den", 6), [(each["check"], each["room"], each["seq"]) for each in self.findings()])

    def test_hash(self):
        self.flip("events", "hash", "key = ?", 0, self.key("den", 9))
        # What was changed is the link at both of its ends.
        self.check(("chain", "den", 9), ("chain", "den", 10))

    def test_event_missing(self):
        self.sql("DELETE FROM events WHERE key = ?", self.key("den", 8))
        self.check(("chain", "den", 8), ("request", "den", 8))

    def test_last_event_missing(self):
        self.sql("DELETE FROM events WHERE key = ?", self.key("short", 9))
        self.assertIn(("request", "short", 9),
                      [(each["check"], each["room"], each["seq"]) for each in self.findings()])

    def test_content_taken(self):
        self.sql("UPDATE events SET salt = NULL, body = NULL WHERE key = ?", self.key("den", 7))
        self.check(("commitment", "den", 7))

    def test_rewritten(self):
        """Another body with a commitment and a chain that fit it up to there: the rest does not."""
        key = self.key("den", 14)
        header, salt = self.sql("SELECT header, salt FROM events WHERE key = ?", key)[0]
        body = b"\1" + (9).to_bytes(2, "big") + b"FORGED!!!"
        header = (header[:4] + len(body).to_bytes(4, "big") + header[8:72]
                  + hashlib.sha256(b"sealpost body 1\0" + salt + body).digest())
        before = self.sql("SELECT hash FROM events WHERE key = ?", key - 1)[0][0]
        self.sql("UPDATE events SET header = ?, body = ?, hash = ? WHERE key = ?", header, body,
                 hashlib.sha256(b"sealpost event 1\0" + before + header).digest(), key)
        self.check(("chain", "den", 15))

    def test_request_missing(self):
        self.sql("DELETE FROM requests WHERE event_key = ?", self.key("den", 5))
        self.check(("request", "den", 5))

    def test_request_of_another(self):
        self.sql("UPDATE requests SET event_key = ? WHERE event_key = ?", self.key("den", 6), self.key("den", 5))
        self.check(("request", "den", 5), ("request", "den", 6))

    def test_author(self):
        self.sql("UPDATE events SET device = 1 WHERE key = ?", self.key("den", 6))
        found = {(each["check"], each["room"], each["seq"]) for each in self.findings()}
        self.assertIn(("header", "den", 6), found)

    def test_roster(self):
        self.sql("DELETE FROM roster WHERE log = 1 AND role = 1")
        self.check(("roster", "den", 0))

    def test_roster_extra(self):
        self.sql("INSERT INTO roster(log, member, role, joined_ms) VALUES(1, 3, 1, 1)")
        self.check(("roster", "den", 0))

    def test_marker_beyond_the_head(self):
        self.sql("UPDATE roster SET read = 18 WHERE log = 1 AND role = 1")
        self.check(("read-state", "den", 0))

    def test_mentions(self):
        log, short = (self.key(room, 0) >> SHIFT for room in ("den", "short"))
        alice, bob, eve = (self.sql("SELECT no FROM members WHERE username = ?", name)[0][0]
                           for name in ("alice", "bob", "eve"))
        for row in ((log, alice, 6),  # this one may be
                    (log, alice, 15), (log, bob, 7), (log, eve, 8), (log, alice, 16), (short, alice, 3)):
            self.sql("INSERT INTO mentions VALUES(?, ?, ?)", *row)
        # A topic; read already; of who is not in the room; a file; a message that is erased.
        self.check(*(("read-state", "den", seq) for seq in (15, 7, 8, 16)), ("read-state", "short", 3))

    def test_state_event_not_counted(self):
        self.sql("DELETE FROM state_events WHERE log = 1 AND sequence = 3")
        self.check(("read-state", "den", 3))

    def test_state_event_counted_wrongly(self):
        self.sql("UPDATE state_events SET ordinal = 9 WHERE log = 1 AND sequence = 4")
        self.check(("read-state", "den", 4))

    def test_message_counted_as_state_event(self):
        self.sql("INSERT INTO state_events VALUES(1, 9, 5)")
        self.check(("read-state", "den", 15))

    def test_state_event_beyond_the_last(self):
        self.sql("INSERT INTO state_events VALUES(1, 18, 6)")
        self.check(("read-state", "den", 18))

    def test_file_counted_as_state_event(self):
        self.sql("INSERT INTO state_events VALUES(1, 16, 6)")
        self.check(("read-state", "den", 16))  # and not that somebody has read further than there is

    def test_state_event_of_no_log(self):
        self.sql("INSERT INTO state_events VALUES(99, 1, 1)")
        self.check(("read-state", "", 0))

    def test_owner(self):
        self.sql("UPDATE roster SET role = 2 WHERE log = 1")
        self.check(("roster", "den", 0))

    def test_topic(self):
        self.sql("UPDATE logs SET topic = 'wasps' WHERE name = 'den'")
        self.check(("log", "den", 0))

    def test_retention(self):
        self.sql("UPDATE logs SET keep_events = 9 WHERE name = 'short'")
        self.check(("log", "short", 0))

    def test_kind(self):
        self.sql("UPDATE logs SET name = 'lair' WHERE name = 'den'")
        self.check(("log", "lair", 1))

    def test_log_missing(self):
        self.sql("DELETE FROM logs WHERE name = 'short'")
        self.assertIn("log", [each["check"] for each in self.findings()])

    def test_member_missing(self):
        self.sql("DELETE FROM members WHERE username = 'eve'")
        self.assertIn("foreign-key", [each["check"] for each in self.findings()])

    def test_erased_but_there(self):
        self.sql("UPDATE events SET salt = zeroblob(32), body = x'00' WHERE key = ?", self.key("short", 3))
        self.check(("erasure", "short", 3))

    def test_file_row_missing(self):
        self.sql("DELETE FROM files WHERE name = 'small.txt'")
        self.check(("file", "den", 16))

    def test_file_row_changed(self):
        self.sql("UPDATE files SET size = 4 WHERE name = 'small.txt'")
        self.check(("file", "den", 16))

    def test_file_content(self):
        self.flip("files", "content", "name = ?", 0, "essay.txt")
        self.check(("file", "hw", 2))

    def test_file_without_event(self):
        self.sql("UPDATE files SET sequence = 5 WHERE name = 'small.txt'")
        self.check(("file", "den", 5), ("file", "den", 16))

    def test_blob_missing(self):
        os.remove(self.blob())
        self.check(("blob-missing", "den", 17))

    def test_blob_cut(self):
        os.truncate(self.blob(), 299999)
        self.check(("blob-size", "den", 17))

    def test_blob_changed(self):
        with open(self.blob(), "r+b") as file:
            file.seek(150000)
            byte = file.read(1)
            file.seek(150000)
            file.write(bytes([byte[0] ^ 1]))
        self.check(("blob-digest", "den", 17))
        self.assertEqual(self.run_fsck(self.copy, "--quick").code, 0)

    def test_blob_is_a_directory(self):
        os.remove(self.blob())
        os.mkdir(self.blob())
        self.check(("blob-unreadable", "den", 17))

    def test_blobs_nobody_knows(self):
        directory = os.path.dirname(self.blob())
        for name in ("0123456789abcdef0123456789abcdef", "notes.txt"):
            with open(os.path.join(directory, name), "wb") as file:
                file.write(b"?")
        self.check(("orphan-blob", "", 0), ("orphan-blob", "", 0))

    def test_index(self):
        with sqlite3.connect(os.path.join(self.copy, "sealpost.db")) as database:
            database.execute("PRAGMA writable_schema = ON")
            database.execute("UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master"
                             " WHERE name = 'files_of_log') WHERE name = 'logs_of_box'")
        self.assertIn("sqlite", [each["check"] for each in self.findings()])

    def test_page(self):
        path = os.path.join(self.copy, "sealpost.db")
        size = os.path.getsize(path)
        with open(path, "r+b") as file:
            file.seek(size // 4096 // 2 * 4096)
            file.write(b"\xff" * 4096)
        result = self.run_fsck(self.copy, "--json")
        self.assertEqual(result.code, 8, result)

    def test_table_of_logs(self):
        """Of which not one row can be read: that is said once, and has an end."""
        root = self.sql("SELECT rootpage FROM sqlite_master WHERE name = 'logs'")[0][0]
        self.sql("PRAGMA wal_checkpoint(TRUNCATE)")
        with open(os.path.join(self.copy, "sealpost.db"), "r+b") as file:
            file.seek((root - 1) * 4096)
            file.write(b"\xff" * 4096)
        result = self.run_fsck(self.copy, "--json")
        self.assertEqual(result.code, 8, result)
        self.assertEqual([each["check"] for each in result.json()].count("log"), 1, result)
        self.assertIn("could not be finished", result.err)

    def test_no_database(self):
        with open(os.path.join(self.copy, "sealpost.db"), "wb") as file:
            file.write(b"this is no database" * 100)
        result = self.run_fsck(self.copy)
        self.assertEqual(result.code, 8, result)
        self.assertIn("sealpostd: error:", result.err)

    def test_other_version(self):
        self.sql("PRAGMA user_version = 1")
        result = self.run_fsck(self.copy)
        self.assertEqual(result.code, 2, result)
        self.assertIn("version 1", result.err)


if __name__ == "__main__":
    harness.main()
