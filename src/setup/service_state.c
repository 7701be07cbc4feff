/* What a service leaves to its next binary: addresses and scoreboard. */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/exit_status.h"
#include "base/log.h"
#include "base/mem.h"
#include "options/options_values.h"
#include "setup/startup.h"
#include "upgrade/address_state.h"

void service_save(const struct service *service, const struct options *options, struct upgrade_state *saved)
{
    const struct scoreboard *board = service->board;
    for (size_t i = 0; i < service->address_count; i++)
        address_save(&service->addresses[i], "bind", saved);
    if (service->status != NULL)
        address_save(service->status, "status", saved);
    pid_file_save(service->pid_file, saved);
    upgrade_state_add(saved, "board", NULL,
                      SAVED_NUMBERS(upgrade_state_keep(saved, board->memory), board->count, board->threads,
                                    board->seats, board->restarts, (uint64_t)options->workers,
                                    board->failed_reloads));
}

static void replace(char **text, const char *with)
{
    free(*text);
    *text = with != NULL ? xstrdup(with) : NULL;
}

static void load_addresses(struct service *service, struct options *options,
                           const struct upgrade_state *saved)
{
    const struct saved_line *line = NULL;
    struct address address;
    string_list_free(&options->bind);
    while ((line = address_load(&address, "bind", "--bind", saved, line)) != NULL) {
        size_t i = service->address_count++;
        service->addresses =
            xrealloc(service->addresses, service->address_count * sizeof(*service->addresses));
        service->addresses[i] = address;
        string_list_add(&options->bind, address.text);
    }
    if (address_load(&address, "status", "--status", saved, NULL) != NULL) {
        service->status = xcalloc(1, sizeof(*service->status));
        *service->status = address;
    }
    replace(&options->status, service->status != NULL ? service->status->text : NULL);
}

static void load_control_socket(struct options *options, const struct upgrade_state *saved)
{
    const struct saved_line *line = upgrade_state_next(saved, "control", NULL, 1);
    replace(&options->control_socket, line != NULL ? strchr(line->text, ':') + 1 : NULL);
}

int service_load(struct service *service, struct options *options, const struct upgrade_state *saved)
{
    const struct saved_line *line = upgrade_state_next(saved, "board", NULL, 7);
    load_addresses(service, options, saved);
    if (line == NULL || service->address_count == 0) {
        log_critical("the running service does not say what it has: restart it");
        return EXIT_FAILURE_RUNTIME;
    }
    uint32_t count = (uint32_t)line->numbers[1], threads = (uint32_t)line->numbers[2];
    service->board = scoreboard_adopt((int)line->numbers[0], count, threads);
    if (service->board == NULL) {
        log_critical("the scoreboard of the running service cannot be used: %s; restart it", strerror(errno));
        return EXIT_FAILURE_RUNTIME;
    }
    service->board->seats = (uint32_t)line->numbers[3];
    service->board->restarts = line->numbers[4];
    service->slots = count / service->board->seats;
    load_control_socket(options, saved);
    options->workers = (int64_t)line->numbers[5];
    options->threads = threads;
    service->board->failed_reloads = (uint32_t)line->numbers[6];
    return EXIT_STOPPED;
}
