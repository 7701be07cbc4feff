"""bootstrap, where it cannot go on: one sentence, and not a page of another program's.

It runs as a copy in an empty directory and sees only stand-ins for what it would call, so that nothing is
installed or built.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

BOOTSTRAP = Path(__file__).resolve().parents[2] / "bootstrap"
pytestmark = pytest.mark.skipif(not BOOTSTRAP.exists(), reason=f"there is no {BOOTSTRAP}")

TOOLS = ["cat", "dirname", "env", "grep", "mkdir", "sed", "seq", "tail"]
NOBODY = {"id": "echo 1000"}
ROOT = {"id": "echo 0"}
BARE_DEBIAN = {"dpkg-query": "exit 1", "apt-get": "exit 0"}
BROKEN_DEBIAN = {"dpkg-query": "exit 1", "apt-get": "echo first; seq 30; echo E: no network >&2; exit 100"}


@pytest.fixture
def bootstrap(tmp_path):
    """Runs it with the stand-ins, name -> shell script, and gives what came of it."""
    shutil.copy(BOOTSTRAP, tmp_path / "bootstrap")
    path = tmp_path / "bin"
    path.mkdir()
    for tool in TOOLS:
        (path / tool).symlink_to(shutil.which(tool))

    def start(*arguments, programs, **env):
        for name, text in programs.items():
            (path / name).write_text(f"#!/bin/sh\n{text}\n")
            (path / name).chmod(0o755)
        return subprocess.run(
            ["/bin/sh", tmp_path / "bootstrap", *arguments],
            env={"PATH": str(path), "LC_ALL": "C", **env},
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=10,
        )

    return start


def assert_one_sentence(done, *said):
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert line.startswith("bootstrap: ")
    for text in said:
        assert text in line, line


@pytest.mark.parametrize("verb", ["run", "build", "check", "deps"])
def test_another_system_than_debian_is_told_what_to_do(bootstrap, verb):
    done = bootstrap(verb, programs=ROOT)
    assert_one_sentence(done, "neither Debian nor Ubuntu", "libevent-dev", "autoreconf -i && ./configure && make")


@pytest.mark.parametrize("verb, package", [("build", "libevent-dev"), ("check", "python3-pytest")])
def test_neither_root_nor_sudo_is_told_what_is_missing(bootstrap, verb, package):
    done = bootstrap(verb, programs={**BARE_DEBIAN, **NOBODY})
    assert_one_sentence(done, "root or sudo", "apt-get install ", package)


def test_only_what_is_missing_is_named(bootstrap):
    most = r"""for package; do
    case $package in -*|\$*|make) ;; *) echo "$package ii " ;; esac
done"""
    done = bootstrap("build", programs={**BARE_DEBIAN, **NOBODY, "dpkg-query": most})
    assert_one_sentence(done, "apt-get install make ")
    assert "gcc" not in done.stderr


@pytest.mark.parametrize("how", ["root", "sudo"])
def test_packages_that_cannot_be_fetched_are_told_with_the_end_of_the_output(bootstrap, tmp_path, how):
    # With sudo: not one that asks for a password, for nobody is there.
    sudo = {**NOBODY, "sudo": '[ "$1" = -n ] || exit 9\nshift\nexec "$@"'}
    done = bootstrap("build", programs={**BROKEN_DEBIAN, **(ROOT if how == "root" else sudo)})
    *output, last = done.stderr.splitlines()
    assert done.returncode == 1
    assert last.startswith("bootstrap: fetching the package lists: failed") and "bootstrap.log" in last
    assert len(output) == 20 and output[-1] == "E: no network"
    assert "first" in (tmp_path / "build" / "bootstrap.log").read_text()


@pytest.mark.parametrize("python", ["/nonexistent/python3", "no-such-python"])
def test_a_python_that_is_no_program_is_one_sentence(bootstrap, python):
    done = bootstrap("build", programs={**BARE_DEBIAN, **ROOT}, PYTHON=python)
    assert_one_sentence(done, f"PYTHON={python} is not a program")


def test_an_unknown_verb_is_told_with_the_usage(bootstrap):
    done = bootstrap("biuld", programs={})
    assert done.returncode == 1
    assert done.stderr.startswith("usage: ") and done.stderr.endswith("there is no 'biuld'.\n")
    assert done.stdout == ""
