"""What all system tests share: a deadline for each, the server's log when one fails, and no traces in the
source tree."""

import collections
import os
import re
import signal
import sys
from pathlib import Path

import pytest

sys.dont_write_bytecode = True

# So that a failed assertion says what it compared, in what tests share as well.
pytest.register_assert_rewrite(*(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "conftest"))

from harness import Server  # noqa: E402
from timing import GATEWAY, PATIENCE, SOAK, TIMING, figures  # noqa: E402

DEADLINE = 3600 if SOAK else 3 * PATIENCE


def pytest_configure(config):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores it, and every program that a test starts would inherit that
    if not os.access(GATEWAY, os.X_OK):
        pytest.exit(f"there is no program to test at {GATEWAY}: build it, or set GATEWAY", returncode=2)


def pytest_collection_modifyitems(config, items):
    """What only measures is left to `make timing`; what does not measure is not run there."""
    markers = ("timing", "measures") if TIMING else ("timing",)
    chosen = [item for item in items if any(map(item.get_closest_marker, markers)) == TIMING]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def reports_of(terminalreporter, *categories):
    return [report for category in categories for report in terminalreporter.stats.get(category, ())]


def list_slowest_modules(terminalreporter):
    seconds = collections.Counter()
    for report in reports_of(terminalreporter, "", "passed", "failed", "error"):
        seconds[report.nodeid.partition("::")[0]] += getattr(report, "duration", 0)  # a module that cannot be collected has none
    terminalreporter.section("slowest modules")
    for module, spent in seconds.most_common(10):
        terminalreporter.line(f"{spent:7.1f} s  {Path(module).name}")


def save_failures(terminalreporter, file):
    """For tests/run-pytest, which runs them once more. What a sanitizer has found is never run again: a race does not come twice."""
    failed = reports_of(terminalreporter, "failed", "error")
    if not any(re.search(r"Sanitizer|runtime error:", report.longreprtext) for report in failed):
        names = [str(Path(terminalreporter.config.rootpath, report.nodeid)) for report in failed]
        Path(file).write_text("".join(f"{name}\n" for name in dict.fromkeys(names)))


def pytest_terminal_summary(terminalreporter):
    if "GATEWAY_FAILED" in os.environ:
        list_slowest_modules(terminalreporter)
        save_failures(terminalreporter, os.environ["GATEWAY_FAILED"])
    if figures:
        terminalreporter.section("figures")
        for figure in figures:
            terminalreporter.line(figure)


def pytest_report_header(config):
    return f"program: {GATEWAY}"


@pytest.fixture(autouse=True)
def deadline(request):
    """A test that hangs fails; it never hangs the suite."""
    marker = request.node.get_closest_marker("deadline")
    seconds = marker.args[0] if marker else DEADLINE

    def expired(number, frame):
        raise AssertionError(f"the test did not end within {seconds} s")

    before = signal.signal(signal.SIGALRM, expired)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for server in Server.running:
            report.sections.append((f"log of {server.process.args}", server.log[-6000:]))


@pytest.fixture
def serve():
    """Starts servers that end with the test, whatever happens in it."""
    started = []

    def start(*arguments, **keywords):
        server = Server(*arguments, **keywords)
        started.append(server)
        return server

    yield start
    for server in started:
        if server in Server.running:
            server.__exit__(None)
