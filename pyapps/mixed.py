"""Calls of every length, to be mixed: does one that lasts hold up one that does not?

    gateway --threads 8 mixed
    curl http://127.0.0.1:8000/                  answers at once
    curl http://127.0.0.1:8000/sleep/200         after 200 ms in time.sleep()
    curl http://127.0.0.1:8000/native/200        the same in a C function, which releases the interpreter's lock
    curl http://127.0.0.1:8000/stream/1000000    a million bytes from a generator
    curl http://127.0.0.1:8000/finished          how many of those generators have come to their end
    curl --data-binary @FILE http://127.0.0.1:8000/read

Any other path answers at once, too.
"""

import ctypes
import itertools
import time

BLOCK = b"." * 10000

native = ctypes.CDLL(None)
count = itertools.count(1)  # next() is one step: threads need no lock
finished = 0


def stream(size):
    global finished
    for left in range(size, 0, -len(BLOCK)):
        yield BLOCK[:left]
    finished = next(count)


def answer(name, number, environ):
    if name == "sleep":
        time.sleep(number / 1000)
    elif name == "native":
        native.usleep(number * 1000)
    elif name == "read":
        return b"%d bytes\n" % len(environ["wsgi.input"].read())
    elif name == "finished":
        return b"%d\n" % finished
    return b"done\n"


def application(environ, start_response):
    name, _, number = environ["PATH_INFO"][1:].partition("/")
    number = int(number) if number.isdigit() else 0
    headers = [("Content-Type", "text/plain")]
    if name == "stream":
        start_response("200 OK", headers)
        return stream(number)
    body = answer(name, number, environ)
    start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
    return [body]
