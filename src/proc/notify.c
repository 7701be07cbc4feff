/* Messages of the service to systemd. */
#include "proc/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/text.h"

enum { STATUS_SIZE = 256, USEC_PER_MS = 1000 };

static struct {
    int fd; /* -1: there is no service manager */
    struct sockaddr_un address;
    socklen_t size;
    uint64_t watchdog_ms;
    bool failed; /* a failure has been logged */
} manager = {.fd = -1};

/* The text is a path, or with an @ in front an abstract name. 0, or -1 when it is neither. */
static int set_address(const char *text)
{
    size_t size = strlen(text);
    if ((text[0] != '/' && text[0] != '@') || size < 2 || size >= sizeof(manager.address.sun_path))
        return -1;
    manager.address.sun_family = AF_UNIX;
    memcpy(manager.address.sun_path, text, size + 1);
    if (text[0] == '@')
        manager.address.sun_path[0] = '\0';
    manager.size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (text[0] == '/' ? 1 : 0));
    return 0;
}

/* $WATCHDOG_PID names the process that is meant; without it, every reader is. */
static uint64_t watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    uint64_t number, whose;
    if (usec == NULL || slice_to_uint64(slice_of(usec), &number) < 0)
        return 0;
    if (pid != NULL && (slice_to_uint64(slice_of(pid), &whose) < 0 || whose != (uint64_t)getpid()))
        return 0;
    return number > 0 && number < USEC_PER_MS ? 1 : number / USEC_PER_MS;
}

void notify_open(void)
{
    const char *path = getenv("NOTIFY_SOCKET");
    if (path == NULL || *path == '\0')
        return;
    if (set_address(path) < 0) {
        log_warning(
            "NOTIFY_SOCKET is ignored: \"%s\" is neither a path nor @ and a name, of at most 107 bytes",
            path);
        return;
    }
    manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    manager.watchdog_ms = watchdog_ms();
}

bool notify_is_open(void)
{
    return manager.fd >= 0;
}

void notify_forget(void)
{
    static const char *const variables[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID",
                                            "LISTEN_FDS",    "LISTEN_PID",    "LISTEN_FDNAMES"};
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        unsetenv(variables[i]);
    if (notify_is_open())
        close(manager.fd);
    manager.fd = -1;
}

static void send_state(const char *state)
{
    if (sendto(manager.fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&manager.address,
               manager.size) >= 0)
        manager.failed = false;
    else if (!manager.failed) {
        log_warning("%.*s cannot be sent to NOTIFY_SOCKET: %s", (int)strcspn(state, "\n"), state,
                    strerror(errno));
        manager.failed = true;
    }
}

/* Sends a state and the status, which may have text of a worker's in it. A line break would
 * start another assignment, and systemd takes no message that is not UTF-8. */
static void __attribute__((format(printf, 2, 0)))
send_status(const char *state, const char *format, va_list args)
{
    char status[STATUS_SIZE];
    struct text message;
    if (!notify_is_open())
        return;
    vsnprintf(status, sizeof(status), format, args);
    text_init(&message);
    text_printf(&message, "%sSTATUS=", state);
    text_add_plain(&message, status, strcspn(status, "\n"), false);
    text_add(&message, "", 1);
    send_state(message.data);
    text_fini(&message);
}

void notify_ready(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    send_status("READY=1\n", format, args);
    va_end(args);
}

/* The time lets the manager tell the READY of this reload from an older one
 * (Type=notify-reload). */
void notify_reloading(const char *format, ...)
{
    struct timespec now;
    char state[64];
    va_list args;
    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%lld\n",
             (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    va_start(args, format);
    send_status(state, format, args);
    va_end(args);
}

void notify_stopping(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    send_status("STOPPING=1\n", format, args);
    va_end(args);
}

void notify_status(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    send_status("", format, args);
    va_end(args);
}

uint64_t notify_watchdog_ms(void)
{
    return manager.watchdog_ms;
}

void notify_alive(void)
{
    if (notify_is_open())
        send_state("WATCHDOG=1");
}
