"""Reloads behind HAProxy and nginx, with their usual health checks and with connections that they keep: nothing fails there.

What went wrong once, in one server or another: a kept connection was closed just when the proxy sent a request on it, so that its
client got 502; health checks found nobody and took the server out.
"""

import os
import re

import pytest
from keepers import APP, KEEPERS, Keepers, assert_nobody_noticed, reload_each_second
from proxies import Proxy, find, statistics
from timing import wait_until

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


@pytest.fixture
def start(serve):
    """A server and, with `with`, the proxy in front of it."""

    def start(name, arguments, config):
        program = find(name)
        server = serve("app", "--health-path", "/health", workers=2, files={"app.py": APP})
        user = "user root;" if os.geteuid() == 0 else ""
        text = config.format(directory=server.directory, port=server.port, user=user)
        (server.directory / "config").write_text(text)
        return server, Proxy(server.directory, [program, *arguments], str(server.directory / "proxy"))

    return start


def test_haproxy_notices_no_reload(start):
    server, proxy = start("haproxy", ["-db", "-f", "config"], HAPROXY)
    with proxy:
        assert proxy.keeps_connections()
        wait_until(lambda: statistics(proxy.directory / "stats")["service", "one"]["check_status"] == "L7OK", "the first health check")
        with Keepers(proxy, KEEPERS) as keepers:
            reload_each_second(server, keepers)
        assert_nobody_noticed(keepers)
        counted = statistics(proxy.directory / "stats")["service", "one"]
    # Connections that failed, answers that did, tries after that; answers of 5xx; failed checks, and changes to DOWN.
    errors = ["econ", "eresp", "wretr", "wredis", "hrsp_5xx", "chkfail", "chkdown"]
    assert {name: int(counted[name]) for name in errors} == dict.fromkeys(errors, 0), proxy.log
    assert int(counted["hrsp_2xx"]) >= keepers.answers


def test_nginx_notices_no_reload(start):
    server, proxy = start("nginx", ["-e", "stderr", "-p", ".", "-c", "config"], NGINX)
    with proxy:
        assert proxy.keeps_connections()
        with Keepers(proxy, KEEPERS) as keepers:
            reload_each_second(server, keepers)
        assert_nobody_noticed(keepers)
    assert not re.search(r"\[(warn|error|crit|alert|emerg)\]", proxy.log), proxy.log
