"""The last moments of a service: each client is answered or refused, and load balancers are told in time.

What went wrong once, in one server or another: clients whose handshake was done, or under way, when the socket
was closed were reset; a load balancer sent requests for as long as its health check took to notice.
"""

import collections
import os
import re
import selectors
import signal
import socket
import time

import pytest
from block import HOLD, Holding
from client import Connection, request_bytes
from timing import PATIENCE, SLOW, wait_until
from watcher import Watcher

APP = HOLD + """
def application(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [])
    if environ["PATH_INFO"].startswith("/hold/"):
        hold(environ["PATH_INFO"][6:])
        return [b"done"]
    return [body]
"""


DELAY = 4 * SLOW  # seconds; a busy machine, too, serves some requests in that time


@pytest.fixture
def start(serve):
    """Starts servers that the test itself may have stopped."""

    def start(*options, **keywords):
        return serve("app", *options, files={"app.py": APP}, **keywords)

    return start


class Rush:
    """Many clients that connect and ask, one soon after the other, while something happens to the server."""

    def __init__(self, address):
        self.address = address
        self.selector = selectors.DefaultSelector()
        self.outcomes = collections.Counter()

    def start_one(self):
        family = socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET
        client = socket.socket(family, socket.SOCK_STREAM)
        client.setblocking(False)
        try:
            client.connect(self.address)
        except BlockingIOError:
            pass
        except OSError as error:
            self.end(client, type(error).__name__)
            return
        self.selector.register(client, selectors.EVENT_WRITE, bytearray())

    def end(self, client, outcome):
        client.close()
        self.outcomes[outcome] += 1

    def step(self, client, data):
        """What came next for one of them; None while it goes on."""
        try:
            if not data:
                if error := client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    raise OSError(error, os.strerror(error))
                client.send(request_bytes("POST", "/", body=b"x"))
                data += b"sent "
                self.selector.modify(client, selectors.EVENT_READ, data)
                return None
            if received := client.recv(65536):
                data += received
                return "answered" if data.endswith(b"\r\n\r\nx") else None
            return "closed"
        except OSError as error:
            return type(error).__name__

    def turn(self, seconds):
        for key, _ in self.selector.select(seconds):
            if outcome := self.step(key.fileobj, key.data):
                self.selector.unregister(key.fileobj)
                self.end(key.fileobj, outcome)

    def run(self, count, meanwhile, at):
        for number in range(count):
            if number == at:
                meanwhile()
            self.start_one()
            self.turn(0)
        end = time.monotonic() + PATIENCE
        while self.selector.get_map():
            assert time.monotonic() < end, f"{len(self.selector.get_map())} clients hang"
            self.turn(0.05)
        return self.outcomes


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "unix:socket"])
@pytest.mark.parametrize("workers", [1, 3])
def test_of_a_thousand_who_come_during_a_stop_each_is_answered_or_refused(start, bind, workers):
    for attempt in range(3):
        server = start(bind=bind, workers=workers)
        wait_until(lambda server=server: len(server.worker_pids()) == workers, "all workers")
        rush = Rush(server.address if "127" in bind else str(server.directory / "socket"))
        outcomes = rush.run(1000, lambda server=server: server.signal(signal.SIGTERM), 400 + 50 * attempt)
        server.expect_end()
        refused = outcomes.pop("ConnectionRefusedError", 0) + outcomes.pop("FileNotFoundError", 0)
        # A unix-domain socket whose queue is full says so.
        refused += outcomes.pop("BlockingIOError", 0) if "unix" in bind else 0
        # Those before the stop are answered. On a fast machine the others may be, too.
        assert outcomes.pop("answered") >= 400
        assert not outcomes, f"{outcomes}, {refused} refused"


