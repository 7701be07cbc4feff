"""Clients that keep their connections and ask on them all the while, through one reload after the other.

    with Keepers(server, KEEPERS) as keepers:
        reload_each_second(server, keepers)
    assert_nobody_noticed(keepers)
"""

import random
import signal
import time

from block import HOLD
from client import Cut
from fleet import Asking
from timing import SLOW, SOAK, wait_until

# Says who has answered, and whom, and gives the body back.
APP = HOLD + '''
import time


def application(environ, start_response):
    name, _, argument = environ["PATH_INFO"][1:].partition("/")
    if name == "sleep":
        time.sleep(float(argument))
    if name == "held":
        hold(argument)
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
                    response = self.ask(connection, *self.choose(number))
                    assert response.get("Connection") in (None, "keep-alive")
                    if number % 4 == 0:
                        time.sleep(0.01)
        except (AssertionError, OSError) as error:
            self.failures.append(repr(error))

    def choose(self, number):
        body = b"%d " % number * (self.answers % 50) if self.answers % 2 else None
        return ("POST" if body else "GET"), body

    def ask(self, connection, method, body):
        response = connection.exchange(method, "/", (), body)
        assert response.status == 200 and response.body == (body or b""), response
        self.pids.add(int(response.get("X-Pid")))
        self.asked[method].add(int(response.get("X-Pid")))
        self.answers += 1
        return response


class Returning(Keepers):
    """Clients as they are where nobody between them and the server repeats anything (RFC 9110 9.2.2, RFC 9112 9.3 and 9.6). A
    connection is kept until an answer says that it ends; some give it up by chance, as pools do. One that ends without a word is a
    failure.

    But for those that pause for longer than a --drain-delay lasts, whom no answer can tell. They ask for what may be repeated, and
    repeat it when a kept connection ended before any byte of the answer: on a fresh one they are answered, too."""

    PAUSE = 4

    def run(self, number):
        kept = None
        try:
            while not self.stopped:
                kept = self.turn(number, kept)
                self.rest(number)
        except (AssertionError, OSError) as error:
            self.failures.append(repr(error))
        finally:
            if kept is not None:
                kept.close()

    def pauses(self, number):
        return number % 8 == 7

    def gives_up(self, number):
        return number % 4 == 1 and random.random() < 0.02

    def choose(self, number):
        return ("GET", None) if self.pauses(number) else super().choose(number)

    def rest(self, number):
        end = time.monotonic() + (self.PAUSE if self.pauses(number) else 0.005)
        while not self.stopped and time.monotonic() < end:
            time.sleep(0.005)

    def turn(self, number, kept):
        """Asks once; the connection for the next time, or None."""
        if kept is not None and kept.has_ended():
            assert self.pauses(number), "a connection ended without a word"
            kept.close()
            kept = None
        connection = kept or self.server.connect(timeout=20)
        method, body = self.choose(number)
        try:
            response = self.ask(connection, method, body)
        except (Cut, ConnectionError):
            connection.close()
            if kept is None or not self.pauses(number) or connection.buffer:
                raise
            return None
        if response.get("Connection") == "close" or self.gives_up(number):
            connection.close()
            return None
        return connection


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
