"""bootstrap, where it cannot go on: one sentence, and not a page of another program's; and what it does again, and what not.

What went wrong once: a package came after build/ had been configured, and what configure had not found then was not looked for again.

It runs as a copy in an empty directory and sees only stand-ins for what it would call, so that nothing is
installed or built.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

BOOTSTRAP = Path(__file__).resolve().parents[2] / "bootstrap"
pytestmark = pytest.mark.skipif(not BOOTSTRAP.exists(), reason=f"there is no {BOOTSTRAP}")

TOOLS = ["cat", "chmod", "dirname", "env", "find", "grep", "mkdir", "rm", "sed", "seq", "sh", "sort", "tail", "touch"]
NOBODY = {"id": "echo 1000"}
ROOT = {"id": "echo 0"}
BARE_DEBIAN = {"dpkg-query": "exit 1", "apt-get": "exit 0"}
BROKEN_DEBIAN = {"dpkg-query": "exit 1", "apt-get": "echo first; seq 30; echo E: no network >&2; exit 100"}


@pytest.fixture
def bootstrap(tmp_path):
    """Runs it with the stand-ins, name -> shell script, and gives what came of it."""
    shutil.copy(BOOTSTRAP, tmp_path / "bootstrap")
    path = tmp_path / "bin"
    path.mkdir()
    for tool in TOOLS:
        (path / tool).symlink_to(shutil.which(tool))

    def start(*arguments, programs, **env):
        for name, text in programs.items():
            (path / name).write_text(f"#!/bin/sh\n{text}\n")
            (path / name).chmod(0o755)
        return subprocess.run(
            ["/bin/sh", tmp_path / "bootstrap", *arguments],
            env={"PATH": str(path), "LC_ALL": "C", **env},
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=10,
        )

    return start


def assert_one_sentence(done, *said):
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert line.startswith("bootstrap: ")
    for text in said:
        assert text in line, line


@pytest.mark.parametrize("verb", ["run", "build", "check", "deps"])
def test_another_system_than_debian_is_told_what_to_do(bootstrap, verb):
    done = bootstrap(verb, programs=ROOT)
    assert_one_sentence(done, "neither Debian nor Ubuntu", "libevent-dev", "autoreconf -i && ./configure && make")


@pytest.mark.parametrize("verb, package", [("build", "libevent-dev"), ("check", "python3-pytest")])
def test_neither_root_nor_sudo_is_told_what_is_missing(bootstrap, verb, package):
    done = bootstrap(verb, programs={**BARE_DEBIAN, **NOBODY})
    assert_one_sentence(done, "root or sudo", "apt-get install ", package)


def test_only_what_is_missing_is_named(bootstrap):
    most = r"""for package; do
    case $package in -*|\$*|make) ;; *) echo "$package ii " ;; esac
