"""Reads a configuration file, which is TOML.

write(path, table, out) writes the content of the file to the descriptor, one setting after another: key, NUL, value, NUL.
A list is a setting for each item, a table a setting for each key, as KEY=VALUE. In a file that other programs use, too,
only the table of that name counts ("tool.gateway"). After a mistake, one sentence is written instead.

The source is embedded in the program and runs in a process of its own, with Python 3.9 and later.
"""

import os
import re
import stat


class Wrong(Exception):
    """A mistake: one sentence."""


class NoParser(Wrong):
    pass


def parser():
    try:
        import tomllib
    except ImportError:
        try:
            import tomli as tomllib
        except ImportError:
            raise NoParser("is TOML, for which this Python needs the package tomli") from None
    return tomllib


def regular(path, flags):
    """Refuses a file that can be read only once, or has to be waited for: a reload reads it again."""
    file = os.open(path, flags | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise Wrong("is no regular file")
    return file


def parse(path):
    toml = parser()
    try:
        with open(path, "rb", opener=regular) as file:
            return toml.load(file)
    except OSError as error:
        raise Wrong(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise Wrong(f"is not UTF-8 (at byte {error.start})") from None
    except toml.TOMLDecodeError as error:
        raise Wrong(f"is not TOML: {error}") from None
    except RecursionError:
        raise Wrong("is not TOML: it is nested too deeply") from None
    except ValueError as error:  # raised by Python for a number of thousands of digits
        raise Wrong(f"cannot be read: {error}") from None


def text_of(key, value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, (str, int, float)):
        raise Wrong(f"says something that no option can be, a {type(value).__name__}, for {key}")
    try:
        return str(value)
    except ValueError as error:
        raise Wrong(f"has a number for {key} that cannot be read: {error}") from None


def settings(table):
    for key, value in table.items():
        if isinstance(value, dict):
            for name, item in value.items():
                yield key, f"{name}={text_of(key, item)}"
        elif isinstance(value, list):
            for item in value:
                yield key, text_of(key, item)
        else:
            yield key, text_of(key, value)


def may_have(path, name):
    """Whether the file needs a parser: most projects have a pyproject.toml, and an old Python may lack a parser."""
    tool, own = name.split(".")
    header = rf"""^[ \t]*\[[ \t]*["']?{tool}["']?[ \t]*(\]|\.[ \t]*["']?{own}\b)"""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return re.search(header, file.read(), re.MULTILINE) is not None
    except OSError:
        return True


def read(path, name):
    try:
        table = parse(path)
    except NoParser:
        if not name or may_have(path, name):
            raise
        return ""
    for part in name.split(".") if name else ():
        table = table.get(part, {})
        if not isinstance(table, dict):
            raise Wrong(f"has something else than a table in [{name}]")
    pairs = list(settings(table))
    for key, value in pairs:
        if "\0" in key + value:
            raise Wrong(f"has a NUL in {key!r}")
    return "".join(f"{key}\0{value}\0" for key, value in pairs)


def write(path, name, out):
    good = True
    try:
        text = read(path, name)
    except Wrong as error:
        good, text = False, str(error)
    with os.fdopen(out, "wb") as file:
        file.write(text.encode("utf-8", "replace"))
    return good
