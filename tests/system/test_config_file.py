"""The configuration file: TOML, with the names of the options.

What went wrong once, in one server or another: a file that could not be read was ignored, a misspelt key too, an
option of the file won over the command line, and the error had no line.
"""

import os
import re
import runpy
import sys
import tempfile
from pathlib import Path

import pytest
from harness import run
from test_privileges import why_not

SETTINGS = Path(__file__).resolve().parents[2] / "src" / "py" / "settings.py"

APP = """
import os

def application(environ, start_response):
    start_response("200 OK", [])
    return [os.environ.get(environ["PATH_INFO"][1:], "").encode()]
"""


def check(directory, text, *arguments, name="gateway.toml", **keywords):
    (directory / "app.py").write_text(APP)
    if text is not None:
        (directory / name).write_text(text)
    return run("--check-config", *arguments, cwd=directory, **keywords)


EVERYTHING = """
application = "app"
bind = ["127.0.0.1:0", "unix:second.sock"]
workers = 2
threads = 3
preload = true
keep-alive = "7s"
header_timeout = 5
limit-request-body = "1m"
env = {FIRST = "one", SECOND = 2, THIRD = true}
access-logfile = "access"
access-logformat = '%(s)s "%(r)s"'
"""


def test_every_kind_of_option_can_stand_in_it(serve):
    server = serve("app", bind=None, workers=None, files={"app.py": APP, "gateway.toml": EVERYTHING})
    assert [server.get(f"/{name}").body for name in ("FIRST", "SECOND", "THIRD")] == [b"one", b"2", b"yes"]
    assert "2 workers (as configured)" in server.log
    assert f"options from {server.directory}/gateway.toml" in server.log
    assert len(server.zygote_pids()) == 1
    assert (server.directory / "second.sock").exists()
    assert '200 "GET /FIRST HTTP/1.1"' in (server.directory / "access").read_text()


def test_the_environment_and_the_command_line_win(serve):
    files = {"app.py": APP, "gateway.toml": 'application = "nosuch"\nworkers = 3\nenv = ["A=file", "B=file"]\nthreads = 2'}
    server = serve("app", "--env", "A=line", workers=None, env={"GATEWAY_WORKERS": "1"}, files=files)
    assert "1 worker (as configured)" in server.log
    assert (server.get("/A").body, server.get("/B").body) == (b"line", b""), "a list replaces a list"


WHERE = [
    # the files, the arguments, which one is read
    ({"gateway.toml": "g", "pyproject.toml": "p"}, [], "gateway.toml"),
    ({"pyproject.toml": "p"}, [], "pyproject.toml"),
    ({"gateway.toml": "g", "other.toml": "o"}, ["--config", "other.toml"], "other.toml"),
    ({"gateway.toml": "g", "other.toml": "o"}, ["-cother.toml"], "other.toml"),
    ({"sub/pyproject.toml": "p"}, ["--config=sub/pyproject.toml"], "pyproject.toml"),
    ({}, [], None),
]


@pytest.mark.parametrize("files, arguments, read", WHERE)
def test_which_file_is_read(tmp_path, files, arguments, read):
    (tmp_path / "sub").mkdir()
    for name, value in files.items():
        table = "[tool.other]\nx = 1\n[tool.gateway]\n" if "pyproject" in name else ""
        (tmp_path / name).write_text(f'{table}workers = "{value}"')
    done = check(tmp_path, None, *arguments, "app")
    if read is None:
        assert done.returncode == 0
    else:
        assert done.returncode == 2 and re.search(rf'"{read[0]}" is not a number.* \(\S+/{read}\)', done.stderr)


@pytest.mark.parametrize("variable, value", [("GATEWAY_CONFIG", "other.toml"), ("GATEWAY_CMD_ARGS", "-c other.toml")])
def test_the_environment_names_it_too(tmp_path, variable, value):
    (tmp_path / "other.toml").write_text("workers = 'o'")
    done = check(tmp_path, "workers = 'g'", "app", env={variable: value})
    assert done.returncode == 2 and '"o"' in done.stderr


def test_a_pyproject_of_others_says_nothing(tmp_path):
    assert check(tmp_path, "[project]\nname = 'x'", "app", name="pyproject.toml").returncode == 0


MISTAKES = [
    # what it says, what is told
    ("workers = = 2", r"gateway.toml is not TOML: .*\(at line 1, column 11\)"),
    ("\n\nbind = ['a'", r"gateway.toml is not TOML: .*\(at end of document\)"),
    ("keep-alvie = 5", r'"keep-alvie" is no option; did you mean keep-alive\? \(\S+gateway.toml\)'),
    ("xyzzy = 5", r'"xyzzy" is no option \(\S+gateway.toml\)'),
    ("help = true", '"help" cannot be set in a file'),
    ("config = 'other'", '"config" cannot be set in a file'),
    ("check-config = true", '"check-config" cannot be set in a file'),
    ("keep-alive = '30x'", r'--keep-alive: "30x" is not .* \(\S+gateway.toml\)'),
    ("workers = [1, 2]", "workers takes one value"),
    ("preload = 5", '--preload: "5" is not yes or no'),
    ("workers = 2024-01-01", "a date, for workers"),
    ("bind = [[1]]", "a list, for bind"),
    ("name = \"a\\u0000b\"", "a NUL in 'name'"),
    ('"a\\u0000b" = 1', "a NUL in "),
    ('env = {"A=B\\u0000C" = "x"}', "a NUL in 'env'"),
    ("threads = " + "9" * 5000, "cannot be read: Exceeds the limit"),
    ("threads = 0x" + "9" * 5000, "a number for threads that cannot be read"),
    ("env = ['nothing']", "--env: "),
    ("application = 'a'\napplication = 'b'", "not TOML"),
    ("[tool]\nx = 1", '"tool" is no option'),
    (b"name = '\xff'", "is not UTF-8"),
    ("x = " + "[" * 5000, "is not TOML"),
]


