/* The threads of the process, and those that run the application. */
#include "py/threads.h"

#include "py/compat.h"

#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "py/exception.h"
#include "py/interp.h"
#include "py/library.h"

enum { JOIN_SECONDS = 1 }; /* Python's own end of a thread runs hooks of tracers */

/* A started thread soon begins or ends. A debugger may hold threads: all waits of the process
 * together have this limit. */
enum { BEGIN_LOOK_NS = 20000000, BEGIN_LOOKS = 150 };

/* The application's threading module. It may be another copy than ours, when the application has a
 * module with the name of one that threading imports. NULL with an exception. */
static PyObject *threading_module(void)
{
    PyObject *b_module = PyDict_GetItemString(PyImport_GetModuleDict(), "threading"), *held;
    if (b_module != NULL && PyObject_HasAttrString(b_module, "Thread")) {
        Py_INCREF(b_module);
        return b_module;
    }
    return (held = library_module("threading")) != NULL ? held : PyImport_ImportModule("threading");
}

int threads_init(void)
{
    PyObject *module = threading_module();
    if (module == NULL)
        exception_log("threading cannot be imported");
    Py_XDECREF(module);
    return module != NULL ? 0 : -1;
}

/* threading.enumerate(); NULL, without an exception, when threading was never imported: then
 * threads have no names. */
static PyObject *known_threads(void)
{
    PyObject *name = PyUnicode_FromString("threading");
    PyObject *module = name != NULL ? PyImport_GetModule(name) : NULL;
    PyObject *answer = module != NULL ? PyObject_CallMethod(module, "enumerate", NULL) : NULL;
    PyObject *list = answer != NULL ? PySequence_List(answer) : NULL;
    Py_XDECREF(name);
    Py_XDECREF(module);
    Py_XDECREF(answer);
    PyErr_Clear();
    return list;
}

static bool has_id(PyObject *thread, long id)
{
    PyObject *number = PyObject_GetAttrString(thread, "native_id");
    bool same = number != NULL && PyLong_Check(number) && PyLong_AsLong(number) == id;
    Py_XDECREF(number);
    PyErr_Clear();
    return same;
}

/* False when Python does not know the thread, or its name cannot be printed. */
static bool add_known(struct listing *listing, PyObject *threads, long id)
{
    bool added = false;
    for (Py_ssize_t i = 0; threads != NULL && i < PyList_GET_SIZE(threads) && !added; i++) {
        PyObject *b_thread = PyList_GET_ITEM(threads, i);
        if (!has_id(b_thread, id))
            continue;
        PyObject *name = PyObject_GetAttrString(b_thread, "name");
        const char *text = name != NULL && PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL;
        if (text != NULL)
            listing_add(listing, "\"%s\"", text);
        added = text != NULL;
        Py_XDECREF(name);
        PyErr_Clear();
    }
    return added;
}

static void add_other(struct listing *listing, long id)
{
    char path[64], name[32] = "?";
    snprintf(path, sizeof(path), "/proc/self/task/%ld/comm", id);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return; /* the thread has just ended */
    if (fgets(name, sizeof(name), file) != NULL)
        name[strcspn(name, "\n")] = '\0';
    fclose(file);
    listing_add(listing, "\"%s\"", name);
}

void threads_list(struct listing *listing)
{
    DIR *tasks = opendir("/proc/self/task");
    const struct dirent *entry;
    if (tasks == NULL)
        return;
    PyObject *threads = known_threads();
    while ((entry = readdir(tasks)) != NULL) {
        long id = strtol(entry->d_name, NULL, 10);
        if (id > 0 && id != gettid() && !add_known(listing, threads, id))
            add_other(listing, id);
    }
    Py_XDECREF(threads);
    closedir(tasks);
}

struct thread {
    PyObject *object; /* the threading.Thread; NULL for a thread that Python does not know */
    pthread_t native; /* used when `object` is NULL */
    pthread_t starter;
    sigset_t signals; /* mask of the thread that started it, for the application's code */
    void (*run)(void *context);
    void *context;
    sem_t begun; /* posted by the target when it is called */
    /* Protected by the GIL: */
    unsigned references; /* held by the caller and by the target */
    bool runs;
    bool dropped; /* the target must not run any more */
    bool is_none; /* the starting thread itself would run it */
};

