"""--preload: the application is imported once, by a zygote, which forks the workers.

What went wrong once, in one server or another: threads that the application had started while it was imported were
missed hours later; workers talked to the database over one and the same connection; a reload needed a restart;
the process that had the application died, and the service with it; what was saved in memory was lost to the
garbage collector's next run.
"""

import json
import os
import re
import signal
import socket
import time

import pytest
from control import ask, gatewayctl, path_of, rows, status
from fleet import APP, BAD, Clients, answers, reload_in_vain, reload_mended, write
from harness import Server, is_alive, open_files, process_table, run
from test_stopping import unprivileged
from timing import PATIENCE, SANITIZED, SLOW, report, wait_until, within

# What holds for all workers holds for those of a zygote: these tests are run again, with the fixture `serve` of this module.
from test_processes import (  # noqa: F401
    test_a_child_of_the_application_that_crashes_is_not_the_worker,
    test_a_second_signal_stops_at_once_whatever_the_application_does,
    test_a_worker_that_dies_is_reported_with_the_truth_and_replaced,
    test_all_workers_dying_at_once_refuses_nobody,
    test_requests_are_answered_while_workers_die,
    test_term_lets_requests_in_flight_finish_and_exits_0,
    test_the_last_words_of_a_crash_are_in_the_record_of_the_death,
    test_when_the_master_is_killed_requests_in_flight_are_finished,
)
from test_reload import (  # noqa: F401
    server,
    test_hup_during_the_start_is_not_forgotten,
    test_hup_serves_the_new_application_and_nobody_notices,
    test_requests_in_flight_are_finished_by_the_old_worker,
    test_the_env_file_is_read_again,
)
from test_replacing import (  # noqa: F401
    test_term_to_a_worker_replaces_it_and_nobody_is_refused,
    test_while_every_thread_is_stuck_clients_wait_for_the_successor,
)

# Notes each import and each at-fork hook, and tells about the process that answers.
TELLS = """
import gc, json, os, random, threading

def note(what):
    with open("notes", "a") as file:
        file.write(f"{what} {os.getpid()}\\n")

note("import")
expected = random.random()
os.register_at_fork(before=lambda: note("before"), after_in_parent=lambda: note("parent"),
                    after_in_child=lambda: note("child"))

def application(environ, start_response):
    told = {"pid": os.getpid(), "parent": os.getppid(), "frozen": gc.get_freeze_count(), "collects": gc.isenabled(),
            "random": random.random(), "multiprocess": environ["wsgi.multiprocess"],
            "main": threading.current_thread() is threading.main_thread()}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]
"""


@pytest.fixture
def serve(serve):
    def start(application, *options, **keywords):
        return serve(application, "--preload", *options, **keywords)

    return start


@pytest.fixture
def start(serve):
    def start(*options, app=APP, workers=2, **keywords):
        return serve("app", *options, workers=workers, files={"app.py": app}, **keywords)

    return start


def noted(server, what):
    """The pids of those who have noted it."""
    path = server.directory / "notes"
    lines = path.read_text().splitlines() if path.exists() else []
    return [int(pid) for name, pid in map(str.split, lines) if name == what]


def zygote_pid(server):
    (pid,) = server.zygote_pids()
    return pid


def ask_all(server):
    """What each worker tells."""
    told = {}

    def ask():
        answer = json.loads(server.get("/").body)
        told[answer["pid"]] = answer
        return len(told) == len(server.worker_pids())

    wait_until(ask, "an answer of each")
    return list(told.values())


def kill_and_await_successor(server):
    victim, *others = server.worker_pids()
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(set(server.worker_pids()) - {victim}) > len(others), "a successor")


# Once for all.


def test_the_application_is_imported_once_for_all_workers(start):
    server = start(app=TELLS, workers=3)
    assert len(server.worker_pids()) == 3
    told = ask_all(server)
    assert noted(server, "import") == [zygote_pid(server)]
    assert {worker["parent"] for worker in told} == {server.pid}
    assert all(worker["frozen"] > 5000 and worker["collects"] for worker in told)
    assert all(worker["multiprocess"] and worker["main"] for worker in told)
    assert len({worker["random"] for worker in told}) == 3, "each has random numbers of its own"


