/*
 * A command line for the options' tests, written as in a shell.
 */
#ifndef OPTIONS_LINE_H
#define OPTIONS_LINE_H

#include "options/options_parse.h"
#include "options/options_table.h"
#include "options/options_values.h"

#include "unit.h"

/* The message of options_parse. */
static char message[512];

/* Parses a command line, split as in a shell, with a configuration file or NULL; NULL ends the
 * environment. */
static inline int parse_with(struct options *options, const char *line, char *const *environment,
                             const struct settings *file)
{
    struct string_list words = {NULL, 0};
    ck_assert_int_eq(words_split(line, &words), 0);
    char *arguments[32] = {"gateway"};
    ck_assert_uint_lt(words.count, UNIT_ROWS(arguments) - 1);
    for (size_t i = 0; i < words.count; i++)
        arguments[i + 1] = words.items[i];
    message[0] = '\0';
    int result =
        options_parse(options, (int)words.count + 1, arguments, environment, file, message, sizeof(message));
    string_list_free(&words);
    return result;
}

static inline int parse(struct options *options, const char *line, char *const *environment)
{
    return parse_with(options, line, environment, NULL);
}

static char *const no_environment[] __attribute__((unused)) = {NULL};

#endif
