"""Clients: wrk for the load, plain sockets for the first answer and for connections that only sit there."""
import json
import math
import os
import re
import select
import socket
import subprocess
import time

from process import Failed

REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"
BODY_SIZE = 10000
HERE = os.path.dirname(os.path.abspath(__file__))


def free_port(host):
    """A fresh port a run: what the run before left in TIME_WAIT is in nobody's way."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def read_answer(sock):
    """One whole answer; its head. Raises Failed unless it is the one expected."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += receive(sock)
    head, _, body = data.partition(b"\r\n\r\n")
    if b" 200 " not in head.splitlines()[0]:
        raise Failed("answered " + head.splitlines()[0].decode("latin-1"))
    if b"content-length: %d" % BODY_SIZE not in head.lower():
        raise Failed("answered without the Content-Length expected")
    left = BODY_SIZE - len(body)
    while left > 0:
        left -= len(receive(sock))
    return head


def read_small(sock):
    """The body of an answer that is a few bytes long, whatever its head says but for Content-Length."""
    data = receive(sock)
    while b"\r\n\r\n" not in data:
        data += receive(sock)
    head, _, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    if b" 200 " not in head.splitlines()[0] or not length:
        raise Failed("answered " + head.splitlines()[0].decode("latin-1"))
    while len(body) < int(length.group(1)):
        body += receive(sock)
    return body


def percentile(ordered, share):
    """Of an ordered list: the least value that `share` % of them do not exceed."""
    return ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)]


def receive(sock):
    data = sock.recv(65536)
    if not data:
        raise Failed("closed the connection within an answer")
    return data


def first_answer(address, child, app="tenlines", seconds=20.0):
    """Tries until the server answers; the time of its answer."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if child.poll() is not None:
            raise Failed(f"ended at start, status {child.returncode}")
        with socket.socket() as sock:
            sock.settimeout(5)
            if sock.connect_ex(address) == 0:
                sock.sendall(REQUEST)
                (read_answer if app == "tenlines" else read_small)(sock)
                return time.monotonic()
        time.sleep(0.0002)
    raise Failed(f"did not answer within {seconds:g} s")


def wrk(address, scenario, seconds, path="/", connections=None):
    """Runs wrk; what wrk.lua prints, as a dict."""
    argv = ["wrk", f"-t{scenario.wrk_threads}", f"-c{connections or scenario.connections}", f"-d{seconds}s",
            "--timeout", "10s", "-s", os.path.join(HERE, "wrk.lua")]
    if scenario.close:
        argv += ["-H", "Connection: close"]
    argv.append("http://%s:%d%s" % (*address, path))
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                              timeout=seconds + 60,
                              preexec_fn=lambda: os.sched_setaffinity(0, scenario.wrk_cores))
    except subprocess.TimeoutExpired:
        raise Failed("wrk did not end") from None
    if done.returncode or not done.stdout.strip():
        raise Failed("wrk: " + " ".join((done.stderr + done.stdout).split()))
    return json.loads(done.stdout.strip().splitlines()[-1])


def open_idle(address, count, batch=200):
    """count connections that have each had one answer. Fewer if the server lets go of some."""
    connections = []
    while len(connections) < count:
        fresh = [socket.create_connection(address, 10) for _ in range(min(batch, count - len(connections)))]
        connections += fresh
        for sock in fresh:
            sock.sendall(REQUEST)
        for sock in fresh:
            read_answer(sock)
    return connections


def still_open(connections):
    """How many of these idle connections the server has kept: a closed one is readable."""
    poll = select.poll()
    for sock in connections:
        poll.register(sock, select.POLLIN | select.POLLRDHUP)
    return len(connections) - len(poll.poll(0))


def is_ended(sock):
    return still_open([sock]) == 0


def time_wait_drain(seconds=65.0):
    """Waits, within bounds, until TIME_WAIT has room for a run: 40 % of the kernel's table."""
    with open("/proc/sys/net/ipv4/tcp_max_tw_buckets", encoding="ascii") as file:
        limit = int(file.read()) * 0.6
    end = time.monotonic() + seconds
    while time_wait_count() > limit and time.monotonic() < end:
        time.sleep(0.5)


def time_wait_count():
    with open("/proc/net/sockstat", encoding="ascii") as file:
        words = file.read().split()
    return int(words[words.index("tw") + 1])
