"""--status: what can be seen from outside, whatever the workers do.

What went wrong once, in one server or another: the page of numbers waited behind the application that it was
to show; counters began anew with each worker that died; a request line from a client became a script in the
administrator's browser; and the numbers did not add up, so nobody believed them.
"""

import json
import os
import re
import signal
import socket
import time
from pathlib import Path

import pytest
from block import Holding
from client import Connection
from harness import cpu_seconds, is_alive, open_files, process_title, run
from timing import SANITIZED, SLOW, SOAK, report, wait_until
from watcher import APP, STATUS_ON, Crowd, Watcher

@pytest.fixture
def watch(serve):
    def start(*options, **keywords):
        status = keywords.pop("status", "127.0.0.1:0")
        server = serve("app", "--status", status, *options, files={"app.py": APP}, **keywords)
        return server, Watcher(server)

    return start


def test_each_address_is_answered(watch):
    server, watcher = watch("--threads", "2", workers=2)
    server.get("/")
    for path, kind in {
        "/": "text/html; charset=utf-8",
        "/status.json": "application/json",
        "/metrics": "text/plain; version=0.0.4; charset=utf-8",
        "/live": "text/plain; charset=utf-8",
        "/ready": "text/plain; charset=utf-8",
    }.items():
        response = watcher.get(path)
        assert (response.status, response.get("Content-Type")) == (200, kind)
        assert response.get("Cache-Control") == "no-store"
        assert response.get("X-Content-Type-Options") == "nosniff"
        assert watcher.get(path + "?refresh=1").status == 200
        head = watcher.get(path, "HEAD")
        assert head.status == 200 and int(head.get("Content-Length")) > 0
        refused = watcher.get(path, "POST")
        assert refused.status == 405 and refused.get("Allow") == "GET, HEAD"
    assert watcher.get("/nothing").status == 404
    assert server.get("/status.json").status == 200, "the application's"


def test_connections_to_the_status_process_are_kept_alive(watch):
    _, watcher = watch()
    with Connection(watcher.address) as connection:
        for _ in range(3):
            assert connection.exchange("GET", "/ready", [("Host", "localhost")]).text == "ready\n"


def test_metrics_are_all_there(watch):
    server, watcher = watch("--threads", "3", workers=2)
    server.get("/")
    metrics = watcher.metrics
    assert set(metrics) >= {
        "gateway_" + name
        for name in (
            "requests_total request_duration_seconds app_duration_seconds queue_duration_seconds connections threads "
            "requests_queued worker_restarts_total handovers_total received_bytes_total sent_bytes_total "
            "refused_total worker_rss_bytes generation build_info"
        ).split()
    }
    assert metrics["gateway_threads"]["idle"] == 6 and metrics["gateway_threads"]["busy"] == 0
    assert metrics["gateway_workers"]["ready"] == 2
    assert metrics["gateway_worker_rss_bytes"]["1"] > 1e6
    assert metrics["gateway_generation"].value == 1
    assert metrics["gateway_build_info"].sum == 1


def test_numbers_add_up_over_crashes_and_reloads(watch):
    """What clients have seen is what is counted, after whatever has become of the workers."""
    server, watcher = watch("--threads", "2", "--graceful-timeout", "1s", workers=2)
    kills = [signal.SIGKILL, signal.SIGTERM, signal.SIGKILL] * (100 if SOAK else 2)
    with Crowd(server, 4) as crowd:
        for count, number in enumerate(kills):
            time.sleep(0.2 * SLOW)
            if count % 2:
                server.signal(signal.SIGHUP)
            victims = [worker["pid"] for worker in watcher.json["workers"] if worker["state"] == "ready"]
            if victims:
                os.kill(victims[0], number)
        wait_until(lambda: "reloaded in" in server.log, "a reload")
    for path in ("/crash", "/exit"):
        # One that leaves, or proves a generation, is not restarted.
        wait_until(lambda: [worker["state"] for worker in watcher.json["workers"]] == ["ready"] * 2, "no reload is under way")
        before = watcher.metrics["gateway_worker_restarts_total"].sum
        with pytest.raises((AssertionError, OSError)):
            server.get(path)
        wait_until(lambda: watcher.metrics["gateway_worker_restarts_total"].sum > before, "that is told")
    seen = crowd.seen
    wait_until(lambda: watcher.json["connections"]["total"] == 0, "all connections are closed")
    counted = watcher.metrics["gateway_requests_total"].by_label()
    counted.pop("499", None)
    differences = {code: counted.get(code, 0) - seen.get(code, 0) for code in counted.keys() | seen.keys()}
    # One that was being sent when its worker was killed may be counted and not seen; one that was seen is counted.
    assert all(0 <= more for more in differences.values()), differences
    assert sum(differences.values()) <= len(kills), differences
    status = watcher.json
    assert status["requests"]["total"] == sum(status["requests"]["codes"].values()) >= sum(seen.values())
    assert status["restarts"]["causes"]["signal"] >= 1 and status["restarts"]["causes"]["exited"] == 1


