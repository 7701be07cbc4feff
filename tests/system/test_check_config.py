"""--check-config: whether the service would start, without starting it.

What went wrong once, in one server or another: the check read the options and not the application, it bound the port
of the service that was running, it imported the application as root, and its exit status was 0 after all.
"""

import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest
from harness import APPLICATIONS, GATEWAY, run
from test_privileges import why_not
from test_startup_errors import FILES, MISTAKES
from timing import wait_until

GOOD = "def application(environ, start_response): pass\n"


def told(text):
    """What was said, but not by whom and when."""
    return re.sub(r"(?m)^\S+ \[\d+\] \[[^]]*\] ", "", text)


def test_what_would_start_is_said_to_and_nothing_is_left_behind(tmp_path):
    (tmp_path / "app.py").write_text(GOOD)
    done = run("--bind", "unix:app.sock", "--pid", "pid", "--control-socket", "control", "--check-config", "app", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "gateway: the configuration is good, and app can be loaded\n"
    assert [name for name in os.listdir(tmp_path) if name not in ("app.py", "__pycache__")] == []


def test_a_service_that_runs_is_not_in_the_way(serve):
    server = serve("hello")
    done = run("--bind", "127.0.0.1:%d" % server.port, "--check-config", "hello", cwd=APPLICATIONS)
    assert (done.returncode, done.stderr) == (0, "")
    assert server.get("/").status == 200


@pytest.mark.parametrize("spec", [row[0] for row in MISTAKES if row[0] != "dies"])
def test_what_would_not_is_told_as_at_the_start(tmp_path, spec):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    options = ("--bind", "127.0.0.1:0", "--log-level", "error", spec)
    check, start = run("--check-config", *options, cwd=tmp_path), run(*options, cwd=tmp_path)
    assert check.returncode == start.returncode != 0
    assert check.stdout == ""
    assert told(start.stderr).startswith(told(check.stderr))


@pytest.mark.parametrize(
    "options, status, words",
    [
        (["--bind", "nowhere"], 2, "nowhere"),
        (["--status", "nowhere"], 2, "--status"),
        (["--threads", "x"], 2, "--threads"),
        (["--env-file", "nosuch"], 2, "nosuch"),
        (["--access-logfile", "/nosuch/log"], 2, "/nosuch/log"),
        (["--error-logfile", "/nosuch/log"], 2, "/nosuch/log"),
        (["--user", "nosuchuser"], 2, "nosuchuser"),
        (["--chdir", "/nosuch"], 2, "/nosuch"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_so_are_options(tmp_path, options, status, words):
    (tmp_path / "app.py").write_text(GOOD)
    done = run("--check-config", *options, "app", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (status, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_it_is_told_on_standard_error_also_when_there_is_a_log_file(tmp_path):
    (tmp_path / "app.py").write_text("raise ValueError('seen')")
    done = run("--error-logfile", "log", "--check-config", "app", cwd=tmp_path)
    assert done.returncode == 3
    assert "ValueError: seen" in done.stderr


@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_the_application_is_loaded_as_the_user():
    with tempfile.TemporaryDirectory(prefix="gateway-test-") as directory:
        os.chmod(directory, 0o755)
        Path(directory, "app.py").write_text(f"import os\nprint(os.geteuid(), os.getegid(), flush=True)\n{GOOD}")
        done = run("--user", "nobody", "--check-config", "app", cwd=directory)
    assert done.returncode == 0, done.stderr
    assert "0" not in done.stdout.splitlines()[0].split()


def test_one_that_is_interrupted_has_not_found_anything_good(tmp_path):
    (tmp_path / "app.py").write_text("import time\nopen('here', 'w').close()\ntime.sleep(60)")
    child = subprocess.Popen([GATEWAY, "--check-config", "app"], cwd=tmp_path, stdout=subprocess.PIPE)
    wait_until(lambda: (tmp_path / "here").exists(), "the application is being imported")
    child.send_signal(signal.SIGTERM)
    assert child.communicate()[0] == b""
    assert child.returncode != 0


def test_threads_of_the_application_do_not_keep_it(tmp_path):
    (tmp_path / "app.py").write_text(
        f"import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n{GOOD}"
    )
    assert run("--check-config", "app", cwd=tmp_path).returncode == 0
