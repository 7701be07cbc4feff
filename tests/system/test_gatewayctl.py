"""gatewayctl itself: its usage, its exit statuses, and top.

What went wrong once, in one tool or another: the exit status was 0 whatever happened; a screen that was left
in the middle stayed without cursor and echo; a pipe got escape sequences.
"""

import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import time
from fcntl import ioctl

import pytest
from control import GATEWAYCTL, gatewayctl, path_of
from fleet import APP
from harness import environment
from timing import PATIENCE, SLOW, report, wait_until


def run(*arguments, env=None, **keywords):
    return subprocess.run(
        [GATEWAYCTL, *arguments], env=environment(env), capture_output=True, text=True, timeout=PATIENCE, **keywords
    )


@pytest.fixture
def server(serve):
    return serve("app", "--control-socket", "control", workers=2, files={"app.py": APP})


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_every_verb(flag):
    result = run(flag)
    assert result.returncode == 0 and result.stderr == ""
    for verb in ["status", "workers", "requests", "stacks", "reload [--wait]", "reopen", "stop", "top"]:
        assert f"\n  {verb} " in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100


def test_version():
    assert re.fullmatch(r"gatewayctl \d+\.\d+\.\d+\n", run("--version").stdout)


WRONG = [
    ([], "say what to do"),
    (["-s"], "requires an argument"),
    (["--sock", "x"], "say what to do"),
    (["--nonsense"], "unrecognized option"),
    (["-s", "x", "stauts"], 'there is no "stauts"; did you mean "status"?'),
    (["-s", "x", "tpo"], 'there is no "tpo"; did you mean "top"?'),
    (["-s", "x", "frobnicate"], 'there is no "frobnicate"\n'),
    (["-s", "x", "status", "now"], 'nothing is expected after "status"'),
    (["-s", "x", "reload", "--wiat"], '"reload [--wait]" is expected'),
    (["-s", "x", "status\nstop"], "there is no"),
    (["-s", "x", "top", "now"], '"top [--interval TIME]" is expected'),
    (["-s", "x", "top", "--interval", "fast"], "a time of 100ms or more"),
    (["-s", "x", "top", "--interval", "1ms"], "a time of 100ms or more"),
    (["status"], "-s PATH, or the variable GATEWAY_CONTROL_SOCKET"),
]


@pytest.mark.parametrize("arguments, said", WRONG)
def test_wrong_usage_is_explained_in_a_sentence(arguments, said):
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert said in result.stderr and result.stderr.count("\n") == 1 and "gatewayctl: " in result.stderr


@pytest.mark.parametrize("verb", ["status", "stop", "top"])
def test_a_service_that_is_not_there(tmp_path, verb):
    result = run("-s", str(tmp_path / "nothing"), verb)
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.startswith(f"gatewayctl: {tmp_path}/nothing: there is no such file")
    assert run("-s", "x" * 200, verb).returncode == 3


def test_the_variable_says_where(server):
    assert run("status", env={"GATEWAY_CONTROL_SOCKET": str(path_of(server))}).returncode == 0
    assert run("-s", "nothing", "status", env={"GATEWAY_CONTROL_SOCKET": str(path_of(server))}).returncode == 3


def test_a_full_disk_is_a_failure(server):
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [GATEWAYCTL, "-s", path_of(server), "status"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert result.returncode == 1 and "standard output" in result.stderr


# top.


def test_top_in_a_pipe_is_one_plain_frame(server):
    with server.connect() as connection:
        connection.request("GET", "/sleep/2")
        wait_until(lambda: "/sleep/2" in gatewayctl(server, "requests")[1], "it runs")
        code, out, err = gatewayctl(server, "top")
        assert (code, err) == (0, "") and "\033" not in out
        assert re.match(r"gateway \d.*  app  up \d+\.\ds  generation 1  serving\n- requests/s  1 connections ", out)
        assert "\nslot     pid generation state " in out and out.endswith("  GET /sleep/2 HTTP/1.1\n")


class Terminal:
    """gatewayctl top on a terminal of its own."""

    def __init__(self, server, *arguments, rows=24, columns=100, env=None):
        self.output = ""
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            [GATEWAYCTL, "-s", path_of(server), "top", *arguments],
            env=environment({"TERM": "xterm", **(env or {})}),
            stdin=self.slave,
            stdout=self.slave,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )

    def resize(self, rows, columns):
        ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        while select.select([self.master], [], [], 0)[0]:
            self.output += os.read(self.master, 65536).decode()
        return self.output

    def wait(self, text):
        wait_until(lambda: text in self.read(), f"{text!r} on the screen")

    def frames(self):
        return self.read().split("\033[H")[1:]

    def type(self, keys):
        os.write(self.master, keys)

    def finish(self):
        """Its exit status and what it said; the terminal is as before."""
        _, err = self.process.communicate(timeout=PATIENCE)
        self.read()
        assert termios.tcgetattr(self.slave) == self.before
        assert self.output.endswith("\033[?25h\033[?1049l")
        return self.process.returncode, err

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
        os.close(self.master)
        os.close(self.slave)


