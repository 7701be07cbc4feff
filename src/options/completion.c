/* Shell completion. */
#include "options/completion.h"

#include <string.h>

enum kind { KIND_NONE, KIND_CHOICE, KIND_FILE, KIND_DIRECTORY, KIND_OTHER, KINDS };

static enum kind kind_of(const struct completion_option *option)
{
    if (option->value == NULL)
        return KIND_NONE;
    if (option->choices != NULL)
        return KIND_CHOICE;
    if (strncmp(option->value, "FILE", 4) == 0 || strcmp(option->value, "PATH") == 0)
        return KIND_FILE;
    return strncmp(option->value, "DIR", 3) == 0 ? KIND_DIRECTORY : KIND_OTHER;
}

/* A character that ends a description or has a meaning in a shell, and its written form. NULL ends
 * the table. */
struct escape {
    char c;
    const char *written;
};

/* All strings are between single quotes. In zsh, an option's text is in brackets also, and a verb's
 * in double quotes, where zsh expands. */
static const struct escape zsh_option_escapes[] = {{'\'', "'\\''"}, {'\\', "\\\\"}, {'[', "\\["},
                                                   {']', "\\]"},    {':', "\\:"},   {0, NULL}};
static const struct escape zsh_verb_escapes[] = {{'\'', "'\\''"}, {'\\', "\\\\"}, {'"', "\\\""}, {'$', "\\$"},
                                                 {'`', "\\`"},    {':', "\\:"},   {0, NULL}};
static const struct escape fish_escapes[] = {{'\'', "\\'"}, {'\\', "\\\\"}, {0, NULL}};

static void print_escaped(FILE *out, char c, const struct escape *escapes)
{
    while (escapes->written != NULL && escapes->c != c)
        escapes++;
    if (escapes->written != NULL)
        fputs(escapes->written, out);
    else
        fputc(c, out);
}

/* Prints the first sentence without its full stop. */
static void print_help(FILE *out, const char *help, const struct escape *escapes)
{
    for (const char *c = help; *c != '\0' && (*c != '.' || (c[1] != ' ' && c[1] != '\0')); c++)
        print_escaped(out, *c, escapes);
}

static void print_words(FILE *out, const char *const *words)
{
    for (size_t i = 0; words[i] != NULL; i++)
        fprintf(out, "%s%s", i > 0 ? " " : "", words[i]);
}

/* Prints "add|remove" or "[--wait]" as words. */
static void print_arguments(FILE *out, const char *arguments)
{
    for (const char *c = arguments; *c != '\0'; c++)
        if (strchr("[]", *c) == NULL)
            fputc(*c == '|' ? ' ' : *c, out);
}

static void print_names(FILE *out, const struct completion *completion)
{
    for (size_t i = 0; i < completion->option_count; i++)
        fprintf(out, "%s--%s", i > 0 ? " " : "", completion->options[i].name);
}

/* Prints the completion of the value of one option. */
static void bash_case(FILE *out, const struct completion_option *option)
{
    fprintf(out, "    --%s", option->name);
    if (option->letter != '\0')
        fprintf(out, "|-%c", option->letter);
    fprintf(out, ") ");
    /* A line is one file name, which may have blanks: bash quotes them if it is told that these are
     * file names. */
    if (kind_of(option) == KIND_FILE || kind_of(option) == KIND_DIRECTORY)
        fprintf(out, "mapfile -t COMPREPLY < <(compgen -%c -- \"$cur\"); compopt -o filenames 2>/dev/null; ",
                kind_of(option) == KIND_FILE ? 'f' : 'd');
    else if (kind_of(option) == KIND_CHOICE) {
        fprintf(out, "COMPREPLY=($(compgen -W '");
        print_words(out, option->choices);
        fprintf(out, "' -- \"$cur\")); ");
    }
    fprintf(out, "return ;;\n");
}

static void bash_verbs(FILE *out, const struct completion *completion)
{
    for (size_t i = 0; i < completion->verb_count; i++) {
        fprintf(out, "    %s) COMPREPLY=($(compgen -W '", completion->verbs[i].name);
        print_arguments(out, completion->verbs[i].arguments);
        fprintf(out, "' -- \"$cur\")); return ;;\n");
    }
}

