"""The examples in pyapps/ of the frameworks most used, by the command that stands in each: who copies one wants it to work."""

import re

import pytest
from debian import lacks
from harness import APPLICATIONS
from visitor import Visitor

NOTES = ["milk", "größere Schuhe", "<b>not bold</b>"]


def example(serve, framework):
    """Served by what its documentation says, word for word, but for the port; by two workers, which share the notes."""
    if missing := lacks(**{framework: f"python3-{framework}"}):
        pytest.skip(missing)
    text = (APPLICATIONS / f"with_{framework}.py").read_text()
    assert f"apt-get install python3-{framework}\n" in text
    (arguments,) = re.findall(r"^    gateway (.*)$", text, re.MULTILINE)
    return Visitor(serve(arguments, workers=2))


@pytest.mark.parametrize("framework", ["flask", "bottle", "django"])
def test_an_example_with_a_form_keeps_notes(serve, framework):
    visitor = example(serve, framework)
    for note in NOTES:
        page = visitor.visit("/")
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="(\w+)">', page.text)
        page = visitor.post("/", [("note", note), *hidden])
        assert page.status == 200, page
    for _ in range(6):  # connections go to either worker
        listed = re.findall("<li>(.*?)</li>", visitor.visit("/").text)
        assert listed == [*NOTES[:2], "&lt;b&gt;not bold&lt;/b&gt;"]


def test_the_example_of_an_api_keeps_notes(serve):
    visitor = example(serve, "falcon")
    for note in NOTES:
        made = visitor.send_json("/", {"note": note})
        assert (made.status, made.json) == (201, {"note": note})
    for _ in range(6):
        assert visitor.visit("/").json == {"notes": NOTES}
    assert visitor.visit("/", b"{", {"Content-Type": "application/json"}).status == 400
