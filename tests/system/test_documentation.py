"""README.md, SECURITY.md and doc/*.md: what they say to type works, and what they name is there.

What went wrong once, in one project or another: an option was renamed and its page was not; an example had never been run; what a
program prints had changed since it was copied.
"""

import re
import shutil
import subprocess
import tempfile
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest
from harness import run
from session import FENCE, Session, blocks, commands, matches
from timing import GATEWAY

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted(ROOT.glob("doc/*.md")), *sorted(ROOT.glob("doc/internals/*.md"))]
MANUAL = ROOT / "doc" / "gateway.1.in"
# What --help keeps to itself.
HIDDEN = {"help-bash", "help-zsh", "help-fish"}
KINDS = re.compile(r"sh|text|[a-z]+ [\w./-]+")

OPTION = re.compile(r"(?<![\w-])--([a-z][\w-]*)")
SPAN = re.compile(r"`([^`\n]+)`")
CALL = re.compile(r"\bgateway(ctl)?((?: [^|;&\n]*)?)")
ROW = re.compile(r"^\| `(?:-\w, )?--([\w-]+)[^|`]*` *\| *`?([^`|]*?)`? *\|", re.MULTILINE)
REASONS = ROOT / "src" / "http" / "response.c"
STATUS_PROCESS = ROOT / "src" / "status" / "status.c"
# A status as the sources of the layers that answer have it: a number of three digits, outside of comments.
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
NUMBER = re.compile(r"(?<![\w.])[45]\d\d(?![\w.])")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)\s]*)?\)")


def pages():
    return pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])


@cache
def help_text():
    done = run("--help")
    assert done.returncode == 0
    return done.stdout


@cache
def options():
    found = re.findall(r"^ +(?:-\w, )?--([\w-]+)", help_text(), re.MULTILINE)
    assert len(found) > 50
    return set(found)


def options_of_gatewayctl():
    done = subprocess.run([Path(GATEWAY).with_name("gatewayctl"), "--help"], capture_output=True, text=True, check=True)
    return set(OPTION.findall(done.stdout))


def default_of(option):
    """What --help says in brackets at the end of the option's text."""
    (text,) = re.findall(rf"^ {{2,6}}(?:-\w, )?--{option}(?![\w-])(?:.*\n(?! {{2,6}}(?:-\w, )?--|\n))*.*\n", help_text(), re.MULTILINE)
    found = re.search(r"\[(?:\$\w+,\s+else\s+)?([^\[\]]*)\]\s*$", text)
    return re.sub(r"\s+", " ", found[1]) if found else ""


def named_options(text):
    """Options of ours that a page names: in a span of code that begins with one or with our name, and in blocks behind our
    name. The first column of a table of what another server has is not ours."""
    found = set()
    for _, block in blocks(text):
        for call in CALL.finditer(block.replace("\\\n", " ")):
            found.update(OPTION.findall(call[2]))
    theirs = False
    for line in FENCE.sub("", text).splitlines():
        if not line.startswith("|"):
            theirs = False
        elif re.match(r"\| (gunicorn|uWSGI) ", line):
            theirs = True
        if theirs:
            line = line.split(" | ", 1)[-1]
        for span in SPAN.findall(line):
            if re.match(r"-|gateway(ctl)? ", span):
                found.update(OPTION.findall(span))
    return found


@pages()
def test_what_a_page_says_to_type_works(page):
    text = page.read_text()
    if "\n$ curl " in text and not shutil.which("curl"):
        pytest.skip("there is no curl (Debian: curl)")
    with tempfile.TemporaryDirectory(prefix="gateway-test-") as directory, Session(directory) as session:
        for kind, block in blocks(text):
            if kind == "sh":
                for command, shown in commands(block):
                    session.run(command, shown)
            elif kind != "text":
                session.write(kind.split(" ", 1)[1], block)


@pages()
def test_a_block_says_what_it_is(page):
    text = page.read_text()
    assert text.count("```") == 2 * len(blocks(text))
    assert [kind for kind, _ in blocks(text) if not KINDS.fullmatch(kind)] == []
    assert not re.search(r"^(    |\t)\S", FENCE.sub("", text), re.MULTILINE), "a block without a fence"


@pages()
def test_an_option_that_a_page_names_exists(page):
    assert named_options(page.read_text()) - options() - HIDDEN - options_of_gatewayctl() == set()


@pages()
def test_a_default_in_a_table_is_the_programs(page):
    for table in re.findall(r"^\| option \| default \|.*\n(?:\|.*\n)+", page.read_text(), re.MULTILINE):
        for option, value in ROW.findall(table):
            if default := default_of(option):
                assert (option, value) == (option, default)


@pages()
def test_a_link_leads_somewhere(page):
    broken = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert broken == []


def statuses(sources):
    """Those of failures that are known to the program, 499 of its own among them."""
    known = {*re.findall(r'\{(\d{3}), "', REASONS.read_text()), "499"}
    return known & {number for source in sources for number in NUMBER.findall(COMMENT.sub("", source.read_text()))}


def test_every_status_that_is_the_servers_is_in_the_table():
    section = (ROOT / "doc" / "behaviour.md").read_text().split("\n## ")[1]
    sources = {source for layer in ("http", "net", "app", "status") for source in ROOT.glob(f"src/{layer}/*.c")}
    assert set(re.findall(r"^\| ([45]\d\d) \|", section, re.MULTILINE)) == statuses(sources - {REASONS, STATUS_PROCESS})
    (sentence,) = re.findall(r"The process of `--status`[^.]*\.", section)
    assert set(NUMBER.findall(sentence)) == statuses([STATUS_PROCESS])


