/* gateway.RequestTimeout. */
#include "py/interrupt.h"

#include "py/compat.h"
#include "py/exception.h"

static PyObject *timeout_type;

int interrupt_init(void)
{
    timeout_type = PyErr_NewExceptionWithDoc("gateway.RequestTimeout", "The call has passed --timeout.",
                                             PyExc_BaseException, NULL);
    if (timeout_type != NULL)
        return 0;
    exception_log("gateway.RequestTimeout cannot be made");
    return -1;
}

void interrupt_raise(pthread_t thread, bool (*is_due)(void *context), void *context)
{
    PyGILState_STATE state = PyGILState_Ensure();
    if (is_due(context))
        PyThreadState_SetAsyncExc((unsigned long)thread, timeout_type);
    PyGILState_Release(state);
}

void interrupt_forget(void)
{
    PyThreadState_SetAsyncExc((unsigned long)pthread_self(), NULL);
}

bool interrupt_is_under_way(void)
{
    return timeout_type != NULL && PyErr_ExceptionMatches(timeout_type);
}
