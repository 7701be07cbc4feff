"""Finds, imports and checks the application that the command line names. Messages about an application that does
not load are in loader_help.py (HELP_SOURCE), which shares the names of this file. standard and undisturbed come from
library.py: the application may have a module with the name of one in Python's library.

Both files are embedded in the program and run inside each worker, with Python 3.9 and later. Start-up time matters:
code that only a failure needs is compiled and imported after a failure.

load(spec) -> (callable, "" or a warning, "" or details)
           -> (None, one sentence about the mistake, "" or details)
"""

import os
import sys

DEFAULT_NAMES = ("application", "app")
ASGI_NAMES = ("scope", "receive", "send")
OWN_FILE = "<gateway>"  # the file name of this source

# Constants of inspect, whose import takes milliseconds.
VARARGS, COROUTINE, ASYNC_GENERATOR = 0x04, 0x80, 0x200


class Refused(Exception):
    """A mistake: a sentence, and lines that explain it."""

    def __init__(self, sentence, *lines):
        self.sentence, self.lines = sentence, lines


def explain(function, *args):
    """Calls a function of loader_help.py, which is compiled at its first use."""
    if function not in globals():
        exec(compile(HELP_SOURCE, OWN_FILE, "exec"), globals())
    return globals()[function](*args)


def load(spec):
    process = os.getpid()
    try:
        target, warning = find(spec)
        return target, warning, ""
    except Refused as refused:
        if os.getpid() != process:  # in a child that the import has forked, an exception ends the child
            raise (refused.__context__ or refused) from None
        return None, refused.sentence, "\n".join(refused.lines)


def find(spec):
    name, colon, expression = (part.strip() for part in spec.partition(":"))
    check_module_name(spec, name, expression)
    if colon and not expression:
        raise Refused(f'"{spec}" names no callable: write MODULE:CALLABLE, for example {name}:application')
    path, call = parse_expression(spec, expression) if colon else (None, None)

    module = import_module(spec, name)
    if not colon:
        spec, target = default_callable(module, name)
    else:
        target = look_up(module, name, path)
    if call is not None:
        target = call_factory(spec, target, *call)
    warnings = check_callable(spec, target, call is not None), debug_warning(), greenlets_warning()
    return target, "; ".join(filter(None, warnings))


def debug_warning():
    """Django's pages for errors show settings, source and variables to any client."""
    settings = getattr(sys.modules.get("django.conf"), "settings", None)
    try:
        debug = settings is not None and settings.configured and settings.DEBUG
    except Exception:
        return ""
    return "Django's DEBUG is on: clients see tracebacks and variables when something fails" if debug else ""


# The place where each library records its replacements in Python's library.
PATCHES = {"gevent": ("gevent.monkey", "saved"), "eventlet": ("eventlet.patcher", "already_patched")}


def greenlets_warning():
    """Calls run in threads: patches for greenlets have no use there."""
    for name, (module, patched) in PATCHES.items():
        if getattr(sys.modules.get(module), patched, None):
            return (
                f"{name} has patched Python's library for greenlets, but each call here has a thread: what the application spawns "
                "runs only while a call waits, and a call that waits keeps its thread from the next; leave out the patch, and "
                "set --threads for more calls at once"
            )
    return ""


def check_module_name(spec, name, expression):
    if "/" in name or (name.endswith(".py") and os.path.exists(name)):
        raise explain("path_for_module", name, expression)
    if not all(name.split(".")):
        raise Refused(f'"{spec}" names no module: write MODULE:CALLABLE, for example app:application')


def parse_expression(spec, expression):
    """("a.b", None), or ("a.b", (args, kwargs)) for a call with literal arguments."""
    if is_dotted(expression):
        return expression, None
    ast = standard("ast")
    try:
        node = ast.parse(expression, mode="eval").body
        path = ast.unparse(node.func)
        if not is_dotted(path):
            raise ValueError
    except (SyntaxError, ValueError, AttributeError, MemoryError, RecursionError):
        raise Refused(
            f'"{expression}" in "{spec}" is neither a name nor a call: write NAME, NAME.NAME, FACTORY() or '
            'FACTORY("argument", key=1)'
        ) from None
    try:
        args = [ast.literal_eval(argument) for argument in node.args]
        kwargs = {keyword.arg: ast.literal_eval(keyword.value) for keyword in node.keywords}
        if None in kwargs:  # **kwargs
            raise ValueError
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise Refused(
            f'the arguments in "{expression}" must be literals: strings, numbers, True, False, None, '
            "and lists, tuples and dicts of them"
        ) from None
    return path, (args, kwargs)


def is_dotted(text):
    return all(part.isidentifier() for part in text.split("."))


