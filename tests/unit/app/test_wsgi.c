/*
 * The WSGI handler: the answers of an application, as bytes on the wire.
 */
#include "app/served.h"

#include <pthread.h>
#include <sys/wait.h>
#include <time.h>

static char program[] = "gateway", module[] = "app";
static char *plain[] = {program, module};

static void start(void)
{
    embedded_start();
    embedded_write("ten", "0123456789");
}

static void stop(void)
{
    served_close();
    embedded_stop();
}

#define APP       "import os, sys\ndef app(environ, start_response):\n"
#define OK        " start_response('200 OK', [])\n"
#define LENGTH(n) " start_response('200 OK', [('Content-Length', '" n "')])\n"

#define GET   "GET /p HTTP/1.1\r\nHost: a\r\n\r\n"
#define HEAD  "HEAD /p HTTP/1.1\r\nHost: a\r\n\r\n"
#define GET10 "GET /p HTTP/1.0\r\n\r\n"

#define SERVED  "HTTP/1.1 200 OK\r\nServer: gateway\r\n"
#define CHUNKED SERVED "Transfer-Encoding: chunked\r\n\r\n"
#define FAILED                                                                              \
    "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\nServer: gateway\r\n" \
    "Content-Length: 26\r\n\r\n500 Internal Server Error\n"

