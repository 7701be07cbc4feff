"""--reload: what is saved is served, at once.

What went wrong once, in one server or another: a file that an editor saves under a new name was never watched again; each of an
editor's own files began a reload; two saved files were two; a module with an error was the end, since only what could be
loaded was watched; what was saved while the application was imported was lost; a second save in the same second served the first
one's bytecode; a stream that a browser held open kept the new code waiting.
"""

import os
import re
import signal
import socket
import time

import pytest
from harness import Server, open_files, run
from test_bind import free_port
from timing import SANITIZED, SLOW, report, wait_until

APP = '''
import importlib, os, time
try:
    import helper
except ImportError:
    helper = None

answer = "one"


def application(environ, start_response):
    path = environ["PATH_INFO"][1:]
    if path.startswith("sleep"):
        time.sleep(float(path[5:]))
    body = answer
    if path.startswith("import"):
        body = importlib.import_module(path[6:]).answer
    elif path == "helper":
        body = helper.answer
    elif path == "pid":
        body = str(os.getpid())
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body.encode()]
'''

# Longer than what would be noticed is waited for before it, for what must not come: with something that is noticed after it.
QUIET = 0.2 * SLOW


@pytest.fixture
def server(serve):
    def start(*options, files=None, **keywords):
        return serve("app", "--reload", *options, files={"app.py": APP, **(files or {})}, **keywords)

    return start


def app(answer):
    return APP.replace('"one"', f'"{answer}"')


def save(server, name, text):
    (server.directory / name).write_text(text)


def save_by_rename(server, name, text):
    save(server, f".{name}.tmp", text)
    os.rename(server.directory / f".{name}.tmp", server.directory / name)


def save_with_backup(server, name, text):
    """As vim does with 'backupcopy' off."""
    os.rename(server.directory / name, server.directory / f"{name}~")
    time.sleep(0.1)
    save(server, name, text)


def save_by_link(server, name, text):
    save(server, "elsewhere", text)
    os.unlink(server.directory / name)
    os.symlink("elsewhere", server.directory / name)


def reloads(server):
    return server.log.count("reloaded in")


def wait_answer(server, answer, path="/"):
    wait_until(lambda: server.get(path).text == answer, f"{answer} is served")


WAYS = [save, save_by_rename, save_with_backup, save_by_link]


@pytest.mark.parametrize("way", WAYS, ids=[way.__name__ for way in WAYS])
def test_what_is_saved_is_served_however_it_is_saved_and_again(server, way):
    server = server()
    for count, answer in enumerate(["two", "three", "four"], 1):
        way(server, "app.py", app(answer))
        wait_answer(server, answer)
        wait_until(lambda count=count: reloads(server) == count, "one reload for each")
        assert server.log.count("app.py has changed: reloading") == count
    assert "not reloaded" not in server.log


@pytest.mark.parametrize("options", [["--preload"], ["--threads", "4"], ["--workers", "2"]], ids=lambda o: o[0][2:])
def test_so_it_is_with(server, options):
    server = server(*options, workers=None)
    for count, answer in enumerate(["two", "three"], 1):
        save(server, "app.py", app(answer))
        wait_until(lambda count=count: reloads(server) == count, "it is reloaded")
        assert {server.get("/").text for _ in range(10)} == {answer}
    assert server.log.count("has changed: reloading") == 2, "one worker is enough to see it"


def save_and_wait(server, answer):
    """Seconds until the new code answers, and until nobody else does."""
    before = reloads(server)
    begun = time.monotonic()
    save(server, "app.py", app(answer))
    wait_answer(server, answer)
    answered = time.monotonic() - begun
    wait_until(lambda: reloads(server) == before + 1, "the old code answers no more")
    return answered, time.monotonic() - begun


@pytest.mark.timing
def test_the_new_code_answers_soon(server):
    server = server(workers=None)
    assert "1 worker (one, for --reload)" in server.log and "warning: --reload is for development" in server.log
    limit = 1.5 if SANITIZED else 0.3
    # At the first attempt or at one of two more, when nobody else has the processor.
    for attempt in range(3):
        times = [save_and_wait(server, f"{attempt}-{number}") for number in range(7)]
        medians = [sorted(each)[3] for each in zip(*times)]
        print("from the save to the answer, and to nobody else's, in ms:", [round(t * 1000) for t in medians])
        if max(medians) < limit:
            report("from a save to the new code's answer, and to nobody else's", *medians)
            return
    pytest.fail(f"{medians} s")


