/*
 * The parser: the parts of a request line, the contents of a header section and its decisions.
 * tests/wire has more cases, of requests that are refused.
 */
#include "http/parser.h"

#include "unit.h"

static const struct {
    const char *name, *line;
    const char *method, *authority, *path, *query; /* authority NULL: none */
    bool escaped, is_head;
    int minor;
} lines[] = {
    {"origin form", "GET /a/b HTTP/1.1", "GET", NULL, "/a/b", "", false, false, 1},
    {"a query", "GET /a?b=c?d HTTP/1.1", "GET", NULL, "/a", "b=c?d", false, false, 1},
    {"an empty query", "GET /a? HTTP/1.1", "GET", NULL, "/a", "", false, false, 1},
    {"an escaped path", "GET /%41 HTTP/1.1", "GET", NULL, "/%41", "", true, false, 1},
    {"an escape in the query alone", "GET /a?%41%zz HTTP/1.1", "GET", NULL, "/a", "%41%zz", false, false, 1},
    {"HEAD and HTTP/1.0", "HEAD / HTTP/1.0", "HEAD", NULL, "/", "", false, true, 0},
    {"head is not HEAD", "head / HTTP/1.1", "head", NULL, "/", "", false, false, 1},
    {"asterisk", "OPTIONS * HTTP/1.1", "OPTIONS", NULL, "*", "", false, false, 1},
    {"absolute form", "GET http://h:80/p?q HTTP/1.1", "GET", "h:80", "/p", "q", false, false, 1},
    {"absolute form without a path", "GET HTTPS://h HTTP/1.1", "GET", "h", "/", "", false, false, 1},
    {"absolute form with a query alone", "GET http://h?q/r HTTP/1.1", "GET", "h", "/", "q/r", false, false,
     1},
    {"two slashes are a path", "GET //h/p HTTP/1.1", "GET", NULL, "//h/p", "", false, false, 1},
};

START_TEST(the_parts_are_as_the_table_says)
{
    const char *name = lines[_i].name;
    struct request request;
    struct slice line = slice_of(lines[_i].line);
    ck_assert_msg(request_line_parse(&request, line) == 0, "%s: refused", name);
    unit_assert_bytes(name, request.line.data, request.line.size, line.data, line.size);
    unit_assert_bytes(name, request.method.data, request.method.size, lines[_i].method,
                      strlen(lines[_i].method));
    unit_assert_bytes(name, request.path.data, request.path.size, lines[_i].path, strlen(lines[_i].path));
    unit_assert_bytes(name, request.query.data, request.query.size, lines[_i].query, strlen(lines[_i].query));
    ck_assert_msg((request.authority.data != NULL) == (lines[_i].authority != NULL), "%s", name);
    if (lines[_i].authority != NULL)
        ck_assert_msg(slice_eq(request.authority, slice_of(lines[_i].authority)), "%s", name);
    ck_assert_msg(request.path_escaped == lines[_i].escaped, "%s", name);
    ck_assert_msg(request.is_head == lines[_i].is_head, "%s", name);
    ck_assert_msg(request.minor == lines[_i].minor, "%s", name);
    ck_assert_ptr_null(request.section);
}
END_TEST

static const struct {
    struct slice line;
    int status;
} bad_lines[] = {
    {SLICE(""), 400},
    {SLICE("GET"), 400},
    {SLICE("GET "), 400},
    {SLICE("GET /"), 400},
    {SLICE("GET / "), 400},
    {SLICE("GET / HTTP/1."), 400},
    {SLICE("GET / HTTP/1.1x"), 400},
    {SLICE("GET /\0 HTTP/1.1"), 400},
    {SLICE("GET http:/a HTTP/1.1"), 400},
    {SLICE("GET http:// HTTP/1.1"), 400},
    {SLICE("GET https HTTP/1.1"), 400},
    {SLICE("GET ** HTTP/1.1"), 400},
    {SLICE("options * HTTP/1.1"), 400},
    {SLICE("CONNECT / HTTP/1.1"), 501},
    {SLICE("CONNECT / HTTP/9.1"), 505},
    {SLICE("GET / HTTP/0.9"), 505},
};

START_TEST(the_line_is_refused_with_the_status_of_the_table)
{
    struct request request;
    int status = request_line_parse(&request, bad_lines[_i].line);
    ck_assert_msg(status == bad_lines[_i].status, "\"%s\": %d", bad_lines[_i].line.data, status);
}
END_TEST

static const struct parser_limits limits = {.request_line = 100, .fields = 3, .field_size = 40, .head = 1000};

static struct header_section *parse(struct slice bytes)
{
    struct header_section *section = NULL;
    int status = header_section_parse(bytes, &limits, &section);
    ck_assert_msg(status == 0, "\"%s\": refused with %d", bytes.data, status);
    return section;
}

