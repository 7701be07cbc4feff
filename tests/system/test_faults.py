"""Whatever an application does wrong, with one thread and with four: its own request fails, nobody else's does.

What went wrong once, in one server or another: an exception outside of `except Exception` ended the thread that had run it, and
one by one all of them; what a finaliser raised was taken for the failure of the next request; a generator that was closed because
its client had gone, and would not end, kept its thread; a descriptor closed behind the server's back was given to another
connection, which then got the first one's bytes.

What happens to one request alone is in test_wsgi.py, forks are in test_forks.py, the working of threads in test_crew.py.
"""

import re
import signal

import pytest
from block import HOLD, Holding, begun
from harness import Server
from timing import wait_until

APP = HOLD + '''
import sys, time

noted = []


class Finalised:
    def __del__(self):
        raise ValueError("in __del__")


class Closes:
    def __init__(self, error):
        self.error = error

    def __iter__(self):
        return iter([b"whole"])

    def close(self):
        raise self.error


def recursion(n=0):
    return recursion(n + 1) + 1


def deep():
    """The limit is reached, and it is caught: the stack is as deep as it gets when the application goes on."""
    try:
        return recursion()
    except RecursionError:
        return 0


def in_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def raises(error):
    raise error


def close_sockets():
    """All sockets of the process, the server's among them."""
    for entry in os.listdir("/proc/self/fd"):
        try:
            if "socket" in os.readlink("/proc/self/fd/" + entry):
                os.close(int(entry))
        except OSError:
            pass


def endless(what):
    """Until it is closed, because nobody takes it any more."""
    try:
        while True:
            yield b"x" * 65536
    except GeneratorExit:
        noted.append(what)
        if what == "raise":
            raise ValueError("while it is closed")
        if what == "yield":
            yield b"and again"
        if what == "exit":
            raise SystemExit(5)
    finally:
        noted.append("finally")


FAULTS = {
    "system-exit": lambda: sys.exit(5),
    "keyboard-interrupt": lambda: raises(KeyboardInterrupt),
    "generator-exit": lambda: raises(GeneratorExit),
    "stop-iteration": lambda: raises(StopIteration),
    "memory-error": lambda: [0] * sys.maxsize,
    "recursion": recursion,
    "deep": deep,
    "del": lambda: Finalised() and None,
    "cycle-del": lambda: setattr(finalised := Finalised(), "itself", finalised),
    "thread-raises": lambda: in_thread(lambda: raises(ValueError("in a thread"))),
    "thread-exits": lambda: in_thread(lambda: sys.exit(5)),
    "fork": os.fork,
    "fork-in-thread": lambda: in_thread(lambda: os.fork() or os._exit(0)),
    "die": lambda: os._exit(7),
    "die-in-child": lambda: os.fork() or os._exit(7),
    "close-0": lambda: os.closerange(0, 1),
    "close-sockets": close_sockets,
    "close-all": lambda: os.closerange(0, 1000),
}


def application(environ, start_response):
    name, _, argument = environ["PATH_INFO"][1:].partition("/")
    if name == "noted":
        said = ",".join(noted).encode()
        noted.clear()
        start_response("200 OK", [])
        return [said]
    if name == "hold":
        hold(argument)
        start_response("200 OK", [])
        return [b"done"]
    if name in FAULTS:
        FAULTS[name]()
    start_response("200 OK", [])
    if name == "endless":
        return endless(argument)
    if name == "close":
        return Closes({"exit": SystemExit, "interrupt": KeyboardInterrupt, "memory": MemoryError}[argument]())
    return [b"%d" % os.getpid()]
'''

THREADS = [1, 4]


@pytest.fixture(scope="module", params=THREADS, ids=["one-thread", "four-threads"])
def server(request):
    with Server("app", "--threads", request.param, files={"app.py": APP}) as server:
        server.threads = request.param
        yield server


@pytest.fixture(params=THREADS, ids=["one-thread", "four-threads"])
def own(request, serve):
    """One that the test may end."""
    return serve("app", "--threads", request.param, files={"app.py": APP}, crashes=True)


