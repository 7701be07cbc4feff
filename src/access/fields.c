/* The fields of the access log: the table, and the functions that read the values. */
#include "access/fields.h"

#include <stdio.h>

#include "http/basic_auth.h"
#include "http/parser.h"
#include "http/token.h"

static bool value_text(struct access_value *value, struct slice text)
{
    value->text = text;
    return text.size > 0;
}

static bool value_number(struct access_value *value, uint64_t number)
{
    value->number = number;
    return true;
}

static const struct request *request_of(const struct access_source *source)
{
    return &source->exchange->request;
}

/* The parser reads the version before the path. With a path, the whole line is good, or only its
 * path is wrong. */
static bool is_parsed(const struct request *request)
{
    return request->path.size > 0;
}

static bool read_request_line(struct access_source *source, struct access_value *value)
{
    return value_text(value, request_of(source)->line);
}

static bool read_method(struct access_source *source, struct access_value *value)
{
    return value_text(value, request_of(source)->method);
}

/* RFC 9110 9.3, RFC 5789. */
static bool is_known_method(struct slice method)
{
    static const struct slice methods[] = {SLICE("GET"),     SLICE("HEAD"),   SLICE("POST"),
                                           SLICE("PUT"),     SLICE("DELETE"), SLICE("CONNECT"),
                                           SLICE("OPTIONS"), SLICE("TRACE"),  SLICE("PATCH")};
    size_t i = 0;
    while (i < sizeof(methods) / sizeof(methods[0]) && !slice_eq(methods[i], method))
        i++;
    return i < sizeof(methods) / sizeof(methods[0]);
}

/* OpenTelemetry logs a method that is in no RFC as "_OTHER", with the original beside it. */
static bool read_known_method(struct access_source *source, struct access_value *value)
{
    struct slice method = request_of(source)->method;
    return value_text(value, method.size == 0 || is_known_method(method) ? method : SLICE("_OTHER"));
}

static bool read_original_method(struct access_source *source, struct access_value *value)
{
    struct slice method = request_of(source)->method;
    return !is_known_method(method) && value_text(value, method);
}

static bool read_scheme(struct access_source *source, struct access_value *value)
{
    bool https = forwarded_is_https(request_of(source)->forwarded, source->exchange->conn->local);
    return value_text(value, https ? SLICE("https") : SLICE("http"));
}

static bool read_target(struct access_source *source, struct access_value *value)
{
    return value_text(value, request_of(source)->target);
}

static bool read_path(struct access_source *source, struct access_value *value)
{
    return value_text(value, request_of(source)->path);
}

/* PATH_INFO may be empty. A request that was refused for its escapes has none. */
static bool read_path_info(struct access_source *source, struct access_value *value)
{
    const struct request *request = request_of(source);
    const char *root = source->exchange->conn->loop->options->root_path;
    if (!is_parsed(request) || !escapes_are_whole(request->path))
        return false;
    source->scratch.size = 0;
    text_add(&source->scratch, request->path.data, request->path.size);
    value->text = request_path_info(request, slice_of(root), source->scratch.data);
    return true;
}

static bool read_query(struct access_source *source, struct access_value *value)
{
    return value_text(value, request_of(source)->query);
}

static bool read_protocol(struct access_source *source, struct access_value *value)
{
    const struct request *request = request_of(source);
    return is_parsed(request) &&
           value_text(value, request->minor > 0 ? SLICE("HTTP/1.1") : SLICE("HTTP/1.0"));
}

static bool read_version(struct access_source *source, struct access_value *value)
{
    const struct request *request = request_of(source);
    return is_parsed(request) && value_text(value, request->minor > 0 ? SLICE("1.1") : SLICE("1.0"));
}

static bool read_host(struct access_source *source, struct access_value *value)
{
    return value_text(value, request_host(request_of(source)));
}

/* A target that was refused may have an authority that is no host. */
static bool find_host(const struct access_source *source, struct slice *host)
{
    *host = request_host(request_of(source));
    return host->size > 0 && slice_is_host(*host);
}

