"""The error log and the access log: their formats, their rotation, and that no client can forge a line.

What went wrong once, in one server or another: a newline in a path made a second line (CVE-2020-7694),
escape sequences reached the terminal (CVE-2009-4487), two workers wrote into one line, a rotated log was
written to for ever.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest
from client import Connection, request_bytes
from harness import Server, run
from timing import SANITIZED, wait_until

TEXT_LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d \[\d+\] \[(master|worker \d+)\] "
    r"(debug|info|warning|error|critical): \S.*"
)

APP = """
import os

def application(environ, start_response):
    if environ["PATH_INFO"] == "/raise":
        raise ValueError("line one\\nline two \\x1b[31m \\x07")
    if environ["PATH_INFO"] == "/forge":
        raise ValueError("line one\\n" + environ["HTTP_X_TEXT"])
    if environ["PATH_INFO"] == "/chdir":
        os.makedirs("elsewhere", exist_ok=True)
        os.chdir("elsewhere")
    if environ["PATH_INFO"] == "/errors":
        environ["wsgi.errors"].write(environ["HTTP_X_TEXT"] + "\\n")
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Out", "said")])
    return [b"12345"]
"""


def start(serve, *options, **keywords):
    return serve("app", *options, files={"app.py": APP}, **keywords)


def lines_of(path, count):
    """The lines of a log once there are that many."""
    wait_until(lambda: path.exists() and path.read_text().count("\n") >= count, f"{count} lines in {path}")
    lines = path.read_text().splitlines()
    assert len(lines) == count, lines
    return lines


def test_each_line_of_the_error_log_has_time_pid_process_and_level(serve):
    server = start(serve, "--log-level", "debug", workers=2)
    server.get("/")
    lines = server.log.splitlines()
    assert lines and [line for line in lines if not TEXT_LINE.fullmatch(line)] == []


def test_a_traceback_is_one_record_with_the_request_it_belongs_to(serve):
    server = start(serve)
    mark = len(server.log)
    assert server.get("/raise").status == 500
    server.wait_log("ValueError", mark)
    record = server.log[mark:]
    assert len([line for line in record.splitlines() if TEXT_LINE.fullmatch(line)]) == 1
    assert "GET /raise" in record.splitlines()[0] and 'app.py", line 6' in record
    assert "\x1b" not in record and "\x07" not in record


def test_json_error_log_is_an_object_a_line(serve):
    server = start(serve, "--log-format", "json")
    assert server.get("/raise").status == 500
    server.wait_log("ValueError")
    objects = [json.loads(line) for line in server.log.splitlines()]
    assert all({"time", "level", "pid", "process", "message"} <= set(entry) for entry in objects)
    (failure,) = [entry for entry in objects if "ValueError" in entry["message"]]
    assert failure["level"] == "error" and failure["process"].startswith("worker")
    assert "GET /raise" in failure["message"] and failure["message"].count("\n") >= 3


LEVELS = [("debug", True), ("info", True), ("warning", False), ("critical", False)]


def listens(path):
    try:
        Connection(str(path)).close()
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    return True


@pytest.mark.parametrize("level, has_info", LEVELS)
def test_log_level_chooses_what_is_logged(serve, tmp_path, level, has_info):
    path = tmp_path / "socket"
    # Without "ready" in the log there is nothing else to wait for than the socket, which has a name before it listens.
    if has_info:
        server = start(serve, "--log-level", level)
        assert "listening" in server.log.lower()
    else:
        server = Server("app", "--log-level", level, files={"app.py": APP}, bind=f"unix:{path}", ready=lambda: listens(path))
        with server, Connection(str(path)) as connection:
            assert connection.exchange("GET", "/").status == 200
        assert server.final_log == ""


def test_the_error_log_may_be_a_file(serve):
    server = start(serve, "--error-logfile", "error.log", error_log="error.log")
    assert server.get("/raise").status == 500
    server.wait_log("ValueError")
    assert (server.directory / "stderr").read_text() == ""


FORGERIES = [
    "quote\" and backslash\\",
    "escape \x1b[2J \x1b]0;title\x07",
    "caf\xe9 \x80\xff",
    "%(r)s %s %n",
    "{\"json\": \"}\"}",
]


@pytest.mark.parametrize("text", FORGERIES)
@pytest.mark.parametrize("format", ["common", "combined", "json", "%(h)s|%(r)s|%({x-text}i)s"])
def test_a_client_cannot_forge_a_line_of_the_access_log(serve, tmp_path, format, text):
    # Control characters are refused by the parser, so only these can reach a log; the log must not rely on it.
    sent = "".join(c for c in text if c >= " ")
    log = tmp_path / "access"
    server = start(serve, "--access-logfile", log, "--access-logformat", format)
    target = "/" + sent.replace(" ", "_").replace("#", "_")
    headers = [("User-Agent", sent), ("Referer", sent), ("X-Text", sent), ("Connection", "close")]
    with server.connect() as connection:
        connection.send(request_bytes("GET", target, headers))
        connection.rest()
    (line,) = lines_of(log, 1)
    assert not re.search(r"[^ -~]", line), line
    if format == "json":
        entry = json.loads(line)
        assert entry["http.response.status_code"] in (200, 400)
        assert entry["http.response.status_code"] == 400 or entry["user_agent.original"] == sent
    else:
        # A quote within a quoted field is escaped: those that are not come in pairs.
        assert re.sub(r"\\.", "", line).count('"') == {"common": 2, "combined": 6}.get(format, 0), line


def test_a_refused_request_is_in_the_access_log_without_a_raw_byte_of_it(serve, tmp_path):
    log = tmp_path / "access"
    server = start(serve, "--access-logfile", log)
    for raw in (b"GET /\x1b[31m\x07\x00 HTTP/1.1\r\n\r\n", b"G\x80T / HTTP/1.1\r\nHost: a\r\n\r\n"):
        assert server.raw(raw).status == 400
    for line in lines_of(log, 2):
        assert not re.search(r"[^ -~]", line) and " 400 " in line


def test_wsgi_errors_cannot_forge_a_record(serve):
    server = start(serve)
    mark = len(server.log)
    forged = "2026-11-22T10:00:00.123+01:00 [1] [master] critical: forged"
    server.get("/errors", [("X-Text", forged + "\x85\x9b31m")])
    server.wait_log("forged", mark)
    (line,) = server.log[mark:].rstrip("\n").split("\n")
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", line), "control characters"
    assert TEXT_LINE.fullmatch(line) and line.index("error: ") < line.index("critical: ")


def test_an_exceptions_text_cannot_forge_a_record(serve):
    server = start(serve)
    mark = len(server.log)
    forged = "2026-11-22T10:00:00.123+01:00 [1] [master] critical: forged"
    assert server.get("/forge", [("X-Text", forged)]).status == 500
    server.wait_log("critical: forged\n", mark)
    first, *others = server.log[mark:].split("\n")
    assert TEXT_LINE.fullmatch(first) and "GET /forge" in first
    assert any("critical: forged" in line for line in others)
    assert [line for line in others if TEXT_LINE.match(line)] == []


HOST = r"127\.0\.0\.1"
TIME = r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]"
FORMATS = [
    # format, the line of "GET /path?query"
    ("common", rf'{HOST} - - {TIME} "GET /path\?query HTTP/1\.1" 200 5'),
    ("combined", rf'{HOST} - - {TIME} "GET /path\?query HTTP/1\.1" 200 5 "http://ref/" "agent"'),
    ("%(h)s %(l)s %(u)s %(t)s", rf"{HOST} - - {TIME}"),
    ("%(m)s %(U)s %(q)s %(H)s", r"GET /path query HTTP/1\.1"),
    ("%(s)s %(B)s %(b)s", "200 5 5"),
    ("%(f)s %(a)s", "http://ref/ agent"),
    ("%(T)s %(M)s %(D)s %(L)s", r"0 \d+ \d+ 0\.\d{6}"),
    ("%(p)s", r"<\d+>"),
    ("%({x-in}i)s %({X-OUT}o)s %({x-none}i)s", "given said -"),
    ("100%% %(s)s", "100% 200"),
]


@pytest.mark.parametrize("format, line", FORMATS, ids=[row[0] for row in FORMATS])
def test_access_log_format(serve, tmp_path, format, line):
    log = tmp_path / "access"
    server = start(serve, "--access-logfile", log, "--access-logformat", format)
    server.get("/path?query", [("Referer", "http://ref/"), ("User-Agent", "agent"), ("X-In", "given")])
    assert re.fullmatch(line, lines_of(log, 1)[0]), log.read_text()


def test_access_log_is_off_by_default_and_may_be_the_standard_output(serve):
    server = start(serve)
    server.get("/quiet")
    server = start(serve, "--access-logfile", "-")
    server.get("/loud")
    server.wait_log(r'"GET /loud HTTP/1\.1" 200 5')
    assert "quiet" not in server.log


def test_a_wrong_access_log_format_is_told_at_the_start():
    done = run("--bind", "127.0.0.1:0", "--access-logfile", "-", "--access-logformat", "%(nosuch)s", "hello")
    assert done.returncode == 2, done.stderr
    assert "nosuch" in done.stderr


def test_bytes_in_the_access_log_are_those_of_the_body(serve, tmp_path):
    log = tmp_path / "access"
    server = start(serve, "--access-logfile", log, "--access-logformat", "%(m)s %(s)s %(B)s %(b)s")
    with server.connect() as connection:
        connection.exchange("HEAD", "/")
        connection.exchange("GET", "/")
    assert lines_of(log, 2) == ["HEAD 200 0 -", "GET 200 5 5"]


def test_a_client_that_went_away_before_its_answer_is_499_in_the_access_log(serve, tmp_path):
    # It was 0.
    log = tmp_path / "access"
    server = start(serve, "--access-logfile", log, "--access-logformat", "%(m)s %(s)s")
    with server.connect() as connection:
        connection.send(request_bytes("POST", "/", [("Content-Length", "100")], b"a part of it"))
        server.get("/")  # by now the worker has read it
        connection.reset()
    assert sorted(lines_of(log, 2)) == ["GET 200", "POST 499"]


def test_a_client_that_went_away_during_its_call_is_499_too(serve, tmp_path):
    app = """
