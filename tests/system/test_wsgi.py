"""PEP 3333 as an application and its client see it.

What went wrong once, in one server or another: a head left before the first byte so that an error page was
no longer possible, a late failure looked like a complete answer, close() ran twice or not at all, read() on
an empty body waited, a body shorter than its Content-Length left the client waiting on a connection that
was kept; an application that says Connection: keep-alive, as each tutorial on server-sent events does, got a 500.
"""

import hashlib
import json
import os
import re

import pytest
from client import Cut, chunked
from harness import Server
from timing import wait_until

APP = '''
import os, sys, time, threading

closed = []   # paths whose close() has run


class Body:
    def __init__(self, path, blocks):
        self.path, self.blocks = path, iter(blocks)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.blocks)

    def close(self):
        closed.append(self.path)


def failing():
    yield b"some"
    raise ValueError("late")


def endless():
    while True:
        yield b"x" * 65536


class Sequence:
    """Iterable by the old protocol only."""
    def __getitem__(self, n):
        return (b"a", b"b", b"c")[n]


class Bytes(bytes):
    pass


class Text(str):
    pass


def late_start(start_response):
    start_response(Text("200 OK"), [(Text("X-Late"), Text("yes"))])
    yield b"late start"


PLAIN = [("Content-Type", "text/plain")]
BODIES = {
    "/list": lambda: [b"one", b"two"],
    "/one": lambda: [b"one"],
    "/empty-list": lambda: [],
    "/tuple": lambda: (b"one", b"two"),
    "/generator": lambda: (c for c in (b"one", b"", b"two")),
    "/iterator": lambda: iter([b"one", b"two"]),
    "/set": lambda: {b"one"},
    "/bytes": lambda: b"abc" and [b"abc"],
    "/sequence": Sequence,
    "/subclass": lambda: [Bytes(b"one")],
    "/only-empty": lambda: [b"", b"", b""],
    "/empty-first": lambda: (c for c in (b"", b"", b"data")),
    "/many": lambda: [b"x"] * 1000,
    "/large": lambda: [b"y" * 3000000],
}


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/closed":
        start_response("200 OK", PLAIN)
        return [",".join(closed).encode()]
    if path in BODIES:
        start_response("200 OK", list(PLAIN))
        return BODIES[path]()
    if path == "/late-start":
        return late_start(start_response)
    if path == "/write":
        write = start_response("200 OK", PLAIN)
        write(b"")
        write(b"first,")
        write(b"second,")
        return (c for c in (b"third,", b"fourth"))
    if path == "/write-length":
        write = start_response("200 OK", [("Content-Length", "11")])
        write(b"hello")
        write(b" ")
        return [b"world"]
    if path == "/write-then-fail":
        write = start_response("200 OK", PLAIN)
        write(b"written")
        raise ValueError("after write")
    if path == "/write-late":
        write = start_response("200 OK", PLAIN)
        keep.append(write)
        return [b"kept"]
    if path == "/write-use":
        try:
            keep.pop()(b"forged bytes")
            said = b"no error"
        except Exception as error:
            said = type(error).__name__.encode()
        start_response("200 OK", PLAIN)
        return [said]
    if path == "/write-type":
        write = start_response("200 OK", PLAIN)
        try:
            write("text")
            return [b"no error"]
        except TypeError:
            return [b"TypeError"]
    if path == "/own-length":
        start_response("200 OK", [("Content-Length", "6")])
        return (c for c in (b"abc", b"def"))
    if path == "/reuse":
        # The list may be changed by the application after start_response has returned.
        headers = [("X-One", "1")]
        start_response("200 OK", headers)
        headers[:] = [("X-Two", "2")]
        return [b"ok"]
    if path == "/latin-1":
        start_response("200 Gr\\xfc\\xdfe", [("X-Name", "caf\\xe9")])
        return [b"ok"]
    if path == "/cookies":
        start_response("200 OK", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
        return [b"ok"]
    if path == "/errors":
        errors = environ["wsgi.errors"]
        errors.write("first line\\nsecond line\\n")
        errors.writelines(["third ", "line\\n"])
        print("printed \\N{SNOWMAN} \\x1b[31m", file=errors)
        errors.flush()
        start_response("200 OK", PLAIN)
        return [b"ok"]
    if path == "/clear":
        environ.clear()
        start_response("200 OK", PLAIN)
        return [b"cleared"]
    if path == "/keep":
        keep[:] = [environ, start_response]
        start_response("200 OK", PLAIN)
        return [b"kept"]
    if path == "/use-kept":
        said = []
        old, start = keep
        said.append(repr(old["wsgi.input"].read()))
        try:
            start("500 No", [])
            said.append("started")
        except Exception as error:
            said.append(type(error).__name__)
        start_response("200 OK", PLAIN)
        return [" ".join(said).encode()]
    if path == "/slow-blocks":
        start_response("200 OK", PLAIN)
        return slow()
    if path.startswith("/close/"):
        kind = path.split("/")[2]
        if kind == "no-start":
            return Body(path, [b"no head"])
        if kind == "length":
            start_response("200 OK", [("Content-Length", "2")])
            return Body(path, [b"too long"])
        start_response("200 OK", list(PLAIN))
        blocks = {"fine": [b"fine"], "empty": [], "fails": failing(), "text": ["text"], "endless": endless()}
        return Body(path, blocks[kind])
    start_response("404 Not Found", PLAIN)
    return [b"?"]


keep = []


def slow():
    for n in range(3):
        yield b"block %d" % n
        while not os.path.exists(f"seen{n}"):
            time.sleep(0.01)
'''


