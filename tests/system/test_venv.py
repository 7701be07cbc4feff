"""Virtual environments: which one is used, and which is refused.

What went wrong once, in one server or another: one of another Python was used without its packages, and the error was that of an
import; the one that a shell had been left with won over the one that the program was installed in; sys.executable was no python; one of another build of the same version brought its standard
library, whose ssl could not be imported.
"""

import json
import os
import re
import shutil
import subprocess

import pytest
from harness import GATEWAY, run
from timing import PYTHON

APP = """
import json, os, sys

def application(environ, start_response):
    start_response("200 OK", [])
    return [json.dumps([sys.prefix, sys.executable, [path for path in sys.path if "-packages" in path]]).encode()]
"""


@pytest.fixture
def make_venv(tmp_path):
    """Virtual environments of the Python that the program embeds, without pip."""

    def make(name):
        done = subprocess.run([PYTHON, "-m", "venv", "--without-pip", tmp_path / name], capture_output=True)
        if done.returncode != 0:
            pytest.skip("this Python makes no virtual environments")
        return tmp_path / name

    return make


@pytest.fixture
def venv(make_venv):
    return make_venv("venv")


def installed(venv, how):
    """The prefix of a command line that runs the program from the environment's bin."""
    program = venv / "bin" / "gateway"
    if how == "link":
        program.symlink_to(GATEWAY)
    else:
        shutil.copy(GATEWAY, program)
    return ["/bin/sh", "-c", f'shift; exec {program} "$@"', "sh"]


def assert_uses(server, venv):
    prefix, executable, packages = json.loads(server.get("/").body)
    assert prefix == str(venv)
    assert executable == str(venv / "bin" / "python")
    assert packages == [str(path) for path in venv.glob("lib/python3*/site-packages")]


def of_another_python(venv):
    config = venv / "pyvenv.cfg"
    config.write_text(re.sub(r"(?m)^version.*$", "version = 3.4.1", config.read_text()))
    (venv / "lib").rename(venv / "lib.moved")
    (venv / "lib" / "python3.4" / "site-packages").mkdir(parents=True)


def assert_refused(done, venv):
    assert done.returncode in (2, 3), done.stderr
    (line,) = [line for line in done.stderr.splitlines() if str(venv) in line and " error: " in line]
    ours = re.search(r"Python (3\.\d+)", run("--version").stdout)[1]
    assert re.search(rf"made by Python 3\.4, this gateway embeds Python {ours}: recreate it with ", line), line
    assert line.endswith(f" -m venv --clear {venv}, which empties it, or build gateway with ./configure PYTHON=python3.4")


def test_one_of_another_python_is_refused_with_both_versions(venv):
    of_another_python(venv)
    assert_refused(run("--bind", "127.0.0.1:0", "--venv", venv, "hello"), venv)


def test_a_program_in_one_of_another_python_is_refused_with_both_versions(venv):
    command = installed(venv, "link")
    of_another_python(venv)
    done = subprocess.run([*command, GATEWAY, "--bind", "127.0.0.1:0", "hello"], capture_output=True, text=True)
    assert_refused(done, venv)


def test_one_that_is_none_is_refused(tmp_path):
    done = run("--bind", "127.0.0.1:0", "--venv", tmp_path, "hello")
    assert done.returncode in (2, 3), done.stderr
    assert str(tmp_path) in done.stderr


@pytest.mark.parametrize("how", ["option", "environment", "link", "copy"])
def test_it_gives_its_packages(serve, venv, how):
    (site,) = venv.glob("lib/python3*/site-packages")
    (site / "only_in_venv.py").write_text(APP)
    if how == "option":
        server = serve("only_in_venv", "--venv", venv)
    elif how == "environment":
        server = serve("only_in_venv", env={"VIRTUAL_ENV": str(venv)})
    else:
        server = serve("only_in_venv", prefix=installed(venv, how))
    assert_uses(server, venv)


def test_that_of_the_program_wins_over_that_of_the_shell(serve, make_venv):
    own, shells = make_venv("own"), make_venv("shells")
    server = serve("app", files={"app.py": APP}, prefix=installed(own, "link"), env={"VIRTUAL_ENV": str(shells)})
    assert_uses(server, own)


def test_that_of_the_option_wins_over_both(serve, make_venv):
    own, named = make_venv("own"), make_venv("named")
    server = serve("app", "--venv", named, files={"app.py": APP}, prefix=installed(own, "link"),
                   env={"VIRTUAL_ENV": str(named)})
    assert_uses(server, named)


def test_an_empty_option_is_none(serve, venv):
    server = serve("app", "--venv", "", files={"app.py": APP}, prefix=installed(venv, "link"), env={"VIRTUAL_ENV": str(venv)})
    prefix, executable, _ = json.loads(server.get("/").body)
    assert prefix != str(venv) and str(venv) not in executable


def test_a_directory_does_not_matter_to_where_the_program_is(serve, venv, tmp_path):
    """A relative path is one from where the program was started, not from --chdir; an upgrade finds it again."""
    installed(venv, "link")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "app.py").write_text(APP)
    start = ["/bin/sh", "-c", f'shift; cd {tmp_path}; exec venv/bin/gateway "$@"', "sh"]
    assert_uses(serve("app", "--chdir", "elsewhere", prefix=start), venv)


# The library of another build is taken for one by os.py. What is taken from it ends Python.
POISON = "raise SystemExit('the library of another build')\n"

OF_ANOTHER_BUILD = """
import json, multiprocessing, os, sqlite3, ssl, sys
import only_in_venv

def square(number):
    return number * number

def application(environ, start_response):
    method = environ["PATH_INFO"][1:]
    if method:
        with multiprocessing.get_context(method).Pool(1) as pool:
            answer = pool.map(square, [2])
    else:
        answer = [sys.prefix, sys.executable, os.path.dirname(os.__file__).startswith(sys.base_prefix), sys.base_prefix]
    start_response("200 OK", [])
    return [json.dumps(answer).encode()]
"""


@pytest.fixture
def foreign(venv, tmp_path):
    """An environment of another build of the same version: of a directory that is one as far as Python can tell."""
    (library,) = venv.glob("lib/python3*")
    other = tmp_path / "other"
    (other / "lib" / library.name / "lib-dynload").mkdir(parents=True)
    (other / "lib" / library.name / "os.py").write_text(POISON)
    (other / "bin").mkdir()
    shutil.copy((venv / "bin" / "python").resolve(), other / "bin" / library.name)
    (venv / "bin" / "python").unlink()
    (venv / "bin" / "python").symlink_to(other / "bin" / library.name)
    config = venv / "pyvenv.cfg"
    config.write_text(re.sub(r"(?m)^home.*$", f"home = {other}/bin", config.read_text()))
    (library / "site-packages" / "only_in_venv.py").write_text("")
    return venv


def test_one_of_another_build_gives_its_packages_and_not_its_library(serve, foreign):
    server = serve("app", "--venv", foreign, files={"app.py": OF_ANOTHER_BUILD})
    prefix, executable, own_library, base = json.loads(server.get("/").body)
    assert (prefix, executable) == (str(foreign), str(foreign / "bin" / "python"))
    assert own_library and not base.startswith(str(foreign.parent))
    assert len(re.findall("info: virtualenv .* was made by another build of Python 3.*: its packages are used", server.log)) == 1


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes_that_are_spawned_in_one_of_another_build_are_of_the_embedded_one(serve, foreign, method):
    server = serve("app", "--venv", foreign, "--timeout", "5s", files={"app.py": OF_ANOTHER_BUILD})
    assert server.get(f"/{method}").body == b"[4]"
