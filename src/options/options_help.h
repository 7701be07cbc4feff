/*
 * The option table as text: --help, the OPTIONS section of the manual page, shell completion and
 * --print-config.
 */
#ifndef OPTIONS_OPTIONS_HELP_H
#define OPTIONS_OPTIONS_HELP_H

#include <stdio.h>

#include "options/completion.h"
#include "options/options_table.h"

void options_help(FILE *out); /* --help: grouped, in 80 columns */
void options_completion(FILE *out, enum completion_shell shell);
void options_manual(FILE *out); /* the OPTIONS section of gateway(1), mdoc */

/* Prints a line of a configuration file, with the origin of the value as a comment. */
void option_print(FILE *out, const struct option_row *row, const struct options *options, const char *origin);
void print_setting(FILE *out, const char *name, const char *value,
                   const char *origin); /* value: NULL when not set */

#endif
