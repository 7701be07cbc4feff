/*
 * environ: its content, which is the same from scratch, from a fresh template, and from a template
 * that other requests have used.
 */
#include "py/environ.h"

#include "fake_call.h"
#include "http/forwarded.h"
#include "http/memo.h"
#include "py/start_response.h"

static char other_name[] = "other.example", other_port[] = "8443";
static const struct local_endpoint secure_local = {
    .server_name = other_name, .server_port = other_port, .https = true};
static const struct peer_endpoint other_peer = {.address = "2001:db8::7", .port = "9"};
static const struct peer_endpoint other_port_peer = {.address = "192.0.2.1", .port = "1024"};
static const struct peer_endpoint unix_peer = {.address = "", .port = ""};

static struct memo *memo;
static struct responder_trio trio;
/* environ refers to it for the whole life of the process. */
static struct options options;

static void start_with(char *root_path)
{
    embedded_start();
    options = (struct options){.root_path = root_path};
    ck_assert_int_eq(environ_init(&options, true), 0);
    memo = memo_new();
    ck_assert_int_eq(responder_init(), 0);
    ck_assert_int_eq(responder_begin(&trio, NULL), 0);
}

static void start(void)
{
    static char none[] = "";
    start_with(none);
}

static void start_mounted(void)
{
    static char root[] = "/mnt/caf\xc3\xa9";
    start_with(root);
}

static void stop(void)
{
    memo_free(memo);
    environ_free_discarded();
    responder_free(&trio);
    embedded_stop();
}

/* As the protocol does: takes the section from the memo, or parses it and offers it to the memo. */
static struct header_section *memo_section(const char *fields)
{
    unsigned slot;
    struct header_section *parsed = fake_section(fields);
    struct header_section *b_found = memo_find(memo, parsed->bytes, &slot);
    if (b_found == NULL) {
        memo_offer(memo, parsed, &slot);
        return parsed;
    }
    header_section_unref(parsed);
    return header_section_ref(b_found);
}

struct sent {
    const char *name, *line, *fields, *body;
    const struct local_endpoint *local; /* NULL: the usual one */
    const struct peer_endpoint *peer;   /* NULL: the usual one */
    const char *id;                     /* made for the request; NULL: none */
    bool trusted;                       /* its fields about the client are believed */
};

/* A new reference. Takes the reference to `section`. */
static PyObject *environ_of(const struct sent *sent, struct header_section *section)
{
    struct fake_call fake;
    static const struct networks nobody_else;
    static char list[] = "X-Forwarded-Tlsv";
    static const struct forwarded_fields fields = {.parts = -1U, .list = list};
    fake_open(&fake, sent->line, section, sent->body);
    if (sent->trusted && section->forwarding)
        fake.request.forwarded = forwarded_of(section, &nobody_else, &fields);
    if (sent->id != NULL)
        fake.request.id = slice_of(sent->id);
    fake.call.local = sent->local != NULL ? sent->local : &fake_local;
    fake.call.peer = sent->peer != NULL ? sent->peer : &fake_peer;
    PyObject *dict = environ_new(&fake.call, trio.client_disconnected);
    if (dict == NULL)
        PyErr_Print();
    ck_assert_msg(dict != NULL, "%s", sent->name);
    fake_close(&fake);
    return dict;
}

#define GET  "GET / HTTP/1.1"
#define HOST "Host: a.example\r\n"
/* The fields of a proxy, and fields to the left of them that a client has invented. */
#define VIA                                                                                   \
    "X-Forwarded-For: 6.6.6.6, 203.0.113.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: " \
    "b.example:8443\r\nX-Forwarded-Prefix: /app\r\nX-Forwarded-Tlsv: 1\r\nX-Real-IP: 203.0.113.9\r\n"
#define PLACE                                                                                               \
    "(x['wsgi.url_scheme'], x.get('HTTPS'), x['HTTP_HOST'], x['SERVER_NAME'], x['SERVER_PORT'], x['SCRIPT_" \
    "NAME'], "                                                                                              \
    "x['PATH_INFO']) == "

