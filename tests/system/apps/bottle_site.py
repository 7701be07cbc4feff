"""The pages of test_app_frameworks.py in Bottle."""

import hashlib

import bottle
import shared

site = bottle.Bottle()
bottle.BaseRequest.MEMFILE_MAX = 64 * 1024


@site.get("/hello/<name>")
def hello(name):
    bottle.response.content_type = "text/plain; charset=utf-8"
    return f"hello {name}"


@site.get("/client")
def client():
    request = bottle.request
    return {
        "address": request.remote_addr,
        "scheme": request.urlparts.scheme,
        "host": request.urlparts.netloc,
        "path": request.path,
        "query": request.query.getunicode("q"),
        "url": request.url,
    }


@site.post("/upload")
def upload():
    file = bottle.request.files.file
    data = file.file.read()
    return {"name": file.raw_filename, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@site.post("/body")
def body():
    return hashlib.sha256(bottle.request.body.read()).hexdigest()


@site.get("/stream/<gate:path>")
def stream(gate):
    bottle.response.content_type = "text/plain"
    return shared.Halves("/" + gate)


@site.get("/closed")
def closed():
    return str(len(shared.closed))


@site.get("/cookies/set")
def set_cookies():
    bottle.response.set_cookie("one", "1", path="/")
    bottle.response.set_cookie("two", "zwei drei", path="/", httponly=True)
    bottle.redirect("/cookies")


@site.get("/cookies")
def cookies():
    return dict(bottle.request.cookies)


@site.get("/fail")
def fail():
    raise ValueError("this page fails")


application = shared.linted(site)
