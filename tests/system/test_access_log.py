"""What stands in the access log: JSON under OpenTelemetry's names, and gunicorn's atoms.

What went wrong once, in one server or another: a byte that is no UTF-8 made a line that is no JSON; a user's name with a space
in it moved the columns behind it; what the log said of a request was not what the application had seen.
"""

import base64
import json
import random
import re

import pytest
from client import request_bytes
from harness import run
from timing import SANITIZED, wait_until

APP = """
import json

def application(environ, start_response):
    if environ["PATH_INFO"] == "/environ":
        start_response("200 OK", [])
        return [json.dumps({key: value for key, value in environ.items() if isinstance(value, str)}).encode()]
    if environ["PATH_INFO"] == "/errors":
        environ["wsgi.errors"].write("here\\n")
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", "5")])
    return [b"12345"]
"""


@pytest.fixture
def start(serve):
    def start(format, *options, **keywords):
        return serve("app", "--access-logfile", "access", "--access-logformat", format, *options, files={"app.py": APP}, **keywords)

    return start


def lines_of(server, count):
    path = server.directory / "access"
    wait_until(lambda: path.exists() and path.read_bytes().count(b"\n") >= count, f"{count} lines")
    lines = path.read_text().splitlines()
    assert len(lines) == count
    return lines


def test_json_has_opentelemetrys_names(start):
    server = start("json", workers=2)
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = [("Host", "shop.example:81"), ("User-Agent", "agent"), ("Referer", "http://ref/"), ("traceparent", parent)]
    with server.connect() as connection:
        connection.exchange("POST", "/path?query", headers, b"body")
        port = connection.socket.getsockname()[1]
    entry = json.loads(lines_of(server, 1)[0])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", entry.pop("time"))
    durations = [entry.pop(key) for key in ("gateway.queue.duration", "gateway.app.duration", "http.server.request.duration")]
    assert all(isinstance(value, float) and value >= 0 for value in durations) and durations[1] <= durations[2] < 5
    assert entry.pop("process.pid") in server.worker_pids()
    assert entry.pop("gateway.worker") in (0, 1)
    assert entry == {
        "http.request.method": "POST",
        "url.scheme": "http",
        "url.path": "/path",
        "url.query": "query",
        "network.protocol.version": "1.1",
        "http.response.status_code": 200,
        "http.response.body.size": 5,
        "http.request.body.size": 4,
        "client.address": "127.0.0.1",
        "client.port": port,
        "server.address": "shop.example",
        "server.port": 81,
        "user_agent.original": "agent",
        "http.request.header.referer": ["http://ref/"],
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "span_id": "b7ad6b7169203331",
        "trace_flags": "01",
    }


def test_json_says_of_a_refused_request_what_is_known(start):
    server = start("json")
    assert server.raw(b"nonsense\r\n\r\n").status == 400
    entry = json.loads(lines_of(server, 1)[0])
    assert entry["http.response.status_code"] == 400
    unknown = {"http.request.method", "url.path", "network.protocol.version", "gateway.queue.duration", "gateway.app.duration"}
    assert unknown & set(entry) == set()
    assert [key for key, value in entry.items() if value in ("", "-", None)] == []


def test_a_worker_is_the_one_of_the_error_log(start):
    server = start("json", "--preload", workers=2)
    for _ in range(20):
        server.get("/errors")
    for entry in map(json.loads, lines_of(server, 20)):
        assert f"[{entry['process.pid']}] [worker {entry['gateway.worker']}]" in server.log


SPECIAL = b"\"\\ %{}[]<>,:;=x\xff\x80\xc3\xa9\xe2\x80\xa8"
REQUESTS = 300 if SANITIZED else 3000


def sent_text(dice):
    """Any bytes that a field's value may have, and often those that mean something to the reader of a line."""
    alphabet = SPECIAL if dice.random() < 0.5 else bytes(range(0x21, 0x7F)) + bytes(range(0x80, 0x100)) + b"\t "
    return bytes(dice.choice(alphabet) for _ in range(dice.randrange(1, 60))).strip(b" \t") or b"x"


def test_what_random_requests_say_is_read_again_from_json(start):
    """By a JSON parser that is not ours."""
    server = start("json")
    dice = random.Random(1)
    sent = []
    with server.connect() as connection:
        for _ in range(REQUESTS):
            path = "/" + "".join(chr(dice.choice(range(0x21, 0x7F))) for _ in range(20)).translate(dict.fromkeys(map(ord, "#%?")))
            query = "".join(chr(dice.choice(range(0x21, 0x7F))) for _ in range(dice.randrange(20))).replace("#", "")
            agent, referer = sent_text(dice).decode("latin-1"), sent_text(dice).decode("latin-1")
            method = dice.choice(["GET", "POST", "BREW", "!#$%&'*+-.^_`|~"])
            headers = [("User-Agent", agent), ("Referer", referer), ("traceparent", sent_text(dice).decode("latin-1"))]
            target = path + ("?" + query if query else "")
            assert connection.exchange(method, target, headers).status == 200
            sent.append((method, path, query or None, agent, referer))
    lines = lines_of(server, REQUESTS)
    for line, (method, path, query, agent, referer) in zip(lines, sent):
        assert re.fullmatch("[ -~]+", line)
        entry = json.loads(line)
        told = entry.get("http.request.method_original", entry["http.request.method"])
        assert (told, entry["url.path"], entry.get("url.query")) == (method, path, query)
        assert (entry["user_agent.original"], entry["http.request.header.referer"]) == (agent, [referer])
        assert "trace_id" not in entry


