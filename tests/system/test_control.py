"""The control socket and gatewayctl: who may ask, what is answered, and that nobody there can hurt the service.

What went wrong once, in one server or another: a control client that did not read its answer stopped the
master; anybody on the machine could stop the service, for a moment after its start; a deploy script could
not tell a reload that failed from one that went well.
"""

import os
import re
import signal
import socket
import stat
import time

import pytest
from control import ask, connect, converse, finish, gatewayctl, path_of, read_all, rows, start, status
from fleet import APP, Clients, write
from harness import open_files, run
from timing import wait_until

OPTIONS = ("--control-socket", "control")


@pytest.fixture
def server(serve):
    def begin(*options, workers=2, **keywords):
        keywords.setdefault("files", {"app.py": APP})
        return serve("app", *OPTIONS, *options, workers=workers, **keywords)

    return begin


def test_status_is_the_service_on_one_screen(server):
    server = server()
    for _ in range(3):
        server.get("/")
    said = status(server)
    assert re.fullmatch(r"\d+\.\d+\.\d+", said["version"])
    assert said["application"] == "app" and int(said["pid"]) == server.pid
    assert (said["phase"], said["generation"], said["workers"]) == ("serving", "1", "2 serving")
    assert re.fullmatch(r"\d+\.\ds", said["uptime"])
    wait_until(lambda: status(server)["requests"] == "3", "all are counted")
    os.kill(server.worker_pids()[0], signal.SIGKILL)
    wait_until(lambda: status(server)["restarts"] == "1", "the death is counted")
    wait_until(lambda: status(server)["workers"] == "2 serving", "and repaired")


def test_workers_are_rows(server):
    server = server()
    with server.connect() as connection:
        pid = int(connection.exchange("GET", "/").body)
        wait_until(lambda: sum(int(row["requests"]) for row in rows(server, "workers")) == 1, "it is counted")
        by_pid = {int(row["pid"]): row for row in rows(server, "workers")}
        assert sorted(by_pid) == server.worker_pids()
        assert sorted(row["slot"] for row in by_pid.values()) == ["0", "1"]
        assert {row["state"] for row in by_pid.values()} == {"serving"}
        assert (by_pid[pid]["requests"], by_pid[pid]["connections"]) == ("1", "1")


def test_requests_are_the_calls_that_run_and_the_oldest_is_first(server):
    server = server("--threads", "3", workers=1)
    with server.connect() as first, server.connect() as second:
        first.request("GET", "/sleep/5?a=%22\\")
        wait_until(lambda: len(found := rows(server, "requests")) == 1 and float(found[0]["age"][:-1]) >= 0.2, "it gets older")
        second.request("GET", "/sleep/4")
        running = wait_until(lambda: len(found := rows(server, "requests")) == 2 and found, "both run")
        assert [row["request"] for row in running] == ['GET /sleep/5?a=%22\\\\ HTTP/1.1', "GET /sleep/4 HTTP/1.1"]
        assert {int(row["pid"]) for row in running} == {server.worker_pid}
        first.receive(), second.receive()
    wait_until(lambda: rows(server, "requests") == [], "they are over")


# Of the threads of a worker.

STACKS = """
import ctypes, os, select, threading
from contextlib import suppress

with suppress(FileExistsError):
    os.mkfifo("gate")
gate = os.open("gate", os.O_RDWR)  # each call ends with a byte from it

def in_sleep():
    os.read(gate, 1)

def in_lock():
    lock = threading.Lock()
    lock.acquire()
    threading.Thread(target=lambda: (os.read(gate, 1), lock.release())).start()
    lock.acquire()

def in_python():
    while not select.select([gate], [], [], 0)[0]:
        pass
    os.read(gate, 1)

def in_c_with_the_gil():
    byte = ctypes.create_string_buffer(1)
    while ctypes.PyDLL(None).read(gate, byte, 1) != 1:  # a signal interrupts it
        pass

def application(environ, start_response):
    globals()[environ["PATH_INFO"][1:]]()
    start_response("200 OK", [])
    return [b"done"]
"""


