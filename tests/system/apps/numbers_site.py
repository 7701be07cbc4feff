"""numpy in every call: a C extension with threads, state and memory of its own."""

import json

import numpy


def application(environ, start_response):
    seed = int(environ["PATH_INFO"].strip("/"))
    matrix = numpy.random.default_rng(seed).random((120, 120))
    error = numpy.abs(matrix @ numpy.linalg.inv(matrix) - numpy.eye(120)).max()
    answer = {"sum": int((matrix * 1000).astype(numpy.int64).sum()), "inverted": bool(error < 1e-6)}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]