def test_several_files_at_once_are_one_reload(server):
    server = server(files={"helper.py": ""})

    def save_three(answer):
        """In a row: False when this machine had something else to do in between."""
        begun = [time.monotonic()]
        for name, text in [("helper.py", f'answer = "{answer}"'), ("new.py", ""), ("app.py", app(answer))]:
            save(server, name, text)
            time.sleep(0.02)
            begun.append(time.monotonic())
        wait_answer(server, answer)
        assert server.get("/helper").text == answer
        return all(later - before < 0.04 for before, later in zip(begun, begun[1:]))

    def reload_for_three():
        before = reloads(server)
        if save_three(f"answer {before}"):
            save(server, "app.py", app("last"))
            wait_answer(server, "last")
            time.sleep(QUIET)
            return reloads(server) - before

    assert wait_until(reload_for_three, "three saves in a row") == 2


TEMPORARY = [".app.py.swp", "4913", "app.py~", "#app.py#", ".#app.py", "flycheck_app.py", "app.pyc", "app.py.tmp", "notes"]


def test_files_of_editors_and_of_python_are_none_of_ours(server):
    server = server()
    (server.directory / "__pycache__").mkdir()
    (server.directory / ".cache").mkdir()
    for name in [*TEMPORARY, "__pycache__/app.py", ".cache/app.py"]:
        save(server, name, "x")
    for name in TEMPORARY:
        os.unlink(server.directory / name)
    os.symlink("user@host.1", server.directory / ".#app.py")  # Emacs' lock
    time.sleep(QUIET)
    save(server, "app.py", app("two"))
    wait_answer(server, "two")
    assert server.log.count("has changed") == server.log.count("app.py has changed") == 1


# What is saved, in which file, and what the page says of it.
BROKEN = [
    ("app.py", "1 +", r"\napp\.py:1: SyntaxError: .*\n    1 \+\n *\^$"),
    ("app.py", "raise ValueError('caf\xe9 <b>')", r'\nTraceback .*\n  File ".*app\.py", line 1.*\nValueError: caf\xe9 <b>$'),
    ("app.py", "import nothing_of_the_kind", r"\nModuleNotFoundError: No module named 'nothing_of_the_kind'$"),
    ("app.py", "import os; os._exit(7)", r"not reloaded: the first worker of the new generation exited with status 7"),
    ("app.py", "import os; os.abort()", r"signal 6 .*\nFatal Python error: Aborted\n"),
    ("gateway.toml", "threads = \n", r"not reloaded: .*gateway\.toml.*line 1"),
]


@pytest.mark.parametrize("options", [[], ["--preload"], ["--threads", "4"]], ids=["plain", "preload", "threads"])
@pytest.mark.parametrize("name, text, page", BROKEN, ids=["syntax", "raises", "missing", "exits", "aborts", "configuration"])
def test_a_broken_save_is_an_error_page_and_the_next_good_one_mends_it(server, options, name, text, page):
    server = server(*options, "--health-path", "/-", files={"gateway.toml": ""}, workers=2)
    pids = server.worker_pids()
    with server.connect() as connection:
        assert connection.exchange("GET", "/").text == "one"
        save(server, name, text)
        server.wait_log("not reloaded: ")
        for method, path, body in [("GET", "/", None), ("POST", "/pid", b"x"), ("HEAD", "/", None)]:
            answer = connection.exchange(method, path, (), body)
            assert (answer.status, answer.get("Content-Type")) == (500, "text/plain; charset=utf-8")
            assert answer.get("Cache-Control") == "no-store" and answer.get("Connection") is None
            if method != "HEAD":
                shown = answer.body.decode()
                assert shown.startswith("What was saved last cannot be loaded") and re.search(page, shown.strip(), re.S), shown
        assert connection.exchange("GET", "/-/ready").status == 200
        assert server.log.count("not reloaded") == 1 and server.worker_pids() == pids, "told once, and nobody has left"
        save(server, name, app("two") if name == "app.py" else "threads = 1\n")
        wait_answer(server, "two" if name == "app.py" else "one")
        wait_until(lambda: reloads(server) == 1, "all are new")
        assert connection.exchange("GET", "/").status == 200, "the connection has outlived it all"


