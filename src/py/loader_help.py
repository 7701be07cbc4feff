"""Messages about an application that does not load: hints, nearest names, tracebacks. Runs in the namespace of
loader.py.
"""

FACTORY_NAMES = ("create_app", "make_app", "create_application", "make_application", "get_wsgi_application")

IMPORTLIB = "/importlib/__init__.py"  # the file of import_module
PYTHONS_OWN = getattr(sys, "stdlib_module_names", ())  # since 3.10


def hint(*arguments):
    return "  hint: gateway " + " ".join(map(quoted, arguments))


def quoted(text):
    """Quotes a word for a shell."""
    if all(c.isalnum() or c in "_-.:/=" for c in text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"


def path_for_module(path, expression):
    return Refused(f'"{path}" is a path, not the name of a module', hint_for_path(path, expression))


def hint_for_path(path, expression=""):
    """The arguments that would have meant the file at `path`."""
    stem = os.path.normpath(path[:-3] if path.endswith(".py") else path)
    expression = expression or (callables_in_file(stem + ".py") or DEFAULT_NAMES)[0]
    directory, name = os.path.split(stem)
    if os.path.isabs(stem) or directory.startswith(".."):
        return hint("--chdir", directory, f"{name}:{expression}")
    return hint(f"{stem.replace('/', '.')}:{expression}")


def missing_module(name, error):
    lines = ["  looked in: " + ", ".join(dict.fromkeys(str(place) for place in sys.path))]
    if name.endswith(".py") and error.name == name:  # the part before the suffix was found
        lines.append(hint_for_path(name))
    else:
        nearest = near(name.removesuffix(".py"), modules_here())
        found = [(file, callables_in_file(file)) for file in files_here()]
        found = [(file, names) for file, names in found if names]
        if nearest:
            names = callables_in_file(nearest[0] + ".py") or ["application"]
            lines.append(f"  did you mean {nearest[0]}:{names[0]}?")
        if found:
            files = ", ".join(f"{file} ({', '.join(names)})" for file, names in found[:8])
            lines.append("  hint: files here that define a WSGI callable: " + files)
    return Refused(f'cannot import "{name}": {first_line(error)}', *lines)


def files_here():
    return files_in(".")


def files_in(place):
    try:
        files = (entry.name for entry in os.scandir(place) if entry.name.endswith(".py") and entry.is_file())
        return sorted(files)[:100]
    except OSError:
        return []


def modules_here():
    try:
        packages = [entry.name for entry in os.scandir(".") if os.path.exists(entry.path + "/__init__.py")]
    except OSError:
        packages = []
    return [file[:-3] for file in files_here()] + packages


def callables_in_file(path):
    """The names in a source file, not imported, that look like an application."""
    re = standard("re")
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            source = file.read(1 << 18)
    except OSError:
        return []
    names, factories = "|".join(DEFAULT_NAMES), "|".join(FACTORY_NAMES)
    pattern = rf"^(?:({names})\s*(?::[^=\n]+)?=(?!=)|(?:def|class)\s+({names})\b|def\s+({factories})\b)"
    found = re.findall(pattern, source, re.MULTILINE)
    return list(dict.fromkeys(assigned or defined or factory + "()" for assigned, defined, factory in found))


def missing_attribute(module, name, *wanted):
    known = possible_callables(module)
    nearest = near(wanted[0], [other for other in vars(module) if not other.startswith("__")])
    sentence = f"{file_of(module, name)} has no " + " or ".join(f'"{one}"' for one in wanted)
    if known:
        sentence += "; it does have: " + ", ".join(known[:8])
    elif nearest:
        sentence += "; did you mean " + ", ".join(nearest) + "?"
    best = [other for other in known if other.rstrip("()") in nearest] or known[:1]
    return Refused(sentence, *([hint(f"{name}:{other}") for other in best[:1]] or in_package(module, name)))


def in_package(module, name):
    """A hint about a package that was named in place of a module in it."""
    for place in getattr(module, "__path__", ()):
        found = {file[:-3]: callables_in_file(os.path.join(place, file)) for file in files_in(place)}
        known = [f"{name}.{inner}:{names[0]}" for inner, names in found.items() if names]
        if known:
            return [f"  it is a package; in it there is {', '.join(known[:8])}", hint(known[0])]
    return []


def file_of(module, name):
    """The name of a module in a message: "app.py", or its path outside the working directory, which may be a surprise."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return f'module "{name}"'
    shown = short(file)
    return shown if not os.path.isabs(shown) else f'module "{name}" ({shown})'


def short(path):
    here = os.path.join(os.getcwd(), "")
    return path[len(here):] if path.startswith(here) else path


def near(name, names):
    try:
        return standard("difflib").get_close_matches(name, names, 3)
    except Exception:  # for example, no descriptor is left for the import
        return []


def possible_callables(module):
    """The names in a module that the user may have meant; factories with "()"."""
    names, factories = [], []
    for name, value in vars(module).items():
        if name.startswith("_") or not callable(value) or isinstance(value, type):
            continue
        function, bound = function_of(value)
        if function is None or (function is value and value.__module__ != module.__name__):
            continue
        required, most, _ = arguments_of(function, bound)
        if required <= 2 <= most:
            names.append(name)
        elif function is value and required == 0:
            factories.append(name + "()")
    return names + factories


def inside(target):
    """A hint about a module that was named in place of the application in it; not about Python's own modules."""
    if type(target) is not type(sys) or target.__name__.partition(".")[0] in PYTHONS_OWN:
        return []
    return [hint(f"{target.__name__}:{name}") for name in possible_callables(target)[:1]]


def failure(what, error):
    """The application's exception while it was loaded, with its own frames only."""
    kind = type(error).__name__
    if isinstance(error, SyntaxError) and isinstance(error.filename, str) and os.path.exists(error.filename):
        sentence = f"{short(error.filename)}:{error.lineno}: {kind}: {error.msg}"
    elif isinstance(error, SystemExit):
        status = 0 if error.code is None else error.code if isinstance(error.code, int) else 1
        sentence = f"{what} exited at import with status {status}"
        if not isinstance(error.code, (int, type(None))):
            sentence += f": {first_line(error.code)}"
    else:
        text = first_line(error)
        sentence = f"{what} raised {kind} while loading" + (f": {text}" if text else "")
    return Refused(sentence, *formatted(error), *clues(what, error))


def clues(what, error):
    """An explanation that the exception itself lacks."""
    text = first_line(error)
    for clue in (cycle_clue, library_clue, settings_clue):
        try:
            if lines := clue(what, error, text):
                return lines
        except Exception:
            pass  # an exception of the application that resembles another
    return []


def cycle_clue(what, error, text):
    """Modules that import each other, while one needs a name that the other has not defined yet."""
    _, partial, rest = text.partition("partially initialized module '")
    inside = "/" + rest.partition("'")[0].replace(".", "/")
    files = module_frames(error.__traceback__)
    first = [file for file in files if file.endswith((inside + ".py", inside + "/__init__.py"))]
    if not partial or not first:
        return []
    ring = " -> ".join(map(short, [*files[files.index(first[0]):], first[0]]))
    return [f"  hint: these import one another: {ring}", "  import in a function instead, or move what both need to a third"]


def module_frames(trace):
    files = []
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_name == "<module>" and is_own(code.co_filename):
            files.append(code.co_filename)
        trace = trace.tb_next
    return files


def library_clue(what, error, text):
    """An extension module whose shared library is missing: the dynamic linker names only the library."""
    library, colon, _ = text.partition(": cannot open shared object file")
    path = getattr(error, "path", None)
    if not colon or not isinstance(error, ImportError) or not path or library == path:
        return []
    return [f"  hint: {short(path)} needs the library {library}, which is not installed; ldd tells what else it needs"]


def settings_clue(what, error, text):
    """Django without settings, or with the name of settings that do not exist."""
    if type(error).__name__ == "ImproperlyConfigured" and "DJANGO_SETTINGS_MODULE" in text:
        sentence = "  hint: Django's settings are missing"
    elif isinstance(error, ModuleNotFoundError) and is_part(error.name, os.environ.get("DJANGO_SETTINGS_MODULE")):
        sentence = f'  hint: DJANGO_SETTINGS_MODULE is "{os.environ["DJANGO_SETTINGS_MODULE"]}", which is not in sys.path'
    else:
        return []
    directories = sorted(entry.name for entry in os.scandir(".") if os.path.exists(entry.path + "/settings.py"))
    found = [f"{name}.settings" for name in directories] + ["settings"] * os.path.exists("settings.py")
    if not found:
        return [sentence + "; --chdir or --pythonpath leads to the directory with manage.py"]
    return [sentence, hint("--env", f"DJANGO_SETTINGS_MODULE={found[0]}", what)]


def is_part(name, whole):
    return name is not None and whole is not None and f"{whole}.".startswith(f"{name}.")


def formatted(error):
    """The lines of the traceback without the frames of the import machinery."""
    try:
        return undisturbed(traceback_lines, error)
    except Exception as second:
        return [f"  (its traceback cannot be shown: {type(second).__name__})"]


def traceback_lines(error):
    shown = standard("traceback").TracebackException(type(error), error, error.__traceback__)
    strip(shown, set())
    if isinstance(error, SyntaxError) and not shown.stack:
        lines = [line for line in shown.format_exception_only() if line.startswith("    ")]
    else:
        lines = shown.format()
    return "".join(lines).rstrip("\n").split("\n")


def strip(shown, seen):
    if shown is None or id(shown) in seen:
        return
    seen.add(id(shown))
    shown.stack[:] = [frame for frame in shown.stack if is_own(frame.filename)]
    strip(shown.__cause__, seen)
    strip(shown.__context__, seen)
    for inner in getattr(shown, "exceptions", None) or ():
        strip(inner, seen)


def own_frames(trace):
    while trace is not None:
        if is_own(trace.tb_frame.f_code.co_filename):
            return True
        trace = trace.tb_next
    return False


def is_own(filename):
    return filename != OWN_FILE and not filename.startswith("<frozen importlib") and not filename.endswith(IMPORTLIB)


def is_missing(error, name):
    """Whether the module itself or its package is missing, and not a module that it imports."""
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return False
    return f"{name}.".startswith(f"{error.name}.") and not own_frames(error.__traceback__)


def first_line(value):
    try:
        line = str(value).strip().partition("\n")[0]
    except BaseException:
        return "(its text cannot be shown)"
    return line if len(line) <= 300 else line[:300] + "..."
