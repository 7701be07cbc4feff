"""Workers that have served long enough: replaced one at a time, by one that is ready before they leave.

What went wrong once, in one server or another: all workers reached --max-requests together and the service
stood still; a worker that was full went away before another was there; one that leaked was killed with the
requests it had.
"""

import os
import threading
import time

import pytest
from fleet import APP, Clients, write
from timing import SLOW, wait_until, within

LEAK = '''
import os
kept = []

def application(environ, start_response):
    kept.append(bytearray(os.urandom(1024)) * 1024)
    start_response("200 OK", [])
    return [b"%d" % os.getpid()]
'''


def watch_workers(server, seen):
    """Notes how many workers there are, until the list is closed with None."""
    while None not in seen:
        seen.append(len(server.worker_pids()))
        time.sleep(0.01)


@pytest.mark.measures
def test_max_requests_replaces_each_worker_and_never_two_at_once(serve):
    options = ["--max-requests", 40, "--max-requests-jitter", 5]
    server = serve("app", *options, workers=3, files={"app.py": APP})
    wait_until(lambda: len(server.worker_pids()) == 3, "all workers")
    write(server, "slow", 0.1)
    seen = []
    watcher = threading.Thread(target=watch_workers, args=(server, seen))
    watcher.start()
    try:
        with Clients(server, 4) as clients:
            wait_until(lambda: len(set(clients.pids)) >= 9, "each slot has had three workers", 30)
    finally:
        seen.append(None)
        watcher.join()
    assert clients.failures == []
    within("the slowest request", clients.slowest, 0.5 * SLOW)
    assert max(filter(None, seen)) <= 5, "a successor, and a predecessor on its way out"
    assert min(filter(None, seen)) >= 3
    by_pid = [clients.pids.count(pid) for pid in set(clients.pids)]
    assert max(by_pid) >= 40
    assert "error" not in server.log


def test_a_worker_that_leaks_is_replaced_before_it_hurts(serve):
    limit = 120 if SLOW == 1 else 400  # MiB; a sanitizer has needs of its own
    server = serve("leak", "--max-rss", f"{limit}m", files={"leak.py": LEAK})
    old = server.worker_pid
    with Clients(server, 2) as clients:
        server.wait_log(r"\d+ KiB are more than --max-rss: this worker is replaced", timeout=30)
        wait_until(lambda: old not in server.worker_pids(), "it has left")
    assert clients.failures == []


def test_a_worker_does_not_grow_older_than_max_lifetime(serve):
    server = serve("app", "--max-lifetime", "1s", files={"app.py": APP})
    old = server.worker_pid
    with Clients(server, 2) as clients:
        wait_until(lambda: old not in server.worker_pids(), "it has left")
    assert clients.failures == []
    assert "--max-lifetime is over" in server.log


@pytest.mark.parametrize("option", ["--max-requests", "--max-requests-jitter", "--max-lifetime", "--max-rss"])
def test_off_is_off(serve, option):
    server = serve("app", option, 0, files={"app.py": APP})
    old = server.worker_pid
    for _ in range(20):
        assert int(server.get("/").body) == old


def test_a_worker_that_cannot_be_replaced_goes_on(serve):
    server = serve("app", "--max-requests", 5, files={"app.py": APP})
    old = server.worker_pid
    write(server, "broken", "raise RuntimeError")
    for _ in range(20):
        assert int(server.get("/").body) == old
    server.wait_log("its predecessor stays")
    os.unlink(server.directory / "broken")
    wait_until(lambda: old not in server.worker_pids(), "it has left")
