"""--timeout: a call of the application has a deadline, also with threads, also inside C.

What went wrong once, in one server or another: the time-out only knew whole workers, and killed all the
requests of one for the sake of one; a thread that hung was never found; the client waited for ever, or got
half an answer that looked whole; nobody could tell where the application had been.
"""

import os
import signal
import threading
import time

import pytest
from client import Cut, request_bytes
from harness import Server
from timing import PATIENCE, wait_until

APP = '''
import ctypes, os, signal, threading, time

libc_with_lock = ctypes.PyDLL(None)
all_block = threading.Barrier(3)


def note(text):
    with open("notes", "a") as file:
        file.write(text + "\\n")


def wait(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)


class Answer:
    def __init__(self, blocks):
        self.blocks = iter(blocks)

    def __iter__(self):
        return self

    def __next__(self):
        block = next(self.blocks)
        if block is None:
            wait(20)
        return block

    def close(self):
        note("closed")


class SlowClose(Answer):
    def close(self):
        os.close(os.open("gate", os.O_RDONLY))  # until somebody opens it to write
        note("let-through")


DATA = bytes(range(256)) * 1000


def application(environ, start_response):
    name, _, argument = environ["PATH_INFO"][1:].partition("/")
    if name == "begun":
        start_response("200 OK", [("Content-Length", "10")] if argument == "length" else [])
        return Answer([b"begun", None, b"ended"])
    if name == "slow-close":
        start_response("200 OK", [("Content-Length", "4")])
        return SlowClose([b"whol", b"e"[:0]])
    if name == "data":
        start_response("200 OK", [("Content-Length", str(len(DATA)))])
        return [DATA]
    if name == "finally":
        try:
            wait(20)
        finally:
            note("finally")
    if name == "kind":
        try:
            wait(20)
        except Exception:
            note("Exception")
        except BaseException as error:
            note(f"{type(error).__module__}.{type(error).__name__}")
            raise
    if name == "swallow":
        try:
            wait(20)
        except BaseException:
            pass
    if name == "wait":
        wait(float(argument))
    if name == "sleep":
        time.sleep(float(argument))
    if name == "block":
        all_block.wait(20)
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    if name == "native":
        libc_with_lock.usleep(int(float(argument) * 1e6))
    if name == "deadlock":
        mutex = ctypes.create_string_buffer(64)
        libc_with_lock.pthread_mutex_lock(mutex)
        libc_with_lock.pthread_mutex_lock(mutex)
    start_response("200 OK", [])
    return [b"done"]
'''


@pytest.fixture(params=[1, 3], ids=["one-thread", "three-threads"])
def start(request):
    servers = []

    def starter(*options, **keywords):
        options = ("--threads", request.param, "--timeout", "400ms", *options)
        servers.append(Server("app", *options, files={"app.py": APP}, **keywords))
        return servers[-1]

    yield starter
    for server in servers:
        server.stop()


def notes(server):
    path = server.directory / "notes"
    return path.read_text().split() if path.exists() else []


@pytest.mark.parametrize("path", ["/wait/20", "/finally", "/sleep/4", "/native/4"])
def test_a_call_that_lasts_is_answered_504_and_told_with_its_stack(start, path):
    server = start("--access-logfile", "access", "--access-logformat", "%(U)s %(s)s %(B)s")
    begun = time.monotonic()
    response = server.request("GET", path + "?a=\"b\"")
    took = time.monotonic() - begun
    assert took >= 0.4
    assert response.status == 504 and response.get("Connection") == "close"
    assert response.text == "504 Gateway Timeout\n"
    found = server.wait_log(rf'warning: "GET {path}\?a=\\"b\\" HTTP/1.1" has run for (\S+) s, longer than --timeout: 504')
    assert 0.4 <= float(found[1]) <= took + 0.06  # it is rounded
    server.wait_log(r"in application\n")
    assert server.get("/").text == "done", "the thread serves again"
    access = server.directory / "access"
    lines = wait_until(lambda: (text := access.read_text()).count("\n") == 2 and text.splitlines(), "two lines")
    assert sorted(lines) == sorted([f"{path} 504 20", "/ 200 4"])
    assert "Traceback" not in server.log, "told once"


