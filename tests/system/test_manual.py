"""gateway(1) and gatewayctl(1), as they are built: whole, without a complaint of who shows them, and with every variable.

What went wrong once, in one project or another: the version of a page was the mark that was to become it; a variable that changed
what a program did was known to who had read its source.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from control import GATEWAYCTL
from harness import run
from timing import GATEWAY

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["gateway", "gatewayctl"]
READ = re.compile(r'(?:getenv\(|parse_variable\(parse, |\.variable = )"(\w+)"')
# Warnings, but not style: its lines are as long as in other files here.
CRITICS = [["man", "--warnings", "-l"], ["mandoc", "-T", "lint", "-W", "warning"]]


def built(program):
    page = Path(GATEWAY).parent / "doc" / f"{program}.1"
    if not page.exists():
        pytest.skip(f"there is no {page}")
    return page


def is_of_gatewayctl(source):
    return source.name == "gatewayctl.c" or source.parent.name == "ctl"


@pytest.mark.parametrize("critic", CRITICS, ids=[critic[0] for critic in CRITICS])
@pytest.mark.parametrize("program", PAGES)
def test_who_shows_it_has_no_complaint(program, critic):
    if not shutil.which(critic[0]):
        pytest.skip(f"there is no {critic[0]}")
    done = subprocess.run([*critic, built(program)], capture_output=True, text=True)
    # What is said of pages to show goes to standard error, what is found in them to standard output.
    assert (done.returncode, done.stderr if critic[0] == "man" else done.stdout) == (0, "")


@pytest.mark.parametrize("program, command", zip(PAGES, [GATEWAY, GATEWAYCTL]))
def test_it_is_whole(program, command):
    text = built(program).read_text()
    shown = subprocess.run([command, "--help"], capture_output=True, text=True, check=True).stdout
    options = re.findall(r"^ +(?:-\w, )?--([\w-]+)", shown, re.MULTILINE)
    assert options and not re.search(r"@[A-Z]+@", text)
    assert [option for option in options if not re.search(rf"^\.It Fl (\w , (Fl )?)?-{option}\b", text, re.MULTILINE)] == []


@pytest.mark.parametrize("program", PAGES)
def test_every_variable_is_explained(program):
    variables = set()
    for source in (ROOT / "src").rglob("*.c"):
        if is_of_gatewayctl(source) == (program == "gatewayctl"):
            variables.update(READ.findall(source.read_text()))
    listed = " ".join(re.findall(r"^\.(?:It )?Ev (.*)", built(program).read_text(), re.MULTILINE))
    assert variables and variables <= set(re.findall(r"\w+", listed))
