"""The border of an answer, whichever way the application sends it; and close(), once, however it ends.

What went wrong once, in one server or another: what was beyond the Content-Length was taken for the next
answer, an answer too short left the client waiting, a body behind a 204 or 304 put a kept connection out of
step, close() ran twice, or never when the client had left.
"""

import re

import pytest
from client import Cut, request_bytes
from harness import Server
from timing import wait_until

APP = '''
import io, itertools, os

DATA = b"0123456789" * 3
with open("data", "wb") as file:
    file.write(DATA)

closed = []   # names whose close() has run
said = []     # what write() raised


class Body:
    """The iterable and its iterator are two objects, and only close() of the first may be called."""

    def __init__(self, name, blocks, error=None):
        self.name, self.blocks, self.error = name, blocks, error

    def __iter__(self):
        return Iterator(self.name, self.blocks)

    def close(self):
        closed.append(self.name)
        if self.error:
            raise self.error


class Iterator:
    def __init__(self, name, blocks):
        self.name, self.blocks = name, iter(blocks)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.blocks)

    def close(self):
        closed.append("the iterator of " + self.name)


class FileLike(io.BytesIO):
    def __init__(self, name, data):
        super().__init__(data)
        self.name = name

    def close(self):
        closed.append(self.name)
        super().close()


def blocks_of(size, step=4):
    return [DATA[at : min(at + step, size)] for at in range(0, size, step)]


def real_file(size):
    file = open("data", "rb")
    file.seek(len(DATA) - size)
    return file


def endless():
    return itertools.repeat(b"0123456789" * 1000)


def send(environ, start_response, status, headers, way, size):
    """A body of `size` bytes, or an endless one, in the way that was asked for."""
    wrapper = environ["wsgi.file_wrapper"]
    write = start_response(status, headers)
    if way == "list":
        return blocks_of(size)
    if way == "one":
        return [DATA[:size]]
    if way == "many":
        return blocks_of(size, 1) + [b""] * 100
    if way == "generator":
        return (block for block in blocks_of(size))
    if way == "write":
        for block in blocks_of(size):
            write(block)
        return []
    if way == "write-and-list":
        write(DATA[:4])
        return blocks_of(size)[1:]
    if way == "file":
        return wrapper(real_file(size))
    if way == "filelike":
        return wrapper(io.BytesIO(DATA[:size]), 4)
    if way == "endless":
        return endless()


def closing(environ, start_response, name):
    kind, _, rest = name.partition("-")
    if kind == "write":
        write = start_response("200 OK", [])
        try:
            while True:
                write(b"x" * 65536)
        except Exception as error:
            said.append(f"{name} {isinstance(error, OSError)}")
            if rest == "passes":
                raise
        return Body(name, [b"for nobody"])
    start_response(environ["QUERY_STRING"].replace("+", " ") or "200 OK", [])
    if kind == "wrapper":
        return environ["wsgi.file_wrapper"](FileLike(name, b"wrapped"))
    if kind == "raises":
        return Body(name, [b"whole"], ValueError("in close"))
    if kind == "both":
        return Body(name, (1 / 0 for _ in range(1)), ValueError("in close"))
    if kind == "number":
        return Body(name, [b"fine", 42])
    if kind == "generator":
        def generator():
            try:
                yield from endless()
            finally:
                closed.append(name)
        return generator()
    return Body(name, {"fine": [b"fine"], "empty": [], "blank": [b""], "endless": endless()}[kind])


class Plain:
    """An iterable without close()."""

    def __iter__(self):
        return iter([b"plain"])


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/":
        start_response("200 OK", [])
        return [b"next"]
    if path == "/closed":
        start_response("200 OK", [])
        return [",".join(closed).encode()]
    if path == "/said":
        start_response("200 OK", [])
        return [",".join(said).encode()]
    if path == "/plain":
        start_response("200 OK", [])
        return Plain()
    if path.startswith("/close/"):
        return closing(environ, start_response, path[7:])
    _, status, way, length, size = path.split("/")
    headers = [("Content-Length", length)] if length != "none" else []
    return send(environ, start_response, status + " Reason", headers, way, int(size))
'''