def import_module(spec, name):
    try:
        __import__(name)
        return sys.modules[name]
    except BaseException as error:
        if not explain("is_missing", error, name):
            raise explain("failure", spec, error) from None
        raise explain("missing_module", name, error) from None


def default_callable(module, name):
    for path in DEFAULT_NAMES:
        found, value = attribute(module, path, f"{name}:{path}")
        if found:
            return f"{name}:{path}", value
    raise explain("missing_attribute", module, name, *DEFAULT_NAMES)


def look_up(module, name, path):
    target, walked = module, name
    for part in path.split("."):
        found, value = attribute(target, part, f"{name}:{path}")
        if not found and target is module:
            raise explain("missing_attribute", module, name, part)
        if not found:
            names = explain("near", part, [known for known in dir(target) if not known.startswith("_")])
            question = f"; did you mean {', '.join(names)}?" if names else ""
            raise Refused(f'{walked} has no "{part}"{question}')
        walked += (":" if target is module else ".") + part
        target = value
    return target


def attribute(target, name, what):
    """(True, value) or (False, None)."""
    try:
        return True, getattr(target, name)
    except AttributeError:
        return False, None
    except BaseException as error:
        raise explain("failure", what, error) from None


def call_factory(spec, target, args, kwargs):
    if not callable(target):
        raise Refused(f"{spec.partition('(')[0]} is {described(target)}, not callable")
    try:
        return target(*args, **kwargs)
    except BaseException as error:
        raise explain("failure", spec, error) from None


def check_callable(what, target, made):
    """Refuses an object that cannot be an application. "", or a warning about one that probably is none."""
    verb = "returned" if made else "is"
    if type(target).__name__ == "coroutine":
        target.close()  # otherwise Python warns that it was never awaited
    if not callable(target):
        sentence = f"{what} {verb} {described(target)}, not {'a ' if made else ''}callable"
        raise Refused(sentence, *explain("inside", target))
    function, bound = function_of(target)
    if function is None:
        if takes_nothing(target):
            sentence = f"{what} {verb} a class that takes no arguments: is it to be called?"
            raise Refused(sentence, explain("hint", f"{what}()"))
        return ""
    if function.__code__.co_flags & (COROUTINE | ASYNC_GENERATOR):
        kind = "an async function" if function is target else f"{described(target)}, which is async"
        raise Refused(f"{what} {verb} {kind}: gateway speaks WSGI, not ASGI")
    return check_arguments(what, verb, function, bound)


def check_arguments(what, verb, function, bound):
    required, most, names = arguments_of(function, bound)
    listed = ", ".join(names)
    if names[:3] == ASGI_NAMES or (names[:1] == ("scope",) and most < 2):
        raise Refused(f"{what} {verb} an ASGI application ({listed}): gateway speaks WSGI, not ASGI")
    if required == 0 and most < 2:
        sentence = f"{what} takes no environ and start_response: it looks like a factory"
        raise Refused(sentence, *([explain("hint", f"{what}()")] if verb == "is" else []))
    if not required <= 2 <= most:
        raise Refused(
            f"{what} takes {required} argument{'s' if required != 1 else ''} ({listed}); "
            "a WSGI application takes two: environ and start_response"
        )
    if required == 0 and names and verb == "is" and "env" not in names[0]:
        return f"{what} needs no arguments: if it is a factory, write {what}()"
    return ""


def takes_nothing(target):
    return type(target) is type and target.__init__ is object.__init__ and target.__new__ is object.__new__


def function_of(target):
    """The Python function that runs when `target` is called, and the number of arguments beyond those of the call;
    (None, 0) when there is none, or when it is not easily found."""
    kind = type(target)
    if kind is type(load):
        return target, 0
    if kind.__name__ == "method" and type(getattr(target, "__func__", None)) is type(load):
        return target.__func__, 1
    if kind is type:
        return in_class(target, "__init__")
    return in_class(kind, "__call__") if not issubclass(kind, type) else (None, 0)


def in_class(kind, name):
    for base in kind.__mro__:
        if name == "__init__" and "__new__" in vars(base) and base is not object:
            break
        if name in vars(base):
            value = vars(base)[name]
            return (value, 1) if type(value) is type(load) else (None, 0)
    return None, 0


def arguments_of(function, bound):
    """The positional arguments of a call: the number needed, the number accepted, their names."""
    code = function.__code__
    required = code.co_argcount - len(function.__defaults__ or ()) - bound
    most = 255 if code.co_flags & VARARGS else code.co_argcount - bound
    return max(required, 0), most, code.co_varnames[bound:code.co_argcount]


def described(value):
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
