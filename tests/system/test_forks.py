"""Applications that fork: what a child may never do, and what it may not keep from ending.

What went wrong once, in one server or another: a child that came back from a signal handler, or from close(),
ran the event loop beside its parent and took requests from it; a child wrote its half of an answer into the
parent's; a client waited for the end of an answer, or of its connection, as long as some child lived that had
inherited the socket; a daemon started by the application kept the port from the next server.

What test_apps_misbehave.py has (a fork that returns twice, subprocess, multiprocessing) is not repeated here.
"""

import os
import signal
from contextlib import suppress

import pytest
from client import Cut
from harness import Server, is_alive
from timing import PATIENCE, SLOW, wait_until

APP = '''
import json, os, signal, sys, threading, time
import multiprocessing


def stay():
    """A child that holds whatever it has inherited until somebody ends it."""
    if (child := os.fork()) == 0:
        while True:
            signal.pause()
    return child


def wait(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def note(text):
    with open("notes", "a") as file:
        file.write(text + "\\n")


def on_signal(number, frame):
    note(f"{os.getpid()} handles")
    os.fork()


class ForksInClose(list):
    def close(self):
        os.fork()


def cut():
    """Half an answer."""
    yield b"half"
    stay()
    raise ValueError("in the middle")


def yields():
    if (child := os.fork()) == 0:
        yield b"from the child"
    wait(child)
    yield b"parent"


def write_in_child(write):
    """The child writes before the parent does."""
    if (child := os.fork()) == 0:
        try:
            write(b"from the child")
        except OSError:
            os._exit(9)
        os._exit(0)
    return wait(child)


def in_child_only(what):
    """The child does `what` and is gone before the parent goes on."""
    if (child := os.fork()) == 0:
        return what()
    wait(child)
    return [b"parent"]


def raises():
    raise ValueError("raised in the child")


def exits():
    if (child := os.fork()) == 0:
        sys.exit(3)
    return wait(child)


def exits_in_process():
    process = multiprocessing.get_context("fork").Process(target=sys.exit, args=(3,))
    process.start()
    process.join()
    return process.exitcode


def stay_in_thread():
    """Forks after the answer to this request has left."""
    threading.Timer(0.1, stay).start()
    return True


def answer(path):
    if path == "/stay":
        return stay()
    if path == "/stay-in-thread":
        return stay_in_thread()
    if path == "/exit":
        return exits()
    if path == "/exit-process":
        return exits_in_process()
    if path == "/signal":
        os.kill(os.getpid(), signal.SIGUSR2)
    return os.getpid()


def respond(path, environ, start_response):
    headers = [("Content-Length", "100")] if path == "/cut-length" else []
    write = start_response("200 OK", headers)
    if path in ("/cut", "/cut-length"):
        return cut()
    if path == "/close":
        return ForksInClose([b"parent"])
    if path == "/yield":
        return yields()
    if path == "/write":
        return [b"parent, child: %d" % write_in_child(write)]
    if path == "/write-late":
        write(b"parent, ")
        return [b"child: %d" % write_in_child(write)]
    if path == "/return":
        return in_child_only(lambda: [b"from the child"])
    if path == "/return-file":
        return in_child_only(lambda: environ["wsgi.file_wrapper"](open(__file__, "rb")))
    if path == "/restart":
        return in_child_only(lambda: start_response("404 Not Found", []) and [b"from the child"])
    if path == "/raise":
        return in_child_only(raises)
    if path == "/read":
        return in_child_only(environ["wsgi.input"].read) and [b"%d" % len(environ["wsgi.input"].read())]
    return [json.dumps(answer(path)).encode()]


def application(environ, start_response):
    return respond(environ["PATH_INFO"], environ, start_response)


signal.signal(signal.SIGUSR2, on_signal)
'''


@pytest.fixture
def start(serve):
    """Starts servers whose application's children end with the test, too."""
    started = []

    def start(*options, at_import="", **keywords):
        started.append(serve("app", *options, files={"app.py": APP + at_import}, **keywords))
        return started[-1]

    yield start
    for server in started:
        for child in children(server):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


@pytest.fixture(scope="module")
def server():
    with Server("app", files={"app.py": APP}) as server:
        yield server


def children(server):
    """Those that the application has left, whose parent may be gone."""
    return set(server.processes()) - {server.pid} - set(server.worker_pids())


