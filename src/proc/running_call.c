/* A call of the application that runs, as the scoreboard has it. */
#include "proc/running_call.h"

#include <string.h>

#include "base/log.h"

/* The thread goes on meanwhile; that it runs one call before and after means that the text is that call's. */
static bool copy_request(const struct scoreboard_call *call, uint64_t *since, char *request)
{
    *since = scoreboard_see(call->since_ms);
    if (*since == 0)
        return true;
    memcpy(request, call->request, SCOREBOARD_REQUEST_SIZE);
    atomic_thread_fence(memory_order_acquire);
    return scoreboard_get(call->since_ms) == *since;
}

bool running_call_read(const struct scoreboard_call *call, uint64_t now, struct running_call *running)
{
    char request[SCOREBOARD_REQUEST_SIZE];
    uint64_t since;
    for (int tries = 0; !copy_request(call, &since, request); tries++)
        if (tries == 3)
            return false; /* calls as short as that are over by now */
    if (since == 0)
        return false;
    running->age_ms = now > since ? now - since : 0;
    size_t size = strnlen(request, sizeof(request) - 1);
    running->request[log_escape(running->request, sizeof(running->request) - 1, request, size, true)] = '\0';
    return true;
}
