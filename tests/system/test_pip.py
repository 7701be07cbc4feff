"""pip install . puts programs into a virtual environment that use it.

What went wrong once, in one server or another: files of the build stayed beside the sources, and the next build took them; what had
been installed used another Python than the one of the environment.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest
from harness import environment
from test_venv import APP
from timing import PYTHON, SANITIZED

SOURCES = Path(__file__).resolve().parents[2]


def why_not():
    if SANITIZED:
        return "pip builds without sanitizers"
    modules = "import ensurepip, setuptools, venv, wheel"
    for command in ([PYTHON, "-c", modules], ["autoreconf", "--version"], ["make", "--version"]):
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except OSError as error:
            return str(error)
        if done.returncode != 0:
            return f"{command[0]}: {done.stderr.splitlines()[-1]}"
    return None


pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


def run(*command):
    # Not optimised: that takes time, and nothing here is measured.
    done = subprocess.run(command, env=environment({"CFLAGS": "-O0"}), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=240)
    assert done.returncode == 0, done.stdout
    return done.stdout


def names_beside_the_sources():
    return {name for name in os.listdir(SOURCES) if not name.startswith((".", "gateway-"))}


@pytest.mark.deadline(300)
def test_pip_installs_programs_that_use_the_environment_and_removes_them(serve, tmp_path):
    venv, before = tmp_path / "venv", names_beside_the_sources()
    run(PYTHON, "-m", "venv", "--system-site-packages", venv)
    pip = [venv / "bin" / "pip", "--disable-pip-version-check"]
    run(*pip, "install", "--no-index", "--no-build-isolation", SOURCES)
    assert names_beside_the_sources() == before

    program = venv / "bin" / "gateway"
    server = serve("app", files={"app.py": APP}, prefix=["/bin/sh", "-c", f'shift; exec {program} "$@"', "sh"])
    prefix, executable, packages = json.loads(server.get("/").body)
    assert (prefix, executable) == (str(venv), str(venv / "bin" / "python"))
    assert str(next(venv.glob("lib/python3*/site-packages"))) in packages
    server.stop()

    assert run(program, "--version").split()[1] == run(venv / "bin" / "gatewayctl", "--version").split()[1]
    assert (venv / "share" / "man" / "man1" / "gateway.1").stat().st_size > 0
    for name in ("bash-completion/completions/gateway", "fish/vendor_completions.d/gatewayctl.fish", "zsh/site-functions/_gateway"):
        assert "--" in (venv / "share" / name).read_text()
    run(*pip, "uninstall", "-y", "gateway-wsgi")
    assert [*venv.rglob("gateway*"), *venv.rglob("_gateway*")] == []