def assert_serves_alone(server):
    """Nobody but the master and its worker is there, and the worker answers everything."""
    wait_until(lambda: len(server.processes()) == 2, f"the forked children have ended: {server.processes()}")
    pid = b"%d" % server.worker_pid
    with server.connect() as connection:
        assert [connection.exchange("GET", "/pid").body for _ in range(20)] == [pid] * 20
    assert [server.get("/pid").body for _ in range(20)] == [pid] * 20


def assert_ends_now(connection):
    """Not when the child ends that has the socket, too."""
    connection.socket.settimeout(3 * SLOW)
    assert connection.rest_or_answer() == b""


# At import.


def test_a_child_that_comes_back_from_the_import_neither_serves_nor_reports(start):
    server = start(at_import="os.fork()\nnote(str(os.getpid()))", workers=2)
    notes = server.directory / "notes"
    wait_until(lambda: len(notes.read_text().split()) == 4, "both have come back, in each worker")
    wait_until(lambda: len(server.processes()) == 3, f"the children have ended: {server.processes()}")
    pids = [int(server.get("/pid").body) for _ in range(20)]
    assert set(pids) <= set(server.worker_pids())
    assert server.log.count("ready in") == 1
    assert " error: " not in server.log, server.log


AT_IMPORT = {
    "os.fork": "helper = stay()",
    "multiprocessing": """
process = multiprocessing.get_context("fork").Process(target=signal.pause, daemon=True)
process.start()
helper = process.pid
""",
    "subprocess": """
import subprocess
helper = subprocess.Popen(["sleep", "60"], close_fds=False).pid
""",
}


@pytest.mark.parametrize("way", AT_IMPORT)
def test_a_child_of_the_import_that_stays_takes_no_request_and_does_not_keep_the_port(start, way):
    server = start(at_import=AT_IMPORT[way] + "\nnote(str(helper))")
    helper = int((server.directory / "notes").read_text())
    address, pid = server.address, b"%d" % server.worker_pid
    assert [server.get("/pid").body for _ in range(20)] == [pid] * 20
    server.signal(signal.SIGTERM)
    assert server.process.wait(PATIENCE) == 0
    assert is_alive(helper) or way == "multiprocessing", "which ends its own"
    with start(bind="%s:%d" % address) as successor:
        assert successor.get("/pid").body == b"%d" % successor.worker_pid


def test_a_pool_made_at_import_serves_the_requests(serve):
    app = """
import multiprocessing, os

pool = multiprocessing.get_context("fork").Pool(2)


def application(environ, start_response):
    start_response("200 OK", [])
    return [b"%d" % sum(pool.map(abs, [-1, -2, -3])), b" by %d" % os.getpid()]
"""
    server = serve("app", files={"app.py": app})
    pid = server.worker_pid
    assert [server.get("/").body for _ in range(5)] == [b"6 by %d" % pid] * 5


# In the middle of a request.


def test_a_child_that_comes_back_from_a_signal_handler_of_an_idle_worker_ends(start):
    server = start()
    notes = server.directory / "notes"

    def handled():
        return notes.read_text() if notes.exists() else ""

    with server.connect() as idle:
        assert idle.exchange("GET", "/pid").status == 200
        for count in (1, 2, 3):
            os.kill(server.worker_pid, signal.SIGUSR2)
            wait_until(lambda: handled().count("handles") == count, "the handler runs")
            assert_serves_alone(server)
        assert idle.exchange("GET", "/pid").body == b"%d" % server.worker_pid
    assert set(handled().splitlines()) == {f"{server.worker_pid} handles"}, "only the worker got the signals"


def test_a_child_that_comes_back_from_a_signal_handler_in_a_request_does_not_answer(start):
    server = start()
    with server.connect() as connection:
        for _ in range(3):
            assert connection.exchange("GET", "/signal").body == b"%d" % server.worker_pid
        connection.assert_open()
    assert_serves_alone(server)


def test_a_child_that_comes_back_from_close_ends_and_the_connection_stays_the_parents(start):
    server = start()
    with server.connect() as connection:
        for _ in range(3):
            assert connection.exchange("GET", "/close").body == b"parent"
        connection.assert_open()
    assert_serves_alone(server)


