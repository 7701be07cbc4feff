#include "py/input.h"

#include <fcntl.h>

#include "base/spool.h"
#include "embedded.h"

static void start(void)
{
    embedded_start();
    ck_assert_int_eq(input_init(), 0);
}

/* The same bytes in memory (0) or in a spool (1). */
static PyObject *make(const char *data, size_t size, int spooled)
{
    struct body_content content = {.size = size, .spool = -1};

    if (spooled) {
        content.spool = spool_open(embedded_directory);
        ck_assert_int_ge(content.spool, 0);
        ck_assert_int_eq(spool_write(content.spool, 0, data, size), 0);
    } else if (size > 0) {
        content.memory = xmalloc(size);
        memcpy(content.memory, data, size);
    }
    PyObject *input = input_new(&content);
    ck_assert_ptr_nonnull(input);
    ck_assert_uint_eq(content.size, 0);
    ck_assert_ptr_null(content.memory);
    ck_assert_int_eq(content.spool, -1);
    return input;
}

static const struct {
    const char *name, *body, *check;
} cases[] = {
    {"all of it", "one\ntwo", "x.read() == b'one\\ntwo' and x.read() == b''"},
    {"None and negative sizes are all of it", "one", "x.read(None) == b'one'"},
    {"-1 is all of it", "one", "x.read(-1) == b'one' and x.read(-1) == b''"},
    {"a huge size is all of it", "one", "x.read(1 << 100) == b'one'"},
    {"a huge negative size is all of it", "one", "x.read(-1 << 100) == b'one'"},
    {"a size of 0 is nothing", "one", "x.read(0) == b'' and x.readline(0) == b'' and x.read() == b'one'"},
    {"piece by piece", "onetwo", "[x.read(4), x.read(4), x.read(4)] == [b'onet', b'wo', b'']"},
    {"lines", "one\n\ntwo", "[x.readline() for _ in range(4)] == [b'one\\n', b'\\n', b'two', b'']"},
    {"parts of lines", "one\ntwo",
     "[x.readline(2), x.readline(2), x.readline(9)] == [b'on', b'e\\n', b'two']"},
    {"a line exactly as long as asked for", "one\ntwo",
     "x.readline(4) == b'one\\n' and x.readline(3) == b'two'"},
    {"lines of all sizes", "one\ntwo", "x.readline(None) == b'one\\n' and x.readline(-1) == b'two'"},
    {"all lines", "one\ntwo\n", "x.readlines() == [b'one\\n', b'two\\n'] and x.readlines() == []"},
    {"lines up to a hint", "one\ntwo\nsix",
     "x.readlines(5) == [b'one\\n', b'two\\n'] and x.readlines(0) == [b'six']"},
    {"a hint of a whole line", "one\ntwo\n", "x.readlines(4) == [b'one\\n']"},
    {"iteration", "one\ntwo", "iter(x) is x and list(x) == [b'one\\n', b'two'] and list(x) == []"},
    {"a line, then the rest", "one\ntwo", "next(x) == b'one\\n' and x.read() == b'two'"},
    {"NUL and 8-bit bytes", "a\xff\r\n", "x.readline() == b'a\\xff\\r\\n'"},
    {"no body", "",
     "x.read() == b'' and x.read(9) == b'' and x.readline() == b'' and x.readlines() == [] and list(x) == "
     "[]"},
    {"read1", "onetwo",
     "[x.read1(4), x.read1(), x.read1(), x.read1(-1), x.read1(None)] == [b'onet', b'wo', b'', b'', b'']"},
    {"readinto", "onetwo",
     "[(x.readinto(b), bytes(b)) for b in [bytearray(4)] for _ in range(3)] == "
     "[(4, b'onet'), (2, b'wo\\0\\0'), (0, b'wo\\0\\0')] or x.tell()"},
    {"what it is and is not", "one",
     "(x.readable(), x.seekable(), x.writable(), x.isatty(), x.closed, x.flush()) == "
     "(True, True, False, False, False, None)"},
    {"an io.BufferedIOBase", "one",
     "isinstance(x, __import__('io').BufferedIOBase) and isinstance(x, __import__('io').IOBase)"},
    {"a position", "onetwo",
     "(x.tell(), x.read(4), x.tell(), x.read(), x.tell()) == (0, b'onet', 4, b'wo', 6)"},
    {"back to the beginning", "one", "(x.read(), x.seek(0), x.read()) == (b'one', 0, b'one')"},
    {"from where it is", "onetwo",
     "(x.read(4), x.seek(-2, 1), x.read(2), x.seek(1, 1), x.read()) == "
     "(b'onet', 2, b'et', 5, b'o')"},
    {"from the end", "onetwo", "(x.seek(-3, 2), x.read(), x.seek(0, 2), x.read()) == (3, b'two', 6, b'')"},
    {"before the beginning", "one", "(x.seek(-9, 1), x.seek(-9, 2), x.read()) == (0, 0, b'one')"},
    {"beyond the end", "one",
     "(x.seek(9), x.tell(), x.read(), x.read(2), x.readline(), x.readlines(), list(x), x.read1(), "
     "x.readinto(bytearray(3)), x.seek(-7, 1), x.read()) == "
     "(9, 9, b'', b'', b'', [], [], b'', 0, 2, b'e')"},
    {"as a context", "one",
     "[y.read() for y in [x.__enter__()]] == [b'one'] and x.__exit__(None, None, None) is None"},
    {"closing, once and again", "one", "(x.close(), x.close(), x.closed) == (None, None, True)"},
    {"text", "caf\xc3\xa9\n", "__import__('io').TextIOWrapper(x, 'utf-8').read() == 'caf\u00e9\\n'"},
    {"lines of text", "one\r\ntwo\n",
     "list(__import__('io').TextIOWrapper(x, 'utf-8')) == ['one\\n', 'two\\n']"},
    {"a size whose __index__ reads the stream", "onetwo",
     "[f(type('Size', (), {'__index__': lambda size: x.seek(0) * 0 + len(x.read(4))})()) "
     "for f in (x.read, x.read1, x.readline)] == [b'wo'] * 3"},
    {"a hint whose __index__ moves the stream beyond its end", "one\n",
     "[f(type('Size', (), {'__index__': lambda size: x.seek(1 << 50) * 0 + 9})()) "
     "for f in (x.read, x.read1, x.readline, x.readlines)] == [b'', b'', b'', []]"},
    {"a buffer around it", "one\ntwo",
     "(lambda b: (b.peek(1)[:1], b.readline(), b.seek(1), b.read()))(__import__('io').BufferedReader(x)) == "
     "(b'o', b'one\\n', 1, b'ne\\ntwo')"},
};

