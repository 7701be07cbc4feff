/*
 * A response head: the fields that an application may set, framing, the fields that the server
 * adds, and the small texts.
 */
#include "http/response.h"

#include <stdio.h>

#include "unit.h"

static const struct {
    struct slice name, value;
    bool allowed;
    enum field_kind kind;
    uint64_t length;
} fields[] = {
    {SLICE("X"), SLICE("y"), true, FIELD_PLAIN, 0},
    {SLICE("X"), SLICE(""), true, FIELD_PLAIN, 0},
    {SLICE("X"), SLICE("caf\xe9 \"quoted\""), true, FIELD_PLAIN, 0},
    {SLICE("Content-Type"), SLICE("text/plain"), true, FIELD_PLAIN, 0},
    {SLICE("Content-Length"), SLICE("0"), true, FIELD_CONTENT_LENGTH, 0},
    {SLICE("CONTENT-LENGTH"), SLICE(" 42 "), true, FIELD_CONTENT_LENGTH, 42},
    {SLICE("Date"), SLICE("now"), true, FIELD_DATE, 0},
    {SLICE("server"), SLICE("x"), true, FIELD_SERVER, 0},
    {SLICE("Servers"), SLICE("x"), true, FIELD_PLAIN, 0},
    {SLICE("Connections"), SLICE("x"), true, FIELD_PLAIN, 0},
    {SLICE(""), SLICE("y"), false, FIELD_PLAIN, 0},
    {SLICE("X Y"), SLICE("y"), false, FIELD_PLAIN, 0},
    {SLICE("X:"), SLICE("y"), false, FIELD_PLAIN, 0},
    {SLICE("X\r\nY"), SLICE("y"), false, FIELD_PLAIN, 0},
    {SLICE("X\0"), SLICE("y"), false, FIELD_PLAIN, 0},
    {SLICE("caf\xe9"), SLICE("y"), false, FIELD_PLAIN, 0},
    {SLICE("X"), SLICE("a\r\nY: b"), false, FIELD_PLAIN, 0},
    {SLICE("X"), SLICE("a\n"), false, FIELD_PLAIN, 0},
    {SLICE("X"), SLICE("\ra"), false, FIELD_PLAIN, 0},
    {SLICE("X"), SLICE("a\0"), false, FIELD_PLAIN, 0},
    {SLICE("X"), SLICE("a\tb"), false, FIELD_PLAIN, 0},
    {SLICE("X"), SLICE("a\t"), false, FIELD_PLAIN, 0},
    {SLICE("X"), SLICE("a\x7f"), false, FIELD_PLAIN, 0},
    {SLICE("Content-Length"), SLICE(""), false, FIELD_PLAIN, 0},
    {SLICE("Content-Length"), SLICE("+5"), false, FIELD_PLAIN, 0},
    {SLICE("Content-Length"), SLICE("5, 5"), false, FIELD_PLAIN, 0},
    {SLICE("Content-Length"), SLICE("9223372036854775808"), false, FIELD_PLAIN, 0},
    {SLICE("Connection"), SLICE("close"), true, FIELD_CLOSE, 0},
    {SLICE("connection"), SLICE("keep-alive, Close"), true, FIELD_CLOSE, 0},
    {SLICE("Connection"), SLICE("Keep-Alive"), true, FIELD_PERSISTENCE, 0},
    {SLICE("Connection"), SLICE(""), true, FIELD_PERSISTENCE, 0},
    {SLICE("Connection"), SLICE("closed"), false, FIELD_PLAIN, 0},
    {SLICE("Connection"), SLICE("close, upgrade"), false, FIELD_PLAIN, 0},
    {SLICE("Connection"), SLICE("TE"), false, FIELD_PLAIN, 0},
    {SLICE("keep-alive"), SLICE("timeout=5"), true, FIELD_PERSISTENCE, 0},
    {SLICE("Proxy-Authenticate"), SLICE("x"), false, FIELD_PLAIN, 0},
    {SLICE("Proxy-Authorization"), SLICE("x"), false, FIELD_PLAIN, 0},
    {SLICE("Proxy-Connection"), SLICE("x"), false, FIELD_PLAIN, 0},
    {SLICE("te"), SLICE("x"), false, FIELD_PLAIN, 0},
    {SLICE("Trailer"), SLICE("x"), false, FIELD_PLAIN, 0},
    {SLICE("Trailers"), SLICE("x"), false, FIELD_PLAIN, 0},
    {SLICE("TRANSFER-ENCODING"), SLICE("chunked"), false, FIELD_PLAIN, 0},
    {SLICE("Upgrade"), SLICE("x"), false, FIELD_PLAIN, 0},
};

