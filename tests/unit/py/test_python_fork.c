/*
 * Forks: those of the application are recorded, and those of ours have an interpreter of their own.
 */
#include "py/python_fork.h"

#include <sys/wait.h>

#include "embedded.h"

START_TEST(a_fork_of_the_application_is_known_on_both_sides)
{
    embedded_start();
    ck_assert(!python_is_fork());
    ck_assert(!*python_has_forked());
    PyObject *child = embedded_evaluate("__import__('os').fork()", NULL);
    ck_assert_ptr_nonnull(child);
    pid_t pid = (pid_t)PyLong_AsLong(child);
    if (pid == 0)
        _exit(python_is_fork() ? 42 : 0);
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    ck_assert(*python_has_forked());
    ck_assert(!python_is_fork());
    Py_DECREF(child);
    embedded_stop();
}
END_TEST

/* True in the child, after the fork. */
static const char *const after_our_fork[] = {
    "x['hooks'] == 'before child'",
    "x['os'].fork() > 0 or x['os']._exit(0)",
    "x['random'].random() != x['expected']",
    "x['threading'].current_thread() is x['threading'].main_thread()",
};

static const char prepare_fork[] = "import os, random, threading\n"
                                   "hooks = ''\n"
                                   "def note(what):\n"
                                   "    global hooks\n"
                                   "    hooks = (hooks + ' ' + what).strip()\n"
                                   "os.register_at_fork(before=lambda: note('before'),\n"
                                   "    after_in_parent=lambda: note('parent'),\n"
                                   "    after_in_child=lambda: note('child'))\n"
                                   "state = random.getstate()\n"
                                   "expected = random.random()\n"
                                   "random.setstate(state)\n";

START_TEST(a_process_that_we_fork_has_an_interpreter_of_its_own)
{
    embedded_start();
    ck_assert_int_eq(PyRun_SimpleString(prepare_fork), 0);
    PyObject *b_names = PyModule_GetDict(PyImport_AddModule("__main__"));
    python_fork_before();
    pid_t pid = fork();
    if (pid == 0) {
        python_fork_after_in_child();
        bool ours = !python_is_fork() && !*python_has_forked();
        embedded_assert(after_our_fork[_i], b_names);
        _exit(ours ? 42 : 1);
    }
    python_fork_after_in_parent();
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    embedded_assert("x['hooks'] == 'before parent'", b_names);
    embedded_stop();
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, a_fork_of_the_application_is_known_on_both_sides);
    unit_add_rows(tests, a_process_that_we_fork_has_an_interpreter_of_its_own, after_our_fork);
}

int main(void)
{
    return unit_run("py/python_fork", add);
}
