/*
 * The threads that a fork would lose, by name.
 */
#include "py/threads.h"

#include <pthread.h>
#include <sys/prctl.h>

#include "embedded.h"

static const char *list(void)
{
    static struct listing listing;
    listing = (struct listing){0};
    threads_list(&listing);
    return listing_end(&listing);
}

START_TEST(where_there_are_none_nothing_is_listed)
{
    embedded_start();
    ck_assert_str_eq(list(), "");
    ck_assert_int_eq(PyRun_SimpleString("import threading"), 0);
    ck_assert_str_eq(list(), "");
    embedded_stop();
}
END_TEST

static const char *const ways[][2] = {
    {"threading.Thread(target=end.wait, name='a name', daemon=True).start()", "\"a name\""},
    {"threading.Thread(target=end.wait, name='\\u20ac', daemon=True).start()", "\"\u20ac\""},
    {"for name in 'ab': threading.Thread(target=end.wait, name=name, daemon=True).start()", "\"a\", \"b\""},
    {"threading.Thread(target=end.wait, name='\\udc80', daemon=True).start()", "\"unit-test\""},
    {"import _thread; _thread.start_new_thread(end.wait, ())", "\"unit-test\""},
    {"threading.enumerate = None; import _thread; _thread.start_new_thread(end.wait, ())", "\"unit-test\""},
};

START_TEST(python_threads_have_their_names)
{
    embedded_start();
    prctl(PR_SET_NAME, "unit-test");
    ck_assert_int_eq(PyRun_SimpleString("import threading; end = threading.Event()"), 0);
    ck_assert_int_eq(PyRun_SimpleString(ways[_i][0]), 0);
    ck_assert_str_eq(list(), ways[_i][1]);
    ck_assert(PyErr_Occurred() == NULL);
    embedded_stop();
}
END_TEST

static pthread_barrier_t named;

static void *wait_named(void *unused)
{
    prctl(PR_SET_NAME, "grpc_global_tim");
    pthread_barrier_wait(&named);
    pause();
    return unused;
}

START_TEST(threads_of_c_libraries_have_the_name_that_the_kernel_knows)
{
    pthread_t thread;
    embedded_start();
    pthread_barrier_init(&named, NULL, 2);
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_named, NULL), 0);
    pthread_barrier_wait(&named);
    ck_assert_str_eq(list(), "\"grpc_global_tim\"");
    embedded_stop();
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, where_there_are_none_nothing_is_listed);
    unit_add_rows(tests, python_threads_have_their_names, ways);
    tcase_add_test(tests, threads_of_c_libraries_have_the_name_that_the_kernel_knows);
}

int main(void)
{
    return unit_run("py/threads", add);
}
