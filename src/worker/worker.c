/* A worker: boot, serve, drain, leave. */
#include "worker/worker.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/crew.h"
#include "app/deadline.h"
#include "app/worker_answers.h"
#include "app/wsgi.h"
#include "base/clock.h"
#include "base/exit_status.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/spool.h"
#include "base/standard_fds.h"
#include "base/title.h"
#include "fleet/slot.h"
#include "net/loop.h"
#include "proc/fork.h"
#include "proc/logs.h"
#include "proc/python_end.h"
#include "proc/worker_channel.h"
#include "proc/worker_end.h"
#include "py/interp.h"
#include "py/python_fork.h"
#include "py/stack.h"
#include "worker/boot.h"
#include "worker/descriptors.h"
#include "worker/intake.h"
#include "worker/recycle.h"
#include "worker/reloader.h"
#include "worker/signals.h"

/* A worker goes down this list; from STALLED it can come back to ASKED. worker_enter alone
 * changes the phase. */
enum phase {
    PHASE_SERVING,
    PHASE_ASKED,    /* serves, and has asked the master for a successor */
    PHASE_STALLED,  /* no thread is left to run calls; the slot is an unserved slot */
    PHASE_DRAINING, /* accepts no connection, finishes its requests */
    PHASE_OVERDUE,  /* --graceful-timeout has passed meanwhile */
    PHASE_QUITTING, /* finishes nothing */
};

/* The row's state for each phase. To the master DRAINING means: accepts no connection. */
static const enum worker_state shown_states[] = {
    [PHASE_SERVING] = WORKER_READY,     [PHASE_ASKED] = WORKER_READY,      [PHASE_STALLED] = WORKER_DRAINING,
    [PHASE_DRAINING] = WORKER_DRAINING, [PHASE_OVERDUE] = WORKER_DRAINING, [PHASE_QUITTING] = WORKER_DRAINING,
};

/* A thread that has waited this long for the GIL beside a stuck call counts as stuck too. */
enum { GIL_LOST_MS = 1000 };

struct worker {
    const struct worker_setup *setup;
    struct application *application;
    struct wsgi **wsgi; /* one per thread */
    struct loop *loop;
    struct spool_budget spools; /* outlives Python, which may hold request bodies */
    struct crew *crew;
    struct deadline *deadline;
    struct intake intake;
    struct event *channel, *graceful_end, *signals[STOP_SIGNALS];
    struct recycle recycle;
    struct reloader *reloader;    /* NULL: the source files are not watched */
    struct event *python_signals; /* the application's own handlers; NULL when they cannot be watched */
    bool python_signalled;
    enum phase phase;
    int hurry_fd;       /* of signals_for_the_end */
    uint64_t end_ms;    /* when it should have left, Python's end included; set when it stops */
    bool has_successor; /* takes the idle connections */
    bool awaits_main;   /* main_is_stuck is due */
};

static void worker_enter(struct worker *worker, enum phase phase)
{
    worker->phase = phase;
    scoreboard_set(worker->setup->row->state, shown_states[phase]);
    if (phase >= PHASE_DRAINING)
        reloader_stop(worker->reloader); /* the successor watches */
}

static void log_cut(const struct worker *worker)
{
    size_t cut = loop_count_unfinished(worker->loop);
    const char *why =
        worker->phase == PHASE_QUITTING ? "told to leave at once" : "--graceful-timeout has passed";
    if (cut > 0)
        log_warning("%s: %zu connection%s cut", why, cut, cut == 1 ? " is" : "s are");
}

/* Threads that are still in the application end with the process. */
static void leave_threads_behind(struct worker *worker)
{
    running_calls_warn(worker->setup->calls, worker->setup->threads);
    loop_abandon(worker->loop);
    worker->hurry_fd = signals_for_the_end();
}

/* The main thread should have left the crew, and has not. The thread that runs the loop ends the
 * process; it cannot end Python. */
static void main_is_stuck(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    log_cut(arg);
    leave_threads_behind(arg);
    log_warning(
        "the application does not let go of the main thread: atexit functions do not run, and what is "
        "buffered is lost");
    _exit(EXIT_STOPPED);
}

static void await_main(struct worker *worker)
{
    static const struct timeval a_moment = {.tv_usec = 300 * 1000};
    worker->awaits_main = true;
    event_base_once(worker->loop->base, -1, EV_TIMEOUT, main_is_stuck, worker, &a_moment);
    event_base_loopbreak(worker->loop->base);
}

