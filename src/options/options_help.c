/* The option table as text. */
#include "options/options_help.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "options/options_values.h"

enum { HELP_WIDTH = 79, HELP_COLUMN = 32 };

/* "10s", "$TMPDIR, else /tmp"; empty without a default. */
static void default_text(const struct option_row *row, char *out, size_t size)
{
    bool initial = row->initial != NULL && row->initial[0] != '\0';
    snprintf(out, size, "%s%s%s%s", row->variable != NULL ? "$" : "",
             row->variable != NULL ? row->variable : "", row->variable != NULL && initial ? ", else " : "",
             initial ? row->initial : "");
}

static bool new_section(size_t i)
{
    return i == 0 || strcmp(option_rows[i].section, option_rows[i - 1].section) != 0;
}

/* Prints from `column` on, in lines that start at HELP_COLUMN. */
static void print_wrapped(FILE *out, size_t column, const char *text)
{
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (column > HELP_COLUMN && column + 1 + word > HELP_WIDTH) {
            fprintf(out, "\n");
            column = 0;
        }
        if (column < HELP_COLUMN)
            fprintf(out, "%*s", (int)(HELP_COLUMN - column), "");
        else if (column > HELP_COLUMN)
            fprintf(out, " ");
        column = column < HELP_COLUMN ? HELP_COLUMN : column + (column > HELP_COLUMN);
        fprintf(out, "%.*s", (int)word, text);
        column += word;
        text += word + strspn(text + word, " ");
    }
    fprintf(out, "\n");
}

static void print_help_row(FILE *out, const struct option_row *row)
{
    char initial[128], text[512];
    char letter[] = {'-', row->letter, ',', '\0'};
    int column = fprintf(out, "  %3s --%s%s%s", row->letter != '\0' ? letter : "", row->name,
                         row->value != NULL ? " " : "", row->value != NULL ? row->value : "");
    default_text(row, initial, sizeof(initial));
    snprintf(text, sizeof(text), initial[0] != '\0' ? "%s [%s]" : "%s", row->help, initial);
    if (column + 1 > HELP_COLUMN) {
        fprintf(out, "\n");
        column = 0;
    }
    print_wrapped(out, (size_t)column, text);
}

void options_help(FILE *out)
{
    fprintf(out, "Usage: gateway [OPTIONS] MODULE[:CALLABLE]\n"
                 "\n"
                 "Serves a WSGI application over HTTP. CALLABLE is \"application\" or \"app\" where it\n"
                 "is not given.\n");
    for (size_t i = 0; i < option_row_count; i++) {
        if (option_rows[i].hidden)
            continue;
        if (new_section(i))
            fprintf(out, "\n%s:\n", option_rows[i].section);
        print_help_row(out, &option_rows[i]);
    }
    fprintf(out, "\nIn brackets: the default. Times are 90, 30s, 500ms, 2m or 1h; sizes 4096, 64k,\n"
                 "10m or 1g. Every option is also a variable, GATEWAY_KEEP_ALIVE for --keep-alive;\n"
                 "GATEWAY_CMD_ARGS holds more options. The command line wins.\n");
}

void options_completion(FILE *out, enum completion_shell shell)
{
    struct completion_option *options = xcalloc(option_row_count, sizeof(*options));
    struct completion completion = {.program = "gateway", .options = options};
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        if (!row->hidden)
            options[completion.option_count++] = (struct completion_option){
                row->name, row->letter, option_is_list(row), row->value, row->choices, row->help};
    }
    completion_print(out, shell, &completion);
    free(options);
}

/* Prints one sentence a line, as mdoc expects. */
static void print_sentences(FILE *out, const char *text)
{
    const char *end;
    for (; (end = strstr(text, ". ")) != NULL; text = end + 2)
        fprintf(out, "%.*s.\n", (int)(end - text), text);
    fprintf(out, "%s\n", text);
}

/* \& keeps mdoc from reading a value such as "." as punctuation. */
static void print_manual_default(FILE *out, const struct option_row *row)
{
    if (row->variable != NULL)
        fprintf(out, " ,\n.Ev %s", row->variable);
    if (row->initial != NULL && row->initial[0] != '\0')
        fprintf(out, " ;\ndefault\n.Cm \\&%s", row->initial);
}

static void print_manual_row(FILE *out, const struct option_row *row)
{
    fprintf(out, ".It ");
    if (row->letter != '\0')
        fprintf(out, "Fl %c , ", row->letter);
    fprintf(out, "Fl -%s", row->name);
    if (row->value != NULL)
        fprintf(out, " Ar %s", row->value);
    fprintf(out, "\n");
    print_sentences(out, row->help);
    if (row->restart)
        fprintf(out, "A reload does not change it.\n");
    if (row->kind == OPTION_ACTION)
        return;
    fprintf(out, ".Pp\n.Ev GATEWAY_");
    for (const char *c = row->name; *c != '\0'; c++)
        fputc(*c == '-' ? '_' : toupper((unsigned char)*c), out);
    print_manual_default(out, row);
    fprintf(out, " .\n");
}

void options_manual(FILE *out)
{
    for (size_t i = 0; i < option_row_count; i++) {
        if (option_rows[i].hidden)
            continue;
        if (new_section(i))
            fprintf(out, "%s.Ss %s\n.Bl -tag -width Ds\n", i > 0 ? ".El\n" : "", option_rows[i].section);
        print_manual_row(out, &option_rows[i]);
    }
    fprintf(out, ".El\n");
}

enum { ORIGIN_COLUMN = 48 };

/* Prints a basic string of TOML. Returns its width in columns. */
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

/* Prints numbers and flags bare, as TOML has them; times, sizes and words are strings. */
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
