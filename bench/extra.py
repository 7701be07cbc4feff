"""An extra request beside slow clients by the hundred, that is not slow itself."""
import contextlib
import math
import os
import socket
import statistics
import time
from collections import Counter
from dataclasses import replace

import load
import process
from crowd import Crowd, readers, writers
from process import Failed

EXTRA = b"GET /finished HTTP/1.1\r\nHost: bench\r\n\r\n"
EVERY, PATIENCE = 0.05, 1.0     # of the extra request, in seconds
READERS, READING = readers(1000, "/stream/1000000", ramp=10), 14            # seconds
WRITERS, WRITING = replace(writers(200, "/read", ramp=1), pause=0.05), 12


def kind_of_end(status, _received, seconds):
    """The status, and "closed" where nothing more could be expected; "none" while there is nothing."""
    return str(status or ("none" if seconds is None else "closed"))


def left_of(due):
    """Of the time that an extra request has."""
    left = due + PATIENCE - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class Extra:
    """The extra request, by turns on a connection that is kept and on a fresh one. Times count from when it was due."""

    def __init__(self, address):
        self.address = address
        self.kept = None
        self.times, self.late = [], 0
        self.finished = None        # how many of the application's generators
        self.all_finished = None    # when the last had

    def connection(self, due, fresh):
        if self.kept and not fresh and not load.is_ended(self.kept):
            return self.kept
        return socket.create_connection(self.address, left_of(due))

    def ask(self, due, fresh):
        sock, answered = None, False
        try:
            sock = self.connection(due, fresh)
            sock.settimeout(left_of(due))
            sock.sendall(EXTRA)
            self.finished = int(load.read_small(sock))
            self.times.append(time.monotonic() - due)
            answered = True
        except (OSError, Failed):
            self.late += 1
        if sock and (fresh or not answered):
            sock.close()
        if not fresh:
            self.kept = sock if answered else None

    def run(self, seconds, expected):
        begun = time.monotonic()
        for number in range(int(seconds / EVERY)):
            due = begun + number * EVERY
            time.sleep(max(0.0, due - time.monotonic()))
            self.ask(due, number % 2)
            if self.all_finished is None and self.finished == expected:
                self.all_finished = time.monotonic() - begun
        if self.kept:
            self.kept.close()


def descriptors(root):
    """Open ones of the tree."""
    total = 0
    for pid in process.tree(root):
        with contextlib.suppress(OSError):
            total += len(os.listdir(f"/proc/{pid}/fd"))
    return total


def measure(child, address, kind, seconds):
    """The figures of one crowd on one server."""
    Extra(address).run(4 * EVERY, None)
    before = process.memory(child.pid), descriptors(child.pid), process.cpu_seconds(child.pid)
    extra = Extra(address)
    with Crowd(address, kind, seconds) as crowd:
        extra.run(seconds, kind.count)
        outcomes = crowd.outcomes()
        grown = process.memory(child.pid) - before[0]
        opened = descriptors(child.pid) - before[1]
        spent = process.cpu_seconds(child.pid) - before[2]
    time.sleep(PATIENCE)
    if child.poll() is not None:
        raise Failed(f"ended under load, status {child.returncode}")
    times = sorted(extra.times) + [math.inf] * extra.late
    return {"p50": statistics.median(times), "p99": load.percentile(times, 99), "most": max(times),
            "late": extra.late, "asked": len(extra.times) + extra.late, "each": grown / kind.count,
            "opened": opened, "left": descriptors(child.pid) - before[1], "finished": extra.finished or 0,
            "all_finished": extra.all_finished, "spent": spent,
            "outcomes": Counter(kind_of_end(*outcome) for outcome in outcomes),
            "seconds": [seconds for _, _, seconds in outcomes if seconds]}


def measure_readers(child, address, _scenario, _seconds, _number):
    return measure(child, address, READERS, READING)


def measure_writers(child, address, _scenario, _seconds, _number):
    return measure(child, address, WRITERS, WRITING)
