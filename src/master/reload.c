/* The reload: the options of the next generation, from the reading of the configuration on. */
#include "master/reload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "options/options_values.h"
#include "proc/notify.h"
#include "setup/configuration.h"
#include "setup/startup.h"
#include "setup/tmp_dir.h"

enum { MESSAGE_SIZE = 1024 };

/*
 * The first worker of a new generation serves this long beside its predecessor. With --reload there
 * is no traffic that would prove anything, and the developer waits.
 */
enum { PROVING_MS = 2000 };

/*
 * Returns the options that the next generation gets, or the generation that is being reloaded:
 * their --timeout limits its start.
 */
static const struct options *newest_options(const struct master *master)
{
    if (master->pending != NULL)
        return master->pending;
    return master->newest.options != NULL ? master->newest.options : master->options;
}

void reload_limits(const struct master *master, struct fleet_limits *limits)
{
    *limits = (struct fleet_limits){
        .slots = master->service.slots,
        .graceful_ms = (uint64_t)master->options->graceful_timeout,
        .boot_ms = (uint64_t)newest_options(master)->timeout,
        .proving_ms = master->options->reload ? 0 : PROVING_MS,
        .impatient = master->options->reload,
    };
}

void reload_note_failure(struct master *master, const char *failure, struct slice words)
{
    struct text text;
    if (!master->options->reload || fleet_phase(master->fleet) >= FLEET_DRAINING)
        return;
    text_init(&text);
    text_printf(&text, "not reloaded: %s\n", failure);
    text_add(&text, words.data, words.size);
    scoreboard_note_failed_reload(master->service.board, text.data, text.size);
    text_fini(&text);
}

static void options_discard(struct options *options)
{
    if (options == NULL)
        return;
    options_free(options);
    free(options);
}

static void limit_fleet(const struct master *master)
{
    struct fleet_limits limits;
    reload_limits(master, &limits);
    fleet_limit(master->fleet, &limits);
}

/*
 * Moves the master into the directory of the generation that serves, so that it holds no directory
 * of an old release.
 */
static void move_to(struct master *master, struct directory *directory)
{
    directory_close(master->directory);
    master->directory = directory;
    if (directory != NULL && directory_enter(directory) < 0)
        log_warning("the working directory of the workers cannot be entered by the master: %s",
                    strerror(errno));
}

/*
 * Makes the options those of the service. The struct stays in its place: pointers to it see the new
 * options.
 */
static void promote(struct master *master, struct generation_options *of)
{
    master->more_workers += (int)(of->options->workers - master->options->workers);
    options_free(master->options);
    *master->options = *of->options;
    free(of->options);
    move_to(master, of->directory);
    *of = (struct generation_options){.options = NULL};
    limit_fleet(master);
}

const struct options *reload_options_of(struct master *master, unsigned generation)
{
    struct generation_options *newest = &master->newest;
    if (newest->options != NULL && newest->generation == generation)
        return newest->options;
    if (master->pending == NULL || generation <= master->proven)
        return master->options;
    if (newest->options != NULL)
        /* that reload was not over, but its generation had proved itself */
        promote(master, newest);
    service_renew(&master->service, master->options);
    *newest = (struct generation_options){generation, master->pending, master->pending_directory};
    master->pending = NULL;
    master->pending_directory = NULL;
    return newest->options;
}

const struct directory *reload_directory_of(const struct master *master, unsigned generation)
{
    const struct generation_options *newest = &master->newest;
    return newest->options != NULL && newest->generation == generation ? newest->directory
                                                                       : master->directory;
}

void reload_finish(struct master *master, unsigned generation, bool good)
{
    struct generation_options *newest = &master->newest;
    if (newest->options == NULL || newest->generation != generation)
        return;
    if (good) {
        promote(master, newest);
        service_renew_pid_file(&master->service);
    } else {
        service_revert(&master->service);
        options_discard(newest->options);
        directory_close(newest->directory);
        *newest = (struct generation_options){.options = NULL};
    }
}

static void needs_restart(void *context, const char *name)
{
    (void)context;
    log_warning("--%s has changed: that needs a restart, until then it stays as it was", name);
}

static void reload_fail(struct master *master, const char *message)
{
    const char *prefix = "gateway: ";
    if (strncmp(message, prefix, strlen(prefix)) == 0)
        message += strlen(prefix);
    log_error("not reloaded: %s", message);
    notify_ready("not reloaded: %s", message);
    reload_note_failure(master, message, (struct slice){NULL, 0});
    control_not_configured(master->control, master->readings, message);
}

