"""Clients that go away while their request waits or runs, and those that only say that they send no more.

What went wrong once, in one server or another: an overloaded service worked off the requests of clients that
had long given up; a stream went on for a browser tab that was closed, until a send failed; a client that had
half-closed its connection and waited for its answer was taken for one that was gone.
"""

import time

import pytest
from client import Connection, request_bytes
from harness import Server
from timing import SLOW, wait_until

APP = '''
import ctypes, os, threading, time

libc_with_lock = ctypes.PyDLL(None)  # its calls keep the interpreter's lock
kept = []


def note(text):
    with open("notes", "a") as file:
        file.write(text + "\\n")


def wait(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)


class Stream:
    def __init__(self):
        self.steps = 0

    def __iter__(self):
        return self

    def __next__(self):
        self.steps += 1
        wait(lambda: os.path.exists(f"step{self.steps}"))
        note(f"step{self.steps}")
        return b"some"

    def close(self):
        note("closed")


def application(environ, start_response):
    name, _, argument = environ["PATH_INFO"][1:].partition("/")
    gone = environ["gateway.client_disconnected"]
    note(name)
    start_response("200 OK", [("Content-Length", "100")] if argument == "length" else [])
    if name == "wait":
        wait(lambda: os.path.exists(argument))
    if name == "stream":
        return Stream()
    if name == "ask":
        return [repr(gone()).encode()]
    if name == "watch":
        before = gone()
        wait(gone, float(argument))
        note(f"{before} {gone()}")
    if name == "native":
        libc_with_lock.usleep(int(float(argument) * 1e6))
        note(repr(gone()))
    if name == "thread":
        thread = threading.Thread(target=lambda: (wait(gone, float(argument)), note(repr(gone()))))
        thread.start()
        thread.join()
    if name == "sleep":
        threading.Thread(target=lambda: (wait(gone, 10), note(repr(gone())))).start()
        time.sleep(float(argument))
    if name == "keep":
        kept.append(gone)
    if name == "kept":
        return [repr(kept.pop()()).encode()]
    return [b"done"]
'''


@pytest.fixture(scope="module", params=[1, 4], ids=["one-thread", "four-threads"])
def running(request):
    with start(request.param) as server:
        yield server


@pytest.fixture
def server(running):
    """As new: nothing is left of the test before."""
    for path in running.directory.iterdir():
        if path.name in ("notes", "go") or path.name.startswith("step"):
            path.unlink()
    (running.directory / "access").write_text("")
    return running


def start(threads):
    log = ["--access-logfile", "access", "--access-logformat", "%(U)s %(s)s"]
    server = Server("app", "--threads", threads, "--bind", "unix:socket", *log, files={"app.py": APP})
    server.threads = threads
    return server


def connect(server, transport="tcp"):
    return Connection(str(server.directory / "socket")) if transport == "unix" else server.connect()


def lines(server, name):
    path = server.directory / name
    return path.read_text().splitlines() if path.exists() else []


def noted(server, *expected):
    wait_until(lambda: set(expected) <= set(lines(server, "notes")), f"{expected} in {lines(server, 'notes')}")


def logged(server, line):
    wait_until(lambda: line in lines(server, "access"), f"{line} in {lines(server, 'access')}")


class Busy:
    """All threads are in a call; when the block is left they are let go, and answer."""

    def __init__(self, server, name="go"):
        self.server, self.name = server, name
        self.connections = [server.connect() for _ in range(server.threads)]
        for connection in self.connections:
            connection.request("GET", f"/wait/{name}")
        wait_until(lambda: lines(server, "notes").count("wait") >= server.threads, "all are in the application")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        (self.server.directory / self.name).touch()
        for connection in self.connections:
            assert connection.receive().body == b"done"
            connection.close()


GONE = [
    ("tcp", "1.1", "close"),
    ("tcp", "1.1", "reset"),
    ("tcp", "1.0", "reset"),
    ("unix", "1.1", "close"),
    ("unix", "1.0", "close"),
]


