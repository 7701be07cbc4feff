"""gatewayctl, and the control socket itself, for tests."""

import os
import socket
import subprocess

from harness import environment
from timing import GATEWAY, PATIENCE

GATEWAYCTL = os.path.join(os.path.dirname(GATEWAY), "gatewayctl")


def path_of(server):
    return getattr(server, "control", server.directory / "control")


def start(server, *arguments, **keywords):
    return subprocess.Popen(
        [GATEWAYCTL, "-s", path_of(server), *map(str, arguments)],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **keywords,
    )


def finish(process):
    """(exit status, standard output, standard error)"""
    out, err = process.communicate(timeout=2 * PATIENCE)
    return process.returncode, out, err


def gatewayctl(server, *arguments, **keywords):
    return finish(start(server, *arguments, **keywords))


def ask(server, *arguments):
    """What it prints, when all is well."""
    status, out, err = gatewayctl(server, *arguments)
    assert (status, err) == (0, ""), err
    return out


def status(server):
    return dict(line.split(None, 1) for line in ask(server, "status").splitlines())


def rows(server, verb):
    """A table's rows, as dictionaries; the last column may have blanks in it."""
    head, *lines = ask(server, verb).splitlines()
    names = head.split()
    return [dict(zip(names, line.split(None, len(names) - 1))) for line in lines]


def connect(server):
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(path_of(server)))
    client.settimeout(PATIENCE)
    return client


def converse(client, request):
    """The whole answer to some bytes."""
    try:
        client.sendall(request)
    except ConnectionError:
        pass  # it had enough of us: the answer says why
    return read_all(client)


def read_all(client):
    answer = b""
    try:
        while data := client.recv(65536):
            answer += data
    except ConnectionError:
        pass
    return answer.decode()