START_TEST(a_field_is_taken_or_refused_as_the_table_says)
{
    enum field_kind kind = FIELD_PLAIN;
    uint64_t length = 0;
    struct slice name = fields[_i].name, value = fields[_i].value;
    const char *refusal = response_field_check(name, value, &kind, &length);
    ck_assert_msg((refusal == NULL) == fields[_i].allowed, "\"%s: %s\": %s", name.data, value.data, refusal);
    if (fields[_i].allowed) {
        ck_assert_msg(kind == fields[_i].kind, "\"%s\": kind", name.data);
        ck_assert_msg(length == fields[_i].length, "\"%s\": length", name.data);
    }
}
END_TEST

START_TEST(no_control_character_passes)
{
    for (int c = 0; c < 256; c++) {
        char text[] = {'a', 'b', 'c', 'd', 'e', 'f', 'g', (char)c, 'h'};
        bool control = c < 0x20 || c == 0x7f;
        ck_assert_msg(field_text_is_plain((struct slice){text, sizeof(text)}) == !control, "0x%02x", c);
    }
}
END_TEST

START_TEST(a_line_holds_the_trimmed_value)
{
    char out[64];
    size_t size = response_field_format(out, SLICE("X-Y"), SLICE("  a b "));
    unit_assert_bytes("trimmed", out, size, "X-Y: a b\r\n", 10);
    size = response_field_format(out, SLICE("X"), (struct slice){NULL, 0});
    unit_assert_bytes("empty", out, size, "X: \r\n", 5);
}
END_TEST

#define DATE   "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define SERVER "Server: gateway\r\n"
#define CLOSE  "Connection: close\r\n"

static struct header_section plain, keep = {.connection_keep_alive = true},
                                    closing = {.connection_close = true};
static const struct request get = {.minor = 1, .section = &plain},
                            head = {.minor = 1, .is_head = true, .section = &plain},
                            get_close = {.minor = 1, .section = &closing},
                            old = {.minor = 0, .section = &plain}, old_keep = {.minor = 0, .section = &keep},
                            old_head = {.minor = 0, .is_head = true, .section = &keep};

enum { UNKNOWN = -1 }; /* the size of the body */

