"""--user, --group and --umask: who runs the application, and whose the files are.

What went wrong once, in one server or another: a return code of setuid was not looked at (CVE-2014-0240), root's
groups were kept (CVE-2012-2664 and many before it), a log was given away through a link (CVE-2016-1247), a
rotated log could not be opened again.
"""

import json
import os
import pwd
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from client import Connection
from harness import run
from timing import GATEWAY, wait_until

APP = """
import grp, json, os

imported_as = os.getuid(), os.getgid()

def can(function, *arguments):
    try:
        function(*arguments)
    except OSError:
        return False
    return True

def application(environ, start_response):
    mask = os.umask(0)
    os.umask(mask)
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    told = {"pid": os.getpid(), "users": os.getresuid(), "groups": os.getresgid(), "more": os.getgroups(),
            "imported_as": imported_as, "umask": mask, "home": os.environ.get("HOME"),
            "capabilities": int(status["CapEff"], 16) | int(status["CapPrm"], 16),
            "back": can(os.setuid, 0) or can(os.seteuid, 0) or can(os.setgid, 0) or can(os.setgroups, []),
            "kills_master": can(os.kill, os.getppid(), 0), "sees_itself": can(open, "/proc/self/environ")}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]
"""


def why_not():
    if os.geteuid() != 0:
        return "only root can become another user"
    try:
        done = subprocess.run([GATEWAY, "--version"], user="nobody", capture_output=True)
    except OSError as error:
        return f"nobody cannot execute {GATEWAY}: {error}"
    return f"nobody cannot run {GATEWAY}: {done.stderr}" if done.returncode else None


pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


def nobody():
    return pwd.getpwnam("nobody")


def start(serve, *options, **keywords):
    return serve("app", *options, files={"app.py": APP}, **keywords)


def tell(server):
    return json.loads(server.get("/").body)


def uid_of(pid):
    return os.stat(f"/proc/{pid}").st_uid


def test_the_application_runs_as_the_user_and_there_is_no_way_back(serve):
    server = start(serve, "--user", "nobody", env={"HOME": "/somewhere"})
    told = tell(server)
    assert told["users"] == [nobody().pw_uid] * 3
    assert told["groups"] == [nobody().pw_gid] * 3
    assert told["more"] == os.getgrouplist("nobody", nobody().pw_gid)
    assert told["imported_as"] == [nobody().pw_uid, nobody().pw_gid]
    assert told["capabilities"] == 0
    assert not told["back"]
    assert not told["kills_master"]
    assert told["sees_itself"]
    assert told["home"] == "/somewhere"


def test_the_master_stays_root_and_each_successor_is_the_user(serve):
    server = start(serve, "-u", "nobody", workers=2)
    assert uid_of(server.pid) == 0
    before = server.worker_pids()
    os.kill(before[0], signal.SIGKILL)
    wait_until(lambda: len(server.worker_pids()) == 2 and before[0] not in server.worker_pids(), "a successor")
    wait_until(lambda: all(uid_of(pid) == nobody().pw_uid for pid in server.worker_pids()), "all are nobody")
    assert tell(server)["users"] == [nobody().pw_uid] * 3


def test_a_group_may_be_another_and_users_may_be_numbers(serve):
    told = tell(start(serve, "--user", "54321", "--group", "54322"))
    assert told["users"] == [54321] * 3
    assert told["groups"] == [54322] * 3
    assert told["more"] == [54322]


def test_the_umask_is_the_applications_too(serve):
    assert tell(start(serve, "--umask", "027"))["umask"] == 0o027
    assert tell(start(serve, umask=0o077))["umask"] == 0o077


def test_a_port_of_roots_is_bound(serve):
    server = start(serve, "--user", "nobody", bind="127.0.0.1:863")
    assert tell(server)["users"][0] == nobody().pw_uid


def test_a_socket_file_is_the_users_with_the_mode_that_the_umask_leaves(serve, tmp_path):
    path = tmp_path / "socket"
    server = start(serve, "--user", "nobody", "--group", "daemon", "--umask", "007", bind=f"unix:{path}")
    status = path.stat()
    assert (status.st_uid, status.st_gid) == (nobody().pw_uid, pwd.getpwnam("daemon").pw_gid)
    assert stat.S_IMODE(status.st_mode) == 0o770
    with Connection(str(path)) as connection:
        assert connection.exchange("GET", "/").status == 200
    server.stop()
    assert not path.exists()


def test_the_pid_file_is_roots_and_is_removed_from_a_directory_of_roots(serve, tmp_path):
    path = tmp_path / "pid"
    server = start(serve, "--user", "nobody", "--pid", path)
    assert path.stat().st_uid == 0
    server.stop()
    assert not path.exists()


