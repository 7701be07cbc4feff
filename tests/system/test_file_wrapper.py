"""wsgi.file_wrapper: the bytes of the file from its position on, once, whatever kind of file it is.

What went wrong once, in one server or another: the file was sent from its beginning and not from its
position, a gzip file was sent as it is on disk, more than the Content-Length was sent, close() was
forgotten.
"""

import hashlib
import os

import pytest
from client import Cut
from harness import APPLICATIONS, Server
from timing import wait_until

APP = '''
import gzip, io, os, tempfile

SIZE = 3000000
PATH = os.path.join(os.getcwd(), "data")
with open(PATH, "wb") as file:
    file.write(os.urandom(SIZE))
with gzip.open(PATH + ".gz", "wb", 1) as file:
    file.write(b"plain text " * 1000)

closed = []


class Odd:
    """Has read() and nothing else, and gives what it likes."""
    def __init__(self, blocks):
        self.blocks = list(blocks)

    def read(self, size):
        return self.blocks.pop(0) if self.blocks else b""


class Closing(io.FileIO):
    def close(self):
        if not self.closed:
            closed.append("one")
        super().close()


def position(file, at):
    file.seek(at)
    return file


def read_some(file):
    file.read(1000)
    return file


def growing():
    """A temporary file that was just written: its last bytes are still in Python's buffer."""
    file = tempfile.TemporaryFile()
    file.write(b"x" * 100)
    file.seek(0)
    return file


FILES = {
    "/file": lambda: open(PATH, "rb"),
    "/unbuffered": lambda: open(PATH, "rb", buffering=0),
    "/position": lambda: position(open(PATH, "rb"), 1000000),
    "/position-unbuffered": lambda: position(open(PATH, "rb", buffering=0), 1000000),
    "/read-some": lambda: read_some(open(PATH, "rb")),
    "/end": lambda: position(open(PATH, "rb"), SIZE),
    "/beyond": lambda: position(open(PATH, "rb"), SIZE + 100),
    "/update": lambda: open(PATH, "r+b"),
    "/closing": lambda: Closing(PATH, "rb"),
    "/memory": lambda: position(io.BytesIO(b"0123456789" * 10000), 5),
    "/gzip": lambda: gzip.open(PATH + ".gz"),
    "/temporary": growing,
    "/odd": lambda: Odd([b"a", b"bc", b"def"]),
    "/empty": lambda: open(os.devnull, "rb"),
    "/pipe": lambda: os.popen("echo from a pipe").buffer,
    "/text": lambda: open(PATH + ".gz", "r", encoding="latin-1"),
}
LENGTHS = {"/file-length": 2000000, "/file-too-long": SIZE + 1}


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/closed":
        start_response("200 OK", [])
        return [str(len(closed)).encode()]
    if path == "/wrapped":
        # Only a wrapper that is returned as it is may be sent by the kernel.
        start_response("200 OK", [])
        return (block.swapcase() for block in environ["wsgi.file_wrapper"](io.BytesIO(b"abcDEF")))
    if path == "/loop":
        wrapper = environ["wsgi.file_wrapper"](io.BytesIO(b"0123456789"), 4)
        blocks = list(wrapper)
        wrapper.close()
        start_response("200 OK", [])
        return [b"|".join(blocks)]
    if path == "/closed-file":
        file = open(PATH, "rb")
        file.close()
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](file)
    if path in LENGTHS:
        start_response("200 OK", [("Content-Length", str(LENGTHS[path]))])
        return environ["wsgi.file_wrapper"](open(PATH, "rb"))
    start_response("200 OK", [])
    return environ["wsgi.file_wrapper"](FILES[path]())
'''


@pytest.fixture(scope="module")
def server():
    with Server("app", files={"app.py": APP}) as server:
        server.data = (server.directory / "data").read_bytes()
        yield server