static const char capsule_name[] = "gateway.thread";

static void unref(struct thread *thread)
{
    if (--thread->references > 0)
        return;
    sem_destroy(&thread->begun);
    free(thread);
}

static void capsule_destroy(PyObject *capsule)
{
    unref(PyCapsule_GetPointer(capsule, capsule_name));
}

/* The target of the threading.Thread. Under a library that runs all "threads" in one thread, it
 * would wait here forever. */
static PyObject *call_run(PyObject *self, PyObject *unused)
{
    (void)unused;
    struct thread *thread = PyCapsule_GetPointer(self, capsule_name);
    if (thread == NULL)
        return NULL;
    thread->is_none = pthread_equal(thread->starter, pthread_self());
    sem_post(&thread->begun);
    if (thread->is_none || thread->dropped)
        Py_RETURN_NONE;
    thread->runs = true;
    gil_release();
    thread->run(thread->context);
    gil_take();
    Py_RETURN_NONE;
}

static PyMethodDef call_run_definition = {"run", call_run, METH_NOARGS, "Runs the application's calls."};

/* Thread.daemon of our threads: true at their start, false while they run. At the start, threading
 * reads it for its shutdown: a call that does not return must not delay the end of other threads
 * and atexit functions. Later it is read for threads that the application starts in a call. Those
 * are no daemons, as in the main thread. */
static PyObject *is_daemon(PyObject *module, PyObject *thread)
{
    (void)module;
    PyObject *alive = PyObject_CallMethod(thread, "is_alive", NULL);
    int r = alive != NULL ? PyObject_IsTrue(alive) : -1;
    Py_XDECREF(alive);
    return r < 0 ? NULL : PyBool_FromLong(!r);
}

static PyMethodDef is_daemon_definition = {"daemon", is_daemon, METH_O, NULL};

/* Makes a subclass of threading.Thread; NULL with an exception. */
static PyObject *make_type(void)
{
    PyObject *module = threading_module(), *daemon = NULL, *type = NULL;
    PyObject *base = module != NULL ? PyObject_GetAttrString(module, "Thread") : NULL;
    PyObject *function = PyCFunction_New(&is_daemon_definition, NULL);
    if (function != NULL)
        daemon = PyObject_CallFunctionObjArgs((PyObject *)&PyProperty_Type, function, NULL);
    if (base != NULL && daemon != NULL)
        type = PyObject_CallFunction((PyObject *)&PyType_Type, "s(O){sssO}", "Thread", base, "__module__",
                                     "gateway", "daemon", daemon);
    Py_XDECREF(module);
    Py_XDECREF(base);
    Py_XDECREF(function);
    Py_XDECREF(daemon);
    return type;
}

/* Thread(target=target, name=name, daemon=True); NULL with an exception. */
static PyObject *make_object(PyObject *target, const char *name)
{
    PyObject *type = make_type(), *object = NULL;
    PyObject *none = PyTuple_New(0);
    PyObject *keywords = Py_BuildValue("{sOsssO}", "target", target, "name", name, "daemon", Py_True);
    if (type != NULL && none != NULL && keywords != NULL)
        object = PyObject_Call(type, none, keywords);
    Py_XDECREF(type);
    Py_XDECREF(none);
    Py_XDECREF(keywords);
    return object;
}

static PyObject *make_target(struct thread *thread)
{
    PyObject *capsule = PyCapsule_New(thread, capsule_name, capsule_destroy);
    if (capsule == NULL)
        return NULL;
    thread->references++;
    PyObject *target = PyCFunction_New(&call_run_definition, capsule);
    Py_DECREF(capsule);
    return target;
}

