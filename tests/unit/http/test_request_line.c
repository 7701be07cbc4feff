/*
 * The request line: what its parts become. What is refused, and with what, is in tests/wire/request-line.
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
} refusals[] = {
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
    int status = request_line_parse(&request, refusals[_i].line);
    ck_assert_msg(status == refusals[_i].status, "\"%s\": %d", refusals[_i].line.data, status);
}
END_TEST

static const struct {
    struct slice path, decoded;
} paths[] = {
    {SLICE("/"), SLICE("/")},
    {SLICE("/a+b"), SLICE("/a+b")},
    {SLICE("/%41%62c"), SLICE("/Abc")},
    {SLICE("/a%2Fb%2f"), SLICE("/a/b/")},
    {SLICE("/%00%ff%C3"), SLICE("/\0\xff\xc3")},
    {SLICE("/%2541"), SLICE("/%41")},
};

START_TEST(a_path_is_decoded_once)
{
    char out[32];
    size_t size = path_decode(out, paths[_i].path);
    unit_assert_bytes(paths[_i].path.data, out, size, paths[_i].decoded.data, paths[_i].decoded.size);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, the_parts_are_as_the_table_says, lines);
    unit_add_rows(tests, the_line_is_refused_with_the_status_of_the_table, refusals);
    unit_add_rows(tests, a_path_is_decoded_once, paths);
}

int main(void)
{
    return unit_run("http/request_line", add);
}