static void print_bash(FILE *out, const struct completion *completion)
{
    const char *program = completion->program;
    fprintf(out,
            "_%s()\n{\n    local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
            "    COMPREPLY=()\n"
            "    if [[ $cur == = ]]; then cur=; elif [[ $before == = ]]; then "
            "before=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
            "    case $before in\n",
            program);
    for (size_t i = 0; i < completion->option_count; i++)
        if (completion->options[i].value != NULL)
            bash_case(out, &completion->options[i]);
    bash_verbs(out, completion);
    fprintf(out, "    esac\n    COMPREPLY=($(compgen -W '");
    print_names(out, completion);
    for (size_t i = 0; i < completion->verb_count; i++)
        fprintf(out, " %s", completion->verbs[i].name);
    fprintf(out, "' -- \"$cur\"))\n}\ncomplete -F _%s %s\n", program, program);
}

static void zsh_action(FILE *out, const struct completion_option *option)
{
    static const char *const actions[KINDS] = {[KIND_FILE] = "_files", [KIND_DIRECTORY] = "_directories"};
    enum kind kind = kind_of(option);
    if (kind == KIND_NONE)
        return;
    fprintf(out, ":%s:", option->value);
    if (kind == KIND_CHOICE) {
        fputc('(', out);
        print_words(out, option->choices);
        fputc(')', out);
    } else {
        fprintf(out, "%s", actions[kind] != NULL ? actions[kind] : " ");
    }
}

static void zsh_option(FILE *out, const struct completion_option *option, bool letter)
{
    fprintf(out, "    '%s", option->repeats ? "*" : "");
    if (letter)
        fprintf(out, "-%c%s[", option->letter, option->value != NULL ? "+" : "");
    else
        fprintf(out, "--%s%s[", option->name, option->value != NULL ? "=" : "");
    print_help(out, option->help, zsh_option_escapes);
    fputc(']', out);
    zsh_action(out, option);
    fprintf(out, "' \\\n");
}

static void print_zsh(FILE *out, const struct completion *completion)
{
    fprintf(out, "#compdef %s\n_arguments -s \\\n", completion->program);
    for (size_t i = 0; i < completion->option_count; i++) {
        zsh_option(out, &completion->options[i], false);
        if (completion->options[i].letter != '\0')
            zsh_option(out, &completion->options[i], true);
    }
    if (completion->verb_count == 0) {
        fprintf(out, "    '1:application: '\n");
        return;
    }
    fprintf(out, "    '1:verb:((");
    for (size_t i = 0; i < completion->verb_count; i++) {
        fprintf(out, "%s%s\\:\"", i > 0 ? " " : "", completion->verbs[i].name);
        print_help(out, completion->verbs[i].help, zsh_verb_escapes);
        fputc('"', out);
    }
    fprintf(out, "))' '*:argument: '\n");
}

static void fish_option(FILE *out, const char *program, const struct completion_option *option)
{
    static const char *const flags[KINDS] = {[KIND_NONE] = "",
                                             [KIND_CHOICE] = " -x",
                                             [KIND_FILE] = " -r -F",
                                             [KIND_DIRECTORY] = " -x",
                                             [KIND_OTHER] = " -x"};
    enum kind kind = kind_of(option);
    fprintf(out, "complete -c %s -l %s", program, option->name);
    if (option->letter != '\0')
        fprintf(out, " -s %c", option->letter);
    fprintf(out, "%s", flags[kind]);
    if (kind == KIND_CHOICE) {
        fprintf(out, " -a '");
        print_words(out, option->choices);
        fputc('\'', out);
    } else if (kind == KIND_DIRECTORY) {
        fprintf(out, " -a '(__fish_complete_directories)'");
    }
    fprintf(out, " -d '");
    print_help(out, option->help, fish_escapes);
    fprintf(out, "'\n");
}

static void fish_verb(FILE *out, const char *program, const struct completion_verb *verb)
{
    fprintf(out, "complete -c %s -n __fish_use_subcommand -a %s -d '", program, verb->name);
    print_help(out, verb->help, fish_escapes);
    fprintf(out, "'\n");
    if (verb->arguments[0] == '\0')
        return;
    fprintf(out, "complete -c %s -n '__fish_seen_subcommand_from %s' -a '", program, verb->name);
    print_arguments(out, verb->arguments);
    fprintf(out, "'\n");
}

static void print_fish(FILE *out, const struct completion *completion)
{
    fprintf(out, "complete -c %s -f\n", completion->program);
    for (size_t i = 0; i < completion->option_count; i++)
        fish_option(out, completion->program, &completion->options[i]);
    for (size_t i = 0; i < completion->verb_count; i++)
        fish_verb(out, completion->program, &completion->verbs[i]);
}

void completion_print(FILE *out, enum completion_shell shell, const struct completion *completion)
{
    static void (*const printers[])(FILE *, const struct completion *) = {
        [COMPLETION_BASH] = print_bash, [COMPLETION_ZSH] = print_zsh, [COMPLETION_FISH] = print_fish};
    printers[shell](out, completion);
}
