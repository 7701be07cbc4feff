"""wsgi.input among the tools of Python's library, which take any binary file.

What went wrong once: it had read(), readline() and readlines() alone, so that io.TextIOWrapper, io.BufferedReader,
email and zipfile failed, also through Flask's request.stream; and io.TextIOWrapper closes what it has wrapped when it is
collected, which must be of no consequence for the next request.
"""

import gzip
import io
import json
import pickle
import tarfile
import zipfile

import pytest
from debian import APPS, lacks
from harness import Server

APP = '''
import csv, email, gc, gzip, io, json, pickle, shutil, tarfile, zipfile


def email_message(body):
    return email.message_from_binary_file(body)["Subject"]


def zip_names(body):
    with zipfile.ZipFile(body) as archive:
        return {name: len(archive.read(name)) for name in archive.namelist()}


def tar_names(body):
    with tarfile.open(fileobj=body) as archive:
        return {member.name: len(archive.extractfile(member).read()) for member in archive}


def rows(body):
    return list(csv.reader(io.TextIOWrapper(body, "utf-8", newline="")))


def text(body):
    return io.TextIOWrapper(body, "utf-8").read()


def buffered(body):
    reader = io.BufferedReader(body)
    return [reader.peek(1)[:1].decode(), reader.read(2).decode(), reader.readline().decode()]


def copied(body):
    target = io.BytesIO()
    shutil.copyfileobj(body, target)
    return len(target.getvalue())


def twice(body):
    with body:
        first = body.read()
        body.seek(0)
        return [len(first), body.read() == first]


TOOLS = {
    "email": email_message,
    "zip": zip_names,
    "tar": tar_names,
    "csv": rows,
    "text": text,
    "buffered": buffered,
    "copy": copied,
    "gzip": lambda body: gzip.GzipFile(fileobj=body).read().decode(),
    "json": json.load,
    "pickle": pickle.load,
    "twice": twice,
    "is-io": lambda body: isinstance(body, io.BufferedIOBase),
    "read": lambda body: body.read().decode(),
}


def application(environ, start_response):
    answer = json.dumps(TOOLS[environ["PATH_INFO"][1:]](environ["wsgi.input"])).encode()
    gc.collect()
    start_response("200 OK", [])
    return [answer]
'''

FLASK = '''
import csv, io, zipfile
from flask import Flask, jsonify, request

app = Flask(__name__)


@app.post("/zip")
def names():
    return jsonify(zipfile.ZipFile(request.stream).namelist())


@app.post("/csv")
def rows():
    return jsonify(list(csv.reader(io.TextIOWrapper(request.stream, "utf-8"))))
'''


def zipped(size):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("one", b"x" * size)
        archive.writestr("two", b"")
    return target.getvalue()


def tarred(size):
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        member = tarfile.TarInfo("one")
        member.size = size
        archive.addfile(member, io.BytesIO(b"x" * size))
    return target.getvalue()


BODIES = [
    ("email", b"Subject: a letter\r\n\r\nbody", "a letter"),
    ("zip", zipped(3), {"one": 3, "two": 0}),
    ("zip", zipped(200000), {"one": 200000, "two": 0}),  # from a file
    ("tar", tarred(3), {"one": 3}),
    ("tar", tarred(200000), {"one": 200000}),
    ("csv", b'a,"b\r\nc"\r\nd,\xc3\xa9\r\n', [["a", "b\r\nc"], ["d", "\u00e9"]]),
    ("text", b"one\r\ntwo\r\n" * 20000, "one\ntwo\n" * 20000),
    ("text", b"", ""),
    ("buffered", b"one\ntwo\n", ["o", "on", "e\n"]),
    ("copy", b"x" * 200000, 200000),
    ("gzip", gzip.compress(b"one two"), "one two"),
    ("json", b'{"a": [1, 2]}', {"a": [1, 2]}),
    ("pickle", pickle.dumps(["one", 2]), ["one", 2]),
    ("twice", b"x" * 100, [100, True]),
    ("twice", b"x" * 200000, [200000, True]),
    ("twice", b"", [0, True]),
    ("is-io", b"x", True),
]


@pytest.fixture(scope="module")
def server():
    with Server("app", files={"app.py": APP}) as server:
        yield server


@pytest.mark.parametrize("tool, body, found", BODIES, ids=[f"{row[0]}-{len(row[1])}" for row in BODIES])
def test_what_takes_a_binary_file_takes_a_body(server, tool, body, found):
    with server.connect() as connection:
        assert json.loads(connection.exchange("POST", f"/{tool}", body=body).body) == found
        # What it did to its body is of no consequence for the next.
        assert connection.exchange("POST", "/read", body=b"").body == b'""'
        assert connection.exchange("POST", "/read", body=b"next").body == b'"next"'


def test_the_same_through_flask(serve):
    if missing := lacks(flask="python3-flask"):
        pytest.skip(missing)
    server = serve("app:app", "--pythonpath", APPS, files={"app.py": FLASK})
    assert json.loads(server.request("POST", "/zip", body=zipped(200000)).body) == ["one", "two"]
    assert json.loads(server.request("POST", "/csv", body=b"a,b\nc,d\n").body) == [["a", "b"], ["c", "d"]]