START_TEST(reading_answers_as_the_table_says)
{
    size_t row = (size_t)_i / 2;
    PyObject *input = make(cases[row].body, strlen(cases[row].body), _i % 2);
    embedded_assert(cases[row].check, input);
    Py_DECREF(input);
}
END_TEST

/* Larger than the window of a spool, with a longer line in the middle, and without a newline at the
 * end. */
START_TEST(a_large_body_reads_like_a_python_stream)
{
    static const char *const checks[] = {
        "x[0].read() == x[1].read()",
        "list(x[0]) == list(x[1])",
        "x[0].readlines() == x[1].readlines()",
        "all(x[0].read1(n) == x[1].read1(n) for n in (1, 32767, 5, 32768, 7, 65536, 3, 100000))",
        "b''.join(iter(x[0].read1, b'')) == x[1].read()",
        "all((x[0].readinto(a), a) == (x[1].readinto(b), b) for n in (1, 32767, 5, 32768, 7, 65536, 3, "
        "100000, 1 << 20) "
        "for a in [bytearray(n)] for b in [bytearray(n)])",
        "all((x[0].seek(n), x[0].read(5)) == (x[1].seek(n), x[1].read(5)) for n in range(899990, 0, -7001))",
        "list(__import__('io').TextIOWrapper(x[0], 'latin-1')) == list(__import__('io').TextIOWrapper(x[1], "
        "'latin-1'))",
        "list(__import__('io').BufferedReader(x[0])) == list(x[1])",
        "x[0].readlines(100000) == x[1].readlines(100000) and x[0].read() == x[1].read()",
        "all(x[0].readline(n % 977) == x[1].readline(n % 977) for n in range(20000))",
        "all(x[0].read(n) == x[1].read(n) for n in (1, 32767, 5, 32768, 7, 65536, 3, 100000, 1 << 40))",
        "all((s.readline(), s.read(n)) == (t.readline(), t.read(n)) for s, t in [x] for n in range(900))",
    };
    enum { SIZE = 900000 };
    char *data = xmalloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        data[i] = i % 61 == 0 && (i < 300000 || i > 400000) ? '\n' : (char)(i % 251 + (i % 251 == '\n'));

    for (size_t i = 0; i < UNIT_ROWS(checks); i++) {
        PyObject *input = make(data, SIZE, _i);
        PyObject *stream = embedded_evaluate("__import__('io').BytesIO(x.read())", input);
        Py_DECREF(input);
        PyObject *pair = Py_BuildValue("NN", make(data, SIZE, _i), stream);
        embedded_assert(checks[i], pair);
        Py_DECREF(pair);
    }
    free(data);
}
END_TEST

