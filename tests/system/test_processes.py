"""Master and workers: what happens when one of them dies, and what the signals do.

What went wrong once, in one server or another: the log said "was sent SIGSEGV!" of a worker that had called
exit(), a worker that died at once was restarted without a pause and filled the disk with logs, workers
outlived their master and kept the port, TERM cut requests in flight, SIGTERM meant reload.
"""

import json
import os
import re
import signal
import time

import pytest
from client import Cut
from harness import Server, is_alive, process_table, run
from timing import PATIENCE, SANITIZED, SLOW, report, wait_until

APP = """
import os, time

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/slow":
        time.sleep(1)
    if path == "/stream":
        start_response("200 OK", [])
        return (time.sleep(0.3) or b"block %d" % n for n in range(4))
    start_response("200 OK", [("X-Pid", str(os.getpid()))])
    return [path.encode()]
"""


def start(serve, *options, **keywords):
    return serve("app", *options, files={"app.py": APP}, **keywords)


DEATHS = [
    # signal or path of errors.py, what the log must say of it
    (signal.SIGKILL, r"(?i)signal 9|SIGKILL|killed"),
    (signal.SIGSEGV, r"(?i)signal 11|SIGSEGV|segmentation"),
    ("/die", r"(?i)(exit\w*|status)[^\n]*\b7\b"),
    ("/die-late", r"(?i)(exit\w*|status)[^\n]*\b7\b"),
    ("/abort", r"(?i)signal 6|SIGABRT|abort"),
    ("/segfault", r"(?i)signal 11|SIGSEGV|segmentation"),
]


@pytest.mark.parametrize("death, said", DEATHS, ids=[str(row[0]) for row in DEATHS])
def test_a_worker_that_dies_is_reported_with_the_truth_and_replaced(serve, death, said):
    if SANITIZED and death in (signal.SIGSEGV, "/segfault"):
        said = r"(?i)(exit\w*|status|signal)[^\n]*\d"  # the sanitizer turns it into an exit
    server = serve("errors", workers=2, crashes=True)
    wait_until(lambda: len(server.worker_pids()) == 2, "two workers")
    before = server.worker_pids()
    mark = len(server.log)
    if isinstance(death, str):
        with server.connect() as connection:
            connection.request("GET", death)
            assert b"500" not in connection.rest()[:20]
    else:
        os.kill(before[0], death)
    wait_until(lambda: len(set(server.worker_pids()) - set(before)) == 1, "another worker in its place")
    assert len(server.worker_pids()) == 2
    (dead,) = set(before) - set(server.worker_pids())
    server.wait_log(said, mark)
    assert re.search(rf"\b{dead}\b", server.log[mark:]), "the log names the process"
    assert [server.get("/").status for _ in range(10)] == [200] * 10


CRASHES = [
    ("segfault", "ctypes.string_at(0)", 11),
    ("abort", "os.abort()", 6),
    ("with-the-gil", "ctypes.PyDLL(None).abort()", 6),
]


@pytest.mark.skipif(SANITIZED, reason="the sanitizer has crashes for itself")
@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("crash", [row[1:] for row in CRASHES], ids=[row[0] for row in CRASHES])
def test_the_last_words_of_a_crash_are_in_the_record_of_the_death(serve, crash, log_format):
    code, number = crash
    app = f"import ctypes, os\n\ndef application(environ, start_response):\n    {code}\n"
    server = serve("app", "--log-format", log_format, files={"app.py": app}, crashes=True)
    with server.connect() as connection:
        connection.request("GET", '/x?a="b"\x1b')
        assert connection.receive().status == 400
    with server.connect() as connection:
        connection.request("GET", "/x?a=1")
        connection.rest()
    server.wait_log("it is replaced now")
    wait_until(lambda: server.log.endswith("\n"), "the record is whole")
    if log_format == "json":
        records = [json.loads(line) for line in server.log.splitlines()]
        (record,) = [record["message"] for record in records if "it is replaced now" in record["message"]]
    else:
        record = re.search(r"error: (worker 0 .*it is replaced now\n(?:(?!\d{4}-).*\n)*)", server.log)[1]
    first, _, rest = record.partition("\n")
    assert f"was killed by signal {number} " in first and 'while it ran "GET /x?a=1 HTTP/1.1"' in first
    assert "most recent call first" in rest and re.search(r'app\.py", line 4 in application', rest)
    assert server.log.count("most recent call first") == 1, "and nowhere else"


