/*
 * The option table as --help and as the manual page's OPTIONS section.
 */
#include "base/mem.h"
#include "options/options_table.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { HELP_WIDTH = 79, HELP_COLUMN = 32 };

/* "10s", "$TMPDIR, else /tmp"; empty when there is none to tell. */
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

/* Continues at `column`, on lines that start at HELP_COLUMN. */
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

/* A sentence a line, as mdoc has it. */
static void print_sentences(FILE *out, const char *text)
{
    const char *end;
    for (; (end = strstr(text, ". ")) != NULL; text = end + 2)
        fprintf(out, "%.*s.\n", (int)(end - text), text);
    fprintf(out, "%s\n", text);
}

/* \& keeps mdoc from taking a value like "." for punctuation. */
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
