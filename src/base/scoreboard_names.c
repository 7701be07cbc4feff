/* How the scoreboard's states and reasons are called, in metrics and on the status page. */
#include "base/scoreboard.h"

#include <assert.h>
#include <stddef.h>

const char *worker_state_name(enum worker_state state)
{
    static const char *const names[WORKER_STATES] = {
        [WORKER_NONE] = "none",       [WORKER_FAILED] = "failed", [WORKER_BOOTING] = "booting",
        [WORKER_LOADED] = "loaded",   [WORKER_READY] = "ready",   [WORKER_DRAINING] = "draining",
        [WORKER_STALLED] = "stalled",
    };
    assert(state < WORKER_STATES && names[state] != NULL);
    return names[state];
}

const char *refusal_name(enum refusal refusal)
{
    static const char *const names[REFUSALS] = {
        [REFUSAL_MALFORMED] = "malformed",   [REFUSAL_SLOW] = "slow",
        [REFUSAL_TOO_LARGE] = "too_large",   [REFUSAL_UNSUPPORTED] = "unsupported",
        [REFUSAL_NO_STORAGE] = "no_storage", [REFUSAL_NO_THREAD] = "no_thread",
        [REFUSAL_TIMEOUT] = "timeout",
    };
    assert(refusal < REFUSALS && names[refusal] != NULL);
    return names[refusal];
}

const char *handover_reason_name(enum handover_reason reason)
{
    static const char *const names[HANDOVER_REASONS] = {
        [HANDOVER_BALANCE] = "balance", [HANDOVER_BUSY] = "busy", [HANDOVER_RETIRE] = "retire"};
    assert(reason < HANDOVER_REASONS && names[reason] != NULL);
    return names[reason];
}

const char *restart_cause_name(enum restart_cause cause)
{
    static const char *const names[RESTART_CAUSES] = {
        [RESTART_EXITED] = "exited",   [RESTART_SIGNAL] = "signal", [RESTART_KILLED] = "killed",
        [RESTART_STUCK] = "stuck",     [RESTART_ASKED] = "asked",   [RESTART_RECYCLED] = "recycled",
        [RESTART_STALLED] = "stalled",
    };
    assert(cause < RESTART_CAUSES && names[cause] != NULL);
    return names[cause];
}