/* One request each; the expression is true of x, the environ. */
static const struct {
    struct sent sent;
    const char *check;
} contents[] = {
    {{.name = "what PEP 3333 demands", .line = "GET /p?q=1 HTTP/1.1", .fields = HOST},
     "x['REQUEST_METHOD'] == 'GET' and x['SCRIPT_NAME'] == '' and x['PATH_INFO'] == '/p' and "
     "x['QUERY_STRING'] == 'q=1' and x['SERVER_NAME'] == 'server.example' and x['SERVER_PORT'] == '8000' and "
     "x['SERVER_PROTOCOL'] == 'HTTP/1.1' and x['wsgi.version'] == (1, 0) and x['wsgi.url_scheme'] == 'http' "
     "and "
     "x['wsgi.multithread'] is False and x['wsgi.multiprocess'] is True and x['wsgi.run_once'] is False"},
    {{.name = "what we add", .line = "GET /a%20b?c HTTP/1.1", .fields = HOST},
     "x['REMOTE_ADDR'] == '192.0.2.1' and x['REMOTE_PORT'] == '54321' and x['REQUEST_URI'] == '/a%20b?c' and "
     "x['RAW_URI'] == '/a%20b?c' and x['SERVER_SOFTWARE'].startswith('gateway/') and "
     "x['wsgi.input_terminated'] is True"},
    {{.name = "all of it, and nothing else", .line = GET, .fields = HOST},
     "sorted(x) == ['HTTP_HOST', 'PATH_INFO', 'QUERY_STRING', 'RAW_URI', 'REMOTE_ADDR', 'REMOTE_PORT', "
     "'REQUEST_METHOD', 'REQUEST_URI', 'SCRIPT_NAME', 'SERVER_NAME', 'SERVER_PORT', 'SERVER_PROTOCOL', "
     "'SERVER_SOFTWARE', 'gateway.client_disconnected', 'wsgi.errors', 'wsgi.file_wrapper', 'wsgi.input', "
     "'wsgi.input_terminated', "
     "'wsgi.multiprocess', 'wsgi.multithread', 'wsgi.run_once', 'wsgi.url_scheme', 'wsgi.version']"},
    {{.name = "an exact dict, all CGI values exact str", .line = GET, .fields = HOST "A: b\r\n"},
     "type(x) is dict and all(type(v) is str for k, v in x.items() if '.' not in k)"},
    {{.name = "input and errors", .line = GET, .fields = HOST},
     "x['wsgi.input'].read() == b'' and x['wsgi.errors'].write and x['wsgi.file_wrapper']"},
    {{.name = "what it can ask", .line = GET, .fields = HOST},
     "x['gateway.client_disconnected'].__name__ == 'client_disconnected'"},
    {{.name = "a secure listener", .line = GET, .fields = HOST, .local = &secure_local},
     "x['wsgi.url_scheme'] == 'https' and x['HTTPS'] == 'on' and x['SERVER_NAME'] == 'other.example' and "
     "x['SERVER_PORT'] == '8443'"},
    {{.name = "a unix-domain socket", .line = GET, .fields = HOST, .peer = &unix_peer},
     "x['REMOTE_ADDR'] == '' and x['REMOTE_PORT'] == ''"},
    {{.name = "HTTP/1.0 without Host", .line = "GET / HTTP/1.0", .fields = ""},
     "x['SERVER_PROTOCOL'] == 'HTTP/1.0' and 'HTTP_HOST' not in x"},
    {{.name = "a method that nobody knows", .line = "BREW /pot HTTP/1.1", .fields = HOST},
     "x['REQUEST_METHOD'] == 'BREW'"},
    {{.name = "methods are case-sensitive", .line = "get / HTTP/1.1", .fields = HOST},
     "x['REQUEST_METHOD'] == 'get'"},
    {{.name = "HEAD", .line = "HEAD / HTTP/1.1", .fields = HOST}, "x['REQUEST_METHOD'] == 'HEAD'"},

    {{.name = "a path is decoded once", .line = "GET /%2541%2F/ HTTP/1.1", .fields = HOST},
     "x['PATH_INFO'] == '/%41//'"},
    {{.name = "a path is bytes", .line = "GET /caf%C3%a9/%ff HTTP/1.1", .fields = HOST},
     "x['PATH_INFO'] == '/caf\\xc3\\xa9/\\xff'"},
    {{.name = "a path goes on behind NUL", .line = "GET /a%00b HTTP/1.1", .fields = HOST},
     "x['PATH_INFO'] == '/a\\0b'"},
    {{.name = "a semicolon is a path's", .line = "GET /a;b=c/..//. HTTP/1.1", .fields = HOST},
     "x['PATH_INFO'] == '/a;b=c/..//.'"},
    {{.name = "a query stays as it was", .line = "GET /?a=%20%zz+?b HTTP/1.1", .fields = HOST},
     "x['QUERY_STRING'] == 'a=%20%zz+?b'"},
    {{.name = "an empty query", .line = "GET /? HTTP/1.1", .fields = HOST},
     "x['QUERY_STRING'] == '' and x['REQUEST_URI'] == '/?'"},
    {{.name = "an absolute form replaces Host",
      .line = "GET http://b.example:81/p?q HTTP/1.1",
      .fields = HOST},
     "x['HTTP_HOST'] == 'b.example:81' and x['PATH_INFO'] == '/p' and x['REQUEST_URI'] == "
     "'http://b.example:81/p?q'"},
    {{.name = "an absolute form without a path", .line = "GET http://b.example?q HTTP/1.1", .fields = HOST},
     "x['PATH_INFO'] == '/' and x['QUERY_STRING'] == 'q'"},
    {{.name = "an absolute form without Host", .line = "GET http://b.example/ HTTP/1.0", .fields = ""},
     "x['HTTP_HOST'] == 'b.example'"},
    {{.name = "the asterisk is no path", .line = "OPTIONS * HTTP/1.1", .fields = HOST},
     "x['PATH_INFO'] == '' and x['REQUEST_URI'] == '*'"},

    {{.name = "header fields", .line = GET, .fields = HOST "Accept: */*\r\nX-a-B1: c\r\n"},
     "x['HTTP_HOST'] == 'a.example' and x['HTTP_ACCEPT'] == '*/*' and x['HTTP_X_A_B1'] == 'c'"},
    {{.name = "values are latin-1", .line = GET, .fields = HOST "A: caf\xc3\xa9\r\n"},
     "x['HTTP_A'] == 'caf\\xc3\\xa9'"},
    {{.name = "an empty value", .line = GET, .fields = HOST "A: \r\n"}, "x['HTTP_A'] == ''"},
    {{.name = "duplicates are joined", .line = GET, .fields = HOST "A: b\r\nC: d\r\na: e, f\r\nA: \r\n"},
     "x['HTTP_A'] == 'b, e, f, ' and x['HTTP_C'] == 'd'"},
    {{.name = "cookies are joined with semicolons",
      .line = GET,
      .fields = HOST "Cookie: a=1\r\nCookie: b=2; c=3\r\n"},
     "x['HTTP_COOKIE'] == 'a=1; b=2; c=3'"},
    {{.name = "names with an underscore are dropped", .line = GET, .fields = HOST "X_Y: 1\r\nX-Y: 2\r\n"},
     "x['HTTP_X_Y'] == '2'"},
    {{.name = "Proxy is dropped", .line = GET, .fields = HOST "Proxy: evil\r\n"}, "'HTTP_PROXY' not in x"},
    {{.name = "a field cannot pose as a variable",
      .line = GET,
      .fields = HOST "Remote-Addr: 1\r\nHttps: on\r\n"},
     "x['REMOTE_ADDR'] == '192.0.2.1' and x['HTTP_REMOTE_ADDR'] == '1' and 'HTTPS' not in x"},

    {{.name = "where a proxy says that we are",
      .line = "GET /p HTTP/1.1",
      .fields = HOST VIA,
      .trusted = true},
     PLACE "('https', 'on', 'b.example:8443', 'b.example', '8443', '/app', '/p')"},
    {{.name = "it is not asked who is not trusted", .line = "GET /p HTTP/1.1", .fields = HOST VIA},
     PLACE "('http', None, 'a.example', 'server.example', '8000', '', '/p')"},
    {{.name = "nothing of what a client says of itself is shown",
      .line = GET,
      .fields = HOST VIA "Forwarded: a=b\r\n"},
     "not [k for k in x if 'FORWARDED' in k or 'REAL' in k]"},
    {{.name = "of what a proxy says, what is believed",
      .line = GET,
      .fields = HOST VIA "X-Forwarded-Port: x\r\nForwarded: for=6.6.6.6\r\n",
      .trusted = true},
     "{k: v for k, v in x.items() if 'FORWARDED' in k or 'REAL' in k} == {'HTTP_X_FORWARDED_FOR': "
     "'203.0.113.9', "
     "'HTTP_X_FORWARDED_PROTO': 'https', 'HTTP_X_FORWARDED_HOST': 'b.example:8443', "
     "'HTTP_X_FORWARDED_PREFIX': '/app', "
     "'HTTP_X_FORWARDED_TLSV': '1', 'HTTP_X_REAL_IP': '203.0.113.9'}"},
    {{.name = "https alone", .line = GET, .fields = HOST "X-Forwarded-Proto: https\r\n", .trusted = true},
     PLACE "('https', 'on', 'a.example', 'server.example', '443', '', '/')"},
    {{.name = "https alone, and a port in Host",
      .line = GET,
      .fields = "Host: a.example:8443\r\nX-Forwarded-Proto: https\r\n",
      .trusted = true},
     PLACE "('https', 'on', 'a.example:8443', 'server.example', '8443', '', '/')"},
    {{.name = "http from a proxy to a secure listener",
      .line = GET,
      .fields = HOST "X-Forwarded-Proto: http\r\n",
      .local = &secure_local,
      .trusted = true},
     PLACE "('http', None, 'a.example', 'other.example', '80', '', '/')"},
    {{.name = "a host alone", .line = GET, .fields = HOST "X-Forwarded-Host: b.example\r\n", .trusted = true},
     PLACE "('http', None, 'b.example', 'b.example', '80', '', '/')"},
    {{.name = "a port alone", .line = GET, .fields = HOST "X-Forwarded-Port: 81\r\n", .trusted = true},
     PLACE "('http', None, 'a.example:81', 'server.example', '81', '', '/')"},
    {{.name = "a host wins over an absolute form",
      .line = "GET http://c.example/ HTTP/1.1",
      .fields = HOST "X-Forwarded-Host: b.example\r\n",
      .trusted = true},
     "x['HTTP_HOST'] == 'b.example'"},
    {{.name = "a port does not",
      .line = "GET http://c.example/ HTTP/1.1",
      .fields = HOST "X-Forwarded-Port: 81\r\n",
      .trusted = true},
     "x['HTTP_HOST'] == 'c.example'"},
    {{.name = "a host, and no Host",
      .line = "GET / HTTP/1.0",
      .fields = "X-Forwarded-Host: b.example\r\n",
      .trusted = true},
     "x['HTTP_HOST'] == 'b.example'"},

    {{.name = "an id that was made", .line = GET, .fields = HOST, .id = "4a"},
     "x['HTTP_X_REQUEST_ID'] == '4a'"},
    {{.name = "in the place of the client's", .line = GET, .fields = HOST "X-Request-Id: 1\r\n", .id = "4a"},
     "x['HTTP_X_REQUEST_ID'] == '4a'"},
    {{.name = "a client's id where none is made", .line = GET, .fields = HOST "X-Request-Id: 1\r\n"},
     "x['HTTP_X_REQUEST_ID'] == '1'"},

    {{.name = "a body with a length",
      .line = "POST / HTTP/1.1",
      .fields = HOST "Content-Type: text/plain\r\nContent-Length: 3\r\n",
      .body = "abc"},
     "x['CONTENT_TYPE'] == 'text/plain' and x['CONTENT_LENGTH'] == '3' and x['wsgi.input'].read() == b'abc' "
     "and not "
     "[k for k in x if k.startswith('HTTP_CONTENT')]"},
    {{.name = "a body of no bytes", .line = "POST / HTTP/1.1", .fields = HOST "Content-Length: 0\r\n"},
     "x['CONTENT_LENGTH'] == '0' and x['wsgi.input'].read() == b''"},
    {{.name = "a chunked body has a length by now",
      .line = "POST / HTTP/1.1",
      .fields = HOST "Transfer-Encoding: chunked\r\n",
      .body = "abcd"},
     "x['CONTENT_LENGTH'] == '4' and x['wsgi.input'].read() == b'abcd' and 'HTTP_TRANSFER_ENCODING' not in "
     "x"},
    {{.name = "an empty chunked body",
      .line = "POST / HTTP/1.1",
      .fields = HOST "Transfer-Encoding: chunked\r\n"},
     "x['CONTENT_LENGTH'] == '0' and x['wsgi.input'].read() == b''"},
};

