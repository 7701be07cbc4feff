/* A worker's listeners. */
#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/standard_fds.h"
#include "net/h1.h"

enum {
    BURST_MAX = 16, /* connections accepted in one callback */
    RETRY_MS = 100, /* until the next try without a descriptor */
    REPORT_MS = 10000,
};

struct listener {
    struct listeners *all;
    struct event *event; /* NULL: this worker does not accept there at present */
    const struct local_endpoint *local;
    int fd;
    bool ours; /* false for fd://, which another service may have too */
    bool tcp;
    ino_t inode; /* of the socket that this process got */
    /* Connections to try: grows while connections wait, so that a single one costs a single
         * call. */
    unsigned burst;
};

struct listeners {
    struct loop *loop;
    struct event *retry;
    uint64_t reported;      /* when the lack of descriptors was last logged, ms */
    uint64_t room_reported; /* when the closing of idle connections was last logged, ms */
    bool stopped;
    bool shut; /* stopped, and no other process will accept here */
    const struct address *addresses;
    size_t address_count;
    unsigned slot; /* the slot of this worker */
    size_t count;
    /* For each slot one per address; then one per address for its previous socket. */
    struct listener items[];
};

static void watch_all(struct listeners *all, bool on)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].event != NULL)
            on ? loop_watch(all->items[i].event) : (void)event_del(all->items[i].event);
}

static void pause_all(struct listeners *all, enum intake_state why)
{
    watch_all(all, false);
    all->loop->accepting_paused = true;
    scoreboard_set(all->loop->row->intake, why);
}

static void resume_all(void *context)
{
    struct listeners *all = context;
    if (all->stopped)
        return;
    all->loop->accepting_paused = false;
    if (!all->loop->adopting_paused)
        scoreboard_set(all->loop->row->intake, INTAKE_OPEN);
    event_del(all->retry);
    watch_all(all, true);
}

static void retry_soon(struct listeners *all)
{
    static const struct timeval soon = {.tv_usec = RETRY_MS * 1000};
    event_add(all->retry, &soon);
}

/* The row must not say that this worker accepts only because no client waits at the moment. */
static bool has_descriptor(const struct listeners *all)
{
    int fd = fcntl(all->loop->wake_fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return errno != EMFILE && errno != EINVAL; /* EINVAL: the limit is lower than that number */
    close(fd);
    return true;
}

static void retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct listeners *all = arg;
    if (scoreboard_get(all->loop->row->intake) == INTAKE_NO_DESCRIPTORS && !has_descriptor(all))
        retry_soon(all);
    else
        resume_all(all);
}

static void format_v4(struct peer_endpoint *peer, const struct sockaddr_in *v4)
{
    inet_ntop(AF_INET, &v4->sin_addr, peer->address, sizeof(peer->address));
}

/* An IPv4 client of a dual-stack socket is shown as an IPv4 client. */
static void format_v6(struct peer_endpoint *peer, const struct sockaddr_in6 *v6)
{
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
        inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], peer->address, sizeof(peer->address));
    else
        inet_ntop(AF_INET6, &v6->sin6_addr, peer->address, sizeof(peer->address));
}

static void format_peer(struct peer_endpoint *peer, const struct sockaddr_storage *address)
{
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

    if (address->ss_family == AF_INET)
        format_v4(peer, (const struct sockaddr_in *)address);
    else if (address->ss_family == AF_INET6)
        format_v6(peer, v6);
    else
        return;
    /* sin_port and sin6_port are at the same place. */
    snprintf(peer->port, sizeof(peer->port), "%u", ntohs(v6->sin6_port));
}

static void out_of_descriptors(struct listeners *all)
{
    enum intake_state why = errno == EMFILE ? INTAKE_NO_DESCRIPTORS : INTAKE_NO_RESOURCES;
    uint64_t now = clock_ms();
    if (all->reported == 0 || now - all->reported >= REPORT_MS) {
        log_warning("accepting pauses, %zu connections are open: %s", all->loop->open_count, strerror(errno));
        all->reported = now;
    }
    pause_all(all, why);
    retry_soon(all);
}

static bool errno_is_transient(void)
{
    return errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
}

static ino_t inode_of(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 ? status.st_ino : 0;
}

/* The socket is the same, but accepts no more: a sibling that learned of the stop a moment earlier
 * has shut it. */
static bool is_shut(const struct listener *listener)
{
    return listener->inode != 0 && inode_of(listener->fd) == listener->inode;
}

/* No connection could be accepted. errno says why. */
static void not_accepted(struct listener *listener)
{
    int error = errno;
    if (errno_is_transient()) {
        out_of_descriptors(listener->all);
    } else if (error == EINVAL && is_shut(listener)) {
        if (listener->event != NULL)
            event_del(listener->event);
    } else if (error == EBADF || error == ENOTSOCK || error == EINVAL) {
        errno = error;
        loop_broken("accepted from");
    }
}

