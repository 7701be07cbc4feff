"""Calls that keep threads of the application busy, and what is done meanwhile."""

import time


class Block:
    """So many calls at once, of /WAY/SECONDS, which are over after `seconds`. The block ends with their answers."""

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