/* Three requests each: the first, the second, which the memo keeps, and a repetition. */
static void check_contents(const struct sent *sent, const char *check)
{
    for (int i = 0; i < 3; i++) {
        PyObject *dict = environ_of(sent, memo_section(sent->fields));
        PyObject *value = embedded_evaluate(check, dict);
        if (value == NULL)
            PyErr_Print();
        PyObject *text = PyObject_ASCII(dict);
        ck_assert_msg(value != NULL && PyObject_IsTrue(value) == 1, "%s, at sight %d: %s", sent->name, i + 1,
                      PyUnicode_AsUTF8(text));
        Py_DECREF(text);
        Py_DECREF(value);
        Py_DECREF(dict);
    }
}

START_TEST(environ_holds_what_the_table_says)
{
    check_contents(&contents[_i].sent, contents[_i].check);
}
END_TEST

/* --root-path is "/mnt/café", in UTF-8. */
static const struct {
    const char *line, *script_name, *path_info;
} mounts[] = {
    {"GET /mnt/caf%C3%A9/p HTTP/1.1", "/mnt/caf\\xc3\\xa9", "/p"},
    {"GET /mnt/caf%c3%a9/p/mnt/caf%c3%a9 HTTP/1.1", "/mnt/caf\\xc3\\xa9", "/p/mnt/caf\\xc3\\xa9"},
    {"GET /mnt/caf%C3%A9 HTTP/1.1", "/mnt/caf\\xc3\\xa9", ""},
    {"GET /mnt/caf%C3%A9/ HTTP/1.1", "/mnt/caf\\xc3\\xa9", "/"},
    {"GET /mnt/caf%C3%A9s HTTP/1.1", "/mnt/caf\\xc3\\xa9", "/mnt/caf\\xc3\\xa9s"},
    {"GET /mnt/caf%C3%A9%2fp HTTP/1.1", "/mnt/caf\\xc3\\xa9", "/p"},
    {"GET /%6Dnt/caf%C3%A9/p HTTP/1.1", "/mnt/caf\\xc3\\xa9", "/p"},
    {"GET /mnt/caf HTTP/1.1", "/mnt/caf\\xc3\\xa9", "/mnt/caf"},
    {"GET /p HTTP/1.1", "/mnt/caf\\xc3\\xa9", "/p"},
    {"GET / HTTP/1.1", "/mnt/caf\\xc3\\xa9", "/"},
    {"OPTIONS * HTTP/1.1", "/mnt/caf\\xc3\\xa9", ""},
};

