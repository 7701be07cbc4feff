"""Under systemd: what goes to the journal has its priority in front (sd-daemon(3)). The journal is a stand-in, a stream socket
whose number $JOURNAL_STREAM says; systemd makes an entry of each line that comes there.

What went wrong once, in one server or another: errors were shown as information, each line of a traceback too; a variable that was
inherited from the terminal's session made a log file full of "<6>".
"""

import json
import os
import re
import socket
import subprocess
import sys
import threading

import pytest
from harness import environment, run
from timing import GATEWAY, wait_until

APP = """
import sys

def application(environ, start_response):
    if environ["PATH_INFO"] == "/raise":
        raise ValueError("one\\n<0>two\\n\\n<1>three")
    if environ["PATH_INFO"] == "/print":
        print("<5>the application's own\\nand its next line", file=sys.stderr, flush=True)
    if environ["PATH_INFO"] == "/errors":
        environ["wsgi.errors"].write("<0>by the application\\n")
    start_response("200 OK", [])
    return [b"x"]
"""

# Executes the rest with the descriptor in the place of those.
PLACE = "import os, sys; [os.dup2(int(sys.argv[1]), int(fd)) for fd in sys.argv[2].split(',')]; os.execv(sys.argv[3], sys.argv[3:])"

PRIORITIES = {"debug": "7", "info": "6", "warning": "4", "error": "3", "critical": "2"}


class Journal:
    """What arrives is kept in a file."""

    def __init__(self, path):
        self.path = path
        self.ours, self.theirs = socket.socketpair()
        status = os.fstat(self.theirs.fileno())
        self.stream = f"{status.st_dev}:{status.st_ino}"
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        with open(self.path, "ab", buffering=0) as file:
            while data := self.ours.recv(1 << 16):
                file.write(data)

    def close(self):
        self.ours.shutdown(socket.SHUT_RD)
        self.thread.join()
        self.ours.close()
        self.theirs.close()

    def lines(self):
        return self.path.read_text().splitlines()


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "journal")
    yield journal
    journal.close()


@pytest.fixture
def start(serve, journal):
    def start(*options, fds="2", stream=None):
        return serve(
            "app",
            *options,
            files={"app.py": APP},
            env={"JOURNAL_STREAM": stream or journal.stream},
            prefix=[sys.executable, "-c", PLACE, str(journal.theirs.fileno()), fds],
            pass_fds=[journal.theirs.fileno()],
            error_log=journal.path,
        )

    return start


def test_each_line_of_a_record_has_its_priority(start, journal):
    server = start("--log-level", "debug")
    mark = len(journal.lines())
    assert server.get("/raise").status == 500
    server.wait_log("three")
    lines = journal.lines()
    for line in lines[:mark]:
        priority, level = re.fullmatch(r"<(\d)>\d{4}-\d\d-\S+ \[\d+\] \[[^]]+\] (\w+): .+", line).groups()
        assert priority == PRIORITIES[level], line
    assert "GET /raise" in lines[mark] and len(lines[mark:]) > 5
    assert [line for line in lines[mark:] if not line.startswith("<3>")] == []
    assert "<3><0>two" in lines and "<3><1>three" in lines, "what the application says is no priority"


def test_a_json_record_has_its_priority(start, journal):
    server = start("--log-format", "json")
    assert server.get("/raise").status == 500
    server.wait_log("ValueError")
    for line in journal.lines():
        priority, text = re.fullmatch(r"<(\d)>(\{.*\})", line).groups()
        assert priority == PRIORITIES[json.loads(text)["level"]]


def test_the_applications_output_is_its_own(start, journal):
    server = start()
    server.get("/print")
    server.get("/errors")
    server.wait_log("by the application")
    lines = journal.lines()
    assert "<5>the application's own" in lines and "and its next line" in lines
    (entry,) = [line for line in lines if "by the application" in line]
    assert re.match(r"<3>\d{4}-.* error: <0>by the application$", entry)


def test_the_access_log_there_is_information(start, journal):
    """Whatever a line begins with."""
    server = start("--access-logfile", "-", "--access-logformat", "%({x-text}i)s", fds="1,2")
    server.get("/", [("X-Text", "<0>forged")])
    server.wait_log("forged")
    assert "<6><0>forged" in journal.lines()


def has_priorities(text):
    assert text
    return re.search(r"^<\d>", text, re.MULTILINE) is not None


def test_another_stream_than_the_one_that_is_named_is_not_the_journal(start, journal):
    server = start(stream="8:1")
    server.get("/errors")
    server.wait_log("by the application")
    assert not has_priorities(journal.path.read_text())


def test_a_log_file_has_no_priorities(serve, journal, tmp_path):
    log = tmp_path / "log"
    server = serve("app", "--error-logfile", log, files={"app.py": APP}, error_log=log, env={"JOURNAL_STREAM": journal.stream})
    server.get("/errors")
    server.wait_log("by the application")
    assert not has_priorities(server.log)


def test_a_file_that_is_named_has_none(serve, tmp_path):
    log = tmp_path / "stderr"
    log.touch()
    status = os.stat(log)
    env = environment({"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
    with log.open("ab") as file:
        assert subprocess.run([GATEWAY, "--check-config", "nosuch"], env=env, cwd=tmp_path, stderr=file).returncode == 3
    assert not has_priorities(log.read_text())


def test_a_pipe_has_none(journal):
    done = run("--check-config", "nosuch", env={"JOURNAL_STREAM": journal.stream})
    assert done.returncode == 3 and not has_priorities(done.stderr)


WRONG = [
    (["--no-such-option", "app"], 2, "unknown option"),
    (["--access-logfile", "-", "--access-logformat", "%(nosuch)s", "app"], 2, "nosuch"),
    (["--check-config", "--access-logfile", "/nosuch/log", "--error-logfile", "/nosuch/log", "app"], 2, "/nosuch/log"),
    (["--bind", "127.0.0.1:0", "nosuch"], 3, "cannot import"),
]


@pytest.mark.parametrize("arguments, status, told", WRONG, ids=[row[0][0] for row in WRONG])
def test_what_keeps_it_from_starting_is_an_error(journal, tmp_path, arguments, status, told):
    """There is no log yet in most of them."""
    env = environment({"JOURNAL_STREAM": journal.stream})
    done = subprocess.run([GATEWAY, *arguments], env=env, cwd=tmp_path, stderr=journal.theirs, timeout=60, check=False)
    assert done.returncode == status
    wait_until(lambda: told in journal.path.read_text(), told)
    serious = [line for line in journal.lines() if told in line]
    assert serious and all(re.match("<[23]>", line) for line in serious)
    assert all(re.match("<[2-7]>", line) for line in journal.lines())
