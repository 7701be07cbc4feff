"""--check-config: whether the service would start, without starting it.

What went wrong once, in one server or another: the check read the options and not the application, it bound the port
of the service that was running, it imported the application as root, and its exit status was 0 after all.
"""

import os
import re
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from harness import APPLICATIONS, GATEWAY, run
from test_privileges import why_not
from test_startup_errors import MISTAKES, write_files
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
    write_files(tmp_path)
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
        (["--reload", "--reload-extra-file", "."], 2, "is a directory; name the files in it"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_so_are_options(tmp_path, options, status, words):
    (tmp_path / "app.py").write_text(GOOD)
    done = run("--check-config", *options, "app", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (status, "")
    assert words in done.stderr
    untried = options[0] in ("--env-file", "--user", "--chdir")
    assert len(done.stderr.splitlines()) == 1 + untried
    assert ("the application was not tried" in done.stderr) == untried


def told_by_both(directory, *options, **keywords):
    """The exit status, and what the check says: as the start does, and without a word on standard output."""
    options = ("--bind", "127.0.0.1:0", *options) if "--bind" not in options else options
    check, start = (run(*more, *options, "app", cwd=directory, **keywords) for more in (["--check-config"], []))
    assert (check.stdout, check.returncode) == ("", start.returncode)
    assert len(check.stderr.splitlines()) == 1
    return check.returncode, told(check.stderr), told(start.stderr)


@pytest.mark.parametrize(
    "options, status, words",
    [
        (["--bind", "unix:/nosuch/socket"], 4, "unix:/nosuch/socket cannot be bound: No such file"),
        (["--bind", "unix:app.py"], 4, "a file that is no socket has this name"),
        (["--bind", "192.0.2.1:80"], 4, "192.0.2.1:80 cannot be bound: Cannot assign"),
        (["--status", "192.0.2.1:80"], 4, "192.0.2.1:80 cannot be bound: Cannot assign"),
        (["--control-socket", "/nosuch/control"], 4, "--control-socket: /nosuch/control: No such file"),
        (["--control-socket", "app.py"], 4, "it is no socket"),
        (["--pid", "/nosuch/pid"], 1, "--pid: /nosuch/pid cannot be written: No such file"),
        (["--pid", "/dev/null"], 1, "--pid: /dev/null is not a regular file"),
        (["--tmp-dir", "/nosuch"], 2, "--tmp-dir: no file can be made in /nosuch: No such file"),
        (["--tmp-dir", "app.py"], 2, "app.py: Not a directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_place_that_cannot_be_had_is_told_in_the_same_words(tmp_path, options, status, words):
    (tmp_path / "app.py").write_text(GOOD)
    found, check, start = told_by_both(tmp_path, *options)
    assert found == status and words in check and check in start
    assert [name for name in os.listdir(tmp_path) if name not in ("app.py", "__pycache__")] == []


@pytest.mark.parametrize(
    "first, second",
    [
        ("--bind 127.0.0.1:PORT", "--bind 127.0.0.1:PORT"),
        ("--bind 127.0.0.1:PORT", "--bind localhost:PORT"),
        ("--bind 0.0.0.0:PORT", "--bind 127.0.0.1:PORT"),
        ("--bind 127.0.0.1:PORT", "--bind :PORT"),
        ("--bind 127.0.0.1:PORT", "--status 127.0.0.1:PORT"),
        ("--bind :PORT", "--status 127.0.0.1:PORT"),
        ("--bind unix:socket", "--bind unix:./socket"),
        ("--bind unix:@gateway-test-PORT", "--bind unix:@gateway-test-PORT"),
        ("--bind unix:socket", "--status unix:socket"),
        ("--bind unix:socket", "--control-socket socket"),
        ("--status unix:socket", "--control-socket socket"),
    ],
)
def test_two_that_are_in_one_another_s_way_are_told(tmp_path, first, second):
    """The kernel said of the second that the address was in use, and the advice was to stop the process that gave it."""
    (tmp_path / "app.py").write_text(GOOD)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        first, second = (text.replace("PORT", str(free.getsockname()[1])) for text in (first, second))
    more = () if "--bind" in first else ("--bind", "127.0.0.1:0")
    status, check, start = told_by_both(tmp_path, *more, *first.split(), *second.split())
    named = second.replace("--control-socket ", f"--control-socket unix:{tmp_path}/")
    if first == second:
        told = f"{first} is given twice: take one of them away"
    else:
        told = f"{first} and {named} are in each other's way: choose another address for one of them"
    assert status == 4
    assert check.strip().endswith(told) and start.strip().endswith(told)
    assert check.count("\n") == start.count("\n") == 1
    assert os.listdir(tmp_path) in (["app.py"], ["app.py", "__pycache__"], ["__pycache__", "app.py"])


@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
@pytest.mark.parametrize(
    "options, words",
    [
        (["--bind", "127.0.0.1:1"], "CAP_NET_BIND_SERVICE"),
        (["--bind", "unix:socket"], "Permission denied"),
        (["--control-socket", "control"], "Permission denied"),
        (["--pid", "pid"], "Permission denied"),
        (["--tmp-dir", "."], "Permission denied"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_so_is_what_the_user_may_not(options, words):
    if "127.0.0.1:1" in options and int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 1:
        pytest.skip("every port is everybody's")
    with tempfile.TemporaryDirectory(prefix="gateway-test-") as directory:
        os.chmod(directory, 0o755)
        Path(directory, "app.py").write_text(GOOD)
        _, check, start = told_by_both(directory, *options, user="nobody", group="nogroup", extra_groups=[])
    assert words in check and check in start


def test_what_a_running_service_has_is_good(serve):
    server = serve("app", "--control-socket", "control", "--pid", "pid", "--status", "unix:status", files={"app.py": GOOD}, bind="unix:socket")
    before = sorted(os.listdir(server.directory))
    places = ("--bind", "unix:socket", "--control-socket", "control", "--pid", "pid", "--status", "unix:status")
    done = run(*places, "--check-config", "app", cwd=server.directory)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(os.listdir(server.directory)) == before
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(server.directory / "socket"))


def test_a_variable_that_is_no_option_s_is_warned_of_by_both(serve, tmp_path):
    (tmp_path / "app.py").write_text(GOOD)
    env = {"GATEWAY_WROKERS": "3", "GATEWAY_SERVICE_HOST": "10.0.0.1"}
    words = "GATEWAY_WROKERS in the environment belongs to no option and is ignored; did you mean GATEWAY_WORKERS?"
    done = run("--check-config", "app", cwd=tmp_path, env=env)
    assert done.returncode == 0 and len(done.stderr.splitlines()) == 1 and words in done.stderr
    assert serve("hello", env=env).log.count(words) == 1


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


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    (tmp_path / "gateway.toml").write_text("workers = 'x'\nnonsense = 3\nkeep-alive = 5")
    done = run(
        *("--wrokers", "3", "-Q", "--threads", "q", "--chdir", "/nosuch", "--error-logfile", "/nosuch/log"),
        *("--bind", "here", "--bind", "there", "--status", "nowhere", "--user", "nosuchuser", "--check-config", "app"),
        cwd=tmp_path,
        env={"GATEWAY_TIMEOUT": "z"},
    )
    assert (done.returncode, done.stdout) == (2, "")
    wanted = (
        *('--workers: "x"', '"nonsense" is no option', '--timeout: "z"', "--wrokers; did you mean --workers?", "-Q;"),
        *('--threads: "q"', "/nosuch: No such", "nosuchuser", "/nosuch/log", '"here"', '"there"', '"nowhere"'),
        "the application was not tried",
    )
    lines = done.stderr.splitlines()
    assert [part for part in wanted if part not in done.stderr] == []
    assert len(lines) == len(wanted), "each once"


@pytest.mark.parametrize(
    "options, told, status",
    [
        (["--workers", "x"], '--workers: "x"', 2),
        (["--tmp-dir", "/nosuch"], "--tmp-dir", 2),
        (["--bind", "unix:/nosuch/socket"], "/nosuch/socket", 4),
        (["--pid", "/nosuch/pid"], "/nosuch/pid", 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_the_application_is_tried_where_what_is_wrong_does_not_concern_it(tmp_path, options, told, status):
    done = run(*options, "--check-config", "nosuch", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (status, "")
    assert told in done.stderr and 'cannot import "nosuch"' in done.stderr


def test_a_check_of_nothing_says_so(tmp_path):
    done = run("--check-config", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "") and "no application is named" in done.stderr


def test_a_file_that_cannot_be_read_is_not_all_that_is_told(tmp_path):
    (tmp_path / "gateway.toml").write_text("= =")
    done = run("--threads", "q", "--check-config", "app", cwd=tmp_path)
    assert done.returncode == 2
    assert "is not TOML" in done.stderr and "--threads" in done.stderr


def printed(directory, *arguments, **keywords):
    done = run("--print-config", *arguments, cwd=directory, **keywords)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_print_config_tells_where_each_value_comes_from(tmp_path):
    (tmp_path / "gateway.toml").write_text("threads = 3\nkeep-alive = '90s'\nenv = {A = 'a \"b\"'}\npreload = true")
    text = printed(tmp_path, "app", "--bind", ":0", env={"GATEWAY_TIMEOUT": "5", "GATEWAY_CMD_ARGS": "-w 7"})
    found = dict(re.findall(r"^(\S+) = .*?  # (.*)$", text, re.M))
    file = str(tmp_path / "gateway.toml")
    wanted = {
        **{"application": "command line", "bind": "command line", "workers": "GATEWAY_CMD_ARGS", "env": file},
        **{"timeout": "GATEWAY_TIMEOUT in the environment", "threads": file, "keep-alive": file, "backlog": "default"},
        "preload": file,
    }
    assert {name: found[name] for name in wanted} == wanted
    assert "# user is not set\n" in text
    assert re.search(r'^env = \["A=a \\"b\\""\] ', text, re.M)


@pytest.mark.parametrize(
    "environment, bind, origin",
    [
        ({}, "127.0.0.1:8000", "default"),
        ({"PORT": "80"}, "0.0.0.0:80", "PORT in the environment"),
    ],
)
def test_print_config_knows_where_to_listen(tmp_path, environment, bind, origin):
    assert re.search(rf'^bind = \["{bind}"\] +# {origin}$', printed(tmp_path, env=environment), re.M)


def test_what_is_printed_is_a_configuration_file(tmp_path):
    options = ("--access-logformat", 'a "%(r)s" \\ \t', "--log-level", "debug", "--max-rss", "3m", "--env", "X=é")
    first = printed(tmp_path, *options, "app:make('x')")
    (tmp_path / "gateway.toml").write_text(first)
    second = printed(tmp_path)
    strip = re.compile(r"  # .*$", re.M)
    assert strip.sub("", second).replace(" ", "") == strip.sub("", first).replace(" ", "")


def test_print_config_of_what_is_wrong_is_the_mistake(tmp_path):
    done = run("--print-config", "--threads", "q", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "") and "--threads" in done.stderr