START_TEST(a_proxys_prefix_is_the_script_name_in_its_place)
{
    const struct sent sent = {.name = "a prefix",
                              .line = "GET /mnt/caf%C3%A9/p HTTP/1.1",
                              .fields = HOST "X-Forwarded-Prefix: /b%C3%A9/\r\n",
                              .trusted = true};
    check_contents(&sent, "x['SCRIPT_NAME'] == '/b\\xc3\\xa9' and x['PATH_INFO'] == '/p'");
}
END_TEST

START_TEST(script_name_is_taken_off_the_path)
{
    struct sent sent = {.name = mounts[_i].line, .line = mounts[_i].line, .fields = HOST};
    char *check = xasprintf("x['SCRIPT_NAME'] == '%s' and x['PATH_INFO'] == '%s'", mounts[_i].script_name,
                            mounts[_i].path_info);
    check_contents(&sent, check);
    free(check);
}
END_TEST

#define AGENT "User-Agent: one\r\n"
#define LONG                                                                                                 \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaaaaaaaaaaaa"                                                                                         \
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" \
    "bbbbbbbbbbbbbb"                                                                                         \
    "ccccccccccccccccc"

/* Few header sections, with all variations around them. */
static const struct sent mixed[] = {
    {.name = "plain", .line = GET, .fields = HOST AGENT},
    {.name = "another path", .line = "GET /path%20/?q=1 HTTP/1.1", .fields = HOST AGENT},
    {.name = "another path of the same length", .line = "GET /path%21/?q=1 HTTP/1.1", .fields = HOST AGENT},
    {.name = "another method", .line = "POST / HTTP/1.1", .fields = HOST AGENT},
    {.name = "an older version", .line = "GET / HTTP/1.0", .fields = HOST AGENT},
    {.name = "an absolute form", .line = "GET http://b.example/ HTTP/1.1", .fields = HOST AGENT},
    {.name = "another absolute form", .line = "GET http://c.example/ HTTP/1.1", .fields = HOST AGENT},
    {.name = "the asterisk", .line = "OPTIONS * HTTP/1.1", .fields = HOST AGENT},
    {.name = "a line that is kept", .line = "GET /" LONG " HTTP/1.1", .fields = HOST AGENT},
    {.name = "a line that is too long", .line = "GET /" LONG "d HTTP/1.1", .fields = HOST AGENT},
    {.name = "another one", .line = "GET /" LONG "e HTTP/1.1", .fields = HOST AGENT},
    {.name = "another client", .line = GET, .fields = HOST AGENT, .peer = &other_peer},
    {.name = "another port of the client", .line = GET, .fields = HOST AGENT, .peer = &other_port_peer},
    {.name = "a client without an address", .line = GET, .fields = HOST AGENT, .peer = &unix_peer},
    {.name = "another listener", .line = GET, .fields = HOST AGENT, .local = &secure_local},
    {.name = "no Host", .line = "GET / HTTP/1.0", .fields = AGENT},
    {.name = "no Host, an absolute form", .line = "GET http://b.example/ HTTP/1.0", .fields = AGENT},
    {.name = "another section", .line = GET, .fields = HOST AGENT "A: b\r\nA: c\r\n"},
    {.name = "a proxy", .line = GET, .fields = HOST VIA, .trusted = true},
    {.name = "a proxy, another path", .line = "GET /b HTTP/1.1", .fields = HOST VIA, .trusted = true},
    {.name = "a proxy, an absolute form",
     .line = "GET http://c.example/ HTTP/1.1",
     .fields = HOST VIA,
     .trusted = true},
    {.name = "a proxy, another listener",
     .line = GET,
     .fields = HOST VIA,
     .local = &secure_local,
     .trusted = true},
    {.name = "who poses as one", .line = GET, .fields = HOST VIA},
    {.name = "who poses as one, another path", .line = "GET /b HTTP/1.1", .fields = HOST VIA},
    {.name = "a proxy's port", .line = GET, .fields = HOST "X-Forwarded-Port: 81\r\n", .trusted = true},
    {.name = "a proxy's port, an absolute form",
     .line = "GET http://c.example/ HTTP/1.1",
     .fields = HOST "X-Forwarded-Port: 81\r\n",
     .trusted = true},
    {.name = "an id", .line = GET, .fields = HOST AGENT, .id = "4a"},
    {.name = "another id", .line = GET, .fields = HOST AGENT, .id = "4b"},
    {.name = "a body", .line = "POST / HTTP/1.1", .fields = HOST "Content-Length: 3\r\n", .body = "abc"},
    {.name = "another body",
     .line = "POST / HTTP/1.1",
     .fields = HOST "Content-Length: 3\r\n",
     .body = "def"},
    {.name = "chunks",
     .line = "POST / HTTP/1.1",
     .fields = HOST "Transfer-Encoding: chunked\r\n",
     .body = "abc"},
    {.name = "longer chunks",
     .line = "POST / HTTP/1.1",
     .fields = HOST "Transfer-Encoding: chunked\r\n",
     .body = "abcd"},
    {.name = "no chunks", .line = "POST / HTTP/1.1", .fields = HOST "Transfer-Encoding: chunked\r\n"},
};
enum { MIXED = UNIT_ROWS(mixed) };

