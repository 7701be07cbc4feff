/*
 * The service as the master sets it up before the first fork: the addresses, the scoreboard and
 * the PID file. The service outlives generations and, by an upgrade state, the program.
 *
 * Only the master calls these, and --check-config. An exit status is EXIT_STOPPED (0) when all is
 * well; otherwise the function has logged one record.
 */
#ifndef SETUP_SERVICE_H
#define SETUP_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/scoreboard.h"
#include "net/address.h"
#include "options/options.h"
#include "setup/pid_file.h"
#include "upgrade/upgrade_state.h"

struct service {
    struct address *addresses;
    size_t address_count;
    /* slots that have sockets and rows: more than there are workers at first */
    unsigned slots;
    struct address *status; /* of the status process; NULL without --status */
    struct scoreboard *board;
    struct pid_file *pid_file; /* NULL until it is written */
};

/*
 * Resolves the options, then binds the addresses and makes a scoreboard with `seats` rows for each
 * worker; or takes them from `saved`, which may be NULL. Writes the PID file, and logs what is
 * served where. Returns an exit status.
 */
int service_open(struct service *service, struct options *options, unsigned seats,
                 const struct upgrade_state *saved);

/* Removes the files, closes the sockets and frees the scoreboard. */
void service_close(struct service *service);

/* Parses the address and resolves its path. Closes nothing. Returns an exit status. */
int service_parse_address(struct address *address, const char *option, const char *text);

/* Tells whether `address` is in the way of one of `addresses`, and logs that. */
bool service_tell_overlap(const struct address *addresses, size_t count, const struct address *address);

/* Adds addresses, scoreboard and PID file to the state for the next program. */
void service_save(const struct service *service, const struct options *options, struct upgrade_state *saved);

/*
 * Takes addresses and scoreboard from `saved`, and sets the options to what there is. The reload
 * that follows finds out what has changed. Returns an exit status.
 */
int service_load(struct service *service, struct options *options, const struct upgrade_state *saved);

/* Checks that service_load can use `saved`. Returns an exit status. */
int service_check(struct options *options, const struct upgrade_state *saved);

/*
 * These make files anew that others have removed, or that their path does not lead to any more,
 * and log that.
 *
 * service_renew: the socket files of the addresses, before the first worker of a generation;
 * service_revert takes them back when that generation is dropped.
 */
void service_renew(struct service *service, const struct options *options);
void service_revert(struct service *service);

/* The file of the status address. True: the status process has to take another socket. */
bool service_renew_status(struct service *service, const struct options *options);

/* The PID file. The master calls this once a generation serves. */
void service_renew_pid_file(struct service *service);

#endif
