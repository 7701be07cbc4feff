"""A worker that the kernel kills for want of memory: the log says that, and not only "Killed".

Needs a control group of its own with a limit, which root can make where the memory controller is to be had.
"""

import os
import signal
import uuid
from pathlib import Path

import pytest
from client import Cut
from harness import Server
from timing import GATEWAY, is_sanitized, wait_until

LIMIT = 160 << 20
APP = """
import os

def application(environ, start_response):
    if environ["PATH_INFO"] == "/eat":
        kept = [bytearray(os.urandom(1 << 20)) for _ in range(400)]
    start_response("200 OK", [])
    return [b"%d" % os.getpid()]
"""


def own_path(controllers):
    """Of this process, in that hierarchy of /proc/self/cgroup."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controllers in names.split(","):
            return path.lstrip("/")
    return None


def make_group():
    """A new group with the limit; a sentence when there can be none."""
    root, name = Path("/sys/fs/cgroup"), f"gateway-test-{uuid.uuid4().hex[:8]}"
    old, new = ("memory.limit_in_bytes", "memory.swappiness"), ("memory.max", "memory.swap.max")
    own = own_path("memory") or ""
    for parent, (limit, swap) in [(root / "memory" / own, old), (root / "memory", old), (root, new)]:
        group = parent / name
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / limit).write_text(str(LIMIT))
            if (group / swap).exists():
                (group / swap).write_text("0")
            return group
        except OSError:
            group.rmdir()
    return "no control group with a limit of memory can be made here"


@pytest.fixture
def group():
    made = "a sanitizer keeps more memory than the limit" if is_sanitized(GATEWAY) else make_group()
    if isinstance(made, str):
        pytest.skip(made)
    yield made
    made.rmdir()


@pytest.fixture
def limited(group):
    """Starts servers whose processes are in the group."""
    started = []

    def start(*options):
        server = Server("app", *options, workers=1, files={"app.py": APP})
        started.append(server)
        for pid in server.processes():
            (group / "cgroup.procs").write_text(str(pid))
        # What the group before has counted is forgotten when the first worker is forked in this one.
        first = server.worker_pid
        os.kill(first, signal.SIGTERM)
        wait_until(lambda: len(pids := server.worker_pids()) == 1 and pids != [first], "a successor")
        return server

    yield start
    for server in started:
        server.__exit__(None)
    wait_until(lambda: not (group / "cgroup.procs").read_text(), "the end of all who were in the group")


@pytest.mark.parametrize("options", [[], ["--preload"]], ids=["plain", "preload"])
def test_who_was_killed_for_want_of_memory_is_told(limited, options):
    server = limited(*options)
    with pytest.raises(Cut):
        server.get("/eat")
    wait_until(lambda: "for want of memory" in server.log, "the death")
    (line,) = [line for line in server.log.splitlines() if "for want of memory" in line]
    assert "was killed by the kernel for want of memory (signal 9) after" in line and 'while it ran "GET /eat' in line, line
    assert server.get("/").status == 200


def test_who_was_killed_by_somebody_has_not_wanted_memory(limited):
    server = limited()
    with pytest.raises(Cut):
        server.get("/eat")
    wait_until(lambda: "for want of memory" in server.log and server.worker_pids(), "a successor")
    assert server.get("/").status == 200
    (pid,) = wait_until(server.worker_pids, "a worker")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: "was killed by signal 9 (Killed)" in server.log, "another death")
    assert server.log.count("for want of memory") == 1
