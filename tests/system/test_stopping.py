"""The end: what a stop lets finish, what it cuts and tells, how long it may take; and the ends that nobody
asked for, with the exit statuses that are documented.

What went wrong once, in one server or another: a stopping server took new connections and left them without
an answer; fifty queued requests made INT take as long as TERM; an answer that was cut looked whole to an
HTTP/1.0 client; a client that had connected and said nothing held the stop until the last deadline; a start
that could not fork hung, or ended with status 0.

test_processes.py has the signals' plain cases; they are not repeated here.
"""

import errno
import os
import re
import resource
import signal
import socket
import subprocess
import time
from contextlib import ExitStack

import pytest
from client import Connection, Cut, chunked
from harness import run
from timing import GATEWAY, wait_until
from watcher import Watcher

BIG = 8_000_000  # more than the kernel takes for a connection

APP = f"""
import os, signal, time


def handle(number, frame):
    print("handled", number)


def part():
    yield b"part"
    time.sleep(600)


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/sleep":
        print("the call has begun")
        time.sleep(600)
    if path == "/slow":
        time.sleep(0.2)
    if path == "/part":
        start_response("200 OK", [("Content-Length", "9")] if environ["QUERY_STRING"] else [])
        return part()
    size = len(environ["wsgi.input"].read())
    start_response("200 OK", [])
    if path == "/blocks":
        return (b"x" * 100_000 for _ in range({BIG} // 100_000))
    return [b"x" * {BIG} if path == "/big" else b"%d" % size]


signal.signal(signal.SIGUSR2, handle)
signal.signal(signal.SIGALRM, handle)
"""


@pytest.fixture
def start(serve):
    """Starts servers that the test itself may have stopped."""

    def start(*options, app=APP, **keywords):
        return serve("app", *options, files={"app.py": app}, **keywords)

    return start


def drain(server, idle):
    """TERM; it has arrived in the worker when answers on connections that idled end them."""
    server.signal(signal.SIGTERM)
    wait_until(lambda: not accepts(server), "the listening sockets are shut")
    assert idle.exchange().get("Connection") == "close"
    idle.assert_closed()


def accepts(server):
    try:
        Connection(server.address if server.addresses[0].startswith("http") else str(server.directory / "socket")).close()
        return True
    except (ConnectionRefusedError, ConnectionResetError, FileNotFoundError):
        return False


def await_answer(reader):
    assert reader.socket.recv(1, socket.MSG_PEEK), "the answer has begun"


# What a stop lets finish.


@pytest.mark.parametrize("path", ["/big", "/blocks"])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_term_lets_a_slow_reader_have_all_of_a_big_answer(start, path, version):
    server = start()
    with server.connect(receive_buffer=65536) as reader, server.connect() as idle:
        assert idle.exchange().status == 200
        reader.request("GET", path, version=version)
        await_answer(reader)
        drain(server, idle)
        assert server.process.poll() is None
        assert len(reader.receive().body) == BIG
        reader.assert_closed()
    server.expect_end()


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "unix:socket"])
def test_while_it_drains_new_connections_are_refused(start, bind):
    server = start(bind=bind)
    address = server.address if "127" in bind else str(server.directory / "socket")

    def refused():
        try:
            Connection(address).close()
        except (ConnectionRefusedError, FileNotFoundError):
            return True

    with Connection(address) as upload, Connection(address) as idle:
        assert idle.exchange().status == 200
        upload.request("POST", "/", [("Content-Length", "2")], b"1")
        drain(server, idle)
        wait_until(refused, "a new connection is refused")
        upload.send(b"2")
        assert upload.receive().body == b"2"
    server.expect_end()


@pytest.mark.parametrize("asked", [True, False], ids=["idle", "silent"])
def test_while_the_service_drains_a_request_on_an_open_connection_is_answered(start, asked):
    """Connections that idled were closed at once, and a request that was sent meanwhile was thrown away."""
    server = start(bind="unix:socket")
    address = str(server.directory / "socket")
    with Connection(address) as upload, Connection(address) as late, Connection(address) as other:
        if asked:
            assert late.exchange().status == 200
        upload.request("POST", "/", [("Content-Length", "2")], b"1")
        assert other.exchange().status == 200
        drain(server, other)
        late.assert_open(1)  # longer than any silent client had
        response = late.exchange()
        assert (response.status, response.get("Connection")) == (200, "close")
        late.assert_closed()
        upload.send(b"2")
        assert upload.receive().body == b"2"
    server.expect_end()


