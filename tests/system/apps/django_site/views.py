import hashlib

import shared
from django.core.signals import request_finished, request_started
from django.db import connections
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import csrf_exempt

from .models import Document

signals = {"started": 0, "finished": 0}


def count_start(sender, **_):
    signals["started"] += 1


def count_end(sender, **_):
    """Django sends this signal in the response's close(), and closes its connections to databases then."""
    signals["finished"] += 1


request_started.connect(count_start)
request_finished.connect(count_end)


def finished(request):
    return JsonResponse({"bodies": len(shared.closed), **signals})


def document(request, number):
    return FileResponse(open(get_object_or_404(Document, id=number).file.path, "rb"))


def client(request, name):
    return JsonResponse(
        {
            "name": name,
            "address": request.META["REMOTE_ADDR"],
            "scheme": request.scheme,
            "host": request.get_host(),
            "url": request.build_absolute_uri(),
            "agent": request.headers["User-Agent"],
        }
    )


@csrf_exempt
def body(request):
    digest = hashlib.sha256()
    while block := request.read(10000):
        digest.update(block)
    return HttpResponse(digest.hexdigest())


def stream(request, gate):
    return StreamingHttpResponse(shared.Halves(gate), content_type="text/plain")


def big(request):
    """A query's answer from PostgreSQL, row by row, by a cursor on the server's side."""

    def rows():
        with connections["big"].chunked_cursor() as cursor:
            cursor.execute("SELECT n, 'größer als ' || n FROM generate_series(1, 20000) AS n")
            for number, text in cursor:
                yield f"{number} {text}\n"

    return StreamingHttpResponse(rows(), content_type="text/plain; charset=utf-8")


def fail(request):
    raise ValueError("this page fails")