@pytest.fixture(scope="module")
def server():
    with Server("app", files={"app.py": APP}) as server:
        yield server


@pytest.fixture(scope="module")
def errors():
    with Server("errors", crashes=True) as server:
        yield server


BODIES = [
    # path, body, is its length known before it is sent?
    ("/list", b"onetwo", True),
    ("/one", b"one", True),
    ("/empty-list", b"", True),
    ("/tuple", b"onetwo", True),
    ("/generator", b"onetwo", False),
    ("/iterator", b"onetwo", False),
    ("/set", b"one", None),
    ("/bytes", b"abc", True),
    ("/sequence", b"abc", None),
    ("/subclass", b"one", True),
    ("/only-empty", b"", None),
    ("/empty-first", b"data", False),
    ("/many", b"x" * 1000, None),
    ("/large", b"y" * 3000000, True),
    ("/write", b"first,second,third,fourth", False),
    ("/write-length", b"hello world", True),
    ("/own-length", b"abcdef", True),
    ("/late-start", b"late start", False),
]


@pytest.mark.parametrize("path, body, known", BODIES, ids=[row[0] for row in BODIES])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_every_kind_of_iterable_arrives(server, path, body, known, version):
    with server.connect() as connection:
        response = connection.exchange("GET", path, version=version)
        assert response.status == 200
        assert response.body[:200] == body[:200] and len(response.body) == len(body)
        if known:
            assert response.get("Content-Length") == str(len(body))
        if version == "1.1":
            assert connection.exchange("GET", "/one").body == b"one"


@pytest.mark.parametrize("path", [path for path, *_ in BODIES])
def test_head_of_every_kind_of_iterable_has_no_body(server, path):
    with server.connect() as connection:
        assert connection.exchange("HEAD", path).status == 200
        assert connection.exchange("GET", "/one").body == b"one"


def test_each_block_goes_out_at_once(server):
    with server.connect() as connection:
        connection.request("GET", "/slow-blocks")
        for number in range(3):
            while b"block %d" % number not in connection.buffer:
                assert connection._more()
            (server.directory / f"seen{number}").touch()  # until then the application waits
        response = connection.receive()
    assert response.chunks == [7, 7, 7]


FAILURES = [
    # path in errors.py, what the log says
    ("/before", "ValueError: before start_response"),
    ("/after", "ValueError: after start_response"),
    ("/first", "ValueError: in the iterable, early"),
    ("/exit", "SystemExit: 7"),
    ("/interrupt", "KeyboardInterrupt"),
    ("/base", "Odd: not an Exception"),
    ("/recursion", "RecursionError"),
    ("/no-start", "start_response"),
    ("/twice", "start_response"),
    ("/status-type", "TypeError|AssertionError"),
    ("/status-short", "status"),
    ("/status-newline", "status"),
    ("/headers-type", "list"),
    ("/header-type", "header|str"),
    ("/header-pair", "header|tuple|pair"),
    ("/header-newline", "header|control"),
    ("/header-name", "header|name"),
    ("/header-text", "header|latin-1"),
    ("/hop-by-hop", "(?i)hop|transfer-encoding"),
    ("/length-text", "(?i)content-length"),
    ("/text", "str"),
    ("/none", "None|iterable"),
    ("/number", "int|iterable"),
]


