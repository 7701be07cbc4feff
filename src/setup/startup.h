/*
 * What the master sets up before the first fork: limits, addresses, the scoreboard; and what it says about it.
 */
#ifndef SETUP_STARTUP_H
#define SETUP_STARTUP_H

#include <stdint.h>
#include <sys/resource.h>

#include "base/scoreboard.h"
#include "net/address.h"
#include "options/options.h"
#include "setup/pid_file.h"
#include "upgrade/upgrade_state.h"

struct service {
    struct address *addresses;
    size_t address_count;
    unsigned slots;         /* of the sockets and the board: more than there are workers at first */
    struct address *status; /* of the status process; NULL without --status */
    struct scoreboard *board;
    struct pid_file *pid_file; /* NULL until it is written */
};

/* Names of files become absolute, after directory_begin, but for the env file: a worker finds that in the directory that it has entered. */
void startup_resolve_paths(struct options *options);
/* --reload watches files: a directory would be watched for nothing. 0, or -1 with one sentence in `message`. */
int startup_check_extra_files(const struct options *options, char *message, size_t size);
/* Whether each worker will be able to do what --env and --env-file say: the file is opened as --user, which may follow links that root does
 * not. 0, or -1 with one sentence in `message`. */
int startup_check_environment(const struct options *options, char *message, size_t size);
/* The soft limit of open files that the service needs: for that many connections of a worker (0: nobody has said how many). Never less
 * than it has inherited. Not more than it needs, as the application's children inherit it. */
rlim_t startup_descriptors(const struct rlimit *inherited, int64_t connections);
/* What depends on the machine: workers, worker_connections. `reason`: why so many workers. */
void startup_resolve(struct options *options, char *reason, size_t size);

/* As address_parse: EXIT_STOPPED, or the exit status after one log record. */
int startup_parse_address(struct address *address, const char *option, const char *text);

/* Whether one of the addresses would be in the way of another that the same service is to have: then after one log record. */
bool startup_tell_overlap(const struct address *addresses, size_t count, const struct address *address);

/* What is left to the next program, and taken up by it: EXIT_STOPPED (0), or the exit status after one log record. The options
 * say then what there is; the reload that follows finds out what has changed. */
void service_save(const struct service *service, const struct options *options, struct upgrade_state *saved);
int service_load(struct service *service, struct options *options, const struct upgrade_state *saved);

/* Settles the options, binds, makes a scoreboard with so many seats for
 * each worker, or takes up what was left (`saved`, NULL: nothing); writes the PID file, logs what is served where. EXIT_STOPPED (0) when all is well, else the exit status, after one log record. */
int service_open(struct service *service, struct options *options, unsigned seats,
                 const struct upgrade_state *saved);
/* Whether what was left can be taken up. Likewise. */
int service_check(struct options *options, const struct upgrade_state *saved);
/* Files that others have removed, or that the working directory's name does not lead to any more, are made anew, and that is told. For a
 * reload: the socket files of the addresses, before the first worker of the generation; service_revert takes them back when it is dropped. */
void service_renew(struct service *service, const struct options *options);
void service_revert(struct service *service);
/* Likewise the file of the status address: true when its process has to take another socket. */
bool service_renew_status(struct service *service, const struct options *options);
/* Likewise the PID file, once a generation serves. */
void service_renew_pid_file(struct service *service);
/* Of what is no mistake, but may not be what was meant. */
void startup_warn(const struct options *options);
void service_close(struct service *service);

#endif
