/*
 * A worker without processes and without Python: a loop with the given options, a handler, and
 * clients on real sockets. The path of a request tells the handler how to answer.
 */
#ifndef NET_FIXTURE_H
#define NET_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/scoreboard.h"
#include "net/exchange.h"
#include "net/loop.h"
#include "options/options.h"

#include "unit.h"

/* The state of a connection, as its client sees it. */
enum client_end {
    CLIENT_OPEN,
    CLIENT_ENDED, /* the end of the stream */
    CLIENT_RESET,
};

struct client {
    int fd;
    enum client_end end;
    char *got; /* all that was received; terminated */
    size_t size, capacity;
};

enum { FIXTURE_ANSWERS = 16 };

/* The loop's report of an answer. */
struct fixture_answer {
    char client[sizeof(((struct peer_endpoint *)NULL)->address)];
    int status;
    uint64_t size;
};

struct fixture {
    struct options options;
    struct scoreboard_row row;
    struct local_endpoint local;
    struct loop *loop;
    /* Called by the handler of "/pause/N" after N bytes, before it sends more. `paused` is the
     * test's. */
    void (*pause)(struct fixture *fixture, struct exchange *exchange);
    struct client *paused;
    bool sent_all;                                  /* by the last handler: no send has failed */
    struct fixture_answer answers[FIXTURE_ANSWERS]; /* the first ones */
    size_t answer_count;
};

/* `line` has options, as a user types them. */
void fixture_start(struct fixture *fixture, const char *line);
void fixture_stop(
    struct fixture *fixture); /* the clients must be closed; asserts that no connection is left */
/* Makes one turn of the loop, and runs the handlers of ready requests. */
void fixture_turn(struct fixture *fixture);

void client_open_tcp(struct client *client, struct fixture *fixture);
void client_open_unix(struct client *client, struct fixture *fixture);
void client_close(struct client *client);
void client_send(struct client *client, struct fixture *fixture, const char *bytes, size_t size);
void client_say(struct client *client, struct fixture *fixture, const char *text);
void client_receive(struct client *client); /* what is there */

/* Turns until `size` bytes came and the connection is as expected, or `ms` have passed. Then turns
 * a little more, to see whether anything follows. */
void client_await(struct client *client, struct fixture *fixture, size_t size, enum client_end end, int ms);
/* Turns until `count` connections are open, or for a second. */
void fixture_await_open(struct fixture *fixture, size_t count);

/* The bytes that were received. Server and Date must be right, and are written as "~\r\n". The
 * caller frees it. */
char *client_transcript(const struct client *client);

/* The content of "/big/N" and "/pause/N": byte `i` of it. */
char big_byte(size_t i);

#endif
