"""--slow-request: a call that lasts is logged while it runs, with its Python stack.

What went wrong once, in one server or another: the stack was only known after the worker had been killed, or
not at all because the interpreter's lock was held; all threads were dumped, and nobody could tell which one
was slow.
"""

import re
import threading
import time

import pytest
from harness import Server
from timing import SLOW

APP = '''
import ctypes, threading, time

libc_with_lock = ctypes.PyDLL(None)
gate = threading.Lock()
gate.acquire()


def sleep():
    time.sleep(0.8)


def lock():
    gate.acquire(timeout=0.8)


def compute():
    end = time.monotonic() + 0.8
    while time.monotonic() < end:
        pass


def native():
    libc_with_lock.usleep(800_000)


def innermost(way):
    globals()[way]()


def steps():
    yield b"first"
    innermost("sleep")
    yield b"last"


def application(environ, start_response):
    way = environ["PATH_INFO"][1:]
    start_response("200 OK", [])
    if way == "steps":
        return steps()
    if way in globals():
        innermost(way)
    return [b"done"]
'''


@pytest.fixture(scope="module", params=[1, 3], ids=["one-thread", "three-threads"])
def server(request):
    options = ["--threads", request.param, "--slow-request", "200ms"]
    with Server("app", *options, files={"app.py": APP}) as server:
        server.threads = request.param
        yield server


@pytest.mark.parametrize("way", ["sleep", "lock", "compute", "native", "steps"])
def test_a_slow_call_is_logged_once_while_it_runs(server, way):
    before = len(server.log)
    with server.connect() as connection:
        begun = time.monotonic()
        connection.request("GET", f"/{way}?x=\"1\"")
        found = server.wait_log(rf'warning: "GET /{way}\?x=\\"1\\" HTTP/1.1" has run for (\d\.\d) s\n', since=before)
        assert time.monotonic() - begun < 0.7 * SLOW, "it is logged while it runs"
        assert 0.2 <= float(found[1]) <= 0.4 * SLOW
        body = connection.receive().body
        assert body == (b"firstlast" if way == "steps" else b"done"), "and goes on"
    log = server.log[before:]
    assert log.count("has run for") == 1
    function = "sleep" if way == "steps" else way
    assert re.search(rf'in {function}\n.*in innermost\n.*in (application|steps)\n', log), log
    assert log.count("most recent call first") == 1, "of one thread"


def test_fast_calls_are_not_logged(server):
    before = len(server.log)
    for _ in range(20):
        assert server.get("/").body == b"done"
    time.sleep(0.3)
    assert server.log[before:] == ""


def test_each_of_several_slow_calls_is_logged():
    with Server("app", "--threads", "3", "--slow-request", "200ms", files={"app.py": APP}) as server:
        threads = [threading.Thread(target=server.get, args=[f"/{way}"]) for way in ("sleep", "lock", "steps")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for way in ("sleep", "lock", "steps"):
            assert len(re.findall(rf'"GET /{way} HTTP/1.1" has run for', server.log)) == 1
        assert server.log.count("in innermost") == 3


def test_without_the_option_nothing_is_logged():
    with Server("app", files={"app.py": APP}) as server:
        assert server.get("/sleep").body == b"done"
        assert "has run" not in server.log
