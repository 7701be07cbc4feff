"""Behind proxies: who the client is, and where it sees the application, as the application, its log and its links have it.

What went wrong once, in one server or another: REMOTE_ADDR stayed the proxy's, or was what the client had written to the left of
what the proxy knew; X-Forwarded-Proto was believed from anybody; a server on a Unix-domain socket believed nobody; headers that
were not believed still reached the application, which believed them (CVE-2022-2255); what a client wrote into a field that the
proxy does not know, and so passes on, chose HTTP_HOST and SCRIPT_NAME.
"""

import json
import os
import re
import signal

import pytest
from client import Connection
from harness import run
from timing import wait_until

CLIENT = "203.0.113.9"
SPOOFED = [("X-Forwarded-For", f"6.6.6.6, {CLIENT}:4711"), ("X-Forwarded-Proto", "https")]
PROXY = [*SPOOFED, ("X-Forwarded-Host", "shop.example:8443"), ("X-Forwarded-Prefix", "/shop")]
JSON = ("Accept", "application/json")
ALL = ["--forwarded-headers", "for,proto,host,port,prefix"]


def seen(connection, headers, target="/"):
    return json.loads(connection.exchange("GET", target, [JSON, *headers]).body)


def place(environ):
    keys = "REMOTE_ADDR REMOTE_PORT wsgi.url_scheme HTTPS HTTP_HOST SERVER_NAME SERVER_PORT SCRIPT_NAME"
    return [environ.get(key) for key in keys.split()]


BEHIND = [CLIENT, "4711", "https", "on", "shop.example:8443", "shop.example", "8443", "/shop"]


@pytest.mark.parametrize("allow", [None, "127.0.0.1", "10.0.0.0/8, 127.0.0.0/8", "*"])
def test_a_trusted_proxy_is_believed(serve, allow):
    server = serve("environ", *ALL, *(["--forwarded-allow-ips", allow] if allow else []))
    first = "6.6.6.6" if allow == "*" else CLIENT  # who trusts all trusts what is invented
    with server.connect() as connection:
        for n in range(4):  # the memo of header sections, and another request line
            environ = seen(connection, PROXY, f"/{n}")
            assert place(environ) == [first, "4711" if first == CLIENT else "", *BEHIND[2:]]
            assert environ["PATH_INFO"] == f"/{n}"


@pytest.mark.parametrize("allow", ["", "10.0.0.0/8,::1,unix", "127.0.0.2"])
def test_who_is_not_trusted_is_not_believed_nor_heard(serve, allow):
    server = serve("environ", *ALL, "--forwarded-allow-ips", allow)
    with server.connect() as connection:
        for _ in range(3):
            environ = seen(connection, [*PROXY, ("Forwarded", "for=1.2.3.4"), ("X-Real-IP", "1.2.3.4")])
            host, port = connection.socket.getsockname()
            usual = ["http", None, "example.org", "127.0.0.1", str(server.port), ""]
            assert place(environ) == [host, str(port), *usual]
            assert [key for key in environ if "FORWARDED" in key or "REAL" in key] == []


# What a client writes, and an nginx that sets X-Forwarded-For and -Proto passes on.
OWN = [
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Port", "666"),
    ("X-Forwarded-Prefix", "/evil"),
    ("X-Forwarded-By", "evil"),
    ("X-Forwarded-User", "evil"),
    ("X-Forwarded-Ssl", "evil"),
    ("X-Real-IP", "6.6.6.6"),
    ("X-Client-IP", "6.6.6.6"),
    ("Forwarded", "for=6.6.6.6;host=evil.example"),
]


def test_what_a_proxy_passes_on_is_not_what_it_says(serve):
    server = serve("environ", "--access-logfile", "access", "--access-logformat", "%({HTTP_HOST}e)s %({HTTP_X_REAL_IP}e)s")
    with server.connect() as connection:
        for _ in range(3):
            environ = seen(connection, [*SPOOFED, *OWN])
            usual = [CLIENT, "4711", "https", "on", "example.org", "127.0.0.1", "443", ""]
            assert place(environ) == usual
            left = {key for key in environ if "FORWARDED" in key or "REAL" in key or "CLIENT_IP" in key}
            assert left == {"HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO"}
            assert "evil" not in json.dumps(environ) and "6.6.6.6" not in json.dumps(environ)
    log = server.directory / "access"
    wait_until(lambda: log.read_text() == "example.org -\n" * 3, "the lines", 5)


def test_of_forwarded_what_the_list_has_is_left(serve):
    server = serve("environ")
    with server.connect() as connection:
        value = f'for=6.6.6.6, for="{CLIENT}:4711";host=evil;proto=https;by=evil'
        environ = seen(connection, [("Forwarded", value)])
    assert environ["HTTP_FORWARDED"] == f'for="{CLIENT}:4711";proto=https'
    assert place(environ)[:5] == [CLIENT, "4711", "https", "on", "example.org"]


def test_fields_for_the_application_are_named(serve):
    server = serve("environ", "--forwarded-headers", "for, by, X-Forwarded-User, x-client-ip")
    with server.connect() as connection:
        environ = seen(connection, [*SPOOFED, *OWN])
    left = {key[7:] for key in environ if "FORWARDED" in key or "REAL" in key or "CLIENT_IP" in key}
    assert left == {"FORWARDED_FOR", "FORWARDED_BY", "FORWARDED_USER", "CLIENT_IP"}
    assert environ["wsgi.url_scheme"] == "http"


