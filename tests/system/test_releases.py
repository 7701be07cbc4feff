"""Releases behind a link that is turned: each generation of workers enters the directory by its name.

What went wrong once: the link was turned, the reload was waited for and ended well, and the old code served on; the
configuration and the env file stayed the old release's; when that was removed, workers that died had no successors.
"""

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from control import gatewayctl, status
from test_privileges import nobody, why_not
from timing import wait_until

APP = """
import os
import release
exec(release.CODE)
body = "%s %s %s %s" % (release.NAME, os.path.basename(os.getcwd()), os.environ.get("OF_FILE"), os.environ.get("OF_CONFIG"))


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body.encode()]
"""


def make(root, name, code="", config=True):
    release = root / "releases" / name
    (release / "log").mkdir(parents=True)
    (release / "app.py").write_text(APP)
    (release / "release.py").write_text(f"NAME = {name!r}\nCODE = {code!r}\n")
    (release / "env").write_text(f"OF_FILE={name}\n")
    if config:
        (release / "gateway.toml").write_text(f"env-file = 'env'\nenv = {{OF_CONFIG = '{name}'}}\n")


def turn(root, name):
    """As a deploy does it: in one step."""
    (root / "next").unlink(missing_ok=True)
    (root / "next").symlink_to(f"releases/{name}")
    (root / "next").rename(root / "current")


@pytest.fixture
def root(tmp_path):
    for name in ("one", "two"):
        make(tmp_path, name)
    turn(tmp_path, "one")
    return tmp_path


# How a service comes to be in the directory.
WAYS = {
    "chdir": lambda root: {"options": ["--chdir", "current", "--config", "current/gateway.toml"], "cwd": root},
    "PWD": lambda root: {"options": [], "cwd": root / "current", "PWD": str(root / "current")},
    "chdir, absolute": lambda root: {"options": ["--chdir", root / "current", "--config", root / "current/gateway.toml"]},
}


@pytest.fixture
def start(serve, root, tmp_path_factory):
    """`cwd` and `PWD`: the shell's; the control socket is elsewhere."""
    run = tmp_path_factory.mktemp("run")

    def start(*more, way="PWD", **keywords):
        way = WAYS[way](root)
        prefix = ["env", "-C", str(way.get("cwd", "/")), *([f"PWD={way['PWD']}"] if "PWD" in way else ["-u", "PWD"])]
        server = serve("app", "--control-socket", run / "control", *way["options"], *more, prefix=prefix, **keywords)
        server.control = run / "control"
        return server

    return start


def reload(server):
    return gatewayctl(server, "reload", "--wait")


def told(server):
    return server.get("/").body.decode()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("more", [(), ("--preload",)], ids=["plain", "preload"])
def test_a_reload_serves_what_the_link_leads_to(start, root, way, more):
    server = start(*more, way=way, workers=2)
    assert told(server) == "one one one one"
    turn(root, "two")
    assert reload(server) == (0, "", "")
    assert {told(server) for _ in range(10)} == {"two two two two"}
    assert os.readlink(f"/proc/{server.pid}/cwd") == str(root / "releases" / "two")
    turn(root, "one")
    assert reload(server) == (0, "", "")
    assert {told(server) for _ in range(10)} == {"one one one one"}


@pytest.mark.parametrize("more", [(), ("--preload",)], ids=["plain", "preload"])
def test_a_release_that_does_not_load_leaves_the_service_where_it_was(start, root, more):
    make(root, "bad", "raise RuntimeError('not today')")
    server = start(*more)
    turn(root, "bad")
    code, out, err = reload(server)
    assert code == 1 and "not today" in out + err
    os.kill(server.worker_pid, signal.SIGKILL)
    wait_until(lambda: status(server)["restarts"] == "1" and status(server)["workers"] == "1 serving", "a successor")
    assert told(server).startswith("one one"), "its code is that of its generation"
    assert os.readlink(f"/proc/{server.pid}/cwd") == str(root / "releases" / "one")
    turn(root, "two")
    assert reload(server) == (0, "", "")
    assert told(server) == "two two two two"


