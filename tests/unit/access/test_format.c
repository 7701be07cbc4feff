/*
 * The lines of the access log: each atom, variable and field of JSON. Any input of a client makes
 * one line of printable ASCII, from which the input can be read again.
 */
#include "access/format.h"

#include <stdio.h>
#include <unistd.h>

#include "access/fields.h"
#include "base/mem.h"
#include "http/parser.h"
#include "net/exchange.h"

#include "access_lines.h"
#include "unit.h"

static char message[1024];
static struct options options = {.root_path = "/base"};
static struct networks trusted;
static const struct forwarded_fields believed = {.parts = -1U};
static struct loop loop = {.options = &options};
static struct local_endpoint local = {"shop", "8000", false};
static struct conn conn = {.loop = &loop, .local = &local};
static struct exchange exchange;

static void set_up(void)
{
    setenv("TZ", "UTC0", 1);
    ck_assert_int_eq(networks_parse(&trusted, "10.0.0.0/8,unix", message, sizeof(message)), 0);
    conn.peer = (struct peer_endpoint){"192.0.2.7", "4711"};
    exchange = (struct exchange){
        .conn = &conn,
        .started_ns = 1000,
        .ready_ns = 2000,
        .begun_ns = 500002000,
        .ended_ns = 2000003000,
        .body_sent = 5,
        .body = {.content = {.spool = -1}},
    };
    response_init(&exchange.response);
    exchange.response.status = 200;
}

static void tear_down(void)
{
    header_section_unref(exchange.request.section);
    response_fini(&exchange.response);
    networks_free(&trusted);
}

/* The request comes from `peer`, which may speak for others if it is trusted. */
static void receive(const char *head, const char *peer)
{
    static const struct parser_limits limits = {8190, 100, 8190, 1 << 16};
    const char *end = strstr(head, "\r\n");
    struct header_section *section = NULL;
    snprintf(conn.peer.address, sizeof(conn.peer.address), "%s", peer);
    request_line_parse(&exchange.request, (struct slice){head, (size_t)(end - head)});
    ck_assert_int_eq(header_section_parse(slice_of(end + 2), &limits, &section), 0);
    exchange.request.section = section;
    exchange.body.framing = section->framing;
    if (section->forwarding && networks_have_peer(&trusted, peer))
        exchange.request.forwarded = forwarded_of(section, &trusted, &believed);
}

static struct access_format *format_of(const char *text)
{
    struct access_format *format = access_format_new(text, message, sizeof(message));
    ck_assert_msg(format != NULL, "%s: %s", text, message);
    return format;
}

/* The line without its newline; the caller frees it. */
static char *line_of(struct access_format *format)
{
    struct slice line = access_format_line(format, &exchange, 2500000400);
    ck_assert_msg(line_is_one(line), "%.*s", (int)line.size, line.data);
    return xstrndup(line.data, line.size - 1);
}

#define TRACE   "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"
#define ALADDIN "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"
#define PLAIN                                                                                    \
    "GET /base/%61?q=1 HTTP/1.1\r\nHost: a.example:81\r\nX-Text: one\r\nCookie: a=b\r\nx-text: " \
    "two\r\nCookie: c=d\r\n"                                                                     \
    "Content-Type: text/plain\r\nContent-Length: 007\r\n" ALADDIN "\r\n"
#define BARE    "OPTIONS * HTTP/1.0\r\n\r\n"
#define CHUNKED "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
#define PROXIED                                                                                            \
    "GET http://b:82/ HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6, 203.0.113.9\r\nX-Forwarded-Proto: " \
    "https\r\n"                                                                                            \
    "X-Forwarded-Host: c.example\r\nX-Real-IP: 6.6.6.6\r\nX-Request-Id: 7\r\n\r\n"
#define CLIENT "192.0.2.7"
#define PROXY  "10.0.0.1"

