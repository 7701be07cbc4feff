/* The Python stack of a running thread, and of all threads when the process crashes. */
#include "py/stack.h"

#include "py/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/standard_fds.h"
#include "py/exception.h"

static int pipe_ends[2] = {-1, -1};

/* faulthandler.NAME(*args, file=file, all_threads=all_threads). Takes the reference to `args`. 0,
 * or -1 after a log record. */
static int call_faulthandler(const char *name, PyObject *args, int file, bool all_threads)
{
    PyObject *module = PyImport_ImportModule("faulthandler");
    PyObject *function = module != NULL ? PyObject_GetAttrString(module, name) : NULL;
    PyObject *keywords =
        Py_BuildValue("{sisO}", "file", file, "all_threads", all_threads ? Py_True : Py_False);
    PyObject *result = NULL;
    if (function != NULL && args != NULL && keywords != NULL)
        result = PyObject_Call(function, args, keywords);
    Py_XDECREF(module);
    Py_XDECREF(function);
    Py_XDECREF(args);
    Py_XDECREF(keywords);
    if (result == NULL)
        exception_log("faulthandler.%s() has failed", name);
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

int stack_on_crash(int fd)
{
    return call_faulthandler("enable", PyTuple_New(0), fd, true);
}

static void (*python_handler)(int signal);

/* Restores errno, which the interrupted code may be about to read: faulthandler's own handler does
 * not. */
static void handle(int signal)
{
    int saved = errno;
    python_handler(signal);
    errno = saved;
}

/* All registrations of faulthandler have the same handler. */
static int register_signal(int signal, int file, bool all_threads)
{
    struct sigaction action;
    if (call_faulthandler("register", Py_BuildValue("(i)", signal), file, all_threads) < 0)
        return -1;
    sigaction(signal, NULL, &action);
    if (action.sa_handler == handle)
        return 0; /* registered before: only its destination has changed */
    python_handler = action.sa_handler;
    action.sa_handler = handle;
    sigaction(signal, &action, NULL);
    return 0;
}

int stack_on_request(int fd)
{
    return register_signal(STACKS_SIGNAL, fd, true);
}

static int write_to_pipe(bool all_threads)
{
    if (pipe_ends[0] < 0 && pair_above_standard(pipe2(pipe_ends, O_NONBLOCK | O_CLOEXEC), pipe_ends) < 0) {
        log_error("the pipe for stacks cannot be made: %s", strerror(errno));
        return -1;
    }
    if (register_signal(STACK_SIGNAL, pipe_ends[1], all_threads) == 0)
        return 0;
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    pipe_ends[0] = pipe_ends[1] = -1; /* otherwise the signal would end the process */
    return -1;
}

int stack_init(void)
{
    return write_to_pipe(false);
}

int stack_of_all_threads(void)
{
    if (!Py_IsInitialized())
        return 0;
    return write_to_pipe(true);
}

void stack_unblock(void)
{
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, STACK_SIGNAL);
    sigaddset(&ours, STACKS_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
}

void stack_request(pthread_t thread)
{
    char rest[4096];
    if (pipe_ends[0] < 0)
        return;
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
