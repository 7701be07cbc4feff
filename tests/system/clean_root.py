"""A clean root directory of a Debian release, made by debootstrap from the mirror that this machine's apt uses.

Only root can make one, with debootstrap and wget; elsewhere the tests that need it are skipped with the reason. Nothing of what is
fetched is kept.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from harness import environment

SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
NEEDED = ["chroot", "debootstrap", "mount", "wget"]


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout
    except OSError:
        return ""


def proxies():
    """apt's, for those of its friends that do not read its configuration."""
    text = output("apt-config", "shell", "http_proxy", "Acquire::http::Proxy", "https_proxy", "Acquire::https::Proxy")
    return dict(re.findall(r"^(\w+)='(.+)'$", text, re.MULTILINE))


def shell_environment(extra=None):
    return environment({"DEBIAN_FRONTEND": "noninteractive", "PATH": SYSTEM_PATH, **proxies(), **(extra or {})})


def own_release():
    return output("sh", "-c", ". /etc/os-release && echo $VERSION_CODENAME").strip()


def find_mirror():
    """The mirror of this system's release."""
    targets = output("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages")
    for mirror, name, component in re.findall(r"^(\S+) (\S+) (\S+)$", targets, re.MULTILINE):
        if (name, component) == (own_release(), "main"):
            return mirror.rstrip("/")
    return None


def why_no_root(*programs):
    """Why no clean root can be made here, or one of the other programs is missing; None when all is there."""
    if os.geteuid() != 0:
        return "only root can make a root directory for another system"
    missing = [name for name in [*NEEDED, *programs] if shutil.which(name, path=SYSTEM_PATH) is None]
    if missing:
        return f"not installed: {', '.join(missing)}"
    if find_mirror() is None:
        return "apt has no mirror for this release"
    return None


@pytest.fixture
def root(tmp_path):
    """An empty directory, in memory where that can be: thousands of files are synchronised to it."""
    path = tmp_path / "root"
    path.mkdir(mode=0o755)
    path.parent.chmod(0o755)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "gateway-test", path], capture_output=True)
    yield path
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in reversed(mounted):
        if Path(mount) == path or path in Path(mount).parents:
            subprocess.run(["umount", "-l", mount], check=True)


def skip_without(mirror, release):
    probe = ["wget", "--spider", "--tries=1", "--timeout=10", f"{mirror}/dists/{release}/InRelease"]
    done = subprocess.run(probe, env=shell_environment(), capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"the mirror that apt uses does not answer: {done.stderr}")


def start(directory, *command, extra=None):
    """A command that runs beside the test; finish waits for it. Its output goes to a log in the directory."""
    with open(directory / f"{command[0]}.log", "wb") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=shell_environment(extra))


def finish(directory, process):
    status = process.wait(600)
    assert status == 0, (directory / f"{process.args[0]}.log").read_text(errors="replace")[-4000:]


def start_debootstrap(directory, root, release=None):
    mirror, release = find_mirror(), release or own_release()
    skip_without(mirror, release)
    return start(directory, "debootstrap", "--variant=minbase", release, str(root), mirror)


def inside(root, *command, timeout=120):
    done = subprocess.run(["chroot", root, *command], env=shell_environment(), stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout)
    assert done.returncode == 0, done.stdout
    return done.stdout