static const struct {
    const char *expression;
    PyObject **error;
} wrong[] = {
    {"x.read('1')", &PyExc_TypeError},
    {"x.read(1.5)", &PyExc_TypeError},
    {"x.read(1, 2)", &PyExc_TypeError},
    {"x.readline('')", &PyExc_TypeError},
    {"x.readlines(b'')", &PyExc_TypeError},
    {"type(x)()", &PyExc_TypeError},
    {"type('Sub', (type(x),), {})", &PyExc_TypeError},
    {"object.__new__(type(x))", &PyExc_TypeError},
    {"setattr(x, 'a', 1)", &PyExc_AttributeError},
    {"x.readinto(b'abc')", &PyExc_TypeError},
    {"x.readinto('abc')", &PyExc_TypeError},
    {"x.seek()", &PyExc_TypeError},
    {"x.seek(0, 0, 0)", &PyExc_TypeError},
    {"x.seek(1.5)", &PyExc_TypeError},
    {"x.seek('1')", &PyExc_TypeError},
    {"x.seek(-1)", &PyExc_ValueError},
    {"x.seek(0, 3)", &PyExc_ValueError},
    {"x.seek(0, -1)", &PyExc_ValueError},
    {"x.seek(1 << 63)", &PyExc_OverflowError},
    {"x.seek((1 << 63) - 1, 2)", &PyExc_OverflowError},
    {"x.write(b'x')", &PyExc_OSError}, /* io.UnsupportedOperation is an OSError and a ValueError */
    {"x.writelines([])", &PyExc_ValueError},
    {"x.truncate()", &PyExc_OSError},
    {"x.fileno()", &PyExc_OSError},
    {"x.detach()", &PyExc_ValueError},
};

START_TEST(misuse_raises)
{
    PyObject *input = make("one", 3, 0);
    ck_assert_msg(embedded_evaluate(wrong[_i].expression, input) == NULL, "%s", wrong[_i].expression);
    ck_assert_msg(PyErr_ExceptionMatches(*wrong[_i].error), "%s", wrong[_i].expression);
    PyErr_Clear();
    embedded_assert("x.read() == b'one'", input);
    Py_DECREF(input);
}
END_TEST

/* The methods of io.BytesIO. */
START_TEST(after_it_is_closed_every_use_raises)
{
    static const char *const uses[] = {
        "x.read()",     "x.read1()",    "x.readline()", "x.readlines()", "next(x)",
        "list(x)",      "x.seek(0)",    "x.tell()",     "x.flush()",     "x.readinto(bytearray(1))",
        "x.readable()", "x.seekable()", "x.writable()", "x.isatty()",    "x.__enter__()"};
    for (size_t i = 0; i < UNIT_ROWS(uses); i++) {
        PyObject *input = make("one", 3, _i);
        embedded_assert("x.close() is None", input);
        ck_assert_msg(embedded_evaluate(uses[i], input) == NULL, "%s", uses[i]);
        ck_assert_msg(PyErr_ExceptionMatches(PyExc_ValueError), "%s", uses[i]);
        PyErr_Clear();
        Py_DECREF(input);
    }
}
END_TEST

START_TEST(empty_bodies_share_one_object)
{
    PyObject *first = make("", 0, 0), *second = make("", 0, 1);
    ck_assert_ptr_eq(first, second);
    embedded_assert("(x.seek(3), x.close(), x.closed, x.tell(), x.read()) == (3, None, False, 0, b'')",
                    first);
    embedded_assert("__import__('io').TextIOWrapper(x).read() == ''", first);
    embedded_assert("x.read() == b''", second);
    Py_DECREF(first);
    Py_DECREF(second);
}
END_TEST

START_TEST(the_spool_is_closed_with_the_object)
{
    struct body_content content = {.size = 3, .spool = spool_open(embedded_directory)};
    int spool = content.spool;
    ck_assert_int_eq(spool_write(spool, 0, "one", 3), 0);
    PyObject *input = input_new(&content);
    ck_assert_int_ne(fcntl(spool, F_GETFD), -1);
    Py_DECREF(input);
    ck_assert_int_eq(fcntl(spool, F_GETFD), -1);
}
END_TEST

START_TEST(a_spool_that_fails_raises_oserror)
{
    static const char *const expressions[] = {"x.read(1)",    "x.read(50000)", "x.read()",
                                              "x.readline()", "list(x)",       "x.readlines()"};
    struct body_content content = {.size = 100000,
                                   .spool = spool_open(embedded_directory)}; /* an empty spool */
    PyObject *input = input_new(&content);

    ck_assert_ptr_null(embedded_evaluate(expressions[_i], input));
    ck_assert(PyErr_ExceptionMatches(PyExc_OSError));
    PyErr_Clear();
    Py_DECREF(input);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, start, embedded_stop);
    tcase_add_loop_test(tests, reading_answers_as_the_table_says, 0, 2 * (int)UNIT_ROWS(cases));
    tcase_add_loop_test(tests, a_large_body_reads_like_a_python_stream, 0, 2);
    unit_add_rows(tests, misuse_raises, wrong);
    tcase_add_loop_test(tests, after_it_is_closed_every_use_raises, 0, 2);
    tcase_add_test(tests, empty_bodies_share_one_object);
    tcase_add_test(tests, the_spool_is_closed_with_the_object);
    tcase_add_loop_test(tests, a_spool_that_fails_raises_oserror, 0, 6);
}

int main(void)
{
    return unit_run("py/input", add);
}
