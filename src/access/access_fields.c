/* What the access log can say of an exchange: the table, and what is no part of the request. */
#include "access/access_fields.h"

#include <stdio.h>

#include "access/access_request.h"

static bool read_time(struct access_source *source, struct access_value *value)
{
    return access_value_text(value, (struct slice){source->time, timestamp_iso(source->time, &source->now)});
}

static bool read_common_time(struct access_source *source, struct access_value *value)
{
    int size = snprintf(source->time, sizeof(source->time), "[%s]", timestamp_common(source->now.tv_sec));
    return access_value_text(value, (struct slice){source->time, (size_t)size});
}

static bool read_duration(struct access_source *source, struct access_value *value)
{
    return access_value_number(value, source->duration_ns);
}

static bool read_seconds(struct access_source *source, struct access_value *value)
{
    return access_value_number(value, source->duration_ns / 1000000000);
}

static bool read_milliseconds(struct access_source *source, struct access_value *value)
{
    return access_value_number(value, source->duration_ns / 1000000);
}

static bool read_microseconds(struct access_source *source, struct access_value *value)
{
    return access_value_number(value, source->duration_ns / 1000);
}

static bool read_queue_time(struct access_source *source, struct access_value *value)
{
    const struct exchange *exchange = source->exchange;
    return exchange->begun_ns != 0 && access_value_number(value, exchange->begun_ns - exchange->ready_ns);
}

static bool read_app_time(struct access_source *source, struct access_value *value)
{
    const struct exchange *exchange = source->exchange;
    return exchange->begun_ns != 0 && access_value_number(value, exchange->ended_ns - exchange->begun_ns);
}

static bool read_status(struct access_source *source, struct access_value *value)
{
    const struct exchange *exchange = source->exchange;
    int late = exchange->late_status;
    return access_value_number(value, (uint64_t)(late != 0 ? late : exchange->response.status));
}

static uint64_t sent_size(const struct exchange *exchange)
{
    return exchange->late_status != 0 ? exchange->late_size : exchange->body_sent;
}

static bool read_sent(struct access_source *source, struct access_value *value)
{
    return access_value_number(value, sent_size(source->exchange));
}

static bool read_sent_if_any(struct access_source *source, struct access_value *value)
{
    return sent_size(source->exchange) > 0 && read_sent(source, value);
}

/* Of a request that has a body. */
static bool read_received(struct access_source *source, struct access_value *value)
{
    const struct body *body = &source->exchange->body;
    return body->framing != FRAMING_NONE && access_value_number(value, body->content.size);
}

static bool read_response_field(struct access_source *source, struct access_value *value)
{
    /* Of an answer in its place, the handler's fields are none; and its thread may be writing them. */
    return source->exchange->late_status == 0 &&
           access_value_text(value, response_find(&source->exchange->response, source->argument));
}

static bool read_address(struct access_source *source, struct access_value *value)
{
    return access_value_text(value, slice_of(exchange_client(source->exchange)->address));
}

static bool read_port(struct access_source *source, struct access_value *value)
{
    return slice_to_uint64(slice_of(exchange_client(source->exchange)->port), &value->number) == 0;
}

/* The proxy that speaks for the client. */
static bool read_proxy(struct access_source *source, struct access_value *value)
{
    const char *peer = source->exchange->conn->peer.address;
    return strcmp(peer, exchange_client(source->exchange)->address) != 0 &&
           access_value_text(value, slice_of(peer));
}

static bool read_pid(struct access_source *source, struct access_value *value)
{
    return access_value_number(value, (uint64_t)source->pid);
}

static bool read_bracketed_pid(struct access_source *source, struct access_value *value)
{
    int size = snprintf(source->time, sizeof(source->time), "<%d>", source->pid);
    return access_value_text(value, (struct slice){source->time, (size_t)size});
}

static bool read_worker(struct access_source *source, struct access_value *value)
{
    return source->worker >= 0 && access_value_number(value, (uint64_t)source->worker);
}

static bool read_nothing(struct access_source *source, struct access_value *value)
{
    (void)source, (void)value;
    return false;
}