static const struct {
    const char *name, *status;
    const char *length; /* the application's Content-Length, or NULL */
    const struct request *request;
    bool keep_alive; /* what the server would like */
    long size;
    enum response_framing framing;
    bool kept;
    const char *tail; /* behind the status line, Server and Date */
} cases[] = {
    {"a known size", "200 OK", NULL, &get, true, 5, RESPONSE_LENGTH, true, "Content-Length: 5\r\n"},
    {"a known size of none", "200 OK", NULL, &get, true, 0, RESPONSE_LENGTH, true, "Content-Length: 0\r\n"},
    {"a given length", "200 OK", "7", &get, true, UNKNOWN, RESPONSE_LENGTH, true, "Content-Length: 7\r\n"},
    {"a given length beside a known size", "200 OK", "7", &get, true, 5, RESPONSE_LENGTH, true,
     "Content-Length: 7\r\n"},
    {"an unknown size", "200 OK", NULL, &get, true, UNKNOWN, RESPONSE_CHUNKED, true,
     "Transfer-Encoding: chunked\r\n"},
    {"an unknown size, closing", "200 OK", NULL, &get, false, UNKNOWN, RESPONSE_CHUNKED, false,
     "Transfer-Encoding: chunked\r\n" CLOSE},
    {"the server closes", "200 OK", NULL, &get, false, 5, RESPONSE_LENGTH, false,
     "Content-Length: 5\r\n" CLOSE},
    {"the client closes", "200 OK", NULL, &get_close, true, 5, RESPONSE_LENGTH, false,
     "Content-Length: 5\r\n" CLOSE},
    {"HTTP/1.0", "200 OK", NULL, &old, true, 5, RESPONSE_LENGTH, false, "Content-Length: 5\r\n" CLOSE},
    {"HTTP/1.0, kept", "200 OK", NULL, &old_keep, true, 5, RESPONSE_LENGTH, true,
     "Content-Length: 5\r\nConnection: keep-alive\r\n"},
    {"HTTP/1.0 knows no chunks", "200 OK", NULL, &old_keep, true, UNKNOWN, RESPONSE_CLOSE, false, CLOSE},
    {"HEAD with a known size", "200 OK", NULL, &head, true, 5, RESPONSE_EMPTY, true, "Content-Length: 5\r\n"},
    {"HEAD with no body says nothing of GET's", "200 OK", NULL, &head, true, 0, RESPONSE_EMPTY, true, ""},
    {"HEAD with a given length", "200 OK", "7", &head, true, 0, RESPONSE_EMPTY, true,
     "Content-Length: 7\r\n"},
    {"HEAD with an unknown size", "200 OK", NULL, &head, true, UNKNOWN, RESPONSE_EMPTY, true, ""},
    {"HEAD of HTTP/1.0 with an unknown size is kept", "200 OK", NULL, &old_head, true, UNKNOWN,
     RESPONSE_EMPTY, true, "Connection: keep-alive\r\n"},
    {"204 has no length", "204 No Content", "0", &get, true, 0, RESPONSE_EMPTY, true, ""},
    {"204 has no body", "204 No Content", NULL, &get, true, 5, RESPONSE_EMPTY, true, ""},
    {"205 says that it has no body", "205 Reset Content", NULL, &get, true, 5, RESPONSE_EMPTY, true,
     "Content-Length: 0\r\n"},
    {"205 of an unknown size", "205 Reset Content", NULL, &get, true, UNKNOWN, RESPONSE_EMPTY, true,
     "Content-Length: 0\r\n"},
    {"205 with a given length", "205 Reset Content", "5", &get, true, 5, RESPONSE_EMPTY, true,
     "Content-Length: 0\r\n"},
    {"205 of HTTP/1.0 is kept", "205 Reset Content", NULL, &old_keep, true, UNKNOWN, RESPONSE_EMPTY, true,
     "Content-Length: 0\r\nConnection: keep-alive\r\n"},
    {"205 to HEAD", "205 Reset Content", NULL, &head, true, 5, RESPONSE_EMPTY, true, "Content-Length: 0\r\n"},
    {"304 keeps a given length", "304 Not Modified", "7", &get, true, 0, RESPONSE_EMPTY, true,
     "Content-Length: 7\r\n"},
    {"304 gets none", "304 Not Modified", NULL, &get, true, 5, RESPONSE_EMPTY, true, ""},
    {"304 is not chunked", "304 Not Modified", NULL, &get, true, UNKNOWN, RESPONSE_EMPTY, true, ""},
};

START_TEST(the_head_is_as_the_table_says)
{
    char expected[512];
    struct response response;
    bool known = cases[_i].size != UNKNOWN;
    response_init(&response);
    ck_assert_ptr_null(response_start(&response, slice_of(cases[_i].status)));
    if (cases[_i].length != NULL)
        ck_assert_ptr_null(response_add(&response, SLICE("Content-Length"), slice_of(cases[_i].length)));
    response_finish(&response, cases[_i].request, cases[_i].keep_alive, known,
                    known ? (uint64_t)cases[_i].size : 0, SLICE(DATE));

    /* A given length comes before the fields that the server adds. */
    bool given = cases[_i].length != NULL && cases[_i].tail[0] != '\0' && response.status != 205;
    size_t cut = given ? strlen("Content-Length: 7\r\n") : 0;
    int size = snprintf(expected, sizeof(expected), "HTTP/1.1 %s\r\n%.*s" SERVER DATE "%s\r\n",
                        cases[_i].status, (int)cut, cases[_i].tail, cases[_i].tail + cut);
    unit_assert_bytes(cases[_i].name, response.head, response.size, expected, (size_t)size);
    ck_assert_msg(response.framing == cases[_i].framing, "%s: framing", cases[_i].name);
    ck_assert_msg(response.keep_alive == cases[_i].kept, "%s: keep_alive", cases[_i].name);
    response_fini(&response);
}
END_TEST