def test_logs_are_the_users_and_can_be_rotated_in_a_directory_of_roots(serve):
    server = start(serve, "--user", "nobody", "--access-logfile", "access", "--error-logfile", "errors",
                   error_log="errors")
    access, errors = server.directory / "access", server.directory / "errors"
    server.get("/")
    for log in (access, errors):
        assert log.stat().st_uid == nobody().pw_uid
        log.rename(f"{log}.1")
    server.signal(signal.SIGUSR1)
    wait_until(lambda: access.exists() and errors.exists(), "both are there again")
    wait_until(lambda: {log.stat().st_uid for log in (access, errors)} == {nobody().pw_uid}, "they are nobody's")

    def is_written():
        server.get("/")
        return access.read_text()

    wait_until(is_written, "the worker has opened its log anew")


def test_a_worker_that_cannot_open_its_log_anew_says_so(serve, tmp_path):
    tmp_path.chmod(0o700)
    log = tmp_path / "access"
    server = start(serve, "--user", "nobody", "--access-logfile", log)
    log.rename(tmp_path / "access.1")
    server.signal(signal.SIGUSR1)
    server.wait_log(r"\[worker 0\] error: --access-logfile cannot be opened by --user, the old file stays in use")


def test_an_application_that_the_user_cannot_read_is_one_message(tmp_path):
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "app.py").chmod(0o600)
    tmp_path.chmod(0o755)
    done = run("-b", "127.0.0.1:0", "--user", "nobody", "app", cwd=tmp_path)
    assert done.returncode == 3
    assert "Permission denied" in done.stderr or "No module named" in done.stderr


@pytest.mark.parametrize("options, message", [
    (["--user", "no-such-user"], 'gateway: --user: there is no user "no-such-user"'),
    (["--group", "no-such-group"], 'gateway: --group: there is no group "no-such-group"'),
    (["--user", "54321"], "gateway: --user: nothing is known of user 54321: give --group too"),
    (["--umask", "9"], 'gateway: --umask: "9" is not an octal number from 0 to 777 (command line)'),
])
def test_a_mistake_is_one_sentence(options, message):
    done = run(*options, "app")
    assert (done.returncode, done.stderr) == (2, message + "\n")


def test_who_is_not_root_can_only_be_who_he_is(serve):
    done = run("--user", "daemon", "app", cwd="/", user="nobody")
    uid = nobody().pw_uid
    assert done.returncode == 2
    assert done.stderr == f"gateway: --user: only root can become another user, and this is user {uid}\n"
    server = start(serve, "--user", "nobody", user="nobody", group=nobody().pw_gid)
    assert tell(server)["users"] == [uid] * 3
    assert uid_of(server.pid) == uid


def test_a_process_that_lost_the_right_does_not_serve(tmp_path):
    """Root without CAP_SETUID, as in some containers."""
    (tmp_path / "app.py").write_text(APP)
    tmp_path.chmod(0o755)
    command = ["setpriv", "--bounding-set=-setuid", GATEWAY, "-b", "127.0.0.1:0", "--user", "nobody", "app"]
    if not Path("/usr/bin/setpriv").exists():
        pytest.skip("there is no setpriv")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "cannot be taken: Operation not permitted" in done.stderr


# What belongs to the user: a directory in which the names of root's files lead where the user wants.

def as_nobody(*command, cwd):
    subprocess.run(command, check=True, user="nobody", group=nobody().pw_gid, extra_groups=[], cwd=cwd)


@pytest.fixture
def shop():
    """nobody's directory, with log/ in it; and beside it etc/, which is root's."""
    with tempfile.TemporaryDirectory(prefix="gateway-test-") as directory:
        root = Path(directory)
        root.chmod(0o755)
        shop = root / "shop"
        for path in (shop, shop / "log"):
            path.mkdir()
            os.chown(path, nobody().pw_uid, nobody().pw_gid)
        (root / "etc").mkdir(mode=0o755)
        (root / "etc" / "shadow").write_text("secret\n")
        (root / "etc" / "shadow").chmod(0o600)
        yield shop


def turn(shop):
    """log/ leads to root's directory."""
    as_nobody("mv", "log", "moved", cwd=shop)
    as_nobody("ln", "-s", "../etc", "log", cwd=shop)


def assert_etc_is_as_it_was(shop):
    etc = shop.parent / "etc"
    assert [path.name for path in etc.iterdir()] == ["shadow"]
    assert (etc / "shadow").stat().st_uid == 0
    assert (etc / "shadow").read_text() == "secret\n"


