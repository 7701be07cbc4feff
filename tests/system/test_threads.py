"""The threads of a worker, as Python's threading sees them.

What went wrong once: they were foreign to `threading`, so coverage, debuggers and profilers missed what ran on them; a
Process that was forked there had exit code 1 although it had succeeded; and where `threading` was imported on one of
them first, it took that one for the main thread, and the stop took 5 s without atexit functions.
"""

import json
import os
import signal

import pytest
from block import Held
from timing import wait_until

APP = '''
import json, os, sys


def noted(text):
    with open("noted", "a") as file:
        file.write(text + " ")


def hold():
    gate = os.open("gate", os.O_RDONLY)
    noted("held")
    os.read(gate, 1)
    os.close(gate)


def describe():
    import threading

    thread = threading.current_thread()
    return {
        "name": thread.name,
        "type": type(thread).__name__,
        "is main": thread is threading.main_thread(),
        "native": thread.native_id == threading.get_native_id(),
        "known": sorted(other.name for other in threading.enumerate()),
        "traced": threading.current_thread().name in globals().get("seen", ()),
    }


def fork():
    import multiprocessing, threading

    threading.current_thread()  # as logging does: then a foreign thread is known by a stand-in
    process = multiprocessing.get_context("fork").Process(target=noted, args=("forked",))
    process.start()
    process.join()
    return process.exitcode


def background():
    """Work that goes on when the answer has left."""
    import threading

    def work():
        noted("begun")
        os.read(gate, 1)
        noted("worked")

    gate = os.open("work", os.O_RDONLY)
    threading.Thread(target=work).start()
    return True


def application(environ, start_response):
    path = environ["PATH_INFO"]
    start_response("200 OK", [])
    if path.startswith("/hold"):
        hold()
        return [b"done"]
    return [json.dumps({"/describe": describe, "/fork": fork, "/background": background}[path]()).encode()]
'''


def held(server, count=1):
    """So many calls that keep a thread each; the main thread is the first."""
    calls = Held(server, "gate", count)
    wait_until(lambda: noted(server).count("held") >= count, "the calls are under way")
    return calls


def noted(server):
    path = server.directory / "noted"
    return path.read_text().split() if path.exists() else []


def start(serve, *options, at_import="", threads=2):
    return serve("app", "--threads", threads, *options, files={"app.py": APP + at_import})


def test_each_is_a_thread_of_pythons_with_a_name(serve):
    server = start(serve, threads=3)
    with held(server):
        found = json.loads(server.get("/describe").body)
    assert found.pop("name") in ("gateway-1", "gateway-2")
    assert found == {
        "type": "Thread",
        "is main": False,
        "native": True,
        "known": ["MainThread", "gateway-1", "gateway-2"],
        "traced": False,
    }
    server.stop()


@pytest.mark.parametrize("hook", ["settrace", "setprofile"])
def test_tracers_and_profilers_see_what_runs_there(serve, hook):
    at_import = f"""
import threading
seen = set()


def hook(frame, event, argument):
    if frame.f_code.co_name == "describe":
        seen.add(threading.current_thread().name)


threading.{hook}(hook)
"""
    server = start(serve, at_import=at_import)
    with held(server):
        assert json.loads(server.get("/describe").body)["traced"]
    server.stop()


@pytest.mark.parametrize("hook, fatal", [("settrace", "call"), ("setprofile", "call"), ("setprofile", "c_call")])
def test_a_thread_that_a_tracer_ends_as_it_begins_is_replaced(serve, hook, fatal):
    # No exception of a call ends a thread of the crew; a tracer or profiler that fails at its beginning does. The worker
    # served with the main thread alone, and did not notice.
    at_import = f"""
import threading


def hook(frame, event, argument):
    if event == {fatal!r} and threading.current_thread().name.startswith("gateway-"):
        raise ValueError


threading.{hook}(hook)
threading.excepthook = lambda raised: noted(raised.thread.name + ":" + raised.exc_type.__name__)
"""
    server = start(serve, at_import=at_import, threads=4)
    with held(server, 3):
        assert not json.loads(server.get("/describe").body)["is main"], "each of four threads serves"
    assert {f"gateway-{count}:ValueError" for count in (1, 2, 3)} <= set(noted(server)), "the hook of threading is called"
    assert server.log.count("a thread for calls ended as it began") == 1, server.log
    server.stop()


def test_a_process_that_is_forked_there_and_succeeds_has_exit_code_0(serve):
    server = start(serve, at_import="import multiprocessing, threading")
    with held(server):
        assert server.get("/fork").body == b"0", server.log
    assert "forked" in noted(server)
    server.stop()


def test_threading_may_be_imported_in_a_call(serve):
    # It is there already: the thread that imports it first is the main thread for it.
    at_import = """
import atexit
atexit.register(noted, "atexit")
noted(str("threading" in sys.modules))
"""
    server = start(serve, at_import=at_import)
    with held(server):
        found = json.loads(server.get("/describe").body)
        assert (found["name"], found["is main"]) == ("gateway-1", False)
    directory = server.directory / "noted"
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert "atexit" in directory.read_text().split(), server.log


def test_work_that_a_call_leaves_to_a_thread_is_waited_for_whichever_thread_ran_the_call(serve):
    server = start(serve, at_import="import threading")
    os.mkfifo(server.directory / "work")
    gate = os.open(server.directory / "work", os.O_RDWR)
    with held(server):
        assert server.get("/background").body == b"true"
    wait_until(lambda: "begun" in noted(server), "the work has begun")
    server.signal(signal.SIGTERM)
    wait_until(lambda: "stopping" in server.log, "the service stops")
    os.write(gate, b"x")
    assert server.wait() == 0
    assert "worked" in noted(server), server.log
    os.close(gate)


PATCHES = {
    # As gevent and eventlet do: what is called a thread runs in the one that started it.
    "by one thread": """
import threading


class Green(threading.Thread):
    def start(self):
        self.run()


threading.Thread = Green
""",
    "by nothing": """
import threading


class Broken(threading.Thread):
    def start(self):
        raise RuntimeError("can't start new thread")


threading.Thread = Broken
""",
}


def test_where_threads_are_no_threads_the_crew_has_its_own(serve):
    server = start(serve, at_import=PATCHES["by one thread"])
    with held(server):
        assert server.get("/describe").status == 200, "by another thread than the one that is held"
    server.stop()


def test_a_thread_that_cannot_be_started_is_told_and_done_without(serve):
    server = start(serve, "--health-path", "/health", at_import=PATCHES["by nothing"], threads=4)
    server.wait_log("a thread cannot be started\nTraceback(.*\n)+RuntimeError: can't start new thread")
    server.wait_log("this worker serves with 1 thread of the 4 that --threads asks for")
    with held(server):
        assert server.get("/health/live").status == 200
    assert json.loads(server.get("/describe").body)["is main"]
    server.stop()
