"""Shows what an application is told about a request: every entry of `environ`.

    gateway environ
    curl http://127.0.0.1:8000/some/path?a=1
    curl -H 'Accept: application/json' http://127.0.0.1:8000/some/path?a=1

As text by default, a line an entry; as JSON to clients that ask for it. Objects (wsgi.input and others) are
shown by their repr().
"""

import json


def application(environ, start_response):
    if environ.get("HTTP_ACCEPT") == "application/json":
        content_type = "application/json"
        body = json.dumps(environ, default=repr, sort_keys=True, indent=1).encode()
    else:
        content_type = "text/plain; charset=utf-8"
        body = "".join(f"{key} = {value!r}\n" for key, value in sorted(environ.items())).encode()
    start_response("200 OK", [("Content-Type", content_type), ("Content-Length", str(len(body)))])
    return [body]