done"""
    done = bootstrap("build", programs={**BARE_DEBIAN, **NOBODY, "dpkg-query": most})
    assert_one_sentence(done, "apt-get install make ")
    assert "gcc" not in done.stderr


@pytest.mark.parametrize("how", ["root", "sudo"])
def test_packages_that_cannot_be_fetched_are_told_with_the_end_of_the_output(bootstrap, tmp_path, how):
    # With sudo: not one that asks for a password, for nobody is there.
    sudo = {**NOBODY, "sudo": '[ "$1" = -n ] || exit 9\nshift\nexec "$@"'}
    done = bootstrap("build", programs={**BROKEN_DEBIAN, **(ROOT if how == "root" else sudo)})
    *output, last = done.stderr.splitlines()
    assert done.returncode == 1
    assert last.startswith("bootstrap: fetching the package lists: failed") and "bootstrap.log" in last
    assert len(output) == 20 and output[-1] == "E: no network"
    assert "first" in (tmp_path / "build" / "bootstrap.log").read_text()


@pytest.mark.parametrize("python", ["/nonexistent/python3", "no-such-python"])
def test_a_python_that_is_no_program_is_one_sentence(bootstrap, python):
    done = bootstrap("build", programs={**BARE_DEBIAN, **ROOT}, PYTHON=python)
    assert_one_sentence(done, f"PYTHON={python} is not a program")


def test_an_unknown_verb_is_told_with_the_usage(bootstrap):
    done = bootstrap("biuld", programs={})
    assert done.returncode == 1
    assert done.stderr.startswith("usage: ") and done.stderr.endswith("there is no 'biuld'.\n")
    assert done.stdout == ""


# Stand-ins for what builds: each step is a word in "steps". configure writes what bootstrap reads of a Makefile.
AUTORECONF = """
cat >configure <<'END'
#!/bin/sh
python=/usr/bin/python3
for argument; do
    case $argument in PYTHON=*) python=${argument#PYTHON=} ;; esac
done
echo configure >>../steps
echo "PYTHON = $python" >Makefile
status='#!/bin/sh
[ "$1" != --recheck ] || echo recheck >>../steps
touch Makefile'
echo "$status" >config.status
touch config.h
chmod +x config.status
END
chmod +x configure
touch Makefile.in
"""
MAKE = """
case $* in
*clean) echo clean >>../steps; rm -f gateway ;;
-q*) exit 0 ;;
*) echo make >>../steps; touch gateway; chmod +x gateway ;;
esac
"""
# Each package in "packages", NAME VERSION, is installed; the others may be, too, as far as need is asked.
DPKG_QUERY = """
case $* in
*db:Status*) for package; do echo "$package ii "; done ;;
*) cat ../packages ;;
esac
"""
PYTHON = """
case $1 in -c) cat "$0.version" ;; esac
"""
BUILDS = {**ROOT, "apt-get": "exit 0", "nproc": "echo 1", "autoreconf": AUTORECONF, "make": MAKE, "dpkg-query": DPKG_QUERY}


@pytest.fixture
def build(bootstrap, tmp_path):
    """Runs a verb with those installed packages; gives the steps that were taken."""
    for name in ("configure.ac", "Makefile.am"):
        (tmp_path / name).write_text("")
    steps = tmp_path / "steps"

    def start(packages, verb="build", **env):
        (tmp_path / "packages").write_text("".join(f"{package}\n" for package in packages))
        steps.write_text("")
        done = bootstrap(verb, programs=BUILDS, **env)
        assert done.returncode == 0, done.stderr
        return steps.read_text().split()

    return start


@pytest.fixture
def other_python(tmp_path):
    path = tmp_path / "python3"
    path.write_text("#!/bin/sh" + PYTHON)
    path.chmod(0o755)
    version = tmp_path / "python3.version"
    version.write_text("3.12\n")
    return path, version


def test_nothing_is_done_twice(build):
    assert build(["gcc 12"]) == ["configure", "make"]
    assert build(["gcc 12"]) == []


@pytest.mark.parametrize("verb", ["build", "check"])
@pytest.mark.parametrize(
    "later",
    [["gcc 12", "check 0.15"], ["gcc 12", "node-llhttp 8"], ["gcc 13"], []],
    ids=["Check came", "llhttp came", "upgraded", "removed"],
)
def test_what_configure_finds_is_looked_for_again_when_packages_have_changed(build, later, verb):
    build(["gcc 12"])
    steps = build(later, verb)
    assert steps[0] == "recheck" and "configure" not in steps, "with the arguments of the first time"
    assert build(later) == []


def test_another_python_starts_over_and_holds_until_another_is_chosen(build, other_python):
    path, version = other_python
    assert build([]) == ["configure", "make"]
    assert build([], PYTHON=str(path)) == ["configure", "clean", "make"]
    assert build([]) == []
    version.write_text("3.13\n")
    assert build([]) == ["recheck", "clean", "make"], "the same path has become another version"
    path.unlink()
    assert build([]) == ["configure", "clean", "make"], "it is gone, so the system's is taken"
