/*
 * Reading the options: the levels one after the other, each replacing what the one below said.
 */
#ifndef OPTIONS_OPTIONS_PARSE_H
#define OPTIONS_OPTIONS_PARSE_H

#include <stdio.h>

#include "options/options.h"

/* What a configuration file says, in its order: keys are names of options or "application"; a list's items come one by one. */
struct settings {
    char *name; /* of the file, for messages */
    struct string_list keys, values;
};

/*
 * Fills `options` from the file (NULL: there is none), the environment and the command line. 0; or -1 when the user was wrong: then one clear sentence
 * (what, where, what to do) stands in `message` and the exit status is 2. Unknown options name the nearest known one.
 * `environment` is environ(7)-like; argv[0] is skipped.
 */
int options_parse(struct options *options, int argc, char *const *argv, char *const *environment,
                  const struct settings *file, char *message, size_t message_size);
/* What is wrong, where all of it is told. */
struct mistakes {
    size_t count;
    bool application; /* it may be about what the application is, or needs: to load it says nothing */
};

/* As options_parse, but goes on after a mistake: each is a sentence for `complain`, and counted. `options` has what was right. */
void options_parse_all(struct options *options, int argc, char *const *argv, char *const *environment,
                       const struct settings *file, void (*complain)(const char *message),
                       struct mistakes *mistakes);
/* --print-config: what the options are, as a configuration file would say it, and where each comes from. As options_parse. */
int options_print(FILE *out, int argc, char *const *argv, char *const *environment,
                  const struct settings *file, char *message, size_t message_size);
bool options_want_check(int argc, char *const *argv, char *const *environment); /* --check-config, likewise */
/* The file that --config names, wherever that was said; to be freed, NULL when nobody has. Nothing else is judged. */
char *options_find_config(int argc, char *const *argv, char *const *environment);
/* The user that --user names, but for what the file says; likewise. */
char *options_find_user(int argc, char *const *argv, char *const *environment);
struct settings *settings_new(const char *name);
void settings_add(struct settings *settings, const char *key, const char *value);
void settings_free(struct settings *settings); /* NULL is fine */

#endif
