"""The units in deploy/systemd: that systemd takes them, and that the program does as they say.

What went wrong once: options in a unit file that the program had lost long ago, a misspelt setting that systemd only
warns of, a time-out for the stop that was shorter than the program's own.
"""

import os
import re
import shlex
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from client import Connection
from manager import Manager, passing, pid_prefix, temporary_name
from timing import GATEWAY

UNITS = Path(__file__).resolve().parents[2] / "deploy" / "systemd"
ANALYZE = shutil.which("systemd-analyze")
# In seconds: --graceful-timeout's default, and what the master gives beyond it.
GRACEFUL, KILL_GRACE = 30, 2


def settings(name):
    """(setting, value) of a unit, in its order."""
    lines = (UNITS / name).read_text().splitlines()
    return [tuple(line.split("=", 1)) for line in lines if re.match(r"[A-Za-z]+=", line)]


def setting(name, wanted):
    (value,) = [value for key, value in settings(name) if key == wanted]
    return value


def installed(tmp_path):
    """The units as on a machine where the program is installed, for the instance shop."""
    for unit in ("gateway@.service", "gateway@.socket"):
        text = (UNITS / unit).read_text()
        (tmp_path / unit).write_text(text.replace("ExecStart=gateway ", f"ExecStart={GATEWAY} "))
    return [str(tmp_path / unit.replace("@", "@shop")) for unit in ("gateway@.service", "gateway@.socket")]


@pytest.mark.skipif(ANALYZE is None, reason="there is no systemd-analyze")
def test_systemd_takes_the_units_without_a_word(tmp_path):
    done = subprocess.run([ANALYZE, "verify", "--man=no", *installed(tmp_path)], capture_output=True, text=True)
    ours = [line for line in done.stderr.splitlines() if "gateway" in line]
    if done.returncode and not ours:
        pytest.skip(f"systemd-analyze does not work here: {done.stderr}")
    assert ours == []
    assert done.returncode == 0


@pytest.mark.skipif(ANALYZE is None, reason="there is no systemd-analyze")
def test_the_service_is_not_exposed(tmp_path):
    service, _ = installed(tmp_path)
    (tmp_path / "gateway@.service").rename(service)
    done = subprocess.run([ANALYZE, "security", "--no-pager", "--offline=yes", "--threshold=20", service],
                          capture_output=True, text=True)
    if "Overall exposure level" not in done.stdout:
        pytest.skip(f"systemd-analyze cannot judge a file: {done.stderr}")
    assert done.returncode == 0, done.stdout


def test_the_service_starts_as_the_unit_says(serve):
    """With the command, the socket, the notifications and the watchdog that systemd would give it."""
    command = shlex.split(setting("gateway@.service", "ExecStart").replace("%i", "shop"))
    assert command[0] == "gateway" and command[-1] == "${APPLICATION}"
    watchdog = int(setting("gateway@.service", "WatchdogSec"))
    manager = Manager(temporary_name("unit"), watchdog)
    environment = {**manager.environment, "LISTEN_FDS": "1",
                   "LISTEN_FDNAMES": setting("gateway@.socket", "FileDescriptorName")}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = serve("hello", *command[1:-1], bind=None, env=environment, prefix=pid_prefix(), **passing([listener]))
        manager.await_text("READY=1")
        with Connection(listener.getsockname()) as connection:
            assert connection.exchange("GET", "/").status == 200
        assert b"[shop]" in Path(f"/proc/{server.pid}/cmdline").read_bytes()
        manager.await_text("WATCHDOG=1")
        server.stop()
    assert "STOPPING=1" in manager.texts()[-1]


def test_systemd_waits_longer_for_the_stop_than_the_program_does():
    assert int(setting("gateway@.service", "TimeoutStopSec")) > GRACEFUL + KILL_GRACE


def test_only_the_master_is_told_to_stop():
    """Workers that are told too would not know that no successor is wanted, and could not finish in order."""
    assert setting("gateway@.service", "KillMode") == "mixed"
    assert setting("gateway@.service", "NotifyAccess") == "main"


def test_the_readme_names_what_is_there():
    text = (UNITS / "README").read_text()
    for name in re.findall(r"'(gateway@\.\w+)'", text):
        assert (UNITS / name).exists()
    assert os.path.basename(setting("gateway@.socket", "ListenStream").replace("%i", "shop")) in text
    assert setting("gateway@.service", "EnvironmentFile").replace("%i", "shop") in text
