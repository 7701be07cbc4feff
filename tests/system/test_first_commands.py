"""`./bootstrap run`, then `./bootstrap check`, in a clone on a Debian that has nothing of what they need.

What went wrong once: build/ had been configured by the first command, before the second one installed Check; so no test ran, at
that try and at each later one.

GATEWAY_DEBIAN="bookworm trixie" names other releases than this machine's.
"""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from clean_root import finish, own_release, root, shell_environment, start_debootstrap, why_no_root  # noqa: F401
from timing import SANITIZED, wait_until

CLONE = Path(__file__).resolve().parents[2]
NOT_OF_A_CLONE = shutil.ignore_patterns(".git", "build", "build-*", "autom4te.cache", "configure*~", "Makefile.in", "aclocal.m4",
                                        "config.h.in*", "__pycache__", "*.deb")
RELEASES = os.environ.get("GATEWAY_DEBIAN", "").split() or [own_release()]
# What configure decides for them: Check for the first two, llhttp for the third. All test programs are built for any.
TESTS = "tests/unit/http/test_head tests/unit/py/test_call tests/run-replay"


def why_not():
    if SANITIZED:
        return "the clone is not built with sanitizers"
    if not (CLONE / "bootstrap").exists():
        return f"there is no {CLONE / 'bootstrap'}"
    return why_no_root()


pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


def copy_clone(root):
    shutil.copytree(CLONE, root / "clone", ignore=NOT_OF_A_CLONE, symlinks=True)
    (root / "clone" / "configure").unlink(missing_ok=True)
    subprocess.run(["mount", "-t", "proc", "proc", root / "proc"], capture_output=True)


def run_until_it_serves(root, log):
    """`./bootstrap run`, which installs, builds and serves; stopped as Ctrl-C does."""
    with open(log, "wb") as output:
        process = subprocess.Popen(
            ["chroot", root, "/clone/bootstrap", "run", "--bind", "127.0.0.1:0"],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=shell_environment(), start_new_session=True,
        )  # fmt: skip
    try:
        wait_until(lambda: "ready in" in log.read_text() or process.poll() is not None, "it serves", timeout=1200, interval=0.2)
        assert process.poll() is None, log.read_text()[-4000:]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0, log.read_text()[-4000:]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return log.read_text()


def check(root):
    done = subprocess.run(["chroot", root, "/clone/bootstrap", "check", f"TESTS={TESTS}"], env=shell_environment(), text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1200)
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout


@pytest.mark.deadline(3000)
@pytest.mark.parametrize("release", RELEASES)
def test_run_then_check_in_a_clean_debian(root, tmp_path, release):  # noqa: F811
    finish(tmp_path, start_debootstrap(tmp_path, root, release))
    copy_clone(root)
    run = run_until_it_serves(root, tmp_path / "run.log")
    assert "configuring" in run and "libevent-dev" in run and "installing check" not in run
    checked = check(root)
    assert re.search(r"bootstrap: installing check\b", checked) and "bootstrap: configuring again" in checked
    assert sorted(re.findall(r"^PASS: (.*)$", checked, re.MULTILINE)) == sorted(TESTS.split()), checked[-6000:]
    # llhttp came after configuring, too. Debian 13's package has no sources of it.
    assert (root / "clone/build/tests/fuzz/fuzz_differential").exists() == (root / "usr/share/llhttp").exists()
