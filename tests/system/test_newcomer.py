"""What a newcomer does: bootstrap in a clone, and what it leaves to be found.

Nothing is installed here: it runs in this clone, where the program is already built, and does what is left to
do, which is nothing.
"""

import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from client import Connection
from harness import environment, free_port
from timing import SLOW, wait_until

CLONE = Path(__file__).resolve().parents[2]
BOOTSTRAP = CLONE / "bootstrap"
BUILT = CLONE / "build" / "gateway"
CONFIGURED = CLONE / "build" / "bootstrap.configured"

pytestmark = [
    pytest.mark.skipif(not (BOOTSTRAP.exists() and BUILT.exists() and CONFIGURED.exists()), reason="bootstrap has not built this program"),
    pytest.mark.deadline(180),  # what has been edited since is compiled
]


class Run:
    """`bootstrap run ...`, until it serves."""

    def __init__(self, directory, *arguments, **env):
        self.log = directory / f"log-{time.monotonic_ns()}"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [BOOTSTRAP, "run", *arguments],
                env={**environment(), **env},
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def text(self):
        return self.log.read_text()

    def get(self):
        found = wait_until(lambda: re.search(r"listening on http://127\.0\.0\.1:(\d+)", self.text), "it serves", 60)
        wait_until(lambda: "ready in" in self.text, "it is ready")
        with Connection(("127.0.0.1", int(found[1]))) as connection:
            return connection.exchange("GET", "/")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(10 * SLOW) == 0, self.text


def test_run_serves_the_ten_lines_and_says_what_to_try_next(tmp_path):
    port = str(free_port())
    for already in (False, True):
        run = Run(tmp_path, PORT=port)
        # PORT is a platform's way to say it: then all interfaces are listened on.
        wait_until(lambda run=run: "ready in" in run.text, "it is ready", 60)
        if already:
            assert not re.search("generating|configuring|compiling", run.text), "nothing was left to do"
        assert f"http://127.0.0.1:{port}" in run.text
        assert "To try next" in run.text and "curl" in run.text and "Ctrl-C" in run.text
        with Connection(("127.0.0.1", int(port))) as connection:
            assert len(connection.exchange("GET", "/").body) == 10000
        run.stop()


@pytest.mark.parametrize("separator", [[], ["--"]])
def test_run_serves_another_application_from_the_current_directory(tmp_path, separator):
    (tmp_path / "mine.py").write_text(
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [])\n"
        "    return [b'mine']\n"
    )
    run = Run(tmp_path, *separator, "mine:application", "--bind", "127.0.0.1:0", "--workers", "1")
    assert run.get().body == b"mine"
    run.stop()


def test_two_at_once_do_not_disturb_each_other(tmp_path):
    runs = [Run(tmp_path, "hello", "--bind", "127.0.0.1:0", "--pythonpath", CLONE / "pyapps") for _ in range(2)]
    for run in runs:
        assert run.get().status == 200
    for run in runs:
        run.stop()


def test_build_says_where_the_program_is(tmp_path):
    done = subprocess.run([BOOTSTRAP, "build"], env=environment(), cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    # Another test may be using the clone at this moment.
    assert [line for line in said if "waiting for another" not in line] == ["bootstrap: build/gateway is ready"]
