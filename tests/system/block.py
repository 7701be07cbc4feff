"""Calls that keep threads of the application busy, and what is done meanwhile.

An application that has HOLD in its text calls hold(WAY) for the path /hold/WAY: the call lasts until the test opens the gate.
"""

import os
import time

from timing import wait_until

# Each way to be busy. A call tells in the file "begun" that it has begun, and ends with a byte from the FIFO "gate".
HOLD = '''
import ctypes, os, select, threading

libc = ctypes.CDLL(None)
libc_with_lock = ctypes.PyDLL(None)  # its calls keep the interpreter's lock


def hold_sleep(gate):
    os.read(gate, 1)


def hold_lock(gate):
    lock = threading.Lock()
    lock.acquire()
    threading.Thread(target=lambda: (os.read(gate, 1), lock.release())).start()
    lock.acquire()


def hold_compute(gate):
    while not select.select([gate], [], [], 0)[0]:
        for _ in range(100000):
            pass
    os.read(gate, 1)


def hold_foreign(gate):
    libc.read(gate, ctypes.create_string_buffer(1), 1)


def hold_native(gate):
    libc_with_lock.read(gate, ctypes.create_string_buffer(1), 1)


def hold(way):
    begun = os.open("begun", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    gate = os.open("gate", os.O_RDONLY)
    os.write(begun, b"x")
    os.close(begun)
    globals()["hold_" + way](gate)
    os.close(gate)
'''


def begun(server):
    """How many calls have come to hold()."""
    path = server.directory / "begun"
    return path.stat().st_size if path.exists() else 0


class Held:
    """So many calls at once, of /hold/WAY, which last until the block ends: each takes a byte from the FIFO "gate"."""

    def __init__(self, server, way, count=1):
        path = server.directory / "gate"
        if not path.exists():
            os.mkfifo(path)
        self.gate = os.open(path, os.O_RDWR)
        self.is_open = False
        self.connections = [server.connect(timeout=30) for _ in range(count)]
        for connection in self.connections:
            connection.request("GET", f"/hold/{way}")

    def open(self):
        """Lets the calls go on; their answers are then the test's to receive."""
        self.is_open = True
        os.write(self.gate, bytes(len(self.connections)))

    def assert_last(self):
        """No call has been answered."""
        for connection in self.connections:
            connection.assert_open(0.01)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            if not self.is_open:
                self.open()
                for connection in self.connections:
                    assert connection.receive().body == b"done"
        finally:
            for connection in self.connections:
                connection.close()
            os.close(self.gate)


class Holding(Held):
    """The same for an application that has HOLD: the calls have begun. Of those that keep the interpreter's lock, only the first."""

    def __init__(self, server, way, count=1):
        before = begun(server)
        super().__init__(server, way, count)
        wanted = before + (min(1, count) if way == "native" else count)
        wait_until(lambda: begun(server) >= wanted, "the calls have begun")


class Block:
    """The same for a time: so many calls at once, of /WAY/SECONDS, which are over after `seconds`. The block ends with their answers."""

    def __init__(self, server, way, seconds, count=1):
        self.connections = [server.connect(timeout=30) for _ in range(count)]
        self.end = time.monotonic() + seconds
        each = seconds / count if way == "native" else seconds  # these come one after the other
        for connection in self.connections:
            connection.request("GET", f"/{way}/{each}")

    def is_over(self):
        return time.monotonic() >= self.end

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.is_proof = not self.is_over()  # what was done is: it did not wait for them
        try:
            for connection in self.connections:
                assert connection.receive().body == b"done"
        finally:
            for connection in self.connections:
                connection.close()
