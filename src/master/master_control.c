/* What the control socket may see of the master and make it do. */
#include "base/exit_status.h"
#include "base/log.h"
#include "master/master_state.h"

static const struct zygote_child *importer(void *context, unsigned row)
{
    const struct master *master = context;
    return zygote_pool_importer(master->zygotes, row);
}

static unsigned next_reading(void *context)
{
    return master_next_reading(context);
}

static int reload_for(void *context, char *message, size_t size)
{
    return master_reload(context, message, size);
}

static int resize_for(void *context, int change, char *message, size_t size)
{
    return master_resize(context, change, message, size);
}

int master_open_control(struct master *master)
{
    char message[512];
    const struct control_view view = {
        .base = master->base,
        .options = master->options,
        .board = master->service.board,
        .children = master->children,
        .count = master->count,
        .fleet = master->fleet,
        .saved = master->saved,
        .importer = importer,
        .next_reading = next_reading,
        .reload = reload_for,
        .resize = resize_for,
        .context = master,
    };
    if (master->options->control_socket == NULL)
        return EXIT_STOPPED;
    master->control = control_open(&view, message, sizeof(message));
    if (master->control == NULL)
        log_error("%s", message);
    return master->control != NULL ? EXIT_STOPPED : EXIT_ADDRESS;
}