/* An environ with its input read out, for comparisons. */
static PyObject *comparable(const struct sent *sent, struct header_section *section)
{
    PyObject *dict = environ_of(sent, section);
    PyObject *bytes = embedded_evaluate("x['wsgi.input'].read()", dict);
    ck_assert_int_eq(PyDict_SetItemString(dict, "wsgi.input", bytes), 0);
    Py_DECREF(bytes);
    return dict;
}

static void assert_same(PyObject *dict, PyObject *expected, const char *name, const char *after,
                        const char *before)
{
    if (PyObject_RichCompareBool(dict, expected, Py_EQ) == 1)
        return;
    PyObject *pair = Py_BuildValue("(OO)", dict, expected);
    PyObject *difference = embedded_evaluate("ascii([(k, x[0].get(k), x[1].get(k)) for k in {**x[0], **x[1]} "
                                             "if x[0].get(k) != x[1].get(k)])",
                                             pair);
    ck_abort_msg("%s, after %s, after %s: %s", name, after, before, PyUnicode_AsUTF8(difference));
}

/* All orders of any three requests: row _i comes first. Changes of the application to its environ
 * must not show in the next one. */
START_TEST(no_request_shows_in_the_environ_of_another)
{
    PyObject *expected[MIXED];
    for (int i = 0; i < MIXED; i++)
        expected[i] = comparable(&mixed[i], fake_section(mixed[i].fields));
    for (int n = 0; n < MIXED * MIXED; n++) {
        const int order[] = {_i, n / MIXED, n % MIXED};
        for (int i = 0; i < 3; i++) {
            const struct sent *sent = &mixed[order[i]];
            PyObject *dict = comparable(sent, memo_section(sent->fields));
            assert_same(dict, expected[order[i]], sent->name, mixed[order[i > 0 ? i - 1 : 0]].name,
                        mixed[order[0]].name);
            if (n % 2 == 0)
                PyDict_Clear(dict);
            for (Py_ssize_t at = 0; n % 2 == 1;) {
                PyObject *b_key, *b_value;
                if (!PyDict_Next(dict, &at, &b_key, &b_value))
                    break;
                PyDict_SetItem(dict, b_key, Py_None);
            }
            Py_DECREF(dict);
        }
    }
    for (int i = 0; i < MIXED; i++)
        Py_DECREF(expected[i]);
}
END_TEST

