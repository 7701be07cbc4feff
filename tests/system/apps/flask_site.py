"""The pages of test_app_frameworks.py in Flask, half of them in a blueprint."""

import hashlib

import flask
import shared

site = flask.Flask(__name__)
pages = flask.Blueprint("pages", __name__)


@pages.get("/hello/<name>")
def hello(name):
    return flask.Response(f"hello {name}", mimetype="text/plain")


@pages.get("/client")
def client():
    request = flask.request
    return {
        "address": request.remote_addr,
        "scheme": request.scheme,
        "host": request.host,
        "path": request.path,
        "query": request.args.get("q"),
        "url": request.url,
    }


@pages.post("/upload")
def upload():
    file = flask.request.files["file"]
    data = file.read()
    return {"name": file.filename, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@pages.post("/body")
def body():
    request = flask.request  # not get_data(), which calls read() without a size: wsgiref.validate refuses that
    return hashlib.sha256(request.stream.read(request.content_length)).hexdigest()


@site.get("/stream/<path:gate>")
def stream(gate):
    return flask.Response(shared.Halves("/" + gate), mimetype="text/plain")


@site.get("/closed")
def closed():
    return str(len(shared.closed))


@site.get("/cookies/set")
def set_cookies():
    response = flask.redirect("/cookies")
    response.set_cookie("one", "1")
    response.set_cookie("two", "zwei drei", httponly=True)
    return response


@site.get("/cookies")
def cookies():
    return dict(flask.request.cookies)


@site.get("/fail")
def fail():
    raise ValueError("this page fails")


site.register_blueprint(pages)
application = shared.linted(site)
