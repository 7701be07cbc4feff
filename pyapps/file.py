"""Sends files with wsgi.file_wrapper.

    gateway file
    curl http://127.0.0.1:8000/            this source
    curl http://127.0.0.1:8000/position    from a position on
    curl http://127.0.0.1:8000/memory      something that only looks like a file
    curl http://127.0.0.1:8000/gzip        a file that is transformed while it is read

A server that offers wsgi.file_wrapper can hand a real file to the kernel and never touch its bytes;
everything else it reads block by block. Either way it begins at the file's position and calls close() at
the end. Set FILE in the environment to send another file: gateway --env FILE=/etc/os-release file
"""

import gzip
import io
import os
from pathlib import Path

FILE = os.environ.get("FILE", __file__)
POSITION = 10


def whole():
    return open(FILE, "rb")


def position():
    file = open(FILE, "rb")
    file.seek(POSITION)
    return file


def memory():
    return io.BytesIO(Path(FILE).read_bytes())


def compressed():
    """Its descriptor holds compressed bytes, its read() gives plain ones: only read() will do."""
    packed = io.BytesIO(gzip.compress(Path(FILE).read_bytes()))
    return gzip.GzipFile(fileobj=packed)


FILES = {"/": whole, "/position": position, "/memory": memory, "/gzip": compressed}


def application(environ, start_response):
    make = FILES.get(environ["PATH_INFO"])
    if make is None:
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [f"one of: {' '.join(FILES)}\n".encode()]
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    # Servers need not offer it; then any iterable of blocks does.
    wrap = environ.get("wsgi.file_wrapper", lambda file: iter(lambda: file.read(8192), b""))
    return wrap(make())