DATA = b"0123456789" * 3
KEEP = [("Connection", "keep-alive")]
WAYS = ["list", "one", "many", "generator", "write", "write-and-list", "file", "filelike"]
# A file may be longer than what is wanted: sent "until Content-Length bytes have been written" (PEP 3333).
WRAPPED = ["file", "filelike"]


@pytest.fixture(scope="module")
def server():
    with Server("app", files={"app.py": APP}) as server:
        yield server


def complaints(server, mark):
    return re.findall(r"(?m)^\d{4}-.* (?:warning|error|critical): (.*)", server.log[mark:])


def sent(way, size):
    """What the application gives: of a file, the end."""
    return DATA[len(DATA) - size :] if way == "file" else DATA[:size]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("length", [9, 8, 1, 0])
def test_more_than_the_content_length_is_cut_exactly_there(server, way, version, length):
    mark = len(server.log)
    with server.connect() as connection:
        for _ in range(2):
            response = connection.exchange("GET", f"/200/{way}/{length}/21", KEEP, version=version)
            assert response.get("Content-Length") == str(length)
            assert response.body == sent(way, 21)[:length]
        assert connection.exchange("GET", "/").body == b"next", "out of step"
    found = complaints(server, mark)
    assert len(found) == (0 if way in WRAPPED else 2), found
    assert all(f"Content-Length of {length}" in line and f"/200/{way}/" in line for line in found)


def test_an_endless_answer_ends_at_its_content_length(server):
    mark = len(server.log)
    with server.connect() as connection:
        response = connection.exchange("GET", "/200/endless/25000/0")
        assert response.body == b"0123456789" * 2500
        assert connection.exchange("GET", "/").body == b"next"
    assert len(complaints(server, mark)) == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("size", [9, 0])
def test_less_than_the_content_length_closes_the_connection_and_is_logged(server, way, version, size):
    mark = len(server.log)
    expected = DATA[:4] if way == "write-and-list" and size == 0 else sent(way, size)
    with server.connect() as connection:
        request = request_bytes("GET", f"/200/{way}/10/{size}", KEEP, version=version)
        connection.send(request + request_bytes("GET", "/"))
        with pytest.raises(Cut) as cut:
            connection.receive()
        assert cut.value.response.get("Content-Length") == "10"
        assert cut.value.response.body == expected
    found = complaints(server, mark)
    assert len(found) == 1 and f" {len(expected)} bytes of its Content-Length of 10" in found[0], found


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("length", ["none", "21"])
def test_an_answer_as_long_as_it_says_is_no_reason_to_complain(server, way, length):
    mark = len(server.log)
    with server.connect() as connection:
        assert connection.exchange("GET", f"/200/{way}/{length}/21").body == sent(way, 21)
        assert connection.exchange("GET", "/").body == b"next"
    assert complaints(server, mark) == []


BODILESS = [
    # method, status
    ("HEAD", "200"),
    ("GET", "204"),
    ("GET", "205"),
    ("GET", "304"),
    ("HEAD", "304"),
]


@pytest.mark.parametrize("method, status", BODILESS, ids=["-".join(row) for row in BODILESS])
@pytest.mark.parametrize("way", [*WAYS, "endless"])
@pytest.mark.parametrize("length", ["none", "30", "10", "0"])
def test_where_no_body_belongs_none_is_sent_and_all_stays_in_step(server, method, status, way, length):
    mark = len(server.log)
    with server.connect() as connection:
        for _ in range(2):
            response = connection.exchange(method, f"/{status}/{way}/{length}/21")
            assert response.status == int(status)
            assert response.get("Connection") is None
            assert status == "200" or response.get("Transfer-Encoding") is None
            if status == "204":
                assert response.get("Content-Length") is None
            elif status == "205":  # RFC 9110 15.3.6: what it says of another length would keep a client waiting
                assert response.get("Content-Length") == "0"
            elif length != "none":
                assert response.get("Content-Length") == length
        assert connection.exchange("GET", "/").body == b"next", "out of step"
        connection.assert_open(0.01)
    assert complaints(server, mark) == []


# close().


def times_closed(server, name):
    return server.get("/closed").text.split(",").count(name)


