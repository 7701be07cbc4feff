"""Applications with a module that is called as one of Python's library is, and applications without a descriptor left: what is told of
their failures is whole all the same, and an import gives what `python` would give.

What went wrong once: with a token.py, or a traceback.py, beside the application every exception was "ValueError (its traceback cannot be
shown)"; the same when the first exception was that no file could be opened any more.
"""

import os
import re
import resource
import subprocess

import pytest
from harness import run
from timing import PYTHON

# What traceback imports, at once or when it needs it, and what the texts about a failed start are made with.
NAMES = [
    "ast", "codeop", "collections", "contextlib", "difflib", "enum", "functools", "keyword", "linecache", "operator", "re", "reprlib",
    "textwrap", "token", "tokenize", "traceback", "types", "unicodedata",
]  # fmt: skip

APP = """
import os

def application(environ, start_response):
    if environ["PATH_INFO"] == "/raise":
        return [1 + environ["no such key"]]
    if environ["PATH_INFO"] == "/chain":
        try:
            raise ValueError("the first")
        except ValueError:
            raise RuntimeError("the second")
    if environ["PATH_INFO"] == "/full":
        kept = []
        while True:
            kept.append(os.dup(0))
    import NAME
    start_response("200 OK", [])
    return [getattr(NAME, "whose", "the library's").encode()]
"""


def files(name, app=APP):
    return {f"{name}.py": "whose = 'ours'", "app.py": app.replace("NAME", name)}


def is_loaded_at_the_start(name, script):
    """By Python itself: then it cannot be replaced."""
    script.write_text(f"import sys; print({name!r} in sys.modules or {name!r} in sys.builtin_module_names)")
    return subprocess.run([PYTHON, script], capture_output=True, text=True).stdout.strip() == "True"


@pytest.mark.parametrize("name", NAMES)
def test_an_exception_is_told_in_full(serve, name):
    server = serve("app", files=files(name))
    for path in ("/raise", "/chain"):
        assert server.get(path).status == 500
    server.wait_log("RuntimeError: the second")
    log = server.log
    assert "cannot be shown" not in log
    assert re.search(
        r'exception in the application at GET /raise\nTraceback \(most recent call last\):\n  File "[^"]*/app.py", line 6, in application\n'
        r'    return \[1 \+ environ\["no such key"\]\]\n( *[~^]+\n)?KeyError: \'no such key\'\n',
        log,
    ), log
    assert "ValueError: the first\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback" in log


@pytest.mark.parametrize("name", NAMES)
def test_the_application_gets_its_own_module(serve, tmp_path, name):
    server = serve("app", files=files(name))
    expected = b"the library's" if is_loaded_at_the_start(name, tmp_path / "script.py") else b"ours"
    assert server.get("/").body == expected


# Code without a file, whose lines the application has put where traceback looks for them.
GENERATED = """
import linecache

linecache.cache["generated"] = 10, None, ["the generated line\\n"], "generated"
exec(compile("def application(environ, start_response): raise ValueError", "generated", "exec"))
"""


def test_the_library_is_the_same_where_it_is_not_replaced(serve):
    server = serve("app", files={"app.py": GENERATED})
    assert server.get("/").status == 500
    server.wait_log("ValueError")
    assert "    the generated line\n" in server.log


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))


def test_when_no_descriptor_is_left_the_exception_has_its_text_file_and_line(serve):
    server = serve("app", "--worker-connections", 10, files={"app.py": APP}, preexec_fn=few_descriptors)
    assert server.get("/full").status == 500
    server.wait_log("Too many open files")
    assert re.search(r'  File "[^"]*/app.py", line 15, in application\n(    .*\n)*OSError: \[Errno 24\] Too many open files', server.log)


# The start.


def start(tmp_path, sources, *arguments, **keywords):
    for name, text in sources.items():
        (tmp_path / name).write_text(text)
    return run("--bind", "127.0.0.1:0", *arguments, cwd=tmp_path, **keywords)


@pytest.mark.parametrize("name", NAMES)
def test_an_import_that_fails_is_told_in_full(tmp_path, name):
    done = start(tmp_path, files(name, "import NAME\ndef function():\n    raise ValueError('the text')\nfunction()"), "app")
    assert done.returncode == 3
    assert "app raised ValueError while loading: the text\n" in done.stderr, done.stderr
    assert re.search(r'app.py", line 3, in function\n    raise ValueError\(', done.stderr), done.stderr
    assert "cannot be shown" not in done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_hints_are_given_all_the_same(tmp_path, name):
    done = start(tmp_path, files(name, "def aplication(environ, start_response): pass"), "app")
    assert done.returncode == 3
    assert "it does have: aplication" in done.stderr and "gateway app:aplication" in done.stderr, done.stderr
    done = start(tmp_path, {}, "ap")
    assert "did you mean app:" in done.stderr, done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_a_factory_with_arguments_is_called_all_the_same(serve, name):
    app = "def make(name):\n    import NAME\n    def application(e, s):\n        s('200 OK', [])\n        return [name]\n    return application"
    server = serve('app:make(b"argument")', files=files(name, app))
    assert server.get("/").body == b"argument"


def test_an_import_without_a_descriptor_is_told_with_file_and_line(tmp_path):
    app = "import os\nkept = []\nwhile True:\n    kept.append(os.dup(0))"
    done = start(tmp_path, {"app.py": app}, "app", preexec_fn=few_descriptors)
    assert done.returncode == 3
    assert re.search(r'app.py", line 4, in <module>\n', done.stderr), done.stderr
    assert "Too many open files" in done.stderr, done.stderr
