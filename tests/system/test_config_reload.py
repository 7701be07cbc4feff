"""HUP reads the configuration file again, and what it says is the new generation's until that has proved itself.

What went wrong once, in one server or another: a mistake in the file ended the service; half of the options changed
and half did not, and nobody said which; a reload that failed left the new options to the next worker that died.
"""

import os
import signal
import time

import control
import pytest
from control import ask, gatewayctl, status
from fleet import APP, Clients, write
from harness import open_files
from timing import PATIENCE, SLOW, wait_until

CONFIG = """
application = "app"
bind = ["127.0.0.1:0"]
workers = 2
control-socket = "control"
keep-alive = {keep_alive}
env = {{ANSWER = "{answer}"}}
{more}
"""


def config(answer="one", keep_alive=60, more=""):
    return CONFIG.format(answer=answer, keep_alive=keep_alive, more=more)


@pytest.fixture
def server(serve):
    def start(*options, **keywords):
        files = {"app.py": APP, "gateway.toml": config()}
        return serve("app", *options, bind=None, workers=None, files=files, **keywords)

    return start


def answer(server):
    return server.get("/").get("X-Answer")


def reload(server):
    assert gatewayctl(server, "reload", "--wait") == (0, "", "")


def refused(server):
    code, _, err = gatewayctl(server, "reload", "--wait")
    assert code == 1
    return err


@pytest.mark.parametrize("preload", [False, True], ids=["plain", "preload"])
def test_what_has_changed_is_the_new_generation_s(server, preload):
    server = server(*(["--preload"] if preload else []))
    old = set(server.worker_pids())
    write(server, "gateway.toml", config("two", keep_alive=0))
    with Clients(server, 4) as clients:
        reload(server)
    assert clients.failures == []
    assert answer(server) == "two"
    with server.connect() as connection:
        assert connection.exchange("GET", "/").get("Connection") == "close"
    wait_until(lambda: not old & set(server.worker_pids()), "the old workers have left")
    os.kill(server.worker_pids()[0], signal.SIGKILL)
    wait_until(lambda: status(server)["workers"] == "2 serving" and status(server)["restarts"] == "1", "a successor")
    assert {answer(server) for _ in range(10)} == {"two"}


MISTAKES = [
    ("nonsense = = 3", "is not TOML: Invalid value (at line "),
    ("keep-alvie = 3", '"keep-alvie" is no option; did you mean keep-alive?'),
    ("env-file = 'nosuch'", "nosuch"),
    ("reload = true\nreload-extra-file = '/tmp'", "--reload-extra-file: /tmp is a directory"),
    ("threads = 'x'", '--threads: "x" is not'),
    ("tmp-dir = '/nonexistent'", "--tmp-dir: no file can be made in /nonexistent"),
]


@pytest.mark.parametrize("line, told", MISTAKES, ids=[row[0] for row in MISTAKES])
def test_a_mistake_changes_nothing_and_is_told_to_who_waits(server, line, told):
    server = server()
    workers = server.worker_pids()
    write(server, "gateway.toml", config("two", more="").replace("env =", f"{line}\nenv ="))
    assert told in refused(server)
    assert server.log.count("not reloaded: ") == 1 and told in server.log
    os.kill(workers[0], signal.SIGKILL)
    wait_until(lambda: len(set(server.worker_pids()) - set(workers)) == 1, "a successor")
    wait_until(lambda: status(server)["workers"] == "2 serving", "it serves")
    assert {answer(server) for _ in range(10)} == {"one"}


def test_a_new_generation_may_be_loaded_as_slowly_as_its_own_options_say(server):
    server = server()
    write(server, "gateway.toml", config().replace("env =", f"timeout = {SLOW}\nenv ="))
    reload(server)
    write(server, "slow", 5 * SLOW)  # its stack is asked for at --timeout, and it is killed a second later
    assert "not reloaded" in refused(server)
    write(server, "gateway.toml", config().replace("env =", "timeout = 60\nenv ="))
    reload(server)


def test_the_master_waits_for_nobody_at_the_other_end_of_a_pipe(server):
    server = server()
    os.mkfifo(server.directory / "pipe")
    write(server, "gateway.toml", config(more="").replace("env =", "env-file = 'pipe'\nenv ="))
    assert "pipe: it is no regular file" in refused(server)


def test_options_of_a_generation_that_fails_are_forgotten(server):
    server = server()
    write(server, "gateway.toml", config("two"))
    write(server, "broken", "raise RuntimeError('not today')")
    assert "not reloaded" in refused(server)
    (server.directory / "broken").unlink()
    os.kill(server.worker_pids()[0], signal.SIGKILL)
    wait_until(lambda: status(server)["restarts"] == "1" and status(server)["workers"] == "2 serving", "a successor")
    assert {answer(server) for _ in range(10)} == {"one"}
    reload(server)
    assert {answer(server) for _ in range(10)} == {"two"}