@pytest.mark.parametrize("transport, version, goodbye", GONE)
@pytest.mark.parametrize("pause", [0, 0.1 * SLOW], ids=["at-once", "later"])
def test_a_request_that_waits_is_dropped_with_its_client(server, transport, version, goodbye, pause):
    with Busy(server):
        waiting = connect(server, transport)
        waiting.request("GET", "/waiting", version=version)
        time.sleep(pause)
        getattr(waiting, goodbye)()
        logged(server, "/waiting 499")
    assert server.get("/after").body == b"done"
    assert "waiting" not in lines(server, "notes")


def see_all_that_wait(server, name):
    """The worker drops the last request that waits: it has looked after the clients of those before."""
    last = connect(server, "unix")
    last.request("GET", "/" + name)
    last.close()
    logged(server, f"/{name} 499")


def test_an_old_client_that_may_have_closed_is_waited_with_for_a_second(server):
    # The threads once answered at their own time-out of 20 s, as long as the test waited: on a busy machine it gave up first.
    with Busy(server):
        for name in ("closes", "half-closes"):
            waiting = connect(server)
            waiting.request("GET", "/" + name, version="1.0")
            waiting.close() if name == "closes" else waiting.finish()
        see_all_that_wait(server, "before")
        time.sleep(1.1)
        see_all_that_wait(server, "after")
    logged(server, "/closes 499")
    logged(server, "/half-closes 499")
    waiting.assert_closed()
    waiting.close()
    assert not {"closes", "half-closes"} & set(lines(server, "notes"))


HALF = [("tcp", "1.1"), ("tcp", "1.0"), ("unix", "1.1"), ("unix", "1.0")]


@pytest.mark.parametrize("transport, version", HALF)
def test_a_client_that_half_closes_is_answered_though_it_has_waited(server, transport, version):
    with connect(server, transport) as waiting:
        with Busy(server):
            waiting.request("GET", "/waiting", version=version)
            waiting.finish()
            time.sleep(0.2)
        response, interim = waiting.receive_final()
        assert (response.status, response.body) == (200, b"done")
        assert interim == ((transport, version) == ("tcp", "1.1"))
        waiting.assert_closed()


@pytest.mark.parametrize("transport, version", HALF)
def test_a_client_that_half_closes_is_answered_though_the_call_lasts(server, transport, version):
    with connect(server, transport) as connection:
        connection.request("GET", "/watch/0.4", version=version)
        connection.finish()
        response, interim = connection.receive_final()
        assert (response.status, response.body) == (200, b"done")
        assert interim == ((transport, version) == ("tcp", "1.1"))
        connection.assert_closed()
    # One of HTTP/1.0 cannot be asked: it passes for gone.
    assert lines(server, "notes")[-1].split()[1] == repr((transport, version) == ("tcp", "1.0"))


def test_a_client_that_half_closes_gets_its_answer_alone_when_it_comes_at_once(server):
    for _ in range(20):
        with server.connect() as connection:
            connection.request("GET", "/at-once")
            connection.finish()
            assert connection.receive().status == 200
            connection.assert_closed()


def test_a_client_that_half_closes_within_a_stream_gets_all_of_it(server):
    with server.connect() as connection:
        connection.request("GET", "/stream")
        (server.directory / "step1").touch()
        wait_until(lambda: connection._more(), "the first chunk")
        connection.finish()
        time.sleep(0.3)
        for step in range(2, 6):
            (server.directory / f"step{step}").touch()
        connection._until(b"\r\n\r\n", None)
        assert connection._until(b"4\r\nsome\r\n", None) == b"4\r\nsome\r\n"
        # What it was asked with is a part of the next chunk's size.
        assert connection._until(b"4\r\nsome\r\n", None) == b"04\r\nsome\r\n"
        assert connection._until(b"4\r\nsome\r\n", None) == b"4\r\nsome\r\n"
        connection.reset()
    (server.directory / "step6").touch()
    noted(server, "closed")