@pytest.mark.skipif(SANITIZED, reason="the sanitizer has crashes for itself")
def test_a_crash_names_every_call_that_ran(serve):
    app = """
import ctypes, time

def application(environ, start_response):
    if environ["PATH_INFO"] == "/crash":
        ctypes.string_at(0)
    open("begun", "w").close()
    time.sleep(600)
"""
    server = serve("app", "--threads", "3", files={"app.py": app}, crashes=True)
    with server.connect() as one, server.connect() as other:
        one.request("GET", "/one")
        wait_until((server.directory / "begun").exists, "the first call has begun")
        other.request("GET", "/crash")
        other.rest()
    found = server.wait_log(r"was killed by signal 11 .*it is replaced now")
    assert '"GET /one HTTP/1.1" (for 0.' in found[0] and '"GET /crash HTTP/1.1" (for 0.0 s)' in found[0]


@pytest.mark.skipif(SANITIZED, reason="the sanitizer has crashes for itself")
def test_a_child_of_the_application_that_crashes_is_not_the_worker(serve):
    app = """
import ctypes, os

def application(environ, start_response):
    if environ["PATH_INFO"] == "/die":
        os._exit(3)
    if os.fork() == 0:
        ctypes.string_at(0)
    os.wait()
    start_response("200 OK", [])
    return [b"parent"]
"""
    server = serve("app", files={"app.py": app}, crashes=True)
    assert server.get("/").body == b"parent"
    server.wait_log(r"Segmentation fault\n(.*\n)*.*line 8 in application"), "as any Python's, on standard error"
    assert server.worker_pid
    mark = len(server.log)
    with server.connect() as connection:
        connection.request("GET", "/die")
        connection.rest()
    server.wait_log("exited with status 3 .*it is replaced now", mark)
    assert "Segmentation" not in server.log[mark:]


@pytest.mark.skipif(SANITIZED, reason="the sanitizer has crashes for itself")
def test_a_crash_while_the_application_is_imported_is_told_with_its_stack(tmp_path):
    (tmp_path / "crash.py").write_text("import ctypes\n\nctypes.string_at(0)\n")
    done = run("crash", "--bind", "127.0.0.1:0", cwd=tmp_path)
    assert done.returncode == 3
    assert re.search(r"the process that imported it was killed by signal 11 .*\n.*\n(.*\n)*.*line 3 in <module>", done.stderr)


def test_requests_are_answered_while_workers_die(serve):
    server = start(serve, workers=2)
    for _ in range(4):
        pids = wait_until(server.worker_pids, "a worker")
        os.kill(pids[0], signal.SIGKILL)
        # Both listening sockets stay open: nobody is refused, what was queued is answered by the successor.
        for _ in range(5):
            try:
                assert server.get("/x").body == b"/x"
            except (Cut, ConnectionResetError):
                pass  # was on the worker that died


def test_all_workers_dying_at_once_refuses_nobody(serve):
    server = start(serve, workers=2)
    for pid in wait_until(lambda: len(server.worker_pids()) == 2 and server.worker_pids(), "two workers"):
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.05)
    assert [server.get("/x").status for _ in range(4)] == [200] * 4


def test_a_worker_that_keeps_dying_at_once_is_restarted_with_growing_pauses(serve):
    app = """
import os, time

def application(environ, start_response):
    start_response("200 OK", [])
    return [b"ok"]

if os.path.exists("broken"):
    os._exit(3)
"""
    server = serve("app", files={"app.py": app})
    (server.directory / "broken").write_text("")
    mark = len(server.log)
    os.kill(server.worker_pid, signal.SIGKILL)

    def pauses():
        return [float(pause) for pause in re.findall(r"replaced in ([\d.]+) s", server.log[mark:])]

    found = wait_until(lambda: len(pauses()) >= 4 and pauses(), "four deaths")
    # Each is twice the one before, give or take 20 %, and rounded to a tenth.
    for pause, (least, most) in zip(found, [(0.1, 0.1), (0.2, 0.2), (0.3, 0.5), (0.6, 1.0)]):
        assert least <= pause <= most, f"pauses of {found} s"
    assert len(re.findall(r"exited with status 3\b", server.log[mark:])) >= 3
    assert server.process.poll() is None, "once it has served, the master stays"
    (server.directory / "broken").unlink()
    assert server.get("/").body == b"ok", "it heals by itself"