static const struct {
    const char *name, *format, *head, *peer, *line;
} texts[] = {
    {"the user", "%(u)s", PLAIN, CLIENT, "Aladdin"},
    {"no user", "%(u)s", BARE, CLIENT, "-"},
    {"a user with spaces, quotes and worse is one word", "%(u)s", /* a b"\[<ESC>\xe9 */
     "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic YSBiIlxbG+k6\r\n\r\n", CLIENT,
     "a\\x20b\\\"\\\\[\\x1b\\xe9"},
    {"credentials that are none", "%(u)s", "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic !\r\n\r\n",
     CLIENT, "-"},
    {"common has the user", "common", PLAIN, CLIENT, NULL},
    {"how long", "%(L)s %(T)s %(M)s %(D)s", BARE, CLIENT, "2.500000 2 2500 2500000"},
    {"where the time went", "%(queue_time)s %(app_time)s", BARE, CLIENT, "0.500000 1.500001"},
    {"no worker", "%(worker)s", BARE, CLIENT, "-"},
    {"method and target", "%({REQUEST_METHOD}e)s %({RAW_URI}e)s %({REQUEST_URI}e)s", PLAIN, CLIENT,
     "GET /base/%61?q=1 /base/%61?q=1"},
    {"the path as it was sent, and as environ has it", "%(U)s %({PATH_INFO}e)s", PLAIN, CLIENT,
     "/base/%61 /a"},
    {"no path", "%({PATH_INFO}e)s|%({QUERY_STRING}e)s|%(q)s", BARE, CLIENT, "||"},
    {"a path whose escapes are none", "%(U)s %({PATH_INFO}e)s", "GET /%6 HTTP/1.1\r\nHost: a\r\n\r\n", CLIENT,
     "/%6 -"},
    {"escapes that hide a line", "%({PATH_INFO}e)s", "GET /%0aforged%22%ff HTTP/1.1\r\nHost: a\r\n\r\n",
     CLIENT, "/\\x0aforged\\\"\\xff"},
    {"query and protocol", "%({QUERY_STRING}e)s %({SERVER_PROTOCOL}e)s", PLAIN, CLIENT, "q=1 HTTP/1.1"},
    {"HTTP/1.0", "%(H)s %({SERVER_PROTOCOL}e)s", BARE, CLIENT, "HTTP/1.0 HTTP/1.0"},
    {"a version that is not known", "%(H)s %({SERVER_PROTOCOL}e)s %(m)s", "GET / HTTP/2.0\r\n\r\n", CLIENT,
     "- - GET"},
    {"who", "%({REMOTE_ADDR}e)s %({REMOTE_PORT}e)s", BARE, CLIENT, "192.0.2.7 4711"},
    {"the body", "%({CONTENT_TYPE}e)s %({CONTENT_LENGTH}e)s", PLAIN, CLIENT, "text/plain 007"},
    {"no body", "%({CONTENT_TYPE}e)s %({CONTENT_LENGTH}e)s", BARE, CLIENT, "- -"},
    {"a body in chunks", "%({CONTENT_LENGTH}e)s", CHUNKED, CLIENT, "0"},
    {"a field of environ is all fields of that name",
     "%({HTTP_X_TEXT}e)s|%({HTTP_COOKIE}e)s|%({HTTP_NONE}e)s", PLAIN, CLIENT, "one, two|a=b; c=d|-"},
    {"a field of the request is the first", "%({x-text}i)s", PLAIN, CLIENT, "one"},
    {"variables in any case, as in gunicorn", "%({request_method}e)s %({Http_X_Text}e)s", PLAIN, CLIENT,
     "GET one, two"},
    {"scheme and host", "%({wsgi.url_scheme}e)s %({HTTP_HOST}e)s", PLAIN, CLIENT, "http a.example:81"},
    {"no host", "%({HTTP_HOST}e)s", BARE, CLIENT, "-"},
    {"what a proxy says", "%({wsgi.url_scheme}e)s %({HTTP_HOST}e)s %({REMOTE_ADDR}e)s %({REMOTE_PORT}e)s",
     PROXIED, PROXY, "https c.example 203.0.113.9 -"},
    {"as far as it is believed", "%({HTTP_X_FORWARDED_FOR}e)s %({HTTP_X_REAL_IP}e)s %({HTTP_FORWARDED}e)s",
     PROXIED, PROXY, "203.0.113.9 - -"},
    {"which a client has no right to say",
     "%({wsgi.url_scheme}e)s %({HTTP_HOST}e)s %({HTTP_X_FORWARDED_FOR}e)s %({HTTP_X_REAL_IP}e)s", PROXIED,
     CLIENT, "http b:82 - -"},
    {"a client's request id is its field", "%(request_id)s %({HTTP_X_REQUEST_ID}e)s", PROXIED, CLIENT, "- 7"},
};