static void become_overdue(struct worker *worker)
{
    worker_enter(worker, PHASE_OVERDUE);
    await_main(worker);
}

static void start_deadline(struct worker *worker)
{
    int64_t ms = worker->setup->options->graceful_timeout;
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    event_add(worker->graceful_end, &tv);
    worker->end_ms = clock_ms() + (uint64_t)ms;
    if (ms == 0)
        become_overdue(worker);
}

/* Runs in the thread that runs the loop. No successor wants the listening sockets when the
 * service stops. */
static void drain(struct worker *worker, bool service_stops)
{
    if (worker->phase >= PHASE_DRAINING)
        return;
    worker_enter(worker, PHASE_DRAINING);
    start_deadline(worker);
    listeners_stop(worker->intake.listeners, service_stops);
    if (worker->has_successor)
        handover_retire(worker->intake.handover);
    else
        loop_drain(worker->loop);
    if (service_stops && !worker->has_successor)
        handover_take_all(worker->intake.handover);
    event_base_loopbreak(worker->loop->base);
}

/* The successor that takes the connections is about to leave as well: keeps the rest. */
static void keep_connections(struct worker *worker)
{
    worker->loop->retiring = false;
    loop_drain(worker->loop);
    handover_take_all(worker->intake.handover);
    event_base_loopbreak(worker->loop->base);
}

/* Runs in the thread that runs the loop. The main thread, which is to leave, may be in the
 * application for long. */
static void quit(struct worker *worker)
{
    uint64_t end_ms = clock_ms() + python_end_quick_ms(worker->setup->options);
    if (worker->phase == PHASE_QUITTING)
        return;
    worker_enter(worker, PHASE_QUITTING);
    if (worker->end_ms == 0 || end_ms < worker->end_ms)
        worker->end_ms = end_ms;
    await_main(worker);
}

/* The successor comes first: then the master sends MESSAGE_RETIRE. */
static void ask_to_be_replaced(struct worker *worker, enum message_kind why)
{
    worker_enter(worker, PHASE_ASKED);
    if (worker_channel_send(worker->setup->channel, why, getpid()) < 0)
        drain(worker, false);
}

/* The worker can go on until the master finds it convenient. */
static void has_served_long(void *context)
{
    struct worker *worker = context;
    worker_channel_send(worker->setup->channel, MESSAGE_RECYCLE, getpid());
}

static void retire(struct worker *worker)
{
    worker->has_successor = true;
    drain(worker, false);
}

/* A signal to this worker alone: the service goes on. A second TERM does not wait for the
 * successor. Idle connections wait for it in the transfer socket, and new clients in the accept
 * queue. No connection is closed that could have a request on its way. */
static void signalled(evutil_socket_t signal, short what, void *arg)
{
    (void)what;
    struct worker *worker = arg;
    if (signal != SIGTERM)
        quit(worker);
    else if (worker->phase == PHASE_SERVING)
        ask_to_be_replaced(worker, MESSAGE_REPLACE);
    else if (worker->phase < PHASE_DRAINING)
        retire(worker);
}

/* A handler is Python code and runs on the main thread, which may be in a call. So the thread
 * that runs the loop clears the descriptor: the event would otherwise keep the loop turning
 * until that call is over. */
static void python_signalled(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct worker *worker = arg;
    interp_empty_signal_fd();
    worker->python_signalled = true;
    event_base_loopbreak(worker->loop->base);
}

static void run_python_signals(void *context)
{
    (void)context;
    interp_run_signal_handlers();
    if (python_is_fork())
        _exit(EXIT_STOPPED);
}

/* The service stops. */
static void drain_for_good(struct worker *worker)
{
    if (worker->loop->retiring)
        keep_connections(worker);
    else
        drain(worker, true);
}

static void obey(struct worker *worker, enum message_kind kind)
{
    if (kind == MESSAGE_REOPEN)
        logs_reopen(worker->setup->access_log);
    else if (kind == MESSAGE_RETIRE)
        retire(worker);
    else if (kind == MESSAGE_UNREADY)
        worker->loop->unready = true;
    else if (kind == MESSAGE_UNSERVED && worker->phase < PHASE_DRAINING)
        intake_look(&worker->intake);
    else if (kind == MESSAGE_DRAIN)
        drain_for_good(worker);
    else if (kind == MESSAGE_QUIT)
        quit(worker);
}

