"""Clients that read slowly get everything, and nobody waits for them.

What went wrong once, in one server or another: the application's thread waited for the client, a partial
write was repeated or lost, what was spooled came out in another order, the spool was never given back; a
client was taken for slow while the application kept the server from reading what it had sent.
"""

import hashlib
import os
import re
import resource
import signal
import time
from contextlib import ExitStack

import pytest
from client import Cut, request_bytes
from control import gatewayctl, rows, status
from harness import Server, run
from timing import wait_until
from watcher import Watcher

APP = '''
import hashlib, io, os, random, resource, time

BLOCK = random.Random(1).randbytes(1 << 16)
finished = []
with open("file", "wb") as file:
    for n in range(100):
        file.write(n.to_bytes(4, "big") + BLOCK)


def blocks(count, name):
    for n in range(count):
        yield n.to_bytes(4, "big") + BLOCK
    finished.append(name)


def counted(count):
    """Tells, without another request, how far it has come."""
    for n, block in enumerate(blocks(count, "counted")):
        with open("progress", "w") as file:
            file.write(str(n))
        yield block


def application(environ, start_response):
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    if path == "/finished":
        start_response("200 OK", [])
        return [",".join(finished).encode()]
    if path == "/small":
        start_response("200 OK", [])
        return [b"small"]
    if path == "/block":
        with open("blocked", "w"):
            time.sleep(1.2)
        os.unlink("blocked")
        start_response("200 OK", [])
        return [b"blocked"]
    if path == "/counted":
        start_response("200 OK", [])
        return counted(400)
    count = 100
    name = environ.get("HTTP_X_NAME", "")
    if path == "/list":
        start_response("200 OK", [])
        return list(blocks(count, name))
    if path == "/one":
        start_response("200 OK", [])
        return [b"".join(blocks(count, name))]
    if path == "/generator":
        start_response("200 OK", [])
        return blocks(count, name)
    if path == "/length":
        start_response("200 OK", [("Content-Length", str(count * (4 + len(BLOCK))))])
        return blocks(count, name)
    if path == "/file":
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](open("file", "rb"))
    if path == "/file without descriptors":
        file = open("file", "rb")
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (4, limits[1]))  # 3 is in use, and so no other can be opened
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](file)
    if path == "/write":
        write = start_response("200 OK", [])
        for block in blocks(count, name):
            write(block)
        return []
    if path == "/many":
        start_response("200 OK", [])
        return (b"%07d\\n" % n for n in range(200000))
'''

PATHS = ["/list", "/one", "/generator", "/length", "/file", "/write"]


@pytest.fixture(scope="module")
def data(server):
    return (server.directory / "file").read_bytes()


@pytest.fixture(scope="module")
def spool(tmp_path_factory):
    return tmp_path_factory.mktemp("spool")


@pytest.fixture(scope="module")
def server(spool):
    options = ["--response-memory", "64k", "--response-spool", "100m", "--tmp-dir", spool]
    with Server("app", *options, files={"app.py": APP}) as server:
        yield server


@pytest.fixture(scope="module")
def tight(spool):
    """Beyond both limits the application has to wait."""
    options = ["--response-memory", "32k", "--response-spool", "200k", "--tmp-dir", spool]
    with Server("app", *options, files={"app.py": APP}) as server:
        yield server


def receive_slowly(connection):
    """At first nothing at all, so that everything in between fills; then in pieces of odd sizes."""
    time.sleep(0.3)
    for size in (1, 10, 1000, 5000, 70000):
        connection.buffer += connection.socket.recv(size)
        time.sleep(0.02)
    return connection.receive()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_slow_client_gets_everything_while_others_are_served(server, data, path, version):
    with server.connect(receive_buffer=8192) as slow:
        slow.request("GET", path, version=version)
        time.sleep(0.1)
        assert server.get("/small").body == b"small"
        response = receive_slowly(slow)
        assert len(response.body) == len(data)
        assert hashlib.sha256(response.body).digest() == hashlib.sha256(data).digest()
        if version == "1.1":
            assert slow.exchange("GET", "/small").body == b"small"


