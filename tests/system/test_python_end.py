"""The end of Python in a worker: what the application has buffered is written, its objects are destroyed, its threads, jobs and atexit
functions have what is left of --graceful-timeout; and when that is not enough, the log says so.

What went wrong once: an audit log that a module kept open was empty after each stop, reload and recycling, and archives were cut; jobs of
an executor that were to run after the answer were lost after five seconds without a word; a thread that hung in a request kept
the atexit functions of its worker from running; TERM to a whole group cut a worker that was on its way out.
"""

import os
import re
import signal
import subprocess
from contextlib import suppress

import pytest
from harness import run
from timing import PYTHON, wait_until

# Writes in all ways that the end of Python completes. Run by itself, it answers one call as a server would make it.
WRITES = """
import atexit, dbm.dumb, gzip, os, shelve, tempfile, threading, weakref, zipfile

log = open("log", "a")
archive = zipfile.ZipFile("zip", "w")
packed = gzip.open("gz", "wt")
shelf = shelve.Shelf(dbm.dumb.open("shelf"), writeback=True)
temporary = tempfile.NamedTemporaryFile(dir=".", prefix="temporary-")

class Told:
    def __init__(self, name):
        self.name = name

    def __del__(self, open=os.open, write=os.write, flags=os.O_WRONLY | os.O_CREAT | os.O_APPEND):
        write(open("told", flags, 0o600), self.name.encode() + b"\\n")

told = Told("a global")
cycle = Told("a cycle")
cycle.itself = cycle
local = threading.local()
finalizer = weakref.finalize(Told, os.write, os.open("finalized", os.O_WRONLY | os.O_CREAT, 0o600), b"yes")
atexit.register(log.write, "atexit\\n")

class Application:
    def __init__(self):
        self.told = Told("the application's")

    def __call__(self, environ, start_response):
        local.told = Told("a thread's")
        self.kept = environ, start_response
        log.write("a call\\n")
        archive.writestr("member", "text")
        packed.write("text")
        shelf["list"] = []
        shelf["list"].append(1)
        start_response("200 OK", HEADERS)
        return [b"called"]

HEADERS = [("X-A", "a"), ("X-B", "b")]
application = Application()

if __name__ == "__main__":
    application({}, lambda status, headers: None)
"""


def written(directory):
    """File name -> what is in it, or how much: archives contain the time."""
    found = {}
    for path in sorted(directory.iterdir()):
        if path.is_file() and path.name not in ("app.py", "stderr", "gateway.toml"):
            data = path.read_bytes()
            found[path.name] = sorted(data.splitlines()) if path.name in ("log", "told", "finalized") else len(data)
    return found


@pytest.fixture
def plain(tmp_path):
    """What plain Python has written at its end."""
    (tmp_path / "app.py").write_text(WRITES)
    subprocess.run([PYTHON, "-B", "app.py"], cwd=tmp_path, check=True)
    found = written(tmp_path)
    assert found["told"] == sorted([b"a global", b"a cycle", b"the application's", b"a thread's"])
    return found


def end_by(how):
    def end(server):
        server.signal(how)
        assert server.wait() == 0

    return end


def end_by_reload(server):
    pid = server.worker_pid
    (server.directory / "app.py").write_text("def application(environ, start_response): pass")
    server.signal(signal.SIGHUP)
    wait_until(lambda: pid not in server.processes(), "the old worker has left")


def end_of_worker(server):
    pid = server.worker_pid
    (server.directory / "app.py").write_text("def application(environ, start_response): pass")
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: pid not in server.processes(), "the worker has left")


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    "end",
    [end_by(signal.SIGTERM), end_by(signal.SIGINT), end_by_reload, end_of_worker],
    ids=["TERM", "INT", "HUP", "TERM-to-the-worker"],
)
def test_what_is_buffered_is_written_as_by_plain_python(serve, plain, threads, end):
    server = serve("app", "--threads", threads, files={"app.py": WRITES})
    assert server.get("/").body == b"called"
    end(server)
    assert written(server.directory) == plain


def test_a_worker_that_is_recycled_writes_it_too(serve, plain):
    server = serve("app", "--max-requests", 1, files={"app.py": WRITES})
    pid = server.worker_pid
    # The successor is to write nothing: what it imports is of the moment at which it is forked.
    (server.directory / "app.py").write_text("def application(environ, start_response): pass")
    assert server.get("/").body == b"called"
    wait_until(lambda: pid not in server.processes(), "the worker has left")
    assert written(server.directory) == plain


