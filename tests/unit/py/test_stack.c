/*
 * The Python stack of a thread that does not help: it sleeps, or has the GIL.
 */
#include "py/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

#include "embedded.h"

static const char *const ways[] = {
    "os.read(%d, 1)",                       /* asleep, without the GIL */
    "ctypes.PyDLL(None).read(%d, byte, 1)", /* asleep, with the GIL */
    "while not select.select([%d], [], [], 0)[0]: pass",
};

static char text[4096];
static pthread_t main_thread;

/* Pipes by which the function and the asking thread wait for each other: it has begun, and it may
 * end. */
static int begun[2], end[2];

/* Asks without a thread state, while main has the GIL or sleeps without it. */
static void *ask(void *argument)
{
    char byte;
    size_t size = 0;
    (void)argument;
    ck_assert_int_eq(read(begun[0], &byte, 1), 1);
    stack_request(main_thread);
    do { /* the rest may still be on its way */
        usleep(1000);
        size += stack_receive(text + size, sizeof(text) - 1 - size);
        text[size] = '\0';
    } while (strstr(text, "in <module>\n") == NULL);
    ck_assert_int_eq(write(end[1], "", 1), 1);
    return NULL;
}

START_TEST(the_frames_are_those_of_the_thread)
{
    pthread_t thread;
    ck_assert(pipe(begun) == 0 && pipe(end) == 0);
    char *way = xasprintf(ways[_i], end[0]);
    char *source = xasprintf("import ctypes, os, select\nbyte = ctypes.create_string_buffer(1)\n"
                             "def inner():\n os.write(%d, b'x')\n %s\ndef outer():\n inner()\nouter()\n",
                             begun[1], way);
    embedded_start();
    ck_assert_int_eq(stack_init(), 0);
    main_thread = pthread_self();
    ck_assert_int_eq(pthread_create(&thread, NULL, ask, NULL), 0);
    ck_assert_int_eq(PyRun_SimpleString(source), 0);
    Py_BEGIN_ALLOW_THREADS;
    pthread_join(thread, NULL);
    Py_END_ALLOW_THREADS;
    const char *inner = strstr(text, "in inner\n"), *outer = strstr(text, "in outer\n");
    ck_assert_msg(inner != NULL && outer != NULL && inner < outer, "%s", text);
    free(source);
    free(way);
    embedded_stop();
}
END_TEST

START_TEST(only_the_last_request_is_received)
{
    embedded_start();
    ck_assert_int_eq(stack_init(), 0);
    ck_assert_uint_eq(stack_receive(text, sizeof(text)), 0);
    for (int i = 0; i < 3; i++)
        stack_request(pthread_self());
    size_t size = stack_receive(text, sizeof(text) - 1);
    text[size] = '\0';
    ck_assert_uint_eq(embedded_count(text, "most recent call first"), 1);
    ck_assert_uint_eq(stack_receive(text, sizeof(text)), 0);
    embedded_stop();
}
END_TEST

/* The interrupted system call and errno are not affected. */
START_TEST(a_signal_to_the_process_shows_all_of_its_threads)
{
    int ends[2];
    embedded_start();
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
    ck_assert_int_eq(stack_on_request(ends[1]), 0);
    ck_assert_int_eq(stack_init(), 0);
    ck_assert_int_eq(PyRun_SimpleString("import threading\nrest = threading.Event()\n"
                                        "def other():\n rest.wait()\n"
                                        "thread = threading.Thread(target=other)\nthread.start()\n"),
                     0);
    errno = E2BIG;
    ck_assert_int_eq(kill(getpid(), STACKS_SIGNAL), 0);
    ck_assert_int_eq(errno, E2BIG);
    ssize_t size = read(ends[0], text, sizeof(text) - 1);
    ck_assert_int_gt(size, 0);
    text[size] = '\0';
    ck_assert_msg(strstr(text, "in other\n") != NULL, "%s", text);
    ck_assert_uint_eq(embedded_count(text, "most recent call first"), 2);
    ck_assert_int_eq(PyRun_SimpleString("rest.set()\nthread.join()"), 0);
    embedded_stop();
}
END_TEST

START_TEST(all_threads_are_shown_when_that_is_wanted)
{
    embedded_start();
    ck_assert_int_eq(stack_init(), 0);
    ck_assert_int_eq(stack_of_all_threads(), 0);
    ck_assert_int_eq(PyRun_SimpleString("import threading\nrest = threading.Event()\n"
                                        "def other():\n rest.wait()\n"
                                        "thread = threading.Thread(target=other)\nthread.start()\n"),
                     0);
    stack_request(pthread_self());
    text[stack_receive(text, sizeof(text) - 1)] = '\0';
    ck_assert_msg(strstr(text, "in other\n") != NULL, "%s", text);
    ck_assert_uint_eq(embedded_count(text, "most recent call first"), 2);
    ck_assert_int_eq(PyRun_SimpleString("rest.set()\nthread.join()"), 0);
    embedded_stop();
}
END_TEST

/* Without a handler, the signal would end the process. */
START_TEST(nothing_is_requested_before_there_is_a_handler)
{
    ck_assert_int_eq(stack_of_all_threads(), 0);
    stack_request(pthread_self());
    ck_assert_uint_eq(stack_receive(text, sizeof(text)), 0);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, the_frames_are_those_of_the_thread, ways);
    tcase_add_test(tests, a_signal_to_the_process_shows_all_of_its_threads);
    tcase_add_test(tests, only_the_last_request_is_received);
    tcase_add_test(tests, all_threads_are_shown_when_that_is_wanted);
    tcase_add_test(tests, nothing_is_requested_before_there_is_a_handler);
}

int main(void)
{
    return unit_run("py/stack", add);
}