static const struct {
    const char *name;
    struct slice status;
    int code; /* 0: refused */
} statuses[] = {
    {"the usual", SLICE("200 OK"), 200},
    {"a reason of words", SLICE("404 Not Here, Sorry"), 404},
    {"an empty reason", SLICE("299 "), 299},
    {"a reason in latin-1", SLICE("200 d\xe9j\xe0"), 200},
    {"a code of no class", SLICE("999 Odd"), 999},
    {"nothing", SLICE(""), 0},
    {"no reason", SLICE("200"), 0},
    {"no space", SLICE("200OK"), 0},
    {"a tab", SLICE("200\tOK"), 0},
    {"four digits", SLICE("2000 OK"), 0},
    {"no digits", SLICE("OK 200"), 0},
    {"a space first", SLICE(" 200 OK"), 0},
    {"an interim answer", SLICE("100 Continue"), 0},
    {"switching protocols", SLICE("101 Switching Protocols"), 0},
    {"no class", SLICE("099 Odd"), 0},
    {"a split", SLICE("200 OK\r\nX: y"), 0},
    {"a LF at the end", SLICE("200 OK\n"), 0},
    {"a NUL", SLICE("200 O\0K"), 0},
    {"a tab in the reason", SLICE("200 a\tb"), 0},
    {"DEL", SLICE("200 \x7f"), 0},
};

START_TEST(a_status_is_taken_or_refused_as_the_table_says)
{
    struct response response;
    response_init(&response);
    const char *refusal = response_start(&response, statuses[_i].status);
    ck_assert_msg((refusal == NULL) == (statuses[_i].code != 0), "%s: %s", statuses[_i].name, refusal);
    ck_assert_msg(response.status == statuses[_i].code, "%s: %d", statuses[_i].name, response.status);
    response_fini(&response);
}
END_TEST

START_TEST(starting_again_forgets_everything)
{
    struct response response;
    response_init(&response);
    response_start(&response, SLICE("200 OK"));
    response_add(&response, SLICE("Content-Length"), SLICE("7"));
    response_add(&response, SLICE("Server"), SLICE("x"));
    response_add(&response, SLICE("Date"), SLICE("now"));
    response_add(&response, SLICE("Connection"), SLICE("close"));
    response_start(&response, SLICE("500 Oops"));
    response_finish(&response, &get, true, true, 3, SLICE(DATE));
    static const char expected[] = "HTTP/1.1 500 Oops\r\n" SERVER DATE "Content-Length: 3\r\n\r\n";
    unit_assert_bytes("again", response.head, response.size, expected, sizeof(expected) - 1);
    response_fini(&response);
}
END_TEST

START_TEST(close_is_obeyed_and_the_servers_to_say)
{
    static const char expected[] =
        "HTTP/1.1 200 OK\r\nX: y\r\n" SERVER DATE "Content-Length: 3\r\n" CLOSE "\r\n";
    struct response response;
    response_init(&response);
    response_start(&response, SLICE("200 OK"));
    ck_assert_ptr_null(response_add(&response, SLICE("connection"), SLICE("Keep-Alive, close")));
    ck_assert_ptr_null(response_add(&response, SLICE("X"), SLICE("y")));
    ck_assert_ptr_null(response_add(&response, SLICE("Keep-Alive"), SLICE("timeout=5")));
    ck_assert(response.has_connection);
    response_finish(&response, &get, true, true, 3, SLICE(DATE));
    ck_assert(!response.keep_alive);
    unit_assert_bytes("close", response.head, response.size, expected, sizeof(expected) - 1);
    response_fini(&response);
}
END_TEST

START_TEST(keep_alive_changes_nothing)
{
    static const char expected[] = "HTTP/1.1 200 OK\r\n" SERVER DATE "Content-Length: 3\r\n\r\n";
    struct response response;
    response_init(&response);
    response_start(&response, SLICE("200 OK"));
    ck_assert_ptr_null(response_add(&response, SLICE("Connection"), SLICE("keep-alive")));
    response_finish(&response, &get, true, true, 3, SLICE(DATE));
    ck_assert(response.keep_alive);
    unit_assert_bytes("kept", response.head, response.size, expected, sizeof(expected) - 1);
    response_fini(&response);
}
END_TEST

START_TEST(the_application_may_say_date_and_server)
{
    struct response response;
    response_init(&response);
    response_start(&response, SLICE("200 OK"));
    ck_assert_ptr_null(response_add(&response, SLICE("server"), SLICE(" x ")));
    ck_assert_ptr_null(response_add(&response, SLICE("DATE"), SLICE("now")));
    response_finish(&response, &get, true, true, 3, SLICE(DATE));
    static const char expected[] = "HTTP/1.1 200 OK\r\nserver: x\r\nDATE: now\r\nContent-Length: 3\r\n\r\n";
    unit_assert_bytes("said", response.head, response.size, expected, sizeof(expected) - 1);
    response_fini(&response);
}
END_TEST

