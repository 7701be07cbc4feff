"""Clients that keep their connections and ask on them all the while, through one reload after the other.

    with Keepers(server, KEEPERS) as keepers:
        reload_each_second(server, keepers)
    assert_nobody_noticed(keepers)
"""

import signal
import time

from fleet import Asking
from timing import SLOW, SOAK, wait_until

# Says who has answered, and whom, and gives the body back.
APP = '''
import ctypes, os, time

libc_with_lock = ctypes.PyDLL(None)  # its calls keep the GIL


def application(environ, start_response):
    name, _, argument = environ["PATH_INFO"][1:].partition("/")
    if name == "sleep":
        time.sleep(float(argument))
    if name == "native":
        libc_with_lock.usleep(int(float(argument) * 1e6))
    body = environ["wsgi.input"].read()
    start_response("200 OK", [
        ("X-Pid", str(os.getpid())),
        ("X-Peer", environ["REMOTE_ADDR"] + " " + environ["REMOTE_PORT"]),
        ("X-Length", environ.get("CONTENT_LENGTH", "none")),
        ("X-Server", environ["SERVER_PORT"]),
    ])
    return [body]
'''

# `make soak` asks for a million requests over 64 connections.
KEEPERS = 64 if SOAK else 16
ENOUGH = 1_000_000 if SOAK else 500 / SLOW


class Keepers(Asking):
    """Clients with one connection each, on which they ask again and again, GET and POST; a connection that ends
    is a failure."""

    def __init__(self, server, count):
        self.failures, self.answers, self.pids = [], 0, set()
        self.asked = {"GET": set(), "POST": set()}  # by which way of asking: process numbers
        super().__init__(server, count)

    def run(self, number):
        try:
            with self.server.connect(timeout=20) as connection:
                while not self.stopped:
                    body = b"%d " % number * (self.answers % 50) if self.answers % 2 else None
                    method = "POST" if body else "GET"
                    response = connection.exchange(method, "/", (), body)
                    assert response.status == 200 and response.body == (body or b""), response
                    assert response.get("Connection") in (None, "keep-alive")
                    self.pids.add(int(response.get("X-Pid")))
                    self.asked[method].add(int(response.get("X-Pid")))
                    self.answers += 1
                    if number % 4 == 0:
                        time.sleep(0.01)
        except (AssertionError, OSError) as error:
            self.failures.append(repr(error))


def reload_each_second(server, keepers):
    """Asks for it; one that is under way is not interrupted."""
    end = time.monotonic() + 8
    while time.monotonic() < end or (keepers.answers < ENOUGH and not keepers.failures):
        server.signal(signal.SIGHUP)
        time.sleep(1)
    wait_until(lambda: server.log.count("reloaded in") >= 2, "reloads")


def assert_nobody_noticed(keepers):
    assert keepers.failures == []
    assert keepers.answers >= ENOUGH
    assert len(keepers.pids) >= 4, "of two generations"