def test_the_hooks_of_a_fork_run_once_for_each_worker(start):
    server = start(app=TELLS, workers=3)
    zygote = zygote_pid(server)
    wait_until(lambda: len(noted(server, "parent")) == 3, "the last hook")
    assert noted(server, "before") == noted(server, "parent") == [zygote] * 3
    assert sorted(noted(server, "child")) == server.worker_pids()


def test_a_successor_needs_no_import(start):
    server = start(app=TELLS)
    for _ in range(5):
        kill_and_await_successor(server)
    assert len(ask_all(server)) == 2
    assert len(noted(server, "import")) == 1


@pytest.mark.measures
def test_threads_of_a_worker_are_its_own(start):
    server = start("--threads", 4)
    with Clients(server, 8, "/sleep/0.1") as clients:
        time.sleep(2)
    assert clients.failures == []
    within("the slowest request", clients.slowest, 0.5 * SLOW)
    assert set(clients.pids) == set(server.worker_pids())


def test_a_factory_is_called_once(serve):
    app = "def create():\n    open('calls', 'a').write('x')\n    from app import application\n    return application\n"
    server = serve("create:create()", workers=3, files={"create.py": app, "app.py": APP})
    assert server.get("/").status == 200
    assert (server.directory / "calls").read_text() == "x"


@pytest.mark.parametrize("value", ["1", "yes", "on"])
def test_the_variable_is_as_good(value):
    with Server("app", workers=2, files={"app.py": TELLS}, env={"GATEWAY_PRELOAD": value}) as server:
        assert len(noted(server, "import")) == 1
        assert len(server.zygote_pids()) == 1


def test_what_it_saves_is_in_the_log(start):
    app = APP + "\nkept = [str(number) for number in range(300_000)]\n"
    server = start(app=app, workers=2)
    report = server.wait_log(r"\[zygote\] info: workers share ([\d.]+) MiB of their ([\d.]+) MiB with the zygote")
    shared, resident = float(report[1]), float(report[2])
    assert 15 < shared < resident
    assert SANITIZED or shared > 0.8 * resident
    time.sleep(0.5)
    assert server.log.count("workers share") == 1


def test_a_collection_leaves_shared_what_is_frozen(start):
    app = """
import gc
kept = [[number] for number in range(300_000)]

def private():
    return sum(int(line.split()[1]) for line in open("/proc/self/smaps_rollup") if line.startswith("Private_Dirty"))

def application(environ, start_response):
    before = private()
    gc.collect()
    start_response("200 OK", [])
    return [b"%d" % (private() - before)]
"""
    server = start(app=app, workers=1)
    assert int(server.get("/").body) < 2000 * SLOW, "KiB that were copied"


# What a fork does not take along, and what it should not.


def test_threads_and_sockets_are_warned_of(start):
    with socket.create_server(("127.0.0.1", 0)) as database:
        port = database.getsockname()[1]
        app = f"""
import socket, threading, time
for name in ("pool-1", "pool-2"):
    threading.Thread(target=time.sleep, args=(1000,), name=name, daemon=True).start()
connection = socket.create_connection(("127.0.0.1", {port}))
"""
        server = start(app=app + APP)
        threads = 'has started 2 threads while it was imported ("pool-1", "pool-2"): they do not exist in the workers'
        sockets = f"has opened 1 socket while it was imported (127.0.0.1:{port}): all workers share it"
        kill_and_await_successor(server)
        assert server.log.count(threads) == server.log.count(sockets) == 1
        server.signal(signal.SIGHUP)
        server.wait_log("reloaded in")
        assert server.log.count(threads) == server.log.count(sockets) == 2, "once for each generation"
        assert server.get("/").status == 200


def test_without_threads_and_sockets_there_is_no_warning(start):
    server = start(app=TELLS)
    assert "warning" not in server.log


def test_an_import_that_forks_is_not_a_worker(start):
    app = """
import os, subprocess
subprocess.run(["true"])
if os.fork():
    os.wait()
"""
    server = start(app=app + APP)
    assert len(server.processes()) == 4
    with server.connect() as connection:
        assert connection.exchange("GET", "/").status == 200
    kill_and_await_successor(server)