START_TEST(an_answer_has_the_requests_id_unless_the_application_has_said_one)
{
    struct request request = get;
    request.id = SLICE("4a");
    request.answers_id = true;
    for (int said = 0; said < 2; said++) {
        struct response response;
        response_init(&response);
        response_start(&response, SLICE("200 OK"));
        if (said)
            ck_assert_ptr_null(response_add(&response, SLICE("x-request-id"), SLICE("own")));
        response_finish(&response, &request, true, true, 3, SLICE(DATE));
        struct slice found = response_find(&response, SLICE("X-Request-Id"));
        unit_assert_bytes("the id", found.data, found.size, said ? "own" : "4a", (size_t)(said ? 3 : 2));
        response_fini(&response);
    }
}
END_TEST

START_TEST(a_length_is_said_once)
{
    struct response response;
    response_init(&response);
    response_start(&response, SLICE("200 OK"));
    ck_assert_ptr_null(response_add(&response, SLICE("Content-Length"), SLICE("3")));
    ck_assert_ptr_nonnull(response_add(&response, SLICE("content-length"), SLICE("3")));
    ck_assert_ptr_nonnull(
        response_add_line(&response, SLICE("Content-Length: 3\r\n"), FIELD_CONTENT_LENGTH, 3));
    ck_assert_uint_eq(response.length, 3);
    response_fini(&response);
}
END_TEST

START_TEST(a_ready_line_counts_like_a_field)
{
    struct response response;
    response_init(&response);
    response_start(&response, SLICE("200 OK"));
    ck_assert_ptr_null(response_add_line(&response, SLICE("Content-Length: 3\r\n"), FIELD_CONTENT_LENGTH, 3));
    ck_assert_ptr_null(response_add_line(&response, SLICE("Server: x\r\n"), FIELD_SERVER, 0));
    ck_assert_ptr_null(response_add_line(&response, SLICE("X: y\r\n"), FIELD_PLAIN, 0));
    response_finish(&response, &get, true, false, 0, SLICE(DATE));
    static const char expected[] =
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nServer: x\r\nX: y\r\n" DATE "\r\n";
    unit_assert_bytes("lines", response.head, response.size, expected, sizeof(expected) - 1);
    ck_assert_uint_eq(response.length, 3);
    response_fini(&response);
}
END_TEST

START_TEST(a_long_head_moves_to_the_heap_and_is_bounded)
{
    static char value[1000];
    struct response response;
    size_t added = 0;
    memset(value, 'v', sizeof(value));
    response_init(&response);
    response_start(&response, SLICE("200 OK"));
    while (response_add(&response, SLICE("X"), (struct slice){value, sizeof(value)}) == NULL)
        added++;
    ck_assert_uint_gt(added, 250);
    ck_assert_ptr_nonnull(response_add_line(&response, (struct slice){value, sizeof(value)}, FIELD_PLAIN, 0));
    response_finish(&response, &get, true, true, UINT64_MAX, SLICE(DATE));
    ck_assert_uint_le(response.size, RESPONSE_HEAD_MAX);
    ck_assert(memcmp(response.head, "HTTP/1.1 200 OK\r\nX: vvv", 23) == 0);
    ck_assert_ptr_nonnull(strstr(response.head, "Content-Length: 18446744073709551615\r\n"));
    response_fini(&response);
}
END_TEST

static const struct {
    const char *name;
    const struct request *request;
    int status;
    bool keep_alive;
    const char *head, *body;
} errors[] = {
    {"an unknown request", NULL, 400, true,
     "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n" SERVER DATE "Content-Length: 16\r\n" CLOSE,
     "400 Bad Request\n"},
    {"a request that may go on", &get, 404, true,
     "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n" SERVER DATE "Content-Length: 14\r\n",
     "404 Not Found\n"},
    {"a request that may not", &get, 413, false,
     "HTTP/1.1 413 Content Too Large\r\nContent-Type: text/plain\r\n" SERVER DATE
     "Content-Length: 22\r\n" CLOSE,
     "413 Content Too Large\n"},
    {"HEAD", &head, 500, false,
     "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\n" SERVER DATE
     "Content-Length: 26\r\n" CLOSE,
     ""},
    {"a status without a reason", &get, 599, true,
     "HTTP/1.1 599 Unknown\r\nContent-Type: text/plain\r\n" SERVER DATE "Content-Length: 12\r\n",
     "599 Unknown\n"},
};

