/*
 * gateway.RequestTimeout: raised in another thread when it is due, and not in a later call.
 */
#include "py/interrupt.h"

#include "embedded.h"

static pthread_t main_thread;
static bool due;

static bool is_due(void *context)
{
    ck_assert_ptr_eq(context, &due);
    return due;
}

/* One thread writes them, the Python code of another reads them. */
static int is_running, was_raised;

static void *raise_when_it_runs(void *argument)
{
    (void)argument;
    while (!__atomic_load_n(&is_running, __ATOMIC_ACQUIRE))
        usleep(1000);
    interrupt_raise(main_thread, is_due, &due);
    __atomic_store_n(&was_raised, 1, __ATOMIC_RELEASE);
    return NULL;
}

/* Runs until some time after the exception, unless it is interrupted. */
static const char loop[] = "import ctypes\n"
                           "ctypes.c_int.from_address(%zu).value = 1\n"
                           "raised = ctypes.c_int.from_address(%zu)\n"
                           "while not raised.value: pass\n"
                           "for i in range(100000): pass\n";

static PyObject *run_while_it_is_raised(void)
{
    pthread_t thread;
    PyObject *globals = PyDict_New();
    PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins());
    main_thread = pthread_self();
    char *source = xasprintf(loop, (size_t)&is_running, (size_t)&was_raised);
    ck_assert_int_eq(pthread_create(&thread, NULL, raise_when_it_runs, NULL), 0);
    PyObject *result = PyRun_String(source, Py_file_input, globals, globals);
    free(source);
    Py_BEGIN_ALLOW_THREADS;
    pthread_join(thread, NULL);
    Py_END_ALLOW_THREADS;
    Py_DECREF(globals);
    return result;
}

START_TEST(it_is_raised_in_the_thread)
{
    embedded_start();
    ck_assert_int_eq(interrupt_init(), 0);
    due = true;
    ck_assert_ptr_null(run_while_it_is_raised());
    ck_assert(interrupt_is_under_way());
    ck_assert(!PyErr_ExceptionMatches(PyExc_Exception));
    embedded_stop();
}
END_TEST

START_TEST(it_is_not_raised_when_it_is_not_due)
{
    embedded_start();
    ck_assert_int_eq(interrupt_init(), 0);
    due = false;
    PyObject *result = run_while_it_is_raised();
    ck_assert_ptr_nonnull(result);
    Py_DECREF(result);
    embedded_stop();
}
END_TEST

START_TEST(what_is_forgotten_does_not_come)
{
    embedded_start();
    ck_assert_int_eq(interrupt_init(), 0);
    due = true;
    interrupt_raise(pthread_self(), is_due, &due);
    interrupt_forget();
    ck_assert_int_eq(PyRun_SimpleString("for i in range(100000): pass"), 0);
    embedded_stop();
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, it_is_raised_in_the_thread);
    tcase_add_test(tests, it_is_not_raised_when_it_is_not_due);
    tcase_add_test(tests, what_is_forgotten_does_not_come);
}

int main(void)
{
    return unit_run("py/interrupt", add);
}
