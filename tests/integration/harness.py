"""What integration tests share: a certificate authority, a server, and members who run the client.

    import harness

    class Rooms(harness.TestCase):
        def test_say(self):
            alice = self.member("alice")
            alice.ok("room", "create", "den")
            self.assertEqual(alice.run("say", "nowhere", "x").code, 5)

    if __name__ == "__main__":
        harness.main()

A TestCase has one server for all its tests (config: the class attribute `config`, a dict of keys), on a free port of
the loopback; the certificates are made once a run, by tools/make-test-ca. The programs are found by the
environment: SEALPOSTD, SEALPOST, SEALPOST_SOURCE_DIR. A report of a sanitizer, of any program, is a failure.
"""

import atexit
import collections
import functools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

SOURCE_DIR = os.environ["SEALPOST_SOURCE_DIR"]
SEALPOSTD = os.environ["SEALPOSTD"]
SEALPOST = os.environ["SEALPOST"]
START_TIMEOUT_S = 20
RUN_TIMEOUT_S = 60
SANITIZER = re.compile(r"(AddressSanitizer|ThreadSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:)")


_runs = collections.Counter()


def sanitizer_options(arguments):
    """Looking for leaks takes half the time of a short run: of each command the first four runs are looked at, then
    every twentieth."""
    command = next((word for word in arguments if not word.startswith("-")), "")
    _runs[command] += 1
    wanted = _runs[command] <= 4 or _runs[command] % 20 == 0
    return {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", f"detect_leaks={int(wanted)}")}


@functools.lru_cache(maxsize=None)
def scratch():
    """A directory for this run, removed at its end."""
    directory = tempfile.mkdtemp(prefix="sealpost-test-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


def wait_until(condition, timeout=10, what="a condition"):
    """Calls CONDITION until it gives something true, and returns that."""
    end = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout} s in vain for {what}")
        time.sleep(0.02)


def check_sanitizers(text):
    if SANITIZER.search(text):
        raise AssertionError("a sanitizer reports:\n" + text)


class Authority:
    """A team's certificate authority, with the server's certificate made."""

    def __init__(self, directory, team="test"):
        self.directory = directory
        self.team = team
        self.tool("--team", team, "init")
        self.tool("server", "localhost", "127.0.0.1", "::1")

    def tool(self, *arguments):
        tool = os.path.join(SOURCE_DIR, "tools", "make-test-ca")
        subprocess.run([tool, "-d", self.directory, *arguments], check=True, stdout=subprocess.DEVNULL)

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def member(self, name, device=None, *options):
        """The directory with NAME's cert.pem, key.pem and ca.pem; made if need be."""
        bundle = self.path("members", name if device is None else f"{name}.{device}")
        if not os.path.isdir(bundle):
            self.tool("member", *options, name, *([] if device is None else [device]))
        return bundle

    def revoke(self, name, device=None):
        self.tool("revoke", name, *([] if device is None else [device]))


@functools.lru_cache(maxsize=None)
def authority(name="ca", team="test"):
    """The authority called NAME of this run."""
    return Authority(os.path.join(scratch(), name), team)


class Server:
    """A sealpostd with a state directory of its own, which outlives restarts."""

    def __init__(self, ca=None, config=None, command=None, env=None):
        self.ca = ca or authority()
        self.directory = tempfile.mkdtemp(prefix="server-", dir=scratch())
        self.log_path = os.path.join(self.directory, "log")
        self.config_path = os.path.join(self.directory, "sealpostd.conf")
        self.command = command or [SEALPOSTD]
        self.env = {**os.environ, **(env or {})}
        self.port = 0
        self.process = None
        self.config = {
            "team": self.ca.team,
            "ca": self.ca.path("ca.pem"),
            "cert": self.ca.path("server", "cert.pem"),
            "key": self.ca.path("server", "key.pem"),
            "crl": self.ca.path("crl.pem"),
            "state": os.path.join(self.directory, "state"),
            "admit": "ca",
            "disk_reserve": "0",
            **(config or {}),
        }

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def write_config(self):
        self.config.setdefault("listen", "127.0.0.1:0")
        with open(self.config_path, "w", encoding="utf-8") as file:
            for key, value in self.config.items():
                file.write(f"{key} = {value}\n")

    def start(self):
        """Starts it and waits until it listens. After the first time, on the same port."""
        if self.port:
            self.config["listen"] = self.address
        self.write_config()
        before = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*self.command, "run", "--config", self.config_path],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env)
        self.port = int(wait_until(lambda: self._listening(before), START_TIMEOUT_S, "the server to listen"))
        return self

    def _listening(self, offset):
        with open(self.log_path, "rb") as file:
            file.seek(offset)
            text = file.read().decode(errors="replace")
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}:\n{text}")
        found = re.search(r"event=listening .*port=(\d+)", text)
        return found and found.group(1)

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def stop(self, timeout=30):
        """Ends it in good order; returns its exit code."""
        if self.process is None:
            return None
        self.process.terminate()
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the server did not end after SIGTERM:\n" + self.log()[-4000:]) from None
        finally:
            self.process = None
        check_sanitizers(self.log())
        if code != 0:
            raise AssertionError(f"the server ended with {code}:\n" + self.log()[-4000:])
        return code

    def kill(self):
        """As a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
        check_sanitizers(self.log())

    def restart(self):
        self.stop()
        return self.start()


class Result:
    """What a run of the client came to."""

    def __init__(self, code, out, err):
        self.code = code
        self.out_bytes = out
        self.out = out.decode("utf-8", "replace")
        self.err = err.decode("utf-8", "replace")

    def lines(self):
        return self.out.splitlines()

    def json(self):
        """One object a line, each of which must be JSON and have a type."""
        objects = [json.loads(line) for line in self.lines()]
        for each in objects:
            assert isinstance(each["type"], str), each
        return objects

    def __repr__(self):
        return f"exit code {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"


class Chat:
    """A `sealpost chat --json` that runs: commands in, objects out."""

    def __init__(self, argv, env):
        self.process = subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.seen = []
        self.errors = b""
        self.changed = threading.Condition()
        self.readers = [threading.Thread(target=self._read_out, daemon=True),
                        threading.Thread(target=self._read_err, daemon=True)]
        for reader in self.readers:
            reader.start()

    def _read_out(self):
        for line in self.process.stdout:
            with self.changed:
                self.seen.append(json.loads(line))
                self.changed.notify_all()

    def _read_err(self):
        self.errors = self.process.stderr.read()

    def send(self, **command):
        self.send_line(json.dumps(command))

    def send_line(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def expect(self, timeout=20, **members):
        """The first object, seen already or to come, that has these members; it is not found again."""
        def find():
            for each in self.seen:
                if all(each.get(key) == value for key, value in members.items()):
                    return each
            return None
        with self.changed:
            if not self.changed.wait_for(find, timeout):
                raise AssertionError(f"no {members} among {self.seen}\n{self.errors.decode()}")
            found = find()
            self.seen.remove(found)
            return found

    def ask(self, **command):
        """Sends it under an id of its own and returns its result."""
        command.setdefault("id", f"{time.monotonic_ns()}")
        self.send(**command)
        return self.expect(type="result", id=command["id"])

    def close(self, timeout=20):
        """Ends its input; returns its exit code."""
        if not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("chat did not end after its input did") from None
        for reader in self.readers:
            reader.join()
        self.process.stdout.close()
        self.process.stderr.close()
        check_sanitizers(self.errors.decode(errors="replace"))
        return code


class Member:
    """Someone with a certificate, who runs the client against one server."""

    def __init__(self, server, name, device=None):
        self.server = server
        self.name = name
        self.bundle = server.ca.member(name, device)
        self.directory = tempfile.mkdtemp(prefix=f"{name}-", dir=scratch())

    def env(self, **more):
        env = {key: value for key, value in os.environ.items() if not key.startswith("SEALPOST_")}
        env.update(SEALPOST_SERVER=self.server.address, SEALPOST_CERT=self.bundle, TZ="UTC", LC_ALL="C.UTF-8",
                   TERM="xterm", HOME=self.directory, XDG_CONFIG_HOME=os.path.join(self.directory, "config"))
        env.update(more)
        return {key: value for key, value in env.items() if value is not None}

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, content):
        """A file of the member's; returns its path."""
        with open(self.path(name), "wb") as file:
            file.write(content)
        return self.path(name)

    def run(self, *arguments, stdin=b"", env=None, timeout=RUN_TIMEOUT_S):
        """Runs `sealpost ARGUMENTS` in the member's directory."""
        done = subprocess.run([SEALPOST, *arguments], input=stdin, cwd=self.directory,
                              env=self.env(**{**sanitizer_options(arguments), **(env or {})}), capture_output=True,
                              timeout=timeout, check=False)
        result = Result(done.returncode, done.stdout, done.stderr)
        check_sanitizers(result.err)
        return result

    def ok(self, *arguments, **options):
        """The same; anything but exit code 0 is a failure."""
        result = self.run(*arguments, **options)
        if result.code != 0:
            raise AssertionError(f"sealpost {' '.join(arguments)}: {result!r}")
        return result

    def json(self, *arguments, **options):
        """The objects that `sealpost --json ARGUMENTS` prints."""
        return self.ok("--json", *arguments, **options).json()

    def popen(self, *arguments, env=None, **options):
        return subprocess.Popen([SEALPOST, *arguments], env=self.env(**(env or {})), cwd=self.directory, **options)

    def spawn(self, *arguments, env=None, timeout=20):
        """On a terminal (pexpect)."""
        import pexpect  # pylint: disable=import-outside-toplevel
        child = pexpect.spawn(SEALPOST, list(arguments), env=self.env(**(env or {})), cwd=self.directory,
                              timeout=timeout, encoding="utf-8", codec_errors="replace", dimensions=(24, 120))
        child.delaybeforesend = None
        return child

    def chat(self, *arguments):
        return Chat([SEALPOST, "--json", "chat", *arguments], self.env())