static void messages_arrived(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct worker *worker = arg;
    enum message_kind kind;
    pid_t pid;
    int r;
    while ((r = worker_channel_receive(fd, &kind, &pid)) > 0)
        if (pid == getpid())
            obey(worker, kind);
    if (r < 0) {
        log_error("the master is gone; this worker finishes its requests and leaves");
        event_del(worker->channel);
        drain_for_good(worker);
    }
}

static void deadline_passed(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct worker *worker = arg;
    if (worker->phase == PHASE_DRAINING)
        become_overdue(worker);
}

/* A stuck call is not waited for; its connection is closed already. */
static bool is_drained(const struct worker *worker)
{
    return worker->phase == PHASE_DRAINING && worker->loop->open_count == 0 &&
           worker->loop->lasting <= deadline_stuck(worker->deadline) && worker->loop->ready_count == 0;
}

static bool is_over(const struct worker *worker)
{
    return worker->phase >= PHASE_OVERDUE || is_drained(worker);
}

static bool no_thread_is_left(const struct worker *worker)
{
    unsigned stuck = deadline_stuck(worker->deadline);
    return stuck > 0 && stuck + crew_await_gil(worker->crew, GIL_LOST_MS) >= worker->setup->threads;
}

/* No thread is left for the requests that wait. Other workers serve new clients better: the slot
 * becomes an unserved slot. */
static void give_up(struct worker *worker)
{
    if (worker->phase == PHASE_ASKED) {
        worker_enter(worker, PHASE_STALLED);
        intake_pause(&worker->intake, true);
    }
    if (!worker->has_successor)
        loop_refuse_ready(worker->loop);
}

/* A thread is free after all: serves again. */
static void take_up_again(struct worker *worker)
{
    if (no_thread_is_left(worker))
        return;
    worker_enter(worker, PHASE_ASKED);
    intake_pause(&worker->intake, false);
}

/* Called again and again, in the thread that runs the loop: this worker makes room for another. */
static void calls_are_stuck(void *context)
{
    struct worker *worker = context;
    if (worker->phase == PHASE_SERVING) {
        log_error("the application has not returned --graceful-timeout after --timeout: this worker finishes "
                  "its other requests and is replaced");
        ask_to_be_replaced(worker, MESSAGE_STUCK);
    }
    if (no_thread_is_left(worker))
        give_up(worker);
    if (is_drained(worker) && !worker->awaits_main)
        await_main(worker);
}

/* Makes the objects with which each thread calls the application. 0, or -1 after a log record.
 * GIL held. */
static int open_threads(struct worker *worker, struct application *application)
{
    const struct worker_setup *setup = worker->setup;
    if (stack_init() < 0 || call_init(setup->options, setup->worker_count > 1) < 0)
        return -1;
    worker->wsgi = xcalloc(setup->threads, sizeof(struct wsgi *));
    for (unsigned i = 0; i < setup->threads; i++)
        worker->wsgi[i] = wsgi_new(application, &setup->calls[i]);
    return 0;
}

static void watch(struct event *event)
{
    event_priority_set(event, PRIORITY_FIRST);
    loop_watch(event);
}

/* The loop is made after the application, so that our signal handlers are installed last. */
static void open_loop(struct worker *worker, int python_signals)
{
    const struct worker_setup *setup = worker->setup;
    worker->loop = loop_new(setup->options, &wsgi_handler, setup->row);
    if (setup->access_log != NULL) {
        access_log_identify(setup->access_log, setup->slot);
        worker->loop->answered = access_log_write;
        worker->loop->answered_context = setup->access_log;
    }
    worker->loop->unready = setup->unready;
    spool_budget_init(&worker->spools, (uint64_t)setup->options->spool_total, setup->board, setup->row);
    loop_set_spool_budget(worker->loop, &worker->spools);
    worker_answers_open(worker->loop, &setup->board->service->failed_reload, boot_failed_reloads());
    worker->deadline = deadline_new(worker->loop, setup->calls, setup->threads, calls_are_stuck, worker);
    struct event_base *base = worker->loop->base;
    worker->channel = event_new(base, setup->channel, EV_READ | EV_PERSIST, messages_arrived, worker);
    watch(worker->channel);
    worker->graceful_end = evtimer_new(base, deadline_passed, worker);
    event_priority_set(worker->graceful_end, PRIORITY_FIRST);
    for (int i = 0; i < STOP_SIGNALS; i++) {
        worker->signals[i] = evsignal_new(base, stop_signals[i], signalled, worker);
        watch(worker->signals[i]);
    }
    signals_are_the_loops(worker->loop);
    if (python_signals >= 0) {
        worker->python_signals =
            event_new(base, python_signals, EV_READ | EV_PERSIST, python_signalled, worker);
        watch(worker->python_signals);
    }
    descriptors_watch(worker->loop);
    recycle_init(&worker->recycle, worker->loop, (uint32_t)getpid() * 2654435761U, has_served_long, worker);
    intake_open(&worker->intake, worker->loop, setup);
    reloader_begin(worker->reloader, worker->loop);
}

