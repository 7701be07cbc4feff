"""The configurations in deploy/: HAProxy, which reads HTTP or passes TCP on, and nginx by TCP and by Unix-domain sockets, in front of
three gateways.

What went wrong once, in one server or another: a rolling restart lost the POSTs whose connection was closed at that moment; a
gateway was asked while it stopped, for as long as the health check took to notice; what a client said of itself in X-Forwarded-Host
or X-Real-IP went through the proxy and was believed, and its X-Request-Id named it in the logs; events came 200 ms late, or together
at the end; the proxy gave up before the server had answered; behind a balancer of TCP all clients' connections were closed at once
and without a word, and requests with them.
"""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import keepers
import pytest
from client import Cut
from harness import APPLICATIONS, free_port, run
from keepers import Keepers, Returning, assert_nobody_noticed
from proxies import Proxy, find, haproxy, statistics
from timing import SANITIZED, report, wait_until

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
OF_HTTP = ["haproxy", "nginx-tcp", "nginx-unix"]
KINDS = [*OF_HTTP, "haproxy-tcp"]
OPTIONS = {  # beside those of gateway.toml
    "haproxy": [],
    "haproxy-tcp": ["--proxy-protocol", "v2"],
    "nginx-tcp": ["--drain-delay", 0],
    "nginx-unix": ["--drain-delay", 0],
}
LARGE = 5_000_000 if SANITIZED else 20_000_000
LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"  # a header of --proxy-protocol, of a connection that is the balancer's own
CLIENT = "127.0.0.5"  # not one of --forwarded-allow-ips, as the proxies' 127.0.0.1 is

EVENTS = 4

# In the directory that all three share, files are made that are waited for.
APP = '''
import itertools, json, os, time
from echo import application as echo


def wait_for(name):
    end = time.monotonic() + 30
    while not os.path.exists(os.environ["TOGETHER"] + "/" + name) and time.monotonic() < end:
        time.sleep(0.01)


def events():
    for number in itertools.count():
        wait_for("event-%d" % number)
        yield b"data: %d\\n\\n" % number


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/environ":
        start_response("200 OK", [])
        return [json.dumps(environ, default=repr).encode()]
    if path == "/events":
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return events()
    if path.startswith("/hold/"):
        open("held-" + path[6:], "w").close()
        wait_for("go")
    return echo(environ, start_response)
'''

NGINX = """
{user}
daemon off;
pid {here}/nginx.pid;
error_log stderr warn;
events {{ }}
http {{
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path {here}/body;
    proxy_temp_path {here}/answers;
    fastcgi_temp_path {here}/fastcgi;
    uwsgi_temp_path {here}/uwsgi;
    scgi_temp_path {here}/scgi;
    include {here}/gateways.conf;
    include {here}/site.conf;
}}
"""


class Gateways:
    """Three of them, each of which can be started again where it was."""

    def __init__(self, serve, kind, here):
        self.serve, self.kind, self.here = serve, kind, here
        unix = kind == "nginx-unix"
        self.binds = [f"unix:{here}/shop-{number}.sock" if unix else "127.0.0.1:0" for number in (1, 2, 3)]
        self.servers = [None] * 3
        for index in range(3):
            self.start(index)
        if not unix:
            self.binds = [f"127.0.0.1:{server.port}" for server in self.servers]

    def start(self, index):
        self.servers[index] = self.serve(
            "app",
            *["--config", DEPLOY / "gateway.toml", "--threads", 16],
            *OPTIONS[self.kind],
            bind=self.binds[index],
            workers=1 if SANITIZED else 2,
            files={"app.py": APP, "echo.py": keepers.APP},
            env={"TOGETHER": str(self.here)},
        )

    def restart(self, index):
        self.servers[index].stop()
        self.start(index)

    def hurry(self):
        """Nobody is there any more: no --drain-delay, one after the other."""
        for server in self.servers:
            if server.process.poll() is None:
                server.signal(signal.SIGINT)

    def holders(self, number):
        """Those whose application has the request /hold/NUMBER."""
        return [index for index in range(3) if (self.servers[index].directory / f"held-{number}").exists()]


def installed(name, here, changes):
    """The file of deploy/ as it is here: each address and path in it has to be there to be changed."""
    text = (DEPLOY / name).read_text()
    for old, new in changes.items():
        assert old in text, f"{old} is not in {name}"
        text = text.replace(old, new)
    (here / Path(name).name).write_text(text)


