"""The pages of test_app_frameworks.py in Falcon."""

import hashlib

import falcon
import shared


class Hello:
    def on_get(self, request, response, name):
        response.content_type = falcon.MEDIA_TEXT
        response.text = f"hello {name}"

    on_head = on_get


class Client:
    def on_get(self, request, response):
        response.media = {
            "address": request.remote_addr,
            "scheme": request.scheme,
            "host": request.netloc,
            "path": request.path,
            "query": request.get_param("q"),
            "url": request.url,
        }


class Upload:
    def on_post(self, request, response):
        for part in request.media:
            digest, size = hashlib.sha256(), 0
            while block := part.stream.read(65536):
                digest.update(block)
                size += len(block)
            response.media = {"name": part.filename, "size": size, "sha256": digest.hexdigest()}


class Body:
    def on_post(self, request, response):
        response.text = hashlib.sha256(request.bounded_stream.read()).hexdigest()


def stream(request, response, gate):
    response.content_type = falcon.MEDIA_TEXT
    response.stream = shared.Halves("/" + gate)


class Closed:
    def on_get(self, request, response):
        response.text = str(len(shared.closed))


class SetCookies:
    def on_get(self, request, response):
        response.set_cookie("one", "1", secure=False)
        response.set_cookie("two", "zwei drei", secure=False)
        response.status = falcon.HTTP_302
        response.location = "/cookies"


class Cookies:
    def on_get(self, request, response):
        response.media = request.cookies


class Fail:
    def on_get(self, request, response):
        raise ValueError("this page fails")


site = falcon.App()
site.add_route("/hello/{name}", Hello())
site.add_route("/client", Client())
site.add_route("/upload", Upload())
site.add_route("/body", Body())
site.add_sink(stream, "/stream/(?P<gate>.*)")
site.add_route("/closed", Closed())
site.add_route("/cookies/set", SetCookies())
site.add_route("/cookies", Cookies())
site.add_route("/fail", Fail())
application = shared.linted(site)
