"""One worker after another: a worker's successor is up before the worker leaves.

What went wrong once, in one server or another: a worker that was told to leave left the clients in its
queue to a successor that was still importing; a worker whose call never returned kept its slot for ever, or
took the requests of its other threads with it.
"""

import os
import signal
import time
from contextlib import ExitStack

import pytest
from fleet import APP, Clients, write
from timing import SLOW, wait_until, within


def import_slowly(server, seconds):
    write(server, "slow", seconds)


def begin_stuck_call(server, path="/sleep/60"):
    connection = server.connect()
    connection.request("GET", path)
    return connection


@pytest.mark.measures
def test_the_successor_of_a_stuck_worker_is_up_before_that_one_leaves(serve):
    server = serve(
        "app", "--threads", "3", "--timeout", "300ms", "--graceful-timeout", "400ms", files={"app.py": APP}
    )
    old = server.worker_pid
    import_slowly(server, 1)
    with begin_stuck_call(server) as stuck, Clients(server, 2, "/sleep/0.1") as clients:
        assert stuck.receive().status == 504
        server.wait_log("finishes its other requests and is replaced")
        replaced_at = len(clients.pids)
        wait_until(lambda: set(clients.pids[-4:]) - {old}, "the successor serves")
        wait_until(lambda: old not in server.worker_pids(), "the stuck worker has left")
    assert clients.failures == []
    assert clients.pids[replaced_at:].count(old) >= 5, "it served while its successor was imported"
    within("the slowest request", clients.slowest, 0.5 * SLOW)
    assert 'did not return in time from "GET /sleep/60' in server.log


@pytest.mark.parametrize("threads, path", [(1, "/sleep/60"), (1, "/deadlock"), (3, "/deadlock")])
def test_while_every_thread_is_stuck_clients_wait_for_the_successor(serve, threads, path):
    options = ["--threads", threads, "--timeout", "300ms", "--graceful-timeout", "2s"]
    server = serve("app", *options, files={"app.py": APP})
    old = server.worker_pid
    import_slowly(server, 0.5)
    with begin_stuck_call(server, path) as stuck, server.connect() as waits:
        time.sleep(0.1)
        waits.request("GET", "/")
        assert stuck.receive().status == 504
        response = waits.receive()
        assert response.status == 503 and response.get("Retry-After"), "no thread will take it"
        waits.close()
        wait_until(lambda: old not in server.worker_pids(), "the stuck worker has left")
    assert int(server.get("/").body) != old
    assert "cut" not in server.log


@pytest.mark.measures
def test_term_to_a_worker_replaces_it_and_nobody_is_refused(serve):
    server = serve("app", workers=2, files={"app.py": APP})
    import_slowly(server, 0.3)
    with Clients(server, 4) as clients:
        for _ in range(2):
            old = server.worker_pids()[0]
            os.kill(old, signal.SIGTERM)
            wait_until(lambda old=old: old not in server.worker_pids(), "it has left")
            assert len(server.worker_pids()) == 2
    assert clients.failures == []
    within("the slowest request", clients.slowest, 0.3 * SLOW)


def test_whoever_insists_does_not_wait_for_a_successor(serve):
    server = serve("app", files={"app.py": APP})
    old = server.worker_pid
    import_slowly(server, 2)
    os.kill(old, signal.SIGTERM)
    wait_until(lambda: len(server.worker_pids()) == 2, "its successor is imported")
    os.kill(old, signal.SIGTERM)
    wait_until(lambda: old not in server.worker_pids(), "it has left")
    assert int(server.get("/").body) != old


def test_a_second_term_closes_no_connection_that_idles(serve):
    """A request could be on its way on it."""
    server = serve("app", files={"app.py": APP})
    with server.connect() as idle:
        old = int(idle.exchange().body)
        import_slowly(server, 1)
        os.kill(old, signal.SIGTERM)
        wait_until(lambda: len(server.worker_pids()) == 2, "its successor is imported")
        os.kill(old, signal.SIGTERM)
        wait_until(lambda: old not in server.worker_pids(), "it has left")
        idle.assert_open()
        assert int(idle.exchange().body) != old


def test_a_worker_that_does_not_leave_is_killed(serve):
    server = serve("app", "--graceful-timeout", "200ms", files={"app.py": APP})
    old = server.worker_pid
    import_slowly(server, 0.3)
    os.kill(old, signal.SIGTERM)
    wait_until(lambda: len(server.worker_pids()) == 2, "its successor is imported")
    os.kill(old, signal.SIGSTOP)
    server.wait_log(rf"worker 0 \(pid {old}\) did not leave in time and was killed by the master")
    assert int(server.get("/").body) != old


