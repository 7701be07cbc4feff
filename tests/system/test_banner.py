"""What is said at the start: enough to know what runs, where and how, and what should be mended; in colour for people only.

What went wrong once, elsewhere: escape sequences in log files, DEBUG in production for years, a limit of 1024 files that nobody
knew of.
"""

import os
import pty
import re
import signal
import subprocess

import pytest
from debian import lacks
from harness import GATEWAY, environment, run
from timing import PATIENCE, PYTHON

DJANGO = """
from django.conf import settings
settings.configure(DEBUG={debug}, SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__)
from django.core.wsgi import get_wsgi_application
urlpatterns = []
application = get_wsgi_application()
"""


def messages(log):
    return re.findall(r"(?m)^\S+ \[\d+\] \[.*?\] (\w+: .*)$", log)


def test_it_tells_what_runs_where_and_how(serve):
    server = serve("hello:application", "--threads", 4, workers=2, files={"gateway.toml": "keep-alive = '5s'\n"})
    told = messages(server.log)
    assert re.fullmatch(r"info: gateway \S+, Python 3\.\d+\.\S+, hello:application", told[0])
    assert told[1].startswith("info: options from ") and told[1].endswith("gateway.toml")
    assert told[2] == f"info: listening on http://127.0.0.1:{server.port}"
    assert told[3] == "info: 2 workers (as configured), 4 threads each"
    assert told[-1].startswith("info: ready in ")


def test_it_tells_the_virtual_environment(serve, tmp_path):
    made = subprocess.run([PYTHON, "-m", "venv", "--without-pip", tmp_path / "venv"], capture_output=True)
    if made.returncode != 0:
        pytest.skip("this Python makes no virtual environments")
    server = serve("hello", env={"VIRTUAL_ENV": str(tmp_path / "venv")})
    assert re.search(rf"Python 3\.\S+ \({tmp_path}/venv\), hello\n", server.log), server.log


def test_few_files_are_warned_of(serve):
    server = serve("hello", prefix=["sh", "-c", 'ulimit -n 500; exec "$0" "$@"'])
    (warning,) = [told for told in messages(server.log) if told.startswith("warning: a worker")]
    assert warning.endswith("connections at once: the limit of open files is 500 (ulimit -n)")


@pytest.mark.parametrize("options", [[], ["--preload"]], ids=["", "--preload"])
@pytest.mark.parametrize("debug", [True, False])
def test_djangos_debug_is_warned_of_once(serve, options, debug):
    if missing := lacks(django="python3-django"):
        pytest.skip(missing)
    server = serve("site_of_ann", *options, files={"site_of_ann.py": DJANGO.format(debug=debug)}, workers=2)
    assert len(server.worker_pids()) == 2  # which are ready, as the log says
    assert server.log.count("warning: Django's DEBUG is on") == int(debug), server.log


def on_a_terminal(*arguments, env):
    """The bytes that a person sees."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [GATEWAY, *arguments], env=environment(env), stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    seen = b""
    try:
        while True:
            seen += os.read(ours, 65536)
            if b"ready in" in seen:
                process.send_signal(signal.SIGTERM)
    except OSError:  # nobody has the other end any more
        pass
    finally:
        os.close(ours)
        process.kill()
        process.wait(PATIENCE)
    return seen


RELOADS = ["--bind", "127.0.0.1:0", "--reload", "hello"]  # of which it warns


COLOURS = [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)]


@pytest.mark.parametrize("env, coloured", COLOURS)
def test_levels_have_colours_on_a_terminal(env, coloured):
    seen = on_a_terminal(*RELOADS, env={"TERM": "xterm", **env})
    assert (b"] \x1b[33mwarning\x1b[0m: --reload is for development" in seen) == coloured, seen
    assert (b"\x1b" in seen) == coloured
    assert b" info: gateway" in seen, "most lines are plain"


def test_json_on_a_terminal_is_json():
    assert b"\x1b" not in on_a_terminal("--log-format", "json", *RELOADS, env={"TERM": "xterm"})


def test_a_file_or_a_pipe_has_no_colours():
    done = run("--bind", "127.0.0.1:0", "nosuchmodule", env={"TERM": "xterm"})
    assert " error: cannot import" in done.stderr and "\x1b" not in done.stderr
