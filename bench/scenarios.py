"""What is measured, on whom, and how one measurement is made."""
import contextlib
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from typing import Callable

import extra
import load
import pool
import process
import threads
from process import Failed
from servers import HERE, PYTHON, SERVERS, Run

FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
ALL = os.sched_getaffinity(0)
FIRST, LAST = {min(ALL)}, {max(ALL)}
HOSTS = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"]


@dataclass
class Scenario:
    name: str
    about: str
    servers: list
    workers: int = 1
    connections: int = 100
    close: bool = False
    idle: bool = False      # also measure memory per idle connection
    times: float = 1        # the usual duration
    wrk_threads: int = 1
    app: str = "tenlines"
    threads: int = 4        # of a peer that has threads
    options: tuple = ()     # gateway's
    measure: Callable = None    # (child, address, scenario, seconds, number of the round) to figures; else wrk's load
    server_cores: set = field(default_factory=lambda: FIRST)
    wrk_cores: set = field(default_factory=lambda: LAST)


SPECIAL = ("gateway-threads", "gateway-workers", "uwsgi-threads", "uwsgi-direct")
PLAIN = [name for name in SERVERS if name not in SPECIAL]


def threaded(name, about, uwsgi, measure, **more):
    """On the application that can be slow, and the servers that have threads."""
    servers = ["gateway", "gunicorn-gthread", uwsgi, "waitress"]
    return Scenario(name, about, servers, app="mixed", threads=threads.THREADS, measure=measure, **more)


EIGHT = ("--threads", str(threads.THREADS))

# Ten thousand requests are in flight, and uncounted, when wrk stops: 'connections' lasts longer.
# A closed connection stays a minute in TIME_WAIT, and the kernel has room for so many: 'close' is shorter.
SCENARIOS = {scenario.name: scenario for scenario in [
    Scenario("keepalive", "one worker, 100 keep-alive connections, 10,000-byte answer",
             [name for name in PLAIN if name != "floor-defer"]),
    Scenario("connections", "two workers, 10,000 keep-alive connections, 10,000-byte answer",
             ["floor", "gateway", "nginx", "gevent", "gunicorn-gthread", "uwsgi-router"],
             workers=2, connections=10000, idle=True, times=2, wrk_threads=2,
             server_cores=ALL, wrk_cores=ALL),
    Scenario("close", "one worker, a new connection per request, 100 at a time, 10,000-byte answer",
             PLAIN, close=True, times=0.5),
    Scenario("startup", "exec to the first answer, less the time of `python3 -c pass`; medians of {rounds}",
             ["floor", "gateway", "gevent", "gunicorn-sync", "gunicorn-gthread", "uwsgi-socket", "waitress"]),
    threaded("mixed", "one worker, 8 threads, 64 connections, 90 % instant requests and 10 % that sleep 200 ms",
             "uwsgi-threads", threads.measure_mixed, connections=64, options=EIGHT),
    threaded("blocked", "one worker, 8 threads, 64 connections, calls that block for 50 ms",
             "uwsgi-threads", threads.measure_blocked, connections=64, options=EIGHT),
    Scenario("pool", "four threads, 64 connections of one pool, 120 requests/s of which 10 % sleep 200 ms",
             ["gateway-threads", "gateway-workers"], connections=pool.CONNECTIONS, app="mixed",
             options=("--status", "unix:status"), measure=pool.measure_pool),
    threaded("slow-readers", "one worker, 1,000 clients that read a generator's 1 MB at 1 KiB/s, and one that does not",
             "uwsgi-direct", extra.measure_readers, connections=extra.READERS.count),
    threaded("slow-writers", "one worker, 200 clients that send a byte every 50 ms, and one that does not",
             "uwsgi-direct", extra.measure_writers, connections=extra.WRITERS.count),
]}


def load_seconds(scenario, seconds):
    return max(1, int(seconds * scenario.times))


