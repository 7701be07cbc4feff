/* The zygotes, as the master sees them. */
#include "preload/nursery.h"

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

/* Of one zygote, which says one thing for each order. */
enum { NEWS_AT_ONCE = 16 };

struct nursery {
    struct nursery_setup setup;
    struct zygote_child *first;
    struct zygote_child *
        *of; /* the zygote of each seat's child, be it expected or born; NULL: it has ended */
};

struct nursery *nursery_new(const struct nursery_setup *setup)
{
    struct nursery *nursery = xcalloc(1, sizeof(*nursery));
    nursery->setup = *setup;
    nursery->of = xcalloc(setup->count, sizeof(struct zygote_child *));
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    return nursery;
}

void nursery_free(struct nursery *nursery)
{
    struct zygote_child *zygote;
    if (nursery == NULL)
        return;
    while ((zygote = nursery->first) != NULL) {
        nursery->first = zygote->next;
        zygote_child_free(zygote);
    }
    free(nursery->of);
    free(nursery);
}

static struct child *child_of(const struct nursery *nursery, unsigned number)
{
    return &nursery->setup.children[number];
}

static bool expects(const struct nursery *nursery, const struct zygote_child *zygote, unsigned number)
{
    return nursery->of[number] == zygote && child_of(nursery, number)->expected;
}

static struct worker_setup setup_of(const struct nursery *nursery, unsigned number)
{
    struct worker_setup setup;
    const struct zygote_child *zygote = nursery->of[number];
    nursery->setup.describe(nursery->setup.context, number, zygote != NULL ? zygote->generation : 0, &setup);
    return setup;
}

static void ask(struct nursery *nursery, struct zygote_child *zygote, unsigned number)
{
    struct worker_setup setup = setup_of(nursery, number);
    const struct cord_order order = {
        .kind = CORD_FORK,
        .number = number,
        .worker_count = setup.worker_count,
        .unready = setup.unready,
        .mailbox = setup.mailbox,
        .last_words = setup.last_words,
    };
    zygote_child_ask(zygote, &order);
}

/* One after another: so nothing has to be queued but here. */
static void go_on(struct nursery *nursery, struct zygote_child *zygote)
{
    for (unsigned i = 0; i < nursery->setup.count && zygote->state == ZYGOTE_IDLE && !zygote->leaving; i++)
        if (expects(nursery, zygote, i) && child_of(nursery, i)->killed == KILL_NOT)
            ask(nursery, zygote, i);
}

/* `end` says why. */
static void fail(struct nursery *nursery, unsigned number, struct worker_end *end)
{
    struct worker_setup setup = setup_of(nursery, number);
    child_is_not_born(child_of(nursery, number), &setup);
    nursery->of[number] = NULL;
    end->slot = setup.slot;
    nursery->setup.failed(nursery->setup.context, number, end);
}

static void fail_to_fork(struct nursery *nursery, unsigned number, const char *how)
{
    struct worker_end end = {.state = WORKER_LOADED, .cause = RESTART_EXITED, .how = how};
    fail(nursery, number, &end);
}

/* Those that were killed before their turn. */
static void fail_killed(struct nursery *nursery, const struct zygote_child *zygote)
{
    for (unsigned i = 0; i < nursery->setup.count; i++)
        if (expects(nursery, zygote, i) && child_of(nursery, i)->killed != KILL_NOT)
            fail_to_fork(nursery, i, "was not wanted any more");
}

static bool is_known(const struct nursery *nursery, pid_t pid)
{
    for (unsigned i = 0; i < nursery->setup.count; i++)
        if (child_of(nursery, i)->pid == pid)
            return true;
    for (const struct zygote_child *zygote = nursery->first; zygote != NULL; zygote = zygote->next)
        if (zygote->pid == pid)
            return true;
    return nursery->setup.is_taken(nursery->setup.context, pid);
}

/* A zygote runs the application's code, and the master may be root: it will kill, and wait for, nobody else's child, and no child for
 * another. */
