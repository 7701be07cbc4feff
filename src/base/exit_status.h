/*
 * The exit statuses of gateway's processes, as gateway(1) lists them.
 */
#ifndef BASE_EXIT_STATUS_H
#define BASE_EXIT_STATUS_H

enum exit_status {
    EXIT_STOPPED = 0,         /* stopped as asked */
    EXIT_FAILURE_RUNTIME = 1, /* failed while running, or --pid names the file of a running process */
    EXIT_USAGE = 2,           /* wrong usage or wrong configuration */
    EXIT_APPLICATION = 3,     /* the application could not be imported */
    EXIT_ADDRESS = 4,         /* an address could not be bound */
};

#endif
