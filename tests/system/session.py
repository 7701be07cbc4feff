"""The commands of a page of documentation, run as its reader would, one after the other in one scratch directory.

A fenced block of README.md or doc/*.md says in its first line what it is:

    sh              a session: a line that begins with "$ " is a command, what stands below is its output
    LANGUAGE NAME   a file, made there and then: "python app.py"
    text            only to be read

A command may go on in the next line after a backslash, and must succeed. Output that is shown must be all there is; "..." in it
stands for anything in its line, and for any lines where it is a line of its own. A command that ends in " &" is a server: it is
ready when the next command runs, its log up to there is its output, and at the end it must have stopped as asked.

Ports are on 127.0.0.1 in the pages and are others here, so that a machine where they are taken can run the tests.
"""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from harness import INHERITED, free_port
from timing import GATEWAY, PATIENCE, PYTHON, wait_until

FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
PORT = re.compile(r"\b127\.0\.0\.1:(\d{4})\b")
READY = re.compile(r"\bready in \d")


def blocks(text):
    """What each fenced block is, and what stands in it."""
    return FENCE.findall(text)


def commands(block):
    """Each command of a session, and the output that is shown below it."""
    found = []
    lines = iter(block.splitlines())
    for line in lines:
        if not line.startswith("$ "):
            assert found, f"output without a command: {line}"
            found[-1][1].append(line)
            continue
        command = line[2:]
        while command.endswith("\\"):
            command = command[:-1] + next(lines).strip()
        found.append((command, []))
    return found


def matches(shown, output):
    """Whether the output is as it is shown."""
    lines = (r"(?:.*\n)*?" if line == "..." else ".*".join(map(re.escape, line.split("..."))) + "\n" for line in shown)
    return re.fullmatch("".join(lines), output if output.endswith("\n") or not output else output + "\n")


class Session:
    def __init__(self, directory):
        self.directory = Path(directory)
        self.home = self.directory / "page"
        self.home.mkdir()
        self.ports = {}
        self.servers = []
        tools = self.directory / "bin"
        tools.mkdir()
        for name in ("gateway", "gatewayctl"):
            (tools / name).symlink_to(Path(GATEWAY).with_name(name))
        python = tools / "python3"
        python.write_text(f'#!/bin/sh\nexec {PYTHON} "$@"\n')
        python.chmod(0o755)
        self.environment = {key: value for key, value in os.environ.items() if INHERITED.fullmatch(key)}
        self.environment.update(PATH=f"{tools}:{os.environ['PATH']}", LC_ALL="C.UTF-8", HOME=str(self.home))

    def here(self, text):
        """With the ports that are ours."""
        return PORT.sub(lambda found: f"127.0.0.1:{self.port(found[1])}", text)

    def port(self, number):
        if number not in self.ports:
            self.ports[number] = free_port()
        return self.ports[number]

    def write(self, name, text):
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.here(text))

    def run(self, command, shown):
        if command.endswith(" &"):
            status, output = 0, self.serve(self.here(command[:-2]))
        else:
            status, output = self.finish(self.here(command))
        assert status == 0, f"$ {command}\n{output}\nexit status {status}"
        shown = [self.here(line) for line in shown]
        assert not shown or matches(shown, output), f"$ {command}\n{output}\nis shown as\n" + "\n".join(shown)

    def finish(self, command):
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=2 * PATIENCE,
        )
        return done.returncode, done.stdout

    def serve(self, command):
        """The log, once the service is ready."""
        environment = dict(self.environment)
        if not self.binds(command):
            environment["GATEWAY_BIND"] = f"127.0.0.1:{self.port('8000')}"
        path = self.directory / f"log-{len(self.servers)}"
        with open(path, "wb") as log:
            server = subprocess.Popen(
                ["bash", "-c", f"exec env {command}"],
                cwd=self.home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.servers.append((command, server, path))

        def is_ready():
            assert server.poll() is None, f"$ {command}\n{path.read_text()}\nexit status {server.returncode}"
            return READY.search(path.read_text())

        wait_until(is_ready, f"{command} is ready")
        return path.read_text()

    def binds(self, command):
        configured = any("bind" in path.read_text() for path in self.home.glob("*.toml"))
        return configured or re.search(r"--bind\b|-b\b", command)

    def stop(self):
        """All servers of the page, each as it would be."""
        for command, server, path in self.servers:
            if server.poll() is None:
                server.send_signal(signal.SIGTERM)
            assert server.wait(PATIENCE) == 0, f"$ {command}\n{path.read_text()}"

    def __enter__(self):
        return self

    def __exit__(self, exception, *_):
        try:
            if exception is None:
                self.stop()
        finally:
            for _, server, _ in self.servers:
                if server.poll() is None:
                    os.killpg(server.pid, signal.SIGKILL)
                    server.wait()
            shutil.rmtree(self.home, ignore_errors=True)
