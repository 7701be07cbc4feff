/*
 * The parser. First the request line (RFC 9112 3): method, target, version, with one space between
 * them. Then the header section (RFC 9112 5): its field lines, and the decisions of the few fields
 * that concern the connection.
 */
#include "http/parser.h"

#include <stdlib.h>

#include "base/mem.h"
#include "http/forwarded.h"
#include "http/token.h"

enum { METHOD_MAX = 64 };

static size_t span(const char *data, size_t size, int class)
{
    size_t i = 0;
    while (i < size && char_is((unsigned char)data[i], class))
        i++;
    return i;
}

/* "HTTP/" DIGIT "." DIGIT, case-sensitive (RFC 9112 2.3). */
static int version_parse(struct request *request, struct slice version)
{
    const char *text = version.data;
    if (version.size != 8 || memcmp(text, "HTTP/", 5) != 0 || text[6] != '.' ||
        !char_is((unsigned char)text[5], CHAR_DIGIT) || !char_is((unsigned char)text[7], CHAR_DIGIT))
        return 400;
    if (text[5] != '1')
        return 505;
    /* A higher minor version is served as the highest that is known (RFC 9110 2.5). */
    request->minor = text[7] == '0' ? 0 : 1;
    return 0;
}

/* `rest` begins at the path. An absolute form may have a query and no path. */
static int path_parse(struct request *request, struct slice rest)
{
    const char *mark = rest.size > 0 ? memchr(rest.data, '?', rest.size) : NULL;
    size_t size = mark == NULL ? rest.size : (size_t)(mark - rest.data);
    request->path = size == 0 ? SLICE("/") : (struct slice){rest.data, size};
    if (mark != NULL)
        request->query = (struct slice){mark + 1, rest.size - size - 1};
    request->path_escaped = memchr(request->path.data, '%', request->path.size) != NULL;
    return request->path_escaped && !escapes_are_whole(request->path) ? 400 : 0;
}

/* RFC 9112 3.2.2. A gateway is reached by these two schemes. A resource of another scheme is not
 * here. */
static int absolute_form_parse(struct request *request)
{
    static const struct slice schemes[] = {SLICE("http://"), SLICE("https://")};
    struct slice target = request->target;
    size_t start = 0;
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]) && start == 0; i++) {
        struct slice prefix = {target.data, schemes[i].size};
        if (target.size > prefix.size && slice_eq_nocase(prefix, schemes[i]))
            start = prefix.size;
    }
    if (start == 0)
        return 400;

    size_t end = start;
    while (end < target.size && target.data[end] != '/' && target.data[end] != '?')
        end++;
    request->authority = (struct slice){target.data + start, end - start};
    if (!slice_is_host(request->authority))
        return 400;
    return path_parse(request, (struct slice){target.data + end, target.size - end});
}

static int target_parse(struct request *request)
{
    if (request->target.data[0] == '/')
        return path_parse(request, request->target);
    if (slice_eq(request->target, SLICE("*"))) {
        request->path = request->target;
        return slice_eq(request->method, SLICE("OPTIONS")) ? 0 : 400;
    }
    return absolute_form_parse(request);
}

int request_line_parse(struct request *request, struct slice line)
{
    *request = (struct request){.line = line};
    size_t method = span(line.data, line.size, CHAR_TOKEN);
    if (method == 0 || method == line.size || line.data[method] != ' ')
        return 400;
    if (method > METHOD_MAX)
        return 501;

    struct slice rest = {line.data + method + 1, line.size - method - 1};
    size_t target = span(rest.data, rest.size, CHAR_TARGET);
    if (target == 0 || target == rest.size || rest.data[target] != ' ')
        return 400;
    request->method = (struct slice){line.data, method};
    request->target = (struct slice){rest.data, target};
    request->is_head = slice_eq(request->method, SLICE("HEAD"));

    int status = version_parse(request, (struct slice){rest.data + target + 1, rest.size - target - 1});
    if (status != 0)
        return status;
    if (slice_eq(request->method, SLICE("CONNECT")))
        return 501; /* an application server makes no tunnels */
    return target_parse(request);
}

/* The fields seen so far, as far as the section does not keep it. */
struct section_state {
    struct header_section *section;
    bool content_type;
    bool request_id;
};

/* The value is empty for a target without an authority (RFC 9112 3.2). */
static int take_host(struct section_state *state, struct slice value)
{
    if (state->section->host.data != NULL || (value.size > 0 && !slice_is_host(value)))
        return 400;
    state->section->host = value;
    return 0;
}

static int take_content_length(struct section_state *state, struct slice value)
{
    struct header_section *section = state->section;
    /* Repeated, with Transfer-Encoding, or no number: the end of the body is ambiguous (RFC 9112
     * 6.3). */
    if (section->framing != FRAMING_NONE || slice_to_uint64(value, &section->content_length) != 0)
        return 400;
    section->framing = FRAMING_LENGTH;
    return 0;
}

static int take_transfer_encoding(struct section_state *state, struct slice value)
{
    if (state->section->framing != FRAMING_NONE)
        return 400;
    if (!slice_eq_nocase(value, SLICE("chunked")))
        return 501;
    state->section->framing = FRAMING_CHUNKED;
    return 0;
}

static int take_content_type(struct section_state *state, struct slice value)
{
    (void)value;
    if (state->content_type)
        return 400;
    state->content_type = true;
    return 0;
}

static int take_expect(struct section_state *state, struct slice value)
{
    if (!slice_eq_nocase(value, SLICE("100-continue")))
        return 417;
    state->section->expect_continue = true;
    return 0;
}

