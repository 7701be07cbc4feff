"""Completion for bash, zsh and fish, as the programs print it for the build.

What went wrong once, in one server or another: completion was written by hand, and knew options that were gone and not those that
had come; a name with a blank in it became two words; a description ended in its middle, or a URL's path was completed with files.
"""

import re
import shutil
import subprocess

import pytest
from control import GATEWAYCTL
from harness import run
from timing import PATIENCE

PROGRAMS = ["gateway", "gatewayctl"]


def script(program, shell):
    if program == "gateway":
        done = run(f"--help-{shell}")
    else:
        done = subprocess.run([GATEWAYCTL, f"--help-{shell}"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def asked(shell, text, timeout=PATIENCE, cwd=None):
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell}")
    done = subprocess.run([shell, "/dev/stdin"], input=text, capture_output=True, text=True, timeout=timeout, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def bash(program, *words, cwd=None):
    line = " ".join(f"'{word}'" for word in words)
    ask = f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _{program}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    return asked("bash", f"{script(program, 'bash')}\n{ask}", cwd=cwd)


def fish(program, line, cwd=None):
    lines = asked("fish", f"{script(program, 'fish')}\ncomplete -C '{line}'", cwd=cwd)
    return [word.split("\t")[0] for word in lines]


QUESTIONS = [
    # program, the words so far, some that must be offered, one that must not be
    ("gateway", ["gateway", "--log-"], ["--log-level", "--log-format"], "--bind"),
    ("gateway", ["gateway", "--log-level", ""], ["debug", "critical"], "--bind"),
    ("gateway", ["gateway", "--log-format", "j"], ["json"], "text"),
    ("gateway", ["gateway", "--chdir", "/et"], ["/etc"], "--bind"),
    ("gateway", ["gateway", "--config", "/etc/host"], ["/etc/hosts"], "--bind"),
    ("gateway", ["gateway", "-c", "/etc/host"], ["/etc/hosts"], "--bind"),
    ("gateway", ["gateway", "--rel"], ["--reload"], "--help-bash"),
    ("gatewayctl", ["gatewayctl", ""], ["status", "reload", "top"], "add"),
    ("gatewayctl", ["gatewayctl", "worker", ""], ["add", "remove"], "status"),
    ("gatewayctl", ["gatewayctl", "-s", "/etc/host"], ["/etc/hosts"], "status"),
]


@pytest.mark.parametrize("program, words, wanted, other", QUESTIONS, ids=[" ".join(row[1]) for row in QUESTIONS])
def test_bash_offers_what_fits(program, words, wanted, other):
    offered = bash(program, *words)
    assert [word for word in wanted if word not in offered] == []
    assert other not in offered


def test_bash_offers_a_value_behind_an_equals_sign():
    assert bash("gateway", "gateway", "--log-level", "=") == ["debug", "info", "warning", "error", "critical"]
    assert bash("gateway", "gateway", "--log-level", "=", "de") == ["debug"]


@pytest.mark.parametrize("program, words, wanted, other", QUESTIONS, ids=[" ".join(row[1]) for row in QUESTIONS])
def test_fish_does_too(program, words, wanted, other):
    offered = [word.rstrip("/") for word in fish(program, " ".join(words))]
    assert [word for word in wanted if word not in offered] == []
    assert other not in offered


NAMES = [
    # what is typed, what is offered then
    ("--chdir", "a", ["a dir"]),
    ("--config", "a", ["a dir", "a file"]),
    ("--root-path", "", []),
    ("--health-path", "", []),
]


@pytest.mark.parametrize("option, begun, offered", NAMES, ids=[" ".join(row[:2]) for row in NAMES])
def test_a_name_with_a_blank_is_one_word_and_a_urls_path_no_file(tmp_path, option, begun, offered):
    (tmp_path / "a dir").mkdir()
    (tmp_path / "a file").touch()
    assert sorted(filter(None, bash("gateway", "gateway", option, begun, cwd=tmp_path))) == offered
    if shutil.which("fish"):
        assert sorted(word.rstrip("/") for word in fish("gateway", f"gateway {option} {begun}", cwd=tmp_path)) == offered


DESCRIPTIONS = [
    # option, how its description begins: at its first full stop it may end
    ("request-id", "on: give every request an X-Request-Id"),
    ("log-format", "Format of the error log: text, or json with one object per line"),
    ("venv", "Virtual environment to run in, or '' for none"),
    ("bind", "Listen on this address: HOST:PORT, :PORT, [V6]:PORT, unix:PATH"),
    ("root-path", "URL prefix of the application"),
]


@pytest.mark.parametrize("option, text", DESCRIPTIONS, ids=[row[0] for row in DESCRIPTIONS])
def test_a_description_is_whole(option, text):
    function = script("gateway", "zsh").split("\n", 1)[1]
    given = asked("zsh", "_arguments() { printf '%s\\n' \"$@\" }\n" + function)
    (line,) = [line for line in given if re.match(rf"\*?--{option}\b=?\[", line)]
    assert re.sub(r"\\(.)", r"\1", line).split("[", 1)[1].startswith(text), line
    (told,) = asked("fish", f"{script('gateway', 'fish')}\ncomplete -C 'gateway --{option}' | grep -- '^--{option}\\s'")
    assert told.split("\t")[1].startswith(text)


@pytest.mark.parametrize("program", PROGRAMS)
def test_zsh_understands_it(program):
    """Its completion runs in an interactive shell only; what it is given is looked at."""
    function = script(program, "zsh").split("\n", 1)
    assert function[0] == f"#compdef {program}"
    seen = asked("zsh", "_arguments() { printf '%s\\n' \"$@\" }\n" + function[1])
    specifications = [line for line in seen if line.startswith(("-", "*-"))]
    assert all(re.fullmatch(r"-s|\*?--?[\w-]+[+=]?\[(?:[^][:\\]|\\.)+\](:[^:]+:.*)?", line) for line in specifications), seen
    if program == "gateway":
        assert any(line.startswith("--log-level=[") and line.endswith("(debug info warning error critical)") for line in seen)
        assert any(line.startswith("*--bind=[") for line in seen)
    else:
        assert any('reload\\:"' in line or "reload:" in line for line in seen)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_option_is_known(shell):
    text = script("gateway", shell)
    names = re.findall(r"^ +(?:-\w, )?--([\w-]+)", run("--help").stdout, re.M)
    assert len(names) > 40
    assert [name for name in names if not re.search(rf"(--|-l ){name}\b", text)] == []