@pytest.mark.parametrize("transport, version, goodbye", GONE)
@pytest.mark.parametrize("steps", [0, 1])
def test_a_stream_is_closed_at_its_next_chunk(server, transport, version, goodbye, steps):
    connection = connect(server, transport)
    connection.request("GET", "/stream", version=version)
    for step in range(1, steps + 1):
        (server.directory / f"step{step}").touch()
        wait_until(lambda: connection._more(), "the chunk")
    time.sleep(0.1)
    getattr(connection, goodbye)()
    time.sleep(0.2 * SLOW)
    for step in range(steps + 1, 5):
        (server.directory / f"step{step}").touch()
    noted(server, "closed")
    assert lines(server, "notes") == ["stream", *[f"step{step}" for step in range(1, steps + 2)], "closed"]
    logged(server, f"/stream {200 if steps else 499}")


def test_an_application_that_asks_is_told_that_its_client_is_there(server):
    with server.connect() as connection:
        for _ in range(3):
            assert connection.exchange("GET", "/ask").text == "False"
        assert connection.exchange("GET", "/watch/0.3").text == "done"
        assert connection.exchange("GET", "/thread/0.3").text == "done"
    assert "False False" in lines(server, "notes") and "False" in lines(server, "notes")


@pytest.mark.parametrize("transport, version, goodbye", [*GONE, ("tcp", "1.0", "close")])
@pytest.mark.parametrize("path, note", [("/watch/600", "False True"), ("/thread/600", "True"), ("/native/0.6", "True")])
def test_an_application_that_asks_is_told_that_its_client_is_gone(server, transport, version, goodbye, path, note):
    connection = connect(server, transport)
    connection.request("GET", path, version=version)
    time.sleep(0.1 * SLOW)
    getattr(connection, goodbye)()
    noted(server, note)
    if (version, goodbye) != ("1.0", "close") or transport == "unix":
        logged(server, f"{path} 499")


def test_nobody_is_there_after_the_request(server):
    with server.connect() as connection:
        connection.exchange("GET", "/keep")
        assert connection.exchange("GET", "/kept").text == "True"


def test_nobody_waits_for_a_call_that_was_answered_in_its_place():
    with Server("app", "--timeout", "300ms", files={"app.py": APP}) as server, server.connect() as connection:
        assert connection.exchange("GET", "/sleep/2").status == 504
        noted(server, "True")


@pytest.mark.parametrize("goodbye", ["close", "reset"])
def test_a_pipelined_request_is_dropped_with_its_client(goodbye):
    with start(threads=1) as server:
        piped, other = server.connect(), server.connect()
        with Busy(server, "first-is-due"):
            piped.send(request_bytes("GET", "/first") + request_bytes("GET", "/second"))
            time.sleep(0.1)
            other.request("GET", "/wait/end")
            time.sleep(0.1)
        # The other one runs now, and the second request waits.
        assert piped.receive().body == b"done"
        time.sleep(0.1 * SLOW)
        getattr(piped, goodbye)()
        logged(server, "/second 499")
        (server.directory / "end").touch()
        assert other.receive().body == b"done"
        other.close()
        assert lines(server, "notes") == ["wait", "first", "wait"]


def test_those_who_stay_are_served_in_their_order():
    with start(threads=1) as server:
        connections = []
        with Busy(server):
            for number in range(30):
                connections.append(server.connect())
                connections[-1].request("GET", f"/number{number}")
                time.sleep(0.005)
            for connection in connections[::3]:
                connection.close()
            wait_until(lambda: len(lines(server, "access")) == 10, "ten are dropped")
        for number, connection in enumerate(connections):
            if number % 3 != 0:
                assert connection.receive().body == b"done"
                connection.close()
        assert lines(server, "notes")[1:] == [f"number{number}" for number in range(30) if number % 3 != 0]


def test_many_calls_that_send_while_their_clients_end(server):
    """The loop asks the client while the thread answers: nothing of it may be lost or torn."""
    for _ in range(30):
        connections = [server.connect() for _ in range(4)]
        for connection in connections:
            connection.request("GET", "/watch/0.05")
        time.sleep(0.05)
        for connection in connections:
            connection.finish()
        for connection in connections:
            assert connection.receive_final()[0].body == b"done"
            connection.assert_closed()
            connection.close()
