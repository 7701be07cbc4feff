/*
 * The embedded interpreter: started once per worker, after the fork, on the thread that stays its main thread.
 *
 * It never includes Python.h: app/ and proc/ use it. Errors are logged here, in one record, as one sentence where one is
 * enough; the caller only has to leave.
 */
#ifndef PY_INTERP_H
#define PY_INTERP_H

#include "options/options.h"

/*
 * Finds the interpreter: that of options->venv (which is empty for none), else of the virtual environment in whose bin/ this
 * program was found, else of $VIRTUAL_ENV, else the python it was configured with. Checks that a virtual environment fits this libpython before anything is started, and starts it: site and the environment are
 * honoured, stdio is unbuffered, faulthandler is on, no signal handler is installed. sys.path begins with the working
 * directory and options->pythonpath; sys.argv is ["gateway"]; sys.executable is a real python; __main__ is the program's.
 * On return the calling thread holds the GIL. 0, or -1 after one log record.
 */
int interp_start(const struct options *options);

/* The virtual environment that interp_start will look at, as it is named; to be freed, NULL when there is none. */
char *interp_venv(const struct options *options);

/*
 * Ends Python as `python` ends it: threads and executors' jobs are waited for, atexit functions run, the objects of modules are
 * destroyed, which flushes their files and runs their __del__. An object that C still holds is not destroyed, and neither is what
 * it refers to: the caller has let go of the application (application_free, caller_free, call_fini) before. GIL held; the caller
 * has a deadline around it. Does nothing when Python has not started.
 */
void interp_stop(void);

/* For the calling thread, which keeps its thread state for life. Order: baton first, GIL second. */
void gil_take(void);
void gil_release(void);

/*
 * The application's own signal handlers (signal.signal) are run by Python code only, and an idle worker runs none. The descriptor
 * becomes readable when a handler is due. Any thread empties it, without the GIL: the main thread may be in a call for long. Then
 * interp_run_signal_handlers runs them, GIL held, on the main thread.
 * -1 when there is none: then they wait for the next request.
 */
int interp_signal_fd(void);
void interp_empty_signal_fd(void);
/* Gives Python the same descriptor again, in case that the application has put another in its place (asyncio does, for its own
 * handlers). On the main thread, GIL held; costs system calls. */
void interp_reclaim_signal_fd(void);
void interp_run_signal_handlers(void);

/* "3.11.2": of the libpython that is loaded. Works before interp_start. */
const char *interp_version(void);

#endif
