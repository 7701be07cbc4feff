"""Calls that keep threads of the application busy, and what is done meanwhile."""

import os
import time


class Held:
    """So many calls at once, of /hold/WAY, which last until the block ends: each takes a byte from the FIFO "gate"."""

    def __init__(self, server, way, count=1):
        path = server.directory / "gate"
        if not path.exists():
            os.mkfifo(path)
        self.gate = os.open(path, os.O_RDWR)
        self.connections = [server.connect(timeout=30) for _ in range(count)]
        for connection in self.connections:
            connection.request("GET", f"/hold/{way}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            os.write(self.gate, bytes(len(self.connections)))
            for connection in self.connections:
                assert connection.receive().body == b"done"
        finally:
            for connection in self.connections:
                connection.close()
            os.close(self.gate)


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