static const struct {
    const char *name, *source, *request;
    const char *answer; /* without Date */
    bool closed;
    const char *log; /* a part of the one record; NULL: none */
} cases[] = {
    {"a list has a length", APP OK " return [b'hello ', b'world']", GET,
     SERVED "Content-Length: 11\r\n\r\nhello world", false, NULL},
    {"an empty list has one too", APP OK " return []", GET, SERVED "Content-Length: 0\r\n\r\n", false, NULL},
    {"a generator is sent in chunks", APP OK " yield b'hello'\n yield b'world!'", GET,
     CHUNKED "5\r\nhello\r\n6\r\nworld!\r\n0\r\n\r\n", false, NULL},
    {"an empty generator has a length", APP OK " return\n yield", GET, SERVED "Content-Length: 0\r\n\r\n",
     false, NULL},
    {"a generator with a length", APP LENGTH("10") " yield b'hello'\n yield b'world'", GET,
     "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nServer: gateway\r\n\r\nhelloworld", false, NULL},
    {"write() is sent in chunks",
     APP " w = start_response('200 OK', [])\n w(b'a')\n w(b'')\n w(b'bc')\n return [b'd']", GET,
     CHUNKED "1\r\na\r\n2\r\nbc\r\n1\r\nd\r\n0\r\n\r\n", false, NULL},
    {"write() alone", APP " start_response('200 OK', [])(b'a')\n return []", GET,
     CHUNKED "1\r\na\r\n0\r\n\r\n", false, NULL},
    {"HTTP/1.0 ends with the connection", APP OK " yield b'hello'\n yield b'world'", GET10,
     SERVED "Connection: close\r\n\r\nhelloworld", true, NULL},
    {"HTTP/1.0 and a list", APP OK " return [b'hello']", GET10,
     SERVED "Content-Length: 5\r\nConnection: close\r\n\r\nhello", true, NULL},
    {"the client's close", APP OK " return [b'hello']",
     "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
     SERVED "Content-Length: 5\r\nConnection: close\r\n\r\nhello", true, NULL},
    {"two requests at once are answered in order", APP OK " return [environ['PATH_INFO'].encode()]",
     "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
     SERVED "Content-Length: 2\r\n\r\n/1" SERVED "Content-Length: 2\r\n\r\n/2", false, NULL},

    {"HEAD has no body", APP OK " return [b'hello']", HEAD, SERVED "Content-Length: 5\r\n\r\n", false, NULL},
    {"HEAD and a generator", APP OK " yield b'hello'\n raise KeyError", HEAD, SERVED "\r\n", false, NULL},
    {"HEAD and write()", APP " start_response('200 OK', [])(b'a')\n return [b'b']", HEAD, SERVED "\r\n",
     false, NULL},
    {"HEAD and a file", APP OK " return environ['wsgi.file_wrapper'](open('ten', 'rb'))", HEAD,
     SERVED "Content-Length: 10\r\n\r\n", false, NULL},
    {"204 has no body", APP " start_response('204 No Content', [])\n return [b'hello']", GET,
     "HTTP/1.1 204 No Content\r\nServer: gateway\r\n\r\n", false, NULL},
    {"304 has no body", APP " start_response('304 Not Modified', [('ETag', '\"a\"')])\n return []", GET,
     "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nServer: gateway\r\n\r\n", false, NULL},

    {"a file", APP OK " return environ['wsgi.file_wrapper'](open('ten', 'rb'))", GET,
     SERVED "Content-Length: 10\r\n\r\n0123456789", false, NULL},
    {"a part of a file",
     APP LENGTH("3") " f = open('ten', 'rb')\n f.seek(2)\n return environ['wsgi.file_wrapper'](f)", GET,
     "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nServer: gateway\r\n\r\n234", false, NULL},
    {"a file that is too short", APP LENGTH("11") " return environ['wsgi.file_wrapper'](open('ten', 'rb'))",
     GET, "HTTP/1.1 200 OK\r\nContent-Length: 11\r\nServer: gateway\r\n\r\n0123456789", true,
     "sent 10 bytes of its Content-Length of 11"},

    {"a request's body", APP OK " return [environ['wsgi.input'].read()]",
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", SERVED "Content-Length: 5\r\n\r\nhello",
     false, NULL},
    {"a chunked body that nobody reads", APP OK " return [environ['CONTENT_LENGTH'].encode()]",
     "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" GET,
     SERVED "Content-Length: 1\r\n\r\n3" FAILED, false, "KeyError: 'CONTENT_LENGTH'"},

    {"an exception is a 500", APP " raise KeyError('secret')", GET, FAILED, false,
     "exception in the application at GET /p\nTraceback"},
    {"after start_response too", APP OK " raise KeyError", GET, FAILED, false, "KeyError"},
    {"in the first step of a generator too", APP OK " raise KeyError\n yield", GET, FAILED, false,
     "KeyError"},
    {"to HEAD without its text", APP " raise KeyError", HEAD,
     "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\nServer: gateway\r\nContent-Length: "
     "26\r\n\r\n",
     false, "KeyError"},
    {"sys.exit() is a 500, and the next request is served",
     APP " if environ['PATH_INFO'] == '/p': sys.exit(1)\n start_response('200 OK', [])\n return []",
     GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n", FAILED SERVED "Content-Length: 0\r\n\r\n", false,
     "SystemExit: 1"},
    {"no answer at all is a 500", APP " pass", GET, FAILED, false, "not NoneType"},
    {"a late exception cuts the chunks", APP OK " yield b'hello'\n raise KeyError", GET,
     CHUNKED "5\r\nhello\r\n", true, "KeyError"},
    {"a late exception cuts what write() began", APP " start_response('200 OK', [])(b'a')\n raise KeyError",
     GET, CHUNKED "1\r\na\r\n", true, "KeyError"},
    {"a late exception cuts a length", APP LENGTH("9") " yield b'hello'\n raise KeyError", GET,
     "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nServer: gateway\r\n\r\nhello", true, "KeyError"},
    {"an exception in close() is only logged",
     APP OK
     " class I:\n  def __iter__(self): return iter([b'a'])\n  def close(self): raise KeyError\n return I()",
     GET, CHUNKED "1\r\na\r\n0\r\n\r\n", false, "exception in close()"},
    {"too little for the length closes", APP LENGTH("9") " return [b'hello']", GET,
     "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nServer: gateway\r\n\r\nhello", true,
     "sent 5 bytes of its Content-Length of 9"},
    {"too much is cut", APP LENGTH("3") " return [b'hello']", GET,
     "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nServer: gateway\r\n\r\nhel", false,
     "more than its Content-Length of 3"},
    {"much too much is cut, and nothing more is asked for", APP LENGTH("3") " while True: yield b'hello'",
     GET, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nServer: gateway\r\n\r\nhel", false,
     "more than its Content-Length of 3"},
    {"a header that would split the answer",
     APP " start_response('200 OK', [('A', 'b\\r\\nSet-Cookie: c')])\n return []", GET, FAILED, false,
     "control characters"},
    {"a child that the application forks does not answer", APP OK " os.fork()\n return [b'one']", GET,
     SERVED "Content-Length: 3\r\n\r\none", false, NULL},
};

