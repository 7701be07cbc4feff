/*
 * --env and --env-file: the environment of the application.
 */
#include "options/environment.h"

#include <stdio.h>
#include <unistd.h>

#include "unit.h"

static char path[] = "/tmp/test_environment-XXXXXX";
static char message[256];

static void set_up(void)
{
    close(mkstemp(path));
}

static void tear_down(void)
{
    unlink(path);
}

static int apply_file(const char *text)
{
    struct options options = {.env_file = path};
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
    return environment_apply(&options, message, sizeof(message));
}

static const struct {
    const char *name, *text, *value; /* of NAME; NULL: unset */
} cases[] = {
    {"an empty file", "", NULL},
    {"a line", "NAME=value\n", "value"},
    {"a line without its end", "NAME=value", "value"},
    {"a line of another system", "NAME=value\r\n", "value"},
    {"the last one wins", "NAME=one\nNAME=two\n", "two"},
    {"an empty value", "NAME=\n", ""},
    {"a value with signs", "NAME=a=b#c\n", "a=b#c"},
    {"white space around the line", "  NAME=value \t\n", "value"},
    {"white space within", "NAME=a b\n", "a b"},
    {"double quotes", "NAME=\" a b \"\n", " a b "},
    {"single quotes", "NAME=' a b '\n", " a b "},
    {"quotes of two kinds", "NAME=\"a'\n", "\"a'"},
    {"a quote alone", "NAME=\"\n", "\""},
    {"an empty quoted value", "NAME=''\n", ""},
    {"export", "export NAME=value\n", "value"},
    {"export and more space", "export   NAME=value\n", "value"},
    {"comments and empty lines", "# NAME=no\n\n  # NAME=no\nNAME=yes\n", "yes"},
    {"a comment alone", "#NAME=no\n", NULL},
};

START_TEST(a_file_is_read)
{
    ck_assert_msg(apply_file(cases[_i].text) == 0, "%s: %s", cases[_i].name, message);
    const char *value = getenv("NAME");
    if (cases[_i].value == NULL)
        ck_assert_ptr_null(value);
    else
        ck_assert_msg(value != NULL && strcmp(value, cases[_i].value) == 0, "%s: \"%s\"", cases[_i].name,
                      value);
}
END_TEST

static const struct {
    const char *text, *line;
} mistakes[] = {
    {"nonsense\n", "line 1"},
    {"A=1\n\n=value\n", "line 3"},
    {"A=1\nexport\n", "line 2"},
};

START_TEST(a_mistake_in_the_file_is_told_with_its_line)
{
    ck_assert_int_eq(apply_file(mistakes[_i].text), -1);
    ck_assert_ptr_nonnull(strstr(message, mistakes[_i].line));
    ck_assert_ptr_nonnull(strstr(message, path));
}
END_TEST

START_TEST(a_file_that_is_not_there_is_told)
{
    struct options options = {.env_file = "/nonexistent/env"};
    ck_assert_int_eq(environment_apply(&options, message, sizeof(message)), -1);
    ck_assert_str_eq(message, "gateway: --env-file: /nonexistent/env: No such file or directory");
}
END_TEST

/* The application's user can make the file as large as possible, and the master reads it at each
 * reload. */
START_TEST(a_file_without_an_end_is_not_read_into_memory)
{
    struct options options = {.env_file = path};
    ck_assert_int_eq(truncate(path, (off_t)1 << 40), 0);
    ck_assert_int_eq(environment_apply(&options, message, sizeof(message)), -1);
    ck_assert_ptr_nonnull(strstr(message, "it is larger than 4 MiB"));
}
END_TEST

START_TEST(the_command_line_wins_and_stays_as_it_was)
{
    char first[] = "NAME=line=1", second[] = "OTHER=", *items[] = {first, second};
    struct options options = {.env_file = path, .env = {items, 2}};
    setenv("OTHER", "old", 1);
    ck_assert_int_eq(apply_file("NAME=file\n"), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_msg(environment_apply(&options, message, sizeof(message)) == 0, "%s", message);
        ck_assert_str_eq(getenv("NAME"), "line=1");
        ck_assert_str_eq(getenv("OTHER"), "");
        ck_assert_str_eq(first, "NAME=line=1");
    }
}
END_TEST

static const char *const words[] = {"nonsense", "=value", ""};

START_TEST(a_mistake_on_the_command_line_is_told)
{
    char word[16], *items[] = {word};
    struct options options = {.env = {items, 1}};
    strcpy(word, words[_i]);
    ck_assert_int_eq(environment_apply(&options, message, sizeof(message)), -1);
    ck_assert_ptr_nonnull(strstr(message, "--env: "));
    ck_assert_ptr_nonnull(strstr(message, words[_i]));
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    unit_add_rows(tests, a_file_is_read, cases);
    unit_add_rows(tests, a_mistake_in_the_file_is_told_with_its_line, mistakes);
    tcase_add_test(tests, a_file_that_is_not_there_is_told);
    tcase_add_test(tests, a_file_without_an_end_is_not_read_into_memory);
    tcase_add_test(tests, the_command_line_wins_and_stays_as_it_was);
    unit_add_rows(tests, a_mistake_on_the_command_line_is_told, words);
}

int main(void)
{
    return unit_run("options/environment", add);
}
