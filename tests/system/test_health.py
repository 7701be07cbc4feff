"""Health paths and the queue: what is answered without the application, and when it cannot keep up.

What went wrong once, in one server or another: the health check waited behind a slow application, so that a
busy server was taken for a dead one and restarted; and a queue without an end held clients that had long
given up.
"""

import signal
import time

import pytest
from block import HOLD, Holding
from harness import Server
from timing import wait_until
from watcher import Watcher

APP = HOLD + '''
def application(environ, start_response):
    path = environ["PATH_INFO"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path.startswith("/hold/"):
        hold(path[6:])
        return [b"done"]
    return [path.encode()]
'''


@pytest.fixture(params=[1, 2], ids=["one-thread", "two-threads"])
def start(request):
    servers = []

    def starter(*options):
        servers.append(Server("app", "--threads", request.param, *options, files={"app.py": APP}))
        servers[-1].threads = request.param
        return servers[-1]

    yield starter
    for server in servers:
        server.stop()


def busy(server, way="sleep"):
    """As many calls as there are threads, until the block ends."""
    return Holding(server, way, server.threads)


def test_health_is_answered_and_everything_else_goes_to_the_application(start):
    server = start("--health-path", "/-/health")
    for path, text in (("/live", "alive\n"), ("/ready", "ready\n")):
        response = server.get("/-/health" + path)
        assert (response.status, response.text) == (200, text)
        assert response.get("Cache-Control") == "no-store"
        assert server.request("HEAD", "/-/health" + path).body == b""
        assert server.get("/-/health" + path + "?x=1").text == text
    for path in ("/-/health", "/-/healthy/live", "/-/health/live/", "/live", "/ready"):
        assert server.get(path).text == path
    assert server.request("POST", "/-/health/live").text == "/-/health/live"


def test_without_the_option_the_application_has_all_paths(start):
    assert start().get("/live").text == "/live"


def test_health_keeps_its_place_in_a_pipeline(start):
    server = start("--health-path", "/h")
    request = "GET {} HTTP/1.1\r\nHost: a\r\n\r\n"
    paths = ["/h/live", "/a", "/h/ready", "/h/live", "/b"] * 20
    with server.connect() as connection:
        connection.send("".join(map(request.format, paths)).encode())
        texts = {"/h/live": "alive\n", "/h/ready": "ready\n"}
        assert [connection.receive().text for _ in paths] == [texts.get(path, path) for path in paths]


@pytest.mark.parametrize("way", ["sleep", "native"])
def test_health_does_not_wait_for_the_application(start, way):
    server = start("--health-path", "/h")
    with busy(server, way) as calls:
        assert server.get("/h/live").status == 200
        assert server.get("/h/ready").status == 200
        calls.assert_last()


def test_a_draining_worker_is_alive_and_not_ready(start):
    server = start("--health-path", "/h", "--status", "127.0.0.1:0")
    watcher = Watcher(server)
    with server.connect() as kept:
        assert kept.exchange("GET", "/h/ready").status == 200
        # Its next request is under way when the worker is told to drain: so it is answered.
        kept.send(b"GET /h/ready HTTP/1.1\r\nHost: a\r\n")
        wait_until(lambda: watcher.json["connections"]["reading"] == 1, "it is being read")
        server.signal(signal.SIGTERM)
        wait_until(lambda: watcher.json["workers"][0]["state"] == "draining", "the worker drains")
        kept.send(b"\r\n")
        response = kept.receive()
        assert (response.status, response.text) == (503, "draining\n")
        assert response.get("Connection") == "close"
    assert server.wait() == 0


def test_a_request_that_waits_too_long_for_a_thread_is_answered_503(start):
    server = start("--queue-timeout", "300ms", "--health-path", "/h")
    with busy(server), server.connect() as waiting, server.connect() as other:
        begun = time.monotonic()
        waiting.request("GET", "/late")
        other.request("GET", "/later")
        response = waiting.receive()
        assert response.status == 503 and response.get("Retry-After").isdigit()
        assert response.get("Connection") is None, "its client may try again"
        assert time.monotonic() - begun >= 0.29
        assert other.receive().status == 503
        # Nobody waits now; one who does makes the worker one that is not ready.
        waiting.request("GET", "/again")
        assert waiting.receive().status == 503
    server.wait_log(r"waited longer than --queue-timeout for a thread")
    assert server.get("/fine").text == "/fine"


def test_a_saturated_worker_is_not_ready_for_a_while(start):
    server = start("--queue-timeout", "300ms", "--health-path", "/h")
    with busy(server), server.connect() as waits:
        waits.request("GET", "/1")
        assert waits.receive().status == 503
        # For a second since then: a busy machine may need another try.
        for number in range(20):
            if server.get("/h/ready").text == "saturated\n":
                break
            waits.request("GET", f"/{number}")
            assert waits.receive().status == 503
        else:
            pytest.fail("it is ready at once")
        assert server.get("/h/live").status == 200
    wait_until(lambda: server.get("/h/ready").status == 200, "it is ready again")


def test_without_a_queue_timeout_requests_wait(start):
    server = start("--queue-timeout", "0")
    waiting = [server.connect() for _ in range(4)]
    with busy(server):
        for connection in waiting:
            connection.request("GET", "/x")
        for connection in waiting:
            connection.assert_open(0.1)
    for connection in waiting:
        assert connection.receive().status == 200
        connection.close()
