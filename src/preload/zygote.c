/* A zygote: imports the application, and forks workers. */
#include "preload/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/exit_status.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/standard_fds.h"
#include "base/title.h"
#include "options/listing.h"
#include "preload/reparented_fork.h"
#include "preload/sockets.h"
#include "preload/zygote_channel.h"
#include "proc/fork.h"
#include "proc/python_end.h"
#include "proc/resources.h"
#include "py/interp.h"
#include "py/python_fork.h"
#include "py/threads.h"
#include "worker/boot.h"
#include "worker/descriptors.h"
#include "worker/signals.h"
#include "worker/worker.h"

struct zygote {
    const struct zygote_setup *setup;
    struct application *application;
    struct worker_setup self; /* the part that workers have too, and its own crash pipe */
    pid_t *workers;           /* forked by this zygote, by seat; they may be gone */
};

static void describe(const struct zygote *zygote, unsigned number, struct worker_setup *setup)
{
    zygote->setup->describe(zygote->setup->context, number, zygote->setup->generation, setup);
}

static void set_title(const struct options *options)
{
    title_set("gateway: zygote [%s]", options->name != NULL ? options->name : options->application);
}

static void say(const struct zygote_setup *setup, enum zygote_news_kind kind)
{
    const struct zygote_news news = {.kind = kind};
    zygote_channel_send_news(setup->channel, &news);
}

static void warn_of_threads(void)
{
    struct listing threads = {0};
    threads_list(&threads);
    if (threads.count > 0)
        log_warning("the application has started %u thread%s while it was imported (%s): %s not exist in the "
                    "workers",
                    threads.count, threads.count == 1 ? "" : "s", listing_end(&threads),
                    threads.count == 1 ? "it does" : "they do");
}

static void warn_of_sockets(const struct sockets *before)
{
    struct listing sockets = {0};
    sockets_list_new(before, &sockets);
    if (sockets.count > 0)
        log_warning("the application has opened %u socket%s while it was imported (%s): all workers share %s",
                    sockets.count, sockets.count == 1 ? "" : "s", listing_end(&sockets),
                    sockets.count == 1 ? "it" : "them");
}

/* Loads the application. 0, or -1 after a log record. The GIL stays with this thread. */
static int load(struct zygote *zygote)
{
    struct sockets before;
    sockets_note(&before);
    zygote->application = boot(&zygote->self);
    standard_fds_fill();
    if (zygote->application == NULL)
        return -1;
    warn_of_threads();
    warn_of_sockets(&before);
    sockets_fini(&before);
    return 0;
}

/* faulthandler keeps its descriptor: makes it lead to the worker's own crash pipe. */
static void take_crash_pipe(const struct zygote *zygote, struct worker_setup *setup)
{
    dup3(setup->crash_pipe, zygote->self.crash_pipe, O_CLOEXEC);
    close(setup->crash_pipe);
    setup->crash_pipe = zygote->self.crash_pipe;
}

static int be_worker(const struct zygote *zygote, const struct zygote_order *order)
{
    static struct worker_setup setup;
    describe(zygote, order->number, &setup);
    setup.worker_count = order->worker_count;
    setup.unready = order->unready;
    setup.channel = order->channel;
    setup.crash_pipe = order->crash_pipe;
    fork_dies_with(setup.master);
    close(zygote->setup->channel);
    worker_identify(&setup);
    take_crash_pipe(zygote, &setup);
    descriptors_note(&setup, setup.channel);
    signals_for_worker(&setup);
    python_fork_after_in_child();
    return worker_serve(&setup, zygote->application);
}

/* Forks a worker, which begins as soon as the master has been told of it. */
static void fork_worker(struct zygote *zygote, const struct zygote_order *order)
{
    struct zygote_news news = {.kind = ZYGOTE_NEWS_FORKED};
    int start;
    signals_hold();
    python_fork_before();
    news.pid = reparented_fork(&start);
    if (news.pid == 0)
        _exit(be_worker(zygote, order));
    bool forked = news.pid > 0;
    if (!forked)
        news = (struct zygote_news){.kind = ZYGOTE_NEWS_NOT_FORKED, .error = errno};
    zygote->workers[order->number] = news.pid;
    if (zygote_channel_send_news(zygote->setup->channel, &news) < 0)
        _exit(EXIT_FAILURE_RUNTIME); /* the master waits for the news; the worker ends with us */
    if (forked)
        reparented_fork_begin(start);
    python_fork_after_in_parent();
    signals_release();
}

