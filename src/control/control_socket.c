/* The control socket and its clients. */
#include "control/control_socket.h"

#include <errno.h>
#include <event2/buffer.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/place.h"
#include "base/text.h"
#include "net/address_check.h"
#include "options/control_verbs.h"
#include "upgrade/upgrade_state.h"

enum { CLIENTS_MAX = 32, BACKLOG = 64, PATIENCE_MS = 5000, LOOK_MS = 1000 };

enum client_state { CLIENT_ASKS, CLIENT_WAITS, CLIENT_TAKES };

struct control_client {
    struct control_socket *socket;
    enum client_state state;
    int fd;
    uint64_t since_ms;
    struct event *event;
    struct evbuffer *answer;
    enum control_wait waits;
    unsigned number;
    size_t size;
    char line[CONTROL_REQUEST_MAX + 1];
};

struct control_socket {
    struct event_base *base;
    struct address address;
    struct event *arrivals, *resume;
    void (*asked)(void *context, struct control_client *client, struct slice line);
    void *context;
    struct control_client *clients[CLIENTS_MAX];
};

static void watch(struct event *event, uint64_t ms)
{
    struct timeval tv = clock_timeval(ms);
    event_add(event, &tv);
}

static void drop(struct control_client *client)
{
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        if (client->socket->clients[i] == client)
            client->socket->clients[i] = NULL;
    event_free(client->event);
    evbuffer_free(client->answer);
    close(client->fd);
    free(client);
}

static void say_line(struct control_client *client, struct slice line)
{
    struct text text;
    text_init(&text);
    text_add_plain(&text, line.data, line.size, false);
    evbuffer_add(client->answer, " ", 1);
    evbuffer_add(client->answer, text.data, text.size);
    evbuffer_add(client->answer, "\n", 1);
    text_fini(&text);
}

void control_say(struct control_client *client, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *line = xvasprintf(format, args);
    va_end(args);
    say_line(client, slice_of(line));
    free(line);
}

void control_say_lines(struct control_client *client, struct slice text)
{
    while (text.size > 0) {
        const char *end = memchr(text.data, '\n', text.size);
        size_t size = end != NULL ? (size_t)(end - text.data) : text.size;
        size_t taken = end != NULL ? size + 1 : size;
        say_line(client, (struct slice){text.data, size});
        text = (struct slice){text.data + taken, text.size - taken};
    }
}

/* Sends as much as the client takes. The rest follows when the client can take more. */
static void send_answer(struct control_client *client)
{
    while (evbuffer_get_length(client->answer) > 0 && evbuffer_write(client->answer, client->fd) > 0)
        ;
    if (evbuffer_get_length(client->answer) == 0 || (errno != EAGAIN && errno != EINTR))
        drop(client);
    else
        watch(client->event, PATIENCE_MS);
}

static void take_more(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    if (what & EV_TIMEOUT)
        drop(arg);
    else
        send_answer(arg);
}

static void end_answer(struct control_client *client)
{
    event_del(client->event);
    event_assign(client->event, client->socket->base, client->fd, EV_WRITE, take_more, client);
    client->state = CLIENT_TAKES;
    client->waits = CONTROL_NOTHING;
    send_answer(client);
}

void control_succeed(struct control_client *client)
{
    evbuffer_add(client->answer, "ok\n", 3);
    end_answer(client);
}

void control_fail(struct control_client *client, const char *format, ...)
{
    struct text text;
    va_list args;
    va_start(args, format);
    char *sentence = xvasprintf(format, args);
    va_end(args);
    text_init(&text);
    text_add_plain(&text, sentence, strlen(sentence), false);
    evbuffer_add_printf(client->answer, "failed: %.*s\n", (int)text.size, text.data);
    text_fini(&text);
    free(sentence);
    end_answer(client);
}

/*
 * The client has shut its side, or has gone. A client that has only shut its side may still read.
 * Its socket stays readable, so the master looks at it now and then.
 */