START_TEST(environs_leave_nothing_behind)
{
    long before = 0;
    for (int i = 0; i < 400; i++) {
        if (i == 200)
            before = fake_blocks();
        for (int n = 0; n < MIXED; n++)
            Py_DECREF(environ_of(&mixed[n], memo_section(mixed[n].fields)));
        Py_DECREF(environ_of(&mixed[i % MIXED], fake_section(mixed[i % MIXED].fields)));
    }
    ck_assert_int_le(fake_blocks() - before, 50);
}
END_TEST

/* The value of the field A in an environ, borrowed; the environ itself is freed. */
static PyObject *value_of_a(const char *fields)
{
    const struct sent sent = {.name = "a", .line = GET, .fields = fields};
    PyObject *dict = environ_of(&sent, memo_section(fields));
    PyObject *value = PyDict_GetItemString(dict, "HTTP_A");
    Py_INCREF(value);
    Py_DECREF(dict);
    return value;
}

#define KEPT_FIELDS HOST "A: a value of some length\r\n"

/* One call of the thread with this trio: the environ has its function. A new reference. */
static PyObject *environ_for(struct responder_trio *of)
{
    struct fake_call fake;
    fake_open(&fake, GET, memo_section(KEPT_FIELDS), NULL);
    ck_assert_int_eq(responder_begin(of, &fake.call), 0);
    PyObject *dict = environ_new(&fake.call, of->client_disconnected);
    ck_assert_ptr_eq(PyDict_GetItemString(dict, "gateway.client_disconnected"), of->client_disconnected);
    responder_end(of);
    fake_close(&fake);
    return dict;
}