START_TEST(fields_are_kept_as_sent_and_values_trimmed)
{
    struct header_section *section = parse(SLICE("hOst: a \r\nX-Y:\t b c\t\r\nEmpty:\r\n\r\n"));
    ck_assert_uint_eq(section->count, 3);
    ck_assert(slice_eq(section->fields[0].name, SLICE("hOst")));
    ck_assert(slice_eq(section->fields[0].value, SLICE("a")));
    ck_assert(slice_eq(section->fields[1].value, SLICE("b c")));
    ck_assert(slice_eq(section->fields[2].name, SLICE("Empty")));
    ck_assert_uint_eq(section->fields[2].value.size, 0);
    ck_assert(slice_eq(section->host, SLICE("a")));
    ck_assert(slice_eq(section->bytes, SLICE("hOst: a \r\nX-Y:\t b c\t\r\nEmpty:\r\n\r\n")));
    header_section_unref(section);
}
END_TEST

START_TEST(the_section_does_not_need_the_bytes_it_was_parsed_from)
{
    char bytes[] = "Host: a\r\n\r\n";
    struct header_section *section = parse((struct slice){bytes, sizeof(bytes) - 1});
    memset(bytes, 'x', sizeof(bytes));
    ck_assert(slice_eq(section->host, SLICE("a")));
    header_section_unref(section);
}
END_TEST

START_TEST(an_empty_section_decides_nothing)
{
    struct header_section *section = parse(SLICE("\r\n"));
    ck_assert_uint_eq(section->count, 0);
    ck_assert_uint_eq(section->references, 1);
    ck_assert_ptr_null(section->host.data);
    ck_assert_int_eq(section->framing, FRAMING_NONE);
    ck_assert(!section->connection_close && !section->connection_keep_alive && !section->expect_continue);
    ck_assert_ptr_null(section->environ);
    header_section_unref(section);
}
END_TEST

#define FORTY   "0123456789012345678901234567890123456789"
#define HUNDRED FORTY FORTY "01234567890123456789"

static const struct {
    const char *name;
    struct slice bytes;
    const char *id; /* NULL: none that is good */
} ids[] = {
    {"an id", SLICE("x-request-id: 4a~!\r\n\r\n"), "4a~!"},
    {"none", SLICE("Request-Id: 4a\r\n\r\n"), NULL},
    {"an empty one", SLICE("X-Request-Id:\r\n\r\n"), NULL},
    {"two words", SLICE("X-Request-Id: a b\r\n\r\n"), NULL},
    {"what is not ASCII", SLICE("X-Request-Id: \xe9\r\n\r\n"), NULL},
    {"two of them", SLICE("X-Request-Id: a\r\nX-Request-Id: b\r\n\r\n"), NULL},
    {"three of them", SLICE("X-Request-Id: a\r\nX-Request-Id: \r\nX-Request-Id: b\r\n\r\n"), NULL},
    {"the longest", SLICE("X-Request-Id: " HUNDRED "0123456789012345678901234567\r\n\r\n"),
     HUNDRED "0123456789012345678901234567"},
    {"one that is too long", SLICE("X-Request-Id: " HUNDRED "01234567890123456789012345678\r\n\r\n"), NULL},
};

START_TEST(a_request_id_is_found_if_it_is_good)
{
    static const struct parser_limits wide = {100, 3, 200, 1000};
    struct header_section *section = NULL;
    ck_assert_int_eq(header_section_parse(ids[_i].bytes, &wide, &section), 0);
    ck_assert_msg((section->request_id.data != NULL) == (ids[_i].id != NULL), "%s", ids[_i].name);
    if (ids[_i].id != NULL)
        unit_assert_bytes(ids[_i].name, section->request_id.data, section->request_id.size, ids[_i].id,
                          strlen(ids[_i].id));
    ck_assert_msg(section->count > 0, "it is a field like others");
    header_section_unref(section);
}
END_TEST

START_TEST(fields_that_could_spoof_others_are_dropped)
{
    struct header_section *section = parse(SLICE("X_Y: a\r\nPROXY: b\r\nProxy-Status: c\r\n\r\n"));
    ck_assert_uint_eq(section->count, 1);
    ck_assert(slice_eq(section->fields[0].name, SLICE("Proxy-Status")));
    header_section_unref(section);
}
END_TEST

START_TEST(a_dropped_field_decides_nothing)
{
    struct header_section *section = parse(SLICE("Content_Length: 5\r\nTransfer_Encoding: chunked\r\n\r\n"));
    ck_assert_int_eq(section->framing, FRAMING_NONE);
    header_section_unref(section);
}
END_TEST

