/* The places that a start takes, looked at and not taken. */
#include "setup/check_places.h"

#include <stdlib.h>

#include "base/exit_status.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_socket.h"
#include "net/address_check.h"
#include "setup/pid_file.h"
#include "setup/startup.h"

enum { MESSAGE_SIZE = 512 };

struct places {
    struct address *addresses; /* those that are good */
    size_t count;
    int status; /* of the first that is not */
};

static void fail(struct places *places, struct address *address, int status)
{
    places->status = places->status != EXIT_STOPPED ? places->status : status;
    address_close(address, false);
}

/* Which could be had if there were no others. */
static void add(struct places *places, struct address *address)
{
    if (startup_tell_overlap(places->addresses, places->count, address))
        fail(places, address, EXIT_ADDRESS);
    else
        places->addresses[places->count++] = *address;
}

static void look_at(struct places *places, const char *option, const char *text)
{
    char message[MESSAGE_SIZE];
    struct address address;
    int status = startup_parse_address(&address, option, text);
    if (status != EXIT_STOPPED) {
        fail(places, &address, status);
    } else if (address_check(&address, message, sizeof(message)) < 0) {
        log_error("%s", message);
        fail(places, &address, EXIT_ADDRESS);
    } else {
        add(places, &address);
    }
}

static void look_at_control_socket(struct places *places, const char *path)
{
    char message[MESSAGE_SIZE];
    struct address address;
    if (control_socket_check(&address, path, message, sizeof(message)) < 0) {
        log_error("%s", message);
        fail(places, &address, EXIT_ADDRESS);
    } else {
        add(places, &address);
    }
}

int check_addresses(const struct options *options)
{
    struct places places = {.addresses = xcalloc(options->bind.count + 2, sizeof(*places.addresses)),
                            .status = EXIT_STOPPED};
    for (size_t i = 0; i < options->bind.count; i++)
        look_at(&places, "--bind", options->bind.items[i]);
    if (options->status != NULL)
        look_at(&places, "--status", options->status);
    if (options->control_socket != NULL)
        look_at_control_socket(&places, options->control_socket);
    for (size_t i = 0; i < places.count; i++)
        address_close(&places.addresses[i], false);
    free(places.addresses);
    return places.status;
}

int check_pid_file(const struct options *options)
{
    char message[MESSAGE_SIZE];
    if (options->pid_file == NULL || pid_file_check(options->pid_file, message, sizeof(message)) == 0)
        return EXIT_STOPPED;
    log_error("%s", message);
    return EXIT_FAILURE_RUNTIME;
}