def test_when_the_master_is_killed_the_workers_leave(serve):
    server = start(serve, workers=2)
    wait_until(lambda: len(server.worker_pids()) == 2, "two workers")
    workers = server.worker_pids()
    server.signal(signal.SIGKILL)
    server.process.wait(PATIENCE)
    wait_until(lambda: not any(map(is_alive, workers)), "the workers have left")
    with pytest.raises(ConnectionRefusedError):
        server.connect()
    server.remove()


def test_when_the_master_is_killed_requests_in_flight_are_finished(serve):
    server = start(serve)
    with server.connect() as connection:
        connection.request("GET", "/slow")
        time.sleep(0.3)
        server.signal(signal.SIGKILL)
        assert connection.receive().body == b"/slow"
    server.process.wait(PATIENCE)
    wait_until(lambda: not server.processes(), "the worker has left")
    server.remove()


@pytest.mark.parametrize("path", ["/slow", "/stream"])
def test_term_lets_requests_in_flight_finish_and_exits_0(serve, path):
    server = start(serve)
    with server.connect() as connection, server.connect() as idle:
        assert idle.exchange("GET", "/x").status == 200
        connection.request("GET", path)
        time.sleep(0.3)
        server.signal(signal.SIGTERM)
        response = connection.receive()
        assert response.body == (b"/slow" if path == "/slow" else b"block 0block 1block 2block 3")
        connection.assert_closed()
        idle.assert_closed()
    assert server.wait() == 0
    server.remove()


def test_term_finishes_a_request_that_is_still_arriving(serve):
    server = serve("echo")
    with server.connect() as connection:
        connection.request("POST", "/", [("Content-Length", "10")])
        connection.send(b"12345")
        time.sleep(0.2)
        server.signal(signal.SIGTERM)
        time.sleep(0.2)
        connection.send(b"67890")
        response = connection.receive()
        assert (response.body, response.get("Connection")) == (b"1234567890", "close")
    assert server.wait() == 0
    server.remove()


def test_term_waits_no_longer_than_graceful_timeout(serve):
    server = serve("stream", "--graceful-timeout", "500ms")
    with server.connect() as connection:
        connection.request("GET", "/?count=1000&pause=0.5")
        time.sleep(0.3)
        server.signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
        try:
            connection.receive()
            raise AssertionError("a request cut short must not look whole")
        except (Cut, ConnectionResetError):
            pass
    wait_until(lambda: not server.processes(), "no process is left")
    server.remove()


def test_graceful_timeout_0_waits_for_no_request(serve):
    server = serve("stream", "--graceful-timeout", "0")
    with server.connect() as connection:
        connection.request("GET", "/?count=2&pause=600")
        time.sleep(0.3)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    server.remove()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_int_and_quit_stop_quickly(serve, number):
    server = start(serve, workers=2)
    with server.connect() as idle:
        assert idle.exchange("GET", "/x").status == 200
        server.signal(number)
        assert server.wait() == 0
        idle.assert_closed()
    server.remove()


@pytest.mark.parametrize("first, second", [("SIGINT", "SIGINT"), ("SIGQUIT", "SIGQUIT"), ("SIGTERM", "SIGINT")])
def test_a_second_signal_stops_at_once_whatever_the_application_does(serve, first, second):
    server = serve("stream")
    with server.connect() as connection:
        connection.request("GET", "/?count=2&pause=600")
        time.sleep(0.3)
        server.signal(getattr(signal, first))
        time.sleep(0.2)
        for _ in range(1 if first != "SIGTERM" else 2):
            if server.process.poll() is None:
                server.signal(getattr(signal, second))
                time.sleep(0.1)
        server.process.wait(PATIENCE)
    wait_until(lambda: not server.processes(), "no process is left")
    server.remove()


