"""Reads a request's body in one of the ways that wsgi.input offers, and tells its size and its SHA-256.

    gateway upload
    curl --data-binary @FILE 'http://127.0.0.1:8000/?how=iterate'

The answer is one line of JSON: the way, the number of pieces it came in, bytes, digest.
"""

import hashlib
import json
from urllib.parse import parse_qs

BLOCK = 8000


def read(body):
    """All of it at once: for small bodies."""
    yield body.read()


def blocks(body):
    """Block by block: the way for large ones."""
    while block := body.read(BLOCK):
        yield block


def readline(body):
    """Line by line, by hand."""
    while line := body.readline():
        yield line


def short_lines(body):
    """Line by line, but never more than 100 bytes at once: a client decides how long its lines are."""
    while line := body.readline(100):
        yield line


def readlines(body):
    """A list of all lines."""
    yield from body.readlines()


def some_lines(body):
    """Lists of lines, about BLOCK bytes each."""
    while lines := body.readlines(BLOCK):
        yield from lines


def iterate(body):
    """Line by line, as from any file."""
    yield from body


def mixed(body):
    """Everything in turn; all of it continues where the last left off."""
    yield body.read(10)
    yield body.readline()
    yield from body.readlines(100)
    for line in body:
        yield line
        break
    yield body.read()


def nothing(body):
    """An application may ignore the body."""
    yield b""


WAYS = [read, blocks, readline, short_lines, readlines, some_lines, iterate, mixed, nothing]
WAYS = {way.__name__: way for way in WAYS}


def application(environ, start_response):
    how = parse_qs(environ["QUERY_STRING"]).get("how", ["blocks"])[0]
    if how not in WAYS:
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [f"how: one of {', '.join(WAYS)}\n".encode()]

    pieces, size, digest = 0, 0, hashlib.sha256()
    for piece in WAYS[how](environ["wsgi.input"]):
        pieces += 1
        size += len(piece)
        digest.update(piece)

    report = {"how": how, "pieces": pieces, "size": size, "sha256": digest.hexdigest()}
    body = (json.dumps(report) + "\n").encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