def assert_serves(server, pid):
    """The same worker as before, and with every thread it had."""
    assert server.worker_pids() == [pid], server.log[-2000:]
    before = begun(server)
    with Holding(server, "sleep", server.threads):  # as many calls at once
        assert begun(server) == before + server.threads


FAILS = [
    # path, what the log says
    ("/system-exit", "SystemExit: 5"),
    ("/keyboard-interrupt", "KeyboardInterrupt"),
    ("/generator-exit", "GeneratorExit"),
    ("/stop-iteration", "StopIteration"),
    ("/memory-error", "MemoryError"),
    ("/recursion", "RecursionError"),
]


@pytest.mark.parametrize("path, said", FAILS, ids=[row[0] for row in FAILS])
def test_an_exception_is_the_500_of_its_own_request(server, path, said):
    mark, pid = len(server.log), server.worker_pid
    with server.connect() as connection:
        for _ in range(server.threads + 1):
            assert connection.exchange("GET", path).status == 500
    entries = re.findall(r"(?m)^\d{4}-\S+ .* error: exception in the application", server.log[mark:])
    assert len(entries) == server.threads + 1
    assert said in server.log[mark:]
    assert_serves(server, pid)


HARMLESS = ["/deep", "/del", "/cycle-del", "/thread-raises", "/thread-exits"]
HARMLESS += ["/fork", "/fork-in-thread", "/die-in-child", "/close-0"]


@pytest.mark.parametrize("path", HARMLESS)
def test_what_fails_beside_the_request_does_not_fail_the_request(server, path):
    pid = server.worker_pid
    with server.connect() as connection:
        for _ in range(server.threads + 1):
            assert connection.exchange("GET", path).body == b"%d" % pid
    wait_until(lambda: len(server.processes()) == 2, "the forked children have ended")
    assert_serves(server, pid)


@pytest.mark.parametrize("way", ["exit", "interrupt", "memory"])
def test_an_exception_in_close_comes_too_late_for_the_answer(server, way):
    mark, pid = len(server.log), server.worker_pid
    with server.connect() as connection:
        for _ in range(server.threads + 1):
            assert connection.exchange("GET", f"/close/{way}").body == b"whole"
    wait_until(lambda: server.log[mark:].count("exception in close()") == server.threads + 1, "each is logged")
    assert_serves(server, pid)


@pytest.mark.parametrize("way", ["raise", "yield", "exit"])
def test_a_generator_that_does_not_end_well_when_its_client_is_gone_is_ended_all_the_same(server, way):
    mark, pid = len(server.log), server.worker_pid
    server.get("/noted")
    for _ in range(server.threads + 1):
        connection = server.connect()
        connection.request("GET", f"/endless/{way}")
        connection.socket.recv(1000)
        connection.reset()
    said = sorted([way, "finally"] * (server.threads + 1))
    noted = []
    wait_until(lambda: noted.extend(filter(None, server.get("/noted").text.split(","))) or len(noted) >= len(said), "all end")
    assert sorted(noted) == said
    wait_until(lambda: server.log[mark:].count("exception in close()") == server.threads + 1, "each is logged")
    assert_serves(server, pid)


ENDS = ["/die", "/close-sockets", "/close-all"]


@pytest.mark.parametrize("path", ENDS)
def test_a_worker_that_cannot_go_on_is_replaced(own, path):
    pid = own.worker_pid
    with own.connect() as connection:
        connection.request("GET", path)
        assert connection.rest() == b""

    def replaced():
        try:
            with own.connect(timeout=1) as connection:
                return int(connection.exchange().body) != pid
        except (AssertionError, OSError):
            return False

    wait_until(replaced, "another worker serves")


@pytest.mark.parametrize("path", ENDS[1:])
def test_a_worker_without_its_sockets_does_not_hold_up_a_stop(own, path):
    with own.connect() as connection:
        connection.request("GET", path)
        connection.rest()
    own.signal(signal.SIGTERM)
    assert own.wait() == 0
