#include "py/interp.h"

#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/program.h"
#include "config.h" /* PYTHON_EXECUTABLE */
#include "embedded.h"

static const char *const facts[] = {
    "__import__('os').path.basename(__import__('__main__').__file__) == 'test_interp'",
    "__import__('os').path.isabs(__import__('__main__').__file__)",
    "__import__('__main__').__spec__.name == 'gateway.__main__'",
    "__import__('__main__').__spec__.origin == __import__('__main__').__file__",
    "repr(__import__('__main__')).startswith('<module ')",
    "__import__('sys').argv == ['gateway']",
    "__import__('os').access(__import__('sys').executable, 1)",
    "'python' in __import__('os').path.basename(__import__('sys').executable)",
    "__import__('sys').path[0] == __import__('os').getcwd()",
    "'site' in __import__('sys').modules",
    "__import__('faulthandler').is_enabled()",
    "__import__('sys').stdout.write_through",
    "not __import__('sys').flags.isolated",
};

START_TEST(the_interpreter_is_like_an_ordinary_one)
{
    program_remember(NULL);
    embedded_start();
    embedded_assert(facts[_i], NULL);
    embedded_stop();
}
END_TEST

START_TEST(pythonpath_follows_the_working_directory)
{
    char paths[] = "lib:/absolute::other";
    const struct options options = {.pythonpath = paths};

    unsetenv("VIRTUAL_ENV");
    embedded_enter_directory();
    ck_assert_int_eq(interp_start(&options), 0);
    embedded_assert(
        "__import__('sys').path[:4] == [__import__('os').getcwd() + end for end in ('', '/lib')] + "
        "['/absolute', __import__('os').getcwd() + '/other']",
        NULL);
    embedded_stop();
}
END_TEST

START_TEST(the_version_is_known_before_the_start)
{
    char expected[32];
    snprintf(expected, sizeof(expected), "%d.%d.", PY_MAJOR_VERSION, PY_MINOR_VERSION);
    ck_assert_int_eq(strncmp(interp_version(), expected, strlen(expected)), 0);
    ck_assert_ptr_null(strchr(interp_version(), ' '));
}
END_TEST

START_TEST(a_virtualenv_that_does_not_fit_is_refused_in_one_record)
{
    char directory[] = "venv";
    const struct options options = {.venv = directory};

    unsetenv("VIRTUAL_ENV");
    embedded_enter_directory();
    ck_assert_int_eq(mkdir("venv", 0755), 0);
    embedded_write("venv/pyvenv.cfg", "version = 2.7.18\n");
    ck_assert_int_eq(interp_start(&options), -1);
    ck_assert(!Py_IsInitialized());
    char *log = embedded_log();
    ck_assert_uint_eq(embedded_count(log, " error: "), 1);
    ck_assert_ptr_nonnull(strstr(log, "was made by Python 2.7, this gateway embeds Python "));
    free(log);
    embedded_stop();
}
END_TEST

START_TEST(a_missing_virtualenv_is_an_error_when_it_is_asked_for)
{
    char directory[] = "nowhere";
    const struct options options = {.venv = directory};

    unsetenv("VIRTUAL_ENV");
    embedded_enter_directory();
    ck_assert_int_eq(interp_start(&options), -1);
    char *log = embedded_log();
    ck_assert_uint_eq(embedded_count(log, " error: "), 1);
    free(log);
    embedded_stop();
}
END_TEST

START_TEST(a_missing_virtualenv_of_the_environment_is_ignored)
{
    const struct options options = {0};

    setenv("VIRTUAL_ENV", "/nowhere", 1);
    embedded_enter_directory();
    ck_assert_int_eq(interp_start(&options), 0);
    char *log = embedded_log();
    ck_assert_uint_eq(embedded_count(log, "warning: VIRTUAL_ENV is ignored: virtualenv /nowhere: "), 1);
    ck_assert_uint_eq(embedded_count(log, " error: "), 0);
    free(log);
    embedded_stop();
}
END_TEST