def is_refused(address):
    try:
        Connection(address).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    return False


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "unix:socket"])
def test_who_came_before_the_stop_is_answered_and_who_comes_after_it_is_refused(start, bind):
    """The worker has one thread, and that is busy until the door is closed: the requests wait with it, or in the socket's queue."""
    server = start(bind=bind, ready=lambda: True)
    server.wait_log(r"\bready\b")
    address = server.address if "127" in bind else str(server.directory / "socket")
    server.connect = lambda **keywords: Connection(address, **keywords)
    with Holding(server, "sleep") as call:
        early = [Connection(address) for _ in range(100)]
        for client in early:
            client.request("POST", "/", body=b"x")
        server.signal(signal.SIGTERM)
        wait_until(lambda: is_refused(address), "new clients are refused")
        call.assert_last()
    for client in early:
        assert client.receive().body == b"x"
        client.close()
    server.expect_end()


def test_before_it_drains_the_service_says_that_it_is_not_ready_and_serves_on(start):
    server = start("--drain-delay", f"{DELAY}s", "--health-path", "/health", workers=2)
    assert server.get("/health/ready").status == 200
    begun = time.monotonic()
    server.signal(signal.SIGTERM)
    wait_until(lambda: server.get("/health/ready").status == 503, "not ready")
    for _ in range(5):
        assert server.request("POST", "/", body=b"x").body == b"x"
        assert server.get("/health/live").status == 200
    server.expect_end()
    assert time.monotonic() - begun >= DELAY


def test_before_it_drains_answers_send_clients_to_another_connection(start):
    """And close none that no answer has said it of."""
    server = start("--drain-delay", f"{2 * DELAY}s", "--health-path", "/health")
    with server.connect() as asking, server.connect() as idle, server.connect() as upload:
        upload.request("POST", "/", [("Content-Length", "2")], b"1")
        assert asking.exchange().get("Connection") is None and idle.exchange().get("Connection") is None
        server.signal(signal.SIGTERM)
        wait_until(lambda: server.get("/health/ready").status == 503, "not ready")
        upload.send(b"2")
        for kept in asking, upload:
            response = kept.receive() if kept is upload else kept.exchange("POST", "/", (), b"12")
            assert (response.body, response.get("Connection")) == (b"12", "close")
            kept.assert_closed()
        with server.connect() as new:
            assert new.exchange("GET", "/health/live").get("Connection") == "close"
            new.assert_closed()
        idle.assert_open(0.1)
        idle.assert_closed()
    server.expect_end()


def test_a_worker_that_comes_during_the_delay_is_not_ready_either(start):
    server = start("--drain-delay", "60s", "--health-path", "/health")
    server.signal(signal.SIGTERM)
    wait_until(lambda: server.get("/health/ready").status == 503, "not ready")
    os.kill(server.worker_pid, signal.SIGKILL)
    server.wait_log("it is replaced now")
    assert server.get("/health/ready").status == 503
    server.signal(signal.SIGINT)
    server.expect_end()


def test_what_a_second_term_cuts_is_counted(start):
    server = start("--status", "127.0.0.1:0", workers=2)
    watcher = Watcher(server)
    with server.connect() as upload, server.connect() as head, server.connect() as idle:
        assert idle.exchange().status == 200
        upload.request("POST", "/", [("Content-Length", "2")], b"1")
        head.send(b"GET / HTTP/1.1\r\n")
        wait_until(lambda: watcher.json["connections"]["reading"] == 2, "both are being read")
        server.signal(signal.SIGTERM)
        wait_until(lambda: {worker["state"] for worker in watcher.json["workers"]} == {"draining"}, "all drain")
        server.signal(signal.SIGTERM)
        server.expect_end()
    said = re.findall(r"warning: told to leave at once: (\d) connections? (?:is|are) cut", server.log)
    assert sum(map(int, said)) == 2, server.log


def test_a_second_term_does_not_wait(start):
    server = start("--drain-delay", "600s", "--health-path", "/health")
    server.signal(signal.SIGTERM)
    wait_until(lambda: server.get("/health/ready").status == 503, "not ready")
    assert server.process.poll() is None
    server.signal(signal.SIGTERM)
    server.expect_end()