START_TEST(what_the_application_says_is_on_the_wire)
{
    bool closed;
    served_open(cases[_i].source, 2, plain);
    int client = served_connect(0);
    served_send(client, cases[_i].request);
    served_turn();
    char *answer = served_receive(client, &closed), *log = embedded_log();
    unit_assert_bytes(cases[_i].name, answer, strlen(answer), cases[_i].answer, strlen(cases[_i].answer));
    ck_assert_msg(closed == cases[_i].closed, "%s: the connection is %s: %s", cases[_i].name,
                  closed ? "closed" : "kept", log);
    if (cases[_i].log == NULL)
        ck_assert_msg(log[0] == '\0', "%s: logged %s", cases[_i].name, log);
    else
        ck_assert_msg(strstr(log, cases[_i].log) != NULL && embedded_count(log, " error: ") == 1,
                      "%s: logged %s", cases[_i].name, log);
    while (wait(NULL) > 0)
        ;
    free(answer);
    free(log);
    close(client);
}
END_TEST

/* Every repetition gives the same bytes: nothing of one exchange is left in the next. */
START_TEST(answers_repeat)
{
    bool closed;
    served_open(cases[_i].source, 2, plain);
    int client = served_connect(0);
    for (int i = 0; i < 50; i++) {
        if (cases[_i].closed && i > 0) {
            close(client);
            client = served_connect(0);
        }
        served_send(client, cases[_i].request);
        served_turn();
        char *answer = served_receive(client, &closed);
        unit_assert_bytes(cases[_i].name, answer, strlen(answer), cases[_i].answer, strlen(cases[_i].answer));
        free(answer);
    }
    close(client);
    while (wait(NULL) > 0)
        ;
}
END_TEST

/* The cost of a client that leaves while its request waits. */
static const struct {
    const char *name, *source;
} left[] = {
    {"a generator",
     APP OK " try:\n  while True: yield b'x' * 100000\n finally: environ['wsgi.errors'].write('closed\\n')"},
    {"write()", APP " w = start_response('200 OK', [])\n try:\n  while True: w(b'x' * 100000)\n finally: "
                    "environ['wsgi.errors'].write('closed\\n')"},
    {"write() with the error swallowed", APP " w = start_response('200 OK', [])\n try: w(b'x')\n except "
                                             "OSError: environ['wsgi.errors'].write('closed\\n')\n"
                                             " return [b'y']"},
};

START_TEST(a_client_that_left_ends_the_call_quietly)
{
    served_open(left[_i].source, 2, plain);
    int client = served_connect(0);
    served_send(client, GET);
    loop_turn(served.loop, false);
    ck_assert_uint_eq(served.loop->ready_count, 1);
    close(client);
    crew_run_ready(served.crew);
    served_turn();
    ck_assert_uint_eq(served.loop->open_count, 0);
    char *log = embedded_log();
    ck_assert_msg(embedded_count(log, "\n") == 1 && strstr(log, "closed\n") != NULL, "%s: %s", left[_i].name,
                  log);
    free(log);
}
END_TEST

enum { SLOW_SIZE = 3000000 };

/* The application's other thread sets the first when it has run for a while. The client sets the
 * second when it has everything. */
