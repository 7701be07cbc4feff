"""Sockets that systemd has bound (LISTEN_FDS), by a stand-in for it.

What went wrong once, in one server or another: sockets meant for another process were taken, the variables reached the
application's children, the socket file was removed at the end although systemd went on listening.
"""

import os
import re
import socket
import subprocess

import pytest
from client import Connection
from harness import environment
from manager import passing, pid_prefix
from timing import GATEWAY, PATIENCE


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as bound:
        yield bound


def start(serve, listeners, *options, pid="$$", names="http", bind=None, **keywords):
    variables = {"LISTEN_FDS": str(len(listeners)), "LISTEN_FDNAMES": names, **keywords.pop("env", {})}
    return serve("hello", *options, bind=bind, env=variables, prefix=pid_prefix(pid), **passing(listeners), **keywords)


def status_at(address):
    with Connection(address) as connection:
        return connection.exchange("GET", "/").status


def test_a_socket_that_was_passed_is_served(serve, listener):
    server = start(serve, [listener], workers=2)
    assert server.addresses == ["http://127.0.0.1:%d" % listener.getsockname()[1]]
    assert [status_at(listener.getsockname()) for _ in range(8)] == [200] * 8


def test_several_sockets_are_all_served(serve, listener, tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as second:
        second.bind(path)
        second.listen()
        server = start(serve, [listener, second], names="http:local")
        assert server.addresses == ["http://127.0.0.1:%d" % listener.getsockname()[1], f"unix:{path}"]
        assert status_at(listener.getsockname()) == status_at(path) == 200
        server.stop()
        assert os.path.exists(path)


def test_who_connected_before_the_start_is_answered(serve, listener):
    with Connection(listener.getsockname()) as early:
        early.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        start(serve, [listener])
        assert early.receive().status == 200


def test_they_come_in_the_place_of_bind(serve, listener):
    server = start(serve, [listener], bind="127.0.0.1:1")
    assert status_at(listener.getsockname()) == 200
    assert len(server.addresses) == 1
    assert "info: --bind is not used: the sockets are those of LISTEN_FDS" in server.log


def test_sockets_for_another_process_are_left_alone(serve, listener):
    server = start(serve, [listener], pid=1, bind="127.0.0.1:0")
    assert server.port != listener.getsockname()[1]
    assert server.get("/").status == 200


def test_the_socket_outlives_the_service(serve, listener):
    start(serve, [listener]).stop()
    with Connection(listener.getsockname()) as waiting:
        waiting.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        start(serve, [listener])
        assert waiting.receive().status == 200


def test_the_applications_children_have_neither_sockets_nor_variables(serve, listener):
    app = """
import os, subprocess

def application(environ, start_response):
    child = ["/bin/sh", "-c", "env | grep -c ^LISTEN_; readlink /proc/$$/fd/3"]
    done = subprocess.run(child, stdout=subprocess.PIPE, close_fds=False)
    start_response("200 OK", [])
    return [done.stdout]
"""
    variables = {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "http"}
    server = serve("app", files={"app.py": app}, bind=None, env=variables, prefix=pid_prefix(), **passing([listener]))
    assert re.fullmatch(rb"0\n(?!socket:).*", server.get("/").body, re.DOTALL)


def test_what_is_no_listening_socket_is_one_sentence(tmp_path):
    with socket.socket() as plain:
        done = subprocess.run(
            [*pid_prefix(), GATEWAY, "hello"], env=environment({"LISTEN_FDS": "1"}), cwd=tmp_path, capture_output=True,
            text=True, timeout=PATIENCE, **passing([plain]))
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert '"fd://3" is not a listening socket that this process inherited' in done.stderr
