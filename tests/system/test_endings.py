"""A client's last bytes and its end, both in one look of the worker: no connection is left behind.

What went wrong once: a client that sent half a head and reset its connection stayed "in reading" until --header-timeout, for
the kernel tells of the bytes and of the reset in one event, and the worker took the bytes for all there was. Some hundred such
clients held up a stop, and twenty of them locked everybody out.

The worker is stopped while the client acts, so that both are there when it looks. No time-out may end what is left: all of them
are longer than the test.
"""

import os
import select
import signal
import socket
import struct
from contextlib import contextmanager

import pytest
from client import Connection, request_bytes
from harness import Server
from timing import wait_until
from watcher import Watcher

APP = """
import os, time


def single_bytes(count):
    for n in range(count):
        yield b"x"
    open("produced", "w").close()


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/wait":
        open("waiting", "w").close()
        while not os.path.exists("go"):
            time.sleep(0.005)
    if path == "/bytes":
        start_response("200 OK", [])
        return single_bytes(100_000)
    size = 30_000_000 if path == "/big" else 4
    start_response("200 OK", [("Content-Length", str(size))])
    return [b"x" * size]
"""

LONG = ["--header-timeout", "1h", "--keep-alive", "1h", "--body-timeout", "1h", "--min-body-rate", "0", "--write-timeout", "1h"]

GET = request_bytes()
CHUNKS = request_bytes("POST", "/", [("Transfer-Encoding", "chunked")])


def start(*options):
    server = Server("app", "--bind", "unix:socket", "--status", "127.0.0.1:0", *LONG, *options, files={"app.py": APP})
    server.watcher = Watcher(server)
    return server


@pytest.fixture(scope="module")
def server():
    with start() as server:
        yield server


@pytest.fixture(scope="module")
def proxied():
    with start("--proxy-protocol", "v1") as server:
        yield server


def connect(server, transport):
    address = str(server.directory / "socket") if transport == "unix" else server.address
    return Connection(address)


def worker_pid(server):
    """Of the one worker, when there is no other beside it."""
    pids = [worker["pid"] for worker in server.watcher.json["workers"]]
    return pids[0] if len(pids) == 1 else None


@contextmanager
def stopped(server):
    pid = worker_pid(server)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def closes(connection):
    """In order: nothing of an answer is unread."""
    while select.select([connection.socket], [], [], 0)[0] and connection.socket.recv(1 << 16):
        pass
    connection.close()


def half_closes(connection):
    connection.finish()


def resets(connection):
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def closes_unread(connection):
    connection.close()


ENDINGS = [closes, half_closes, resets, closes_unread]

# What was sent before and answered (True), what was sent before and waits for more, what comes with the end.
STATES = {
    "idle": (True, b"", b""),
    "empty line": (True, b"", b"\r\n"),
    "half an empty line": (True, b"", b"\r"),
    "head": (True, b"", b"GET /hell"),
    "second part of a head": (True, b"GET /", b"hello"),
    "body": (True, b"", request_bytes("POST", "/", [("Content-Length", "9")], b"12")),
    "second part of a body": (True, request_bytes("POST", "/", [("Content-Length", "9")], b"12"), b"34"),
    "chunk": (True, CHUNKS, b"9\r\n12"),
    "size of a chunk": (True, CHUNKS + b"2\r\n12\r\n", b"3"),
    "trailer": (True, CHUNKS + b"0\r\n", b"A: b"),
    "whole request": (True, b"", GET),
    "whole request and half a head": (True, b"", GET + b"GET"),
    "new and silent": (False, b"", b""),
    "new, half a head": (False, b"", b"GET /hell"),
    "new, an empty line": (False, b"", b"\r\n"),
    "new, half a body": (False, b"", request_bytes("POST", "/", [("Content-Length", "9")], b"12")),
}


def expect_none(server):
    wait_until(lambda: server.watcher.json["connections"]["total"] == 0, "no connection is left")


def bring(server, connection, answered, before):
    """Into its state; the last answer is there, and unread."""
    if answered:
        connection.send(GET)
        assert connection.socket.recv(1, socket.MSG_PEEK)
    connection.send(before)


@pytest.mark.parametrize("transport", ["tcp", "unix"])
@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.__name__)
def test_no_connection_is_left_in_any_state(server, transport, ending):
    expect_none(server)
    connections = []
    for answered, before, _ in STATES.values():
        connection = connect(server, transport) if answered else None
        if connection:
            bring(server, connection, answered, before)
        connections.append(connection)
    with connect(server, transport) as other:
        assert other.exchange().status == 200, "its turn: all that was sent before has been read"
        with stopped(server):
            for at, (answered, _, last) in enumerate(STATES.values()):
                if not answered:
                    connections[at] = connect(server, transport)
                if last:
                    connections[at].send(last)
                ending(connections[at])
    expect_none(server)
    for connection in connections:
        connection.close()


@pytest.mark.parametrize("transport", ["tcp", "unix"])
@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.__name__)
def test_no_connection_of_a_client_that_never_asked_is_left_when_the_service_stops(transport, ending):
    """The state has no row in STATES: a worker is in it once, at the end of a stop, and a time-out of half a second ends it."""
    with start("--graceful-timeout", "1h") as server:
        running, idle = connect(server, "tcp"), connect(server, "tcp")
        assert idle.exchange().status == 200
        running.request("GET", "/wait")
        wait_until(lambda: (server.directory / "waiting").exists(), "the call runs")
        silent = [connect(server, transport) for _ in range(5)]
        wait_until(lambda: server.watcher.json["connections"]["total"] == 7, "all are accepted")
        pid = worker_pid(server)
        server.signal(signal.SIGTERM)
        server.wait_log("stopping")
        (server.directory / "go").touch()
        assert running.receive().status == 200
        idle.assert_closed()  # in the turn of the loop in which silent clients get their half second
        os.kill(pid, signal.SIGSTOP)
        try:
            for connection, last in zip(silent, [b"", b"\r\n", b"\r", b"GET /hell", GET]):
                if last:
                    connection.send(last)
                ending(connection)
        finally:
            os.kill(pid, signal.SIGCONT)
        server.expect_end()
        for connection in [running, *silent]:
            connection.close()
    assert "cut" not in server.log


