/*
 * The embedded interpreter: its python, its start and end, the GIL of each thread, and the
 * descriptor for the application's signal handlers.
 */
#include "py/compat.h"

#include "py/interp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/program.h"
#include "base/standard_fds.h"
#include "config.h" /* PYTHON_EXECUTABLE */
#include "py/errors_stream.h"
#include "py/exception.h"
#include "py/library.h"
#include "py/python_fork.h"
#include "py/venv.h"

/* The result of this thread's PyEval_SaveThread; NULL before its first gil_take or gil_release. */
static _Thread_local PyThreadState *thread_state;

const char *interp_version(void)
{
    static char version[32];
    const char *text = Py_GetVersion();
    size_t size = strcspn(text, " ");

    if (size >= sizeof(version))
        size = sizeof(version) - 1;
    memcpy(version, text, size);
    return version;
}

static char *absolute_path(const char *path)
{
    if (path[0] == '/')
        return xstrdup(path);
    char *directory = getcwd(NULL, 0);
    char *absolute = directory == NULL ? xstrdup(path) : xasprintf("%s/%s", directory, path);
    free(directory);
    return absolute;
}

/* The python that the interpreter takes itself for. */
struct python {
    char *executable;         /* sys.executable; owned, NULL: none */
    bool is_of_another_build; /* its packages are used with the library of the embedded build */
};

static void tell_of_another_build(struct python *python, const char *message)
{
    python->is_of_another_build = VENV_LIBRARY_APART;
    if (python->is_of_another_build)
        log_info("%s: its packages are used, with the standard library of the embedded one", message);
    else
        log_warning("%s: the standard library comes from there, and the import of its C modules may fail "
                    "(ssl, sqlite3)",
                    message);
}

/* Finds bin/python of the virtual environment at `directory`. Leaves it NULL after a record when
 * the environment is not used; *refused tells whether that is an error. VIRTUAL_ENV often outlives
 * its directory in a shell. */
static void venv_python(struct python *python, const char *directory, bool from_environment, bool *refused)
{
    const struct venv_host host = {.version = interp_version(), .python = PYTHON_EXECUTABLE};
    char message[1024];
    char *path = absolute_path(directory);
    enum venv_answer answer = venv_check(path, &host, message, sizeof(message));

    *refused = answer == VENV_UNFIT || (answer == VENV_MISSING && !from_environment);
    if (*refused)
        log_error("%s", message);
    else if (answer == VENV_MISSING)
        log_warning("VIRTUAL_ENV is ignored: %s", message);
    else
        python->executable = xasprintf("%s/bin/python", path);
    if (answer == VENV_OTHER_BUILD)
        tell_of_another_build(python, message);
    free(path);
}

/* The directory as the user named it, or NULL. */
static char *find_venv(const struct options *options, bool *from_environment)
{
    char *own = options->venv == NULL ? venv_around(program_path()) : NULL;
    const char *directory = options->venv != NULL ? options->venv : getenv("VIRTUAL_ENV");

    *from_environment = options->venv == NULL && own == NULL;
    if (own != NULL || directory == NULL || *directory == '\0')
        return own;
    return xstrdup(directory);
}

char *interp_venv(const struct options *options)
{
    bool from_environment;
    return find_venv(options, &from_environment);
}

/* Never leaves sys.executable to $PATH. 0, or -1 after a record. */
static int find_python(struct python *python, const struct options *options)
{
    bool from_environment, refused = false;
    char *directory = find_venv(options, &from_environment);

    *python = (struct python){0};
    if (directory != NULL)
        venv_python(python, directory, from_environment, &refused);
    free(directory);
    if (python->executable != NULL || refused)
        return refused ? -1 : 0;
    if (access(PYTHON_EXECUTABLE, X_OK) != 0)
        log_warning("%s, which will be sys.executable: %s", PYTHON_EXECUTABLE, strerror(errno));
    python->executable = xstrdup(PYTHON_EXECUTABLE);
    return 0;
}

/* Python finds the library from the executable, through the pyvenv.cfg beside it, unless `home` is
 * set. site finds the packages from sys.executable, which may belong to another build. */
static PyStatus set_paths(PyConfig *config, const struct python *python)
{
    const struct {
        wchar_t **field;
        const char *value;
    } apart[] = {
        {&config->home, PYTHON_HOME},
        {&config->executable, python->executable},
        {&config->base_executable, PYTHON_EXECUTABLE},
    };
    PyStatus status = PyConfig_SetBytesString(config, &config->program_name, python->executable);

    for (size_t i = 0; python->is_of_another_build && i < sizeof(apart) / sizeof(apart[0]); i++)
        if (!PyStatus_Exception(status))
            status = PyConfig_SetBytesString(config, apart[i].field, apart[i].value);
    return status;
}

static PyStatus initialize(const struct python *python, const struct options *options)
{
    static char program[] = "gateway";
    char *argv[] = {program, NULL};
    PyPreConfig preconfig;
    PyConfig config;

    PyPreConfig_InitPythonConfig(&preconfig);
    preconfig.parse_argv = 0;
    PyStatus status = Py_PreInitialize(&preconfig);
    if (PyStatus_Exception(status))
        return status;

    PyConfig_InitPythonConfig(&config);
    config.parse_argv = 0;
    config.install_signal_handlers = 0;
    config.faulthandler = 1;
    /* A .pyc identifies its source by size and second: two saves within a second would look
     * alike. */
    if (options->reload)
        config.write_bytecode = 0;
    config.buffered_stdio = 0; /* otherwise the output of print() stays invisible for long in a container */
    status = PyConfig_SetBytesArgv(&config, 1, argv);
    if (!PyStatus_Exception(status))
        status = set_paths(&config, python);
    if (!PyStatus_Exception(status))
        status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    return status;
}

