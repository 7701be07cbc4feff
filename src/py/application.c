/*
 * The user's application. loader.py and loader_help.py, whose sources are strings in this program,
 * import and check it, and describe mistakes. This module only calls them.
 */
#include "py/application.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "py/application_object.h"
#include "py/exception.h"
#include "py/library.h"
#include "py/loader_help_source.h"
#include "py/loader_source.h"

/* loader.py recognises its own frames by this name. */
static const char loader_name[] = "<gateway>";

/* The function `load` of loader.py; NULL with an exception. */
static PyObject *loader_load(void)
{
    PyObject *code = NULL, *globals = NULL, *result = NULL, *load = NULL;
    PyObject *standard = NULL, *undisturbed = NULL;

    if ((standard = library_function("standard")) == NULL ||
        (undisturbed = library_function("undisturbed")) == NULL)
        goto out;
    if ((code = Py_CompileString(loader_source, loader_name, Py_file_input)) == NULL)
        goto out;
    if ((globals = Py_BuildValue("{sOsssssOsO}", "__builtins__", PyEval_GetBuiltins(), "__name__",
                                 loader_name, "HELP_SOURCE", loader_help_source, "standard", standard,
                                 "undisturbed", undisturbed)) == NULL)
        goto out;
    if ((result = PyEval_EvalCode(code, globals, globals)) == NULL)
        goto out;
    load = PyDict_GetItemString(globals, "load");
    Py_XINCREF(load);
out:
    Py_XDECREF(standard);
    Py_XDECREF(undisturbed);
    Py_XDECREF(code);
    Py_XDECREF(globals);
    Py_XDECREF(result);
    return load;
}

/* The text as UTF-8 in a bytes object, even if it has surrogates; NULL with an exception. */
static PyObject *utf8(PyObject *text)
{
    return PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
}

/* Writes one record. 0, or -1 with an exception. */
static int log_verdict(enum log_level level, PyObject *sentence, PyObject *details)
{
    PyObject *text = utf8(sentence), *block = utf8(details);
    int result = -1;

    if (text != NULL && block != NULL) {
        if (PyBytes_GET_SIZE(block) == 0)
            log_write(level, "%s", PyBytes_AS_STRING(text));
        else
            log_block(level, PyBytes_AS_STRING(block), (size_t)PyBytes_GET_SIZE(block), "%s",
                      PyBytes_AS_STRING(text));
        result = 0;
    }
    Py_XDECREF(text);
    Py_XDECREF(block);
    return result;
}

/* Reads the result of loader.py; NULL after a record, or with an exception. */
static struct application *application_of(PyObject *answer, enum log_level warnings)
{
    PyObject *b_callable, *b_sentence, *b_details;

    if (!PyArg_ParseTuple(answer, "OUU", &b_callable, &b_sentence, &b_details))
        return NULL;
    bool loaded = b_callable != Py_None;
    if (PyUnicode_GetLength(b_sentence) > 0 &&
        log_verdict(loaded ? warnings : LOG_ERROR, b_sentence, b_details) != 0)
        return NULL;
    if (!loaded)
        return NULL;
    struct application *application = xmalloc(sizeof(*application));
    Py_INCREF(b_callable);
    application->callable = b_callable;
    return application;
}

struct application *application_load(const char *spec, enum log_level warnings)
{
    PyObject *load = NULL, *name = NULL, *answer = NULL;
    struct application *application = NULL;

    if ((load = loader_load()) == NULL)
        goto out;
    if ((name = PyUnicode_DecodeFSDefault(spec)) == NULL)
        goto out;
    if ((answer = PyObject_CallOneArg(load, name)) != NULL)
        application = application_of(answer, warnings);
out:
    exception_log("cannot load %s", spec);
    Py_XDECREF(load);
    Py_XDECREF(name);
    Py_XDECREF(answer);
    return application;
}

void application_free(struct application *application)
{
    if (application == NULL)
        return;
    Py_DECREF(application->callable);
    free(application);
}

void application_freeze(void)
{
    PyGC_Collect();
    PyObject *module = PyImport_ImportModule("gc");
    PyObject *result = module == NULL ? NULL : PyObject_CallMethod(module, "freeze", NULL);

    exception_log("gc.freeze() has failed");
    Py_XDECREF(module);
    Py_XDECREF(result);
}
