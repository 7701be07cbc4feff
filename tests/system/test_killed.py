"""A worker that is killed takes along the requests that are in its calls of the application, and no others.

What went wrong once, in one server or another: who was waiting to be accepted by the worker that died was reset, or waited for its
successor; a signal that is there to stop a worker cut what it was doing.
"""

import os
import signal
import time

import pytest
from fleet import Asking
from harness import is_alive
from timing import wait_until

# Notes when a call begins and when it has come to its end.
APP = '''
import os, time

notes = os.open("notes", os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def note(what, path):
    os.write(notes, f"{what} {path} {os.getpid()}\\n".encode())


def application(environ, start_response):
    note("begins", environ["PATH_INFO"])
    time.sleep(0.03)
    start_response("200 OK", [])
    note("ends", environ["PATH_INFO"])
    return [b"done"]
'''

WORKERS, THREADS, CLIENTS, KILLS = 2, 4, 6, 5


class Numbered(Asking):
    """Clients that ask again and again, on new connections. What was asked for in vain is remembered, and when, and until when."""

    def __init__(self, server):
        self.lost, self.answered = {}, 0
        super().__init__(server, CLIENTS)

    def run(self, client):
        count = 0
        while not self.stopped:
            path, count = f"/{client}/{count}", count + 1
            asked = time.monotonic()
            try:
                assert self.server.get(path).body == b"done"
                self.answered += 1
            except (AssertionError, OSError):
                self.lost[path] = asked, time.monotonic()


def kill_and_await_successor(server, number):
    """The victim, and the times between which it died."""
    victim = server.worker_pids()[0]
    killed = time.monotonic()
    os.kill(victim, number)
    wait_until(lambda: not is_alive(victim), "it dies", interval=0.001)
    died = time.monotonic()
    wait_until(lambda: len(server.worker_pids()) == WORKERS, "a successor")
    return victim, (killed, died)


def in_calls(server, pids):
    """The requests that these processes have begun to answer, and no more."""
    notes = [line.split() for line in (server.directory / "notes").read_text().splitlines()]
    begun = {path for what, path, pid in notes if what == "begins" and int(pid) in pids}
    return begun - {path for what, path, _ in notes if what == "ends"}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGTERM])
def test_a_worker_that_is_killed_loses_only_what_is_in_its_calls(serve, number):
    server = serve("app", "--threads", THREADS, workers=WORKERS, files={"app.py": APP}, crashes=True)
    wait_until(lambda: len(server.worker_pids()) == WORKERS, "all workers")
    with Numbered(server) as clients:
        deaths = {}
        for _ in range(KILLS):
            before = clients.answered
            wait_until(lambda before=before: clients.answered >= before + 15, "it is busy again")
            victim, times = kill_and_await_successor(server, number)
            deaths[victim] = times
    calls = in_calls(server, deaths)
    assert len(clients.lost.keys() & calls) <= KILLS * THREADS
    if number == signal.SIGTERM:
        assert clients.lost == {}
    # Others were about to begin, or on their way to the client; none came when it was dead.
    for path in clients.lost.keys() - calls:
        asked, failed = clients.lost[path]
        assert any(asked < died and failed > killed for killed, died in deaths.values()), (path, clients.lost, deaths)