static void look_after_waiting(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct control_client *client = arg;
    struct pollfd look = {.fd = client->fd, .events = POLLIN};
    char more;
    bool gone = poll(&look, 1, 0) < 0 || (look.revents & (POLLHUP | POLLERR)) != 0;
    if (gone || recv(client->fd, &more, 1, MSG_DONTWAIT) > 0) {
        drop(client);
        return;
    }
    evtimer_assign(client->event, client->socket->base, look_after_waiting, client);
    watch(client->event, LOOK_MS);
}

void control_wait(struct control_client *client, enum control_wait what, unsigned number)
{
    client->state = CLIENT_WAITS;
    client->waits = what;
    client->number = number;
    event_del(client->event);
    event_assign(client->event, client->socket->base, client->fd, EV_READ, look_after_waiting, client);
    event_add(client->event, NULL);
}

struct control_client *control_waiting(const struct control_socket *socket, enum control_wait what,
                                       unsigned number)
{
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        struct control_client *client = socket->clients[i];
        if (client != NULL && client->waits == what && client->number <= number)
            return client;
    }
    return NULL;
}

static void read_request(struct control_client *client)
{
    ssize_t n = recv(client->fd, client->line + client->size, sizeof(client->line) - client->size, 0);
    uint64_t elapsed = clock_ms() - client->since_ms;
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        drop(client);
        return;
    }
    client->size += n > 0 ? (size_t)n : 0;
    const char *end = memchr(client->line, '\n', client->size);
    struct slice line = {client->line, end != NULL ? (size_t)(end - client->line) : 0};
    if (line.size > 0 && line.data[line.size - 1] == '\r')
        line.size--;
    if (end != NULL)
        client->socket->asked(client->socket->context, client, line);
    else if (client->size == sizeof(client->line))
        control_fail(client, "a request is one line of at most %d bytes", CONTROL_REQUEST_MAX);
    else
        watch(client->event, elapsed < PATIENCE_MS ? PATIENCE_MS - elapsed : 0);
}

static void request_arrived(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    if (what & EV_TIMEOUT)
        drop(arg);
    else
        read_request(arg);
}

/* Returns a free place. When there is none, drops the client that has been silent longest. */
static struct control_client **find_place(struct control_socket *socket)
{
    struct control_client **oldest = NULL;
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        struct control_client **place = &socket->clients[i];
        if (*place == NULL)
            return place;
        if ((*place)->state == CLIENT_ASKS && (oldest == NULL || (*place)->since_ms < (*oldest)->since_ms))
            oldest = place;
    }
    if (oldest != NULL)
        drop(*oldest);
    return oldest;
}

