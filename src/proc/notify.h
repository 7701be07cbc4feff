/*
 * What systemd, or who speaks its protocol, is told of the service: datagrams to $NOTIFY_SOCKET, see sd_notify(3). Without the
 * variable nothing of this does anything.
 */
#ifndef PROC_NOTIFY_H
#define PROC_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

void notify_open(void);
bool notify_is_open(void);

/* In a worker: closes, and takes the service manager's variables (LISTEN_FDS and its kin too) out of the environment. The
 * application and its children are not to speak for the service. In the master they stay, for who is executed in its place. */
void notify_forget(void);

/* Each with one line for `systemctl status`. A reload is announced when it begins and ends with ready, also when it has failed. */
void notify_ready(const char *format, ...) __attribute__((format(printf, 1, 2)));
void notify_reloading(const char *format, ...) __attribute__((format(printf, 1, 2)));
void notify_stopping(const char *format, ...) __attribute__((format(printf, 1, 2)));
void notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* How long, in ms, the manager waits for the next sign of life before it takes the service for dead; 0: it does not wait. */
uint64_t notify_watchdog_ms(void);
void notify_alive(void);

#endif
