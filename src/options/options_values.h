/*
 * The options' values: what a text has to look like for each kind of option, and the fields that take it.
 */
#ifndef OPTIONS_OPTIONS_VALUES_H
#define OPTIONS_OPTIONS_VALUES_H

#include "options/options_table.h"

/* Gives the row's field the value; a list gets one more. 0, or -1 and in `wrong` what is wrong with the text: a verb
 * and its object, `is not a number`. */
int option_set(struct options *options, const struct option_row *row, const char *text, char *wrong,
               size_t size);
/* Zeroes the row's field. */
void option_clear(struct options *options, const struct option_row *row);
bool option_is_same(const struct option_row *row, const struct options *a, const struct options *b);
/* The field's value becomes that of the other. */
void option_copy(const struct option_row *row, struct options *to, const struct options *from);
bool option_is_setting(const struct option_row *row); /* a file can say it */
/* The number as a user would write it. */
void option_number_text(const struct option_row *row, int64_t value, char *out, size_t size);
bool option_is_list(const struct option_row *row);
bool option_is_text(const struct option_row *row); /* its field is a char * */

/* Splits as a shell does: blanks, both quotes, backslash; nothing is expanded. 0, or -1 when a quote is left open:
 * then the list is empty. */
int words_split(const char *text, struct string_list *words);

void options_free(struct options *options);
/* At a reload: options that cannot change without a restart are set to what they are `now`; the names of those that would have changed
 * go to `told`, one by one. */
void options_keep(struct options *options, const struct options *now,
                  void (*told)(void *context, const char *name), void *context);

void string_list_add(struct string_list *list, const char *text); /* copied */
void string_list_free(struct string_list *list);                  /* its items; it is empty then */

/* The values' grammar, also for fuzzing. `90`, `30s`, `500ms`, `2m`, `1h` to ms; `64k`, `10m`, `1g`, `4096` to bytes.
 * 0, or -1 when it is not of that form or does not fit. */
int options_parse_time(const char *text, int64_t *ms);
int options_parse_size(const char *text, int64_t *bytes);

#endif