def test_calls_in_time_are_left_alone(start):
    server = start("--timeout", f"{PATIENCE}s")
    with server.connect() as connection:
        for path in ("/wait/0.1", "/", "/wait/0.2", "/native/0.2", "/"):
            assert connection.exchange("GET", path).body == b"done"
    assert "has run" not in server.log


@pytest.mark.parametrize("path", ["/begun/length", "/begun/chunked"])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_an_answer_that_has_begun_is_cut_so_that_the_client_can_tell(start, path, version):
    server = start()
    with server.connect() as connection:
        connection.request("GET", path, version=version)
        with pytest.raises((Cut, ConnectionResetError)):
            connection.receive()
    server.wait_log("longer than --timeout: its answer is cut")
    wait_until(lambda: notes(server) == ["closed"], "close() was called")
    assert server.get("/").text == "done"


@pytest.mark.parametrize("path", ["/begun/length", "/begun/chunked"])
def test_a_cut_destroys_no_other_answer_that_is_on_its_way(start, path):
    """It was a reset, and the kernel threw away what it still had of the answer before: whole, and of another request."""
    server = start()
    with server.connect(receive_buffer=4096) as connection:
        connection.send(request_bytes("GET", "/data") + request_bytes("GET", path) + request_bytes("GET", "/"))
        while "longer than --timeout: its answer is cut" not in server.log:
            connection.buffer += connection.socket.recv(1000)  # until what is left fits into the kernel
            time.sleep(0.005)
        assert connection.receive().body == bytes(range(256)) * 1000
        with pytest.raises(Cut) as cut:
            connection.receive()
        assert cut.value.response.body == b"begun"
        assert connection.rest() == b"", "and nothing is run behind it"


@pytest.mark.parametrize("closes", [False, True], ids=["kept", "Connection: close"])
def test_an_answer_that_has_left_is_not_cut_for_what_comes_after_it(start, closes):
    """Its connection goes on although close() lasts: the next request was not answered, and its client not told."""
    server = start()
    os.mkfifo(server.directory / "gate")
    with server.connect() as connection:
        headers = [("Connection", "close")] if closes else []
        assert connection.exchange("GET", "/slow-close", headers).text == "whol"
        server.wait_log("longer than --timeout: its answer had left")
        if closes:
            connection.assert_closed()
        else:
            connection.request()
            if "3" in server.process.args:
                assert connection.receive().text == "done"
        assert notes(server) == []
        with open(server.directory / "gate", "w"):
            if not closes and "3" not in server.process.args:
                assert connection.receive().text == "done"
    assert server.get("/").text == "done"


def test_the_exception_is_gateways_own_and_no_plain_exception(start):
    server = start()
    assert server.get("/kind").status == 504
    wait_until(lambda: notes(server) == ["gateway.RequestTimeout"], "it was raised")


def test_the_application_cleans_up(start):
    server = start()
    assert server.get("/finally").status == 504
    wait_until(lambda: notes(server) == ["finally"], "finally was run")


@pytest.mark.parametrize("threads", [1, 3])
def test_a_call_that_waits_for_its_client_cleans_up_in_peace(threads):
    app = """
def note(what):
    with open("notes", "a") as file:
        file.write(what + "\\n")

class Answer:
    def __iter__(self):
        return self

    def __next__(self):
        return b"x" * 65536

    def close(self):
        note("closed")

def generate():
    try:
        while True:
            yield b"x" * 65536
    finally:
        note("cleaned")

def application(environ, start_response):
    start_response("200 OK", [])
    return Answer() if environ["PATH_INFO"] == "/object" else generate()
"""
    options = ["--threads", threads, "--timeout", "400ms", "--response-memory", "64k", "--response-spool", "0"]
    with Server("app", *options, files={"app.py": app}) as server:
        for path, expected in (("/object", "closed"), ("/generator", "cleaned")):
            with server.connect(receive_buffer=4096) as reader:
                reader.request("GET", path)
                wait_until(lambda expected=expected: expected in notes(server), f"{expected} is noted")