static void close_loop(struct worker *worker)
{
    loop_finish_listed(worker->loop);
    for (int i = 0; i < STOP_SIGNALS; i++)
        event_free(worker->signals[i]);
    worker->hurry_fd = signals_for_the_end();
    if (worker->python_signals != NULL)
        event_free(worker->python_signals);
    event_free(worker->graceful_end);
    descriptors_unwatch();
    recycle_fini(&worker->recycle);
    reloader_free(worker->reloader);
    deadline_free(worker->deadline);
    event_free(worker->channel);
    intake_free(&worker->intake);
    signals_are_the_loops(NULL);
    loop_free(worker->loop);
}

static bool wants_main(void *context)
{
    struct worker *worker = context;
    recycle_look(&worker->recycle);
    descriptors_look();
    if (worker->phase == PHASE_STALLED)
        take_up_again(worker);
    return worker->python_signalled || reloader_is_due(worker->reloader) || is_over(worker);
}

static void serve(struct worker *worker)
{
    const struct crew_setup setup = {
        .loop = worker->loop,
        .threads = worker->setup->threads,
        .contexts = (void *const *)worker->wsgi,
        .deadline = worker->deadline,
        .wants_main = wants_main,
        .look_at_signals = signals_put_back,
        .context = worker,
    };
    worker->crew = crew_new(&setup);
    while (!is_over(worker)) {
        crew_serve(worker->crew);
        if (worker->python_signalled) {
            worker->python_signalled = false;
            crew_run_python(worker->crew, run_python_signals, worker);
        }
        reloader_look(worker->reloader, worker->crew);
    }
    log_cut(worker);
}

/* Ends Python. Threads that were left behind still use their entries of `wsgi`. */
static void finish(struct worker *worker, bool all_threads_ended)
{
    const struct python_end end = {
        .status = EXIT_STOPPED,
        .deadline_ms = worker->end_ms,
        .quick_ms = python_end_quick_ms(worker->setup->options),
        .channel = worker->setup->channel,
        .hurry = worker->hurry_fd,
    };
    python_end_begin(&end);
    gil_take();
    for (unsigned i = 0; i < (all_threads_ended ? worker->setup->threads : 1); i++)
        wsgi_free(worker->wsgi[i]);
    call_fini();
    application_free(worker->application);
    python_end_finish();
}

static int fail(const struct worker_setup *setup, struct application *application)
{
    scoreboard_set(setup->row->state, WORKER_FAILED);
    python_end_alone(application, EXIT_APPLICATION, 0);
    return EXIT_APPLICATION;
}

int worker_serve(const struct worker_setup *setup, struct application *application)
{
    struct worker worker = {.setup = setup, .application = application};
    if (standard_fds_fill() < 0) /* the application's import may have closed them */
        log_error("standard input, output and error cannot be opened on /dev/null: %s", strerror(errno));
    if (open_threads(&worker, application) < 0)
        return fail(setup, application);
    scoreboard_set(setup->row->state, WORKER_LOADED);
    int python_signals = interp_signal_fd();
    worker.reloader = reloader_new(setup);
    gil_release();
    open_loop(&worker, python_signals);
    worker_enter(&worker, PHASE_SERVING);
    fork_lives_alone();
    worker_channel_say_ready(setup->channel);
    serve(&worker);
    bool all_threads_ended = crew_free(worker.crew);
    if (all_threads_ended)
        close_loop(&worker);
    else
        leave_threads_behind(&worker);
    finish(&worker, all_threads_ended);
    return EXIT_STOPPED;
}

void worker_identify(const struct worker_setup *setup)
{
    const struct options *options = setup->options;
    log_identify("worker %u", setup->slot);
    title_set("gateway: worker %u [%s]", setup->slot,
              options->name != NULL ? options->name : options->application);
}

int worker_main(const struct worker_setup *setup)
{
    fork_dies_with(setup->master); /* a process that imports reads no messages, and would not notice */
    signals_for_boot(setup);
    worker_identify(setup);
    descriptors_note(setup, setup->channel);
    struct application *application = boot(setup);
    return application != NULL ? worker_serve(setup, application) : fail(setup, NULL);
}