def test_whoever_has_an_answer_finds_it_counted(watch):
    server, watcher = watch(workers=2)
    for number in range(1, 40):
        with server.connect() as connection:
            response = connection.exchange("GET", "/")
            if number % 10 == 0:
                os.kill(int(response.body), signal.SIGKILL)
            assert watcher.metrics["gateway_requests_total"]["200"] == number
        if number % 10 == 0:
            wait_until(lambda: watcher.metrics["gateway_worker_restarts_total"].sum == number // 10, "that is told")
            wait_until(lambda: watcher.metrics["gateway_workers"]["ready"] == 2, "its successor serves")


def test_bytes_and_durations_are_counted(watch):
    server, watcher = watch()
    before = watcher.metrics
    with server.connect() as connection:
        request = b"GET /sleep/0.2 HTTP/1.1\r\nHost: a\r\n\r\n"
        connection.send(request)
        head = connection._until(b"\r\n\r\n", None)
        body = connection._exactly(int(re.search(rb"Content-Length: (\d+)", head)[1]), None)
    wait_until(lambda: watcher.metrics["gateway_request_duration_seconds"].count == 1, "it has ended")
    after = watcher.metrics
    assert after["gateway_received_bytes_total"].value == len(request)
    assert after["gateway_sent_bytes_total"].value == len(head) + len(body)
    assert after["gateway_connections_accepted_total"].value == 1
    for name in ("request", "app"):
        family = after[f"gateway_{name}_duration_seconds"]
        assert 0.2 <= family.samples[family.name + "_sum", ()] < 30
        assert family["0.1"] == 0
    assert before["gateway_request_duration_seconds"].count == 0


def test_refusals_have_their_reasons(watch):
    server, watcher = watch("--limit-request-line", "100", "--header-timeout", "200ms", "--timeout", "300ms")
    assert server.raw(b"nonsense\r\n\r\n").status == 400
    assert server.raw(b"GET /" + b"x" * 200 + b" HTTP/1.1\r\n\r\n").status == 414
    assert server.raw(b"GET / HTTP/1.1\r\nHost").status == 408
    assert server.raw(b"GET / HTTP/7.0\r\nHost: a\r\n\r\n").status == 505
    assert server.get("/sleep/0.8").status == 504
    refused = watcher.metrics["gateway_refused_total"]
    assert {labels[0][1]: value for (_, labels), value in refused.samples.items() if value} == {
        "malformed": 1, "too_large": 1, "slow": 1, "unsupported": 1, "timeout": 1}  # fmt: skip


def test_connections_are_told_apart(watch):
    server, watcher = watch("--threads", "2")
    idle, reading = [server.connect() for _ in range(2)]
    assert idle.exchange("GET", "/").status == 200
    reading.send(b"GET / HTT")
    with Holding(server, "sleep"):
        wait_until(lambda: watcher.json["connections"]["reading"] and watcher.json["threads"]["busy"], "all have come")
        connections = watcher.json["connections"]
        assert (connections["idle"], connections["reading"], connections["active"]) == (1, 1, 1)
    for connection in (idle, reading):
        connection.close()
    wait_until(lambda: watcher.json["connections"]["total"] == 0, "all have left")


@pytest.mark.parametrize("how", ["sleep", "native"])
def test_running_requests_are_shown_with_their_age(watch, how):
    server, watcher = watch("--threads", "2")
    with server.connect() as connection:
        begun = time.monotonic()
        with Holding(server, how):
            wait_until(lambda: watcher.json["running"], "it runs")
            wait_until(lambda: watcher.json["running"][0]["age"] > 0.3, "it gets older")
            (call,) = watcher.json["running"]
            assert call["request"] == f"GET /hold/{how} HTTP/1.1"
            assert 0.3 < call["age"] <= time.monotonic() - begun
            assert call["pid"] == watcher.json["workers"][0]["pid"]
            assert watcher.metrics["gateway_threads"]["busy"] == 1
        assert connection.exchange().status == 200
    wait_until(lambda: watcher.json["running"] == [], "a call is listed until it has returned, which is after its answer")


def test_what_clients_send_stays_text(watch):
    server, watcher = watch()
    nasty = b'/hold/sleep?</script><script>alert(1)</script>&"\\\'<!--'
    os.mkfifo(server.directory / "gate")
    with server.connect() as connection:
        connection.send(b"GET " + nasty + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: watcher.json["running"], "it runs")
        page = watcher.get("/")
        request = watcher.json["running"][0]["request"]
        (server.directory / "gate").write_bytes(b"x")
    assert request == f"GET {nasty.decode()} HTTP/1.1"
    assert page.text.count("<script") == 2 and page.text.count("</script") == 2 and "<!--" not in page.text
    inside = re.search(r'id="json">(.*?)</script>', page.text, re.DOTALL)[1]
    assert json.loads(inside)["running"][0]["request"] == request
    nonce = re.search(r'<script nonce="([0-9a-f]{32})">', page.text)[1]
    policy = page.get("Content-Security-Policy")
    assert f"script-src 'nonce-{nonce}'" in policy and "default-src 'none'" in policy
    assert "unsafe" not in policy and watcher.get("/").get("Content-Security-Policy") != policy


def test_it_goes_on_while_every_worker_is_stuck(watch):
    server, watcher = watch("--timeout", "0", "--graceful-timeout", "500ms", workers=2)
    connections = []
    for _ in range(2):  # the kernel chooses the worker
        while len(watcher.json["running"]) <= len(connections) and len(connections) < 20:
            connection = server.connect()
            connection.request("GET", "/native/600")
            connections.append(connection)
            time.sleep(0.1)
    for worker in watcher.json["workers"]:
        os.kill(worker["pid"], signal.SIGSTOP)
    for path in ("/", "/status.json", "/metrics", "/live", "/ready"):
        assert watcher.get(path).status == 200
    assert max(call["age"] for call in watcher.json["running"]) > 0.1
    for worker in watcher.json["workers"]:
        os.kill(worker["pid"], signal.SIGCONT)
    for connection in connections:
        connection.close()


def test_it_answers_while_the_application_is_imported_and_while_it_drains(serve):
    server = serve(
        "app", "--status", "127.0.0.1:0", files={"app.py": APP, "importing": ""}, ready=lambda: True,
    )  # fmt: skip
    server.wait_log(STATUS_ON.pattern)
    watcher = Watcher(server)
    # There is no worker yet when the status process has just begun.
    wait_until(lambda: watcher.ready() == (503, "starting\n"), "a worker imports the application")
    assert watcher.get("/live").status == 200
    assert [worker["state"] for worker in watcher.json["workers"]] == ["booting"]
    (server.directory / "importing").unlink()
    wait_until(lambda: watcher.ready() == (200, "ready\n"), "it serves")
    with Holding(server, "sleep"):
        wait_until(lambda: watcher.json["running"], "it runs")
        server.signal(signal.SIGTERM)
        wait_until(lambda: watcher.ready() == (503, "draining\n"), "it drains")
        assert watcher.get("/live").status == 200
        assert len(watcher.json["running"]) == 1
    assert server.wait() == 0


def test_saturation_is_not_ready(watch):
    server, watcher = watch("--queue-timeout", "100ms", "--timeout", "0")
    with Holding(server, "sleep"), server.connect() as waits:
        wait_until(lambda: watcher.json["running"], "it runs")
        waits.request("GET", "/")
        assert waits.receive().status == 503
        assert watcher.ready() == (503, "saturated\n")
        assert watcher.get("/live").status == 200
        assert watcher.metrics["gateway_refused_total"]["no_thread"] == 1
    wait_until(lambda: watcher.ready() == (200, "ready\n"), "that is over")


def test_the_status_process_comes_back(watch):
    server, watcher = watch()
    server.get("/")
    first = watcher.pid(server)
    os.kill(first, signal.SIGKILL)
    server.wait_log(rf"the status process \(pid {first}\) was killed by signal 9 .*; it is replaced in 0.0 s")
    assert watcher.json["requests"]["total"] == 1, "the numbers are the scoreboard's"
    second = watcher.pid(server)
    os.kill(second, signal.SIGKILL)
    server.wait_log(rf"\(pid {second}\) was killed by signal 9 .*; it is replaced in 0\.1 s")
    assert watcher.ready() == (200, "ready\n"), "who connects meanwhile waits"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_to_the_whole_group_leaves_it_to_the_last(watch, number):
    server, watcher = watch()
    pid = watcher.pid(server)
    os.kill(pid, number)
    assert watcher.pid(server) == pid
    os.killpg(server.pid, number)
    assert server.wait() == 0
    assert not is_alive(pid)


def test_it_is_gone_when_the_master_is(watch):
    server, watcher = watch()
    pid = watcher.pid(server)
    server.signal(signal.SIGKILL)
    wait_until(lambda: not is_alive(pid), "it is gone")
    server.process.wait()
    wait_until(lambda: not server.processes(), "all are gone")
    server.remove()


def test_there_is_no_python_in_it(watch):
    server, watcher = watch("--threads", "4", workers=2)
    server.get("/")
    pid = watcher.pid(server)
    status = Path(f"/proc/{pid}/status").read_text()
    assert re.search(r"Threads:\t1\n", status)
    assert sum(link.startswith("socket:") for link in open_files(pid)) == 1, "its own listening socket only"
    assert "sanitize" in os.environ.get("GATEWAY", "") or private_kilobytes(pid) < private_kilobytes(
        watcher.json["workers"][0]["pid"]
    )


@pytest.mark.timing
def test_an_idle_status_process_uses_no_cpu(watch):
    server, watcher = watch("--threads", "4", workers=2)
    server.get("/")
    pid = watcher.pid(server)
    before = cpu_seconds(pid)
    time.sleep(1.5)
    report("an idle status process, CPU in 1.5 s", cpu_seconds(pid) - before)
    assert cpu_seconds(pid) - before <= 0.03 * SLOW


def private_kilobytes(pid):
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(number) for number in re.findall(r"Private_\w+: +(\d+) kB", rollup))


