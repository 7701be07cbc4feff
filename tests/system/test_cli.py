"""The command line and the environment: what is accepted, what wins, what is said about a mistake.

What went wrong once, in one server or another: a misspelt option was ignored, `--timeout 30x` meant 0, an
option in the environment won over the command line, an error was a page of traceback and the exit status 0.
"""

import json
import re

import pytest
from harness import APPLICATIONS, Server, run
from timing import SLOW, within

OPTIONS = """
bind backlog workers chdir pythonpath venv env env-file graceful-timeout keep-alive header-timeout body-timeout
min-body-rate write-timeout limit-request-line limit-request-fields limit-request-field_size limit-request-head
limit-request-body body-memory response-memory response-spool spool-total tmp-dir worker-connections access-logfile
access-logformat error-logfile log-level log-format root-path version help
""".split()


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_option_and_exits_0(flag):
    done = run(flag)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"(?i)usage:.*gateway .*MODULE", done.stdout)
    missing = [name for name in OPTIONS if not re.search(rf"--{name}\b", done.stdout)]
    assert missing == []
    assert max(len(line) for line in done.stdout.splitlines()) <= 120


def test_help_is_given_whatever_else_is_wrong():
    done = run("--bogus", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == run("--help").stdout


@pytest.mark.parametrize("flag", ["--version", "-v"])
def test_version_is_one_line_and_exits_0(flag):
    done = run(flag)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.match(r"gateway \d+\.\d+", done.stdout)
    assert len(done.stdout.splitlines()) == 1


MISTAKES = [
    # arguments, what the one sentence must say
    (["--keep-alvie", "5", "hello"], "--keep-alive"),
    (["--workesr=2", "hello"], "--workers"),
    (["--limit-request-filds", "5", "hello"], "--limit-request-fields"),
    (["-Q", "hello"], "-Q"),
    (["--keep-alive", "30x", "hello"], "30x"),
    (["--keep-alive", "", "hello"], "keep-alive"),
    (["--keep-alive=-1", "hello"], "keep-alive"),
    (["--limit-request-body", "10q", "hello"], "10q"),
    (["--limit-request-body", "99999999999999999999", "hello"], "limit-request-body"),
    (["--workers", "many", "hello"], "many"),
    (["--workers", "-1", "hello"], "workers"),
    (["--log-level", "loud", "hello"], "loud"),
    (["--log-format", "xml", "hello"], "xml"),
    (["--bind", "not an address", "hello"], "not an address"),
    (["--bind", "127.0.0.1:99999", "hello"], "99999"),
    (["--bind", "127.0.0.1:http", "hello"], "http"),
    (["--bind", "fd://x", "hello"], "fd://x"),
    (["--env", "=value", "hello"], "env"),
    (["--env-file", "/nonexistent/file", "hello"], "/nonexistent/file"),
    (["--env-file", "/", "hello"], "--env-file"),
    (["--chdir", "/nonexistent/directory", "hello"], "/nonexistent/directory"),
    (["--keep-alive"], "keep-alive"),
    (["hello", "surplus"], "surplus"),
    ([], "MODULE"),
]


@pytest.mark.parametrize("arguments, said", MISTAKES, ids=[" ".join(row[0]) or "nothing" for row in MISTAKES])
def test_a_mistake_is_one_sentence_and_exit_status_2(arguments, said):
    done = run(*arguments)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert 1 <= len(done.stderr.strip().splitlines()) <= 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


ENVIRONMENT_MISTAKES = [
    ({"GATEWAY_KEEP_ALIVE": "soon"}, "GATEWAY_KEEP_ALIVE"),
    ({"GATEWAY_CMD_ARGS": "--keep-alvie 5"}, "--keep-alive"),
    ({"GATEWAY_CMD_ARGS": "--keep-alive 'open"}, "GATEWAY_CMD_ARGS"),
    ({"WEB_CONCURRENCY": "lots"}, "WEB_CONCURRENCY"),
    ({"PORT": "http"}, "PORT"),
]


@pytest.mark.parametrize("env, said", ENVIRONMENT_MISTAKES, ids=[row[1] for row in ENVIRONMENT_MISTAKES])
def test_a_mistake_in_the_environment_names_the_variable(env, said):
    done = run("hello", env=env)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr


PRECEDENCE = [
    # environment, arguments, the number of workers
    ({}, ["--workers", "1"], 1),
    ({"WEB_CONCURRENCY": "2"}, [], 2),
    ({"WEB_CONCURRENCY": "2", "GATEWAY_WORKERS": "1"}, [], 1),
    ({"GATEWAY_WORKERS": "2"}, [], 2),
    ({"GATEWAY_WORKERS": "1", "GATEWAY_CMD_ARGS": "--workers 2"}, [], 2),
    ({"GATEWAY_CMD_ARGS": "-w 3 --keep-alive '5s'"}, ["-w", "2"], 2),
    ({"GATEWAY_CMD_ARGS": "-w3"}, ["--workers=1"], 1),
]


@pytest.mark.parametrize("env, arguments, workers", PRECEDENCE)
def test_the_command_line_wins_over_cmd_args_over_the_environment(serve, env, arguments, workers):
    server = serve("hello", *arguments, env=env, workers=None)
    server.get("/")
    found = set()
    for _ in range(100):
        found = set(server.worker_pids())
        if len(found) == workers:
            break
        server.wait_log(".")
    assert len(found) == workers


def test_a_bind_in_the_environment_and_on_the_command_line(serve):
    server = serve("hello", bind=None, env={"GATEWAY_BIND": "127.0.0.1:0"})
    assert server.get("/").status == 200
    server = serve("hello", bind="127.0.0.1:0", env={"GATEWAY_BIND": "192.0.2.1:9"})
    assert server.get("/").status == 200


def test_options_may_follow_the_application_and_use_an_equals_sign(serve):
    # What is given first here is last on the command line.
    server = serve("--root-path=/shop", "environ", "--bind=127.0.0.1:0", "-w1", bind=None, workers=None)
    arguments = server.process.args
    assert arguments.index("environ") < arguments.index("--bind=127.0.0.1:0"), arguments
    assert server.port != 8000 and len(server.worker_pids()) == 1
    assert "/shop" in server.get("/shop/x").text


WHERE_APP = """
import os, sys

def application(environ, start_response):
    start_response("200 OK", [])
    import json
    return [json.dumps({"cwd": os.getcwd(), "path": sys.path, "argv": sys.argv, "executable": sys.executable,
                        "env": dict(os.environ)}).encode()]
"""


def where(server):
    return json.loads(server.get("/").body)


def test_the_working_directory_comes_first_in_sys_path(serve):
    server = serve("app", files={"app.py": WHERE_APP})
    told = where(server)
    assert told["cwd"] == str(server.directory)
    assert told["path"][0] in ("", str(server.directory))
    assert told["argv"] == ["gateway"]
    assert re.search(r"python[\d.]*$", told["executable"])


def test_chdir_is_the_working_directory_of_the_application(serve, tmp_path):
    (tmp_path / "elsewhere.py").write_text(WHERE_APP)
    told = where(serve("elsewhere", "--chdir", tmp_path))
    assert told["cwd"] == str(tmp_path)


def test_pythonpath_goes_in_front_of_sys_path(serve, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "two" / "elsewhere.py").write_text(WHERE_APP)
    told = where(serve("elsewhere", "--pythonpath", f"{tmp_path}/one:{tmp_path}/two"))
    expected = [f"{tmp_path}/one", f"{tmp_path}/two"]
    assert [path for path in told["path"] if path in expected] == expected
    assert told["path"].index(expected[0]) < told["path"].index(str(APPLICATIONS))


def test_env_and_env_file_reach_the_application_and_env_wins(serve, tmp_path):
    env_file = tmp_path / "env"
    env_file.write_text("# comment\n\nFROM_FILE=file\nBOTH=file\nSPACES=a b  c\nQUOTED='in quotes'\nEMPTY=\n")
    server = serve(
        "app",
        "--env-file", env_file,
        "--env", "FROM_FLAG=flag=1",
        "-e", "BOTH=flag",
        files={"app.py": WHERE_APP},
        env={"FROM_FILE": "outside"},
    )  # fmt: skip
    told = where(server)["env"]
    expected = {"FROM_FILE": "file", "FROM_FLAG": "flag=1", "BOTH": "flag", "SPACES": "a b  c", "EMPTY": ""}
    assert {key: told.get(key) for key in expected} == expected
    assert told["QUOTED"] in ("in quotes", "'in quotes'")


def test_python_variables_set_by_env_are_there_before_the_interpreter_starts(serve, tmp_path):
    (tmp_path / "elsewhere.py").write_text(WHERE_APP)
    told = where(serve("elsewhere", "--env", f"PYTHONPATH={tmp_path}"))
    assert str(tmp_path) in told["path"]


SPECS = [
    # what is asked for, what answers
    ("spec", b"application"),
    ("spec:application", b"application"),
    ("spec:app", b"app"),
    ("only_app", b"only app"),
    ("spec:holder.inner.app", b"dotted"),
    ("spec:make()", b"made"),
    ("spec:make_with('x', number=3)", b"x 3"),
    ('spec:make_with("a b")', b"a b 0"),
    ("package.module:app", b"in a package"),
]
SPEC_FILES = {
    "spec.py": """
def answering(text):
    def application(environ, start_response):
        start_response("200 OK", [])
        return [text.encode()]
    return application

application = answering("application")
app = answering("app")

class holder:
    class inner:
        app = answering("dotted")

def make():
    return answering("made")

def make_with(text, number=0):
    return answering(f"{text} {number}")
""",
    "only_app.py": "from spec import answering\napp = answering('only app')\n",
}


@pytest.mark.parametrize("spec, answer", SPECS)
def test_the_application_is_found_by_every_form_of_its_name(serve, tmp_path, spec, answer):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "module.py").write_text("from spec import answering\napp = answering('in a package')\n")
    server = serve(spec, "--pythonpath", tmp_path, files=SPEC_FILES)
    assert server.get("/").body == answer


