"""Reads tests/wire, raw requests with the outcome expected. The format is described in tests/wire/README.

Run as a program it writes the raw bytes of every case to a directory, as seeds for the fuzzers:
wire.py DIRECTORY_TO_WRITE
"""
import re
import sys
from collections import namedtuple
from pathlib import Path

DIRECTORY = Path(__file__).resolve().parent.parent / "wire"

# One answer; `keep_alive` is whether the connection stays open after it.
Answer = namedtuple("Answer", "status keep_alive")

# `answers` are the final ones: interim 100s are not listed. `incomplete`: the bytes end within a request, which is
# never answered with 200.
Expectation = namedtuple("Expectation", "answers incomplete")

Case = namedtuple("Case", "name sentence raw expectation")

SIMPLE = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}
ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|\{([0-9]+)\*((?:[^\\}]|\\.)*)\}|(.))")


def unescape(text):
    def meaning(match):
        code, count, repeated, letter = match.groups()
        if code:
            return chr(int(code, 16))
        if count:
            return unescape(repeated) * int(count)
        return SIMPLE[letter]
    return ESCAPE.sub(meaning, text)


def expectation_of(text):
    answers = []
    incomplete = False
    for item in text.split(","):
        words = item.split()
        if words == ["incomplete"]:
            incomplete = True
            continue
        status, connection = words
        if incomplete or connection not in ("close", "keep-alive"):
            raise ValueError("cannot read the expectation " + repr(text))
        answers.append(Answer(int(status), connection == "keep-alive"))
    return Expectation(answers, incomplete)


def read(path):
    head, _, body = path.read_bytes().decode("latin-1").partition("\n\n")
    sentence = " ".join(line[1:].strip() for line in head.split("\n") if line.startswith("#"))
    expectation, = (line[7:] for line in head.split("\n") if line.startswith("expect:"))
    raw = "".join(unescape(line) for line in body.split("\n")).encode("latin-1")
    return Case(path.parent.name + "/" + path.stem, sentence, raw, expectation_of(expectation))


def load(directory=DIRECTORY):
    return [read(path) for path in sorted(Path(directory).glob("*/*.txt"))]


def main():
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for case in load():
        (target / case.name.replace("/", "-")).write_bytes(case.raw)


if __name__ == "__main__":
    main()
