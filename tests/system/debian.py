"""Applications and frameworks as Debian packages them: whether the program's own Python has them.

A test module of such a one begins with `needs`, and is skipped with the reason when the package is missing: a developer who runs the
tests needs it, a user of the program does not (./bootstrap deps ci installs them all).
"""

import functools
import subprocess
import sys
import tempfile
from importlib.machinery import PathFinder
from pathlib import Path

import pytest
from harness import environment, run

APPS = Path(__file__).resolve().parent / "apps"

# Imported by the program under test, whose Python may be another one than ours.
TELL_PATH = "import sys\nopen('path', 'w').write('\\n'.join(sys.path))\ndef application(environ, start_response): pass\n"


@functools.cache
def program_path():
    """sys.path of the Python that the program embeds."""
    with tempfile.TemporaryDirectory(prefix="gateway-test-") as directory:
        Path(directory, "tell.py").write_text(TELL_PATH)
        done = run("--check-config", "tell", cwd=directory)
        assert done.returncode == 0, done.stderr
        return Path(directory, "path").read_text().split("\n")


def lacks(**packages):
    """Why the first module that cannot be imported is missing, for pytest.skip; or "": lacks(flask="python3-flask")."""
    for module, package in packages.items():
        if PathFinder.find_spec(module, program_path()) is None:
            return f"the program's Python has no module {module} (Debian: {package})"
    return ""


def needs(**packages):
    """Skips the test module that calls it where one of these is missing."""
    if reason := lacks(**packages):
        pytest.skip(reason, allow_module_level=True)


def python(*arguments, env=None, cwd=None):
    """What an operator does beside the service, in a Python of his own: migrations and such."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env=environment({"PYTHONPATH": str(APPS), **(env or {})}),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