ANSWERS = [
    ("/write", b"parent, child: 9"),
    ("/write-late", b"parent, child: 9"),
    ("/yield", b"parent"),
    ("/return", b"parent"),
    ("/return-file", b"parent"),
    ("/restart", b"parent"),
    ("/raise", b"parent"),
]


@pytest.mark.parametrize("path, body", ANSWERS, ids=[row[0] for row in ANSWERS])
def test_what_a_child_answers_before_its_parent_never_reaches_the_client(server, path, body):
    with server.connect() as connection:
        assert connection.exchange("GET", path).body == body
        assert connection.exchange("GET", "/pid").body == b"%d" % server.worker_pid
        connection.assert_open()
    assert_serves_alone(server)


@pytest.mark.parametrize("size", [100, 200000], ids=["in memory", "in a spool"])
def test_a_body_that_a_child_has_read_is_still_there_for_the_parent(server, size):
    assert server.request("POST", "/read", body=b"x" * size).body == b"%d" % size
    assert_serves_alone(server)


@pytest.mark.parametrize("path", ["/exit", "/exit-process"], ids=["os.fork", "multiprocessing"])
def test_a_child_that_calls_sys_exit_leaves_with_that_status(server, path):
    mark = len(server.log)
    assert server.get(path).body == b"3"
    assert " error: " not in server.log[mark:], "sys.exit() is no failure of the application"


# A child that stays.


def test_a_worker_that_is_killed_is_replaced_while_a_child_has_its_descriptors(start):
    server = start()
    old = server.worker_pid
    with server.connect() as connection:
        child = int(connection.exchange("GET", "/stay").body)
        os.kill(old, signal.SIGKILL)
        wait_until(lambda: server.worker_pids() not in ([], [old]), "another worker in its place")
        assert is_alive(child)
        pid = b"%d" % server.worker_pid
        assert [server.get("/pid").body for _ in range(20)] == [pid] * 20
        assert "in use" not in server.log
        server.signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0, "the stop reaches the new worker"
        assert is_alive(child)
        with pytest.raises(ConnectionRefusedError):
            server.connect()


def test_a_child_of_a_worker_that_was_killed_does_not_keep_its_connections(start):
    server = start()
    with server.connect() as connection:
        assert connection.exchange("GET", "/stay").status == 200
        os.kill(server.worker_pid, signal.SIGKILL)
        assert_ends_now(connection)


CUTS = [
    ("/cut", "1.1", Cut),
    ("/cut-length", "1.1", Cut),
    ("/cut", "1.0", ConnectionResetError),  # only a reset tells
]


@pytest.mark.parametrize("path, version, error", CUTS, ids=["chunked", "length", "until the end"])
def test_an_answer_that_is_cut_ends_at_once_although_a_child_has_the_socket(start, path, version, error):
    server = start()
    with server.connect() as connection:
        connection.socket.settimeout(3 * SLOW)
        connection.request("GET", path, version=version)
        with pytest.raises(error):
            connection.receive()
        assert children(server)


def test_a_refused_request_ends_its_connection_although_a_child_has_the_socket(start):
    server = start()
    with server.connect() as connection:
        assert connection.exchange("GET", "/stay").status == 200
        connection.send(b"nonsense\r\n\r\n")
        assert connection.receive().status == 400
        assert_ends_now(connection)


@pytest.mark.parametrize("path", ["/stay", "/stay-in-thread"])
def test_an_idle_connection_is_closed_in_time_although_a_child_has_the_socket(start, path):
    server = start("--keep-alive", "300ms")
    with server.connect() as connection:
        assert connection.exchange("GET", path).status == 200
        assert_ends_now(connection)
        assert children(server)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_ends_idle_connections_although_a_child_has_the_socket(start, number):
    server = start()
    with server.connect() as connection:
        child = int(connection.exchange("GET", "/stay").body)
        server.signal(number)
        assert_ends_now(connection)
    assert server.process.wait(PATIENCE) == 0
    assert is_alive(child)


def test_a_request_cut_by_graceful_timeout_ends_although_a_child_has_the_socket(start):
    server = start("--graceful-timeout", "200ms")
    with server.connect() as connection:
        child = int(connection.exchange("GET", "/stay").body)
        connection.request("POST", "/pid", [("Content-Length", "10")], b"half")
        server.signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
        assert is_alive(child)
        assert_ends_now(connection)
