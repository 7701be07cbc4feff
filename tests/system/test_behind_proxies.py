"""Reloads behind HAProxy and nginx, with their usual health checks and with connections that they keep: nothing fails there.

What went wrong once, in one server or another: a kept connection was closed just when the proxy sent a request on it, so that its
client got 502; health checks found nobody and took the server out.
"""

import csv
import os
import re
import shutil
import socket
import subprocess

import pytest
from client import Connection
from keepers import APP, KEEPERS, Keepers, assert_nobody_noticed, reload_each_second
from timing import PATIENCE, wait_until

# Debian has both in /usr/sbin, where users do not look.
PATH = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin"

HAPROXY = """
global
    log stdout format raw local0
    stats socket {directory}/stats

defaults
    mode http
    log global
    option httplog
    option dontlog-normal
    timeout connect 5s
    timeout client 30s
    timeout server 30s

frontend clients
    bind unix@{directory}/proxy
    default_backend service

backend service
    option httpchk GET /health/ready
    http-reuse always
    server one 127.0.0.1:{port} check
"""

NGINX = """
{user}
daemon off;
pid {directory}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/answers;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    upstream service {{
        server 127.0.0.1:{port};
        keepalive 64;
    }}
    server {{
        listen unix:{directory}/proxy;
        location / {{
            proxy_pass http://service;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
"""


class Proxy:
    """In front of a server, in whose directory its files are, until the end of the block."""

    def __init__(self, server, program, arguments, config):
        self.directory = server.directory
        self.path = str(server.directory / "proxy")
        user = "user root;" if os.geteuid() == 0 else ""
        text = config.format(directory=server.directory, port=server.port, user=user)
        (server.directory / "config").write_text(text)
        with open(server.directory / "proxy.log", "wb") as log:
            self.process = subprocess.Popen(
                [program, *arguments], cwd=server.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    @property
    def log(self):
        return (self.directory / "proxy.log").read_text()

    def connect(self, **keywords):
        return Connection(self.path, **keywords)

    def answers(self):
        assert self.process.poll() is None, self.log
        try:
            with self.connect() as connection:
                return connection.exchange().status == 200
        except (FileNotFoundError, ConnectionRefusedError):
            return False

    def keeps_connections(self):
        """To the server."""
        with self.connect() as connection:
            return len({connection.exchange().get("X-Peer") for _ in range(5)}) == 1

    def __enter__(self):
        wait_until(self.answers, "the proxy serves")
        assert self.keeps_connections()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE)


@pytest.fixture
def start(serve):
    """A server and, with `with`, the proxy in front of it."""

    def start(name, arguments, config):
        program = shutil.which(name, path=PATH)
        if program is None:
            pytest.skip(f"{name} is not installed")
        server = serve("app", "--health-path", "/health", workers=2, files={"app.py": APP})
        return server, Proxy(server, program, arguments, config)

    return start


def statistics(proxy):
    """What HAProxy has counted of the server: name -> text."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(proxy.directory / "stats"))
        client.sendall(b"show stat\n")
        text = client.makefile().read()
    rows = csv.DictReader(text.lstrip("# ").splitlines())
    return next(row for row in rows if (row["pxname"], row["svname"]) == ("service", "one"))


def test_haproxy_notices_no_reload(start):
    server, proxy = start("haproxy", ["-db", "-f", "config"], HAPROXY)
    with proxy:
        wait_until(lambda: statistics(proxy)["check_status"] == "L7OK", "the first health check")
        with Keepers(proxy, KEEPERS) as keepers:
            reload_each_second(server, keepers)
        assert_nobody_noticed(keepers)
        counted = statistics(proxy)
    # Connections that failed, answers that did, tries after that; answers of 5xx; failed checks, and changes to DOWN.
    errors = ["econ", "eresp", "wretr", "wredis", "hrsp_5xx", "chkfail", "chkdown"]
    assert {name: int(counted[name]) for name in errors} == dict.fromkeys(errors, 0), proxy.log
    assert int(counted["hrsp_2xx"]) >= keepers.answers


def test_nginx_notices_no_reload(start):
    server, proxy = start("nginx", ["-e", "stderr", "-p", ".", "-c", "config"], NGINX)
    with proxy:
        with Keepers(proxy, KEEPERS) as keepers:
            reload_each_second(server, keepers)
        assert_nobody_noticed(keepers)
    assert not re.search(r"\[(warn|error|crit|alert|emerg)\]", proxy.log), proxy.log
