"""Slow clients by the hundred, in a process of their own, and an extra request beside them that is not slow."""
import contextlib
import heapq
import math
import multiprocessing
import os
import signal
import socket
import statistics
import time
from collections import Counter
from dataclasses import dataclass

import load
import process
from process import Failed

READ_SIZE = 1024
# The buffers of a client far away: a whole answer would fit into those of the loopback device, whose packets have 64 KiB.
RECEIVE_BUFFER, SEGMENT = 4096, 1400
EXTRA = b"GET /finished HTTP/1.1\r\nHost: bench\r\n\r\n"
EVERY, PATIENCE = 0.05, 1.0     # of the extra request, in seconds


@dataclass
class Crowd:
    """What each of them does."""
    count: int
    request: bytes
    pause: float                # between the steps of a client, in seconds
    writes: bool                # a step: sends one byte more, and looks for an answer; else reads 1 KiB
    ramp: float                 # within which they come, one by one
    seconds: float              # from the first


SIZE = 1000000
READERS = Crowd(1000, b"GET /stream/%d HTTP/1.1\r\nHost: bench\r\n\r\n" % SIZE, 1.0, False,
                10, 14)
WRITERS = Crowd(200, b"POST /read HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n" % SIZE, 0.05, True,
                1, 12)


class Client:
    def __init__(self, address, request):
        self.begun, self.seconds = time.monotonic(), None
        self.head = b""
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(address)
        self.socket.sendall(request)
        self.socket.setblocking(False)

    def step(self, writes):
        """False when it was the last one."""
        try:
            if writes:
                self.socket.send(b"x")
            data = self.socket.recv(READ_SIZE)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        self.head = self.head or data[:12]
        if data and not writes:
            return True
        self.seconds = time.monotonic() - self.begun
        self.socket.close()
        return False

    def outcome(self):
        """The status, and "closed" where nothing more could be expected; "none" while there is nothing."""
        status = self.head[9:12].decode("latin-1")
        return status or ("none" if self.seconds is None else "closed")


def run(address, crowd, report):
    """Each takes its steps by a timetable. Reports at the end, and stays until it is ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    begun = time.monotonic()
    due = [(begun + crowd.ramp * number / crowd.count, number) for number in range(crowd.count)]
    clients = [None] * crowd.count
    while due and due[0][0] < begun + crowd.seconds:
        when, number = heapq.heappop(due)
        time.sleep(max(0.0, when - time.monotonic()))
        if clients[number] is None:
            with contextlib.suppress(OSError):
                clients[number] = Client(address, crowd.request)
        elif not clients[number].step(crowd.writes):
            continue
        heapq.heappush(due, (max(when + crowd.pause, time.monotonic()), number))
    known = [client for client in clients if client]
    report.send({"outcomes": Counter(client.outcome() for client in known) + Counter(none=crowd.count - len(known)),
                 "seconds": [client.seconds for client in known if client.seconds]})
    report.recv()


@contextlib.contextmanager
def started(address, crowd):
    """The end of a pipe that gives the report, once."""
    ours, theirs = multiprocessing.Pipe()
    everyone = multiprocessing.get_context("fork").Process(target=run, args=(address, crowd, theirs))
    everyone.start()
    theirs.close()
    try:
        yield ours
    finally:
        everyone.kill()
        everyone.join()


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


def measure(child, address, crowd):
    """The figures of one crowd on one server."""
    Extra(address).run(4 * EVERY, None)
    before = process.memory(child.pid), descriptors(child.pid), process.cpu_seconds(child.pid)
    extra = Extra(address)
    with started(address, crowd) as pipe:
        extra.run(crowd.seconds, crowd.count)
        if not pipe.poll(PATIENCE * 10):
            raise Failed("the crowd did not end")
        report = pipe.recv()
        grown = process.memory(child.pid) - before[0]
        opened = descriptors(child.pid) - before[1]
        spent = process.cpu_seconds(child.pid) - before[2]
    time.sleep(PATIENCE)
    if child.poll() is not None:
        raise Failed(f"ended under load, status {child.returncode}")
    times = sorted(extra.times) + [math.inf] * extra.late
    return {"p50": statistics.median(times), "p99": load.percentile(times, 99), "most": max(times),
            "late": extra.late, "asked": len(extra.times) + extra.late, "each": grown / crowd.count,
            "opened": opened, "left": descriptors(child.pid) - before[1], "finished": extra.finished or 0,
            "all_finished": extra.all_finished, "spent": spent, **report}


def measure_readers(child, address, _scenario, _seconds, _number):
    return measure(child, address, READERS)


def measure_writers(child, address, _scenario, _seconds, _number):
    return measure(child, address, WRITERS)
