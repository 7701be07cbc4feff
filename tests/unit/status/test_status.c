/*
 * The status handler: the requests that it accepts, and the response for each state of the service.
 * The pages have tests of their own.
 */
#include "status/status.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/h1.h"

#include "options/options_line.h"
#include "options/options_values.h"

static struct options options;
static struct scoreboard *board;
static struct scoreboard_row row;
static struct status *status;
static struct loop *loop;
static const struct local_endpoint local = {"localhost", "80", false};
static const struct peer_endpoint peer;
static char answer[1 << 17];

static void set_up(void)
{
    ck_assert_int_eq(parse(&options, "a:b", no_environment), 0);
    options.worker_connections = 10;
    board = scoreboard_new(2, 1);
    status = status_new(board, "1.2", "3.x", "a:b", "shop.example, status");
    loop = loop_new(&options, &status_handler, &row);
}

static void tear_down(void)
{
    loop_free(loop);
    status_free(status);
    scoreboard_free(board);
    options_free(&options);
}

static void turn(void)
{
    struct exchange *exchange;
    loop_turn(loop, false);
    while ((exchange = loop_take_ready(loop)) != NULL) {
        status_handler.run(status, exchange);
        exchange_finish(exchange);
    }
}

/* The whole response to the head of a request, as a string. */
static const char *ask_with(const char *request)
{
    int ends[2];
    size_t size = 0;
    ssize_t n;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    conn_accept(loop, &h1_protocol, ends[0], &local, &peer);
    ck_assert_int_eq(send(ends[1], request, strlen(request), 0), (ssize_t)strlen(request));
    do {
        turn();
        n = recv(ends[1], answer + size, sizeof(answer) - 1 - size, 0);
        size += n > 0 ? (size_t)n : 0;
    } while (n != 0);
    answer[size] = '\0';
    close(ends[1]);
    return answer;
}

static const char *ask(const char *method, const char *path)
{
    char request[256];
    snprintf(request, sizeof(request), "%s %s HTTP/1.0\r\n\r\n", method, path);
    return ask_with(request);
}

static const struct {
    const char *fields;
    int status;
} hosts[] = {
    {"Host: localhost\r\n", 200},
    {"Host: LocalHost:9000\r\n", 200},
    {"Host: localhost.\r\n", 200},
    {"Host: 127.0.0.1:9000\r\n", 200},
    {"Host: 192.0.2.7\r\n", 200},
    {"Host: [::1]:9000\r\n", 200},
    {"Host: [2001:db8::1]\r\n", 200},
    {"Host: shop.example\r\n", 200},
    {"Host: SHOP.example:80\r\n", 200},
    {"Host: status\r\n", 200},
    {"Host: evil.example\r\n", 421},
    {"Host: shop.example.evil.example\r\n", 421},
    {"Host: op.example\r\n", 421},
    {"Host: localhost.evil.example\r\n", 421},
    {"Host: 127.0.0.1.evil.example\r\n", 421},
    {"Host: 2130706433\r\n", 421},
    {"Host: [v1.fe]\r\n", 421},
    {"Host: evil.example\r\nX-Forwarded-Host: localhost\r\n", 421},
    {"Host: evil.example\r\nForwarded: host=localhost\r\n", 421},
};

/* A page of another site once read the running requests: its name led to this address (DNS
 * rebinding). */
START_TEST(only_its_own_names_are_answered)
{
    static const char *const paths[] = {"/", "/status.json", "/metrics", "/live", "/ready"};
    for (size_t i = 0; i < UNIT_ROWS(paths); i++) {
        char request[256], misdirected[] = "HTTP/1.1 421 Misdirected Request\r\n";
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n%sConnection: close\r\n\r\n", paths[i],
                 hosts[_i].fields);
        const char *got = ask_with(request);
        bool refused = strncmp(got, misdirected, sizeof(misdirected) - 1) == 0;
        ck_assert_msg(refused == (hosts[_i].status == 421), "%s%.300s", hosts[_i].fields, got);
        ck_assert_msg(!refused || strstr(got, "--status-host") != NULL, "%s", got);
    }
}
END_TEST

