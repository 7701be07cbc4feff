/*
 * The embedded interpreter: started once per worker, after the fork, in the thread that remains its
 * main thread.
 *
 * No Python.h: app/ and proc/ include this header. This module logs errors in one record; the
 * caller only has to leave.
 */
#ifndef PY_INTERP_H
#define PY_INTERP_H

#include "options/options.h"

/*
 * Finds and starts the interpreter. The first of these decides: options->venv (empty: no
 * environment), the virtual environment whose bin/ has this program, $VIRTUAL_ENV, the python of
 * the build. Checks first that a virtual environment fits this libpython. site and the environment
 * are honoured, stdio is unbuffered, faulthandler is on, and no signal handler is installed.
 * sys.path begins with the working directory and options->pythonpath. sys.argv is ["gateway"],
 * sys.executable is a real python, and __main__ is named after the program. Afterwards the calling
 * thread holds the GIL. 0, or -1 after one log record.
 */
int interp_start(const struct options *options);

/* The virtual environment that interp_start will check, as the user named it; NULL for none. The
 * caller frees it. */
char *interp_venv(const struct options *options);

/*
 * Ends Python as `python` does: waits for threads and jobs of executors, runs atexit functions, and
 * destroys the objects of modules. That flushes their files and runs their __del__. Objects that C
 * still holds, and objects that these refer to, are not destroyed: the caller releases the
 * application first (application_free, caller_free, call_fini). GIL held. The caller sets a
 * deadline. Does nothing before the start.
 */
void interp_stop(void);

/* For the calling thread, which keeps its thread state for life. Take the baton first, the GIL
 * second. */
void gil_take(void);
void gil_release(void);

/*
 * Only Python code runs the application's signal handlers (signal.signal), and an idle worker runs
 * none. The descriptor becomes readable when a handler is due. Any thread empties it, without the
 * GIL, because the main thread may be in a long call. Then interp_run_signal_handlers runs the
 * handlers in the main thread, GIL held. -1 when there is no descriptor: handlers wait for the next
 * request.
 */
int interp_signal_fd(void);
void interp_empty_signal_fd(void);
/* Sets Python's descriptor again, in case the application has replaced it (asyncio does). In the
 * main thread, GIL held; costs system calls. */
void interp_reclaim_signal_fd(void);
void interp_run_signal_handlers(void);

/* "3.11.2": the version of the loaded libpython. Works before interp_start. */
const char *interp_version(void);

#endif