def test_a_successor_that_has_loaded_what_is_mended_shows_no_error_page(server):
    # It showed that of its generation, and nobody was there who had seen the save.
    server = server(crashes=True)
    save(server, "app.py", "1 +")
    wait_until(lambda: server.get("/").status == 500, "the error page")
    os.kill(server.worker_pid, signal.SIGKILL)
    server.wait_log(r"exited with status 3 .*; it is replaced in")
    save(server, "app.py", app("two"))
    wait_answer(server, "two")
    assert reloads(server) == 0


def test_without_the_option_nobody_sees_what_could_not_be_loaded(serve):
    server = serve("app", files={"app.py": APP})
    save(server, "app.py", "1 +")
    server.signal(signal.SIGHUP)
    server.wait_log("not reloaded: ")
    assert server.get("/").text == "one"


# What is imported for the first time, and how it is mended: the old worker has never seen it.
NEW = [
    ("a-module", "new", "new.py"),
    ("a-package", "package.new", "package/new.py"),
    ("a-package-of-a-package", "package.inner.new", "package/inner/new.py"),
    ("a-package-that-was-there", "there.new", "there/new.py"),
]


@pytest.mark.parametrize("name, path", [row[1:] for row in NEW], ids=[row[0] for row in NEW])
def test_what_is_imported_for_the_first_time_may_be_what_is_broken(server, name, path):
    server = server(prefix=["sh", "-c", 'mkdir there; >there/__init__.py; exec "$0" "$@"'])
    (server.directory / path).parent.mkdir(exist_ok=True, parents=True)
    save(server, path, "1 +")
    save(server, "app.py", f"import {name}\n" + app("two"))
    wait_until(lambda: "not reloaded" in server.log, "it is told")
    failures = server.log.count("not reloaded")
    save(server, path, "")
    wait_answer(server, "two")
    assert server.log.count("not reloaded") == failures


def test_a_module_that_a_request_has_imported_is_watched(server):
    server = server("--pythonpath", "library", prefix=["sh", "-c", 'mkdir library; exec "$0" "$@"'])
    save(server, "library/lazy.py", 'answer = "lazy one"')
    assert server.get("/importlazy").text == "lazy one"

    def noticed():
        save(server, "library/lazy.py", 'answer = "lazy two"')
        time.sleep(QUIET)
        return "library/lazy.py has changed" in server.log

    wait_until(noticed, "it is watched", interval=0.3)
    wait_answer(server, "lazy two", "/importlazy")


# What cannot be loaded at the start, what is saved then, and where.
FIRST = [
    ("syntax", "1 +", "app.py", APP),
    ("module", "import new\n" + APP, "new.py", ""),
    ("package", "import package.new\n" + APP, "package/new.py", ""),
    ("exits", "raise SystemExit(1)", "app.py", APP),
    ("extra", "open('extra.txt')\n" + APP, "extra.txt", ""),
    ("path", "import library_module\n" + APP, "library/library_module.py", ""),
]


@pytest.mark.parametrize("broken, name, mended", [row[1:] for row in FIRST], ids=[row[0] for row in FIRST])
def test_a_first_start_in_vain_is_tried_again_when_something_is_saved(broken, name, mended):
    options = ["--reload", "--reload-extra-file", "extra.txt", "--pythonpath", "library"]
    prefix = ["sh", "-c", 'mkdir library; exec "$0" "$@"']
    bind = f"127.0.0.1:{free_port()}"
    with Server("app", *options, files={"app.py": broken}, prefix=prefix, bind=bind, ready=lambda: True) as server:
        server.wait_log("waiting for something to be saved")
        for number in range(2):
            save(server, ".app.py.swp", f"an editor's {number}")
        save(server, "app.py", broken + "\n")
        wait_until(lambda: server.log.count("waiting for something to be saved") == 2, "it was tried again")
        (server.directory / name).parent.mkdir(exist_ok=True)
        save(server, name, mended)
        server.wait_log("ready in")
        assert server.get("/").text == "one"
        assert server.log.count("starting again") == 2


