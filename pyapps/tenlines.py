"""The challenge: 10,000 bytes, 10,000 requests a second, 10,000 connections, in ten lines of plain WSGI."""

BODY = b"ten thousand bytes, " * 500


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "10000")])
    return [BODY]
