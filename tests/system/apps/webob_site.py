"""The pages of test_app_frameworks.py with nothing but WebOb's request and response."""

import hashlib

import shared
from webob import Response, exc
from webob.dec import wsgify


def hello(request, name):
    return Response(f"hello {name}", content_type="text/plain")


def client(request):
    answer = {"address": request.remote_addr, "scheme": request.scheme, "host": request.host}
    answer |= {"path": request.script_name + request.path_info, "query": request.GET.get("q"), "url": request.url}
    return Response(json=answer)


def upload(request):
    file = request.POST["file"]
    data = file.file.read()
    digest = hashlib.sha256(data).hexdigest()
    return Response(json={"name": file.filename, "size": len(data), "sha256": digest})


def body(request):
    return Response(hashlib.sha256(request.body_file.read(request.content_length)).hexdigest())


def stream(request, *gate):
    return Response(app_iter=shared.Halves("/" + "/".join(gate)), content_type="text/plain")


def closed(request):
    return Response(str(len(shared.closed)))


def cookies(request, verb=None):
    if verb != "set":
        return Response(json=dict(request.cookies))
    response = exc.HTTPFound(location="/cookies")
    response.set_cookie("one", "1")
    response.set_cookie("two", "zwei drei", httponly=True)
    return response


def fail(request):
    raise ValueError("this page fails")


PAGES = {page.__name__: page for page in (hello, client, upload, body, stream, closed, cookies, fail)}


@wsgify
def site(request):
    page = PAGES.get(request.path_info_pop())
    if page is None:
        raise exc.HTTPNotFound
    return page(request, *filter(None, request.path_info.split("/")))


application = shared.linted(site)
