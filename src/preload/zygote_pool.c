/* The zygotes, as the master sees them. */
#include "preload/zygote_pool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "fleet/slot.h"
#include "preload/zygote.h"
#include "preload/zygote_child.h"
#include "proc/fork.h"
#include "proc/privileges.h"

/* Of one zygote, which says one thing for each order. */
enum { NEWS_AT_ONCE = 16 };

struct zygote_pool {
    struct zygote_pool_setup setup;
    struct zygote_child *first;
    struct zygote_child *
        *of; /* the zygote of each seat's child, be it expected or born; NULL: it has ended */
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

static struct child *child_of(const struct zygote_pool *zygotes, unsigned number)
{
    return &zygotes->setup.children[number];
}

static bool expects(const struct zygote_pool *zygotes, const struct zygote_child *zygote, unsigned number)
{
    return zygotes->of[number] == zygote && child_of(zygotes, number)->expected;
}

static struct worker_setup setup_of(const struct zygote_pool *zygotes, unsigned number)
{
    struct worker_setup setup;
    const struct zygote_child *zygote = zygotes->of[number];
    zygotes->setup.describe(zygotes->setup.context, number, zygote != NULL ? zygote->generation : 0, &setup);
    return setup;
}

static void ask(struct zygote_pool *zygotes, struct zygote_child *zygote, unsigned number)
{
    struct worker_setup setup = setup_of(zygotes, number);
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

/* One after another: so nothing has to be queued but here. */
static void go_on(struct zygote_pool *zygotes, struct zygote_child *zygote)
{
    for (unsigned i = 0; i < zygotes->setup.count && zygote->state == ZYGOTE_IDLE && !zygote->leaving; i++)
        if (expects(zygotes, zygote, i) && child_of(zygotes, i)->killed == KILL_NOT)
            ask(zygotes, zygote, i);
}

/* `end` says why. */
static void fail(struct zygote_pool *zygotes, unsigned number, struct worker_end *end)
{
    struct worker_setup setup = setup_of(zygotes, number);
    child_is_not_born(child_of(zygotes, number), &setup);
    zygotes->of[number] = NULL;
    end->slot = setup.slot;
    zygotes->setup.failed(zygotes->setup.context, number, end);
}

static void fail_to_fork(struct zygote_pool *zygotes, unsigned number, const char *how)
{
    struct worker_end end = {.state = WORKER_LOADED, .cause = RESTART_EXITED, .how = how};
    fail(zygotes, number, &end);
}

/* Those that were killed before their turn. */
static void fail_killed(struct zygote_pool *zygotes, const struct zygote_child *zygote)
{
    for (unsigned i = 0; i < zygotes->setup.count; i++)
        if (expects(zygotes, zygote, i) && child_of(zygotes, i)->killed != KILL_NOT)
            fail_to_fork(zygotes, i, "was not wanted any more");
}

static bool is_known(const struct zygote_pool *zygotes, pid_t pid)
{
    for (unsigned i = 0; i < zygotes->setup.count; i++)
        if (child_of(zygotes, i)->pid == pid)
            return true;
    for (const struct zygote_child *zygote = zygotes->first; zygote != NULL; zygote = zygote->next)
        if (zygote->pid == pid)
            return true;
    return zygotes->setup.is_taken(zygotes->setup.context, pid);
}

/* A zygote and its workers run the application's code and may name any pid, and the master may be root. The master kills and waits for
 * its own children only, none of them in the place of another, and no process that the user could not kill: orphans of the application,
 * set-user-ID programs among them, are the master's children too. */
static bool is_new_child(const struct zygote_pool *zygotes, pid_t pid)
{
    siginfo_t info;
    return pid > 0 && !is_known(zygotes, pid) &&
           waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && privileges_are_of(pid);
}

static void worker_is_forked(struct zygote_pool *zygotes, const struct zygote_child *zygote, pid_t pid)
{
    if (!expects(zygotes, zygote, zygote->number))
        return;
    struct worker_setup setup = setup_of(zygotes, zygote->number);
    if (is_new_child(zygotes, pid))
        child_is_born(child_of(zygotes, zygote->number), &setup, pid);
    else
        fail_to_fork(zygotes, zygote->number, "was gone before it began");
}

static void worker_is_not_forked(struct zygote_pool *zygotes, const struct zygote_child *zygote, int error)
{
    char how[128];
    snprintf(how, sizeof(how), "cannot be forked: %s", strerror(error));
    if (expects(zygotes, zygote, zygote->number))
        fail_to_fork(zygotes, zygote->number, how);
}

/* Until it is waited for its pid is nobody else's. */
void zygote_pool_refuse(const struct zygote_pool *zygotes, pid_t pid)
{
    if (zygotes == NULL || !is_new_child(zygotes, pid))
        return;
    log_limited(LOG_REFUSED_WORKER, LOG_WARNING,
                "a worker (pid %d) is killed, as the master has no place for it: the zygote has not said "
                "truly which processes it has forked",
                (int)pid);
    kill(pid, SIGKILL);
}

static void obey(struct zygote_pool *zygotes, struct zygote_child *zygote, const struct zygote_news *news)
{
    if (news->kind == ZYGOTE_NEWS_FORKED)
        worker_is_forked(zygotes, zygote, news->pid);
    else if (news->kind == ZYGOTE_NEWS_NOT_FORKED)
        worker_is_not_forked(zygotes, zygote, news->error);
    else if (news->kind == ZYGOTE_NEWS_NOISE)
        zygote_pool_refuse(zygotes, news->pid);
    if (zygote->state == ZYGOTE_IDLE)
        fail_killed(zygotes, zygote);
    go_on(zygotes, zygote);
}

/* A dead zygote's messages have an end. */
static void read_all(struct zygote_pool *zygotes, struct zygote_child *zygote)
{
    struct zygote_news news;
    while (zygote_child_hear(zygote, &news) > 0)
        obey(zygotes, zygote, &news);
}

/* A zygote that never stops sending is heard again in the next turn. */
static void read_some(struct zygote_pool *zygotes, struct zygote_child *zygote)
{
    struct zygote_news news;
    for (int i = 0; i < NEWS_AT_ONCE && zygote_child_hear(zygote, &news) > 0; i++)
        obey(zygotes, zygote, &news);
}

void zygote_pool_read(struct zygote_pool *zygotes)
{
    if (zygotes == NULL)
        return;
    /* One that is forked meanwhile is put in front. */
    for (struct zygote_child *zygote = zygotes->first; zygote != NULL; zygote = zygote->next)
        read_some(zygotes, zygote);
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

/* In the new process. */
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

static struct zygote_child *fork_zygote(struct zygote_pool *zygotes, unsigned generation)
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

static struct zygote_child *find(const struct zygote_pool *zygotes, unsigned generation)
{
    for (struct zygote_child *zygote = zygotes->first; zygote != NULL; zygote = zygote->next)
        if (zygote->generation == generation && !zygote->leaving)
            return zygote;
    return NULL;
}

int zygote_pool_ask(struct zygote_pool *zygotes, unsigned number, unsigned generation)
{
    struct zygote_child *zygote = find(zygotes, generation);
    if (zygote == NULL && (zygote = fork_zygote(zygotes, generation)) == NULL)
        return -1;
    zygotes->of[number] = zygote;
    struct worker_setup setup = setup_of(zygotes, number);
    child_expect(child_of(zygotes, number), &setup);
    go_on(zygotes, zygote);
    return 0;
}

/* Somebody else is to come of it. */
static bool is_wanted(const struct zygote_pool *zygotes, const struct zygote_child *zygote)
{
    for (unsigned i = 0; i < zygotes->setup.count; i++)
        if (expects(zygotes, zygote, i) && child_of(zygotes, i)->killed == KILL_NOT)
            return true;
    return false;
}

void zygote_pool_kill(struct zygote_pool *zygotes, unsigned number, enum kill_reason why)
{
    struct zygote_child *zygote = zygotes != NULL ? zygotes->of[number] : NULL;
    if (zygote == NULL || !expects(zygotes, zygote, number))
        return;
    if (zygote->state == ZYGOTE_FORKING && zygote->number == number)
        zygote_child_hurry(zygote);
    else if (zygote->state != ZYGOTE_FORKING && !is_wanted(zygotes, zygote))
        zygote_child_kill(zygote, why);
}

const struct zygote_child *zygote_pool_importer(const struct zygote_pool *zygotes, unsigned number)
{
    const struct zygote_child *zygote = zygotes != NULL ? zygotes->of[number] : NULL;
    bool imports = zygote != NULL && zygote->state == ZYGOTE_LOADING && expects(zygotes, zygote, number);
    return imports ? zygote : NULL;
}

void zygote_pool_ready(struct zygote_pool *zygotes, unsigned number)
{
    struct zygote_child *zygote = zygotes != NULL ? zygotes->of[number] : NULL;
    if (zygote != NULL && ++zygote->ready == setup_of(zygotes, number).worker_count)
        zygote_child_tell(zygote, ZYGOTE_ORDER_MEASURE);
}

static void end_where(struct zygote_pool *zygotes, bool same, unsigned generation)
{
    if (zygotes == NULL)
        return;
    for (struct zygote_child *zygote = zygotes->first; zygote != NULL; zygote = zygote->next)
        if ((zygote->generation == generation) == same)
            zygote_child_end(zygote);
}

void zygote_pool_drop(struct zygote_pool *zygotes, unsigned generation)
{
    end_where(zygotes, true, generation);
}

void zygote_pool_keep(struct zygote_pool *zygotes, unsigned generation)
{
    end_where(zygotes, false, generation);
}

bool zygote_pool_end(struct zygote_pool *zygotes)
{
    end_where(zygotes, false, 0);
    return zygotes == NULL || zygotes->first == NULL;
}

void zygote_pool_reopen_logs(struct zygote_pool *zygotes)
{
    for (struct zygote_child *zygote = zygotes != NULL ? zygotes->first : NULL; zygote != NULL;
         zygote = zygote->next)
        zygote_child_tell(zygote, ZYGOTE_ORDER_REOPEN);
}

static struct zygote_child *take(struct zygote_pool *zygotes, pid_t pid)
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

/* Whoever was expected of it is told to have failed. The stacks in the crash pipe are told once. */
static void lose_children(struct zygote_pool *zygotes, const struct zygote_child *zygote, bool wanted,
                          struct worker_end end)
{
    bool told = false;
    for (unsigned i = 0; i < zygotes->setup.count; i++)
        if (expects(zygotes, zygote, i)) {
            fail(zygotes, i, &end);
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
    struct zygote_child *zygote = zygotes != NULL ? take(zygotes, pid) : NULL;
    if (zygote == NULL)
        return false;
    bool wanted = !zygote->leaving;
    zygote_child_is_dead(zygote);
    read_all(zygotes, zygote);
    struct worker_end end = {
        .pid = pid,
        .of_zygote = true,
        .state = state_at_end(zygote),
        .cause = zygote_child_describe(zygote, status, how, sizeof(how)),
        .how = how,
        .crash_pipe = {words, crash_pipe_take(&zygote->crash_pipe, words, sizeof(words))},
    };
    lose_children(zygotes, zygote, wanted, end);
    zygote_child_free(zygote);
    return true;
}
