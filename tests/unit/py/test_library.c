/*
 * Modules of Python's library: held from the start, even if the application has modules of the same
 * names, which it still gets.
 */
#include "py/library.h"

#include "embedded.h"

/* An expression is evaluated in a process whose working directory has a module of that name. */
static const struct {
    const char *shadow; /* a file in the working directory; NULL: none */
    const char *fact;   /* with x: the function standard() */
} cases[] = {
    {NULL, "x('traceback') is __import__('traceback')"},
    {NULL, "x('difflib') is __import__('difflib')"},
    {NULL, "__import__('ast') is x('ast')"},
    {NULL, "x('threading') is __import__('threading')"},
    {"token.py", "x('threading') is __import__('threading')"},
    {"_weakrefset.py", "hasattr(x('threading'), 'Thread')"},
    {"token.py", "hasattr(x('token'), 'EXACT_TOKEN_TYPES')"},
    {"token.py", "__import__('token').whose == 'ours'"},
    {"token.py", "x('tokenize').tok_name[1] == 'NAME' and 'tokenize' not in __import__('sys').modules"},
    {"traceback.py",
     "__import__('traceback').whose == 'ours' and hasattr(x('traceback'), 'format_exception')"},
    {"difflib.py", "hasattr(x('difflib'), 'SequenceMatcher') and __import__('difflib').whose == 'ours'"},
    {"difflib.py", "__import__('difflib').whose == 'ours' and hasattr(x('difflib'), 'SequenceMatcher')"},
    {"heapq.py", "hasattr(x('difflib'), 'SequenceMatcher') and __import__('heapq').whose == 'ours'"},
    {"heapq.py",
     "__import__('heapq').whose == 'ours' and x('difflib') and __import__('heapq').whose == 'ours'"},
    {"heapq.py", "x('difflib') and __import__('sys').path[0] == __import__('os').getcwd()"},
};

START_TEST(each_has_its_own)
{
    const struct options options = {0};
    unsetenv("VIRTUAL_ENV");
    embedded_enter_directory();
    if (cases[_i].shadow != NULL)
        embedded_write(cases[_i].shadow, "whose = 'ours'\n");
    ck_assert_int_eq(interp_start(&options), 0);
    PyObject *standard = library_function("standard");
    embedded_assert(cases[_i].fact, standard);
    Py_DECREF(standard);
    embedded_stop();
}
END_TEST

START_TEST(what_is_not_there_is_an_exception)
{
    embedded_start();
    PyObject *standard = library_function("standard");
    ck_assert_ptr_null(embedded_evaluate("x('no_such_module')", standard));
    ck_assert(PyErr_ExceptionMatches(PyExc_ModuleNotFoundError));
    PyErr_Clear();
    embedded_assert("__import__('sys').path[0] == __import__('os').getcwd()", NULL);
    Py_DECREF(standard);
    embedded_stop();
}
END_TEST

START_TEST(what_was_released_is_not_there)
{
    embedded_start();
    PyObject *traceback = library_module("traceback");
    ck_assert_ptr_nonnull(traceback);
    Py_DECREF(traceback);
    ck_assert_ptr_null(library_module("no_such_module"));
    library_release();
    ck_assert_ptr_null(library_module("traceback"));
    ck_assert_ptr_null(library_function("standard"));
    ck_assert(PyErr_ExceptionMatches(PyExc_ImportError));
    PyErr_Clear();
    embedded_stop();
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, each_has_its_own, cases);
    tcase_add_test(tests, what_is_not_there_is_an_exception);
    tcase_add_test(tests, what_was_released_is_not_there);
}

int main(void)
{
    return unit_run("py/library", add);
}
