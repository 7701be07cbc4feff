"""Slow clients by the hundred, in a process of their own so that they are in nobody's way, and what others notice of them.

    with Crowd(server.address, readers(1000, "/large", ramp=2), seconds=3) as crowd:
        times = every(0.05, lambda number: server.get("/small"), 3, server.worker_pid)
        ...
    # here they are gone
"""

import heapq
import multiprocessing
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass

from client import request_bytes
from timing import PATIENCE, SLOW, Stopwatch

# The buffers of a client far away: a whole answer would fit into those of the loopback device, whose packets have 64 KiB.
RECEIVE_BUFFER, SEGMENT = 4096, 1400
CONNECTING = 1.0 * SLOW  # seconds that a client has for it; the others wait for him


@dataclass
class Kind:
    count: int
    request: bytes
    pause: float  # seconds between the steps of a client
    writes: bool  # a step sends one byte and looks for an answer; else it reads 1 KiB
    ramp: float  # seconds within which they come, one by one


def readers(count, target, ramp):
    return Kind(count, request_bytes("GET", target), 1.0, False, ramp)


def writers(count, target, ramp):
    return Kind(count, request_bytes("POST", target, [("Content-Length", "1000000")]), 0.2, True, ramp)


class Client:
    def __init__(self, address, kind):
        self.writes = kind.writes
        self.received, self.head, self.seconds = 0, b"", None
        self.begun = time.monotonic()
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)
        self.socket.settimeout(CONNECTING)
        self.socket.connect(address)
        self.socket.sendall(kind.request)
        self.socket.setblocking(False)

    def step(self):
        """False when nothing is left to be done."""
        try:
            if self.writes:
                self.socket.send(b"x")
            data = self.socket.recv(1024)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        self.received += len(data)
        self.head = self.head or data[:12]
        if data and not self.writes:
            return True
        self.seconds = time.monotonic() - self.begun
        self.socket.close()
        return False

    def outcome(self):
        """Status (None: no answer), bytes received, seconds until it was over (None: it goes on)."""
        return int(self.head[9:12]) if self.head else None, self.received, self.seconds


def run(address, kind, end, pipe):
    """Each takes its steps by a timetable, until the time is over."""
    signal.alarm(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    begun = time.monotonic()
    due = [(begun + kind.ramp * number / kind.count, number) for number in range(kind.count)]
    clients = [None] * kind.count
    while due and due[0][0] < end:
        when, number = heapq.heappop(due)
        time.sleep(max(0.0, when - time.monotonic()))
        if clients[number] is None:
            with suppress(OSError):  # else it tries again
                clients[number] = Client(address, kind)
        elif not clients[number].step():
            continue
        heapq.heappush(due, (max(when + kind.pause, time.monotonic()), number))
    # Those who have not come to their turn, on a busy machine: the answer is there or it is not.
    for client in clients:
        if client and not client.head and client.seconds is None:
            client.step()
    pipe.send([client.outcome() if client else (None, 0, None) for client in clients])
    pipe.recv()


class Crowd:
    def __init__(self, address, kind, seconds):
        self.pipe, theirs = multiprocessing.Pipe()
        end = time.monotonic() + seconds
        context = multiprocessing.get_context("fork")
        self.process = context.Process(target=run, args=(address, kind, end, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def outcomes(self):
        """Of each client, when the time is over. They keep their connections until the end of the block."""
        if not self.pipe.poll(PATIENCE):
            raise TimeoutError("the crowd did not end")
        return self.pipe.recv()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.join()
        self.pipe.close()


def every(pause, function, seconds, pid):
    """Calls it again and again, for as long. The times that the process `pid` took each time."""
    begun, taken = time.monotonic(), []
    for number in range(int(seconds / pause)):
        due = begun + number * pause
        time.sleep(max(0.0, due - time.monotonic()))
        watch = Stopwatch(pid)
        function(number)
        taken.append(watch.seconds())
    return taken
