/*
 * Names that options have in other servers, which fingers know, with what is here in their place. No aliases: what is not the same should
 * not look as if it were. Asked before a name that is only like one of ours.
 */
#ifndef OPTIONS_UNKNOWN_OPTIONS_H
#define OPTIONS_UNKNOWN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "options/options_table.h"

struct foreign_option {
    const char *name;    /* without dashes; that of one letter is a letter */
    bool value;          /* one follows it, there */
    const char *here;    /* the same is an option of this name here; or NULL, and */
    const char *instead; /* a few words that follow a semicolon */
};

extern const struct foreign_option foreign_options[];
extern const size_t foreign_option_count;

/* An underscore is as good as a dash. NULL when there is none. */
const struct foreign_option *foreign_option_find(const char *name, size_t size);

/* The row whose name is most like it; NULL when none is. */
const struct option_row *option_find_nearest(const char *name, size_t size);
/* A sentence for each variable GATEWAY_... that is no option's. It may be somebody else's, so it is no mistake; those that Kubernetes makes
 * for a Service named gateway are not told. */
void options_tell_strays(char *const *environment, void (*tell)(const char *sentence));

#endif