START_TEST(a_thread_uses_its_functions_again_though_templates_hold_one)
{
    PyObject *b_first = trio.client_disconnected;
    for (int i = 0; i < 4; i++) {
        Py_DECREF(environ_for(&trio));
        ck_assert_ptr_eq(trio.client_disconnected, b_first);
    }
    memo_free(memo);
    memo = memo_new();
    environ_free_discarded();
    ck_assert_int_eq(Py_REFCNT(b_first), 1);
    Py_DECREF(environ_for(&trio));
    ck_assert_ptr_eq(trio.client_disconnected, b_first);
}
END_TEST

START_TEST(threads_that_share_a_template_use_their_own_functions_again)
{
    struct responder_trio others = {NULL, NULL, NULL, NULL};
    Py_DECREF(environ_for(&trio));
    Py_DECREF(environ_for(&others));
    PyObject *b_first = trio.client_disconnected, *b_second = others.client_disconnected;
    for (int i = 0; i < 4; i++) {
        Py_DECREF(environ_for(&trio));
        Py_DECREF(environ_for(&others));
        ck_assert_ptr_eq(trio.client_disconnected, b_first);
        ck_assert_ptr_eq(others.client_disconnected, b_second);
    }
    responder_free(&others);
}
END_TEST

START_TEST(an_environ_that_is_kept_keeps_its_function_from_the_next)
{
    PyObject *before = NULL;
    for (int i = 0; i < 4; i++) {
        PyObject *dict = environ_for(&trio);
        if (before != NULL)
            ck_assert_ptr_ne(PyDict_GetItemString(before, "gateway.client_disconnected"),
                             trio.client_disconnected);
        Py_XDECREF(before);
        before = dict;
    }
    Py_DECREF(before);
}
END_TEST

START_TEST(the_first_sight_of_a_section_keeps_nothing)
{
    PyObject *value = value_of_a(KEPT_FIELDS);
    ck_assert_int_eq(Py_REFCNT(value), 1);
    Py_DECREF(value);
}
END_TEST

START_TEST(the_template_goes_with_the_memo)
{
    Py_DECREF(value_of_a(KEPT_FIELDS));
    PyObject *value = value_of_a(KEPT_FIELDS);
    ck_assert_int_eq(Py_REFCNT(value), 2);
    PyObject *again = value_of_a(KEPT_FIELDS);
    ck_assert_ptr_eq(again, value);
    Py_DECREF(again);
    memo_free(memo);
    memo = NULL;
    environ_free_discarded();
    ck_assert_int_eq(Py_REFCNT(value), 1);
    Py_DECREF(value);
}
END_TEST

/* Offers other sections until the section's place in the memo is taken. */
static void evict(const char *fields)
{
    unsigned place, slot;
    struct header_section *section = fake_section(fields);
    ck_assert_ptr_nonnull(memo_find(memo, section->bytes, &place));
    for (int i = 0; memo_find(memo, section->bytes, &slot) != NULL; i++) {
        char *other = xasprintf("X: %d\r\n", i);
        struct header_section *offered = fake_section(other);
        memo_offer(memo, offered, &slot);
        memo_offer(memo, offered, &slot);
        header_section_unref(offered);
        free(other);
    }
    header_section_unref(section);
}

