"""Where the server listens: every form of --bind, and what is left of it afterwards.

What went wrong once, in one server or another: a stale socket file kept the server from starting, a living
one was taken over, PORT was ignored, only the first of several addresses was served.
"""

import os
import re
import socket
import signal
import stat
import subprocess

import pytest
from client import Connection
from harness import Server, environment, free_port, run
from timing import GATEWAY, wait_until


def answer(address):
    with Connection(address) as connection:
        return connection.exchange("GET", "/").status


def test_port_0_is_chosen_by_the_kernel_and_told_in_the_log(serve):
    server = serve("hello", bind="127.0.0.1:0")
    assert server.port > 0
    assert server.get("/").status == 200


def test_the_log_says_where_it_listens_once(serve):
    server = serve("hello", workers=2)
    assert len(server.addresses) == 1
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", server.addresses[0])


def test_the_variable_port_means_all_addresses(serve):
    port = free_port()
    server = serve("hello", bind=None, env={"PORT": str(port)})
    assert f"http://0.0.0.0:{port}" in server.addresses
    assert answer(("127.0.0.1", port)) == 200
    assert answer(("127.0.0.2", port)) == 200


def test_bind_wins_over_port(serve):
    server = serve("hello", bind="127.0.0.1:0", env={"PORT": str(free_port())})
    assert server.address[0] == "127.0.0.1"


def test_a_bare_port_means_all_addresses(serve):
    port = free_port()
    serve("hello", bind=f":{port}")
    assert answer(("127.0.0.1", port)) == 200
    assert answer(("127.0.0.3", port)) == 200


@pytest.mark.skipif(not os.path.exists("/proc/net/if_inet6"), reason="no IPv6 here")
def test_ipv6(serve):
    server = serve("hello", bind="[::1]:0")
    assert server.address[0] == "::1"
    assert server.get("/").status == 200


def test_a_host_name_is_looked_up(serve):
    server = serve("hello", bind="localhost:0")
    assert server.get("/").status == 200


def test_several_addresses_are_all_served(serve, tmp_path):
    path = str(tmp_path / "socket")
    server = serve("hello", "--bind", "127.0.0.2:0", "--bind", f"unix:{path}", bind="127.0.0.1:0", workers=2)
    assert len(server.addresses) == 3
    assert f"unix:{path}" in server.addresses
    found = [re.fullmatch(r"http://(.*):(\d+)", address) for address in server.addresses]
    addresses = [(match[1], int(match[2])) for match in found if match]
    assert sorted(host for host, _ in addresses) == ["127.0.0.1", "127.0.0.2"]
    assert [answer(address) for address in [*addresses, path] * 2] == [200] * 6


def test_a_unix_socket_is_removed_at_the_end(serve, tmp_path):
    path = tmp_path / "socket"
    server = serve("hello", bind=f"unix:{path}")
    assert answer(str(path)) == 200
    assert stat.S_ISSOCK(path.stat().st_mode)
    server.stop()
    assert not path.exists()


def test_a_relative_unix_path_belongs_to_the_working_directory(serve):
    server = serve("hello", bind="unix:relative.sock")
    assert answer(str(server.directory / "relative.sock")) == 200


def test_a_relative_unix_path_belongs_to_the_directory_of_chdir(serve, tmp_path):
    server = serve("hello", "--chdir", tmp_path, bind="unix:relative.sock")
    assert answer(str(tmp_path / "relative.sock")) == 200
    assert not (server.directory / "relative.sock").exists()
    server.stop()
    assert not (tmp_path / "relative.sock").exists()


def test_a_stale_socket_file_is_replaced(serve, tmp_path):
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    serve("hello", bind=f"unix:{path}")
    assert answer(str(path)) == 200


def test_a_living_socket_is_never_taken_over(serve, tmp_path):
    path = tmp_path / "socket"
    serve("hello", bind=f"unix:{path}")
    done = run("--bind", f"unix:{path}", "hello")
    assert done.returncode == 4, done.stderr
    assert str(path) in done.stderr and re.search("(?i)in use", done.stderr)
    assert answer(str(path)) == 200


def test_a_file_that_is_no_socket_is_never_removed(tmp_path):
    path = tmp_path / "precious"
    path.write_text("precious")
    done = run("--bind", f"unix:{path}", "hello")
    assert done.returncode == 4, done.stderr
    assert "no socket" in done.stderr
    assert path.read_text() == "precious"


def test_an_abstract_socket(serve):
    name = f"gateway-test-{os.getpid()}"
    serve("hello", bind=f"unix:@{name}")
    assert answer("\0" + name) == 200


@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_an_inherited_descriptor(serve, tmp_path, family):
    with socket.socket(socket.AF_INET if family == "tcp" else socket.AF_UNIX) as listener:
        listener.bind(("127.0.0.1", 0) if family == "tcp" else str(tmp_path / "socket"))
        listener.listen()
        address = listener.getsockname()
        server = serve("hello", bind=f"fd://{listener.fileno()}", pass_fds=[listener.fileno()], workers=2)
        assert [answer(address) for _ in range(4)] == [200] * 4
        server.stop()
        assert family == "tcp" or os.path.exists(address), "what others made is not ours to remove"


def test_an_inherited_descriptor_that_does_not_listen_is_refused():
    with socket.socket() as plain:
        done = run("--bind", f"fd://{plain.fileno()}", "hello", pass_fds=[plain.fileno()])
    assert done.returncode in (2, 4), done.stderr
    assert "fd://" in done.stderr


def test_connections_are_spread_over_the_workers(serve):
    app = """
import os

def application(environ, start_response):
    start_response("200 OK", [])
    return [b"%d" % os.getpid()]
"""
    server = serve("app", files={"app.py": app}, workers=2)
    assert len({server.get("/").body for _ in range(60)}) == 2


def test_the_next_server_may_bind_at_once(serve):
    server = serve("hello")
    port = server.port
    with server.connect() as connection:
        assert connection.exchange("GET", "/").status == 200
        server.stop()  # leaves the connection in TIME_WAIT
    with Server("hello", bind=f"127.0.0.1:{port}") as server:
        assert server.get("/").status == 200


def test_of_servers_that_start_together_one_has_the_address(tmp_path):
    # Each had seen that the address was free, and then SO_REUSEPORT let them share it.
    for attempt in range(5):
        command = [GATEWAY, "--workers", "2", "--bind", f"127.0.0.1:{free_port()}", "hello"]
        logs = [tmp_path / f"log-{attempt}-{i}" for i in range(3)]
        starting = [
            subprocess.Popen(command, env=environment(), stdin=subprocess.DEVNULL, stderr=log.open("wb")) for log in logs
        ]
        try:
            wait_until(lambda starting=starting: sum(p.poll() == 4 for p in starting) == 2, "two have given up")
            (alive,) = (process for process in starting if process.poll() is None)
            wait_until(lambda logs=logs: any("ready in" in log.read_text() for log in logs), "one serves")
        finally:
            for process in starting:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                process.wait(20)
        assert alive.returncode == 0


def test_a_socket_file_that_is_another_servers_by_now_is_not_removed(serve, tmp_path):
    path = tmp_path / "socket"
    first = serve("hello", bind=f"unix:{path}")
    path.unlink()
    second = serve("hello", bind=f"unix:{path}")
    first.stop()
    assert answer(str(path)) == 200
    second.stop()
    assert not path.exists()
