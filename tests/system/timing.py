"""How long tests wait: for what must come (long), and how slow the program under test is (sanitizers)."""

import os
import time
from pathlib import Path

# The program under test; the Makefile says which.
BUILT = Path(__file__).resolve().parents[2] / "build" / "gateway"
GATEWAY = os.path.abspath(os.environ.get("GATEWAY", BUILT))


def is_sanitized(program):
    try:
        return any(name in Path(program).read_bytes() for name in (b"__asan_init", b"__tsan_init"))
    except OSError:
        return False


SANITIZED = is_sanitized(GATEWAY)
SLOW = 3 if SANITIZED else 1

# For something that must come: only a failing test ever waits that long.
PATIENCE = 10 * SLOW


def wait_until(condition, what, timeout=PATIENCE, interval=0.01):
    """The first true value of condition(); fails the test when there is none in time."""
    end = time.monotonic() + timeout
    while True:
        if value := condition():
            return value
        assert time.monotonic() < end, f"in vain, for {timeout} s: {what}"
        time.sleep(interval)