START_TEST(the_template_goes_when_the_memo_evicts_its_section)
{
    Py_DECREF(value_of_a(KEPT_FIELDS));
    PyObject *value = value_of_a(KEPT_FIELDS);
    evict(KEPT_FIELDS);
    environ_free_discarded();
    ck_assert_int_eq(Py_REFCNT(value), 1);
    Py_DECREF(value);
}
END_TEST

START_TEST(a_request_under_way_keeps_an_evicted_template)
{
    const struct sent sent = {.name = "a", .line = GET, .fields = KEPT_FIELDS};
    Py_DECREF(value_of_a(KEPT_FIELDS));
    PyObject *value = value_of_a(KEPT_FIELDS);
    struct header_section *section = memo_section(KEPT_FIELDS);
    evict(KEPT_FIELDS);
    ck_assert_int_eq(Py_REFCNT(value), 2);
    PyObject *dict = environ_of(&sent, section); /* releases the section */
    ck_assert_ptr_eq(PyDict_GetItemString(dict, "HTTP_A"), value);
    Py_DECREF(dict);
    environ_free_discarded();
    ck_assert_int_eq(Py_REFCNT(value), 1);
    Py_DECREF(value);
}
END_TEST

/* The loop drops sections without the GIL. */
START_TEST(a_template_waits_for_the_gil_to_be_freed)
{
    Py_DECREF(value_of_a(KEPT_FIELDS));
    PyObject *value = value_of_a(KEPT_FIELDS);
    gil_release();
    memo_free(memo);
    memo = NULL;
    gil_take();
    ck_assert_int_eq(Py_REFCNT(value), 2);
    environ_free_discarded();
    ck_assert_int_eq(Py_REFCNT(value), 1);
    Py_DECREF(value);
}
END_TEST

/* Invented names fill the table of known names. Those of the server must not suffer. */
START_TEST(a_flood_of_names_does_not_disturb_host_and_cookies)
{
    char *fields = xstrdup("");
    for (int i = 0; i < 600; i++) {
        char *longer = xasprintf("%sX-Invented-%d: %d\r\n", fields, i, i);
        free(fields);
        fields = longer;
    }
    const struct sent flood = {.name = "a flood", .line = "GET / HTTP/1.0", .fields = fields};
    check_contents(&flood,
                   "[x['HTTP_X_INVENTED_%d' % i] for i in range(600)] == [str(i) for i in range(600)]");
    const struct sent sent = {
        .name = "after it", .line = GET, .fields = HOST "Cookie: a=1\r\nCookie: b=2\r\nTE: x\r\nTE: y\r\n"};
    check_contents(
        &sent, "x['HTTP_HOST'] == 'a.example' and x['HTTP_COOKIE'] == 'a=1; b=2' and x['HTTP_TE'] == 'x, y'");
    free(fields);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, start, stop);
    unit_add_rows(tests, environ_holds_what_the_table_says, contents);
    unit_add_rows(tests, no_request_shows_in_the_environ_of_another, mixed);
    tcase_add_test(tests, environs_leave_nothing_behind);
    tcase_add_test(tests, a_thread_uses_its_functions_again_though_templates_hold_one);
    tcase_add_test(tests, threads_that_share_a_template_use_their_own_functions_again);
    tcase_add_test(tests, an_environ_that_is_kept_keeps_its_function_from_the_next);
    tcase_add_test(tests, the_first_sight_of_a_section_keeps_nothing);
    tcase_add_test(tests, the_template_goes_with_the_memo);
    tcase_add_test(tests, the_template_goes_when_the_memo_evicts_its_section);
    tcase_add_test(tests, a_request_under_way_keeps_an_evicted_template);
    tcase_add_test(tests, a_template_waits_for_the_gil_to_be_freed);
    tcase_add_test(tests, a_flood_of_names_does_not_disturb_host_and_cookies);
}

static void add_mounted(TCase *tests)
{
    tcase_add_checked_fixture(tests, start_mounted, stop);
    unit_add_rows(tests, script_name_is_taken_off_the_path, mounts);
    tcase_add_test(tests, a_proxys_prefix_is_the_script_name_in_its_place);
}

int main(void)
{
    int result = unit_run("py/environ", add);
    return unit_run("py/environ below a root path", add_mounted) == EXIT_SUCCESS ? result : EXIT_FAILURE;
}