@pytest.mark.parametrize("path", PATHS)
def test_beyond_both_limits_the_application_waits_and_nothing_is_lost(tight, data, path):
    with tight.connect(receive_buffer=8192) as slow:
        slow.request("GET", path)
        response = receive_slowly(slow)
        assert hashlib.sha256(response.body).digest() == hashlib.sha256(data).digest()
        assert slow.exchange("GET", "/small").body == b"small"


def test_the_application_is_finished_long_before_a_slow_client(server):
    with server.connect(receive_buffer=8192) as slow:
        slow.request("GET", "/generator", [("X-Name", "slow")])
        wait_until(lambda: b"slow" in server.get("/finished").body.split(b","), "the generator has ended")
        assert len(slow.receive().body) > 6000000


def test_many_small_blocks_come_whole_and_in_order(server):
    with server.connect(receive_buffer=8192) as slow:
        slow.request("GET", "/many")
        response = receive_slowly(slow)
        assert response.body == b"".join(b"%07d\n" % n for n in range(200000)) or pytest.fail("not in order")


def test_pipelined_requests_wait_for_a_slow_reader_in_order(server, data):
    with server.connect(receive_buffer=8192) as slow:
        for path in ("/one", "/small", "/generator", "/small"):
            slow.request("GET", path)
        assert len(receive_slowly(slow).body) == len(data)
        assert slow.receive().body == b"small"
        assert slow.receive().body == data or pytest.fail("other bytes")
        assert slow.receive().body == b"small"


def test_twenty_slow_readers_do_not_stop_the_server(server):
    readers = [server.connect(receive_buffer=8192) for _ in range(20)]
    for reader in readers:
        reader.request("GET", "/file")
    assert [server.get("/small").status for _ in range(5)] == [200] * 5
    for reader in readers:
        reader.close()


def test_spools_have_no_name_and_are_given_back(server, spool):
    folder = f"/proc/{server.worker_pid}/fd"

    def spools():
        return [fd for fd in os.listdir(folder) if os.readlink(f"{folder}/{fd}").startswith(str(spool))]

    def try_spools():
        try:
            return spools()
        except OSError:
            return ["?"]

    with server.connect(receive_buffer=8192) as slow:
        slow.request("GET", "/generator")
        wait_until(try_spools, "the answer is in a spool")
        assert os.listdir(spool) == []
        slow.reset()
    wait_until(lambda: not try_spools(), "the spool is closed with its connection")


