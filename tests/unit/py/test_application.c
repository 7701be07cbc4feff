#include "py/application.h"

#include "base/log.h"
#include "embedded.h"
#include "py/application_object.h"

#define WSGI "(environ, start_response): return []\n"

/* Applications that load; `app.py` is `source`. */
static const struct {
    const char *name, *source, *spec;
    const char *check; /* true of x, the callable */
} loaded[] = {
    {"the callable that is named", "def hello" WSGI, "app:hello", "x.__name__ == 'hello'"},
    {"application is the default", "def app" WSGI "def application" WSGI, "app",
     "x.__name__ == 'application'"},
    {"app is the second default", "def app" WSGI, "app", "x.__name__ == 'app'"},
    {"attributes of attributes", "class a:\n class b:\n  @staticmethod\n  def c" WSGI, "app:a.b.c",
     "x.__name__ == 'c'"},
    {"a factory", "def make():\n def made" WSGI " return made", "app:make()", "x.__name__ == 'made'"},
    {"a factory with literal arguments",
     "def make(a, b, *, key):\n def made" WSGI " made.got = a, b, key\n return made",
     "app:make(\"it's\", -1, key=[None, {'a': (1.5, True)}])",
     "x.got == (\"it's\", -1, [None, {'a': (1.5, True)}])"},
    {"an instance with __call__", "class A:\n def __call__(self, e, s): return []\napp = A()", "app",
     "type(x).__name__ == 'A'"},
    {"a static __call__", "class A:\n @staticmethod\n def __call__(e, s): return []\napp = A()", "app", "x"},
    {"a class that is called for each request", "class app:\n def __init__(self, e, s): pass\n", "app", "x"},
    {"a bound method", "class A:\n def run(self, e, s): return []\na = A()", "app:a.run", "x"},
    {"any arguments", "def app(*args, **kwargs): return []", "app", "x"},
    {"more arguments with defaults", "def app(environ, start_response, more=None): return []", "app", "x"},
    {"a partial", "import functools\napp = functools.partial(lambda a, e, s: [], 1)", "app", "x"},
    {"a builtin", "app = print", "app", "x is print"},
    {"an object that raises on unknown attributes",
     "class A:\n def __getattr__(self, name): raise RuntimeError(name)\n def __call__(self, e, s): return "
     "[]\napp = A()",
     "app", "x"},
};

START_TEST(what_is_an_application_loads)
{
    embedded_write("app.py", loaded[_i].source);
    struct application *application = application_load(loaded[_i].spec, LOG_WARNING);
    char *log = embedded_log();
    ck_assert_msg(application != NULL, "%s: %s", loaded[_i].name, log);
    ck_assert_msg(log[0] == '\0', "%s: %s", loaded[_i].name, log);
    embedded_assert(loaded[_i].check, application->callable);
    ck_assert_ptr_null(PyErr_Occurred());
    free(log);
}
END_TEST