@pytest.mark.parametrize("function", ["in_sleep", "in_lock", "in_python", "in_c_with_the_gil"])
def test_stacks_are_had_whatever_the_worker_does(server, function):
    server = server(files={"app.py": STACKS})
    with server.connect() as connection:
        connection.request("GET", f"/{function}")
        wait_until(lambda: [row for row in rows(server, "requests") if float(row["age"][:-1]) >= 0.2], "it runs for a while")
        text = ask(server, "stacks")
        assert len(re.findall(r"^worker \d \(pid \d+, serving\)$", text, re.M)) == 2
        (age,) = re.findall(rf'^  thread 0 runs "GET /{function} HTTP/1.1" for (\d+\.\d) s$', text, re.M)
        assert float(age) >= 0.2
        assert re.search(rf"^  File .* in {function}\n  File .* in application$", text, re.M), text
        (server.directory / "gate").write_bytes(b"x")
        assert connection.receive().body == b"done", "and it has not noticed"
    assert "worker" not in re.sub(r"\[worker", "", server.log.partition("ready in")[2]), "nothing of it is logged"


def test_stacks_of_many_threads(server):
    server = server("--threads", "3", files={"app.py": STACKS}, workers=1)
    connections = [server.connect() for _ in range(3)]
    for connection, function in zip(connections, ["in_sleep", "in_lock", "in_python"]):
        connection.request("GET", f"/{function}")
    wait_until(lambda: len(rows(server, "requests")) == 3, "they run")
    text = ask(server, "stacks")
    assert len(re.findall(r"^(?:Current t|T)hread 0x", text, re.M)) >= 3
    for function in ["in_sleep", "in_lock", "in_python"]:
        assert f" in {function}\n" in text and f'"GET /{function} HTTP/1.1"' in text
    (server.directory / "gate").write_bytes(b"xxx")
    for connection in connections:
        assert connection.receive().body == b"done"
        connection.close()


def test_a_worker_that_is_stopped_is_said_not_to_answer(server):
    server = server()
    one, other = server.worker_pids()
    os.kill(one, signal.SIGSTOP)
    try:
        text = ask(server, "stacks")
    finally:
        os.kill(one, signal.SIGCONT)
    assert re.search(rf"^worker \d \(pid {one}, serving\)\n  does not answer$", text, re.M), text
    assert re.search(rf"^worker \d \(pid {other}, serving\)\nCurrent thread", text, re.M), text
    text = wait_until(lambda: "does not answer" not in (out := ask(server, "stacks")) and out, "it goes on")
    assert text.count("most recent call first") == 2


def test_an_answer_that_comes_late_is_not_taken_for_last_words(server):
    server = server(workers=1)
    pid = server.worker_pid
    os.kill(pid, signal.SIGSTOP)
    try:
        for _ in range(2):
            assert "does not answer" in ask(server, "stacks")
    finally:
        os.kill(pid, signal.SIGCONT)
    time.sleep(1.5)
    os.kill(pid, signal.SIGKILL)
    server.wait_log("was killed by signal 9")
    assert "most recent call first" not in server.log


def test_who_asks_for_stacks_at_once_gets_them_together(server):
    server = server(workers=1)
    asking = [start(server, "stacks") for _ in range(5)]
    for process in asking:
        code, out, _ = finish(process)
        assert code == 0 and out.count("worker 0") == 1 and out.count("most recent call first") >= 1


def test_stacks_of_a_worker_that_is_importing(server):
    server = server(workers=1)
    write(server, "slow", 2)
    ask(server, "reload")
    text = wait_until(lambda: "booting" in (out := ask(server, "stacks")) and "in <module>" in out and out, "both")
    assert "app.py" in text
    server.wait_log("reloaded in")


