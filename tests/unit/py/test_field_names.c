/*
 * The environ key of a field name, also when the table of known names is full.
 */
#include "py/field_names.h"

#include "embedded.h"

#define TEN(c) c c c c c c c c c c

static const struct {
    const char *name, *field;
    const char *key; /* NULL: hidden in environ */
} cases[] = {
    {"a usual name", "Accept-Language", "HTTP_ACCEPT_LANGUAGE"},
    {"the case does not matter", "aCCept-lanGuage", "HTTP_ACCEPT_LANGUAGE"},
    {"one letter", "A", "HTTP_A"},
    {"all that a token may hold", "!#$%&'*+-.^`|~09", "HTTP_!#$%&'*+_.^`|~09"},
    {"Host", "Host", "HTTP_HOST"},
    {"Cookie", "cookie", "HTTP_COOKIE"},
    {"Content-Type has no prefix", "Content-Type", "CONTENT_TYPE"},
    {"Content-Length has no prefix", "content-length", "CONTENT_LENGTH"},
    {"names that begin like them do", "Content-Length-Not", "HTTP_CONTENT_LENGTH_NOT"},
    {"the body is decoded", "Transfer-Encoding", NULL},
    {"in any case", "tRANSFER-eNCODING", NULL},
    {"what looks like another environ key", "wsgi.input", "HTTP_WSGI.INPUT"},
    {"64 characters", TEN("abcdef") "-xyz", "HTTP_" TEN("ABCDEF") "_XYZ"},
    {"65 characters", TEN("abcdef") "-wxyz", "HTTP_" TEN("ABCDEF") "_WXYZ"},
    {"160 characters", TEN("abcdefgh-1234567"), "HTTP_" TEN("ABCDEFGH_1234567")},
};

enum { FLOOD = 1000 };

static void start(void)
{
    embedded_start();
    ck_assert_int_eq(field_names_init(), 0);
}

static void start_flooded(void)
{
    start();
    for (int i = 0; i < FLOOD; i++) {
        char *name = xasprintf("X-Invented-%d", i);
        ck_assert_ptr_nonnull(field_name_key(slice_of(name)));
        free(name);
    }
}

START_TEST(names_become_keys_as_the_table_says)
{
    for (int again = 0; again < 3; again++) {
        PyObject *b_key = field_name_key(slice_of(cases[_i].field));
        ck_assert_ptr_null(PyErr_Occurred());
        ck_assert_msg((b_key == NULL) == (cases[_i].key == NULL), "%s", cases[_i].name);
        if (b_key != NULL)
            ck_assert_msg(PyUnicode_CompareWithASCIIString(b_key, cases[_i].key) == 0, "%s: %s",
                          cases[_i].name, PyUnicode_AsUTF8(b_key));
    }
}
END_TEST

START_TEST(a_name_seen_again_has_the_same_key)
{
    PyObject *b_key = field_name_key(SLICE("X-Seen"));
    ck_assert_ptr_eq(field_name_key(SLICE("x-sEEN")), b_key);
    PyObject *interned = PyUnicode_InternFromString("HTTP_X_SEEN");
    ck_assert_ptr_eq(interned, b_key);
    Py_DECREF(interned);
}
END_TEST

/* environ compares these two by identity: a flood of names before them must not take their
 * place. */
START_TEST(host_and_cookie_are_interned_whatever_came_before)
{
    PyObject *host = PyUnicode_InternFromString("HTTP_HOST"),
             *cookie = PyUnicode_InternFromString("HTTP_COOKIE");
    ck_assert_ptr_eq(field_name_key(SLICE("Host")), host);
    ck_assert_ptr_eq(field_name_key(SLICE("Cookie")), cookie);
    Py_DECREF(host);
    Py_DECREF(cookie);
}
END_TEST

START_TEST(invented_names_cost_no_memory_for_good)
{
    long before = 0;
    for (int i = 0; i < 2 * FLOOD; i++) {
        if (i == FLOOD)
            before = PyLong_AsLong(embedded_evaluate("__import__('sys').getallocatedblocks()", NULL));
        char *name = xasprintf("X-%d-%d", i, i);
        ck_assert_ptr_nonnull(field_name_key(slice_of(name)));
        free(name);
    }
    long after = PyLong_AsLong(embedded_evaluate("__import__('sys').getallocatedblocks()", NULL));
    ck_assert_int_le(after - before, FLOOD / 20);
}
END_TEST

/* Each test runs twice: with room in the table, and after a flood of unused names. */
static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, start, embedded_stop);
    unit_add_rows(tests, names_become_keys_as_the_table_says, cases);
    tcase_add_test(tests, a_name_seen_again_has_the_same_key);
    tcase_add_test(tests, host_and_cookie_are_interned_whatever_came_before);
}

static void add_flooded(TCase *tests)
{
    tcase_add_checked_fixture(tests, start_flooded, embedded_stop);
    unit_add_rows(tests, names_become_keys_as_the_table_says, cases);
    tcase_add_test(tests, host_and_cookie_are_interned_whatever_came_before);
    tcase_add_test(tests, invented_names_cost_no_memory_for_good);
}

int main(void)
{
    int result = unit_run("py/field_names", add);
    return unit_run("py/field_names after a flood", add_flooded) == EXIT_SUCCESS ? result : EXIT_FAILURE;
}
