/*
 * The access log: every format and atom, and lines that no client can break or forge.
 */
#include "access/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/net_fixture.h"

static char path[] = "/tmp/test_access_log-XXXXXX";
static char message[512];

static void set_up(void)
{
    setenv("TZ", "CET-1", 1);
    close(mkstemp(path));
}

static void tear_down(void)
{
    unlink(path);
}

static char *read_log(void)
{
    struct stat status;
    int fd = open(path, O_RDONLY);
    ck_assert_int_eq(fstat(fd, &status), 0);
    char *text = calloc(1, (size_t)status.st_size + 1);
    ck_assert_int_eq(read(fd, text, (size_t)status.st_size), status.st_size);
    close(fd);
    return text;
}

/* The log after the bytes of one connection. */
static char *log_of(const char *format, const char *input, size_t size)
{
    struct fixture fixture;
    struct client client;
    fixture_start(&fixture, "");
    struct access_log *log = access_log_open(path, format, message, sizeof(message));
    ck_assert_msg(log != NULL, "%s", message);
    fixture.loop->answered = access_log_write;
    fixture.loop->answered_context = log;
    client_open_unix(&client, &fixture);
    client_send(&client, &fixture, input, size);
    client_await(&client, &fixture, 1, CLIENT_OPEN, 300);
    client_close(&client);
    fixture_stop(&fixture);
    access_log_free(log);
    return read_log();
}

/* '#' stands for any run of digits, '@' for a month. */
static bool matches(const char *text, const char *pattern)
{
    for (; *pattern != '\0'; pattern++) {
        if (*pattern == '#') {
            size_t digits = strspn(text, "0123456789");
            if (digits == 0)
                return false;
            text += digits;
        } else if (*pattern == '@') {
            text += strspn(text, "abcdefghijklmnopqrstuvwxyzADFJMNOS");
        } else if (*text++ != *pattern) {
            return false;
        }
    }
    return *text == '\0';
}

#define FIELDS "Host: a:80\r\nReferer: http://b/\r\nUser-Agent: curl/1\r\nX-Id: 7\r\n\r\n"
#define PLAIN  "GET /hello?q=1 HTTP/1.1\r\n" FIELDS
#define BARE   "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n"
#define TIME   "[#/@/#:#:#:# +0100]"