def test_what_is_saved_during_a_first_start_in_vain_is_not_lost():
    broken = "import time; open('imports', 'w').close(); time.sleep(0.5); 1 / 0"
    with Server("app", "--reload", files={"app.py": broken}, ready=lambda: True) as server:
        wait_until((server.directory / "imports").exists, "it is being imported")
        save(server, "app.py", APP)
        server.wait_log("app.py has changed: starting again")
        server.wait_log("ready in")


def test_a_first_start_in_vain_looks_where_pythonpath_leads(tmp_path):
    (tmp_path / "elsewhere.py").write_text("1 +")
    with Server("elsewhere", "--reload", env={"PYTHONPATH": str(tmp_path)}, ready=lambda: True) as server:
        server.wait_log("waiting for something to be saved")
        (tmp_path / "elsewhere.py").write_text(APP)
        server.wait_log("ready in")


def test_a_configuration_that_is_half_written_is_not_the_end_of_the_wait():
    files = {"app.py": "1 +", "gateway.toml": "threads = 1"}
    with Server("app", "--reload", files=files, ready=lambda: True) as server:
        server.wait_log("waiting for something to be saved")
        save(server, "gateway.toml", "threads = ")
        server.wait_log(r"gateway\.toml is not TOML")
        wait_until(lambda: server.log.count("waiting for something to be saved") == 2, "it waits on")
        save(server, "app.py", APP)
        wait_until(lambda: server.log.count("waiting for something to be saved") == 3, "the configuration is still wrong")
        save(server, "gateway.toml", "threads = 1")
        server.wait_log("ready in")


def test_with_a_socket_that_was_passed_a_first_start_in_vain_is_the_end():
    with socket.create_server(("127.0.0.1", 0)) as passed:
        done = run("--reload", "--bind", f"fd://{passed.fileno()}", "no_such_module", pass_fds=[passed.fileno()])
    assert done.returncode == 3 and "waiting" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT], ids=lambda number: number.name)
def test_who_waits_for_a_save_can_be_told_to_stop(number):
    with Server("app", "--reload", files={"app.py": "1 +"}, ready=lambda: True) as server:
        server.wait_log("waiting for something to be saved")
        server.signal(number)
        assert server.wait() == 0


def test_what_is_saved_while_the_application_is_imported_is_not_lost(server):
    server = server(files={"helper.py": ""})
    save(server, "helper.py", "import time; answer = 'slow'; open('imports', 'w').close(); time.sleep(0.5)")
    wait_until((server.directory / "imports").exists, "it is being imported")
    save(server, "helper.py", 'answer = "two"')
    wait_answer(server, "two", "/helper")


def test_what_was_saved_while_it_started_is_not_lost(serve):
    slow = "import time; open('imports', 'w').close(); time.sleep(0.5)\n"
    with Server("app", "--reload", files={"app.py": slow + APP}, ready=lambda: True) as server:
        wait_until((server.directory / "imports").exists, "it is being imported")
        save(server, "app.py", app("two"))
        wait_until(lambda: "ready in" in server.log, "it is ready")
        wait_answer(server, "two")
        wait_until(lambda: reloads(server) == 1, "it is over")
        time.sleep(QUIET)
        assert server.log.count("has changed") == 1


def test_a_package_that_is_replaced_as_a_whole(server):
    prefix = ["sh", "-c", 'mkdir helper new; echo \'answer="one"\' >helper/__init__.py; exec "$0" "$@"']
    server = server(prefix=prefix)
    assert server.get("/helper").text == "one"
    for answer in ["two", "three"]:
        (server.directory / "new").mkdir(exist_ok=True)
        save(server, "new/__init__.py", f'answer = "{answer}"')
        os.rename(server.directory / "helper", server.directory / f"before-{answer}")
        os.rename(server.directory / "new", server.directory / "helper")
        wait_answer(server, answer, "/helper")
    save(server, "helper/__init__.py", 'answer = "four"')
    wait_answer(server, "four", "/helper")


def test_a_directory_whose_name_leads_to_another(server):
    prefix = ["sh", "-c", 'for i in 1 2; do mkdir r$i; echo "answer=\'$i\'" >r$i/helper.py; done; ln -s r1 now; exec "$0" "$@"']
    server = server("--pythonpath", "now", prefix=prefix)
    assert server.get("/helper").text == "1"
    os.symlink("r2", server.directory / "next")
    os.rename(server.directory / "next", server.directory / "now")
    wait_answer(server, "2", "/helper")
    save(server, "r2/helper.py", 'answer = "3"')
    wait_answer(server, "3", "/helper")


