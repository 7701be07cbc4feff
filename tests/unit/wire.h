/*
 * Reads tests/wire: raw requests with the outcome expected. The format is described in
 * tests/wire/README.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>

enum { WIRE_ANSWERS = 32 };

struct wire_case {
    char *name;     /* "theme/NAME" */
    char *sentence; /* what it is about, and why */
    char *bytes;    /* the raw requests; they may hold NUL */
    size_t size;
    struct {
        int status;
        bool keep_alive;
    } answers[WIRE_ANSWERS];
    size_t count;
    bool incomplete; /* the bytes end within a request */
};

/* All cases under `directory`, ordered by name; *count of them. A file that cannot be read or
 * understood ends the process with a sentence. */
struct wire_case *wire_load(const char *directory, size_t *count);
/* Reads one file. `name` is the name of the case. */
struct wire_case wire_read(const char *path, const char *name);
void wire_free(struct wire_case *cases, size_t count);

#endif
