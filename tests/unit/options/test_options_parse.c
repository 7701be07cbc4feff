/*
 * The options: every row of the table by itself, and the order of the levels.
 */
#include "options/options_parse.h"

#include "options/options_table.h"

#include "options_line.h"
#include "unit.h"

#include <ctype.h>
#include <inttypes.h>
#include <unistd.h>

/* A field's value as text: numbers in decimal, items of a list with a bar between them, NULL as an
 * empty text. */
static const char *value_of(const struct options *options, const struct option_row *row)
{
    static char text[256];
    const void *field = (const char *)options + row->field;
    text[0] = '\0';
    if (option_is_list(row)) {
        const struct string_list *list = field;
        for (size_t i = 0; i < list->count; i++) {
            strcat(text, i > 0 ? "|" : "");
            strcat(text, list->items[i]);
        }
    } else if (option_is_text(row)) {
        const char *string = *(char *const *)field;
        snprintf(text, sizeof(text), "%s", string != NULL ? string : "(NULL)");
    } else if (row->kind == OPTION_FLAG) {
        snprintf(text, sizeof(text), "%s", *(const bool *)field ? "yes" : "no");
    } else {
        snprintf(text, sizeof(text), "%" PRId64, *(const int64_t *)field);
    }
    return text;
}

/* A valid text for each kind of option, its value in the field, and a text that is refused. */
static const struct {
    const char *text, *value, *bad;
} samples[] = {
    [OPTION_STRING] = {"sample", "sample", NULL},
    [OPTION_URL_PATH] = {"/sample", "/sample", "sample"},
    [OPTION_OCTAL] = {"027", "027", "028"},
    [OPTION_LIST] = {"sample", "sample", NULL},
    [OPTION_PAIRS] = {"A=1", "A=1", "A"},
    [OPTION_NUMBER] = {"77", "77", "77k"},
    [OPTION_TIME] = {"77s", "77000", "77k"},
    [OPTION_SIZE] = {"77k", "78848", "77s"},
    [OPTION_CHOICE] = {"json", "1", "sample"},
    [OPTION_FLAG] = {"on", "yes", NULL},
    [OPTION_NETWORKS] = {"::1", "::1", "::1/129"},
    [OPTION_FIELDS] = {"for,by", "for,by", "for,hosts"},
    [OPTION_HOSTS] = {"a.example,b", "a.example,b", "a.example:80"},
};

static const char *sample(const struct option_row *row, bool value)
{
    if (row->kind == OPTION_CHOICE)
        return value ? "1" : row->choices[1];
    return value ? samples[row->kind].value : samples[row->kind].text;
}

START_TEST(every_row_is_complete_and_stands_once)
{
    const struct option_row *row = &option_rows[_i];
    ck_assert_ptr_nonnull(row->section);
    ck_assert_int_eq(row->help[strlen(row->help) - 1], '.');
    ck_assert_msg((row->value == NULL) == (row->kind == OPTION_ACTION || row->kind == OPTION_FLAG), "%s",
                  row->name);
    ck_assert_msg(row->kind == OPTION_ACTION || row->min <= row->max || row->max == 0, "%s", row->name);
    for (size_t i = 0; i < (size_t)_i; i++) {
        ck_assert_str_ne(option_rows[i].name, row->name);
        ck_assert_msg(row->letter == '\0' || option_rows[i].letter != row->letter, "%s", row->name);
        ck_assert_msg(row->kind == OPTION_ACTION || option_rows[i].field != row->field, "%s", row->name);
    }
}
END_TEST

START_TEST(every_row_has_a_default_that_it_accepts)
{
    const struct option_row *row = &option_rows[_i];
    struct options options, fresh = {0};
    char wrong[160];
    if (row->initial != NULL) {
        ck_assert_msg(option_set(&fresh, row, row->initial, wrong, sizeof(wrong)) == 0, "%s: %s", row->name,
                      wrong);
        char *expected = strdup(value_of(&fresh, row));
        ck_assert_int_eq(parse(&options, "app", no_environment), 0);
        ck_assert_str_eq(value_of(&options, row), expected);
        options_free(&options);
        free(expected);
    }
    option_clear(&fresh, row);
}
END_TEST

static void assert_sets(const struct option_row *row, const char *line, char *const *environment)
{
    struct options options;
    ck_assert_msg(parse(&options, line, environment) == 0, "%s", message);
    if (row->kind == OPTION_ACTION)
        ck_assert_int_eq(options.action, row->action);
    else
        ck_assert_str_eq(value_of(&options, row), sample(row, true));
    options_free(&options);
}

