"""What the application executes: signals as under plain python, whatever the server ignores or blocks for itself.

What went wrong once, in one server or another: a command that a thread of a pool had started could not be terminated, as it had
inherited a mask with all signals in it; one that read from the terminal, or wrote to it, in the background was not stopped; one that
closes all descriptors that there may be had 2^30 of them to close.
"""

import fcntl
import os
import pty
import re
import resource
import signal
import subprocess
import sys
import termios

import pytest
from client import Connection
from harness import GATEWAY, environment
from timing import PATIENCE, wait_until

APP = '''
import os, subprocess, sys, threading

GATE = threading.Event()
LIMIT = ["/bin/sh", "-c", "ulimit -Sn"]
SHOW = ["/bin/sh", "-c", "exec /bin/grep -E '^Sig(Blk|Ign)' /proc/self/status"]


def execute(way):
    ours, theirs = os.pipe()
    if way == "fork":
        child = os.fork()
        if child == 0:
            os.dup2(theirs, 1)
            os.execv(SHOW[0], SHOW)
    elif way == "spawn":
        child = os.posix_spawn(SHOW[0], SHOW, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, theirs, 1)])
    else:
        keywords = {"preexec": {"preexec_fn": lambda: None}, "kept": {"restore_signals": False}}.get(way, {})
        child = None
        subprocess.run(SHOW, stdout=theirs, **keywords)
    os.close(theirs)
    if child is not None:
        os.waitpid(child, 0)
    with os.fdopen(ours) as answer:
        return answer.read()


def app(environ, start_response):
    name = environ["PATH_INFO"][1:]
    if name == "gate":
        GATE.wait(60)
    if name == "open":
        GATE.set()
    if name == "print":
        print("printed", flush=True)
    if name == "log":
        print("logged", file=environ["wsgi.errors"])
    body = execute(name) if name in WAYS else str(os.getpid())
    if name == "limit":
        body = subprocess.run(LIMIT, stdout=subprocess.PIPE).stdout.decode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body.encode()]


WAYS = ["subprocess", "kept", "preexec", "spawn", "fork"]

if __name__ == "__main__":
    print(execute(sys.argv[1]))
'''

WAYS = ["subprocess", "kept", "preexec", "spawn", "fork"]


def table(text):
    return dict(re.findall(r"(Sig\w+):\s*([0-9a-f]+)", text))


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """What plain Python has in the place of the server."""
    path = tmp_path_factory.mktemp("plain") / "app.py"
    path.write_text(APP)

    def run(way):
        done = subprocess.run(
            [sys.executable, path, way], stdout=subprocess.PIPE, check=True, timeout=PATIENCE, start_new_session=True
        )
        return table(done.stdout.decode())

    return run


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("options", [[], ["--threads", "3"], ["--preload"]], ids=["", "--threads", "--preload"])
def test_signals_are_as_under_plain_python(serve, plain, options, way):
    server = serve("app", *options, files={"app.py": APP})
    expected = plain(way)
    assert set(expected) == {"SigBlk", "SigIgn"}
    assert table(server.get("/" + way).text) == expected
    if "--threads" in options:  # two more threads of the crew
        with server.connect() as first, server.connect() as second:
            first.request("GET", "/gate")
            second.request("GET", "/" + way)
            assert table(second.receive().text) == expected
            server.get("/open")
            first.receive()


LIMITS = [([], 20000), (["--worker-connections", "300"], 1024), (["--worker-connections", "3000"], 4017)]


@pytest.mark.parametrize("options, limit", LIMITS, ids=["auto", "few", "many"])
def test_the_limit_of_open_files_is_what_the_connections_need(serve, options, limit):
    """It was all that was allowed, 2^30 on some machines: a child that closes all descriptors was busy for minutes."""
    server = serve(
        "app", *options, files={"app.py": APP}, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 20000))
    )
    assert int(server.get("/limit").text) == limit


LEADER = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
modes = termios.tcgetattr(0)
modes[3] |= termios.TOSTOP
termios.tcsetattr(0, termios.TCSANOW, modes)
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    os.execv(sys.argv[1], sys.argv[1:])
os.waitpid(child, 0)
"""


class Background:
    """The server in the background of a terminal with tostop."""

    def __init__(self, directory, *arguments):
        self.seen = b""
        self.ours, theirs = pty.openpty()
        fcntl.fcntl(self.ours, fcntl.F_SETFL, os.O_NONBLOCK)
        self.leader = subprocess.Popen(
            [sys.executable, "-c", LEADER, GATEWAY, *arguments],
            env=environment({"TERM": "dumb"}), cwd=directory, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        )  # fmt: skip
        self.theirs = theirs

    def log(self):
        try:
            self.seen += os.read(self.ours, 65536)
        except OSError:
            pass
        return self.seen.decode()

    def wait_log(self, pattern):
        return wait_until(lambda: re.search(pattern, self.log()), f"{pattern!r} on the terminal")

    def close(self, master):
        modes = termios.tcgetattr(self.theirs)
        modes[3] &= ~termios.TOSTOP
        termios.tcsetattr(self.theirs, termios.TCSANOW, modes)
        os.killpg(master, signal.SIGCONT)
        os.kill(master, signal.SIGTERM)
        self.leader.wait(PATIENCE)
        self.log()
        os.close(self.ours)
        os.close(self.theirs)


def state(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


def test_in_the_background_of_a_terminal_a_log_record_stops_nothing_and_output_is_no_order(tmp_path):
    """The kernel stops the group of a process that writes to its terminal, as it does for any job; the master is not told by that to
    have fewer workers."""
    (tmp_path / "app.py").write_text(APP)
    server = Background(tmp_path, "--bind", "127.0.0.1:0", "--workers", "2", "app")
    try:
        port = int(server.wait_log(r"listening on http://127.0.0.1:(\d+)")[1])
        master = int(server.wait_log(r"\[(\d+)\] \[master\]")[1])
        server.wait_log("ready in")
        with Connection(("127.0.0.1", port)) as connection:
            worker = int(connection.exchange("GET", "/log").text)
            server.wait_log("logged")
            assert connection.exchange("GET", "/log").status == 200
            connection.request("GET", "/print")
            wait_until(lambda: state(worker) == "T", "the worker is stopped")
            assert state(master) != "T"
            server.close(master)
            assert connection.receive().status == 200
    finally:
        server.leader.kill()
    assert "from now on" not in server.seen.decode(), server.seen.decode()
