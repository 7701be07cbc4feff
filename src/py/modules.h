/*
 * The files that this process's Python code is from: those of sys.modules, but for Python's own library.
 */
#ifndef PY_MODULES_H
#define PY_MODULES_H

#include <stddef.h>

struct module_files {
    char **paths; /* absolute, as Python knows them: symbolic links are not resolved */
    size_t count;
};

/* Both run no Python code, not even that of modules which are loaded when they are looked at. GIL held. */
size_t modules_count(void);
void modules_list(struct module_files *files);

void module_files_fini(struct module_files *files); /* {0} afterwards; without the GIL, too */

#endif