@pytest.mark.parametrize("transport", ["tcp", "unix"])
@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.__name__)
@pytest.mark.parametrize("before, last", [(b"", b"PROXY TC"), (b"PROXY", b" TC"), (b"", b"PROXY UNKNOWN\r\n")])
def test_no_connection_is_left_in_front_of_the_proxy_protocols_header(proxied, transport, ending, before, last):
    expect_none(proxied)
    connection = connect(proxied, transport)
    connection.send(before)
    if before:
        wait_until(lambda: proxied.watcher.json["connections"]["total"] == 1, "it is accepted")
    with stopped(proxied):
        connection.send(last)
        ending(connection)
    expect_none(proxied)
    connection.close()


@pytest.mark.parametrize("transport", ["tcp", "unix"])
@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.__name__)
def test_no_connection_is_left_that_came_from_another_worker(server, transport, ending):
    expect_none(server)
    connection = connect(server, transport)
    assert connection.exchange().status == 200
    old, seen = worker_pid(server), len(server.log)
    server.signal(signal.SIGHUP)
    server.wait_log("reloaded in", since=seen)
    wait_until(lambda: worker_pid(server) not in (None, old), "the old worker has left")
    with stopped(server):
        connection.send(b"GET /hell")
        ending(connection)
    expect_none(server)
    connection.close()


@pytest.mark.parametrize("transport", ["tcp", "unix"])
@pytest.mark.parametrize("ending", [resets, closes_unread], ids=lambda ending: ending.__name__)
def test_no_connection_is_left_that_waits_for_an_answer_or_takes_one(server, transport, ending):
    expect_none(server)
    for name in ("go", "waiting"):
        (server.directory / name).unlink(missing_ok=True)
    running, big = connect(server, transport), connect(server, transport)
    big.request("GET", "/big")
    assert big.socket.recv(1, socket.MSG_PEEK)
    assert running.exchange().status == 200, "its turn: the big answer is made"
    running.request("GET", "/wait")
    wait_until(lambda: (server.directory / "waiting").exists(), "the call runs")
    queued = connect(server, transport)
    queued.request()
    with stopped(server):
        for connection in (running, big, queued):
            connection.send(b"GET /hell")
            ending(connection)
    wait_until(lambda: server.watcher.json["connections"]["total"] == 1, "but for the call that runs")
    (server.directory / "go").touch()
    expect_none(server)


def test_the_log_and_the_counters_tell_the_same_of_clients_that_reset():
    """Of a thousand requests that were reset at once a hundred and seventy were 200 in /metrics and 499 in the log, and an answer
    that was cut was logged with its whole size."""
    log = ["--access-logfile", "access", "--access-logformat", "%(s)s %(B)s"]
    with start(*log) as server:
        for path, wait in [("/", False), ("/big", False), ("/big", True)] * 20:
            connection = connect(server, "tcp")
            connection.request("GET", path)
            if wait:
                assert connection.socket.recv(1, socket.MSG_PEEK)
            resets(connection)
        access = server.directory / "access"
        wait_until(lambda: access.read_text().count("\n") == 60, "each is logged")
        logged = [line.split() for line in access.read_text().splitlines()]
        codes = {code: sum(1 for status, _ in logged if status == code) for code in {status for status, _ in logged}}
        counted = server.watcher.json["requests"]["codes"]
        assert {code: count for code, count in counted.items() if count} == codes
        assert all(int(size) < 30_000_000 for _, size in logged)
        sent = sum(int(size) for _, size in logged)
        assert sent <= server.watcher.metrics["gateway_sent_bytes_total"].value <= sent + 60 * 400


def test_the_lines_of_chunks_are_no_content_in_the_log_when_an_answer_is_cut():
    """Five bytes of lines around each byte that had not left were taken for content: the log said 499 and no content of a client
    that had a third of its answer."""
    with start("--access-logfile", "access", "--access-logformat", "%(s)s %(B)s") as server:
        connection = connect(server, "unix")
        connection.request("GET", "/bytes")
        wait_until((server.directory / "produced").exists, "all of the answer waits")
        assert connection.socket.recv(1 << 16, socket.MSG_WAITALL).startswith(b"HTTP/1.1 200 OK\r\n")
        resets(connection)
        access = server.directory / "access"
        wait_until(lambda: access.exists() and access.read_text().endswith("\n"), "it is logged")
        status, size = access.read_text().split()
        sent = server.watcher.metrics["gateway_sent_bytes_total"].value  # a head, and six bytes for each of the content
        assert status == "200" and sent < 500_000
        assert (sent - 1000) // 6 < int(size) <= sent // 6


@pytest.mark.parametrize("transport", ["tcp", "unix"])
def test_a_client_that_half_closes_with_its_last_bytes_is_answered(server, transport):
    expect_none(server)
    with connect(server, transport) as connection:
        assert connection.exchange().status == 200
        with stopped(server):
            connection.send(GET)
            connection.finish()
        assert connection.receive().body == b"xxxx"
        connection.assert_closed()
    expect_none(server)
