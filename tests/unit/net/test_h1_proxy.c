/*
 * The PROXY protocol in front of HTTP/1: the client of a connection, and the fate of a connection
 * without its header. The bytes may arrive in any pieces.
 */
#include "net/h1.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net_fixture.h"

#define GET  "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
#define VIA  "GET /hello HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n"
#define TCP4 "PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\n"
/* The fixture's peer is 192.0.2.7. */
#define TRUSTED "--forwarded-allow-ips 192.0.2.7 --proxy-protocol "

static char error_path[] = "/tmp/test_h1_proxy-XXXXXX";

static void set_up(void)
{
    close(mkstemp(error_path));
}

static void tear_down(void)
{
    unlink(error_path);
}

static char *read_file(const char *path)
{
    static char text[4096];
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    return text;
}

static const struct {
    const char *name, *options, *input;
    const char *answers; /* clients and statuses */
    const char *told;    /* in the error log; NULL: nothing is */
    bool shut;           /* the client ends its side, as if it were all */
} cases[] = {
    {"the client is who the header names", TRUSTED "v1", TCP4 GET GET, "203.0.113.9 200\n203.0.113.9 200\n",
     NULL, false},
    {"the client may be a proxy that is trusted itself", TRUSTED "v1",
     "PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n" VIA, "198.51.100.1 200\n", NULL, false},
    {"and is not believed otherwise", TRUSTED "auto", TCP4 VIA, "203.0.113.9 200\n", NULL, false},
    {"nor is one that the header does not name", TRUSTED "auto", "PROXY UNKNOWN\r\n" VIA, "192.0.2.7 200\n",
     NULL, false},
    {"a header is there once", TRUSTED "v1", TCP4 TCP4 GET, "203.0.113.9 400\n", NULL, false},
    {"from others there is none", "--proxy-protocol v1", GET, "192.0.2.7 200\n", NULL, false},
    {"nor is one accepted", "--proxy-protocol v1", TCP4 GET, "192.0.2.7 400\n", NULL, false},
    {"nor when it is off", TRUSTED "off", TCP4 GET, "192.0.2.7 400\n", NULL, false},
    {"a request in its place", TRUSTED "auto", GET, "",
     "a connection of 192.0.2.7 does not begin with a header of --proxy-protocol: \"G", false},
    {"the other version", TRUSTED "v2", TCP4 GET, "",
     "a connection of 192.0.2.7 does not begin with a header of --proxy-protocol: \"P", false},
    {"control characters in its place", TRUSTED "v1", "\x16\x03\x1b[31m", "", ": \"\\x16", false},
    {"a part of a header", TRUSTED "v1", "PROXY TCP4 203.0.", "",
     "a connection of 192.0.2.7 ended within its header of --proxy-protocol: \"PROXY TCP4 203.0.\"; it is "
     "closed",
     true},
    {"a health check that says nothing", TRUSTED "v1", "", "", NULL, true},
    {"a header and nothing else", TRUSTED "v1", TCP4, "", NULL, true},
};

static void run(const char *options, const char *input, size_t step, bool shut, char *answers)
{
    struct fixture fixture;
    struct client client;
    char *line = xasprintf("%s --error-logfile %s", options, error_path);
    fixture_start(&fixture, line);
    free(line);
    client_open_tcp(&client, &fixture);
    for (size_t at = 0, size = strlen(input); at < size; at += step)
        client_send(&client, &fixture, input + at, step < size - at ? step : size - at);
    if (shut)
        shutdown(client.fd, SHUT_WR);
    client_await(&client, &fixture, 1 << 20, CLIENT_ENDED, 50);
    client_close(&client);
    fixture_stop(&fixture);
    *answers = '\0';
    for (size_t i = 0; i < fixture.answer_count; i++)
        answers += sprintf(answers, "%s %d\n", fixture.answers[i].client, fixture.answers[i].status);
}

START_TEST(a_connection_is_whose_the_header_says)
{
    char answers[FIXTURE_ANSWERS * 64];
    for (size_t step = 1; step <= 1000; step += 999) {
        ck_assert_int_eq(truncate(error_path, 0), 0);
        run(cases[_i].options, cases[_i].input, step, cases[_i].shut, answers);
        ck_assert_msg(strcmp(answers, cases[_i].answers) == 0, "%s, by %zu: %s", cases[_i].name, step,
                      answers);
        char *errors = read_file(error_path);
        ck_assert_msg(cases[_i].told == NULL ? errors[0] == '\0' : strstr(errors, cases[_i].told) != NULL,
                      "%s, by %zu: %s", cases[_i].name, step, errors);
        ck_assert_msg(errors[0] == '\0' || strchr(errors, '\n') == strrchr(errors, '\n'), "one record: %s",
                      errors);
    }
}
END_TEST

/* Bytes alone buy no time. */
START_TEST(a_header_has_its_time)
{
    struct fixture fixture;
    struct client client;
    fixture_start(&fixture, TRUSTED "v1 --header-timeout 100ms");
    client_open_tcp(&client, &fixture);
    uint64_t begun = clock_ms();
    for (const char *byte = TCP4; client.end == CLIENT_OPEN && *byte != '\0'; byte++) {
        client_send(&client, &fixture, byte, 1);
        client_await(&client, &fixture, 1, CLIENT_ENDED, 20);
    }
    ck_assert_int_ne(client.end, CLIENT_OPEN);
    ck_assert_uint_ge(clock_ms() - begun, 95);
    ck_assert_uint_eq(client.size, 0);
    client_close(&client);
    fixture_stop(&fixture);
}
END_TEST

START_TEST(a_stop_does_not_wait_for_a_header_that_does_not_come)
{
    struct fixture fixture;
    struct client silent, late;
    fixture_start(&fixture, TRUSTED "v1 --header-timeout 0");
    client_open_tcp(&silent, &fixture);
    client_open_tcp(&late, &fixture);
    fixture_turn(&fixture);
    loop_drain(fixture.loop);
    client_say(&late, &fixture, TCP4 GET);
    client_await(&late, &fixture, 0, CLIENT_ENDED, 20000);
    ck_assert_msg(strstr(late.got, "\r\n\r\nhello") != NULL, "%s", late.got);
    client_await(&silent, &fixture, 0, CLIENT_ENDED, 20000);
    ck_assert_int_eq(silent.end, CLIENT_ENDED);
    client_close(&silent);
    client_close(&late);
    fixture_stop(&fixture);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    unit_add_rows(tests, a_connection_is_whose_the_header_says, cases);
    tcase_add_test(tests, a_header_has_its_time);
    tcase_add_test(tests, a_stop_does_not_wait_for_a_header_that_does_not_come);
}

int main(void)
{
    return unit_run("net/h1_proxy", add);
}