/* 0, or -1 after a log record. A signal handler may fail in it, after the thread has begun. */
static int start_python_thread(struct thread *thread, const char *name)
{
    PyObject *target = make_target(thread);
    PyObject *object = target != NULL ? make_object(target, name) : NULL;
    PyObject *result = object != NULL ? PyObject_CallMethod(object, "start", NULL) : NULL;
    thread->dropped = result == NULL && !thread->runs;
    thread->object = object;
    if (result == NULL)
        exception_log("a thread cannot be started");
    Py_XDECREF(target);
    Py_XDECREF(result);
    return thread->dropped ? -1 : 0;
}

/* Waits without the GIL, which the thread needs to begin. True: it has begun. */
static bool await_begin(struct thread *thread)
{
    struct timespec end;
    int r;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += BEGIN_LOOK_NS;
    end.tv_sec += end.tv_nsec / 1000000000;
    end.tv_nsec %= 1000000000;
    Py_BEGIN_ALLOW_THREADS r = sem_timedwait(&thread->begun, &end);
    Py_END_ALLOW_THREADS return r == 0;
}

static bool is_alive(PyObject *object)
{
    PyObject *alive = PyObject_CallMethod(object, "is_alive", NULL);
    bool answer = alive != Py_False;
    if (alive == NULL)
        exception_log("threading cannot tell whether a thread of the application is alive");
    Py_XDECREF(alive);
    return answer;
}

/* True: the thread has ended before it ran, because a function of threading.settrace or
 * threading.setprofile raised. */
static bool has_ended_at_once(struct thread *thread)
{
    static unsigned looks;
    for (; looks < BEGIN_LOOKS && !await_begin(thread); looks++)
        if (!is_alive(thread->object) && !thread->runs)
            return true;
    return false;
}

/* Logged once per process: its other threads end in the same way. */
static void tell_end_at_once(void)
{
    static bool is_told;
    if (!is_told)
        log_error("a thread for calls ended as it began: does a function of threading.settrace or setprofile "
                  "raise? This worker uses threads that Python's threading does not know");
    is_told = true;
}

static void *native_main(void *argument)
{
    struct thread *thread = argument;
    /* Processes that the application starts get this mask: with all signals blocked they could
     * not be terminated. Signals to our process still go to the main thread, which the kernel
     * prefers. */
    pthread_sigmask(SIG_SETMASK, &thread->signals, NULL);
    thread->run(thread->context);
    return NULL;
}

/* 0, or -1 after a log record. */
static int start_native_thread(struct thread *thread)
{
    Py_CLEAR(thread->object);
    thread->dropped = true;
    pthread_sigmask(SIG_SETMASK, NULL, &thread->signals);
    int error = thread_start(&thread->native, native_main, thread);
    if (error == 0)
        return 0;
    log_error("a thread cannot be started: %s", strerror(error));
    return -1;
}

struct thread *threads_start(const char *name, void (*run)(void *context), void *context)
{
    struct thread *thread = xcalloc(1, sizeof(*thread));
    *thread = (struct thread){.starter = pthread_self(), .run = run, .context = context, .references = 1};
    sem_init(&thread->begun, 0, 0);
    int r = start_python_thread(thread, name);
    bool ended = r == 0 && !thread->is_none && has_ended_at_once(thread);
    if (ended)
        tell_end_at_once();
    if (r == 0 && (ended || thread->is_none))
        r = start_native_thread(thread);
    if (r == 0)
        return thread;
    Py_CLEAR(thread->object);
    unref(thread);
    return NULL;
}

static bool join_native(const struct thread *thread)
{
    struct timespec end;
    int error;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += JOIN_SECONDS;
    Py_BEGIN_ALLOW_THREADS error = pthread_timedjoin_np(thread->native, NULL, &end);
    Py_END_ALLOW_THREADS return error == 0;
}

static bool join_object(PyObject *object)
{
    PyObject *result = PyObject_CallMethod(object, "join", "i", JOIN_SECONDS);
    if (result == NULL)
        exception_log("a thread of the application cannot be joined");
    Py_XDECREF(result);
    return result != NULL && !is_alive(object);
}

bool threads_join(struct thread *thread)
{
    bool ended = thread->object != NULL ? join_object(thread->object) : join_native(thread);
    Py_CLEAR(thread->object);
    if (ended)
        unref(thread);
    return ended;
}