def test_what_waited_to_be_accepted_is_answered_before_the_end(start):
    server = start()
    with ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(20)]
        clients[0].request("GET", "/slow")
        for client in clients[1:]:
            client.request("GET", "/")
        server.signal(signal.SIGTERM)
        assert [client.receive().body for client in clients] == [b"0"] * 20
    server.expect_end()


def test_term_lets_a_chunked_upload_into_a_spool_finish(start):
    server = start("--body-memory", "1k")
    body = chunked(*[b"x" * 10_000] * 20)
    with server.connect() as upload, server.connect() as idle:
        assert idle.exchange().status == 200
        upload.request("POST", "/", [("Transfer-Encoding", "chunked"), ("Expect", "100-continue")])
        assert upload.receive().status == 100
        drain(server, idle)
        for at in range(0, len(body), 50_000):
            upload.send(body[at : at + 50_000])
            time.sleep(0.01)  # it comes in several turns
        response = upload.receive()
        assert (response.body, response.get("Connection")) == (b"200000", "close")
        upload.assert_closed()
    server.expect_end()


@pytest.mark.parametrize("number", [signal.SIGUSR2, signal.SIGALRM])
def test_a_signal_handler_of_the_application_runs_while_the_worker_drains(start, number):
    server = start()
    with server.connect() as upload, server.connect() as idle:
        assert idle.exchange().status == 200
        upload.request("POST", "/", [("Content-Length", "2")], b"1")
        drain(server, idle)
        os.kill(server.worker_pid, number)
        server.wait_log(rf"handled {int(number)}\b")
        upload.send(b"2")
        assert upload.receive().body == b"2"
    server.expect_end()


# What it cuts.

CALL_CUT = r'warning: the application did not return in time from "GET /sleep\?who=me'


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_int_and_quit_do_not_wait_for_queued_requests(start, number):
    server = start()
    with ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(50)]
        for client in clients:  # so that all of them are accepted: the next requests are read at once
            assert client.exchange().status == 200
        for client in clients:
            client.request("GET", "/slow")
        assert clients[0].receive().status == 200
        server.signal(number)
        server.expect_end()
        assert "killed" not in server.log, "the worker left by itself"
        answers = [client.rest_or_answer() for client in clients[1:]]
    # Each call lasts 0.2 s: the requests behind it were queued for longer than the stop takes.
    assert set(answers) <= {200, b""} and answers.count(b"") > 0, answers


def test_int_ends_a_drain(start):
    server = start()
    with server.connect() as upload, server.connect() as idle:
        assert idle.exchange().status == 200
        upload.request("POST", "/", [("Content-Length", "2")], b"1")
        drain(server, idle)
        server.signal(signal.SIGINT)
        server.expect_end()
        assert upload.rest_or_answer() == b""


def test_int_in_a_drain_bounds_a_call_that_does_not_return_and_the_log_says_so(start):
    server = start()
    with server.connect() as client:
        client.request("GET", "/sleep?who=me")
        server.wait_log("the call has begun")
        server.signal(signal.SIGTERM)
        server.wait_log("stopping: ")
        server.signal(signal.SIGINT)
        server.expect_end()
        assert client.rest_or_answer() == b""
    assert re.search(CALL_CUT, server.log), server.log


def test_a_second_int_says_what_it_has_done(start):
    # "did not leave in time", 3 ms after the second INT.
    server = start("--timeout", "0")
    with server.connect() as connection:
        connection.request("GET", "/sleep")
        server.wait_log("the call has begun")
        os.kill(server.worker_pid, signal.SIGSTOP)
        server.signal(signal.SIGINT)
        server.wait_log("stopping quickly")
        server.signal(signal.SIGINT)
        server.expect_end()
    assert re.search(r'worker 0 .* was killed by the master, told to stop at once, after .*"GET /sleep', server.log)
    assert "did not leave in time" not in server.log


def test_graceful_timeout_bounds_a_call_that_does_not_return_and_the_log_says_so(start):
    servers = [start("--graceful-timeout", time_out) for time_out in ("0", "300ms")]
    with servers[0].connect() as one, servers[1].connect() as other:
        for server, client in zip(servers, (one, other)):
            client.request("GET", "/sleep?who=me")
            server.wait_log("the call has begun")
            server.signal(signal.SIGTERM)
        for server, client in zip(servers, (one, other)):
            server.expect_end()
            assert client.rest_or_answer() == b""
            assert re.search(CALL_CUT, server.log), server.log


