/*
 * Reading the options: each level replaces values of the levels below.
 *
 * The caller owns the results (options_free, settings_free, free). Call in the main thread:
 * messages and values come from the environment, too.
 */
#ifndef OPTIONS_OPTIONS_PARSE_H
#define OPTIONS_OPTIONS_PARSE_H

#include <stdio.h>

#include "options/options.h"

/* The content of a configuration file, in its order. A key is the name of an option or
 * "application"; a list has one entry per item. */
struct settings {
    char *name; /* the file's name, for messages */
    struct string_list keys, values;
};

/*
 * Fills `options` from the file (NULL: none), the environment and the command line. 0; or -1 after
 * a mistake of the user: then `message` has one sentence (what, where, what to do) and the exit
 * status is 2. For an unknown option it names the nearest known one. `environment` has the form of
 * environ(7); argv[0] is skipped.
 */
int options_parse(struct options *options, int argc, char *const *argv, char *const *environment,
                  const struct settings *file, char *message, size_t message_size);
/* The mistakes that options_parse_all and further checks have reported. */
struct mistakes {
    size_t count;
    bool application; /* one may concern the application or what it needs: loading it would prove nothing */
};

/* As options_parse, but continues after a mistake: passes one sentence each to `complain`, and
 * counts them. `options` gets the correct values. */
void options_parse_all(struct options *options, int argc, char *const *argv, char *const *environment,
                       const struct settings *file, void (*complain)(const char *message),
                       struct mistakes *mistakes);
/* --print-config: prints the options as a configuration file, with the origin of each. Returns as
 * options_parse. */
int options_print(FILE *out, int argc, char *const *argv, char *const *environment,
                  const struct settings *file, char *message, size_t message_size);
bool options_want_check(int argc, char *const *argv,
                        char *const *environment); /* --check-config, in the same way */
/* The file that --config names in the environment or on the command line; NULL without one. The
 * caller frees it. Ignores mistakes. */
char *options_find_config(int argc, char *const *argv, char *const *environment);
/* The user that --user names there. A configuration file is not considered. The caller frees it. */
char *options_find_user(int argc, char *const *argv, char *const *environment);
struct settings *settings_new(const char *name);
void settings_add(struct settings *settings, const char *key, const char *value);
void settings_free(struct settings *settings); /* NULL is fine */

#endif
