/*
 * Lines of the control protocol, and the messages about wrong ones.
 */
#include "options/control_verbs.h"

#include "unit.h"

static const struct {
    const char *name, *line, *verb, *argument, *message;
} cases[] = {
    {"a verb", "status", "status", "", NULL},
    {"blanks around it", " stop \t", "stop", "", NULL},
    {"an argument that may be missing", "reload", "reload", "", NULL},
    {"and is there", "reload   --wait ", "reload", "--wait", NULL},
    {"an argument that nobody expects", "status now", NULL, NULL, "nothing is expected after \"status\""},
    {"another argument than the one", "reload --later", NULL, NULL, "\"reload [--wait]\" is expected"},
    {"only a part of it", "reload --wai", NULL, NULL, "\"reload [--wait]\" is expected"},
    {"twice", "reload --wait --wait", NULL, NULL, "\"reload [--wait]\" is expected"},
    {"mistyped", "stauts", NULL, NULL, "there is no \"stauts\"; did you mean \"status\"?"},
    {"nothing like it", "frobnicate", NULL, NULL, "there is no \"frobnicate\""},
    {"capitals", "STATUS", NULL, NULL, "there is no \"STATUS\""},
    {"nothing", "", NULL, NULL, "there is no \"\""},
    {"bytes that are no text", "\x1b[1m", NULL, NULL, "there is no \"\\x1b[1m\""},
};

START_TEST(a_line_is_a_verb_and_what_belongs_to_it)
{
    struct slice argument;
    char message[2048] = "";
    int verb = control_parse(slice_of(cases[_i].line), &argument, message, sizeof(message));
    if (cases[_i].verb == NULL) {
        ck_assert_int_eq(verb, -1);
        ck_assert_str_eq(message, cases[_i].message);
        return;
    }
    ck_assert_msg(verb >= 0, "%s: %s", cases[_i].name, message);
    ck_assert_str_eq(control_verbs[verb].name, cases[_i].verb);
    unit_assert_bytes(cases[_i].name, argument.data, argument.size, cases[_i].argument,
                      strlen(cases[_i].argument));
}
END_TEST

START_TEST(every_verb_is_helpful)
{
    ck_assert_uint_ge(control_verb_count, 7);
    for (size_t i = 0; i < control_verb_count; i++) {
        const struct control_verb *verb = &control_verbs[i];
        ck_assert_msg(strlen(verb->name) > 0 && verb->help[strlen(verb->help) - 1] == '.', "%s", verb->name);
    }
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, a_line_is_a_verb_and_what_belongs_to_it, cases);
    tcase_add_test(tests, every_verb_is_helpful);
}

int main(void)
{
    return unit_run("options/control_verbs", add);
}
