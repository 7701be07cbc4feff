"""Workers that serve, as far as they say, and do not move or cannot accept while clients wait: they are told, counted out,
and replaced; their clients are the others'.

What went wrong once: the application had opened all descriptors that there were (or had lowered their limit), and its worker
kept its share of new clients for ever, because each retry of accept counted as progress. A worker that was stopped by SIGSTOP
was neither told nor replaced; its kept connections hung, and /ready said 200.
"""

import os
import re
import resource
import signal
import time

import pytest
from control import rows, status
from fleet import Asking
from timing import wait_until
from watcher import Watcher

APP = '''
import os, resource, time

held = []


def take_all():
    """In a file's place: descriptors that are opened and forgotten."""
    try:
        while True:
            held.append(os.dup(2))
    except OSError:
        pass


def lower():
    resource.setrlimit(resource.RLIMIT_NOFILE, (10, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def give_back():
    while held:
        os.close(held.pop())


def compute():
    end = time.monotonic() + 8
    while time.monotonic() < end:
        sum(range(1000))


ACTS = {"take": take_all, "lower": lower, "give": give_back, "compute": compute}


def application(environ, start_response):
    ACTS.get(environ["PATH_INFO"][1:], int)()
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Pid", str(os.getpid()))])
    return [b"%d" % os.getpid()]
'''

LIMIT = 200


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))


@pytest.fixture
def start(serve):
    def begin(*options, workers=2, **keywords):
        server = serve(
            "app", "--control-socket", "control", *options, files={"app.py": APP}, workers=workers, **keywords
        )
        return server

    return begin


def keep(server, pid):
    """A kept connection of that worker."""
    for _ in range(50):
        connection = server.connect()
        if int(connection.exchange("GET", "/").body) == pid:
            return connection
        connection.close()
    raise AssertionError(f"no connection came to {pid}")


def pids_of(server):
    """Of the workers; the status process is none."""
    return sorted(int(row["pid"]) for row in rows(server, "workers"))


def state_of(server, pid):
    (state,) = (row["state"] for row in rows(server, "workers") if int(row["pid"]) == pid)
    return state


@pytest.mark.parametrize("act, said", [("take", "holds the others"), ("lower", "has lowered the limit")])
def test_a_worker_without_descriptors_leaves_its_clients_to_the_others_and_is_replaced(start, act, said):
    server = start(preexec_fn=few_descriptors)
    pids = pids_of(server)
    with server.connect() as connection:
        starved = int(connection.exchange("GET", f"/{act}").body)
        for _ in range(40):  # half of them are the kernel's to give to it
            assert server.get("/").status == 200
        server.wait_log(rf"worker \d \(pid {starved}\) cannot accept connections: .* {said}; .* replaced")
        wait_until(lambda: starved not in pids_of(server), "it has left")
        wait_until(lambda: len(pids_of(server)) == 2, "another has come")
        assert connection.exchange("GET", "/").status == 200, "its connections are its successor's"
    assert len(set(pids) & set(pids_of(server))) == 1
    assert len(re.findall("cannot accept connections", server.log)) == 1


def test_a_single_worker_without_descriptors_is_replaced(start):
    server = start(workers=1, preexec_fn=few_descriptors)
    with server.connect() as first, server.connect() as second:
        old = int(first.exchange("GET", "/take").body)
        assert int(second.exchange("GET", "/").body) != old


def test_a_worker_that_gets_its_descriptors_back_serves_on(start):
    server = start(workers=1, preexec_fn=few_descriptors)
    (pid,) = pids_of(server)
    with server.connect() as connection, server.connect() as waiting:
        connection.exchange("GET", "/take")
        waiting.close()
        late = server.connect()
        late.request("GET", "/")
        server.wait_log("accepting pauses")
        connection.exchange("GET", "/give")
        assert int(late.receive().body) == pid
        late.close()
    assert pids_of(server) == [pid]


class Trickling(Asking):
    """Clients that send a byte of their heads from time to time."""

    def __init__(self, server, connections):
        self.connections = connections
        super().__init__(server, 1)

    def run(self, number):
        while not self.stopped:
            for connection in self.connections:
                connection.send(b"a")
            time.sleep(0.02)


def test_a_worker_at_its_limit_leaves_new_clients_to_the_others(start):
    """Half a head stays where it is, and its next bytes make the loop turn."""
    server = start("--worker-connections", "2", "--header-timeout", "60s")
    unfinished = []
    while not (full := [row for row in rows(server, "workers") if row["connections"] == "2"]):
        connection = server.connect()
        connection.send(b"GET / HTTP/1.1\r\n")
        unfinished.append(connection)
        wait_until(lambda: sum(int(row["connections"]) for row in rows(server, "workers")) == len(unfinished), "it came")
    for connection in unfinished:
        connection.send(b"Host: a\r\nX-Slow: ")
    with Trickling(server, unfinished):
        for _ in range(20):
            assert server.get("/").body != full[0]["pid"].encode()
    for connection in unfinished:
        connection.send(b"\r\n\r\n")
        assert connection.receive().status == 200
        connection.close()


def test_a_stopped_worker_is_told_counted_out_and_replaced(start):
    server = start("--status", "127.0.0.1:0", "--timeout", "1s", "--graceful-timeout", "1s")
    watcher = Watcher(server)
    stopped = pids_of(server)[0]
    connection = keep(server, stopped)
    os.kill(stopped, signal.SIGSTOP)
    server.wait_log(rf"worker \d \(pid {stopped}\) has not moved for \d+ s while clients wait: a signal has stopped it")
    server.wait_log(rf"worker \d \(pid {stopped}\) has not moved for --timeout and --graceful-timeout")
    wait_until(lambda: stopped not in pids_of(server), "it is gone")
    wait_until(lambda: len(pids_of(server)) == 2, "another has come")
    assert watcher.metrics["gateway_worker_restarts_total"]["stalled"] == 1
    connection.close()
    assert server.get("/").status == 200


def test_when_all_workers_stand_still_the_service_is_not_ready(start):
    server = start("--status", "127.0.0.1:0", "--timeout", "0", workers=2)
    watcher = Watcher(server)
    pids = pids_of(server)
    connections = [keep(server, pid) for pid in pids]
    try:
        os.kill(pids[0], signal.SIGSTOP)
        wait_until(lambda: state_of(server, pids[0]) == "stalled", "it is seen")
        assert "(1 stalled)" in status(server)["workers"]
        assert watcher.ready() == (200, "ready\n"), "the other serves"
        assert watcher.metrics["gateway_workers"]["stalled"] == 1
        os.kill(pids[1], signal.SIGSTOP)
        wait_until(lambda: watcher.ready() == (503, "stalled\n"), "none serves")
        assert {worker["state"] for worker in watcher.json["workers"]} == {"stalled"}
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    wait_until(lambda: watcher.ready() == (200, "ready\n"), "they go on")
    assert len(re.findall(r"worker \d \(pid \d+\) goes on", server.log)) == 2
    assert pids_of(server) == pids, "with --timeout 0 none is replaced"
    for connection in connections:
        assert connection.exchange("GET", "/").status == 200
        connection.close()


def test_a_call_that_computes_is_no_stall(start):
    server = start("--timeout", "0", workers=1)
    with server.connect() as connection:
        connection.request("GET", "/compute")  # longer than it takes to tell a stall
        assert connection.receive().status == 200
    assert "has not moved" not in server.log