WHOLE = [
    # path, what of the data
    ("/file", slice(0, None)),
    ("/unbuffered", slice(0, None)),
    ("/position", slice(1000000, None)),
    ("/position-unbuffered", slice(1000000, None)),
    ("/read-some", slice(1000, None)),
    ("/end", slice(0, 0)),
    ("/beyond", slice(0, 0)),
    ("/update", slice(0, None)),
    ("/closing", slice(0, None)),
    ("/file-length", slice(0, 2000000)),
]


@pytest.mark.parametrize("path, part", WHOLE, ids=[row[0] for row in WHOLE])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_real_file_is_sent_from_its_position_to_its_end(server, path, part, version):
    expected = server.data[part]
    with server.connect() as connection:
        response = connection.exchange("GET", path, version=version)
        assert len(response.body) == len(expected)
        assert hashlib.sha256(response.body).digest() == hashlib.sha256(expected).digest()
        if version == "1.1" and path in ("/file", "/position", "/unbuffered", "/end"):
            assert response.get("Content-Length") == str(len(expected))
        if version == "1.1":
            assert connection.exchange("GET", "/odd").body == b"abcdef"


OTHERS = [
    ("/memory", b"56789" + b"0123456789" * 9999),
    ("/gzip", b"plain text " * 1000),
    ("/temporary", b"x" * 100),
    ("/odd", b"abcdef"),
    ("/empty", b""),
    ("/pipe", b"from a pipe\n"),
    ("/wrapped", b"ABCdef"),
    ("/loop", b"0123|4567|89"),
]


@pytest.mark.parametrize("path, body", OTHERS, ids=[row[0] for row in OTHERS])
def test_whatever_is_no_real_file_is_read_block_by_block(server, path, body):
    response = server.get(path)
    assert len(response.body) == len(body) and response.body == body


@pytest.mark.parametrize("path", [row[0] for row in WHOLE + OTHERS if row[0] != "/pipe"])
def test_head_sends_nothing_of_it(server, path):
    with server.connect() as connection:
        assert connection.exchange("HEAD", path).status == 200
        assert connection.exchange("GET", "/odd").body == b"abcdef"


def test_a_file_shorter_than_its_content_length_closes_the_connection(server):
    mark = len(server.log)
    with server.connect() as connection:
        connection.request("GET", "/file-too-long")
        with pytest.raises(Cut) as cut:
            connection.receive()
        assert cut.value.response.body == server.data
    server.wait_log("(?i)content-length", mark)


@pytest.mark.parametrize("path", ["/text", "/closed-file"])
def test_a_file_that_cannot_be_sent_is_a_500(server, path):
    assert server.get(path).status == 500


def test_every_file_is_closed_once(server):
    before = int(server.get("/closed").body)
    for _ in range(5):
        server.get("/closing")
    wait_until(lambda: int(server.get("/closed").body) == before + 5, "five files are closed")
    folder = f"/proc/{server.worker_pid}/fd"
    data = str(server.directory / "data")
    wait_until(
        lambda: not [fd for fd in os.listdir(folder) if os.path.realpath(f"{folder}/{fd}").startswith(data)],
        "no file is left open",
    )


def test_a_client_that_vanishes_closes_the_file(server):
    before = int(server.get("/closed").body)
    with server.connect(receive_buffer=4096) as connection:
        connection.request("GET", "/closing")
        connection.socket.recv(1000)
        connection.reset()
    wait_until(lambda: int(server.get("/closed").body) == before + 1, "the file is closed")


def test_the_sample_sends_the_file_it_is_told_to(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(os.urandom(100000))
    with Server("file", env={"FILE": str(path)}) as server:
        assert server.get("/").body == path.read_bytes()
        assert server.get("/position").body == path.read_bytes()[10:]
        assert server.get("/memory").body == path.read_bytes()
        assert server.get("/gzip").body == path.read_bytes()
        assert server.get("/other").status == 404
    with Server("file") as server:
        assert server.get("/").body == (APPLICATIONS / "file.py").read_bytes()
