/*
 * The source files of the process's Python modules: those of sys.modules, without Python's own
 * library.
 */
#ifndef PY_MODULES_H
#define PY_MODULES_H

#include <stddef.h>

struct module_files {
    char **paths; /* absolute, as Python has them: symbolic links are not resolved */
    size_t count;
};

/* Neither runs Python code, not even that of modules that are loaded at their first use. GIL
 * held. */
size_t modules_count(void);
void modules_list(struct module_files *files);

void module_files_fini(struct module_files *files); /* {0} afterwards; works without the GIL */

#endif