/*
 * Opens the directory of the next generation. NULL: not even the present directory can be opened.
 */
static struct directory *find_directory(void)
{
    struct directory *directory = directory_open();
    if (directory != NULL)
        return directory;
    log_warning("the working directory %s cannot be entered: %s; the next generation is started in the one "
                "that the service has",
                directory_name(), strerror(errno));
    return directory_here();
}

/* Checks the environment in the directory of the next generation, where a relative env file is. */
static int check_environment_in(const struct master *master, const struct directory *directory,
                                const struct options *options, char *message, size_t size)
{
    bool there = directory != NULL && directory_enter(directory) == 0;
    int r = startup_check_environment(options, message, size);
    if (there && master->directory != NULL && directory_enter(master->directory) < 0)
        log_warning("the working directory cannot be entered again: %s", strerror(errno));
    return r;
}

/*
 * Takes what the configuration says for the next generation. 0, or -1 with one sentence in
 * `message`.
 */
static int take_configuration(struct master *master, const struct helper_process *helper, int status,
                              char *message, size_t size)
{
    char reason[128];
    struct options *options = xcalloc(1, sizeof(*options));
    if (configuration_end(helper, status, options, message, size) < 0) {
        free(options);
        return -1;
    }
    struct directory *directory = find_directory();
    startup_resolve_paths(options);
    startup_resolve(options, reason, sizeof(reason));
    options_keep(options, master->options, needs_restart, NULL);
    bool elsewhere =
        /* the check makes the master wait for a disk */
        strcmp(options->tmp_dir, master->options->tmp_dir) != 0;
    if (startup_check_extra_files(options, message, size) < 0 ||
        check_environment_in(master, directory, options, message, size) < 0 ||
        (elsewhere && tmp_dir_check(options, message, size) < 0)) {
        options_discard(options);
        directory_close(directory);
        return -1;
    }
    options_discard(master->pending);
    directory_close(master->pending_directory);
    master->pending = options;
    master->pending_directory = directory;
    limit_fleet(master);
    return 0;
}

static void begin_generation(struct master *master)
{
    if (fleet_phase(master->fleet) >= FLEET_DRAINING) {
        control_not_configured(master->control, master->readings, "the service stops");
        return;
    }
    control_configured(master->control, master->readings);
    control_renew(master->control);
    if (service_renew_status(&master->service, master->options))
        status_process_restart(master->status);
    fleet_reload(master->fleet, clock_ms());
    master_follow_up(master);
}

bool reload_reading_ended(struct master *master, pid_t pid, int status)
{
    char message[MESSAGE_SIZE];
    if (!helper_ended(&master->reading, pid))
        return false;
    int r = take_configuration(master, &master->reading, status, message, sizeof(message));
    helper_forget(&master->reading);
    master->readings++;
    if (r < 0)
        reload_fail(master, message);
    else
        begin_generation(master);
    if (master->read_again) {
        master->read_again = false;
        if (reload_begin(master, message, sizeof(message)) < 0)
            control_not_configured(master->control, ++master->readings, message);
    }
    return true;
}

unsigned reload_next_reading(const struct master *master)
{
    return master->readings + (master->reading.pid != 0 ? 2 : 1);
}

/*
 * Returns 1: the configuration is being read. 0: the configuration has been read. -1: one sentence
 * in `message`.
 */
static int read_configuration(struct master *master, char *message, size_t size)
{
    if (master->reading.pid != 0) {
        master->read_again = true;
        return 1;
    }
    int r = configuration_begin(&master->reading, message, size);
    return r != 0 ? r : take_configuration(master, NULL, 0, message, size);
}

/* An upgrade that is due is no obstacle: it may wait for what only a reload can mend. */
int reload_begin(struct master *master, char *message, size_t size)
{
    int r = -1;
    if (upgrade_is_under_way(master->upgrade) && !upgrade_is_due(master->upgrade))
        snprintf(message, size, "a new binary is about to take over, and loads the application then");
    else
        r = read_configuration(master, message, size);
    if (r < 0) {
        log_error("not reloaded: %s", message);
        return -1;
    }
    notify_reloading("a new generation of workers proves itself");
    if (r == 0) {
        master->readings++;
        begin_generation(master);
    }
    return 0;
}

bool reload_is_over(const struct master *master)
{
    return master->reading.pid == 0 && master->pending == NULL && master->newest.options == NULL;
}
