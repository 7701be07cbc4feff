"""Four threads of an application: in one process, or in four with one each. A pool of kept connections is between them and the client.

In one process a request waits for the first thread that is free. In four it could wait for the one that its connection happens to be
with, while others are idle: unless connections move.
"""
import re
import socket

import paced
from load import percentile, receive

CONNECTIONS = 64
RATE = 120          # requests/s: 60 % of what four threads can do
SHARE = 0.1         # of the requests that sleep
SLEEP = 0.2         # seconds
TIMES = 5           # as long as others: a 99th percentile needs many
METRIC = "gateway_queue_duration_seconds"
BUCKET = re.compile(METRIC + r'_bucket\{le="(\S+)"\} (\d+)')


def waited_in_vain(requests, threads, service):
    """Of each, the seconds between its arrival and its call in which not all threads were in calls that sleep."""
    ends = [(request.due + request.took - service * request.sleeps, request) for request in requests]
    calls = [(begun, begun + service) for begun, request in ends if request.sleeps]
    return [idle(request.due, begun, calls, threads) for begun, request in ends]


def idle(begin, end, calls, threads):
    """The time from begin to end in which fewer than `threads` of the calls were running."""
    running, since, total = 0, begin, 0.0
    overlapping = [call for call in calls if call[0] < end and call[1] > begin]
    changes = sorted([(max(begin, first), 1) for first, _ in overlapping] + [(min(end, last), -1) for _, last in overlapping])
    for when, step in [*changes, (end, 0)]:
        if running < threads:
            total += when - since
        running, since = running + step, when
    return max(0.0, total)


def queue_times(path):
    """How many requests have begun their calls after at most so long, by the status process: bound -> number."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
        text = b""
        while f'{METRIC}_bucket{{le="+Inf"}}'.encode() not in text or not text.endswith(b"\n"):
            text += receive(sock)
    return {bound: int(number) for bound, number in BUCKET.findall(text.decode())}


def measure_pool(child, address, scenario, seconds, number):
    """All servers of a round get the same arrivals."""
    status = f"/proc/{child.pid}/cwd/status"
    arrivals = paced.arrivals(RATE, seconds * TIMES, SHARE, number)
    ideal = paced.instant_times(paced.ideal(arrivals, scenario.threads, SLEEP))
    before = queue_times(status)
    real = paced.measure(address, CONNECTIONS, SLEEP, arrivals)
    queue = {bound: count - before[bound] for bound, count in queue_times(status).items()}
    vain = sorted(waited_in_vain(arrivals, scenario.threads, SLEEP))
    return {"p50": real["p50"], "p99": real["p99"], "ideal p50": ideal["p50"], "ideal p99": ideal["p99"],
            "vain p99": percentile(vain, 99), "vain": vain[-1], "queue": queue}
