"""The program under test, and how long tests wait: for what must come (long), and how slow the program is (sanitizers).

No test of the gate measures time. The tests that are marked `timing` do: `make timing` runs them alone, and reports their figures.
"""

import os
import re
import sys
import time
from pathlib import Path

# The program under test; the Makefile says which.
BUILT = Path(__file__).resolve().parents[2] / "build" / "gateway"
GATEWAY = os.path.abspath(os.environ.get("GATEWAY", BUILT))


def embedded_python(program):
    """The interpreter that configure was given. Plain Python of another version writes other files, and has other modules."""
    makefile = Path(program).with_name("Makefile")
    found = re.search(r"^PYTHON = (.+)$", makefile.read_text(), re.M) if makefile.exists() else None
    return found[1] if found else sys.executable


PYTHON = os.environ.get("PYTHON") or embedded_python(GATEWAY)


def is_sanitized(program):
    try:
        return any(name in Path(program).read_bytes() for name in (b"__asan_init", b"__tsan_init"))
    except OSError:
        return False


SANITIZED = is_sanitized(GATEWAY)
SLOW = 3 if SANITIZED else 1

# `make soak`: as much as is promised, not only as much as can be shown in passing.
SOAK = bool(os.environ.get("GATEWAY_SOAK"))

# `make timing`: the tests that measure, and no others.
TIMING = bool(os.environ.get("GATEWAY_TIMING"))

# For something that must come: only a failing test ever waits that long. Less than the defaults that a test tells it from.
PATIENCE = 20 * SLOW

# What timing tests have measured: a sentence for each.
figures = []


def report(what, *seconds):
    """A figure of a timing test, for the end of the run: the median of several, and the most."""
    ordered = sorted(seconds)
    more = f", {1000 * ordered[-1]:.1f} ms at most of {len(ordered)}" if len(ordered) > 1 else ""
    figures.append(f"{what}: {1000 * ordered[len(ordered) // 2]:.1f} ms{more}")


def within(what, seconds, limit):
    """For a test that is marked `measures`: the limit holds in `make timing` alone."""
    if TIMING:
        report(what, seconds)
        assert seconds < limit, f"{what}: {seconds} s"


def starved(pid):
    """Seconds that the process's threads have been ready to run and had no core, in all (Linux counts them)."""
    nanoseconds = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        try:
            nanoseconds += int((thread / "schedstat").read_text().split()[1])
        except OSError:
            pass  # it has ended, or this kernel does not count
    return nanoseconds / 1e9


class Stopwatch:
    """Times what a process of ours does for us, less the time that it or we had to wait for a core: on a machine that has
    other things to do, too, that is the machine's time and not the program's."""

    def __init__(self, pid):
        self.pids = (pid, os.getpid())
        self.before = [starved(pid) for pid in self.pids]
        self.begun = time.monotonic()

    def seconds(self):
        taken = time.monotonic() - self.begun
        waited = sum(starved(pid) - before for pid, before in zip(self.pids, self.before))
        return max(0.0, taken - waited)


def wait_until(condition, what, timeout=PATIENCE, interval=0.01):
    """The first true value of condition(); fails the test when there is none in time."""
    end = time.monotonic() + timeout
    while True:
        if value := condition():
            return value
        assert time.monotonic() < end, f"in vain, for {timeout} s: {what}"
        time.sleep(interval)
