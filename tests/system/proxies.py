"""HAProxy and nginx as Debian has them, in front of what is tested."""

import csv
import os
import shutil
import socket
import subprocess

import pytest
from client import Connection
from timing import PATIENCE, wait_until

# Debian has both in /usr/sbin, where users do not look.
PATH = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/usr/local/sbin"


def find(name):
    program = shutil.which(name, path=PATH)
    if program is None:
        pytest.skip(f"{name} is not installed")
    return program


class Proxy:
    """Runs in a directory, serves at an address, until the end of the block."""

    def __init__(self, directory, command, address):
        self.directory, self.address = directory, address
        with open(directory / "proxy.log", "wb") as log:
            self.process = subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @property
    def log(self):
        return (self.directory / "proxy.log").read_text()

    def connect(self, **keywords):
        return Connection(self.address, **keywords)

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
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE)


def haproxy(path, command):
    """What HAProxy says, asked at its socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(command.encode() + b"\n")
        return client.makefile().read()


def statistics(path):
    """What HAProxy has counted: (backend, server) -> name -> text."""
    rows = csv.DictReader(haproxy(path, "show stat").lstrip("# ").splitlines())
    return {(row["pxname"], row["svname"]): row for row in rows}