/* Applications that do not load: parts of the record, and text that must not be in it. */
static const struct {
    const char *name, *source, *spec;
    const char *expected[4];
    const char *absent;
} refused[] = {
    {"no such module",
     "def application" WSGI,
     "nosuch",
     {"cannot import \"nosuch\": No module named 'nosuch'\n", "  looked in: /", "app.py (application)"},
     "Traceback"},
    {"the nearest module", "app = print", "appp:app", {"did you mean app:app?"}, NULL},
    {"no such module in a package",
     "",
     "os.nosuch:app",
     {"cannot import \"os.nosuch\": No module named 'os.nosuch'"},
     NULL},
    {"a module that the application imports",
     "import nosuch\n",
     "app",
     {"app raised ModuleNotFoundError while loading: No module named 'nosuch'\nTraceback",
      "app.py\", line 1, in <module>\n"},
     "importlib"},
    {"the module's own name, imported by itself",
     "import app.app\n",
     "app",
     {"app raised ModuleNotFoundError"},
     NULL},
    {"a file name",
     "def hello(): pass\napp: object = hello\n",
     "app.py",
     {"\"app.py\" is a path, not the name of a module\n  hint: gateway app:app\n"},
     NULL},
    {"a file name and a callable", "", "app.py:hello", {"  hint: gateway app:hello\n"}, NULL},
    {"a path",
     "",
     "sub/app.py",
     {"\"sub/app.py\" is a path, not the name of a module\n  hint: gateway sub.app:application\n"},
     NULL},
    {"a path from the root",
     "",
     "/srv/site/wsgi.py:app",
     {"hint: gateway --chdir /srv/site wsgi:app\n"},
     NULL},
    {"a file name that is not there",
     "app = 1",
     "ap.py",
     {"No module named 'ap'", "did you mean app:app?"},
     NULL},
    {"the file name of a module found elsewhere", "", "json.py", {"hint: gateway json:application\n"}, NULL},
    {"no module", "", ":app", {"\":app\" names no module"}, NULL},
    {"no callable", "", "app:", {"\"app:\" names no callable"}, NULL},
    {"an empty part", "", "app..b:c", {"names no module"}, NULL},
    {"no such attribute",
     "def hello" WSGI "def make_hello(): pass\n",
     "app:helo",
     {"app.py has no \"helo\"; it does have: hello, make_hello()\n  hint: gateway app:hello\n"},
     NULL},
    {"a factory is all there is",
     "def make_app(): pass\n",
     "app",
     {"app.py has no \"application\" or \"app\"; it does have: make_app()\n  hint: gateway "
      "'app:make_app()'\n"},
     NULL},
    {"nothing that could be meant", "x = 1\n", "app", {"app.py has no \"application\" or \"app\"\n"}, NULL},
    {"imported functions are not offered", "from os.path import join\n", "app", {"or \"app\"\n"}, "join"},
    {"a module of another place",
     "",
     "json",
     {"module \"json\" (/", "json/__init__.py) has no \"application\" or \"app\""},
     NULL},
    {"a module without a file", "", "sys:app", {"module \"sys\" has no \"app\""}, NULL},
    {"no such attribute of an attribute",
     "class a:\n b = print\n",
     "app:a.bb",
     {"app:a has no \"bb\"; did you mean b?"},
     NULL},
    {"not callable", "app = 1", "app:app", {"app:app is an int, not callable\n"}, NULL},
    {"None", "app = None", "app", {"app:app is None, not callable\n"}, NULL},
    {"a module in the place of its callable",
     "import sub as app",
     "app:app",
     {"app:app is a module, not callable\n  hint: gateway sub:hello\n"},
     NULL},
    {"an async function",
     "async def app(scope, receive, send): pass",
     "app",
     {"app:app is an async function: gateway speaks WSGI, not ASGI\n"},
     NULL},
    {"an async instance",
     "class FastAPI:\n async def __call__(self, scope, receive, send): pass\napp = FastAPI()",
     "app",
     {"app:app is a FastAPI, which is async: gateway speaks WSGI, not ASGI\n"},
     NULL},
    {"an ASGI function",
     "def app(scope, receive, send): pass",
     "app",
     {"app:app is an ASGI application (scope, receive, send): gateway speaks WSGI, not ASGI\n"},
     NULL},
    {"an ASGI 2 function", "def app(scope): pass", "app", {"not ASGI\n"}, NULL},
    {"an async factory",
     "async def make(): pass",
     "app:make()",
     {"app:make() returned a coroutine, not a callable\n"},
     "never awaited"},
    {"a factory that was not called",
     "def make(): pass",
     "app:make",
     {"app:make takes no environ and start_response: it looks like a factory\n  hint: gateway "
      "'app:make()'\n"},
     NULL},
    {"a class that was not called",
     "class App:\n def __call__(self, e, s): return []\n",
     "app:App",
     {"app:App is a class that takes no arguments: is it to be called?\n  hint: gateway 'app:App()'\n"},
     NULL},
    {"one argument",
     "def app(request): pass",
     "app",
     {"app:app takes 1 argument (request); a WSGI application takes two"},
     NULL},
    {"three arguments", "def app(a, b, c): pass", "app", {"app:app takes 3 arguments (a, b, c);"}, NULL},
    {"a factory that makes nothing",
     "def make(): pass",
     "app:make()",
     {"app:make() returned None, not a callable\n"},
     NULL},
    {"a factory that is none", "make = 1", "app:make()", {"app:make is an int, not callable\n"}, NULL},
    {"a factory that raises",
     "def make():\n raise KeyError('db')\n",
     "app:make()",
     {"app:make() raised KeyError while loading: 'db'\nTraceback", "line 2, in make\n"},
     "<gateway>"},
    {"a factory without an argument it needs",
     "def make(x): pass\n",
     "app:make()",
     {"app:make() raised TypeError while loading: make() missing 1 required"},
     "<gateway>"},
    {"arguments that are not literals",
     "",
     "app:make(open('x'))",
     {"the arguments in \"make(open('x'))\" must be literals"},
     NULL},
    {"starred arguments", "", "app:make(**{'a': 1})", {"must be literals"}, NULL},
    {"neither a name nor a call",
     "",
     "app:a[0]",
     {"\"a[0]\" in \"app:a[0]\" is neither a name nor a call"},
     NULL},
    {"a call that does not end", "", "app:make(", {"neither a name nor a call"}, NULL},
    {"a call of a call", "", "app:make()()", {"neither a name nor a call"}, NULL},
    {"the application's own exception",
     "import sub\nsub.fail()\n",
     "app:app",
     {"app:app raised RuntimeError while loading: db down\nTraceback (most recent call last):\n  File \"/",
      "app.py\", line 2, in <module>\n", "sub.py\", line 2, in fail\n", "RuntimeError: db down\n"},
     "frozen"},
    {"an exception with a cause",
     "try:\n import nosuch\nexcept ImportError as e:\n raise ValueError() from e\n",
     "app",
     {"app raised ValueError while loading\n", "No module named 'nosuch'", "direct cause"},
     "frozen"},
    {"a syntax error",
     "x = 1\nretrun 1 2\n",
     "app:app",
     {"app.py:2: SyntaxError: invalid syntax\n    retrun 1 2\n", "    ^"},
     "Traceback"},
    {"an indentation error",
     "def f():\nx\n",
     "app",
     {"app.py:2: IndentationError: expected an indented block"},
     NULL},
    {"a syntax error in what is imported",
     "import bad\n",
     "app",
     {"bad.py:1: SyntaxError: ", "app.py\", line 1, in <module>\n"},
     "frozen"},
    {"a source that is not UTF-8", "x = '\xff'\n", "app", {"SyntaxError: "}, NULL},
    {"exit at import",
     "import sys\nsys.exit(7)\n",
     "app:app",
     {"app:app exited at import with status 7\n", "line 2"},
     NULL},
    {"exit with a text",
     "raise SystemExit('no settings')",
     "app",
     {"app exited at import with status 1: no settings\n"},
     NULL},
    {"exit without a status", "raise SystemExit", "app", {"app exited at import with status 0\n"}, NULL},
    {"an interrupt",
     "raise KeyboardInterrupt",
     "app",
     {"app raised KeyboardInterrupt while loading\n"},
     NULL},
    {"any BaseException",
     "class E(BaseException): pass\nraise E('x')",
     "app",
     {"app raised E while loading: x\n"},
     NULL},
    {"an exception that cannot be shown",
     "class E(Exception):\n def __str__(self): raise self\nraise E",
     "app",
     {"app raised E while loading: (its text cannot be shown)\n"},
     NULL},
    {"endless recursion",
     "def f(): f()\nf()\n",
     "app",
     {"app raised RecursionError while loading: ", "more times]"},
     NULL},
    {"text that is no UTF-8", "raise ValueError('\\udcff')\n", "app", {"while loading: \\udcff\n"}, NULL},
    {"a raising module attribute",
     "def __getattr__(name): raise OSError(name)\n",
     "app:app",
     {"app:app raised OSError while loading: app\n"},
     NULL},
};

