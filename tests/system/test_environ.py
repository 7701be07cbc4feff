"""What an application is told about a request: every key of environ, and what must never be there.

What went wrong once, in one server or another: X_Forwarded_For passed for X-Forwarded-For (CVE-2015-0219),
the Proxy header became HTTP_PROXY (CVE-2016-5388), PATH_INFO was cut at %00 or decoded as UTF-8, cookies
were joined with a comma.
"""

import json
import socket

import pytest
from client import Connection, chunked
from harness import Server

JSON = ("Accept", "application/json")


@pytest.fixture(scope="module")
def server():
    with Server("environ") as server:
        yield server


def seen(server, method="GET", target="/", headers=(), body=None, version="1.1"):
    response = server.request(method, target, [JSON, *headers], body, version)
    assert response.status == 200, response
    return json.loads(response.body)


def test_the_keys_of_pep_3333_are_there(server):
    environ = seen(server, "GET", "/a/b?c=d")
    expected = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a/b",
        "QUERY_STRING": "c=d",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(server.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_URI": "/a/b?c=d",
        "RAW_URI": "/a/b?c=d",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "example.org",
        "wsgi.version": [1, 0],
        "wsgi.url_scheme": "http",
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    assert {key: environ.get(key) for key in expected} == expected
    assert environ["SERVER_SOFTWARE"].startswith("gateway")
    assert {"wsgi.input", "wsgi.errors", "wsgi.file_wrapper"} <= set(environ)
    assert "HTTPS" not in environ


@pytest.mark.parametrize("version", ["1.2", "1.9"])
def test_a_higher_minor_version_is_served_as_the_highest_that_is_known(server, version):
    """RFC 9110 2.5."""
    for _ in range(3):
        environ = seen(server, headers=[("Connection", "close")], version=version)
        assert environ["SERVER_PROTOCOL"] == "HTTP/1.1"


def test_an_empty_host_is_shown_as_it_is(server):
    with server.connect() as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost:\r\nAccept: application/json\r\n\r\n")
        environ = json.loads(connection.receive().body)
    assert (environ["HTTP_HOST"], environ["SERVER_NAME"]) == ("", "127.0.0.1")


def test_remote_port_is_the_clients(server):
    with server.connect() as connection:
        environ = json.loads(connection.exchange("GET", "/", [JSON]).body)
        assert environ["REMOTE_PORT"] == str(connection.socket.getsockname()[1])


PATHS = [
    # raw path, PATH_INFO in latin-1
    ("/", "/"),
    ("/a%20b", "/a b"),
    ("/%41%62", "/Ab"),
    ("/a%2Fb%2fc", "/a/b/c"),
    ("/%C3%A9", "/\xc3\xa9"),
    ("/%00end", "/\0end"),
    ("/%25%32%35", "/%25"),
    ("/a+b", "/a+b"),
    ("/a;p=1/b", "/a;p=1/b"),
    ("/../a/./b", "/../a/./b"),
    ("//a", "//a"),
    ("/%0d%0aX:%20y", "/\r\nX: y"),
]


@pytest.mark.parametrize("raw, path_info", PATHS)
def test_path_info_is_decoded_once_to_latin_1_and_the_raw_form_is_kept(server, raw, path_info):
    environ = seen(server, target=raw + "?x=%41")
    assert environ["PATH_INFO"] == path_info
    assert environ["QUERY_STRING"] == "x=%41"
    assert environ["REQUEST_URI"] == environ["RAW_URI"] == raw + "?x=%41"


HEADERS = [
    # what is sent, what is there
    ([("X-Name", "value")], {"HTTP_X_NAME": "value"}),
    ([("x-lower-case", "Value")], {"HTTP_X_LOWER_CASE": "Value"}),
    ([("X-Empty", "")], {"HTTP_X_EMPTY": ""}),
    ([("X-Space", "  \t inside  of it \t ")], {"HTTP_X_SPACE": "inside  of it"}),
    ([("X-Latin", "caf\xe9")], {"HTTP_X_LATIN": "caf\xe9"}),
    ([("X-Twice", "one"), ("x-twice", "two"), ("X-Twice", "three")], {"HTTP_X_TWICE": "one, two, three"}),
    ([("Cookie", "a=1"), ("Cookie", "b=2")], {"HTTP_COOKIE": "a=1; b=2"}),
    ([("Content-Type", "text/x")], {"CONTENT_TYPE": "text/x", "HTTP_CONTENT_TYPE": None}),
    ([("X_Under", "1")], {"HTTP_X_UNDER": None}),
    ([("X_Name", "bad"), ("X-Name", "good")], {"HTTP_X_NAME": "good"}),
    ([("Content_Length", "5")], {"CONTENT_LENGTH": None, "HTTP_CONTENT_LENGTH": None}),
    ([("Proxy", "evil")], {"HTTP_PROXY": None}),
    ([("Transfer-Encoding", "chunked")], {"HTTP_CONTENT_LENGTH": None}),
]


@pytest.mark.parametrize("sent, expected", HEADERS)
def test_headers_become_http_variables(server, sent, expected):
    body = chunked() if sent[0][0] == "Transfer-Encoding" else None
    # Three times: a server may remember header sections it has seen before.
    for _ in range(3):
        environ = seen(server, "POST" if body else "GET", "/", sent, body)
        assert {key: environ.get(key) for key in expected} == expected


def test_headers_of_one_request_never_show_in_another(server):
    with server.connect() as connection:
        for n in range(50):
            headers = [JSON, ("X-Number", str(n)), (f"X-Only-{n % 5}", "yes")]
            environ = json.loads(connection.exchange("GET", f"/{n}", headers).body)
            assert environ["HTTP_X_NUMBER"] == str(n) and environ["PATH_INFO"] == f"/{n}"
            assert [key for key in environ if key.startswith("HTTP_X_ONLY")] == [f"HTTP_X_ONLY_{n % 5}"]
        environ = json.loads(connection.exchange("GET", "/", [JSON]).body)
        assert not [key for key in environ if key.startswith("HTTP_X")]


def test_what_an_application_puts_into_environ_does_not_stay(serve):
    app = """
def application(environ, start_response):
    found = "left" in environ
    environ["left"] = environ["wsgi.left"] = environ["HTTP_HOST"] = "here"
    environ.pop("SERVER_NAME")
    start_response("200 OK", [("X-Name", str("SERVER_NAME" in environ))])
    return [str(found).encode()]
"""
    server = serve("app", files={"app.py": app})
    with server.connect() as connection:
        assert [connection.exchange("GET", "/").body for _ in range(4)] == [b"False"] * 4


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_content_length_is_there_for_every_body(server, framing):
    if framing == "length":
        environ = seen(server, "POST", "/", [], b"12345")
    else:
        environ = seen(server, "POST", "/", [("Transfer-Encoding", "chunked")], chunked(b"123", b"45"))
    assert environ["CONTENT_LENGTH"] == "5"


def test_without_a_body_content_length_is_absent_or_empty(server):
    environ = seen(server)
    assert environ.get("CONTENT_LENGTH", "") in ("", "0") and environ.get("CONTENT_TYPE", "") == ""


def test_server_protocol_is_what_the_client_said(server):
    assert seen(server, version="1.0")["SERVER_PROTOCOL"] == "HTTP/1.0"


def test_the_authority_of_an_absolute_form_overrides_host(server):
    environ = seen(server, target="http://other.example:81/p?q=1")
    assert environ["HTTP_HOST"] == "other.example:81"
    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == ("/p", "q=1")
    assert environ["REQUEST_URI"] == "http://other.example:81/p?q=1"


def test_a_host_header_is_not_needed_in_http_1_0(server):
    with server.connect() as connection:
        connection.send(b"GET / HTTP/1.0\r\nAccept: application/json\r\n\r\n")
        environ = json.loads(connection.receive().body)
        assert "HTTP_HOST" not in environ and environ["SERVER_NAME"] == "127.0.0.1"


def test_strings_are_native_and_the_dict_is_exactly_a_dict(serve):
    app = """
def application(environ, start_response):
    strings = [key for key in environ if "." not in key]
    assert type(environ) is dict
    assert all(type(key) is str for key in environ)
    assert all(type(environ[key]) is str for key in strings), environ
    assert environ["wsgi.version"] == (1, 0) and type(environ["wsgi.version"]) is tuple
    assert environ["wsgi.multithread"] is False and environ["wsgi.run_once"] is False
    assert callable(environ["wsgi.file_wrapper"])
    start_response("200 OK", [])
    return [b"fine"]
"""
    server = serve("app", files={"app.py": app})
    assert server.get("/", [("X-Latin", "caf\xe9")]).body == b"fine", server.log


def test_multiprocess_tells_of_other_workers(serve):
    assert seen(serve("environ", workers=2))["wsgi.multiprocess"] is True


SCRIPT_NAMES = [
    # option, target, SCRIPT_NAME, PATH_INFO
    ("/app", "/app/page", "/app", "/page"),
    ("/app", "/app", "/app", ""),
    ("/app", "/apple", None, None),
    ("/app", "/other", None, None),
]


def test_root_path_becomes_script_name(serve):
    server = serve("environ", "--root-path", "/app")
    for _, target, script_name, path_info in SCRIPT_NAMES:
        environ = seen(server, target=target)
        if script_name is not None:
            assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) in (
                (script_name, path_info),
                (script_name, target),  # a proxy that strips the prefix sends what is below it
            )
        assert environ["SCRIPT_NAME"] + environ["PATH_INFO"] in (target, "/app" + target)


def test_script_name_of_the_environment_becomes_script_name(serve):
    server = serve("environ", env={"SCRIPT_NAME": "/mounted"})
    assert seen(server, target="/mounted/x")["SCRIPT_NAME"] == "/mounted"


def test_a_unix_socket_has_no_remote_address(serve, tmp_path):
    path = str(tmp_path / "socket")
    serve("environ", bind="unix:" + path)
    with Connection(path) as connection:
        environ = json.loads(connection.exchange("GET", "/", [JSON]).body)
    assert environ["REMOTE_ADDR"] == "" and environ.get("REMOTE_PORT", "") == ""
    assert environ["SERVER_NAME"] and environ["SERVER_PORT"]


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_ipv6_addresses_are_shown_without_brackets(serve):
    server = serve("environ", bind="[::1]:0")
    environ = seen(server)
    assert environ["REMOTE_ADDR"] == "::1"
    assert environ["SERVER_NAME"].strip("[]") == "::1" and environ["SERVER_PORT"] == str(server.port)