def assert_closed_once(server, name):
    wait_until(lambda: times_closed(server, name), f"close() of {name} has run")
    assert times_closed(server, name) == 1
    assert times_closed(server, "the iterator of " + name) == 0


CLOSING = [
    # name, method, status
    ("fine-GET", "GET", "200 OK"),
    ("fine-HEAD", "HEAD", "200 OK"),
    ("fine-204", "GET", "204 No Content"),
    ("fine-304", "GET", "304 Not Modified"),
    ("empty-GET", "GET", "200 OK"),
    ("empty-HEAD", "HEAD", "200 OK"),
    ("empty-204", "GET", "204 No Content"),
    ("blank-GET", "GET", "200 OK"),
    ("endless-HEAD", "HEAD", "200 OK"),
    ("endless-204", "GET", "204 No Content"),
    ("generator-304", "GET", "304 Not Modified"),
    ("wrapper-GET", "GET", "200 OK"),
    ("wrapper-HEAD", "HEAD", "200 OK"),
    ("wrapper-304", "GET", "304 Not Modified"),
]


@pytest.mark.parametrize("name, method, status", CLOSING, ids=[row[0] for row in CLOSING])
def test_close_runs_once_when_the_answer_is_whole(server, name, method, status):
    mark = len(server.log)
    with server.connect() as connection:
        path = f"/close/{name}?{status.replace(' ', '+')}"
        assert connection.exchange(method, path).status == int(status[:3])
        assert connection.exchange("GET", "/").body == b"next"
    assert_closed_once(server, name)
    assert complaints(server, mark) == []


@pytest.mark.parametrize("method, body", [("GET", b"whole"), ("HEAD", b"")])
def test_close_that_raises_runs_once_and_does_not_spoil_the_answer(server, method, body):
    mark = len(server.log)
    name = "raises-" + method
    with server.connect() as connection:
        assert connection.exchange(method, "/close/" + name).body == body
        assert connection.exchange("GET", "/").body == b"next"
    assert_closed_once(server, name)
    found = complaints(server, mark)
    assert len(found) == 1 and "close()" in found[0], found


def test_close_runs_once_after_an_exception_in_the_middle(server):
    mark = len(server.log)
    with server.connect() as connection:
        connection.request("GET", "/close/number")
        with pytest.raises(Cut) as cut:
            connection.receive()
        assert cut.value.response.body == b"fine"
    assert_closed_once(server, "number")
    assert len(complaints(server, mark)) == 1


def test_close_that_raises_after_an_exception_runs_once_and_both_are_logged(server):
    mark = len(server.log)
    with server.connect() as connection:
        assert connection.exchange("GET", "/close/both").status == 500
        assert connection.exchange("GET", "/").body == b"next"
    assert_closed_once(server, "both")
    assert "ZeroDivisionError" in server.log[mark:] and "ValueError: in close" in server.log[mark:]
    assert len(complaints(server, mark)) == 2


@pytest.mark.parametrize("goes", ["close", "reset"])
@pytest.mark.parametrize("kind", ["endless", "generator", "write"])
def test_close_runs_once_when_the_client_vanishes(server, kind, goes):
    mark = len(server.log)
    name = f"{kind}-{goes}"
    connection = server.connect()
    connection.request("GET", "/close/" + name)
    connection.socket.recv(1000)
    getattr(connection, goes)()
    assert_closed_once(server, name)
    if kind == "write":
        assert server.get("/said").text.split(",").count(name + " True") == 1
    assert complaints(server, mark) == []


def test_write_that_finds_nobody_ends_the_call_quietly(server):
    mark = len(server.log)
    connection = server.connect()
    connection.request("GET", "/close/write-passes")
    connection.socket.recv(1000)
    connection.reset()
    wait_until(lambda: "write-passes True" in server.get("/said").text, "write() has raised")
    assert complaints(server, mark) == []


def test_an_iterable_needs_no_close(server):
    mark = len(server.log)
    with server.connect() as connection:
        for method in ("GET", "HEAD"):
            assert connection.exchange(method, "/plain").body == (b"plain" if method == "GET" else b"")
        assert connection.exchange("GET", "/").body == b"next"
    assert complaints(server, mark) == []
