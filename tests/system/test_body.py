"""Request bodies: framing, limits, memory and file, a full disk.

What went wrong once, in one server or another: a body cut short was presented as whole, a spool file
survived a crash, a full disk killed the worker, a large upload was held in memory.
"""

import hashlib
import json
import os
import shutil
import subprocess

import pytest
from client import chunked, request_bytes
from harness import Server
from timing import SANITIZED, SLOW, wait_until

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