/* The address of the host, without the brackets that a URL needs. */
static bool read_server_address(struct access_source *source, struct access_value *value)
{
    struct slice host;
    if (!find_host(source, &host))
        return false;
    struct slice name = host_name(host);
    if (name.data[0] == '[')
        name = (struct slice){name.data + 1, name.size - 2};
    return value_text(value, name);
}

static bool read_server_port(struct access_source *source, struct access_value *value)
{
    struct slice host;
    return find_host(source, &host) && slice_to_uint64(host_port(host), &value->number) == 0;
}

static bool read_request_id(struct access_source *source, struct access_value *value)
{
    return value_text(value, request_of(source)->id);
}

static struct slice field_of(const struct access_source *source, struct slice name)
{
    const struct header_section *section = request_of(source)->section;
    const struct field *field = section != NULL ? header_section_find(section, name) : NULL;
    return field != NULL ? field->value : (struct slice){NULL, 0};
}

/* Reads the first field that has the argument's name. */
static bool read_request_field(struct access_source *source, struct access_value *value)
{
    return value_text(value, field_of(source, source->argument));
}

static bool read_user(struct access_source *source, struct access_value *value)
{
    struct slice credentials = field_of(source, SLICE("Authorization"));
    if (credentials.size == 0)
        return false;
    source->scratch.size = 0;
    text_add(&source->scratch, credentials.data, credentials.size);
    size_t size = basic_auth_user(credentials, source->scratch.data);
    return value_text(value, (struct slice){source->scratch.data, size});
}

static const struct traceparent *trace_of(struct access_source *source)
{
    const struct header_section *section = request_of(source)->section;
    if (source->has_trace == TRACE_UNKNOWN) {
        bool found = section != NULL && traceparent_find(section, &source->trace);
        source->has_trace = found ? TRACE_FOUND : TRACE_ABSENT;
    }
    return source->has_trace == TRACE_FOUND ? &source->trace : NULL;
}

static bool read_trace_id(struct access_source *source, struct access_value *value)
{
    const struct traceparent *trace = trace_of(source);
    return trace != NULL && value_text(value, trace->trace_id);
}

static bool read_span_id(struct access_source *source, struct access_value *value)
{
    const struct traceparent *trace = trace_of(source);
    return trace != NULL && value_text(value, trace->span_id);
}

static bool read_trace_flags(struct access_source *source, struct access_value *value)
{
    const struct traceparent *trace = trace_of(source);
    return trace != NULL && value_text(value, trace->flags);
}

/* Joins the lines of a field: RFC 9110 5.3, and RFC 6265 5.4 for cookies. */
static void join_fields(struct text *joined, const struct request *request, struct slice name)
{
    const struct header_section *section = request->section;
    const char *separator = slice_eq_nocase(name, SLICE("Cookie")) ? "; " : ", ";
    bool first = true;
    joined->size = 0;
    for (uint32_t i = 0; i < section->count; i++) {
        const struct field *field = &section->fields[i];
        if (!slice_eq_nocase(field->name, name) || !request_shows(request, field))
            continue;
        text_add(joined, separator, first ? 0 : 2);
        text_add(joined, field->value.data, field->value.size);
        first = false;
    }
}

/* Reads a field as the application sees it: of a proxy's field the trusted part, and repeated lines
 * joined. */
static bool read_environ_field(struct access_source *source, struct access_value *value)
{
    const struct request *request = request_of(source);
    struct slice name = source->argument;
    if (request->section == NULL)
        return false;
    if (request->section->forwarding && request->forwarded != NULL &&
        forwarded_find_name(name) != FORWARDED_NAMES)
        return value_text(value, request->forwarded->kept[forwarded_find_name(name)]);
    join_fields(&source->scratch, request, name);
    return value_text(value, (struct slice){source->scratch.data, source->scratch.size});
}

static bool read_environ_request_id(struct access_source *source, struct access_value *value)
{
    return read_request_id(source, value) || read_environ_field(source, value);
}

static bool read_environ_content_length(struct access_source *source, struct access_value *value)
{
    const struct body *body = &source->exchange->body;
    if (body->framing != FRAMING_CHUNKED)
        return read_request_field(source, value);
    source->scratch.size = 0;
    text_printf(&source->scratch, "%llu", (unsigned long long)body->content.size);
    return value_text(value, (struct slice){source->scratch.data, source->scratch.size});
}