import time

def application(environ, start_response):
    if environ["PATH_INFO"] != "/":
        time.sleep(0.3)
    start_response("200 OK", [])
    return [b"nobody reads this"] if environ["PATH_INFO"] != "/stream" else iter([b"a", b"b"])
"""
    log = tmp_path / "access.log"
    server = serve("app", "--access-logfile", log, "--access-logformat", "%(U)s %(s)s %(B)s", files={"app.py": app})
    for path in ("/list", "/stream"):
        connection = server.connect()
        connection.request("GET", path)
        time.sleep(0.1)
        connection.reset()
    assert server.get("/").status == 200
    assert sorted(lines_of(log, 3)) == ["/ 200 17", "/list 499 0", "/stream 499 0"]


LOAD = 300 if SANITIZED else 1000


def test_every_line_of_many_workers_is_whole(serve, tmp_path):
    log = tmp_path / "access"
    server = start(serve, "--access-logfile", log, "--access-logformat", "%(U)s %({x-text}i)s", workers=2)
    connections = [server.connect() for _ in range(10)]
    for n in range(LOAD // 10):
        for m, connection in enumerate(connections):
            connection.request("GET", f"/{n}-{m}", [("X-Text", "x" * 500)])
        for connection in connections:
            assert connection.receive().status == 200
    for connection in connections:
        connection.close()
    lines = lines_of(log, LOAD // 10 * 10)
    assert sorted(lines) == sorted(f"/{n}-{m} " + "x" * 500 for n in range(LOAD // 10) for m in range(10))


@pytest.mark.parametrize("asked", [True, False], ids=["on USR1", "by itself"])
def test_a_log_that_was_moved_away_is_reopened(serve, tmp_path, asked):
    access, error = tmp_path / "access", tmp_path / "error"
    options = ["--access-logfile", access, "--error-logfile", error]
    server = start(serve, *options, error_log=error, workers=2)
    assert server.get("/first").status == 200
    lines_of(access, 1)
    moved = tmp_path / "access.1"
    access.rename(moved)
    error.rename(tmp_path / "error.1")
    if asked:
        server.signal(signal.SIGUSR1)
        wait_until(lambda: access.exists() and error.exists(), "both logs are there again")
        wait_until(lambda: not still_open(server, moved), "every process has let go of the old file")

    def written():
        # One request a turn: the worker that gets it may look for its file only now.
        server.get("/raise")
        texts = [path.read_text() if path.exists() else "" for path in (access, error)]
        return "/raise" in texts[0] and "ValueError" in texts[1]

    wait_until(written, "new lines in the new files", interval=0.1)
    assert "/first" in moved.read_text()
    assert moved.read_text().count("\n") + access.read_text().count("\n") > 1
    assert "listening" in (tmp_path / "error.1").read_text()


def test_a_relative_log_keeps_its_place_when_the_application_changes_the_directory(serve):
    options = ["--error-logfile", "error.log", "--access-logfile", "access.log"]
    server = start(serve, *options, error_log="error.log")
    assert server.get("/chdir").status == 200
    time.sleep(1.2)  # a log that is gone is looked for once a second
    assert server.get("/raise").status == 500
    assert ["/chdir" in line or "/raise" in line for line in lines_of(server.directory / "access.log", 2)] == [True] * 2
    server.wait_log("GET /raise")
    time.sleep(1.2)
    assert server.get("/raise").status == 500
    lines_of(server.directory / "access.log", 3)
    assert os.listdir(server.directory / "elsewhere") == []


def still_open(server, path):
    for pid in server.processes():
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                if os.path.samefile(f"/proc/{pid}/fd/{fd}", path):
                    return True
            except OSError:
                pass
    return False


def test_no_line_is_lost_while_logs_are_rotated(serve, tmp_path):
    log = tmp_path / "access"
    server = start(serve, "--access-logfile", log, "--access-logformat", "%(U)s", workers=2)
    with server.connect() as one, server.connect() as two:
        for n in range(200):
            if n % 50 == 25:
                log.rename(tmp_path / f"access.{n}")
                server.signal(signal.SIGUSR1)
            assert (one, two)[n % 2].exchange("GET", f"/{n}").status == 200
        time.sleep(0.1)
    server.stop()
    lines = [line for path in tmp_path.glob("access*") for line in path.read_text().splitlines()]
    assert sorted(lines, key=lambda line: int(line[1:])) == [f"/{n}" for n in range(200)]


def test_a_log_reader_that_is_gone_or_blocked_does_not_stop_the_server(serve):
    read, write = os.pipe()
    server = start(serve, "--access-logfile", f"/dev/fd/{write}", pass_fds=[write])
    os.close(write)
    with server.connect() as connection:
        # More than any pipe holds.
        for _ in range(300):
            response = connection.exchange("GET", "/" + "x" * 1000)
            assert response.status == 200
    os.close(read)
    assert server.get("/").status == 200


ZONES = """
import os, time

