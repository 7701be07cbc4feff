"""How a connection ends: in order when the answer is whole, and so that the client can tell when it is not.

What went wrong once, in one server or another: the error answer to a client that was still sending was
destroyed by a reset, a client that never stopped sending kept its connection for ever, a second request that
came just after the last answer cut that answer short, a half-closed client was taken for one that had left,
an answer that failed in the middle looked complete.
"""

import os
import signal
import socket
import threading
import time

import pytest
from client import Cut, request_bytes
from harness import Server, cpu_seconds
from timing import PATIENCE, SLOW, report, wait_until

APP = '''
import os, random, time

DATA = random.Random(1).randbytes(6 << 20)


class Failing:
    def __init__(self, blocks):
        self.blocks = list(blocks)

    def read(self, size):
        if not self.blocks:
            raise ValueError("late")
        return self.blocks.pop(0)


def failing(blocks):
    yield from blocks
    raise ValueError("late")


def leave_a_child():
    if os.fork() == 0:
        time.sleep(1)
        os._exit(0)


def application(environ, start_response):
    path = environ["PATH_INFO"]
    part = DATA[: int(environ["QUERY_STRING"] or 4)]
    if path == "/length":
        start_response("200 OK", [("Content-Length", str(len(part)))])
        return [part]
    if path == "/stream":
        start_response("200 OK", [])
        return (part[at : at + 65536] for at in range(0, len(part), 65536))
    if path == "/pause":
        environ["wsgi.errors"].write("the application pauses\\n")
        time.sleep(0.5)
        start_response("200 OK", [])
        return [part]
    if path == "/fail-length":
        start_response("200 OK", [("Content-Length", str(len(part) + 1))])
        return failing([part])
    write = start_response("200 OK", [])
    if path == "/fail-child":
        leave_a_child()
    if path == "/fail-write":
        write(part)
        raise ValueError("late")
    if path == "/fail-wrapper":
        return environ["wsgi.file_wrapper"](Failing([part]))
    return failing([part])
'''

LINGER = 2  # seconds for which a server goes on reading from a client that it has refused
BLOCK = b"x" * 65536

OPTIONS = [
    "--header-timeout", "300ms",
    "--body-timeout", "300ms",
    "--limit-request-line", "200",
    "--limit-request-field_size", "200",
    "--limit-request-body", "100k",
]  # fmt: skip


def socket_count(server):
    """Of the worker: its connections, its listeners, and a few of its own."""
    folder = f"/proc/{server.worker_pid}/fd"
    count = 0
    for fd in os.listdir(folder):
        try:
            count += os.readlink(f"{folder}/{fd}").startswith("socket:")
        except FileNotFoundError:
            pass
    return count


@pytest.fixture(scope="module")
def server():
    with Server("app", *OPTIONS, files={"app.py": APP}) as server:
        server.sockets = socket_count(server)
        yield server


@pytest.fixture(scope="module")
def data():
    """What the application sends."""
    names = {}
    exec(APP, names)
    return names["DATA"]


