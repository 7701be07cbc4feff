"""The write() callable: how to wrap a program that prints its answer, as CGI scripts do.

    gateway write

start_response returns it. PEP 3333 keeps it for such code only: new applications return an iterable. What is
written comes before what is returned.
"""


def application(environ, start_response):
    write = start_response("200 OK", [("Content-Type", "text/plain")])
    write(b"written first\n")
    write(b"written second\n")
    return [b"returned last\n"]
