/* A call of the application that runs, as the scoreboard has it. */
#include "proc/running_call.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"

bool running_call_read(const struct scoreboard_call *call, uint64_t now_ns, struct running_call *running)
{
    char request[SCOREBOARD_REQUEST_SIZE];
    uint64_t since = scoreboard_call_read(call, request);
    if (since == 0)
        return false;
    running->age_ms = now_ns > since ? (now_ns - since) / 1000000 : 0;
    size_t size = strlen(request);
    running->request[log_escape(running->request, sizeof(running->request) - 1, request, size, true)] = '\0';
    return true;
}

void running_calls_warn(const struct scoreboard_call *calls, unsigned threads)
{
    for (unsigned i = 0; i < threads; i++) {
        struct running_call call;
        if (running_call_read(&calls[i], clock_ns(), &call))
            log_warning("the application did not return in time from \"%s\" (after %.1f s)", call.request,
                        (double)call.age_ms / 1000);
    }
}
