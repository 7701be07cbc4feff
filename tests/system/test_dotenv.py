"""A .env file beside the application, by python-dotenv, which looks for it from where it is called.

What went wrong once: __main__ had no __file__, as in an interactive session, so that python-dotenv looked in the working directory, found
nothing, and said nothing.
"""

import json

import pytest
from debian import lacks

# What python-dotenv asks (find_dotenv), and others that want to know whether somebody sits at a terminal.
ASKS = """
import json, os, sys
import __main__

def application(environ, start_response):
    start_response("200 OK", [])
    spec = __main__.__spec__
    return [json.dumps([hasattr(__main__, "__file__"), __main__.__file__, spec.name, spec.origin, repr(__main__)]).encode()]
"""

LOADS = """
import os
from dotenv import load_dotenv

load_dotenv()

def application(environ, start_response):
    start_response("200 OK", [])
    return [os.environ.get("FROM_THE_FILE", "not set").encode()]
"""


def test_the_main_module_is_the_program(serve):
    server = serve("app", files={"app.py": ASKS})
    has_file, file, name, origin, shown = json.loads(server.get("/").body)
    assert has_file and file == origin == server.process.args[0]
    assert name == "gateway.__main__" and shown.startswith("<module ")


@pytest.mark.parametrize("options", [[], ["--preload"]])
def test_the_file_beside_the_application_is_found(serve, tmp_path, options):
    if missing := lacks(dotenv="python3-dotenv"):
        pytest.skip(missing)
    (tmp_path / "app.py").write_text(LOADS)
    (tmp_path / ".env").write_text("FROM_THE_FILE=found\n")
    server = serve("app", "--pythonpath", tmp_path, *options)
    assert server.get("/").body == b"found"
