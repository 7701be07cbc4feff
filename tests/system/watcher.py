"""What looks at a server through --status, and clients that know what they have seen."""

import json
import re
import threading

from block import HOLD
from client import Connection

APP = HOLD + '''
import time

while os.path.exists("importing"):
    time.sleep(0.01)


def application(environ, start_response):
    name, _, argument = environ["PATH_INFO"][1:].partition("/")
    if name == "hold":
        hold(argument)
        start_response("200 OK", [])
        return [b"done"]
    if name == "sleep":
        time.sleep(float(argument))
    elif name == "native":  # with the GIL
        ctypes.PyDLL(None).usleep(int(float(argument) * 1e6))
    elif name == "crash":
        os.kill(os.getpid(), 9)
    elif name == "exit":
        os._exit(3)
    elif name == "raise":
        raise ValueError
    status = argument if name == "status" else "200"
    headers = [("Content-Type", "text/plain")] if status != "304" else []
    start_response(status + " Whatever", headers)
    if name == "stream":
        return iter([b"one", b"two", b"three"])
    return [] if status in ("204", "304") else [str(os.getpid()).encode()]
'''

STATUS_ON = re.compile(r"status on (http://127\.0\.0\.1:(\d+)|unix:(\S+))")


class Watcher:
    """Asks the status process of a server."""

    def __init__(self, server):
        found = STATUS_ON.search(server.log)
        self.address = found[3] or ("127.0.0.1", int(found[2]))
        self.url = found[1]

    def get(self, path, method="GET"):
        with Connection(self.address) as connection:
            return connection.exchange(method, path, [("Host", "localhost"), ("Connection", "close")])

    @property
    def json(self):
        response = self.get("/status.json")
        assert response.status == 200 and response.get("Content-Type") == "application/json"
        return json.loads(response.body)

    @property
    def metrics(self):
        response = self.get("/metrics")
        assert response.status == 200
        assert response.get("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
        return parse_metrics(response.text)

    def ready(self):
        response = self.get("/ready")
        return response.status, response.text

    def pid(self, server):
        """Of the status process: the child of the master that is no worker."""
        workers = {worker["pid"] for worker in self.json["workers"]}
        (pid,) = set(server.worker_pids()) - workers
        return pid


# Prometheus' text format, strictly: a line that is not exactly of it is an error.
HELP = re.compile(r"# HELP ([a-z_]+) \S[^\n]*")
TYPE = re.compile(r"# TYPE ([a-z_]+) (counter|gauge|histogram)")
SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)+)\})? (\d+(?:\.\d+)?)')
LABEL = re.compile(r'([a-z]+)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|\Z)')


class Family:
    def __init__(self, name, kind):
        self.name, self.kind, self.samples = name, kind, {}

    def __getitem__(self, label):
        """The sample with this value of its only label; 0 when there is none."""
        return next((value for (_, labels), value in self.samples.items() if labels[0][1] == label), 0)

    def by_label(self):
        """All samples, by the value of their only label."""
        return {labels[0][1]: value for (_, labels), value in self.samples.items()}

    @property
    def value(self):
        return self.samples[self.name, ()]

    @property
    def sum(self):
        return sum(self.samples.values())

    @property
    def count(self):
        return self.samples[self.name + "_count", ()]


def parse_metrics(text):
    families, family = {}, None
    assert text.endswith("\n") and "\n\n" not in text
    lines = iter(text[:-1].split("\n"))
    for line in lines:
        if found := HELP.fullmatch(line):
            kind = TYPE.fullmatch(next(lines))
            assert kind and kind[1] == found[1], f"HELP of {found[1]} without its TYPE"
            assert found[1] not in families, f"{found[1]} comes twice"
            family = families[found[1]] = Family(kind[1], kind[2])
            continue
        found = SAMPLE.fullmatch(line)
        assert found, f"neither a comment nor a sample: {line!r}"
        suffixes = ["_bucket", "_sum", "_count"] if family.kind == "histogram" else [""]
        assert found[1] in [family.name + suffix for suffix in suffixes], f"{line!r} in {family.name}"
        labels = tuple(LABEL.findall(found[2] or ""))
        assert (found[1], labels) not in family.samples, f"twice: {line!r}"
        family.samples[found[1], labels] = float(found[3])
    for family in families.values():
        check_family(family)
    return families


def check_family(family):
    assert (family.kind == "counter") == family.name.endswith("_total"), family.name
    assert family.name.startswith("gateway_")
    if family.kind != "histogram":
        return
    buckets = [(labels[0][1], value) for (name, labels), value in family.samples.items() if labels]
    bounds = [float(bound) for bound, _ in buckets]
    counts = [value for _, value in buckets]
    assert bounds == sorted(set(bounds)) and buckets[-1][0] == "+Inf"
    assert counts == sorted(counts), f"{family.name} is not cumulative"
    assert counts[-1] == family.count
    assert {"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10"} <= dict(buckets).keys()


class Counting:
    """A client that knows what it has seen."""

    def __init__(self, server):
        self.server, self.seen, self.lost, self.received = server, {}, 0, 0

    def run(self, paths, keep_alive):
        connection = None
        for path in paths:
            try:
                connection = connection or self.server.connect()
                headers = [] if keep_alive else [("Connection", "close")]
                response = connection.exchange("GET", path, headers)
                self.seen[response.status] = self.seen.get(response.status, 0) + 1
                if not keep_alive or response.get("Connection") == "close":
                    connection.close()
                    connection = None
            except (AssertionError, OSError):
                self.lost += 1
                if connection:
                    connection.close()
                connection = None
        if connection:
            connection.close()


PATHS = ["/", "/status/204", "/status/404", "/stream", "/status/304", "/raise", "/status/999", "/status/503"]


def count_answers(clients):
    """What they have seen together, by status code."""
    seen = {}
    for client in clients:
        for status, number in client.seen.items():
            seen[str(status)] = seen.get(str(status), 0) + number
    return seen


class Crowd:
    """Clients that ask until the end of the block, half of them on kept connections."""

    def __init__(self, server, number):
        self.clients = [Counting(server) for _ in range(number)]
        self.over = threading.Event()
        self.threads = [
            threading.Thread(target=client.run, args=(self.paths(), i % 2 == 0))
            for i, client in enumerate(self.clients)
        ]

    def paths(self):
        while not self.over.is_set():
            yield from PATHS

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    @property
    def seen(self):
        return count_answers(self.clients)

    @property
    def lost(self):
        return sum(client.lost for client in self.clients)