static const struct {
    const char *name, *format, *input, *output;
} cases[] = {
    {"combined", "combined", PLAIN,
     "192.0.2.7 - - " TIME " \"GET /hello?q=1 HTTP/1.1\" 200 5 \"http://b/\" \"curl/1\"\n"},
    {"combined without anything", "combined", BARE,
     "192.0.2.7 - - " TIME " \"GET /nothing HTTP/1.1\" 200 - \"-\" \"-\"\n"},
    {"common", "common", PLAIN, "192.0.2.7 - - " TIME " \"GET /hello?q=1 HTTP/1.1\" 200 5\n"},
    {"json", "json", PLAIN,
     "{\"time\":\"#-#-#T#:#:#.#+01:00\",\"http.request.method\":\"GET\",\"url.scheme\":\"http\",\"url.path\":"
     "\"/hello\","
     "\"url.query\":\"q=1\",\"network.protocol.version\":\"1.1\",\"http.response.status_code\":200,"
     "\"http.response.body.size\":5,\"http.server.request.duration\":#.#,\"client.address\":\"192.0.2.7\","
     "\"client.port\":4711,\"server.address\":\"a\",\"server.port\":80,\"user_agent.original\":\"curl/1\","
     "\"http.request.header.referer\":[\"http://b/\"],\"process.pid\":#}\n"},
    {"json without anything", "json", BARE,
     "{\"time\":\"#-#-#T#:#:#.#+01:00\",\"http.request.method\":\"GET\",\"url.scheme\":\"http\",\"url.path\":"
     "\"/nothing\","
     "\"network.protocol.version\":\"1.1\",\"http.response.status_code\":200,\"http.response.body.size\":0,"
     "\"http.server.request.duration\":#.#,\"client.address\":\"192.0.2.7\",\"client.port\":4711,\"server."
     "address\":\"a\","
     "\"process.pid\":#}\n"},
    {"json of what is none", "json", "nonsense\r\n\r\n",
     "{\"time\":\"#-#-#T#:#:#.#+01:00\",\"url.scheme\":\"http\",\"http.response.status_code\":400,"
     "\"http.response.body.size\":#,\"http.server.request.duration\":#.#,\"client.address\":\"192.0.2.7\","
     "\"client.port\":4711,"
     "\"process.pid\":#}\n"},
    {"atoms of the request", "%(h)s|%(l)s|%(u)s|%(r)s|%(m)s|%(U)s|%(q)s|%(H)s", PLAIN,
     "192.0.2.7|-|-|GET /hello?q=1 HTTP/1.1|GET|/hello|q=1|HTTP/1.1\n"},
    {"atoms of the answer", "%(s)s|%(B)s|%(b)s", BARE, "200|0|-\n"},
    {"atoms of time", "%(T)s|%(M)s|%(D)s|%(L)s", BARE, "#|#|#|#.#\n"},
    {"the process", "%(p)s", BARE, "<#>\n"},
    {"a request's field, in any case", "%({x-ID}i)s|%({none}i)s|%(f)s|%(a)s", PLAIN,
     "7|-|http://b/|curl/1\n"},
    {"an answer's field", "%({content-length}o)s|%({Server}o)s|%({x}o)s", PLAIN, "5|gateway|-\n"},
    {"a client's request id is not taken for one", "%(request_id)s|%({x-request-id}i)s",
     "GET /hello HTTP/1.1\r\nHost: a\r\nX-Request-Id: 7\r\n\r\n", "-|7\n"},
    {"who a client says it is, is not asked of it", "%(h)s|%({x-forwarded-for}i)s",
     "GET /hello HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n", "192.0.2.7|6.6.6.6\n"},
    {"an answer's field, not its body", "%({hello}o)s|%({500 Internal Server Error}o)s",
     "GET /fail HTTP/1.1\r\nHost: a\r\n\r\n", "-|-\n"},
    {"text and percent signs", "a%%b %(s)s%%", BARE, "a%b 200%\n"},
    {"a line each, in order", "%(U)s %(s)s", BARE PLAIN "GET /none HTTP/1.1\r\nHost: a\r\n\r\n",
     "/nothing 200\n/hello 200\n/none 404\n"},
    {"what is chunked counts without its framing", "%(B)s", "GET /pieces HTTP/1.1\r\nHost: a\r\n\r\n",
     "11\n"},
    {"HEAD sends nothing", "%(B)s", "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n", "0\n"},
    {"a file", "%(B)s", "GET /file HTTP/1.1\r\nHost: a\r\n\r\n", "8\n"},
    {"an error's text counts", "%(s)s %(B)s", "GET /fail HTTP/1.1\r\nHost: a\r\n\r\n", "500 26\n"},
    {"a refused request is there too", "%(r)s %(s)s %({host}i)s", "GET / HTTP/1.1\r\n\r\n",
     "GET / HTTP/1.1 400 -\n"},
    {"so is what is none", "\"%(r)s\" %(m)s %(U)s %(s)s", "nonsense\r\n\r\n", "\"nonsense\" - - 400\n"},
    {"and a request line without an end", "\"%(r)s\" %(m)s %(s)s", "\x16\x03\x01\n", "\"-\" - 400\n"},

    {"quotes and backslashes", "\"%(r)s\" \"%(a)s\"",
     "GET /hello?\"\\ HTTP/1.1\r\nHost: a\r\nUser-Agent: \" 200 \\\"\r\n\r\n",
     "\"GET /hello?\\\"\\\\ HTTP/1.1\" \"\\\" 200 \\\\\\\"\"\n"},
    {"control characters in what is refused", "\"%(r)s\"", "GET /\x1b[2J\t\x01\r\n\r\n",
     "\"GET /\\x1b[2J\\x09\\x01\"\n"},
    {"a carriage return in what is refused", "\"%(r)s\"", "GET /\r127.0.0.1 forged\r\n\r\n",
     "\"GET /\\x0d127.0.0.1 forged\"\n"},
    {"bytes that are not ASCII", "%(a)s", "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: \xc3\xa9\xff\r\n\r\n",
     "\\xc3\\xa9\\xff\n"},
    {"percent signs are not a format", "%(U)s %(a)s",
     "GET /%25s%20 HTTP/1.1\r\nHost: a\r\nUser-Agent: %s%n%(h)s\r\n\r\n", "/%25s%20 %s%n%(h)s\n"},
};