def haproxy_here(here, port, binds, kind):
    changes = {"bind :80": f"bind 127.0.0.1:{port}", "/run/haproxy/": f"{here}/", "user haproxy": "", "group haproxy": ""}
    changes.update(zip(["127.0.0.1:8001", "127.0.0.1:8002", "127.0.0.1:8003"], binds))
    installed(f"haproxy/{kind}.cfg", here, changes)
    checked = subprocess.run([find("haproxy"), "-c", "-f", f"{kind}.cfg"], cwd=here, capture_output=True, text=True)
    assert checked.returncode == 0 and "WARNING" not in checked.stderr, checked.stderr
    return [find("haproxy"), "-db", "-f", f"{kind}.cfg"]


def nginx_here(here, port, binds, kind):
    name = kind.replace("nginx", "gateways")
    pattern = "unix:/run/gateway/shop-{}.sock" if "unix" in kind else "127.0.0.1:800{}"
    installed(f"nginx/{name}.conf", here, {pattern.format(n): bind for n, bind in zip((1, 2, 3), binds)})
    (here / f"{name}.conf").rename(here / "gateways.conf")
    installed("nginx/site.conf", here, {"listen 80": f"listen 127.0.0.1:{port}"})
    user = "user root;" if os.geteuid() == 0 else ""
    (here / "nginx.conf").write_text(NGINX.format(here=here, user=user))
    return [find("nginx"), "-e", "stderr", "-p", str(here), "-c", "nginx.conf"]


@pytest.fixture
def start(serve, tmp_path):
    """Three gateways and the proxy of that kind, which is left to `with`."""
    running = []

    def start(kind):
        find(kind.partition("-")[0])
        gateways = Gateways(serve, kind, tmp_path)
        running.append(gateways)
        port = free_port()
        if kind.startswith("haproxy"):
            command = haproxy_here(tmp_path, port, gateways.binds, kind)
        else:
            command = nginx_here(tmp_path, port, gateways.binds, kind)
        return gateways, Proxy(tmp_path, command, ("127.0.0.1", port))

    yield start
    for gateways in running:
        gateways.hurry()


def counted(gateways):
    return statistics(gateways.here / "admin.sock")


def who_answers(proxy, count=20):
    """Process numbers, asked by GET and by POST, each on a connection of its own."""
    pids = set()
    for number in range(count):
        with proxy.connect() as connection:
            response = connection.exchange("POST" if number % 2 else "GET", "/", (), b"x" if number % 2 else None)
            assert response.status == 200, response
            pids.add(int(response.get("X-Pid")))
    return pids


def pids_of(*servers):
    return {pid for server in servers for pid in server.worker_pids()}