def test_signal_handlers_of_the_application_are_the_workers(start):
    app = """
import os, signal
signal.signal(signal.SIGUSR2, lambda number, frame: open("handled", "a").write(f"{os.getpid()} "))
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, lambda number, frame: open("handled", "a").write("HUP "))
"""
    server = start(app=app + APP, workers=1)
    worker = server.worker_pid
    handled = server.directory / "handled"
    for number, text in ((signal.SIGUSR2, f"{worker} "), (signal.SIGHUP, f"{worker} HUP ")):
        os.kill(worker, number)
        wait_until(lambda text=text: handled.exists() and handled.read_text() == text, "it is handled")


def test_a_child_of_a_worker_is_stopped_by_what_stops_any_process(start):
    app = """
import os, signal

def application(environ, start_response):
    if (child := os.fork()) == 0:
        signal.pause()
    start_response("200 OK", [])
    return [b"%d" % child]
"""
    server = start(app=app, workers=1)
    child = int(server.get("/").body)
    os.kill(child, signal.SIGTERM)
    wait_until(lambda: not is_alive(child), "it has ended")
    assert server.worker_pid


# When it cannot be imported.


def test_an_import_that_fails_at_the_start_is_one_message(tmp_path):
    (tmp_path / "app.py").write_text("import os\nopen('imports', 'a').write('x')\n1 / 0\n")
    done = run("app", "--preload", "--workers", 3, "--bind", "127.0.0.1:0", cwd=tmp_path)
    assert done.returncode == 3
    assert len(re.findall(" (?:error|critical|warning): ", done.stderr)) == 1, done.stderr
    assert done.stderr.count("\nZeroDivisionError: ") == 1
    assert (tmp_path / "imports").read_text() == "x"


