/* Reading the options. */
#include "options/options_parse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/slice.h"
#include "base/text.h"
#include "options/options_help.h"
#include "options/options_values.h"
#include "options/unknown_options.h"

enum { WHERE_SIZE = 256, SHOWN_SIZE = 128, ADVICE_SIZE = 128 };

struct parse {
    struct options *options;
    char *const *environment;
    char *message;
    size_t message_size;
    char where[WHERE_SIZE]; /* name of the level being read, for messages */
    bool *given; /* for each row, whether this level has set it: the first item of a list replaces the list */
    bool application_given; /* whether this level has set it */
    bool (*only)(
        const struct option_row *row); /* reads these rows only, and ignores mistakes; NULL: all rows */
    void (*complain)(
        const char
            *message); /* receives each mistake, and reading goes on; NULL: the first mistake ends it */
    struct mistakes mistakes;
    char (*origins)
        [WHERE_SIZE]; /* the origin of each row's value, then of the application; NULL: not recorded */
};

#define USAGE "gateway [OPTIONS] MODULE[:CALLABLE]"

/* Escapes and cuts any text for a message, where it stands between quotes. */
static const char *parse_shown(char out[SHOWN_SIZE], const char *text, size_t size)
{
    size_t used = text_escape(out, SHOWN_SIZE - 1, text, size, false);
    out[used] = '\0';
    return out;
}

/* Whether the application can only be loaded with this option, as in the service. */
static bool is_for_application(const struct option_row *row)
{
    static const size_t fields[] = {
        offsetof(struct options, chdir), offsetof(struct options, pythonpath), offsetof(struct options, venv),
        offsetof(struct options, env),   offsetof(struct options, env_file),   offsetof(struct options, user),
        offsetof(struct options, group), offsetof(struct options, config),
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (row->kind != OPTION_ACTION && row->field == fields[i])
            return true;
    return false;
}

/* As parse_mistake, about this row; NULL: about any row. */
static int parse_mistake_in(struct parse *parse, const struct option_row *row)
{
    if (parse->complain == NULL || parse->only != NULL)
        return -1;
    parse->complain(parse->message);
    parse->mistakes.count++;
    parse->mistakes.application |= row == NULL || is_for_application(row);
    return 0;
}

/* Handles the mistake in `message`: 0 when reading goes on, else -1. */
static int parse_mistake(struct parse *parse)
{
    return parse_mistake_in(parse, NULL);
}

/* Records that this level has set the row, or the application (option_row_count). */
static void parse_note_origin(struct parse *parse, size_t index)
{
    if (parse->origins != NULL)
        snprintf(parse->origins[index], WHERE_SIZE, "%s", parse->where);
}

/* Begins a level, which replaces the values of the levels before. `where` is its name in
 * messages. */
static void parse_begin_level(struct parse *parse, const char *where)
{
    snprintf(parse->where, sizeof(parse->where), "%s", where);
    memset(parse->given, 0, option_row_count * sizeof(parse->given[0]));
    parse->application_given = false;
}

static bool is_config(const struct option_row *row)
{
    return row->kind == OPTION_STRING && row->field == offsetof(struct options, config);
}

static bool is_user(const struct option_row *row)
{
    return row->kind == OPTION_STRING && row->field == offsetof(struct options, user);
}

static bool is_check(const struct option_row *row)
{
    return row->kind == OPTION_FLAG && row->field == offsetof(struct options, check_config);
}

static bool *given(struct parse *parse, const struct option_row *row)
{
    return &parse->given[row - option_rows];
}

static bool *new_given(void)
{
    return xcalloc(option_row_count, sizeof(bool));
}

static int set(struct parse *parse, const struct option_row *row, const char *text)
{
    char wrong[160], quoted[SHOWN_SIZE];
    if (parse->only != NULL && !parse->only(row))
        return 0;
    if (option_is_list(row) && !*given(parse, row))
        option_clear(parse->options, row);
    *given(parse, row) = true;
    parse_note_origin(parse, (size_t)(row - option_rows));
    if (option_set(parse->options, row, text, wrong, sizeof(wrong)) == 0)
        return 0;
    snprintf(parse->message, parse->message_size, "gateway: --%s: \"%s\" %s (%s)", row->name,
             parse_shown(quoted, text, strlen(text)), wrong, parse->where);
    return parse_mistake_in(parse, row);
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
                 parse_shown(first, *field, strlen(*field)), parse_shown(second, text, strlen(text)),
                 parse->where);
        return parse_mistake(parse);
    }
    free(*field);
    *field = xstrdup(text);
    parse->application_given = true;
    parse_note_origin(parse, option_row_count);
    return 0;
}