def test_workers_do_not_hold_its_socket(watch):
    server, watcher = watch()
    port = f"{watcher.address[1]:04X}"
    (inode,) = re.findall(rf":{port} 00000000:0000 0A .*? (\d+) \d+ [0-9a-f]{{16}}", Path("/proc/net/tcp").read_text())
    holders = [pid for pid in server.processes() if f"socket:[{inode}]" in open_files(pid)]
    assert sorted(holders) == sorted([server.pid, watcher.pid(server)])


def test_on_a_unix_socket(watch, tmp_path):
    path = tmp_path / "status.sock"
    server, watcher = watch(status=f"unix:{path}")
    assert watcher.ready() == (200, "ready\n")
    server.stop()
    assert not path.exists()


def test_ends_are_told_with_their_causes(watch):
    server, watcher = watch("--graceful-timeout", "300ms")
    with pytest.raises((AssertionError, OSError)):
        server.get("/crash")
    wait_until(lambda: watcher.json["restarts"]["causes"]["signal"] == 1, "that is told")
    wait_until(lambda: watcher.json["state"] == "ready", "its successor serves")
    first = watcher.json["workers"][0]["pid"]
    os.kill(first, signal.SIGTERM)
    wait_until(lambda: watcher.json["restarts"]["causes"]["asked"] == 1, "it has left")
    restarts = watcher.json["restarts"]
    assert restarts["causes"] == {"exited": 0, "signal": 1, "killed": 0, "stuck": 0, "asked": 1, "recycled": 0, "stalled": 0}
    asked, crashed = restarts["last"]
    assert (asked["cause"], asked["pid"], asked["worker"]) == ("asked", first, 0)
    assert crashed["cause"] == "signal" and "Killed" in crashed["how"]
    assert 'while it ran "GET /crash HTTP/1.1"' in crashed["how"]
    assert abs(crashed["at"] - time.time()) < 60
    assert watcher.metrics["gateway_worker_restarts_total"].sum == 2


