"""Applications that are patched for greenlets, by gevent or eventlet, and served in threads: the log says once what that means.

What went wrong once: such an application was moved from a server with greenlets; it answered, one request after the other, and what it had
spawned never ran.
"""

import pytest
from debian import lacks
from harness import run

# What each of them notes where it has patched something.
NOTED = {
    "gevent": "import sys, types\nmonkey = sys.modules['gevent.monkey'] = types.ModuleType('gevent.monkey')\nmonkey.saved = {patched}\n",
    "eventlet": "import sys, types\npatcher = sys.modules['eventlet.patcher'] = types.ModuleType('eventlet.patcher')\n"
    "patcher.already_patched = {patched}\n",
}
APP = """
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"answered"]
"""
PATCHES = {"gevent": "from gevent import monkey\nmonkey.patch_all()", "eventlet": "import eventlet\neventlet.monkey_patch()"}


def warnings(server, name):
    return server.log.count(f"warning: {name} has patched Python's library for greenlets, but each call here has a thread: ")


@pytest.mark.parametrize("options", [["--workers", 2], ["--workers", 2, "--preload"]])
@pytest.mark.parametrize("name", NOTED)
def test_one_that_is_patched_is_told_once_with_what_to_do(serve, name, options):
    app = NOTED[name].format(patched="{'socket': True}") + APP
    server = serve("app", *options, files={"app.py": app}, workers=None)
    assert server.get("/").body == b"answered"
    assert warnings(server, name) == 1
    assert "leave out the patch, and set --threads" in server.log


@pytest.mark.parametrize("name", NOTED)
def test_one_that_imports_it_and_patches_nothing_is_not_told(serve, name):
    server = serve("app", files={"app.py": NOTED[name].format(patched="{}") + APP})
    assert server.get("/").body == b"answered"
    assert "greenlets" not in server.log


def test_it_does_not_hide_another_warning(tmp_path):
    (tmp_path / "app.py").write_text(NOTED["gevent"].format(patched="{1: 2}") + "def make(config=None, debug=False): return print\n")
    done = run("--check-config", "app:make", cwd=tmp_path)
    assert done.returncode == 0
    assert "app:make needs no arguments" in done.stderr and "gevent has patched" in done.stderr, done.stderr


@pytest.mark.parametrize("name", PATCHES)
def test_the_real_one_is_served_and_told(serve, name):
    if missing := lacks(**{name: f"python3-{name}"}):
        pytest.skip(missing)
    server = serve("app", files={"app.py": PATCHES[name] + APP})
    assert server.get("/").body == b"answered"
    assert warnings(server, name) == 1