static int take_connection(struct section_state *state, struct slice value)
{
    while (value.data != NULL) {
        struct slice option = slice_next(&value, ',');
        if (slice_eq_nocase(option, SLICE("close")))
            state->section->connection_close = true;
        else if (slice_eq_nocase(option, SLICE("keep-alive")))
            state->section->connection_keep_alive = true;
    }
    return 0;
}

/* The id goes into logs and into the answer. Two ids are ambiguous, and neither is taken. */
static int take_request_id(struct section_state *state, struct slice value)
{
    size_t i = 0;
    while (i < value.size && value.data[i] > ' ' && value.data[i] < 0x7f)
        i++;
    bool good = !state->request_id && value.size > 0 && i == value.size && value.size <= REQUEST_ID_MAX;
    state->section->request_id = good ? value : (struct slice){NULL, 0};
    state->request_id = true;
    return 0;
}

static const struct {
    struct slice name;
    int (*take)(struct section_state *state, struct slice value);
} known_fields[] = {
    {SLICE("Host"), take_host},
    {SLICE("Connection"), take_connection},
    {SLICE("Content-Length"), take_content_length},
    {SLICE("Content-Type"), take_content_type},
    {SLICE("Transfer-Encoding"), take_transfer_encoding},
    {SLICE("Expect"), take_expect},
    {SLICE("X-Request-Id"), take_request_id},
};

/* An application could take such a name for another field, or for a variable of its own. */
static bool is_hidden(struct slice name)
{
    return memchr(name.data, '_', name.size) != NULL || slice_eq_nocase(name, SLICE("Proxy"));
}

static int field_take(struct section_state *state, struct field field)
{
    for (size_t i = 0; i < sizeof(known_fields) / sizeof(known_fields[0]); i++) {
        if (known_fields[i].name.size == field.name.size &&
            slice_eq_nocase(known_fields[i].name, field.name)) {
            int status = known_fields[i].take(state, field.value);
            if (status != 0)
                return status;
        }
    }
    if (is_hidden(field.name))
        return 0;
    state->section->forwarding = state->section->forwarding || forwarded_is_name(field.name);
    state->section->fields[state->section->count++] = field;
    return 0;
}

/* Cuts "name:value CRLF" off `rest`. */
static int field_cut(struct slice *rest, struct field *field)
{
    size_t name = 0;
    while (name < rest->size && char_is((unsigned char)rest->data[name], CHAR_TOKEN))
        name++;
    if (name == 0 || name == rest->size || rest->data[name] != ':')
        return 400;
    field->name = (struct slice){rest->data, name};
    rest->data += name + 1;
    rest->size -= name + 1;

    size_t value = value_span(*rest);
    if (rest->size - value < 2 || rest->data[value] != '\r' || rest->data[value + 1] != '\n')
        return 400;
    field->value = slice_trim((struct slice){rest->data, value});
    rest->data += value + 2;
    rest->size -= value + 2;
    return 0;
}

int field_lines_check(struct slice lines)
{
    struct field field;
    int status = 0;
    while (status == 0 && lines.size > 0)
        status = field_cut(&lines, &field);
    return status;
}

/* Counts the lines before the empty one, so that one block can hold all of them. */
static int lines_count(struct slice bytes, const struct parser_limits *limits, size_t *count)
{
    const char *line = bytes.data, *end = bytes.data + bytes.size, *next;
    for (*count = 0; line < end; line = next + 1) {
        next = memchr(line, '\n', (size_t)(end - line));
        if (next == NULL)
            return 400;
        if (next - line == 1)
            return 0;
        if ((size_t)(next - line) > limits->field_size + 1 || ++*count > limits->fields)
            return 431;
    }
    return 400;
}

/* The fields come first in the block, then the bytes that they point into. */
static struct header_section *section_new(struct slice bytes, size_t count)
{
    size_t head = sizeof(struct header_section) + count * sizeof(struct field);
    struct header_section *section = xmalloc(head + bytes.size);
    char *copy = (char *)section + head;
    memcpy(copy, bytes.data, bytes.size);
    *section = (struct header_section){.references = 1, .bytes = {copy, bytes.size}};
    return section;
}

static int section_read(struct slice bytes, const struct parser_limits *limits,
                        struct header_section **section)
{
    size_t count;
    int status = lines_count(bytes, limits, &count);
    if (status != 0)
        return status;

    struct section_state state = {.section = section_new(bytes, count)};
    struct slice rest = state.section->bytes;
    for (size_t i = 0; i < count && status == 0; i++) {
        struct field field;
        status = field_cut(&rest, &field);
        if (status == 0)
            status = field_take(&state, field);
    }
    if (status == 0 && !slice_eq(rest, SLICE("\r\n")))
        status = 400;
    if (status != 0) {
        free(state.section);
        return status;
    }
    *section = state.section;
    return 0;
}

int header_section_parse(struct slice bytes, const struct parser_limits *limits,
                         struct header_section **section)
{
    int status = section_read(bytes, limits, section);
    /* In a head that arrives line by line, head_check_lines finds a malformed line first. */
    bool refused = status != 0 && status != 400;
    return refused && field_lines_check((struct slice){bytes.data, bytes.size - 2}) != 0 ? 400 : status;
}

int request_check(const struct request *request)
{
    const struct header_section *section = request->section;
    if (request->minor >= 1 && section->host.data == NULL)
        return 400; /* RFC 9112 3.2 */
    if (request->minor == 0 && section->framing == FRAMING_CHUNKED)
        return 400; /* RFC 9112 6.1: its framing is faulty */
    return 0;
}
