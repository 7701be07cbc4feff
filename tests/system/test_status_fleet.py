"""--status while workers come and go: reloads, hand-overs, recycling, one worker more or less.

What went wrong once, in one server or another: a reload was counted as so many crashes; a connection that had moved
was counted in both workers, or in none; a request that waited was forgotten by the clock when it moved; a seat
that nobody had ever sat in was shown as a worker that was down.
"""

import os
import pwd
import re
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from harness import open_files
from test_privileges import why_not
from timing import PATIENCE, SLOW, wait_until
from watcher import APP, Counting, Crowd, Watcher


@pytest.fixture
def watch(serve):
    def start(*options, workers=1, **keywords):
        server = serve("app", "--status", "127.0.0.1:0", *options, files={"app.py": APP}, workers=workers, **keywords)
        server.wait_log("ready in")
        return server, Watcher(server)

    return start


def causes(watcher):
    return {cause: number for cause, number in watcher.json["restarts"]["causes"].items() if number}


def states(watcher):
    return [worker["state"] for worker in watcher.json["workers"]]


def assert_adds_up(watcher, crowd):
    """Each answer was counted once, wherever it was given; and nobody is left."""
    assert crowd.lost == 0
    wait_until(lambda: watcher.json["connections"]["total"] == 0, "all connections are closed")
    wait_until(
        lambda: watcher.metrics["gateway_request_duration_seconds"].count == sum(crowd.seen.values()), "all have ended"
    )
    metrics, status = watcher.metrics, watcher.json
    assert metrics["gateway_requests_total"].by_label() == crowd.seen
    assert metrics["gateway_connections"].by_label() == {"idle": 0, "reading": 0, "active": 0, "writing": 0}
    assert metrics["gateway_app_duration_seconds"].count == metrics["gateway_queue_duration_seconds"].count
    assert status["requests"]["total"] == sum(crowd.seen.values())
    assert status["queued"] == 0 and status["threads"]["busy"] == 0 and status["running"] == []


def test_numbers_add_up_over_reloads_and_hand_overs(watch):
    server, watcher = watch("--threads", "2", workers=3)
    with Crowd(server, 8) as crowd, ExitStack() as idle:
        for _ in range(40):  # the kernel deals them out by chance, and that must be made even
            idle.enter_context(server.connect())
        for number in (1, 2):
            time.sleep(0.3 * SLOW)
            server.signal(signal.SIGHUP)
            wait_until(lambda: len(re.findall("reloaded in", server.log)) == number, "reloaded", 2 * PATIENCE)
        wait_until(lambda: states(watcher) == ["ready"] * 3, "the old ones have left")
    assert_adds_up(watcher, crowd)
    metrics = watcher.metrics
    assert metrics["gateway_handovers_total"]["retire"] > 0 and metrics["gateway_handovers_total"]["balance"] > 0
    assert metrics["gateway_generation"].value == 3
    assert {worker["generation"] for worker in watcher.json["workers"]} == {3}
    assert metrics["gateway_worker_restarts_total"].sum == 0, "a reload is no restart"
    assert metrics["gateway_workers"].sum == 3


def test_a_reload_that_is_dropped_is_no_generation(watch):
    server, watcher = watch()
    server.get("/")
    (Path(server.directory) / "app.py").write_text("raise ValueError")
    server.signal(signal.SIGHUP)
    server.wait_log("not reloaded")
    assert watcher.metrics["gateway_generation"].value == 1
    assert watcher.metrics["gateway_worker_restarts_total"].sum == 0
    assert watcher.ready() == (200, "ready\n")


def test_a_request_that_moves_is_timed_from_its_beginning(watch):
    """Two at once to one worker, which has one thread: the second goes to the other one, or waits."""
    server, watcher = watch(workers=2)
    with ExitStack() as stack:
        while watcher.json["handovers"]["busy"] == 0:
            clients = [stack.enter_context(server.connect()) for _ in range(2)]
            for client in clients:
                client.request("GET", "/native/0.2")
            for client in clients:
                assert client.receive().status == 200
                client.close()
    wait_until(
        lambda: watcher.metrics["gateway_request_duration_seconds"].count == watcher.json["requests"]["total"],
        "all have ended",
    )
    metrics = watcher.metrics
    request, queue, call = [metrics[f"gateway_{name}_duration_seconds"] for name in ("request", "queue", "app")]
    assert request.count == queue.count == call.count
    total = {family.name: family.samples[family.name + "_sum", ()] for family in (request, queue, call)}
    assert total[request.name] >= total[queue.name] + total[call.name] - 0.001
    assert total[call.name] >= 0.2 * call.count


