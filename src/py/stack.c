/* The Python stack of a running thread. */
#include "py/stack.h"

#include "py/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "py/exception.h"

static int pipe_ends[2] = {-1, -1};

/* faulthandler.register(STACK_SIGNAL, file=..., all_threads=False) */
static int register_handler(void)
{
    PyObject *module = PyImport_ImportModule("faulthandler");
    PyObject *function = module != NULL ? PyObject_GetAttrString(module, "register") : NULL;
    PyObject *args = Py_BuildValue("(i)", STACK_SIGNAL);
    PyObject *keywords = Py_BuildValue("{sisO}", "file", pipe_ends[1], "all_threads", Py_False);
    PyObject *result = NULL;
    if (function != NULL && args != NULL && keywords != NULL)
        result = PyObject_Call(function, args, keywords);
    Py_XDECREF(module);
    Py_XDECREF(function);
    Py_XDECREF(args);
    Py_XDECREF(keywords);
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

static void (*python_handler)(int signal);

/* faulthandler's own does not restore errno, which the interrupted code may be about to read. */
static void handle(int signal)
{
    int saved = errno;
    python_handler(signal);
    errno = saved;
}

static void wrap_handler(void)
{
    struct sigaction action;
    sigaction(STACK_SIGNAL, NULL, &action);
    python_handler = action.sa_handler;
    action.sa_handler = handle;
    sigaction(STACK_SIGNAL, &action, NULL);
}

int stack_init(void)
{
    if (pipe2(pipe_ends, O_NONBLOCK | O_CLOEXEC) < 0) {
        log_error("the pipe for stacks can not be made: %s", strerror(errno));
        return -1;
    }
    if (register_handler() < 0) {
        exception_log("faulthandler.register");
        return -1;
    }
    wrap_handler();
    return 0;
}

void stack_request(pthread_t thread)
{
    char rest[4096];
    while (read(pipe_ends[0], rest, sizeof(rest)) > 0)
        ;
    pthread_kill(thread, STACK_SIGNAL);
}

size_t stack_receive(char *out, size_t room)
{
    size_t size = 0;
    ssize_t n;
    while (size < room && (n = read(pipe_ends[0], out + size, room - size)) > 0)
        size += (size_t)n;
    return size;
}