@pytest.mark.parametrize("prefix", ["/%5cevil.example", "/x%0d%0aSet-Cookie:%20a=b", "//evil.example", "/a/%2e%2e/b"])
def test_a_prefix_that_is_no_safe_path_is_dropped(serve, prefix):
    server = serve("environ", "--log-level", "debug", "--forwarded-headers", "prefix", "--root-path", "/usual")
    mark = len(server.log)
    with server.connect() as connection:
        environ = seen(connection, [("X-Forwarded-Prefix", prefix)])
    assert environ["SCRIPT_NAME"] == "/usual" and "HTTP_X_FORWARDED_PREFIX" not in environ
    server.wait_log(re.escape(f'GET / HTTP/1.1: X-Forwarded-Prefix "{prefix}" is dropped, as it is no safe path'), mark)


def test_a_proxy_that_is_missing_in_the_list_is_told_once(serve):
    server = serve("environ")
    told = "goes on beyond 10.0.0.7, a private address that is not in --forwarded-allow-ips"
    with server.connect() as connection:
        assert seen(connection, [("X-Forwarded-For", "192.168.0.9")])["REMOTE_ADDR"] == "192.168.0.9"
        assert told not in server.log
        for n in range(3):
            environ = seen(connection, [("X-Forwarded-For", f"203.0.113.{n}, 10.0.0.7")])
            assert environ["REMOTE_ADDR"] == "10.0.0.7"
    server.wait_log(told)
    assert server.log.count(told) == 1


def test_the_same_bytes_from_a_proxy_and_from_a_client_are_not_the_same(serve):
    server = serve("environ", "--bind", "unix:socket", "--forwarded-allow-ips", "unix")
    with Connection(str(server.directory / "socket")) as proxy, server.connect() as client:
        for _ in range(3):
            for connection, address in (proxy, CLIENT), (client, "127.0.0.1"):
                assert seen(connection, PROXY)["REMOTE_ADDR"] == address


@pytest.mark.parametrize("allow, address", [("unix", CLIENT), ("127.0.0.1", "")])
def test_over_a_unix_domain_socket(serve, allow, address):
    server = serve("environ", "--forwarded-allow-ips", allow, bind="unix:socket")
    with Connection(str(server.directory / "socket")) as connection:
        environ = seen(connection, SPOOFED)
        assert environ["REMOTE_ADDR"] == address
        assert environ["wsgi.url_scheme"] == ("https" if address else "http")


def test_an_application_that_looks_itself_is_not_misled(serve):
    server = serve("environ")
    with server.connect() as connection:
        environ = seen(connection, [*SPOOFED, ("Forwarded", "for=6.6.6.6"), ("X-Forwarded-Port", "none")])
    left = {key: value for key, value in environ.items() if "FORWARDED" in key}
    assert left == {"HTTP_X_FORWARDED_FOR": f"{CLIENT}:4711", "HTTP_X_FORWARDED_PROTO": "https"}


def test_forwarded_of_rfc_7239(serve):
    server = serve("environ", *ALL, env={"FORWARDED_ALLOW_IPS": "127.0.0.1,10.0.0.0/8"})
    value = f'for="6.6.6.6, for="{CLIENT}:4711";proto=https;host="shop.example:8443", for=10.1.1.1'
    with server.connect() as connection:
        assert place(seen(connection, [("Forwarded", value)]))[:7] == BEHIND[:7]


def test_the_access_log_has_the_client(serve):
    server = serve("environ", "--access-logfile", "access", "--access-logformat", "%(h)s %(s)s")
    log = server.directory / "access"
    with server.connect() as connection:
        seen(connection, PROXY)
        seen(connection, [])
        connection.send(b"GET / HTTP/1.1\r\nX-Forwarded-For: 203.0.113.10\r\n\r\n")
        assert connection.receive().status == 400
    expected = [f"{CLIENT} 200", "127.0.0.1 200", "203.0.113.10 400"]
    wait_until(lambda: log.read_text().splitlines() == expected, "the lines", 5)


def test_a_connection_that_moves_is_still_a_proxys(serve):
    server = serve("environ")
    with server.connect() as connection:
        assert seen(connection, PROXY)["REMOTE_ADDR"] == CLIENT
        old = server.worker_pid
        os.kill(old, signal.SIGTERM)
        wait_until(lambda: old not in server.worker_pids(), "it has left")
        assert seen(connection, PROXY)["REMOTE_ADDR"] == CLIENT


def test_a_reload_changes_who_is_trusted(serve):
    server = serve("environ", files={"gateway.toml": 'forwarded-allow-ips = "10.0.0.0/8"\n'})
    with server.connect() as connection:
        assert seen(connection, PROXY)["REMOTE_ADDR"] == "127.0.0.1"
    (server.directory / "gateway.toml").write_text(
        'forwarded-allow-ips = "127.0.0.1"\nforwarded-headers = "for,host"\n'
    )
    server.signal(signal.SIGHUP)
    server.wait_log("reloaded in")
    with server.connect() as connection:
        environ = seen(connection, PROXY)
    assert [environ[key] for key in ("REMOTE_ADDR", "wsgi.url_scheme", "SERVER_NAME", "SCRIPT_NAME")] == [
        CLIENT,
        "http",
        "shop.example",
        "",
    ]


def test_a_field_that_is_none_is_told():
    result = run("--forwarded-headers", "for,hosts", "environ")
    assert result.returncode == 2
    assert 'has "hosts" in it, which is no field (for, proto, host, port, prefix, by or X-Forwarded-NAME)' in result.stderr


def test_a_list_that_is_none_is_told():
    result = run("--forwarded-allow-ips", "10.0.0.1,localhost", "environ")
    assert result.returncode == 2
    assert 'has "localhost" in it, which is no address' in result.stderr
