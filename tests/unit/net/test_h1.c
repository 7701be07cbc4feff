/*
 * HTTP/1 on a connection: bytes in, bytes out, and the fate of the connection, however the bytes
 * arrive.
 */
#include "net/h1.h"

#include <sys/socket.h>
#include <unistd.h>

#include "net_fixture.h"

#define HOST       "Host: a\r\n"
#define GET(path)  "GET " path " HTTP/1.1\r\n" HOST "\r\n"
#define OLD(path)  "GET " path " HTTP/1.0\r\n\r\n"
#define LAST(path) "GET " path " HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"
#define POST(size) "POST /echo HTTP/1.1\r\n" HOST "Content-Length: " size "\r\n\r\n"
#define CHUNKS     "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
#define EXPECT     "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"

#define OK(length)  "HTTP/1.1 200 OK\r\n~\r\nContent-Length: " length "\r\n"
#define HELLO       OK("5") "\r\nhello"
#define HELLO_CLOSE OK("5") "Connection: close\r\n\r\nhello"
#define CHUNKED     "HTTP/1.1 200 OK\r\n~\r\nTransfer-Encoding: chunked\r\n"
#define PIECES      "3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n"
#define ERROR(status, length)                                                                \
    "HTTP/1.1 " status "\r\nContent-Type: text/plain\r\n~\r\nContent-Length: " length "\r\n" \
    "Connection: close\r\n\r\n" status "\n"
#define BAD ERROR("400 Bad Request", "16")

/* The fate of the connection. */
enum fate {
    KEPT,
    CLOSED,  /* both ways */
    LINGERS, /* the client saw the end, what it sends is still taken, so that no reset overtakes the answer */
    RESET,
};

enum {
    WHOLE = 1, /* the outcome depends on how the bytes arrive: not to be cut in bytes */
    SHUT = 2,  /* the client closes its sending side after the last byte */
};