def test_a_release_whose_env_file_is_not_there_changes_nothing(start, root):
    server = start()
    (root / "releases" / "two" / "env").unlink()
    turn(root, "two")
    code, _, err = reload(server)
    assert code == 1 and "--env-file: env: No such file or directory" in err
    assert told(server) == "one one one one"
    assert os.readlink(f"/proc/{server.pid}/cwd") == str(root / "releases" / "one")


def test_workers_that_die_have_successors_when_their_release_is_removed(start, root):
    server = start(workers=2)
    turn(root, "two")
    shutil.rmtree(root / "releases" / "one")
    for pid in server.worker_pids():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: status(server)["restarts"] == "2" and status(server)["workers"] == "2 serving", "successors")
    assert {told(server) for _ in range(10)} == {"two two two one"}, "the configuration is read at a reload"
    server.wait_log(r"\[worker \d\] warning: the working directory of the workers has been removed; "
                    f"a new worker starts in the directory that {root}/current leads to now")
    assert reload(server) == (0, "", "")
    assert {told(server) for _ in range(10)} == {"two two two two"}


def test_a_name_that_leads_nowhere_is_told_and_the_service_goes_on_in_the_old_release(start, root):
    server = start()
    (root / "current").unlink()
    os.rename(root / "releases" / "one", root / "releases" / "moved")
    assert reload(server) == (0, "", "")
    assert told(server) == "one moved one one"
    assert server.log.count(f"the working directory {root}/current cannot be entered: No such file or directory") == 1


def test_an_upgrade_enters_the_directory_by_its_name(start, root):
    server = start()
    turn(root, "two")
    server.signal(signal.SIGUSR2)
    server.wait_log("reloaded in")
    assert told(server) == "two two two two"
    turn(root, "one")
    assert reload(server) == (0, "", "")
    assert told(server) == "one one one one"


def test_an_upgrade_goes_on_where_the_name_leads_nowhere(start, root):
    server = start()
    (root / "current").unlink()
    server.signal(signal.SIGUSR2)
    server.wait_log("reloaded in")
    assert told(server) == "one one one one"


def test_with_reload_a_link_that_is_turned_is_a_change(start, root):
    server = start("--reload")
    turn(root, "two")
    wait_until(lambda: told(server) == "two two two two", "the other release")


def test_a_log_is_in_what_its_name_leads_to(start, root):
    server = start("--access-logfile", "log/access")
    turn(root, "two")
    assert reload(server) == (0, "", "")
    server.signal(signal.SIGUSR1)
    log = root / "releases" / "two" / "log" / "access"
    wait_until(log.exists, "it is there")

    def is_written():
        server.get("/here")
        return "/here" in log.read_text()

    wait_until(is_written, "it is written")


def test_a_pwd_that_is_another_directory_is_no_name(start, root, monkeypatch):
    way = {"options": [], "cwd": root / "current", "PWD": str(root / "releases" / "two")}
    monkeypatch.setitem(WAYS, "another PWD", lambda root: way)
    server = start(way="another PWD")
    turn(root, "two")
    assert reload(server) == (0, "", "")
    assert told(server) == "one one one one"


@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
@pytest.mark.parametrize("of_user", [False, True], ids=["root's link", "the user's link"])
def test_with_user_the_directory_is_entered_with_the_users_rights(serve, of_user):
    with tempfile.TemporaryDirectory(prefix="gateway-test-") as directory:
        root = Path(directory)
        root.chmod(0o755)
        for name in ("one", "two"):
            make(root, name, config=False)
        secret = root / "secret"
        secret.mkdir(mode=0o700)
        make(secret, "three", config=False)
        turn(root, "one")
        if of_user:
            os.chown(root, nobody().pw_uid, 0)
        server = serve("app", "--user", "nobody", "--chdir", root / "current")
        assert told(server).startswith("one one")
        turn(root, "two")
        server.signal(signal.SIGHUP)
        server.wait_log("reloaded in")
        assert told(server).startswith("two two")
        if of_user:
            since = len(server.log)
            (root / "current").unlink()
            (root / "current").symlink_to(secret / "releases" / "three")
            server.signal(signal.SIGHUP)
            server.wait_log("cannot be entered: Permission denied", since)
            server.wait_log("reloaded in", since)
            assert told(server).startswith("two two")
        server.stop()
