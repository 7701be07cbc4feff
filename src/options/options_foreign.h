/*
 * Names that options have in other servers, which fingers know, with what is here in their place. No aliases: what is not the same should
 * not look as if it were. Asked before a name that is only like one of ours.
 */
#ifndef OPTIONS_OPTIONS_FOREIGN_H
#define OPTIONS_OPTIONS_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>

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

#endif