/* Finds advice about an unknown name; empty when there is none. */
static void advise(char *out, size_t size, const char *dashes, const char *name, size_t name_size)
{
    const struct foreign_option *foreign = foreign_option_find(name, name_size);
    const struct option_row *nearest = name_size > 1 ? option_find_nearest(name, name_size) : NULL;
    out[0] = '\0';
    if (foreign != NULL && foreign->here != NULL)
        snprintf(out, size, "; that is %s%s here", dashes, foreign->here);
    else if (foreign != NULL)
        snprintf(out, size, "; %s", foreign->instead);
    else if (nearest != NULL)
        snprintf(out, size, "; did you mean %s%s?", dashes, nearest->name);
}

static size_t count_dashes(const char *word)
{
    return word[1] == '-' ? 2 : 1;
}

static int unknown(struct parse *parse, const char *word, size_t size)
{
    char quoted[SHOWN_SIZE], advice[ADVICE_SIZE];
    size_t dashes = count_dashes(word);
    parse_shown(quoted, word, size);
    advise(advice, sizeof(advice), "--", word + dashes, size - dashes);
    snprintf(parse->message, parse->message_size, "gateway: unknown option %s%s (%s)", quoted,
             advice[0] != '\0' ? advice : "; --help lists them all", parse->where);
    return parse_mistake(parse); /* the name may be a misspelt --user */
}

/* Whether a value follows the option that the user probably meant. Otherwise that value would look
 * like an application. */
static bool takes_value(const char *name, size_t size)
{
    const struct foreign_option *foreign = foreign_option_find(name, size);
    const struct option_row *nearest = size > 1 ? option_find_nearest(name, size) : NULL;
    if (foreign != NULL)
        return foreign->value;
    return nearest != NULL && nearest->kind != OPTION_FLAG && nearest->kind != OPTION_ACTION;
}

/* As use_option. `size` is the end of the name. */
static int use_unknown(struct parse *parse, const char *word, size_t size, const char *next)
{
    size_t dashes = count_dashes(word);
    bool has_value =
        word[size] == '\0' && next != NULL && next[0] != '-' && takes_value(word + dashes, size - dashes);
    return unknown(parse, word, size) < 0 ? -1 : has_value;
}

/* Uses the option in `word`, with the value from the same word, or NULL. Returns the number of
 * following words that it used, 0 or 1; or -1. */
static int use_option(struct parse *parse, const struct option_row *row, const char *value, const char *next)
{
    if (row->kind == OPTION_ACTION && value != NULL) {
        snprintf(parse->message, parse->message_size, "gateway: --%s takes no value (%s)", row->name,
                 parse->where);
        return parse_mistake_in(parse, row);
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
        return parse_mistake_in(parse, row);
    }
    return set(parse, row, next) < 0 ? -1 : 1;
}