START_TEST(the_line_is_as_the_format_says)
{
    char *text = log_of(cases[_i].format, cases[_i].input, strlen(cases[_i].input));
    ck_assert_msg(matches(text, cases[_i].output), "%s: \"%s\" is not \"%s\"", cases[_i].name, text,
                  cases[_i].output);
    free(text);
}
END_TEST

START_TEST(a_long_line_is_cut_and_ends)
{
    char *format = xmalloc(200 * 8 + 1);
    for (int i = 0; i < 200; i++)
        strcpy(format + i * 8, "%(a)s %%");
    char *input = xmalloc(9000);
    size_t size = (size_t)sprintf(input, "GET /hello HTTP/1.1\r\nHost: a\r\nUser-Agent: ");
    memset(input + size, 'x', 8000);
    size += 8000;
    size += (size_t)sprintf(input + size, "\r\n\r\n");
    char *text = log_of(format, input, size);
    ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
    ck_assert_uint_gt(strlen(text), 100000);
    free(text);
    free(input);
    free(format);
}
END_TEST

static const char *const mistakes[] = {"%",        "%h",      "%(h)",     "%(x)s", "%()s",
                                       "%({x}z)s", "%({}i)s", "a %({x)s", "%(hs",  "%d"};

START_TEST(a_wrong_format_is_told)
{
    ck_assert_ptr_null(access_log_open(path, mistakes[_i], message, sizeof(message)));
    ck_assert_msg(strstr(message, "--access-logformat") != NULL, "%s", message);
    ck_assert_msg(strstr(message, "atoms") != NULL, "%s", message);
}
END_TEST

START_TEST(a_file_that_cannot_be_opened_is_told)
{
    ck_assert_ptr_null(access_log_open("/nonexistent/log", "combined", message, sizeof(message)));
    ck_assert_ptr_nonnull(strstr(message, "/nonexistent/log cannot be opened"));
    ck_assert_ptr_nonnull(strstr(message, "No such file"));
}
END_TEST

START_TEST(a_moved_file_is_opened_anew)
{
    char moved[64];
    struct access_log *log = access_log_open(path, "%(s)s", message, sizeof(message));
    snprintf(moved, sizeof(moved), "%s.1", path);
    ck_assert_int_eq(rename(path, moved), 0);
    ck_assert_int_eq(access_log_reopen(log), 0);
    ck_assert_int_eq(access(path, F_OK), 0);
    unlink(moved);
    access_log_free(log);
}
END_TEST

START_TEST(freeing_none_is_fine)
{
    access_log_free(NULL);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    unit_add_rows(tests, the_line_is_as_the_format_says, cases);
    tcase_add_test(tests, a_long_line_is_cut_and_ends);
    unit_add_rows(tests, a_wrong_format_is_told, mistakes);
    tcase_add_test(tests, a_file_that_cannot_be_opened_is_told);
    tcase_add_test(tests, a_moved_file_is_opened_anew);
    tcase_add_test(tests, freeing_none_is_fine);
}

int main(void)
{
    return unit_run("access/log", add);
}