@pytest.mark.parametrize("path, logged", FAILURES, ids=[row[0] for row in FAILURES])
def test_a_failure_before_the_first_byte_is_a_500_and_one_entry_in_the_log(errors, path, logged):
    mark = len(errors.log)
    with errors.connect() as connection:
        response = connection.exchange("GET", path)
        assert response.status == 500
        assert response.get("Content-Type").startswith("text/plain")
        assert response.get("X-Forged") is None and response.get("X-First") is None
        assert b"Error" not in response.body.replace(b"Internal Server Error", b"")
        assert b"errors.py" not in response.body
        # The request was whole: nothing is wrong with the connection.
        if response.get("Connection") != "close":
            assert connection.exchange("GET", "/").status == 200
    errors.wait_log(logged, mark)
    entries = re.findall(r"(?m)^\d{4}-\d\d-\d\dT.* (?:error|critical): .*", errors.log[mark:])
    assert len(entries) == 1, entries
    assert "errors.py" in errors.log[mark:] or path in ("/no-start", "/text", "/none", "/number")


@pytest.mark.parametrize("path", ["/late", "/late-length", "/exit-late", "/too-late"])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_failure_after_the_first_bytes_cuts_the_connection(errors, path, version):
    mark = len(errors.log)
    with errors.connect() as connection:
        connection.request("GET", path, version=version)
        if version == "1.0" and path != "/late-length":
            # The end of the connection is the end of the body: only a reset can tell that it is not whole.
            try:
                assert connection.receive().body == b"ten bytes\n"
            except ConnectionResetError:
                pass
        else:
            with pytest.raises((Cut, ConnectionResetError)) as cut:
                connection.receive()
            if cut.type is Cut:
                assert cut.value.response.body == b"ten bytes\n"
    errors.wait_log("ValueError|SystemExit", mark)
    assert errors.get("/").status == 200


@pytest.mark.parametrize("path", ["/close", "/exit-close"])
def test_a_failure_in_close_is_logged_and_nothing_more(errors, path):
    mark = len(errors.log)
    with errors.connect() as connection:
        assert connection.exchange("GET", path).body == b"all is there\n"
        assert connection.exchange("GET", "/").status == 200
    errors.wait_log("in close|SystemExit", mark)


def test_exc_info_before_the_first_byte_replaces_the_answer(errors):
    response = errors.get("/replaced")
    assert response.status == 503
    assert response.get("X-First") is None
    assert response.body == b"an error page of the application's own\n"


def test_more_than_the_content_length_is_cut_and_logged(errors):
    mark = len(errors.log)
    with errors.connect() as connection:
        assert connection.exchange("GET", "/too-long").body == b"ten bytes\n"
        errors.wait_log("(?i)content-length", mark)
        # Not a byte of what was too long may be taken for the next answer.
        assert connection.buffer == b""
        connection.request("GET", "/")
        assert connection.rest_or_answer() in (b"", 200)


def test_less_than_the_content_length_closes_the_connection_and_is_logged(errors):
    mark = len(errors.log)
    with errors.connect() as connection:
        connection.request("GET", "/too-short")
        with pytest.raises(Cut) as cut:
            connection.receive()
        assert cut.value.response.body == b"ten bytes\n"
    errors.wait_log("(?i)content-length", mark)


CLOSES = ["fine", "empty", "fails", "text", "no-start", "length"]


@pytest.mark.parametrize("kind", CLOSES)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_close_runs_exactly_once(server, kind, method):
    path = f"/close/{kind}/{method}"
    with server.connect() as connection:
        connection.request(method, path)
        try:
            connection.receive(method)
        except Cut:
            pass
    wait_until(lambda: path in server.get("/closed").text.split(","), "close() has run")
    assert server.get("/closed").text.split(",").count(path) == 1


@pytest.mark.parametrize("goes", ["close", "reset"])
def test_close_runs_when_the_client_vanishes(server, goes):
    path = f"/close/endless/{goes}"
    connection = server.connect()
    connection.request("GET", path)
    connection.socket.recv(1000)
    getattr(connection, goes)()
    wait_until(lambda: path in server.get("/closed").text.split(","), "close() has run")
    assert server.get("/closed").text.split(",").count(path) == 1


def test_write_after_which_the_application_fails_cuts_the_connection(server):
    with server.connect() as connection:
        connection.request("GET", "/write-then-fail")
        with pytest.raises(Cut) as cut:
            connection.receive()
        assert cut.value.response.body == b"written"


