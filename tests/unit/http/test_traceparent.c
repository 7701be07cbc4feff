/*
 * traceparent: the values that W3C Trace Context accepts, and those that it does not.
 */
#include "http/traceparent.h"

#include "http/parser.h"
#include "unit.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN  "00f067aa0ba902b7"

static const struct {
    const char *name, *value;
    bool good;
} cases[] = {
    {"the recommendation's example", "00-" TRACE "-" SPAN "-01", true},
    {"not sampled", "00-" TRACE "-" SPAN "-00", true},
    {"flags that are not known", "00-" TRACE "-" SPAN "-ff", true},
    {"a later version", "cc-" TRACE "-" SPAN "-01", true},
    {"a later version that is longer", "01-" TRACE "-" SPAN "-01-what-the-future-will-be", true},
    {"a later version with nothing behind its dash", "cc-" TRACE "-" SPAN "-01-", true},
    {"nothing", "", false},
    {"the version that never will be", "ff-" TRACE "-" SPAN "-01", false},
    {"version 00 that is longer", "00-" TRACE "-" SPAN "-01-x", false},
    {"version 00 with one more dash", "00-" TRACE "-" SPAN "-01-", false},
    {"a later version that is longer, without a dash", "cc-" TRACE "-" SPAN "-01x", false},
    {"no trace", "00-00000000000000000000000000000000-" SPAN "-01", false},
    {"no span", "00-" TRACE "-0000000000000000-01", false},
    {"upper case", "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01", false},
    {"an upper case version", "CC-" TRACE "-" SPAN "-01", false},
    {"a letter that is no digit", "00-4bf92f3577b34da6a3ce929d0e0e473g-" SPAN "-01", false},
    {"one digit too few", "00-4bf92f3577b34da6a3ce929d0e0e473-" SPAN "-01", false},
    {"one digit too many", "00-" TRACE "0-" SPAN "-01", false},
    {"another separator", "00_" TRACE "-" SPAN "-01", false},
    {"without flags", "00-" TRACE "-" SPAN, false},
    {"with empty flags", "00-" TRACE "-" SPAN "-", false},
    {"with half of them", "00-" TRACE "-" SPAN "-0", false},
    {"the version alone", "00", false},
};

START_TEST(a_value_is_taken_whole_or_not_at_all)
{
    struct traceparent found;
    const char *value = cases[_i].value;
    ck_assert_msg(traceparent_parse(slice_of(value), &found) == cases[_i].good, "%s", cases[_i].name);
    if (!cases[_i].good)
        return;
    unit_assert_bytes(cases[_i].name, found.trace_id.data, found.trace_id.size, TRACE, 32);
    unit_assert_bytes(cases[_i].name, found.span_id.data, found.span_id.size, SPAN, 16);
    unit_assert_bytes(cases[_i].name, found.flags.data, found.flags.size, value + 53, 2);
}
END_TEST

#define FIELD "00-" TRACE "-" SPAN "-01\r\n"

static const struct {
    const char *name, *fields;
    bool found;
} sections[] = {
    {"one", "Host: a\r\nTraceParent: " FIELD "\r\n", true},
    {"none", "Host: a\r\ntracestate: a=b\r\n\r\n", false},
    {"two", "traceparent: " FIELD "Host: a\r\ntraceparent: " FIELD "\r\n", false},
};

START_TEST(a_section_has_one_or_none)
{
    static const struct parser_limits limits = {8190, 100, 8190, 1 << 16};
    struct header_section *section = NULL;
    struct traceparent found;
    ck_assert_int_eq(header_section_parse(slice_of(sections[_i].fields), &limits, &section), 0);
    ck_assert_msg(traceparent_find(section, &found) == sections[_i].found, "%s", sections[_i].name);
    header_section_unref(section);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, a_value_is_taken_whole_or_not_at_all, cases);
    unit_add_rows(tests, a_section_has_one_or_none, sections);
}

int main(void)
{
    return unit_run("http/traceparent", add);
}