# What makes the master open its log again, and the log's name in etc/: a file that is there, or one that would be made.
@pytest.mark.parametrize("name", ["shadow", "error.log"])
@pytest.mark.parametrize("option", ["--error-logfile", "--access-logfile"])
@pytest.mark.parametrize("how", ["a worker that dies", "USR1", "USR2"])
def test_root_opens_no_log_behind_a_link_of_the_users(serve, shop, option, name, how):
    log = shop / "log" / name
    more = {"error_log": log} if option == "--error-logfile" else {}
    server = start(serve, "--user", "nobody", option, log, **more)
    turn(shop)
    server.error_log = shop / "moved" / name if more else server.error_log
    if how == "a worker that dies":
        for deaths in range(1, 4):
            os.kill(server.worker_pid, signal.SIGKILL)
            wait_until(lambda deaths=deaths: server.log.count("was killed by signal 9") == deaths, "it is told")
            server.get("/")
            time.sleep(1.1)  # once a second a log's name is compared with what is open
            wait_until(lambda: len(server.worker_pids()) == 1, "a successor")
    elif how == "USR1":
        server.signal(signal.SIGUSR1)
        server.wait_log(f"{option}: {log} cannot be opened: root follows no symbolic link that others could have placed")
    else:
        server.signal(signal.SIGUSR2)
        server.wait_log("not upgraded: the check")
    assert_etc_is_as_it_was(shop)


def test_root_gives_nothing_away_in_a_directory_of_its_own_that_the_user_has_renamed(serve, shop):
    log = shop / "log" / "access.log"
    server = start(serve, "--user", "nobody", "--access-logfile", log)
    (shop / "conf").mkdir()
    as_nobody("mv", "log", "moved", cwd=shop)
    as_nobody("mv", "conf", "log", cwd=shop)
    server.signal(signal.SIGUSR1)
    wait_until(log.exists, "the master has made it")
    server.wait_log("--access-logfile cannot be opened by --user, the old file stays in use: Permission denied")
    assert log.stat().st_uid == 0


def test_root_opens_no_log_that_has_another_name(serve, shop):
    """A hard link, which a kernel without fs.protected_hardlinks allows: root makes it in the user's place."""
    log = shop / "log" / "error.log"
    server = start(serve, "--user", "nobody", "--access-logfile", log)
    log.unlink()
    os.link(shop.parent / "etc" / "shadow", log)
    server.signal(signal.SIGUSR1)
    server.wait_log(r"--access-logfile: .* cannot be opened: the file has a second name \(a hard link\)")
    server.get("/")
    log.unlink()
    assert_etc_is_as_it_was(shop)


def test_a_fifo_in_the_place_of_a_log_holds_nobody_up(serve, shop):
    log = shop / "log" / "error.log"
    server = start(serve, "--user", "nobody", "--access-logfile", log)
    as_nobody("rm", "log/error.log", cwd=shop)
    as_nobody("mkfifo", "log/error.log", cwd=shop)
    server.signal(signal.SIGUSR1)
    server.wait_log("--access-logfile: .* cannot be opened: No such device or address")
    assert server.get("/").status == 200


def test_a_log_in_the_users_directory_is_the_users_and_is_rotated(serve, shop):
    log = shop / "log" / "access.log"
    server = start(serve, "--user", "nobody", "--access-logfile", log)
    assert log.stat().st_uid == nobody().pw_uid
    as_nobody("mv", "log/access.log", "log/access.log.1", cwd=shop)
    server.signal(signal.SIGUSR1)
    wait_until(lambda: log.exists() and log.stat().st_uid == nobody().pw_uid, "it is there again")


@pytest.mark.parametrize("option, status", [("--pid", 1), ("--bind", 4), ("--control-socket", 4), ("--error-logfile", 2)])
def test_root_makes_nothing_behind_a_link_of_the_users(shop, option, status):
    turn(shop)
    path = f"{'unix:' if option == '--bind' else ''}{shop}/log/made"
    bind = () if option == "--bind" else ("--bind", "127.0.0.1:0")
    (shop / "app.py").write_text(APP)
    for more in ((), ("--check-config",)):
        done = run(*bind, "--user", "nobody", option, path, *more, "app", cwd=shop)
        assert done.returncode == status, done.stderr
        assert "root follows no symbolic link that others could have placed; name the path without it" in done.stderr
        assert_etc_is_as_it_was(shop)


# Once a relative name was looked for where the user's link had led the working directory.
@pytest.mark.parametrize("option, status", [("--pid", 1), ("--bind", 4), ("--control-socket", 4), ("--error-logfile", 2)])
def test_root_makes_no_relative_name_where_the_users_link_leads_the_working_directory(shop, option, status):
    turn(shop)
    (shop / "app.py").write_text(APP)
    bind = () if option == "--bind" else ("--bind", "127.0.0.1:0")
    options = (*bind, "--user", "nobody", "--chdir", shop / "log", "--pythonpath", shop, option)
    for more in ((), ("--check-config",)):
        done = run(*options, "unix:made" if option == "--bind" else "made", *more, "app")
        assert done.returncode == status, done.stderr
        assert "root follows no symbolic link that others could have placed; name the path without it" in done.stderr
        assert_etc_is_as_it_was(shop)