# Read by frameworks, middleware and applications, not by gateway.
OTHERS = ["By", "Client-Cert", "Email", "Groups", "Path", "Protocol", "Scheme", "Server", "Ssl", "Uri", "User"]
SPOOFED = [
    ("X-Forwarded-For", "6.6.6.6"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Port", "666"),
    ("X-Forwarded-Prefix", "/evil"),
    *[(f"X-Forwarded-{name}", "evil") for name in OTHERS],
    ("Forwarded", "for=6.6.6.6;host=evil.example;proto=https"),
    ("X-Real-IP", "6.6.6.6"),
    ("X-Client-IP", "6.6.6.6"),
    ("X-Request-Id", "evil"),
]
WRITTEN = {"HTTP_X_FORWARDED_FOR": CLIENT, "HTTP_X_FORWARDED_PROTO": "http"}


def key_of(name):
    return "HTTP_" + name.upper().replace("-", "_")


def assert_the_client_is_known(proxy, kind):
    ids = []
    with proxy.connect(source=CLIENT) as connection:
        for headers in [], SPOOFED, [*SPOOFED, *SPOOFED]:
            environ = json.loads(connection.exchange("GET", "/environ", headers).body)
            told = [environ.get(key) for key in ("REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST", "SCRIPT_NAME")]
            assert told == [CLIENT, "http", "example.org", ""]
            ids.append(environ.pop("HTTP_X_REQUEST_ID", ""))
            assert not re.search(r"evil|6\.6\.6\.6|\b666\b", json.dumps(environ))
            if kind in OF_HTTP:
                assert {key: environ[key] for key in map(key_of, dict(SPOOFED)) if key in environ} == WRITTEN
    if kind in OF_HTTP:
        assert all(re.fullmatch("[0-9a-f-]{32,36}", id) for id in ids) and len(set(ids)) == len(ids), ids


def assert_large_bodies_go_through(proxy):
    body = os.urandom(1000) * (LARGE // 1000)
    with proxy.connect() as connection:
        response = connection.exchange("POST", "/", (), body)
        assert response.status == 200 and response.body == body


def assert_events_come_at_once(proxy, gateways):
    """Each before the next one is made: no other bytes could have pushed it out. The seconds that each took."""
    took = []
    with proxy.connect() as connection:
        connection.request("GET", "/events")
        for number in range(EVENTS):
            begun = time.monotonic()
            (gateways.here / f"event-{number}").touch()
            while b"data: %d\n\n" % number not in connection.buffer:
                assert connection._more(), connection.buffer
            took.append(time.monotonic() - begun)
    return took


@pytest.mark.timing
@pytest.mark.parametrize("kind", KINDS)
def test_no_event_is_held_back_in_the_hope_of_more(start, kind):
    gateways, proxy = start(kind)
    with proxy:
        took = assert_events_come_at_once(proxy, gateways)[1:]
    report(f"an event through {kind}", *took)
    assert min(took) < 0.15, took


@pytest.mark.parametrize("kind", KINDS)
def test_what_goes_through(start, kind):
    gateways, proxy = start(kind)
    with proxy:
        assert who_answers(proxy) <= pids_of(*gateways.servers)
        assert_the_client_is_known(proxy, kind)
        assert_large_bodies_go_through(proxy)
        assert_events_come_at_once(proxy, gateways)
        with proxy.connect() as connection:
            assert connection.exchange("GET", "/health/ready").status == (404 if kind in OF_HTTP else 200)


def test_behind_tcp_only_a_client_that_is_trusted_itself_is_believed(start):
    """The balancer, which is trusted, has not read what it passes on."""
    _, proxy = start("haproxy-tcp")
    with proxy:
        for client, believed in (CLIENT, CLIENT), ("127.0.0.1", "6.6.6.6"):
            with proxy.connect(source=client) as connection:
                environ = json.loads(connection.exchange("GET", "/environ", SPOOFED).body)
                assert environ["REMOTE_ADDR"] == believed


@pytest.mark.parametrize("kind", OF_HTTP)
def test_a_rolling_restart_fails_nothing(start, kind):
    gateways, proxy = start(kind)
    with proxy:
        with Keepers(proxy, 4 if SANITIZED else keepers.KEEPERS) as clients:
            for index in range(3):
                gateways.restart(index)
                own = pids_of(gateways.servers[index])
                # By both ways: to nginx they are two upstreams, each of which has its own opinion of who is there, and one that still
                # believes the first to be gone when the last one goes has nobody left to ask.
                wait_until(lambda own=own: clients.failures or all(pids & own for pids in clients.asked.values()), "it is asked again")
        assert_nobody_noticed(clients)
        if kind == "haproxy":
            # Connections that failed, answers that did, tries after that, and answers of 5xx.
            errors = ["econ", "eresp", "wretr", "wredis", "hrsp_5xx"]
            for (backend, server), row in counted(gateways).items():
                if server in ("one", "two", "three"):
                    assert {name: int(row[name]) for name in errors} == dict.fromkeys(errors, 0), proxy.log
                    assert row["chkdown"] == ("1" if backend == "gateways_kept" else ""), "by its check"
                    assert (int(row["reuse"]) > 0) == (backend == "gateways_kept"), "POST has connections of its own"


def test_behind_tcp_a_rolling_restart_fails_no_client_that_knows_http(start):
    gateways, proxy = start("haproxy-tcp")
    with proxy:
        with Returning(proxy, 8 if SANITIZED else keepers.KEEPERS) as clients:
            for index in range(3):
                gateways.restart(index)
                own = pids_of(gateways.servers[index])
                wait_until(lambda own=own: clients.failures or clients.pids & own, "it is asked again")
        assert_nobody_noticed(clients)
        errors = ["econ", "wretr", "wredis"]
        for (_, server), row in counted(gateways).items():
            if server in ("one", "two", "three"):
                assert {name: int(row[name]) for name in errors} == dict.fromkeys(errors, 0), proxy.log
                assert row["chkdown"] == "1", "by its check"


HELD = 12


def hold(proxy, gateways):
    """Requests on connections of their own, GET and POST in turn: (connection, which gateway has it) of each."""
    for number in range(HELD):
        connection = proxy.connect()
        connection.request(*(("POST", f"/hold/{number}", (), b"x") if number % 2 else ("GET", f"/hold/{number}")))
        (holder,) = wait_until(lambda number=number: gateways.holders(number), f"{number} is under way")
        yield connection, holder


@pytest.mark.parametrize("kind", OF_HTTP)
def test_of_a_killed_gateway_only_what_may_not_be_repeated_fails(start, kind):
    gateways, proxy = start(kind)
    with proxy:
        held = list(hold(proxy, gateways))
        lost = {number for number, (_, holder) in enumerate(held) if holder == 0}
        posts = {number for number in lost if number % 2}
        assert posts and posts != lost, held
        gateways.servers[0].kill()
        (gateways.here / "go").touch()
        answers = [connection.receive("POST" if number % 2 else "GET") for number, (connection, _) in enumerate(held)]
        for connection, _ in held:
            connection.close()
        assert {number for number, answer in enumerate(answers) if answer.status == 502} == posts
        assert all(answer.status == 200 for number, answer in enumerate(answers) if number not in posts), answers

        assert who_answers(proxy) <= pids_of(*gateways.servers[1:])
        gateways.start(0)
        wait_until(lambda: who_answers(proxy) & pids_of(gateways.servers[0]), "it is asked again")


def test_behind_tcp_a_killed_gateway_fails_what_it_had_and_nothing_else(start):
    gateways, proxy = start("haproxy-tcp")
    with proxy:
        held = list(hold(proxy, gateways))
        gateways.servers[0].kill()
        wait_until(lambda: not gateways.servers[0].processes(), "its sockets are closed, too")
        assert who_answers(proxy) <= pids_of(*gateways.servers[1:]), "what is refused there is sent elsewhere, checked or not"
        (gateways.here / "go").touch()
        for number, (connection, holder) in enumerate(held):
            if holder == 0:
                with pytest.raises((Cut, ConnectionError)):
                    connection.receive()
                assert connection.buffer == b"", "so a client may repeat its GET"
            else:
                assert connection.receive("POST" if number % 2 else "GET").status == 200
            connection.close()
        gateways.start(0)
        wait_until(lambda: who_answers(proxy) & pids_of(gateways.servers[0]), "it is asked again")


def answers_a_balancer(server, kind):
    with server.connect() as connection:
        if "--proxy-protocol" in OPTIONS[kind]:
            connection.send(LOCAL)
        return connection.exchange("GET", "/").status == 200


@pytest.mark.parametrize("kind, backend", [("haproxy", "gateways_kept"), ("haproxy-tcp", "gateways")])
def test_haproxy_takes_out_what_is_about_to_stop_while_it_serves(start, kind, backend):
    gateways, proxy = start(kind)
    leaving, *staying = gateways.servers
    with proxy:
        wait_until(lambda: counted(gateways)[backend, "one"]["check_status"] == "L7OK", "the first check")
        leaving.signal(signal.SIGTERM)
        row = wait_until(lambda: (row := counted(gateways)[backend, "one"])["status"] == "DOWN" and row, "it is out")
        assert (row["check_status"], row["check_code"]) == ("L7STS", "503")
        assert answers_a_balancer(leaving, kind), "a client that asks all the same"
        assert who_answers(proxy) <= pids_of(*staying)
        leaving.expect_end()
        assert who_answers(proxy) <= pids_of(*staying)


@pytest.mark.parametrize("kind, backend", [("haproxy", "gateways_kept"), ("haproxy-tcp", "gateways")])
def test_an_operator_takes_a_gateway_out_of_haproxy(start, kind, backend):
    gateways, proxy = start(kind)
    first, *others = gateways.servers
    control = gateways.here / "admin.sock"
    with proxy:
        haproxy(control, f"set server {backend}/one state drain")
        assert who_answers(proxy) <= pids_of(*others)
        haproxy(control, f"set server {backend}/one state ready")
        wait_until(lambda: who_answers(proxy) & pids_of(first), "it is asked again")


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s)?", text).groups()
    return int(number) / (1000 if unit == "ms" else 1)


def found(name, pattern):
    """What a file says of something, the same each time."""
    (value,) = set(re.findall(pattern, (DEPLOY / name).read_text()))
    return seconds(value) if isinstance(value, str) else value


TIMES = ["keep-alive", "queue-timeout", "timeout", "drain-delay"]


def test_the_times_go_together():
    own = {name: found("gateway.toml", rf'(?m)^{name} = "(.*)"') for name in TIMES}
    answered = own["queue-timeout"] + own["timeout"]
    assert found("nginx/gateways-tcp.conf", r"keepalive_timeout (\w+);") < own["keep-alive"]
    assert found("nginx/gateways-unix.conf", r"keepalive_timeout (\w+);") < own["keep-alive"]
    assert found("nginx/site.conf", r"proxy_read_timeout (\w+);") > answered
    assert found("haproxy/haproxy.cfg", r"timeout server (\w+)") > answered
    assert found("haproxy/haproxy-tcp.cfg", r"timeout (?:client|server) (\w+)") > max(answered, own["keep-alive"])
    for name in "haproxy/haproxy.cfg", "haproxy/haproxy-tcp.cfg":
        assert found(name, r"inter (\w+)") * found(name, r"fall (\w+)") * 2 < own["drain-delay"]


def test_the_options_that_are_advised_exist():
    advised = set(re.findall(r"(--[a-z-]+) (\d+s?)\b", (DEPLOY / "README").read_text()))
    assert len(advised) > 5
    for name, value in advised:
        done = run(name, value, "--check-config", "hello", cwd=APPLICATIONS)
        assert (done.returncode, done.stderr) == (0, ""), name
