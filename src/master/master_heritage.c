/* What a master leaves to its next binary, and what that begins with. */
#include "config.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "master/master_state.h"
#include "setup/configuration.h"

static void bequeath_child(const struct child *child, unsigned number, struct heritage *heritage)
{
    heritage_add(heritage, "child", NULL,
                 HERITAGE_NUMBERS(number, heritage_keep(heritage, child->mailbox.master),
                                  heritage_keep(heritage, child->mailbox.worker),
                                  heritage_keep(heritage, child->last_words.master),
                                  heritage_keep(heritage, child->last_words.worker), (uint64_t)child->pid,
                                  child->forked_ms, child->requests_before, child->killed));
}

struct heritage *master_bequeath(void *context)
{
    const struct master *master = context;
    struct heritage *heritage = heritage_new();
    configuration_bequeath(heritage);
    service_bequeath(&master->service, master->options, heritage);
    fleet_bequeath(master->fleet, heritage);
    for (unsigned i = 0; i < master->service.slots; i++)
        heritage_add(heritage, "post", NULL,
                     HERITAGE_NUMBERS(i, heritage_keep(heritage, master->inboxes[i]),
                                      heritage_keep(heritage, master->posts[i])));
    for (unsigned i = 0; i < master->slots * FLEET_SEATS; i++)
        bequeath_child(&master->children[i], i, heritage);
    control_bequeath(master->control, heritage);
    /* It is this program's, and begins anew with the next. */
    heritage_add(heritage, "status-process", NULL,
                 HERITAGE_NUMBERS((uint64_t)status_process_pid(master->status)));
    return heritage;
}

static int inherit_posts(struct master *master)
{
    const struct heritage_line *line = NULL;
    unsigned count = 0;
    while ((line = heritage_next(master->heritage, "post", line, 3)) != NULL) {
        if (line->numbers[0] >= master->service.slots)
            return -1;
        master->inboxes[line->numbers[0]] = (int)line->numbers[1];
        master->posts[line->numbers[0]] = (int)line->numbers[2];
        count++;
    }
    return count == master->service.slots ? 0 : -1;
}

static int inherit_children(struct master *master)
{
    const struct heritage_line *line = NULL;
    unsigned count = 0;
    while ((line = heritage_next(master->heritage, "child", line, 9)) != NULL) {
        const uint64_t *numbers = line->numbers;
        if (numbers[0] != count || count >= master->count)
            return -1;
        master->children[count] = (struct child){
            .mailbox = {(int)numbers[1], (int)numbers[2]},
            .last_words = {(int)numbers[3], (int)numbers[4]},
            .pid = (pid_t)numbers[5],
            .forked_ms = numbers[6],
            .requests_before = numbers[7],
            .killed = numbers[8],
        };
        master_watch_seat(master, (struct berth){count / FLEET_SEATS, count % FLEET_SEATS});
        count++;
    }
    master->slots = count / FLEET_SEATS;
    orphans_add_slot(master->orphans, master->slots - 1);
    return count > 0 && count % FLEET_SEATS == 0 ? 0 : -1;
}

int master_inherit_slots(struct master *master)
{
    if (inherit_posts(master) == 0 && inherit_children(master) == 0 &&
        fleet_inherit(master->fleet, master->heritage) == 0)
        return 0;
    log_critical("what the running service left does not fit together");
    return -1;
}

static void end_status_process(const struct heritage *heritage)
{
    const struct heritage_line *line = heritage_next(heritage, "status-process", NULL, 1);
    if (line == NULL || line->numbers[0] == 0)
        return;
    kill((pid_t)line->numbers[0], SIGKILL);
    waitpid((pid_t)line->numbers[0], NULL, 0);
}

void master_take_over(struct master *master)
{
    char message[1024];
    end_status_process(master->heritage);
    heritage_free(master->heritage);
    master->heritage = NULL;
    master_reap(master);
    master_reload(master, message, sizeof(message));
}