static const struct {
    const char *name;
    const char *input;
    const char *output;
    enum fate fate;
    int flags;
} cases[] = {
    {"a request is answered and the connection kept", GET("/hello"), HELLO, KEPT, 0},
    {"Connection: close closes", LAST("/hello"), HELLO_CLOSE, CLOSED, 0},
    {"HTTP/1.0 closes", OLD("/hello"), HELLO_CLOSE, CLOSED, 0},
    {"HTTP/1.0 with keep-alive is kept and told so", "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
     OK("5") "Connection: keep-alive\r\n\r\nhello", KEPT, 0},
    {"unknown length is chunked", GET("/pieces"), CHUNKED "\r\n" PIECES, KEPT, 0},
    {"unknown length to HTTP/1.0 ends with the connection", OLD("/pieces"),
     "HTTP/1.1 200 OK\r\n~\r\nConnection: close\r\n\r\nonetwothree", CLOSED, 0},
    {"unknown length to HTTP/1.0 closes in spite of keep-alive",
     "GET /pieces HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
     "HTTP/1.1 200 OK\r\n~\r\nConnection: close\r\n\r\nonetwothree", LINGERS, 0},
    {"several chunks in one call are one chunk, its end with them", GET("/list"),
     CHUNKED "\r\nb\r\nonetwothree\r\n0\r\n\r\n", KEPT, 0},
    {"nothing, known", GET("/nothing"), OK("0") "\r\n", KEPT, 0},
    {"nothing, not known", GET("/nothing-unknown"), CHUNKED "\r\n0\r\n\r\n", KEPT, 0},
    {"nothing, not known, to HTTP/1.0", OLD("/nothing-unknown"),
     "HTTP/1.1 200 OK\r\n~\r\nConnection: close\r\n\r\n", CLOSED, 0},
    {"204 has no body even when there is one", GET("/no-content"), "HTTP/1.1 204 No Content\r\n~\r\n\r\n",
     KEPT, 0},
    {"a file", GET("/file"), OK("8") "\r\nthe file", KEPT, 0},
    {"HEAD has the head alone", "HEAD /hello HTTP/1.1\r\n" HOST "\r\n", OK("5") "\r\n", KEPT, 0},
    {"HEAD of a chunked answer", "HEAD /pieces HTTP/1.1\r\n" HOST "\r\n", "HTTP/1.1 200 OK\r\n~\r\n\r\n",
     KEPT, 0},
    {"HEAD of a file", "HEAD /file HTTP/1.1\r\n" HOST "\r\n", OK("8") "\r\n", KEPT, 0},
    {"HEAD of an error keeps the connection in step", "HEAD /fail HTTP/1.1\r\n" HOST "\r\n" GET("/hello"),
     "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\n~\r\nContent-Length: "
     "26\r\n\r\n" HELLO,
     KEPT, 0},

    {"three requests at once are answered in order", GET("/hello") GET("/nothing") GET("/list"),
     HELLO OK("0") "\r\n" CHUNKED "\r\nb\r\nonetwothree\r\n0\r\n\r\n", KEPT, 0},
    {"a body between two requests ends where it ends", POST("5") "12345" GET("/hello"),
     OK("5") "\r\n12345" HELLO, KEPT, 0},
    {"a chunked body between two requests", CHUNKS "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" GET("/hello"),
     OK("5") "\r\nabcde" HELLO, KEPT, 0},
    {"what follows a last request is never run", LAST("/hello") GET("/nothing"), HELLO_CLOSE, LINGERS, WHOLE},
    {"what follows a refused request is never run", "GET /hello HTTP/1.1\r\n\r\n" GET("/nothing"), BAD,
     LINGERS, 0},
    {"empty lines before a request are skipped", "\r\n\r\n" GET("/hello") "\r\n" GET("/hello"), HELLO HELLO,
     KEPT, 0},
    {"half a request after a whole one waits", GET("/hello") "GET /hello HT", HELLO, KEPT, 0},
    {"a body of no bytes", POST("0"), OK("0") "\r\n", KEPT, 0},

    {"100 is sent when the body is waited for", EXPECT, "HTTP/1.1 100 Continue\r\n\r\n", KEPT, 0},
    {"no 100 when the body is there already", EXPECT "12345", OK("5") "\r\n12345", KEPT, WHOLE},
    {"no 100 to HTTP/1.0", "POST /echo HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n", "",
     KEPT, 0},
    {"no 100 without a body",
     "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 0\r\nExpect: 100-continue\r\n\r\n", OK("0") "\r\n", KEPT,
     0},
    {"no 100 for a body that is too large",
     "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3000\r\nExpect: 100-continue\r\n\r\n",
     ERROR("413 Content Too Large", "22"), LINGERS, 0},
    {"another expectation is refused",
     "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\nExpect: tea\r\n\r\n",
     ERROR("417 Expectation Failed", "23"), LINGERS, 0},

    {"a declared body that is too large is refused unread", POST("3000") "123",
     ERROR("413 Content Too Large", "22"), LINGERS, 0},
    {"a chunked body that becomes too large", CHUNKS "fff\r\n", ERROR("413 Content Too Large", "22"), LINGERS,
     0},
    {"a bad chunk", CHUNKS "3\r\nabcX\r\n", BAD, LINGERS, 0},
    {"a bad request line", "nonsense\r\n\r\n", BAD, LINGERS, 0},
    {"a bad field line", "GET / HTTP/1.1\r\n" HOST "a b: c\r\n\r\n", BAD, LINGERS, 0},
    {"a bare LF", "GET / HTTP/1.1\n\n", BAD, LINGERS, 0},
    {"another version", "GET / HTTP/2.0\r\n" HOST "\r\n", ERROR("505 HTTP Version Not Supported", "31"),
     LINGERS, 0},
    {"CONNECT", "CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n", ERROR("501 Not Implemented", "20"), LINGERS, 0},
    {"a TLS client that waits for an answer", "\x16\x03\x01\x02", BAD, LINGERS, 0},
    {"a TLS client", "\x16\x03\x01\x02\n", BAD, LINGERS, 0},
    {"a refused HEAD has no body", "HEAD / HTTP/1.1\r\n\r\n",
     "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n~\r\nContent-Length: 16\r\nConnection: "
     "close\r\n\r\n",
     LINGERS, 0},

    {"a handler that fails answers 500 and keeps the connection", GET("/fail") GET("/hello"),
     "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\n~\r\nContent-Length: 26\r\n\r\n"
     "500 Internal Server Error\n" HELLO,
     KEPT, 0},
    {"a failure replaces a head that has not left", GET("/fail-started"),
     "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\n~\r\nContent-Length: 26\r\n\r\n"
     "500 Internal Server Error\n",
     KEPT, 0},
    {"a late failure has no last chunk", GET("/fail-late"), CHUNKED "\r\n5\r\nbegun\r\n", LINGERS, 0},
    {"a late failure to HTTP/1.0 is a reset", OLD("/fail-late"), NULL, RESET, 0},
    {"a cut before the head", GET("/cut"), "", LINGERS, 0},
    {"a body shorter than its length ends the connection", GET("/short"), OK("10") "\r\nshort", LINGERS, 0},
    {"a body longer than its length is cut, the connection kept", GET("/long") GET("/hello"),
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n~\r\n\r\nhello" HELLO, KEPT, 0},
    {"a file that is shorter than promised is a reset", GET("/file-short"), NULL, RESET, 0},
    {"a file that is shorter than promised is a reset to HTTP/1.0", OLD("/file-short-unknown"), NULL, RESET,
     0},

    {"a client that will send no more is answered", GET("/hello"), HELLO, CLOSED, SHUT},
    {"a client that will send no more gets all its answers", GET("/pieces") GET("/hello"),
     CHUNKED "\r\n" PIECES HELLO, CLOSED, SHUT},
    {"the end between requests", "", "", CLOSED, SHUT},
    {"the end after empty lines", "\r\n\r\n", "", CLOSED, SHUT},
    {"the end in a request line", "GET /hel", BAD, CLOSED, SHUT},
    {"the end in a head", "GET /hello HTTP/1.1\r\n" HOST, BAD, CLOSED, SHUT},
    {"the end in a body", POST("5") "123", BAD, CLOSED, SHUT},
    {"the end in a chunked body", CHUNKS "3\r\nabc\r\n", BAD, CLOSED, SHUT},
    {"the end in the second head", GET("/hello") "GET", HELLO BAD, CLOSED, SHUT},
};

/* The head of "/short" and "/long" has its length where the application put it. */
static const char *expected(int row)
{
    if (strcmp(cases[row].input, GET("/short")) == 0)
        return "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n~\r\n\r\nshort";
    return cases[row].output;
}

static enum client_end end_of(enum fate fate)
{
    return fate == KEPT ? CLIENT_OPEN : fate == RESET ? CLIENT_RESET : CLIENT_ENDED;
}

/* How long a transcript was before Server and Date were shortened. */
static size_t received_size(const char *transcript)
{
    size_t size = strlen(transcript);
    for (const char *at = transcript; (at = strstr(at, "~\r\n")) != NULL; at++)
        size += strlen("Server: gateway\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n") - 3;
    return size;
}

/* An interim answer would disturb the count: it is read when it comes. */
static void run_case(int row, size_t step)
{
    struct fixture fixture;
    struct client client;
    const char *name = cases[row].name, *output = expected(row);
    size_t size = strlen(cases[row].input);
    enum client_end end = end_of(cases[row].fate);
    fixture_start(&fixture, "--limit-request-body 2000");
    client_open_tcp(&client, &fixture);
    for (size_t at = 0; at < size; at += step)
        client_send(&client, &fixture, cases[row].input + at, step < size - at ? step : size - at);
    if (cases[row].flags & SHUT)
        shutdown(client.fd, SHUT_WR);
    client_await(&client, &fixture, output != NULL ? received_size(output) : 0, end, 20000);
    char *transcript = client_transcript(&client);
    if (output != NULL)
        unit_assert_bytes(name, transcript, strlen(transcript), output, strlen(output));
    ck_assert_msg(client.end == end, "%s: the connection is %d, not %d", name, client.end, end);
    bool open = cases[row].fate == KEPT || cases[row].fate == LINGERS;
    ck_assert_msg(fixture.loop->open_count == open, "%s: %zu connections are open", name,
                  fixture.loop->open_count);
    free(transcript);
    client_close(&client);
    fixture_stop(&fixture);
}

START_TEST(the_outcome_is_that_of_the_table)
{
    run_case(_i, strlen(cases[_i].input) + 1);
}
END_TEST

START_TEST(the_outcome_is_the_same_byte_by_byte)
{
    if (!(cases[_i].flags & WHOLE))
        run_case(_i, 1);
}
END_TEST

/* The client's header section is known from the second request on. That is another path through the
 * code. */
START_TEST(the_outcome_is_the_same_after_others_like_it)
{
    struct fixture fixture;
    fixture_start(&fixture, "--limit-request-body 2000");
    for (int i = 0; i < 4; i++) {
        struct client client;
        enum client_end end = end_of(cases[_i].fate);
        const char *output = expected(_i);
        client_open_tcp(&client, &fixture);
        client_say(&client, &fixture, cases[_i].input);
        if (cases[_i].flags & SHUT)
            shutdown(client.fd, SHUT_WR);
        client_await(&client, &fixture, output != NULL ? received_size(output) : 0, end, 20000);
        char *transcript = client_transcript(&client);
        if (output != NULL)
            unit_assert_bytes(cases[_i].name, transcript, strlen(transcript), output, strlen(output));
        ck_assert_msg(client.end == end, "%s: the connection is %d, not %d", cases[_i].name, client.end, end);
        free(transcript);
        client_close(&client);
        fixture_await_open(&fixture, 0);
    }
    fixture_stop(&fixture);
}
END_TEST

START_TEST(requests_and_connections_are_counted)
{
    struct fixture fixture;
    struct client client;
    fixture_start(&fixture, "");
    client_open_tcp(&client, &fixture);
    ck_assert_uint_eq(scoreboard_get(fixture.row.accepted), 1);
    ck_assert_uint_eq(scoreboard_get(fixture.row.connections), 1);
    client_say(&client, &fixture, GET("/hello") GET("/fail") "bad\r\n\r\n");
    client_await(&client, &fixture, 1, CLIENT_ENDED, 20000);
    ck_assert_uint_eq(scoreboard_get(fixture.row.requests), 3);
    ck_assert_uint_gt(scoreboard_get(fixture.row.progress), 0);
    client_close(&client);
    fixture_await_open(&fixture, 0);
    ck_assert_uint_eq(scoreboard_get(fixture.row.accepted), 1);
    fixture_stop(&fixture);
}
END_TEST

START_TEST(many_pipelined_requests_are_all_answered)
{
    enum { REQUESTS = 3000 };
    struct fixture fixture;
    struct client client;
    char input[REQUESTS * 32 + 1];
    size_t size = 0;
    for (int i = 0; i < REQUESTS; i++)
        size += (size_t)snprintf(input + size, sizeof(input) - size, GET("/hello"));
    fixture_start(&fixture, "");
    client_open_unix(&client, &fixture);
    client_send(&client, &fixture, input, size);
    size_t one = received_size(HELLO);
    client_await(&client, &fixture, REQUESTS * one, CLIENT_OPEN, 20000);
    ck_assert_uint_eq(client.size, REQUESTS * one);
    client_close(&client);
    fixture_stop(&fixture);
}
END_TEST

static const struct {
    const char *name;
    size_t size;
} uploads[] = {
    {"in memory", 60000},
    {"just what memory takes", 64 * 1024},
    {"one more than memory takes", 64 * 1024 + 1},
    {"in a file", 3000000},
};

START_TEST(an_upload_arrives_whole)
{
    struct fixture fixture;
    struct client client;
    size_t size = uploads[_i].size;
    char head[128], *body = malloc(size);
    for (size_t i = 0; i < size; i++)
        body[i] = big_byte(i);
    fixture_start(&fixture, "");
    client_open_unix(&client, &fixture);
    snprintf(head, sizeof(head), "POST /echo HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n", size);
    client_say(&client, &fixture, head);
    client_send(&client, &fixture, body, size);
    client_await(&client, &fixture, size + 80, CLIENT_OPEN, 20000);
    ck_assert_uint_gt(client.size, size);
    ck_assert_msg(memcmp(client.got + client.size - size, body, size) == 0, "%s", uploads[_i].name);
    free(body);
    client_close(&client);
    fixture_stop(&fixture);
}
END_TEST

START_TEST(a_body_that_cannot_be_kept_is_503)
{
    struct fixture fixture;
    struct client client;
    char block[70000] = {0};
    fixture_start(&fixture, "--tmp-dir /nonexistent");
    client_open_tcp(&client, &fixture);
    client_say(&client, &fixture, POST("100000"));
    client_send(&client, &fixture, block, sizeof(block));
    client_await(&client, &fixture, 100, CLIENT_ENDED, 20000);
    char *transcript = client_transcript(&client);
    ck_assert_str_eq(transcript,
                     "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nRetry-After: 1\r\n~\r\n"
                     "Content-Length: 24\r\nConnection: close\r\n\r\n503 Service Unavailable\n");
    free(transcript);
    client_close(&client);
    fixture_stop(&fixture);
}
END_TEST

static const struct {
    const char *name, *options, *input, *output;
    int least_ms, most_ms;
    bool resets;
} timeouts[] = {
    {"a connection that never sends", "--header-timeout 200ms", "", "", 200, 8000, false},
    {"an idle connection", "--keep-alive 200ms", GET("/hello"), HELLO, 200, 8000, false},
    {"empty lines are not a request", "--header-timeout 200ms", "\r\n", "", 200, 8000, false},
    {"empty lines after a request are none either", "--keep-alive 200ms", GET("/hello") "\r\n", HELLO, 200,
     8000, false},
    {"one that never sends the PROXY protocol's header",
     "--header-timeout 200ms --forwarded-allow-ips 192.0.2.7 --proxy-protocol v1", "", "", 200, 8000, false},
    {"one that never sends after the PROXY protocol's header",
     "--header-timeout 200ms --forwarded-allow-ips 192.0.2.7 --proxy-protocol v1",
     "PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\n", "", 200, 8000, false},
    {"a head that does not end", "--header-timeout 200ms", "GET /", ERROR("408 Request Timeout", "20"), 200,
     8000, false},
    {"the second head", "--header-timeout 200ms", GET("/hello") "GET /",
     HELLO ERROR("408 Request Timeout", "20"), 200, 8000, false},
    {"a body that stands still", "--body-timeout 200ms", POST("5") "123", ERROR("408 Request Timeout", "20"),
     200, 8000, false},
    {"a body that never begins", "--body-timeout 200ms", EXPECT,
     "HTTP/1.1 100 Continue\r\n\r\n" ERROR("408 Request Timeout", "20"), 200, 8000, false},
};

START_TEST(a_slow_client_is_told_in_time)
{
    struct fixture fixture;
    struct client client;
    fixture_start(&fixture, timeouts[_i].options);
    client_open_tcp(&client, &fixture);
    uint64_t begun = clock_ms();
    client_say(&client, &fixture, timeouts[_i].input);
    client_await(&client, &fixture, received_size(timeouts[_i].output), CLIENT_ENDED, 9000);
    uint64_t took = clock_ms() - begun;
    char *transcript = client_transcript(&client);
    ck_assert_str_eq(transcript, timeouts[_i].output);
    ck_assert_msg(took + 10 >= (uint64_t)timeouts[_i].least_ms && took <= (uint64_t)timeouts[_i].most_ms,
                  "%s: took %d ms", timeouts[_i].name, (int)took);
    free(transcript);
    client_close(&client);
    fixture_stop(&fixture);
}
END_TEST

START_TEST(a_head_may_not_be_stretched_byte_by_byte)
{
    struct fixture fixture;
    struct client client;
    fixture_start(&fixture, "--header-timeout 300ms");
    client_open_tcp(&client, &fixture);
    client_say(&client, &fixture, "GET /");
    for (int i = 0; i < 40 && client.end == CLIENT_OPEN; i++) {
        client_say(&client, &fixture, "a");
        client_await(&client, &fixture, 1, CLIENT_ENDED, 25);
    }
    ck_assert_int_eq(client.end, CLIENT_ENDED);
    ck_assert_ptr_nonnull(strstr(client.got, " 408 "));
    client_close(&client);
    fixture_stop(&fixture);
}
END_TEST

START_TEST(a_body_that_progresses_may_take_longer)
{
    struct fixture fixture;
    struct client client;
    fixture_start(&fixture, "--body-timeout 2s");
    client_open_tcp(&client, &fixture);
    client_say(&client, &fixture, POST("10"));
    for (int i = 0; i < 10; i++) {
        client_await(&client, &fixture, 1, CLIENT_OPEN, 250);
        client_say(&client, &fixture, "a");
    }
    client_await(&client, &fixture, received_size(OK("10") "\r\naaaaaaaaaa"), CLIENT_OPEN, 20000);
    char *transcript = client_transcript(&client);
    ck_assert_str_eq(transcript, OK("10") "\r\naaaaaaaaaa");
    free(transcript);
    client_close(&client);
    fixture_stop(&fixture);
}
END_TEST

START_TEST(lingering_discards_and_ends)
{
    struct fixture fixture;
    struct client client;
    char block[10000] = {0};
    fixture_start(&fixture, "");
    client_open_tcp(&client, &fixture);
    client_say(&client, &fixture, POST("2g"));
    uint64_t begun = clock_ms();
    client_await(&client, &fixture, 100, CLIENT_ENDED, 20000);
    for (int i = 0; i < 100; i++)
        client_send(&client, &fixture, block, sizeof(block));
    ck_assert_uint_eq(fixture.loop->open_count, 1);
    while (fixture.loop->open_count > 0 && clock_ms() - begun < 30000) {
        fixture_turn(&fixture);
        usleep(5000);
    }
    ck_assert_uint_ge(clock_ms() - begun + 10, 2000);
    ck_assert_uint_eq(fixture.loop->open_count, 0);
    client_close(&client);
    fixture_stop(&fixture);
}
END_TEST

static const struct {
    const char *name, *input, *later, *output;
    enum fate fate;
} drains[] = {
    {"a connection that has sent nothing ends", "", NULL, "", LINGERS},
    {"an idle connection ends", GET("/hello"), NULL, HELLO, LINGERS},
    {"a head under way is answered, then the connection ends", "GET /hello HTTP/1.1\r\n", HOST "\r\n",
     HELLO_CLOSE, CLOSED},
    {"a body under way is answered", POST("5") "12", "345", OK("5") "Connection: close\r\n\r\n12345", CLOSED},
};

START_TEST(draining_ends_what_is_idle_and_answers_what_is_not)
{
    struct fixture fixture;
    struct client client;
    enum client_end end = end_of(drains[_i].fate);
    fixture_start(&fixture, "");
    client_open_tcp(&client, &fixture);
    client_say(&client, &fixture, drains[_i].input);
    client_await(&client, &fixture, drains[_i].later != NULL ? 0 : received_size(drains[_i].output),
                 CLIENT_OPEN, 1000);
    loop_drain(fixture.loop);
    if (drains[_i].later != NULL)
        client_say(&client, &fixture, drains[_i].later);
    client_await(&client, &fixture, received_size(drains[_i].output), end, 20000);
    char *transcript = client_transcript(&client);
    ck_assert_str_eq(transcript, drains[_i].output);
    ck_assert_int_eq(client.end, end);
    free(transcript);
    client_close(&client);
    fixture_stop(&fixture);
}
END_TEST

START_TEST(a_request_that_arrives_with_the_drain_is_answered)
{
    struct fixture fixture;
    struct client client;
    fixture_start(&fixture, "");
    client_open_tcp(&client, &fixture);
    fixture_turn(&fixture);
    ck_assert_int_gt(send(client.fd, GET("/hello"), strlen(GET("/hello")), 0), 0);
    loop_drain(fixture.loop);
    client_await(&client, &fixture, received_size(HELLO_CLOSE), CLIENT_ENDED, 20000);
    char *transcript = client_transcript(&client);
    ck_assert_str_eq(transcript, HELLO_CLOSE);
    free(transcript);
    client_close(&client);
    fixture_stop(&fixture);
}
END_TEST

/* Idle connections stay: their clients have not been told. */
START_TEST(before_a_stop_each_answer_ends_its_connection)
{
    struct fixture fixture;
    struct client asking, idle;
    fixture_start(&fixture, "");
    client_open_tcp(&asking, &fixture);
    client_open_tcp(&idle, &fixture);
    client_say(&asking, &fixture, GET("/hello"));
    client_await(&asking, &fixture, received_size(HELLO), CLIENT_OPEN, 20000);
    client_say(&idle, &fixture, GET("/hello"));
    client_await(&idle, &fixture, received_size(HELLO), CLIENT_OPEN, 20000);
    fixture.loop->unready = true;
    client_say(&asking, &fixture, GET("/hello"));
    client_await(&asking, &fixture, received_size(HELLO HELLO_CLOSE), CLIENT_ENDED, 20000);
    client_await(&idle, &fixture, received_size(HELLO), CLIENT_OPEN, 20);
    char *transcript = client_transcript(&asking);
    ck_assert_str_eq(transcript, HELLO HELLO_CLOSE);
    ck_assert_int_eq(asking.end, CLIENT_ENDED);
    ck_assert_int_eq(idle.end, CLIENT_OPEN);
    free(transcript);
    client_close(&asking);
    client_close(&idle);
    fixture_stop(&fixture);
}
END_TEST

/* Bytes sent before, and bytes sent together with the end: both are one edge to us. */
static const struct {
    const char *name, *options, *before, *last;
    unsigned answers; /* to what was sent before */
} edges[] = {
    {"nothing", "", GET("/hello"), "", 1},
    {"nothing, and never anything", "", "", "", 0},
    {"an empty line", "", GET("/hello"), "\r\n", 1},
    {"half an empty line", "", GET("/hello"), "\r", 1},
    {"an empty line as the first thing", "", "", "\r\n", 0},
    {"half a head", "", GET("/hello"), "GET /hell", 1},
    {"half a head as the first thing", "", "", "GET /hell", 0},
    {"more of a head", "", GET("/hello") "GET /hel", "lo HTTP/1.1\r\n", 1},
    {"half a body", "", GET("/hello"), POST("5") "12", 1},
    {"more of a body", "", POST("5") "12", "3", 0},
    {"a head whose body is waited for", "", GET("/hello"), EXPECT, 1},
    {"half a chunk", "", GET("/hello"), CHUNKS "5\r\n12", 1},
    {"more of a chunk", "", CHUNKS "5\r\n12", "3", 0},
    {"half of a chunk's size", "", CHUNKS, "5", 0},
    {"a chunk without its end", "", CHUNKS, "2\r\n12", 0},
    {"half a trailer", "", CHUNKS "0\r\n", "A: b", 0},
    {"a whole request", "", GET("/hello"), GET("/hello"), 1},
    {"a whole request and half of the next", "", GET("/hello"), GET("/hello") "GET /", 1},
    {"bytes behind a refused request", "", GET("/hello") "bad\r\n\r\n", "more", 2},
    {"half of the PROXY protocol's header", "--forwarded-allow-ips 192.0.2.7 --proxy-protocol v1", "",
     "PROXY TCP4 203.0", 0},
    {"more of the PROXY protocol's header", "--forwarded-allow-ips 192.0.2.7 --proxy-protocol v1",
     "PROXY TCP4 203", ".0", 0},
    {"nothing after the PROXY protocol's header", "--forwarded-allow-ips 192.0.2.7 --proxy-protocol v1", "",
     "PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\n", 0},
};

static void go_by_closing(struct client *client, struct fixture *fixture)
{
    (void)fixture;
    client_receive(client);
    close(client->fd);
}

static void go_by_shutting(struct client *client, struct fixture *fixture)
{
    (void)fixture;
    shutdown(client->fd, SHUT_WR);
}

static void go_by_reset(struct client *client, struct fixture *fixture)
{
    const struct linger at_once = {.l_onoff = 1};
    (void)fixture;
    client_receive(client);
    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(client->fd);
}

/* The kernel sends a reset where an answer was not read. */
static void go_unread(struct client *client, struct fixture *fixture)
{
    (void)fixture;
    close(client->fd);
}

static void (*const goodbyes[])(struct client *client, struct fixture *fixture) = {
    go_by_closing,
    go_by_shutting,
    go_by_reset,
    go_unread,
};
static void (*const transports[])(struct client *client, struct fixture *fixture) = {
    client_open_tcp,
    client_open_unix,
};

/* No time-out ends the connection: each is longer than the test may take. */
static void leave(int row, size_t transport, size_t goodbye, bool watched)
{
    struct fixture fixture;
    struct client client;
    char options[256];
    snprintf(options, sizeof(options),
             "--header-timeout 1h --keep-alive 1h --body-timeout 1h --min-body-rate 0 %s",
             edges[row].options);
    fixture_start(&fixture, options);
    transports[transport](&client, &fixture);
    client_say(&client, &fixture, edges[row].before);
    for (int i = 0; watched && (i < 4 || scoreboard_get(fixture.row.requests) < edges[row].answers); i++)
        fixture_turn(&fixture);
    send(client.fd, edges[row].last, strlen(edges[row].last), MSG_NOSIGNAL);
    goodbyes[goodbye](&client, &fixture);
    for (int i = 0; i < 500 && fixture.loop->open_count > 0; i++) {
        fixture_turn(&fixture);
        usleep(i > 10 ? 2000 : 0);
    }
    ck_assert_msg(fixture.loop->open_count == 0,
                  "%s: transport %zu, end %zu, watched %d: the connection is left", edges[row].name,
                  transport, goodbye, watched);
    for (int i = 0; i < CONNECTION_STATES; i++)
        ck_assert_int_eq(scoreboard_get(fixture.row.connection_states[i]), 0);
    if (goodbyes[goodbye] == go_by_shutting)
        close(client.fd);
    free(client.got);
    fixture_stop(&fixture);
}

START_TEST(a_client_that_ends_within_the_edge_of_its_last_bytes_leaves_nothing_behind)
{
    for (size_t transport = 0; transport < UNIT_ROWS(transports); transport++)
        for (size_t goodbye = 0; goodbye < UNIT_ROWS(goodbyes); goodbye++)
            for (int watched = 0; watched < 2; watched++)
                leave(_i, transport, goodbye, watched);
}
END_TEST

#define PROXIED "--forwarded-allow-ips 192.0.2.7 --proxy-protocol v1"

static const struct {
    const char *name, *options, *seen,
        *unseen; /* what the worker has read of what it was sent, and what it has not */
    bool gives_way;
} rooms[] = {
    {"one that idles", "", GET("/hello"), "", true},
    {"one that has sent an empty line since", "", GET("/hello"), "\r\n", true},
    {"one that has said nothing", "", "", "", true},
    {"one that is in front of the PROXY protocol's header", PROXIED, "", "", true},
    {"one behind it", PROXIED, "PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\n", "", true},
    {"one within it", PROXIED, "PROXY TCP4", "", false},
    {"one within a head", "", GET("/hello") "GET", "", false},
    {"one within a body", "", POST("5") "12", "", false},
    {"one whose request has just come", "", GET("/hello"), GET("/hello"), false},
    {"a new one whose request has just come", "", "", GET("/hello"), false},
};

START_TEST(only_a_connection_that_is_not_in_use_gives_way)
{
    struct fixture fixture;
    struct client client;
    fixture_start(&fixture, rooms[_i].options);
    client_open_tcp(&client, &fixture);
    client_say(&client, &fixture, rooms[_i].seen);
    for (int i = 0; i < 4; i++)
        fixture_turn(&fixture);
    send(client.fd, rooms[_i].unseen, strlen(rooms[_i].unseen), MSG_NOSIGNAL);
    ck_assert_msg(loop_make_room(fixture.loop) == rooms[_i].gives_way, "%s", rooms[_i].name);
    loop_turn(fixture.loop, false);
    ck_assert_msg(fixture.loop->open_count == !rooms[_i].gives_way, "%s", rooms[_i].name);
    ck_assert(!loop_make_room(fixture.loop));
    if (rooms[_i].unseen[0] == 'G') {
        size_t before = client.size;
        client_await(&client, &fixture, before + received_size(HELLO), CLIENT_OPEN, 1000);
        ck_assert_str_eq(client.got + client.size - 5, "hello");
    }
    client_close(&client);
    fixture_stop(&fixture);
}
END_TEST

static const struct {
    const char *name, *last;
    uint64_t lost; /* 499 */
} lost[] = {
    {"nothing", "", 0},
    {"an empty line", "\r\n", 0},
    {"half a head", "GET /hell", 1},
    {"half a body", POST("5") "12", 1},
    {"half a chunk", CHUNKS "5\r\n12", 1},
};

START_TEST(a_reset_within_a_request_is_counted_as_499)
{
    struct fixture fixture;
    struct client client;
    fixture_start(&fixture, "--header-timeout 1h --keep-alive 1h --body-timeout 1h");
    client_open_tcp(&client, &fixture);
    client_say(&client, &fixture, GET("/hello"));
    client_await(&client, &fixture, received_size(HELLO), CLIENT_OPEN, 1000);
    send(client.fd, lost[_i].last, strlen(lost[_i].last), MSG_NOSIGNAL);
    go_by_reset(&client, &fixture);
    fixture_await_open(&fixture, 0);
    ck_assert_msg(scoreboard_get(fixture.row.answers[499 - SCOREBOARD_CODE_MIN]) == lost[_i].lost, "%s",
                  lost[_i].name);
    ck_assert_uint_eq(scoreboard_get(fixture.row.requests), 1 + lost[_i].lost);
    free(client.got);
    fixture_stop(&fixture);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, the_outcome_is_that_of_the_table, cases);
    unit_add_rows(tests, the_outcome_is_the_same_byte_by_byte, cases);
    unit_add_rows(tests, the_outcome_is_the_same_after_others_like_it, cases);
    tcase_add_test(tests, requests_and_connections_are_counted);
    tcase_add_test(tests, many_pipelined_requests_are_all_answered);
    unit_add_rows(tests, an_upload_arrives_whole, uploads);
    tcase_add_test(tests, a_body_that_cannot_be_kept_is_503);
    unit_add_rows(tests, a_slow_client_is_told_in_time, timeouts);
    tcase_add_test(tests, a_head_may_not_be_stretched_byte_by_byte);
    tcase_add_test(tests, a_body_that_progresses_may_take_longer);
    tcase_add_test(tests, lingering_discards_and_ends);
    unit_add_rows(tests, draining_ends_what_is_idle_and_answers_what_is_not, drains);
    tcase_add_test(tests, a_request_that_arrives_with_the_drain_is_answered);
    tcase_add_test(tests, before_a_stop_each_answer_ends_its_connection);
    unit_add_rows(tests, a_client_that_ends_within_the_edge_of_its_last_bytes_leaves_nothing_behind, edges);
    unit_add_rows(tests, a_reset_within_a_request_is_counted_as_499, lost);
    unit_add_rows(tests, only_a_connection_that_is_not_in_use_gives_way, rooms);
}

int main(void)
{
    return unit_run("net/h1", add);
}
