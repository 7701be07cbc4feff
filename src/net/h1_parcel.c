/* HTTP/1 connections that move to another worker, and those that come from one. */
#include <string.h>

#include "base/mem.h"
#include "base/spool_budget.h"
#include "net/h1_state.h"

static struct iovec piece(const void *data, size_t size)
{
    return (struct iovec){(void *)data, size};
}

/* As it was sent: line and section are kept so; the body is decoded. */
static int pack_request(const struct exchange *exchange, struct parcel *parcel, struct iovec *pieces)
{
    static const char end[] = "\r\n";
    const struct request *request = &exchange->request;
    const struct body_content *content = &exchange->body.content;
    int count = 0;
    pieces[count++] = piece(request->line.data, request->line.size);
    pieces[count++] = piece(end, sizeof(end) - 1);
    pieces[count++] = piece(request->section->bytes.data, request->section->bytes.size);
    parcel->head = request->line.size + sizeof(end) - 1 + request->section->bytes.size;
    parcel->started_ns = exchange->started_ns;
    parcel->ready_ns = exchange->ready_ns;
    parcel->spool = content->spool;
    if (content->spool >= 0) {
        parcel->spool_size = content->size;
    } else if (content->size > 0) {
        parcel->body = content->size;
        pieces[count++] = piece(content->memory, content->size);
    }
    return count;
}

int h1_pack(struct conn *conn, struct parcel *parcel, struct iovec *pieces)
{
    struct h1 *h = h1_of(conn);
    int count = 0;
    parcel->asked = h->state != H1_NEW && h->state != H1_PROXY;
    parcel->awaits_proxy = h->state == H1_PROXY;
    parcel->unnamed = conn->unnamed;
    if (h->state == H1_APP && loop_has_ready(conn->loop, h->exchange))
        count = pack_request(h->exchange, parcel, pieces);
    else if ((h->state != H1_IDLE && parcel->asked) || conn->ended)
        return -1;
    if (!conn_is_drained(conn)) /* an interim answer */
        return -1;
    if (h->pending.data != NULL) {
        parcel->rest = h->pending.size;
        pieces[count++] = piece(h->pending.data, h->pending.size);
    }
    return count;
}

void h1_moved(struct conn *conn)
{
    struct h1 *h = h1_of(conn);
    if (h->exchange != NULL) {
        loop_remove_ready(conn->loop, h->exchange);
        exchange_forget(h->exchange);
        h->exchange = NULL;
    }
    h1_enter(h, H1_CLOSED);
}

static struct body_content take_content(const struct parcel *parcel, const char *bytes,
                                        const struct spool_budget *budget)
{
    struct body_content content = {.size = parcel->body, .spool = parcel->spool, .budget = budget};
    if (parcel->spool >= 0) {
        content.size = parcel->spool_size;
        spool_take_over(budget, &content.reserved, content.size);
    } else if (parcel->body > 0) {
        content.memory = xmalloc(parcel->body);
        memcpy(content.memory, bytes, parcel->body);
    }
    return content;
}

/* It was good in another worker, whose limits may have been others. */
static void unpack_request(struct h1 *h, const struct parcel *parcel, const char *bytes)
{
    struct loop *loop = h->conn.loop;
    struct body_content content = take_content(parcel, bytes + parcel->head, loop->body_limits.budget);
    struct head head;
    int line_status;
    head_reader_begin(&h->reader);
    int status =
        head_read(&h->reader, loop->memo, &loop->parser_limits, (struct slice){bytes, parcel->head}, &head);
    struct exchange *exchange = exchange_new(&h->conn, head.line, head.section, &line_status, h1_done);
    if (status == 0 && head.size != parcel->head)
        status = 400;
    if (head.line.size > 0 && line_status != 0)
        status = line_status;
    if (status != 0) {
        body_content_free(&content);
        h1_refuse(h, exchange, status);
        return;
    }
    body_restore(&exchange->body, exchange->request.section, content);
    exchange->started_ns = parcel->started_ns;
    h->exchange = exchange;
    h1_enter(h, H1_APP);
    exchange->ready_ns = parcel->ready_ns;
    exchange_ready(exchange);
}

void h1_unpack(struct conn *conn, const struct parcel *parcel, const char *bytes)
{
    struct h1 *h = h1_of(conn);
    /* A header of the PROXY protocol is expected where the connection was accepted, and for as long as it is expected here. */
    if (parcel->asked)
        h1_enter(h, H1_IDLE);
    else if (!parcel->awaits_proxy)
        h1_enter(h, H1_NEW);
    conn->unnamed = parcel->unnamed;
    conn->judged = false;
    pending_keep(&h->pending, (struct slice){bytes + parcel->head + parcel->body, parcel->rest});
    if (parcel->head > 0)
        unpack_request(h, parcel, bytes);
}
