"""USR2: the program's file, as it is now, takes the master's place, once it has been proved.

What went wrong once, in one server or another: two masters stayed, and the service manager knew neither; a broken
binary ended the service; the new one bound its sockets anew and who came meanwhile was refused; a worker of the old
one was nobody's child; signals that came in that moment were lost.
"""

import os
import re
import select
import signal
import socket
import stat
import sys
import time
from pathlib import Path

import pytest
from control import ask, connect, converse, gatewayctl, status
from fleet import APP, Clients, write
from harness import GATEWAY, is_alive, open_files
from manager import Manager, passing, pid_prefix, temporary_name
from test_privileges import why_not
from timing import SANITIZED, SLOW, wait_until
from watcher import Watcher

# A copy of the program in the server's directory, which tests put other files in the place of.
COPY = ["/bin/sh", "-c", 'cp "$1" gateway && shift && exec ./gateway "$@"', "sh"]
CHECK = '[ "$1" = --check-config ]'


@pytest.fixture
def server(serve):
    def start(*options, workers=2, prefix=(), **keywords):
        files = {"app.py": APP, **keywords.pop("files", {})}
        return serve("app", *options, workers=workers, files=files, prefix=[*prefix, *COPY], **keywords)

    return start


def put(server, text=None):
    """Another program in the place of the one that runs: a script, or the same once more."""
    new = server.directory / "new"
    new.write_bytes(Path(GATEWAY).read_bytes() if text is None else f"#!/bin/sh\n{text}\n".encode())
    new.chmod(0o755)
    new.rename(server.directory / "gateway")


def program_of(server):
    """The file that the master runs, whatever its name is by now."""
    return os.stat(f"/proc/{server.pid}/exe").st_ino


def upgrade(server):
    """All of it, with the reload."""
    since = len(server.log)
    server.signal(signal.SIGUSR2)
    server.wait_log("reloaded in", since)
    return server.log[since:]


def refuse(server):
    since = len(server.log)
    server.signal(signal.SIGUSR2)
    server.wait_log("not upgraded: .*", since)
    time.sleep(0.1 * SLOW)
    return server.log[since:]


def test_another_file_takes_the_place_of_the_master_and_its_workers_follow(server):
    server = server()
    before, workers = program_of(server), server.worker_pids()
    put(server)
    write(server, "answer", "new")
    with Clients(server, 4) as clients:
        log = upgrade(server)
        wait_until(lambda: not set(workers) & set(server.worker_pids()), "the old workers have left")
    assert clients.failures == []
    assert program_of(server) != before
    assert program_of(server) == os.stat(server.directory / "gateway").st_ino
    assert {server.get("/").get("X-Answer") for _ in range(10)} == {"new"}
    assert len(server.worker_pids()) == 2
    assert "error" not in log and "warning" not in log
    assert re.search(r"gateway \S+, Python \S+ goes on where gateway \S+ has stopped", log)


def test_kept_connections_and_requests_in_progress_survive_it(server):
    server = server("--threads", "2")
    idle = [server.connect() for _ in range(8)]
    for connection in idle:
        assert connection.exchange("GET", "/").status == 200
    busy = [server.connect() for _ in range(4)]
    for connection in busy:
        connection.send(b"GET /sleep/%d HTTP/1.1\r\nHost: x\r\n\r\n" % (3 * SLOW))
    time.sleep(0.2)
    put(server)
    upgrade(server)
    put(server)
    upgrade(server)
    for connection in [*busy, *idle]:
        if connection in idle:
            connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.receive().status == 200
        connection.close()


def test_it_can_be_done_again_and_again_and_nothing_piles_up(server):
    server = server()
    wanted = 1 + 2
    upgrade(server)
    files = len(open_files(server.pid))
    for _ in range(2):
        upgrade(server)
    wait_until(lambda: len(server.processes()) == wanted, "nobody else is left")
    assert len(open_files(server.pid)) == files
    environment = Path(f"/proc/{server.worker_pids()[0]}/environ").read_bytes()
    assert b"HERITAGE" not in environment


def test_counters_and_the_status_page_go_on(server):
    server = server("--status", "127.0.0.1:0")
    watcher = Watcher(server)
    for _ in range(5):
        server.get("/")
    before, old = watcher.json, watcher.pid(server)
    put(server)
    upgrade(server)
    wait_until(lambda: watcher.pid(server) != old, "the status process is the new program's")
    for _ in range(3):
        server.get("/")
    after = wait_until(lambda: watcher.json, "it answers")
    assert before["requests"]["total"] == 5 and after["requests"]["total"] == 8
    assert after["generation"] == before["generation"] + 1


