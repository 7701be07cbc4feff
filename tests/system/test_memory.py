"""What connections cost when nothing happens on them.

What went wrong once, in one server or another: a read buffer of 16 KiB for each idle connection, 10,000 of
them were 160 MB; memory grew with every connection that came and went.
"""

import resource

import pytest
from harness import Server
from timing import SANITIZED, wait_until

COUNT = 2000

pytestmark = pytest.mark.skipif(SANITIZED, reason="a sanitizer's own memory hides ours")


def private_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss_Anon:"))


@pytest.fixture
def descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < COUNT + 500:
        pytest.skip(f"at most {hard} descriptors here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, COUNT + 500), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def idle_connections(server, count):
    connections = []
    for _ in range(count):
        connection = server.connect()
        connection.request("GET", "/")
        connections.append(connection)
        if len(connections) % 100 == 0:
            for waiting in connections[-100:]:
                assert len(waiting.receive().body) == 10000
    return connections


def test_an_idle_connection_costs_at_most_one_kib(descriptors):
    with Server("tenlines") as server:
        for connection in idle_connections(server, 200):
            connection.close()
        before = private_bytes(server.worker_pid)
        connections = idle_connections(server, COUNT)
        each = (private_bytes(server.worker_pid) - before) / COUNT
        for connection in connections:
            connection.close()
        assert each <= 1024, f"{each:.0f} bytes each"


def test_memory_does_not_grow_with_the_connections_that_came_and_went():
    with Server("echo") as server:
        pid = server.worker_pid

        def round():
            for _ in range(100):
                with server.connect() as connection:
                    response = connection.exchange("POST", "/", [("X-Name", "x" * 5000)], b"y" * 200000)
                    assert len(response.body) == 200000
            return private_bytes(pid)

        round()
        before = round()
        # Fragmentation may add a page here and there, a leak adds at least 100 times something.
        wait_until(lambda: round() - before < 300000, "memory stays as it is", timeout=5)
