/* What the access log can say of a request. */
#include "access/access_request.h"

#include "http/basic_auth.h"
#include "http/parser.h"
#include "http/token.h"

bool access_value_text(struct access_value *value, struct slice text)
{
    value->text = text;
    return text.size > 0;
}

bool access_value_number(struct access_value *value, uint64_t number)
{
    value->number = number;
    return true;
}

static const struct request *request_of(const struct access_source *source)
{
    return &source->exchange->request;
}

/* What stands behind the version is read last: then all of the line is good, or its path alone is not. */
static bool is_parsed(const struct request *request)
{
    return request->path.size > 0;
}

bool read_request_line(struct access_source *source, struct access_value *value)
{
    return access_value_text(value, request_of(source)->line);
}

bool read_method(struct access_source *source, struct access_value *value)
{
    return access_value_text(value, request_of(source)->method);
}

/* RFC 9110 9.3, RFC 5789. */
static bool is_known(struct slice method)
{
    static const struct slice methods[] = {SLICE("GET"),     SLICE("HEAD"),   SLICE("POST"),
                                           SLICE("PUT"),     SLICE("DELETE"), SLICE("CONNECT"),
                                           SLICE("OPTIONS"), SLICE("TRACE"),  SLICE("PATCH")};
    size_t i = 0;
    while (i < sizeof(methods) / sizeof(methods[0]) && !slice_eq(methods[i], method))
        i++;
    return i < sizeof(methods) / sizeof(methods[0]);
}

bool read_known_method(struct access_source *source, struct access_value *value)
{
    struct slice method = request_of(source)->method;
    return access_value_text(value, method.size == 0 || is_known(method) ? method : SLICE("_OTHER"));
}

bool read_original_method(struct access_source *source, struct access_value *value)
{
    struct slice method = request_of(source)->method;
    return !is_known(method) && access_value_text(value, method);
}

bool read_scheme(struct access_source *source, struct access_value *value)
{
    bool https = forwarded_is_https(request_of(source)->forwarded, source->exchange->conn->local);
    return access_value_text(value, https ? SLICE("https") : SLICE("http"));
}

bool read_target(struct access_source *source, struct access_value *value)
{
    return access_value_text(value, request_of(source)->target);
}

bool read_path(struct access_source *source, struct access_value *value)
{
    return access_value_text(value, request_of(source)->path);
}

/* Empty is what it may be; not that of a request that was refused for its escapes. */
bool read_path_info(struct access_source *source, struct access_value *value)
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

bool read_query(struct access_source *source, struct access_value *value)
{
    return access_value_text(value, request_of(source)->query);
}

bool read_protocol(struct access_source *source, struct access_value *value)
{
    const struct request *request = request_of(source);
    return is_parsed(request) &&
           access_value_text(value, request->minor > 0 ? SLICE("HTTP/1.1") : SLICE("HTTP/1.0"));
}

bool read_version(struct access_source *source, struct access_value *value)
{
    const struct request *request = request_of(source);
    return is_parsed(request) && access_value_text(value, request->minor > 0 ? SLICE("1.1") : SLICE("1.0"));
}

bool read_host(struct access_source *source, struct access_value *value)
{
    return access_value_text(value, request_host(request_of(source)));
}

/* The authority of a target that was refused may be none. */
static bool find_host(const struct access_source *source, struct slice *host)
{
    *host = request_host(request_of(source));
    return host->size > 0 && slice_is_host(*host);
}

/* An address is one without the brackets that a URL needs. */
bool read_server_address(struct access_source *source, struct access_value *value)
{
    struct slice host;
    if (!find_host(source, &host))
        return false;
    struct slice name = host_name(host);
    if (name.data[0] == '[')
        name = (struct slice){name.data + 1, name.size - 2};
    return access_value_text(value, name);
}

bool read_server_port(struct access_source *source, struct access_value *value)
{
    struct slice host;
    return find_host(source, &host) && slice_to_uint64(host_port(host), &value->number) == 0;
}

bool read_request_id(struct access_source *source, struct access_value *value)
{
    return access_value_text(value, request_of(source)->id);
}

static struct slice field_of(const struct access_source *source, struct slice name)
{
    const struct header_section *section = request_of(source)->section;
    const struct field *field = section != NULL ? header_section_find(section, name) : NULL;
    return field != NULL ? field->value : (struct slice){NULL, 0};
}

bool read_request_field(struct access_source *source, struct access_value *value)
{
    return access_value_text(value, field_of(source, source->argument));
}

bool read_user(struct access_source *source, struct access_value *value)
{
    struct slice credentials = field_of(source, SLICE("Authorization"));
    if (credentials.size == 0)
        return false;
    source->scratch.size = 0;
    text_add(&source->scratch, credentials.data, credentials.size);
    size_t size = basic_auth_user(credentials, source->scratch.data);
    return access_value_text(value, (struct slice){source->scratch.data, size});
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

bool read_trace_id(struct access_source *source, struct access_value *value)
{
    const struct traceparent *trace = trace_of(source);
    return trace != NULL && access_value_text(value, trace->trace_id);
}

bool read_span_id(struct access_source *source, struct access_value *value)
{
    const struct traceparent *trace = trace_of(source);
    return trace != NULL && access_value_text(value, trace->span_id);
}

bool read_trace_flags(struct access_source *source, struct access_value *value)
{
    const struct traceparent *trace = trace_of(source);
    return trace != NULL && access_value_text(value, trace->flags);
}

/* RFC 9110 5.3, and RFC 6265 5.4 for cookies. */
static void join(struct text *joined, const struct request *request, struct slice name)
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

bool read_environ_field(struct access_source *source, struct access_value *value)
{
    const struct request *request = request_of(source);
    struct slice name = source->argument;
    if (request->section == NULL)
        return false;
    if (request->section->forwarding && request->forwarded != NULL &&
        forwarded_find_name(name) != FORWARDED_NAMES)
        return access_value_text(value, request->forwarded->kept[forwarded_find_name(name)]);
    join(&source->scratch, request, name);
    return access_value_text(value, (struct slice){source->scratch.data, source->scratch.size});
}

bool read_environ_request_id(struct access_source *source, struct access_value *value)
{
    return read_request_id(source, value) || read_environ_field(source, value);
}

bool read_environ_content_length(struct access_source *source, struct access_value *value)
{
    const struct body *body = &source->exchange->body;
    if (body->framing != FRAMING_CHUNKED)
        return read_request_field(source, value);
    source->scratch.size = 0;
    text_printf(&source->scratch, "%llu", (unsigned long long)body->content.size);
    return access_value_text(value, (struct slice){source->scratch.data, source->scratch.size});
}
