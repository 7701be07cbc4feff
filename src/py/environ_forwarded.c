/* What a trusted proxy has said, in environ. */
#include "py/environ_forwarded.h"

#include "py/latin1.h"

static const char *const texts[FORWARDED_NAMES] = {
    [FORWARDED_FOR] = "HTTP_X_FORWARDED_FOR",
    [FORWARDED_PROTO] = "HTTP_X_FORWARDED_PROTO",
    [FORWARDED_HOST] = "HTTP_X_FORWARDED_HOST",
    [FORWARDED_PORT] = "HTTP_X_FORWARDED_PORT",
    [FORWARDED_PREFIX] = "HTTP_X_FORWARDED_PREFIX",
    [FORWARDED_BY] = "HTTP_X_FORWARDED_BY",
    [FORWARDED_ALL] = "HTTP_FORWARDED",
};

static PyObject *keys[FORWARDED_NAMES], *script_name, *http_host;

int environ_forwarded_init(void)
{
    for (int i = 0; i < FORWARDED_NAMES; i++)
        if ((keys[i] = PyUnicode_InternFromString(texts[i])) == NULL)
            return -1;
    script_name = PyUnicode_InternFromString("SCRIPT_NAME");
    http_host = PyUnicode_InternFromString("HTTP_HOST");
    return script_name != NULL && http_host != NULL ? 0 : -1;
}

static int show(PyObject *dict, PyObject *key, struct slice text)
{
    PyObject *value = latin1_str(text);
    int r = value != NULL ? PyDict_SetItem(dict, key, value) : -1;
    Py_XDECREF(value);
    return r;
}

int environ_forwarded_show(PyObject *dict, const struct forwarded *forwarded)
{
    for (int i = 0; i < FORWARDED_NAMES; i++)
        if (forwarded->kept[i].data != NULL && show(dict, keys[i], forwarded->kept[i]) < 0)
            return -1;
    if (forwarded->host.data != NULL && show(dict, http_host, forwarded->host) < 0)
        return -1;
    return forwarded->prefix_said ? show(dict, script_name, forwarded->prefix) : 0;
}
