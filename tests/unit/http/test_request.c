/*
 * A request: the decisions of line and section together, and the life of a section.
 */
#include "http/forwarded.h"
#include "http/parser.h"
#include "unit.h"

static const struct {
    const char *name;
    int minor;
    bool close, keep_alive, kept;
} connections[] = {
    {"HTTP/1.1 is kept", 1, false, false, true},
    {"HTTP/1.1 is kept when it says so", 1, false, true, true},
    {"HTTP/1.1 closes when it says so", 1, true, false, false},
    {"close wins in HTTP/1.1", 1, true, true, false},
    {"HTTP/1.0 closes", 0, false, false, false},
    {"HTTP/1.0 is kept when it says so", 0, false, true, true},
    {"HTTP/1.0 closes when it says so", 0, true, false, false},
    {"close wins in HTTP/1.0", 0, true, true, false},
};

START_TEST(the_connection_is_kept_as_the_table_says)
{
    struct header_section section = {.connection_close = connections[_i].close,
                                     .connection_keep_alive = connections[_i].keep_alive};
    struct request request = {.minor = (uint8_t)connections[_i].minor, .section = &section};
    ck_assert_msg(request_keep_alive(&request) == connections[_i].kept, "%s", connections[_i].name);
}
END_TEST

START_TEST(a_request_without_its_fields_is_not_kept)
{
    struct request request = {.minor = 1};
    ck_assert(!request_keep_alive(&request));
}
END_TEST

static const struct {
    const char *name;
    int minor;
    struct slice host;
    enum framing framing;
    int status;
} checks[] = {
    {"a Host", 1, SLICE("a"), FRAMING_NONE, 0},
    {"no Host", 1, {NULL, 0}, FRAMING_NONE, 400},
    {"no Host in HTTP/1.0", 0, {NULL, 0}, FRAMING_LENGTH, 0},
    {"chunks", 1, SLICE("a"), FRAMING_CHUNKED, 0},
    {"chunks in HTTP/1.0", 0, SLICE("a"), FRAMING_CHUNKED, 400},
};

START_TEST(the_two_parts_fit_together_as_the_table_says)
{
    struct header_section section = {.host = checks[_i].host, .framing = checks[_i].framing};
    struct request request = {.minor = (uint8_t)checks[_i].minor, .section = &section};
    ck_assert_msg(request_check(&request) == checks[_i].status, "%s", checks[_i].name);
}
END_TEST

static struct header_section *section_of(struct slice bytes)
{
    static const struct parser_limits limits = {
        .request_line = 100, .fields = 9, .field_size = 99, .head = 999};
    struct header_section *section;
    ck_assert_int_eq(header_section_parse(bytes, &limits, &section), 0);
    return section;
}

START_TEST(a_field_is_found_in_any_case)
{
    struct header_section *section = section_of(SLICE("X: a\r\nAccept: b\r\naccept: c\r\n\r\n"));
    ck_assert(slice_eq(header_section_find(section, SLICE("ACCEPT"))->value, SLICE("b")));
    ck_assert_ptr_null(header_section_find(section, SLICE("Acc")));
    header_section_unref(section);
}
END_TEST

static void count(void *environ)
{
    ++*(int *)environ;
}

START_TEST(the_last_reference_lets_the_environ_go)
{
    int freed = 0;
    struct header_section *section = section_of(SLICE("\r\n"));
    section->environ = &freed;
    section->environ_free = count;
    ck_assert_ptr_eq(header_section_ref(section), section);
    header_section_unref(section);
    ck_assert_int_eq(freed, 0);
    header_section_unref(section);
    ck_assert_int_eq(freed, 1);
    header_section_unref(NULL);
}
END_TEST

static const struct {
    const char *name;
    struct slice authority, field, said; /* `said`: by a proxy */
    bool host_said;
    struct slice host;
} hosts[] = {
    {"the field", {NULL, 0}, SLICE("a"), {NULL, 0}, false, SLICE("a")},
    {"no field", {NULL, 0}, {NULL, 0}, {NULL, 0}, false, {NULL, 0}},
    {"the target's authority in its place", SLICE("b"), SLICE("a"), {NULL, 0}, false, SLICE("b")},
    {"what a proxy says", {NULL, 0}, SLICE("a"), SLICE("c"), true, SLICE("c")},
    {"also against the target", SLICE("b"), SLICE("a"), SLICE("c"), true, SLICE("c")},
    {"its port alone is not the target's", SLICE("b"), SLICE("a"), SLICE("a:81"), false, SLICE("b")},
    {"its port alone", {NULL, 0}, SLICE("a"), SLICE("a:81"), false, SLICE("a:81")},
};

