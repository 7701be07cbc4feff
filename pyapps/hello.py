"""The smallest useful WSGI application.

    gateway hello

A WSGI application is something callable with two arguments. `environ` is a dict that describes the request;
`start_response` takes the status line and the headers of the answer. What the application returns is the
body: an iterable of byte strings.
"""


def application(environ, start_response):
    name = environ["PATH_INFO"].strip("/") or "world"
    # WSGI strings are latin-1: each character is one byte of what the client sent. This gets the text back.
    name = name.encode("latin-1").decode("utf-8", "replace")
    body = f"Hello, {name}!\n".encode()
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    start_response("200 OK", headers)
    return [body]
