"""The PROXY protocol: behind a load balancer that passes bytes on, REMOTE_ADDR is the client's all the same.

What went wrong once, in one server or another: anybody could send the header and be whom he liked; a header that came in two
pieces was a bad request; TLVs were taken for the request; a health check without an address broke the connection; a client that the
balancer could not name was believed like the balancer itself.
"""

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import time

import pytest
from client import Connection, chunked
from timing import PATIENCE, SLOW, wait_until

JSON = ("Accept", "application/json")
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
CLIENT = ["203.0.113.9", "4711"]
LINE = b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\n"
TLVS = b"\x04\0\x07GET / H" + b"\x02\0\x0bexample.org"


def binary(command, family, addresses=b"", tlvs=b""):
    return SIGNATURE + struct.pack("!BBH", 0x20 | command, family, len(addresses + tlvs)) + addresses + tlvs


def inet(family):
    v6 = family == socket.AF_INET6
    source, destination = ("2001:db8::9", "2001:db8::1") if v6 else ("203.0.113.9", "192.0.2.1")
    packed = b"".join(socket.inet_pton(family, address) for address in (source, destination))
    return packed + struct.pack("!HH", 4711, 443)


V4, V6 = inet(socket.AF_INET), inet(socket.AF_INET6)
HEADERS = {
    "line-4": (LINE, CLIENT),
    "line-6": (b"PROXY TCP6 2001:db8::9 2001:db8::1 4711 443\r\n", ["2001:db8::9", "4711"]),
    "line-unknown": (b"PROXY UNKNOWN\r\n", None),
    "binary-4": (binary(1, 0x11, V4), CLIENT),
    "binary-6": (binary(1, 0x21, V6, TLVS), ["2001:db8::9", "4711"]),
    "binary-tlvs": (binary(1, 0x11, V4, TLVS * 200), CLIENT),
    "binary-unix": (binary(1, 0x31, b"/run/a".ljust(216, b"\0")), ["", ""]),
    "binary-local": (binary(0, 0), None),
    "binary-unspec": (binary(1, 0, b"", TLVS), None),
    "binary-unspec-stream": (binary(1, 1), None),
}


def ask(connection, headers=()):
    return json.loads(connection.exchange("GET", "/", [JSON, *headers]).body)


def remote(connection, headers=()):
    environ = ask(connection, headers)
    return [environ["REMOTE_ADDR"], environ["REMOTE_PORT"]]


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "unix:socket"])
@pytest.mark.parametrize("header, client", HEADERS.values(), ids=HEADERS.keys())
def test_the_client_is_who_the_header_names(serve, bind, header, client):
    server = serve("environ", "--proxy-protocol", "auto", bind=bind)
    address = server.address if "127" in bind else str(server.directory / "socket")
    for pieces in [[header], [header[:9], header[9:]]]:
        with Connection(address) as connection:
            for piece in pieces:
                connection.send(piece)
                time.sleep(0.02)  # so that they arrive apart, as far as that can be had
            own = connection.socket.getsockname()
            own = [own[0], str(own[1])] if "127" in bind else ["", ""]
            assert [remote(connection) for _ in range(3)] == [client or own] * 3


def test_a_client_is_not_believed_about_itself(serve):
    server = serve("environ", "--proxy-protocol", "auto")
    with server.connect() as connection:
        connection.send(LINE)
        assert remote(connection, [("X-Forwarded-For", "6.6.6.6")]) == CLIENT


OTHERS = {key: header for key, (header, client) in HEADERS.items() if client != CLIENT and "6" not in key}