def test_recycled_workers_have_a_cause_of_their_own(watch):
    server, watcher = watch("--max-requests", "20", workers=2)
    with Crowd(server, 4) as crowd:
        wait_until(lambda: causes(watcher).get("recycled", 0) >= 3, "some are replaced", 2 * PATIENCE)
    assert causes(watcher).keys() == {"recycled"}
    assert watcher.metrics["gateway_worker_restarts_total"]["recycled"] >= 3
    assert "status 0" in watcher.json["restarts"]["last"][0]["how"]
    wait_until(lambda: states(watcher) == ["ready"] * 2, "the last one has left", 2 * PATIENCE)
    assert_adds_up(watcher, crowd)


def test_slots_that_were_never_used_are_not_shown(watch):
    server, watcher = watch(workers=2)
    status, metrics = watcher.json, watcher.metrics
    assert [worker["worker"] for worker in status["workers"]] == [0, 1]
    assert metrics["gateway_workers"].by_label() == {"failed": 0, "booting": 0, "loaded": 0, "ready": 2, "draining": 0, "stalled": 0}
    assert metrics["gateway_worker_rss_bytes"].by_label().keys() == {"0", "1"}
    assert metrics["gateway_threads"].sum == 2
    assert '"state":"none"' not in watcher.get("/").text


def test_one_worker_more_and_one_less(watch):
    server, watcher = watch(workers=1)
    server.signal(signal.SIGTTIN)
    wait_until(lambda: states(watcher) == ["ready"] * 2, "two serve")
    assert [worker["worker"] for worker in watcher.json["workers"]] == [0, 1]
    assert watcher.metrics["gateway_worker_rss_bytes"]["1"] > 1e6
    assert watcher.json["threads"]["total"] == 2
    clients = [Counting(server) for _ in range(20)]
    for client in clients:
        client.run(["/", "/status/404"], True)
    server.signal(signal.SIGTTOU)
    wait_until(lambda: states(watcher) == ["ready"], "one serves")
    assert watcher.metrics["gateway_requests_total"].by_label() == {"200": 20, "404": 20}, "its numbers stay"
    assert watcher.metrics["gateway_worker_rss_bytes"].by_label().keys() == {"0"}
    assert causes(watcher) == {}, "who leaves for good is not replaced"
    assert watcher.ready() == (200, "ready\n")


def test_a_service_that_says_farewell_is_not_ready(watch):
    server, watcher = watch("--drain-delay", "1s")
    server.signal(signal.SIGTERM)
    wait_until(lambda: watcher.ready() == (503, "draining\n"), "it says so")
    assert server.get("/").status == 200, "and is there still"
    assert server.wait() == 0


def holders(server, path):
    """Who has it open."""
    return [pid for pid in server.processes() if str(path) in open_files(pid)]


def test_it_lets_go_of_logs_that_were_moved(watch, tmp_path):
    error, access = tmp_path / "error", tmp_path / "access"
    server, watcher = watch("--error-logfile", error, "--access-logfile", access, error_log=error)
    pid = watcher.pid(server)
    assert pid in holders(server, error) and pid not in holders(server, access)
    error.rename(tmp_path / "error.1")
    server.signal(signal.SIGUSR1)
    wait_until(lambda: not holders(server, tmp_path / "error.1"), "every process has let go of the old file")
    assert pid in holders(server, error)


@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_it_is_the_user_too(watch):
    server, watcher = watch("--user", "nobody")
    pid = watcher.pid(server)
    status = Path(f"/proc/{pid}/status").read_text()
    assert re.search(r"Uid:\s(.*)", status)[1].split() == [str(pwd.getpwnam("nobody").pw_uid)] * 4
    assert re.search(r"CapEff:\s0+\n", status)
    os.kill(pid, signal.SIGKILL)
    server.wait_log("the status process .* is replaced in")
    assert watcher.ready() == (200, "ready\n")
    assert os.stat(f"/proc/{watcher.pid(server)}").st_uid == pwd.getpwnam("nobody").pw_uid
