/*
 * The values of options: their notation for each kind of option, and their fields.
 */
#include "options/options_values.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/slice.h"
#include "options/forwarded_fields.h"
#include "options/networks.h"

void string_list_add(struct string_list *list, const char *text)
{
    list->items = xrealloc(list->items, (list->count + 1) * sizeof(*list->items));
    list->items[list->count++] = xstrdup(text);
}

void string_list_free(struct string_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct string_list){NULL, 0};
}

struct unit {
    const char *name;
    int64_t factor;
};

/* A value is printed in the largest unit that divides it, the last of equal units. */
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};
static const struct unit times[] = {{"", 1000},   {"ms", 1},      {"s", 1000},
                                    {"m", 60000}, {"h", 3600000}, {NULL, 0}};
static const struct unit sizes[] = {{"", 1},        {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30},
                                    {"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {NULL, 0}};

static int parse_units(const struct unit *units, const char *text, int64_t *value)
{
    size_t digits = strspn(text, "0123456789");
    uint64_t number;
    if (slice_to_uint64((struct slice){text, digits}, &number) < 0)
        return -1;
    for (const struct unit *unit = units; unit->name != NULL; unit++) {
        if (strcmp(text + digits, unit->name) == 0)
            return __builtin_mul_overflow(number, unit->factor, value) ? -1 : 0;
    }
    return -1;
}

int options_parse_time(const char *text, int64_t *ms)
{
    int64_t value;
    if (parse_units(times, text, &value) < 0)
        return -1;
    *ms = value;
    return 0;
}

int options_parse_size(const char *text, int64_t *bytes)
{
    int64_t value;
    if (parse_units(sizes, text, &value) < 0)
        return -1;
    *bytes = value;
    return 0;
}

static void print_units(const struct unit *units, int64_t value, char *out, size_t size)
{
    const struct unit *best = units;
    for (const struct unit *unit = units; unit->name != NULL; unit++) {
        bool larger = value != 0 && value % unit->factor == 0 && unit->factor >= best->factor;
        if (larger || value % best->factor != 0)
            best = unit;
    }
    snprintf(out, size, "%" PRId64 "%s", value / best->factor, best->name);
}

static void *field_of(struct options *options, const struct option_row *row)
{
    return (char *)options + row->field;
}

static void set_text(struct options *options, const struct option_row *row, const char *text)
{
    char **field = field_of(options, row);
    free(*field);
    *field = text == NULL ? NULL : xstrdup(text);
}

static int set_string(struct options *options, const struct option_row *row, const char *text, char *wrong,
                      size_t size)
{
    if (row->word != NULL && strcmp(text, row->word) == 0) {
        set_text(options, row, NULL);
        return 0;
    }
    if (strlen(text) < (size_t)row->min) {
        snprintf(wrong, size, "is empty");
        return -1;
    }
    set_text(options, row, text);
    return 0;
}

static int set_url_path(struct options *options, const struct option_row *row, const char *text, char *wrong,
                        size_t size)
{
    if (text[0] != '\0' && text[0] != '/') {
        snprintf(wrong, size, "does not start with a slash");
        return -1;
    }
    set_text(options, row, text);
    char *path = *(char **)field_of(options, row);
    for (size_t length = strlen(path); length > 0 && path[length - 1] == '/'; length--)
        path[length - 1] = '\0';
    return 0;
}

static int set_octal(struct options *options, const struct option_row *row, const char *text, char *wrong,
                     size_t size)
{
    if (text[strspn(text, "01234567")] != '\0' || strtoull(text, NULL, 8) > (unsigned long long)row->max) {
        snprintf(wrong, size, "is not an octal number from 0 to %" PRIo64, (uint64_t)row->max);
        return -1;
    }
    return set_string(options, row, text, wrong, size);
}

static int set_networks(struct options *options, const struct option_row *row, const char *text, char *wrong,
                        size_t size)
{
    struct networks networks;
    if (networks_parse(&networks, text, wrong, size) < 0)
        return -1;
    networks_free(&networks);
    set_text(options, row, text);
    return 0;
}

static int set_fields(struct options *options, const struct option_row *row, const char *text, char *wrong,
                      size_t size)
{
    struct forwarded_fields fields;
    if (forwarded_fields_parse(&fields, text, wrong, size) < 0)
        return -1;
    forwarded_fields_free(&fields);
    set_text(options, row, text);
    return 0;
}

static bool is_host_name(struct slice name)
{
    for (size_t i = 0; i < name.size; i++)
        if (!isalnum((unsigned char)name.data[i]) && strchr("-._", name.data[i]) == NULL)
            return false;
    return name.size > 0;
}

static int set_hosts(struct options *options, const struct option_row *row, const char *text, char *wrong,
                     size_t size)
{
    struct slice list = slice_of(text);
    while (list.data != NULL) {
        struct slice name = slice_next(&list, ',');
        if (!is_host_name(name)) {
            snprintf(
                wrong, size,
                "has \"%.*s\" in it, which is no host name (letters, digits, - and dots, without a port)",
                (int)name.size, name.data);
            return -1;
        }
    }
    set_text(options, row, text);
    return 0;
}

static int add_item(struct options *options, const struct option_row *row, const char *text, char *wrong,
                    size_t size)
{
    if (strlen(text) < (size_t)row->min) {
        snprintf(wrong, size, "is empty");
        return -1;
    }
    string_list_add(field_of(options, row), text);
    return 0;
}

static int add_pair(struct options *options, const struct option_row *row, const char *text, char *wrong,
                    size_t size)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text) {
        snprintf(wrong, size, "is not NAME=VALUE");
        return -1;
    }
    string_list_add(field_of(options, row), text);
    return 0;
}

