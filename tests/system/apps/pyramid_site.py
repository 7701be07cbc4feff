"""The pages of test_app_frameworks.py in Pyramid, whose requests and responses are WebOb's."""

import hashlib

import shared
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPFound
from pyramid.response import Response
from pyramid.view import view_config


@view_config(route_name="hello")
def hello(request):
    return Response(f"hello {request.matchdict['name']}", content_type="text/plain")


@view_config(route_name="client", renderer="json")
def client(request):
    return {
        "address": request.remote_addr,
        "scheme": request.scheme,
        "host": request.host,
        "path": request.path_info,
        "query": request.params.get("q"),
        "url": request.url,
    }


@view_config(route_name="upload", renderer="json", request_method="POST")
def upload(request):
    file = request.POST["file"]
    data = file.file.read()
    return {"name": file.filename, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@view_config(route_name="body", request_method="POST")
def body(request):
    return Response(hashlib.sha256(request.body).hexdigest())


@view_config(route_name="stream")
def stream(request):
    return Response(app_iter=shared.Halves("/" + "/".join(request.matchdict["gate"])), content_type="text/plain")


@view_config(route_name="closed")
def closed(request):
    return Response(str(len(shared.closed)))


@view_config(route_name="set_cookies")
def set_cookies(request):
    response = HTTPFound("/cookies")
    response.set_cookie("one", "1")
    response.set_cookie("two", "zwei drei", httponly=True)
    return response


@view_config(route_name="cookies", renderer="json")
def cookies(request):
    return dict(request.cookies)


@view_config(route_name="fail")
def fail(request):
    raise ValueError("this page fails")


def make():
    with Configurator() as config:
        for name, pattern in (
            ("hello", "/hello/{name}"),
            ("client", "/client"),
            ("upload", "/upload"),
            ("body", "/body"),
            ("stream", "/stream/*gate"),
            ("closed", "/closed"),
            ("set_cookies", "/cookies/set"),
            ("cookies", "/cookies"),
            ("fail", "/fail"),
        ):
            config.add_route(name, pattern)
        config.scan(__name__)
        return config.make_wsgi_app()


application = shared.linted(make())
