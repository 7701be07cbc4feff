/* Reads a configuration file with settings.py, whose source is a string in this program. */
#include "py/compat.h"

#include "py/settings.h"

#include <string.h>
#include <unistd.h>

#include "config.h" /* PYTHON_EXECUTABLE */
#include "py/settings_source.h"

static const char source_name[] = "<gateway>";

static PyStatus initialize(void)
{
    PyConfig config;
    PyConfig_InitIsolatedConfig(&config);
    config.site_import = TOML_NEEDS_SITE;
    PyStatus status = PyConfig_SetBytesString(&config, &config.program_name, PYTHON_EXECUTABLE);
    if (!PyStatus_Exception(status))
        status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    return status;
}

/* 1 on success, 0 when a sentence was written; -1 with an exception. */
static int run(const char *path, const char *table, int out)
{
    PyObject *code = NULL, *globals = NULL, *result = NULL, *name = NULL, *answer = NULL;
    int good = -1;

    if ((code = Py_CompileString(settings_source, source_name, Py_file_input)) == NULL)
        goto out;
    if ((globals = Py_BuildValue("{sOss}", "__builtins__", PyEval_GetBuiltins(), "__name__", source_name)) ==
        NULL)
        goto out;
    if ((result = PyEval_EvalCode(code, globals, globals)) == NULL)
        goto out;
    if ((name = PyUnicode_DecodeFSDefault(path)) == NULL)
        goto out;
    answer = PyObject_CallFunction(PyDict_GetItemString(globals, "write"), "Osi", name, table, out);
    if (answer != NULL)
        good = PyObject_IsTrue(answer);
out:
    Py_XDECREF(code);
    Py_XDECREF(globals);
    Py_XDECREF(result);
    Py_XDECREF(name);
    Py_XDECREF(answer);
    return good;
}

static void fail(int out, const char *sentence)
{
    if (write(out, sentence, strlen(sentence)) < 0) {
        /* the reader is gone */
    }
    close(out);
}

int settings_write(const char *path, const char *table, int out)
{
    PyStatus status = initialize();
    if (PyStatus_Exception(status)) {
        fail(out, "cannot be read, as Python does not start");
        return -1;
    }
    int good = run(path, table, out);
    if (good < 0) {
        PyErr_Print();
        fail(out, "cannot be read");
    }
    return good == 1 ? 0 : -1;
}
