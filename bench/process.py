"""A server under test: a tree of processes, what it has used so far, and its end.

The bench makes itself the reaper of everything it starts (PR_SET_CHILD_SUBREAPER), so a process that left its
parent is still found, counted and ended, by pid.
"""
import contextlib
import ctypes
import os
import signal
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")
PR_SET_CHILD_SUBREAPER = 36


class Failed(Exception):
    """This measurement cannot be made; the text says why."""


def become_reaper():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def stat_fields(pid):
    """The fields of /proc/PID/stat from the third on: the second, the name, may hold spaces and brackets."""
    with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
        return file.read().rpartition(")")[2].split()


def tree(root):
    """Pids of root and all its living or unreaped descendants."""
    children = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            children.setdefault(int(stat_fields(entry)[1]), []).append(int(entry))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def cpu_seconds(root):
    """User and system time of the tree, reaped children included."""
    ticks = 0
    for pid in tree(root):
        with contextlib.suppress(OSError):
            ticks += sum(map(int, stat_fields(pid)[11:15]))
    return ticks / TICK


def memory(root, field="Pss"):
    """Bytes of the tree by a field of smaps_rollup. PSS shares a page among those who map it."""
    total = 0
    for pid in tree(root):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith(field + ":"))
    return total * 1024


def spawn(argv, cores, cwd, env, log):
    """Started in its own session: Ctrl-C is for the bench, which then ends what it started."""
    return subprocess.Popen(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                            start_new_session=True, preexec_fn=lambda: os.sched_setaffinity(0, cores))


def reap():
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def end(child, patience=3.0):
    """Asks once, waits a little, then ends whatever is left of the tree."""
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(patience)
    end_all()
    child.poll()


def end_all():
    """Ends everything below this process; ends with it, because only one server runs at a time."""
    for _ in range(100):
        left = tree(os.getpid())[1:]
        if not left:
            return
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
        reap()
