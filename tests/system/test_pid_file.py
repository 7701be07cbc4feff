"""--pid: the file by which scripts find the master.

What went wrong once, in one server or another: it was read while it was empty, it was there before the addresses
were bound, a second server took the file of the first and removed it at its end.
"""

import os
import signal

from harness import run
from timing import wait_until


def test_it_holds_the_masters_number_until_the_end(serve, tmp_path):
    path = tmp_path / "pid"
    server = serve("hello", "--pid", path, workers=2)
    assert path.read_text() == f"{server.pid}\n"
    assert os.listdir(tmp_path) == ["pid"]
    os.kill(int(path.read_text()), signal.SIGTERM)
    assert server.wait() == 0
    assert not path.exists()


def test_a_relative_path_is_in_the_working_directory(serve):
    server = serve("hello", "-p", "pid")
    assert (server.directory / "pid").read_text() == f"{server.pid}\n"


def test_a_worker_that_ends_leaves_it(serve, tmp_path):
    path = tmp_path / "pid"
    server = serve("hello", "--pid", path)
    before = server.worker_pid
    os.kill(before, signal.SIGTERM)
    wait_until(lambda: before not in server.worker_pids(), "the worker has left")
    assert path.read_text() == f"{server.pid}\n"


def test_a_second_server_leaves_the_first_its_file(serve, tmp_path):
    path = tmp_path / "pid"
    server = serve("hello", "--pid", path)
    done = run("--bind", "127.0.0.1:0", "--pid", path, "hello")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"error: --pid: {path} belongs to process {server.pid}, which is running" in done.stderr
    assert path.read_text() == f"{server.pid}\n"


def test_a_file_that_was_left_behind_is_replaced(serve, tmp_path):
    path = tmp_path / "pid"
    server = serve("hello", "--pid", path)
    server.kill()
    assert path.read_text() == f"{server.pid}\n"
    successor = serve("hello", "--pid", path)
    assert path.read_text() == f"{successor.pid}\n"


def test_a_file_that_is_another_servers_by_now_is_left(serve, tmp_path):
    path = tmp_path / "pid"
    server = serve("hello", "--pid", path)
    path.write_text(f"{os.getpid()}\n")
    server.stop()
    assert path.read_text() == f"{os.getpid()}\n"


def test_nothing_is_written_when_the_start_fails(serve, tmp_path):
    server = serve("hello")
    done = run("--bind", f"127.0.0.1:{server.port}", "--pid", tmp_path / "pid", "hello")
    assert done.returncode == 4
    done = run("--bind", "127.0.0.1:0", "--pid", tmp_path / "pid", "no_such_module")
    assert done.returncode == 3
    assert os.listdir(tmp_path) == []


def test_a_path_that_can_not_be_written_is_one_sentence():
    done = run("--bind", "127.0.0.1:0", "--pid", "/nonexistent/pid", "hello")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "error: --pid: /nonexistent/pid can not be written: No such file or directory" in done.stderr