static bool read_time(struct access_source *source, struct access_value *value)
{
    return value_text(value, (struct slice){source->time, timestamp_iso(source->time, &source->now)});
}

static bool read_common_time(struct access_source *source, struct access_value *value)
{
    int size = snprintf(source->time, sizeof(source->time), "[%s]", timestamp_common(source->now.tv_sec));
    return value_text(value, (struct slice){source->time, (size_t)size});
}

static bool read_duration(struct access_source *source, struct access_value *value)
{
    return value_number(value, source->duration_ns);
}

static bool read_seconds(struct access_source *source, struct access_value *value)
{
    return value_number(value, source->duration_ns / 1000000000);
}

static bool read_milliseconds(struct access_source *source, struct access_value *value)
{
    return value_number(value, source->duration_ns / 1000000);
}

static bool read_microseconds(struct access_source *source, struct access_value *value)
{
    return value_number(value, source->duration_ns / 1000);
}

static bool read_queue_time(struct access_source *source, struct access_value *value)
{
    const struct exchange *exchange = source->exchange;
    return exchange->begun_ns != 0 && value_number(value, exchange->begun_ns - exchange->ready_ns);
}

static bool read_app_time(struct access_source *source, struct access_value *value)
{
    const struct exchange *exchange = source->exchange;
    return exchange->begun_ns != 0 && value_number(value, exchange->ended_ns - exchange->begun_ns);
}

static bool read_status(struct access_source *source, struct access_value *value)
{
    const struct exchange *exchange = source->exchange;
    int late = exchange->late_status;
    return value_number(value, (uint64_t)(late != 0 ? late : exchange->response.status));
}

static uint64_t sent_size(const struct exchange *exchange)
{
    return exchange->late_status != 0 ? exchange->late_size : exchange->body_sent;
}

static bool read_sent(struct access_source *source, struct access_value *value)
{
    return value_number(value, sent_size(source->exchange));
}

static bool read_sent_if_any(struct access_source *source, struct access_value *value)
{
    return sent_size(source->exchange) > 0 && read_sent(source, value);
}

/* Unknown for a request without a body. */
static bool read_received(struct access_source *source, struct access_value *value)
{
    const struct body *body = &source->exchange->body;
    return body->framing != FRAMING_NONE && value_number(value, body->content.size);
}

static bool read_response_field(struct access_source *source, struct access_value *value)
{
    /* An answer in the handler's place has none of the handler's fields. Its thread may be writing
     * them. */
    return source->exchange->late_status == 0 &&
           value_text(value, response_find(&source->exchange->response, source->argument));
}

static bool read_address(struct access_source *source, struct access_value *value)
{
    return value_text(value, slice_of(exchange_client(source->exchange)->address));
}

static bool read_port(struct access_source *source, struct access_value *value)
{
    return slice_to_uint64(slice_of(exchange_client(source->exchange)->port), &value->number) == 0;
}

/* The address of the proxy, when the peer speaks for a client. */
static bool read_proxy(struct access_source *source, struct access_value *value)
{
    const char *peer = source->exchange->conn->peer.address;
    return strcmp(peer, exchange_client(source->exchange)->address) != 0 && value_text(value, slice_of(peer));
}

static bool read_pid(struct access_source *source, struct access_value *value)
{
    return value_number(value, (uint64_t)source->pid);
}

static bool read_bracketed_pid(struct access_source *source, struct access_value *value)
{
    int size = snprintf(source->time, sizeof(source->time), "<%d>", source->pid);
    return value_text(value, (struct slice){source->time, (size_t)size});
}

static bool read_worker(struct access_source *source, struct access_value *value)
{
    return source->worker >= 0 && value_number(value, (uint64_t)source->worker);
}

static bool read_nothing(struct access_source *source, struct access_value *value)
{
    (void)source, (void)value;
    return false;
}

/* The one-letter atoms are gunicorn's. JSON is written in this order. */
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
