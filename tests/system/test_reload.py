"""HUP: a new generation of workers, which must prove itself before the old one leaves.

What went wrong once, in one server or another: a reload with an error in the application was the end of the
service, or left it answering 500; workers left before others were ready; each HUP of a burst forked another
set of workers; a reload waited for ever for an import that hung.
"""

import os
import re
import signal
import time

import pytest
from control import gatewayctl
from fleet import APP, BAD, Clients, answers, reload_in_vain, reload_mended, write
from timing import SLOW, wait_until, within


@pytest.fixture
def server(serve):
    def start(*options, workers=2, **keywords):
        return serve("app", *options, workers=workers, files={"app.py": APP}, **keywords)

    return start


@pytest.mark.measures
def test_hup_serves_the_new_application_and_nobody_notices(server):
    server = server()
    old = server.worker_pids()
    with Clients(server, 4) as clients:
        write(server, "answer", "new")
        write(server, "slow", 0.3)
        server.signal(signal.SIGHUP)
        server.wait_log(r"reloaded in \d\.\d\d s")
        wait_until(lambda: not set(old) & set(server.worker_pids()), "the old workers have left")
    assert answers(server) == ["new"] * 10
    assert clients.failures == []
    within("the slowest request", clients.slowest, 0.5 * SLOW)
    assert len(server.worker_pids()) == 2


@pytest.mark.parametrize("code, said", [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_module_that_cannot_be_imported_changes_nothing(server, code, said):
    server = server("--control-socket", "control", crashes=True)
    reload_in_vain(server, code, said)
    reload_mended(server)
    assert set(answers(server)) == {""}


def test_a_new_worker_that_crashes_soon_is_not_good_enough(server):
    server = server()
    old = server.worker_pids()
    write(server, "broken", "import os, threading; threading.Timer(0.5, os._exit, [6]).start()")
    with Clients(server, 2) as clients:
        server.signal(signal.SIGHUP)
        server.wait_log("not reloaded: worker 0 .*, the first of the new generation, exited with status 6")
    assert set(old) <= set(server.worker_pids())
    assert all("ConnectionReset" in failure or "Cut" in failure or "status line" in failure for failure in clients.failures)
    assert len(clients.failures) <= 2, "only what the crash took with it"


def test_a_new_worker_that_is_not_ready_in_time_is_given_up(server):
    # Two records, of which the one that `reload --wait` shows said that the worker had not left in time.
    server = server("--timeout", "500ms", "--control-socket", "control")
    old = server.worker_pids()
    write(server, "broken", "def hang():\n    time.sleep(30)\nhang()")
    status, words, said = gatewayctl(server, "reload", "--wait")
    assert status == 1 and "did not load the application within --timeout" in said
    assert " in hang" in words, "where it was"
    server.wait_log("not reloaded: worker 0 .* did not load the application within --timeout")
    assert server.worker_pids() == old
    assert "did not leave in time" not in server.log
    assert len(re.findall(r" (?:error|warning): ", server.log)) == 1, server.log


def test_a_start_and_a_successor_that_hang_are_told_with_their_stacks(serve):
    # An import that hung at the start, or in a worker's successor, was never told.
    hang = "import os, time\ndef hang():\n    while not os.path.exists('go'):\n        time.sleep(0.01)\nhang()"
    server = serve("app", "--timeout", "500ms", files={"app.py": APP, "broken": hang}, ready=lambda: True)
    told = r"worker 0 \(pid \d+\) has not loaded the application within --timeout: it is waited for"
    server.wait_log(told + r"(?s:.*?) in hang")
    write(server, "go", "")
    server.wait_log("ready in")
    (server.directory / "go").unlink()
    since = len(server.log)
    os.kill(server.worker_pid, signal.SIGKILL)
    server.wait_log(told + r"(?s:.*?) in hang", since)
    write(server, "go", "")
    assert server.get("/").status == 200


def test_one_of_the_others_that_hangs_does_not_hold_the_reload(server):
    # Its import waited for a lock that was never released, and the reload, and all after it, for the import.
    server = server("--timeout", f"{3 * SLOW}s", "--control-socket", "control")
    hang_once = (
        "import os, time\n"
        "imports = len([name for name in os.listdir() if name.startswith('import-')])\n"
        "open('import-%d' % imports, 'w').close()\n"
        "time.sleep(3600 if imports == 1 else 0)"
    )
    write(server, "broken", hang_once)
    assert gatewayctl(server, "reload", "--wait")[0] == 0
    assert len(re.findall(r"worker 1 .* did not load the application within --timeout", server.log)) == 1
    assert "its predecessor stays" in server.log


def test_a_burst_of_signals_never_doubles_the_workers_twice(server):
    server = server()
    old = server.worker_pids()
    most = 0
    with Clients(server, 2) as clients:
        end = time.monotonic() + 5
        while time.monotonic() < end:
            server.signal(signal.SIGHUP)
            time.sleep(0.1)
            most = max(most, len(server.worker_pids()))
    assert clients.failures == []
    assert most <= 4
    assert server.log.count("reloaded in") >= 2
    wait_until(lambda: not set(old) & set(server.worker_pids()), "the old workers have left")


def test_the_env_file_is_read_again(server):
    server = server("--env-file", "env", workers=1, prefix=["sh", "-c", 'echo ANSWER=one >env; exec "$0" "$@"'])
    assert answers(server) == ["one"] * 10
    write(server, "env", "ANSWER\n")
    server.signal(signal.SIGHUP)
    server.wait_log("not reloaded: .*env, line 1: NAME=VALUE is expected")
    write(server, "env", "ANSWER=two\n")
    server.signal(signal.SIGHUP)
    server.wait_log("reloaded in")
    assert answers(server) == ["two"] * 10


def test_requests_in_flight_are_finished_by_the_old_worker(server):
    server = server(workers=1)
    old = server.worker_pid
    with server.connect(timeout=30) as connection:
        connection.request("GET", "/sleep/4")
        time.sleep(0.2)
        server.signal(signal.SIGHUP)
        server.wait_log("reloaded in")
        assert int(server.get("/").body) != old
        assert int(connection.receive().body) == old


def test_a_stop_during_a_reload_leaves_nobody_behind(server):
    server = server()
    write(server, "slow", 30)
    server.signal(signal.SIGHUP)
    wait_until(lambda: len(server.worker_pids()) == 3, "the new one is imported")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0


def test_hup_during_the_start_is_not_forgotten(server):
    server = server(prefix=["sh", "-c", 'echo 0.5 >slow; exec "$0" "$@"'], ready=lambda: True)
    wait_until(lambda: server.worker_pids(), "the first worker")
    server.signal(signal.SIGHUP)
    server.wait_log("reloaded in")