START_TEST(an_atom_says_what_is_known)
{
    struct access_format *format = format_of(texts[_i].format);
    receive(texts[_i].head, texts[_i].peer);
    char *line = line_of(format);
    if (texts[_i].line != NULL)
        ck_assert_msg(strcmp(line, texts[_i].line) == 0, "%s: \"%s\" is not \"%s\"", texts[_i].name, line,
                      texts[_i].line);
    else
        ck_assert_msg(strncmp(line, "192.0.2.7 - Aladdin [", 21) == 0, "%s: %s", texts[_i].name, line);
    free(line);
    access_format_free(format);
}
END_TEST

static const struct {
    const char *name, *head, *peer;
    const char *has, *lacks; /* texts; NULL: not asked */
} objects[] = {
    {"a method that is in an RFC", PLAIN, CLIENT, "\"http.request.method\":\"GET\",", "method_original"},
    {"one that is in none", "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", CLIENT,
     "\"http.request.method\":\"_OTHER\",\"http.request.method_original\":\"BREW\",", NULL},
    {"one in lower case is another", "get / HTTP/1.1\r\nHost: a\r\n\r\n", CLIENT,
     "\"http.request.method_original\":\"get\"", NULL},
    {"HTTP/1.0", BARE, CLIENT, "\"network.protocol.version\":\"1.0\"", "url.query"},
    {"a version that is not known", "GET / HTTP/2.0\r\n\r\n", CLIENT, "\"http.request.method\":\"GET\"",
     "network.protocol.version"},
    {"a request without a body", BARE, CLIENT, "\"http.response.body.size\":5,", "http.request.body.size"},
    {"one with a body", CHUNKED, CLIENT, "\"http.request.body.size\":0,", NULL},
    {"durations are numbers", BARE, CLIENT,
     "\"http.server.request.duration\":2.500000,\"gateway.queue.duration\":0.500000,\"gateway.app.duration\":"
     "1.500001,",
     NULL},
    {"the client", BARE, CLIENT, "\"client.address\":\"192.0.2.7\",\"client.port\":4711,",
     "network.peer.address"},
    {"a client of a proxy", PROXIED, PROXY,
     "\"client.address\":\"203.0.113.9\",\"network.peer.address\":\"10.0.0.1\",", "client.port"},
    {"a client of one on this machine", PROXIED, "", "\"client.address\":\"203.0.113.9\"",
     "network.peer.address"},
    {"host and port", PLAIN, CLIENT, "\"server.address\":\"a.example\",\"server.port\":81,", NULL},
    {"a host alone", CHUNKED, CLIENT, "\"server.address\":\"a\",", "server.port"},
    {"a host with an empty port", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n", CLIENT, "\"server.address\":\"a\",",
     "server.port"},
    {"an address of IPv6", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", CLIENT,
     "\"server.address\":\"::1\",\"server.port\":80,", NULL},
    {"no host", BARE, CLIENT, NULL, "\"server."},
    {"the target's host", "GET http://b:82/ HTTP/1.1\r\nHost: a\r\n\r\n", CLIENT,
     "\"server.address\":\"b\",\"server.port\":82", NULL},
    {"a target's host that is none", "GET http://b:x/ HTTP/1.1\r\nHost: a\r\n\r\n", CLIENT, NULL,
     "\"server."},
    {"the host and the scheme that a proxy says", PROXIED, PROXY, "\"server.address\":\"c.example\"",
     "server.port"},
    {"its scheme", PROXIED, PROXY, "\"url.scheme\":\"https\"", NULL},
    {"a scheme that a client says", PROXIED, CLIENT, "\"url.scheme\":\"http\",", NULL},
    {"a trace", "GET / HTTP/1.1\r\nHost: a\r\n" TRACE "\r\n", CLIENT,
     ",\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"span_id\":\"00f067aa0ba902b7\",\"trace_flags\":"
     "\"01\"}",
     NULL},
    {"no trace", "GET / HTTP/1.1\r\nHost: a\r\ntraceparent: 00-0-0-0\r\n\r\n", CLIENT, NULL, "trace"},
    {"of two traces neither", "GET / HTTP/1.1\r\nHost: a\r\n" TRACE TRACE "\r\n", CLIENT, NULL, "trace"},
    {"the referer is a list", "GET / HTTP/1.1\r\nHost: a\r\nReferer: b\"\r\n\r\n", CLIENT,
     "\"http.request.header.referer\":[\"b\\\"\"]", NULL},
    {"bytes are what environ has them for, latin-1",
     "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: \xc3\xa9\r\n\r\n", CLIENT,
     "\"user_agent.original\":\"\\u00c3\\u00a9\"", NULL},
    {"a user is nobody's business", PLAIN, CLIENT, NULL, "Aladdin"},
    {"no request id", PROXIED, CLIENT, NULL, "gateway.request_id"},
    {"no worker", BARE, CLIENT, "\"process.pid\":", "gateway.worker"},
};

