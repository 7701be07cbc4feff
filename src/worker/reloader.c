/* --reload: asks for a reload when a source file changes. */
#include "worker/reloader.h"

#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/loop.h"
#include "proc/directory.h"
#include "proc/worker_channel.h"
#include "py/modules.h"
#include "worker/boot.h"
#include "worker/watch.h"

struct reloader {
    const struct worker_setup *setup;
    struct watch *watch;
    struct event *news, *quiet, *timer;
    struct module_files files; /* listed, and not watched yet */
    size_t modules;            /* at the last listing */
    bool due;
    char changed[PATH_MAX];
    char directory[PATH_MAX]; /* with a slash at its end: changed files in it are logged by their names */
};

static void list(void *context)
{
    struct reloader *reloader = context;
    size_t modules = modules_count();
    if (modules == reloader->modules)
        return;
    reloader->modules = modules;
    modules_list(&reloader->files);
}

struct reloader *reloader_new(const struct worker_setup *setup)
{
    if (!setup->options->reload || setup->slot != 0)
        return NULL;
    struct reloader *reloader = xcalloc(1, sizeof(*reloader));
    reloader->setup = setup;
    list(reloader);
    return reloader;
}

static void note_directory(struct reloader *reloader)
{
    char *directory = getcwd(NULL, 0);
    int size =
        snprintf(reloader->directory, sizeof(reloader->directory), "%s/", directory != NULL ? directory : "");
    if (directory == NULL || (size_t)size >= sizeof(reloader->directory))
        reloader->directory[0] = '\0';
    free(directory);
}

static const char *shown(const struct reloader *reloader)
{
    size_t size = strlen(reloader->directory);
    return strncmp(reloader->changed, reloader->directory, size) == 0 ? reloader->changed + size
                                                                      : reloader->changed;
}

/* Waits until saving is over. Each change begins the wait anew. */
static void await_quiet(struct reloader *reloader, enum watch_change change)
{
    struct timeval quiet = clock_timeval(watch_quiet_ms(change));
    if (change != WATCH_NONE)
        event_add(reloader->quiet, &quiet);
}

/* Tries again later when the master does not read. */
static void ask(struct reloader *reloader)
{
    if (worker_channel_send(reloader->setup->channel, MESSAGE_RELOAD, getpid()) == 0)
        log_info("%s has changed: reloading", shown(reloader));
    else
        await_quiet(reloader, WATCH_SAVED);
}

static void is_quiet(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    ask(arg);
}

static void news_came(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct reloader *reloader = arg;
    await_quiet(reloader, watch_read(reloader->watch, reloader->changed, sizeof(reloader->changed)));
}

static void look_is_due(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct reloader *reloader = arg;
    await_quiet(reloader, watch_look_again(reloader->watch, reloader->changed, sizeof(reloader->changed)));
    reloader->due = true;
    event_base_loopbreak(event_get_base(reloader->timer));
}

/* The application's own files are edited where they are; an installed package is replaced as a
 * whole, and is large. A module that is imported later is watched alone too: it may be code that
 * a program writes for itself, file by file, into a directory of its own. */
static bool has_neighbours(const char *path, bool later)
{
    return !later && strstr(path, "/site-packages/") == NULL && strstr(path, "/dist-packages/") == NULL;
}

static void watch_listed(struct reloader *reloader, bool later)
{
    for (size_t i = 0; i < reloader->files.count; i++)
        watch_file(reloader->watch, reloader->files.paths[i],
                   has_neighbours(reloader->files.paths[i], later));
}

static void look_for_changes(struct reloader *reloader, char *const *paths, size_t count)
{
    const struct timespec begun = boot_begun();
    for (size_t i = 0; i < count && reloader->changed[0] == '\0'; i++)
        if (paths[i] != NULL && watch_is_since(paths[i], &begun))
            snprintf(reloader->changed, sizeof(reloader->changed), "%s", paths[i]);
}

static struct event *add_event(struct loop *loop, int fd, event_callback_fn called, void *arg,
                               const struct timeval *time)
{
    struct event *event = event_new(loop->base, fd, fd >= 0 ? EV_READ | EV_PERSIST : EV_PERSIST, called, arg);
    event_priority_set(event, PRIORITY_FIRST);
    event_add(event, time);
    return event;
}

static void open_events(struct reloader *reloader, struct loop *loop)
{
    const struct timeval look_time = clock_timeval(WATCH_LOOK_MS);
    reloader->news = add_event(loop, watch_fd(reloader->watch), news_came, reloader, NULL);
    reloader->timer = add_event(loop, -1, look_is_due, reloader, &look_time);
    reloader->quiet = evtimer_new(loop->base, is_quiet, reloader);
    event_priority_set(reloader->quiet, PRIORITY_FIRST);
}

/* Files are watched first and looked at then, so that no change falls between. Modules are known
 * by paths without links: the application's file behind the working directory's name shows when
 * that leads to another release. */
static void watch_all(struct reloader *reloader)
{
    const struct options *options = reloader->setup->options;
    const struct string_list *extra = &options->reload_extra_file;
    char *env_file = options->env_file != NULL ? directory_find(options->env_file) : NULL;
    char *const own[] = {options->config, env_file};
    watch_listed(reloader, false);
    watch_options(reloader->watch, options);
    watch_application(reloader->watch, directory_name(), options, false);
    watch_warn(reloader->watch);
    look_for_changes(reloader, reloader->files.paths, reloader->files.count);
    look_for_changes(reloader, own, sizeof(own) / sizeof(own[0]));
    look_for_changes(reloader, extra->items, extra->count);
    free(env_file);
}

void reloader_begin(struct reloader *reloader, struct loop *loop)
{
    if (reloader == NULL)
        return;
    note_directory(reloader);
    reloader->watch = watch_open();
    if (reloader->watch == NULL) {
        log_warning("--reload: what is saved is not noticed: %s",
                    errno == EMFILE ? "fs.inotify.max_user_instances is reached" : strerror(errno));
        return;
    }
    open_events(reloader, loop);
    watch_all(reloader);
    module_files_fini(&reloader->files);
    if (reloader->changed[0] != '\0')
        ask(reloader);
}

static void end(struct event **event)
{
    if (*event != NULL)
        event_free(*event);
    *event = NULL;
}

void reloader_stop(struct reloader *reloader)
{
    if (reloader == NULL)
        return;
    end(&reloader->news);
    end(&reloader->quiet);
    end(&reloader->timer);
    reloader->due = false;
}

void reloader_free(struct reloader *reloader)
{
    if (reloader == NULL)
        return;
    reloader_stop(reloader);
    watch_free(reloader->watch);
    module_files_fini(&reloader->files);
    free(reloader);
}

bool reloader_is_due(const struct reloader *reloader)
{
    return reloader != NULL && reloader->due;
}

void reloader_look(struct reloader *reloader, struct crew *crew)
{
    if (!reloader_is_due(reloader))
        return;
    crew_run_python(crew, list, reloader);
    reloader->due = false;
    watch_listed(reloader, true);
    watch_warn(reloader->watch);
    module_files_fini(&reloader->files);
}
