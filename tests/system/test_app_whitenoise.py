"""WhiteNoise: static files by the application, as many a Django or Flask site has them; wsgi.file_wrapper is what it gives back."""

import gzip
import os

import pytest
from debian import APPS, needs
from visitor import sha256

needs(whitenoise="python3-whitenoise")

LARGE = os.urandom(1 << 20) * 6
STYLE = b"body { color: black }\n" * 1000


@pytest.mark.parametrize("threads", [1, 4])
def test_files_are_served_as_by_a_file_server(serve, tmp_path, threads):
    (tmp_path / "large.bin").write_bytes(LARGE)
    (tmp_path / "style.css").write_bytes(STYLE)
    (tmp_path / "style.css.gz").write_bytes(gzip.compress(STYLE))
    server = serve("static_site", "--pythonpath", APPS, "--threads", threads, env={"SITE_DIRECTORY": str(tmp_path)})

    with server.connect() as connection:
        large = connection.exchange("GET", "/static/large.bin")
        assert (large.status, sha256(large.body)) == (200, sha256(LARGE))
        head = connection.exchange("HEAD", "/static/large.bin")
        assert (head.status, head.get("Content-Length")) == (200, str(len(LARGE)))
        part = connection.exchange("GET", "/static/large.bin", [("Range", "bytes=1000000-4999999")])
        assert (part.status, part.get("Content-Range")) == (206, f"bytes 1000000-4999999/{len(LARGE)}")
        assert sha256(part.body) == sha256(LARGE[1000000:5000000])
        beyond = connection.exchange("GET", "/static/large.bin", [("Range", f"bytes={len(LARGE)}-")])
        assert beyond.status == 416

        style = connection.exchange("GET", "/static/style.css", [("Accept-Encoding", "gzip")])
        assert style.get("Content-Encoding") == "gzip" and gzip.decompress(style.body) == STYLE
        assert style.get("Content-Type").startswith("text/css") and "max-age=60" in style.get("Cache-Control")
        plain = connection.exchange("GET", "/static/style.css")
        assert plain.body == STYLE
        for name, value in (("If-None-Match", plain.get("ETag")), ("If-Modified-Since", plain.get("Last-Modified"))):
            assert connection.exchange("GET", "/static/style.css", [(name, value)]).status == 304
        assert connection.exchange("POST", "/static/style.css", body=b"").status == 405
        assert connection.exchange("GET", "/static/none.css").body == b"dynamic"