def test_a_stuck_worker_is_replaced_for_that(watch):
    server, watcher = watch("--timeout", "200ms", "--graceful-timeout", "300ms")
    assert server.get("/sleep/60").status == 504
    wait_until(lambda: watcher.json["restarts"]["causes"]["stuck"] == 1, "it is replaced")


def test_history_is_sampled(watch):
    server, watcher = watch()
    for _ in range(5):
        server.get("/")
    wait_until(lambda: sum(watcher.json["history"]["requests"]) > 4, "a sample")
    history, minute = watcher.json["history"], watcher.json["minute"]
    assert len({len(history[name]) for name in ("requests", "errors", "p50", "p90", "p99", "queued", "busy")}) == 1
    at = next(i for i, rate in enumerate(history["requests"]) if rate)
    assert 0 < history["p50"][at] <= history["p90"][at] <= history["p99"][at]
    assert minute["request"]["count"] == 5 and 0 < minute["app"]["p50"] <= minute["request"]["p99"]


@pytest.mark.parametrize(
    "address, status, says",
    [
        ("nonsense", 2, '--status: "nonsense" is not an address with a port'),
        ("127.0.0.1:99999", 2, "--status:"),
        ("unix:" + "x" * 200, 4, "--status:"),
        ("192.0.2.1:9090", 4, "192.0.2.1:9090 cannot be bound"),
    ],
)
def test_a_wrong_address_is_told_in_one_sentence(address, status, says):
    result = run("--bind", "127.0.0.1:0", "--status", address, "app")
    assert result.returncode == status
    assert says in result.stderr and result.stderr.count("\n") == 1