VARIABLES = [
    "REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "RAW_URI", "REQUEST_URI", "SERVER_PROTOCOL", "REMOTE_ADDR", "REMOTE_PORT",
    "CONTENT_TYPE", "CONTENT_LENGTH", "wsgi.url_scheme", "HTTP_HOST", "HTTP_X_TWICE", "HTTP_COOKIE", "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST", "HTTP_X_REAL_IP", "HTTP_FORWARDED", "HTTP_X_REQUEST_ID", "HTTP_X_NONE", "HTTP_PROXY",
]  # fmt: skip
SAID = [
    ("X-Twice", "one"), ("x-twice", "two"), ("Cookie", "a=b"), ("Cookie", "c=d"), ("Content-Type", "text/plain"), ("Proxy", "evil"),
    ("X-Forwarded-For", "6.6.6.6, 203.0.113.9"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "shop.example"),
    ("X-Real-IP", "6.6.6.6"), ("X-Request-Id", "7"),
]  # fmt: skip


@pytest.mark.parametrize("allow", ["127.0.0.1", "10.0.0.1"], ids=["a proxy", "a client"])
@pytest.mark.parametrize("options", [[], ["--root-path", "/root", "--request-id", "on"]], ids=["plain", "below a root"])
def test_of_environ_the_log_says_what_the_application_has_seen(start, allow, options):
    """Each of them at its third request, too, when what was made of its fields before is used again."""
    server = start("|".join(f"%({{{name}}}e)s" for name in VARIABLES), "--forwarded-allow-ips", allow, *options)
    seen = []
    prefix = "/root" if options else ""
    with server.connect() as connection:
        for target in (prefix + "/environ?a=b", prefix + "/%65nviron", "http://there:82" + prefix + "/environ") * 3:
            seen.append(json.loads(connection.exchange("POST", target, SAID, b"body").body))
    for line, environ in zip(lines_of(server, len(seen)), seen):
        # What is not there is "-"; so is a port that no proxy has said. An empty query is empty in both.
        expected = {name: environ.get(name, "-") for name in VARIABLES}
        expected["REMOTE_PORT"] = expected["REMOTE_PORT"] or "-"
        assert dict(zip(VARIABLES, line.split("|"))) == expected


@pytest.mark.parametrize(
    "name, known",
    [("REQUEST_METHOD", True), ("HTTP_X_ANY", True), ("shop.user", False), ("REMOTE_USER", False), ("HTTP_CONTENT_TYPE", False)],
)
def test_a_variable_that_only_the_application_knows_is_refused_at_the_start(name, known):
    done = run("--check-config", "--access-logfile", "-", "--access-logformat", f"%({{{name}}}e)s", "hello")
    if known:
        assert (done.returncode, done.stderr) == (0, "")
    else:
        assert done.returncode == 2
        told = rf"gateway: --access-logformat: %\(\{{{name}\}}e\)s is not known to the log: .*application.*\n"
        assert re.fullmatch(told, done.stderr)


USERS = [
    ("Basic", b"shop:secret", "shop"),
    ("basic", b"shop:", "shop"),
    ("Basic", "Zoë B.:x".encode(), r"Zo\xc3\xab\x20B."),
    ("Basic", b'a" 200 5 "b:x', r"a\"\x20200\x205\x20\"b"),
    ("Basic", b":secret", "-"),
    ("Basic", b"no colon", "-"),
    ("Bearer", b"shop:secret", "-"),
]


def test_the_user_is_that_of_basic_credentials(start):
    server = start("combined")
    with server.connect() as connection:
        for scheme, credentials, _ in USERS:
            connection.exchange("GET", "/", [("Authorization", f"{scheme} {base64.b64encode(credentials).decode()}")])
        connection.exchange("GET", "/", [("Authorization", "Basic c2hvcDpz!ZWNyZXQ=")])
        connection.exchange("GET", "/")
    users = [line.split(" ")[2] for line in lines_of(server, len(USERS) + 2)]
    assert users == [user for *_, user in USERS] + ["-", "-"]


def test_times_and_the_worker_have_atoms(start):
    server = start("%(queue_time)s %(app_time)s %(worker)s %(s)s")
    server.get("/")
    server.raw(b"GET / HTTP/1.1\r\n\r\n")
    answered, refused = lines_of(server, 2)
    assert re.fullmatch(r"\d\.\d{6} \d\.\d{6} 0 200", answered)
    assert refused == "- - 0 400"


def test_the_wait_and_the_call_are_parts_of_the_whole(start):
    server = start("json")
    with server.connect() as one, server.connect() as two:
        one.send(request_bytes("GET", "/") + request_bytes("GET", "/"))
        two.send(request_bytes("GET", "/"))
        for connection in one, one, two:
            assert connection.receive().status == 200
    for entry in map(json.loads, lines_of(server, 3)):
        spent = entry["gateway.queue.duration"] + entry["gateway.app.duration"]
        assert spent <= entry["http.server.request.duration"] + 0.000002  # each is rounded
