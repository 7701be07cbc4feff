/*
 * Messages of the service to systemd, or to another service manager with its protocol: datagrams to
 * $NOTIFY_SOCKET, see sd_notify(3). Without the variable no function has an effect. The state is
 * the process's own; the master's thread calls.
 */
#ifndef PROC_NOTIFY_H
#define PROC_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

void notify_open(void);
bool notify_is_open(void);

/* In a worker: closes the socket, and removes the service manager's variables (also LISTEN_FDS
 * and its kin) from the environment. The application and its children must not speak for the
 * service. In the master the variables stay, for the program that is executed in its place. */
void notify_forget(void);

/* Each sends one line for `systemctl status`. A reload is announced when it begins, and ends with
 * notify_ready, also when it has failed. */
void notify_ready(const char *format, ...) __attribute__((format(printf, 1, 2)));
void notify_reloading(const char *format, ...) __attribute__((format(printf, 1, 2)));
void notify_stopping(const char *format, ...) __attribute__((format(printf, 1, 2)));
void notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The time in ms within which the manager expects notify_alive; 0: it does not wait. */
uint64_t notify_watchdog_ms(void);
void notify_alive(void);

#endif
