/* The source files of the process's Python modules. */
#include "py/modules.h"

#include "py/compat.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* The module's __file__, from its own dictionary; NULL, without an exception, when it has none that
 * can be a file. */
static PyObject *file_of(PyObject *module)
{
    if (!PyModule_Check(module))
        return NULL;
    PyObject *b_file = PyDict_GetItemString(PyModule_GetDict(module), "__file__");
    PyObject *bytes =
        b_file != NULL && PyUnicode_CheckExact(b_file) ? PyUnicode_EncodeFSDefault(b_file) : NULL;
    PyErr_Clear();
    if (bytes == NULL)
        return NULL;
    const char *path = PyBytes_AS_STRING(bytes);
    if (path[0] == '/' && strlen(path) == (size_t)PyBytes_GET_SIZE(bytes))
        return bytes;
    Py_DECREF(bytes);
    return NULL;
}

/* The length of the library's directory in the path of os, with the last slash; 0 when os has no
 * file. */
static size_t library_size(PyObject *os_file)
{
    const char *slash = os_file != NULL ? strrchr(PyBytes_AS_STRING(os_file), '/') : NULL;
    return slash != NULL ? (size_t)(slash + 1 - PyBytes_AS_STRING(os_file)) : 0;
}

static bool begins_with(const char *text, const char *part)
{
    return strncmp(text, part, strlen(part)) == 0;
}

/* A change there means another Python. Installed packages are often below that directory. */
static bool is_of_library(const char *path, PyObject *os_file)
{
    size_t size = library_size(os_file);
    return size > 0 && strncmp(path, PyBytes_AS_STRING(os_file), size) == 0 &&
           !begins_with(path + size, "site-packages/") && !begins_with(path + size, "dist-packages/");
}

static PyObject *file_of_os(PyObject *modules)
{
    PyObject *b_os = PyDict_GetItemString(modules, "os");
    return b_os != NULL ? file_of(b_os) : NULL;
}

static void add_all(struct module_files *files, PyObject *list, PyObject *os_file)
{
    files->paths = xcalloc((size_t)PyList_GET_SIZE(list) + 1, sizeof(*files->paths));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
        PyObject *file = file_of(PyList_GET_ITEM(list, i));
        if (file != NULL && !is_of_library(PyBytes_AS_STRING(file), os_file))
            files->paths[files->count++] = xstrdup(PyBytes_AS_STRING(file));
        Py_XDECREF(file);
    }
}

size_t modules_count(void)
{
    return (size_t)PyDict_Size(PyImport_GetModuleDict());
}

void modules_list(struct module_files *files)
{
    PyObject *b_modules = PyImport_GetModuleDict();
    PyObject *list = PyDict_Values(b_modules), *os_file = file_of_os(b_modules);
    *files = (struct module_files){0};
    if (list != NULL)
        add_all(files, list, os_file);
    PyErr_Clear();
    Py_XDECREF(list);
    Py_XDECREF(os_file);
}

void module_files_fini(struct module_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->paths[i]);
    free(files->paths);
    *files = (struct module_files){0};
}