def test_every_setting_of_gunicorn_has_its_counterpart():
    config = pytest.importorskip("gunicorn.config", reason="there is no gunicorn (Debian: gunicorn)")
    page = (ROOT / "doc" / "migrating-from-gunicorn.md").read_text()
    spans = " ".join(SPAN.findall(FENCE.sub("", page)))
    names = [name for setting in config.KNOWN_SETTINGS for name in setting.cli or [setting.name]]
    assert len(names) > 80
    assert [name for name in names if not re.search(rf"(?<![\w-]){name}(?![\w-])", spans)] == []


# Of uWSGI's hundreds of options, those that say when a worker ends, what it takes and when it loads anew: a service that depends on
# one of them is another without it. What it has besides a server of WSGI the page names by its kinds alone.
FAMILIES = re.compile(r"harakiri|(evil-)?reload-on-|touch-|max-|min-|chunked-input-|static-|lazy|die-on-|post-buffering|limit-post")


def test_what_ends_limits_or_reloads_a_worker_of_uwsgi_has_its_counterpart():
    if not (program := shutil.which("uwsgi-core") or shutil.which("uwsgi")):
        pytest.skip("there is no uWSGI (Debian: uwsgi-core)")
    done = subprocess.run([program, "--help"], capture_output=True, text=True)
    names = {name for name in re.findall(r"^ +(?:-\w\|)?--([a-z][\w-]*)", done.stdout, re.MULTILINE) if FAMILIES.match(name)}
    assert len(names) > 40
    patterns = SPAN.findall(FENCE.sub("", (ROOT / "doc" / "migrating-from-uwsgi.md").read_text()))
    assert sorted(name for name in names if not any(fnmatchcase(name, pattern) for pattern in patterns)) == []


def test_every_option_is_explained():
    """By more than the line in --help."""
    text = "".join(page.read_text() for page in PAGES)
    manual = MANUAL.read_text()
    missing = [
        option
        for option in options()
        if not re.search(rf"--{option}(?![\w-])", text) and not re.search(rf"\bFl -{option}(?![\w-])", manual)
    ]
    assert missing == []


@pytest.mark.parametrize(
    "text, options",
    [
        ("`--bind`, `-b, --backlog 3` and `tar --gzip`", {"bind", "backlog"}),
        ("```sh\n$ curl --fail x; gateway --preload \\\n  --no-such app | grep --quiet y\n```\n", {"preload", "no-such"}),
        ("| gunicorn | here |\n|---|---|\n| `--theirs` | `--ours` |\n\n| `--mine` | |\n", {"ours", "mine"}),
    ],
)
def test_options_are_found_where_a_reader_finds_them(text, options):
    assert named_options(text) == options


@pytest.mark.parametrize(
    "shown, output, same",
    [
        ("a ... c", "a b c\n", True),
        ("a ... c", "a b\nc\n", False),
        ("a\n...\nc", "a\nb\nb\nc\n", True),
        ("a", "a\nb\n", False),
        ("a.c", "abc\n", False),
    ],
)
def test_output_is_compared_as_it_is_shown(shown, output, same):
    assert bool(matches(shown.split("\n"), output)) == same


RESULTS = ROOT / "bench" / "RESULTS.md"
# A row of README.md: that server in the tables of the two scenarios.
COMPARED = {
    "the floor": "floor",
    "**gateway**": "gateway",
    "nginx, the bytes from a file that it keeps open": "nginx-cache",
    "nginx, the bytes from a file": "nginx",
    "uWSGI": "uwsgi-socket",
    "waitress": "waitress",
    "gevent": "gevent",
    "gunicorn, threads": "gunicorn-gthread",
    "gunicorn, sync worker": "gunicorn-sync",
}


def floors(section):
    """The servers' multiples of the floor in the first table of a section of RESULTS.md that has them."""
    text = RESULTS.read_text().partition(f"\n## {section}")[2].partition("\n## ")[0]
    return {name: float(times) for name, times in re.findall(r"^\| ([\w-]+) \|.*\) \| ([\d.]+) \([\d.–]+\) \|", text, re.MULTILINE)}


def test_what_the_readme_compares_is_what_the_results_have():
    # It said "less than half of what nginx takes", where the table beside it had 0.51.
    text = (ROOT / "README.md").read_text()
    tables = floors("keepalive: "), floors("close: ")
    rows = re.findall(r"^\| ([^|]+) \| \**([\d.]+)\** \| \**([\d.]+)\** \|$", text, re.MULTILINE)
    assert [name for name, *_ in rows] == list(COMPARED)
    for name, *shown in rows:
        for number, table in zip(shown, tables):
            digits = len(number.partition(".")[2])
            assert abs(float(number) - table[COMPARED[name]]) <= 0.51 * 10**-digits, (name, number, table)


def test_what_the_readme_claims_of_nginx_is_what_the_results_have():
    text = " ".join((ROOT / "README.md").read_text().split())
    kept, now = floors("keepalive: "), floors("The price of threads")
    least, most = map(float, re.search(r"a request costs ([\d.]+) to ([\d.]+) times the CPU of an epoll loop", text).groups())
    assert [least, most] == [round(kept["gateway"], 1), round(now["gateway"], 1)]
    least, most, open_ = map(float, re.search(r"gateway needs ([\d.]+) to ([\d.]+) of the CPU, and ([\d.]+) if", text).groups())
    ratios = [table["gateway"] / table["nginx"] for table in (kept, now)]
    assert [least, most, open_] == [round(ratio, 1) for ratio in (*ratios, kept["gateway"] / kept["nginx-cache"])]
