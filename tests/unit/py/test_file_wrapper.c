#include "py/file_wrapper.h"

#include "embedded.h"

#define IO  "__import__('io')."
#define TEN "open('ten', 'rb')" /* ten bytes */

static void start(void)
{
    embedded_start();
    embedded_write("ten", "0123456789");
    embedded_write("nothing", "");
    ck_assert_int_eq(file_wrapper_init(), 0);
}

/* x is the type; the expression has this value. */
static const struct {
    const char *name, *expression;
} iterated[] = {
    {"blocks until the end", "list(x(" IO "BytesIO(b'abcde'), 2)) == [b'ab', b'cd', b'e']"},
    {"8192 bytes unless told", "[len(b) for b in x(" IO "BytesIO(bytes(10000)))] == [8192, 1808]"},
    {"a keyword", "list(x(filelike=" IO "BytesIO(b'abc'), block_size=2)) == [b'ab', b'c']"},
    {"a size that is none", "list(x(" IO "BytesIO(b'abc'), -1)) == [b'abc']"},
    {"from the position of the object",
     "[f.read(1), list(x(f))] == [b'a', [b'bc']] if [f := " IO "BytesIO(b'abc')] else 0"},
    {"an end that is None", "list(x(type('F', (), {'read': lambda self, size: None})())) == []"},
    {"it is its own iterator", "iter(w) is w if [w := x(" IO "BytesIO())] else 0"},
    {"the object can be seen", "w.filelike is f if [f := " IO "BytesIO(), w := x(f)] else 0"},
    {"close closes it", "f.closed if [f := " IO "BytesIO(), x(f).close()] else 0"},
    {"once", "n == [1] if [n := [], F := type('F', (), {'close': lambda self: n.append(1)}), w := x(F()), "
             "w.close(), w.close()] "
             "else 0"},
    {"an object without close", "x(3).close() is None"},
};

START_TEST(it_iterates_and_closes_as_the_table_says)
{
    embedded_assert(iterated[_i].expression, file_wrapper_type());
}
END_TEST

/* The objects that are sent as a file, and their position; `size` is 0 for objects that are
 * iterated. */
static const struct {
    const char *name, *expression;
    off_t offset;
    uint64_t size;
} files[] = {
    {"a file", TEN, 0, 10},
    {"one that is not buffered", "open('ten', 'rb', buffering=0)", 0, 10},
    {"one that can be written too", "open('ten', 'r+b')", 0, 10},
    {"a temporary file, written and rewound",
     "[f := __import__('tempfile').TemporaryFile(), f.write(b'abcd'), f.seek(1)][0]", 1, 3},
    {"from its position", "[f := " TEN ", f.seek(4)][0]", 4, 6},
    {"from its position, not its buffer's", "[f := " TEN ", f.read(3)][0]", 3, 7},
    {"from the descriptor's position", "[f := open('ten', 'rb', buffering=0), f.read(2)][0]", 2, 8},
    {"at its end", "[f := " TEN ", f.read()][0]", 0, 0},
    {"beyond its end", "[f := " TEN ", f.seek(99)][0]", 0, 0},
    {"an empty file", "open('nothing', 'rb')", 0, 0},
    {"a file that the kernel makes up", "open('/proc/self/status', 'rb')", 0, 0},
    {"a file of text", "open('ten')", 0, 0},
    {"a compressed file", "__import__('gzip').GzipFile(fileobj=" TEN ")", 0, 0},
    {"a reader over another object", IO "BufferedReader(" IO "BytesIO(b'abc'))", 0, 0},
    {"a subclass", "type('F', (" IO "FileIO,), {})('ten')", 0, 0},
    {"a reader over a subclass", IO "BufferedReader(type('F', (" IO "FileIO,), {})('ten'))", 0, 0},
    {"an object that has a fileno", "type('F', (), {'fileno': lambda self: 0, 'tell': lambda self: 0})()", 0,
     0},
    {"bytes", IO "BytesIO(b'abc')", 0, 0},
    {"a closed file", "[f := " TEN ", f.close()][0]", 0, 0},
    {"a detached file", "[f := " TEN ", f.detach()][0]", 0, 0},
    {"a file only for writing", "open('ten', 'ab', buffering=0)", 0, 0},
    {"a pipe", "open(__import__('os').pipe()[0], 'rb')", 0, 0},
    {"a directory's descriptor", "__import__('os').open('.', 0)", 0, 0},
    {"None", "None", 0, 0},
};