def test_the_stacks_of_a_crash_still_come_with_the_death(server):
    server = server(workers=1, crashes=True)
    for _ in range(3):
        ask(server, "stacks")
    os.kill(server.worker_pid, signal.SIGSEGV)
    # A sanitizer ends the process in its own way.
    server.wait_log(r"worker 0 \(pid \d+\) (was killed by signal 11|exited with status 1) .*\nFatal Python error: Segm")
    assert server.log.count("most recent call first") == 1, "and those asked for before do not"


# Reloads.


def test_reload_comes_back_at_once(server):
    server = server()
    write(server, "slow", 5)
    assert gatewayctl(server, "reload") == (0, "", "")
    assert "reloading" in status(server)["phase"]
    server.wait_log("reloaded in")


def test_reload_wait_comes_back_when_all_workers_are_new(server):
    server = server()
    old = server.worker_pids()
    with Clients(server, 2) as clients:
        for count in range(2, 4):
            write(server, "answer", count)
            assert gatewayctl(server, "reload", "--wait") == (0, "", "")
            assert {server.get("/").get("X-Answer") for _ in range(20)} == {str(count)}
            assert status(server)["generation"] == str(count)
    assert clients.failures == []
    wait_until(lambda: not set(old) & set(server.worker_pids()), "the old workers have left")


def test_reload_wait_tells_once_why_nothing_has_changed(server):
    server = server()
    old = server.worker_pids()
    write(server, "broken", "raise RuntimeError('not today')")
    code, out, err = gatewayctl(server, "reload", "--wait")
    assert code == 1
    assert out.count("Traceback") == 1 and out.count("RuntimeError: not today") == 1
    assert re.fullmatch(
        r"gatewayctl: not reloaded: the first worker of the new generation exited with status 3 .*\n", err
    )
    assert server.log.count("RuntimeError: not today") == 1, "and in the log"
    assert server.worker_pids() == old and status(server)["generation"] == "1"


CRASHES = [
    ("import os; os._exit(5)", "exited with status 5", ""),
    ("import os; os.abort()", "killed by signal 6", "Fatal Python error: Aborted"),
]


@pytest.mark.parametrize("code, said, words", CRASHES, ids=["exit", "crash"])
def test_reload_wait_tells_of_a_probe_that_just_ends(server, code, said, words):
    server = server(crashes=True)
    write(server, "broken", code)
    status, out, err = gatewayctl(server, "reload", "--wait")
    assert status == 1 and said in err and words in out


def test_a_quiet_log_does_not_make_reload_wait_mute(server):
    server = server("--log-level", "critical", ready=lambda: True)
    wait_until(lambda: path_of(server).exists() and status(server)["phase"] == "serving", "it serves")
    write(server, "broken", "raise RuntimeError('not today')")
    code, out, _ = gatewayctl(server, "reload", "--wait")
    assert code == 1 and out.count("RuntimeError: not today") == 1


def test_who_waits_for_a_reload_behind_another_gets_his_own(server):
    server = server(workers=1)
    write(server, "broken", "raise RuntimeError('first')")
    write(server, "slow", 1)
    first = start(server, "reload", "--wait")
    wait_until(lambda: "reloading" in status(server)["phase"], "it has begun")
    others = [start(server, "reload", "--wait") for _ in range(2)]
    assert "RuntimeError: first" in finish(first)[1]
    write(server, "broken", "raise RuntimeError('second')")
    for other in others:
        code, out, _ = finish(other)
        assert code == 1 and "RuntimeError: second" in out
    assert server.log.count("not reloaded") == 2


def test_a_bad_environment_is_said_before_anything_begins(server):
    server = server("--env-file", "env", prefix=["sh", "-c", 'echo A=1 >env; exec "$0" "$@"'])
    write(server, "env", "nonsense\n")
    for wait in ([], ["--wait"]):
        code, out, err = gatewayctl(server, "reload", *wait)
        assert (code, out) == (1, "") and "env, line 1: NAME=VALUE is expected" in err


