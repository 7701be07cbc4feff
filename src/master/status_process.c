/* The status process: how the master sees it, and what it does. */
#include "config.h"

#include "master/status_process.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/title.h"
#include "fleet/slot.h"
#include "http/proxy_protocol.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/timers.h"
#include "proc/confine.h"
#include "proc/fork.h"
#include "proc/privileges.h"
#include "proc/worker_end.h"
#include "py/interp.h"
#include "status/status.h"

/* Few clients watch, and their requests are short. */
enum { CONNECTIONS = 256, REQUEST_BODY = 1024, PATIENCE_MS = 5000 };

/*
 * A connection may need a file too, for an answer that its client does not take. The rest is for
 * the log and the like.
 */
enum { DESCRIPTORS = 2 * CONNECTIONS + 128 };

struct status_process {
    const struct options *options;
    const struct service *service;
    struct event_base *base;
    void (*let_go)(void *context);
    void *context;
    pid_t pid; /* 0: there is no status process */
    uint64_t forked_ms;
    struct backoff backoff;
    struct event *retry;
};

/*
 * Signals to the whole group stop the service, and this process sees it to its end. The master
 * kills it then. When the master is gone, the kernel does.
 */
static void ignore_signals(pid_t master)
{
    static const int ignored[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU};
    sigset_t none;
    fork_dies_with(master);
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        signal(ignored[i], SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Reports only a failure that the master does not have too: the master has logged those. */
static void reopen_log(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
    if (log_reopen() < 0 && privileges_user() != (uid_t)-1)
        log_error("--error-logfile cannot be opened by --user, the old file stays in use: %s",
                  strerror(errno));
}

/* The context of `sample`. */
struct sampler {
    struct status *status;
    struct timer *timer;
};

static void sample(void *context)
{
    struct sampler *sampler = context;
    status_sample(sampler->status);
    timer_set(sampler->timer, HISTORY_INTERVAL_MS);
}

static void bound(int64_t *ms)
{
    if (*ms == 0 || *ms > PATIENCE_MS)
        *ms = PATIENCE_MS;
}

/* A client that sends or takes nothing keeps its connection for seconds only. */
static void bound_times(struct options *options)
{
    bound(&options->header_timeout);
    bound(&options->body_timeout);
    bound(&options->write_timeout);
    if (options->keep_alive > 0)
        bound(&options->keep_alive);
}

static void __attribute__((noreturn)) serve(const struct options *given, const struct service *service)
{
    struct options options = *given;
    options.worker_connections = CONNECTIONS;
    options.limit_request_body = REQUEST_BODY;
    bound_times(&options);
    options.proxy_protocol = PROXY_OFF; /* no load balancer stands in front of this address */
    static struct scoreboard_row row;   /* no reader looks at its own requests */
    struct loop *loop = loop_new(&options, &status_handler, &row);
    struct sampler sampler = {.status = status_new(service->board, VERSION, interp_version(),
                                                   options.application, options.status_host)};
    sampler.timer = timer_new(loop->base, sample, &sampler);
    timer_set(sampler.timer, HISTORY_INTERVAL_MS);
    event_add(evsignal_new(loop->base, SIGUSR1, reopen_log, NULL), NULL);
    listeners_new(loop, service->status, 1, 0);
    confine_process(DESCRIPTORS);
    for (;;) {
        struct exchange *exchange;
        loop_turn(loop, true);
        while ((exchange = loop_take_ready(loop)) != NULL) {
            status_handler.run(sampler.status, exchange);
            exchange_finish(exchange);
        }
    }
}

static void drop_privileges(void)
{
    char message[256];
    if (privileges_drop(message, sizeof(message)) == 0)
        return;
    log_critical("%s", message);
    _exit(EXIT_FAILURE_RUNTIME);
}

/*
 * Turns the child into the status process. Until event_reinit, the base shares its epoll set and
 * signal pipe with the master.
 */
static void __attribute__((noreturn)) be_child(const struct status_process *process, pid_t master)
{
    event_reinit(process->base);
    event_base_free(process->base);
    log_identify("status");
    drop_privileges();
    ignore_signals(master);
    process->let_go(process->context);
    title_set("gateway: status [%s]",
              process->options->name != NULL ? process->options->name : process->options->application);
    serve(process->options, process->service);
}

static void retry_in(struct status_process *process, uint64_t ms)
{
    struct timeval tv = clock_timeval(ms);
    event_add(process->retry, &tv);
}

static void fork_it(struct status_process *process)
{
    pid_t master = getpid();
    pid_t pid = fork_quietly();
    if (pid == 0)
        be_child(process, master);
    if (pid < 0) {
        log_error("the status process cannot be forked: %s; the next try is in %d s", strerror(errno),
                  BACKOFF_MAX_MS / 1000);
        retry_in(process, BACKOFF_MAX_MS);
        return;
    }
    process->pid = pid;
    process->forked_ms = clock_ms();
}

static void retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    fork_it(arg);
}

struct status_process *status_process_start(const struct options *options, const struct service *service,
                                            struct event_base *base, void (*let_go)(void *context),
                                            void *context)
{
    struct status_process *process = xcalloc(1, sizeof(*process));
    *process = (struct status_process){
        .options = options, .service = service, .base = base, .let_go = let_go, .context = context};
    process->retry = evtimer_new(base, retry, process);
    fork_it(process);
    return process;
}

pid_t status_process_pid(const struct status_process *process)
{
    return process != NULL ? process->pid : 0;
}

bool status_process_is(const struct status_process *process, pid_t pid)
{
    return process != NULL && process->pid == pid;
}

bool status_process_ended(struct status_process *process, pid_t pid, int status)
{
    if (!status_process_is(process, pid))
        return false;
    char how[128];
    uint64_t age = clock_ms() - process->forked_ms;
    uint64_t pause = backoff_next(&process->backoff, age, (uint32_t)pid);
    process->pid = 0;
    death_describe_status(status, how, sizeof(how));
    log_error("the status process (pid %d) %s after %.1f s; it is replaced in %.1f s", (int)pid, how,
              (double)age / 1000, (double)pause / 1000);
    retry_in(process, pause);
    return true;
}

void status_process_reopen(struct status_process *process)
{
    if (process != NULL && process->pid != 0)
        kill(process->pid, SIGUSR1);
}

static void end(struct status_process *process)
{
    if (process->pid != 0) {
        kill(process->pid, SIGKILL);
        waitpid(process->pid, NULL, 0);
    }
    process->pid = 0;
}

void status_process_restart(struct status_process *process)
{
    if (process == NULL || process->pid == 0)
        return;
    end(process);
    fork_it(process);
}

void status_process_stop(struct status_process *process)
{
    if (process == NULL)
        return;
    end(process);
    event_free(process->retry);
    free(process);
}
