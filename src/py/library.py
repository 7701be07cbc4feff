"""Python's own library, whatever names the application gives to its modules.

What is needed to tell of a failure is held from before the application's directories are in sys.path: at the failure a module
token.py of the application's would be found in the place of the library's, or there may be no descriptor left to open a file.
The application gets what `python` would give it: where it has a module of such a name, sys.modules does not have ours.

Runs in each worker at its start: it is small.
"""

import os
import sys
from _frozen_importlib_external import PathFinder

LIBRARY = os.path.dirname(os.__file__)
PLACES = [LIBRARY, os.path.join(LIBRARY, "lib-dynload")]
NAMES = getattr(sys, "stdlib_module_names", None)  # of 3.10
if NAMES is None:
    NAMES = {entry.partition(".")[0] for entry in os.listdir(LIBRARY)}

held = {}  # name -> module
added = {}  # those of them, and what they import, that were not in sys.modules before
batches = []  # the same, as they came: each imports from those before it


def hold(name):
    """Imports a module of the library, before the application's directories are in sys.path."""
    standard(name)


def give_way():
    """The application's directories are in sys.path: a module of theirs is what the application is to find."""
    for number, batch in enumerate(batches):
        if are_shadowed(batch):
            for shadowed in batches[number:]:
                take_out(shadowed)
            break


def standard(name):
    """The library's module of that name."""
    if name not in held:
        found = sys.modules.get(name)
        held[name] = found if found and is_standard(found) else undisturbed(import_module, name)
    return held[name]


def import_module(name):
    __import__(name)
    return sys.modules[name]


def undisturbed(function, *args):
    """Calls it while an import finds the library's modules alone. It does so in all threads: this is for the start, and for its end."""
    path, modules = sys.path[:], dict(sys.modules)
    for other in shadows(modules):
        del sys.modules[other]
    sys.modules.update(added)
    sys.path[:] = PLACES
    try:
        return function(*args)
    finally:
        sys.path[:] = path
        new = {known: module for known, module in sys.modules.items() if known not in modules}
        sys.modules.update(modules)
        if are_shadowed(new):
            take_out(new)
        added.update(new)
        batches.append(new)


def is_standard(module):
    file = getattr(module, "__file__", None)
    return not isinstance(file, str) or file.startswith(LIBRARY + os.sep) and "-packages" + os.sep not in file


def shadows(modules):
    """The names of modules that are not the library's, and are called like one of its own."""
    return [name for name, module in modules.items() if name.partition(".")[0] in NAMES and not is_standard(module)]


def are_shadowed(modules):
    """Whether one of them is not what an import would find: the others may import that one."""
    return any("." not in name and is_shadowed(name, module) for name, module in modules.items())


def take_out(modules):
    for name, module in modules.items():
        if sys.modules.get(name) is module and getattr(module, "__file__", None):
            del sys.modules[name]


def is_shadowed(name, module):
    file = getattr(module, "__file__", None)
    spec = PathFinder.find_spec(name) if file else None
    return spec is not None and spec.origin != file