START_TEST(files_are_told_from_the_rest)
{
    int fd = -1;
    off_t offset = -1;
    uint64_t size = 0;
    PyObject *filelike = embedded_evaluate(files[_i].expression, NULL);
    ck_assert_msg(filelike != NULL, "%s", files[_i].name);
    PyObject *wrapper = PyObject_CallOneArg(file_wrapper_type(), filelike);
    ck_assert_ptr_nonnull(wrapper);
    ck_assert(file_wrapper_check(wrapper));
    ck_assert(!file_wrapper_check(filelike));

    bool found = file_wrapper_is_file(wrapper, &fd, &offset, &size);
    ck_assert_ptr_null(PyErr_Occurred());
    ck_assert_msg(found == (files[_i].size > 0), "%s", files[_i].name);
    if (found) {
        ck_assert_msg(offset == files[_i].offset && size == files[_i].size, "%s: %lld, %llu", files[_i].name,
                      (long long)offset, (unsigned long long)size);
        char first, again;
        ck_assert_int_eq(pread(fd, &first, 1, offset), 1);
        PyObject *rest = PyObject_CallMethod(filelike, "read", NULL);
        ck_assert_ptr_nonnull(rest);
        ck_assert_uint_eq((uint64_t)PyBytes_Size(rest), size);
        again = PyBytes_AS_STRING(rest)[0];
        ck_assert_int_eq(first, again);
        Py_DECREF(rest);
    }
    Py_DECREF(wrapper);
    Py_DECREF(filelike);
}
END_TEST

static const struct {
    const char *expression;
    PyObject **error;
} wrong[] = {
    {"x()", &PyExc_TypeError},
    {"x(1, 'a')", &PyExc_TypeError},
    {"next(x(1))", &PyExc_AttributeError},
    {"type('Sub', (x,), {})", &PyExc_TypeError},
};

START_TEST(misuse_raises)
{
    ck_assert_msg(embedded_evaluate(wrong[_i].expression, file_wrapper_type()) == NULL, "%s",
                  wrong[_i].expression);
    ck_assert_msg(PyErr_ExceptionMatches(*wrong[_i].error), "%s", wrong[_i].expression);
    PyErr_Clear();
}
END_TEST

START_TEST(a_cycle_is_collected)
{
    PyObject *reference =
        embedded_evaluate("(lambda f: [setattr(f, 'w', x(f)), __import__('weakref').ref(f)][1])"
                          "(type('F', (), {})())",
                          file_wrapper_type());
    ck_assert_ptr_nonnull(reference);
    PyGC_Collect();
    embedded_assert("x() is None", reference);
    Py_DECREF(reference);
}
END_TEST

/* A file with attributes whose keys record the comparisons with them. */
#define ASKED                                                                             \
    "[asked := [], Key := type('Key', (str,), {'__hash__': str.__hash__,"                 \
    " '__eq__': lambda self, other: [asked.append(other), str.__eq__(self, other)][1]})," \
    " f := open('ten', 'r+b'),"                                                           \
    " f.__dict__.update({Key(n): getattr(f, n) for n in ('flush', 'fileno', 'tell')}),"   \
    " setattr(f, 'asked', asked), asked.clear()] and f"

/* A name made for one call once took a place of the interpreter's cache of methods, until the cache
 * was full of such names. */
START_TEST(a_file_is_asked_by_interned_names)
{
    int fd;
    off_t offset;
    uint64_t size;
    PyObject *file = embedded_evaluate(ASKED, NULL);
    ck_assert_ptr_nonnull(file);
    PyObject *wrapper = PyObject_CallOneArg(file_wrapper_type(), file);
    ck_assert_ptr_nonnull(wrapper);
    ck_assert(file_wrapper_is_file(wrapper, &fd, &offset, &size));
    embedded_assert("x.asked == ['flush', 'fileno', 'tell']", file);
    embedded_assert("all(name is __import__('sys').intern(name) for name in x.asked)", file);
    Py_DECREF(wrapper);
    Py_DECREF(file);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, start, embedded_stop);
    unit_add_rows(tests, it_iterates_and_closes_as_the_table_says, iterated);
    unit_add_rows(tests, files_are_told_from_the_rest, files);
    unit_add_rows(tests, misuse_raises, wrong);
    tcase_add_test(tests, a_cycle_is_collected);
    tcase_add_test(tests, a_file_is_asked_by_interned_names);
}

int main(void)
{
    return unit_run("py/file_wrapper", add);
}
