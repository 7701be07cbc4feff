/* The environ key of a header field: a bounded table of names seen before. */
#include "py/field_names.h"

#include <stdbool.h>

/* The table keeps KEPT names. A client that invents further names pays for a new string each
 * time. */
enum { SLOTS = 512, KEPT = 256, NAME_MAX_SIZE = 64 };

struct entry {
    PyObject *key; /* NULL and hidden: not shown; NULL alone: a free entry */
    bool hidden;
    uint8_t size;
    char name[NAME_MAX_SIZE]; /* upper case, "-" as "_" */
};

static struct entry table[SLOTS];
static unsigned kept;
static PyObject *unkept; /* the last key that was not kept */

static const struct {
    const char *name, *key; /* key NULL: hidden */
} special[] = {
    {"CONTENT_TYPE", "CONTENT_TYPE"},
    {"CONTENT_LENGTH", "CONTENT_LENGTH"},
    {"TRANSFER_ENCODING", NULL},
    /* environ compares these by identity: they must be in the table before clients can fill it. */
    {"HOST", "HTTP_HOST"},
    {"COOKIE", "HTTP_COOKIE"},
};

static char key_char(char c)
{
    if (c >= 'a' && c <= 'z')
        return (char)(c - 'a' + 'A');
    return c == '-' ? '_' : c;
}

static uint32_t hash(const char *name, size_t size)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < size; i++)
        h = (h ^ (unsigned char)name[i]) * 16777619u;
    return h;
}

/* The entry of that name, or the free entry for it. A free entry always exists: KEPT < SLOTS. */
static struct entry *find(const char *name, size_t size)
{
    for (uint32_t i = hash(name, size);; i++) {
        struct entry *entry = &table[i % SLOTS];
        if (entry->size == 0 || (entry->size == size && memcmp(entry->name, name, size) == 0))
            return entry;
    }
}

static void keep(struct entry *entry, const char *name, size_t size, PyObject *key)
{
    memcpy(entry->name, name, size);
    entry->size = (uint8_t)size;
    entry->key = key;
    entry->hidden = key == NULL;
    kept++;
}

int field_names_init(void)
{
    for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
        size_t size = strlen(special[i].name);
        PyObject *key = NULL;
        if (special[i].key != NULL && (key = PyUnicode_InternFromString(special[i].key)) == NULL)
            return -1;
        keep(find(special[i].name, size), special[i].name, size, key);
    }
    return 0;
}

static PyObject *make_key(const char *name, size_t size)
{
    PyObject *key = PyUnicode_New((Py_ssize_t)(size + 5), 127);
    if (key == NULL)
        return NULL;
    memcpy(PyUnicode_1BYTE_DATA(key), "HTTP_", 5);
    memcpy(PyUnicode_1BYTE_DATA(key) + 5, name, size);
    PyUnicode_InternInPlace(&key);
    return key;
}

static PyObject *long_key(struct slice name)
{
    PyObject *key = PyUnicode_New((Py_ssize_t)(name.size + 5), 127);
    if (key == NULL)
        return NULL;
    char *text = (char *)PyUnicode_1BYTE_DATA(key);
    memcpy(text, "HTTP_", 5);
    for (size_t i = 0; i < name.size; i++)
        text[5 + i] = key_char(name.data[i]);
    Py_XSETREF(unkept, key);
    return key;
}

PyObject *field_name_key(struct slice name)
{
    char upper[NAME_MAX_SIZE];
    if (name.size > NAME_MAX_SIZE)
        return long_key(name);
    for (size_t i = 0; i < name.size; i++)
        upper[i] = key_char(name.data[i]);
    struct entry *entry = find(upper, name.size);
    if (entry->size != 0)
        return entry->key;
    if (kept >= KEPT)
        return long_key(name);
    PyObject *key = make_key(upper, name.size);
    if (key != NULL)
        keep(entry, upper, name.size, key);
    return key;
}
