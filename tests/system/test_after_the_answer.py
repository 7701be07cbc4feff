"""The answer has ended, and the call has not: close(), finalisers and attributes still run the application's code.

What went wrong once: what write() was given then left behind the last chunk, and a proxy would have given it to another
client; start_response() with exc_info rewrote the status in the access log; a file whose `fileno` or `close` called
write() ended the worker by an assertion.
"""

import json

import pytest
from harness import Server
from timing import wait_until

APP = '''
import sys, threading, time

kept = {}


class Late:
    """An iterable that goes on when it should be over."""

    def __init__(self, start_response, write, parts):
        self.start_response, self.write, self.parts = start_response, write, parts

    def __iter__(self):
        return iter(self.parts)


class WritesInClose(Late):
    def close(self):
        self.write(b"late")


class WritesInDel(Late):
    def __del__(self):
        self.write(b"late")


class RestartsInClose(Late):
    def close(self):
        try:
            raise ValueError("in close()")
        except ValueError:
            self.start_response("500 Late", [("Late", "yes")], sys.exc_info())


def generator(write):
    try:
        yield b"on"
        yield b"time"
    finally:
        write(b"late")


def raises(write):
    class Shown(Exception):
        def __str__(self):
            write(b"late")
            return "shown"

    raise Shown


def file_with(name, write, wrapper):
    file = open(__file__, "rb")
    original = getattr(file, name)
    setattr(file, name, lambda: write(b"late") or original())
    return wrapper(file)


def from_other_threads(write):
    """They try it during the call, and long after it."""
    kept["write"] = write
    refused = []

    def attempt():
        try:
            write(b"late")
        except RuntimeError:
            refused.append(1)

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [b"%d" % len(refused)]


def kept_write():
    try:
        kept["write"](b"late")
    except RuntimeError:
        return [b"refused"]
    return [b"written"]


def application(environ, start_response):
    path = environ["PATH_INFO"]
    write = start_response("200 OK", [])
    if path == "/close":
        return WritesInClose(start_response, write, [b"on", b"time"])
    if path == "/close-empty":
        return WritesInClose(start_response, write, [])
    if path == "/del":
        return WritesInDel(start_response, write, [b"on", b"time"])
    if path == "/restart":
        return RestartsInClose(start_response, write, [b"on", b"time"])
    if path == "/restart-empty":
        return RestartsInClose(start_response, write, [])
    if path == "/generator":
        return generator(write)
    if path == "/shown":
        raises(write)
    if path.startswith("/file-"):
        return file_with(path[6:], write, environ["wsgi.file_wrapper"])
    if path == "/threads":
        return from_other_threads(write)
    if path == "/kept":
        return kept_write()
    return [b"fine"]
'''


@pytest.fixture(scope="module")
def server():
    options = ["--access-logfile", "access", "--access-logformat", "json"]
    with Server("app", *options, files={"app.py": APP}) as server:
        yield server


def logged(server, path):
    """The last record of the access log for this path."""
    log = server.directory / "access"

    def find():
        records = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return [record for record in records if record["url.path"] == path]

    return wait_until(find, f"a record of {path}")[-1]


LATE = [
    ("/close", 200, b"ontime"),
    ("/close-empty", 200, b""),
    ("/del", 200, b"ontime"),
    ("/restart", 200, b"ontime"),
    ("/restart-empty", 200, b""),
    ("/shown", 500, b"500 Internal Server Error\n"),
    ("/threads", 200, b"4"),
]


@pytest.mark.parametrize("path, status, body", LATE, ids=[row[0] for row in LATE])
def test_nothing_leaves_behind_the_answer(server, path, status, body):
    pid = server.worker_pid
    with server.connect() as connection:
        answer = connection.exchange("GET", path)
        assert (answer.status, answer.body, answer.get("Late")) == (status, body, None)
        # What came behind it would be taken for the beginning of this one.
        assert connection.exchange("GET", "/").body == b"fine"
        connection.assert_open()
    assert logged(server, path)["http.response.status_code"] == status
    assert server.worker_pid == pid


def test_write_kept_from_an_earlier_call_writes_nothing(server):
    with server.connect() as connection:
        assert connection.exchange("GET", "/threads").status == 200
        assert connection.exchange("GET", "/kept").body == b"refused"
        assert connection.exchange("GET", "/").body == b"fine"
        connection.assert_open()


def test_a_generator_that_head_ends_before_its_end_writes_nothing(server):
    with server.connect() as connection:
        assert connection.exchange("HEAD", "/generator").status == 200
        assert connection.exchange("GET", "/").body == b"fine"
        connection.assert_open()


@pytest.mark.parametrize("name", ["fileno", "tell", "close", "read"])
def test_a_file_whose_attributes_call_write_harms_its_own_answer_alone(server, name):
    pid = server.worker_pid
    source = (server.directory / "app.py").read_bytes()
    with server.connect() as connection:
        answer = connection.exchange("GET", f"/file-{name}")
        assert answer.body in (source, b"late" + source), "the file, perhaps behind what was written in time"
        assert connection.exchange("GET", "/").body == b"fine"
    assert server.worker_pid == pid, server.log
