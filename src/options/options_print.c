/*
 * --print-config: the options as a configuration file would say them, and where each comes from.
 */
#include "options/options_table.h"

#include <stdio.h>

enum { ORIGIN_COLUMN = 48 };

/* A basic string of TOML. How many columns it takes. */
static int print_quoted(FILE *out, const char *text)
{
    int width = fprintf(out, "\"");
    for (; *text != '\0'; text++)
        if (*text == '"' || *text == '\\')
            width += fprintf(out, "\\%c", *text);
        else if ((unsigned char)*text < ' ' || *text == 0x7f)
            width += fprintf(out, "\\u%04X", (unsigned char)*text);
        else
            width += fprintf(out, "%c", *text);
    return width + fprintf(out, "\"");
}

static void print_origin(FILE *out, int width, const char *origin)
{
    fprintf(out, "%*s  # %s\n", width < ORIGIN_COLUMN ? ORIGIN_COLUMN - width : 0, "",
            origin[0] != '\0' ? origin : "default");
}

void print_setting(FILE *out, const char *name, const char *value, const char *origin)
{
    if (value == NULL) {
        fprintf(out, "# %s is not set\n", name);
        return;
    }
    int width = fprintf(out, "%s = ", name);
    width += print_quoted(out, value);
    print_origin(out, width, origin);
}

static void print_list(FILE *out, const char *name, const struct string_list *list, const char *origin)
{
    if (list->count == 0) {
        print_setting(out, name, NULL, origin);
        return;
    }
    int width = fprintf(out, "%s = [", name);
    for (size_t i = 0; i < list->count; i++) {
        width += fprintf(out, "%s", i > 0 ? ", " : "");
        width += print_quoted(out, list->items[i]);
    }
    width += fprintf(out, "]");
    print_origin(out, width, origin);
}

/* Numbers and flags stand for themselves in TOML; times, sizes and words are strings. */
static void print_bare(FILE *out, const char *name, const char *value, const char *origin)
{
    print_origin(out, fprintf(out, "%s = %s", name, value), origin);
}

static void print_number(FILE *out, const struct option_row *row, int64_t value, const char *origin)
{
    char text[32];
    option_number_text(row, value, text, sizeof(text));
    if (row->kind == OPTION_NUMBER && (row->word == NULL || value != 0))
        print_bare(out, row->name, text, origin);
    else
        print_setting(out, row->name, text, origin);
}

void option_print(FILE *out, const struct option_row *row, const struct options *options, const char *origin)
{
    const void *field = (const char *)options + row->field;
    if (option_is_list(row))
        print_list(out, row->name, field, origin);
    else if (option_is_text(row))
        print_setting(out, row->name, *(char *const *)field, origin);
    else if (row->kind == OPTION_FLAG)
        print_bare(out, row->name, *(const bool *)field ? "true" : "false", origin);
    else if (row->kind == OPTION_CHOICE)
        print_setting(out, row->name, row->choices[*(const int64_t *)field], origin);
    else
        print_number(out, row, *(const int64_t *)field, origin);
}