class Bench:
    """The temporary directory, the environment of the servers, and how to have one for a moment."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.dir = tempfile.mkdtemp(prefix="gateway-bench-")
        os.chmod(self.dir, 0o755)
        self.starts = 0
        self.sendfile = "on"
        dropped = ("PORT", "WEB_CONCURRENCY", "VIRTUAL_ENV", "SCRIPT_NAME", "PYTHONPATH")
        self.env = {key: value for key, value in os.environ.items()
                    if key not in dropped and not key.startswith(("GATEWAY", "GUNICORN", "UWSGI"))}
        self.env["PYTHONPATH"] = self.dir
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
        process.become_reaper()

    def prepare(self, app):
        """The app is copied next to nothing else, so its .pyc does not land in the source tree."""
        shutil.copy(app, os.path.join(self.dir, "tenlines.py"))
        shutil.copy(os.path.join(HERE, "..", "pyapps", "mixed.py"), self.dir)
        subprocess.run([os.environ.get("CC", "cc"), "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-o",
                        os.path.join(self.dir, "floor"), os.path.join(HERE, "floor.c")], check=True)

    def remove(self):
        process.end_all()
        shutil.rmtree(self.dir, ignore_errors=True)

    def start(self, server, scenario):
        """The child, its address, and when it was started."""
        self.starts += 1
        host = HOSTS[self.starts % len(HOSTS)]
        run = Run(self.dir, host, load.free_port(host), scenario.workers, scenario.connections,
                  scenario.close, FILES, self.sendfile, scenario.app, scenario.threads, scenario.options)
        command = SERVERS[server].command(run)
        with open(os.path.join(self.dir, "log"), "wb") as log:
            begun = time.monotonic()
            child = process.spawn(command, scenario.server_cores, self.dir, self.env, log)
        return child, (run.host, run.port), begun

    def log_tail(self):
        with open(os.path.join(self.dir, "log"), encoding="utf-8", errors="replace") as file:
            return " | ".join(line.strip() for line in file.read().splitlines()[-2:])

    def measure(self, server, scenario, number=0):
        """One start of one server under one scenario, in the round of that number: a dict of figures. Raises Failed."""
        child = None
        try:
            child, address, begun = self.start(server, scenario)
            answered = load.first_answer(address, child, scenario.app)
            if scenario.measure:
                with pinned(scenario.wrk_cores):
                    return scenario.measure(child, address, scenario, self.seconds, number)
            if scenario.name == "startup":
                return {"start": answered - begun}
            return self.measure_load(child, address, scenario)
        except (Failed, OSError) as error:
            said = self.log_tail()
            why = str(error) or type(error).__name__
            raise Failed(f"{why} (it said: {said})" if said else why) from None
        finally:
            if child:
                process.end(child)

    def measure_load(self, child, address, scenario):
        figures = {}
        if scenario.idle:
            figures.update(measure_idle(child, address, scenario.connections))
        elif scenario.close:
            load.time_wait_drain()
        else:
            load.wrk(address, scenario, 1)
        before = process.cpu_seconds(child.pid)
        result = load.wrk(address, scenario, load_seconds(scenario, self.seconds))
        spent = process.cpu_seconds(child.pid) - before
        if child.poll() is not None:
            raise Failed(f"ended under load, status {child.returncode}")
        if not result["requests"]:
            raise Failed("answered nothing")
        figures.update(rate=result["requests"] / result["seconds"], p50=result["p50"], p99=result["p99"],
                       errors=result["errors"], cpu=spent * 1e6 / result["requests"],
                       pss=process.memory(child.pid))
        return figures

    def calibrate_nginx(self, scenario):
        """sendfile on or off: whichever takes nginx less CPU here."""
        spent = {"on": [], "off": []}
        for setting in ["on", "off"] * 2:
            self.sendfile = setting
            with contextlib.suppress(Failed):
                spent[setting].append(self.measure("nginx", replace(scenario, idle=False))["cpu"])
        self.sendfile = min(spent, key=lambda setting: min(spent[setting], default=float("inf")))

    def python_start(self, scenario):
        """Median time of an empty Python program on the servers' core."""
        times = []
        for _ in range(10):
            begun = time.monotonic()
            process.spawn([PYTHON, "-c", "pass"], scenario.server_cores, self.dir, self.env,
                          subprocess.DEVNULL).wait(20)
            times.append(time.monotonic() - begun)
        return statistics.median(times)


@contextlib.contextmanager
def pinned(cores):
    """Clients that are no process of their own run where wrk does."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def measure_idle(child, address, count):
    """Memory of the tree per connection that is open, has had one answer, and waits."""
    settle = 0.5
    time.sleep(settle)
    before = {name: process.memory(child.pid, name) for name in ("Pss", "Private_Dirty")}
    connections = []
    try:
        connections = load.open_idle(address, count)
        time.sleep(settle)
        after = {name: process.memory(child.pid, name) for name in before}
        kept = load.still_open(connections)
    except (OSError, Failed) as error:
        print(f"    idle connections: {error}", file=sys.stderr)
        return {"kept": 0}
    finally:
        for sock in connections:
            sock.close()
        time.sleep(settle)
    if kept < count * 0.9:
        return {"kept": kept}
    return {"kept": kept, "idle_pss": (after["Pss"] - before["Pss"]) / kept,
            "idle_private": (after["Private_Dirty"] - before["Private_Dirty"]) / kept}
