/* Presence: whether the client of an exchange is still there. */
#include "net/presence.h"

#include "base/clock.h"
#include "net/exchange.h"

/* Clients of HTTP/1.0 that half-close are rare. Rarer still are those that wait for so long and are
 * then answered. */
enum { UNSURE_NS = 1000000000 };

static bool is_old(const struct exchange *exchange)
{
    return exchange->request.minor == 0;
}

/* The client's side has ended, and nothing tells whether the client has closed. */
static void presence_ask(struct exchange *exchange)
{
    if (exchange->presence != PRESENCE_WATCHED || conn_is_unix(exchange->conn))
        return;
    exchange->presence = is_old(exchange) ? PRESENCE_UNSURE : PRESENCE_ASKED;
    if (exchange->presence == PRESENCE_ASKED)
        exchange_ask(exchange);
}

bool presence_look(struct exchange *exchange)
{
    if (exchange->presence == PRESENCE_ASSUMED)
        return false;
    enum conn_peer peer = conn_peer(exchange->conn);
    if (peer == PEER_ENDED)
        presence_ask(exchange);
    if (peer == PEER_GONE)
        exchange->conn->broken = true;
    return exchange->conn->broken;
}

/* A preempted exchange has no connection: that may be closed, or have another exchange. */
bool presence_watch(struct exchange *exchange)
{
    if (exchange->presence != PRESENCE_ASSUMED || exchange_was_preempted(exchange))
        return false;
    exchange->presence = PRESENCE_WATCHED;
    if (exchange->conn->watched)
        return presence_look(exchange);
    conn_watch(exchange->conn);
    return false;
}

bool presence_give_up(struct exchange *exchange)
{
    if (clock_ns() - exchange->ready_ns < UNSURE_NS)
        return false;
    exchange->conn->broken = true;
    return true;
}

static bool is_gone(const struct exchange *exchange)
{
    enum conn_peer peer = conn_peer(exchange->conn);
    return peer == PEER_GONE || (peer == PEER_ENDED && is_old(exchange) && !conn_is_unix(exchange->conn));
}

/* Takes the send claim, because the loop may take the connection away and close it. While a thread
 * is sending, a client that is gone breaks the connection. */
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