@pytest.mark.parametrize("fault", ["broken", "dies"])
def test_while_no_successor_can_be_had_the_worker_stays(serve, fault):
    server = serve("app", files={"app.py": APP})
    old = server.worker_pid
    if fault == "broken":
        write(server, "broken", "raise RuntimeError")
    else:
        import_slowly(server, 5)
    with Clients(server, 2) as clients:
        os.kill(old, signal.SIGTERM)
        if fault == "dies":
            (new,) = wait_until(lambda: set(server.worker_pids()) - {old}, "a successor")
            os.kill(new, signal.SIGKILL)
        server.wait_log(r"; its predecessor stays; the next try is in 0\.\d s")
        assert set(clients.pids) == {old}
        for name in ("broken", "slow"):
            (server.directory / name).unlink(missing_ok=True)
        for pid in set(server.worker_pids()) - {old}:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: old not in server.worker_pids(), "the next one was good")
    assert clients.failures == []


def test_a_stop_while_a_successor_is_imported_leaves_nobody_behind(serve):
    server = serve("app", files={"app.py": APP})
    import_slowly(server, 30)
    os.kill(server.worker_pid, signal.SIGTERM)
    wait_until(lambda: len(server.worker_pids()) == 2, "its successor is imported")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0


def test_what_is_queued_behind_a_call_when_its_worker_leaves_goes_to_the_successor(serve):
    server = serve("app", "--graceful-timeout", f"{10 * SLOW}s", files={"app.py": APP})
    old = server.worker_pid
    with ExitStack() as stack:
        blocked, plain, head, body, late = [stack.enter_context(server.connect(timeout=20)) for _ in range(5)]
        for client in (plain, head, body, late):
            assert int(client.exchange().body) == old
        blocked.request("GET", f"/sleep/{4 * SLOW}")
        time.sleep(0.1)
        plain.request("GET", "/")
        head.send(b"GET / HTTP/1.1\r\nHo")
        body.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n12")
        late.send(b"GET ")
        os.kill(old, signal.SIGTERM)
        head.send(b"st: a\r\n\r\n")
        body.send(b"34")
        wait_until(lambda: len(server.worker_pids()) == 2, "a successor")
        for client in (plain, head, body):
            assert int(client.receive().body) != old
        late.send(b"/ HTTP/1.1\r\nHost: a\r\n\r\n")
        assert int(late.receive().body) != old
        assert int(blocked.receive().body) == old


def test_who_leaves_keeps_its_clients_when_the_successor_leaves_too(serve):
    server = serve("app", "--graceful-timeout", f"{10 * SLOW}s", files={"app.py": APP})
    old = server.worker_pid
    with server.connect(timeout=20) as blocked, server.connect(timeout=20) as queued:
        assert int(queued.exchange().body) == old
        blocked.request("GET", f"/sleep/{2 * SLOW}")
        time.sleep(0.1)
        os.kill(old, signal.SIGTERM)
        wait_until(lambda: len(pids := server.worker_pids()) == 2 and pids, "a successor")
        server.wait_log("ready in")
        time.sleep(0.5 * SLOW)
        server.signal(signal.SIGTERM)
        wait_until(lambda: server.worker_pids() == [old], "the successor has left")
        answer = blocked.receive()
        assert int(answer.body) == old
        assert answer.get("Connection") == "close", "nobody would answer the next request"
    assert server.wait() == 0


def test_while_every_thread_of_one_worker_is_stuck_the_others_take_its_clients(serve):
    options = ["--timeout", "300ms", "--graceful-timeout", "300ms"]
    server = serve("app", *options, workers=2, files={"app.py": APP})
    wait_until(lambda: len(server.worker_pids()) == 2, "all workers")
    import_slowly(server, 600)
    with begin_stuck_call(server) as stuck:
        assert stuck.receive().status == 504
        server.wait_log("is replaced")
        time.sleep(0.3)
        for _ in range(30):
            with server.connect() as client:
                assert client.exchange().status == 200
                assert client.exchange().status == 200


def test_a_worker_whose_stuck_call_returns_after_all_serves_again(serve):
    server = serve("app", "--timeout", "300ms", "--graceful-timeout", "300ms", files={"app.py": APP})
    old = server.worker_pid
    write(server, "broken", "raise RuntimeError")  # no successor is to be had
    with begin_stuck_call(server, f"/sleep/{2 * SLOW}") as stuck:
        assert stuck.receive().status == 504
        server.wait_log("is replaced")
    wait_until(lambda: answers(server, old), "it serves again")


def answers(server, pid):
    try:
        with server.connect(timeout=0.5) as client:
            return int(client.exchange().body) == pid
    except (OSError, AssertionError):
        return False
