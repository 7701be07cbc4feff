"""PostgreSQL for one test: in a directory of its own, on a socket in it, run by a user without rights, and gone at the end."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from timing import wait_until


def programs():
    """Where Debian has the newest version, which is not in PATH."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if not versions:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    return versions[-1].parent


@contextmanager
def postgresql():
    """The directory of its socket; the user of the database is `gateway`."""
    binaries = programs()
    directory = Path(tempfile.mkdtemp(prefix="gateway-pg-"))
    keywords = {"cwd": directory, "stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT, "env": {"LC_ALL": "C.UTF-8"}}
    if os.geteuid() == 0:  # initdb and the server refuse root
        nobody = pwd.getpwnam("nobody")
        os.chown(directory, nobody.pw_uid, nobody.pw_gid)
        keywords |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    server = None
    try:
        log = directory / "log"
        initdb = ["initdb", "--no-sync", "-A", "trust", "-U", "gateway", "-E", "UTF8", "-D", directory / "data"]
        done = subprocess.run([binaries / initdb[0], *initdb[1:]], stdout=subprocess.PIPE, text=True, **keywords)
        assert done.returncode == 0, done.stdout
        options = ["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=20", "-k", directory]
        with open(log, "wb") as output:
            server = subprocess.Popen(
                [binaries / "postgres", "-D", directory / "data", *options], stdout=output, **keywords
            )
        wait_until(lambda: "ready to accept connections" in log.read_text(), "PostgreSQL is ready")
        directory.chmod(0o755)
        yield directory
    finally:
        if server is not None:
            server.send_signal(signal.SIGQUIT)
            server.wait()
        shutil.rmtree(directory)
