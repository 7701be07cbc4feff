"""Sends the request's body back, whatever its size, without ever holding all of it.

    gateway echo
    curl --data-binary @FILE http://127.0.0.1:8000/

wsgi.input is a file: read(size) gives at most that many bytes, and b"" at the end. The body is complete
before the application is called, so reading never waits for the client, and CONTENT_LENGTH is there even if
it came in chunks.
"""

BLOCK = 64 * 1024


def application(environ, start_response):
    body = environ["wsgi.input"]
    start_response(
        "200 OK",
        [
            ("Content-Type", environ.get("CONTENT_TYPE") or "application/octet-stream"),
            ("Content-Length", environ.get("CONTENT_LENGTH") or "0"),
        ],
    )
    return iter(lambda: body.read(BLOCK), b"")