START_TEST(an_error_is_short_and_whole)
{
    char expected[512];
    struct response response;
    response_init(&response);
    response_start(&response, SLICE("200 OK"));
    response_add(&response, SLICE("Set-Cookie"),
                 SLICE("secret")); /* what the application had begun is gone */
    response_error(&response, errors[_i].status, errors[_i].request, errors[_i].keep_alive, SLICE(DATE));
    int size = snprintf(expected, sizeof(expected), "%s\r\n%s", errors[_i].head, errors[_i].body);
    unit_assert_bytes(errors[_i].name, response.head, response.size, expected, (size_t)size);
    response_fini(&response);
}
END_TEST

static const struct {
    time_t now;
    const char *line;
} dates[] = {
    {784111777, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"}, /* RFC 9110 5.6.7 */
    {0, "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"},
    {951827696, "Date: Tue, 29 Feb 2000 12:34:56 GMT\r\n"},
    {4102444799, "Date: Thu, 31 Dec 2099 23:59:59 GMT\r\n"},
};

START_TEST(a_date_is_written_as_the_rfc_says)
{
    struct date_cache cache = {0};
    struct slice line = date_line(&cache, dates[_i].now);
    unit_assert_bytes("date", line.data, line.size, dates[_i].line, strlen(dates[_i].line));
}
END_TEST

START_TEST(a_date_is_remade_when_the_time_has_changed)
{
    struct date_cache cache = {0};
    date_line(&cache, 784111777);
    struct slice line = date_line(&cache, 784111778);
    ck_assert(slice_eq(line, SLICE("Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n")));
    line = date_line(&cache, 784111777);
    ck_assert(slice_eq(line, SLICE("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n")));
}
END_TEST

static const struct {
    uint64_t size;
    const char *line;
} chunks[] = {
    {0, "0\r\n"},
    {1, "1\r\n"},
    {15, "f\r\n"},
    {16, "10\r\n"},
    {255, "ff\r\n"},
    {256, "100\r\n"},
    {0x1a2b, "1a2b\r\n"},
    {UINT64_MAX >> 4, "fffffffffffffff\r\n"},
    {UINT64_MAX, "ffffffffffffffff\r\n"},
};

START_TEST(a_chunk_size_is_hexadecimal)
{
    char out[CHUNK_HEAD_MAX];
    size_t size = chunk_head(out, chunks[_i].size);
    unit_assert_bytes("chunk", out, size, chunks[_i].line, strlen(chunks[_i].line));
}
END_TEST

START_TEST(statuses_have_reasons)
{
    ck_assert_str_eq(status_reason(200), "OK");
    ck_assert_str_eq(status_reason(404), "Not Found");
    ck_assert_str_eq(status_reason(431), "Request Header Fields Too Large");
    ck_assert_str_eq(status_reason(505), "HTTP Version Not Supported");
    ck_assert_str_eq(status_reason(299), "Unknown");
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, a_field_is_taken_or_refused_as_the_table_says, fields);
    tcase_add_test(tests, no_control_character_passes);
    tcase_add_test(tests, a_line_holds_the_trimmed_value);
    unit_add_rows(tests, the_head_is_as_the_table_says, cases);
    unit_add_rows(tests, a_status_is_taken_or_refused_as_the_table_says, statuses);
    tcase_add_test(tests, starting_again_forgets_everything);
    tcase_add_test(tests, close_is_obeyed_and_the_servers_to_say);
    tcase_add_test(tests, keep_alive_changes_nothing);
    tcase_add_test(tests, the_application_may_say_date_and_server);
    tcase_add_test(tests, an_answer_has_the_requests_id_unless_the_application_has_said_one);
    tcase_add_test(tests, a_length_is_said_once);
    tcase_add_test(tests, a_ready_line_counts_like_a_field);
    tcase_add_test(tests, a_long_head_moves_to_the_heap_and_is_bounded);
    unit_add_rows(tests, an_error_is_short_and_whole, errors);
    unit_add_rows(tests, a_date_is_written_as_the_rfc_says, dates);
    tcase_add_test(tests, a_date_is_remade_when_the_time_has_changed);
    unit_add_rows(tests, a_chunk_size_is_hexadecimal, chunks);
    tcase_add_test(tests, statuses_have_reasons);
}

int main(void)
{
    return unit_run("http/response", add);
}
