/*
 * Virtual environments: does one fit the libpython that is embedded here?
 *
 * Asked before the interpreter starts, because CPython starts with any: a virtualenv of another minor version
 * is left without its packages, one of another build gets that build's standard library, whose modules in C do not fit, a
 * missing one is not noticed. Knows no Python.
 */
#ifndef PY_VENV_H
#define PY_VENV_H

#include <stddef.h>

/* The python that is embedded. */
struct venv_host {
    const char *version; /* "3.11.2" */
    const char *python;  /* an executable of the same build: "/usr/bin/python3" */
};

enum venv_answer {
    VENV_FITS, /* `message` is empty */
    VENV_OTHER_BUILD, /* the same minor version, made by a python elsewhere: its packages fit, its library does not */
    VENV_MISSING, /* there is no such directory */
    VENV_UNFIT,   /* it would not work */
};

/* Unless it fits, `message` gets one sentence: what is wrong and what to do. */
enum venv_answer venv_check(const char *directory, const struct venv_host *host, char *message,
                            size_t message_size);

/* The virtual environment in whose bin/ this program was found under the name `program`, which may be a link; or NULL, also for NULL.
 * The caller frees it. */
char *venv_around(const char *program);

#endif