@pytest.mark.parametrize("status", [0, 1, 3, 7])
def test_an_application_that_ends_the_process_while_it_is_loaded_is_told(tmp_path, status):
    (tmp_path / "app.py").write_text(f"import os\nos._exit({status})\n")
    done = run("app", "--preload", "--bind", "127.0.0.1:0", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert re.search(rf"error: .*the process that imported it exited with status {status}\b", done.stderr), done.stderr


@pytest.mark.skipif(SANITIZED, reason="the sanitizer has crashes for itself")
def test_a_crash_while_it_is_imported_is_told_with_its_stack(tmp_path):
    (tmp_path / "crash.py").write_text("import ctypes\n\nctypes.string_at(0)\n")
    done = run("crash", "--preload", "--bind", "127.0.0.1:0", cwd=tmp_path)
    assert done.returncode == 3
    said = r"the process that imported it was killed by signal 11 .*\n.*\n(.*\n)*.*line 3 in <module>"
    assert re.search(said, done.stderr), done.stderr
    assert done.stderr.count("most recent call first") == 1


def test_a_hook_that_ends_the_first_worker_is_the_end(tmp_path):
    (tmp_path / "app.py").write_text("import os\nos.register_at_fork(after_in_child=lambda: os._exit(5))\n" + APP)
    done = run("app", "--preload", "--bind", "127.0.0.1:0", cwd=tmp_path)
    assert done.returncode != 0
    assert "exited with status 5" in done.stderr


# Reloads.


def test_a_reload_imports_once_more(start):
    server = start(app=TELLS)
    zygote, old = zygote_pid(server), server.worker_pids()
    write(server, "app.py", TELLS + "\nnote('new')\n")
    server.signal(signal.SIGHUP)
    server.wait_log("reloaded in")
    wait_until(lambda: not set(old) & set(server.worker_pids()), "the old workers have left")
    wait_until(lambda: len(server.zygote_pids()) == 1, "and their zygote")
    assert len(noted(server, "import")) == 2 and noted(server, "new") == [zygote_pid(server)]
    assert zygote_pid(server) != zygote


@pytest.mark.parametrize("code, said", [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_reload_that_fails_changes_nothing(start, code, said):
    server = start("--control-socket", "control", crashes=True)
    zygote = zygote_pid(server)
    reload_in_vain(server, code, said)
    assert server.zygote_pids() == [zygote]
    kill_and_await_successor(server)
    assert set(answers(server)) == {""}, "from the zygote that there was"
    reload_mended(server)


def test_a_new_worker_that_crashes_soon_is_not_good_enough(start):
    server = start()
    zygote = zygote_pid(server)
    dies = "threading.Timer(0.5, os._exit, [6]).start()"
    write(server, "broken", f"import os, threading; os.register_at_fork(after_in_child=lambda: {dies})")
    old = server.worker_pids()
    server.signal(signal.SIGHUP)
    server.wait_log("not reloaded: worker 0 .*, the first of the new generation, exited with status 6")
    wait_until(lambda: server.zygote_pids() == [zygote], "its zygote has left")
    assert server.worker_pids() == old


def test_an_import_that_hangs_is_given_up(start):
    server = start("--timeout", "500ms")
    old, zygote = server.worker_pids(), zygote_pid(server)
    write(server, "slow", 30)
    server.signal(signal.SIGHUP)
    server.wait_log("not reloaded: worker 0's zygote .* did not load the application within --timeout(?s:.*?)most recent call first")
    wait_until(lambda: server.zygote_pids() == [zygote], "it is killed")
    assert server.worker_pids() == old


def test_stacks_show_the_zygote_while_it_imports(serve):
    # There was nothing to be seen: no worker had been forked yet.
    hang = "import os, time\ndef hang():\n    while not os.path.exists('go'):\n        time.sleep(0.01)\nhang()"
    server = serve(
        "app", "--preload", "--control-socket", "control",
        files={"app.py": APP, "broken": hang}, workers=2, ready=lambda: True,
    )  # fmt: skip
    wait_until(path_of(server).exists, "it can be asked")
    text = wait_until(lambda: " in hang" in (out := ask(server, "stacks")) and out, "it is seen")
    (zygote,) = server.zygote_pids()
    assert re.match(rf"worker 0's zygote \(pid {zygote}, booting\)\nCurrent thread 0x", text), text
    write(server, "go", "")
    server.wait_log("ready in")
    assert "zygote" not in ask(server, "stacks")


def test_a_hook_that_hangs_is_given_up(start):
    server = start("--timeout", "500ms")
    old, zygote = server.worker_pids(), zygote_pid(server)
    write(server, "broken", "import os, time; os.register_at_fork(before=lambda: time.sleep(30))")
    server.signal(signal.SIGHUP)
    server.wait_log("not reloaded: worker 0's zygote")
    wait_until(lambda: server.zygote_pids() == [zygote], "it is killed")
    assert server.worker_pids() == old


def test_a_burst_of_reloads_leaves_one_zygote(start):
    server = start()
    with Clients(server, 2) as clients:
        end = time.monotonic() + 5
        while time.monotonic() < end:
            server.signal(signal.SIGHUP)
            time.sleep(0.1)
            assert len(server.zygote_pids()) <= 3 and len(server.worker_pids()) <= 4
    assert clients.failures == []
    assert server.log.count("reloaded in") >= 2
    wait_until(lambda: len(server.zygote_pids()) == 1 and len(server.worker_pids()) == 2, "it is over")


def test_who_waits_for_a_reload_that_fails_is_told_why(start):
    server = start("--control-socket", "control")
    write(server, "broken", "raise RuntimeError('not today')")
    code, out, _ = gatewayctl(server, "reload", "--wait")
    assert code == 1 and out.count("RuntimeError: not today") == 1
    (server.directory / "broken").unlink()
    assert gatewayctl(server, "reload", "--wait")[0] == 0


def test_a_worker_whose_zygote_imports_is_one_that_boots(start):
    slow = ["sh", "-c", 'echo 1 >slow; exec "$0" "$@"']
    server = start("--control-socket", "control", prefix=slow, ready=lambda: True)
    wait_until(path_of(server).exists, "the control socket")
    assert status(server)["workers"] == "1 booting"
    assert [row["state"] for row in rows(server, "workers")] == ["booting"]
    server.wait_log("ready in")
    assert status(server)["workers"] == "2 serving"


# More and fewer workers.


def test_workers_that_come_later_are_forked_from_the_same_zygote(start):
    server = start(app=TELLS, workers=1)
    for count in (2, 3):
        server.signal(signal.SIGTTIN)
        wait_until(lambda count=count: len(server.worker_pids()) == count, "one worker more")
    told = wait_until(lambda: len(told := ask_all(server)) == 3 and told, "all answer")
    assert len(noted(server, "import")) == 1
    assert sum(worker["multiprocess"] for worker in told) == 2, "those that were not the only one"
    kill_and_await_successor(server)
    for count in (2, 1):
        server.signal(signal.SIGTTOU)
        wait_until(lambda count=count: len(server.worker_pids()) == count, "one worker less")
    assert len(ask_all(server)) == 1
    assert len(noted(server, "import")) == 1


# Ends.


def test_a_zygote_that_is_killed_comes_back_when_it_is_needed(start):
    server = start(app=TELLS)
    for count in (2, 3):
        zygote, workers = zygote_pid(server), server.worker_pids()
        mark = len(server.log)
        os.kill(zygote, signal.SIGKILL)
        server.wait_log(rf"warning: the zygote \(pid {zygote}\) was killed by signal 9 .*; another is forked when", mark)
        assert server.get("/").status == 200 and server.worker_pids() == workers
        kill_and_await_successor(server)
        wait_until(lambda: len(ask_all(server)) == 2, "both answer")
        assert len(noted(server, "import")) == count


def test_a_zygote_that_dies_while_it_is_wanted_is_told_and_tried_again(start):
    server = start()
    os.kill(zygote_pid(server), signal.SIGKILL)
    write(server, "slow", 5)
    os.kill(server.worker_pids()[0], signal.SIGKILL)
    zygote = wait_until(lambda: server.zygote_pids(), "the next zygote")[0]
    write(server, "slow", "")
    os.kill(zygote, signal.SIGKILL)
    server.wait_log(rf"worker \d's zygote \(pid {zygote}\) was killed by signal 9 .*; it is replaced")
    wait_until(lambda: len(server.worker_pids()) == 2, "a successor")
    assert server.get("/").status == 200


def test_a_worker_that_cannot_be_forked_is_told_and_tried_again(start):
    limits = """
import resource

def limit():
    hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    resource.setrlimit(resource.RLIMIT_NPROC, (1 if os.path.exists("limit") else hard, hard))

os.register_at_fork(before=limit)
"""
    server = start(app=APP + limits, **unprivileged())
    write(server, "limit", "")
    os.kill(server.worker_pids()[0], signal.SIGKILL)
    server.wait_log(r"worker \d cannot be forked: Resource temporarily unavailable; it is replaced in \d\.\d s")
    (server.directory / "limit").unlink()
    wait_until(lambda: len(server.worker_pids()) == 2, "a successor")
    assert len(server.zygote_pids()) == 1


def test_workers_and_zygotes_that_are_killed_again_and_again_are_there_in_the_end(start):
    server = start(workers=3)
    end = time.monotonic() + 5
    turn = 0
    while time.monotonic() < end:
        victims = server.zygote_pids() if turn % 3 == 0 else server.worker_pids()
        turn += 1
        for pid in victims[:1]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.03)
    wait_until(lambda: len(server.worker_pids()) == 3, "all workers", 3 * PATIENCE)
    wait_until(lambda: len({server.get("/").body for _ in range(20)}) == 3, "all answer")
    assert len(server.processes()) <= 5


def test_when_the_master_is_killed_nobody_is_left(start):
    server = start()
    server.signal(signal.SIGKILL)
    server.process.wait(PATIENCE)
    wait_until(lambda: not server.processes(), "all have left")
    server.remove()


def test_when_the_master_is_killed_while_the_zygote_imports_nobody_is_left(tmp_path):
    app = f"import time\nopen('{tmp_path}/importing', 'w').close()\ntime.sleep(600)\n"
    server = Server("app", "--preload", files={"app.py": app}, ready=(tmp_path / "importing").exists)
    try:
        server.signal(signal.SIGKILL)
        server.process.wait(PATIENCE)
        wait_until(lambda: not server.processes(), "the zygote has left")
    finally:
        server.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_leaves_nobody_and_says_nothing(start, number):
    server = start()
    server.signal(number)
    assert server.wait() == 0
    assert not re.search(" (warning|error|critical): ", server.log), server.log
    server.remove()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_while_the_zygote_imports_leaves_nobody(tmp_path, number):
    app = f"import time\nopen('{tmp_path}/importing', 'w').close()\ntime.sleep(600)\n"
    server = Server("app", "--preload", files={"app.py": app}, ready=(tmp_path / "importing").exists)
    try:
        server.signal(number)
        assert server.wait(3 * SLOW) == 0
        assert "error" not in server.log
    finally:
        server.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_during_a_reload_leaves_nobody(start, number):
    server = start()
    write(server, "slow", 30)
    server.signal(signal.SIGHUP)
    wait_until(lambda: len(server.zygote_pids()) == 2, "the new one imports")
    server.signal(number)
    assert server.wait(5 * SLOW) == 0
    server.remove()


@pytest.mark.parametrize("delay", [0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3])
def test_a_stop_at_any_moment_of_the_start_leaves_nobody(serve, delay):
    server = serve("app", workers=4, files={"app.py": APP}, ready=lambda: True)
    wait_until(lambda: "listening" in server.log, "the master is there")
    time.sleep(delay)
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    server.remove()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_to_the_whole_group_is_one_quiet_stop(start, number):
    server = start()
    os.killpg(server.pid, number)
    assert server.wait() == 0
    assert not re.search(" (warning|error|critical): |Traceback|KeyboardInterrupt", server.log), server.log
    server.remove()


def test_the_zygote_runs_its_atexit_functions_when_all_workers_have_left(start):
    app = TELLS + "\nimport atexit\natexit.register(note, 'exit')\n"
    server = start(app=app)
    zygote, workers = zygote_pid(server), server.worker_pids()
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    exits = noted(server, "exit")
    assert sorted(exits[:-1]) == workers and exits[-1] == zygote
    server.remove()


def test_a_zygote_that_does_not_leave_is_killed(start):
    server = start(workers=1)
    zygote = zygote_pid(server)
    os.kill(zygote, signal.SIGSTOP)
    server.signal(signal.SIGINT)
    assert server.wait() == 0
    assert f"warning: the zygote (pid {zygote}) takes too long, and is killed" in server.log
    server.remove()


def test_there_are_no_zombies(start):
    server = start(workers=3)
    for _ in range(3):
        kill_and_await_successor(server)
    os.kill(zygote_pid(server), signal.SIGKILL)
    kill_and_await_successor(server)
    ours = {server.pid, *server.zygote_pids()}
    wait_until(
        lambda: not [pid for pid, parent, _, state in process_table() if parent in ours and state == "Z"],
        "every child is waited for",
    )


def test_there_is_no_python_in_the_master(start):
    server = start()
    with open(f"/proc/{server.pid}/status") as file:
        rss = next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))
    assert SANITIZED or rss < 1500, f"{rss} kB of the master's own"


