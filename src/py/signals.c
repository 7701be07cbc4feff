/* The application's signal handlers, while no Python runs. */
#include "py/interp.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/standard_fds.h"
#include "py/exception.h"

static int wakeup[2] = {-1, -1}; /* Python's C handler writes, the loop reads */
static PyObject *set_wakeup_fd;  /* signal.set_wakeup_fd, without what importing the signal module costs */

/* The descriptor that was there before; -2 with an exception. */
static long set_ours(void)
{
    PyObject *old = PyObject_CallFunction(set_wakeup_fd, "i", wakeup[1]);
    long fd = old != NULL ? PyLong_AsLong(old) : -2;
    Py_XDECREF(old);
    return fd;
}

int interp_signal_fd(void)
{
    if (wakeup[0] >= 0 || pair_above_standard(pipe2(wakeup, O_NONBLOCK | O_CLOEXEC), wakeup) < 0)
        return wakeup[0];
    PyObject *module = PyImport_ImportModule("_signal");
    set_wakeup_fd = module != NULL ? PyObject_GetAttrString(module, "set_wakeup_fd") : NULL;
    Py_XDECREF(module);
    if (set_wakeup_fd != NULL && set_ours() != -2)
        return wakeup[0];
    exception_log("the application's signal handlers will wait for requests");
    Py_CLEAR(set_wakeup_fd);
    return -1;
}

/* What came meanwhile has left no byte here: one makes the loop look. A pipe that is full has some. */
static void write_byte(void)
{
    if (write(wakeup[1], "", 1) < 0)
        return;
}

void interp_reclaim_signal_fd(void)
{
    long old = set_wakeup_fd != NULL ? set_ours() : wakeup[1];
    if (old == wakeup[1])
        return;
    if (old != -2) {
        write_byte();
        return;
    }
    exception_log(
        "the application has closed the descriptor for its signals: its handlers wait for requests");
    Py_CLEAR(set_wakeup_fd);
}

void interp_empty_signal_fd(void)
{
    char numbers[64];
    while (read(wakeup[0], numbers, sizeof(numbers)) == sizeof(numbers))
        ;
}

void interp_run_signal_handlers(void)
{
    if (PyErr_CheckSignals() < 0)
        exception_log("exception in a signal handler of the application");
}
