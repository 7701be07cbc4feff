/*
 * What the master sets up before the first fork: limits, addresses, the scoreboard; and what it says about it.
 */
#ifndef PROC_STARTUP_H
#define PROC_STARTUP_H

#include "base/options.h"
#include "base/scoreboard.h"
#include "net/address.h"

struct service {
    struct address *addresses;
    size_t address_count;
    unsigned slots;         /* of the sockets and the board: more than there are workers at first */
    struct address *status; /* of the status process; NULL without --status */
    struct scoreboard *board;
    char *pid_file; /* NULL until it is written */
};

/* Settles the options that depend on the machine (workers, worker_connections), binds, makes a scoreboard with so many seats for
 * each worker, writes the PID file, logs what is served where. EXIT_STOPPED (0) when all is well, else the exit status, after one log record. */
int service_open(struct service *service, struct options *options, unsigned seats);
/* Whether the addresses can be understood; they are not bound. Likewise. */
int service_check(const struct options *options);
void service_close(struct service *service);

#endif