def test_an_address_in_use_is_told(serve):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("--bind", "127.0.0.1:0", "--status", f"127.0.0.1:{taken.getsockname()[1]}", "app")
    assert result.returncode == 4
    assert result.stderr.endswith("choose another with --status\n")


def test_without_the_option_there_is_no_process(serve):
    server = serve("app", files={"app.py": APP})
    assert len(server.worker_pids()) == 1
    assert "status on" not in server.log


@pytest.mark.parametrize("path", ["/", "/status.json", "/metrics", "/live", "/ready"])
def test_a_name_of_another_site_is_misdirected(watch, path):
    """A page of that site, whose name led to this address, read the requests that ran (DNS rebinding)."""
    _, watcher = watch("--status-host", "status.example,shop")
    answered = {"127.0.0.1": 200, "localhost": 200, "shop:80": 200, "Status.Example": 200, "evil.example": 421}
    for host, status in answered.items():
        with Connection(watcher.address) as connection:
            connection.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            response = connection.receive()
        assert response.status == status, host
        assert (status == 421) == ("--status-host" in response.text)


def test_a_client_without_a_host_is_answered(watch):
    _, watcher = watch()
    with Connection(watcher.address) as connection:
        connection.send(b"GET /ready HTTP/1.0\r\n\r\n")
        assert connection.receive().status == 200


def test_the_status_process_is_confined(watch):
    """It runs no application, so it needs to do little: it neither forks nor executes nor connects."""
    server, watcher = watch()
    (pid,) = [pid for pid in server.processes() if "gateway: status" in process_title(pid)]
    watcher.get("/")
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    assert status["NoNewPrivs"] == "1"
    if not SANITIZED:
        assert status["Seccomp"] == "2"
    limits = Path(f"/proc/{pid}/limits").read_text()
    soft, hard = re.search(r"^Max open files +(\d+) +(\d+)", limits, re.MULTILINE).groups()
    assert int(soft) <= 1024 and int(hard) <= 1024


def test_the_confined_status_process_reopens_its_log(watch):
    server, watcher = watch("--error-logfile", "error.log", error_log="error.log")
    (server.directory / "error.log").rename(server.directory / "error.log.1")
    server.signal(signal.SIGUSR1)
    log = server.directory / "error.log"
    (pid,) = [pid for pid in server.processes() if "gateway: status" in process_title(pid)]
    wait_until(lambda: str(log) in open_files(pid), "it has the new file")
    assert watcher.get("/").status == 200