def test_a_stop_is_the_end_of_a_reload_for_who_waits(server):
    server = server()
    write(server, "slow", 30)
    waiting = start(server, "reload", "--wait")
    wait_until(lambda: "reloading" in status(server)["phase"], "it has begun")
    assert gatewayctl(server, "stop") == (0, "", "")
    code, _, err = finish(waiting)
    assert code == 1 and err == "gatewayctl: not reloaded: the service stops\n"
    assert server.wait() == 0


# What the signals do too.


def test_reopen_reopens_the_logs(server):
    server = server("--error-logfile", "log", error_log="log")
    os.rename(server.directory / "log", server.directory / "log.1")
    ask(server, "reopen")
    wait_until(lambda: (server.directory / "log").exists(), "a new file")


def test_stop_finishes_what_is_there(server):
    server = server()
    with server.connect() as connection:
        connection.request("GET", "/sleep/0.5")
        time.sleep(0.1)
        assert gatewayctl(server, "stop") == (0, "", "")
        assert connection.receive().status == 200
    assert server.wait() == 0
    assert not path_of(server).exists()
    code, out, err = gatewayctl(server, "status")
    assert (code, out) == (3, "") and "there is no such file" in err


# Whose it is.


def test_the_socket_is_the_owners(server):
    server = server()
    mode = path_of(server).stat().st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_somebody_else_is_refused_also_where_the_file_lets_him(server):
    server = server()

    def become_nobody():
        os.setgid(65534)
        os.setuid(65534)

    code, _, err = gatewayctl(server, "status", preexec_fn=become_nobody)
    assert code == 3 and "Permission denied" in err
    path_of(server).chmod(0o666)
    code, out, err = gatewayctl(server, "stop", preexec_fn=become_nobody)
    assert (code, out) == (1, "") and err == "gatewayctl: only root and the owner of the service may ask\n"
    assert status(server)["phase"] == "serving"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_root_may_ask_a_service_of_somebody_else(serve):
    def become_nobody():
        os.setgid(65534)
        os.setuid(65534)

    directory = "/tmp/gateway-test-nobody-%d" % os.getpid()
    os.mkdir(directory)
    try:
        os.chown(directory, 65534, 65534)
        server = serve("hello", "--control-socket", f"{directory}/control", preexec_fn=become_nobody)
        client = socket.socket(socket.AF_UNIX)
        client.connect(f"{directory}/control")
        assert converse(client, b"status\n").endswith("ok\n")
        client.close()
        server.stop()
    finally:
        os.rmdir(directory)


def test_a_living_service_is_not_replaced(server, serve):
    first = server()
    path = path_of(first)
    result = run("--bind", "127.0.0.1:0", "--control-socket", path, "hello:application")
    assert result.returncode == 4
    assert f"--control-socket: {path}: another service listens there" in result.stderr
    assert status(first)["phase"] == "serving"


def test_the_file_of_a_dead_one_is_replaced(server, serve):
    first = server()
    pids = first.worker_pids()
    first.signal(signal.SIGKILL)
    first.process.wait()
    wait_until(lambda: not set(pids) & set(first.processes()), "its workers have noticed")
    assert path_of(first).exists()
    code, _, err = gatewayctl(first, "status")
    assert code == 3 and "nobody listens there" in err
    second = serve("app", "--control-socket", path_of(first), files={"app.py": APP})
    assert status(first)["phase"] == "serving"
    second.stop()
    first.remove()


def test_nobody_else_holds_the_socket(server):
    """Neither workers nor what the application starts."""
    forks = APP + "\nif not os.fork():\n    os.setsid(); time.sleep(10)\n"
    server = server(files={"app.py": forks}, workers=1)
    with connect(server) as silent:
        write(server, "answer", "new")
        ask(server, "reload", "--wait")
        holders = [
            pid
            for pid in os.listdir("/proc")
            if pid.isdigit() and holds(pid, path_of(server)) and int(pid) != os.getpid()
        ]
        assert holders == [str(server.pid)]
        silent.close()


