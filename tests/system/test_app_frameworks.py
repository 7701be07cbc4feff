"""The same pages in five frameworks, judged by their clients: what a user of each would notice first.

With one thread and with four, and once more with the checkers of WSGI around the application, which look at every call between
server and framework: webtest's is the stricter one about environ, Python's about the iterable.
"""

import urllib.parse

import pytest
from client import chunked
from debian import APPS, lacks
from timing import wait_until
from visitor import Visitor, halves, sha256

MEGABYTES = bytes(range(256)) * (3 << 12)  # three
FRAMEWORKS = ["flask", "falcon", "bottle", "pyramid", "webob"]
MANNERS = {
    "1 thread": (["--threads", 1], {}, None),
    "4 threads": (["--threads", 4], {}, None),
    "webtest.lint": ([], {"WSGI_LINT": "webtest"}, "webtest"),
    "wsgiref.validate": ([], {"WSGI_LINT": "wsgiref"}, None),
}


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_framework_serves_its_pages(serve, tmp_path, framework, manner):
    options, env, checker = MANNERS[manner]
    if missing := lacks(**{name: f"python3-{name}" for name in (framework, checker) if name}):
        pytest.skip(missing)
    server = serve(f"{framework}_site", "--pythonpath", APPS, *options, env=env)
    for check in CHECKS:
        check(server, Visitor(server), tmp_path)


def text_is_bytes_on_the_wire_and_text_again(server, visitor, _):
    name = "Zoë Ångström"
    page = visitor.visit("/hello/" + urllib.parse.quote(name))
    assert (page.status, page.text) == (200, f"hello {name}")


def a_page_knows_its_client_and_its_own_address(server, visitor, _):
    client = visitor.visit("/client?q=" + urllib.parse.quote("a&b=ü")).json
    url = client.pop("url")
    assert client == {
        "address": "127.0.0.1",
        "scheme": "http",
        "host": f"127.0.0.1:{server.port}",
        "path": "/client",
        "query": "a&b=ü",
    }
    assert urllib.parse.unquote(url) == visitor.root + "/client?q=a&b=ü"


def a_file_of_some_megabytes_arrives(server, visitor, _):
    sent = visitor.upload("/upload", [("file", "some.bin", MEGABYTES)])
    assert sent.json == {"name": "some.bin", "size": len(MEGABYTES), "sha256": sha256(MEGABYTES)}


def two_cookies_of_one_redirect_come_back(server, visitor, _):
    page = visitor.visit("/cookies/set")
    assert page.url.endswith("/cookies") and page.json == {"one": "1", "two": "zwei drei"}


def head_is_get_without_the_body(server, visitor, _):
    head, whole = (server.request(method, "/hello/you") for method in ("HEAD", "GET"))
    assert (head.status, head.body, whole.body) == (200, b"", b"hello you")
    assert head.get("Content-Type") == whole.get("Content-Type")


def a_body_in_chunks_has_a_length_for_the_application(server, visitor, _):
    blocks = [MEGABYTES[:70000], MEGABYTES[:1], MEGABYTES[:300]]
    answer = server.request("POST", "/body", [("Transfer-Encoding", "chunked")], chunked(*blocks))
    assert (answer.status, answer.text) == (200, sha256(b"".join(blocks)))


def what_streams_is_not_held_back_and_is_closed_once(server, visitor, directory):
    for count in (1, 2):
        gate = directory / f"gate{count}"
        answer = halves(server, f"/stream{gate}", gate)
        assert (answer.status, answer.body) == (200, b"first half second half")
        assert answer.chunks == [11, 11], "a block is a chunk, neither joined nor split"
        wait_until(lambda: server.get("/closed").text == str(count), "the body has been closed, and once")


def what_is_not_there_is_404(server, visitor, _):
    assert visitor.visit("/nowhere").status == 404


def a_page_that_fails_is_a_500_with_its_traceback_in_the_log(server, visitor, _):
    answer = server.get("/fail")
    assert answer.status == 500
    assert b"this page fails" not in answer.body, "it is nothing for the client"
    server.wait_log(r"ValueError: this page fails")
    assert "Traceback" in server.log
    assert server.get("/hello/you").status == 200, "it goes on"


CHECKS = [
    text_is_bytes_on_the_wire_and_text_again,
    a_page_knows_its_client_and_its_own_address,
    a_file_of_some_megabytes_arrives,
    two_cookies_of_one_redirect_come_back,
    head_is_get_without_the_body,
    a_body_in_chunks_has_a_length_for_the_application,
    what_streams_is_not_held_back_and_is_closed_once,
    what_is_not_there_is_404,
    a_page_that_fails_is_a_500_with_its_traceback_in_the_log,
]