START_TEST(every_row_is_a_flag)
{
    const struct option_row *row = &option_rows[_i];
    static const char *const forms[] = {"--%s %s app", "--%s=%s app", "app --%s %s"};
    char line[160];
    for (size_t i = 0; i < UNIT_ROWS(forms); i++) {
        if (row->value == NULL)
            snprintf(line, sizeof(line), "--%s%s", row->name, row->kind == OPTION_FLAG ? " app" : "");
        else
            snprintf(line, sizeof(line), forms[i], row->name, sample(row, false));
        assert_sets(row, line, no_environment);
    }
}
END_TEST

START_TEST(every_letter_is_a_flag)
{
    const struct option_row *row = &option_rows[_i];
    static const char *const forms[] = {"-%c %s app", "-%c%s app", "app -%c %s"};
    char line[160];
    for (size_t i = 0; row->letter != '\0' && i < UNIT_ROWS(forms); i++) {
        if (row->kind == OPTION_ACTION)
            snprintf(line, sizeof(line), "-%c", row->letter);
        else
            snprintf(line, sizeof(line), forms[i], row->letter, sample(row, false));
        assert_sets(row, line, no_environment);
    }
}
END_TEST

static void environment_name(const struct option_row *row, char *out, size_t size)
{
    snprintf(out, size, "GATEWAY_%s", row->name);
    for (char *c = out; *c != '\0'; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
}

START_TEST(every_row_is_a_variable)
{
    const struct option_row *row = &option_rows[_i];
    char name[64], setting[160], known[160];
    char *const environment[] = {setting, NULL}, *const well_known[] = {known, NULL};
    if (row->kind == OPTION_ACTION)
        return;
    environment_name(row, name, sizeof(name));
    snprintf(setting, sizeof(setting), "%s=%s", name, sample(row, false));
    assert_sets(row, "app", environment);
    snprintf(known, sizeof(known), "%s=%s", row->variable != NULL ? row->variable : name, sample(row, false));
    assert_sets(row, "app", well_known);
}
END_TEST

static const struct {
    const char *line, *variable;
    bool value;
} flags[] = {
    {"--preload app", NULL, true},
    {"app --preload", NULL, true},
    {"--preload=yes app", NULL, true},
    {"--preload=no app", NULL, false},
    {"--preload --preload=0 app", NULL, false},
    {"app", "GATEWAY_PRELOAD=1", true},
    {"app", "GATEWAY_PRELOAD=true", true},
    {"app", "GATEWAY_PRELOAD=on", true},
    {"app", "GATEWAY_PRELOAD=0", false},
    {"app", "GATEWAY_PRELOAD=false", false},
    {"app", "GATEWAY_PRELOAD=off", false},
    {"app", "GATEWAY_PRELOAD=", false},
    {"--preload=no app", "GATEWAY_PRELOAD=1", false},
};

START_TEST(a_flag_stands_alone_or_says_yes_or_no)
{
    struct options options;
    char variable[64];
    char *const environment[] = {flags[_i].variable != NULL ? variable : NULL, NULL};
    snprintf(variable, sizeof(variable), "%s", flags[_i].variable != NULL ? flags[_i].variable : "");
    ck_assert_msg(parse(&options, flags[_i].line, environment) == 0, "%s", message);
    ck_assert_msg(options.preload == flags[_i].value, "%s, %s", flags[_i].line, variable);
    ck_assert_str_eq(options.application, "app");
    options_free(&options);
}
END_TEST

START_TEST(actions_are_no_variables)
{
    struct options options;
    char *const environment[] = {"GATEWAY_VERSION=1.2", "GATEWAY_HELP=1", NULL};
    ck_assert_int_eq(parse(&options, "app", environment), 0);
    ck_assert_int_eq(options.action, OPTIONS_SERVE);
    options_free(&options);
}
END_TEST

static const struct {
    const char *name, *line, *pid, *fds; /* "own" is this process's pid */
    const char *bind;                    /* with bars between them */
    bool replaced;
} passed[] = {
    {"one socket", "app", "own", "1", "fd://3", false},
    {"three sockets", "app", "own", "3", "fd://3|fd://4|fd://5", false},
    {"in the place of --bind", "-b :1 -b :2 app", "own", "2", "fd://3|fd://4", true},
    {"for another process", "-b :1 app", "1", "2", ":1", false},
    {"for another process, and nothing else", "app", "1", "2", "127.0.0.1:8000", false},
    {"none", "-b :1 app", "own", "0", ":1", false},
    {"whose is not said", "-b :1 app", "", "2", ":1", false},
    {"whose is not a number", "-b :1 app", "x", "2", ":1", false},
    {"how many is not said", "-b :1 app", "own", "", ":1", false},
};

static int parse_passed(struct options *options, const char *line, const char *pid, const char *fds)
{
    char whose[32], count[64];
    char *const environment[] = {whose, count, NULL};
    snprintf(whose, sizeof(whose), "LISTEN_PID=%s", pid);
    if (strcmp(pid, "own") == 0)
        snprintf(whose, sizeof(whose), "LISTEN_PID=%d", (int)getpid());
    snprintf(count, sizeof(count), "LISTEN_FDS=%s", fds);
    return parse(options, line, environment);
}

START_TEST(sockets_that_were_passed_come_in_the_place_of_bind)
{
    struct options options;
    ck_assert_msg(parse_passed(&options, passed[_i].line, passed[_i].pid, passed[_i].fds) == 0, "%s: %s",
                  passed[_i].name, message);
    const char *bind = value_of(&options, option_find_name("bind", 4));
    ck_assert_msg(strcmp(bind, passed[_i].bind) == 0, "%s: %s", passed[_i].name, bind);
    ck_assert_msg(options.bind_replaced == passed[_i].replaced, "%s", passed[_i].name);
    options_free(&options);
}
END_TEST

static const char *const nonsense_counts[] = {"x", "-1", "1025", "99999999999999999999"};

START_TEST(a_number_of_passed_sockets_that_is_none_is_told)
{
    struct options options;
    char expected[160];
    snprintf(expected, sizeof(expected),
             "gateway: \"%s\" is not a number of sockets from 0 to 1024 (LISTEN_FDS in the environment)",
             nonsense_counts[_i]);
    ck_assert_int_eq(parse_passed(&options, "app", "own", nonsense_counts[_i]), -1);
    ck_assert_str_eq(message, expected);
}
END_TEST

static void assert_refused(const char *line, const char *start)
{
    struct options options;
    ck_assert_msg(parse(&options, line, no_environment) == -1, "%s is accepted", line);
    ck_assert_msg(strncmp(message, start, strlen(start)) == 0, "%s: %s", line, message);
}

START_TEST(every_row_refuses_what_it_cannot_be)
{
    const struct option_row *row = &option_rows[_i];
    char line[160], start[160];
    snprintf(start, sizeof(start), "gateway: --%s", row->name);
    if (row->kind == OPTION_ACTION) {
        snprintf(line, sizeof(line), "--%s=1 app", row->name);
        assert_refused(line, start);
        return;
    }
    if (row->kind == OPTION_FLAG) {
        snprintf(line, sizeof(line), "--%s=perhaps app", row->name);
        assert_refused(line, start);
        return;
    }
    snprintf(line, sizeof(line), "app --%s", row->name);
    assert_refused(line, start);
    if (samples[row->kind].bad != NULL) {
        snprintf(line, sizeof(line), "--%s %s app", row->name, samples[row->kind].bad);
        assert_refused(line, start);
    }
    if (row->kind == OPTION_STRING && row->min > 0) {
        snprintf(line, sizeof(line), "--%s '' app", row->name);
        assert_refused(line, start);
    }
}
END_TEST

START_TEST(every_number_has_its_range)
{
    const struct option_row *row = &option_rows[_i];
    struct options options;
    char line[160], start[160];
    const char *unit = row->kind == OPTION_TIME ? "ms" : "";
    if (row->kind != OPTION_NUMBER && row->kind != OPTION_TIME && row->kind != OPTION_SIZE)
        return;
    snprintf(start, sizeof(start), "gateway: --%s: \"", row->name);
    for (int64_t outside = -1; outside <= 1; outside++) {
        int64_t edge = outside < 0 ? row->min : row->max;
        snprintf(line, sizeof(line), "app --%s %" PRId64 "%s", row->name, edge, unit);
        ck_assert_msg(parse(&options, line, no_environment) == 0, "%s", message);
        options_free(&options);
        snprintf(line, sizeof(line), "app --%s %" PRId64 "%s", row->name, edge + outside, unit);
        if (outside != 0)
            assert_refused(line, start);
    }
}
END_TEST

static const struct {
    const char *name, *line;
    char *environment[4];
    const char *option, *value;
} levels[] = {
    {"without --bind it is the loopback address", "app", {NULL}, "bind", "127.0.0.1:8000"},
    {"PORT asks for all addresses", "app", {"PORT=5000"}, "bind", "0.0.0.0:5000"},
    {"an empty PORT is no PORT", "app", {"PORT="}, "bind", "127.0.0.1:8000"},
    {"--bind takes the place of PORT", "-b :1 app", {"PORT=5000"}, "bind", ":1"},
    {"--bind can be repeated", "-b :1 app --bind=unix:/s -b:3", {NULL}, "bind", ":1|unix:/s|:3"},
    {"a variable's list is split into words",
     "app",
     {"GATEWAY_BIND=:1  'unix:/a b'"},
     "bind",
     ":1|unix:/a b"},
    {"GATEWAY_CMD_ARGS replaces a variable's list",
     "app",
     {"GATEWAY_BIND=:1 :2", "GATEWAY_CMD_ARGS=-b :3 -b :4"},
     "bind",
     ":3|:4"},
    {"the command line replaces every other list",
     "app -b :5",
     {"GATEWAY_BIND=:1 :2", "GATEWAY_CMD_ARGS=-b :3 -b :4"},
     "bind",
     ":5"},
    {"WEB_CONCURRENCY is the workers", "app", {"WEB_CONCURRENCY=3"}, "workers", "3"},
    {"GATEWAY_WORKERS is closer", "app", {"WEB_CONCURRENCY=3", "GATEWAY_WORKERS=4"}, "workers", "4"},
    {"GATEWAY_WORKERS is closer, first or last",
     "app",
     {"GATEWAY_WORKERS=4", "WEB_CONCURRENCY=3"},
     "workers",
     "4"},
    {"a variable that is wrong and not used is no harm",
     "app",
     {"WEB_CONCURRENCY=x", "GATEWAY_WORKERS=4"},
     "workers",
     "4"},
    {"an empty variable is none", "app", {"WEB_CONCURRENCY=3", "GATEWAY_WORKERS="}, "workers", "3"},
    {"GATEWAY_CMD_ARGS goes before variables",
     "app",
     {"GATEWAY_WORKERS=4", "GATEWAY_CMD_ARGS=-w 5"},
     "workers",
     "5"},
    {"the command line goes before all",
     "app -w6",
     {"GATEWAY_WORKERS=4", "GATEWAY_CMD_ARGS=-w 5"},
     "workers",
     "6"},
    {"auto brings back the default", "app -w auto", {"GATEWAY_WORKERS=4"}, "workers", "0"},
    {"the last of one level counts", "-w 1 -w 2 app --workers=3", {NULL}, "workers", "3"},
    {"GATEWAY_CMD_ARGS is split as by a shell",
     "app",
     {"GATEWAY_CMD_ARGS= -e 'A=1  2'\t--env \"B=\\\"x\\\" $y\" -e C=\\ \\'"},
     "env",
     "A=1  2|B=\"x\" $y|C= '"},
    {"an option's value may start with a dash", "app --access-logfile -", {NULL}, "access-logfile", "-"},
    {"an option's value may be empty", "app --root-path=", {"SCRIPT_NAME=/x"}, "root-path", ""},
    {"an option's value may hold an equals sign", "app --env=A=B=C", {NULL}, "env", "A=B=C"},
    {"the access log can be switched off",
     "app --access-logfile off",
     {"GATEWAY_ACCESS_LOGFILE=-"},
     "access-logfile",
     "(NULL)"},
    {"no virtual environment can be asked for", "app --venv ''", {"GATEWAY_VENV=/v"}, "venv", ""},
    {"a mount point loses its last slash", "app", {"SCRIPT_NAME=/a/b//"}, "root-path", "/a/b"},
    {"the root is no mount point", "app --root-path /", {NULL}, "root-path", ""},
    {"field_size may be spelt with a dash",
     "app --limit-request-field-size 100",
     {NULL},
     "limit-request-field_size",
     "100"},
    {"unknown variables are ignored", "app", {"GATEWAY_NONSENSE=1", "GATEWAY_WORKER=x"}, "workers", "0"},
    {"a larger unit counts", "app --graceful-timeout 2m", {NULL}, "graceful-timeout", "120000"},
    {"a bare time is seconds", "app --keep-alive 5", {NULL}, "keep-alive", "5000"},
};

START_TEST(the_levels_follow_each_other)
{
    struct options options;
    const char *option = levels[_i].option;
    ck_assert_msg(parse(&options, levels[_i].line, levels[_i].environment) == 0, "%s: %s", levels[_i].name,
                  message);
    const char *value = value_of(&options, option_find_name(option, strlen(option)));
    ck_assert_msg(strcmp(value, levels[_i].value) == 0, "%s: %s", levels[_i].name, value);
    options_free(&options);
}
END_TEST

static const struct {
    const char *name, *line;
    char *environment[2];
    const char *application;
} applications[] = {
    {"options may stand before the application", "-w 2 m:a", {NULL}, "m:a"},
    {"options may stand after the application", "m:a -w 2", {NULL}, "m:a"},
    {"behind two dashes all is application", "-w 2 -- -m:a", {NULL}, "-m:a"},
    {"two dashes may stand at the end", "m:a --", {NULL}, "m:a"},
    {"a factory's arguments stay", "'m:f(\"x\", k=1)'", {NULL}, "m:f(\"x\", k=1)"},
    {"GATEWAY_CMD_ARGS may name it", "", {"GATEWAY_CMD_ARGS=m:a"}, "m:a"},
    {"the command line names it better", "m:b", {"GATEWAY_CMD_ARGS=m:a"}, "m:b"},
};

START_TEST(the_application_stands_anywhere)
{
    struct options options;
    ck_assert_msg(parse(&options, applications[_i].line, applications[_i].environment) == 0, "%s: %s",
                  applications[_i].name, message);
    ck_assert_str_eq(options.application, applications[_i].application);
    options_free(&options);
}
END_TEST

static const struct {
    const char *name, *line;
    enum options_action action;
} actions[] = {
    {"--help needs no application", "--help", OPTIONS_HELP},
    {"-h is --help", "-h", OPTIONS_HELP},
    {"-v is --version", "-v app", OPTIONS_VERSION},
    {"the manual is there for the build", "--help-manual", OPTIONS_MANUAL},
    {"--help wins over a value that is wrong", "-w many --help", OPTIONS_HELP},
    {"--help wins over two applications", "a b --help", OPTIONS_HELP},
    {"a value is no flag", "app --access-logformat --help", OPTIONS_SERVE},
    {"behind two dashes there are no flags", "-- --help", OPTIONS_SERVE},
};

START_TEST(help_is_given_when_it_is_asked_for)
{
    struct options options;
    char *const environment[] = {"PORT=8000", NULL};
    ck_assert_msg(parse(&options, actions[_i].line, environment) == 0, "%s: %s", actions[_i].name, message);
    ck_assert_msg(options.action == actions[_i].action, "%s", actions[_i].name);
    options_free(&options);
}
END_TEST

START_TEST(help_is_given_where_the_environment_is_wrong)
{
    struct options options;
    char *const environment[] = {"GATEWAY_WORKERS=many", "GATEWAY_CMD_ARGS='", "PORT=x", NULL};
    ck_assert_int_eq(parse(&options, "--help", environment), 0);
    ck_assert_int_eq(options.action, OPTIONS_HELP);
    options_free(&options);
}
END_TEST

static void add(TCase *tests)
{
    const TTest *const per_row[] = {
        every_row_is_complete_and_stands_once,
        every_row_has_a_default_that_it_accepts,
        every_row_is_a_flag,
        every_letter_is_a_flag,
        every_row_is_a_variable,
        every_row_refuses_what_it_cannot_be,
        every_number_has_its_range,
    };
    for (size_t i = 0; i < UNIT_ROWS(per_row); i++)
        tcase_add_loop_test(tests, per_row[i], 0, (int)option_row_count);
    unit_add_rows(tests, the_levels_follow_each_other, levels);
    unit_add_rows(tests, the_application_stands_anywhere, applications);
    unit_add_rows(tests, help_is_given_when_it_is_asked_for, actions);
    unit_add_rows(tests, a_flag_stands_alone_or_says_yes_or_no, flags);
    tcase_add_test(tests, actions_are_no_variables);
    tcase_add_test(tests, help_is_given_where_the_environment_is_wrong);
    unit_add_rows(tests, sockets_that_were_passed_come_in_the_place_of_bind, passed);
    unit_add_rows(tests, a_number_of_passed_sockets_that_is_none_is_told, nonsense_counts);
}

int main(void)
{
    return unit_run("options/options_parse", add);
}
