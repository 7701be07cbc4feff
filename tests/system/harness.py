"""The program under test, as a process: started, watched, stopped; nothing of it is left behind.

    with Server("hello:application", "--keep-alive", "1s") as server:
        assert server.get("/").status == 200

Each server is a session of its own in a temporary directory of its own, so that "no process is left" and
"no file is left" can be checked for all of its descendants. Leaving the block sends TERM and insists on
exit status 0.
"""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from client import Connection
from timing import GATEWAY, PATIENCE, wait_until

APPLICATIONS = Path(__file__).resolve().parents[2] / "pyapps"
LISTENING = re.compile(r"listening on ((?:http|unix|fd):[^\s\",]+)")
READY = re.compile(r"\bready\b", re.IGNORECASE)
# Of the tests' environment: what sanitizers and coverage tools need. Nothing else may leak into a test.
INHERITED = re.compile(r"(A|UB|L|T|M)SAN_OPTIONS|LLVM_.*|GCOV_.*|LD_.*|PATH|PYTHONMALLOC|TZ")

NO_WORKER = re.compile("gateway: (master|zygote)|$")  # what has only just been forked, or is about to be gone


class StartError(AssertionError):
    pass


def environment(extra=None):
    inherited = {key: value for key, value in os.environ.items() if INHERITED.fullmatch(key)}
    own = {"LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(APPLICATIONS)}
    return {**inherited, **own, **(extra or {})}


def run(*arguments, env=None, cwd=None, timeout=PATIENCE, **keywords):
    """Runs the program to its end: for --help, and for everything that goes wrong at the start."""
    with tempfile.TemporaryDirectory(prefix="gateway-test-") as directory:
        return subprocess.run(
            [GATEWAY, *map(str, arguments)],
            env=environment(env),
            cwd=cwd or directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=timeout,
            **keywords,
        )


class Server:
    running = set()  # for the report of a failing test

    def __init__(
        self, application, *options, files=None, env=None, bind="127.0.0.1:0", workers=1, **keywords
    ):
        """`files`: name -> text, written to the server's directory, which is its working directory.

        `keywords`: `prefix`, a command that ends by executing its arguments; `error_log`, the file to read
        where --error-logfile says so; `crashes`, that a sanitizer's report is expected; `ready`, a function
        that tells when it serves, where the log does not; others go to subprocess.Popen."""
        self.directory = Path(tempfile.mkdtemp(prefix="gateway-test-"))
        self.directory.chmod(0o755)
        for name, text in (files or {}).items():
            (self.directory / name).write_text(text)
        prefix = keywords.pop("prefix", [])
        self.crashes = keywords.pop("crashes", False)
        self.final_log = None
        self._addresses = []
        ready = keywords.pop("ready", lambda: READY.search(self.log))
        self.error_log = self.directory / keywords.pop("error_log", "stderr")
        arguments = [*map(str, options), application]
        if bind:
            arguments[:0] = ["--bind", bind]
        if workers:
            arguments[:0] = ["--workers", str(workers)]
        with open(self.directory / "stderr", "ab") as log:
            self.process = subprocess.Popen(
                [*prefix, GATEWAY, *arguments],
                env=environment(env),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **keywords,
            )
        self.pid = self.process.pid
        Server.running.add(self)
        try:
            wait_until(lambda: self._is_running() and ready(), "the server is ready")
        except BaseException:
            self.kill()
            raise

    def _is_running(self):
        if self.process.poll() is not None:
            raise StartError(f"the server ended with {self.process.returncode}:\n{self.log}")
        return True

    # Talking to it.

    @property
    def log(self):
        return self.error_log.read_text(errors="replace") if self.error_log.exists() else ""

    def wait_log(self, pattern, since=0, timeout=PATIENCE):
        """The match of `pattern` in the log, which may take a moment to come."""
        return wait_until(lambda: re.search(pattern, self.log[since:]), f"{pattern!r} in the log", timeout)

    @property
    def addresses(self):
        """Where it listens, from its log: http://HOST:PORT or unix:PATH."""
        if not self._addresses:
            self._addresses = LISTENING.findall(self.log)
        return self._addresses

    @property
    def address(self):
        for address in self.addresses:
            if found := re.fullmatch(r"http://\[?(.*?)\]?:(\d+)/?", address):
                return found[1], int(found[2])
        raise AssertionError(f"no address in the log:\n{self.log}")

    @property
    def port(self):
        return self.address[1]

    def connect(self, **keywords):
        return Connection(self.address, **keywords)

    def request(self, method="GET", target="/", headers=(), body=None, version="1.1"):
        """One request on a connection of its own, which must be closed after the answer."""
        with self.connect() as connection:
            headers = [*headers, ("Connection", "close")]
            response = connection.exchange(method, target, headers, body, version)
            connection.assert_closed()
            return response

    def get(self, target="/", headers=()):
        return self.request("GET", target, headers)

    def raw(self, data):
        """The answer to some bytes, and the proof that the connection is closed after it."""
        with self.connect() as connection:
            connection.send(data)
            response = connection.receive()
            connection.assert_closed()
            return response

    # Its processes.

    def processes(self):
        """pid -> parent pid, of every process of the session that is not a zombie."""
        table = process_table()
        return {pid: parent for pid, parent, session, state in table if session == self.pid and state != "Z"}

    def worker_pids(self):
        """The master's children but for zygotes."""
        children = (pid for pid, parent in self.processes().items() if parent == self.pid)
        return sorted(pid for pid in children if not NO_WORKER.match(process_title(pid)))

    def zygote_pids(self):
        return sorted(pid for pid in self.processes() if process_title(pid).startswith("gateway: zygote"))

    @property
    def worker_pid(self):
        (pid,) = self.worker_pids()
        return pid

    def cpu_seconds(self):
        return sum(cpu_seconds(pid) for pid in self.processes())

    def signal(self, number):
        os.kill(self.pid, number)

    # Its end.

    def wait(self, timeout=PATIENCE):
        """The exit status, and nothing may be left of it."""
        status = self.process.wait(timeout)
        wait_until(lambda: not self.processes(), f"no process is left: {self.processes()}")
        return status

    def expect_end(self):
        """It ends by itself, with status 0."""
        assert self.wait() == 0, self.log

    def stop(self, expect=0):
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        status = self.wait()
        log = self.log
        self.remove()
        assert status == expect, f"exit status {status} in the place of {expect}:\n{log}"
        assert self.crashes or not re.search(r"Sanitizer|runtime error:", log), log

    def kill(self):
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        self.remove()

    def remove(self):
        self.final_log = self.log
        Server.running.discard(self)
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, exception, *_):
        try:
            if exception is None and self in Server.running:
                self.stop()
        finally:
            if self in Server.running:
                self.kill()


def free_port():
    """A port below those that the kernel gives to clients: no connection of another test takes it meanwhile."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(max(1024, first - 12000), first)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("", port))
            return port


def process_table():
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path("/proc", entry, "stat").read_text(errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            yield int(entry), int(fields[1]), int(fields[3]), fields[0]


def open_files(pid):
    """What the descriptors of a process lead to; those that it closes meanwhile are left out, and all of one that is gone."""
    found = []
    with suppress(OSError):
        for descriptor in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                found.append(os.readlink(f"/proc/{pid}/fd/{descriptor}"))
    return found


def process_title(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode(errors="replace")
    except OSError:
        return ""


def cpu_seconds(pid):
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_alive(pid):
    return any(other == pid and state != "Z" for other, _, _, state in process_table())


def elapsed(function):
    start = time.monotonic()
    function()
    return time.monotonic() - start