static void obey_fork(struct zygote *zygote, const struct zygote_order *order)
{
    const struct zygote_news no_room = {.kind = ZYGOTE_NEWS_NOT_FORKED, .error = EMFILE};
    if (order->channel >= 0 && order->crash_pipe >= 0)
        fork_worker(zygote, order);
    else
        zygote_channel_send_news(zygote->setup->channel, &no_room);
    if (order->channel >= 0)
        close(order->channel);
    if (order->crash_pipe >= 0)
        close(order->crash_pipe);
}

static void reopen_logs(const struct zygote *zygote)
{
    log_reopen();
    if (zygote->self.access_log != NULL)
        access_log_reopen(zygote->self.access_log);
}

/* Reads the memory of a worker. False when it has left, or the kernel does not say. */
static bool measure_worker(const struct zygote *zygote, unsigned number, struct memory *memory)
{
    struct worker_setup setup;
    pid_t pid = zygote->workers[number];
    describe(zygote, number, &setup);
    return pid != 0 && scoreboard_get(setup.row->pid) == (uint32_t)pid && memory_read(pid, memory) == 0;
}

static void measure(const struct zygote *zygote)
{
    const double mib = 1024;
    uint64_t resident = 0, shared = 0;
    unsigned workers = 0;
    for (unsigned i = 0; i < zygote->setup->count; i++) {
        struct memory memory;
        if (!measure_worker(zygote, i, &memory))
            continue;
        resident += memory.resident;
        shared += memory.shared;
        workers++;
    }
    if (workers > 0)
        log_info("workers share %.1f MiB of their %.1f MiB with the zygote", (double)shared / workers / mib,
                 (double)resident / workers / mib);
}

static void obey(struct zygote *zygote, const struct zygote_order *order)
{
    if (order->kind == ZYGOTE_ORDER_FORK)
        obey_fork(zygote, order);
    else if (order->kind == ZYGOTE_ORDER_MEASURE)
        measure(zygote);
    else if (order->kind == ZYGOTE_ORDER_REOPEN)
        reopen_logs(zygote);
}

/* Waits for an order. The application's threads run meanwhile, as in any program that waits. */
static bool await_order(const struct zygote *zygote, struct zygote_order *order)
{
    gil_release();
    int r = zygote_channel_await_order(zygote->setup->channel, order);
    gil_take();
    return r == 0 && order->kind != ZYGOTE_ORDER_END;
}

int zygote_excuse(const struct zygote_setup *setup)
{
    say(setup, ZYGOTE_NEWS_LOADED);
    return EXIT_FAILURE_RUNTIME;
}

int zygote_main(const struct zygote_setup *setup)
{
    struct zygote zygote = {.setup = setup, .workers = xcalloc(setup->count, sizeof(pid_t))};
    struct zygote_order order;
    describe(&zygote, 0, &zygote.self);
    zygote.self.crash_pipe = setup->crash_pipe;
    fork_dies_with(zygote.self.master);
    signals_for_boot(&zygote.self);
    log_identify("zygote");
    descriptors_note(&zygote.self, setup->channel);
    set_title(zygote.self.options);
    if (load(&zygote) < 0) {
        atomic_store(setup->has_told, true);
        say(setup, ZYGOTE_NEWS_FAILED);
        python_end_alone(NULL, EXIT_APPLICATION, 0);
        return EXIT_APPLICATION;
    }
    signals_for_zygote();
    say(setup, ZYGOTE_NEWS_LOADED);
    while (await_order(&zygote, &order))
        obey(&zygote, &order);
    python_end_alone(zygote.application, EXIT_STOPPED, python_end_quick_ms(zygote.self.options));
    return EXIT_STOPPED;
}
