/*
 * Shell completion: what a program takes on its command line, as bash, zsh and fish want to be told. The build asks the programs, so that
 * completion knows what they know.
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
        *value; /* how it is called: FILE, PATH, DIR and DIRS are completed as such; NULL: it takes none */
    const char *const *choices; /* all that the value can be; ends with NULL */
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
    const struct completion_verb *verbs; /* what the first other word can be */
    size_t verb_count;
};

void completion_print(FILE *out, enum completion_shell shell, const struct completion *completion);

#endif
