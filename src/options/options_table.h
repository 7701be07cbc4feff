/*
 * The table of options and the meaning of its rows. Constant; any thread.
 */
#ifndef OPTIONS_OPTIONS_TABLE_H
#define OPTIONS_OPTIONS_TABLE_H

#include "options/options.h"

enum option_kind {
    OPTION_STRING,   /* char *; at least `min` characters */
    OPTION_URL_PATH, /* char *; empty, or starts with a slash; slashes at its end are taken off */
    OPTION_OCTAL,    /* char *; an octal number of up to `max` */
    OPTION_NETWORKS, /* char *; a list of options/networks.h */
    OPTION_FIELDS,   /* char *; a list of options/forwarded_fields.h */
    OPTION_HOSTS,    /* char *; names of hosts, with commas between them */
    OPTION_LIST,     /* struct string_list; repeatable */
    OPTION_PAIRS,    /* struct string_list of NAME=VALUE; repeatable */
    OPTION_NUMBER,   /* int64_t from min to max, like the next two */
    OPTION_TIME,     /* milliseconds */
    OPTION_SIZE,     /* bytes */
    OPTION_CHOICE,   /* int64_t: the index in `choices` */
    OPTION_FLAG,     /* bool; takes no value, or =yes or =no; its variable is yes or no */
    OPTION_ACTION,   /* takes no value and has no variable */
};

struct option_row {
    const char *section;
    const char *name; /* without the dashes */
    char letter;      /* 0: none */
    bool hidden;      /* not in --help, the manual or suggestions */
    bool restart;     /* a reload cannot change it */
    enum option_kind kind;
    enum options_action action;
    size_t field;        /* offset in struct options */
    const char *value;   /* name of the value in --help */
    const char *initial; /* default in a user's notation; NULL leaves the field zero */
    const char *word;    /* this value means 0, or NULL */
    int64_t min, max;
    const char *const *choices; /* ends with NULL */
    const char *variable;       /* a well-known variable, read after GATEWAY_<NAME> */
    const char *help;           /* sentences, without the default */
};

extern const struct option_row option_rows[];
extern const size_t option_row_count;

/* The row of that name (an underscore counts as a dash) or letter; NULL for none. */
const struct option_row *option_find_name(const char *name, size_t size);
const struct option_row *option_find_letter(char letter);

#endif
