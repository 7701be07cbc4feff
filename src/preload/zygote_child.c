/* A zygote process, as its parent sees it. */
#include "preload/zygote_child.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "proc/python_end.h"
#include "proc/resources.h"
#include "proc/worker_end.h"

/* For the hooks of a fork; and for the end of Python, beyond the time after which it is cut there. */
enum { GRACE_MS = 2000 };

/* A page that the zygote shares. NULL and errno. */
static atomic_bool *share_flag(void)
{
    void *page = mmap(NULL, sizeof(atomic_bool), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return page != MAP_FAILED ? page : NULL;
}

struct zygote_child *zygote_child_new(unsigned generation)
{
    struct zygote_child *zygote = xcalloc(1, sizeof(*zygote));
    zygote->generation = generation;
    zygote->channel = (struct zygote_channel){-1, -1};
    zygote->crash_pipe = (struct crash_pipe){-1, -1};
    zygote->has_told = share_flag();
    if (zygote->has_told != NULL && zygote_channel_open(&zygote->channel) == 0 &&
        crash_pipe_open(&zygote->crash_pipe) == 0)
        return zygote;
    int error = errno;
    zygote_child_free(zygote);
    errno = error;
    return NULL;
}

static void is_overdue(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct zygote_child *zygote = arg;
    log_warning("the zygote (pid %d) takes too long, and is killed", (int)zygote->pid);
    zygote_child_kill(zygote, zygote->leaving ? KILL_LATE : KILL_SLOW_FORK);
}

void zygote_child_watch(struct zygote_child *zygote, pid_t pid, struct event_base *base,
                        void (*news)(evutil_socket_t fd, short what, void *arg), void *arg)
{
    zygote->pid = pid;
    zygote->forked_ms = clock_ms();
    close(zygote->channel.zygote);
    zygote->channel.zygote = -1;
    zygote->news = event_new(base, zygote->channel.master, EV_READ | EV_PERSIST, news, arg);
    zygote->deadline = evtimer_new(base, is_overdue, zygote);
    event_add(zygote->news, NULL);
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

void zygote_child_let_go(const struct zygote_child *zygote)
{
    close_if_open(zygote->channel.master);
    close_if_open(zygote->channel.zygote);
    close_if_open(zygote->crash_pipe.master);
    close_if_open(zygote->crash_pipe.worker);
}

void zygote_child_free(struct zygote_child *zygote)
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

/* When it is dead we hear of that by a signal. */
void zygote_child_tell(struct zygote_child *zygote, enum zygote_order_kind kind)
{
    const struct zygote_order order = {.kind = kind};
    zygote_channel_send_order(zygote->channel.master, &order);
}

void zygote_child_ask(struct zygote_child *zygote, const struct zygote_order *order)
{
    zygote->state = ZYGOTE_FORKING;
    zygote->number = order->number;
    if (zygote_channel_send_order(zygote->channel.master, order) == 0)
        return;
    log_warning("the zygote (pid %d) cannot be asked for a worker: %s; it is replaced", (int)zygote->pid,
                strerror(errno));
    zygote_child_kill(zygote, KILL_UNWANTED); /* no answer would ever come */
}

static void allow(struct zygote_child *zygote, unsigned ms)
{
    const struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    event_add(zygote->deadline, &tv);
}

void zygote_child_hurry(struct zygote_child *zygote)
{
    allow(zygote, GRACE_MS);
}

void zygote_child_end(struct zygote_child *zygote)
{
    if (zygote->leaving)
        return;
    zygote->leaving = true;
    if (zygote->state != ZYGOTE_IDLE) {
        zygote_child_kill(zygote, KILL_UNWANTED);
        return;
    }
    zygote_child_tell(zygote, ZYGOTE_ORDER_END);
    allow(zygote, PYTHON_END_QUICK_MS + GRACE_MS);
}

void zygote_child_kill(struct zygote_child *zygote, enum kill_reason why)
{
    zygote->killed = why;
    kill(zygote->pid, SIGKILL);
}

/* The application runs in the zygote, and can send anything at any time. News out of turn are
 * dropped. */
static bool is_expected(const struct zygote_child *zygote, enum zygote_news_kind kind)
{
    bool loads = kind == ZYGOTE_NEWS_LOADED || kind == ZYGOTE_NEWS_FAILED,
         forks = kind == ZYGOTE_NEWS_FORKED || kind == ZYGOTE_NEWS_NOT_FORKED;
    return (loads && zygote->state == ZYGOTE_LOADING) || (forks && zygote->state == ZYGOTE_FORKING);
}

int zygote_child_hear(struct zygote_child *zygote, struct zygote_news *news)
{
    int r = zygote_channel_receive_news(zygote->channel.master, news);
    if (r < 0)
        event_del(zygote->news); /* the end, of which a signal tells us */
    if (r <= 0)
        return 0;
    if (!is_expected(zygote, news->kind)) {
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

void zygote_child_is_dead(struct zygote_child *zygote)
{
    zygote->leaving = true;
    shutdown(zygote->channel.master, SHUT_RD);
}

enum restart_cause zygote_child_describe(const struct zygote_child *zygote, int status, char *text,
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
