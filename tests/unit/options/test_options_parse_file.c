/*
 * The options of a configuration file, and those that a reload cannot change.
 */
#include "options_line.h"

#include <stdio.h>

static struct options options;

static void set_up(void)
{
    ck_assert_int_eq(parse(&options, "app", no_environment), 0);
}

static void tear_down(void)
{
    options_free(&options);
}

static int read_setting(const char *key, const char *value)
{
    struct settings *file = settings_new("the.toml");
    settings_add(file, key, value);
    options_free(&options);
    int r = parse_with(&options, "app", no_environment, file);
    settings_free(file);
    return r;
}

START_TEST(every_row_but_a_few_is_a_setting)
{
    const struct option_row *row = &option_rows[_i];
    bool other = row->kind == OPTION_ACTION || strcmp(row->name, "config") == 0 ||
                 strcmp(row->name, "check-config") == 0;
    const char *value = row->kind == OPTION_FLAG    ? "yes"
                        : row->kind == OPTION_PAIRS ? "A=b"
                        : row->choices != NULL      ? row->choices[0]
                        : row->initial != NULL      ? row->initial
                                                    : "/x";
    if (row->kind == OPTION_OCTAL)
        value = "022";
    if (strcmp(row->name, "status-host") == 0)
        value = "status.example.org";
    ck_assert_msg((read_setting(row->name, value) == 0) == !other, "%s: %s", row->name, message);
}
END_TEST

static const struct {
    const char *name, *key, *value, *told;
} wrongs[] = {
    {"a name that is nearly right", "workres", "1",
     "\"workres\" is no option; did you mean workers? (the.toml)"},
    {"another server's name", "loglevel", "info",
     "\"loglevel\" is no option; did you mean log-level? (the.toml)"},
    {"another server's name, unlike ours", "worker_class", "gevent",
     "\"worker_class\" is no option; there are --workers"},
    {"another server's name of ours", "proc_name", "x",
     "\"proc_name\" is no option; that is name here (the.toml)"},
    {"a name that is none", "qqqqqqq", "1", "\"qqqqqqq\" is no option (the.toml)"},
    {"a name with control characters", "\x01\n", "1", "\"\\x01\\x0a\" is no option"},
    {"a value that is none", "workers", "many", "--workers: \"many\" is not a number or \"auto\" (the.toml)"},
};

START_TEST(a_mistake_is_told_with_the_file)
{
    ck_assert_int_eq(read_setting(wrongs[_i].key, wrongs[_i].value), -1);
    ck_assert_msg(strstr(message, wrongs[_i].told) != NULL, "%s: %s", wrongs[_i].name, message);
    set_up();
}
END_TEST

START_TEST(what_takes_one_value_is_said_once)
{
    struct settings *file = settings_new("the.toml");
    settings_add(file, "bind", ":1");
    settings_add(file, "bind", ":2");
    settings_add(file, "workers", "1");
    options_free(&options);
    ck_assert_int_eq(parse_with(&options, "app", no_environment, file), 0);
    ck_assert_uint_eq(options.bind.count, 2);
    settings_add(file, "workers", "2");
    options_free(&options);
    ck_assert_int_eq(parse_with(&options, "app", no_environment, file), -1);
    ck_assert_str_eq(message, "gateway: workers takes one value (the.toml)");
    settings_free(file);
    set_up();
}
END_TEST

static const struct {
    const char *line, *environment, *found;
} named[] = {
    {"app", NULL, NULL},
    {"app -c a", NULL, "a"},
    {"--config=a app --config b", NULL, "b"},
    {"--nonsense --workers x -c a", NULL, "a"},
    {"app", "GATEWAY_CONFIG=a", "a"},
    {"app", "GATEWAY_CMD_ARGS=--config a", "a"},
    {"app -c b", "GATEWAY_CONFIG=a", "b"},
    {"-- -c a", NULL, NULL},
};

START_TEST(the_file_is_found_whatever_else_is_said)
{
    struct string_list words = {NULL, 0};
    char variable[64], *environment[] = {variable, NULL}, *arguments[16] = {"gateway"};
    snprintf(variable, sizeof(variable), "%s", named[_i].environment != NULL ? named[_i].environment : "");
    ck_assert_int_eq(words_split(named[_i].line, &words), 0);
    for (size_t i = 0; i < words.count; i++)
        arguments[i + 1] = words.items[i];
    char *found = options_find_config((int)words.count + 1, arguments, environment);
    ck_assert_msg(found == NULL ? named[_i].found == NULL
                                : named[_i].found != NULL && strcmp(found, named[_i].found) == 0,
                  "%s: %s", named[_i].line, found);
    free(found);
    string_list_free(&words);
}
END_TEST

START_TEST(the_user_is_found_whatever_else_is_said)
{
    char program[] = "gateway", nonsense[] = "--nonsense", option[] = "-u", user[] = "www";
    char *arguments[] = {program, nonsense, option, user, NULL}, *environment[] = {NULL};
    char *found = options_find_user(4, arguments, environment);
    ck_assert_str_eq(found, "www");
    free(found);
    ck_assert_ptr_null(options_find_user(2, arguments, environment));
}
END_TEST

static char told[128];

static void note(void *context, const char *name)
{
    (void)context;
    strcat(told, told[0] != '\0' ? " " : "");
    strcat(told, name);
}

static const struct {
    const char *name, *line, *told;
} changes[] = {
    {"nothing", "app", ""},
    {"what a new generation can take",
     "other --keep-alive 1 --env A=1 --root-path /x --timeout 1 --workers 3", ""},
    {"a list", "app --bind :1", "bind"},
    {"a longer list", "app --bind 127.0.0.1:8000 --bind :1", "bind"},
    {"a text that was none", "app --user nobody", "user"},
    {"a number", "app --threads 3", "threads"},
    {"a choice and a flag", "app --log-level debug --preload", "preload log-level"},
};

START_TEST(what_needs_a_restart_is_told_and_stays)
{
    struct options changed;
    told[0] = '\0';
    ck_assert_int_eq(parse(&changed, changes[_i].line, no_environment), 0);
    options_keep(&changed, &options, note, NULL);
    ck_assert_msg(strcmp(told, changes[_i].told) == 0, "%s: %s", changes[_i].name, told);
    for (size_t i = 0; i < option_row_count; i++)
        ck_assert(!option_rows[i].restart || option_is_same(&option_rows[i], &changed, &options));
    options_free(&changed);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, every_row_but_a_few_is_a_setting, 0, (int)option_row_count);
    unit_add_rows(tests, a_mistake_is_told_with_the_file, wrongs);
    tcase_add_test(tests, what_takes_one_value_is_said_once);
    unit_add_rows(tests, the_file_is_found_whatever_else_is_said, named);
    tcase_add_test(tests, the_user_is_found_whatever_else_is_said);
    unit_add_rows(tests, what_needs_a_restart_is_told_and_stays, changes);
}

int main(void)
{
    return unit_run("options/options_parse_file", add);
}
