"""An application that runs programs and has pools of processes, as those do that make PDFs or call Git.

What went wrong once, in one server or another: the server reaped the application's children, so that waitpid failed; children kept
the listening socket; sys.executable was the server, so that each process of a pool was a server; what a thread other than the
main one had started ignored terminate(), since the server's threads blocked all signals and children inherit that.
"""

import os
import signal

import pytest
from debian import APPS
from harness import open_files

SQUARES = "[0, 1, 4, 9, 16]"


@pytest.mark.parametrize("threads", [1, 4])
def test_an_application_may_have_processes(serve, threads):
    server = serve("processes_site", "--pythonpath", APPS, "--threads", threads)
    text = b"some text " * 100000
    assert server.request("POST", "/filter", body=text).body == text.upper()
    assert server.get("/python").text == "the same"
    assert server.get("/wait").text == "7"
    for page in ("/fork", "/forkserver", "/spawn", "/executor-forkserver", "/executor-spawn"):
        assert (page, server.get(page).text) == (page, SQUARES)
    for page in ("/process-forkserver", "/process-spawn"):
        assert (page, server.get(page).text) == (page, "0")
    assert "Traceback" not in server.log, server.log


def test_children_of_every_thread_can_be_terminated(serve):
    server = serve("processes_site", "--pythonpath", APPS, "--threads", 2)
    with server.connect() as one, server.connect() as other:
        for connection in (one, other):
            connection.request("GET", "/terminate")
        told = {connection.receive().text for connection in (one, other)}
    assert told == {"main 0 [-15, -15]", "other 0 [-15, -15]"}


def test_a_child_that_stays_holds_nothing_of_the_server(serve):
    server = serve("processes_site", "--pythonpath", APPS)
    child = int(server.get("/leave").text)
    held = [name for name in open_files(child) if not name.startswith(("/dev/null", str(server.directory)))]
    assert held == [], held
    os.kill(child, signal.SIGKILL)
