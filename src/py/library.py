"""Python's own library, for any names of the application's modules.

The modules that report a failure are held from a time before sys.path has the application's directories. At the failure
itself, a module token.py of the application would be imported in place of the library's, or no descriptor may be left to
open a file. The application gets the modules that `python` would give it: sys.modules does not have our module where
the application has one of that name.

Runs in each worker at its start: it is small.
"""

import os
import sys
from _frozen_importlib_external import PathFinder

LIBRARY = os.path.dirname(os.__file__)
PLACES = [LIBRARY, os.path.join(LIBRARY, "lib-dynload")]
NAMES = getattr(sys, "stdlib_module_names", None)  # since 3.10
if NAMES is None:
    NAMES = {entry.partition(".")[0] for entry in os.listdir(LIBRARY)}

held = {}  # name -> module
added = {}  # held modules and their imports that were not in sys.modules before
batches = []  # the same in order: each imports from those before it


def hold(name):
    """Imports a module of the library before the application's directories are in sys.path."""
    standard(name)


def give_way():
    """Called when the application's directories are in sys.path: the application must find its own modules."""
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
    """Calls a function while imports find only the library's modules. This affects all threads: use it at the start and at the end only."""
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
    """The names of modules from elsewhere that have the name of a library module."""
    return [name for name, module in modules.items() if name.partition(".")[0] in NAMES and not is_standard(module)]


def are_shadowed(modules):
    """Whether an import would find another module for one of them: the others may import that one."""
    return any("." not in name and is_shadowed(name, module) for name, module in modules.items())


def take_out(modules):
    for name, module in modules.items():
        if sys.modules.get(name) is module and getattr(module, "__file__", None):
            del sys.modules[name]


def is_shadowed(name, module):
    file = getattr(module, "__file__", None)
    spec = PathFinder.find_spec(name) if file else None
    return spec is not None and spec.origin != file