static const struct {
    const struct unit *units;
    const char *form;
} integers[] = {
    [OPTION_NUMBER] = {no_units, "a number"},
    [OPTION_TIME] = {times, "a time like 30s, 500ms, 2m or 1h"},
    [OPTION_SIZE] = {sizes, "a size like 4096, 64k, 10m or 1g"},
};

static int set_integer(struct options *options, const struct option_row *row, const char *text, char *wrong,
                       size_t size)
{
    const struct unit *units = integers[row->kind].units;
    int64_t value;
    if (row->word != NULL && strcmp(text, row->word) == 0) {
        *(int64_t *)field_of(options, row) = 0;
        return 0;
    }
    if (parse_units(units, text, &value) < 0) {
        snprintf(wrong, size, row->word != NULL ? "is not %s or \"%s\"" : "is not %s",
                 integers[row->kind].form, row->word);
        return -1;
    }
    if (value < row->min || value > row->max) {
        char min[32], max[32];
        print_units(units, row->min, min, sizeof(min));
        print_units(units, row->max, max, sizeof(max));
        snprintf(wrong, size, "is not between %s and %s", min, max);
        return -1;
    }
    *(int64_t *)field_of(options, row) = value;
    return 0;
}

void option_number_text(const struct option_row *row, int64_t value, char *out, size_t size)
{
    if (row->word != NULL && value == 0)
        snprintf(out, size, "%s", row->word);
    else
        print_units(integers[row->kind].units, value, out, size);
}

static int set_choice(struct options *options, const struct option_row *row, const char *text, char *wrong,
                      size_t size)
{
    for (int64_t i = 0; row->choices[i] != NULL; i++) {
        if (strcmp(text, row->choices[i]) == 0) {
            *(int64_t *)field_of(options, row) = i;
            return 0;
        }
    }
    size_t used = (size_t)snprintf(wrong, size, "is not one of %s", row->choices[0]);
    for (size_t i = 1; row->choices[i] != NULL && used < size; i++)
        used += (size_t)snprintf(wrong + used, size - used, ", %s", row->choices[i]);
    return -1;
}

static int set_flag(struct options *options, const struct option_row *row, const char *text, char *wrong,
                    size_t size)
{
    static const char *const answers[][2] = {{"no", "yes"}, {"0", "1"}, {"false", "true"}, {"off", "on"}};
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
        for (int on = 0; on <= 1; on++)
            if (strcmp(text, answers[i][on]) == 0) {
                *(bool *)field_of(options, row) = on;
                return 0;
            }
    snprintf(wrong, size, "is not yes or no");
    return -1;
}

static int set_action(struct options *options, const struct option_row *row, const char *text, char *wrong,
                      size_t size)
{
    (void)text, (void)wrong, (void)size;
    options->action = row->action;
    return 0;
}

static int (*const setters[])(struct options *, const struct option_row *, const char *, char *, size_t) = {
    [OPTION_STRING] = set_string,     [OPTION_URL_PATH] = set_url_path, [OPTION_OCTAL] = set_octal,
    [OPTION_LIST] = add_item,         [OPTION_PAIRS] = add_pair,        [OPTION_NUMBER] = set_integer,
    [OPTION_TIME] = set_integer,      [OPTION_SIZE] = set_integer,      [OPTION_CHOICE] = set_choice,
    [OPTION_NETWORKS] = set_networks, [OPTION_FIELDS] = set_fields,     [OPTION_HOSTS] = set_hosts,
    [OPTION_FLAG] = set_flag,         [OPTION_ACTION] = set_action,
};

