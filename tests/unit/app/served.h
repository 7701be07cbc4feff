/*
 * A worker without listeners: a loop, an application in Python, and connections that are
 * socketpairs. The test is the client.
 */
#ifndef SERVED_H
#define SERVED_H

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "app/crew.h"
#include "app/wsgi.h"
#include "net/h1.h"
#include "options/options_parse.h"
#include "options/options_values.h"
#include "py/application_object.h"
#include "py/fake_call.h"

struct served {
    struct options options;
    struct scoreboard_row row;
    struct application application;
    struct scoreboard_call call;
    struct wsgi *wsgi;
    struct loop *loop;
    struct deadline *deadline;
    struct crew *crew;
};

static struct served served;

static inline bool served_wants_nothing(void *context)
{
    (void)context;
    return false;
}

static inline void served_ignores_signals(void *context)
{
    (void)context;
}

/* The application is `app` of the source. Returns without the GIL, as the loop wants it. */
static inline void served_open(const char *source, int argc, char **argv)
{
    char *const environment[] = {NULL};
    char message[256];
    PyObject *globals = fake_globals();
    ck_assert_msg(options_parse(&served.options, argc, argv, environment, NULL, message, sizeof(message)) ==
                      0,
                  "%s", message);
    fake_execute(source, globals);
    served.application.callable = PyDict_GetItemString(globals, "app");
    ck_assert_ptr_nonnull(served.application.callable);
    ck_assert_int_eq(call_init(&served.options, false), 0);
    served.wsgi = wsgi_new(&served.application, &served.call);
    ck_assert_ptr_nonnull(served.wsgi);
    gil_release();
    served.loop = loop_new(&served.options, &wsgi_handler, &served.row);
    served.deadline = deadline_new(served.loop, &served.call, 1, NULL, NULL);
    struct crew_setup setup = {
        .loop = served.loop,
        .threads = 1,
        .contexts = (void *const *)&served.wsgi,
        .deadline = served.deadline,
        .wants_main = served_wants_nothing,
        .look_at_signals = served_ignores_signals,
    };
    served.crew = crew_new(&setup);
}

static inline void served_close(void)
{
    ck_assert(crew_free(served.crew));
    deadline_free(served.deadline);
    loop_free(served.loop);
    gil_take();
    wsgi_free(served.wsgi);
    options_free(&served.options);
}

/* The client's end of a new connection, non-blocking. `room` is the size of both socket buffers; 0
 * leaves them. */
static inline int served_connect(int room)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    if (room > 0) {
        ck_assert_int_eq(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
        ck_assert_int_eq(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)), 0);
    }
    conn_accept(served.loop, &h1_protocol, ends[0], &fake_local, &fake_peer);
    return ends[1];
}

static inline void served_send(int client, const char *bytes)
{
    ck_assert_int_eq(send(client, bytes, strlen(bytes), MSG_NOSIGNAL), (ssize_t)strlen(bytes));
}

/* The work of a worker between two events. */
static inline void served_turn(void)
{
    for (int i = 0; i < 4; i++) {
        loop_turn(served.loop, false);
        crew_run_ready(served.crew);
    }
}

/* Everything that has come, without the Date lines, as a string. *closed: the end or a reset came
 * too. */
static inline char *served_receive(int client, bool *closed)
{
    size_t size = 0, room = 1 << 20;
    char *bytes = xmalloc(room + 1), *date;
    ssize_t n;
    while ((n = recv(client, bytes + size, room - size, 0)) > 0)
        size += (size_t)n;
    bytes[size] = '\0';
    *closed = n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
    while ((date = strstr(bytes, "Date: ")) != NULL) {
        char *rest = strstr(date, "\r\n") + 2;
        memmove(date, rest, strlen(rest) + 1);
    }
    return bytes;
}

#endif