/* The atoms are gunicorn's, but for those that are words. JSON is written in this order. */
const struct access_field access_fields[] = {
    {.json = "time", .read = read_time},
    {.atom = "t", .read = read_common_time},
    {.atom = "r", .read = read_request_line},
    {.atom = "m", .environ = "REQUEST_METHOD", .read = read_method},
    {.json = "http.request.method", .read = read_known_method},
    {.json = "http.request.method_original", .read = read_original_method},
    {.environ = "wsgi.url_scheme", .json = "url.scheme", .read = read_scheme},
    {.environ = "RAW_URI", .read = read_target},
    {.environ = "REQUEST_URI", .read = read_target},
    {.atom = "U", .json = "url.path", .read = read_path},
    {.environ = "PATH_INFO", .read = read_path_info},
    {.atom = "q", .environ = "QUERY_STRING", .json = "url.query", .read = read_query, .unknown = ""},
    {.atom = "H", .environ = "SERVER_PROTOCOL", .read = read_protocol},
    {.json = "network.protocol.version", .read = read_version},
    {.atom = "s", .json = "http.response.status_code", .kind = ACCESS_NUMBER, .read = read_status},
    {.atom = "B", .json = "http.response.body.size", .kind = ACCESS_NUMBER, .read = read_sent},
    {.atom = "b", .kind = ACCESS_NUMBER, .read = read_sent_if_any},
    {.json = "http.request.body.size", .kind = ACCESS_NUMBER, .read = read_received},
    {.atom = "L", .json = "http.server.request.duration", .kind = ACCESS_SECONDS, .read = read_duration},
    {.atom = "T", .kind = ACCESS_NUMBER, .read = read_seconds},
    {.atom = "M", .kind = ACCESS_NUMBER, .read = read_milliseconds},
    {.atom = "D", .kind = ACCESS_NUMBER, .read = read_microseconds},
    {.atom = "queue_time", .json = "gateway.queue.duration", .kind = ACCESS_SECONDS, .read = read_queue_time},
    {.atom = "app_time", .json = "gateway.app.duration", .kind = ACCESS_SECONDS, .read = read_app_time},
    {.atom = "h", .environ = "REMOTE_ADDR", .json = "client.address", .read = read_address},
    {.environ = "REMOTE_PORT", .json = "client.port", .kind = ACCESS_NUMBER, .read = read_port},
    {.json = "network.peer.address", .read = read_proxy},
    {.json = "server.address", .read = read_server_address},
    {.json = "server.port", .kind = ACCESS_NUMBER, .read = read_server_port},
    {.environ = "HTTP_HOST", .read = read_host},
    {.atom = "l", .read = read_nothing},
    {.atom = "u", .kind = ACCESS_WORD, .read = read_user},
    {.atom = "a", .json = "user_agent.original", .read = read_request_field, .argument = "User-Agent"},
    {.atom = "f",
     .json = "http.request.header.referer",
     .kind = ACCESS_LIST,
     .read = read_request_field,
     .argument = "Referer"},
    {.environ = "CONTENT_TYPE", .read = read_request_field, .argument = "Content-Type"},
    {.environ = "CONTENT_LENGTH", .read = read_environ_content_length, .argument = "Content-Length"},
    {.atom = "p", .read = read_bracketed_pid},
    {.json = "process.pid", .kind = ACCESS_NUMBER, .read = read_pid},
    {.atom = "worker", .json = "gateway.worker", .kind = ACCESS_NUMBER, .read = read_worker},
    {.atom = "request_id", .json = "gateway.request_id", .read = read_request_id},
    {.environ = "HTTP_X_REQUEST_ID", .read = read_environ_request_id, .argument = "X-Request-Id"},
    {.json = "trace_id", .read = read_trace_id},
    {.json = "span_id", .read = read_span_id},
    {.json = "trace_flags", .read = read_trace_flags},
};
const size_t access_field_count = sizeof(access_fields) / sizeof(access_fields[0]);

const struct access_field access_request_field = {.read = read_request_field};
const struct access_field access_response_field = {.read = read_response_field};
const struct access_field access_environ_field = {.read = read_environ_field};
