#include "py/exception.h"

#include "embedded.h"
#include "py/library.h"

static const struct {
    const char *name, *source;
    const char *expected[4];
} cases[] = {
    {"a plain one",
     "def f(): raise ValueError('no')\nf()",
     {"the app failed\nTraceback (most recent call last):\n", "in f\n", "\nValueError: no\n"}},
    {"one with a cause",
     "try: 1/0\nexcept ZeroDivisionError as e: raise KeyError('x') from e",
     {"ZeroDivisionError: ", "direct cause", "KeyError: 'x'\n"}},
    {"one that causes itself", "e = ValueError('round')\ne.__cause__ = e\nraise e", {"ValueError: round\n"}},
    {"a chain too long to format",
     "e = None\nfor i in range(100000):\n f = ValueError('link'); f.__cause__ = e; e = f\nraise e",
     {"ValueError"}},
    {"a syntax error",
     "compile('a b', 'views.py', 'exec')",
     {"File \"views.py\", line 1\n", "SyntaxError: "}},
    {"one whose __str__ raises", "class E(Exception):\n def __str__(self): raise self\nraise E", {"\nE: <"}},
    {"endless recursion", "def f(): f()\nf()", {"more times]\n", "RecursionError: "}},
    {"no memory", "raise MemoryError", {"MemoryError\n"}},
    {"exit", "raise SystemExit(3)", {"SystemExit: 3\n"}},
    {"an interrupt", "raise KeyboardInterrupt", {"KeyboardInterrupt\n"}},
    {"text that is no UTF-8", "raise ValueError('\\udcff \\u00e9')", {"ValueError: \\udcff \xc3\xa9\n"}},
    {"control characters", "raise ValueError('\\x1b[31m')", {"ValueError: \\x1b[31m\n"}},
    {"more than a record takes",
     "raise ValueError('x' * 1000000 + ' the end')",
     {"Traceback", "xxx\n  [...]\nxxx", "xxx the end\n"}},
    {"one of the application's own",
     "class A:\n class E(Exception): pass\nA.E.__module__ = 'm'\nraise A.E('no')",
     {"\nm.A.E: no\n"}},
    {"a traceback module that does not work",
     "import traceback\ndel traceback.format_exception\ndef f(): raise KeyError('x')\nf()",
     {"the app failed\nTraceback (most recent call last):\n", "line 3, in f\n", "\nKeyError: 'x'\n"}},
    {"an ast module that does not work",
     "import ast\nast.parse = None\ndef f(): return 1 + None\nf()",
     {"the app failed\nTraceback (most recent call last):\n", "line 3, in f\n", "\nTypeError: "}},
};

static void assert_is_one_record(int _i)
{
    PyObject *names = PyModule_GetDict(PyImport_AddModule("__main__"));
    ck_assert_ptr_null(PyRun_String(cases[_i].source, Py_file_input, names, names));
    exception_log("the %s failed", "app");
    ck_assert_ptr_null(PyErr_Occurred());

    char *log = embedded_log();
    ck_assert_msg(embedded_count(log, " error: the app failed") == 1, "%s: %.2000s", cases[_i].name, log);
    ck_assert_msg(strlen(log) < 40000, "%s: %zu bytes", cases[_i].name, strlen(log));
    for (size_t i = 0; i < UNIT_ROWS(cases[_i].expected) && cases[_i].expected[i] != NULL; i++)
        ck_assert_msg(strstr(log, cases[_i].expected[i]) != NULL, "%s: no \"%s\" in: %.2000s", cases[_i].name,
                      cases[_i].expected[i], log);
    free(log);
}

START_TEST(an_exception_is_one_record)
{
    assert_is_one_record(_i);
}
END_TEST

START_TEST(without_the_traceback_module_it_is_told_as_well)
{
    library_release();
    ck_assert_ptr_null(library_module("traceback"));
    assert_is_one_record(_i);
}
END_TEST

START_TEST(without_an_exception_nothing_is_logged)
{
    exception_log("nothing");
    char *log = embedded_log();
    ck_assert_str_eq(log, "");
    free(log);
}
END_TEST

START_TEST(an_exception_set_in_c_needs_no_traceback)
{
    PyErr_SetString(PyExc_RuntimeError, "from C");
    exception_log("the call");
    char *log = embedded_log();
    ck_assert_ptr_nonnull(strstr(log, " error: the call\nRuntimeError: from C\n"));
    free(log);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, embedded_start, embedded_stop);
    unit_add_rows(tests, an_exception_is_one_record, cases);
    unit_add_rows(tests, without_the_traceback_module_it_is_told_as_well, cases);
    tcase_add_test(tests, without_an_exception_nothing_is_logged);
    tcase_add_test(tests, an_exception_set_in_c_needs_no_traceback);
}

int main(void)
{
    return unit_run("py/exception", add);
}
