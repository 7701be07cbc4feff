/*
 * The verbs of the control socket, one row each. gatewayctl sends them and the master answers
 * (control/). The protocol is doc/control-protocol.txt.
 *
 * A new verb is a row here and the function `verb_NAME` in control/.
 */
#ifndef OPTIONS_CONTROL_VERBS_H
#define OPTIONS_CONTROL_VERBS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* The name; the possible arguments: "" none, "a|b" one of these, in brackets if optional; the text
 * for --help. */
#define CONTROL_VERBS(ROW)                                                                  \
    ROW(status, "", "Show the state of the service on one screen.")                         \
    ROW(workers, "", "List the worker processes.")                                          \
    ROW(requests, "", "List the application calls in progress, oldest first.")              \
    ROW(stacks, "", "Show the Python stack of every thread in every worker.")               \
    ROW(reload, "[--wait]", "Reload the application; with --wait, return when it is over.") \
    ROW(worker, "add|remove", "Add or remove one worker.")                                  \
    ROW(reopen, "", "Reopen the log files.")                                                \
    ROW(stop, "", "Finish the requests in progress, and stop.")

struct control_verb {
    const char *name, *arguments, *help;
};

extern const struct control_verb control_verbs[];
extern const size_t control_verb_count;

/* The length of a request, which is one line, without its end. */
enum { CONTROL_REQUEST_MAX = 255 };

/* Reads a request. Returns the index of its verb, or -1 and a sentence in `message`. `argument`
 * becomes the text behind the verb, which may be empty. Any thread. */
int control_parse(struct slice line, struct slice *argument, char *message, size_t size);

#endif