def test_workers_auto_says_how_it_was_reached():
    with Server("hello", workers="auto") as server:
        server.get("/")
        assert re.search(r"(?i)\b\d+ workers?\b.*(cpu|core|affinity|quota)", server.log), server.log


@pytest.mark.measures
@pytest.mark.parametrize("time, seconds", [("300ms", 0.3), ("1", 1), ("1s", 1), ("1m", 60), ("1h", 3600)])
def test_units_of_time_are_understood(serve, time, seconds):
    server = serve("hello", "--keep-alive", time)
    with server.connect() as connection:
        assert connection.exchange("GET", "/").status == 200
        if seconds > 1:
            connection.assert_open(for_seconds=1.5)
        else:
            took = connection.seconds_until_end()
            assert 0.8 * seconds <= took
            within(f"an idle connection with --keep-alive {time}", took, seconds + 0.6 * SLOW)


@pytest.mark.parametrize("size, bytes", [("1000", 1000), ("1k", 1 << 10), ("1m", 1 << 20), ("1g", 1 << 30)])
def test_units_of_size_are_understood(serve, size, bytes):
    server = serve("hello", "--limit-request-body", size)
    with server.connect() as connection:
        connection.request("POST", "/", [("Content-Length", str(bytes + 1))])
        assert connection.receive().status == 413
    with server.connect() as connection:
        expect = [("Content-Length", str(bytes)), ("Expect", "100-continue")]
        connection.request("POST", "/", expect)
        assert connection.receive().status in (100, 200)
