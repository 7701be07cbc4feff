"""What systemd hears of the service, by a stand-in for it.

What went wrong once, in one server or another: READY was sent before the application was loaded, children of the
application inherited NOTIFY_SOCKET and spoke for the service, the watchdog was fed by a timer while every worker was stuck.
"""

import json
import os
import signal
import time

import pytest
from harness import StartError
from manager import Manager, pid_prefix, temporary_name
from timing import SLOW, wait_until, within

# Long enough for a sanitized worker on a busy machine.
WATCHDOG = 2 * SLOW

APP = """
import json, os, subprocess

NAMES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")

def application(environ, start_response):
    childs = subprocess.run(["/usr/bin/env"], stdout=subprocess.PIPE).stdout.decode()
    told = {"own": [name for name in NAMES if name in os.environ],
            "childs": [name for name in NAMES if name + "=" in childs]}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]
"""


@pytest.fixture
def manager():
    return Manager(temporary_name("notify"))


@pytest.fixture
def watching():
    return Manager(temporary_name("watchdog"), watchdog=WATCHDOG)


def test_the_course_of_a_service(serve, manager):
    server = serve("hello", env=manager.environment, workers=2)
    manager.await_text("READY=1")
    server.stop()
    assert manager.texts() == [
        "STATUS=the application is being imported",
        "STATUS=1 of 2 workers ready",
        "READY=1\nSTATUS=2 workers ready",
        "STOPPING=1\nSTATUS=stopping: requests in progress are finished",
    ]
    assert {pid for _, pid, _ in manager.heard} == {server.pid}


def test_a_socket_in_the_file_system(serve, tmp_path):
    manager = Manager(str(tmp_path / "notify"))
    serve("hello", env=manager.environment)
    manager.await_text("READY=1\nSTATUS=1 worker ready")


def test_ready_means_that_requests_are_answered(serve, manager):
    app = "import time\ntime.sleep(0.5)\n" + APP
    server = serve("app", files={"app.py": app}, env=manager.environment, ready=lambda: "READY=1" in str(manager.texts()))
    assert server.get("/").status == 200


def test_a_service_that_cannot_start_is_never_ready(serve, manager):
    with pytest.raises(StartError):
        serve("app", files={"app.py": "raise ValueError"}, env=manager.environment)
    assert manager.texts() == ["STATUS=the application is being imported"]


def test_a_lost_worker_is_a_status(serve, manager):
    server = serve("hello", env=manager.environment, workers=2)
    manager.await_text("READY=1")
    since = len(manager.heard)
    os.kill(server.worker_pids()[0], signal.SIGKILL)
    manager.await_text("STATUS=1 of 2 workers ready", since)
    manager.await_text("STATUS=2 workers ready", since)
    assert "READY=1" not in str(manager.texts()[since:])


@pytest.mark.parametrize("broken", [False, True])
def test_a_reload_is_announced_and_ends_with_ready_whatever_comes_of_it(serve, manager, broken):
    server = serve("app", files={"app.py": APP}, env=manager.environment)
    manager.await_text("READY=1")
    if broken:
        (server.directory / "app.py").write_text("raise ValueError")
    since = len(manager.heard)
    server.signal(signal.SIGHUP)
    begun = manager.await_text("RELOADING=1\nMONOTONIC_USEC=", since)
    assert "a new generation of workers proves itself" in begun
    ended = manager.await_text("READY=1", since)
    assert ("not reloaded: " if broken else "generation 2 serves") in ended


def test_the_manager_hears_of_a_stop_when_it_begins(serve, manager):
    server = serve("hello", "--drain-delay", "30s", env=manager.environment)
    manager.await_text("READY=1")
    server.signal(signal.SIGTERM)
    manager.await_text("STOPPING=1")
    assert server.process.poll() is None
    server.signal(signal.SIGINT)
    assert server.wait() == 0


def test_the_application_does_not_speak_for_the_service(serve, manager):
    environment = {**manager.environment, "WATCHDOG_USEC": "60000000", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "http"}
    server = serve("app", files={"app.py": APP}, env=environment, prefix=pid_prefix(1))
    told = json.loads(server.get("/").body)
    assert told["own"] == told["childs"] == []


def test_without_a_manager_all_is_as_it_was(serve):
    server = serve("hello", env={"NOTIFY_SOCKET": "/nonexistent/socket", "WATCHDOG_USEC": "1000000"})
    assert server.get("/").status == 200
    assert server.log.count("cannot be sent to NOTIFY_SOCKET: No such file or directory") == 1


@pytest.mark.measures
def test_a_sign_of_life_comes_twice_in_the_time_of_the_watchdog(serve, watching):
    serve("hello", env=watching.environment, prefix=pid_prefix())
    watching.await_text("READY=1")
    watching.await_text("WATCHDOG=1")
    begun = time.monotonic()
    watching.await_signs_of_life(4)
    assert time.monotonic() - begun > WATCHDOG, "not much more often than twice in the time"
    times = [when for when, _, text in watching.heard if text == "WATCHDOG=1" or "READY=1" in text]
    within("between signs of life", max(later - earlier for earlier, later in zip(times, times[1:])), WATCHDOG)


def test_a_watchdog_that_waits_for_another_process_hears_nothing(serve, watching):
    serve("hello", env=watching.environment, prefix=pid_prefix(1))
    watching.await_text("READY=1")
    assert watching.signs_of_life(WATCHDOG) == 0


def test_nothing_is_heard_while_all_workers_are_stopped(serve, watching):
    server = serve("hello", env=watching.environment, workers=2)
    watching.await_text("WATCHDOG=1")
    first, second = server.worker_pids()
    os.kill(first, signal.SIGSTOP)
    watching.await_signs_of_life(2)
    os.kill(second, signal.SIGSTOP)
    watching.signs_of_life(WATCHDOG)  # the second may have answered just before
    assert watching.signs_of_life(1.5 * WATCHDOG) == 0
    os.kill(second, signal.SIGCONT)
    watching.await_signs_of_life(2)
    os.kill(first, signal.SIGCONT)


def test_nothing_is_heard_while_the_master_is_stopped(serve, watching):
    server = serve("hello", env=watching.environment)
    watching.await_text("WATCHDOG=1")
    server.signal(signal.SIGSTOP)
    watching.listen(0.2)
    assert watching.signs_of_life(WATCHDOG) == 0
    server.signal(signal.SIGCONT)
    since = len(watching.heard)
    watching.await_text("WATCHDOG=1", since)


def test_a_call_that_lasts_is_no_standstill(serve, watching):
    app = "import time\n\ndef app(environ, start_response):\n    time.sleep(600)\n"
    server = serve("app", "--timeout", "0", "--graceful-timeout", "0", files={"app.py": app}, env=watching.environment)
    watching.await_text("WATCHDOG=1")
    with server.connect() as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        watching.await_signs_of_life(2)


@pytest.mark.timing
def test_an_idle_service_with_a_watchdog_still_uses_no_cpu(serve, watching):
    server = serve("hello", env=watching.environment)
    watching.await_text("WATCHDOG=1")
    before = server.cpu_seconds()
    watching.listen(2 * WATCHDOG)
    assert round(server.cpu_seconds() - before, 2) <= 0.02
    wait_until(lambda: server.get("/").status == 200, "it still answers")