START_TEST(an_object_has_what_is_known)
{
    struct access_format *format = format_of("json");
    receive(objects[_i].head, objects[_i].peer);
    char *line = line_of(format);
    ck_assert_msg(objects[_i].has == NULL || strstr(line, objects[_i].has) != NULL, "%s: %s",
                  objects[_i].name, line);
    ck_assert_msg(objects[_i].lacks == NULL || strstr(line, objects[_i].lacks) == NULL, "%s: %s",
                  objects[_i].name, line);
    free(line);
    access_format_free(format);
}
END_TEST

START_TEST(a_client_without_a_port_has_none)
{
    struct access_format *format = format_of("json"),
                         *atoms = format_of("%({REMOTE_ADDR}e)s %({REMOTE_PORT}e)s");
    receive(BARE, "");
    conn.peer.port[0] = '\0';
    char *object = line_of(format), *line = line_of(atoms);
    ck_assert_ptr_null(strstr(object, "client."));
    ck_assert_str_eq(line, "- -");
    free(object);
    free(line);
    access_format_free(format);
    access_format_free(atoms);
}
END_TEST

START_TEST(an_application_that_was_not_asked_took_no_time)
{
    struct access_format *format = format_of("json"), *atoms = format_of("%(queue_time)s %(app_time)s");
    receive(BARE, CLIENT);
    exchange.begun_ns = 0;
    char *object = line_of(format), *line = line_of(atoms);
    ck_assert_ptr_null(strstr(object, "gateway."));
    ck_assert_str_eq(line, "- -");
    free(object);
    free(line);
    access_format_free(format);
    access_format_free(atoms);
}
END_TEST

START_TEST(a_worker_says_which_it_is)
{
    struct access_format *format = format_of("%(worker)s %(p)s");
    char expected[32];
    receive(BARE, CLIENT);
    access_format_identify(format, 3);
    snprintf(expected, sizeof(expected), "3 <%d>", (int)getpid());
    char *line = line_of(format);
    ck_assert_str_eq(line, expected);
    free(line);
    access_format_free(format);
}
END_TEST

START_TEST(an_id_is_the_requests)
{
    struct access_format *format = format_of("%(request_id)s %({HTTP_X_REQUEST_ID}e)s");
    receive(PROXIED, CLIENT);
    exchange.request.id = SLICE("made");
    char *line = line_of(format);
    ck_assert_str_eq(line, "made made");
    free(line);
    access_format_free(format);
}
END_TEST

static const struct {
    const char *format, *told;
} mistakes[] = {
    {"%({shop.user}e)s", "%({shop.user}e)s is not known"},
    {"%(h)s %({REMOTE_USER}e)s", "%({REMOTE_USER}e)s is not known"},
    {"%({HTTP_}e)s", "%({HTTP_}e)s is not known"},
    {"%({HTTP_CONTENT_TYPE}e)s", "but not the additions of the application"},
    {"%({http_transfer_encoding}e)s", "QUERY_STRING, SERVER_PROTOCOL, REMOTE_ADDR"},
    {"%({12345678901234567890123456789012345678901234567890}e)s",
     "%({1234567890123456789012345678901234567890}e)s is"},
    {"%({a}x)s", "\"%({a}x)s\" is not one of gunicorn's atoms"},
    {"%(x)s", "\"%(x)s\" is not one of gunicorn's atoms"},
    {"%(json.time)s", "is not one"},
    {"%", "is not one"},
    {"jsn", "\"jsn\" is not a format; did you mean json?"},
    {"combine", "\"combine\" is not a format; did you mean combined?"},
    {"a line", "\"a line\" has no atom; give \"common\""},
    {"100%%", "\"100%%\" has no atom"},
    {"", "\"\" has no atom"},
};

