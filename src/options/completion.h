/*
 * Shell completion: the options and verbs of a program in the form that bash, zsh and fish read.
 * The build runs the programs, so that completion offers what they accept. Strings are borrowed.
 */
#ifndef OPTIONS_COMPLETION_H
#define OPTIONS_COMPLETION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum completion_shell { COMPLETION_BASH, COMPLETION_ZSH, COMPLETION_FISH };

/* NULL where there is none. */
struct completion_option {
    const char *name; /* without the dashes */
    char letter;      /* 0: none */
    bool repeats;
    const char
        *value; /* its name in --help: FILE, PATH, DIR and DIRS are completed as files; NULL: takes none */
    const char *const *choices; /* all possible values; ends with NULL */
    const char *help;
};

struct completion_verb {
    const char *name;
    const char *arguments; /* separated by |, perhaps in brackets */
    const char *help;
};

struct completion {
    const char *program;
    const struct completion_option *options;
    size_t option_count;
    const struct completion_verb *verbs; /* possible first words that are no options */
    size_t verb_count;
};

void completion_print(FILE *out, enum completion_shell shell, const struct completion *completion);

#endif
