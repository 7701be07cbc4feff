/*
 * --check-config: whether the service would start, told on standard error, without starting it. Nothing is bound, written or left
 * behind, but for log files, which are opened. With a heritage (proc/heritage.h), whether this program could carry the service on.
 */
#ifndef PROC_CHECK_H
#define PROC_CHECK_H

#include "base/options.h"
#include "proc/heritage.h"

/* After main has done with the options what concerns this process. Frees the heritage, which may be NULL. Loads the application, as
 * --user. The exit status that the service would have failed with, or 0. */
int check_main(struct options *options, struct heritage *heritage);

#endif