os.environ["TZ"] = "CHI6"  # as Django does, from its settings
time.tzset()


def app(environ, start_response):
    start_response("200 OK", [])
    print("said", file=environ["wsgi.errors"])
    return [time.strftime("%z").encode()]
"""


@pytest.mark.parametrize("options", [[], ["--preload"], ["--env", "TZ=TYO-9"]], ids=["", "--preload", "--env"])
def test_all_lines_are_in_the_zone_of_the_start(serve, options):
    """Django sets TZ and calls tzset: the lines of the workers were in another zone than those of the master."""
    access = ["--access-logfile", "access", "--access-logformat", "common"]
    server = serve("zones:app", *options, *access, files={"zones.py": ZONES}, env={"TZ": "MSK-3"})
    assert server.get("/").text == "-0600"
    server.wait_log("said")
    zones = set(re.findall(r"^\d{4}-\d\d-\d\dT[\d:.]+([-+]\d\d:\d\d) ", server.log, re.M))
    assert zones == {"+03:00"}
    wait_until(lambda: (server.directory / "access").read_text(), "a line")
    assert " +0300] " in (server.directory / "access").read_text()


COMMA = """
LC_NUMERIC
decimal_point ","
thousands_sep "."
grouping 3;3
END LC_NUMERIC
"""

SLOW_APP = """
import locale, threading

