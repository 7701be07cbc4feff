/*
 * The options while they are being read: what options*.c share. Private to them.
 */
#ifndef OPTIONS_OPTIONS_PARSE_H
#define OPTIONS_OPTIONS_PARSE_H

#include "options/options_table.h"

enum { WHERE_SIZE = 256 };

struct parse {
    struct options *options;
    char *const *environment;
    char *message;
    size_t message_size;
    char where[WHERE_SIZE]; /* of the level being read, for messages */
    bool *given; /* for each row, whether this level has set it: a list's first item replaces the list */
    bool application_given; /* by this level */
    bool (*only)(
        const struct option_row *row);     /* looking for these before anything else is judged; NULL: all */
    void (*complain)(const char *message); /* a mistake is told and not the end; NULL: it is */
    struct mistakes mistakes;
    char (*origins)
        [WHERE_SIZE]; /* where each row's value comes from, the application's behind them; NULL: nobody asks */
};

enum { SHOWN_SIZE = 128 };

/* A level replaces what those before it have said. `where`: how it is called, in messages. */
void parse_begin_level(struct parse *parse, const char *where);
/* The value of that row, or of the application (option_row_count), is this level's. */
void parse_note_origin(struct parse *parse, size_t index);
/* The message is there: 0 when that is told and what follows is looked at all the same, else -1. */
int parse_mistake(struct parse *parse);
/* Likewise, and it is about this row; NULL: about any. */
int parse_mistake_in(struct parse *parse, const struct option_row *row);
/* Of the environment. NULL when it is not set, or empty: that is how a variable is switched off. */
const char *parse_variable(const struct parse *parse, const char *name);
/* The text as it can stand between quotes in a message, whatever is in it and however long it is. */
const char *parse_shown(char out[SHOWN_SIZE], const char *text, size_t size);

/* Of options_bind.c, after all levels. 0, or -1 where a mistake is the end. */
int parse_passed_sockets(struct parse *parse);
int parse_default_bind(struct parse *parse);

#endif
