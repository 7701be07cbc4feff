/*
 * The binary upgrade (USR2): the program's file, as it is by now, takes the master's place in the same process, once it has been
 * proved. So the pid stays, the workers stay its children, and the sockets stay open.
 *
 *   IDLE ──begin──> CHECKING ──exit status 0──> GOOD ──calm──> the new program, with the upgrade state (upgrade/upgrade_state.h)
 *                      └──anything else──> IDLE, and nothing has changed
 *
 * The check is a child that runs the new file with --check-config and the upgrade state as it is then: it has to understand both, and loads
 * the application.
 */
#ifndef UPGRADE_UPGRADE_H
#define UPGRADE_UPGRADE_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "upgrade/upgrade_state.h"

struct upgrade;

struct upgrade_setup {
    struct event_base *base;
    struct upgrade_state *(*save)(void *context); /* what the next program gets, which is freed here */
    void *context;
};

struct upgrade *upgrade_new(const struct upgrade_setup *setup);
void upgrade_free(struct upgrade *upgrade); /* NULL is fine */

/* What happens is logged here. Nothing, when one is under way. The check has `timeout_ms`; 0: as long as it takes. */
void upgrade_begin(struct upgrade *upgrade, uint64_t timeout_ms);
/* A child has ended: true when it was the check. */
bool upgrade_ended(struct upgrade *upgrade, pid_t pid, int status);
/* The service stops. */
void upgrade_abandon(struct upgrade *upgrade);
/* The process is the check, which has not ended yet. */
bool upgrade_is_checked_by(const struct upgrade *upgrade, pid_t pid);
bool upgrade_is_under_way(const struct upgrade *upgrade);
/* The new program is good, and only waits for its turn. */
bool upgrade_is_due(const struct upgrade *upgrade);

/* It takes this process's place; the caller holds the signals. Returns when that has failed, as if nothing had been asked. */
void upgrade_execute(struct upgrade *upgrade);

#endif
