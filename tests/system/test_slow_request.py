"""--slow-request: a call that lasts is logged while it runs, with its Python stack.

What went wrong once, in one server or another: the stack was only known after the worker had been killed, or
not at all because the interpreter's lock was held; all threads were dumped, and nobody could tell which one
was slow.
"""

import os
import re
import time
from contextlib import contextmanager

import pytest
from block import HOLD
from harness import Server
from timing import wait_until

APP = HOLD + '''
def innermost(way):
    hold(way)


def steps():
    yield b"first"
    innermost("sleep")
    yield b"last"


def application(environ, start_response):
    way = environ["PATH_INFO"][1:]
    start_response("200 OK", [])
    if way == "steps":
        return steps()
    if way:
        innermost(way)
    return [b"done"]
'''


@pytest.fixture(scope="module", params=[1, 3], ids=["one-thread", "three-threads"])
def server(request):
    options = ["--threads", request.param, "--slow-request", "200ms"]
    with Server("app", *options, files={"app.py": APP}) as server:
        server.threads = request.param
        yield server


@contextmanager
def opened(server):
    """The calls' gate, where each takes a byte at its end."""
    path = server.directory / "gate"
    if not path.exists():
        os.mkfifo(path)
    gate = os.open(path, os.O_RDWR)
    yield gate
    os.close(gate)


@pytest.mark.parametrize("way", ["sleep", "lock", "compute", "native", "steps"])
def test_a_slow_call_is_logged_once_while_it_runs(server, way):
    before = len(server.log)
    with server.connect() as connection, opened(server) as gate:
        begun = time.monotonic()
        connection.request("GET", f"/{way}?x=\"1\"")
        found = server.wait_log(rf'warning: "GET /{way}\?x=\\"1\\" HTTP/1.1" has run for (\d+\.\d) s\n', since=before)
        assert 0.2 <= float(found[1]) <= time.monotonic() - begun + 0.05
        os.write(gate, b"x")  # until here it runs
        body = connection.receive().body
        assert body == (b"firstlast" if way == "steps" else b"done"), "and goes on"
    log = server.log[before:]
    assert log.count("has run for") == 1
    function = "sleep" if way == "steps" else way
    assert re.search(rf'in hold_{function}\n.*in hold\n.*in innermost\n.*in (application|steps)\n', log), log
    assert log.count("most recent call first") == 1, "of one thread"


def test_fast_calls_are_not_logged(server):
    before = len(server.log)
    for _ in range(20):
        assert server.get("/").body == b"done"
    time.sleep(0.3)
    # A call that waited that long for a core is a slow one, too.
    assert "innermost" not in server.log[before:]


def test_each_of_several_slow_calls_is_logged():
    with Server("app", "--threads", "3", "--slow-request", "200ms", files={"app.py": APP}) as server:
        ways = ("sleep", "lock", "steps")
        with opened(server) as gate:
            connections = [server.connect() for _ in ways]
            for way, connection in zip(ways, connections):
                connection.request("GET", f"/{way}")
            for way in ways:
                server.wait_log(rf'"GET /{way} HTTP/1.1" has run for')
            wait_until(lambda: server.log.count("in innermost") == 3, "all three stacks")
            os.write(gate, b"xxx")
            for connection in connections:
                assert connection.receive().status == 200
                connection.close()
        for way in ways:
            assert len(re.findall(rf'"GET /{way} HTTP/1.1" has run for', server.log)) == 1
        assert server.log.count("in innermost") == 3


def test_without_the_option_nothing_is_logged():
    with Server("app", files={"app.py": APP}) as server:
        with opened(server) as gate, server.connect() as connection:
            connection.request("GET", "/sleep")
            connection.assert_open(0.8)
            os.write(gate, b"x")
            assert connection.receive().body == b"done"
        assert "has run" not in server.log