GATE = threading.Event()
locale.setlocale(locale.LC_ALL, "comma")


def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        GATE.wait(60)
    else:
        GATE.set()
    start_response("200 OK", [])
    return [locale.str(1.5).encode()]
"""


@pytest.mark.skipif(not shutil.which("localedef"), reason="there is no localedef")
def test_numbers_have_a_point_whatever_locale_the_application_sets(serve, tmp_path):
    """It is that of the whole process: a call had run for 1,0 s."""
    (tmp_path / "source").write_text(COMMA)
    subprocess.run(["localedef", "-c", "-i", "source", "./comma"], cwd=tmp_path, stderr=subprocess.DEVNULL)
    server = serve(
        "slow_app:app", "--preload", "--threads", "2", "--slow-request", "50ms", "--status", "unix:status",
        "--access-logfile", "access", "--access-logformat", "json",
        files={"slow_app.py": SLOW_APP}, env={"LOCPATH": str(tmp_path)},
    )  # fmt: skip
    with server.connect() as connection:
        connection.request("GET", "/slow")
        server.wait_log(r'"GET /slow HTTP/1.1" has run for \d+\.\d s')
        assert server.get("/").text == "1,5"
        assert connection.receive().text == "1,5"
    assert re.search(r"share \d+\.\d MiB of their \d+\.\d MiB", server.log)
    with Connection(str(server.directory / "status")) as connection:
        status = json.loads(connection.exchange("GET", "/status.json", [("Host", "localhost")]).body)
        assert isinstance(status["now"], float)
        metrics = connection.exchange("GET", "/metrics", [("Host", "localhost")]).text
    assert 'le="0.001"' in metrics and not re.search(r"\d,\d", metrics)
    wait_until(lambda: (server.directory / "access").read_text().count("\n") == 2, "the lines")
    for line in (server.directory / "access").read_text().splitlines():
        json.loads(line)