@pytest.mark.parametrize("key", [b"q", b"Q", b"\x03"])
def test_top_shows_frames_until_a_key_ends_it(server, key):
    with Terminal(server, "--interval", "200ms") as terminal:
        terminal.wait("requests/s")
        assert termios.tcgetattr(terminal.slave) != terminal.before
        for _ in range(5):
            server.get("/")
        wait_until(lambda: re.search(r"\n\d+\.\d requests/s", terminal.read()), "a rate")
        terminal.type(b"x")
        terminal.type(key)
        assert terminal.finish() == (0, "")
    assert terminal.output.startswith("\033[?1049h\033[?25l\033[H")
    assert "\033[7mslot " in terminal.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_top_and_restores_the_terminal(server, number):
    with Terminal(server, "--interval", "10s") as terminal:
        terminal.wait("slot thread")
        terminal.process.send_signal(number)
        assert terminal.finish() == (0, "")


def test_top_follows_the_size_of_the_terminal(server):
    with Terminal(server, "--interval", "10s", columns=100) as terminal:
        terminal.wait("slot thread")
        terminal.resize(10, 20)
        terminal.process.send_signal(signal.SIGWINCH)
        wait_until(lambda: len(terminal.frames()) == 2 and "slot thread" in terminal.frames()[1], "a second frame")
        lines = [re.sub(r"\033\[[?\d]*\w", "", line) for line in terminal.frames()[1].split("\r\n")]
        assert len(lines) <= 10 and max(map(len, lines)) == 20
        terminal.type(b"q")
        assert terminal.finish() == (0, "")


def test_no_color_is_respected(server):
    with Terminal(server, env={"NO_COLOR": "1"}) as terminal:
        terminal.wait("slot thread")
        terminal.type(b"q")
        terminal.finish()
    assert not re.search(r"\033\[\d*m", terminal.output)


def test_the_end_of_the_service_is_the_end_of_top(server):
    with Terminal(server, "--interval", "200ms") as terminal:
        terminal.wait("slot thread")
        server.signal(signal.SIGTERM)
        code, err = terminal.finish()
        assert code == 3 and "there is no such file" in err
    assert server.wait() == 0


@pytest.mark.timing
def test_top_costs_the_service_next_to_nothing(server):
    with Terminal(server, "--interval", "100ms") as terminal:
        terminal.wait("slot thread")
        before = server.cpu_seconds()
        time.sleep(2)
        report("top at ten frames a second, CPU of the service in 2 s", server.cpu_seconds() - before)
        assert server.cpu_seconds() - before < 0.1 * SLOW
        assert len(terminal.frames()) > 10
        terminal.type(b"q")
        terminal.finish()


def test_what_a_terminal_might_obey_is_escaped(tmp_path):
    """Once, whatever listened at the path could write to the terminal."""
    path = tmp_path / "control"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        process = subprocess.Popen(
            [GATEWAYCTL, "-s", path, "status"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        with listener.accept()[0] as service:
            service.recv(100)
            service.sendall(b" one\x1b[2J\xff\nfailed: \x1b]0;title\x07\n")
        out, err = process.communicate(timeout=PATIENCE)
    assert out == b"one\\x1b[2J\\xff\n"
    assert err == b"gatewayctl: \\x1b]0;title\\x07\n"
