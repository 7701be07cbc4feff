"""Every size and every time has a limit, and the client is told which one it met.

What went wrong once, in one server or another: a slow client held a worker for ever (Slowloris), a deadline
per read in place of one for the whole head, EMFILE made accept() spin at 100 % CPU, connections beyond the
limit were dropped.
"""

import contextlib
import resource
import threading
import time

import pytest
from client import Connection, Cut, request_bytes
from harness import Server
from timing import PATIENCE, SANITIZED, SLOW, wait_until, within

SIZES = [
    "--limit-request-line", "200",
    "--limit-request-fields", "10",
    "--limit-request-field_size", "100",
    "--limit-request-head", "600",
    "--limit-request-body", "1000",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def trickle():
    """A body that arrives too slowly. The rate counts after ten seconds, so this runs beside the other tests."""
    result = {}

    def send_slowly():
        start = time.monotonic()
        with Server("echo", "--min-body-rate", "1000", "--body-timeout", "5s") as server:
            with server.connect() as connection:
                connection.request("POST", "/", [("Content-Length", "100000")])
                connection.socket.settimeout(0.5)
                while time.monotonic() - start < 60 * SLOW and not connection.buffer:
                    connection.send(b"x" * 100)
                    with contextlib.suppress(TimeoutError):
                        connection._more()
                result["seconds"] = time.monotonic() - start
                result["status"] = connection.receive().status

    thread = threading.Thread(target=send_slowly)
    thread.result = result
    thread.start()
    yield thread
    thread.join()


@pytest.fixture(scope="module")
def server():
    with Server("echo", *SIZES) as server:
        yield server


def request_line(size):
    """A request whose request line has `size` bytes."""
    return request_bytes("GET", "/" + "a" * (size - len("GET / HTTP/1.1")))


def field_of(size):
    return [("X-Name", "v" * (size - len("X-Name: ")))]


def head_of(size):
    """Fields of at most 100 bytes that make a head of `size` bytes."""
    head = len(request_bytes("GET", "/"))
    fields = []
    while size - head > 102 + 20:
        fields.append(field_of(80)[0])
        head += 82
    fields.append(field_of(size - head - 2)[0])
    assert len(request_bytes("GET", "/", fields)) == size
    return fields


LIMITS = [
    # what, status, request
    ("request line at the limit", 200, request_line(200)),
    ("request line", 414, request_line(201)),
    ("request line without an end", 414, b"GET /" + b"a" * 300),
    ("fields at the limit", 200, request_bytes("GET", "/", [("X", "1")] * 9)),
    ("fields", 431, request_bytes("GET", "/", [("X", "1")] * 10)),
    ("field at the limit", 200, request_bytes("GET", "/", field_of(100))),
    ("field", 431, request_bytes("GET", "/", field_of(101))),
    ("field without an end", 431, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 200),
    ("field name without an end", 431, b"GET / HTTP/1.1\r\nHost: a\r\n" + b"x" * 200),
    ("head at the limit", 200, request_bytes("GET", "/", head_of(600))),
    ("head", 431, request_bytes("GET", "/", head_of(601))),
    ("body at the limit", 200, request_bytes("POST", "/", body=b"x" * 1000)),
    ("declared body", 413, request_bytes("POST", "/", [("Content-Length", "1001")])),
    ("absurd body", 413, request_bytes("POST", "/", [("Content-Length", "9223372036854775807")])),
    (
        "body in chunks",
        413,
        request_bytes("POST", "/", [("Transfer-Encoding", "chunked")], b"1f4\r\n" + b"x" * 500 + b"\r\n1f5\r\n"),
    ),
    (
        "chunk extensions",
        400,
        request_bytes("POST", "/", [("Transfer-Encoding", "chunked")], b"1;" + b"x" * 20000),
    ),
    (
        "trailers",
        431,
        request_bytes("POST", "/", [("Transfer-Encoding", "chunked")], b"0\r\n" + b"X: 123456789\r\n" * 6000),
    ),
]


@pytest.mark.parametrize("what, status, data", LIMITS, ids=[row[0] for row in LIMITS])
def test_size(server, what, status, data):
    with server.connect() as connection:
        connection.send(data)
        response = connection.receive()
        assert response.status == status
        if status != 200:
            assert response.get("Connection") == "close"
            connection.assert_closed()


TIMES = [
    "--header-timeout", "600ms",
    "--body-timeout", "600ms",
    "--keep-alive", "600ms",
    "--write-timeout", "600ms",
    "--response-memory", "64k",
]  # fmt: skip


@pytest.fixture(scope="module")
def quick():
    with Server("stream", *TIMES) as server:
        yield server


SLOW_REQUESTS = [
    # what, the part that arrives, the bytes that then trickle, status or None for a silent end
    ("nothing at all", b"", b"", None),
    ("a head that stops", b"GET / HTTP/1.1\r\nHo", b"", 408),
    ("a head that trickles", b"GET / HTTP/1.1\r\nX: ", b"trickle" * 20, 408),
    ("a body that stops", request_bytes("POST", "/", [("Content-Length", "10")]) + b"123", b"", 408),
    ("a chunk that stops", request_bytes("POST", "/", [("Transfer-Encoding", "chunked")], b"5\r\n12"), b"", 408),
]


@pytest.mark.parametrize("what, part, trickle, status", SLOW_REQUESTS, ids=[row[0] for row in SLOW_REQUESTS])
def test_a_slow_request_ends_with_408_in_time(quick, what, part, trickle, status):
    with quick.connect() as connection:
        start = time.monotonic()
        connection.send(part)
        for byte in trickle:
            connection.socket.settimeout(0.05)
            try:
                if connection._more():
                    break
            except TimeoutError:
                connection.send(bytes([byte]))
        connection.socket.settimeout(PATIENCE)
        if status is None:
            connection.assert_closed()
        else:
            response = connection.receive()
            assert response.status == status and response.get("Connection") == "close"
            connection.assert_closed()
        assert 0.5 < time.monotonic() - start


def test_keep_alive_0_closes_after_each_answer(serve):
    server = serve("hello", "--keep-alive", "0")
    with server.connect() as connection:
        response = connection.exchange("GET", "/")
        assert (response.status, response.get("Connection")) == (200, "close")
        connection.assert_closed()


def test_an_idle_connection_is_closed_silently_after_keep_alive(quick):
    with quick.connect() as connection:
        assert connection.exchange("GET", "/?count=1").status == 200
        assert 0.5 < connection.seconds_until_end()


def test_each_request_starts_the_time_anew(quick):
    with quick.connect() as connection:
        for _ in range(4):
            assert connection.exchange("GET", "/?count=1").status == 200
            time.sleep(0.3)


def test_a_body_that_makes_progress_may_take_longer_than_body_timeout(quick):
    with quick.connect() as connection:
        connection.request("POST", "/?count=1", [("Content-Length", "5")])
        for _ in range(5):
            time.sleep(0.25)
            connection.send(b"x")
        assert connection.receive().status == 200


def test_a_client_that_takes_nothing_is_cut_after_write_timeout(quick):
    with quick.connect(receive_buffer=4096) as connection:
        connection.request("GET", "/?count=400&size=100000")
        time.sleep(2 * SLOW)
        with pytest.raises((Cut, ConnectionResetError)):
            connection.receive()
    assert quick.get("/?count=1").status == 200


def test_a_pause_of_the_application_is_not_the_clients_fault(quick):
    with quick.connect() as connection:
        assert connection.exchange("GET", "/?count=2&pause=1.2").body.count(b"line") == 2


def test_worker_connections_pauses_accepting_and_drops_nobody(serve):
    server = serve("hello", "--worker-connections", "5", "--header-timeout", "1h")
    connections = [server.connect() for _ in range(5)]
    for connection in connections:
        assert connection.exchange("GET", "/").status == 200
        connection.send(b"GET /again HTTP/1.1\r\n")
    with server.connect() as waiting:
        waiting.request("GET", "/waited")
        waiting.assert_open(0.3)
        connections.pop().close()
        assert waiting.receive().text == "Hello, waited!\n"
    for connection in connections:
        connection.send(b"Host: a\r\n\r\n")
        assert connection.receive().status == 200
        connection.close()


@pytest.mark.parametrize("asked", [True, False], ids=["idle", "silent"])
def test_connections_that_nobody_uses_lock_nobody_out(serve, asked):
    """As many as are allowed waited for --keep-alive, and so did all others."""
    options = ["--worker-connections", "5", "--header-timeout", "1h", "--keep-alive", "1h", "--bind", "unix:socket"]
    server = serve("hello", *options)
    address = str(server.directory / "socket")
    unused = []
    for _ in range(20):
        unused.append(Connection(address))
        if asked:
            assert unused[-1].exchange("GET", "/").status == 200
    for _ in range(10):
        with Connection(address) as connection:
            assert connection.exchange("GET", "/").status == 200
    server.wait_log("all 5 connections of --worker-connections are open: idle ones are closed for new ones")
    for connection in unused:
        connection.close()


def test_the_status_address_is_locked_for_nobody(serve):
    """256 clients that said nothing kept /ready, /live and /metrics from being answered for 75 s."""
    long = ["--header-timeout", "1h", "--keep-alive", "1h", "--write-timeout", "1h"]
    server = serve("hello", "--status", "unix:status", *long)
    address = str(server.directory / "status")
    silent = [Connection(address) for _ in range(300)]
    for path in ("/ready", "/live", "/metrics"):
        with Connection(address) as connection:
            assert connection.exchange("GET", path, [("Host", "localhost")]).status == 200
    silent[-1].assert_closed()  # within seconds
    for connection in silent:
        connection.close()


@pytest.mark.measures
@pytest.mark.skipif(SANITIZED, reason="a sanitizer needs descriptors of its own at any time")
def test_running_out_of_descriptors_neither_spins_nor_drops(serve):
    app = """
import os, resource

def application(environ, start_response):
    # Leaves the process without a single free descriptor: the limit that counts is now.
    if environ["PATH_INFO"] == "/take":
        used = len(os.listdir("/proc/self/fd"))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 4, hard))
    start_response("200 OK", [])
    return [environ["PATH_INFO"].encode()]
"""
    server = serve("app", "--keep-alive", "60s", files={"app.py": app})
    first = server.connect()
    assert first.exchange("GET", "/take").status == 200
    connections = [server.connect() for _ in range(20)]
    for n, connection in enumerate(connections):
        connection.request("GET", f"/{n}")
    time.sleep(0.3)
    mark, before = len(server.log), server.cpu_seconds()
    time.sleep(1.5)
    within("CPU in 1.5 s of a worker that waits for a descriptor", server.cpu_seconds() - before, 0.22)
    assert len(server.log[mark:].splitlines()) <= 4, "the log is flooded"
    assert first.exchange("GET", "/first").body == b"/first"
    for n, connection in enumerate(connections):
        # Those that were accepted answer; each one that goes makes room for another.
        assert connection.receive().body == b"/%d" % n
        connection.close()
    first.close()


def test_a_low_limit_of_descriptors_lets_everybody_wait_his_turn(serve):
    def lower():
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    server = serve("hello", "--keep-alive", "60s", preexec_fn=lower)
    connections = [server.connect() for _ in range(100)]
    for connection in connections:
        connection.request("GET", "/")
    time.sleep(1)
    for connection in connections:
        assert connection.receive().status == 200
        connection.close()
    wait_until(lambda: server.get("/").status == 200, "served after release")


def test_a_body_below_the_least_rate_is_refused_after_the_first_seconds(trickle):
    trickle.join()
    assert trickle.result.get("status") == 408
    assert 9 < trickle.result["seconds"]
