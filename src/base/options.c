/*
 * Reading the options: the levels one after the other, each replacing what the one below said.
 */
#include "base/options.h"

#include "base/mem.h"
#include "base/options_table.h"
#include "base/slice.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define USAGE "gateway [OPTIONS] MODULE[:CALLABLE]"

struct parse {
    struct options *options;
    char *const *environment;
    char *message;
    size_t message_size;
    char where[96]; /* of the level being read, for messages */
    uint64_t given; /* the rows that this level has set, a bit each: a list's first item replaces the list */
    bool application_given; /* by this level */
    bool (*only)(
        const struct option_row *row); /* looking for these before anything else is judged; NULL: all */
};

enum { SHOWN_SIZE = 128 };

/* What systemd passes begins after standard error; more than this it would not. */
enum { PASSED_FIRST = 3, PASSED_MAX = 1024 };

/* The text as it can stand between quotes in a message, whatever is in it and however long it is. */
static const char *shown(char out[SHOWN_SIZE], const char *text, size_t size)
{
    size_t used = log_escape(out, SHOWN_SIZE - 1, text, size, false);
    out[used] = '\0';
    return out;
}

static void begin_level(struct parse *parse, const char *where)
{
    snprintf(parse->where, sizeof(parse->where), "%s", where);
    parse->given = 0;
    parse->application_given = false;
}

static bool is_config(const struct option_row *row)
{
    return row->field == offsetof(struct options, config) && row->kind == OPTION_STRING;
}

static uint64_t bit_of(const struct option_row *row)
{
    return UINT64_C(1) << (row - option_rows);
}

static int set(struct parse *parse, const struct option_row *row, const char *text)
{
    char wrong[160], quoted[SHOWN_SIZE];
    if (parse->only != NULL && !parse->only(row))
        return 0;
    if (option_is_list(row) && !(parse->given & bit_of(row)))
        option_clear(parse->options, row);
    parse->given |= bit_of(row);
    if (option_set(parse->options, row, text, wrong, sizeof(wrong)) == 0)
        return 0;
    snprintf(parse->message, parse->message_size, "gateway: --%s: \"%s\" %s (%s)", row->name,
             shown(quoted, text, strlen(text)), wrong, parse->where);
    return -1;
}

static int set_application(struct parse *parse, const char *text)
{
    char first[SHOWN_SIZE], second[SHOWN_SIZE];
    char **field = &parse->options->application;
    if (parse->only != NULL)
        return 0;
    if (parse->application_given) {
        snprintf(parse->message, parse->message_size,
                 "gateway: two applications, \"%s\" and \"%s\", but only one can be served (%s)",
                 shown(first, *field, strlen(*field)), shown(second, text, strlen(text)), parse->where);
        return -1;
    }
    free(*field);
    *field = xstrdup(text);
    parse->application_given = true;
    return 0;
}

static int unknown(struct parse *parse, const char *word, size_t size)
{
    char quoted[SHOWN_SIZE];
    const struct option_row *nearest =
        strncmp(word, "--", 2) == 0 ? option_find_nearest(word + 2, size - 2) : NULL;
    shown(quoted, word, size);
    if (nearest != NULL)
        snprintf(parse->message, parse->message_size, "gateway: unknown option %s; did you mean --%s? (%s)",
                 quoted, nearest->name, parse->where);
    else
        snprintf(parse->message, parse->message_size,
                 "gateway: unknown option %s; --help lists them all (%s)", quoted, parse->where);
    return -1;
}

/* An option was recognised in `word`, with the value that was in the same word or NULL. Returns how many of the words
 * that follow it are used up, 0 or 1; or -1. */