def test_a_relative_log_is_made_where_the_users_link_leads_to_the_users_directory(serve, shop):
    as_nobody("ln", "-s", "log", "current", cwd=shop)
    (shop / "log" / "app.py").write_text(APP)
    server = start(serve, "--user", "nobody", "--chdir", shop / "current", "--access-logfile", "access.log")
    assert (shop / "log" / "access.log").stat().st_uid == nobody().pw_uid
    server.stop()


@pytest.mark.parametrize("option", ["--pid", "--bind", "--control-socket"])
def test_root_removes_nothing_behind_a_link_of_the_users(serve, shop, option):
    (shop / "log" / "inner").mkdir()
    path = shop / "log" / "inner" / "made"
    bind = f"unix:{path}" if option == "--bind" else "127.0.0.1:0"
    server = start(serve, "--user", "nobody", *(() if option == "--bind" else (option, path)), bind=bind)
    assert path.exists()
    turn(shop)
    target = shop.parent / "etc" / "inner"
    target.mkdir()
    os.rename(shop / "moved" / "inner" / "made", target / "made")
    server.stop()
    assert (target / "made").exists()


def test_a_unix_socket_in_the_users_directory_serves(serve, shop):
    (shop / "log" / "inner").mkdir(mode=0o755)
    path = shop / "log" / "inner" / "socket"
    server = start(serve, "--user", "nobody", bind=f"unix:{path}")
    with Connection(str(path)) as connection:
        assert connection.exchange("GET", "/").status == 200
    server.stop()
    assert not path.exists()


def test_what_root_is_not_to_follow_the_user_may(serve, shop):
    """Releases have a link to the env file that they share; each worker reads it, as the user."""
    (shop / "shared").write_text("HOME=/of/the/file\n")
    as_nobody("ln", "-s", "shared", "env", cwd=shop)
    server = start(serve, "--user", "nobody", "--env-file", shop / "env")
    assert tell(server)["home"] == "/of/the/file"
    (shop / "shared").chmod(0o600)
    done = run("--bind", "127.0.0.1:0", "--user", "nobody", "--env-file", shop / "env", "app", cwd=server.directory)
    assert done.returncode == 2
    assert "--env-file: " in done.stderr and "Permission denied" in done.stderr


def test_an_env_file_behind_a_link_of_others_is_not_root_s(shop):
    (shop / "shared").write_text("HOME=/of/the/file\n")
    (shop / "app.py").write_text(APP)
    as_nobody("ln", "-s", "shared", "env", cwd=shop)
    done = run("--check-config", "--env-file", shop / "env", "app", cwd=shop)
    assert done.returncode == 2
    assert "root follows no symbolic link that others could have placed" in done.stderr


def test_a_configuration_of_root_is_not_read_behind_a_link_of_the_user(shop):
    """The user chooses which file of root's it is, and can turn the link before a reload. A directory that was entered without
    a name is what it is: no link leads to it any more."""
    (shop.parent / "etc" / "gateway.toml").write_text("= = is no TOML")
    as_nobody("ln", "-s", "../etc", "link", cwd=shop)
    done = run("--user", "nobody", "app", cwd=shop / "link", env={"PWD": str(shop / "link")})
    assert done.returncode == 2
    assert "gateway.toml, which is read unasked, can be changed by others than root: name it with --config" in done.stderr


def test_a_configuration_is_not_even_read_where_a_directory_above_is_the_users(shop):
    inner = shop / "inner"
    inner.mkdir()
    (inner / "gateway.toml").write_text("= = is no TOML")
    done = run("--user", "nobody", "app", cwd=inner)
    assert done.returncode == 2
    assert "gateway.toml, which is read unasked, can be changed by others than root: name it with --config" in done.stderr


CAPABILITIES_USED = {"chown": 0, "dac_override": 1, "fowner": 3, "kill": 5, "setgid": 6, "setuid": 7,
                     "net_bind_service": 10, "sys_ptrace": 19, "sys_resource": 24}


def process_status(pid):
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())


def capabilities(pid):
    return int(process_status(pid)["CapEff"], 16)


def test_the_master_keeps_the_capabilities_that_it_uses(serve):
    server = serve("app", "--user", "nobody", files={"app.py": APP})
    used = sum(1 << number for number in CAPABILITIES_USED.values())
    assert capabilities(server.pid) == capabilities("self") & used
    assert capabilities(server.worker_pid) == 0


def test_without_a_user_workers_have_what_root_has(serve):
    server = serve("app", files={"app.py": APP})
    assert capabilities(server.pid) == capabilities(server.worker_pid) == capabilities("self")
