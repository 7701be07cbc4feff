"""deploy/logrotate/gateway, by Debian's logrotate, while clients ask: each request has its line, in one of the files.

What went wrong once, in one server or another: copytruncate lost what came between the copy and the truncation; the old file was
compressed while a worker still wrote there; a worker that was not root could not make the new one; systemctl did not know an option as new as that.
"""

import gzip
import itertools
import os
import pwd
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from fleet import Asking
from proxies import find
from test_logs import still_open
from test_privileges import why_not
from timing import wait_until

SHIPPED = Path(__file__).resolve().parents[2] / "deploy" / "logrotate" / "gateway"
CLIENTS = 4
ROTATIONS = 3

APP = """
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"x"]
"""


def configuration(server, tmp_path):
    """The file as it is on a machine without systemd, whose logs are here."""
    text = SHIPPED.read_text()
    begin, end = text.index("        systemctl list-units"), text.index("    endscript")
    changes = {"/var/log/gateway/*/*.log": f"{server.directory}/*.log", text[begin:end]: f"        kill -USR1 {server.pid}\n"}
    for old, new in changes.items():
        assert text.count(old) >= 1
        text = text.replace(old, new)
    path = tmp_path / "gateway"
    path.write_text(text)
    path.chmod(0o644)
    return path


def logrotate(*arguments):
    done = subprocess.run([find("logrotate"), *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    said = done.stderr.replace("warning: logrotate in debug mode does nothing", "")
    assert done.returncode == 0 and not re.search("(?im)^(error|warning):|ignoring|skipping", said), done.stderr


class Clients(Asking):
    """Each asks for one number after the other, on a connection of its own, and notes what was answered."""

    def __init__(self, server):
        self.answered, self.failures = [], []
        super().__init__(server, CLIENTS)

    def run(self, number):
        try:
            with self.server.connect() as connection:
                for request in itertools.count():
                    if self.stopped:
                        break
                    path = f"/{number}-{request}"
                    assert connection.exchange("GET", path).status == 200
                    self.answered.append(path)
        except (AssertionError, OSError) as failure:
            self.failures.append(repr(failure))

    def wait_for(self, more):
        enough = len(self.answered) + more
        wait_until(lambda: self.failures or len(self.answered) >= enough, f"{more} more answers")


def rotate_under_load(server, tmp_path, clients):
    config = configuration(server, tmp_path)
    logrotate("-d", "-s", tmp_path / "state", config)
    for _ in range(ROTATIONS):
        clients.wait_for(200)
        logrotate("-f", "-s", tmp_path / "state", config)
        # Days pass in life before this one is compressed.
        wait_until(lambda: not still_open(server, server.directory / "access.log.1"), "all have let go of the old file")
    clients.wait_for(200)


def lines_of(path):
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    assert data.endswith(b"\n") and data.count(b"\n") > 100, path
    return data.decode().splitlines()


ROOT_ALONE = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@pytest.mark.parametrize("user", [None, pytest.param("nobody", marks=ROOT_ALONE)])
def test_no_line_is_lost_or_doubled(serve, tmp_path, user):
    """Of --user the directory is root's: workers cannot make files there."""
    find("logrotate")
    options = ["--access-logfile", "access.log", "--access-logformat", "%(U)s", "--error-logfile", "error.log"]
    options += ["--user", user] if user else []
    server = serve("app", *options, files={"app.py": APP}, workers=2, error_log="error.log")
    with Clients(server) as clients:
        rotate_under_load(server, tmp_path, clients)
    assert clients.failures == []
    files = sorted(server.directory.glob("access.log*"))
    assert [path.name for path in files] == ["access.log", "access.log.1", "access.log.2.gz", "access.log.3.gz"]
    if user:
        assert {path.stat().st_uid for path in files} == {pwd.getpwnam(user).pw_uid}
        assert server.directory.stat().st_uid == os.getuid()
    server.signal(signal.SIGTERM)
    server.expect_end()
    assert sorted(line for path in files for line in lines_of(path)) == sorted(clients.answered)


def test_a_log_that_is_not_there_or_empty_is_no_mistake(serve, tmp_path):
    find("logrotate")
    server = serve("app", "--access-logfile", "access.log", files={"app.py": APP})
    config = configuration(server, tmp_path)
    logrotate("-f", "-s", tmp_path / "state", config)
    assert [path.name for path in server.directory.glob("*.log*")] == ["access.log"]
    (server.directory / "access.log").unlink()
    logrotate("-f", "-s", tmp_path / "state", config)


def test_what_is_run_for_the_services_asks_each_that_runs(tmp_path):
    """systemctl is a stand-in that notes what it is told, and knows what one older than 252 does."""
    text = SHIPPED.read_text()
    (script,) = re.findall(r"postrotate\n(.*?)\n    endscript", text, re.DOTALL)
    stand_in = tmp_path / "systemctl"
    stand_in.write_text(
        "#!/bin/sh\n"
        f'echo "$*" >>{tmp_path}/told\n'
        'case $* in *--kill-whom*) echo "systemctl: unrecognized option" >&2; exit 1 ;; esac\n'
        '[ "$1" != list-units ] || printf "gateway@%s.service loaded active running gateway, serving it\\n" shop blog\n'
    )
    stand_in.chmod(0o755)
    command, env = ["sh", "-e", "-c", script], {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "told").read_text().splitlines() == [
        "list-units --plain --no-legend --state=active,reloading gateway@*.service",
        "kill --kill-who=main --signal=USR1 gateway@shop.service",
        "kill --kill-who=main --signal=USR1 gateway@blog.service",
    ]


@pytest.mark.skipif(not shutil.which("systemctl"), reason="there is no systemctl")
def test_systemctl_of_here_knows_the_option():
    done = subprocess.run(["systemctl", "--kill-who=main", "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
