"""The application abuses the pipes, mailboxes, posts and scoreboard that workers share with the master.
The master, which may be root where the application is not, goes on, and so does the status process.

What went wrong once: a worker enlarged its pipe and filled it, and the question for stacks ended the master
by SIGSEGV; one sibling made another read behind its memory.
"""

import json
import os
import re
import signal

import control
import pytest
from forger import APP
from harness import is_alive, open_files
from timing import wait_until
from watcher import Watcher

AS_ANOTHER = ("--user", "nobody") if os.geteuid() == 0 else ()


@pytest.fixture(params=[(), ("--preload",)], ids=["forked", "preloaded"])
def forger(serve, request):
    options = ("--control-socket", "control", "--status", "127.0.0.1:0", *AS_ANOTHER, *request.param)
    server = serve("app", *options, files={"app.py": APP}, workers=2)
    wait_until(lambda: len(server.worker_pids()) >= 2, "both workers")
    return server


def status_process(server):
    (pid,) = [pid for pid, parent in server.processes().items() if "gateway: status" in title(pid)]
    return pid


def title(pid):
    try:
        return open(f"/proc/{pid}/cmdline").read()
    except OSError:
        return ""


def look_everywhere(server):
    """All that the master and the status process can be asked."""
    watcher = Watcher(server)
    for verb in ("status", "workers", "requests", "stacks"):
        shown = control.ask(server, verb)
        assert all(line.isprintable() for line in shown.splitlines()), shown
    json.loads(watcher.get("/status.json").text)
    for path in ("/", "/metrics"):
        assert watcher.get(path).status == 200
    for path in ("/live", "/ready"):
        assert watcher.get(path).status in (200, 503)


@pytest.mark.parametrize(
    "deed", ["fill", "enlarge", "scribble", "drain", "close_pipes", "mail", "attach", "noise"]
)
def test_the_master_goes_on(forger, deed):
    status, descriptors = status_process(forger), len(open_files(forger.pid))
    for _ in range(4):
        try:
            forger.get("/" + deed)
        except (ConnectionError, AssertionError):
            pass  # the worker may have done away with itself
        look_everywhere(forger)
    assert is_alive(forger.pid) and status_process(forger) == status
    wait_until(lambda: len(open_files(forger.pid)) <= descriptors + 2, "no descriptor was left in the master")
    for pid in forger.worker_pids():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: forger.get("/").status == 200, "new workers serve")
    look_everywhere(forger)
    assert control.gatewayctl(forger, "reload", "--wait")[0] == 0
    forger.stop()


def test_the_log_is_not_filled(serve):
    """Once 227,000 records in three seconds."""
    server = serve("app", *AS_ANOTHER, files={"app.py": APP}, workers=2)
    wait_until(lambda: len(server.worker_pids()) == 2, "both workers")
    server.get("/flood")
    server.wait_log("a message from another worker is dropped")
    server.get("/flood")
    assert server.log.count("a message from another worker") <= 40
    server.stop()
    assert re.search(r"\d+ more records are not shown: connections from other workers", server.final_log)


def test_a_forged_status_names_no_request_in_control_characters(serve):
    """The request of a worker that dies goes into the log, the page and the service manager's status."""
    app = APP + '''

def die():
    for line in open("/proc/self/maps"):
        if "gateway scoreboard" in line:
            start, end = (int(number, 16) for number in re.match("([0-9a-f]+)-([0-9a-f]+)", line).groups())
            with open("/proc/self/mem", "r+b", 0) as memory:
                memory.seek(start)
                at = memory.read(end - start).rindex(b"GET /die")
                memory.seek(start + at)
                memory.write(b"GET /\\x1b[2J\\n2026")
    os.kill(os.getpid(), 9)


deeds["die"] = die
'''
    server = serve("app", "--control-socket", "control", files={"app.py": app})
    with server.connect() as connection:
        connection.send(b"GET /die HTTP/1.1\r\nHost: h\r\n\r\n")
        server.wait_log(r'while it ran "GET /\\x1b\[2J\\x0a2026')