def test_write_and_start_response_kept_beyond_the_request_do_no_harm(server):
    with server.connect() as connection:
        assert connection.exchange("GET", "/write-late").body == b"kept"
        assert connection.exchange("GET", "/write-use").body not in (b"no error", b"forged bytes")
        assert connection.exchange("POST", "/keep", body=b"kept body").body == b"kept"
        body = connection.exchange("GET", "/use-kept").body
        assert body.startswith(b"b'kept body' ") and not body.endswith(b"started")
        assert connection.exchange("GET", "/one").body == b"one"


def test_write_takes_bytes_only(server):
    assert server.get("/write-type").body == b"TypeError"


def test_the_application_may_clear_environ(server):
    with server.connect() as connection:
        assert connection.exchange("GET", "/clear").body == b"cleared"
        assert connection.exchange("GET", "/one").body == b"one"


def test_headers_are_those_at_the_time_of_start_response(server):
    response = server.get("/reuse")
    assert response.get("X-One") == "1" and response.get("X-Two") is None


def test_status_and_headers_are_latin_1(server):
    response = server.get("/latin-1")
    assert response.reason == "Gr\xfc\xdfe" and response.get("X-Name") == "caf\xe9"


def test_repeated_headers_of_the_application_stay_apart_and_in_order(server):
    assert server.get("/cookies").all("Set-Cookie") == ["a=1", "b=2"]


def test_wsgi_errors_is_the_error_log_a_line_an_entry(server):
    mark = len(server.log)
    assert server.get("/errors").status == 200
    server.wait_log("printed", mark)
    lines = server.log[mark:].splitlines()
    for text in ("first line", "second line", "third line"):
        assert sum(bool(re.search(rf"^\d{{4}}-.* error: {text}$", line)) for line in lines) == 1, lines
    assert "\x1b" not in server.log[mark:]


def test_one_failure_does_not_hurt_the_next_request_of_the_connection(errors):
    with errors.connect() as connection:
        for path, _ in FAILURES:
            response = connection.exchange("GET", path)
            assert response.status == 500
            if response.get("Connection") == "close":
                connection.close()
                connection.__init__(errors.address)
        assert connection.exchange("GET", "/").status == 200


WAYS = ["read", "blocks", "readline", "short_lines", "readlines", "some_lines", "iterate", "mixed"]
BODY = b"".join(b"%d %s\n" % (n, b"." * (n % 200)) for n in range(3000)) + b"no newline at the end"
REQUEST_BODIES = {"empty": b"", "small": BODY[:1000], "memory": BODY[:50000], "file": BODY, "one line": b"x" * 200000}


@pytest.fixture(scope="module")
def upload():
    with Server("upload") as server:
        yield server


@pytest.mark.parametrize("size", REQUEST_BODIES)
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_wsgi_input_gives_the_same_bytes_whatever_way_it_is_read(upload, size, framing):
    body = REQUEST_BODIES[size]
    with upload.connect() as connection:
        for way in WAYS:
            if framing == "length":
                response = connection.exchange("POST", f"/?how={way}", body=body)
            else:
                blocks = [body[at : at + 7000] for at in range(0, len(body), 7000)]
                response = connection.exchange(
                    "POST", f"/?how={way}", [("Transfer-Encoding", "chunked")], chunked(*blocks)
                )
            report = json.loads(response.body)
            assert (report["size"], report["sha256"]) == (len(body), hashlib.sha256(body).hexdigest()), report


def test_lines_of_wsgi_input_are_lines(upload):
    for way in ("readline", "readlines", "iterate", "some_lines"):
        response = upload.request("POST", f"/?how={way}", body=BODY)
        assert json.loads(response.body)["pieces"] == BODY.count(b"\n") + 1


def test_a_body_that_the_application_ignores_is_gone_before_the_next_request(upload):
    with upload.connect() as connection:
        for size in REQUEST_BODIES:
            assert connection.exchange("POST", "/?how=nothing", body=REQUEST_BODIES[size]).status == 200
        assert json.loads(connection.exchange("POST", "/", body=b"last").body)["size"] == 4


INPUT_APP = '''
import json

def application(environ, start_response):
    body = environ["wsgi.input"]
    said = []
    for call in ["read(0)", "read(3)", "readline(2)", "readline()", "readline(0)", "readlines(1)", "read(None)",
                 "read()", "read(5)", "readline()", "readlines()", "list(body)", "read(-1)"]:
        said.append(repr(eval("list(body)" if "list" in call else "body." + call, {"body": body, "list": list})))
    data = json.dumps(said).encode()
    start_response("200 OK", [("Content-Length", str(len(data)))])
    return [data]
'''