static int others_ran, reader_ended;

/* Reads everything, after another thread of the application has run. */
static void *read_slowly(void *arg)
{
    int client = *(int *)arg;
    size_t size = 0;
    char bytes[20000];
    while (!__atomic_load_n(&others_ran, __ATOMIC_ACQUIRE))
        usleep(1000);
    while (size < SLOW_SIZE) {
        ssize_t n = recv(client, bytes, sizeof(bytes), 0);
        if (n > 0)
            size += (size_t)n;
        else if (n == 0)
            break;
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    __atomic_store_n(&reader_ended, 1, __ATOMIC_RELEASE);
    return (void *)(size >= SLOW_SIZE ? arg : NULL);
}

/* The answer is larger than --response-memory and --response-spool. The application waits, and
 * other Python threads run meanwhile. */
static const char *const slow[] = {
    " for _ in range(30): yield b'x' * 100000",
    " for _ in range(30): w(b'x' * 100000)\n return []",
};

START_TEST(the_application_waits_for_a_slow_client)
{
    static char memory[] = "--response-memory=64k", spool[] = "--response-spool=0";
    char *arguments[] = {program, memory, spool, module};
    char *source = xasprintf("import ctypes, threading, time\nbegun = threading.Event()\n"
                             "def run_beside():\n begun.wait()\n for _ in range(50): time.sleep(0.001)\n"
                             " ctypes.c_int.from_address(%zu).value = 1\n"
                             "threading.Thread(target=run_beside, daemon=True).start()\n"
                             "def app(environ, start_response):\n begun.set()\n"
                             " w = start_response('200 OK', [('Content-Length', '3000000')])\n%s\n",
                             (size_t)&others_ran, slow[_i]);
    served_open(source, 4, arguments);
    free(source);
    int client = served_connect(4096);
    pthread_t reader;
    void *all;
    served_send(client, GET);
    ck_assert_int_eq(pthread_create(&reader, NULL, read_slowly, &client), 0);
    for (int i = 0; i < 1000 && served.loop->ready_count == 0; i++)
        loop_turn(served.loop, false);
    crew_run_ready(served.crew);
    while (!__atomic_load_n(&reader_ended, __ATOMIC_ACQUIRE)) { /* the rest is the loop's */
        loop_turn(served.loop, false);
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    ck_assert_int_eq(pthread_join(reader, &all), 0);
    ck_assert_ptr_nonnull(all);
    close(client);
}
END_TEST

START_TEST(the_scoreboard_tells_what_runs)
{
    bool closed;
    served_open(APP OK " return []", 2, plain);
    int client = served_connect(0);
    served_send(client, GET);
    served_turn();
    ck_assert_str_eq(served.call.request, "GET /p HTTP/1.1");
    ck_assert_uint_eq(scoreboard_get(served.call.since_ns), 0);
    ck_assert_uint_eq(scoreboard_get(served.row.requests), 1);
    free(served_receive(client, &closed));

    char *line = xcalloc(1, 1000);
    memset(line, 'a', 999);
    char *request = xasprintf("GET /%s HTTP/1.1\r\nHost: a\r\n\r\n", line);
    served_send(client, request);
    served_turn();
    ck_assert_uint_eq(strlen(served.call.request), SCOREBOARD_REQUEST_SIZE - 1);
    ck_assert_int_eq(strncmp(served.call.request, request, SCOREBOARD_REQUEST_SIZE - 1), 0);
    free(request);
    free(line);
    close(client);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, start, stop);
    unit_add_rows(tests, what_the_application_says_is_on_the_wire, cases);
    unit_add_rows(tests, answers_repeat, cases);
    unit_add_rows(tests, a_client_that_left_ends_the_call_quietly, left);
    unit_add_rows(tests, the_application_waits_for_a_slow_client, slow);
    tcase_add_test(tests, the_scoreboard_tells_what_runs);
}

int main(void)
{
    return unit_run("app/wsgi", add);
}
