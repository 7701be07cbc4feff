"""Debian's package: built from a copy of the sources, put by apt into a clean root that has no compiler, run there, and removed.

What went wrong once, in one package or another: it needed a library that it did not name, and only the builder's machine had; the
interpreter that it embeds was there without its standard library; zsh's completion lay where Debian's zsh does not look; files stayed
when it had gone; README.md linked to pages that were not there.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from clean_root import finish, inside, output, root, shell_environment, start, start_debootstrap, why_no_root  # noqa: F401
from harness import APPLICATIONS, GATEWAY
from timing import SANITIZED

BUILD = Path(GATEWAY).parent
SOURCES = Path(__file__).resolve().parents[2]
COMPILERS = ["cc", "gcc", "clang", "tcc", "make"]
MAINTAINER = {"DEBFULLNAME": "Jane Doe", "DEBEMAIL": "jane@example.org"}
FILES = [
    "lib/systemd/system/gateway@.service",
    "lib/systemd/system/gateway@.socket",
    "usr/share/doc/gateway-wsgi/copyright",
    "usr/share/doc/gateway-wsgi/deploy/logrotate/gateway",
]
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)\s]*)?\)")
PATH = re.compile(r"(?<![\w/])\.\./[\w/]+\w")
FILES_OF_A_PROGRAM = [
    "usr/share/bash-completion/completions/{}",
    "usr/share/fish/vendor_completions.d/{}.fish",
    "usr/share/man/man1/{}.1.gz",
    "usr/share/zsh/vendor-completions/_{}",
]
SEARCHED = [("fish", "printf '%s\\n' $fish_complete_path", "gateway.fish"), ("zsh", "print -l $fpath", "_gateway")]
# As the first Tab behind the program's name does.
LOAD = ". /usr/share/bash-completion/bash_completion; _completion_loader gateway"
# What apt and dpkg write down about what they did, in all of this.
RECORDS = re.compile(r"/(proc|var/(lib/(apt|dpkg)|cache|log))/|/etc/ld\.so\.cache$")


def why_not():
    if SANITIZED:
        return "the package is not built with sanitizers"
    if not (BUILD / "Makefile").exists():
        return f"{BUILD} has no Makefile"
    return why_no_root("dh", "dpkg-buildpackage", "lintian")


pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


def build_package_and_root(directory, root):
    """Side by side: most of the one is computing, most of the other is waiting."""
    started = [
        start_debootstrap(directory, root),
        start(directory, "make", "-s", "-C", str(BUILD), "deb", f"DEB_DIR={directory}", extra=MAINTAINER),
    ]
    for process in started:
        finish(directory, process)
    (package,) = directory.glob("gateway-wsgi_*.deb")
    return package


def assert_lintian_is_content(directory):
    (changes,) = directory.glob("*.changes")
    command = ["lintian", "--allow-root", "--fail-on", "error,warning", changes]
    done = subprocess.run(command, env=shell_environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def files(root):
    found = set()
    for directory, names, others in os.walk(root):
        found.update(os.path.join(directory, name)[len(str(root)) :] for name in [*names, *others])
    return {name for name in found if not RECORDS.search(name)}


def assert_complete(root):
    version = re.search(r"AC_INIT\(\[gateway\], \[(.*?)\]\)", (SOURCES / "configure.ac").read_text())[1]
    assert inside(root, "gateway", "--version").startswith(f"gateway {version} (Python ")
    assert inside(root, "gatewayctl", "--version").startswith("gatewayctl")
    of_programs = [name.format(program) for name in FILES_OF_A_PROGRAM for program in ("gateway", "gatewayctl")]
    assert [name for name in [*FILES, *of_programs] if not (root / name).exists()] == []


def assert_links_lead_somewhere(documents):
    pages = [documents / "README.md", documents / "SECURITY.md", *documents.glob("doc/*.md")]
    pointers = [(page, link) for page in pages for link in LINK.findall(page.read_text())]
    readme = documents / "deploy" / "systemd" / "README"
    pointers += [(readme, path) for path in PATH.findall(readme.read_text())]
    assert len(pages) > 5 and {page for page, _ in pointers} == {*pages, readme}
    assert [(page.name, link) for page, link in pointers if not (page.parent / link).exists()] == []


def assert_shells_complete(root):
    """bash there, by what loads completions for it; zsh and fish of here say whether they look where theirs are."""
    ask = f"{LOAD}; COMP_WORDS=(gateway --log-le); COMP_CWORD=1; _gateway; echo ${{COMPREPLY[*]}}"
    assert inside(root, "bash", "-c", ask) == "--log-level\n"
    for shell, ask, name in SEARCHED:
        if shutil.which(shell):
            assert [path for path in output(shell, "-c", ask).splitlines() if (root / path[1:] / name).exists()], shell


def assert_serves_the_ten_lines(serve, root):
    shop = root / "srv" / "shop"
    shop.mkdir()
    shutil.copy(APPLICATIONS / "tenlines.py", shop)
    program = f'shift; exec chroot --userspec=nobody {root} /usr/bin/gateway --chdir /srv/shop "$@"'
    server = serve("tenlines:application", prefix=["/bin/sh", "-c", program, "sh"], workers=2)
    response = server.get("/")
    assert (response.status, len(response.body)) == (200, 10000)
    assert "sys.executable" not in server.log, "the interpreter is missing"
    server.stop()
    shutil.rmtree(shop)


@pytest.mark.deadline(400)
def test_the_package_is_installed_without_a_compiler_serves_and_leaves_nothing_behind(root, serve, tmp_path):
    package = build_package_and_root(tmp_path, root)
    assert_lintian_is_content(tmp_path)
    assert output("dpkg-deb", "--field", package, "Maintainer") == "Jane Doe <jane@example.org>\n"
    before = files(root)
    shutil.copy(package, root / "gateway.deb")
    inside(root, "apt-get", "install", "-q", "-y", "--no-install-recommends", "./gateway.deb", "bash-completion")
    (root / "gateway.deb").unlink()
    assert not [name for name in COMPILERS if (root / "usr" / "bin" / name).exists()]
    assert_complete(root)
    assert_links_lead_somewhere(root / "usr" / "share" / "doc" / "gateway-wsgi")
    assert_shells_complete(root)
    assert_serves_the_ten_lines(serve, root)
    inside(root, "apt-get", "purge", "-q", "-y", "--autoremove", "gateway-wsgi", "bash-completion")
    assert files(root) == before