def test_wsgi_input_has_sizes_and_ends_like_a_file(serve):
    server = serve("app", "--body-memory", "1k", files={"app.py": INPUT_APP})
    expected = ["b''", "b'abc'", "b'de'", "b'f\\n'", "b''", "[b'line\\n']", "b'rest\\nof it'"]
    expected += ["b''", "b''", "b''", "[]", "[]", "b''"]
    # From memory, and from a file with a long line at its end.
    for rest in (b"of it", b"of it" * 1000):
        body = b"abcdef\nline\nrest\n" + rest
        expected[6] = repr(b"rest\n" + rest)
        assert json.loads(server.request("POST", "/", body=body).body) == expected
        response = server.request("POST", "/", [("Transfer-Encoding", "chunked")], chunked(body))
        assert json.loads(response.body) == expected
    assert json.loads(server.get("/").body) == ["b''"] * 5 + ["[]"] + ["b''"] * 4 + ["[]", "[]", "b''"]


SAMPLES = ["hello", "environ", "echo", "upload", "stream", "write", "file", "mixed", "tenlines"]


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_validator_finds_nothing_between_us_and_any_sample(sample):
    with Server("validator", env={"APPLICATION": sample}) as server:
        for method, body in [("GET", None), ("HEAD", None), ("POST", b"some\nbody\n"), ("POST", b"x" * 100000)]:
            for version in ("1.1", "1.0"):
                response = server.request(method, "/", body=body, version=version)
                assert response.status == 200, server.log
        assert "AssertionError" not in server.log and "Traceback" not in server.log, server.log


def test_the_ten_line_application_is_what_it_says():
    with Server("tenlines") as server:
        response = server.get("/")
        assert response.get("Content-Length") == "10000" and len(response.body) == 10000
    source = os.path.join(os.path.dirname(__file__), "..", "..", "pyapps", "tenlines.py")
    with open(source) as file:
        assert len(file.readlines()) <= 10


# What applications say of the connection.

SAYS = """
PAIRS = {name: ("Connection", name.replace("+", ", ")) for name in ("keep-alive", "close", "Keep-Alive+close", "upgrade", "closed")}
PAIRS["header"] = ("Keep-Alive", "timeout=5, max=100")  # constants: what is known of them is kept


def app(environ, start_response):
    name, way = environ["PATH_INFO"][1:].split("/")
    pair = PAIRS[name] if way == "constant" else ("".join(PAIRS[name][0]), "".join(PAIRS[name][1]))
    try:
        if way == "replaced":
            start_response("200 OK", [pair])
            raise ValueError
        start_response("200 OK", [("Content-Type", "text/event-stream"), pair])
    except ValueError:
        import sys
        if way != "replaced":
            raise
        start_response("200 OK", [("Content-Type", "text/event-stream")], sys.exc_info())
    yield b"data: 1\\n\\n"
    yield b"data: 2\\n\\n"
"""

CLOSES = [("keep-alive", False), ("close", True), ("Keep-Alive+close", True), ("header", False)]


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize("way", ["constant", "new", "replaced"])
@pytest.mark.parametrize("name, closes", CLOSES, ids=[row[0] for row in CLOSES])
def test_what_it_says_of_the_connection_is_taken_off_and_close_is_obeyed(serve, name, closes, way, version):
    server = serve("says:app", files={"says.py": SAYS})
    closes = (closes and way != "replaced") or version == "1.0"  # the length is unknown
    for _ in range(3):
        with server.connect() as connection:
            response = connection.exchange("GET", f"/{name}/{way}", version=version)
            assert (response.status, response.body) == (200, b"data: 1\n\ndata: 2\n\n")
            assert response.get("Keep-Alive") is None
            assert response.get("Connection") == ("close" if closes else None)
            if closes:
                connection.assert_closed()
            else:
                assert connection.exchange("GET", f"/{name}/{way}").status == 200
    told = server.log.count("the application set Connection or Keep-Alive, which belong to the server")
    assert told == 1


@pytest.mark.parametrize("name", ["upgrade", "closed"])
def test_other_options_of_the_connection_are_refused(serve, name):
    server = serve("says:app", files={"says.py": SAYS})
    for way in "constant", "new":
        assert server.get(f"/{name}/{way}").status == 500
    assert server.log.count("hop-by-hop headers belong to the server") == 2