static bool is_new_child(const struct nursery *nursery, pid_t pid)
{
    siginfo_t info;
    return pid > 0 && !is_known(nursery, pid) &&
           waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static void worker_is_forked(struct nursery *nursery, const struct zygote_child *zygote, pid_t pid)
{
    if (!expects(nursery, zygote, zygote->number))
        return;
    struct worker_setup setup = setup_of(nursery, zygote->number);
    if (is_new_child(nursery, pid))
        child_is_born(child_of(nursery, zygote->number), &setup, pid);
    else
        fail_to_fork(nursery, zygote->number, "was gone before it began");
}

static void worker_is_not_forked(struct nursery *nursery, const struct zygote_child *zygote, int error)
{
    char how[128];
    snprintf(how, sizeof(how), "cannot be forked: %s", strerror(error));
    if (expects(nursery, zygote, zygote->number))
        fail_to_fork(nursery, zygote->number, how);
}

/* Until it is waited for its pid is nobody else's. */
void nursery_refuse(const struct nursery *nursery, pid_t pid)
{
    if (nursery == NULL || !is_new_child(nursery, pid))
        return;
    log_warning("a worker (pid %d) is killed, as the master has no place for it: the zygote has not said "
                "truly which processes it has forked",
                (int)pid);
    kill(pid, SIGKILL);
}

static void obey(struct nursery *nursery, struct zygote_child *zygote, const struct cord_news *news)
{
    if (news->kind == CORD_FORKED)
        worker_is_forked(nursery, zygote, news->pid);
    else if (news->kind == CORD_UNBORN)
        worker_is_not_forked(nursery, zygote, news->error);
    else if (news->kind == CORD_NOISE)
        nursery_refuse(nursery, news->pid);
    if (zygote->state == ZYGOTE_IDLE)
        fail_killed(nursery, zygote);
    go_on(nursery, zygote);
}

/* A dead zygote's messages have an end. */
static void read_all(struct nursery *nursery, struct zygote_child *zygote)
{
    struct cord_news news;
    while (zygote_child_hear(zygote, &news) > 0)
        obey(nursery, zygote, &news);
}

/* A zygote that never stops sending is heard again in the next turn. */
static void read_some(struct nursery *nursery, struct zygote_child *zygote)
{
    struct cord_news news;
    for (int i = 0; i < NEWS_AT_ONCE && zygote_child_hear(zygote, &news) > 0; i++)
        obey(nursery, zygote, &news);
}

void nursery_read(struct nursery *nursery)
{
    if (nursery == NULL)
        return;
    /* One that is forked meanwhile is put in front. */
    for (struct zygote_child *zygote = nursery->first; zygote != NULL; zygote = zygote->next)
        read_some(nursery, zygote);
}

static void news_arrived(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    nursery_read(arg);
}

void nursery_forget(const struct nursery *nursery)
{
    for (struct zygote_child *zygote = nursery != NULL ? nursery->first : NULL; zygote != NULL;
         zygote = zygote->next)
        zygote_child_let_go(zygote);
}

/* In the new process. */
static void be_zygote(struct nursery *nursery, struct zygote_child *zygote)
{
    const struct zygote_setup setup = {
        .describe = nursery->setup.describe,
        .context = nursery->setup.context,
        .count = nursery->setup.count,
        .generation = zygote->generation,
        .cord = zygote->cord.zygote,
        .last_words = zygote->last_words.worker,
        .has_told = zygote->has_told,
    };
    struct worker_setup any;
    nursery->setup.describe(nursery->setup.context, 0, zygote->generation, &any);
    log_identify("zygote");
    if (child_leave_master(nursery->setup.children, nursery->setup.count, nursery->setup.base, &any) < 0)
        _exit(zygote_excuse(&setup));
    nursery_forget(nursery);
    close(zygote->cord.master);
    close(zygote->last_words.master);
    _exit(zygote_main(&setup));
}

static struct zygote_child *fork_zygote(struct nursery *nursery, unsigned generation)
{
    struct zygote_child *zygote = zygote_child_new(generation);
    if (zygote == NULL)
        return NULL;
    pid_t pid = fork_quietly();
    if (pid == 0)
        be_zygote(nursery, zygote);
    if (pid < 0) {
        int error = errno;
        zygote_child_free(zygote);
        errno = error;
        return NULL;
    }
    zygote_child_watch(zygote, pid, nursery->setup.base, news_arrived, nursery);
    zygote->next = nursery->first;
    nursery->first = zygote;
    log_debug("zygote (pid %d) of generation %u is forked", (int)pid, generation);
    return zygote;
}

static struct zygote_child *find(const struct nursery *nursery, unsigned generation)
{
    for (struct zygote_child *zygote = nursery->first; zygote != NULL; zygote = zygote->next)
        if (zygote->generation == generation && !zygote->leaving)
            return zygote;
    return NULL;
}

int nursery_ask(struct nursery *nursery, unsigned number, unsigned generation)
{
    struct zygote_child *zygote = find(nursery, generation);
    if (zygote == NULL && (zygote = fork_zygote(nursery, generation)) == NULL)
        return -1;
    nursery->of[number] = zygote;
    struct worker_setup setup = setup_of(nursery, number);
    child_expect(child_of(nursery, number), &setup);
    go_on(nursery, zygote);
    return 0;
}

/* Somebody else is to come of it. */
static bool is_wanted(const struct nursery *nursery, const struct zygote_child *zygote)
{
    for (unsigned i = 0; i < nursery->setup.count; i++)
        if (expects(nursery, zygote, i) && child_of(nursery, i)->killed == KILL_NOT)
            return true;
    return false;
}

void nursery_kill(struct nursery *nursery, unsigned number, enum kill_reason why)
{
    struct zygote_child *zygote = nursery != NULL ? nursery->of[number] : NULL;
    if (zygote == NULL || !expects(nursery, zygote, number))
        return;
    if (zygote->state == ZYGOTE_FORKING && zygote->number == number)
        zygote_child_hurry(zygote);
    else if (zygote->state != ZYGOTE_FORKING && !is_wanted(nursery, zygote))
        zygote_child_kill(zygote, why);
}

const struct zygote_child *nursery_importer(const struct nursery *nursery, unsigned number)
{
    const struct zygote_child *zygote = nursery != NULL ? nursery->of[number] : NULL;
    bool imports = zygote != NULL && zygote->state == ZYGOTE_LOADING && expects(nursery, zygote, number);
    return imports ? zygote : NULL;
}

void nursery_ready(struct nursery *nursery, unsigned number)
{
    struct zygote_child *zygote = nursery != NULL ? nursery->of[number] : NULL;
    if (zygote != NULL && ++zygote->ready == setup_of(nursery, number).worker_count)
        zygote_child_tell(zygote, CORD_MEASURE);
}

static void end_where(struct nursery *nursery, bool same, unsigned generation)
{
    if (nursery == NULL)
        return;
    for (struct zygote_child *zygote = nursery->first; zygote != NULL; zygote = zygote->next)
        if ((zygote->generation == generation) == same)
            zygote_child_end(zygote);
}

void nursery_drop(struct nursery *nursery, unsigned generation)
{
    end_where(nursery, true, generation);
}

void nursery_keep(struct nursery *nursery, unsigned generation)
{
    end_where(nursery, false, generation);
}

bool nursery_end(struct nursery *nursery)
{
    end_where(nursery, false, 0);
    return nursery == NULL || nursery->first == NULL;
}

void nursery_reopen_logs(struct nursery *nursery)
{
    for (struct zygote_child *zygote = nursery != NULL ? nursery->first : NULL; zygote != NULL;
         zygote = zygote->next)
        zygote_child_tell(zygote, CORD_REOPEN);
}

static struct zygote_child *take(struct nursery *nursery, pid_t pid)
{
    for (struct zygote_child **link = &nursery->first; *link != NULL; link = &(*link)->next)
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
        log_block(LOG_WARNING, end->last_words.data, end->last_words.size,
                  "the zygote (pid %d) %s; another is forked when a worker is wanted", (int)end->pid,
                  end->how);
    else
        log_debug("the zygote (pid %d) has left", (int)end->pid);
}

/* Whoever was expected of it is told to have failed. The last words are told once. */
static void lose_children(struct nursery *nursery, const struct zygote_child *zygote, bool wanted,
                          struct worker_end end)
{
    bool told = false;
    for (unsigned i = 0; i < nursery->setup.count; i++)
        if (expects(nursery, zygote, i)) {
            fail(nursery, i, &end);
            end.last_words.size = 0;
            told = true;
        } else if (nursery->of[i] == zygote) {
            nursery->of[i] = NULL;
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

bool nursery_reap(struct nursery *nursery, pid_t pid, int status)
{
    static char how[512], words[LAST_WORDS_MAX];
    struct zygote_child *zygote = nursery != NULL ? take(nursery, pid) : NULL;
    if (zygote == NULL)
        return false;
    bool wanted = !zygote->leaving;
    zygote_child_is_dead(zygote);
    read_all(nursery, zygote);
    struct worker_end end = {
        .pid = pid,
        .of_zygote = true,
        .state = state_at_end(zygote),
        .cause = zygote_child_describe(zygote, status, how, sizeof(how)),
        .how = how,
        .last_words = {words, last_words_take(&zygote->last_words, words, sizeof(words))},
    };
    lose_children(nursery, zygote, wanted, end);
    zygote_child_free(zygote);
    return true;
}