def test_a_file_behind_a_symbolic_link(server):
    prefix = ["sh", "-c", 'mkdir not-here; mv app.py not-here; ln -s not-here/app.py app.py; exec "$0" "$@"']
    server = server(prefix=prefix)
    save(server, "not-here/app.py", app("two"))
    wait_answer(server, "two")


def test_extra_files(server):
    server = server("--reload-extra-file", "page.html", "--reload-extra-file", "etc/settings", files={"page.html": ""})
    save(server, "page.html", "x")
    server.wait_log(r"page\.html has changed: reloading")
    wait_until(lambda: reloads(server) == 1, "it is over")
    (server.directory / "etc").mkdir()
    save(server, "etc/settings", "x")
    server.wait_log("etc.* has changed: reloading")
    wait_until(lambda: reloads(server) == 2, "it is reloaded for each")


def test_a_directory_is_no_extra_file():
    done = run("--reload", "--reload-extra-file", "/tmp", "hello")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "gateway: --reload-extra-file: /tmp is a directory; name the files in it\n"


def test_bytecode_of_the_same_second_is_not_used(server):
    server = server(env={"PYTHONDONTWRITEBYTECODE": ""}, files={"helper.py": 'answer = "one"'})
    path = server.directory / "helper.py"
    stamp = path.stat().st_mtime_ns
    for answer in ["two", "six"]:
        path.write_text(f'answer = "{answer}"')
        os.utime(path, ns=(stamp, stamp))
        wait_answer(server, answer, "/helper")


@pytest.mark.parametrize("threads", [1, 2])
def test_calls_that_last_delay_nothing(server, threads):
    server = server("--threads", threads)
    with server.connect(timeout=30) as first, server.connect(timeout=30) as second:
        for connection in (first, second)[:threads]:
            connection.request("GET", "/sleep1.5")
        time.sleep(0.2)
        save(server, "app.py", app("two"))
        wait_answer(server, "two")
        for connection in (first, second)[:threads]:
            assert connection.receive().text == "one", "who had begun has ended"


def test_who_does_not_leave_does_not_keep_the_next_waiting(server):
    server = server()
    with server.connect(timeout=30) as connection:
        connection.request("GET", "/sleep600")
        time.sleep(0.2)
        for answer in ["two", "three", "four"]:
            save(server, "app.py", app(answer))
            wait_answer(server, answer)
    assert server.log.count("has changed") == 3, "who leaves asks for nothing"


def test_connections_stay_open(server):
    server = server()
    with server.connect() as connection:
        for answer in ["two", "three"]:
            assert connection.exchange("GET", "/").status == 200
            save(server, "app.py", app(answer))
            wait_answer(server, answer)
            wait_until(lambda answer=answer: connection.exchange("GET", "/").text == answer, "it has moved")


def inotify_descriptors(server):
    return sum("inotify" in file for pid in [server.pid, *server.worker_pids()] for file in open_files(pid))


def test_only_one_worker_watches_and_none_without_the_option(serve, server):
    assert inotify_descriptors(server("--workers", "2", workers=None)) == 1
    quiet = serve("app", "--reload-extra-file", "app.py", workers=2, files={"app.py": APP})
    assert inotify_descriptors(quiet) == 0
    save(quiet, "app.py", app("two"))
    time.sleep(QUIET)
    assert not re.search("reload", quiet.log)
    turns = [switches(pid) for pid in quiet.worker_pids()]
    time.sleep(1.5)
    assert [switches(pid) for pid in quiet.worker_pids()] == turns, "who has nothing to do sleeps"


def switches(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", file.read(), re.MULTILINE)[1])


@pytest.mark.parametrize("name", ["gateway.toml", "env"])
def test_the_configuration_counts_too(server, name):
    files = {"gateway.toml": "", "env": "", "app.py": APP.replace('answer = "one"', 'answer = os.environ.get("ANSWER", "one")')}
    server = server("--env-file", "env", files=files)
    assert server.get("/").body == b"one"
    save(server, name, 'env = {ANSWER = "two"}' if name == "gateway.toml" else "ANSWER=two")
    wait_until(lambda: server.get("/").body == b"two", "what it says now counts")