static int append_path(PyObject *list, const char *path)
{
    char *absolute = absolute_path(path);
    PyObject *text = PyUnicode_DecodeFSDefault(absolute);
    int result = text == NULL ? -1 : PyList_Append(list, text);

    Py_XDECREF(text);
    free(absolute);
    return result;
}

static int append_paths(PyObject *list, const char *colon_separated)
{
    char *paths = xstrdup(colon_separated), *rest = paths, *path;
    int result = 0;

    while (result == 0 && (path = strsep(&rest, ":")) != NULL) {
        if (*path != '\0')
            result = append_path(list, path);
    }
    free(paths);
    return result;
}

/* Adds the current directory: an embedded interpreter does not have it on sys.path. */
static int extend_path(const struct options *options)
{
    PyObject *b_path = PySys_GetObject("path");
    PyObject *front = PyList_New(0);
    char *directory = getcwd(NULL, 0);
    int result = -1;

    if (b_path == NULL || !PyList_Check(b_path))
        PyErr_SetString(PyExc_RuntimeError, "sys.path is not a list");
    else if (front == NULL || (directory != NULL && append_path(front, directory) != 0))
        goto out;
    else if (options->pythonpath != NULL && append_paths(front, options->pythonpath) != 0)
        goto out;
    else
        result = PyList_SetSlice(b_path, 0, 0, front);
out:
    free(directory);
    Py_XDECREF(front);
    return result;
}

/* Children of multiprocessing get our sys.path with its library, which does not fit the python of
 * sys.executable. */
static void spawn_embedded_python(void)
{
    PyObject *standard = NULL, *module = NULL, *result = NULL;

    if ((standard = library_function("standard")) != NULL)
        module = PyObject_CallFunction(standard, "s", "multiprocessing.spawn");
    if (module != NULL)
        result = PyObject_CallMethod(module, "set_executable", "s", PYTHON_EXECUTABLE);
    exception_log("multiprocessing cannot spawn %s", PYTHON_EXECUTABLE);
    Py_XDECREF(standard);
    Py_XDECREF(module);
    Py_XDECREF(result);
}

/* Names the empty module __main__ after the program: without a __file__ it would count as an
 * interactive session. A name that ends in .__main__ keeps children of multiprocessing from running
 * the file as a Python script. 0, or -1 with an exception. */
static int name_main_module(void)
{
    const char *path = program_path();
    PyObject *b_main = PyImport_AddModule("__main__"), *module = NULL, *file = NULL, *spec = NULL;
    int result = -1;

    if (path == NULL)
        return 0;
    if (b_main == NULL || (file = PyUnicode_DecodeFSDefault(path)) == NULL)
        goto out;
    if ((module = PyImport_ImportModule("_frozen_importlib")) == NULL)
        goto out;
    if ((spec = PyObject_CallMethod(module, "ModuleSpec", "sO", "gateway.__main__", Py_None)) == NULL)
        goto out;
    if (PyObject_SetAttrString(spec, "origin", file) == 0 &&
        PyObject_SetAttrString(b_main, "__file__", file) == 0 &&
        PyObject_SetAttrString(b_main, "__spec__", spec) == 0)
        result = 0;
out:
    Py_XDECREF(module);
    Py_XDECREF(file);
    Py_XDECREF(spec);
    return result;
}

int interp_start(const struct options *options)
{
    struct python python;
    if (find_python(&python, options) != 0)
        return -1;

    PyStatus status = initialize(&python, options);
    free(python.executable);
    if (PyStatus_Exception(status)) {
        log_error("Python %s does not start: %s", interp_version(),
                  status.err_msg != NULL ? status.err_msg : "it has asked to exit");
        return -1;
    }
    library_hold();
    if (python.is_of_another_build)
        spawn_embedded_python();
    if (name_main_module() != 0) {
        exception_log("__main__ cannot be named");
        return -1;
    }
    if (extend_path(options) != 0) {
        exception_log("sys.path cannot be set");
        return -1;
    }
    library_give_way();
    int error = python_fork_watch();
    if (error != 0) {
        log_error("fork handlers cannot be installed: %s", strerror(error));
        return -1;
    }
    return 0;
}

/* The garbage collector ignores frozen objects (gc.freeze): cycles among them would not be
 * destroyed. */
static void unfreeze(void)
{
    PyObject *module = PyImport_ImportModule("gc");
    PyObject *result = module == NULL ? NULL : PyObject_CallMethod(module, "unfreeze", NULL);

    exception_log("gc.unfreeze() has failed");
    Py_XDECREF(module);
    Py_XDECREF(result);
}

void interp_stop(void)
{
    if (!Py_IsInitialized())
        return;
    unfreeze();
    library_release();
    if (Py_FinalizeEx() != 0)
        log_warning("Python could not flush its output when it stopped");
    errors_flush(); /* atexit functions and finalisers may have written a line without an end */
}

void gil_take(void)
{
    if (thread_state != NULL)
        PyEval_RestoreThread(thread_state);
    else
        (void)PyGILState_Ensure(); /* without a release: the new thread state remains the thread's own */
}

void gil_release(void)
{
    thread_state = PyEval_SaveThread();
}

static int wakeup[2] = {-1, -1}; /* Python's C handler writes, the loop reads */
static PyObject *set_wakeup_fd;  /* signal.set_wakeup_fd, without the cost of importing the signal module */

/* Returns the descriptor that was set before; -2 with an exception. */
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

/* Signals meanwhile have written no byte here: a byte makes the loop look. A full pipe needs
 * none. */
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