/* Accepts one connection. False when there is none now. */
static bool accept_one(struct listener *listener)
{
    struct sockaddr_storage address;
    struct peer_endpoint peer = {0}; /* zeroed, because it is compared whole */
    socklen_t size = sizeof(address);
    address.ss_family = AF_UNSPEC;
    int fd = fd_above_standard(
        accept4(listener->fd, (struct sockaddr *)&address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd < 0) {
        /* A connection that was reset in the queue is no reason to stop. */
        if (errno == ECONNABORTED || errno == EINTR)
            return true;
        not_accepted(listener);
        return false;
    }
    format_peer(&peer, &address);
    conn_accept(listener->all->loop, &h1_protocol, fd, listener->local, &peer);
    return true;
}

static bool has_room(const struct listeners *all)
{
    return all->loop->open_count < all->loop->open_limit;
}

/* A client waits, and --worker-connections are open. Room made here exists in the next turn. */
static void make_room(struct listeners *all)
{
    struct loop *loop = all->loop;
    uint64_t now = clock_ms();
    if (!loop_make_room(loop)) {
        if (!loop->accepting_paused)
            pause_all(all, INTAKE_FULL);
        return;
    }
    if (all->room_reported == 0 || now - all->room_reported >= REPORT_MS) {
        log_warning("all %zu connections of --worker-connections are open: idle ones are closed for new ones",
                    loop->open_limit);
        all->room_reported = now;
    }
}

static void acceptable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct listener *listener = arg;
    struct listeners *all = listener->all;
    unsigned accepted = 0;
    if (!has_room(all)) {
        make_room(all);
        return;
    }
    while (accepted < listener->burst && has_room(all) && accept_one(listener))
        accepted++;
    listener->burst = accepted < listener->burst ? 1 : listener->burst * 2;
    if (listener->burst > BURST_MAX)
        listener->burst = BURST_MAX;
}

static void open_listener(struct listeners *all, struct listener *listener)
{
    listener->burst = 1;
    listener->event = event_new(all->loop->base, listener->fd, EV_READ | EV_PERSIST, acceptable, listener);
    if (!all->loop->accepting_paused)
        loop_watch(listener->event);
}

static void close_listener(struct listener *listener)
{
    if (listener->event != NULL)
        event_free(listener->event);
    listener->event = NULL;
}

static struct listener *of_previous(struct listeners *all, size_t address)
{
    return &all->items[all->addresses[0].slots * all->address_count + address];
}

/* Clients that connected before the socket file was removed may wait in the queue of the previous
 * socket. */
static void serve_previous(struct listeners *all, bool serve)
{
    for (size_t i = 0; i < all->address_count; i++) {
        struct listener *listener = of_previous(all, i);
        if (serve && listener->event == NULL && listener->fd > 0)
            open_listener(all, listener);
        else if (!serve)
            close_listener(listener);
    }
}

void listeners_serve(struct listeners *all, unsigned slot, bool serve)
{
    if (all->stopped)
        return;
    if (slot == all->slot)
        serve_previous(all, serve);
    for (size_t i = 0; i < all->address_count; i++) {
        struct listener *listener = &all->items[slot * all->address_count + i];
        bool shared = all->addresses[i].shared && slot != all->slot;
        if (serve && listener->event == NULL && !shared)
            open_listener(all, listener);
        else if (!serve)
            close_listener(listener);
    }
}

static void init_listener(struct listeners *all, const struct address *address, int fd,
                          struct listener *listener)
{
    *listener = (struct listener){
        .all = all,
        .local = &address->local,
        .fd = fd,
        .inode = fd > 0 ? inode_of(fd) : 0,
        .ours = address->inherited < 0,
        .tcp = address->family != AF_UNIX,
    };
}

struct listeners *listeners_new(struct loop *loop, const struct address *addresses, size_t count,
                                unsigned slot)
{
    unsigned slots = count > 0 ? addresses[0].slots : 0;
    struct listeners *all = xcalloc(1, sizeof(*all) + count * (slots + 1) * sizeof(all->items[0]));
    all->loop = loop;
    all->addresses = addresses;
    all->address_count = count;
    all->slot = slot;
    all->count = count * (slots + 1);
    all->retry = evtimer_new(loop->base, retry, all);
    loop->on_room = resume_all;
    loop->on_room_context = all;
    for (size_t i = 0; i < count; i++) {
        for (unsigned of = 0; of < slots; of++)
            init_listener(all, &addresses[i], addresses[i].sockets[of], &all->items[of * count + i]);
        init_listener(all, &addresses[i], addresses[i].previous, of_previous(all, i));
    }
    listeners_serve(all, slot, true);
    return all;
}

/* Connections that the kernel has accepted are still answered. On a TCP socket, shutdown would
 * reset them, so they are taken first. On a Unix-domain socket they can be taken after shutdown,
 * when no client can come any more. */
static void shut(struct listener *listener)
{
    if (listener->ours && !listener->tcp)
        shutdown(listener->fd, SHUT_RDWR);
    while (accept_one(listener))
        ;
    if (listener->ours && listener->tcp)
        shutdown(listener->fd, SHUT_RDWR);
}

/* True for an item of our slot, and for one that belongs to no slot. */
static bool is_own(const struct listeners *all, size_t item)
{
    size_t slot = item / all->address_count;
    return slot == all->slot || (slot == all->addresses[0].slots && all->items[item].fd > 0);
}

void listeners_stop(struct listeners *all, bool for_good)
{
    if (all->shut || (all->stopped && !for_good))
        return;
    all->stopped = true;
    all->shut = for_good;
    for (size_t i = 0; i < all->count; i++) {
        close_listener(&all->items[i]);
        if (for_good && is_own(all, i))
            shut(&all->items[i]);
    }
    event_del(all->retry);
}

void listeners_free(struct listeners *all)
{
    if (all == NULL)
        return;
    for (size_t i = 0; i < all->count; i++)
        close_listener(&all->items[i]);
    event_free(all->retry);
    free(all);
}
