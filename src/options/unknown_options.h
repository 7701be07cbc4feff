/*
 * Names that are no options, and advice about them. Users know names from other servers. These are
 * no aliases here, because an option that works differently should not look the same. They are
 * searched before similar names of our own options. Constant; any thread.
 */
#ifndef OPTIONS_UNKNOWN_OPTIONS_H
#define OPTIONS_UNKNOWN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "options/options_table.h"

struct foreign_option {
    const char *name;    /* without dashes; one letter is a short option */
    bool value;          /* it takes a value in that server */
    const char *here;    /* the name of the same option here; or NULL, and */
    const char *instead; /* advice that follows a semicolon */
};

extern const struct foreign_option foreign_options[];
extern const size_t foreign_option_count;

/* An underscore counts as a dash. NULL for none. */
const struct foreign_option *foreign_option_find(const char *name, size_t size);

/* The row with the most similar name; NULL when none is similar. */
const struct option_row *option_find_nearest(const char *name, size_t size);
/* Passes a sentence to `tell` for each variable GATEWAY_... that belongs to no option. This is no
 * mistake, because another program may use it. Variables that Kubernetes makes for a Service named
 * gateway are left out. */
void options_tell_strays(char *const *environment, void (*tell)(const char *sentence));

#endif
