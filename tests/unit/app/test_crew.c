/*
 * The crew: ready requests run in order, and the loop gets its turn.
 */
#include "app/served.h"

#include <time.h>

enum { CLIENTS = 24 };

static char program[] = "gateway", module[] = "app";
static char *plain[] = {program, module};
static int clients[CLIENTS];

#define GET "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"

/* Each client has a request ready; the order is that of the clients. The application's calls are in
 * `calls`. */
static void start(void)
{
    embedded_start();
    served_open("import time\ncalls = []\nnap = 0\ndef app(environ, start_response):\n"
                " calls.append(int(environ['PATH_INFO'][1:]))\n time.sleep(nap)\n"
                " start_response('200 OK', [])\n return []\n",
                2, plain);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = served_connect(0);
        loop_turn(served.loop, false);
        char *request = xasprintf(GET, i);
        served_send(clients[i], request);
        free(request);
        loop_turn(served.loop, false);
    }
    ck_assert_uint_eq(served.loop->ready_count, CLIENTS);
}

static void stop(void)
{
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    served_close();
    embedded_stop();
}

/* Takes the GIL for the check, in which x stands for the application's globals. */
static void assert_application(const char *check)
{
    gil_take();
    embedded_assert(check, PyFunction_GetGlobals(served.application.callable));
    gil_release();
}

static void execute(const char *statements)
{
    gil_take();
    fake_execute(statements, PyFunction_GetGlobals(served.application.callable));
    gil_release();
}

START_TEST(ready_requests_are_run_in_order)
{
    while (served.loop->ready_count > 0)
        crew_run_ready(served.crew);
    assert_application("x['calls'] == list(range(24))");
    ck_assert_uint_eq(scoreboard_get(served.row.requests), CLIENTS);
    ck_assert_uint_eq(scoreboard_get(served.row.ready), 0);
    for (int i = 0; i < CLIENTS; i++) {
        bool closed;
        char *answer = served_receive(clients[i], &closed);
        ck_assert_str_eq(answer, "HTTP/1.1 200 OK\r\nServer: gateway\r\nContent-Length: 0\r\n\r\n");
        ck_assert(!closed);
        free(answer);
    }
}
END_TEST

START_TEST(long_calls_leave_the_loop_its_turn)
{
    execute("nap = 0.002\n");
    crew_run_ready(served.crew);
    ck_assert_uint_gt(served.loop->ready_count, 0);
    ck_assert_uint_lt(served.loop->ready_count, CLIENTS);
    ck_assert_uint_eq(scoreboard_get(served.row.ready), served.loop->ready_count);
    while (served.loop->ready_count > 0)
        crew_run_ready(served.crew);
    assert_application("x['calls'] == list(range(24))");
}
END_TEST

START_TEST(the_gil_is_free_before_and_after)
{
    execute("import threading\nran = threading.Event()\nthreading.Thread(target=ran.set).start()\n");
    while (served.loop->ready_count > 0)
        crew_run_ready(served.crew);
    assert_application("x['ran'].wait(10)");
}
END_TEST

/* Taking the GIL would wait for another thread that holds it. */
START_TEST(without_work_the_gil_is_not_taken)
{
    while (served.loop->ready_count > 0)
        crew_run_ready(served.crew);
    gil_take();
    crew_run_ready(served.crew);
    crew_run_ready(served.crew);
    ck_assert(PyGILState_Check());
    gil_release();
}
END_TEST

START_TEST(a_fork_of_the_application_is_noticed)
{
    crew_run_ready(served.crew);
    ck_assert(!*served.loop->has_forked);
    execute("def app(environ, start_response): pass\n"
            "import os\npid = os.fork()\nif pid == 0: os._exit(0)\nos.waitpid(pid, 0)\n");
    bool closed;
    free(served_receive(clients[0], &closed));
    served_send(clients[0], "GET /0 HTTP/1.1\r\nHost: a\r\n\r\n");
    loop_turn(served.loop, false);
    crew_run_ready(served.crew);
    ck_assert(*served.loop->has_forked);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, start, stop);
    tcase_add_test(tests, ready_requests_are_run_in_order);
    tcase_add_test(tests, long_calls_leave_the_loop_its_turn);
    tcase_add_test(tests, the_gil_is_free_before_and_after);
    tcase_add_test(tests, without_work_the_gil_is_not_taken);
    tcase_add_test(tests, a_fork_of_the_application_is_noticed);
}

int main(void)
{
    return unit_run("app/crew", add);
}
