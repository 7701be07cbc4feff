/* The handler that calls the WSGI application. */
#include "app/wsgi.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/presence.h"
#include "py/interp.h"
#include "py/python_fork.h"

_Static_assert((int)CALL_CHUNKS_MAX <= (int)EXCHANGE_CHUNKS, "what a call produces at once is sent at once");

enum outcome {
    OUTCOME_DONE,
    OUTCOME_FAILED, /* by the application's fault: 500, or the answer is cut */
    OUTCOME_GONE,   /* the client has gone away */
};

struct wsgi {
    struct caller *caller;
    struct scoreboard_call *call;
};

struct wsgi *wsgi_new(struct application *application, struct scoreboard_call *call)
{
    struct wsgi *wsgi = xcalloc(1, sizeof(*wsgi));
    wsgi->caller = caller_new(application);
    wsgi->call = call;
    return wsgi;
}

void wsgi_free(struct wsgi *wsgi)
{
    if (wsgi == NULL)
        return;
    caller_free(wsgi->caller);
    free(wsgi);
}

/* Waits for the client to take output. Other threads may run Python meanwhile. */
static int __attribute__((cold)) wait_for_room(struct exchange *exchange)
{
    exchange->waiting = true;
    gil_release();
    int r = exchange_wait(exchange);
    gil_take();
    exchange->waiting = exchange_was_preempted(exchange);
    return r;
}

static int wait_for_client(struct exchange *exchange)
{
    return exchange_is_full(exchange) ? wait_for_room(exchange) : 0;
}

/* The write() callable. */
static int write_through(void *context, struct slice data)
{
    struct exchange *exchange = context;
    if (python_is_fork())
        return -1; /* the connection is the parent's */
    if (!exchange->head_finished)
        exchange_head(exchange, false, 0);
    if (exchange_send(exchange, &data, 1) < 0)
        return -1;
    return wait_for_client(exchange);
}

static bool client_gone(void *context)
{
    return python_is_fork() || presence_is_lost(context);
}

static int send_file(struct exchange *exchange, struct call_output *output)
{
    int r;
    do
        r = exchange_send_file(exchange, output->fd, &output->offset, &output->size);
    while (r == 0 && output->size > 0 && (r = wait_for_client(exchange)) == 0);
    return r;
}

static void head_once(struct exchange *exchange, const struct call_output *output)
{
    if (!exchange->head_finished)
        exchange_head(exchange, output->known, output->size);
}

/* Sends what the call produces until it ends. */
static enum outcome pump(struct wsgi *wsgi, struct exchange *exchange, enum call_step step,
                         struct call_output *output)
{
    for (;; step = call_next(wsgi->caller, output)) {
        if (python_is_fork())
            _exit(0);
        if (step == CALL_FAILED)
            return exchange->conn->broken ? OUTCOME_GONE : OUTCOME_FAILED;
        head_once(exchange, output);
        int r = 0;
        if (step == CALL_CHUNKS)
            r = exchange_send(exchange, output->chunks, output->count);
        else if (step == CALL_FILE)
            r = send_file(exchange, output);
        if (r < 0 || wait_for_client(exchange) < 0)
            return OUTCOME_GONE;
        if (step != CALL_CHUNKS || !exchange_wants_more(exchange))
            return OUTCOME_DONE;
    }
}

static void wsgi_run(void *context, struct exchange *exchange)
{
    struct wsgi *wsgi = context;
    struct conn *conn = exchange->conn;
    struct body_content content = body_take(&exchange->body);
    struct call_request request = {
        .request = &exchange->request,
        .content = &content,
        .local = conn->local,
        .peer = exchange_client(exchange),
        .response = &exchange->response,
        .write = write_through,
        .client_gone = client_gone,
        .context = exchange,
    };
    struct call_output output;
    scoreboard_call_begin(wsgi->call, exchange->begun_ns, request.request->line.data,
                          request.request->line.size);
    enum outcome outcome = pump(wsgi, exchange, call_start(wsgi->caller, &request, &output), &output);
    if (outcome == OUTCOME_DONE)
        exchange_flush(exchange);
    call_finish(wsgi->caller);
    body_content_free(&content);
    scoreboard_call_end(wsgi->call);
    if (python_is_fork())
        _exit(0);
    if (outcome == OUTCOME_DONE)
        exchange_end(exchange);
    else if (outcome == OUTCOME_FAILED)
        exchange_fail(exchange, 500, true);
    else
        exchange_cut(exchange);
}

const struct handler wsgi_handler = {.name = "wsgi", .run = wsgi_run};