static const struct {
    const char *name;
    struct slice bytes;
    enum framing framing;
    uint64_t length;
    bool close, keep_alive, expect;
} decisions[] = {
    {"a length", SLICE("Content-Length: 42\r\n\r\n"), FRAMING_LENGTH, 42, false, false, false},
    {"a length of none", SLICE("content-length:0\r\n\r\n"), FRAMING_LENGTH, 0, false, false, false},
    {"the largest length", SLICE("Content-Length: 18446744073709551615\r\n\r\n"), FRAMING_LENGTH, UINT64_MAX,
     false, false, false},
    {"chunks", SLICE("Transfer-Encoding: Chunked\r\n\r\n"), FRAMING_CHUNKED, 0, false, false, false},
    {"close", SLICE("Connection: x , CLOSE\r\n\r\n"), FRAMING_NONE, 0, true, false, false},
    {"keep-alive", SLICE("Connection: Keep-Alive\r\n\r\n"), FRAMING_NONE, 0, false, true, false},
    {"both, in two fields", SLICE("Connection: close\r\nConnection: keep-alive\r\n\r\n"), FRAMING_NONE, 0,
     true, true, false},
    {"neither", SLICE("Connection: close-x,, keep\r\n\r\n"), FRAMING_NONE, 0, false, false, false},
    {"an expectation", SLICE("Expect: 100-Continue\r\n\r\n"), FRAMING_NONE, 0, false, false, true},
};

START_TEST(the_section_decides_as_the_table_says)
{
    struct header_section *section = parse(decisions[_i].bytes);
    const char *name = decisions[_i].name;
    ck_assert_msg(section->framing == decisions[_i].framing, "%s: framing", name);
    ck_assert_msg(section->content_length == decisions[_i].length, "%s: length", name);
    ck_assert_msg(section->connection_close == decisions[_i].close, "%s: close", name);
    ck_assert_msg(section->connection_keep_alive == decisions[_i].keep_alive, "%s: keep-alive", name);
    ck_assert_msg(section->expect_continue == decisions[_i].expect, "%s: expect", name);
    header_section_unref(section);
}
END_TEST

static const struct {
    const char *name;
    struct slice bytes;
    int status;
} bad_sections[] = {
    {"nothing at all", SLICE(""), 400},
    {"no empty line", SLICE("A: b\r\n"), 400},
    {"no line end", SLICE("A: b"), 400},
    {"bytes behind the empty line", SLICE("A: b\r\n\r\nC: d\r\n"), 400},
    {"an empty line that is not CRLF", SLICE("A: b\r\nx\n"), 400},
    {"too many fields", SLICE("A: b\r\nA: b\r\nA: b\r\nA: b\r\n\r\n"), 431},
    {"a field too long", SLICE("A: 3456789012345678901234567890123456789x\r\n\r\n"), 431},
    {"two hosts", SLICE("Host: a\r\nHost: a\r\n\r\n"), 400},
    {"two lengths", SLICE("Content-Length: 1\r\nContent-Length: 1\r\n\r\n"), 400},
    {"two codings", SLICE("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
    {"a length and a coding", SLICE("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
    {"a coding and a length", SLICE("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"), 400},
    {"another coding", SLICE("Transfer-Encoding: gzip\r\n\r\n"), 501},
    {"two content types", SLICE("Content-Type: a\r\nContent-Type: a\r\n\r\n"), 400},
    {"another expectation", SLICE("Expect: the worst\r\n\r\n"), 417},
};

START_TEST(the_section_is_refused_with_the_status_of_the_table)
{
    struct header_section *section = NULL;
    int status = header_section_parse(bad_sections[_i].bytes, &limits, &section);
    ck_assert_msg(status == bad_sections[_i].status, "%s: %d", bad_sections[_i].name, status);
    ck_assert_ptr_null(section);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, the_parts_are_as_the_table_says, lines);
    unit_add_rows(tests, the_line_is_refused_with_the_status_of_the_table, bad_lines);
    tcase_add_test(tests, fields_are_kept_as_sent_and_values_trimmed);
    tcase_add_test(tests, the_section_does_not_need_the_bytes_it_was_parsed_from);
    tcase_add_test(tests, an_empty_section_decides_nothing);
    tcase_add_test(tests, fields_that_could_spoof_others_are_dropped);
    unit_add_rows(tests, a_request_id_is_found_if_it_is_good, ids);
    tcase_add_test(tests, a_dropped_field_decides_nothing);
    unit_add_rows(tests, the_section_decides_as_the_table_says, decisions);
    unit_add_rows(tests, the_section_is_refused_with_the_status_of_the_table, bad_sections);
}

int main(void)
{
    return unit_run("http/parser", add);
}
