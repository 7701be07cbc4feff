"""The status page in a browser: what a person sees is what the scoreboard says, and nothing else happens.

What went wrong once, on one page or another: it asked a server of fonts on the other side of the world, ran
what a client had put into a URL, and was wider than the telephone that was at hand at night.
"""

import os
import re
import signal

import pytest
from browser import PROGRAM, Browser
from timing import PATIENCE, SLOW, wait_until
from watcher import APP, Watcher

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="chromium is not installed")

@pytest.fixture(scope="module")
def browser():
    with Browser() as started:
        yield started


@pytest.fixture
def page(browser, serve):
    server = serve("app", "--threads", "2", "--status", "127.0.0.1:0", files={"app.py": APP}, workers=2)
    browser.requested.clear()
    browser.complaints.clear()
    watcher = Watcher(server)
    yield browser, server, watcher
    browser.leave()


def assert_quiet(browser, watcher):
    assert browser.complaints == []
    others = [url for url in browser.requested if not url.startswith((watcher.url + "/", "data:", "about:"))]
    assert others == []


def cell(browser, title, row, column):
    """Of the table in the card with that title; row 0 has the headings."""
    return browser.evaluate(
        f"[...document.querySelectorAll('section')].find(s => s.querySelector('h2').textContent === {title!r})"
        f".querySelectorAll('tr')[{row}].children[{column}].innerText"
    )


def tile(browser, title):
    return browser.evaluate(
        "[...document.querySelectorAll('.tile')].find(s => s.querySelector('h2').textContent === "
        f"{title!r}).innerText.replace(/\\s+/g, ' ')"
    )


def test_the_numbers_are_shown_and_kept_up_to_date(page):
    browser, server, watcher = page
    for path in ("/", "/", "/status/404", "/raise"):
        server.get(path)
    wait_until(lambda: watcher.json["requests"]["total"] == 4, "they are counted")
    browser.open(watcher.url + "/")
    assert browser.evaluate("document.title") == "app – gateway"
    assert "4 in all" in tile(browser, "Requests")
    assert tile(browser, "Threads busy") == "Threads busy 0 of 4 2 workers"
    assert [cell(browser, "Workers", row, 1) for row in (1, 2)] == [
        str(worker["pid"]) for worker in watcher.json["workers"]
    ]
    assert cell(browser, "Workers", 1, 2) == "ready"
    assert [cell(browser, "Answers", row, 0) for row in (1, 2, 3)] == ["200", "404", "500"]
    assert cell(browser, "Answers", 1, 1) == "2"
    assert browser.evaluate("document.querySelectorAll('.plot svg').length") == 3
    server.get("/")
    browser.wait_for("document.body.innerText.includes('5 in all')")
    browser.wait_for("document.querySelectorAll('.plot path[d^=M]').length >= 3")
    assert_quiet(browser, watcher)


def test_running_requests_and_restarts_are_shown_as_text(page):
    browser, server, watcher = page
    with pytest.raises((AssertionError, OSError)):
        server.get("/crash?<img/src=x/onerror=alert(1)>")
    with server.connect() as connection:
        connection.request("GET", f"/sleep/{3 * SLOW}?</script><script>alert(2)</script><b>bold")
        wait_until(lambda: watcher.json["running"], "it runs")
        browser.open(watcher.url + "/")
        assert cell(browser, "Running now", 1, 2) == (
            f"GET /sleep/{3 * SLOW}?</script><script>alert(2)</script><b>bold HTTP/1.1"
        )
        assert 'while it ran "GET /crash?<img/src=x/onerror=alert(1)> HTTP/1.1"' in cell(browser, "Last restarts", 1, 3)
        browser.listen(1.2)
        assert float(cell(browser, "Running now", 1, 0).split()[0]) > 1
        assert browser.evaluate("document.querySelectorAll('img, b b, main script').length") == 0
        assert_quiet(browser, watcher)


@pytest.mark.parametrize("width", [360, 800, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_follows_the_scheme(page, width, scheme):
    browser, server, watcher = page
    server.get("/")
    browser.open(watcher.url + "/", width=width, height=700, scheme=scheme)
    browser.listen(1.2)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    narrow = "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth).length"
    assert browser.evaluate(narrow) == 0
    colours = browser.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (max(colours) < 60) == (scheme == "dark")
    assert_quiet(browser, watcher)


def test_it_tells_when_nobody_answers(page):
    browser, server, watcher = page
    browser.open(watcher.url + "/")
    pid = watcher.pid(server)
    os.kill(pid, signal.SIGSTOP)
    browser.wait_for("getComputedStyle(document.getElementById('lost')).display !== 'none'", 2 * PATIENCE)
    assert "No answer since" in browser.evaluate("document.getElementById('lost').innerText")
    os.kill(pid, signal.SIGCONT)
    browser.wait_for("getComputedStyle(document.getElementById('lost')).display === 'none'", 2 * PATIENCE)


def test_pointing_at_a_plot_shows_that_moment(page):
    browser, server, watcher = page
    server.get("/")
    wait_until(lambda: sum(watcher.json["history"]["requests"]) > 0, "a sample")
    browser.open(watcher.url + "/")
    box = browser.evaluate("(r => [r.right, r.top])(document.querySelector('.plot').getBoundingClientRect())")
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=box[0] - 1, y=box[1] + 20)
    browser.wait_for("document.querySelectorAll('line.cross').length === 3")
    assert re.search(r"[0-2] s ago", browser.evaluate("document.body.innerText"))
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=5, y=5)
    browser.wait_for("document.querySelectorAll('line.cross').length === 0")
    assert_quiet(browser, watcher)
