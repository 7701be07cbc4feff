"""Applications that close descriptors which are not theirs: while they are imported, and in a call.

What went wrong once: after os.closerange(3, 1024) in a module the worker said nothing, neither that it was ready nor that
it was not, and clients waited for ever; where the listening socket alone was closed it said that it was ready. In a call
the log's own descriptor went with the others, so that nobody heard why the worker ended.
"""

import re
import signal

import pytest
from harness import run
from timing import wait_until

HELPERS = '''
import os, socket, stat


def sockets(listening):
    """The descriptors of the listening sockets, or of the other ones."""
    for entry in os.listdir("/proc/self/fd"):
        try:
            if not stat.S_ISSOCK(os.fstat(int(entry)).st_mode) or int(entry) < 3:
                continue
        except OSError:
            continue
        with socket.socket(fileno=os.dup(int(entry))) as found:
            if bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)) == listening:
                yield int(entry)


def close_all():
    os.closerange(3, 1024)


def close_listening():
    for descriptor in list(sockets(True)):
        os.close(descriptor)


def close_others():
    for descriptor in list(sockets(False)):
        os.close(descriptor)


def replace_all():
    """As what daemonises and then opens its own."""
    os.closerange(3, 1024)
    globals()["kept"] = [os.open("/dev/null", os.O_RDWR) for _ in range(64)]
'''
WAYS = ["close_all", "close_listening", "close_others", "replace_all"]
APP = '''
def application(environ, start_response):
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/close":
        globals()[environ["QUERY_STRING"]]()
    return [b"%d" % os.getpid()]
'''
SENTENCE = r"\[(worker 0|zygote)\] critical: descriptor \d+, [^\n]*, was closed or replaced while the application was imported"


@pytest.mark.parametrize("options", [[], ["--preload"], ["--error-logfile", "log"]], ids=["plain", "preload", "logfile"])
@pytest.mark.parametrize("way", WAYS)
def test_an_import_that_closes_what_is_not_its_own_is_told_and_the_start_fails(tmp_path, way, options):
    (tmp_path / "app.py").write_text(HELPERS + f"{way}()\n" + APP)
    done = run("--bind", "127.0.0.1:0", "--workers", "2", *options, "app", cwd=tmp_path)
    log = (tmp_path / "log").read_text() if "log" in options else done.stderr
    assert done.returncode == 3, log
    assert log.count(" critical: ") == 1 and " error: " not in log, log
    assert re.search(SENTENCE, log), log
    assert "ready in" not in log


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("way", WAYS)
def test_a_call_that_closes_what_is_not_its_own_ends_its_worker_with_a_sentence(serve, way, threads):
    server = serve("app", "--threads", threads, files={"app.py": HELPERS + APP}, crashes=True)
    pid = server.worker_pid
    with server.connect() as connection:
        connection.request("GET", f"/close?{way}")
        wait_until(lambda: server.worker_pids() not in ([], [pid]), "another worker is in its place")
    server.wait_log(r"\[worker 0\] critical: [^\n]* not (its|their) own")
    assert int(server.get("/").body) == server.worker_pid


def test_a_descriptor_of_the_applications_may_have_any_number(serve):
    # What is its own it may close, also where that has the number of one that was the server's in the zygote.
    app = """
import os
early = [os.open("/dev/null", os.O_RDWR) for _ in range(50)]
for descriptor in early:
    os.close(descriptor)
""" + HELPERS + APP
    server = serve("app", "--preload", files={"app.py": app}, workers=2)
    pids = server.worker_pids()
    for _ in range(20):
        assert server.get("/").status == 200
    server.signal(signal.SIGHUP)
    wait_until(lambda: not set(server.worker_pids()) & set(pids), "the reload is over")
    assert " critical: " not in server.log
