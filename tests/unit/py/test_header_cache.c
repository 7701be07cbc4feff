/*
 * The cache of header tuples: the tuples that it keeps, and those that it refuses. A kept line has
 * the same text as the tuple.
 */
#include "py/header_cache.h"

#include "fake_call.h"

/* Adds x[0] to a fresh response. Returns the lines after the status line, or NULL with an
 * exception. The caller frees them. */
static char *add_once(PyObject *pair)
{
    struct response response;
    response_init(&response);
    ck_assert_ptr_null(response_start(&response, SLICE("200 OK")));
    size_t start = response.size;
    char *lines = NULL;
    if (header_cache_add(&response, pair) == 0)
        lines = xstrndup(response.head + start, response.size - start);
    response_fini(&response);
    return lines;
}

static const struct {
    const char *name, *pair; /* a Python expression */
    const char *line;        /* NULL: refused */
    bool kept;
} cases[] = {
    {"a constant", "('Name', 'value')", "Name: value\r\n", true},
    {"an empty value", "('Name', '')", "Name: \r\n", true},
    {"blanks around the value", "('Name', '  a b ')", "Name: a b\r\n", true},
    {"latin-1", "('Name', 'caf\\xe9')", "Name: caf\xe9\r\n", true},
    {"Content-Length", "('Content-Length', '5')", "Content-Length: 5\r\n", true},
    {"as long as the cache takes", "('Name', 'v' * 96)",
     "Name: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"
     "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv\r\n",
     true},
    {"one byte longer", "('Name', 'v' * 97)",
     "Name: vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"
     "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv\r\n",
     false},
    {"a subclass of tuple", "type('T', (tuple,), {})(('Name', 'value'))", "Name: value\r\n", false},
    {"a subclass of str as name", "(type('S', (str,), {})('Name'), 'value')", "Name: value\r\n", false},
    {"a subclass of str as value", "('Name', type('S', (str,), {})('value'))", "Name: value\r\n", false},
    {"a line end in the value", "('Name', 'a\\r\\nB: c')", NULL, false},
    {"a hop-by-hop name", "('Upgrade', 'h2c')", NULL, false},
    {"what is taken off", "('Connection', 'close')", "", true},
    {"no number as Content-Length", "('Content-Length', '-1')", NULL, false},
    {"characters outside latin-1", "('Name', '\\u20ac')", NULL, false},
    {"a list", "['Name', 'value']", NULL, false},
    {"three of them", "('Name', 'value', 'more')", NULL, false},
    {"bytes", "(b'Name', b'value')", NULL, false},
    {"two characters", "'Na'", NULL, false},
};

START_TEST(a_pair_is_kept_as_the_table_says)
{
    PyObject *pair = embedded_evaluate(cases[_i].pair, NULL);
    ck_assert_ptr_nonnull(pair);
    Py_INCREF(pair); /* another reference, as to a constant */
    Py_ssize_t references = Py_REFCNT(pair);
    for (int again = 0; again < 3; again++) {
        char *line = add_once(pair);
        ck_assert_msg((line == NULL) == (cases[_i].line == NULL), "%s", cases[_i].name);
        ck_assert_msg((line == NULL) == (PyErr_Occurred() != NULL), "%s", cases[_i].name);
        PyErr_Clear();
        if (line != NULL)
            ck_assert_str_eq(line, cases[_i].line);
        free(line);
        ck_assert_msg(Py_REFCNT(pair) == references + cases[_i].kept, "%s: not %s", cases[_i].name,
                      cases[_i].kept ? "kept" : "let go");
    }
    Py_DECREF(pair);
    Py_DECREF(pair);
}
END_TEST

START_TEST(a_pair_made_for_one_response_is_not_kept)
{
    PyObject *pair = embedded_evaluate("('Name', str(1))", NULL);
    ck_assert_int_eq(Py_REFCNT(pair), 1);
    free(add_once(pair));
    ck_assert_int_eq(Py_REFCNT(pair), 1);
    Py_DECREF(pair);
}
END_TEST

/* Far more pairs than slots: each line is right, and displaced pairs are released. */
START_TEST(pairs_that_share_a_slot_replace_each_other)
{
    enum { PAIRS = 1000 };
    PyObject *pairs = embedded_evaluate("[('Name-%d' % i, 'value %d' % i) for i in range(1000)]", NULL);
    for (int i = 0; i < 3 * PAIRS; i++) {
        PyObject *pair = PyList_GET_ITEM(pairs, i % PAIRS);
        Py_INCREF(pair);
        char *line = add_once(pair), *expected = xasprintf("Name-%d: value %d\r\n", i % PAIRS, i % PAIRS);
        Py_DECREF(pair);
        ck_assert_str_eq(line, expected);
        free(line);
        free(expected);
    }
    long kept = 0;
    for (int i = 0; i < PAIRS; i++)
        kept += Py_REFCNT(PyList_GET_ITEM(pairs, i)) - 1;
    ck_assert_int_ge(kept, 1);
    ck_assert_int_le(kept, 64);
    Py_DECREF(pairs);
}
END_TEST

/* The same tuple twice in one list: the second comes from the cache, and is refused, too. */
START_TEST(a_kept_content_length_may_not_be_repeated)
{
    PyObject *pair = embedded_evaluate("('Content-Length', '5')", NULL);
    struct response response;
    Py_INCREF(pair);
    free(add_once(pair));
    response_init(&response);
    ck_assert_ptr_null(response_start(&response, SLICE("200 OK")));
    ck_assert_int_eq(header_cache_add(&response, pair), 0);
    ck_assert(response.has_length && response.length == 5);
    ck_assert_int_eq(header_cache_add(&response, pair), -1);
    ck_assert(PyErr_ExceptionMatches(PyExc_ValueError));
    PyErr_Clear();
    response_fini(&response);
    Py_DECREF(pair);
    Py_DECREF(pair);
}
END_TEST

START_TEST(a_cache_that_was_cleared_holds_no_pair)
{
    PyObject *pair = embedded_evaluate("tuple(['Name', 'value'])", NULL);
    Py_INCREF(pair);
    free(add_once(pair));
    ck_assert_int_eq(Py_REFCNT(pair), 3);
    header_cache_clear();
    ck_assert_int_eq(Py_REFCNT(pair), 2);
    char *again = add_once(pair);
    ck_assert_str_eq(again, "Name: value\r\n");
    free(again);
    Py_DECREF(pair);
    Py_DECREF(pair);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, embedded_start, embedded_stop);
    unit_add_rows(tests, a_pair_is_kept_as_the_table_says, cases);
    tcase_add_test(tests, a_pair_made_for_one_response_is_not_kept);
    tcase_add_test(tests, pairs_that_share_a_slot_replace_each_other);
    tcase_add_test(tests, a_kept_content_length_may_not_be_repeated);
    tcase_add_test(tests, a_cache_that_was_cleared_holds_no_pair);
}

int main(void)
{
    return unit_run("py/header_cache", add);
}