static bool may_ask(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void refuse(int fd, const char *answer)
{
    send(fd, answer, strlen(answer), MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

static void receive_client(struct control_socket *socket, int fd)
{
    if (!may_ask(fd)) {
        refuse(fd, "failed: only root and the owner of the service may ask\n");
        return;
    }
    struct control_client **place = find_place(socket);
    if (place == NULL) {
        refuse(fd, "failed: too many others are being answered; try again\n");
        return;
    }
    struct control_client *client = xcalloc(1, sizeof(*client));
    client->socket = socket;
    client->fd = fd;
    client->since_ms = clock_ms();
    client->answer = evbuffer_new();
    client->event = event_new(socket->base, fd, EV_READ, request_arrived, client);
    *place = client;
    watch(client->event, PATIENCE_MS);
}

/* Accepts one client at a time: other work of the master comes in between. */
static void somebody_comes(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct control_socket *socket = arg;
    struct sockaddr_storage peer;
    socklen_t peer_size = sizeof(peer);
    int accepted = accept4(fd, (struct sockaddr *)&peer, &peer_size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted >= 0) {
        receive_client(socket, accepted);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        event_del(socket->arrivals);
        watch(socket->resume, 1000);
    }
}

static void resume(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct control_socket *socket = arg;
    event_add(socket->arrivals, NULL);
}

/* The file is the owner's alone from its first moment on. 0, or -1 and errno. */
static int listen_at(struct address *address, const char *path)
{
    char *text = xasprintf("unix:%s", path), message[512];
    mode_t before = umask(0177);
    int r = address_parse(address, "--control-socket", text, message, sizeof(message));
    if (r == 0)
        r = address_listen(address, 1, BACKLOG, message, sizeof(message));
    int error = errno;
    umask(before);
    free(text);
    errno = error;
    return r;
}

/* Takes as many clients as there is room for. The rest are refused. */
static void take_waiting(struct control_socket *socket, int fd)
{
    int accepted;
    for (unsigned i = 0;
         i < BACKLOG && (accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0; i++)
        receive_client(socket, accepted);
}

static int renew_address(struct address *address, char *message, size_t size)
{
    mode_t before = umask(0177);
    int r = address_renew(address, BACKLOG, (uid_t)-1, (gid_t)-1, message, size);
    umask(before);
    return r;
}

void control_socket_renew(struct control_socket *socket)
{
    char message[512];
    int r = renew_address(&socket->address, message, sizeof(message));
    if (r < 0)
        log_error("--control-socket: the file %s is not there any more, and cannot be made anew: %s",
                  socket->address.path, message);
    if (r <= 0)
        return;
    log_warning("--control-socket: the file %s was not there any more: it has been made anew",
                socket->address.path);
    event_del(socket->arrivals);
    event_assign(socket->arrivals, socket->base, socket->address.sockets[0], EV_READ | EV_PERSIST,
                 somebody_comes, socket);
    event_add(socket->arrivals, NULL);
    take_waiting(socket, socket->address.previous);
    address_close_previous(&socket->address);
}

static const char *reason(int error)
{
    if (error == EADDRINUSE)
        return "another service listens there, or it is no socket";
    if (error == ENAMETOOLONG)
        return "a socket's path has at most 107 bytes";
    return place_strerror(error);
}

static int explain(const char *path, char *message, size_t size)
{
    snprintf(message, size, "--control-socket: %s: %s", path, reason(errno));
    return -1;
}

int control_socket_check(struct address *address, const char *path, char *message, size_t size)
{
    char *text = xasprintf("unix:%s", path);
    int r = address_parse(address, "--control-socket", text, message, size);
    if (r == 0)
        r = address_check(address, message, size);
    int error = errno;
    free(text);
    errno = error;
    return r == 0 ? 0 : explain(path, message, size);
}

static bool find(struct address *address, const struct upgrade_state *saved)
{
    return saved != NULL && address_load(address, "control", "--control-socket", saved, NULL) != NULL;
}

struct control_socket *
control_socket_open(struct event_base *base, const char *path, const struct upgrade_state *saved,
                    void (*asked)(void *context, struct control_client *client, struct slice line),
                    void *context, char *message, size_t size)
{
    struct control_socket *socket = xcalloc(1, sizeof(*socket));
    if (!find(&socket->address, saved) && listen_at(&socket->address, path) < 0) {
        explain(path, message, size);
        address_close(&socket->address, false);
        free(socket);
        return NULL;
    }
    socket->base = base;
    socket->asked = asked;
    socket->context = context;
    socket->arrivals =
        event_new(base, socket->address.sockets[0], EV_READ | EV_PERSIST, somebody_comes, socket);
    socket->resume = evtimer_new(base, resume, socket);
    event_add(socket->arrivals, NULL);
    return socket;
}

void control_socket_close(struct control_socket *socket)
{
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        if (socket->clients[i] != NULL && socket->clients[i]->state == CLIENT_WAITS)
            control_fail(socket->clients[i], "the service has ended");
        if (socket->clients[i] != NULL)
            drop(socket->clients[i]);
    }
    event_free(socket->arrivals);
    event_free(socket->resume);
    address_close(&socket->address, true);
    free(socket);
}

bool control_socket_is_quiet(const struct control_socket *socket)
{
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        if (socket->clients[i] != NULL)
            return false;
    return true;
}

void control_socket_save(const struct control_socket *socket, struct upgrade_state *saved)
{
    address_save(&socket->address, "control", saved);
}

void control_socket_forget(const struct control_socket *socket)
{
    close(socket->address.sockets[0]);
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        if (socket->clients[i] != NULL)
            close(socket->clients[i]->fd);
}
