"""One request cannot hurt another: applications that fork, start threads, meddle with signals and
descriptors.

What went wrong once, in one server or another: after a fork() in the application parent and child both
answered, and the child went on accepting connections; background threads stood still while the worker was
idle; a signal handler of the application kept the worker from stopping.
"""

import os
import signal

import pytest
from harness import Server
from timing import wait_until

APP = '''
import ctypes, json, multiprocessing, os, signal, subprocess, sys, threading, time

def tick():
    with open("ticks", "ab", buffering=0) as file:
        while True:
            time.sleep(0.01)
            file.write(b"x")


def square(n):
    return n * n


def late_child():
    """A child that leaves the application much later than its parent."""
    if os.fork() == 0:
        end = time.monotonic() + 5
        while not os.path.exists("closed-was-seen") and time.monotonic() < end:
            time.sleep(0.01)
        open("child-ended", "w").close()
    return os.getpid()


def in_child(start_response):
    if os.fork() == 0:
        raise ValueError("raised in the child")
    return b"parent"


def generator():
    yield b"before "
    os.fork()
    yield b"after"


def answer(path):
    if path == "/pid":
        return os.getpid()
    if path == "/ticks":
        return os.path.getsize("ticks")
    if path == "/fork":
        os.fork()
        return os.getpid()
    if path == "/late-child":
        return late_child()
    if path == "/subprocess":
        return subprocess.run(["echo", "from a child"], stdout=subprocess.PIPE).stdout.decode()
    if path == "/system":
        return os.system("exit 3") >> 8
    if path == "/python":
        return subprocess.run([sys.executable, "-c", "print(6 * 7)"], stdout=subprocess.PIPE).stdout.decode()
    if path == "/descriptors":
        # What a program started by the application inherits: nothing of ours.
        command = ["ls", "-l", "/proc/self/fd"]
        return subprocess.run(command, stdout=subprocess.PIPE, close_fds=False).stdout.decode()
    if path == "/multiprocessing-fork":
        with multiprocessing.get_context("fork").Pool(2) as pool:
            return pool.map(square, [1, 2, 3])
    if path == "/terminate":
        process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(5,))
        process.start()
        process.terminate()
        process.join()
        return process.exitcode
    if path == "/multiprocessing-spawn":
        process = multiprocessing.get_context("spawn").Process(target=square, args=(3,))
        process.start()
        process.join(20)
        return process.exitcode
    if path == "/thread":
        found = []
        thread = threading.Thread(target=lambda: found.append(square(7)))
        thread.start()
        thread.join()
        return found
    if path == "/main-thread":
        return threading.current_thread() is threading.main_thread()
    if path == "/signals":
        names = ["SIGINT", "SIGTERM", "SIGPIPE", "SIGCHLD", "SIGHUP", "SIGUSR1"]
        return {name: str(signal.getsignal(getattr(signal, name))) for name in names}
    if path == "/alarm":
        seen = []
        old = signal.signal(signal.SIGALRM, lambda number, frame: seen.append(number))
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        while not seen:
            time.sleep(0.01)
        signal.signal(signal.SIGALRM, old)
        return seen
    if path == "/handlers":
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN)
        return "ignored"
    if path == "/chdir":
        os.chdir("/")
        os.umask(0o777)
        return os.getcwd()
    if path == "/sigpipe":
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        return "default"
    if path == "/stdout":
        print("printed by the application")
        return "printed"
    return path


threading.Thread(target=tick, daemon=True).start()


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/fork-in-generator":
        start_response("200 OK", [])
        return generator()
    if path == "/fork-child-raises":
        body = in_child(start_response)
    elif path == "/large":
        body = b"x" * 3000000
    else:
        body = json.dumps(answer(path)).encode()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body]
'''


@pytest.fixture(scope="module")
def server():
    with Server("app", files={"app.py": APP}) as server:
        yield server


def settled(server):
    """Only the master and its worker are there, and the worker serves."""
    wait_until(lambda: len(server.processes()) == 2, f"the application's children have ended: {server.processes()}")
    with server.connect() as connection:
        for n in range(50):
            assert connection.exchange("GET", f"/{n}").body == b'"/%d"' % n
    assert [server.get("/x").status for _ in range(20)] == [200] * 20
    return True


@pytest.mark.parametrize("path", ["/fork", "/late-child"])
def test_after_a_fork_that_returns_twice_only_the_parent_answers(server, path):
    pid = server.worker_pid
    for _ in range(3):
        with server.connect() as connection:
            assert connection.exchange("GET", path).body == b"%d" % pid
            assert connection.exchange("GET", "/next").body == b'"/next"'
            connection.assert_open()
    assert settled(server) and server.worker_pid == pid


def test_after_a_fork_in_a_generator_each_block_comes_once(server):
    with server.connect() as connection:
        assert connection.exchange("GET", "/fork-in-generator").body == b"before after"
        assert connection.exchange("GET", "/next").body == b'"/next"'
    assert settled(server)