def test_ctrl_c_in_a_terminal_reaches_all_processes_and_is_one_quiet_stop(serve):
    server = start(serve, workers=2)
    wait_until(lambda: len(server.worker_pids()) == 2, "two workers")
    os.killpg(server.pid, signal.SIGINT)
    assert server.wait() == 0
    assert "Traceback" not in server.log and "KeyboardInterrupt" not in server.log
    server.remove()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("imports", [0, 600], ids=["before the application is loaded", "while it is loaded"])
def test_a_stop_during_the_start_is_heard(tmp_path, number, imports):
    path = tmp_path / "socket"
    app = f"""
import time
open("importing", "w").close()
time.sleep({imports})
application = print
"""
    keywords = {"files": {"app.py": app}, "bind": f"unix:{path}"}
    server = Server("app", ready=path.exists, **keywords)
    if imports:
        wait_until((server.directory / "importing").exists, "the import has begun")
    server.signal(number)
    try:
        assert server.wait() == 0
        assert not path.exists(), "the socket file is removed"
    finally:
        server.kill()


def test_an_application_that_ignores_term_while_it_is_loaded_does_not_hinder_a_stop(tmp_path):
    app = f"""
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open("{tmp_path}/importing", "w").close()
time.sleep(600)
"""
    server = Server("app", files={"app.py": app}, ready=(tmp_path / "importing").exists)
    try:
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    finally:
        server.kill()


def test_when_the_master_is_killed_a_worker_that_still_loads_the_application_leaves(tmp_path):
    app = f"""
import time
open("{tmp_path}/importing", "w").close()
time.sleep(600)
"""
    server = Server("app", files={"app.py": app}, ready=(tmp_path / "importing").exists)
    try:
        worker = server.worker_pid
        server.signal(signal.SIGKILL)
        server.process.wait(PATIENCE)
        wait_until(lambda: not is_alive(worker), "the worker has left")
        with pytest.raises(ConnectionRefusedError):
            server.connect()
    finally:
        server.kill()


def test_a_stop_says_so_and_nothing_is_an_error(serve):
    server = start(serve, workers=2)
    server.get("/")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert not re.search(r" (error|critical): ", server.log), server.log
    server.remove()


def test_the_workers_are_children_of_the_master_and_only_one_imports_when_it_fails(serve):
    app = """
import os
open("imports", "a").write("%d\\n" % os.getpid())

def application(environ, start_response):
    start_response("200 OK", [])
    return [b"ok"]
"""
    server = serve("app", files={"app.py": app}, workers=3)
    wait_until(lambda: len((server.directory / "imports").read_text().split()) == 3, "each imports the application")
    pids = {int(pid) for pid in (server.directory / "imports").read_text().split()}
    assert pids == set(server.worker_pids())


def test_there_is_no_python_in_the_master(serve):
    server = start(serve)
    with open(f"/proc/{server.pid}/status") as file:
        rss = next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))
    assert SANITIZED or rss < 1500, f"{rss} kB of the master's own"


@pytest.mark.timing
def test_an_idle_server_uses_no_cpu(serve):
    server = start(serve)
    with server.connect() as idle:
        assert idle.exchange("GET", "/x").status == 200
        time.sleep(0.2)
        before = server.cpu_seconds()
        time.sleep(1)
        report("an idle server, CPU in a second", server.cpu_seconds() - before)
        assert round(server.cpu_seconds() - before, 2) <= 0.03 * SLOW


def test_children_leave_no_zombies_in_the_master(serve):
    server = start(serve, workers=2)
    for _ in range(3):
        os.kill(wait_until(server.worker_pids, "a worker")[0], signal.SIGKILL)
        server.get("/x")
    wait_until(
        lambda: not [pid for pid, parent, _, state in process_table() if parent == server.pid and state == "Z"],
        "every child is waited for",
    )


def test_the_server_leaves_no_files_behind(tmp_path):
    with Server("echo", "--tmp-dir", tmp_path, "--body-memory", "1k") as server:
        assert len(server.request("POST", "/", body=b"x" * 100000).body) == 100000
        assert sorted(os.listdir(server.directory)) == ["stderr"]
    assert os.listdir(tmp_path) == []
