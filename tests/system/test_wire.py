"""Every raw request of tests/wire against the real program, whole and byte by byte.

What went wrong once, in one server or another: a request was refused when it came in one packet and
accepted when it came in two, or the other way round; the unit tests alone feed the parser, not the sockets.
"""

import re

import pytest
import wire
from client import Cut
from harness import Server

CASES = wire.load()


def asks_for_the_close(case):
    """A client that sends more behind such a request may meet a reset: that is no case for slow sending."""
    return case.name.startswith("connection/") and not case.expectation.answers[-1].keep_alive


# Every case is sent whole; every third one also byte by byte, where it is short enough for that.
BYTEWISE = [case for case in CASES[::3] if len(case.raw) < 2000 and not asks_for_the_close(case)]


@pytest.fixture(scope="module")
def server():
    with Server("echo") as server:
        yield server


def outcome(connection, raw):
    """[(status, does the connection stay open?)] of the final answers, until the server closes."""
    answers = []
    while True:
        try:
            # The answer to a HEAD has a length and no body; in a pipeline the methods follow each other.
            response = connection.receive(method_of(raw, len(answers)))
        except Cut:
            return answers
        if response.status >= 200:
            answers.append((response.status, response.get("Connection") != "close"))


def method_of(raw, number):
    methods = re.findall(rb"(?:^|\n)([A-Z]+) \S+ HTTP/1\.\d\r\n", raw)
    return methods[number].decode() if number < len(methods) else "GET"


def check(case, answers):
    expected = [(answer.status, answer.keep_alive) for answer in case.expectation.answers]
    seen = answers
    if case.expectation.incomplete:
        # What is incomplete is never run: nothing, or a refusal, is all there may be to it.
        seen = answers[: len(expected)]
        rest = answers[len(expected) :]
        assert all(status in (400, 408) for status, _ in rest), f"{case.sentence}: {answers}"
    assert seen == expected, f"{case.sentence}\n{case.raw[:500]!r}"


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_whole(server, case):
    with server.connect() as connection:
        try:
            connection.send(case.raw)
            connection.finish()
        except OSError:
            pass  # refused before all of it was sent; the answer counts
        check(case, outcome(connection, case.raw))


@pytest.mark.parametrize("case", BYTEWISE, ids=[case.name for case in BYTEWISE])
def test_byte_by_byte(server, case):
    with server.connect() as connection:
        try:
            for byte in case.raw:
                connection.send(bytes([byte]))
            connection.finish()
        except OSError:
            pass
        check(case, outcome(connection, case.raw))
