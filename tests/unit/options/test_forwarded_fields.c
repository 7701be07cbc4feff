/* --forwarded-headers: the fields of trusted proxies that are believed. */
#include "options/forwarded_fields.h"

#include <stdio.h>

#include "unit.h"

#define BIT(part) (1U << (part))

static const struct {
    const char *name, *list;
    unsigned parts;
} lists[] = {
    {"the default", "for,proto", BIT(PART_FOR) | BIT(PART_PROTO)},
    {"an empty list is nothing", "", 0},
    {"white space, empty items and case mean nothing", " , For ,\tPROTO,", BIT(PART_FOR) | BIT(PART_PROTO)},
    {"all words", "for,proto,host,port,prefix,by", BIT(FORWARDED_PARTS) - 1},
    {"a word and its field's name are the same", "x-forwarded-host,by", BIT(PART_HOST) | BIT(PART_BY)},
    {"a field of the application", "X-Forwarded-User", 0},
};

START_TEST(a_list_has_the_fields_that_it_names)
{
    struct forwarded_fields fields;
    char wrong[160] = "";
    ck_assert_msg(forwarded_fields_parse(&fields, lists[_i].list, wrong, sizeof(wrong)) == 0, "%s", wrong);
    ck_assert_msg(fields.parts == lists[_i].parts, "%s: %x", lists[_i].name, fields.parts);
    forwarded_fields_free(&fields);
}
END_TEST

static const struct {
    const char *list;
    struct slice name;
    bool named;
} names[] = {
    {"for, X-Forwarded-User", SLICE("x-forwarded-user"), true},
    {"x-real-ip,X-Client-IP", SLICE("X-Real-IP"), true},
    {"X-Forwarded-User", SLICE("X-Forwarded-Users"), false},
    {"X-Forwarded-User", SLICE("X-Forwarded-"), false},
    {"for", SLICE("X-Forwarded-User"), false},
    {"X-Forwarded-User,", SLICE("X-Real-IP"), false},
};

START_TEST(a_whole_name_is_that_of_one_field)
{
    struct forwarded_fields fields;
    char wrong[160] = "";
    ck_assert_msg(forwarded_fields_parse(&fields, names[_i].list, wrong, sizeof(wrong)) == 0, "%s", wrong);
    ck_assert_msg(forwarded_fields_name(&fields, names[_i].name) == names[_i].named, "%s", names[_i].list);
    forwarded_fields_free(&fields);
}
END_TEST

static const struct {
    const char *list, *item;
} mistakes[] = {
    {"for,hosts", "hosts"},
    {"for proto", "for proto"},
    {"*", "*"},
    {"X-Forwarded-", "X-Forwarded-"},
    {"X-Forwarded-My_User", "X-Forwarded-My_User"},
    {"Forwarded", "Forwarded"},
    {"\x1b[31m", "\\x1b[31m"},
};

START_TEST(a_mistake_is_told_with_the_item)
{
    struct forwarded_fields fields;
    char wrong[160] = "", told[160];
    ck_assert_int_eq(forwarded_fields_parse(&fields, mistakes[_i].list, wrong, sizeof(wrong)), -1);
    snprintf(told, sizeof(told),
             "has \"%s\" in it, which is no field (for, proto, host, port, prefix, by or "
             "X-Forwarded-NAME)",
             mistakes[_i].item);
    ck_assert_str_eq(wrong, told);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, a_list_has_the_fields_that_it_names, lists);
    unit_add_rows(tests, a_whole_name_is_that_of_one_field, names);
    unit_add_rows(tests, a_mistake_is_told_with_the_item, mistakes);
}

int main(void)
{
    return unit_run("options/forwarded_fields", add);
}
