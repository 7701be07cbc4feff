/* Presence: whether the client of an exchange is still there. */
#include "net/presence.h"

#include "base/clock.h"
#include "net/exchange.h"
#include "net/loop.h"

/* Clients of HTTP/1.0 that half-close are rare, and those that waited for so long and are answered after all are rarer. */
enum { UNSURE_NS = 1000000000 };

static bool is_old(const struct exchange *exchange)
{
    return exchange->request.minor == 0;
}

static void lose(struct exchange *exchange)
{
    struct loop *loop = exchange->conn->loop;
    exchange->conn->broken = true;
    if (!loop_has_ready(loop, exchange))
        return;
    loop_remove_ready(loop, exchange);
    exchange_cut(exchange);
    exchange_finish(exchange);
}

/* Its side has ended, and nothing tells whether it has closed. */
static void ask(struct exchange *exchange)
{
    if (exchange->presence != PRESENCE_WATCHED || conn_is_unix(exchange->conn))
        return;
    exchange->presence = is_old(exchange) ? PRESENCE_UNSURE : PRESENCE_ASKED;
    if (exchange->presence == PRESENCE_ASKED)
        exchange_ask(exchange);
}

void presence_look(struct exchange *exchange)
{
    if (exchange->presence == PRESENCE_ASSUMED)
        return;
    enum conn_peer peer = conn_peer(exchange->conn);
    if (peer == PEER_ENDED)
        ask(exchange);
    if (peer == PEER_GONE || exchange->conn->broken)
        lose(exchange);
}

/* One that was preempted has no connection: that may be closed, or have another exchange. */
void presence_watch(struct exchange *exchange)
{
    if (exchange->presence != PRESENCE_ASSUMED || exchange_was_preempted(exchange))
        return;
    exchange->presence = PRESENCE_WATCHED;
    if (exchange->conn->watched)
        presence_look(exchange);
    else
        conn_watch(exchange->conn);
}

bool presence_give_up(struct exchange *exchange)
{
    if (clock_ns() - exchange->ready_ns < UNSURE_NS)
        return false;
    lose(exchange);
    return true;
}

static bool is_gone(const struct exchange *exchange)
{
    enum conn_peer peer = conn_peer(exchange->conn);
    return peer == PEER_GONE || (peer == PEER_ENDED && is_old(exchange) && !conn_is_unix(exchange->conn));
}

/* Behind the gate: the loop may take the connection away and close it. Where a thread is sending just now, a client that is gone
 * breaks the connection. */
bool presence_is_lost(struct exchange *exchange)
{
    if (exchange->conn->broken)
        return true;
    if (!send_claim_take(&exchange->claim, CLAIM_BORROWED))
        return exchange_was_preempted(exchange);
    bool lost = is_gone(exchange);
    send_claim_release(&exchange->claim);
    return lost;
}