def holds(pid, path):
    inodes = {line.split()[6] for line in open("/proc/net/unix") if line.rstrip().endswith(str(path))}
    links = open_files(pid)
    return any(f"socket:[{inode}]" in links for inode in inodes)


# Clients that behave badly.

GARBAGE = [
    ("binary", b"\0\xff\x1b[2J\n", 'failed: there is no "\\x00\\xff\\x1b[2J"'),
    ("http", b"GET / HTTP/1.1\r\n\r\n", 'failed: there is no "GET"'),
    ("empty", b"\n", "failed: there is no"),
    ("megabyte", b"x" * 1000000, "failed: a request is one line of at most 255 bytes"),
    ("arguments", b"status now\n", 'failed: nothing is expected after "status"'),
]


@pytest.mark.parametrize("sent, answer", [row[1:] for row in GARBAGE], ids=[row[0] for row in GARBAGE])
def test_garbage_is_answered_and_forgotten(server, sent, answer):
    server = server(workers=1)
    with connect(server) as client:
        assert converse(client, sent).startswith(answer)
    assert status(server)["phase"] == "serving"


def test_who_says_nothing_is_dropped_and_hinders_nobody(server):
    server = server(workers=1)
    silent = [connect(server) for _ in range(100)]
    assert status(server)["phase"] == "serving"
    for client in silent:
        assert read_all(client) == ""
        client.close()


def test_who_does_not_read_is_dropped_and_hinders_nobody(server):
    name = "f" * 400  # in each of a hundred lines of each worker: together more than a socket takes
    app = f"""
import threading

def {name}(depth):
    {name}(depth - 1) if depth else threading.Event().wait()

threading.Thread(target={name}, args=(100,), daemon=True).start()
"""
    server = server(workers=8, files={"app.py": app + APP})
    wait_until(lambda: status(server)["workers"] == "8 serving", "all workers")
    whole = converse(connect(server), b"stacks\n")
    assert whole.endswith("\nok\n")
    before = len(open_files(server.pid))
    deaf = connect(server)
    deaf.sendall(b"stacks\n")
    wait_until(lambda: len(open_files(server.pid)) > before, "it is there")
    with Clients(server, 2) as clients:
        wait_until(lambda: len(open_files(server.pid)) == before, "it is dropped", interval=0.2)
        assert status(server)["phase"] == "serving"
    assert clients.failures == []
    taken = read_all(deaf)
    deaf.close()
    assert taken and whole.startswith(taken[:100]) and "\nok\n" not in taken


def test_many_at_once_are_answered(server):
    server = server(workers=1)
    for process in [start(server, "status") for _ in range(30)]:
        code, out, err = finish(process)
        assert (code, err) == (0, "") and "serving" in out


def test_who_goes_away_while_he_waits_is_forgotten(server):
    server = server(workers=1)
    write(server, "slow", 2)
    for _ in range(40):
        waiting = start(server, "reload", "--wait")
        time.sleep(0.02)
        waiting.kill()
        finish(waiting)
    assert status(server)["phase"].startswith("serving")
    (server.directory / "slow").unlink()


def test_without_the_option_there_is_no_socket(serve):
    server = serve("hello")
    assert not path_of(server).exists()


def test_workers_are_added_and_removed(server):
    server = server()
    assert gatewayctl(server, "worker", "add")[0] == 0
    wait_until(lambda: len(server.worker_pids()) == 3, "one more")
    for _ in range(2):
        assert gatewayctl(server, "worker", "remove")[0] == 0
    wait_until(lambda: len(server.worker_pids()) == 1, "two less")
    code, _, said = gatewayctl(server, "worker", "remove")
    assert code == 1 and "one worker is the least" in said
    code, _, said = gatewayctl(server, "worker")
    assert code != 0 and "worker add|remove" in said
