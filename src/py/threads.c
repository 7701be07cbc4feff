/* The threads of this process besides the calling one. */
#include "py/threads.h"

#include "py/compat.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* threading.enumerate(); NULL, without an exception, when nobody has imported it: then Python has no names. */
static PyObject *known_threads(void)
{
    PyObject *name = PyUnicode_FromString("threading");
    PyObject *module = name != NULL ? PyImport_GetModule(name) : NULL;
    PyObject *answer = module != NULL ? PyObject_CallMethod(module, "enumerate", NULL) : NULL;
    PyObject *list = answer != NULL ? PySequence_List(answer) : NULL;
    Py_XDECREF(name);
    Py_XDECREF(module);
    Py_XDECREF(answer);
    PyErr_Clear();
    return list;
}

static bool has_id(PyObject *thread, long id)
{
    PyObject *number = PyObject_GetAttrString(thread, "native_id");
    bool same = number != NULL && PyLong_Check(number) && PyLong_AsLong(number) == id;
    Py_XDECREF(number);
    PyErr_Clear();
    return same;
}

/* False when Python knows no such thread, or its name is not fit to print. */
static bool add_known(struct listing *listing, PyObject *threads, long id)
{
    bool added = false;
    for (Py_ssize_t i = 0; threads != NULL && i < PyList_GET_SIZE(threads) && !added; i++) {
        PyObject *b_thread = PyList_GET_ITEM(threads, i);
        if (!has_id(b_thread, id))
            continue;
        PyObject *name = PyObject_GetAttrString(b_thread, "name");
        const char *text = name != NULL && PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL;
        if (text != NULL)
            listing_add(listing, "\"%s\"", text);
        added = text != NULL;
        Py_XDECREF(name);
        PyErr_Clear();
    }
    return added;
}

static void add_other(struct listing *listing, long id)
{
    char path[64], name[32] = "?";
    snprintf(path, sizeof(path), "/proc/self/task/%ld/comm", id);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return; /* it has just ended */
    if (fgets(name, sizeof(name), file) != NULL)
        name[strcspn(name, "\n")] = '\0';
    fclose(file);
    listing_add(listing, "\"%s\"", name);
}

void threads_list(struct listing *listing)
{
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *entry;
    if (tasks == NULL)
        return;
    PyObject *threads = known_threads();
    while ((entry = readdir(tasks)) != NULL) {
        long id = strtol(entry->d_name, NULL, 10);
        if (id > 0 && id != gettid() && !add_known(listing, threads, id))
            add_other(listing, id);
    }
    Py_XDECREF(threads);
    closedir(tasks);
}
