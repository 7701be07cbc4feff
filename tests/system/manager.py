"""A stand-in for the service manager: the socket that $NOTIFY_SOCKET names, and what arrives there."""

import os
import select
import socket
import time

from timing import PATIENCE, wait_until


LISTEN_FDS_START = 3


class Manager:
    def __init__(self, path, watchdog=None):
        """`path`: of the socket; with an @ in front it is a name without a file. `watchdog`: seconds."""
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.bind("\0" + path[1:] if path.startswith("@") else path)
        self.environment = {"NOTIFY_SOCKET": path}
        if watchdog:
            self.environment["WATCHDOG_USEC"] = str(int(watchdog * 1000000))
        self.heard = []  # (monotonic time, pid of the sender, text)

    def listen(self, seconds=0.0):
        """All that was heard so far, after so many seconds more."""
        end = time.monotonic() + seconds
        while select.select([self.socket], [], [], max(0, end - time.monotonic()))[0]:
            text, control, _, _ = self.socket.recvmsg(4096, 64)
            pid = int.from_bytes(control[0][2][:4], "little")
            self.heard.append((time.monotonic(), pid, text.decode()))
        return self.heard

    def texts(self):
        return [text for _, _, text in self.listen()]

    def await_text(self, part, since=0, timeout=PATIENCE):
        """The first text from number `since` on that has this part."""
        return wait_until(
            lambda: next((text for text in self.texts()[since:] if part in text), None), f"{part!r} is told", timeout
        )

    def signs_of_life(self, seconds):
        """How many come in so many seconds."""
        before = len(self.listen())
        return sum(text == "WATCHDOG=1" for _, _, text in self.listen(seconds)[before:])

    def await_signs_of_life(self, count):
        """So many more than there have been."""
        before = self.texts().count("WATCHDOG=1")
        wait_until(lambda: self.texts().count("WATCHDOG=1") >= before + count, "signs of life")


def pid_prefix(pid="$$"):
    """The start of a command: what comes after it is executed with this in WATCHDOG_PID and LISTEN_PID, as the manager does it
    for the process that it means."""
    return ["/bin/sh", "-c", f'WATCHDOG_PID={pid} LISTEN_PID={pid} exec "$@"', "sh"]


def passing(listeners):
    """What Popen needs to pass them on as systemd does: as the descriptors from 3 on, not to be closed by exec."""
    numbers = [bound.fileno() for bound in listeners]
    free = 100  # above all of them: none is overwritten before it is moved

    def move():
        for offset, number in enumerate(numbers):
            os.dup2(number, free + offset)
        for offset in range(len(numbers)):
            os.dup2(free + offset, LISTEN_FDS_START + offset)

    return {"preexec_fn": move, "close_fds": False}


def temporary_name(purpose):
    return f"@gateway-test-{purpose}-{os.getpid()}-{time.monotonic_ns()}"
