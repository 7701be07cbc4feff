/*
 * wsgi.file_wrapper: an iterable over a file-like object. The server may look into it, and send the
 * file itself.
 */
#include "py/file_wrapper.h"

#include <fcntl.h>
#include <structmember.h>
#include <sys/stat.h>

enum { BLOCK_SIZE = 8192 };

struct file_wrapper {
    PyObject ob_base;
    PyObject *filelike;
    PyObject *block_size; /* an int */
    bool closed;
};

static PyTypeObject *wrapper_type;

/* The types that read from their descriptor without transformation. */
static PyObject *raw_type, *reader_type, *random_type;

/* Interned: a name made for one lookup would take another's entry in the interpreter's method
 * cache. */
static PyObject *name_read, *name_close, *name_raw, *name_flush, *name_fileno, *name_tell;
static const struct {
    PyObject **name;
    const char *text;
} names[] = {
    {&name_read, "read"},   {&name_close, "close"},   {&name_raw, "raw"},
    {&name_flush, "flush"}, {&name_fileno, "fileno"}, {&name_tell, "tell"},
};

static int wrapper_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((struct file_wrapper *)self)->filelike);
    Py_VISIT(Py_TYPE(self));
    return 0;
}

static int wrapper_clear(PyObject *self)
{
    Py_CLEAR(((struct file_wrapper *)self)->filelike);
    return 0;
}

static void wrapper_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    wrapper_clear(self);
    Py_CLEAR(((struct file_wrapper *)self)->block_size);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyObject *wrapper_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char filelike_name[] = "filelike", block_size_name[] = "block_size";
    static char *keyword_names[] = {filelike_name, block_size_name, NULL};
    PyObject *b_filelike;
    Py_ssize_t block_size = BLOCK_SIZE;

    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|n:file_wrapper", keyword_names, &b_filelike,
                                     &block_size))
        return NULL;
    PyObject *number = PyLong_FromSsize_t(block_size > 0 ? block_size : BLOCK_SIZE);
    if (number == NULL)
        return NULL;
    struct file_wrapper *wrapper = PyObject_GC_New(struct file_wrapper, type);
    if (wrapper == NULL) {
        Py_DECREF(number);
        return NULL;
    }
    Py_INCREF(b_filelike);
    wrapper->filelike = b_filelike;
    wrapper->block_size = number;
    wrapper->closed = false;
    PyObject_GC_Track(wrapper);
    return (PyObject *)wrapper;
}

static PyObject *wrapper_next(PyObject *self)
{
    struct file_wrapper *wrapper = (struct file_wrapper *)self;
    if (wrapper->filelike == NULL) /* the garbage collector has cleared it */
        return NULL;
    PyObject *block = PyObject_CallMethodOneArg(wrapper->filelike, name_read, wrapper->block_size);
    if (block == NULL)
        return NULL;
    int more = PyObject_IsTrue(block);
    if (more <= 0)
        Py_CLEAR(block);
    return block;
}

static PyObject *wrapper_close(PyObject *self, PyObject *unused)
{
    (void)unused;
    struct file_wrapper *wrapper = (struct file_wrapper *)self;
    PyObject *close, *result;

    if (wrapper->closed || wrapper->filelike == NULL)
        Py_RETURN_NONE;
    wrapper->closed = true;
    int found = object_lookup(wrapper->filelike, name_close, &close);
    if (found < 0)
        return NULL;
    if (found == 0)
        Py_RETURN_NONE;
    result = PyObject_CallNoArgs(close);
    Py_DECREF(close);
    return result;
}

static PyMethodDef methods[] = {
    {"close", wrapper_close, METH_NOARGS, "closes the file-like object, once, if it can be closed"},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"filelike", T_OBJECT_EX, offsetof(struct file_wrapper, filelike), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, wrapper_new},
    {Py_tp_dealloc, wrapper_dealloc},
    {Py_tp_traverse, wrapper_traverse},
    {Py_tp_clear, wrapper_clear},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, wrapper_next},
    {Py_tp_methods, methods},
    {Py_tp_members, members},
    {Py_tp_doc, "file_wrapper(filelike, block_size=8192): wsgi.file_wrapper of PEP 3333"},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "gateway.FileWrapper",
    .basicsize = sizeof(struct file_wrapper),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

int file_wrapper_init(void)
{
    PyObject *io = PyImport_ImportModule("io");
    if (io == NULL)
        return -1;
    raw_type = PyObject_GetAttrString(io, "FileIO");
    reader_type = PyObject_GetAttrString(io, "BufferedReader");
    random_type = PyObject_GetAttrString(io, "BufferedRandom");
    Py_DECREF(io);
    if (raw_type == NULL || reader_type == NULL || random_type == NULL)
        return -1;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if ((*names[i].name = PyUnicode_InternFromString(names[i].text)) == NULL)
            return -1;
    wrapper_type = (PyTypeObject *)PyType_FromSpec(&spec);
    return wrapper_type == NULL ? -1 : 0;
}

PyObject *file_wrapper_type(void)
{
    return (PyObject *)wrapper_type;
}

bool file_wrapper_check(PyObject *object)
{
    return Py_TYPE(object) == wrapper_type;
}

static bool is_exactly(PyObject *object, PyObject *type)
{
    return (PyObject *)Py_TYPE(object) == type;
}

/* -1, which is no position or descriptor, with or without an exception. */
static long long call_for_number(PyObject *object, PyObject *name)
{
    PyObject *result = PyObject_CallMethodNoArgs(object, name);
    long long number = result == NULL ? -1 : PyLong_AsLongLong(result);

    Py_XDECREF(result);
    return number;
}

/* Whether reading the object means reading its descriptor: then written data is flushed. */
static bool reads_descriptor(PyObject *object)
{
    if (is_exactly(object, raw_type))
        return true;
    if (!is_exactly(object, reader_type) && !is_exactly(object, random_type))
        return false;

    PyObject *raw = PyObject_GetAttr(object, name_raw);
    bool plain = raw != NULL && is_exactly(raw, raw_type);
    Py_XDECREF(raw);
    if (!plain || is_exactly(object, reader_type))
        return plain;
    PyObject *flushed = PyObject_CallMethodNoArgs(object, name_flush);
    Py_XDECREF(flushed);
    return flushed != NULL;
}

static bool find_file(PyObject *filelike, int *fd, off_t *offset, uint64_t *size)
{
    struct stat status;

    if (!reads_descriptor(filelike))
        return false;
    long long descriptor = call_for_number(filelike, name_fileno);
    long long position = descriptor < 0 ? -1 : call_for_number(filelike, name_tell);
    if (position < 0 || fstat((int)descriptor, &status) != 0 || !S_ISREG(status.st_mode))
        return false;
    /* The kernel may generate a file without blocks (/proc, /sys), whose size is wrong. */
    if (status.st_blocks == 0 || position >= status.st_size)
        return false;
    int flags = fcntl((int)descriptor, F_GETFL);
    if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY)
        return false;
    *fd = (int)descriptor;
    *offset = (off_t)position;
    *size = (uint64_t)(status.st_size - position);
    return true;
}

bool file_wrapper_is_file(PyObject *wrapper, int *fd, off_t *offset, uint64_t *size)
{
    bool found = find_file(((struct file_wrapper *)wrapper)->filelike, fd, offset, size);
    PyErr_Clear();
    return found;
}
