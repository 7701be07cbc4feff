"""An answer that is made while it is sent: a generator.

    gateway stream
    curl -N 'http://127.0.0.1:8000/?count=10&pause=0.5'

`count` lines, `pause` seconds between them, each padded to `size` bytes. Each block that is yielded goes
out at once. Nobody knows the length beforehand, so HTTP/1.1 clients get chunks and HTTP/1.0 clients see the
connection close.
"""

import time
from urllib.parse import parse_qs


def lines(count, pause, size):
    for number in range(count):
        if number:
            time.sleep(pause)
        yield f"line {number}".encode().ljust(size - 1, b".") + b"\n"


def application(environ, start_response):
    query = parse_qs(environ["QUERY_STRING"])
    count = int(query.get("count", ["10"])[0])
    pause = float(query.get("pause", ["0"])[0])
    size = int(query.get("size", ["10"])[0])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return lines(count, pause, size)
