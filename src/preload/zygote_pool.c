/* The zygotes, and the workers that are expected of them. */
#include "preload/zygote_pool.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "fleet/slot.h"
#include "preload/zygote.h"
#include "proc/fork.h"
#include "proc/privileges.h"
#include "proc/python_end.h"
#include "proc/resources.h"

/* The time for the hooks of a fork; and for the end of Python, beyond the time after which it is
 * cut. */
enum { GRACE_MS = 2000 };

/* Maps a page that the zygote shares. NULL and errno. */
static atomic_bool *zygote_child_share_flag(void)
{
    void *page = mmap(NULL, sizeof(atomic_bool), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return page != MAP_FAILED ? page : NULL;
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* Closes the zygote's descriptors, also in another child of the master. */
static void zygote_child_let_go(const struct zygote_child *zygote)
{
    close_if_open(zygote->channel.master);
    close_if_open(zygote->channel.zygote);
    close_if_open(zygote->crash_pipe.master);
    close_if_open(zygote->crash_pipe.worker);
}

/* Frees a zygote, also one that was never forked. NULL is fine. */
static void zygote_child_free(struct zygote_child *zygote)
{
    if (zygote == NULL)
        return;
    if (zygote->news != NULL)
        event_free(zygote->news);
    if (zygote->deadline != NULL)
        event_free(zygote->deadline);
    if (zygote->has_told != NULL)
        munmap(zygote->has_told, sizeof(*zygote->has_told));
    zygote_child_let_go(zygote);
    free(zygote);
}

static void zygote_child_kill(struct zygote_child *zygote, enum kill_reason why)
{
    zygote->killed = why;
    kill(zygote->pid, SIGKILL);
}

/* Makes a zygote that is to be forked, with both ends of all it has. NULL and errno. */
static struct zygote_child *zygote_child_new(unsigned generation)
{
    struct zygote_child *zygote = xcalloc(1, sizeof(*zygote));
    zygote->generation = generation;
    zygote->channel = (struct zygote_channel){-1, -1};
    zygote->crash_pipe = (struct crash_pipe){-1, -1};
    zygote->has_told = zygote_child_share_flag();
    if (zygote->has_told != NULL && zygote_channel_open(&zygote->channel) == 0 &&
        crash_pipe_open(&zygote->crash_pipe) == 0)
        return zygote;
    int error = errno;
    zygote_child_free(zygote);
    errno = error;
    return NULL;
}

static void zygote_child_is_overdue(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct zygote_child *zygote = arg;
    log_warning("the zygote (pid %d) takes too long, and is killed", (int)zygote->pid);
    zygote_child_kill(zygote, zygote->leaving ? KILL_LATE : KILL_SLOW_FORK);
}

/* The zygote has been forked as `pid`. `news` is called when it sends something. */
static void zygote_child_watch(struct zygote_child *zygote, pid_t pid, struct event_base *base,
                               void (*news)(evutil_socket_t fd, short what, void *arg), void *arg)
{
    zygote->pid = pid;
    zygote->forked_ms = clock_ms();
    close(zygote->channel.zygote);
    zygote->channel.zygote = -1;
    zygote->news = event_new(base, zygote->channel.master, EV_READ | EV_PERSIST, news, arg);
    zygote->deadline = evtimer_new(base, zygote_child_is_overdue, zygote);
    event_add(zygote->news, NULL);
}

/* Sends an order. A failure is ignored: SIGCHLD tells of a dead zygote. */
static void zygote_child_tell(struct zygote_child *zygote, enum zygote_order_kind kind)
{
    const struct zygote_order order = {.kind = kind};
    zygote_channel_send_order(zygote->channel.master, &order);
}

/* Asks an idle zygote for a worker. */
static void zygote_child_ask(struct zygote_child *zygote, const struct zygote_order *order)
{
    zygote->state = ZYGOTE_FORKING;
    zygote->number = order->number;
    if (zygote_channel_send_order(zygote->channel.master, order) == 0)
        return;
    log_warning("the zygote (pid %d) cannot be asked for a worker: %s; it is replaced", (int)zygote->pid,
                strerror(errno));
    zygote_child_kill(zygote, KILL_UNWANTED); /* no answer would come */
}

static void zygote_child_allow(struct zygote_child *zygote, unsigned ms)
{
    const struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    event_add(zygote->deadline, &tv);
}

/* The worker that the zygote was asked for is not wanted any more. Unless the zygote forks it
 * within a moment it is killed, since it may hang in a hook. */
static void zygote_child_hurry(struct zygote_child *zygote)
{
    zygote_child_allow(zygote, GRACE_MS);
}

/* Ends the zygote, which runs its atexit functions within a moment. A busy zygote is killed. */
static void zygote_child_end(struct zygote_child *zygote)
{
    if (zygote->leaving)
        return;
    zygote->leaving = true;
    if (zygote->state != ZYGOTE_IDLE) {
        zygote_child_kill(zygote, KILL_UNWANTED);
        return;
    }
    zygote_child_tell(zygote, ZYGOTE_ORDER_END);
    zygote_child_allow(zygote, PYTHON_END_QUICK_MS + GRACE_MS);
}

/* The application runs in the zygote, and can send anything at any time. News out of turn are
 * dropped. */
static bool zygote_child_awaits(const struct zygote_child *zygote, enum zygote_news_kind kind)
{
    bool loads = kind == ZYGOTE_NEWS_LOADED || kind == ZYGOTE_NEWS_FAILED,
         forks = kind == ZYGOTE_NEWS_FORKED || kind == ZYGOTE_NEWS_NOT_FORKED;
    return (loads && zygote->state == ZYGOTE_LOADING) || (forks && zygote->state == ZYGOTE_FORKING);
}

/* Reads the next news of the zygote: 1, and ZYGOTE_NEWS_NOISE where they were out of turn; 0
 * when there are no more yet. */
static int zygote_child_hear(struct zygote_child *zygote, struct zygote_news *news)
{
    int r = zygote_channel_receive_news(zygote->channel.master, news);
    if (r < 0)
        event_del(zygote->news); /* the end of the channel; SIGCHLD tells of the zygote's */
    if (r <= 0)
        return 0;
    if (!zygote_child_awaits(zygote, news->kind)) {
        news->pid = news->kind == ZYGOTE_NEWS_FORKED ? news->pid : 0;
        news->kind = ZYGOTE_NEWS_NOISE;
    } else if (news->kind == ZYGOTE_NEWS_FAILED) {
        zygote->failed = true;
    } else {
        zygote->state = ZYGOTE_IDLE;
        if (!zygote->leaving)
            event_del(zygote->deadline);
    }
    return 1;
}

/* The zygote has ended. Reads no news that it has not sent by then: a worker that waits for them
 * to be read (preload/reparented_fork.h) knows that its zygote is dead. */
static void zygote_child_is_dead(struct zygote_child *zygote)
{
    zygote->leaving = true;
    shutdown(zygote->channel.master, SHUT_RD);
}

/* Describes the zygote's end, and returns the cause (proc/worker_end.h). */
static enum restart_cause zygote_child_describe(const struct zygote_child *zygote, int status, char *text,
                                                size_t size)
{
    const struct death death = {
        .status = status,
        .killed = zygote->killed,
        .no_memory = death_is_sudden(status) && zygote->killed == KILL_NOT && oom_has_killed(),
        .age_ms = clock_ms() - zygote->forked_ms,
    };
    death_describe_plain(&death, text, size);
    return death_cause(&death);
}

/* The most news that are read of one zygote at once. It sends one for each order. */
enum { NEWS_AT_ONCE = 16 };

struct zygote_pool {
    struct zygote_pool_setup setup;
    struct zygote_child *first;
    struct zygote_child **of; /* the zygote of each seat's child, forked or expected; NULL: it has ended */
};

struct zygote_pool *zygote_pool_new(const struct zygote_pool_setup *setup)
{
    struct zygote_pool *zygotes = xcalloc(1, sizeof(*zygotes));
    zygotes->setup = *setup;
    zygotes->of = xcalloc(setup->count, sizeof(struct zygote_child *));
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    return zygotes;
}

void zygote_pool_free(struct zygote_pool *zygotes)
{
    struct zygote_child *zygote;
    if (zygotes == NULL)
        return;
    while ((zygote = zygotes->first) != NULL) {
        zygotes->first = zygote->next;
        zygote_child_free(zygote);
    }
    free(zygotes->of);
    free(zygotes);
}

static struct child *pool_child(const struct zygote_pool *zygotes, unsigned number)
{
    return &zygotes->setup.children[number];
}

static bool pool_expects(const struct zygote_pool *zygotes, const struct zygote_child *zygote,
                         unsigned number)
{
    return zygotes->of[number] == zygote && pool_child(zygotes, number)->expected;
}

static struct worker_setup pool_setup_of(const struct zygote_pool *zygotes, unsigned number)
{
    struct worker_setup setup;
    const struct zygote_child *zygote = zygotes->of[number];
    zygotes->setup.describe(zygotes->setup.context, number, zygote != NULL ? zygote->generation : 0, &setup);
    return setup;
}

static void pool_order_fork(struct zygote_pool *zygotes, struct zygote_child *zygote, unsigned number)
{
    struct worker_setup setup = pool_setup_of(zygotes, number);
    const struct zygote_order order = {
        .kind = ZYGOTE_ORDER_FORK,
        .number = number,
        .worker_count = setup.worker_count,
        .unready = setup.unready,
        .channel = setup.channel,
        .crash_pipe = setup.crash_pipe,
    };
    zygote_child_ask(zygote, &order);
}

/* Sends one order after another, so that the queue is here only. */
static void pool_go_on(struct zygote_pool *zygotes, struct zygote_child *zygote)
{
    for (unsigned i = 0; i < zygotes->setup.count && zygote->state == ZYGOTE_IDLE && !zygote->leaving; i++)
        if (pool_expects(zygotes, zygote, i) && pool_child(zygotes, i)->killed == KILL_NOT)
            pool_order_fork(zygotes, zygote, i);
}

/* The worker cannot come: `end` says why. */
static void pool_fail(struct zygote_pool *zygotes, unsigned number, struct worker_end *end)
{
    struct worker_setup setup = pool_setup_of(zygotes, number);
    child_is_not_forked(pool_child(zygotes, number), &setup);
    zygotes->of[number] = NULL;
    end->slot = setup.slot;
    zygotes->setup.failed(zygotes->setup.context, number, end);
}

static void pool_fail_to_fork(struct zygote_pool *zygotes, unsigned number, const char *how)
{
    struct worker_end end = {.state = WORKER_LOADED, .cause = RESTART_EXITED, .how = how};
    pool_fail(zygotes, number, &end);
}

/* Reports the workers that were killed before their turn. */
static void pool_fail_killed(struct zygote_pool *zygotes, const struct zygote_child *zygote)
{
    for (unsigned i = 0; i < zygotes->setup.count; i++)
        if (pool_expects(zygotes, zygote, i) && pool_child(zygotes, i)->killed != KILL_NOT)
            pool_fail_to_fork(zygotes, i, "was not wanted any more");
}

static bool pool_knows(const struct zygote_pool *zygotes, pid_t pid)
{
    for (unsigned i = 0; i < zygotes->setup.count; i++)
        if (pool_child(zygotes, i)->pid == pid)
            return true;
    for (const struct zygote_child *zygote = zygotes->first; zygote != NULL; zygote = zygote->next)
        if (zygote->pid == pid)
            return true;
    return zygotes->setup.is_taken(zygotes->setup.context, pid);
}

/* A zygote and its workers run the application's code and may name any pid, and the master may
 * be root. The master kills and waits for its own children only, and none of them in the place
 * of another. It kills no process that the user could not kill: processes that the application
 * left behind, set-user-ID programs among them, are the master's children too. */
static bool pool_is_new_child(const struct zygote_pool *zygotes, pid_t pid)
{
    siginfo_t info;
    return pid > 0 && !pool_knows(zygotes, pid) &&
           waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && privileges_are_of(pid);
}

static void pool_worker_is_forked(struct zygote_pool *zygotes, const struct zygote_child *zygote, pid_t pid)
{
    if (!pool_expects(zygotes, zygote, zygote->number))
        return;
    struct worker_setup setup = pool_setup_of(zygotes, zygote->number);
    if (pool_is_new_child(zygotes, pid))
        child_is_forked(pool_child(zygotes, zygote->number), &setup, pid);
    else
        pool_fail_to_fork(zygotes, zygote->number, "was gone before it began");
}

static void pool_worker_is_not_forked(struct zygote_pool *zygotes, const struct zygote_child *zygote,
                                      int error)
{
    char how[128];
    snprintf(how, sizeof(how), "cannot be forked: %s", strerror(error));
    if (pool_expects(zygotes, zygote, zygote->number))
        pool_fail_to_fork(zygotes, zygote->number, how);
}

/* No other process gets the pid until the master has waited for this one. */
void zygote_pool_refuse(const struct zygote_pool *zygotes, pid_t pid)
{
    if (zygotes == NULL || !pool_is_new_child(zygotes, pid))
        return;
    log_limited(LOG_REFUSED_WORKER, LOG_WARNING,
                "a worker (pid %d) is killed, as the master has no place for it: the zygote has not said "
                "truly which processes it has forked",
                (int)pid);
    kill(pid, SIGKILL);
}

static void pool_obey(struct zygote_pool *zygotes, struct zygote_child *zygote,
                      const struct zygote_news *news)
{
    if (news->kind == ZYGOTE_NEWS_FORKED)
        pool_worker_is_forked(zygotes, zygote, news->pid);
    else if (news->kind == ZYGOTE_NEWS_NOT_FORKED)
        pool_worker_is_not_forked(zygotes, zygote, news->error);
    else if (news->kind == ZYGOTE_NEWS_NOISE)
        zygote_pool_refuse(zygotes, news->pid);
    if (zygote->state == ZYGOTE_IDLE)
        pool_fail_killed(zygotes, zygote);
    pool_go_on(zygotes, zygote);
}

/* Reads all news: those of a dead zygote have an end. */
static void pool_read_all(struct zygote_pool *zygotes, struct zygote_child *zygote)
{
    struct zygote_news news;
    while (zygote_child_hear(zygote, &news) > 0)
        pool_obey(zygotes, zygote, &news);
}

/* Reads some news: a zygote that never stops sending is read again in the next turn. */
static void pool_read_some(struct zygote_pool *zygotes, struct zygote_child *zygote)
{
    struct zygote_news news;
    for (int i = 0; i < NEWS_AT_ONCE && zygote_child_hear(zygote, &news) > 0; i++)
        pool_obey(zygotes, zygote, &news);
}

void zygote_pool_read(struct zygote_pool *zygotes)
{
    if (zygotes == NULL)
        return;
    /* A zygote that is forked meanwhile is put in front. */
    for (struct zygote_child *zygote = zygotes->first; zygote != NULL; zygote = zygote->next)
        pool_read_some(zygotes, zygote);
}

static void news_arrived(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    zygote_pool_read(arg);
}

void zygote_pool_forget(const struct zygote_pool *zygotes)
{
    for (struct zygote_child *zygote = zygotes != NULL ? zygotes->first : NULL; zygote != NULL;
         zygote = zygote->next)
        zygote_child_let_go(zygote);
}

/* Becomes the zygote, in the new process. */
static void be_zygote(struct zygote_pool *zygotes, struct zygote_child *zygote)
{
    const struct zygote_setup setup = {
        .describe = zygotes->setup.describe,
        .context = zygotes->setup.context,
        .count = zygotes->setup.count,
        .generation = zygote->generation,
        .channel = zygote->channel.zygote,
        .crash_pipe = zygote->crash_pipe.worker,
        .has_told = zygote->has_told,
    };
    struct worker_setup any;
    zygotes->setup.describe(zygotes->setup.context, 0, zygote->generation, &any);
    log_identify("zygote");
    if (child_leave_master(zygotes->setup.children, zygotes->setup.count, zygotes->setup.base, &any) < 0)
        _exit(zygote_excuse(&setup));
    zygote_pool_forget(zygotes);
    close(zygote->channel.master);
    close(zygote->crash_pipe.master);
    _exit(zygote_main(&setup));
}

static struct zygote_child *pool_fork_zygote(struct zygote_pool *zygotes, unsigned generation)
{
    struct zygote_child *zygote = zygote_child_new(generation);
    if (zygote == NULL)
        return NULL;
    pid_t pid = fork_quietly();
    if (pid == 0)
        be_zygote(zygotes, zygote);
    if (pid < 0) {
        int error = errno;
        zygote_child_free(zygote);
        errno = error;
        return NULL;
    }
    zygote_child_watch(zygote, pid, zygotes->setup.base, news_arrived, zygotes);
    zygote->next = zygotes->first;
    zygotes->first = zygote;
    log_debug("zygote (pid %d) of generation %u is forked", (int)pid, generation);
    return zygote;
}

static struct zygote_child *pool_find(const struct zygote_pool *zygotes, unsigned generation)
{
    for (struct zygote_child *zygote = zygotes->first; zygote != NULL; zygote = zygote->next)
        if (zygote->generation == generation && !zygote->leaving)
            return zygote;
    return NULL;
}

int zygote_pool_ask(struct zygote_pool *zygotes, unsigned number, unsigned generation)
{
    struct zygote_child *zygote = pool_find(zygotes, generation);
    if (zygote == NULL && (zygote = pool_fork_zygote(zygotes, generation)) == NULL)
        return -1;
    zygotes->of[number] = zygote;
    struct worker_setup setup = pool_setup_of(zygotes, number);
    child_expect(pool_child(zygotes, number), &setup);
    pool_go_on(zygotes, zygote);
    return 0;
}

/* True when another worker is expected of the zygote. */
static bool pool_wants(const struct zygote_pool *zygotes, const struct zygote_child *zygote)
{
    for (unsigned i = 0; i < zygotes->setup.count; i++)
        if (pool_expects(zygotes, zygote, i) && pool_child(zygotes, i)->killed == KILL_NOT)
            return true;
    return false;
}

void zygote_pool_kill(struct zygote_pool *zygotes, unsigned number, enum kill_reason why)
{
    struct zygote_child *zygote = zygotes != NULL ? zygotes->of[number] : NULL;
    if (zygote == NULL || !pool_expects(zygotes, zygote, number))
        return;
    if (zygote->state == ZYGOTE_FORKING && zygote->number == number)
        zygote_child_hurry(zygote);
    else if (zygote->state != ZYGOTE_FORKING && !pool_wants(zygotes, zygote))
        zygote_child_kill(zygote, why);
}

const struct zygote_child *zygote_pool_importer(const struct zygote_pool *zygotes, unsigned number)
{
    const struct zygote_child *zygote = zygotes != NULL ? zygotes->of[number] : NULL;
    bool imports = zygote != NULL && zygote->state == ZYGOTE_LOADING && pool_expects(zygotes, zygote, number);
    return imports ? zygote : NULL;
}

void zygote_pool_ready(struct zygote_pool *zygotes, unsigned number)
{
    struct zygote_child *zygote = zygotes != NULL ? zygotes->of[number] : NULL;
    if (zygote != NULL && ++zygote->ready == pool_setup_of(zygotes, number).worker_count)
        zygote_child_tell(zygote, ZYGOTE_ORDER_MEASURE);
}

static void pool_end_where(struct zygote_pool *zygotes, bool same, unsigned generation)
{
    if (zygotes == NULL)
        return;
    for (struct zygote_child *zygote = zygotes->first; zygote != NULL; zygote = zygote->next)
        if ((zygote->generation == generation) == same)
            zygote_child_end(zygote);
}

void zygote_pool_drop(struct zygote_pool *zygotes, unsigned generation)
{
    pool_end_where(zygotes, true, generation);
}

void zygote_pool_keep(struct zygote_pool *zygotes, unsigned generation)
{
    pool_end_where(zygotes, false, generation);
}

bool zygote_pool_end(struct zygote_pool *zygotes)
{
    pool_end_where(zygotes, false, 0);
    return zygotes == NULL || zygotes->first == NULL;
}

void zygote_pool_reopen_logs(struct zygote_pool *zygotes)
{
    for (struct zygote_child *zygote = zygotes != NULL ? zygotes->first : NULL; zygote != NULL;
         zygote = zygote->next)
        zygote_child_tell(zygote, ZYGOTE_ORDER_REOPEN);
}

static struct zygote_child *pool_remove(struct zygote_pool *zygotes, pid_t pid)
{
    for (struct zygote_child **link = &zygotes->first; *link != NULL; link = &(*link)->next)
        if ((*link)->pid == pid) {
            struct zygote_child *zygote = *link;
            *link = zygote->next;
            return zygote;
        }
    return NULL;
}

static void tell_of_end(const struct zygote_child *zygote, bool wanted, const struct worker_end *end)
{
    if (wanted && zygote->killed == KILL_NOT)
        log_block(LOG_WARNING, end->crash_pipe.data, end->crash_pipe.size,
                  "the zygote (pid %d) %s; another is forked when a worker is wanted", (int)end->pid,
                  end->how);
    else
        log_debug("the zygote (pid %d) has left", (int)end->pid);
}

/* Reports all workers that were expected of the zygote as failed. The stacks in the crash pipe
 * are logged once. */
static void pool_lose_children(struct zygote_pool *zygotes, const struct zygote_child *zygote, bool wanted,
                               struct worker_end end)
{
    bool told = false;
    for (unsigned i = 0; i < zygotes->setup.count; i++)
        if (pool_expects(zygotes, zygote, i)) {
            pool_fail(zygotes, i, &end);
            end.crash_pipe.size = 0;
            told = true;
        } else if (zygotes->of[i] == zygote) {
            zygotes->of[i] = NULL;
        }
    if (!told)
        tell_of_end(zygote, wanted, &end);
}

static enum worker_state state_at_end(const struct zygote_child *zygote)
{
    if (zygote->failed || atomic_load(zygote->has_told))
        return WORKER_FAILED;
    return zygote->state == ZYGOTE_LOADING ? WORKER_BOOTING : WORKER_LOADED;
}

bool zygote_pool_reap(struct zygote_pool *zygotes, pid_t pid, int status)
{
    static char how[512], words[CRASH_PIPE_MAX];
    struct zygote_child *zygote = zygotes != NULL ? pool_remove(zygotes, pid) : NULL;
    if (zygote == NULL)
        return false;
    bool wanted = !zygote->leaving;
    zygote_child_is_dead(zygote);
    pool_read_all(zygotes, zygote);
    struct worker_end end = {
        .pid = pid,
        .of_zygote = true,
        .state = state_at_end(zygote),
        .cause = zygote_child_describe(zygote, status, how, sizeof(how)),
        .how = how,
        .crash_pipe = {words, crash_pipe_take(&zygote->crash_pipe, words, sizeof(words))},
    };
    pool_lose_children(zygotes, zygote, wanted, end);
    zygote_child_free(zygote);
    return true;
}