static int use_option(struct parse *parse, const struct option_row *row, const char *value, const char *next)
{
    if (row->kind == OPTION_ACTION && value != NULL) {
        snprintf(parse->message, parse->message_size, "gateway: --%s takes no value (%s)", row->name,
                 parse->where);
        return -1;
    }
    if (row->kind == OPTION_ACTION)
        return set(parse, row, "");
    if (value != NULL)
        return set(parse, row, value);
    if (row->kind == OPTION_FLAG)
        return set(parse, row, "yes");
    if (next == NULL) {
        snprintf(parse->message, parse->message_size, "gateway: --%s needs a value: --%s %s (%s)", row->name,
                 row->name, row->value, parse->where);
        return -1;
    }
    return set(parse, row, next) < 0 ? -1 : 1;
}

/* A word that starts with a dash. As use_option. */
static int read_option(struct parse *parse, const char *word, const char *next)
{
    if (word[1] != '-') {
        const struct option_row *row = option_find_letter(word[1]);
        return row == NULL ? unknown(parse, word, 2)
                           : use_option(parse, row, word[2] != '\0' ? word + 2 : NULL, next);
    }
    size_t size = strcspn(word, "=");
    const struct option_row *row = option_find_name(word + 2, size - 2);
    return row == NULL ? unknown(parse, word, size)
                       : use_option(parse, row, word[size] == '=' ? word + size + 1 : NULL, next);
}

static int read_words(struct parse *parse, size_t count, char *const *words)
{
    bool options_end = false;
    for (size_t i = 0; i < count; i++) {
        bool positional = options_end || words[i][0] != '-' || words[i][1] == '\0';
        int used = 0;
        if (positional)
            used = set_application(parse, words[i]);
        else if (strcmp(words[i], "--") == 0)
            options_end = true;
        else
            used = read_option(parse, words[i], i + 1 < count ? words[i + 1] : NULL);
        if (used < 0 && parse->only == NULL)
            return -1;
        i += used > 0 ? (size_t)used : 0;
    }
    return 0;
}

/* NULL when it is not set, or empty: that is how a variable is switched off. */
static const char *variable(const struct parse *parse, const char *name)
{
    size_t size = strlen(name);
    for (char *const *entry = parse->environment; *entry != NULL; entry++) {
        if (strncmp(*entry, name, size) == 0 && (*entry)[size] == '=')
            return (*entry)[size + 1] != '\0' ? *entry + size + 1 : NULL;
    }
    return NULL;
}

