"""Files by which clients find the service, and which others remove: a reload makes them anew.

What went wrong once: a cleaner of /run, or a deploy, removed the socket file; a reload said that all was well, and no
client came by it.
"""

import os
import signal
import socket

import pytest
from client import Connection
from control import gatewayctl, status
from fleet import APP, Clients
from test_privileges import nobody, why_not
from timing import wait_until

GONE = "the file of unix:{} was not there any more: it has been made anew"


@pytest.fixture
def server(serve, tmp_path):
    def start(*options, **keywords):
        keywords = {"bind": f"unix:{tmp_path}/socket", "files": {"app.py": APP}, **keywords}
        server = serve("app", "--control-socket", tmp_path / "control", *options, **keywords)
        server.control = tmp_path / "control"
        return server

    return start


def get(path):
    with Connection(str(path)) as connection:
        return connection.exchange("GET", "/")


def reload(server):
    before = server.log.count("reloaded in")
    server.signal(signal.SIGHUP)
    wait_until(lambda: server.log.count("reloaded in") == before + 1, "it is over")


@pytest.mark.parametrize("options", [(), ("--preload",)], ids=["plain", "preload"])
def test_a_socket_file_that_is_gone_is_made_anew_by_a_reload(server, tmp_path, options):
    path = tmp_path / "socket"
    server = server(*options, workers=2)
    path.unlink()
    reload(server)
    assert get(path).status == 200
    assert server.log.count(GONE.format(path)) == 1
    reload(server)
    assert server.log.count(GONE.format(path)) == 1
    assert get(path).status == 200
    server.stop()
    assert not path.exists()


def test_who_waits_in_the_old_queue_is_served(server, tmp_path):
    """The only worker is stopped, so the client is in the queue when the file goes; then it is replaced by a reload."""
    path = tmp_path / "socket"
    server = server()
    old = server.worker_pid
    os.kill(old, signal.SIGSTOP)
    with Connection(str(path)) as waiting:
        waiting.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        path.unlink()
        server.signal(signal.SIGHUP)
        response = waiting.receive()
        assert response.status == 200 and int(response.body) != old
    assert get(path).status == 200
    os.kill(old, signal.SIGCONT)
    server.wait_log("reloaded in")


def test_a_generation_that_is_dropped_leaves_no_file(server, tmp_path):
    path = tmp_path / "socket"
    server = server()
    path.unlink()
    (server.directory / "broken").write_text("raise RuntimeError('not today')")
    server.signal(signal.SIGHUP)
    server.wait_log("not reloaded")
    assert not path.exists()
    (server.directory / "broken").unlink()
    reload(server)
    assert get(path).status == 200


def test_a_file_that_was_moved_away_for_a_generation_that_is_dropped_is_the_services_still(server, tmp_path):
    path = tmp_path / "socket"
    server = server()
    path.rename(tmp_path / "moved")
    (server.directory / "broken").write_text("raise RuntimeError('not today')")
    server.signal(signal.SIGHUP)
    server.wait_log("not reloaded")
    (tmp_path / "moved").rename(path)
    assert get(path).status == 200
    server.stop()
    assert not path.exists()


def test_a_name_that_is_anothers_by_now_is_told_and_left(server, tmp_path):
    path = tmp_path / "socket"
    server = server()
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        reload(server)
        server.wait_log(f"--bind: the file of unix:{path} is not there any more: clients cannot connect, "
                        r"and it cannot be made anew: .*Address already in use, by process")
        inode = path.stat().st_ino
        server.stop()
        assert path.stat().st_ino == inode


def test_an_upgrade_makes_it_anew(server, tmp_path):
    path = tmp_path / "socket"
    server = server()
    path.unlink()
    server.signal(signal.SIGUSR2)
    server.wait_log("reloaded in")
    assert get(path).status == 200


def test_the_control_socket_and_the_status_and_the_pid_file_too(server, tmp_path):
    server = server("--status", f"unix:{tmp_path}/status", "--pid", tmp_path / "pid", bind="127.0.0.1:0")
    for name in ("control", "status", "pid"):
        (tmp_path / name).unlink()
    reload(server)
    wait_until(lambda: status(server)["workers"] == "1 serving", "the old worker has left")
    assert (tmp_path / "control").stat().st_mode & 0o777 == 0o600
    with Connection(str(tmp_path / "status")) as connection:
        assert connection.exchange("GET", "/live", [("Host", "localhost")]).status == 200
    assert (tmp_path / "pid").read_text() == f"{server.pid}\n"
    assert gatewayctl(server, "reload", "--wait")[0] == 0
    assert server.log.count("not there any more: it has been made anew") == 3
    server.stop()
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_the_new_file_is_the_users(server, tmp_path):
    path = tmp_path / "socket"
    server = server("--user", "nobody", "--umask", "007")
    path.unlink()
    reload(server)
    assert path.stat().st_uid == nobody().pw_uid
    assert path.stat().st_mode & 0o777 == 0o770


def test_relative_names_are_those_of_the_new_release(serve, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.py").write_text(APP)
    (tmp_path / "current").symlink_to("one")
    server = serve("app", "--chdir", tmp_path / "current", "--pid", "pid", bind="unix:socket")
    assert get(tmp_path / "one" / "socket").status == 200
    (tmp_path / "current").unlink()
    (tmp_path / "current").symlink_to("two")
    reload(server)
    assert get(tmp_path / "two" / "socket").status == 200
    assert (tmp_path / "two" / "pid").read_text() == f"{server.pid}\n"


def test_clients_do_not_notice(server, tmp_path):
    path = tmp_path / "socket"
    server = server("--bind", "127.0.0.1:0", workers=2)
    with Clients(server, 2) as clients:
        for _ in range(3):
            path.unlink()
            reload(server)
            assert get(path).status == 200
    assert clients.failures == []
