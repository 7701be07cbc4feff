"""What ps shows of the service, and that the application sees nothing of it.

What went wrong once, in one server or another: a title longer than the command line was cut, one that was too long ran
into other memory, the environment was lost, Python's idea of its arguments changed.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from timing import wait_until

APP = """
import json, os, subprocess, sys

def application(environ, start_response):
    told = {"argv": sys.argv, "orig_argv": getattr(sys, "orig_argv", ["gateway"]), "variable": os.environ.get("SAMPLE"),
            "childs": subprocess.run(["/bin/sh", "-c", "echo $SAMPLE"], stdout=subprocess.PIPE).stdout.decode()}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]
"""


def start(serve, *options, **keywords):
    return serve("app:application", *options, files={"app.py": APP}, **keywords)


def title(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode()


def test_master_and_workers_say_what_they_are(serve):
    server = start(serve, "--name", "shop", workers=2)
    assert title(server.pid) == "gateway: master [shop] app:application"
    assert sorted(map(title, server.worker_pids())) == ["gateway: worker 0 [shop]", "gateway: worker 1 [shop]"]


def test_without_a_name_it_is_the_application(serve):
    server = start(serve)
    assert title(server.pid) == "gateway: master [app:application]"
    assert title(server.worker_pid) == "gateway: worker 0 [app:application]"


@pytest.mark.skipif(shutil.which("ps") is None, reason="there is no ps")
def test_ps_shows_it_and_the_command_is_still_gateway(serve):
    server = start(serve, "-n", "shop")
    shown = subprocess.run(["ps", "-o", "comm=,args=", "-p", str(server.pid)], capture_output=True, text=True).stdout
    assert shown.split(None, 1) == ["gateway", "gateway: master [shop] app:application\n"]


def test_a_long_name_takes_the_place_of_the_environment(serve):
    name = "n" * 600
    server = start(serve, env={"GATEWAY_NAME": name, "SAMPLE": "value " * 100})
    assert title(server.pid) == f"gateway: master [{name}] app:application"
    assert json.loads(server.get("/").body)["variable"] == "value " * 100


def test_a_name_without_end_is_cut(serve):
    server = start(serve, "--name", "n" * 5000)
    assert title(server.pid).startswith("gateway: master [nnn")
    assert server.get("/").status == 200


def test_the_application_sees_nothing_of_it(serve):
    server = start(serve, "--env", "SAMPLE=changed", env={"SAMPLE": "before"})
    told = json.loads(server.get("/").body)
    assert told == {"argv": ["gateway"], "orig_argv": ["gateway"], "variable": "changed", "childs": "changed\n"}


def test_a_successor_has_its_title(serve):
    server = start(serve)
    before = server.worker_pid
    os.kill(before, 9)
    wait_until(lambda: before not in server.worker_pids() and server.worker_pids(), "a successor")
    wait_until(lambda: title(server.worker_pid) == "gateway: worker 0 [app:application]", "its title")
