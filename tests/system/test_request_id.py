"""Request ids: one for each request, a trusted proxy's or ours, the same in environ, in the logs and in the answer.

What went wrong once, in one server or another: a client chose the id that its request had in the log, and could forge lines with it;
what was slow, or answered in the application's place, was logged without its id, and could not be found by it.
"""

import json
import re

import pytest
from timing import wait_until

MADE = re.compile(r"[0-9a-f]{32}")
APP = """
import time

BODIES = {"long": [b"12", b"34"], "short": [b"1"]}


def application(environ, start_response):
    name = environ["PATH_INFO"][1:]
    if name == "raise":
        raise ValueError("no")
    if name == "sleep":
        time.sleep(0.6)
    if name in BODIES:
        start_response("200 OK", [("Content-Length", "3")])
        return BODIES[name]
    headers = [("X-Seen", environ.get("HTTP_X_REQUEST_ID", "none"))]
    if name == "own":
        headers.append(("X-Request-Id", "own"))
    start_response("200 OK", headers)
    return [b"x"]
"""
PROXY = "127.0.0.1"
NOBODY = "10.0.0.1"


@pytest.fixture
def start(serve):
    def start(*options, allow=PROXY):
        options = ["--forwarded-allow-ips", allow, "--access-logfile", "access", *options]
        return serve("app", "--access-logformat", "json", *options, files={"app.py": APP})

    return start


def logged(server, count):
    path = server.directory / "access"
    wait_until(lambda: path.read_text().count("\n") >= count, "the lines", 5)
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_request_has_an_id_of_its_own(start):
    server = start("--request-id", "on")
    with server.connect() as connection:
        answers = [connection.exchange("GET", f"/{n % 3}") for n in range(40)]
    ids = [answer.get("X-Request-Id") for answer in answers]
    assert all(MADE.fullmatch(id) for id in ids) and len(set(ids)) == 40
    assert ids == [answer.get("X-Seen") for answer in answers]
    assert ids == [entry["gateway.request_id"] for entry in logged(server, 40)]


def test_a_trusted_proxys_is_taken(start):
    server = start("--request-id", "on")
    with server.connect() as connection:
        for n in range(3):
            answer = connection.exchange("GET", "/", [("X-Request-Id", "a/b+c=" + "~" * 122)])
            assert answer.get("X-Request-Id") == answer.get("X-Seen") == "a/b+c=" + "~" * 122
    assert {entry["gateway.request_id"] for entry in logged(server, 3)} == {"a/b+c=" + "~" * 122}


BAD = [[("X-Request-Id", "a b")], [("X-Request-Id", "\xe9")], [("X-Request-Id", "~" * 129)], [("X-Request-Id", "a")] * 2]


@pytest.mark.parametrize("headers", BAD)
def test_a_bad_one_is_replaced(start, headers):
    server = start("--request-id", "on")
    with server.connect() as connection:
        for _ in range(3):
            answer = connection.exchange("GET", "/", headers)
            assert MADE.fullmatch(answer.get("X-Request-Id")) and answer.get("X-Seen") == answer.get("X-Request-Id")


def test_a_clients_is_replaced(start):
    server = start("--request-id", "on", allow=NOBODY)
    with server.connect() as connection:
        for _ in range(3):
            answer = connection.exchange("GET", "/", [("X-Request-Id", "mine")])
            assert MADE.fullmatch(answer.get("X-Seen")) and answer.get("X-Seen") == answer.get("X-Request-Id")


def test_the_application_may_answer_with_another(start):
    server = start("--request-id", "on")
    answer = server.get("/own", [("X-Request-Id", "theirs")])
    assert answer.get("X-Request-Id") == "own" and answer.get("X-Seen") == "theirs"


def test_what_fails_has_an_id_too(start):
    server = start("--request-id", "on")
    answer = server.get("/raise")
    assert answer.status == 500 and MADE.fullmatch(answer.get("X-Request-Id"))
    server.wait_log(f"exception in the application at GET /raise \\({answer.get('X-Request-Id')}\\)")
    answer = server.raw(b"GET / HTTP/1.1\r\n\r\n")
    assert answer.status == 400 and MADE.fullmatch(answer.get("X-Request-Id"))


LOGGED = [
    (["--slow-request", "200ms"], "sleep", '"GET /sleep HTTP/1.1"{} has run for .* s\n'),
    (["--timeout", "200ms"], "sleep", '"GET /sleep HTTP/1.1"{} has run for .* s, longer than --timeout: 504 is its answer'),
    ([], "long", "GET /long HTTP/1.1{}: the application sent more than its Content-Length of 3"),
    ([], "short", "GET /short HTTP/1.1{}: the application sent 1 bytes of its Content-Length of 3"),
]


@pytest.mark.parametrize("options, name, line", LOGGED)
@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_logged_of_a_request_has_its_id(start, threads, options, name, line):
    server = start("--threads", threads, *options)
    for id in "4711", "~" * 128:
        with server.connect() as connection:
            connection.request("GET", f"/{name}", [("X-Request-Id", id)])
            server.wait_log(line.format(rf" \({re.escape(id)}\)"))
    with server.connect() as connection:
        connection.request("GET", f"/{name}")
        server.wait_log(line.format(""))


def test_a_long_line_leaves_room_for_the_id(start):
    server = start("--request-id", "on")
    id = server.get("/raise?" + "x" * 2000).get("X-Request-Id")
    server.wait_log(rf"\({id}\)")
    with server.connect() as connection:
        connection.request("GET", "/long?" + "\\" * 2000, [("X-Request-Id", "~" * 128)])
        server.wait_log(r"GET /long\?(\\\\)+ \(~{128}\): the application sent more")


@pytest.mark.parametrize("allow", [PROXY, NOBODY])
def test_without_the_option_nothing_is_made_or_said(start, allow):
    server = start(allow=allow)
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = server.get("/", [("X-Request-Id", "theirs"), ("traceparent", parent)])
    assert answer.get("X-Request-Id") is None and answer.get("X-Seen") == "theirs"
    assert server.get("/").get("X-Seen") == "none"
    first, second = logged(server, 2)
    assert first.get("gateway.request_id") == ("theirs" if allow == PROXY else None)
    assert (first["trace_id"], first["span_id"], first["trace_flags"]) == tuple(parent.split("-")[1:])
    assert [key for key in second if "trace" in key or "request_id" in key] == []


def test_workers_that_share_a_zygote_make_other_ones(serve):
    server = serve("app", "--request-id", "on", "--preload", files={"app.py": APP}, workers=2)
    ids = [server.get("/").get("X-Request-Id") for _ in range(20)]
    assert len(set(ids)) == 20