def test_options_that_need_a_restart_are_named_and_stay(server):
    server = server()
    more = "threads = 3\npreload = true\nname = 'other'\nlog-level = 'debug'"
    write(server, "gateway.toml", config("two").replace("workers = 2", f"workers = 2\n{more}").replace("127.0.0.1:0", "[::1]:0"))
    reload(server)
    named = [line.split("--")[1].split()[0] for line in server.log.splitlines() if "needs a restart" in line]
    assert sorted(named) == ["bind", "log-level", "name", "preload", "threads"]
    assert answer(server) == "two", "the others count"
    reload(server)
    assert server.log.count("--threads has changed") == 2, "as long as it is so"
    write(server, "gateway.toml", config("three"))
    reload(server)
    assert server.log.count("--threads has changed") == 2


def test_there_are_as_many_workers_as_it_says(server):
    server = server()
    for wanted in (4, 1, 2):
        write(server, "gateway.toml", config().replace("workers = 2", f"workers = {wanted}"))
        reload(server)
        wait_until(lambda wanted=wanted: status(server)["workers"] == f"{wanted} serving", f"{wanted} workers")
    ask(server, "worker", "add")
    reload(server)
    wait_until(lambda: status(server)["workers"] == "3 serving", "what was added by hand stays, where nothing has changed")


def test_a_file_that_goes_or_comes_counts_too(server):
    server = server("--bind", "127.0.0.1:0", "--workers", 2, "--control-socket", "control")
    (server.directory / "gateway.toml").unlink()
    reload(server)
    assert not answer(server)
    write(server, "gateway.toml", config("two"))
    reload(server)
    assert answer(server) == "two"


def test_requests_for_a_reload_meanwhile_are_one_more(server):
    server = server()
    for number in range(8):
        write(server, "gateway.toml", config(str(number)))
        server.signal(signal.SIGHUP)
        time.sleep(0.01 * (number % 3))
    wait_until(lambda: answer(server) == "7", "the last one counts", 2 * PATIENCE)
    wait_until(lambda: server.log.count("reloaded in") >= 2, "both are over")
    time.sleep(0.5)
    assert server.log.count("reloaded in") <= 4
    assert {answer(server) for _ in range(10)} == {"7"}


SLOW_READING = 300000 * "# a comment\n"


def begin_slow_reading(server, text):
    """From now on a file of that text is being read, whatever takes its place."""
    write(server, "gateway.toml", SLOW_READING + text)
    server.signal(signal.SIGHUP)
    path = str(server.directory / "gateway.toml")
    wait_until(lambda: any(path in open_files(pid) for pid in server.processes()), "it is being read")
    (server.directory / "gateway.toml").unlink()


@pytest.mark.parametrize("before", [config("before"), "= ="], ids=["good", "bad"])
def test_who_waits_waits_for_what_the_file_says_then_and_not_before(server, before):
    server = server()
    begin_slow_reading(server, before)
    write(server, "gateway.toml", config("then"))
    reload(server)
    assert {answer(server) for _ in range(10)} == {"then"}


def test_who_waits_is_told_of_his_mistake_and_not_of_another_s_success(server):
    server = server()
    begin_slow_reading(server, config("before"))
    write(server, "gateway.toml", "= =")
    assert "not TOML" in refused(server)
    server.wait_log("reloaded in")
    assert answer(server) == "before"


def test_who_waits_when_the_service_stops_is_told(server):
    server = server("--threads", "2")
    with server.connect() as busy:
        busy.send(b"GET /sleep/8 HTTP/1.1\r\nHost: x\r\n\r\n")
        server.wait_log("ready in")
        wait_until(lambda: control.status(server)["calls"] == "1", "it runs")
        begin_slow_reading(server, config("before"))
        waiting = control.start(server, "reload", "--wait")
        time.sleep(0.1)
        server.signal(signal.SIGTERM)
        code, _, err = control.finish(waiting)
        assert code == 1 and "the service stops" in err
        assert not busy.has_ended() and not busy.buffer, "before the end of all requests"
        assert busy.receive().status == 200
    assert server.wait() == 0


def test_a_new_generation_that_loses_workers_gets_the_next_configuration(server):
    """The reload cannot end, as no second worker of it comes up; the next one mends that."""
    server = server()
    once = "import os\nif os.path.exists('proved'): raise SystemExit('no more')\nopen('proved', 'w').close()"
    write(server, "broken", once)
    write(server, "gateway.toml", config("two"))
    server.signal(signal.SIGHUP)
    server.wait_log("no more")
    (server.directory / "broken").unlink()
    write(server, "gateway.toml", config("three"))
    server.signal(signal.SIGHUP)
    wait_until(lambda: {answer(server) for _ in range(10)} == {"three"}, "all are of the last", 2 * PATIENCE)


def test_under_load_nothing_fails(server):
    server = server()
    with Clients(server, 4) as clients:
        for number in range(4):
            write(server, "gateway.toml", config(str(number), keep_alive=50 + number))
            reload(server)
            write(server, "gateway.toml", "= = =")
            assert "not TOML" in refused(server)
    assert clients.failures == []
