"""httpbin as it is packaged: an application that was written to try out clients, and tries out the server between as well."""

import base64
import gzip
import hashlib
import json
import urllib.request
import zlib

import pytest
from client import chunked
from debian import needs
from harness import Server
from timing import wait_until
from visitor import Visitor, sha256

needs(httpbin="python3-httpbin")

MEGABYTES = bytes(range(256)) * (2 << 12)  # two


@pytest.fixture(scope="module", params=[1, 4], ids=["1 thread", "4 threads"])
def bin(request):
    with Server("httpbin:app", "--threads", request.param) as server:
        yield server


@pytest.fixture
def visitor(bin):
    return Visitor(bin)


def test_every_method_sees_its_own_request(bin, visitor):
    page = visitor.visit("/get?a=1&a=2&b=%C3%BC", headers={"X-Own": "x"}).json
    assert page["args"] == {"a": ["1", "2"], "b": "ü"}
    assert page["headers"]["X-Own"] == "x" and page["headers"]["Host"] == f"127.0.0.1:{bin.port}"
    assert page["origin"] == "127.0.0.1"
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        page = visitor.send_json(f"/{method.lower()}", {"a": [1, "ü"]}, method)
        assert (page.status, page.json["json"]) == (200, {"a": [1, "ü"]})
    assert visitor.post("/post", {"a": "1 2", "b": "ü"}).json["form"] == {"a": "1 2", "b": "ü"}
    assert visitor.visit("/post").status == 405
    options = bin.request("OPTIONS", "/post")
    assert options.status == 200 and set(options.get("Allow").split(", ")) == {"OPTIONS", "POST"}


def test_a_file_comes_back(visitor):
    page = visitor.upload("/post", [("file", "f", MEGABYTES)])
    kind, _, data = page.json["files"]["file"].partition(",")
    assert kind.endswith("base64") and sha256(base64.b64decode(data)) == sha256(MEGABYTES)


def test_a_body_in_chunks_is_whole(bin):
    answer = bin.request("POST", "/anything", [("Transfer-Encoding", "chunked")], chunked(b"some ", b"more"))
    assert json.loads(answer.text)["data"] == "some more"


def test_redirects_lead_to_their_end(bin, visitor):
    for kind in ("redirect", "relative-redirect", "absolute-redirect"):
        page = visitor.visit(f"/{kind}/3")
        assert (page.status, page.url) == (200, visitor.root + "/get")
    first = bin.get("/redirect-to?url=http%3A%2F%2Fexample.org%2F&status_code=307")
    assert (first.status, first.get("Location")) == (307, "http://example.org/")


def test_cookies_are_set_kept_and_deleted(visitor):
    assert visitor.visit("/cookies/set?one=1&two=2").json == {"cookies": {"one": "1", "two": "2"}}
    assert visitor.visit("/cookies/delete?one").json == {"cookies": {"two": "2"}}


def test_encodings_are_the_applications(bin):
    def body(answer):
        return json.loads(decode(answer.body))

    for path, coding, decode in (("/gzip", "gzip", gzip.decompress), ("/deflate", "deflate", zlib.decompress)):
        answer = bin.get(path)
        assert answer.get("Content-Encoding") == coding and len(answer.body) == int(answer.get("Content-Length"))
        assert body(answer)["method"] == "GET"


def test_passwords_are_asked_for(visitor, bin):
    assert visitor.visit("/basic-auth/ann/secret").status == 401
    for name, handler in (
        ("basic-auth", urllib.request.HTTPBasicAuthHandler()),
        ("digest-auth/auth", urllib.request.HTTPDigestAuthHandler()),
    ):
        handler.add_password(None, visitor.root, "ann", "secret")
        handler.passwd = WithAnyRealm(handler.passwd)
        page = Visitor(bin, handler).visit(f"/{name}/ann/secret")
        assert (page.status, page.json["user"]) == (200, "ann"), page
    assert visitor.visit("/bearer", headers={"Authorization": "Bearer t"}).json == {"authenticated": True, "token": "t"}


class WithAnyRealm:
    def __init__(self, passwords):
        self.passwords = passwords

    def find_user_password(self, realm, uri):
        return self.passwords.find_user_password(None, uri)


@pytest.mark.parametrize("asked, first, last", [("bytes=0-9", 0, 9), ("bytes=100-", 100, 1023), ("bytes=-5", 1019, 1023)])
def test_ranges_are_parts_of_the_whole(bin, asked, first, last):
    whole = bin.get("/range/1024").body
    answer = bin.get("/range/1024", [("Range", asked)])
    assert (answer.status, answer.get("Content-Range")) == (206, f"bytes {first}-{last}/1024")
    assert answer.body == whole[first : last + 1]


def test_what_a_client_has_is_304(bin):
    assert bin.get("/etag/tag", [("If-None-Match", '"tag"')]).status == 304
    assert bin.get("/etag/tag", [("If-Match", '"other"')]).status == 412
    assert bin.get("/cache", [("If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT")]).status == 304


@pytest.mark.parametrize("status", [200, 201, 204, 304, 400, 404, 418, 429, 500, 503])
def test_every_status_is_passed_on_and_the_connection_is_of_further_use(bin, status):
    with bin.connect() as connection:
        for method in ("GET", "HEAD", "POST"):
            assert connection.exchange(method, f"/status/{status}", body=b"" if method == "POST" else None).status == status
        assert connection.exchange("GET", "/uuid").status == 200


def test_fields_that_are_repeated_stay_so(bin):
    answer = bin.get("/response-headers?X-Twice=1&X-Twice=2")
    assert answer.all("X-Twice") == ["1", "2"]


def test_lines_come_as_they_are_made(bin):
    answer = bin.get("/stream/20")
    assert [json.loads(line)["id"] for line in answer.text.splitlines()] == list(range(20))
    assert len(answer.chunks) == 20
    data = bin.get("/stream-bytes/100000?seed=1&chunk_size=7000")
    assert (len(data.body), max(data.chunks)) == (100000, 7000)
    assert sha256(data.body) == hashlib.sha256(bin.get("/bytes/100000?seed=1").body).hexdigest()


def test_drops_fall_one_by_one(bin):
    with bin.connect() as connection:
        connection.request("GET", "/drip?duration=0.5&numbytes=5&delay=0")
        wait_until(lambda: connection._more() and b"\r\n\r\n*" in connection.buffer, "the first drop")
        assert connection.buffer.count(b"*") < 5, "a drop comes when it falls"
        assert connection.receive().body == b"*****"


def test_with_threads_who_is_delayed_delays_nobody(bin):
    with bin.connect() as slow, bin.connect() as quick:
        slow.request("GET", "/delay/1")
        assert quick.exchange("GET", "/get").status == 200
        if "4" in bin.process.args:
            slow.assert_open()
        assert slow.receive().status == 200


def test_a_picture_is_a_picture_and_what_is_not_there_is_404(visitor):
    page = visitor.visit("/image/png")
    assert page.body.startswith(b"\x89PNG") and page.headers["Content-Type"] == "image/png"
    assert visitor.visit("/nowhere").status == 404
