/* --tmp-dir: whether workers can keep large bodies there. */
#ifndef SETUP_TMP_DIR_H
#define SETUP_TMP_DIR_H

#include <stddef.h>

#include "options/options.h"

/*
 * Both try the directory as the user, in a child. The caller has called privileges_resolve.
 *
 * tmp_dir_check is for a directory that the user has named: 0, or -1 with one sentence in
 * `message`. tmp_dir_warn is for the default and only warns: many a container has no /tmp, and many
 * an application has no large bodies.
 */
int tmp_dir_check(const struct options *options, char *message, size_t size);
void tmp_dir_warn(const struct options *options);

#endif
