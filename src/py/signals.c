/* The application's signal handlers, while no Python runs. */
#include "py/interp.h"

#include <fcntl.h>
#include <unistd.h>

#include "py/exception.h"

static int wakeup[2] = {-1, -1}; /* Python's C handler writes, the loop reads */

/* signal.set_wakeup_fd, without what importing the signal module costs. */
static int set_wakeup_fd(int fd)
{
    PyObject *module = PyImport_ImportModule("_signal");
    PyObject *old = module != NULL ? PyObject_CallMethod(module, "set_wakeup_fd", "i", fd) : NULL;
    Py_XDECREF(module);
    if (old == NULL) {
        exception_log("the application's signal handlers will wait for requests");
        return -1;
    }
    Py_DECREF(old);
    return 0;
}

int interp_signal_fd(void)
{
    if (wakeup[0] >= 0 || pipe2(wakeup, O_NONBLOCK | O_CLOEXEC) < 0)
        return wakeup[0];
    return set_wakeup_fd(wakeup[1]) == 0 ? wakeup[0] : -1;
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
