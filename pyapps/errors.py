"""Each way an application can fail, chosen by the path: what does the client see, what does the log say?

    gateway errors
    curl http://127.0.0.1:8000/          the list
    curl http://127.0.0.1:8000/before    one of them

Never do any of this; but a server has to survive it all, tell the client as much of the truth as is left to
tell, and put one clear entry into its log.
"""

import ctypes
import os
import sys

PLAIN = ("Content-Type", "text/plain")


class Odd(BaseException):
    """An exception that `except Exception` does not catch."""


class Body:
    """An iterable with a close(), as PEP 3333 allows."""

    def __init__(self, blocks, error=None):
        self.blocks = blocks
        self.error = error

    def __iter__(self):
        return iter(self.blocks)

    def close(self):
        if self.error:
            raise self.error


def failing(blocks, error):
    yield from blocks
    raise error


# Exceptions, from early to late.


def before(start_response):
    """raises before start_response"""
    raise ValueError("before start_response")


def after(start_response):
    """raises after start_response, before the first byte"""
    start_response("200 OK", [PLAIN])
    raise ValueError("after start_response")


def first(start_response):
    """raises in the iterable, before the first byte"""
    start_response("200 OK", [PLAIN])
    return failing([b""], ValueError("in the iterable, early"))


def late(start_response):
    """raises in the iterable, after the first bytes"""
    start_response("200 OK", [PLAIN])
    return failing([b"ten bytes\n"], ValueError("in the iterable, late"))


def late_length(start_response):
    """the same, after a Content-Length was promised"""
    start_response("200 OK", [PLAIN, ("Content-Length", "100")])
    return failing([b"ten bytes\n"], ValueError("in the iterable, late, with a length"))


def close(start_response):
    """raises in close()"""
    start_response("200 OK", [PLAIN])
    return Body([b"all is there\n"], ValueError("in close"))


def exit(start_response):
    """SystemExit"""
    sys.exit(7)


def exit_late(start_response):
    """SystemExit in the iterable, after the first bytes"""
    start_response("200 OK", [PLAIN])
    return failing([b"ten bytes\n"], SystemExit(7))


def exit_close(start_response):
    """SystemExit in close()"""
    start_response("200 OK", [PLAIN])
    return Body([b"all is there\n"], SystemExit(7))


def interrupt(start_response):
    """KeyboardInterrupt"""
    raise KeyboardInterrupt


def base(start_response):
    """a BaseException of the application's own"""
    raise Odd("not an Exception")


def recursion(start_response):
    """endless recursion"""
    return recursion(start_response)


# start_response, not as PEP 3333 wants it.


def no_start(start_response):
    """does not call start_response"""
    return [b"body without a head\n"]


def twice(start_response):
    """calls start_response twice"""
    start_response("200 OK", [PLAIN])
    start_response("200 OK", [PLAIN])
    return [b"twice\n"]


def replaced(start_response):
    """an error page in place of the answer, before the first byte: this is what exc_info is for"""
    start_response("200 OK", [PLAIN, ("X-First", "yes")])
    try:
        raise ValueError("replaced")
    except ValueError:
        start_response("503 Service Unavailable", [PLAIN], sys.exc_info())
    return [b"an error page of the application's own\n"]


def too_late(start_response):
    """the same after the first bytes: start_response raises the exception again"""
    start_response("200 OK", [PLAIN])
    yield b"ten bytes\n"
    try:
        raise ValueError("too late")
    except ValueError:
        start_response("503 Service Unavailable", [PLAIN], sys.exc_info())
    yield b"never sent\n"


def status_type(start_response):
    """a status that is a number"""
    start_response(200, [PLAIN])
    return [b"?\n"]


def status_short(start_response):
    """a status line without its number"""
    start_response("OK", [PLAIN])
    return [b"?\n"]


def status_newline(start_response):
    """a status line that would split the answer"""
    start_response("200 OK\r\nX-Forged: yes", [PLAIN])
    return [b"?\n"]


def headers_type(start_response):
    """headers that are not a list"""
    start_response("200 OK", dict([PLAIN]))
    return [b"?\n"]


def header_type(start_response):
    """a header value that is a number"""
    start_response("200 OK", [PLAIN, ("X-Number", 1)])
    return [b"?\n"]


def header_pair(start_response):
    """a header that is not a pair"""
    start_response("200 OK", [PLAIN, ("X-Single",)])
    return [b"?\n"]


def header_newline(start_response):
    """a header value that would split the answer"""
    start_response("200 OK", [PLAIN, ("X-Value", "one\r\nX-Forged: yes")])
    return [b"?\n"]


def header_name(start_response):
    """a header name that is none"""
    start_response("200 OK", [PLAIN, ("X Name", "value")])
    return [b"?\n"]


def header_text(start_response):
    """a header value beyond latin-1"""
    start_response("200 OK", [PLAIN, ("X-Value", "\N{SNOWMAN}")])
    return [b"?\n"]


def hop_by_hop(start_response):
    """a header that is the server's to send"""
    start_response("200 OK", [PLAIN, ("Transfer-Encoding", "chunked")])
    return [b"?\n"]


def length_text(start_response):
    """a Content-Length that is no number"""
    start_response("200 OK", [PLAIN, ("Content-Length", "many")])
    return [b"?\n"]


# The body, not as PEP 3333 wants it.


def text(start_response):
    """a body of text instead of bytes"""
    start_response("200 OK", [PLAIN])
    return ["text\n"]


def none(start_response):
    """returns None"""
    start_response("200 OK", [PLAIN])


def number(start_response):
    """returns something that is not iterable"""
    start_response("200 OK", [PLAIN])
    return 42


def too_long(start_response):
    """more than its Content-Length"""
    start_response("200 OK", [PLAIN, ("Content-Length", "10")])
    return [b"ten bytes\n", b"and more\n"]


def too_short(start_response):
    """less than its Content-Length"""
    start_response("200 OK", [PLAIN, ("Content-Length", "100")])
    return [b"ten bytes\n"]


# The end of the process.


def die(start_response):
    """os._exit(7): no clean-up, no exception"""
    os._exit(7)


def die_late(start_response):
    """os._exit(7) after the first bytes"""
    start_response("200 OK", [PLAIN])
    yield b"ten bytes\n"
    os._exit(7)


def abort(start_response):
    """os.abort()"""
    os.abort()


def segfault(start_response):
    """reads from address 0"""
    ctypes.string_at(0)


def fork(start_response):
    """forks, and both processes return"""
    os.fork()
    body = b"one answer only\n"
    start_response("200 OK", [PLAIN, ("Content-Length", str(len(body)))])
    return [body]


WAYS = [
    before, after, first, late, late_length, close, exit, exit_late, exit_close, interrupt, base,
    recursion, no_start, twice, replaced, too_late, status_type, status_short, status_newline,
    headers_type, header_type, header_pair, header_newline, header_name, header_text, hop_by_hop,
    length_text, text, none, number, too_long, too_short, die, die_late, abort, segfault, fork,
]
PATHS = {"/" + way.__name__.replace("_", "-"): way for way in WAYS}


def application(environ, start_response):
    way = PATHS.get(environ["PATH_INFO"])
    if way is not None:
        return way(start_response)
    start_response("200 OK" if environ["PATH_INFO"] == "/" else "404 Not Found", [PLAIN])
    return [f"{path:20} {way.__doc__}\n".encode() for path, way in PATHS.items()]
