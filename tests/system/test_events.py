"""Server-sent events: a block that is yielded is one chunk, one packet, and there at once.

What went wrong once, in one server or another: small blocks waited for more of them, or 40 ms for an acknowledgement (Nagle's
algorithm); a chunk's size, its data and its end were three packets; all events came together at the end.
"""

import os
import socket
import statistics
import struct
import time

import pytest
from harness import Server
from timing import SLOW, report

APP = '''
import os, time

COUNT = 12


def event():
    return b"data: %.6f\\n\\n" % time.monotonic()


def await_client():
    """Until it has seen what was sent."""
    gate = os.open("gate", os.O_RDONLY)
    os.read(gate, 1)
    os.close(gate)


def events():
    for _ in range(COUNT):
        yield event()
        await_client()


def application(environ, start_response):
    if environ["PATH_INFO"] == "/short":
        start_response("200 OK", [])
        return [b"short"]
    write = start_response("200 OK", [("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache")])
    if environ["PATH_INFO"] == "/write":
        for _ in range(COUNT):
            write(event())
            await_client()
        return []
    return events()
'''

COUNT = 12
PROMPT = 0.02 * SLOW  # seconds
TCP_INFO_DATA_SEGS_IN = 152  # offset in struct tcp_info


@pytest.fixture(scope="module", params=[1, 4], ids=["one-thread", "four-threads"])
def server(request):
    with Server("app", "--threads", request.param, files={"app.py": APP}) as server:
        yield server


def packets(connection):
    """Those with data that have come, as the kernel has counted them: recv() may join what waits."""
    info = connection.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return struct.unpack_from("I", info, TCP_INFO_DATA_SEGS_IN)[0]


def converse(connection):
    """A connection on which both have been talking is one where a kernel delays acknowledgements."""
    for _ in range(5):
        assert connection.exchange("GET", "/short").body == b"short"
    return packets(connection)


def receive_events(server, connection):
    """What each recv() gave, and when, until the answer is whole or the connection ends. The application sends the next event when
    this one has come."""
    path, received = server.directory / "gate", []
    if not path.exists():
        os.mkfifo(path)
    gate = os.open(path, os.O_RDWR)
    while not received or not (received[-1][1].endswith(b"0\r\n\r\n") or received[-1][1] == b""):
        data = connection.socket.recv(65536)
        received.append((time.monotonic(), data))
        os.write(gate, b"x" * data.count(b"data: "))
    os.close(gate)
    return received


def lateness(received):
    return [when - float(data.partition(b"data: ")[2].split()[0]) for when, data in received if b"data: " in data]


def events_in_packets(server, path, version, expected):
    """What came in as many packets as expected: in two of three attempts, as a kernel that misses an acknowledgement on a busy
    machine sends one again."""
    counts = []
    for _ in range(3):
        with server.connect() as connection:
            before = converse(connection)
            connection.request("GET", path, version=version)
            received = receive_events(server, connection)
            counts.append(packets(connection) - before)
        if counts.count(expected) == 2:
            return received
    pytest.fail(f"{counts} packets in the place of {expected}")


@pytest.mark.parametrize("path", ["/", "/write"])
def test_each_event_is_a_chunk_and_a_packet_and_comes_at_once(server, path):
    # The head comes with the first event, the end alone.
    received = events_in_packets(server, path, "1.1", COUNT + 1)
    data = b"".join(block for _, block in received)
    head, _, body = data.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head
    assert body.count(b"data: ") == COUNT


def test_to_http_1_0_each_event_is_a_packet_and_comes_at_once(server):
    events_in_packets(server, "/", "1.0", COUNT)


@pytest.mark.timing
@pytest.mark.parametrize("path", ["/", "/write"])
def test_an_event_is_not_late(server, path):
    """Of most, so that one moment without the processor is forgiven; a delay of the server's would be in all of them."""
    late = lateness(events_in_packets(server, path, "1.1", COUNT + 1))
    report("from an event to its client", *late)
    assert statistics.median(late) < PROMPT, late
    assert sum(seconds < PROMPT for seconds in late) >= len(late) - 2, late
