"""Applications, or libraries of theirs, that close the standard descriptors, to become daemons for example.

What went wrong once: the next connection that was accepted got one of these numbers, and its client received what the application
printed, and the tracebacks of others; so did a file with somebody's upload.
"""

import os
import re
import stat
from pathlib import Path

import pytest
from harness import Server
from timing import wait_until

APP = """
import os, sys


def close():
    for fd in range(3):
        try:
            os.close(fd)
        except OSError:
            pass


def write():
    for fd in range(3):
        try:
            os.write(fd, b"to nobody\\\\n")
        except OSError:
            pass


if os.environ.get("AT_IMPORT"):
    close()


def application(environ, start_response):
    if environ["PATH_INFO"] == "/close":
        close()
    write()
    if environ["PATH_INFO"] == "/raise":
        raise ValueError("a secret")
    start_response("200 OK", [])
    size = environ["wsgi.input"].read()
    write()
    return [str(len(size)).encode()]
""".replace("\\\\n", "\\n")

CASES = [
    ("import", ["--threads", "1"]),
    ("import", ["--threads", "1", "--preload"]),
    ("import", ["--threads", "3", "--reload"]),
    ("call", ["--threads", "1"]),
    ("call", ["--threads", "3"]),
]


def is_ours(pid, fd):
    """A connection, a pipe or a file: anything but /dev/null."""
    try:
        path = os.readlink(f"/proc/{pid}/fd/{fd}")
    except FileNotFoundError:
        return False
    return path != "/dev/null"


@pytest.mark.parametrize("when, options", CASES, ids=[" ".join([when, *options]) for when, options in CASES])
@pytest.mark.parametrize("log", ["-", "error.log"])
def test_no_client_receives_what_the_application_prints(when, options, log):
    env = {"AT_IMPORT": "1"} if when == "import" else {}
    options = [*options, "--body-memory", "1k", "--error-logfile", log, "--access-logfile", "access"]
    files = {"app.py": APP}
    with Server("app", *options, files=files, env=env, error_log="stderr" if log == "-" else log) as server:
        with server.connect() as first:
            if when == "call":
                assert first.exchange("GET", "/close").status == 200
            pid = server.worker_pid
            connections = [server.connect() for _ in range(5)]
            for connection in connections:
                connection.request("POST", "/", body=b"x" * 100_000)
                assert connection.receive().body == b"100000"
            assert first.exchange("GET", "/raise").status == 500
            for connection in connections:
                assert connection.exchange().body == b"0"
                connection.assert_open()
            assert not any(is_ours(pid, fd) for fd in range(3))
        server.wait_log("ValueError: a secret")
        for connection in connections:
            connection.close()
        access = server.directory / "access"
        wait_until(lambda: access.read_text().count("\n") == 11 + (when == "call"), "each is logged")
        assert "to nobody" not in access.read_text()


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_what_is_closed_at_the_start_leads_to_dev_null(closed):
    prefix = ["sh", "-c", f'exec "$@" {closed}', "sh"]
    with Server("app", "--error-logfile", "error.log", files={"app.py": APP}, error_log="error.log", prefix=prefix) as server:
        for pid in [server.pid, *server.worker_pids()]:
            for fd in range(3):
                if re.search({0: "<&-", 1: r"(^| )>&-", 2: "2>&-"}[fd], closed):
                    assert os.readlink(f"/proc/{pid}/fd/{fd}") == "/dev/null"
                    assert stat.S_ISCHR(Path(f"/proc/{pid}/fd/{fd}").stat().st_mode)
        assert server.get("/").status == 200
