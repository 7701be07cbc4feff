"""--pid: the file by which scripts find the master.

What went wrong once, in one server or another: it was read while it was empty, it was there before the addresses
were bound, a second server took the file of the first and removed it at its end; a file that was left behind kept a
container from starting, as its number was another program's by then.
"""

import os
import signal
from contextlib import suppress

import pytest
from harness import is_alive, open_files, run
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


def test_a_file_whose_number_is_another_programs_by_now_is_replaced(serve, tmp_path):
    path = tmp_path / "pid"
    path.write_text(f"{os.getpid()}\n")
    server = serve("hello", "--pid", path)
    assert path.read_text() == f"{server.pid}\n"
    assert "--pid" not in server.log
    assert os.listdir(tmp_path) == ["pid"]


def refused(path, pid):
    done = run("--bind", "127.0.0.1:0", "--pid", path, "hello")
    assert done.returncode == 1
    assert f"error: --pid: {path} belongs to process {pid}, which is running" in done.stderr


@pytest.mark.parametrize("options", [(), ("--preload",), ("--status", "127.0.0.1:0")], ids=["plain", "preload", "status"])
def test_the_file_is_the_masters_alone_and_is_kept_over_an_upgrade(serve, tmp_path, options):
    path = tmp_path / "pid"
    server = serve("hello", "--pid", path, *options, workers=2)
    server.signal(signal.SIGUSR2)
    server.wait_log("reloaded in")
    refused(path, server.pid)
    assert path.read_text() == f"{server.pid}\n"
    children = [pid for pid in server.processes() if pid != server.pid]
    assert [str(path) for pid in children if str(path) in open_files(pid)] == []
    for pid in children:
        with suppress(ProcessLookupError):  # one of the old generation may have left by now
            os.kill(pid, signal.SIGSTOP)  # the master's end is no reason for them to leave
    os.kill(server.pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(server.pid), "the master is gone")
    successor = serve("hello", "--pid", path)
    assert path.read_text() == f"{successor.pid}\n"
    server.kill()


def test_an_upgrade_that_is_told_another_file_leaves_the_first_to_nobody(serve, tmp_path):
    config = "pid = '{}'"
    server = serve("hello", files={"gateway.toml": config.format(tmp_path / "one")})
    assert os.listdir(tmp_path) == ["one"]
    (server.directory / "gateway.toml").write_text(config.format(tmp_path / "two"))
    server.signal(signal.SIGUSR2)
    server.wait_log("reloaded in")
    assert os.listdir(tmp_path) == ["two"]
    refused(tmp_path / "two", server.pid)


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


def test_a_path_that_cannot_be_written_is_one_sentence():
    done = run("--bind", "127.0.0.1:0", "--pid", "/nonexistent/pid", "hello")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "error: --pid: /nonexistent/pid cannot be written: No such file or directory" in done.stderr
