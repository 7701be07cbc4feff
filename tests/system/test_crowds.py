"""Twelve hundred slow clients at once, and one thread: who is not slow himself does not notice them.

What went wrong once, in one server or another: eight slow readers were as many as there were threads, and everybody else waited;
each held the whole of its answer in memory; a body that came byte by byte was waited for as long as it pleased, because
something did come; what was spooled for clients that had gone was never given back.

The readers take 1 KiB/s of an answer of 1 MB from a generator, the writers send five bytes a second, each alone.
"""

import os
import statistics
import time
from contextlib import ExitStack

import pytest
from crowd import Client, Crowd, every, readers, writers
from harness import Server
from test_memory import private_bytes
from timing import PATIENCE, SANITIZED, SLOW, report, wait_until

APP = '''
BLOCK = b"." * 10000
finished = 0


def generator():
    global finished
    for _ in range(100):
        yield BLOCK
    finished += 1


def application(environ, start_response):
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/generator":
        return generator()
    return [b"%d" % finished]
'''

LEAST_RATE_AFTER = 10  # seconds that a body may be slow
WRITERS = writers(200, "/", ramp=0.5)
# One thread makes 1 MB in some 3 ms. With more of them a second there would be a queue, in whatever order they are served.
READERS = readers(1000, "/generator", ramp=10)
FEWER = readers(100, "/generator", ramp=1)
SECONDS = LEAST_RATE_AFTER + 1.2
MEMORY = 16 * 1024  # bytes, --response-memory
DEFAULT_MEMORY = 256 * 1024
STILL = 300  # readers in the gate, which take the first bytes and no more
OWN_MEMORY = 8 * 1024  # what a connection and a call may need besides

PROMPT = 0.02 * SLOW  # seconds
PAUSE = 0.05


class Extra:
    """Asks by turns on a connection that is kept and on a fresh one."""

    def __init__(self, server):
        self.server = server
        self.kept = server.connect()
        self.finished = 0
        self.ask(0)
        self.ask(1)

    def ask(self, number):
        if number % 2:
            with self.server.connect() as fresh:
                self.finished = int(fresh.exchange().body)
        else:
            self.finished = int(self.kept.exchange().body)


def descriptors(server):
    """Once those of connections just closed have gone."""
    folder = f"/proc/{server.worker_pid}/fd"

    def steady():
        before = len(os.listdir(folder))
        time.sleep(PAUSE)
        return before if before == len(os.listdir(folder)) else None

    return wait_until(steady, "as many descriptors as before")


def assert_prompt(times):
    times = sorted(times)
    report("an extra request beside slow clients", *times)
    assert statistics.median(times) < PROMPT, times
    assert times[len(times) * 95 // 100] < PROMPT, times[-20:]
    # One or another may have missed the processor, which others use, too. But who waited for one of the slow clients would
    # have waited for its next step.
    assert times[-1] < READERS.pause / 2 * SLOW, times[-20:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("crowds")


@pytest.fixture(scope="module")
def observed(folder):
    """Both crowds, from the first client to the last: everything that the tests below look at."""
    options = ["--response-memory", MEMORY, "--tmp-dir", folder]
    with Server("app", *options, files={"app.py": APP}) as server:
        extra = Extra(server)
        found = {"descriptors": descriptors(server), "memory": private_bytes(server.worker_pid)}
        with Crowd(server.address, READERS, SECONDS) as reading, Crowd(server.address, WRITERS, SECONDS) as writing:
            found["times"] = every(PAUSE, extra.ask, SECONDS, server.worker_pid)
            found["readers"], found["writers"] = reading.outcomes(), writing.outcomes()
            found["finished"] = extra.finished
            found["memory"] = private_bytes(server.worker_pid) - found["memory"]
            found["opened"] = descriptors(server) - found["descriptors"]
            found["files"] = os.listdir(folder)
        yield found | {"server": server}
        extra.kept.close()


@pytest.mark.parametrize("memory", [MEMORY, DEFAULT_MEMORY])
def test_readers_that_do_not_read_on_are_served_and_others_beside_them(folder, memory):
    with Server("app", "--response-memory", memory, "--tmp-dir", folder, files={"app.py": APP}) as server, ExitStack() as stack:
        extra = Extra(server)
        before, own = descriptors(server), private_bytes(server.worker_pid)
        crowd = [Client(server.address, READERS) for _ in range(STILL)]
        for number, reader in enumerate(crowd):
            stack.callback(reader.socket.close)
            reader.socket.settimeout(PATIENCE)
            assert reader.socket.recv(12) == b"HTTP/1.1 200"
            extra.ask(number)
        wait_until(lambda: extra.ask(0) or extra.finished == STILL, "the application has long finished")
        assert os.listdir(folder) == [], "spools have no name"
        assert descriptors(server) - before >= 2 * STILL, "each has one"
        each = (private_bytes(server.worker_pid) - own) / STILL
        assert SANITIZED or each <= memory + OWN_MEMORY
        for reader in crowd:
            reader.socket.close()
        wait_until(lambda: descriptors(server) == before, "their descriptors are closed")
        extra.kept.close()


@pytest.fixture(autouse=True)
def deadline():
    """Longer than usual: in the test that comes first the crowds are at work."""
    yield


@pytest.mark.timing
def test_an_extra_request_is_answered_at_once_all_the_while(observed):
    assert_prompt(observed["times"])


@pytest.mark.timing
def test_every_reader_is_being_served_and_the_application_has_long_finished(observed):
    assert observed["finished"] == READERS.count
    assert len(observed["readers"]) == READERS.count
    for status, received, ended in observed["readers"]:
        assert (status, ended) == (200, None) and received > 0


@pytest.mark.timing
def test_every_writer_gets_its_408_when_its_time_is_over(observed):
    assert len(observed["writers"]) == WRITERS.count
    for status, _, seconds in observed["writers"]:
        assert status == 408
        assert LEAST_RATE_AFTER - PROMPT <= seconds < LEAST_RATE_AFTER + WRITERS.pause + 1 * SLOW


@pytest.mark.timing
@pytest.mark.skipif(SANITIZED, reason="a sanitizer's own memory hides ours")
def test_memory_stays_within_the_limit_of_each_answer(observed):
    assert observed["memory"] <= READERS.count * (MEMORY + OWN_MEMORY)


@pytest.mark.timing
def test_nothing_of_them_is_left(observed, folder):
    assert observed["opened"] >= 2 * READERS.count, "each had a spool"
    assert observed["files"] == [], "without a name"
    server = observed["server"]
    wait_until(lambda: descriptors(server) == observed["descriptors"], "their descriptors are closed")
    assert os.listdir(folder) == []


@pytest.mark.timing
def test_the_same_with_as_much_memory_as_is_the_default():
    with Server("app", files={"app.py": APP}) as server:
        extra = Extra(server)
        before, memory = descriptors(server), private_bytes(server.worker_pid)
        seconds = FEWER.ramp + 1.2 * FEWER.pause  # each has had its step
        with Crowd(server.address, FEWER, seconds) as crowd:
            assert_prompt(every(PAUSE, extra.ask, seconds, server.worker_pid))
            assert {status for status, _, _ in crowd.outcomes()} == {200}
            each = (private_bytes(server.worker_pid) - memory) / FEWER.count
            assert SANITIZED or DEFAULT_MEMORY / 2 < each <= DEFAULT_MEMORY + OWN_MEMORY
        wait_until(lambda: descriptors(server) == before, "their descriptors are closed")
        assert extra.finished == FEWER.count
        extra.kept.close()