CHUNKED = [("Transfer-Encoding", "chunked")]
LARGE = ("Content-Length", "10000000")
REFUSED = [
    # what, status, its first bytes
    ("a field without a colon", 400, b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n"),
    ("a bad chunk size", 400, request_bytes("POST", "/", CHUNKED, b"5 \r\n")),
    ("a declared body", 413, request_bytes("POST", "/", [LARGE])),
    ("a body in chunks", 413, request_bytes("POST", "/", CHUNKED, b"5\r\n12345\r\nfffffff\r\n")),
    ("a request line", 414, b"GET /" + b"a" * 300),
    ("a header field", 431, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 300),
    ("a head that stops", 408, b"GET / HTTP/1.1\r\nX: "),
    ("a body that stops", 408, request_bytes("POST", "/", [("Content-Length", "50000")], b"x")),
    ("an expectation", 417, request_bytes("POST", "/", [("Expect", "200-ok"), LARGE])),
    ("a transfer coding", 501, request_bytes("POST", "/", [("Transfer-Encoding", "gzip, chunked")])),
    ("a version", 505, b"POST / HTTP/2.1\r\nHost: a\r\n\r\n"),
]


def wait_readable(connection):
    """The answer, or at least its first bytes, has reached this machine; none of it is taken."""
    assert connection.socket.recv(1, socket.MSG_PEEK)


@pytest.mark.parametrize("what, status, begin", REFUSED, ids=[f"{row[1]} {row[0]}" for row in REFUSED])
def test_an_error_answer_reaches_a_client_that_goes_on_sending(server, what, status, begin):
    with server.connect() as connection:
        connection.send(begin)
        if status == 408:
            wait_readable(connection)
        for _ in range(32):
            connection.send(BLOCK)
        response = connection.receive()
        assert response.status == status and response.get("Connection") == "close"
        assert response.body.startswith(b"%d " % status)
        connection.assert_closed()
        for _ in range(32):
            connection.send(BLOCK)


class Flood:
    """Sends without an end, in a thread, until the server has had enough."""

    def __init__(self, connection):
        self.connection = connection
        self.sent = 0
        self.start = time.monotonic()
        self.seconds = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        try:
            while time.monotonic() - self.start < PATIENCE:
                self.connection.send(BLOCK)
                self.sent += len(BLOCK)
        except OSError:
            self.seconds = time.monotonic() - self.start

    def is_over(self):
        return not self.thread.is_alive()


def test_a_client_that_never_stops_sending_is_let_go_and_nobody_waits_for_it(server):
    with server.connect() as connection:
        connection.request("POST", "/", [LARGE])
        assert connection.receive().status == 413
        flood = Flood(connection)
        others = 0
        while not flood.is_over():
            assert server.get("/length").status == 200
            others += not flood.is_over()
            time.sleep(0.05)
        flood.thread.join()
    assert flood.seconds is not None, "the server never stopped reading"
    assert LINGER / 2 < flood.seconds
    assert flood.sent > 4 << 20 and others > 0


def test_refused_clients_that_stay_silent_are_let_go(server):
    wait_until(lambda: socket_count(server) == server.sockets, "former connections are gone")
    connections = [server.connect() for _ in REFUSED]
    for connection, (_, status, begin) in zip(connections, REFUSED):
        connection.send(begin)
        assert connection.receive().status == status
    assert socket_count(server) > server.sockets
    wait_until(lambda: socket_count(server) == server.sockets, "the server has let go of all of them")
    for connection in connections:
        connection.assert_closed()
        connection.close()


def test_a_refused_client_that_closes_is_forgotten_at_once(server):
    wait_until(lambda: socket_count(server) == server.sockets, "former connections are gone")
    with server.connect() as connection:
        connection.request("POST", "/", [LARGE])
        assert connection.receive().status == 413
        assert socket_count(server) == server.sockets + 1
    wait_until(lambda: socket_count(server) == server.sockets, "its connection is gone")


@pytest.mark.timing
def test_lingering_costs_two_seconds_and_no_cpu(server):
    connections = [server.connect() for _ in REFUSED]
    for connection, (_, status, begin) in zip(connections, REFUSED):
        connection.send(begin)
        assert connection.receive().status == status
    start, cpu = time.monotonic(), cpu_seconds(server.worker_pid)
    wait_until(lambda: socket_count(server) == server.sockets, "the server has let go of all of them")
    report("a refused client that stays silent is let go after", time.monotonic() - start)
    assert LINGER / 2 < time.monotonic() - start < LINGER + 2 * SLOW
    assert cpu_seconds(server.worker_pid) - cpu < 0.3 * SLOW
    for connection in connections:
        connection.close()


@pytest.mark.timing
def test_a_half_closed_client_that_reads_nothing_costs_no_cpu(server):
    with server.connect(receive_buffer=8192) as connection:
        connection.request("GET", f"/length?{6 << 20}")
        connection.finish()
        wait_readable(connection)
        before = server.cpu_seconds()
        time.sleep(0.5)
        report("a half-closed client that reads nothing, CPU in half a second", server.cpu_seconds() - before)
        assert server.cpu_seconds() - before < 0.1 * SLOW


LATE = [
    # what, options, seconds until the second request is sent
    ("--keep-alive 0", ["--keep-alive", "0"], 0.1),
    ("an idle connection", ["--keep-alive", "200ms"], 0.4),
]


def send_late(connection, pause):
    """Requests that the server does not want any more, when the answer before has begun to arrive."""
    wait_readable(connection)
    for _ in range(2):
        time.sleep(pause)
        connection.request("GET", "/length")


@pytest.mark.parametrize("what, options, pause", LATE, ids=[row[0] for row in LATE])
@pytest.mark.parametrize("size", [4, 1 << 20])
def test_a_late_request_does_not_destroy_the_answer_before_it(serve, data, what, options, pause, size):
    server = serve("app", *options, files={"app.py": APP})
    with server.connect(receive_buffer=4096) as connection:
        connection.request("GET", f"/length?{size}")
        send_late(connection, pause)
        assert connection.receive().body == data[:size] or pytest.fail("other bytes")
        connection.assert_closed()


@pytest.mark.parametrize("size", [4, 1 << 20])
def test_a_request_too_late_for_a_stop_does_not_destroy_the_answer_before_it(serve, data, size):
    server = serve("app", files={"app.py": APP})
    with server.connect(receive_buffer=4096) as connection:
        connection.request("GET", f"/pause?{size}")
        server.wait_log("the application pauses")
        server.signal(signal.SIGTERM)
        send_late(connection, 0.1)
        assert connection.receive().body == data[:size] or pytest.fail("other bytes")
        connection.assert_closed()
    assert server.wait() == 0


def test_a_request_that_crosses_a_stop_on_an_idle_connection_meets_no_reset(serve):
    server = serve("app", files={"app.py": APP})
    with server.connect() as connection:
        assert connection.exchange("GET", "/length").status == 200
        server.signal(signal.SIGTERM)
        connection.assert_closed()
        connection.request("GET", "/length")
        time.sleep(0.1)
        connection.request("GET", "/length")
        connection.assert_closed()
    assert server.wait() == 0


@pytest.mark.parametrize("path", ["/length", "/stream"])
@pytest.mark.parametrize("size", [1 << 20, 6 << 20])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_half_closed_client_that_reads_slowly_is_answered_whole(server, data, path, size, version):
    with server.connect(receive_buffer=8192) as connection:
        connection.request("GET", f"{path}?{size}", version=version)
        connection.finish()
        wait_readable(connection)
        time.sleep(0.3)
        for want in (1, 10, 1000, 5000, 70000):
            connection.buffer += connection.socket.recv(want)
            time.sleep(0.01)
        assert connection.receive().body == data[:size] or pytest.fail("other bytes")
        connection.assert_closed()


def test_a_half_closed_client_is_answered_when_the_application_takes_its_time(server, data):
    with server.connect() as connection:
        connection.request("GET", "/pause")
        connection.finish()
        assert connection.receive_final()[0].body == data[:4]
        connection.assert_closed()


FAILING = ["/fail", "/fail-write", "/fail-wrapper", "/fail-child"]


def receive_until_reset(connection):
    """What came before the connection was reset; an end in order is a failure."""
    with pytest.raises(ConnectionResetError):
        connection.rest()
        pytest.fail("an orderly end, which says that this is all")
    head, _, body = bytes(connection.buffer).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"content-length" not in head.lower() and b"transfer-encoding" not in head.lower()
    return body


@pytest.mark.parametrize("path", FAILING)
@pytest.mark.parametrize("connection_header", ["close", "keep-alive"])
def test_a_late_failure_to_http_1_0_without_a_length_is_a_reset(server, data, path, connection_header):
    with server.connect() as connection:
        connection.request("GET", path, [("Connection", connection_header)], version="1.0")
        assert receive_until_reset(connection) in (b"", data[:4])


def test_a_late_failure_to_http_1_0_is_a_reset_though_another_request_waits(server, data):
    with server.connect() as connection:
        request = request_bytes("GET", "/fail", [("Connection", "keep-alive")], version="1.0")
        connection.send(request + request_bytes("GET", "/length"))
        assert receive_until_reset(connection) in (b"", data[:4])


def test_a_late_failure_to_a_slow_http_1_0_client_is_a_reset(server, data):
    with server.connect(receive_buffer=4096) as connection:
        connection.request("GET", f"/fail?{len(data)}", version="1.0")
        wait_readable(connection)
        time.sleep(0.3)
        body = receive_until_reset(connection)
        assert data.startswith(body) or pytest.fail("other bytes")


@pytest.mark.parametrize("path", FAILING)
def test_a_late_failure_to_http_1_1_ends_without_the_last_chunk(server, data, path):
    with server.connect() as connection:
        connection.request("GET", path)
        with pytest.raises(Cut) as cut:
            connection.receive()
        assert cut.value.response.get("Transfer-Encoding") == "chunked"
        assert cut.value.response.body == data[:4]
        assert connection.buffer == b""


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_late_failure_before_content_length_ends_short_of_it(server, data, version):
    with server.connect() as connection:
        connection.request("GET", "/fail-length", version=version)
        with pytest.raises(Cut) as cut:
            connection.receive()
        assert cut.value.response.get("Content-Length") == "5"
        assert cut.value.response.body == data[:4]
