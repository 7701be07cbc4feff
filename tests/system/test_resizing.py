"""TTIN and TTOU: one worker more, one less, while requests go on.

What went wrong once, in one server or another: the socket of a worker that was taken away kept its share of the
clients, and nobody accepted them; a log record written from the background of a terminal took a worker away.
"""

import re
import signal
import time

import pytest
from fleet import APP, Clients
from test_handover import Keepers
from timing import wait_until


@pytest.fixture
def server(serve):
    server = serve("app", workers=2, files={"app.py": APP})
    wait_until(lambda: len(server.worker_pids()) == 2, "all workers")
    return server


def resize(server, number, count):
    server.signal(number)
    wait_until(lambda: len(server.worker_pids()) == count, f"{count} workers")


def test_workers_come_and_go_and_nobody_notices(server):
    with Clients(server, 4) as clients:
        for count in (3, 4):
            resize(server, signal.SIGTTIN, count)
        wait_until(lambda: len(set(clients.pids)) == 4, "all of them serve")
        for count in (3, 2, 1):
            resize(server, signal.SIGTTOU, count)
        for count in (2, 3):
            resize(server, signal.SIGTTIN, count)
        time.sleep(0.5)
    assert clients.failures == []
    assert "3 workers from now on" in server.log


def test_clients_of_a_slot_without_a_worker_are_the_others(server):
    resize(server, signal.SIGTTOU, 1)
    for _ in range(40):
        assert server.get("/").status == 200


def test_kept_connections_go_to_the_others(serve):
    server = serve("app", workers=3, files={"app.py": 'import os\n\ndef application(environ, start_response):\n'
                                            '    body = environ["wsgi.input"].read()\n'
                                            '    start_response("200 OK", [("X-Pid", str(os.getpid()))])\n'
                                            '    return [body]\n'})
    wait_until(lambda: len(server.worker_pids()) == 3, "all workers")
    with Keepers(server, 12) as keepers:
        wait_until(lambda: len(keepers.pids) == 3, "each has some of them")
        resize(server, signal.SIGTTOU, 2)
        resize(server, signal.SIGTTOU, 1)
        time.sleep(0.3)
    assert keepers.failures == [] and len(keepers.pids) == 3


def test_a_worker_that_is_stuck_goes_before_one_that_is_well(serve):
    # The last one went, which was well, and the other, whose call hung, was all that was left.
    server = serve("app", "--timeout", "300ms", "--graceful-timeout", "30s", workers=2, files={"app.py": APP})
    wait_until(lambda: len(server.worker_pids()) == 2, "all workers")
    all_of_them = set(server.worker_pids())
    with server.connect() as hangs:
        hangs.request("GET", "/deadlock")
        server.wait_log("longer than --timeout")
        (stuck,) = {int(pid) for pid in re.findall(r"\[(\d+)\] \[worker \d\] warning: .* longer than --timeout", server.log)}
        server.signal(signal.SIGTTOU)
        server.wait_log("1 worker from now on")
        assert {int(server.get("/").body) for _ in range(20)} == all_of_them - {stuck}
    server.kill()  # it would wait for the call


def test_there_is_a_least_and_a_most(server):
    resize(server, signal.SIGTTOU, 1)
    server.signal(signal.SIGTTOU)
    server.wait_log("warning: one worker is the least")
    for count in range(2, 11):
        resize(server, signal.SIGTTIN, count)
    server.signal(signal.SIGTTIN)
    server.wait_log("warning: 10 workers are the most without a restart: set --workers")
    assert len(server.worker_pids()) == 10
    server.signal(signal.SIGHUP)
    server.wait_log("reloaded in")
    wait_until(lambda: len(server.worker_pids()) == 10, "as many as before")


def test_a_stop_ends_all_of_them(server):
    resize(server, signal.SIGTTIN, 3)
    server.signal(signal.SIGTTOU)
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
