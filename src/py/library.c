/* Modules of Python's library, held by library.py. */
#include "py/library.h"

#include "py/library_source.h"

/* loader.py recognises frames of this name as its own. */
static const char file_name[] = "<gateway>";

static PyObject *globals; /* of library.py; NULL before library_hold and after library_release */

/* 0, or -1 with an exception. */
static int run_source(void)
{
    PyObject *code = NULL, *result = NULL;

    globals = Py_BuildValue("{sOss}", "__builtins__", PyEval_GetBuiltins(), "__name__", file_name);
    if (globals != NULL && (code = Py_CompileString(library_source, file_name, Py_file_input)) != NULL)
        result = PyEval_EvalCode(code, globals, globals);
    Py_XDECREF(code);
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

void library_hold(void)
{
    PyObject *b_hold = run_source() == 0 ? PyDict_GetItemString(globals, "hold") : NULL;
    /* Needed by the crew, and to log failures. */
    static const char *const names[] = {"threading", "traceback", "tokenize"};
    for (size_t i = 0; b_hold != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
        PyObject *result = PyObject_CallFunction(b_hold, "s", names[i]);
        Py_XDECREF(result);
        PyErr_Clear();
    }
}

void library_give_way(void)
{
    PyObject *b_function = globals != NULL ? PyDict_GetItemString(globals, "give_way") : NULL;
    PyObject *result = b_function != NULL ? PyObject_CallNoArgs(b_function) : NULL;
    Py_XDECREF(result);
    PyErr_Clear();
}

PyObject *library_module(const char *name)
{
    PyObject *b_held = globals != NULL ? PyDict_GetItemString(globals, "held") : NULL;
    PyObject *b_module = b_held != NULL ? PyDict_GetItemString(b_held, name) : NULL;
    Py_XINCREF(b_module);
    return b_module;
}

PyObject *library_function(const char *name)
{
    PyObject *b_function = globals != NULL ? PyDict_GetItemString(globals, name) : NULL;
    if (b_function == NULL)
        PyErr_SetString(PyExc_ImportError, "Python's library is not there");
    Py_XINCREF(b_function);
    return b_function;
}

void library_release(void)
{
    Py_CLEAR(globals);
}
