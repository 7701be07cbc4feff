/*
 * What --check-config says about the places that a start takes: addresses, the PID file, the control socket.
 */
#ifndef SETUP_CHECK_PLACES_H
#define SETUP_CHECK_PLACES_H

#include "options/options.h"

/* Each that could not be had is a log record; one that somebody has, perhaps the service itself, is fine. EXIT_STOPPED, or the exit status of
 * the start. */
int check_addresses(const struct options *options);
int check_pid_file(const struct options *options);

#endif
