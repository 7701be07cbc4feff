/*
 * --tmp-dir: whether the application's processes can keep large bodies there.
 */
#ifndef SETUP_TMP_DIR_H
#define SETUP_TMP_DIR_H

#include <stddef.h>

#include "options/options.h"

/* After privileges_resolve: tried as the user, in a process of its own. 0, or -1 with one sentence in `message`; but one that nobody has
 * named is only for tmp_dir_warn: many a container has no /tmp, and many an application no large bodies. */
int tmp_dir_check(const struct options *options, char *message, size_t size);
void tmp_dir_warn(const struct options *options);

#endif
