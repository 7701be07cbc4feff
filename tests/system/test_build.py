"""Any target of the Makefile can be the first in a directory that has only been configured.

What went wrong once: the headers that are generated were made before `all` and before no other target, so `make gateway` failed.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest
from harness import environment
from timing import PYTHON, SANITIZED

SOURCES = Path(__file__).resolve().parents[2]
GENERATED = re.compile(r'^#include "(\w+/\w+_source\.h)"', re.MULTILINE)


def why_not():
    if SANITIZED:
        return "nothing here is built with sanitizers"
    if not (SOURCES / "configure").exists():
        return f"{SOURCES} has no configure"
    if (SOURCES / "config.status").exists():
        return "it is configured for building inside the source tree"
    return None


pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


def run(directory, *command):
    # Not optimised: that takes time, and nothing here is measured.
    done = subprocess.run(command, cwd=directory, env=environment({"CFLAGS": "-O0"}), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def configured(tmp_path_factory):
    directory = tmp_path_factory.mktemp("build")
    run(directory, SOURCES / "configure", "-q", "--disable-lto", f"PYTHON={PYTHON}")
    return directory


def objects():
    """Those that are compiled with a generated header: object -> headers."""
    found = {}
    for source in sorted(SOURCES.glob("src/*/*.c")):
        if headers := GENERATED.findall(source.read_text()):
            layer = source.parent.name
            found[f"src/{layer}/lib{layer}_a-{source.stem}.o"] = headers
    return found


def remove_generated(directory):
    for header in directory.glob("src/*/*_source.h"):
        header.unlink()


@pytest.mark.deadline(1300)
def test_an_object_brings_its_generated_headers(configured):
    assert len(objects()) >= 3
    for name, headers in objects().items():
        remove_generated(configured)
        run(configured, "make", "-s", name)
        assert all((configured / "src" / header).exists() for header in headers)


@pytest.mark.deadline(1300)
def test_the_program_then_a_unit_test(configured):
    remove_generated(configured)
    for target in ("gateway", "tests/unit/net/test_conn"):
        run(configured, "make", "-s", "-j2", target)
        assert os.access(configured / target, os.X_OK)


@pytest.mark.parametrize("folder", sorted({path.parent.name for path in SOURCES.glob("src/*/*.c")}))
def test_a_file_of_each_folder_has_tests_that_concern_it(folder):
    """tests/for has a table of the folders: one that is new, or a test that is renamed, is missing there."""
    path = min(SOURCES.glob(f"src/{folder}/*.c"))
    done = subprocess.run([PYTHON, SOURCES / "tests" / "for", "--list", path], capture_output=True, text=True, check=True)
    tests = done.stdout.split()
    assert any(test.startswith("tests/system/") for test in tests)
    assert [test for test in tests if not (SOURCES / test).exists() and not (SOURCES / f"{test}.c").exists()] == []