int option_set(struct options *options, const struct option_row *row, const char *text, char *wrong,
               size_t size)
{
    return setters[row->kind](options, row, text, wrong, size);
}

bool option_is_setting(const struct option_row *row)
{
    return row->kind != OPTION_ACTION && row->field != offsetof(struct options, config) &&
           row->field != offsetof(struct options, check_config);
}

bool option_is_list(const struct option_row *row)
{
    return row->kind == OPTION_LIST || row->kind == OPTION_PAIRS;
}

bool option_is_text(const struct option_row *row)
{
    return row->kind == OPTION_STRING || row->kind == OPTION_URL_PATH || row->kind == OPTION_OCTAL ||
           row->kind == OPTION_NETWORKS || row->kind == OPTION_FIELDS || row->kind == OPTION_HOSTS;
}

static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_list(const struct string_list *a, const struct string_list *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = strcmp(a->items[i], b->items[i]) == 0;
    return same;
}

/* Compares the present values, which the program may have resolved since the user set them. */
bool option_is_same(const struct option_row *row, const struct options *a, const struct options *b)
{
    const void *first = (const char *)a + row->field, *second = (const char *)b + row->field;
    if (row->kind == OPTION_ACTION)
        return true;
    if (option_is_list(row))
        return same_list(first, second);
    if (option_is_text(row))
        return same_text(*(char *const *)first, *(char *const *)second);
    if (row->kind == OPTION_FLAG)
        return *(const bool *)first == *(const bool *)second;
    return *(const int64_t *)first == *(const int64_t *)second;
}

void option_copy(const struct option_row *row, struct options *to, const struct options *from)
{
    const void *value = (const char *)from + row->field;
    option_clear(to, row);
    if (option_is_list(row)) {
        const struct string_list *list = value;
        for (size_t i = 0; i < list->count; i++)
            string_list_add(field_of(to, row), list->items[i]);
    } else if (option_is_text(row)) {
        set_text(to, row, *(char *const *)value);
    } else if (row->kind == OPTION_FLAG) {
        *(bool *)field_of(to, row) = *(const bool *)value;
    } else if (row->kind != OPTION_ACTION) {
        *(int64_t *)field_of(to, row) = *(const int64_t *)value;
    }
}

void option_clear(struct options *options, const struct option_row *row)
{
    if (option_is_list(row))
        string_list_free(field_of(options, row));
    else if (option_is_text(row))
        set_text(options, row, NULL);
    else if (row->kind == OPTION_FLAG)
        *(bool *)field_of(options, row) = false;
    else if (row->kind != OPTION_ACTION)
        *(int64_t *)field_of(options, row) = 0;
}

void options_free(struct options *options)
{
    for (size_t i = 0; i < option_row_count; i++)
        option_clear(options, &option_rows[i]);
    free(options->application);
    options->application = NULL;
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

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

/* Copies one word without its quotes to `out`, which has room for all of `text`. Returns the rest
 * of the text, or NULL when a quote is left open. */
static const char *copy_word(const char *text, char *out)
{
    char quote = '\0';
    for (; *text != '\0' && (quote != '\0' || !is_blank(*text)); text++) {
        bool escapes = quote == '\0' || (quote == '"' && strchr("\"\\$`", text[1]) != NULL);
        if (*text == '\\' && escapes && text[1] != '\0')
            *out++ = *++text;
        else if (quote != '\0' && *text == quote)
            quote = '\0';
        else if (quote == '\0' && (*text == '"' || *text == '\''))
            quote = *text;
        else
            *out++ = *text;
    }
    *out = '\0';
    return quote == '\0' ? text : NULL;
}

int words_split(const char *text, struct string_list *words)
{
    char *word = xmalloc(strlen(text) + 1);
    *words = (struct string_list){NULL, 0};
    for (;;) {
        while (is_blank(*text))
            text++;
        if (*text == '\0')
            break;
        text = copy_word(text, word);
        if (text == NULL) {
            string_list_free(words);
            break;
        }
        string_list_add(words, word);
    }
    free(word);
    return text == NULL ? -1 : 0;
}