def test_what_an_application_answers_after_its_deadline_goes_nowhere(start):
    server = start()
    with server.connect() as connection:
        response = connection.exchange("GET", "/swallow")
        assert response.status == 504
        connection.assert_closed()
    assert server.get("/").text == "done"


def test_an_exception_that_comes_too_late_hits_no_other_call(start):
    server = start()
    for _ in range(5):
        # The sleep ends after the deadline, when nothing of the call is left but its end.
        assert server.get("/sleep/0.5").status == 504
        for _ in range(5):
            assert server.get("/").text == "done"
    wait_until(lambda: server.log.count("longer than --timeout") == 5, "each was told")


def test_other_requests_of_the_worker_do_not_suffer():
    with Server("app", "--threads", "3", "--timeout", "3s", files={"app.py": APP}) as server:
        answers = []
        threads = [
            threading.Thread(target=lambda path=path: answers.append((path, server.get(path).status)))
            for path in ("/wait/20", "/wait/0.3", "/wait/0.2", "/wait/0.1", "/")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [("/", 200), ("/wait/0.1", 200), ("/wait/0.2", 200), ("/wait/0.3", 200), ("/wait/20", 504)]


@pytest.mark.parametrize("path", ["/deadlock", "/sleep/30"])
def test_a_worker_whose_call_never_returns_is_replaced(start, path):
    server = start("--graceful-timeout", "500ms")
    before = server.worker_pids()
    assert server.get(path).status == 504
    server.wait_log("has not returned --graceful-timeout after --timeout")
    server.wait_log(rf'did not return in time from "GET {path}')
    wait_until(lambda: before[0] not in server.worker_pids(), "it has left")
    assert server.get("/").text == "done"


@pytest.mark.parametrize("path", ["/deadlock", "/begun"])
def test_a_call_that_has_not_returned_is_in_the_access_log_at_the_end(start, path):
    server = start("--graceful-timeout", "500ms", "--access-logfile", "access", "--access-logformat", "%(U)s %(s)s")
    access = server.directory / "access"
    if path == "/begun":
        with pytest.raises(Cut), server.connect() as connection:
            connection.exchange("GET", path)
    else:
        assert server.get(path).status == 504
    server.signal(signal.SIGTERM)
    server.process.wait(PATIENCE)
    assert access.read_text() == f"{path} {200 if path == '/begun' else 504}\n"


def test_a_thread_whose_signals_a_call_has_blocked_tells_its_stack_all_the_same():
    with Server("app", "--threads", "3", "--timeout", "400ms", files={"app.py": APP}) as server:
        for path in ("/block", "/sleep/2"):
            connections = [server.connect() for _ in range(3)]
            for connection in connections:
                connection.request("GET", path)
            statuses = [connection.receive().status for connection in connections]
            time.sleep(0.1)  # the signals of a thread are looked at every 20 ms
        assert statuses == [504, 504, 504]
        wait_until(lambda: server.log.count("has run for") == 3, "each is told")
        assert server.log.count(' in application') == 3 and "cannot be had" not in server.log


def test_without_a_timeout_calls_last_as_long_as_they_like():
    with Server("app", "--timeout", "0", files={"app.py": APP}) as server:
        assert server.get("/wait/1").text == "done"
        assert "has run" not in server.log


def test_both_options_tell_both():
    options = ["--timeout", "600ms", "--slow-request", "200ms"]
    with Server("app", *options, files={"app.py": APP}) as server:
        assert server.get("/wait/20").status == 504
        server.wait_log("longer than --timeout")
        assert [line for line in server.log.splitlines() if "has run for" in line][0].endswith(" s")
        assert server.log.count("has run for") == 2
