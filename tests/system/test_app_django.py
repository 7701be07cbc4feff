"""Django 3.2 or later, as a project of its usual shape: somebody works in the admin site, uploads a file and gets it back.

Its users would notice first: a session or a CSRF token that does not survive the server's way with cookies and Host, an upload
that is cut, a report that only comes when it is complete, connections to the database that nobody closes.
"""

import json
import re
import urllib.parse

import pytest
from client import chunked
from debian import APPS, lacks, needs, python
from harness import Server
from postgresql import postgresql
from visitor import Visitor, halves, sha256

needs(django="python3-django")

MEGABYTES = bytes(range(255, -1, -1)) * (4 << 12)  # four: beyond 2.5 Django has uploads in files, too
PASSWORD = "a quite good password"


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """The environment of a project whose tables have been made, with an administrator."""
    directory = tmp_path_factory.mktemp("django")
    env = {"SITE_DIRECTORY": str(directory), "DJANGO_SETTINGS_MODULE": "django_site.settings"}
    prepare = (
        "import django; django.setup()\n"
        "from django.core.management import call_command\n"
        "call_command('migrate', run_syncdb=True, verbosity=0)\n"
        "from django.contrib.auth.models import User\n"
        f"User.objects.create_superuser('ann', password={PASSWORD!r})\n"
    )
    python("-c", prepare, env=env)
    return env


@pytest.fixture(scope="module", params=[1, 4], ids=["1 thread", "4 threads"])
def site(request, database):
    with Server("django_site.wsgi", "--pythonpath", APPS, "--threads", request.param, env=database) as server:
        assert server.get("/finished").status == 200  # the first request imports the views, and is not counted as started
        yield server


def token(page):
    """Of the form in a page, as a browser would send it."""
    return re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]


def log_in(visitor):
    page = visitor.visit("/admin/")
    assert page.url.endswith("/admin/login/?next=/admin/"), page.url
    fields = {"username": "ann", "password": PASSWORD, "next": "/admin/", "csrfmiddlewaretoken": token(page)}
    return visitor.post("/admin/login/?next=/admin/", fields, {"Referer": page.url})


def test_somebody_works_in_the_admin_site(site):
    visitor = Visitor(site)
    assert visitor.post("/admin/login/", {"username": "ann"}).status == 403, "without the token"
    page = log_in(visitor)
    assert (page.status, urllib.parse.urlsplit(page.url).path) == (200, "/admin/")
    assert "Log out" in page.text and visitor.cookie("sessionid")

    page = visitor.visit("/admin/django_site/document/add/")
    fields = {"title": "Übersicht", "csrfmiddlewaretoken": token(page)}
    page = visitor.upload(page.url[len(visitor.root):], [("file", "plan.bin", MEGABYTES)], fields)
    assert page.url.endswith("/admin/django_site/document/"), page.text
    assert "was added successfully" in page.text and "Übersicht" in page.text, "the message came over a redirect"

    number = re.search(r"/admin/django_site/document/(\d+)/change/", page.text)[1]
    page = visitor.visit(f"/documents/{number}")
    assert sha256(page.body) == sha256(MEGABYTES)
    assert page.headers["Content-Length"] == str(len(MEGABYTES))
    head = site.request("HEAD", f"/documents/{number}")
    assert (head.status, head.get("Content-Length"), head.body) == (200, str(len(MEGABYTES)), b"")

    page = visitor.visit("/admin/", headers={"Accept-Encoding": "gzip"})
    assert page.headers["Content-Encoding"] == "gzip" and page.body.startswith(b"\x1f\x8b")
    stranger = Visitor(site)
    assert "/admin/login/" in stranger.visit(f"/admin/django_site/document/{number}/change/").url


def test_a_view_knows_its_client_and_its_url(site):
    page = Visitor(site).visit("/client/" + urllib.parse.quote("Zoë"), headers={"User-Agent": "a test"})
    url = f"http://127.0.0.1:{site.port}/client/Zo%C3%AB"
    host = f"127.0.0.1:{site.port}"
    agent = "a test"
    known = {"name": "Zoë", "address": "127.0.0.1", "scheme": "http", "host": host, "url": url, "agent": agent}
    assert page.json == known


def test_what_is_unchanged_is_304(site):
    first = site.get("/client/a", [("User-Agent", "a")])
    again = site.get("/client/a", [("User-Agent", "a"), ("If-None-Match", first.get("ETag"))])
    assert (first.status, again.status, again.body) == (200, 304, b"")


def test_a_body_in_chunks_is_read_to_its_end(site):
    blocks = [MEGABYTES[:100000], MEGABYTES[:1]]
    answer = site.request("POST", "/body", [("Transfer-Encoding", "chunked")], chunked(*blocks))
    assert (answer.status, answer.text) == (200, sha256(b"".join(blocks)))


def test_a_report_streams_and_each_request_is_finished_once(site, tmp_path):
    before = json.loads(site.get("/finished").text)
    answer = halves(site, f"/stream{tmp_path}/gate", tmp_path / "gate")
    assert answer.body == b"first half second half"
    after = json.loads(site.get("/finished").text)
    # The first question and the report.
    assert {key: after[key] - before[key] for key in after} == {"bodies": 1, "started": 2, "finished": 2}


def test_errors_have_their_pages_and_the_log_the_traceback(site):
    assert (site.get("/nowhere").status, site.get("/client/a", [("Host", "evil.example")]).status) == (404, 400)
    answer = site.get("/fail")
    assert answer.status == 500 and b"this page fails" not in answer.body
    site.wait_log("ValueError: this page fails")
    assert "Traceback" in site.log and "Invalid HTTP_HOST header" in site.log


def test_rows_from_postgresql_stream_through_psycopg2(serve, database):
    if missing := lacks(psycopg2="python3-psycopg2"):
        pytest.skip(missing)
    with postgresql() as socket:
        env = {**database, "SITE_POSTGRESQL": str(socket)}
        server = serve("django_site.wsgi", "--pythonpath", APPS, "--threads", 4, env=env)
        with server.connect() as one, server.connect() as other:
            for connection in (one, other):
                connection.request("GET", "/big")
            for connection in (one, other):
                lines = connection.receive().text.splitlines()
                assert len(lines) == 20000 and lines[-1] == "20000 größer als 20000"
        server.stop()
