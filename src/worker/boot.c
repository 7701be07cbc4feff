/* The start of a worker or a zygote, before it can serve. */
#include "worker/boot.h"

#include <unistd.h>

#include "base/exit_status.h"
#include "base/log.h"
#include "options/environment.h"
#include "py/interp.h"
#include "py/interrupt.h"
#include "py/python_fork.h"
#include "py/stack.h"
#include "py/threads.h"
#include "worker/descriptors.h"

enum { MESSAGE_SIZE = 1024 };

/* Set by this process, or by the zygote that has forked it. */
static struct timespec begun;
static uint32_t failed_reloads;

struct timespec boot_begun(void)
{
    return begun;
}

struct application *boot_application(const struct options *options, int crash_output, enum log_level warnings)
{
    char message[MESSAGE_SIZE];
    if (environment_apply(options, message, sizeof(message)) < 0) {
        log_error("%s", message);
        return NULL;
    }
    if (interp_start(options) < 0 || stack_on_crash(crash_output) < 0 || stack_on_request(crash_output) < 0)
        return NULL;
    struct application *application = application_load(options->application, warnings);
    if (python_is_fork())
        _exit(EXIT_STOPPED);
    if (application == NULL || threads_init() < 0 || interrupt_init() < 0)
        return NULL;
    application_freeze();
    return application;
}

uint32_t boot_failed_reloads(void)
{
    return failed_reloads;
}

/* Errors are copied to the crash pipe, for the user who waits for the outcome of a reload. */
struct application *boot(const struct worker_setup *setup)
{
    clock_gettime(CLOCK_REALTIME, &begun);
    failed_reloads = scoreboard_failed_reloads(&setup->board->service->failed_reload);
    log_copy_errors_to(setup->crash_pipe);
    struct application *application =
        boot_application(setup->options, setup->crash_pipe, setup->slot == 0 ? LOG_WARNING : LOG_DEBUG);
    log_copy_errors_to(-1);
    if (application != NULL && !descriptors_check("while the application was imported"))
        return NULL;
    return application;
}