START_TEST(what_is_not_known_is_refused_in_one_sentence)
{
    ck_assert_ptr_null(access_format_new(mistakes[_i].format, message, sizeof(message)));
    ck_assert_msg(strncmp(message, "gateway: --access-logformat: ", 29) == 0, "%s", message);
    ck_assert_msg(strstr(message, mistakes[_i].told) != NULL, "%s", message);
    ck_assert_ptr_null(strchr(message, '\n'));
}
END_TEST

START_TEST(freeing_none_is_fine)
{
    access_format_free(NULL);
}
END_TEST

static uint64_t state = 88172645463325252u;

static unsigned random_below(unsigned limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 33) % limit;
}

/* Any bytes, and often those that have a meaning in a line. */
static struct slice random_bytes(size_t most)
{
    static const char special[] = "\"\\\n\r\t\0 %{}[]<>x\x7f\x1b\x80\xff:,'";
    size_t size = random_below(8) == 0 ? 0 : random_below((unsigned)most) + 1;
    char *bytes = xmalloc(size + 1);
    bool wild = random_below(2);
    for (size_t i = 0; i < size; i++)
        bytes[i] = wild ? (char)random_below(256) : special[random_below(sizeof(special) - 1)];
    return (struct slice){bytes, size};
}

static struct slice base64(struct slice bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = xmalloc(bytes.size / 3 * 4 + 16);
    size_t size = (size_t)sprintf(text, "Basic ");
    for (size_t i = 0; i < bytes.size; i += 3) {
        unsigned group = 0;
        for (size_t k = 0; k < 3; k++)
            group = group << 8 | (i + k < bytes.size ? (unsigned char)bytes.data[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            text[size++] = i + k > bytes.size ? '=' : digits[group >> (18 - 6 * k) & 63];
    }
    return (struct slice){text, size};
}

/* The parts that a client decides. */
enum { LINE, METHOD, TARGET, PATH, QUERY, ID, AGENT, REFERER, TEXT, USER, PARTS };
static struct slice parts[PARTS];
static struct slice authorization;

static void make_request(size_t most)
{
    static const char *const names[] = {"User-Agent",   "Referer", "X-Text", "traceparent",
                                        "Content-Type", "Cookie",  "Cookie"};
    struct header_section *section = xcalloc(1, sizeof(*section) + 8 * sizeof(struct field));
    for (int i = 0; i < USER; i++)
        parts[i] = random_bytes(most);
    struct slice credentials = random_bytes(most);
    const char *colon = memchr(credentials.data, ':', credentials.size);
    parts[USER] = (struct slice){credentials.data, colon != NULL ? (size_t)(colon - credentials.data) : 0};
    authorization = base64(credentials);
    for (uint32_t i = 0; i < UNIT_ROWS(names); i++)
        section->fields[i] =
            (struct field){slice_of(names[i]), i < 3 ? parts[AGENT + i] : random_bytes(most)};
    section->fields[7] = (struct field){SLICE("Authorization"), authorization};
    section->count = 8;
    section->host = random_bytes(most);
    section->references = 1;
    exchange.request = (struct request){
        .line = parts[LINE],
        .method = parts[METHOD],
        .target = parts[TARGET],
        .path = parts[PATH],
        .path_escaped = memchr(parts[PATH].data, '%', parts[PATH].size) != NULL,
        .query = parts[QUERY],
        .id = parts[ID],
        .section = section,
    };
}

static void forget_request(void)
{
    struct header_section *section = exchange.request.section;
    for (int i = 0; i < USER; i++)
        free((char *)parts[i].data);
    free((char *)parts[USER].data);
    free((char *)authorization.data);
    for (int i = 3; i < 7; i++)
        free((char *)section->fields[i].value.data);
    free((char *)section->host.data);
    free(section);
    exchange.request.section = NULL;
}

enum { ROUNDS = 1000 };

static const struct {
    const char *format;
    int part;
    const char *unknown;
} atoms[] = {
    {"%(r)s", LINE, "-"},
    {"%(m)s", METHOD, "-"},
    {"%({REQUEST_METHOD}e)s", METHOD, "-"},
    {"%({RAW_URI}e)s", TARGET, "-"},
    {"%(U)s", PATH, "-"},
    {"%(q)s", QUERY, ""},
    {"%({QUERY_STRING}e)s", QUERY, ""},
    {"%(request_id)s", ID, "-"},
    {"%(a)s", AGENT, "-"},
    {"%(f)s", REFERER, "-"},
    {"%({x-text}i)s", TEXT, "-"},
    {"%({HTTP_X_TEXT}e)s", TEXT, "-"},
    {"%(u)s", USER, "-"},
};

/* The text that was escaped in `size` bytes is the beginning of `part`, or all of it if there was
 * room. */
static void assert_is_part(const char *name, const char *found, size_t size, size_t escaped,
                           struct slice part)
{
    ck_assert_msg(size <= part.size && memcmp(found, part.data, size) == 0, "%s: other bytes", name);
    ck_assert_msg(size == part.size || escaped > ACCESS_CLIENT_SIZE - 6, "%s: %zu bytes of %zu", name, size,
                  part.size);
    ck_assert_msg(escaped <= ACCESS_CLIENT_SIZE, "%s: %zu bytes", name, escaped);
}

START_TEST(an_atom_is_one_line_from_which_it_can_be_read)
{
    struct access_format *format = format_of(atoms[_i].format);
    char out[ACCESS_CLIENT_SIZE];
    for (int i = 0; i < ROUNDS; i++) {
        make_request(i % 100 == 0 ? 20000 : 60);
        struct slice line = access_format_line(format, &exchange, 0), part = parts[atoms[_i].part];
        ck_assert_msg(line_is_one(line), "%s: %.*s", atoms[_i].format, (int)line.size, line.data);
        const char *at = line.data, *end = at + line.size - 1;
        long size = line_unescape(&at, end, false, out, sizeof(out));
        ck_assert_msg(size >= 0 && at == end, "%s: %s", atoms[_i].format, line.data);
        if (part.size == 0)
            part = slice_of(atoms[_i].unknown);
        assert_is_part(atoms[_i].format, out, (size_t)size, line.size - 1, part);
        forget_request();
    }
    access_format_free(format);
}
END_TEST

static const struct {
    const char *field;
    int part;
} fields[] = {
    {"url.path", PATH},
    {"url.query", QUERY},
    {"gateway.request_id", ID},
    {"user_agent.original", AGENT},
    {"http.request.header.referer", REFERER},
    {"http.request.method_original", METHOD},
};

START_TEST(an_object_is_one_line_from_which_its_fields_can_be_read)
{
    struct access_format *format = format_of("json");
    char *out = xmalloc(2 * ACCESS_LINE_SIZE);
    for (int i = 0; i < ROUNDS; i++) {
        make_request(i % 100 == 0 ? 20000 : 60);
        struct slice line = access_format_line(format, &exchange, 0), part = parts[fields[_i].part];
        long found;
        ck_assert_msg(line_is_one(line), "%.*s", (int)line.size, line.data);
        ck_assert_msg(line_is_json(line, fields[_i].field, out, &found), "%.*s", (int)line.size, line.data);
        ck_assert_msg((found >= 0) == (part.size > 0), "%s: %.*s", fields[_i].field, (int)line.size,
                      line.data);
        if (found >= 0 && part.size < ACCESS_CLIENT_SIZE / 6)
            unit_assert_bytes(fields[_i].field, out, (size_t)found, part.data, part.size);
        else if (found >= 0)
            ck_assert_msg((size_t)found <= part.size && memcmp(out, part.data, (size_t)found) == 0, "%s",
                          fields[_i].field);
        forget_request();
    }
    free(out);
    access_format_free(format);
}
END_TEST

/* Counts the spaces and quotes that separate columns. Those within quotes, and escaped ones, do not
 * count. */
static void count_separators(const char *line, int *spaces, int *quotes)
{
    *spaces = *quotes = 0;
    for (; *line != '\0'; line++) {
        if (*line == '\\')
            line++;
        else if (*line == '"')
            ++*quotes;
        else if (*line == ' ' && *quotes % 2 == 0)
            ++*spaces;
    }
}

static const struct {
    const char *format;
    int spaces, quotes;
} columns[] = {{"common", 7, 2}, {"combined", 9, 6}};

START_TEST(a_client_moves_no_column)
{
    struct access_format *format = format_of(columns[_i].format);
    for (int i = 0; i < 4 * ROUNDS; i++) {
        int spaces, quotes;
        make_request(i % 100 == 0 ? 20000 : 60);
        char *line = line_of(format);
        count_separators(line, &spaces, &quotes);
        ck_assert_msg(spaces == columns[_i].spaces && quotes == columns[_i].quotes, "%s", line);
        free(line);
        forget_request();
    }
    access_format_free(format);
}
END_TEST

/* Each row of the table, alone. */
START_TEST(every_atom_and_variable_is_one_line)
{
    const struct access_field *field = &access_fields[_i];
    const struct slice names[] = {slice_of(field->atom != NULL ? field->atom : ""),
                                  slice_of(field->environ != NULL ? field->environ : "")};
    for (size_t k = 0; k < 2; k++) {
        if (names[k].size == 0)
            continue;
        char *text = xasprintf(k == 0 ? "%%(%s)s" : "%%({%s}e)s", names[k].data);
        struct access_format *format = format_of(text);
        for (int i = 0; i < ROUNDS; i++) {
            make_request(60);
            char *line = line_of(format);
            free(line);
            forget_request();
        }
        access_format_free(format);
        free(text);
    }
}
END_TEST

/* Escaping makes six bytes of one: an object is closed all the same. */
START_TEST(an_object_is_whole_however_long_what_is_sent)
{
    struct access_format *format = format_of("json");
    make_request(60);
    struct header_section *section = exchange.request.section;
    char *long_bytes = xmalloc(100000), *out = xmalloc(2 * ACCESS_LINE_SIZE);
    memset(long_bytes, '\xff', 100000);
    struct slice all = {long_bytes, 100000};
    struct request real = exchange.request;
    struct field agent = section->fields[0], referer = section->fields[1];
    exchange.request.line = exchange.request.method = exchange.request.target = all;
    exchange.request.path = exchange.request.query = exchange.request.id = all;
    section->fields[0].value = section->fields[1].value = all;
    struct slice line = access_format_line(format, &exchange, UINT64_MAX - 1000);
    long found;
    ck_assert(line_is_one(line) && line_is_json(line, "user_agent.original", out, &found));
    ck_assert_int_eq(found, ACCESS_CLIENT_SIZE / 6);
    ck_assert_uint_lt(line.size, ACCESS_LINE_SIZE - ACCESS_CLIENT_SIZE);
    exchange.request = real;
    section->fields[0] = agent;
    section->fields[1] = referer;
    forget_request();
    free(long_bytes);
    free(out);
    access_format_free(format);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    unit_add_rows(tests, an_atom_says_what_is_known, texts);
    unit_add_rows(tests, an_object_has_what_is_known, objects);
    tcase_add_test(tests, a_client_without_a_port_has_none);
    tcase_add_test(tests, an_application_that_was_not_asked_took_no_time);
    tcase_add_test(tests, a_worker_says_which_it_is);
    tcase_add_test(tests, an_id_is_the_requests);
    unit_add_rows(tests, what_is_not_known_is_refused_in_one_sentence, mistakes);
    tcase_add_test(tests, freeing_none_is_fine);
    unit_add_rows(tests, an_atom_is_one_line_from_which_it_can_be_read, atoms);
    unit_add_rows(tests, an_object_is_one_line_from_which_its_fields_can_be_read, fields);
    unit_add_rows(tests, a_client_moves_no_column, columns);
    tcase_add_loop_test(tests, every_atom_and_variable_is_one_line, 0, (int)access_field_count);
    tcase_add_test(tests, an_object_is_whole_however_long_what_is_sent);
}

int main(void)
{
    return unit_run("access/format", add);
}
