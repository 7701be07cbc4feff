"""A raw HTTP/1.1 client: sends what it is told, and takes answers apart without ever repairing one.

It is not http.client, which forgives: here a bare LF, a missing CRLF after a chunk or bytes where none
belong are failures of the test. Every wait has an end.
"""

import re
import select
import socket
import struct
import time

from timing import PATIENCE

STATUS_LINE = re.compile(rb"HTTP/1\.1 (\d{3}) ([^\r\n]*)\Z")
FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([^\r\n\0]*)\Z")


class Cut(AssertionError):
    """The connection ended before the answer did; `response` is what there was of it."""

    def __init__(self, message, response=None):
        super().__init__(message)
        self.response = response


class Response:
    def __init__(self, status, reason, headers):
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = b""
        self.chunks = None  # sizes, when the body came in chunks

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def get(self, name):
        values = self.all(name)
        assert len(values) <= 1, f"{name} is repeated: {values}"
        return values[0] if values else None

    @property
    def text(self):
        return self.body.decode()

    def __repr__(self):
        return f"<{self.status} {self.reason} {self.headers} {self.body[:200]!r} ({len(self.body)} bytes)>"


class Connection:
    """`address` is what socket.connect takes: a (host, port) pair, or the path of a unix-domain socket; `source` is the host
    that it comes from."""

    def __init__(self, address, receive_buffer=None, timeout=None, source=None):
        family = socket.AF_UNIX
        if not isinstance(address, (str, bytes)):
            family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout or PATIENCE)
        self.buffer = bytearray()
        try:
            if source:
                self.socket.bind((source, 0))
            self.socket.connect(address)
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Goes away with a reset, as a client that crashed does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def finish(self):
        """Half-closes: nothing more will be sent, the answer is still awaited."""
        self.socket.shutdown(socket.SHUT_WR)

    def send(self, data):
        self.socket.sendall(data)

    def request(self, method="GET", target="/", headers=(), body=None, version="1.1"):
        self.send(request_bytes(method, target, headers, body, version))

    def exchange(self, method="GET", target="/", headers=(), body=None, version="1.1"):
        self.request(method, target, headers, body, version)
        return self.receive(method)

    def receive(self, method="GET"):
        """The next answer, whole; interim ones (1xx) count as answers too."""
        head = self._until(b"\r\n\r\n", None)[:-4].split(b"\r\n")
        status = STATUS_LINE.match(head[0])
        assert status, f"bad status line: {head[0][:200]!r}"
        fields = [FIELD_LINE.match(line) for line in head[1:]]
        assert all(fields), f"bad field line in: {head[:50]!r}"
        response = Response(
            int(status[1]),
            status[2].decode("latin-1"),
            [(f[1].decode("latin-1"), f[2].decode("latin-1")) for f in fields],
        )
        self._receive_body(method, response)
        return response

    def receive_final(self, method="GET"):
        """The next answer that is not an interim one, and how many of those came before it."""
        response, interim = self.receive(method), 0
        while response.status < 200:
            response, interim = self.receive(method), interim + 1
        return response, interim

    def _receive_body(self, method, response):
        length, coding = response.get("Content-Length"), response.get("Transfer-Encoding")
        assert length is None or coding is None, f"both framings: {response}"
        if method == "HEAD" or response.status < 200 or response.status in (204, 304):
            return
        if coding is not None:
            assert coding == "chunked"
            self._receive_chunks(response)
        elif length is not None:
            while len(self.buffer) < int(length):
                if not self._more():
                    response.body = self._take(len(self.buffer))
                    raise Cut(f"{len(response.body)} of {length} bytes came", response)
            response.body = self._take(int(length))
        else:
            response.body = self.rest()

    def _receive_chunks(self, response):
        body = response.body = bytearray()
        response.chunks = []
        while True:
            size = self._until(b"\r\n", response)[:-2]
            assert re.fullmatch(rb"[0-9a-fA-F]+", size), f"bad chunk size: {size[:100]!r}"
            size = int(size, 16)
            if size:
                response.chunks.append(size)
            data = self._exactly(size + 2, response)
            assert data.endswith(b"\r\n"), f"bad chunk end: {data[-10:]!r}"
            body += data[:-2]
            if size == 0:
                response.body = bytes(body)
                return

    def _until(self, mark, response):
        start = 0
        while (at := self.buffer.find(mark, start)) < 0:
            start = max(0, len(self.buffer) - len(mark))
            if not self._more():
                raise Cut(f"the connection ended within: {self.buffer[-200:]!r}", response)
        return self._take(at + len(mark))

    def _exactly(self, size, response):
        while len(self.buffer) < size:
            if not self._more():
                response.body += self.buffer
                raise Cut(f"the connection ended within a chunk of {size} bytes", response)
        return self._take(size)

    def _take(self, size):
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def _more(self):
        data = self.socket.recv(1 << 18)
        self.buffer += data
        return data

    def rest(self):
        """Everything until the server closes."""
        while self._more():
            pass
        return self._take(len(self.buffer))

    def rest_or_answer(self):
        """b"" when the server has closed, else the status of the next answer."""
        try:
            return self.receive().status if self._more() else b""
        except ConnectionResetError:
            return b""

    def assert_closed(self):
        """The server has closed, or is about to, in order and without another byte."""
        rest = self.rest()
        assert rest == b"", f"bytes before the end: {rest[:200]!r}"

    def assert_open(self, for_seconds=0.1):
        assert self.buffer == b"", f"bytes nobody asked for: {self.buffer[:200]!r}"
        self.socket.settimeout(for_seconds)
        try:
            data = self.socket.recv(1)
            raise AssertionError(f"the connection was {'closed' if not data else 'answered unasked'}")
        except TimeoutError:
            pass
        finally:
            self.socket.settimeout(PATIENCE)

    def has_ended(self):
        """The server has closed, as far as can be seen without waiting; there may be no bytes of an answer."""
        if not select.select([self.socket], [], [], 0)[0]:
            return False
        try:
            return self.socket.recv(1, socket.MSG_PEEK) == b""
        except ConnectionError:
            return True

    def seconds_until_end(self):
        start = time.monotonic()
        self.rest()
        return time.monotonic() - start


def request_bytes(method="GET", target="/", headers=(), body=None, version="1.1"):
    """Adds Host and Content-Length unless they are given."""
    names = {name.lower() for name, _ in headers}
    fields = list(headers)
    if "host" not in names:
        fields.insert(0, ("Host", "example.org"))
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        fields.append(("Content-Length", str(len(body))))
    lines = [f"{method} {target} HTTP/{version}", *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode("latin-1") + (body or b"")


def chunked(*blocks, trailer=b""):
    """A chunked body; an empty block would end it."""
    return b"".join(b"%x\r\n%s\r\n" % (len(block), block) for block in blocks) + b"0\r\n" + trailer + b"\r\n"
