"""HTTP/1.1 and 1.0 as a client sees them (RFC 9110, 9112).

What went wrong once, in one server or another: pipelined requests stalled behind a thread that waited for
readability, an early 413 was lost to a reset, a half-closed client got no answer, HEAD and 304 came with a
body that the client took for the next answer, HTTP/1.0 clients got chunks; a line that is no request line was answered after ten
seconds, and two megabytes of empty lines never.
"""

import re
import time
from email.utils import parsedate_to_datetime

import pytest
from client import chunked, request_bytes
from harness import Server

APP = """
def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path.startswith("/status/"):
        start_response(path[8:] + " Reason", [("X-Path", path)])
        return [b"a body\\n"]
    if path == "/stream":
        start_response("200 OK", [])
        return (b"block %d\\n" % n for n in range(3))
    if path == "/own":
        start_response("200 OK", [("Date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("Server", "own")])
        return [b""]
    body = f"{environ['REQUEST_METHOD']} {path} {len(environ['wsgi.input'].read())}\\n".encode("latin-1")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]
"""


@pytest.fixture(scope="module")
def server():
    with Server("app", "--limit-request-body", "1m", files={"app.py": APP}) as server:
        yield server


KEEP_ALIVE_RULES = [
    # version, Connection, does the connection stay open?
    ("1.1", None, True),
    ("1.1", "keep-alive", True),
    ("1.1", "close", False),
    ("1.1", "CLOSE", False),
    ("1.1", "foo, close", False),
    ("1.1", "close, keep-alive", False),
    ("1.1", "foo", True),
    ("1.0", None, False),
    ("1.0", "close", False),
    ("1.0", "keep-alive", True),
    ("1.0", "Keep-Alive", True),
    ("1.0", "foo , keep-alive", True),
]


@pytest.mark.parametrize("version, connection_header, stays", KEEP_ALIVE_RULES)
def test_connection_is_kept_by_the_rules_of_each_version(server, version, connection_header, stays):
    headers = [("Connection", connection_header)] if connection_header else []
    with server.connect() as connection:
        response = connection.exchange("GET", "/", headers, version=version)
        assert response.text == "GET / 0\n"
        said = (response.get("Connection") or "").lower()
        if stays:
            assert said == ("keep-alive" if version == "1.0" else said) and said != "close"
            assert connection.exchange("GET", "/again").text == "GET /again 0\n"
        else:
            assert said == "close"
            connection.assert_closed()


def test_pipelined_requests_are_answered_in_order(server):
    with server.connect() as connection:
        connection.send(b"".join(request_bytes("GET", f"/{n}") for n in range(200)))
        assert [connection.receive().text for _ in range(200)] == [f"GET /{n} 0\n" for n in range(200)]
        connection.assert_open()


def test_pipelined_requests_with_bodies_keep_their_borders(server):
    posts = [
        request_bytes("POST", "/length", body=b"x" * 1000),
        request_bytes("POST", "/chunks", [("Transfer-Encoding", "chunked")], chunked(b"x" * 500, b"y" * 700)),
        request_bytes("POST", "/empty", body=b""),
        request_bytes("GET", "/last"),
    ]
    with server.connect() as connection:
        connection.send(b"".join(posts))
        answers = [connection.receive().text for _ in posts]
    assert answers == ["POST /length 1000\n", "POST /chunks 1200\n", "POST /empty 0\n", "GET /last 0\n"]


def test_pipelined_requests_that_arrive_byte_by_byte(server):
    data = request_bytes("POST", "/a", body=b"abc") + request_bytes("GET", "/b")
    with server.connect() as connection:
        for byte in data:
            connection.send(bytes([byte]))
        assert connection.receive().text == "POST /a 3\n"
        assert connection.receive().text == "GET /b 0\n"


def test_nothing_is_run_after_a_request_that_asked_to_close(server):
    with server.connect() as connection:
        connection.send(request_bytes("GET", "/", [("Connection", "close")]) + request_bytes("GET", "/never"))
        assert connection.receive().text == "GET / 0\n"
        connection.assert_closed()


def test_nothing_is_run_after_a_refused_request(server):
    with server.connect() as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + request_bytes("GET", "/never"))
        assert connection.receive().status == 400
        connection.assert_closed()


