"""Health paths and the queue: what is answered without the application, and when it can not keep up.

What went wrong once, in one server or another: the health check waited behind a slow application, so that a
busy server was taken for a dead one and restarted; and a queue without an end held clients that had long
given up.
"""

import signal
import threading
import time

import pytest
from harness import Server
from timing import SLOW, wait_until

APP = '''
import ctypes, time

libc_with_lock = ctypes.PyDLL(None)  # its calls keep the interpreter's lock


def application(environ, start_response):
    path = environ["PATH_INFO"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path.startswith("/sleep/"):
        time.sleep(float(path[7:]))
    elif path.startswith("/native/"):
        libc_with_lock.usleep(int(float(path[8:]) * 1e6))
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


def busy(server, path):
    """As many connections as there are threads, each with a call under way."""
    connections = [server.connect(timeout=30) for _ in range(server.threads)]
    for connection in connections:
        connection.request("GET", path)
    time.sleep(0.1 * SLOW)
    return connections


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


@pytest.mark.parametrize("way", ["/sleep/0.6", "/native/0.6"])
def test_health_does_not_wait_for_the_application(start, way):
    server = start("--health-path", "/h")
    connections = busy(server, way)
    begun = time.monotonic()
    assert server.get("/h/live").status == 200
    assert server.get("/h/ready").status == 200
    assert time.monotonic() - begun < 0.1 * SLOW
    for connection in connections:
        assert connection.receive().status == 200
        connection.close()


def test_a_draining_worker_is_alive_and_not_ready(start):
    server = start("--health-path", "/h")
    with server.connect() as kept:
        assert kept.exchange("GET", "/h/ready").status == 200
        # Its next request is under way when the worker is told to drain: so it is answered.
        kept.send(b"GET /h/ready HTTP/1.1\r\nHost: a\r\n")
        time.sleep(0.1)
        server.signal(signal.SIGTERM)
        server.wait_log("stopping")
        time.sleep(0.1 * SLOW)
        kept.send(b"\r\n")
        response = kept.receive()
        assert (response.status, response.text) == (503, "draining\n")
        assert response.get("Connection") == "close"
    assert server.wait() == 0


def test_a_request_that_waits_too_long_for_a_thread_is_answered_503(start):
    server = start("--queue-timeout", "300ms", "--health-path", "/h")
    connections = busy(server, "/sleep/1.2")
    begun = time.monotonic()
    with server.connect() as waiting, server.connect() as other:
        waiting.request("GET", "/late")
        other.request("GET", "/later")
        response = waiting.receive()
        assert response.status == 503 and response.get("Retry-After").isdigit()
        assert response.get("Connection") is None, "its client may try again"
        assert 0.29 <= time.monotonic() - begun < 0.3 + 0.3 * SLOW
        assert other.receive().status == 503
        # Nobody waits now; one who does makes the worker one that is not ready.
        waiting.request("GET", "/again")
        assert waiting.receive().status == 503
    for connection in connections:
        assert connection.receive().status == 200
        connection.close()
    server.wait_log(r"waited longer than --queue-timeout for a thread")
    assert server.get("/fine").text == "/fine"


def test_a_saturated_worker_is_not_ready_for_a_while(start):
    server = start("--queue-timeout", "300ms", "--health-path", "/h")
    connections = busy(server, "/sleep/1.5")
    with server.connect() as first, server.connect() as second:
        first.request("GET", "/1")
        time.sleep(0.2)
        second.request("GET", "/2")
        assert first.receive().status == 503
        assert server.get("/h/ready").text == "saturated\n"
        assert server.get("/h/live").status == 200
        assert second.receive().status == 503
    for connection in connections:
        assert connection.receive().status == 200
        connection.close()
    wait_until(lambda: server.get("/h/ready").status == 200, "it is ready again")


def test_without_a_queue_timeout_requests_wait(start):
    server = start("--queue-timeout", "0")
    connections = busy(server, "/sleep/0.5")
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(server.get("/x").status)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 4
    for connection in connections:
        assert connection.receive().status == 200
        connection.close()
