/* The PROXY protocol's header, in front of the first request. */
#include "base/log_limit.h"
#include "http/proxy_protocol.h"
#include "net/h1_state.h"

/* Enough to see what it is instead. */
enum { SHOWN = 32 };

static void tell(const struct h1 *h, struct slice bytes, const char *what)
{
    char shown[SHOWN * 4 + 1];
    const char *address = h->conn.peer.address;
    size_t size = bytes.size < SHOWN ? bytes.size : SHOWN;
    shown[log_escape(shown, sizeof(shown) - 1, bytes.data, size, true)] = '\0';
    log_limited(LOG_PROXY_HEADER, LOG_WARNING, "a connection of %s %s: \"%s\"; it is closed",
                address[0] != '\0' ? address : "a unix-domain socket", what, shown);
}

static void tell_wrong(const struct h1 *h, struct slice bytes, const struct proxy_header *header)
{
    const char *address = h->conn.peer.address;
    if (header->unsupported == 0)
        tell(h, bytes, "does not begin with a header of --proxy-protocol");
    else
        log_limited(
            LOG_PROXY_HEADER, LOG_WARNING,
            "a connection of %s begins with a header of --proxy-protocol for %s (0x%02x), which is not "
            "supported: TCP, Unix-domain streams and AF_UNSPEC are; it is closed",
            address[0] != '\0' ? address : "a unix-domain socket", proxy_family_name(header->unsupported),
            header->unsupported);
}

bool h1_expects_proxy(struct conn *conn)
{
    return conn->loop->options->proxy_protocol != PROXY_OFF && conn_is_trusted(conn);
}

bool h1_consume_proxy(struct h1 *h, struct slice *bytes)
{
    struct conn *conn = &h->conn;
    struct proxy_header header;
    if (proxy_header_parse((enum proxy_version)conn->loop->options->proxy_protocol, *bytes, &header) < 0) {
        tell_wrong(h, *bytes, &header);
        bytes->size = 0;
        h1_close(h);
        return false;
    }
    if (header.size == 0)
        return false;
    bytes->data += header.size;
    bytes->size -= header.size;
    if (header.has_client)
        conn->peer = header.client;
    conn->unnamed = header.source == PROXY_UNNAMED;
    conn->judged = false;
    h1_enter(h, H1_NEW);
    return bytes->size > 0;
}

void h1_give_up_proxy(struct h1 *h)
{
    if (h->pending.data != NULL)
        tell(h, pending_slice(&h->pending), "ended within its header of --proxy-protocol");
    h1_close(h);
}
