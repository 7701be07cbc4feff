"""What the applications here share, none of it a framework's."""

import os
import threading
import time

closed = []  # a mark for each body whose close() has run
lock = threading.Lock()


class Halves:
    """Tells its second half only when the client has the first: the client makes the file `gate` then."""

    def __init__(self, gate):
        self.blocks = self.tell(gate)

    def tell(self, gate):
        yield b"first half "
        end = time.monotonic() + 20
        while not os.path.exists(gate):
            if time.monotonic() > end:
                raise TimeoutError("the client has not seen the first half")
            time.sleep(0.005)
        yield b"second half"

    def __iter__(self):
        return self.blocks

    def close(self):
        with lock:
            closed.append("halves")


def linted(application):
    """With WSGI_LINT, the application between the two checkers of WSGI that there are: they raise at what is not in order, on
    either side."""
    if os.environ.get("WSGI_LINT") == "webtest":
        from webtest import lint

        return lint.middleware(application)
    if os.environ.get("WSGI_LINT") == "wsgiref":
        from wsgiref.validate import validator

        return validator(application)
    return application
