"""Signal handlers of the application: a handler is Python, and runs on the main thread, which may be in a call.

What went wrong once: a signal came during a call on the main thread. Only that thread read the byte that Python had
written into the wakeup pipe, and the pipe's event has the first priority: the loop, run by another thread, turned
without a pause and did no I/O until the call was over. asyncio's add_signal_handler in a call took the wakeup pipe away
for good, and left TERM at its default: handlers waited for the next request, and TERM to the worker cut its requests.
"""

import os
import re
import signal
from pathlib import Path

import pytest
from block import Held
from timing import wait_until

APP = '''
import asyncio, os, signal, threading, time

main = threading.main_thread().ident


def note(number, frame):
    with open("handled", "a") as file:
        file.write("x")


signal.signal(signal.SIGUSR1, note)


async def use_signals():
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    loop.add_signal_handler(signal.SIGUSR2, event.set)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        loop.add_signal_handler(number, event.set)
    os.kill(os.getpid(), signal.SIGUSR2)
    await event.wait()


def all_signals(handler):
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGUSR1, signal.SIGCHLD}:
        signal.signal(number, handler)
    for number in range(signal.SIGRTMIN, signal.SIGRTMAX + 1):
        signal.signal(number, handler)


WAYS = {
    "asyncio": lambda: asyncio.run(use_signals()),
    "default": lambda: all_signals(signal.SIG_DFL),
    "ignored": lambda: all_signals(signal.SIG_IGN),
    "own": lambda: all_signals(note),
    "wakeup": lambda: signal.set_wakeup_fd(-1),
    "blocked": lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}),
}


def application(environ, start_response):
    path = environ["PATH_INFO"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/thread":
        return [b"main" if threading.get_ident() == main else b"other"]
    if path.startswith("/meddle/"):
        WAYS[path[8:]]()
    if path == "/hold/sleep":
        gate = os.open("gate", os.O_RDONLY)
        open("held", "a").close()
        time.sleep(0.01)  # calls of more than 1 ms are long for the worker
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


# The handlers of "own" look like the worker's: the log tells when those are back, once.
WAYS = [("asyncio", 2), ("default", 2), ("ignored", 2), ("own", 1), ("wakeup", 2), ("blocked", 2)]
CHANGED = "has changed what signals"


def caught(pid):
    """The signals that have a handler in the process."""
    mask = int(re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())[1], 16)
    return {number for number in range(1, 65) if mask >> number - 1 & 1}


def blocked(pid):
    """The signals to stop that the main thread has blocked."""
    mask = int(re.search(r"SigBlk:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())[1], 16)
    return {number for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT) if mask >> number - 1 & 1}


@pytest.mark.parametrize("way", ["default", "blocked"])
def test_a_call_that_is_known_to_last_begins_with_the_signals_of_the_worker(serve, way):
    # The worker looks every 20 ms. A quick call changed signals, and a long one began before the look.
    server = serve("app", files={"app.py": APP})
    pid, begun = server.worker_pid, server.directory / "held"
    handlers = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGRTMAX - 3, signal.SIGRTMAX - 4}
    with hold(server):
        pass  # such calls last: the worker knows it from now on
    begun.unlink()
    with Held(server, "sleep") as call:
        wait_until(begun.exists, "a call of the kind is under way")
        before = [server.connect(timeout=30) for _ in range(3)]
        for connection, path in zip(before, ("/", f"/meddle/{way}", "/hold/sleep")):
            connection.request("GET", path)
        begun.unlink()
        os.write(call.gate, b"x")
        assert before[1].receive().body == b"done"
        wait_until(begun.exists, "the next one is under way")
        assert caught(pid) >= handlers and not blocked(pid)
        os.write(call.gate, b"x")
        assert before[2].receive().body == b"done"
        for connection in before:
            connection.close()
        call.is_open = True


def test_signals_that_the_import_has_blocked_stop_a_worker(serve):
    at_import = "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})\n"
    server = serve("app", files={"app.py": APP + at_import})
    pid = server.worker_pid
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: pid not in server.worker_pids(), "the worker has left")


@pytest.mark.parametrize("way, times", WAYS, ids=[row[0] for row in WAYS])
def test_a_call_that_changes_signals_leaves_the_worker_its_own(serve, way, times):
    options = ["--slow-request", "50ms", "--graceful-timeout", "30s"]
    server = serve("app", *options, files={"app.py": APP})
    pid = server.worker_pid
    handlers = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGRTMAX - 3, signal.SIGRTMAX - 4}
    for _ in range(times):
        assert server.get(f"/meddle/{way}").body == b"done"
        wait_until(lambda: caught(pid) >= handlers and not blocked(pid), "the worker has its handlers again")
        wait_until(lambda: way == "wakeup" or CHANGED in server.log, "that is told")
        before = handled(server)
        os.kill(pid, signal.SIGUSR1)
        wait_until(lambda: handled(server) == before + 1, "the handler runs without a request")
    call = Held(server, "sleep")
    wait_until((server.directory / "held").exists, "the call is under way")
    server.wait_log('"GET /hold/sleep HTTP/1.1" has run for')  # a signal to its thread takes the stack
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: set(server.worker_pids()) - {pid}, "there is a successor")
    with call:
        pass
    wait_until(lambda: pid not in server.worker_pids(), "the worker has left")
    assert "was killed" not in server.log and " is cut" not in server.log, server.log
    assert server.log.count(CHANGED) == (way != "wakeup"), server.log