START_TEST(what_does_not_load_is_explained_in_one_record)
{
    embedded_write("app.py", refused[_i].source);
    embedded_write("bad.py", "a b\n");
    embedded_write("sub.py", "def fail():\n raise RuntimeError('db down')\ndef hello" WSGI);
    struct application *application = application_load(refused[_i].spec, LOG_WARNING);
    char *log = embedded_log();

    ck_assert_msg(application == NULL, "%s: loaded", refused[_i].name);
    ck_assert_msg(embedded_count(log, " error: ") == 1, "%s: not one record: %s", refused[_i].name, log);
    for (size_t i = 0; i < UNIT_ROWS(refused[_i].expected) && refused[_i].expected[i] != NULL; i++)
        ck_assert_msg(strstr(log, refused[_i].expected[i]) != NULL, "%s: no \"%s\" in: %s", refused[_i].name,
                      refused[_i].expected[i], log);
    if (refused[_i].absent != NULL)
        ck_assert_msg(strstr(log, refused[_i].absent) == NULL, "%s: %s in: %s", refused[_i].name,
                      refused[_i].absent, log);
    ck_assert_msg(strstr(log, "<gateway>") == NULL, "%s: a frame of the loader in: %s", refused[_i].name,
                  log);
    ck_assert_ptr_null(PyErr_Occurred());
    free(log);
}
END_TEST

START_TEST(what_may_be_a_factory_loads_with_a_warning)
{
    embedded_write("app.py", "def make(config=None, debug=False): return print\n");
    ck_assert_ptr_nonnull(application_load("app:make", LOG_WARNING));
    char *log = embedded_log();
    ck_assert_ptr_nonnull(
        strstr(log, " warning: app:make needs no arguments: if it is a factory, write app:make()\n"));
    free(log);
}
END_TEST

START_TEST(nothing_holds_an_application_that_was_freed)
{
    embedded_write("app.py", "def application(environ, start_response): pass\n");
    struct application *application = application_load("app", LOG_WARNING);
    ck_assert_ptr_nonnull(application);
    ck_assert_int_eq(
        PyRun_SimpleString("import gc, sys, weakref\nkept = weakref.ref(sys.modules.pop('app').application)"),
        0);
    application_free(application);
    ck_assert_int_eq(PyRun_SimpleString("gc.collect()\nassert kept() is None"), 0);
    application_free(NULL);
}
END_TEST

START_TEST(settling_freezes_what_is_loaded)
{
    application_freeze();
    embedded_assert("__import__('gc').get_freeze_count() > 1000", NULL);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, embedded_start, embedded_stop);
    unit_add_rows(tests, what_is_an_application_loads, loaded);
    unit_add_rows(tests, what_does_not_load_is_explained_in_one_record, refused);
    tcase_add_test(tests, what_may_be_a_factory_loads_with_a_warning);
    tcase_add_test(tests, nothing_holds_an_application_that_was_freed);
    tcase_add_test(tests, settling_freezes_what_is_loaded);
}

int main(void)
{
    return unit_run("py/application", add);
}
