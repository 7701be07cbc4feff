/*
 * Virtual environments: whether one fits the embedded libpython.
 *
 * This is checked before the interpreter starts, because CPython starts with any environment. An
 * environment of another minor version would lose its packages. One of another build would get that
 * build's standard library, whose C modules do not fit. A missing one would go unnoticed. Knows no
 * Python. Any thread.
 */
#ifndef PY_VENV_H
#define PY_VENV_H

#include <stddef.h>

/* The embedded python. */
struct venv_host {
    const char *version; /* "3.11.2" */
    const char *python;  /* an executable of the same build: "/usr/bin/python3" */
};

enum venv_answer {
    VENV_FITS,        /* `message` is empty */
    VENV_OTHER_BUILD, /* same minor version, made by another python: its packages fit, its library does not */
    VENV_MISSING,     /* the directory does not exist */
    VENV_UNFIT,       /* it would not work */
};

/* Unless it fits, `message` gets one sentence: the mistake and its remedy. */
enum venv_answer venv_check(const char *directory, const struct venv_host *host, char *message,
                            size_t message_size);

/* The virtual environment whose bin/ has this program under the name `program`, which may be a
 * link; NULL without one, and for NULL. The caller frees it. */
char *venv_around(const char *program);

#endif