static void variable_name(const struct option_row *row, char *out, size_t size)
{
    snprintf(out, size, "GATEWAY_%s", row->name);
    for (char *c = out; *c != '\0'; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
}

/* A list's items stand in its one variable like words on a command line. */
static int set_words(struct parse *parse, const struct option_row *row, const char *text)
{
    struct string_list words;
    int result = 0;
    if (words_split(text, &words) < 0) {
        snprintf(parse->message, parse->message_size, "gateway: --%s: a quote is not closed (%s)", row->name,
                 parse->where);
        return -1;
    }
    for (size_t i = 0; i < words.count && result == 0; i++)
        result = set(parse, row, words.items[i]);
    string_list_free(&words);
    return result;
}

static int read_variable(struct parse *parse, const struct option_row *row)
{
    char name[64], where[sizeof(parse->where)];
    variable_name(row, name, sizeof(name));
    const char *used = name, *text = variable(parse, name);
    if (text == NULL && row->variable != NULL) {
        used = row->variable;
        text = variable(parse, used);
    }
    if (text == NULL || row->kind == OPTION_ACTION)
        return 0;
    snprintf(where, sizeof(where), "%s in the environment", used);
    begin_level(parse, where);
    return option_is_list(row) ? set_words(parse, row, text) : set(parse, row, text);
}

static int read_environment(struct parse *parse)
{
    for (size_t i = 0; i < option_row_count; i++) {
        if (read_variable(parse, &option_rows[i]) < 0)
            return -1;
    }
    return 0;
}

/* What a file can not say, it does not know. */
static const struct option_row *find_setting(const char *key)
{
    const struct option_row *row = option_find_name(key, strlen(key));
    bool belongs = row != NULL && row->kind != OPTION_ACTION && !is_config(row) &&
                   row->field != offsetof(struct options, check_config);
    return belongs ? row : NULL;
}

static int unknown_setting(struct parse *parse, const char *key)
{
    char quoted[SHOWN_SIZE];
    const struct option_row *nearest = option_find_nearest(key, strlen(key));
    shown(quoted, key, strlen(key));
    if (option_find_name(key, strlen(key)) != NULL)
        snprintf(parse->message, parse->message_size, "gateway: \"%s\" can not be said in a file (%s)",
                 quoted, parse->where);
    else if (nearest != NULL)
        snprintf(parse->message, parse->message_size, "gateway: \"%s\" is no option; did you mean %s? (%s)",
                 quoted, nearest->name, parse->where);
    else
        snprintf(parse->message, parse->message_size, "gateway: \"%s\" is no option (%s)", quoted,
                 parse->where);
    return -1;
}

static int read_setting(struct parse *parse, const char *key, const char *value)
{
    if (strcmp(key, "application") == 0)
        return set_application(parse, value);
    const struct option_row *row = find_setting(key);
    if (row == NULL)
        return unknown_setting(parse, key);
    if (option_is_list(row) || !(parse->given & bit_of(row)))
        return set(parse, row, value);
    snprintf(parse->message, parse->message_size, "gateway: %s takes one value (%s)", row->name,
             parse->where);
    return -1;
}

static int read_file(struct parse *parse, const struct settings *file)
{
    if (file == NULL)
        return 0;
    begin_level(parse, file->name);
    for (size_t i = 0; i < file->keys.count; i++)
        if (read_setting(parse, file->keys.items[i], file->values.items[i]) < 0)
            return -1;
    return 0;
}

static int read_cmd_args(struct parse *parse)
{
    struct string_list words;
    const char *text = variable(parse, "GATEWAY_CMD_ARGS");
    if (text == NULL)
        return 0;
    begin_level(parse, "GATEWAY_CMD_ARGS");
    if (words_split(text, &words) < 0) {
        snprintf(parse->message, parse->message_size, "gateway: a quote is not closed (GATEWAY_CMD_ARGS)");
        return -1;
    }
    int result = read_words(parse, words.count, words.items);
    string_list_free(&words);
    return result;
}

/* Sockets that systemd has bound for this process, from descriptor 3 on. Whoever wrote the socket unit meant them, so they come
 * in the place of --bind, as with gunicorn. */
static int use_passed_sockets(struct parse *parse)
{
    char quoted[SHOWN_SIZE], address[32];
    const char *pid = variable(parse, "LISTEN_PID"), *text = variable(parse, "LISTEN_FDS");
    struct string_list *bind = &parse->options->bind;
    uint64_t whose, count;
    if (pid == NULL || text == NULL || slice_to_uint64(slice_of(pid), &whose) < 0 ||
        whose != (uint64_t)getpid())
        return 0;
    if (slice_to_uint64(slice_of(text), &count) < 0 || count > PASSED_MAX) {
        snprintf(parse->message, parse->message_size,
                 "gateway: \"%s\" is not a number of sockets from 0 to %d (LISTEN_FDS in the environment)",
                 shown(quoted, text, strlen(text)), PASSED_MAX);
        return -1;
    }
    parse->options->bind_replaced = count > 0 && bind->count > 0;
    if (count > 0)
        string_list_free(bind);
    for (unsigned i = 0; i < count; i++) {
        snprintf(address, sizeof(address), "fd://%u", PASSED_FIRST + i);
        string_list_add(bind, address);
    }
    return 0;
}

/* --bind has a default that is decided last: where $PORT is set (Heroku, Cloud Run) it asks for all addresses. */
static int default_bind(struct parse *parse)
{
    char quoted[SHOWN_SIZE], address[32];
    const char *text = variable(parse, "PORT");
    uint64_t port;
    if (parse->options->bind.count > 0)
        return 0;
    if (text == NULL) {
        string_list_add(&parse->options->bind, "127.0.0.1:8000");
        return 0;
    }
    if (slice_to_uint64(slice_of(text), &port) < 0 || port > 65535) {
        snprintf(parse->message, parse->message_size,
                 "gateway: \"%s\" is not a port number from 0 to 65535 (PORT in the environment)",
                 shown(quoted, text, strlen(text)));
        return -1;
    }
    snprintf(address, sizeof(address), "0.0.0.0:%u", (unsigned)port);
    string_list_add(&parse->options->bind, address);
    return 0;
}

static int require_application(struct parse *parse)
{
    const char *application = parse->options->application;
    if (parse->options->action != OPTIONS_SERVE || (application != NULL && application[0] != '\0'))
        return 0;
    snprintf(parse->message, parse->message_size,
             "gateway: no application is named; usage: " USAGE " (--help lists the options)");
    return -1;
}

static void set_defaults(struct parse *parse)
{
    begin_level(parse, "default");
    for (size_t i = 0; i < option_row_count; i++) {
        if (option_rows[i].initial != NULL)
            set(parse, &option_rows[i], option_rows[i].initial);
    }
}

static bool is_action(const struct option_row *row)
{
    return row->kind == OPTION_ACTION;
}

/* Whoever asks for help gets it, however wrong the rest is. */
static bool wants_action(struct parse *parse, size_t count, char *const *words)
{
    parse->only = is_action;
    begin_level(parse, "command line");
    read_words(parse, count, words);
    parse->only = NULL;
    return parse->options->action != OPTIONS_SERVE;
}

int options_parse(struct options *options, int argc, char *const *argv, char *const *environment,
                  const struct settings *file, char *message, size_t message_size)
{
    struct parse parse = {
        .options = options, .environment = environment, .message = message, .message_size = message_size};
    size_t count = argc > 1 ? (size_t)argc - 1 : 0;
    *options = (struct options){.action = OPTIONS_SERVE};
    set_defaults(&parse);
    if (wants_action(&parse, count, argv + 1))
        return 0;
    if (read_file(&parse, file) < 0 || read_environment(&parse) < 0 || read_cmd_args(&parse) < 0)
        goto wrong;
    begin_level(&parse, "command line");
    if (read_words(&parse, count, argv + 1) < 0 || use_passed_sockets(&parse) < 0 ||
        default_bind(&parse) < 0 || require_application(&parse) < 0)
        goto wrong;
    return 0;

wrong:
    options_free(options);
    return -1;
}

char *options_find_config(int argc, char *const *argv, char *const *environment)
{
    char message[256];
    struct options options = {.config = NULL};
    struct parse parse = {.options = &options,
                          .environment = environment,
                          .message = message,
                          .message_size = sizeof(message),
                          .only = is_config};
    read_environment(&parse);
    read_cmd_args(&parse);
    begin_level(&parse, "command line");
    read_words(&parse, argc > 1 ? (size_t)argc - 1 : 0, argv + 1);
    return options.config;
}

struct settings *settings_new(const char *name)
{
    struct settings *settings = xcalloc(1, sizeof(*settings));
    settings->name = xstrdup(name);
    return settings;
}

void settings_add(struct settings *settings, const char *key, const char *value)
{
    string_list_add(&settings->keys, key);
    string_list_add(&settings->values, value);
}

void settings_free(struct settings *settings)
{
    if (settings == NULL)
        return;
    free(settings->name);
    string_list_free(&settings->keys);
    string_list_free(&settings->values);
    free(settings);
}

void options_keep(struct options *options, const struct options *now,
                  void (*told)(void *context, const char *name), void *context)
{
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        if (!row->restart || option_is_same(row, options, now))
            continue;
        told(context, row->name);
        option_copy(row, options, now);
    }
}

void options_free(struct options *options)
{
    for (size_t i = 0; i < option_row_count; i++)
        option_clear(options, &option_rows[i]);
    free(options->application);
    options->application = NULL;
}