def test_an_exception_in_a_forked_child_is_not_the_clients_answer(server):
    with server.connect() as connection:
        assert connection.exchange("GET", "/fork-child-raises").body == b"parent"
        assert connection.exchange("GET", "/next").body == b'"/next"'
    assert settled(server)


def test_the_connection_ends_when_the_server_closes_it_even_if_a_child_lives(server):
    for name in ("child-ended", "closed-was-seen"):
        (server.directory / name).unlink(missing_ok=True)
    with server.connect() as connection:
        connection.request("GET", "/late-child", [("Connection", "close")])
        assert connection.receive().status == 200
        connection.assert_closed()
        assert not (server.directory / "child-ended").exists(), "the child held the connection open"
    (server.directory / "closed-was-seen").touch()
    assert settled(server)


CHILDREN = [
    ("/subprocess", b'"from a child\\n"'),
    ("/system", b"3"),
    ("/python", b'"42\\n"'),
    ("/thread", b"[49]"),
    ("/main-thread", b"true"),
    ("/alarm", b"[14]"),
]


@pytest.mark.parametrize("path, body", CHILDREN, ids=[row[0] for row in CHILDREN])
def test_what_python_offers_works(server, path, body):
    assert server.get(path).body == body, server.log[-2000:]
    assert settled(server)


@pytest.mark.parametrize("path, body", [("/multiprocessing-fork", b"[1, 4, 9]"), ("/terminate", b"-15")])
def test_a_signal_to_a_forked_child_ends_the_child_and_not_the_worker(serve, path, body):
    # The child had its parent's handlers, and the pipe in which they tell the event loop of a signal: what was
    # sent to the child (Pool.terminate does that) did nothing there, and stopped the worker.
    server = serve("app", files={"app.py": APP})
    pid = server.worker_pid
    assert server.get(path).body == body
    assert settled(server)
    assert server.worker_pid == pid, server.log


def test_multiprocessing_by_spawn_works(serve):
    # It needs the name of a real Python, and leaves a helper process until the worker ends.
    server = serve("app", files={"app.py": APP})
    assert server.get("/multiprocessing-spawn").body == b"0", server.log[-2000:]


def test_a_background_thread_makes_progress_while_the_worker_is_idle(server):
    path = server.directory / "ticks"
    assert server.get("/ticks").status == 200
    before = path.stat().st_size  # each tick is a byte there
    wait_until(lambda: path.stat().st_size > before + 15, "the thread goes on without a request")


def test_children_inherit_none_of_our_descriptors(server):
    listed = server.get("/descriptors").text
    assert "socket:" not in listed and "eventpoll" not in listed and "eventfd" not in listed, listed


def test_print_reaches_the_output_at_once(server):
    mark = len(server.log)
    assert server.get("/stdout").status == 200
    server.wait_log("printed by the application", mark)


def test_sigpipe_is_not_deadly_even_if_the_application_wants_it(serve):
    server = serve("app", files={"app.py": APP})
    pid = server.worker_pid
    assert server.get("/sigpipe").status == 200
    for _ in range(5):
        with server.connect(receive_buffer=4096) as connection:
            connection.request("GET", "/large")
            connection.socket.recv(100)
            connection.reset()
    assert server.get("/x").status == 200
    assert server.worker_pid == pid


def test_a_signal_handler_of_the_application_runs_while_the_worker_is_idle(serve):
    # It waited for the next request: handlers are Python, and an idle worker runs none.
    app = """
import os, signal
signal.signal(signal.SIGUSR2, lambda number, frame: print("handled", number))

def application(environ, start_response):
    start_response("200 OK", [])
    return [b"%d" % os.getpid()]
"""
    server = serve("app", files={"app.py": app})
    mark = len(server.log)
    os.kill(int(server.get("/").body), signal.SIGUSR2)
    server.wait_log("handled 12", mark)


def test_the_server_stops_although_the_application_ignores_every_signal(serve):
    server = serve("app", files={"app.py": APP})
    assert server.get("/handlers").status == 200
    server.stop()


def test_the_working_directory_and_umask_of_the_application_are_its_own_affair(serve):
    server = serve("app", files={"app.py": APP})
    assert server.get("/chdir").body == b'"/"'
    assert server.request("POST", "/x", body=b"x" * 200000).status == 200


def test_a_worker_whose_sockets_the_application_closed_is_replaced(serve):
    app = """
import os

def application(environ, start_response):
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/close":
        os.closerange(3, 1000)
    return [b"%d" % os.getpid()]
"""
    server = serve("app", files={"app.py": app}, crashes=True)
    before = server.get("/").body
    with server.connect() as connection:
        connection.request("GET", "/close")
        connection.rest()

    def replaced():
        try:
            with server.connect(timeout=1) as connection:
                return connection.exchange("GET", "/").body != before
        except (AssertionError, OSError):
            return False

    wait_until(replaced, "another worker serves")


@pytest.mark.parametrize("path", ["/die", "/abort", "/segfault"])
def test_a_request_that_ends_the_worker_ends_its_connection(path):
    with Server("errors", crashes=True) as server:
        with server.connect() as connection:
            connection.request("GET", path)
            assert connection.rest() == b""
        assert server.get("/").status == 200
