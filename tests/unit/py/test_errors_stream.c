#include "py/errors_stream.h"

#include "embedded.h"

static void start(void)
{
    embedded_start();
    ck_assert_int_eq(errors_init(), 0);
}

static const struct {
    const char *name, *expression;
    const char *records[4]; /* the texts, in order */
} cases[] = {
    {"a line is a record", "x.write('one\\n')", {"one"}},
    {"lines are records", "x.write('one\\ntwo\\r\\n')", {"one", "two"}},
    {"a line in parts", "(x.write('o'), x.write('ne\\ntw'), x.write('o\\n'))", {"one", "two"}},
    {"a line that does not end waits", "x.write('one')", {NULL}},
    {"until it is flushed", "(x.write('one'), x.flush(), x.flush())", {"one"}},
    {"empty lines are none", "x.write('\\n\\n\\r\\none\\n')", {"one"}},
    {"writelines", "x.writelines(['one\\n', 'two', '\\n'])", {"one", "two"}},
    {"print", "print('one', 2, file=x)", {"one 2"}},
    {"text that is no UTF-8", "x.write('\\udcff\\u00e9\\n')", {"\\udcff\xc3\xa9"}},
    {"nothing can forge a record", "x.write('a\\x1b[31m\\rb\\n')", {"a\\x1b[31m\\x0db"}},
    {"a NUL ends nothing", "x.write('a\\0b\\0\\n')", {"a\\x00b\\x00"}},
    {"format characters", "x.write('%s %n\\n')", {"%s %n"}},
    {"logging",
     "[l.addHandler(g.StreamHandler(x)) or l.error('one') for g in [__import__('logging')] for l in "
     "[g.getLogger()]]",
     {"one"}},
};

START_TEST(text_becomes_records_as_the_table_says)
{
    PyObject *errors = errors_new();
    PyObject *value = embedded_evaluate(cases[_i].expression, errors);
    ck_assert_msg(value != NULL, "%s", cases[_i].name);
    Py_DECREF(value);
    Py_DECREF(errors);

    char *log = embedded_log(), *rest = log;
    for (size_t i = 0; i < UNIT_ROWS(cases[_i].records) && cases[_i].records[i] != NULL; i++) {
        char *end = strchr(rest, '\n'), *text = strstr(rest, " error: ");
        ck_assert_msg(end != NULL && text != NULL && text < end, "%s: %s", cases[_i].name, log);
        *end = '\0';
        ck_assert_msg(strcmp(text + strlen(" error: "), cases[_i].records[i]) == 0, "%s: %s", cases[_i].name,
                      text);
        rest = end + 1;
    }
    ck_assert_msg(*rest == '\0', "%s: also %s", cases[_i].name, rest);
    free(log);
}
END_TEST

static const char *const true_expressions[] = {
    "x.write('\\u20ac\\n') == 2",
    "x.isatty() is False",
    "x.flush() is None",
};

START_TEST(it_answers_like_a_text_stream)
{
    PyObject *errors = errors_new();
    embedded_assert(true_expressions[_i], errors);
    Py_DECREF(errors);
}
END_TEST

static const char *const wrong[] = {"x.write(b'one')", "x.write(None)", "x.writelines([b'one'])",
                                    "x.writelines(1)", "type(x)()"};

START_TEST(what_is_no_text_raises_typeerror)
{
    PyObject *errors = errors_new();
    ck_assert_ptr_null(embedded_evaluate(wrong[_i], errors));
    ck_assert(PyErr_ExceptionMatches(PyExc_TypeError));
    PyErr_Clear();
    Py_DECREF(errors);
}
END_TEST

START_TEST(a_long_line_becomes_several_records)
{
    static const char *const expressions[] = {"x.write('a' * 20000 + '\\n')",
                                              "[x.write('a') for _ in range(20000)]"};
    PyObject *errors = errors_new();
    Py_XDECREF(embedded_evaluate(expressions[_i], errors));
    Py_DECREF(errors);
    errors_flush();
    char *log = embedded_log();
    ck_assert_uint_eq(embedded_count(log, " error: aaa"), 3);
    free(log);
}
END_TEST

START_TEST(what_is_written_at_the_end_of_python_is_logged)
{
    PyObject *errors = errors_new(), *b_names = PyModule_GetDict(PyImport_AddModule("__main__"));
    ck_assert_int_eq(PyDict_SetItemString(b_names, "errors", errors), 0);
    Py_DECREF(errors);
    ck_assert_int_eq(PyRun_SimpleString("import atexit\natexit.register(errors.write, 'the last words')"), 0);
    interp_stop();
    char *log = embedded_log();
    ck_assert_ptr_nonnull(strstr(log, " error: the last words\n"));
    free(log);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, start, embedded_stop);
    unit_add_rows(tests, text_becomes_records_as_the_table_says, cases);
    unit_add_rows(tests, it_answers_like_a_text_stream, true_expressions);
    unit_add_rows(tests, what_is_no_text_raises_typeerror, wrong);
    tcase_add_loop_test(tests, a_long_line_becomes_several_records, 0, 2);
    tcase_add_test(tests, what_is_written_at_the_end_of_python_is_logged);
}

int main(void)
{
    return unit_run("py/errors_stream", add);
}
