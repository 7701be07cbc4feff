/*
 * Native strings: bytes to str and back, and objects of the application that are refused.
 */
#include "py/latin1.h"

#include "embedded.h"

static const struct {
    const char *name, *expression; /* the object */
    const char *bytes;             /* its bytes, or NULL: refused */
    size_t size;
    PyObject **error;
    const char *text; /* of the exception */
} cases[] = {
    {"ASCII", "'abc'", "abc", 3, NULL, NULL},
    {"nothing", "''", "", 0, NULL, NULL},
    {"characters up to 255", "'\\x80\\xe4\\xff'", "\x80\xe4\xff", 3, NULL, NULL},
    {"NUL, which others have to refuse", "'a\\0b'", "a\0b", 3, NULL, NULL},
    {"a subclass of str", "type('S', (str,), {})('abc')", "abc", 3, NULL, NULL},
    {"one character above 255", "'caf\\xe9 \\u20ac'", NULL, 0, &PyExc_ValueError,
     "a thing has characters outside latin-1: 'caf\\xe9 \\u20ac'"},
    {"a character beyond the BMP", "'\\U0001f600'", NULL, 0, &PyExc_ValueError, "outside latin-1"},
    {"a lone surrogate", "'\\udce4'", NULL, 0, &PyExc_ValueError, "outside latin-1"},
    {"bytes", "b'abc'", NULL, 0, &PyExc_TypeError, "a thing must be str, not bytes"},
    {"None", "None", NULL, 0, &PyExc_TypeError, "a thing must be str, not NoneType"},
    {"a number", "1", NULL, 0, &PyExc_TypeError, "a thing must be str, not int"},
};

START_TEST(only_str_of_latin1_is_taken)
{
    PyObject *object = embedded_evaluate(cases[_i].expression, NULL);
    struct slice bytes = {NULL, 0};
    ck_assert_ptr_nonnull(object);
    int r = latin1_slice(object, "a thing", &bytes);
    if (cases[_i].bytes != NULL) {
        ck_assert_msg(r == 0, "%s: refused", cases[_i].name);
        unit_assert_bytes(cases[_i].name, bytes.data, bytes.size, cases[_i].bytes, cases[_i].size);
    } else {
        ck_assert_msg(r == -1, "%s: taken", cases[_i].name);
        ck_assert_msg(PyErr_ExceptionMatches(*cases[_i].error), "%s", cases[_i].name);
        PyObject *exception = exception_take();
        PyObject *text = PyObject_ASCII(exception), *said = PyObject_Str(exception);
        PyObject *wanted =
            PyUnicode_DecodeUnicodeEscape(cases[_i].text, (Py_ssize_t)strlen(cases[_i].text), NULL);
        ck_assert_msg(PySequence_Contains(said, wanted) == 1, "%s: %s", cases[_i].name,
                      PyUnicode_AsUTF8(text));
        Py_DECREF(wanted);
        Py_DECREF(said);
        Py_DECREF(text);
        Py_DECREF(exception);
    }
    Py_DECREF(object);
}
END_TEST

START_TEST(every_byte_is_one_character)
{
    char bytes[256];
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)i;
    PyObject *text = latin1_str((struct slice){bytes, sizeof(bytes)});
    embedded_assert("x == ''.join(map(chr, range(256)))", text);
    struct slice back;
    ck_assert_int_eq(latin1_slice(text, "it", &back), 0);
    unit_assert_bytes("and back", back.data, back.size, bytes, sizeof(bytes));
    Py_DECREF(text);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, embedded_start, embedded_stop);
    unit_add_rows(tests, only_str_of_latin1_is_taken, cases);
    tcase_add_test(tests, every_byte_is_one_character);
}

int main(void)
{
    return unit_run("py/latin1", add);
}