TARGETS = [
    # method, target, what the application sees
    ("GET", "http://example.com/absolute?q", "GET /absolute 0\n"),
    ("GET", "http://example.com", "GET / 0\n"),
    ("GET", "HTTP://EXAMPLE.COM:80/upper", "GET /upper 0\n"),
    ("OPTIONS", "*", "OPTIONS * 0\n"),
    ("OPTIONS", "/path", "OPTIONS /path 0\n"),
    ("PROPFIND", "/dav", "PROPFIND /dav 0\n"),
    ("GET", "//two/slashes", "GET //two/slashes 0\n"),
]


@pytest.mark.parametrize("method, target, seen", TARGETS)
def test_every_form_of_a_request_target_is_understood(server, method, target, seen):
    answer = server.request(method, target).text
    # PEP 3333 has no word on the asterisk form; an empty path is the other usual way to say it.
    assert answer in (seen, seen.replace(" * ", "  "))


REFUSED = [
    # status, request
    (400, b"GET *  HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET relative HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET /% HTTP/1.1\r\nHost: a\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    (400, b"GET / HTTP/1.1\nHost: a\n\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\nX: a\nb\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\n: empty\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\nX(Y: 1\r\n\r\n"),
    (400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    (400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na"),
    (400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na"),
    (400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na"),
    (400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551621\r\n\r\nabcde"),
    (501, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    (501, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n"),
    (400, b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    (400, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"),
    (400, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n"),
    (400, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"),
    (417, b"POST / HTTP/1.1\r\nHost: a\r\nExpect: something\r\nContent-Length: 1\r\n\r\n"),
    (501, b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"),
    (505, b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    (505, b"GET / HTTP/2.1\r\nHost: a\r\n\r\n"),
    (400, b"GET /\r\n\r\n"),
    (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
]


@pytest.mark.parametrize("status, data", REFUSED)
def test_what_is_ambiguous_is_refused_and_the_connection_closed(server, status, data):
    response = server.raw(data)
    assert response.status == status
    assert response.get("Connection") == "close"
    assert response.get("Content-Type").startswith("text/plain")
    assert 0 < len(response.body) < 500 and int(response.get("Content-Length")) == len(response.body)


def test_every_answer_has_a_date_and_a_server_without_a_version(server):
    response = server.get("/")
    assert response.get("Server") == "gateway"
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", response.get("Date"))
    assert abs(parsedate_to_datetime(response.get("Date")).timestamp() - time.time()) < 3
    refused = server.raw(b"GET / HTTP/1.1\r\n\r\n")
    assert refused.get("Server") == "gateway" and refused.get("Date")


def test_date_and_server_of_the_application_are_kept(server):
    response = server.get("/own")
    assert response.get("Server") == "own"
    assert response.get("Date") == "Sun, 06 Nov 1994 08:49:37 GMT"


def test_head_has_the_headers_of_get_and_no_body(server):
    with server.connect() as connection:
        head = connection.exchange("HEAD", "/")
        assert connection.exchange("GET", "/").text == "GET / 0\n"
    assert head.status == 200 and head.get("Content-Type") == "text/plain"
    assert head.get("Content-Length") in (None, str(len("HEAD / 0\n")))


MALFORMED = [
    # what is sent, status
    (b"garbage\r\n", 400),
    (b"GET /\r\n", 400),
    (b"GET / HTTP %\r\n", 400),
    (b"GET / HTTP/2.0\r\n", 505),
    (b"\r\n" * 20, 400),
    (b"GET / HTTP/1.1\r\nFoo : bar\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nFoo\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nFoo: b\x01r\r\n", 400),
]


@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "byte by byte"])
@pytest.mark.parametrize("sent, status", MALFORMED, ids=[repr(row[0][-20:]) for row in MALFORMED])
def test_a_malformed_line_is_refused_when_it_is_whole(serve, sent, status, bytewise):
    """Nothing is sent behind it, the connection stays open, and no time-out would end the waiting. A malformed field line waited
    for --header-timeout, and the answer was 408."""
    server = serve("hello", "--header-timeout", "0", "--keep-alive", "1h")
    with server.connect() as connection:
        assert connection.exchange("GET", "/").status == 200
        for n in range(len(sent)) if bytewise else []:
            connection.send(sent[n : n + 1])
        if not bytewise:
            connection.send(sent)
        response = connection.receive()
        assert response.status == status and response.get("Connection") == "close"


@pytest.mark.parametrize("status", ["204", "304"])
def test_204_and_304_have_no_body_even_if_the_application_sends_one(server, status):
    with server.connect() as connection:
        response = connection.exchange("GET", "/status/" + status)
        assert response.status == int(status) and response.reason == "Reason"
        assert response.get("Transfer-Encoding") is None
        assert status != "204" or response.get("Content-Length") is None
        assert connection.exchange("GET", "/next").text == "GET /next 0\n"


def test_an_answer_of_unknown_length_is_chunked_to_http_1_1(server):
    with server.connect() as connection:
        response = connection.exchange("GET", "/stream")
        assert response.get("Transfer-Encoding") == "chunked"
        assert response.body == b"block 0\nblock 1\nblock 2\n"
        assert connection.exchange("GET", "/next").status == 200


def test_an_answer_of_unknown_length_ends_with_the_connection_to_http_1_0(server):
    with server.connect() as connection:
        response = connection.exchange("GET", "/stream", [("Connection", "keep-alive")], version="1.0")
        assert response.get("Transfer-Encoding") is None and response.get("Content-Length") is None
        assert response.get("Connection") == "close"
        assert response.body == b"block 0\nblock 1\nblock 2\n"


def test_a_half_closed_client_is_answered(server):
    with server.connect() as connection:
        connection.request("POST", "/", body=b"12345")
        connection.finish()
        assert connection.receive().text == "POST / 5\n"
        connection.assert_closed()


def test_a_half_closed_client_gets_all_its_pipelined_answers(server):
    with server.connect() as connection:
        connection.send(b"".join(request_bytes("GET", f"/{n}") for n in range(10)))
        connection.finish()
        assert [connection.receive().text for _ in range(10)] == [f"GET /{n} 0\n" for n in range(10)]
        connection.assert_closed()


def test_a_client_that_closes_within_a_request_is_forgotten(server):
    for part in (b"", b"GET / HT", request_bytes("POST", body=b"x" * 10)[:-5]):
        with server.connect() as connection:
            connection.send(part)
            connection.finish()
            rest = connection.rest()
            assert rest == b"" or rest.startswith(b"HTTP/1.1 400 ")
    assert server.get("/").status == 200


def test_empty_lines_before_a_request_are_ignored(server):
    with server.connect() as connection:
        connection.send(b"\r\n\r\n" + request_bytes("GET", "/a") + b"\r\n" + request_bytes("GET", "/b"))
        assert connection.receive().text == "GET /a 0\n"
        assert connection.receive().text == "GET /b 0\n"


EXPECT = [("Expect", "100-continue"), ("Content-Length", "5")]


def test_100_continue_is_sent_when_the_body_is_wanted(server):
    with server.connect() as connection:
        connection.request("POST", "/", EXPECT)
        assert connection.receive().status == 100
        connection.send(b"12345")
        assert connection.receive().text == "POST / 5\n"
        assert connection.exchange("GET", "/next").status == 200


def test_100_continue_is_not_sent_when_the_body_is_there_already(server):
    with server.connect() as connection:
        connection.request("POST", "/", [("Expect", "100-Continue")], b"12345")
        assert connection.receive().text == "POST / 5\n"


def test_100_continue_is_not_sent_for_a_body_that_is_refused(server):
    with server.connect() as connection:
        connection.request("POST", "/", [EXPECT[0], ("Content-Length", str(2 << 20))])
        assert connection.receive().status == 413
        connection.assert_closed()


def test_100_continue_is_not_sent_to_http_1_0(server):
    with server.connect() as connection:
        connection.request("POST", "/", EXPECT, version="1.0")
        connection.send(b"12345")
        assert connection.receive().text == "POST / 5\n"


def test_100_continue_is_not_sent_without_a_body(server):
    assert server.get("/", [("Expect", "100-continue")]).status == 200


def test_an_early_refusal_reaches_a_client_that_is_still_sending(server):
    # Without lingering the kernel answers the rest of the body with a reset, which destroys the 413 on its way.
    with server.connect() as connection:
        connection.request("POST", "/", [("Content-Length", str(64 << 20))])
        for _ in range(64):
            connection.send(b"x" * 65536)
        response = connection.receive()
        assert response.status == 413
        connection.assert_closed()


def test_trailers_never_become_headers(server):
    body = chunked(b"abc", trailer=b"X-Trailer: 1\r\nHost: other\r\n")
    with server.connect() as connection:
        connection.request("POST", "/", [("Transfer-Encoding", "chunked")], body)
        assert connection.receive().text == "POST / 3\n"
        assert connection.exchange("GET", "/next").text == "GET /next 0\n"


def test_chunk_extensions_are_accepted_and_dropped(server):
    body = b'3;name=value;quoted="a;b"\r\nabc\r\n0;last\r\n\r\n'
    assert server.request("POST", "/", [("Transfer-Encoding", "chunked")], body).text == "POST / 3\n"
