"""The servers compared: how each is started, and what it takes for it to be here at all.

A server is a row: name, a function that gives its command line, and a function that says what is missing.
Command lines are those a careful administrator would write: no access log, keep-alive on, no needless limits.
"""
import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from typing import Callable

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = os.environ.get("BENCH_PYTHON", "/usr/bin/python3")
GATEWAY = os.path.abspath(os.environ.get("GATEWAY", os.path.join(HERE, "..", "build", "gateway")))

NGINX = """
{user}
worker_processes {workers};
worker_rlimit_nofile {files};
pid {dir}/nginx.pid;
error_log stderr crit;
daemon off;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    sendfile {sendfile};
    tcp_nopush {sendfile};
    {cache}
    keepalive_timeout 75s;
    keepalive_requests 100000000;
    default_type text/plain;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    server {{
        listen {host}:{port} backlog=4096 reuseport;
        root {dir}/www;
        index answer;
    }}
}}
"""


@dataclass
class Run:
    """What one start of a server is told."""
    dir: str            # temporary, holds the floor's binary and the app
    host: str
    port: int
    workers: int
    connections: int
    close: bool
    files: int          # RLIMIT_NOFILE
    sendfile: str = "on"
    app: str = "tenlines"
    threads: int = 4    # of a peer that has threads
    options: tuple = () # gateway's

    @property
    def application(self):
        return self.app + ":application"


@dataclass
class Server:
    name: str
    command: Callable
    missing: Callable


def floor(run):
    closing = ["--close"] if run.close else []
    return [os.path.join(run.dir, "floor"), "--host", run.host, "--port", str(run.port),
            "--processes", str(run.workers)] + closing


def floor_defer(run):
    """The kernel keeps a connection to itself until its request is there: no epoll at all."""
    return floor(run) + ["--defer"]


def gateway(run):
    return [GATEWAY, "--bind", f"{run.host}:{run.port}", "--workers", str(run.workers),
            "--log-level", "warning", *run.options, run.application]


def gateway_threads(run):
    return gateway(replace(run, options=("--threads", str(run.threads), *run.options)))


def gateway_workers(run):
    """A worker for each thread that others have."""
    return gateway(replace(run, workers=run.threads))


def nginx_config(run, cache):
    www = os.path.join(run.dir, "www")
    os.makedirs(www, exist_ok=True)
    with open(os.path.join(www, "answer"), "wb") as file:
        file.write(b"x" * 10000)
    path = os.path.join(run.dir, "nginx.conf")
    with open(path, "w", encoding="ascii") as file:
        file.write(NGINX.format(user="user root;" if os.geteuid() == 0 else "", dir=run.dir, host=run.host,
                                port=run.port, workers=run.workers, files=run.files, sendfile=run.sendfile,
                                connections=min(run.files, run.connections + 100), cache=cache))
    return ["nginx", "-c", path, "-p", run.dir, "-e", "stderr"]


def nginx(run):
    return nginx_config(run, "")


def nginx_cache(run):
    return nginx_config(run, "open_file_cache max=16 inactive=60s; open_file_cache_valid 60s;")


def gevent(run):
    return [PYTHON, os.path.join(HERE, "pywsgi.py"), run.host, str(run.port), str(run.workers)]


def gunicorn(run, *more):
    return [PYTHON, "-m", "gunicorn", "--bind", f"{run.host}:{run.port}", "--workers", str(run.workers),
            "--backlog", "4096", "--log-level", "warning", *more, run.application]


def gunicorn_sync(run):
    return gunicorn(run, "--worker-class", "sync")


def gunicorn_gthread(run):
    return gunicorn(run, "--worker-class", "gthread", "--threads", str(run.threads), "--keep-alive", "75",
                    "--worker-connections", str(run.connections + 100))


def uwsgi(run, plugins, *more):
    return ["uwsgi", "--plugins", plugins, "--master", "--die-on-term", "--need-app", "--disable-logging",
            "--processes", str(run.workers), "--listen", "2048", "--pythonpath", run.dir,
            "--module", run.application, *more]


def uwsgi_router(run):
    """The way to have keep-alive with many clients: uWSGI's HTTP router in front of the worker."""
    return uwsgi(run, "http,python3", "--http", f"{run.host}:{run.port}", "--http-keepalive=75",
                 "--http-buffer-size=65536")


def uwsgi_threads(run):
    """The router, and threads in the worker."""
    return uwsgi_router(run) + ["--enable-threads", "--threads", str(run.threads)]


def uwsgi_socket(run):
    """No router. A process serves one connection at a time, so it closes after each and says so."""
    return uwsgi(run, "python3", "--http-socket", f"{run.host}:{run.port}",
                 "--add-header", "Connection: close")


def uwsgi_direct(run):
    """No router, and threads: the router drops a client that has not taken all when the worker is done."""
    return uwsgi_socket(run) + ["--enable-threads", "--threads", str(run.threads)]


def waitress(run):
    return [PYTHON, "-m", "waitress", f"--listen={run.host}:{run.port}", f"--threads={run.threads}", "--backlog=4096",
            f"--connection-limit={run.connections + 100}", "--asyncore-use-poll", run.application]


def here(path, advice):
    return lambda: None if os.access(path, os.X_OK) else f"{os.path.relpath(path)} is not there: {advice}"


def program(name):
    return lambda: None if shutil.which(name) else f"{name} is not installed"


def module(name):
    def missing():
        done = subprocess.run([PYTHON, "-c", f"import {name}"], capture_output=True, check=False)
        return f"Python module {name} is not installed" if done.returncode else None
    return missing


SERVERS = {server.name: server for server in [
    Server("floor", floor, lambda: None),
    Server("floor-defer", floor_defer, lambda: None),
    Server("gateway", gateway, here(GATEWAY, "build it, or set GATEWAY")),
    Server("gateway-threads", gateway_threads, here(GATEWAY, "build it, or set GATEWAY")),
    Server("gateway-workers", gateway_workers, here(GATEWAY, "build it, or set GATEWAY")),
    Server("nginx", nginx, program("nginx")),
    Server("nginx-cache", nginx_cache, program("nginx")),
    Server("gevent", gevent, module("gevent")),
    Server("gunicorn-sync", gunicorn_sync, module("gunicorn")),
    Server("gunicorn-gthread", gunicorn_gthread, module("gunicorn")),
    Server("uwsgi-router", uwsgi_router, program("uwsgi")),
    Server("uwsgi-threads", uwsgi_threads, program("uwsgi")),
    Server("uwsgi-direct", uwsgi_direct, program("uwsgi")),
    Server("uwsgi-socket", uwsgi_socket, program("uwsgi")),
    Server("waitress", waitress, module("waitress")),
]}