START_TEST(the_host_is_as_the_table_says)
{
    struct header_section section = {.host = hosts[_i].field};
    struct forwarded forwarded = {.host = hosts[_i].said, .host_said = hosts[_i].host_said};
    struct request request = {.section = &section,
                              .forwarded = hosts[_i].said.data != NULL ? &forwarded : NULL,
                              .authority = hosts[_i].authority};
    struct slice found = request_host(&request);
    ck_assert_msg(slice_eq(found, hosts[_i].host) && (found.data == NULL) == (hosts[_i].host.data == NULL),
                  "%s", hosts[_i].name);
}
END_TEST

START_TEST(a_request_without_its_fields_has_no_host)
{
    struct request request = {.minor = 1};
    ck_assert_ptr_null(request_host(&request).data);
}
END_TEST

static const struct {
    const char *name, *line, *root, *path;
} paths[] = {
    {"as it is", "GET /a/b?c HTTP/1.1", "", "/a/b"},
    {"decoded", "GET /%61%2fb HTTP/1.1", "", "/a/b"},
    {"without the root", "GET /base/a HTTP/1.1", "/base", "/a"},
    {"the root itself", "GET /base HTTP/1.1", "/base", ""},
    {"the root, escaped", "GET /b%61se/a HTTP/1.1", "/base", "/a"},
    {"where a proxy has taken it off", "GET /a HTTP/1.1", "/base", "/a"},
    {"what only begins like it", "GET /based HTTP/1.1", "/base", "/based"},
    {"no path", "OPTIONS * HTTP/1.1", "", ""},
    {"of an absolute form that has none", "GET http://a HTTP/1.1", "", "/"},
};

START_TEST(path_info_is_as_the_table_says)
{
    char room[64];
    struct request request;
    ck_assert_int_eq(request_line_parse(&request, slice_of(paths[_i].line)), 0);
    struct slice path = request_path_info(&request, slice_of(paths[_i].root), room);
    unit_assert_bytes(paths[_i].name, path.data, path.size, paths[_i].path, strlen(paths[_i].path));
}
END_TEST

START_TEST(the_tag_has_room_for_the_longest_id)
{
    char id[REQUEST_ID_MAX], tag[REQUEST_TAG_SIZE];
    struct request request = {.id = {NULL, 0}};
    ck_assert_uint_eq(request_tag(&request, tag), 0);
    ck_assert_str_eq(tag, "");
    request.id = SLICE("4711");
    ck_assert_uint_eq(request_tag(&request, tag), 7);
    ck_assert_str_eq(tag, " (4711)");
    memset(id, '~', sizeof(id));
    request.id = (struct slice){id, sizeof(id)};
    ck_assert_uint_eq(request_tag(&request, tag), sizeof(tag) - 1);
    ck_assert_str_eq(tag + sizeof(tag) - 3, "~)");
}
END_TEST

enum { IDS = 100 };

START_TEST(an_id_is_32_hexadecimal_digits_and_no_other_ones)
{
    static char ids[IDS][REQUEST_ID_SIZE + 1];
    static struct request_ids some, others;
    for (int i = 0; i < IDS; i++) {
        request_id_make(i % 2 ? &some : &others, ids[i]);
        ck_assert_uint_eq(strspn(ids[i], "0123456789abcdef"), REQUEST_ID_SIZE);
        for (int n = 0; n < i; n++)
            ck_assert_str_ne(ids[i], ids[n]);
    }
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, the_connection_is_kept_as_the_table_says, connections);
    tcase_add_test(tests, a_request_without_its_fields_is_not_kept);
    unit_add_rows(tests, the_two_parts_fit_together_as_the_table_says, checks);
    tcase_add_test(tests, a_field_is_found_in_any_case);
    tcase_add_test(tests, the_last_reference_lets_the_environ_go);
    unit_add_rows(tests, the_host_is_as_the_table_says, hosts);
    tcase_add_test(tests, a_request_without_its_fields_has_no_host);
    unit_add_rows(tests, path_info_is_as_the_table_says, paths);
    tcase_add_test(tests, the_tag_has_room_for_the_longest_id);
    tcase_add_test(tests, an_id_is_32_hexadecimal_digits_and_no_other_ones);
}

int main(void)
{
    return unit_run("http/request", add);
}