START_TEST(a_virtualenv_that_fits_is_used)
{
    char directory[] = "venv";
    const struct options options = {.venv = directory};

    unsetenv("VIRTUAL_ENV");
    embedded_enter_directory();
    char *packages =
        xasprintf("mkdir -p venv/bin venv/lib/python%d.%d/site-packages", PY_MAJOR_VERSION, PY_MINOR_VERSION);
    ck_assert_int_eq(system(packages), 0);
    free(packages);
    char *home = xstrndup(PYTHON_EXECUTABLE, (size_t)(strrchr(PYTHON_EXECUTABLE, '/') - PYTHON_EXECUTABLE));
    char *file = xasprintf("home = %s\nversion = %s\n", home, interp_version());
    embedded_write("venv/pyvenv.cfg", file);
    free(file);
    free(home);
    ck_assert_int_eq(symlink(PYTHON_EXECUTABLE, "venv/bin/python"), 0);

    ck_assert_int_eq(interp_start(&options), 0);
    embedded_assert("__import__('sys').prefix == __import__('os').getcwd() + '/venv'", NULL);
    embedded_assert("__import__('sys').executable == __import__('os').getcwd() + '/venv/bin/python'", NULL);
    embedded_assert("any(place.startswith(__import__('sys').prefix) for place in __import__('sys').path)",
                    NULL);
    char *log = embedded_log();
    ck_assert_str_eq(log, "");
    free(log);
    embedded_stop();
}
END_TEST

/* Runs in a thread made by C: each gil_take must give the same thread state. */
static void *take_twice(void *result)
{
    PyThreadState *states[2];
    for (size_t i = 0; i < 2; i++) {
        gil_take();
        states[i] = PyThreadState_Get();
        embedded_assert("__import__('threading').current_thread()", NULL);
        gil_release();
    }
    *(bool *)result = states[0] == states[1];
    return NULL;
}

START_TEST(a_thread_keeps_its_thread_state)
{
    pthread_t thread;
    bool same = false;

    embedded_start();
    PyThreadState *mine = PyThreadState_Get();
    gil_release();
    ck_assert_int_eq(pthread_create(&thread, NULL, take_twice, &same), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    gil_take();
    ck_assert(same);
    ck_assert_ptr_eq(PyThreadState_Get(), mine);
    embedded_stop();
}
END_TEST

START_TEST(stopping_runs_atexit)
{
    embedded_start();
    ck_assert_int_eq(
        PyRun_SimpleString("import atexit; atexit.register(lambda: open('stopped', 'w').close())"), 0);
    interp_stop();
    ck_assert_int_eq(access("stopped", F_OK), 0);
    embedded_stop();
}
END_TEST

/* The collector does not look at frozen objects. */
START_TEST(stopping_destroys_what_is_frozen)
{
    embedded_start();
    ck_assert_int_eq(PyRun_SimpleString("import gc, os\n"
                                        "class Told:\n"
                                        "    def __del__(self): os.close(os.open('told', os.O_CREAT))\n"
                                        "def function(): pass\n"
                                        "function.told = Told()\nfunction.itself = function\ndel function\n"
                                        "gc.freeze()\n"),
                     0);
    interp_stop();
    ck_assert_int_eq(access("told", F_OK), 0);
    interp_stop(); /* Python has already stopped */
    embedded_stop();
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, the_interpreter_is_like_an_ordinary_one, facts);
    tcase_add_test(tests, pythonpath_follows_the_working_directory);
    tcase_add_test(tests, the_version_is_known_before_the_start);
    tcase_add_test(tests, a_virtualenv_that_does_not_fit_is_refused_in_one_record);
    tcase_add_test(tests, a_missing_virtualenv_is_an_error_when_it_is_asked_for);
    tcase_add_test(tests, a_missing_virtualenv_of_the_environment_is_ignored);
    tcase_add_test(tests, a_virtualenv_that_fits_is_used);
    tcase_add_test(tests, a_thread_keeps_its_thread_state);
    tcase_add_test(tests, stopping_runs_atexit);
    tcase_add_test(tests, stopping_destroys_what_is_frozen);
}

int main(void)
{
    return unit_run("py/interp", add);
}