@pytest.mark.parametrize("header", OTHERS.values(), ids=OTHERS.keys())
def test_a_client_that_is_not_named_is_not_believed_about_itself(serve, header):
    """Only LOCAL is the balancer's own connection. The connection moves to another worker in between."""
    server = serve("environ", "--proxy-protocol", "auto", "--forwarded-allow-ips", "127.0.0.1,unix")
    said = [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Proto", "https"), ("X-Request-Id", "evil")]
    believed = header == HEADERS["binary-local"][0]
    with server.connect() as connection:
        connection.send(header)
        for moves in range(2):
            environ = ask(connection, said)
            assert (environ["REMOTE_ADDR"] == "6.6.6.6") == believed
            assert environ["wsgi.url_scheme"] == ("https" if believed else "http")
            assert ("HTTP_X_FORWARDED_FOR" in environ) == believed
            if not moves:
                old = server.worker_pid
                os.kill(old, signal.SIGTERM)
                wait_until(lambda: old not in server.worker_pids(), "it has left")


@pytest.mark.parametrize("family, name", [(0x12, "UDP over IPv4"), (0x32, "Unix-domain datagrams")])
def test_a_family_that_is_not_supported_is_told_as_that(serve, family, name):
    server = serve("environ", "--proxy-protocol", "auto")
    mark = len(server.log)
    with server.connect() as connection:
        connection.send(binary(1, family, b"\0" * 216))
        connection.assert_closed()
    server.wait_log(rf"a header of --proxy-protocol for {name} \(0x{family:x}\), which is not supported", mark)


@pytest.mark.parametrize("version, header", [("v1", LINE), ("v2", binary(1, 0x11, V4))])
def test_who_is_not_trusted_speaks_http(serve, version, header):
    server = serve("environ", "--proxy-protocol", version, "--forwarded-allow-ips", "10.0.0.0/8")
    with server.connect() as connection:
        assert remote(connection)[0] == "127.0.0.1"
    assert server.raw(header + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").status == 400


@pytest.mark.parametrize("wrong", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"PROXY \x1b[31m\r\n", b"\x16\x03\x01"])
def test_what_has_no_header_is_closed_and_told_once(serve, wrong):
    server = serve("environ", "--proxy-protocol", "auto")
    mark = len(server.log)
    with server.connect() as connection:
        connection.send(wrong)
        connection.assert_closed()
    server.wait_log("does not begin with a header of --proxy-protocol", mark)
    assert server.log[mark:].count("\n") == 1 and "\x1b" not in server.log


def test_a_header_that_does_not_end_has_its_time(serve):
    server = serve("environ", "--proxy-protocol", "v1", "--header-timeout", "300ms")
    with server.connect() as connection:
        connection.send(LINE[:20])
        connection.assert_closed()
    server.wait_log("ended within its header of --proxy-protocol")


@pytest.mark.parametrize("header", [LINE, b"PROXY TCP4 127.0.0.1 127.0.0.1 4711 443\r\n"])
def test_the_client_moves_with_its_connection(serve, header):
    """Also one that would have to send a header, were it the peer."""
    client = [header.split()[2].decode(), "4711"]
    server = serve("environ", "--proxy-protocol", "auto")
    with server.connect() as connection:
        connection.send(header)
        assert remote(connection) == client
        old = server.worker_pid
        os.kill(old, signal.SIGTERM)
        wait_until(lambda: old not in server.worker_pids(), "it has left")
        assert remote(connection) == client


@pytest.mark.parametrize("sent", [b"", LINE[:9]], ids=["silent", "within the header"])
def test_a_connection_in_front_of_its_header_moves_at_a_reload(serve, sent):
    """It stayed with the old worker, which waited for it, and was closed."""
    server = serve("environ", "--proxy-protocol", "auto", "--header-timeout", "1h", "--bind", "unix:socket")
    with Connection(str(server.directory / "socket")) as connection:
        connection.send(sent)
        with Connection(str(server.directory / "socket")) as other:
            other.send(LINE)
            assert remote(other) == ["203.0.113.9", "4711"], "its turn: the first connection is accepted"
        old = server.worker_pid
        server.signal(signal.SIGHUP)
        wait_until(lambda: old not in server.worker_pids(), "it has left")
        connection.send(LINE[len(sent) :])
        assert remote(connection) == ["203.0.113.9", "4711"]


def test_uploads_and_the_access_log(serve):
    server = serve(
        "upload", "--proxy-protocol", "v2", "--access-logfile", "access", "--access-logformat", "%(h)s %(s)s"
    )
    with server.connect() as connection:
        body = chunked(b"x" * 70000)
        connection.send(binary(1, 0x11, V4))
        response = connection.exchange("POST", "/", [("Transfer-Encoding", "chunked")], body)
        assert response.status == 200, response
    log = server.directory / "access"
    wait_until(lambda: log.read_text() == f"{CLIENT[0]} 200\n", "the line", 5)


def test_the_status_page_is_not_behind_it(serve):
    server = serve("environ", "--proxy-protocol", "v1", "--status", "unix:status")
    path = str(server.directory / "status")
    wait_until(lambda: os.path.exists(path), "it is there")
    with Connection(path) as connection:
        assert connection.exchange("GET", "/live", [("Host", "localhost")]).status == 200


HAPROXY = """
defaults
    mode tcp
    timeout connect 10s
    timeout client 60s
    timeout server 60s
frontend proxy
    bind 127.0.0.1:{free}
    default_backend service
backend service
    server gateway 127.0.0.1:{port} check inter 100ms {send}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.skipif(not shutil.which("haproxy"), reason="haproxy is not installed")
@pytest.mark.parametrize("send", ["send-proxy", "send-proxy-v2", "send-proxy-v2 check-send-proxy"])
def test_behind_haproxy(serve, send):
    server = serve("environ", "--proxy-protocol", "auto")
    free = free_port()
    (server.directory / "config").write_text(HAPROXY.format(free=free, port=server.port, send=send))
    with open(server.directory / "proxy.log", "wb") as log:
        proxy = subprocess.Popen(
            ["haproxy", "-db", "-f", "config"], cwd=server.directory, stdout=log, stderr=log
        )
    try:
        connection = wait_until(lambda: connect_from("127.0.0.2", free), "haproxy listens")
        time.sleep(0.5 * SLOW)  # some health checks: none may be told
        with connection:
            assert remote(connection) == ["127.0.0.2", str(connection.socket.getsockname()[1])]
        assert "--proxy-protocol" not in server.log
    finally:
        proxy.terminate()
        proxy.wait()


def connect_from(source, port):
    """A connection whose client is not the proxy; None while nobody listens."""
    try:
        connection = Connection(("127.0.0.1", port))
    except ConnectionError:
        return None
    connection.close()
    connection.socket = socket.create_connection(("127.0.0.1", port), PATIENCE, (source, 0))
    return connection
