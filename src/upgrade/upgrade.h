/*
 * The binary upgrade (USR2): the program's file, as it is by then, takes the master's place in the
 * same process, after a check. The pid stays, the workers stay its children, and the sockets stay
 * open.
 *
 *   IDLE ──begin──> CHECKING ──exit status 0──> GOOD ──calm──> the new program, with the state
 *                      └──any other end──> IDLE, and nothing has changed
 *
 * The check is a child that runs the new file with --check-config and the upgrade state of that
 * moment: it has to understand both, and loads the application. All functions belong to the thread
 * of the event base.
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
    /* Makes the state for the next program. Ownership passes to the upgrade. */
    struct upgrade_state *(*save)(void *context);
    void *context;
};

struct upgrade *upgrade_new(const struct upgrade_setup *setup);
void upgrade_free(struct upgrade *upgrade); /* NULL is fine */

/* Starts the check, unless an upgrade is under way; logs which. The check has `timeout_ms`; 0: no
 * limit. */
void upgrade_begin(struct upgrade *upgrade, uint64_t timeout_ms);
/* A child has ended: true when it was the check. Logs a check that failed. */
bool upgrade_ended(struct upgrade *upgrade, pid_t pid, int status);
/* The service stops. */
void upgrade_abandon(struct upgrade *upgrade);
/* True when the process is the check, which has not ended yet. NULL is fine. */
bool upgrade_is_checked_by(const struct upgrade *upgrade, pid_t pid);
bool upgrade_is_under_way(const struct upgrade *upgrade);
/* True when the new program is good, and only waits for the fleet to be calm. */
bool upgrade_is_due(const struct upgrade *upgrade);

/* Executes the new program in place of this one; the caller holds the signals. Returns when that
 * has failed, after a log record: nothing has changed then. */
void upgrade_execute(struct upgrade *upgrade);

#endif