@pytest.mark.timing
def test_idle_zygotes_cost_nothing(start):
    server = start()
    time.sleep(0.3)
    before = server.cpu_seconds()
    time.sleep(1)
    report("an idle service with --preload, CPU in a second", server.cpu_seconds() - before)
    assert round(server.cpu_seconds() - before, 2) <= 0.03 * SLOW


# Workers that come and go.


@pytest.mark.measures
def test_recycled_workers_fail_no_request(start):
    server = start("--max-requests", 40, "--max-requests-jitter", 5, app=APP, workers=3)
    with Clients(server, 4) as clients:
        wait_until(lambda: len(set(clients.pids)) >= 12, "each slot has had four workers", 30)
    assert clients.failures == []
    within("the slowest request", clients.slowest, 0.5 * SLOW)
    assert "error" not in server.log
    assert len(server.zygote_pids()) == 1


def test_logs_are_reopened_by_the_zygote_too(start):
    server = start("--error-logfile", "log", error_log="log", workers=1)
    os.rename(server.directory / "log", server.directory / "old")
    server.signal(signal.SIGUSR1)
    wait_until((server.directory / "log").exists, "a new log")
    old = server.worker_pid
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: server.worker_pids() not in ([], [old]), "a successor")
    zygote, worker = zygote_pid(server), server.worker_pid
    for pid in (zygote, worker):
        wait_until(
            lambda pid=pid: not [name for name in open_files(pid) if name.endswith("/old")], f"{pid} has let go of it"
        )
