/* Header tuples that applications repeat. */
#include "py/header_cache.h"

#include "py/latin1.h"

enum { SLOTS = 64, LINE_KEPT = 104 };

/* References to a pair that only the call holds: the list's and add_new's. */
enum { REFERENCES_OF_CALL = 2 };

struct entry {
    PyObject *pair; /* strong, or NULL */
    uint64_t length;
    enum field_kind kind;
    uint16_t size;
    char line[LINE_KEPT]; /* "Name: value\r\n" */
};

/* Guarded by the GIL. */
static struct entry cache[SLOTS];

static struct entry *slot_of(PyObject *pair)
{
    uintptr_t address = (uintptr_t)pair;
    return &cache[(address >> 4 ^ address >> 10) % SLOTS];
}

static bool worth_keeping(PyObject *pair, struct slice name, struct slice value)
{
    return Py_REFCNT(pair) > REFERENCES_OF_CALL && PyTuple_CheckExact(pair) &&
           PyUnicode_CheckExact(PyTuple_GET_ITEM(pair, 0)) &&
           PyUnicode_CheckExact(PyTuple_GET_ITEM(pair, 1)) && name.size + value.size + 4 <= LINE_KEPT;
}

static struct entry *keep(PyObject *pair, struct slice name, struct slice value, enum field_kind kind,
                          uint64_t length)
{
    struct entry *entry = slot_of(pair);
    entry->size = (uint16_t)response_field_format(entry->line, name, value);
    entry->kind = kind;
    entry->length = length;
    Py_INCREF(pair);
    Py_XSETREF(entry->pair, pair);
    return entry;
}

static const char *add_entry(struct response *response, const struct entry *entry)
{
    return response_add_line(response, (struct slice){entry->line, entry->size}, entry->kind, entry->length);
}

static int refuse(PyObject *pair, const char *reason)
{
    PyErr_Format(PyExc_ValueError, "header %R: %s", pair, reason);
    return -1;
}

static int check_and_add(struct response *response, PyObject *pair)
{
    struct slice name, value;
    enum field_kind kind;
    uint64_t length = 0;
    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
        PyErr_Format(PyExc_TypeError, "headers must be (name, value) tuples, not %.200R", pair);
        return -1;
    }
    if (latin1_slice(PyTuple_GET_ITEM(pair, 0), "a header's name", &name) < 0 ||
        latin1_slice(PyTuple_GET_ITEM(pair, 1), "a header's value", &value) < 0)
        return -1;
    const char *reason = response_field_check(name, value, &kind, &length);
    if (reason == NULL && worth_keeping(pair, name, value))
        reason = add_entry(response, keep(pair, name, value, kind, length));
    else if (reason == NULL)
        reason = response_add(response, name, value);
    return reason != NULL ? refuse(pair, reason) : 0;
}

/* Takes a reference: an error message shows the pair, and that may run the application's code,
 * which can remove the pair from its list. */
static int add_new(struct response *response, PyObject *pair)
{
    Py_INCREF(pair);
    int r = check_and_add(response, pair);
    Py_DECREF(pair);
    return r;
}

void header_cache_clear(void)
{
    for (size_t i = 0; i < SLOTS; i++)
        Py_CLEAR(cache[i].pair);
}

int header_cache_add(struct response *response, PyObject *pair)
{
    const struct entry *entry = slot_of(pair);
    if (entry->pair != pair)
        return add_new(response, pair);
    const char *reason = add_entry(response, entry);
    return reason != NULL ? refuse(pair, reason) : 0;
}