/* Reads a word that starts with a dash. As use_option. */
static int read_option(struct parse *parse, const char *word, const char *next)
{
    if (word[1] != '-') {
        const struct option_row *row = option_find_letter(word[1]);
        return row == NULL ? use_unknown(parse, word, 2, next)
                           : use_option(parse, row, word[2] != '\0' ? word + 2 : NULL, next);
    }
    size_t size = strcspn(word, "=");
    const struct option_row *row = option_find_name(word + 2, size - 2);
    return row == NULL ? use_unknown(parse, word, size, next)
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

/* The value of an environment variable; NULL when it is unset or empty: an empty value switches a
 * variable off. */
static const char *parse_variable(const struct parse *parse, const char *name)
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

/* Reads the items of a list from one variable, as words of a command line. */
static int set_words(struct parse *parse, const struct option_row *row, const char *text)
{
    struct string_list words;
    int result = 0;
    if (words_split(text, &words) < 0) {
        snprintf(parse->message, parse->message_size, "gateway: --%s: a quote is not closed (%s)", row->name,
                 parse->where);
        return parse_mistake_in(parse, row);
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
    const char *used = name, *text = parse_variable(parse, name);
    if (text == NULL && row->variable != NULL) {
        used = row->variable;
        text = parse_variable(parse, used);
    }
    if (text == NULL || row->kind == OPTION_ACTION)
        return 0;
    snprintf(where, sizeof(where), "%s in the environment", used);
    parse_begin_level(parse, where);
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

/* Options that a file cannot set are unknown in it. */
static const struct option_row *find_setting(const char *key)
{
    const struct option_row *row = option_find_name(key, strlen(key));
    return row != NULL && option_is_setting(row) ? row : NULL;
}

static int unknown_setting(struct parse *parse, const char *key)
{
    char quoted[SHOWN_SIZE], advice[ADVICE_SIZE];
    parse_shown(quoted, key, strlen(key));
    advise(advice, sizeof(advice), "", key, strlen(key));
    if (option_find_name(key, strlen(key)) != NULL)
        snprintf(parse->message, parse->message_size, "gateway: \"%s\" cannot be set in a file (%s)", quoted,
                 parse->where);
    else
        snprintf(parse->message, parse->message_size, "gateway: \"%s\" is no option%s (%s)", quoted, advice,
                 parse->where);
    return parse_mistake(parse); /* the name may be a misspelt user */
}

static int read_setting(struct parse *parse, const char *key, const char *value)
{
    if (strcmp(key, "application") == 0)
        return set_application(parse, value);
    const struct option_row *row = find_setting(key);
    if (row == NULL)
        return unknown_setting(parse, key);
    if (option_is_list(row) || !*given(parse, row))
        return set(parse, row, value);
    snprintf(parse->message, parse->message_size, "gateway: %s takes one value (%s)", row->name,
             parse->where);
    return parse_mistake_in(parse, row);
}

static int read_file(struct parse *parse, const struct settings *file)
{
    if (file == NULL)
        return 0;
    parse_begin_level(parse, file->name);
    for (size_t i = 0; i < file->keys.count; i++)
        if (read_setting(parse, file->keys.items[i], file->values.items[i]) < 0)
            return -1;
    return 0;
}

static int read_cmd_args(struct parse *parse)
{
    struct string_list words;
    const char *text = parse_variable(parse, "GATEWAY_CMD_ARGS");
    if (text == NULL)
        return 0;
    parse_begin_level(parse, "GATEWAY_CMD_ARGS");
    if (words_split(text, &words) < 0) {
        snprintf(parse->message, parse->message_size, "gateway: a quote is not closed (GATEWAY_CMD_ARGS)");
        return parse_mistake(parse);
    }
    int result = read_words(parse, words.count, words.items);
    string_list_free(&words);
    return result;
}

/* Descriptors from systemd begin after standard error. A larger number is a mistake. */
enum { PASSED_FIRST = 3, PASSED_MAX = 1024 };

/* Begins the level of a list of addresses that replaces any other. */
static void begin_bind(struct parse *parse, const char *where)
{
    parse_begin_level(parse, where);
    parse_note_origin(parse, (size_t)(option_find_name("bind", 4) - option_rows));
    string_list_free(&parse->options->bind);
}

/* Takes the sockets that systemd has bound for this process, from descriptor 3 on. They replace
 * --bind, as in gunicorn, because the author of the socket unit wants them to be used. */
static int parse_passed_sockets(struct parse *parse)
{
    char quoted[SHOWN_SIZE], address[32];
    const char *pid = parse_variable(parse, "LISTEN_PID"), *text = parse_variable(parse, "LISTEN_FDS");
    struct string_list *bind = &parse->options->bind;
    uint64_t whose, count;
    if (pid == NULL || text == NULL || slice_to_uint64(slice_of(pid), &whose) < 0 ||
        whose != (uint64_t)getpid())
        return 0;
    if (slice_to_uint64(slice_of(text), &count) < 0 || count > PASSED_MAX) {
        snprintf(parse->message, parse->message_size,
                 "gateway: \"%s\" is not a number of sockets from 0 to %d (LISTEN_FDS in the environment)",
                 parse_shown(quoted, text, strlen(text)), PASSED_MAX);
        return parse_mistake(parse);
    }
    parse->options->bind_replaced = count > 0 && bind->count > 0;
    if (count > 0)
        begin_bind(parse, "LISTEN_FDS in the environment");
    for (unsigned i = 0; i < count; i++) {
        snprintf(address, sizeof(address), "fd://%u", PASSED_FIRST + i);
        string_list_add(bind, address);
    }
    return 0;
}

/* --bind has a default that is chosen last: $PORT (Heroku, Cloud Run) means all addresses. */
static int parse_default_bind(struct parse *parse)
{
    char quoted[SHOWN_SIZE], address[32];
    const char *text = parse_variable(parse, "PORT");
    uint64_t port;
    if (parse->options->bind.count > 0)
        return 0;
    begin_bind(parse, text == NULL ? "default" : "PORT in the environment");
    if (text == NULL) {
        string_list_add(&parse->options->bind, "127.0.0.1:8000");
        return 0;
    }
    if (slice_to_uint64(slice_of(text), &port) < 0 || port > 65535) {
        snprintf(parse->message, parse->message_size,
                 "gateway: \"%s\" is not a port number from 0 to 65535 (PORT in the environment)",
                 parse_shown(quoted, text, strlen(text)));
        return parse_mistake(parse);
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
    return parse_mistake(parse);
}

static void set_defaults(struct parse *parse)
{
    parse_begin_level(parse, "default");
    for (size_t i = 0; i < option_row_count; i++) {
        if (option_rows[i].initial != NULL)
            set(parse, &option_rows[i], option_rows[i].initial);
    }
}

static bool is_action(const struct option_row *row)
{
    return row->kind == OPTION_ACTION;
}

/* Help is given even if other options are wrong. */
static bool wants_action(struct parse *parse, size_t count, char *const *words)
{
    parse->only = is_action;
    parse_begin_level(parse, "command line");
    read_words(parse, count, words);
    parse->only = NULL;
    return parse->options->action != OPTIONS_SERVE;
}

/* Reads all levels. `parse` begins with options, environment and message. 0, or -1 after a mistake
 * that ends it. */
static int read_all(struct parse *parse, int argc, char *const *argv, const struct settings *file)
{
    size_t count = argc > 1 ? (size_t)argc - 1 : 0;
    *parse->options = (struct options){.action = OPTIONS_SERVE};
    set_defaults(parse);
    if (wants_action(parse, count, argv + 1) && parse->origins == NULL)
        return 0;
    if (read_file(parse, file) < 0 || read_environment(parse) < 0 || read_cmd_args(parse) < 0)
        return -1;
    parse_begin_level(parse, "command line");
    if (read_words(parse, count, argv + 1) < 0 || parse_passed_sockets(parse) < 0 ||
        parse_default_bind(parse) < 0 || require_application(parse) < 0)
        return -1;
    return 0;
}

int options_parse(struct options *options, int argc, char *const *argv, char *const *environment,
                  const struct settings *file, char *message, size_t message_size)
{
    struct parse parse = {.options = options,
                          .environment = environment,
                          .message = message,
                          .message_size = message_size,
                          .given = new_given()};
    int r = read_all(&parse, argc, argv, file);
    free(parse.given);
    if (r < 0)
        options_free(options);
    return r;
}

void options_parse_all(struct options *options, int argc, char *const *argv, char *const *environment,
                       const struct settings *file, void (*complain)(const char *message),
                       struct mistakes *mistakes)
{
    char message[1024];
    struct parse parse = {.options = options,
                          .environment = environment,
                          .message = message,
                          .message_size = sizeof(message),
                          .given = new_given(),
                          .complain = complain,
                          .mistakes = *mistakes};
    read_all(&parse, argc, argv, file);
    free(parse.given);
    *mistakes = parse.mistakes;
}

int options_print(FILE *out, int argc, char *const *argv, char *const *environment,
                  const struct settings *file, char *message, size_t message_size)
{
    struct options options = {.application = NULL};
    struct parse parse = {.options = &options,
                          .environment = environment,
                          .message = message,
                          .message_size = message_size,
                          .given = new_given(),
                          .origins = xcalloc(option_row_count + 1, WHERE_SIZE)};
    int r = read_all(&parse, argc, argv, file);
    if (r == 0)
        print_setting(out, "application", options.application, parse.origins[option_row_count]);
    for (size_t i = 0; r == 0 && i < option_row_count; i++)
        if (option_is_setting(&option_rows[i]))
            option_print(out, &option_rows[i], &options, parse.origins[i]);
    free(parse.given);
    free(parse.origins);
    options_free(&options);
    return r;
}

/* Reads some options from all levels but the file, and ignores mistakes. */
static struct options find_only(bool (*only)(const struct option_row *row), int argc, char *const *argv,
                                char *const *environment)
{
    char message[256];
    struct options options = {.config = NULL};
    struct parse parse = {.options = &options,
                          .environment = environment,
                          .message = message,
                          .message_size = sizeof(message),
                          .given = new_given(),
                          .only = only};
    read_environment(&parse);
    read_cmd_args(&parse);
    parse_begin_level(&parse, "command line");
    read_words(&parse, argc > 1 ? (size_t)argc - 1 : 0, argv + 1);
    free(parse.given);
    return options;
}

char *options_find_config(int argc, char *const *argv, char *const *environment)
{
    return find_only(is_config, argc, argv, environment).config;
}

char *options_find_user(int argc, char *const *argv, char *const *environment)
{
    return find_only(is_user, argc, argv, environment).user;
}

bool options_want_check(int argc, char *const *argv, char *const *environment)
{
    return find_only(is_check, argc, argv, environment).check_config;
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
