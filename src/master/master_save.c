/* What a master leaves to its next binary, and what that begins with. */
#include "config.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "master/master_state.h"
#include "setup/configuration.h"

static void save_child(const struct child *child, unsigned number, struct upgrade_state *saved)
{
    upgrade_state_add(saved, "child", NULL,
                      SAVED_NUMBERS(number, upgrade_state_keep(saved, child->channel.master),
                                    upgrade_state_keep(saved, child->channel.worker),
                                    upgrade_state_keep(saved, child->crash_pipe.master),
                                    upgrade_state_keep(saved, child->crash_pipe.worker), (uint64_t)child->pid,
                                    child->forked_ms, child->requests_before, child->killed));
}

struct upgrade_state *master_save(void *context)
{
    const struct master *master = context;
    struct upgrade_state *saved = upgrade_state_new();
    configuration_save(saved);
    service_save(&master->service, master->options, saved);
    fleet_save(master->fleet, saved);
    for (unsigned i = 0; i < master->service.slots; i++)
        upgrade_state_add(saved, "post", NULL,
                          SAVED_NUMBERS(i, upgrade_state_keep(saved, master->transfer_in[i]),
                                        upgrade_state_keep(saved, master->transfer_out[i])));
    for (unsigned i = 0; i < master->slots * FLEET_SEATS; i++)
        save_child(&master->children[i], i, saved);
    control_save(master->control, saved);
    /* It is this program's, and begins anew with the next. */
    upgrade_state_add(saved, "status-process", NULL,
                      SAVED_NUMBERS((uint64_t)status_process_pid(master->status)));
    return saved;
}

static int load_transfers(struct master *master)
{
    const struct saved_line *line = NULL;
    unsigned count = 0;
    while ((line = upgrade_state_next(master->saved, "post", line, 3)) != NULL) {
        if (line->numbers[0] >= master->service.slots)
            return -1;
        master->transfer_in[line->numbers[0]] = (int)line->numbers[1];
        master->transfer_out[line->numbers[0]] = (int)line->numbers[2];
        count++;
    }
    return count == master->service.slots ? 0 : -1;
}

static int load_children(struct master *master)
{
    const struct saved_line *line = NULL;
    unsigned count = 0;
    while ((line = upgrade_state_next(master->saved, "child", line, 9)) != NULL) {
        const uint64_t *numbers = line->numbers;
        if (numbers[0] != count || count >= master->count)
            return -1;
        master->children[count] = (struct child){
            .channel = {(int)numbers[1], (int)numbers[2]},
            .crash_pipe = {(int)numbers[3], (int)numbers[4]},
            .pid = (pid_t)numbers[5],
            .forked_ms = numbers[6],
            .requests_before = numbers[7],
            .killed = numbers[8],
        };
        master_watch_seat(master, (struct seat_id){count / FLEET_SEATS, count % FLEET_SEATS});
        count++;
    }
    master->slots = count / FLEET_SEATS;
    unserved_slots_add_slot(master->unserved, master->slots - 1);
    return count > 0 && count % FLEET_SEATS == 0 ? 0 : -1;
}

int master_load_slots(struct master *master)
{
    if (load_transfers(master) == 0 && load_children(master) == 0 &&
        fleet_load(master->fleet, master->saved) == 0)
        return 0;
    log_critical("what the running service left does not fit together");
    return -1;
}

static void end_status_process(const struct upgrade_state *saved)
{
    const struct saved_line *line = upgrade_state_next(saved, "status-process", NULL, 1);
    if (line == NULL || line->numbers[0] == 0)
        return;
    kill((pid_t)line->numbers[0], SIGKILL);
    waitpid((pid_t)line->numbers[0], NULL, 0);
}

void master_take_over(struct master *master)
{
    char message[1024];
    end_status_process(master->saved);
    upgrade_state_free(master->saved);
    master->saved = NULL;
    master_reap(master);
    master_reload(master, message, sizeof(message));
}