BAD = [
    ("a-failure", "echo all is lost >&2; exit 7", "exited with status 7", "all is lost"),
    ("a-crash", "kill -SEGV $$", "was killed by signal 11", ""),
    ("one-that-knows-nothing", "echo unknown option; exit 2", "exited with status 2", "unknown option"),
    ("one-that-talks-too-much", "yes | head -c 1000000; exit 1", "exited with status 1", ""),
]


@pytest.mark.parametrize("text, said, words", [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_program_that_is_broken_changes_nothing(server, text, said, words):
    server = server()
    before, workers = program_of(server), server.worker_pids()
    put(server, text)
    with Clients(server, 2) as clients:
        for _ in range(2):
            log = refuse(server)
            assert len(re.findall("not upgraded", log)) == 1
            assert said in log and words in log
            assert len(log) < 80000
    assert clients.failures == [] and set(clients.pids) == set(workers)
    assert program_of(server) == before
    put(server)
    upgrade(server)


def test_so_does_a_file_that_is_no_program_or_is_gone(server):
    server = server()
    workers = server.worker_pids()
    (server.directory / "gateway").unlink()
    assert "No such file" in refuse(server)
    (server.directory / "gateway").write_text("not executable")
    assert "Permission denied" in refuse(server)
    (server.directory / "gateway").chmod(0o755)
    assert "cannot be executed" in refuse(server)
    assert server.worker_pids() == workers and server.get("/").status == 200


def test_one_that_takes_too_long_is_given_up(server):
    server = server("--timeout", SLOW)
    # What it had started stayed behind.
    put(server, "setsid sleep 60 & echo $! > sleeper; sleep 61 & echo $! > other; wait")
    log = refuse(server)
    assert "has taken longer than --timeout" in log
    for name in ("sleeper", "other"):
        pid = int((server.directory / name).read_text())
        wait_until(lambda pid=pid: not is_alive(pid), "it is gone with the check")
    assert server.get("/").status == 200


def test_it_may_take_as_long_as_the_last_reload_says(server):
    server = server(files={"gateway.toml": f"timeout = {SLOW}"})
    write(server, "gateway.toml", "timeout = 60")
    server.signal(signal.SIGHUP)
    server.wait_log("reloaded in")
    put(server, f"{CHECK} && sleep {1.5 * SLOW}; exec {GATEWAY} \"$@\"")
    upgrade(server)


def test_one_that_is_gone_when_its_turn_comes_changes_nothing(server):
    server = server(workers=1)
    workers = server.worker_pids()
    put(server, f'{CHECK} && rm "$0"; exit 0')
    log = refuse(server)
    assert "cannot be executed: No such file" in log
    assert server.worker_pids() == workers and server.get("/").status == 200
    server.signal(signal.SIGHUP)  # signals are obeyed, and the application is found
    server.wait_log("reloaded in")


def test_a_configuration_that_is_broken_after_the_check_changes_nothing(server):
    """The next program has only read it: it goes on with what the file said before."""
    good = 'env = {ANSWER = "a = b%20\\u00e9"}\nkeep-alive = "7s"\n'
    server = server(files={"gateway.toml": good})
    workers = server.worker_pids()
    put(server, f'{CHECK} && {{ {GATEWAY} "$@" || exit; echo = = > gateway.toml; exit 0; }}; exec {GATEWAY} "$@"')
    with Clients(server, 2) as clients:
        server.signal(signal.SIGUSR2)
        server.wait_log("takes over(?s:.*)not reloaded: .*gateway.toml is not TOML")
        os.kill(workers[0], signal.SIGKILL)
        wait_until(lambda: len(set(server.worker_pids()) - set(workers)) == 1, "a successor")
    assert len(clients.failures) <= 2 and workers[1] in server.worker_pids()
    write(server, "gateway.toml", good)
    upgrade(server)
    assert server.get("/").get("X-Answer") == "a = b%20\u00e9"


@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_nor_does_one_that_others_can_change_since_then(server):
    server = server("--user", "nobody", files={"gateway.toml": 'keep-alive = "7s"'})
    put(server, f'{CHECK} && {{ {GATEWAY} "$@" || exit; chmod 666 gateway.toml; exit 0; }}; exec {GATEWAY} "$@"')
    server.signal(signal.SIGUSR2)
    server.wait_log("takes over(?s:.*)not reloaded: .*gateway.toml, which is read unasked, can be changed by others")
    assert server.get("/").status == 200


def test_a_configuration_that_is_broken_before_it_is_refused(server):
    server = server(files={"gateway.toml": "workers = 2"})
    before = program_of(server)
    write(server, "gateway.toml", "= =")
    put(server)
    assert "gateway.toml is not TOML" in refuse(server)
    assert program_of(server) == before


def test_an_application_that_is_broken_changes_nothing_and_is_told_once(server):
    server = server()
    before, workers = program_of(server), server.worker_pids()
    write(server, "broken", "raise RuntimeError('not today')")
    put(server)
    log = refuse(server)
    assert log.count("RuntimeError: not today") == 1
    assert program_of(server) == before and server.worker_pids() == workers


def test_what_a_new_worker_cannot_do_is_taken_back_and_the_old_ones_serve(server):
    """The check was good, and the application fails after it."""
    server = server()
    workers = server.worker_pids()
    write(server, "broken", "import sys; sys.argv[0:] and open('checked', 'x').close()")  # the second time it is there
    put(server)
    server.signal(signal.SIGUSR2)
    server.wait_log("not reloaded: ")
    assert server.worker_pids() == workers
    (server.directory / "broken").unlink()
    server.signal(signal.SIGHUP)
    server.wait_log("reloaded in")
    assert not set(workers) & set(wait_until(lambda: len(server.worker_pids()) == 2 and server.worker_pids(), "two"))


def test_the_application_gets_nothing_of_the_service_while_it_is_checked(server):
    found = "names = [os.readlink('/proc/self/fd/' + fd) for fd in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + fd)]"
    note = f"{found}; open(f'found-{{os.getpid()}}', 'w').write(' '.join(names))"
    server = server("--control-socket", "control", "--status", "127.0.0.1:0")
    write(server, "broken", note)
    upgrade(server)
    checked = re.search(r"is checked by process (\d+)", server.log)[1]
    found = (server.directory / f"found-{checked}").read_text()
    assert "pipe:" in found, "its standard output"
    assert "socket:" not in found and "memfd:" not in found


@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_the_check_ends_with_the_master_also_as_another_user(server):
    server = server("--user", "nobody")
    write(server, "slow", 60)
    server.signal(signal.SIGUSR2)
    checked = int(server.wait_log(r"is checked by process (\d+)")[1])
    wait_until(lambda: os.stat(f"/proc/{checked}").st_uid != 0, "it loads the application")
    time.sleep(0.1 * SLOW)
    server.signal(signal.SIGKILL)
    wait_until(lambda: not server.processes(), "nobody is left")
    server.kill()


def test_a_version_with_another_memory_is_refused(server):
    """Its heritage is not what this one writes: as if the running one were another."""
    server = server()
    change = "import os, sys; fd = int(os.environ['GATEWAY_HERITAGE']); text = os.pread(fd, 65536, 0); "
    change += "head, rest = text.split(b'\\n', 1); words = head.split(); words[2] = b'99'; "
    change += "os.ftruncate(fd, 0); os.pwrite(fd, b' '.join(words) + b'\\n' + rest, 0); os.execv(sys.argv[1], sys.argv[1:])"
    put(server, f'exec {sys.executable} -c "{change}" {GATEWAY} "$@"')
    log = refuse(server)
    assert "cannot go on with what gateway" in log and "restart" in log
    assert server.get("/").status == 200


def test_options_that_need_a_restart_are_named(server):
    server = server("--status", "127.0.0.1:0", "--control-socket", "control")
    options = "--threads 3 --workers 4 --bind 127.0.0.1:1 --bind 127.0.0.1:2 --status 127.0.0.1:3 --control-socket other"
    put(server, f'exec {GATEWAY} "$@" {options} --keep-alive 0')
    log = upgrade(server)
    named = re.findall(r"warning: (\S+) has changed: that needs a restart", log)
    assert sorted(named) == ["--bind", "--control-socket", "--status", "--threads"], "each once"
    wait_until(lambda: status(server)["workers"] == "4 serving", "what a reload can change changes")
    with server.connect() as connection:  # and the others count
        assert connection.exchange("GET", "/").get("Connection") == "close"


@pytest.mark.parametrize("other", ["HUP", "reload --wait", "USR2"])
def test_a_reload_or_another_one_meanwhile_does_no_harm(server, other):
    server = server("--control-socket", "control")
    put(server, f"{CHECK} && sleep {SLOW}; exec {GATEWAY} \"$@\"")
    server.signal(signal.SIGUSR2)
    server.wait_log("is checked")
    if other == "reload --wait":
        code, _, err = gatewayctl(server, "reload", "--wait")
        assert code == 1 and "a new binary is about to take over" in err
    else:
        server.signal(getattr(signal, "SIG" + other))
    server.wait_log("reloaded in")
    assert server.log.count("is checked") == 1
    assert ask(server, "reload", "--wait") is not None


def test_it_waits_for_the_reload_that_is_under_way(server):
    server = server()
    write(server, "slow", SLOW)
    server.signal(signal.SIGHUP)
    time.sleep(0.2)
    write(server, "slow", 0)
    server.signal(signal.SIGUSR2)
    server.wait_log("reloaded in .*(?s:.*)takes over(?s:.*)reloaded in")


def test_a_reload_that_never_ends_can_be_mended_while_it_waits_for_that(server):
    """The new generation's second worker cannot come up: that was all, until a stop."""
    once = "if os.environ.get('ONCE') and os.path.exists('proved'): raise SystemExit('no more')\nopen('proved', 'w').close()"
    server = server(files={"broken": once, "gateway.toml": ""})
    write(server, "gateway.toml", "env = {ONCE = 1}")
    (server.directory / "proved").unlink()
    server.signal(signal.SIGHUP)
    server.wait_log("no more")
    put(server, f'{CHECK} && exit 0; exec {GATEWAY} "$@"')
    server.signal(signal.SIGUSR2)
    server.wait_log("is checked")
    time.sleep(0.3 * SLOW)
    assert "takes over" not in server.log
    write(server, "gateway.toml", "")
    server.signal(signal.SIGHUP)
    server.wait_log("takes over(?s:.*)reloaded in")


def test_it_waits_for_the_end_of_an_answer_on_the_control_socket(server):
    server = server("--control-socket", "control")
    with connect(server) as client:
        time.sleep(0.1)
        server.signal(signal.SIGUSR2)
        server.wait_log("is checked")
        time.sleep(0.5 * SLOW)
        assert "takes over" not in server.log
        assert converse(client, b"status\n").startswith(" ")
    server.wait_log("reloaded in")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_meanwhile_is_a_stop(server, number):
    server = server()
    put(server, f"{CHECK} && exec sleep 60; exec {GATEWAY} \"$@\"")
    server.signal(signal.SIGUSR2)
    server.wait_log("is checked")
    server.signal(number)
    assert server.wait() == 0
    assert "not upgraded: the service stops" in server.log


def test_a_signal_that_comes_with_it_is_not_lost(server):
    """TERM at any moment of it."""
    for wait in (0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3):
        one = server(workers=1)
        one.signal(signal.SIGUSR2)
        time.sleep(wait * SLOW)
        one.stop()


def test_records_that_were_dropped_before_it_are_told_after_it(server, tmp_path):
    """The counts were the old program's, and gone with it."""
    os.mkfifo(tmp_path / "access")
    reader = os.open(tmp_path / "access", os.O_RDONLY | os.O_NONBLOCK)
    server = server("--access-logfile", str(tmp_path / "access"), workers=1)
    with server.connect() as client:
        for _ in range(300):  # more than a pipe holds
            assert client.exchange("GET", "/?" + "x" * 1000).status == 200
        upgrade(server)
        whole = os.read(reader, 1 << 20).count(b"\n")
        assert 0 < whole < 300
        assert client.exchange("GET", "/last").status == 200
        select.select([reader], [], [])  # its record comes after the answer
        assert os.read(reader, 1 << 20).startswith(b"%d log records were dropped here\n" % (300 - whole))
    os.close(reader)


def test_workers_that_die_later_are_told_and_replaced(server):
    server = server("--timeout", "60")
    write(server, "broken", "open('checked', 'x').close()")
    server.signal(signal.SIGUSR2)  # the reload fails: the workers are those of the program before
    server.wait_log("not reloaded: ")
    (server.directory / "broken").unlink()
    old = server.worker_pids()
    os.kill(old[0], signal.SIGKILL)
    server.wait_log(rf"worker \d \(pid {old[0]}\) was killed by signal 9 .* after \d+\.\d s.* replaced now")
    wait_until(lambda: len(set(server.worker_pids()) - set(old)) == 1, "a successor is there")
    with Clients(server, 2) as clients:
        time.sleep(0.2)
    assert clients.failures == []


def test_workers_that_were_added_stay(server):
    server = server("--control-socket", "control")
    ask(server, "worker", "add")
    wait_until(lambda: len(server.worker_pids()) == 3, "three workers")
    upgrade(server)
    wait_until(lambda: status(server)["workers"] == "3 serving", "as many as before")
    wait_until(lambda: len(server.worker_pids()) == 3, "three workers")
    ask(server, "worker", "remove")
    ask(server, "worker", "add")
    ask(server, "worker", "add")
    wait_until(lambda: len(server.worker_pids()) == 4, "four workers")
    assert server.get("/").status == 200


def test_files_keep_their_names_and_are_removed_at_the_end(server):
    server = server("--control-socket", "control", "--pid", "pid", "--bind", "unix:app.sock")
    names = ("control", "app.sock")
    before = [os.stat(server.directory / name).st_ino for name in names]
    upgrade(server)
    assert [os.stat(server.directory / name).st_ino for name in names] == before
    assert (server.directory / "pid").read_text() == f"{server.pid}\n"
    assert stat.S_IMODE(os.stat(server.directory / "control").st_mode) == 0o600
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(server.directory / "app.sock"))
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 200")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert not {"control", "pid", "app.sock"} & set(os.listdir(server.directory))


def test_relative_names_are_found_again(server):
    move = ["/bin/sh", "-c", 'mkdir there && mv app.py there && exec "$@"', "sh"]
    server = server("--chdir", "there", "--error-logfile", "log", prefix=move, error_log="there/log")
    for _ in range(2):
        put(server)
        upgrade(server)
    assert server.get("/").status == 200


def test_with_preload_there_is_a_new_zygote(server):
    server = server("--preload")
    (zygote,), workers = server.zygote_pids(), server.worker_pids()
    write(server, "answer", "new")
    with Clients(server, 2) as clients:
        upgrade(server)
        wait_until(lambda: zygote not in server.processes(), "the old zygote has left")
        wait_until(lambda: not set(workers) & set(server.worker_pids()), "the old workers have left")
    assert clients.failures == []
    assert len(server.zygote_pids()) == 1 and len(server.worker_pids()) == 2
    assert server.get("/").get("X-Answer") == "new"


def test_the_service_manager_is_told(server):
    manager = Manager(temporary_name("upgrade"))
    server = server(env=manager.environment)
    manager.await_text("READY=1")
    heard = len(manager.texts())
    upgrade(server)
    manager.await_text("RELOADING=1", heard)
    manager.await_text("READY=1\nSTATUS=generation 2 serves", heard)
    assert {pid for _, pid, _ in manager.listen()} == {server.pid}


def test_sockets_of_the_service_manager_stay(server):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = server(
            bind=None,
            env={"LISTEN_FDS": "1"},
            prefix=pid_prefix(),
            **passing([listener]),
        )
        put(server)
        log = upgrade(server)
        assert "--bind has changed" not in log
        assert server.get("/").status == 200
        upgrade(server)
        assert server.get("/").status == 200


@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_privileges_are_as_before(server):
    server = server("--user", "nobody")
    put(server)
    upgrade(server)
    assert os.stat(f"/proc/{server.pid}").st_uid == 0
    assert all(os.stat(f"/proc/{pid}").st_uid != 0 for pid in server.worker_pids())


def test_while_it_starts_it_is_not_upgraded(server):
    server = server(files={"slow": str(SLOW)}, ready=lambda: True)
    server.wait_log(" workers")  # the last that is said before the first of them is forked
    server.signal(signal.SIGUSR2)
    server.wait_log("not upgraded: the service starts, or stops")
    server.wait_log("ready in")


@pytest.mark.skipif(SANITIZED, reason="under a sanitizer a request is too slow for it")
def test_nothing_fails_when_it_is_done_under_load_three_times(server):
    server = server("--threads", "2")
    with Clients(server, 8) as clients:
        for _ in range(3):
            put(server)
            upgrade(server)
    assert clients.failures == []
    assert len(clients.pids) > 500
