"""wsgi.file_wrapper: the bytes of the file from its position on, once, whatever kind of file it is.

What went wrong once, in one server or another: the file was sent from its beginning and not from its
position, a gzip file was sent as it is on disk, more than the Content-Length was sent, close() was
forgotten, a large file went through the memory of the server, a directory or a lost descriptor ended it.
"""

import hashlib
import os
import time

import pytest
from client import Cut
from harness import APPLICATIONS, Server
from timing import SANITIZED, wait_until

APP = '''
import gzip, io, os, tempfile

SIZE = 3000000
PATH = os.path.join(os.getcwd(), "data")
with open(PATH, "wb") as file:
    file.write(os.urandom(SIZE))
with gzip.open(PATH + ".gz", "wb", 1) as file:
    file.write(b"plain text " * 1000)

closed = []
reads = []
watch = []


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


class Shouting(io.FileIO):
    """A real file, but what it reads is not what is on the disk."""
    def read(self, size=-1):
        reads.append(size)
        return super().read(size).upper()


class Lying:
    """Knows a descriptor, and reads something else."""
    def __init__(self, descriptor):
        self.descriptor, self.blocks = descriptor, [b"not ", b"the file"]

    def fileno(self):
        if self.descriptor is None:
            raise OSError("no descriptor")
        return self.descriptor

    def read(self, size):
        return self.blocks.pop(0) if self.blocks else b""

    def tell(self):
        return 0

    def close(self):
        if self.descriptor is not None and self.descriptor >= 0:
            os.close(self.descriptor)


def directory_in_disguise():
    """A FileIO cannot be opened on a directory, but its descriptor may become one."""
    file = open(PATH, "rb", buffering=0)
    directory = os.open(os.getcwd(), os.O_RDONLY)
    os.dup2(directory, file.fileno())
    os.close(directory)
    return file


def lost_descriptor():
    file = open(PATH, "rb")
    os.close(file.fileno())
    return file


def small(text):
    with open("small", "w") as file:
        file.write(text)
    return "small"


def watched(at, **keywords):
    """A second descriptor shares the position, which a read would move; the kernel sends without it."""
    file = position(open(PATH, "rb", **keywords), at)
    watch[:] = [os.dup(file.fileno())]
    return file


def pipe():
    reader, writer = os.pipe()
    os.write(writer, b"from a pipe\\n")
    os.close(writer)
    return open(reader, "rb")


def sparse():
    with open("sparse", "wb") as file:
        file.seek((1 << 30) - 1)
        file.write(b"x")
    return open("sparse", "rb")


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
    "/pipe": pipe,
    "/text": lambda: open(PATH + ".gz", "r", encoding="latin-1"),
    "/shouting": lambda: Shouting(small("quiet")),
    "/lying": lambda: Lying(os.open(PATH, os.O_RDONLY)),
    "/no-descriptor": lambda: Lying(None),
    "/wrong-descriptor": lambda: Lying(-1),
    "/kernel": lambda: watched(1000),
    "/kernel-unbuffered": lambda: watched(1000, buffering=0),
    "/sparse": sparse,
    "/shrinking": lambda: open("shrinking", "rb"),
    "/append": lambda: open(small("text"), "ab"),
    "/write-only": lambda: open(os.open(small("text"), os.O_WRONLY), "wb", buffering=0),
    "/directory": directory_in_disguise,
    "/lost-descriptor": lost_descriptor,
    "/read-of-text": lambda: io.StringIO("text"),
    "/no-file": lambda: 42,
}
LENGTHS = {"/file-length": 2000000, "/file-too-long": SIZE + 1}


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/closed":
        start_response("200 OK", [])
        return [str(len(closed)).encode()]
    if path == "/reads":
        start_response("200 OK", [])
        return [str(len(reads)).encode()]
    if path == "/position-now":
        start_response("200 OK", [])
        now = os.lseek(watch[0], 0, os.SEEK_CUR)
        os.close(watch.pop())
        return [str(now).encode()]
    if path == "/grow":
        with open("shrinking", "wb") as file:
            file.write(b"x" * (20 << 20))
        start_response("200 OK", [])
        return []
    if path == "/shrink":
        os.truncate("shrinking", 1000)
        start_response("200 OK", [])
        return []
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
    ("/shouting", b"QUIET"),
    ("/lying", b"not the file"),
    ("/no-descriptor", b"not the file"),
    ("/wrong-descriptor", b"not the file"),
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


UNSENDABLE = [
    "/text", "/closed-file", "/append", "/write-only",
    "/directory", "/lost-descriptor", "/read-of-text", "/no-file",
]  # fmt: skip


@pytest.mark.parametrize("path", UNSENDABLE)
def test_a_file_that_cannot_be_sent_is_a_500(server, path):
    pid = server.worker_pid
    with server.connect() as connection:
        assert connection.exchange("GET", path).status == 500
        assert connection.exchange("GET", "/odd").body == b"abcdef"
    assert server.worker_pid == pid


@pytest.mark.parametrize("path", ["/kernel", "/kernel-unbuffered"])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_real_file_is_sent_by_the_kernel_and_never_read(server, path, version):
    with server.connect() as connection:
        response = connection.exchange("GET", path, version=version)
        assert response.body == server.data[1000:] or pytest.fail("other bytes")
    assert server.get("/position-now").body == b"1000"


def test_a_read_of_the_applications_own_is_asked_for_each_block(server):
    before = int(server.get("/reads").body)
    assert server.get("/shouting").body == b"QUIET"
    assert int(server.get("/reads").body) == before + 2


def peak(server):
    with open(f"/proc/{server.worker_pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))


def test_a_file_of_a_gigabyte_passes_without_the_workers_memory(server):
    server.get("/file")
    before = peak(server)
    with server.connect() as connection:
        connection.request("GET", "/sparse")
        assert b"\r\nContent-Length: 1073741824\r\n" in connection._until(b"\r\n\r\n", None)
        received = 0
        while received < 128 << 20 and connection._more():
            received += len(connection.buffer)
            assert connection.buffer.count(0) == len(connection.buffer)
            connection.buffer.clear()
        assert SANITIZED or peak(server) - before < 4000, f"{peak(server) - before} kB more than before"


def test_a_file_that_becomes_shorter_while_it_is_sent_cuts_the_connection(server):
    mark = len(server.log)
    server.get("/grow")
    with server.connect(receive_buffer=4096) as connection:
        connection.request("GET", "/shrinking")
        connection.socket.recv(1000)
        server.get("/shrink")
        time.sleep(0.1)
        with pytest.raises((Cut, ConnectionResetError)):
            while connection._more():
                pass
            raise Cut("the connection ended")
        assert 1000 < len(connection.buffer) < 20 << 20
    server.wait_log("(?i)shorter", mark)
    assert server.get("/odd").body == b"abcdef"


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