@pytest.mark.parametrize("time_out", ["0", "300ms"])
def test_graceful_timeout_cuts_uploads_and_the_log_says_how_many(start, time_out):
    server = start("--graceful-timeout", time_out)
    with server.connect() as one, server.connect() as other:
        for upload in (one, other):
            upload.request("POST", "/", [("Content-Length", "2")], b"1")
        one.assert_open()
        server.signal(signal.SIGTERM)
        server.expect_end()
        assert (one.rest_or_answer(), other.rest_or_answer()) == (b"", b"")
    assert re.search("warning: --graceful-timeout has passed: 2 connections are cut", server.log), server.log


STOPS = [(signal.SIGTERM, "300ms"), (signal.SIGINT, "30s")]


@pytest.mark.parametrize("number, time_out", STOPS, ids=["graceful-timeout", "SIGINT"])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_an_answer_that_a_stop_cuts_never_looks_whole(start, number, time_out, version):
    server = start("--graceful-timeout", time_out)
    with server.connect(receive_buffer=65536) as reader:
        reader.request("GET", "/blocks", version=version)
        await_answer(reader)
        assert server.get("/").status == 200, "its turn: the big answer is all made"
        server.signal(number)
        server.expect_end()
        with pytest.raises((Cut, ConnectionResetError)):
            reader.receive()


LOG = ["--access-logfile", "access", "--access-logformat", "%(s)s %(B)s %(U)s"]


def logged(server):
    return (server.directory / "access").read_text().splitlines()


@pytest.mark.parametrize("number, time_out", STOPS, ids=["graceful-timeout", "SIGINT"])
@pytest.mark.parametrize("path", ["/big", "/blocks"])
def test_what_was_sent_of_a_framed_answer_survives_a_stop(start, number, time_out, path):
    """Its connection was reset, which takes from the client what it has not read yet."""
    server = start("--graceful-timeout", time_out, *LOG)
    with server.connect(receive_buffer=65536) as reader:
        reader.request("GET", path)
        await_answer(reader)
        assert server.get("/").status == 200, "its turn: the big answer is all made"
        reader.send(b"GET / HTTP/1.1\r\n")  # what the server has not read makes no reset of it, either
        server.signal(number)
        server.expect_end()
        size = len(reader.rest().partition(b"\r\n\r\n")[2])
        [line] = [line for line in logged(server) if line.endswith(path)]
        assert line.startswith("200 ") and 0 < size < BIG
        assert 0 <= size - int(line.split()[1]) < 0.001 * BIG, "but for the lines of chunks"


@pytest.mark.parametrize("number, time_out", STOPS, ids=["graceful-timeout", "SIGINT"])
@pytest.mark.parametrize("version, query", [("1.1", ""), ("1.1", "?length"), ("1.0", "?length"), ("1.0", "")])
def test_a_call_that_a_stop_cuts_is_logged_and_its_client_has_what_was_sent(start, number, time_out, version, query):
    """The client met a reset whatever the framing, and the request had no line in the access log."""
    server = start("--graceful-timeout", time_out, *LOG)
    with server.connect() as client:
        client.request("GET", "/part" + query, version=version)
        await_answer(client)
        client.buffer += client.socket.recv(1000)
        server.signal(number)
        server.expect_end()
        if version == "1.0" and not query:
            with pytest.raises(ConnectionResetError):
                client.rest()
        else:
            assert client.rest().endswith({"": b"part\r\n", "?length": b"part"}[query])
        assert logged(server) == ["200 4 /part"]


def test_requests_that_a_quick_stop_does_not_answer_are_logged(start):
    """Those that waited for a thread, or were not whole, had no line in the access log."""
    server = start("--status", "127.0.0.1:0", *LOG)
    watcher = Watcher(server)
    with server.connect() as running, server.connect() as queued, server.connect() as upload:
        upload.request("POST", "/upload", [("Content-Length", "2")], b"1")
        wait_until(lambda: watcher.json["connections"]["reading"] == 1, "the head of the upload is there")
        running.request("GET", "/sleep?who=me")
        server.wait_log("the call has begun")
        queued.request("GET", "/queued")
        wait_until(lambda: watcher.json["queued"] == 1, "a request waits")
        server.signal(signal.SIGINT)
        server.expect_end()
    assert sorted(logged(server)) == ["499 0 /queued", "499 0 /sleep", "499 0 /upload"]


