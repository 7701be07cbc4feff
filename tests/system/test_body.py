"""Request bodies: framing, limits, memory and file, a full disk.

What went wrong once, in one server or another: a body cut short was presented as whole, a spool file
survived a crash, a full disk killed the worker, a large upload was held in memory, chunk extensions without
an end were read for ever.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import threading
import time

import pytest
from client import chunked, request_bytes
from harness import Server
from timing import PATIENCE, SANITIZED, SLOW, wait_until

CHUNKED = [("Transfer-Encoding", "chunked")]

APP = """
import os

def application(environ, start_response):
    # What is open while the application runs: the spool, if there is one.
    names = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
             if os.path.exists(f"/proc/self/fd/{fd}") or os.path.islink(f"/proc/self/fd/{fd}")]
    spools = [name for name in names if name.endswith("(deleted)")]
    size = len(environ["wsgi.input"].read())
    start_response("200 OK", [("X-Spools", str(len(spools))), ("X-Name", " ".join(spools))])
    return [str(size).encode()]
"""


# client -> bytes that it sends each quarter of a second
TRICKLES = {"below the rate": 50, "above the rate": 1000, "below a rate of 0": 1}
RATE = 1000


@pytest.fixture(scope="module", autouse=True)
def trickles():
    """Bodies that arrive slowly. The rate counts after ten seconds, so this runs beside the other tests."""

    def send_slowly(clients, end, results):
        for client in clients.values():
            client.request("POST", "/", CHUNKED)
            client.socket.settimeout(0.001)
        # All of them until one is refused, and for longer than that takes.
        while time.monotonic() < (end if "below the rate" in results else end + PATIENCE):
            for name, client in clients.items():
                if name not in results:
                    client.send(chunked(b"x" * TRICKLES[name])[:-5])
                    with contextlib.suppress(TimeoutError):
                        client._more()
                        results[name] = time.monotonic() - begin
            time.sleep(0.25)
        for name, client in clients.items():
            client.socket.settimeout(PATIENCE)
            if name not in results:
                client.send(b"0\r\n\r\n")
            results[name] = (client.receive().status, results.get(name))

    with Server("upload", "--min-body-rate", RATE, "--body-timeout", "5s") as limited, Server(
        "upload", "--min-body-rate", "0", "--body-timeout", "5s"
    ) as unlimited:
        begin, results = time.monotonic(), {}
        clients = {name: (unlimited if "rate of 0" in name else limited).connect() for name in TRICKLES}
        thread = threading.Thread(target=send_slowly, args=(clients, begin + 12, results))
        thread.results = results
        thread.start()
        yield thread
        thread.join()
        for client in clients.values():
            client.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    spool = tmp_path_factory.mktemp("spool")
    options = ["--body-memory", "10k", "--limit-request-body", "20m", "--tmp-dir", spool]
    with Server("app", *options, files={"app.py": APP}) as server:
        server.spool = spool
        yield server


@pytest.fixture(scope="module")
def upload():
    with Server("upload", "--body-memory", "64k") as server:
        yield server


@pytest.mark.parametrize("size, spools", [(1, 0), (10240, 0), (10241, 1), (3000000, 1)])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_beyond_body_memory_is_in_an_unlinked_file_in_tmp_dir(server, size, spools, framing):
    body = b"x" * size
    if framing == "length":
        response = server.request("POST", "/", body=body)
    else:
        blocks = [body[at : at + 5000] for at in range(0, size, 5000)]
        response = server.request("POST", "/", [("Transfer-Encoding", "chunked")], chunked(*blocks))
    assert response.body == b"%d" % size
    assert response.get("X-Spools") == str(spools), response
    assert not spools or response.get("X-Name").startswith(str(server.spool))
    assert os.listdir(server.spool) == []


def test_spools_are_closed_with_their_request(server):
    def spools():
        folder = f"/proc/{server.worker_pid}/fd"
        links = [os.readlink(os.path.join(folder, fd)) for fd in os.listdir(folder)]
        return [link for link in links if link.startswith(str(server.spool))]

    with server.connect() as connection:
        for _ in range(5):
            assert connection.exchange("POST", "/", body=b"x" * 50000).status == 200
        with server.connect() as other:
            other.send(request_bytes("POST", "/", [("Content-Length", "1000000")]) + b"x" * 200000)
            wait_until(spools, "the spool of a body under way")
        wait_until(lambda: not spools(), "its spool is closed when the client has gone")


def test_while_a_body_arrives_others_are_served(server):
    with server.connect() as slow:
        slow.send(request_bytes("POST", "/", [("Content-Length", "10")]) + b"12345")
        assert server.request("POST", "/", body=b"abc").body == b"3"
        slow.send(b"67890")
        assert slow.receive().body == b"10"


def test_a_body_cut_short_never_reaches_the_application(upload):
    for headers, part in [
        ([("Content-Length", "10")], b"12345"),
        ([("Transfer-Encoding", "chunked")], b"5\r\n12345\r\n"),
        ([("Transfer-Encoding", "chunked")], b"5\r\n12345\r\n0\r\n"),
        ([("Transfer-Encoding", "chunked")], b"5\r\n123"),
    ]:
        with upload.connect() as connection:
            connection.send(request_bytes("POST", "/", headers) + part)
            connection.finish()
            rest = connection.rest()
            assert rest == b"" or rest.startswith(b"HTTP/1.1 400 "), rest


def test_a_large_body_arrives_whole_and_is_not_held_in_memory(upload):
    block = os.urandom(1 << 20)
    count = 60 // SLOW

    def peak():
        with open(f"/proc/{upload.worker_pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))

    upload.request("POST", "/", body=b"x" * 200000)
    before = peak()
    with upload.connect() as connection:
        connection.request("POST", "/", [("Content-Length", str(count * len(block)))])
        for _ in range(count):
            connection.send(block)
        report = json.loads(connection.receive().body)
    assert report["size"] == count * len(block)
    assert report["sha256"] == hashlib.sha256(block * count).hexdigest()
    assert SANITIZED or peak() - before < 8000, f"{peak() - before} kB more than before"


LIMITED = [
    # Transfer-Encoding?, bytes, status
    (False, 20 << 20, 200),
    (False, (20 << 20) + 1, 413),
    (True, 20 << 20, 200),
    (True, (20 << 20) + 1, 413),
]


@pytest.mark.parametrize("in_chunks, size, status", LIMITED)
def test_limit_request_body_holds_for_both_framings(server, in_chunks, size, status):
    with server.connect() as connection:
        if in_chunks:
            connection.request("POST", "/", [("Transfer-Encoding", "chunked")])
            connection.send(b"%x\r\n" % size)
        else:
            connection.request("POST", "/", [("Content-Length", str(size))])
        try:
            if in_chunks or status == 200:
                for at in range(0, size, 1 << 20):
                    connection.send(b"x" * min(1 << 20, size - at))
                connection.send(b"\r\n0\r\n\r\n" if in_chunks else b"")
        except (ConnectionResetError, BrokenPipeError):
            assert status == 413
        assert connection.receive().status == status


def can_mount():
    command = ["unshare", "-m", "sh", "-c", "mount -t tmpfs -o size=1m none /mnt"]
    if os.geteuid() != 0 or not shutil.which("unshare"):
        return False
    return subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="needs root and a private mount namespace for a disk of 1 MB")
def test_a_full_disk_is_a_5xx_for_that_request_and_a_log_line():
    script = 'mount -t tmpfs -o size=1m,mode=1777 none /mnt && exec "$0" "$@"'
    prefix = ["unshare", "-m", "sh", "-c", script]
    with Server("upload", "--tmp-dir", "/mnt", "--body-memory", "1k", prefix=prefix) as server:
        pid = server.worker_pid
        with server.connect() as connection:
            connection.request("POST", "/", [("Content-Length", str(4 << 20))])
            try:
                connection.send(b"x" * (4 << 20))
            except (ConnectionResetError, BrokenPipeError):
                pass
            assert connection.receive().status in (500, 503, 507)
        server.wait_log("(?i)no space left|disk")
        # The file is gone, so there is room again; and it was not the end of the worker.
        assert json.loads(server.request("POST", "/", body=b"x" * 500000).body)["size"] == 500000
        assert server.worker_pid == pid


def test_a_tmp_dir_that_cannot_be_written_is_a_5xx_for_that_request_only(serve, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    server = serve("upload", "--tmp-dir", gone, "--body-memory", "1k")
    gone.rmdir()
    with server.connect() as connection:
        connection.request("POST", "/", body=b"x" * 50000)
        assert connection.receive().status in (500, 503)
    assert json.loads(server.request("POST", "/", body=b"x" * 500).body)["size"] == 500
    server.wait_log("(?i)no such file")


FIELD = 8190  # --limit-request-field_size: one line, whatever it is
EXTENSIONS = 16384  # of one body
TRAILERS = 8192
CHUNK = b"1;%s\r\nx\r\n"
BOUNDS = [
    # what, status, the chunked body; where it is refused it does not end, and no more is sent
    ("one extension", 200, CHUNK % (b"n" * 8000) + b"0\r\n\r\n"),
    ("one extension without an end", 400, b"1;" + b"n" * (FIELD + 1)),
    ("one value without an end", 400, b"1;n=" + b"v" * FIELD),
    ("one quoted value without an end", 400, b'1;n="' + b"v" * FIELD),
    ("extensions without an end on one chunk", 400, b"1" + b";n=v" * (FIELD // 4 + 1)),
    ("extensions on many chunks", 200, CHUNK % (b"n" * 1000) * 16 + b"0\r\n\r\n"),
    ("too many extensions on many chunks", 400, CHUNK % (b"n" * 1000) * 17),
    ("short extensions on many chunks", 200, (CHUNK % b"n") * (EXTENSIONS // 4) + b"0\r\n\r\n"),
    ("too many short extensions on many chunks", 400, (CHUNK % b"n") * (EXTENSIONS + 1)),
    ("an extension of the last chunk without an end", 400, b"0;" + b"n" * (FIELD + 1)),
    ("a size without an end", 400, b"0" * (FIELD + 3)),
    ("trailers", 200, b"0\r\n" + b"Name: value\r\n" * (TRAILERS // 13 - 1) + b"\r\n"),
    ("trailers without an end", 431, b"0\r\n" + b"Name: value\r\n" * (TRAILERS // 13 + 1)),
    ("short trailers without an end", 431, b"0\r\n" + b"N:\r\n" * (TRAILERS // 4 + 1)),
    ("one trailer without an end", 431, b"0\r\nName: " + b"v" * TRAILERS),
    ("the name of a trailer without an end", 431, b"0\r\n" + b"n" * (TRAILERS + 1)),
]


@pytest.mark.parametrize("what, status, body", BOUNDS, ids=[row[0] for row in BOUNDS])
def test_what_is_between_the_chunks_and_behind_them_has_a_bound(server, what, status, body):
    with server.connect() as connection:
        connection.request("POST", "/", CHUNKED, body)
        response = connection.receive()
        assert response.status == status
        if status == 200:
            assert response.body == b"%d" % body.count(b"\r\nx\r\n")
            assert connection.exchange("POST", "/", body=b"abc").body == b"3"
        else:
            assert response.get("Connection") == "close"
            connection.assert_closed()


def test_extensions_have_a_bound_of_their_own_where_long_fields_are_allowed(serve):
    options = ["--limit-request-field_size", "1m", "--limit-request-head", "2m"]
    server = serve("app", *options, files={"app.py": APP})
    for extension in (b"n" * (EXTENSIONS + 1), b'n="' + b"v" * EXTENSIONS):
        with server.connect() as connection:
            connection.request("POST", "/", CHUNKED, b"1;" + extension)
            assert connection.receive().status == 400
            connection.assert_closed()
    with server.connect() as connection:
        connection.request("POST", "/", CHUNKED, b"0\r\nName: " + b"v" * TRAILERS)
        assert connection.receive().status == 431


def test_only_a_body_below_the_least_rate_is_refused_and_that_after_the_first_seconds(trickles):
    trickles.join()
    status, seconds = trickles.results["below the rate"]
    assert status == 408 and 9.5 < seconds, trickles.results
    assert trickles.results["above the rate"] == (200, None)
    assert trickles.results["below a rate of 0"] == (200, None)