class TestCase(unittest.TestCase):
    """Tests that share one running server."""

    config = {}
    server = None

    @classmethod
    def setUpClass(cls):
        cls.server = Server(config=cls.config).start()
        cls.addClassCleanup(cls._end_server)

    @classmethod
    def _end_server(cls):
        cls.server.stop()

    def setUp(self):
        if self.server.process is None:
            self.server.start()

    def member(self, name, device=None):
        return Member(self.server, name, device)

    def chat(self, member, *arguments):
        """A chat that is ended with the test."""
        chat = member.chat(*arguments)

        def end():
            if chat.process.poll() is None:
                chat.process.kill()
                chat.process.wait()
            for stream in (chat.process.stdin, chat.process.stdout, chat.process.stderr):
                try:
                    stream.close()
                except BrokenPipeError:
                    pass
        self.addCleanup(end)
        return chat


class Team:
    """A team as `sealpostd init` makes it, its server, and people who join by code."""

    def __init__(self, config=None, team="ours", admin="root", env=None):
        self.env = {**os.environ, **(env or {})}
        self.directory = os.path.join(tempfile.mkdtemp(prefix="team-", dir=scratch()), "server")
        self.port = free_port()
        made = self.tool("init", self.directory, "--team", team, "--host", f"localhost:{self.port}", "--admin", admin,
                         "--json")
        self.first_code = json.loads(made.stdout)["code"]
        self.config = {"listen": f"127.0.0.1:{self.port}", "disk_reserve": "0", **(config or {})}
        self.log_path = os.path.join(self.directory, "log")
        self.process = None

    @staticmethod
    def tool(*arguments, check=True):
        return subprocess.run([SEALPOSTD, *arguments], check=check, capture_output=True, text=True)

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def start(self):
        before = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        flags = [word for key, value in self.config.items() for word in (f"--{key.replace('_', '-')}", value)]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([SEALPOSTD, "run", self.directory, *flags], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=self.env)
        wait_until(lambda: self._listens(before), START_TIMEOUT_S, "the team's server to listen")
        return self

    def _listens(self, offset):
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log()}")
        return "event=listening" in self.log()[offset:]

    def stop(self):
        self.process.terminate()
        code = self.process.wait(30)
        self.process = None
        check_sanitizers(self.log())
        if code != 0:
            raise AssertionError(f"the server ended with {code}:\n" + self.log()[-4000:])

    def home(self, label):
        return Home(self, label)

    def administrator(self):
        """The first one, who has joined."""
        return self.home("first").join(self.first_code)


class Home(Member):
    """A home directory of its own: someone at a device, who may have joined from it."""

    def __init__(self, team, label):  # pylint: disable=super-init-not-called
        self.team = team
        self.label = label
        self.directory = tempfile.mkdtemp(prefix=f"{label}-", dir=scratch())

    def env(self, **more):
        env = {key: value for key, value in os.environ.items() if not key.startswith(("SEALPOST_", "XDG_"))}
        env.update(TZ="UTC", LC_ALL="C.UTF-8", TERM="xterm", HOME=self.directory, **more)
        return {key: value for key, value in env.items() if value is not None}

    def join(self, code, *options):
        self.ok("join", "--device", self.label, *options, stdin=code.encode() + b"\n")
        return self

    def invite(self, *arguments):
        """Join codes by name."""
        return {each["name"]: each["code"] for each in self.json("member", "invite", *arguments)
                if each["type"] == "join_code" and "code" in each}


def profile_directory(home):
    """Where HOME's certificate is."""
    for directory, _, files in os.walk(home.directory):
        if "cert.pem" in files:
            return directory
    raise AssertionError("nobody has joined there")


def free_port():
    """A port of the loopback on which nobody listens now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def main():
    unittest.main(verbosity=2)
