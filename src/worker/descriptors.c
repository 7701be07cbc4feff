/* The descriptors that a worker or a zygote has from the master. */
#include "worker/descriptors.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/exit_status.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/timers.h"

/* The time from calls to the check of what they have done. */
enum { LOOK_MS = 250 };

struct noted {
    int fd;
    const char *what;
    dev_t device;
    ino_t inode;
};

/* The descriptors of this process. */
static struct noted *noted;
static size_t count, room;

static void note(int fd, const char *what)
{
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        return;
    if (count == room) {
        room = room > 0 ? 2 * room : 16;
        noted = xrealloc(noted, room * sizeof(*noted));
    }
    noted[count++] = (struct noted){fd, what, status.st_dev, status.st_ino};
}

void descriptors_note(const struct worker_setup *setup, int channel)
{
    count = 0;
    for (size_t i = 0; i < setup->address_count; i++)
        for (unsigned slot = 0; slot < setup->addresses[i].slots; slot++)
            note(setup->addresses[i].sockets[slot], "a listening socket");
    for (unsigned slot = 0; slot < setup->slots; slot++) {
        note(setup->transfer_out[slot], "the way to other workers");
        note(setup->transfer_in[slot], "the way from other workers");
    }
    note(channel, "the way from the master");
    note(setup->crash_pipe, "the place for the stacks of a crash");
}

bool descriptors_check(const char *when)
{
    for (const struct noted *each = noted; each < noted + count; each++) {
        struct stat status;
        if (fstat(each->fd, &status) == 0 && status.st_dev == each->device && status.st_ino == each->inode)
            continue;
        log_restore();
        log_critical(
            "descriptor %d, %s, was closed or replaced %s: the application, or a library, closes what is "
            "not its own (os.closerange, or what daemonises); it must close only what it has opened",
            each->fd, each->what, when);
        return false;
    }
    return true;
}

static struct {
    const struct scoreboard_row *row;
    struct timer *timer;
    bool is_set;
    uint64_t requests; /* of the row's counter, when it was set last */
} look;

static void look_now(void *context)
{
    (void)context;
    look.is_set = false;
    if (!descriptors_check("in a call"))
        _exit(EXIT_FAILURE_RUNTIME);
}

void descriptors_watch(struct loop *loop)
{
    look.row = loop->row;
    look.timer = timer_new(loop->base, look_now, NULL);
}

void descriptors_look(void)
{
    uint64_t requests = scoreboard_get(look.row->requests);
    if (look.is_set || look.requests == requests)
        return;
    look.is_set = true;
    look.requests = requests;
    timer_set(look.timer, LOOK_MS);
}

void descriptors_unwatch(void)
{
    timer_free(look.timer);
}