# The zygote has the objects too, so the worker is told apart by its number.
FROZEN = """
import os

class Log:
    def __init__(self):
        self.itself = self
        self.pid = b"None"

    def __del__(self, open=os.open, write=os.write, flags=os.O_WRONLY | os.O_CREAT | os.O_APPEND):
        write(open("told", flags, 0o600), b"%s\\n" % self.pid)

log = Log()

def application(environ, start_response):
    log.pid = b"%d" % os.getpid()
    start_response("200 OK", [])
    return [log.pid]
"""


def test_objects_that_were_made_before_the_fork_are_destroyed_in_the_worker_and_in_the_zygote(serve):
    server = serve("app", "--preload", files={"app.py": FROZEN})
    pid = server.get("/").body
    end_by(signal.SIGTERM)(server)
    assert sorted((server.directory / "told").read_bytes().splitlines()) == sorted([pid, b"None"])


FAILS = """
log = open("log", "a")
log.write("this is why")
raise RuntimeError("it does not work")
"""


@pytest.mark.parametrize("options", [[], ["--preload"], ["--check-config"]])
def test_what_was_written_before_the_import_failed_is_not_lost(tmp_path, options):
    (tmp_path / "app.py").write_text(FAILS)
    done = run("--bind", "127.0.0.1:0", *options, "app", cwd=tmp_path)
    assert done.returncode == 3 and done.stderr.count("it does not work") == 3, done.stderr
    assert (tmp_path / "log").read_text() == "this is why"


def test_a_check_ends_python_too(tmp_path):
    (tmp_path / "app.py").write_text("log = open('log', 'a')\nlog.write('loaded')\ndef application(e, s): pass")
    done = run("--check-config", "app", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "log").read_text() == "loaded"


def test_a_line_without_an_end_that_is_written_to_wsgi_errors_at_the_end_is_logged(serve):
    app = """
import atexit

def application(environ, start_response):
    atexit.register(environ["wsgi.errors"].write, "the last words")
    start_response("200 OK", [])
    return []
"""
    server = serve("app", files={"app.py": app})
    server.get("/")
    end_by(signal.SIGTERM)(server)
    assert re.search(r"error: the last words$", server.log, re.MULTILINE), server.log


# Each path leaves something to be waited for until the file "gate" is there. Notes when an atexit function has run.
WAITS = """
import atexit, os, threading, time
from concurrent.futures import ThreadPoolExecutor

pool = ThreadPoolExecutor(1)

def note(what):
    with open("notes", "a") as file:
        file.write(what + "\\n")

def wait_for_gate(name="gate"):
    while not os.path.exists(name):
        time.sleep(0.01)

def last():
    note("ends")
    wait_for_gate("last-gate")
    note("ended")

def work():
    note("works")
    wait_for_gate()
    note("worked")

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/executor":
        pool.submit(work)
    elif path == "/thread":
        threading.Thread(target=work).start()
    elif path == "/atexit":
        atexit.register(work)
    elif path == "/last":
        atexit.register(last)
    elif path == "/crash":
        atexit.register(os.abort)
    elif path == "/hold":
        note("holds")
        wait_for_gate()
    elif path == "/hang" and threading.current_thread() is not threading.main_thread():
        note("hangs")
        wait_for_gate("never")
    start_response("200 OK", [])
    return []
"""

CUT = r"warning: Python has not ended within \d+\.\d s, and is cut: .*; atexit functions may not have run"


def notes(server):
    path = server.directory / "notes"
    return path.read_text().split() if path.exists() else []


def await_note(server, what):
    wait_until(lambda: what in notes(server), f"{what} is noted")


def open_gate(server, name="gate"):
    (server.directory / name).touch()


@pytest.fixture
def waits(serve):
    def start(*options, **keywords):
        return serve("app", *options, files={"app.py": WAITS}, **keywords)

    return start


@pytest.mark.deadline(60)
@pytest.mark.parametrize("path", ["/executor", "/thread", "/atexit"])
def test_it_is_waited_for(waits, path):
    server = waits("--graceful-timeout", "60s")
    server.get(path)
    pid = server.worker_pid
    server.signal(signal.SIGTERM)
    if path == "/atexit":
        await_note(server, "works")
    # Once five seconds were all there was.
    with pytest.raises(AssertionError, match="in vain"):
        wait_until(lambda: pid not in server.processes(), "the worker does not leave", timeout=6)
    open_gate(server)
    assert server.wait() == 0
    assert notes(server) == ["works", "worked"]
    assert "warning" not in server.log


