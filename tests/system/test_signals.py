"""Signal handlers of the application: a handler is Python, and runs on the main thread, which may be in a call.

What went wrong once: a signal came during a call on the main thread. Only that thread read the byte that Python had
written into the wakeup pipe, and the pipe's event has the first priority: the loop, run by another thread, turned
without a pause and did no I/O until the call was over.
"""

import os
import signal
from pathlib import Path

import pytest
from block import Held
from timing import wait_until

APP = '''
import os, signal, threading

main = threading.main_thread().ident


def note(number, frame):
    with open("handled", "a") as file:
        file.write("x")


signal.signal(signal.SIGUSR1, note)


def application(environ, start_response):
    path = environ["PATH_INFO"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/thread":
        return [b"main" if threading.get_ident() == main else b"other"]
    if path == "/hold/sleep":
        gate = os.open("gate", os.O_RDONLY)
        open("held", "a").close()
        os.read(gate, 1)
        os.close(gate)
    return [b"done"]
'''


def handled(server):
    """How many times the handler has run."""
    path = server.directory / "handled"
    return len(path.read_text()) if path.exists() else 0


def is_asleep(pid):
    """No thread of the process runs, or is ready to run."""
    states = [path.read_text().rpartition(")")[2].split()[0] for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return set(states) == {"S"}


@pytest.fixture(params=[1, 2], ids=["one-thread", "two-threads"])
def server(serve, request):
    return serve("app", "--threads", request.param, "--health-path", "/health", files={"app.py": APP})


def hold(server):
    """A call on the main thread, which lasts until the block ends."""
    call = Held(server, "sleep")
    wait_until((server.directory / "held").exists, "the call is under way")
    return call


def test_a_signal_during_a_call_starves_neither_the_network_nor_the_processor(server):
    pid = server.worker_pid
    with hold(server):
        for count in range(1, 4):
            os.kill(pid, signal.SIGUSR1)
            wait_until(lambda: handled(server) == count, "the handler runs within the call")
            assert server.get("/health/live").status == 200
        wait_until(lambda: is_asleep(pid), "the worker waits for something to do")
    assert server.get("/").body == b"done"


def test_a_handler_runs_without_a_request_after_a_call_that_lasted(server):
    # The main thread has come back, and waits for another one, or for nobody, to give it the loop.
    pid = server.worker_pid
    with hold(server):
        pass
    for count in range(1, 11):
        os.kill(pid, signal.SIGUSR1)
        wait_until(lambda: handled(server) == count, "the handler runs")