# Clients that say nothing.


@pytest.mark.parametrize("accepted", [False, True], ids=["not accepted", "accepted"])
def test_silent_clients_hold_up_neither_others_nor_the_stop(start, accepted):
    server = start()
    descriptors = f"/proc/{server.worker_pid}/fd"
    before = len(os.listdir(descriptors))
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(server.connect())
        if accepted:  # it takes a second: the kernel waits for their first bytes
            wait_until(lambda: len(os.listdir(descriptors)) >= before + 20, "the silent clients are accepted")
        with server.connect() as idle:
            assert idle.exchange().status == 200
            server.signal(signal.SIGTERM)
            idle.assert_closed()
        server.expect_end()


def test_a_client_that_was_silent_is_answered_when_it_speaks(start):
    server = start()
    with server.connect() as early, server.connect() as late:
        early.assert_open(0.1)
        assert early.exchange().body == b"0"
        late.assert_open(1.5)  # by now it is accepted
        assert late.exchange().body == b"0"


# Ends that nobody asked for.


def unprivileged():
    """What subprocess needs to run the program as somebody whose number of processes can be limited."""
    if os.getuid() != 0:
        return {}
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    try:
        subprocess.run([GATEWAY, "--version"], check=True, capture_output=True, cwd="/", **nobody)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"root's processes are not limited, and nobody cannot run {GATEWAY}: {error}")
    return nobody


def limit(what, number):
    return lambda: resource.setrlimit(what, (number, number))


def failures(log):
    return re.findall(r" (?:error|critical): (.*)", log)


def test_a_start_that_cannot_fork_is_one_sentence_and_exit_status_1():
    limited = limit(resource.RLIMIT_NPROC, 1)
    done = run("hello", "--bind", "127.0.0.1:0", cwd="/", preexec_fn=limited, **unprivileged())
    assert done.returncode == 1, done.stderr
    (sentence,) = failures(done.stderr)
    assert "fork" in sentence and os.strerror(errno.EAGAIN) in sentence


def test_a_worker_that_cannot_be_forked_later_is_told_and_does_not_hinder_a_stop(start):
    # Only the same user may limit the master: the application does.
    app = APP + "\nimport resource\nresource.prlimit(os.getppid(), resource.RLIMIT_NPROC, (1, 1))\n"
    server = start(app=app, **unprivileged())
    os.kill(server.worker_pid, signal.SIGKILL)
    server.wait_log(rf"worker 0 cannot be forked: {os.strerror(errno.EAGAIN)}; the next try is in \d+ s")
    assert server.process.poll() is None
    server.signal(signal.SIGTERM)
    server.expect_end()


def test_a_start_without_enough_descriptors_is_one_sentence_and_exit_status_1():
    limited = limit(resource.RLIMIT_NOFILE, 40)
    done = run("hello", "--bind", "unix:socket", "--workers", "64", preexec_fn=limited)
    assert done.returncode == 1, done.stderr
    (sentence,) = failures(done.stderr)
    assert "Too many open files" in sentence


@pytest.mark.parametrize("status", [0, 1, 3, 7])
def test_an_application_that_ends_the_process_while_it_is_loaded_is_told(tmp_path, status):
    (tmp_path / "app.py").write_text(f"import os\nos._exit({status})\n")
    done = run("app", "--bind", "127.0.0.1:0", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert re.search(rf"error: .*\bstatus {status}\b", done.stderr), done.stderr


# Files, when the application has gone elsewhere.


TMP_DIRS = [
    (["--tmp-dir", "."], {}),
    ([], {"TMPDIR": "."}),
]


@pytest.mark.parametrize("options, env", TMP_DIRS, ids=["--tmp-dir", "TMPDIR"])
def test_a_relative_directory_for_spools_is_meant_from_where_the_server_was_started(start, options, env):
    app = APP + '\nos.chdir("/proc")  # where nobody can make a file\n'
    server = start("--body-memory", "1k", "--response-memory", "16k", *options, app=app, env=env)
    assert server.request("POST", "/", body=b"x" * 200_000).body == b"200000"
    with server.connect(receive_buffer=65536) as reader:
        reader.request("GET", "/blocks")
        await_answer(reader)
        assert len(reader.receive().body) == BIG
    assert sorted(os.listdir(server.directory)) == ["app.py", "stderr"]
