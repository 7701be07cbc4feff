"""What goes wrong at the start is one clear message, never one per worker, and an exit status to act upon.

What went wrong once, in one server or another: 45 lines of importlib frames times the number of workers, a
start without the application that then served 500s, five retries on a port in use, exit status 0 after a
failure.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from debian import lacks
from harness import APPLICATIONS, run

FILES = {
    "app.py": "def application(environ, start_response): pass\nappliance = 1\n",
    "other.py": "def application_object(environ, start_response): pass\n",
    "nothing.py": "value = 5\n",
    "coroutine.py": "async def application(scope, receive, send): pass\n",
    "broken.py": "def application(environ, start_response:\n    pass\n",
    "raises.py": "def connect():\n    raise RuntimeError('database is down')\n\nconnect()\n",
    "imports.py": "import nosuchmodule_inside\n",
    "exits.py": "import sys\nsys.exit(0)\n",
    "factory.py": "def make(n):\n    raise ValueError('cannot make')\n\ndef none():\n    return None\n",
    "interrupts.py": "raise KeyboardInterrupt\n",
    "dies.py": "import os\nos._exit(9)\n",
    "make.py": "def create_app(config=None):\n    return lambda environ, start_response: []\n",
    "shop/__init__.py": "",
    "shop/wsgi.py": "from shop import made\napplication = made()\n",
    "bare/readme.txt": "",
    "round_a.py": "import round_b\nname = 5\n",
    "round_b.py": "import round_c\n",
    "round_c.py": "from round_a import name\n",
    "half_a.py": "import half_b\nname = 5\n",
    "zabra.py": "application = print\n",
    "zebra.py": "application = print\n",
    "zebu.py": "application = print\n",
    "half_b.py": "import half_a\nother = half_a.name\n",
}


def write_files(directory):
    for name, text in FILES.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text)


MISTAKES = [
    # application, every pattern that the log must hold
    ("nosuchmodule", ["nosuchmodule", r"(?i)sys\.path|looked in|searched", re.escape(str(APPLICATIONS))]),
    ("nosuchmodule:app", ["nosuchmodule"]),
    ("app.py", ['"app.py" is a path', "^  hint: gateway app:application$"]),
    ("./app.py", ['"./app.py" is a path', "^  hint: gateway app:application$"]),
    ("shop/wsgi.py", ['"shop/wsgi.py" is a path', r"^  hint: gateway shop\.wsgi:application$"]),
    ("app:aplication", ['no "aplication"; it does have: application$', "^  hint: gateway app:application$"]),
    ("app:application.nope", ['app:application has no "nope"$']),
    ("other", ["it does have: application_object$", "^  hint: gateway other:application_object$"]),
    ("zebar", ['cannot import "zebar"', r"^  did you mean zebra:application\?$", r"^  hint: files here .*\bzebra\.py \(application\)"]),
    ("nothing:value", [r"(?i)not callable", "int"]),
    ("coroutine", [r"(?i)async|ASGI"]),
    ("broken", ["SyntaxError", r"broken\.py", "line 1|:1"]),
    ("raises", ["RuntimeError: database is down", r"raises\.py", "line 4", "line 2"]),
    ("imports", ["nosuchmodule_inside", r"imports\.py"]),
    ("factory:make(1)", ["ValueError: cannot make", r"factory\.py"]),
    ("factory:none()", ["not a callable", "None"]),
    ("factory:make(open('x'))", ["must be literals"]),
    ("exits", ["SystemExit", r"exits\.py"]),
    ("interrupts", ["KeyboardInterrupt", r"interrupts\.py"]),
    ("dies", [r"\b9\b"]),
    ("app:", ["app:"]),
    ("make", [r"create_app\(\)", r"^  hint: gateway 'make:create_app\(\)'$"]),
    ("make:create_app", ["looks like a factory", r"^  hint: gateway 'make:create_app\(\)'$"]),
    ("shop", ["it is a package", r"shop/__init__\.py has no", r"^  hint: gateway shop\.wsgi:application$"]),
    ("bare", ['"bare" has no "application"']),
    ("broken:application", [r"broken\.py:1: SyntaxError: ", r"^    def application\(environ, start_response:\n +\^"]),
    ("round_a", ["these import one another", "round_a.py -> round_b.py -> round_c.py -> round_a.py$"]),
    ("half_a", ["these import one another", "half_a.py -> half_b.py -> half_a.py$"]),
]


@pytest.mark.parametrize("spec, patterns", MISTAKES, ids=[row[0] for row in MISTAKES])
def test_an_application_that_cannot_be_loaded_is_told_once_with_exit_status_3(tmp_path, spec, patterns):
    write_files(tmp_path)
    done = run("--workers", 3, "--bind", "127.0.0.1:0", spec, cwd=tmp_path)
    assert done.returncode in ((2, 3) if spec == "app:" else (3,)), done.stderr
    for pattern in patterns:
        assert re.search(pattern, done.stderr, re.MULTILINE), f"{pattern!r} is not in:\n{done.stderr}"
    assert len(re.findall(r"(?m)^\S+ \[\d+\] \[.*?\] (error|critical): ", done.stderr)) <= 2, done.stderr
    assert done.stderr.count("Traceback") <= 1, "told more than once"
    assert done.stderr.count(patterns[0].replace("\\", "")) <= 3
    assert "importlib" not in done.stderr, "only the application's own frames are of interest"
    assert len(done.stderr.splitlines()) <= 30, done.stderr


def test_an_extension_without_its_library_is_told_who_needs_which(tmp_path):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler to make an extension with")
    (tmp_path / "library.c").write_text("int of_library(void) { return 1; }")
    (tmp_path / "fast.c").write_text("int of_library(void);\nint PyInit_fast(void) { return of_library(); }")
    for command in ("library.c -o libgone.so.7", "fast.c -o fast.so -L. -l:libgone.so.7"):
        subprocess.run([compiler, "-shared", "-fPIC", *command.split()], cwd=tmp_path, check=True)
    (tmp_path / "libgone.so.7").unlink()
    (tmp_path / "app.py").write_text("import fast\n")
    done = run("--bind", "127.0.0.1:0", "app", cwd=tmp_path)
    assert done.returncode == 3
    assert "  hint: fast.so needs the library libgone.so.7, which is not installed" in done.stderr, done.stderr


@pytest.mark.parametrize("named", [None, "site_of.nobody"])
def test_django_without_settings_is_told_which_there_are(tmp_path, named):
    if missing := lacks(django="python3-django"):
        pytest.skip(missing)
    (tmp_path / "site_of_ann").mkdir()
    (tmp_path / "site_of_ann" / "settings.py").write_text("SECRET_KEY = 'x'\n")
    (tmp_path / "wsgi.py").write_text("from django.core.wsgi import get_wsgi_application as make\napplication = make()\n")
    env = {"DJANGO_SETTINGS_MODULE": named} if named else {}
    done = run("--bind", "127.0.0.1:0", "wsgi", cwd=tmp_path, env=env)
    said = f'DJANGO_SETTINGS_MODULE is "{named}"' if named else "Django's settings are missing"
    assert done.returncode == 3 and f"  hint: {said}" in done.stderr, done.stderr
    assert "importlib/__init__.py" not in done.stderr
    (hint,) = re.findall("^  hint: gateway (.*)$", done.stderr, re.MULTILINE)
    assert hint == "--env DJANGO_SETTINGS_MODULE=site_of_ann.settings wsgi"
    assert run("--check-config", *hint.split(), cwd=tmp_path, env=env).returncode == 0, "what is hinted at works"


def listening(address):
    """A socket of ours at an address of either kind."""
    taken = socket.socket(socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX)
    taken.bind(address)
    taken.listen()
    return taken


def test_a_port_in_use_is_one_sentence_with_who_has_it_and_exit_status_4():
    with listening(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        done = run("--workers", 2, "--bind", address, "hello")
    assert done.returncode == 4, done.stderr
    name = Path("/proc/self/comm").read_text().strip()
    said = f"{address} cannot be bound: Address already in use, by process {os.getpid()} ({name}); stop that, or choose another"
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(re.findall("(?i)in use", done.stderr)) == 1


def test_a_socket_file_in_use_is_told_in_the_same_way(tmp_path):
    with listening(str(tmp_path / "socket")):
        done = run("--bind", f"unix:{tmp_path}/socket", "hello")
    assert done.returncode == 4 and f"in use, by process {os.getpid()} (" in done.stderr, done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can see less as somebody else")
def test_who_has_a_port_may_be_nothing_for_our_eyes(tmp_path):
    with listening(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        done = run_as_nobody("--bind", address, "hello")
    assert done.returncode == 4, done.stderr
    assert "in use; stop what listens there, or choose another with --bind" in done.stderr


def test_a_port_in_use_by_another_gateway_is_noticed_too(serve):
    server = serve("hello")
    done = run("--bind", f"127.0.0.1:{server.port}", "hello")
    assert done.returncode == 4, done.stderr
    assert f"by process {server.pid} (gateway)" in done.stderr, "the master, not a worker"
    assert server.get("/").status == 200


ADDRESSES = [
    # address, what is said
    ("192.0.2.1:8000", "(?i)cannot assign|not available|no such address|192.0.2.1"),
    ("unix:/nonexistent/directory/socket", "(?i)no such file"),
    ("unix:" + "x" * 200, "(?i)long"),
    ("fd://99", "(?i)99"),
    ("nosuchhost.invalid:8000", "nosuchhost.invalid"),
]


@pytest.mark.parametrize("address, said", ADDRESSES, ids=[row[0][:40] for row in ADDRESSES])
def test_an_address_that_cannot_be_bound_is_exit_status_4(address, said):
    done = run("--bind", address, "hello")
    assert done.returncode in ((2, 4) if "xxx" in address else (4,)), done.stderr
    assert re.search(said, done.stderr), done.stderr
    assert "Traceback" not in done.stderr


def first_unprivileged_port():
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as file:
        return int(file.read())


def run_as_nobody(*arguments):
    keywords = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    try:
        able = run("--version", cwd="/", **keywords).returncode == 0
    except PermissionError:
        able = False
    if not able:
        pytest.skip("an unprivileged user may not execute the program, or read its libpython, where it stands")
    return run(*arguments, cwd="/", **keywords)


@pytest.mark.skipif(first_unprivileged_port() < 2, reason="every port is free for all here")
def test_no_permission_to_bind_is_one_sentence_and_exit_status_4():
    done = run_as_nobody("--bind", "127.0.0.1:1", "hello")
    assert done.returncode == 4, done.stderr
    assert "127.0.0.1:1" in done.stderr and re.search("(?i)permission|denied|may not", done.stderr)
    assert "ports below 1024 need root or CAP_NET_BIND_SERVICE" in done.stderr


def test_standard_descriptors_may_be_closed(serve):
    # A listening socket took their place, and the first line of the log went to it.
    prefix = ["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-']
    server = serve("hello", "--error-logfile", "error.log", error_log="error.log", prefix=prefix)
    assert [server.get("/").status for _ in range(3)] == [200] * 3


def test_a_log_file_that_cannot_be_opened_is_one_sentence():
    for flag in ("--error-logfile", "--access-logfile"):
        done = run("--bind", "127.0.0.1:0", flag, "/nonexistent/log", "hello")
        assert done.returncode in (1, 2), done.stderr
        assert "/nonexistent/log" in done.stderr