def assert_cut(server, *frames):
    """One warning, with the stacks, and nothing from the master, which does not kill."""
    log = server.log
    assert len(re.findall(CUT, log)) == 1 and log.count("warning:") == 1, log
    assert "killed" not in log, log
    for frame in frames:
        assert re.search(rf'^ *File "[^"]*", line \d+ in {frame}$', log, re.MULTILINE), log


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("path", ["/executor", "/thread", "/atexit"])
def test_when_it_is_cut_one_warning_says_so_with_the_stacks(waits, path, how):
    server = waits("--graceful-timeout", "1s")
    server.get(path)
    server.signal(how)
    assert server.wait() == 0
    assert_cut(server, "work", "wait_for_gate")
    assert notes(server) == ["works"]


def test_a_quick_stop_does_not_wait_as_long(waits):
    server = waits("--graceful-timeout", "1h")
    server.get("/thread")
    server.signal(signal.SIGINT)
    assert server.wait() == 0
    assert_cut(server, "work")


def test_the_quick_stop_hurries_a_worker_that_is_on_its_way_out(waits):
    server = waits("--graceful-timeout", "1h")
    server.get("/last")
    server.signal(signal.SIGTERM)
    await_note(server, "ends")
    server.signal(signal.SIGINT)
    assert server.wait() == 0
    assert_cut(server, "last")


def test_a_reload_gives_the_old_worker_the_same_time(waits):
    server = waits("--graceful-timeout", "1s")
    server.get("/executor")
    await_note(server, "works")
    pid = server.worker_pid
    server.signal(signal.SIGHUP)
    wait_until(lambda: pid not in server.processes(), "the old worker has left")
    assert_cut(server, "work")


def test_term_to_a_worker_that_is_on_its_way_out_changes_nothing(waits):
    server = waits("--graceful-timeout", "60s")
    server.get("/last")
    pid = server.worker_pid
    server.signal(signal.SIGTERM)
    await_note(server, "ends")
    os.kill(pid, signal.SIGTERM)
    open_gate(server, "last-gate")
    assert server.wait() == 0
    assert notes(server) == ["ends", "ended"]


def test_the_second_int_to_a_worker_that_is_on_its_way_out_is_its_end(waits):
    server = waits("--graceful-timeout", "1h")
    server.get("/last")
    pid = server.worker_pid
    server.signal(signal.SIGTERM)
    await_note(server, "ends")
    # Two that are sent at once may come as one.
    def is_gone():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
        return pid not in server.processes()

    wait_until(is_gone, "the worker has left")
    assert server.wait() == 0
    assert_cut(server, "last")


def test_a_thread_that_hangs_in_a_call_does_not_keep_the_others_from_their_end(waits):
    server = waits("--threads", 2, "--graceful-timeout", "5s")
    server.get("/last")
    with server.connect() as held, server.connect() as hung:
        held.request("GET", "/hold")
        await_note(server, "holds")
        hung.request("GET", "/hang")
        await_note(server, "hangs")
        open_gate(server)
        assert held.receive().status == 200
        open_gate(server, "last-gate")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert notes(server)[-2:] == ["ends", "ended"]
    assert 'the application did not return in time from "GET /hang' in server.log


def test_a_main_thread_that_hangs_is_told_with_what_that_means(waits):
    server = waits("--graceful-timeout", "1s")
    server.get("/last")
    with server.connect() as held:
        held.request("GET", "/hold")
        await_note(server, "holds")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert "ends" not in notes(server)
    assert re.search("warning: the application does not let go of the main thread: atexit functions do not run", server.log)


def test_a_crash_at_the_end_is_one_warning(waits):
    server = waits(crashes=True)
    server.get("/crash")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert len(re.findall(r"warning: worker 0 \(pid \d+\) was killed by signal 6 ", server.log)) == 1, server.log


def test_the_zygote_is_cut_too(waits):
    server = waits("--preload", "--graceful-timeout", "1s")
    with open(server.directory / "app.py", "a") as file:
        file.write("\natexit.register(last)\n")
    server.signal(signal.SIGHUP)
    server.wait_log("reloaded")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert re.search(rf"\[worker 0\] {CUT}", server.log) and re.search(rf"\[zygote\] {CUT}", server.log), server.log
    assert "killed" not in server.log


def test_an_import_that_failed_is_not_waited_for_as_long(tmp_path):
    failing = WAITS + "\nthreading.Thread(target=work).start()\nraise RuntimeError('it does not work')\n"
    (tmp_path / "app.py").write_text(failing)
    done = run("--bind", "127.0.0.1:0", "--graceful-timeout", "1h", "app", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert len(re.findall(CUT, done.stderr)) == 1, done.stderr