START_TEST(the_name_in_the_target_counts_more_than_host)
{
    const char *got = ask_with("GET http://evil.example/live HTTP/1.1\r\nHost: localhost\r\nConnection: "
                               "close\r\n\r\n");
    ck_assert_msg(strncmp(got, "HTTP/1.1 421 ", 13) == 0, "%.200s", got);
}
END_TEST

static const struct {
    const char *name, *method, *path, *starts, *holds;
} cases[] = {
    {"the page", "GET", "/", "HTTP/1.1 200 OK\r\n", "<!DOCTYPE html>"},
    {"the page has a policy", "GET", "/", "HTTP/1.1 200 OK\r\n",
     "\r\nContent-Security-Policy: default-src 'none';"},
    {"JSON", "GET", "/status.json", "HTTP/1.1 200 OK\r\n", "\"application\":\"a:b\""},
    {"metrics", "GET", "/metrics", "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4;",
     "gateway_build_info"},
    {"a query is not looked at", "GET", "/metrics?a=b", "HTTP/1.1 200 OK\r\n", "gateway_build_info"},
    {"no caching", "GET", "/metrics", "HTTP/1.1 200 OK\r\n", "\r\nCache-Control: no-store\r\n"},
    {"HEAD has no body", "HEAD", "/live", "HTTP/1.1 503 Service Unavailable\r\n", "Content-Length: 19\r\n"},
    {"another path", "GET", "/metrics/", "HTTP/1.1 404 Not Found\r\n", "/status.json"},
    {"another method", "DELETE", "/", "HTTP/1.1 405 Method Not Allowed\r\n", "\r\nAllow: GET, HEAD\r\n"},
};

START_TEST(it_answers)
{
    const char *got = ask(cases[_i].method, cases[_i].path);
    ck_assert_msg(strncmp(got, cases[_i].starts, strlen(cases[_i].starts)) == 0, "%s: %.200s", cases[_i].name,
                  got);
    ck_assert_msg(strstr(got, cases[_i].holds) != NULL, "%s: %.2000s", cases[_i].name, got);
}
END_TEST

static const struct {
    const char *name;
    enum worker_state state;
    bool saturated;
    const char *live, *ready; /* the end of the response */
} states[] = {
    {"nobody", WORKER_NONE, false, "\r\n\r\nthere is no worker\n", "\r\n\r\ndown\n"},
    {"one imports", WORKER_BOOTING, false, "\r\n\r\nalive\n", "\r\n\r\nstarting\n"},
    {"it serves", WORKER_READY, false, "\r\n\r\nalive\n", "\r\n\r\nready\n"},
    {"it has no thread", WORKER_READY, true, "\r\n\r\nalive\n", "\r\n\r\nsaturated\n"},
    {"it leaves", WORKER_DRAINING, false, "\r\n\r\nalive\n", "\r\n\r\ndraining\n"},
};

static void assert_answer(const char *name, const char *path, const char *end, bool good)
{
    const char *got = ask("GET", path);
    ck_assert_msg(strstr(got, end) != NULL, "%s: %s", name, got);
    ck_assert_msg((strncmp(got, "HTTP/1.1 200 ", 13) == 0) == good, "%s: %s", name, got);
}

START_TEST(live_and_ready_follow_the_workers)
{
    scoreboard_set(board->rows[1].state, states[_i].state);
    scoreboard_set(board->rows[1].refused_ms, states[_i].saturated ? clock_ms() : 0);
    assert_answer(states[_i].name, "/live", states[_i].live, states[_i].state != WORKER_NONE);
    assert_answer(states[_i].name, "/ready", states[_i].ready,
                  states[_i].state == WORKER_READY && !states[_i].saturated);
}
END_TEST

START_TEST(samples_become_history)
{
    usleep(1000);
    status_sample(status);
    ck_assert_ptr_nonnull(strstr(ask("GET", "/status.json"), "\"queued\":[0],\"busy\":[0]"));
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    unit_add_rows(tests, only_its_own_names_are_answered, hosts);
    tcase_add_test(tests, the_name_in_the_target_counts_more_than_host);
    unit_add_rows(tests, it_answers, cases);
    unit_add_rows(tests, live_and_ready_follow_the_workers, states);
    tcase_add_test(tests, samples_become_history);
}

int main(void)
{
    return unit_run("status/status", add);
}