@pytest.mark.parametrize("text, told", MISTAKES, ids=[str(row[0])[:30] for row in MISTAKES])
def test_what_is_wrong_is_one_sentence(tmp_path, text, told):
    (tmp_path / "gateway.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    done = check(tmp_path, None, "app")
    assert done.returncode == 2
    sentences = [line for line in done.stderr.splitlines() if "the application was not tried" not in line]
    assert len(sentences) == 1 and re.search(told, sentences[0]), done.stderr
    assert "Traceback" not in done.stderr


def test_one_that_is_not_there_or_not_readable_is_told(tmp_path):
    assert re.search(r"nosuch.toml cannot be read: No such file", check(tmp_path, None, "-c", "nosuch.toml", "app").stderr)
    (tmp_path / "gateway.toml").mkdir()
    assert re.search(r"gateway.toml is no regular file", check(tmp_path, None, "app").stderr)


@pytest.mark.parametrize("leads_to", ["nowhere", "gateway.toml"])
def test_a_link_that_leads_nowhere_is_not_as_if_there_were_none(tmp_path, leads_to):
    (tmp_path / "gateway.toml").symlink_to(leads_to)
    done = check(tmp_path, None, "app")
    assert done.returncode == 2 and "gateway.toml cannot be read: " in done.stderr


def test_nobody_is_waited_for_at_the_other_end_of_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "gateway.toml")
    done = check(tmp_path, None, "app")
    assert done.returncode == 2 and "gateway.toml is no regular file" in done.stderr


def test_help_is_given_whatever_it_is_like(tmp_path):
    (tmp_path / "gateway.toml").write_text("= = =")
    done = run("--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_python_s_variables_have_no_say_in_the_reading(tmp_path):
    (tmp_path / "tomllib.py").write_text("raise SystemExit('not mine')")
    done = check(tmp_path, "workers = 1", "app", env={"PYTHONPATH": str(tmp_path), "PYTHONHOME": ""})
    assert done.returncode == 0, done.stderr


def test_a_large_one_is_read(tmp_path):
    items = ", ".join(f'"V{i}={"x" * 50}"' for i in range(2000))
    assert check(tmp_path, f"env = [{items}]", "app").returncode == 0


OF_OTHERS = [
    # who owns directory and file, their modes, arguments, whether it is read
    ((0, 0), (0o755, 0o644), (), True),
    ((65534, 0), (0o755, 0o644), (), False),
    ((0, 65534), (0o755, 0o644), (), False),
    ((0, 0), (0o777, 0o644), (), False),
    ((0, 0), (0o755, 0o666), (), False),
    ((65534, 65534), (0o777, 0o666), ("--config", "gateway.toml"), True),
]


@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
@pytest.mark.parametrize("owners, modes, arguments, good", OF_OTHERS)
@pytest.mark.parametrize("user", ["command line", "file", None])
def test_with_user_root_reads_unasked_only_what_is_root_s(owners, modes, arguments, good, user):
    with tempfile.TemporaryDirectory(prefix="gateway-test-") as directory:
        (Path(directory) / "app.py").write_text(APP)
        file = Path(directory) / "gateway.toml"
        file.write_text('user = "nobody"' if user == "file" else "threads = 2")
        for path, owner, mode in zip((directory, file), owners, modes):
            os.chown(path, owner, owner)
            os.chmod(path, mode)
        more = ("--user", "nobody") if user == "command line" else ()
        done = run("--check-config", *arguments, *more, "app", cwd=directory)
    if good or user is None:
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode == 2
        assert "gateway.toml, which is read unasked, can be changed by others than root: name it with --config" in done.stderr


@pytest.mark.parametrize("header, needed", [
    ('[build-system]\n[project]\nname = "gateway-wsgi"', False),
    ("[tool.ruff]\n[tool.gatewayish]", False),
    ("[project]\n[tool.gateway]", True),
    ('[ tool . "gateway" ]', True),
    ("[tool.gateway.env]", True),
    ("[tool]\ngateway = {workers = 1}", True),
])
def test_an_old_python_without_a_parser_serves_beside_others_settings(tmp_path, monkeypatch, header, needed):
    """Python 3.11 is the first with one; this one is made to look older."""
    for parser in ("tomllib", "tomli"):
        monkeypatch.setitem(sys.modules, parser, None)
    settings = runpy.run_path(str(SETTINGS))
    (tmp_path / "pyproject.toml").write_text(header + "\n")
    arguments = (str(tmp_path / "pyproject.toml"), "tool.gateway")
    if needed:
        with pytest.raises(settings["Wrong"], match="needs the package tomli"):
            settings["read"](*arguments)
    else:
        assert settings["read"](*arguments) == ""
