"""A client as users have one: urllib with a cookie jar, which follows redirects and forgives what browsers forgive.

Beside the strict client (client.py), so that what the frameworks do is judged by a client that is not ours.
"""

import hashlib
import json
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar

from timing import PATIENCE

BOUNDARY = "a-boundary-that-is-in-no-file"


class Page:
    def __init__(self, answer):
        self.status = answer.status if hasattr(answer, "status") else answer.code
        self.url = answer.geturl()
        self.headers = answer.headers
        self.body = answer.read()

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.url} {self.body[:2000]!r}>"


class Visitor:
    def __init__(self, server, *handlers):
        self.root = f"http://127.0.0.1:{server.port}"
        self.cookies = CookieJar()
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.cookies), *handlers
        )

    def visit(self, path, data=None, headers=(), method=None):
        """The page in the end, after redirects, whatever its status."""
        request = urllib.request.Request(self.root + path, data, dict(headers), method=method)
        try:
            with self.opener.open(request, timeout=PATIENCE) as answer:
                return Page(answer)
        except urllib.error.HTTPError as answer:
            with answer:
                return Page(answer)

    def post(self, path, fields, headers=()):
        return self.visit(path, urllib.parse.urlencode(fields).encode(), headers)

    def upload(self, path, files, fields=(), headers=()):
        """`files`: [(field, file's name, bytes)]."""
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        return self.visit(path, multipart(files, fields), {"Content-Type": kind, **dict(headers)})

    def send_json(self, path, value, method="POST", headers=()):
        headers = {"Content-Type": "application/json", **dict(headers)}
        return self.visit(path, json.dumps(value).encode(), headers, method)

    def cookie(self, name):
        return next((cookie.value for cookie in self.cookies if cookie.name == name), None)


def multipart(files, fields=()):
    parts = []
    for name, value in dict(fields).items():
        parts.append(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
    for name, filename, data in files:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
        parts.append(head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + data + b"\r\n")
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def halves(server, target, gate):
    """What an application that streams has sent before and after its client has seen the first block: the server of an answer that
    is buffered anywhere never gets as far as the second. The application waits for the file `gate`."""
    with server.connect() as connection:
        connection.request("GET", target, [("Connection", "close")])
        while b"first half" not in connection.buffer:
            assert connection._more(), f"the answer ended: {bytes(connection.buffer)!r}"
        before = b"second half" in connection.buffer
        gate.touch()
        response = connection.receive()
        connection.assert_closed()
        assert not before, "the second half came unasked: the gate does not work"
        return response
