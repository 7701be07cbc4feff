/*
 * The values of options: their notation for each kind of option, and the fields that hold them. A
 * struct options owns its values; one thread at a time changes it.
 */
#ifndef OPTIONS_OPTIONS_VALUES_H
#define OPTIONS_OPTIONS_VALUES_H

#include "options/options_table.h"

/* Sets the row's field; adds an item to a list. 0, or -1 and a verb with its object in `wrong`: `is
 * not a number`. */
int option_set(struct options *options, const struct option_row *row, const char *text, char *wrong,
               size_t size);
/* Zeroes the row's field. */
void option_clear(struct options *options, const struct option_row *row);
bool option_is_same(const struct option_row *row, const struct options *a, const struct options *b);
/* Copies the field's value from `from`. */
void option_copy(const struct option_row *row, struct options *to, const struct options *from);
bool option_is_setting(const struct option_row *row); /* a file can set it */
/* Formats a number as a user would write it. */
void option_number_text(const struct option_row *row, int64_t value, char *out, size_t size);
bool option_is_list(const struct option_row *row);
bool option_is_text(const struct option_row *row); /* its field is a char * */

/* Splits text as a shell does: blanks, both quotes, backslash; no expansion. 0, or -1 when a quote
 * is left open: then the list is empty. */
int words_split(const char *text, struct string_list *words);

void options_free(struct options *options);
/* For a reload: sets options that need a restart to their value in `now`. Passes the name of each
 * that would have changed to `told`. */
void options_keep(struct options *options, const struct options *now,
                  void (*told)(void *context, const char *name), void *context);

void string_list_add(struct string_list *list, const char *text); /* copies the text */
void string_list_free(struct string_list *list); /* frees the items; the list is empty then */

/* Read values, and are exported for fuzzing: `90`, `30s`, `500ms`, `2m`, `1h` as ms; `64k`, `10m`,
 * `1g`, `4096` as bytes. 0, or -1 when the text has another form or is too large. */
int options_parse_time(const char *text, int64_t *ms);
int options_parse_size(const char *text, int64_t *bytes);

#endif