def file_limit():
    """As a full disk: no file of the server's may be longer."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))


@pytest.mark.parametrize("want", ["directory", "room", "total"])
@pytest.mark.parametrize("path", PATHS)
def test_where_nothing_more_can_be_spooled_the_application_waits(serve, tmp_path, want, path):
    # The answer was cut: a full --tmp-dir cut the answers to all slow clients.
    gone = tmp_path / "gone"
    gone.mkdir()
    options = ["--response-memory", "32k", "--threads", "2", "--control-socket", "control"]
    keywords = {"preexec_fn": file_limit} if want == "room" else {}
    if want == "total":
        options += ["--spool-total", "1m"]
    if want == "directory":
        options += ["--tmp-dir", gone]
    server = serve("app", *options, files={"app.py": APP.replace("range(100)", "range(10)", 1)}, **keywords)
    gone.rmdir()
    with server.connect(receive_buffer=8192) as slow:
        slow.request("GET", path)
        if path != "/file":
            server.wait_log("an answer to a slow client could not be kept in .*; the application waits")
        assert server.get("/small").body == b"small"
        assert hashlib.sha1(receive_slowly(slow).body).digest() == hashlib.sha1(whole(server, path)).digest()
    assert len(re.findall("could not be kept", server.log)) <= 11, "at a limited rate"


@pytest.mark.parametrize("options", [[], ["--response-spool", "0"]], ids=["a spool", "no spool"])
def test_a_file_that_must_wait_needs_no_descriptor(serve, options):
    """Its descriptor could not be duplicated (EMFILE), and the answer was cut."""
    server = serve("app", *options, "--response-memory", "128k", "--threads", "2", files={"app.py": APP})
    data = (server.directory / "file").read_bytes()
    with server.connect(receive_buffer=8192) as slow, server.connect() as other:
        assert other.exchange("GET", "/small").body == b"small"
        slow.request("GET", "/file%20without%20descriptors")
        slow.buffer += slow.socket.recv(1000)
        if not options:
            server.wait_log("an answer to a slow client could not be kept in .*: Too many open files; the application waits")
        assert other.exchange("GET", "/small").body == b"small"
        assert receive_slowly(slow).body == data or pytest.fail("other bytes")
        assert slow.exchange("GET", "/small").body == b"small"
    assert "is cut" not in server.log


def whole(server, path):
    if path == "/file":
        return (server.directory / "file").read_bytes()
    with server.connect() as fast:
        return fast.exchange("GET", path).body


def spooled(server):
    return int(status(server)["spooled"])


def test_all_spools_together_have_a_limit_and_a_dead_worker_gives_its_part_back(serve, spool):
    # There was none: 1 GiB for each connection.
    options = ["--response-memory", "32k", "--spool-total", "10m", "--tmp-dir", spool, "--control-socket", "control"]
    server = serve("app", *options, "--body-memory", "4k", "--status", "127.0.0.1:0", files={"app.py": APP}, workers=2)
    with ExitStack() as stack:
        for _ in range(5):  # of 6 MB each, of which the kernel takes a part
            slow = stack.enter_context(server.connect(receive_buffer=8192))
            slow.request("GET", "/one")
        server.wait_log("an answer to a slow client could not be kept in .*: --spool-total is reached")
        assert 5 << 20 < spooled(server) <= 10 << 20
        assert Watcher(server).metrics["gateway_spooled_bytes"].value == spooled(server)
        assert Watcher(server).json["spooled"] == spooled(server)
        response = server.request("POST", "/small", body=bytes(9 << 20))
        assert response.status == 503 and response.get("Retry-After")
        server.wait_log("a request body could not be kept in|could not be kept")
        for row in rows(server, "workers"):
            os.kill(int(row["pid"]), signal.SIGKILL)
        wait_until(lambda: spooled(server) == 0, "what dead workers had is free")
        wait_until(lambda: len(rows(server, "workers")) == 2, "others have come")
    assert server.request("POST", "/small", body=bytes(9 << 20)).status == 200
    wait_until(lambda: spooled(server) == 0, "a body's part is free with its request")


def test_a_reload_changes_the_limit_of_all_spools(serve, spool):
    config = 'application = "app"\nspool-total = "%s"\n'
    server = serve(
        "app", "--body-memory", "4k", "--tmp-dir", spool, "--config", "gateway.toml", "--control-socket", "control",
        files={"app.py": APP, "gateway.toml": config % "1m"},
    )  # fmt: skip
    assert server.request("POST", "/small", body=bytes(3 << 20)).status == 503
    (server.directory / "gateway.toml").write_text(config % "5m")
    assert gatewayctl(server, "reload", "--wait")[0] == 0
    assert server.request("POST", "/small", body=bytes(3 << 20)).status == 200


WITHOUT_SPOOL = [["--response-spool", "0"], ["--response-spool", "0", "--response-memory", "4k"]]


def stalled(server):
    """How many blocks the application has produced when it produces no more."""
    progress = server.directory / "progress"
    wait_until(progress.exists, "the application produces")

    def now():
        before = progress.read_text()
        time.sleep(0.2)
        return before and before == progress.read_text() and int(before)

    return wait_until(now, "the application waits")


def spooled_bytes(server, folder):
    total = 0
    for fd in os.listdir(f"/proc/{server.worker_pid}/fd"):
        path = f"/proc/{server.worker_pid}/fd/{fd}"
        if os.readlink(path).startswith(str(folder)):
            total += os.stat(path).st_size
    return total


@pytest.mark.parametrize("options", WITHOUT_SPOOL, ids=["256k in memory", "4k in memory"])
def test_without_a_spool_the_application_waits_and_the_client_gets_everything(serve, tmp_path, options):
    server = serve("app", *options, "--tmp-dir", tmp_path, files={"app.py": APP})
    expected = hashlib.sha256()
    block = (server.directory / "file").read_bytes()[4 : 4 + (1 << 16)]
    for n in range(400):
        expected.update(n.to_bytes(4, "big") + block)
    with server.connect(receive_buffer=8192) as slow:
        slow.request("GET", "/counted")
        count = stalled(server)
        assert count < 399, "the application has not waited"
        assert spooled_bytes(server, tmp_path) <= 2 * len(block), "what was produced is on the disk"
        for size in (1, 10, 1000, 5000, 70000):
            slow.buffer += slow.socket.recv(size)
        response = slow.receive()
        assert len(response.body) == 400 * (4 + len(block))
        assert hashlib.sha256(response.body).digest() == expected.digest()
        assert slow.exchange("GET", "/small").body == b"small"
    assert "error" not in server.log


@pytest.mark.parametrize("options", WITHOUT_SPOOL, ids=["256k in memory", "4k in memory"])
@pytest.mark.parametrize("path", ["/one", "/list", "/file", "/write", "/many"])
def test_without_a_spool_every_kind_of_answer_comes_whole(serve, tmp_path, data, options, path):
    server = serve("app", *options, "--tmp-dir", tmp_path, files={"app.py": APP})
    with server.connect(receive_buffer=8192) as slow:
        slow.request("GET", path)
        body = receive_slowly(slow).body
        expected = b"".join(b"%07d\n" % n for n in range(200000)) if path == "/many" else data
        assert body == expected or pytest.fail("other bytes")
        assert slow.exchange("GET", "/small").body == b"small"


@pytest.mark.parametrize("goes", ["reset", "is idle"])
def test_an_application_that_waits_for_a_client_waits_no_longer_than_there_is_hope(serve, goes):
    options = ["--response-spool", "0", "--write-timeout", "600ms" if goes == "is idle" else "60s"]
    server = serve("app", *options, files={"app.py": APP})
    with server.connect(receive_buffer=8192) as slow:
        slow.request("GET", "/counted")
        if goes == "reset":
            stalled(server)
            slow.reset()
        assert server.get("/small").body == b"small"
        assert server.get("/finished").body == b""


def test_no_memory_at_all_for_answers_is_refused_at_the_start():
    result = run("--response-memory", "0", "--response-spool", "0", "app")
    assert result.returncode == 2 and "response-memory" in result.stderr


PUNCTUAL = [
    # what, what the client has done, what it does while the worker cannot see it
    ("a head", b"GET /small HT", b"TP/1.1\r\nHost: a\r\n\r\n"),
    ("a body", request_bytes("POST", "/small", [("Content-Length", "4")]) + b"ab", b"cd"),
    ("the next request", None, request_bytes("GET", "/small")),
]


@pytest.fixture(scope="module")
def blocked():
    options = ["--header-timeout", "400ms", "--body-timeout", "400ms", "--keep-alive", "400ms"]
    options += ["--write-timeout", "400ms"]
    with Server("app", *options, files={"app.py": APP}) as server:
        yield server


def block(server, connection):
    """The application keeps the worker for longer than any client may wait."""
    connection.request("GET", "/block")
    wait_until((server.directory / "blocked").exists, "the application has the request")


@pytest.mark.parametrize("what, before, meanwhile", PUNCTUAL, ids=[row[0] for row in PUNCTUAL])
def test_what_came_in_time_is_not_too_late_because_the_worker_was_busy(blocked, what, before, meanwhile):
    with blocked.connect() as punctual, blocked.connect() as other:
        if before is None:
            assert punctual.exchange("GET", "/small").status == 200
        else:
            punctual.send(before)
            time.sleep(0.1)
        block(blocked, other)
        punctual.send(meanwhile)
        assert punctual.receive().body == b"small"
        assert other.receive().body == b"blocked"


def test_a_client_that_takes_its_answer_is_not_idle_because_the_worker_was_busy(blocked):
    data = (blocked.directory / "file").read_bytes()
    with blocked.connect(receive_buffer=8192) as reader, blocked.connect() as other:
        reader.request("GET", "/file")
        reader.buffer += reader.socket.recv(1000)
        block(blocked, other)
        assert reader.receive().body == data or pytest.fail("other bytes")
        assert other.receive().body == b"blocked"
