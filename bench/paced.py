"""Requests that come when they come, whether or not those before them were answered; and what an ideal server would make of them.

A Poisson process with a fixed seed; some requests sleep. Each takes a connection that is free. When all are busy it waits in
the client, and its time counts from its arrival all the same.
"""
import heapq
import random
import selectors
import socket
import statistics
import time
from collections import deque
from dataclasses import dataclass

import load
from process import Failed

INSTANT, SLEEP = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n", b"GET /sleep/%d HTTP/1.1\r\nHost: bench\r\n\r\n"
PATIENCE = 5.0      # in seconds, after the last arrival


@dataclass
class Request:
    due: float              # seconds from the beginning
    sleeps: bool
    took: float = None      # seconds from there to the answer


def arrivals(rate, seconds, share, seed):
    generator = random.Random(seed)
    requests, due = [], generator.expovariate(rate)
    while due < seconds:
        requests.append(Request(due, generator.random() < share))
        due += generator.expovariate(rate)
    return requests


def ideal(requests, servers, service):
    """A queue of first come, first served before so many servers, on which nothing but sleeping takes time."""
    free = [0.0] * servers
    for request in requests:
        begun = max(request.due, heapq.heappop(free))
        ended = begun + (service if request.sleeps else 0.0)
        heapq.heappush(free, ended)
        request.took = ended - request.due
    return requests


class Client:
    def __init__(self, address, connections, service):
        self.address = address
        self.service = service
        self.selector = selectors.SelectSelector()    # epoll would round its time-out up to a millisecond
        self.idle = deque(self.connect() for _ in range(connections))
        self.waiting = deque()

    def connect(self):
        sock = socket.create_connection(self.address, PATIENCE)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def send(self):
        """As many of those who wait as there are free connections."""
        while self.waiting and self.idle:
            sock, request = self.idle.popleft(), self.waiting.popleft()
            sock.sendall(SLEEP % (self.service * 1000) if request.sleeps else INSTANT)
            self.selector.register(sock, selectors.EVENT_READ, request)

    def receive(self, timeout):
        for key, _ in self.selector.select(timeout):
            load.read_small(key.fileobj)
            key.data.took = time.monotonic() - self.begun - key.data.due
            self.selector.unregister(key.fileobj)
            self.idle.append(key.fileobj)

    def run(self, requests):
        self.begun = time.monotonic()
        end = self.begun + requests[-1].due + PATIENCE
        coming = deque(requests)
        while coming or self.waiting or self.selector.get_map():
            now = time.monotonic()
            if now > end:
                raise Failed("left requests without an answer")
            while coming and self.begun + coming[0].due <= now:
                self.waiting.append(coming.popleft())
            self.send()
            self.receive(max(0.0, self.begun + coming[0].due - time.monotonic()) if coming else end - now)
        return requests

    def close(self):
        for sock in [*self.idle, *(key.fileobj for key in self.selector.get_map().values())]:
            sock.close()
        self.selector.close()


def instant_times(requests):
    """Median and 99th percentile of those that do not sleep, in seconds."""
    times = sorted(request.took for request in requests if not request.sleeps)
    return {"p50": statistics.median(times), "p99": load.percentile(times, 99)}


def measure(address, connections, service, requests):
    client = Client(address, connections, service)
    try:
        return instant_times(client.run(requests))
    finally:
        client.close()
