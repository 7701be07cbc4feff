/* One item of Forwarded, and the node it names. */
#include "http/forwarded_element.h"

#include <stdio.h>

#include "http/token.h"
#include "options/networks.h"

static void advance(struct slice *rest, size_t n)
{
    rest->data += n;
    rest->size -= n;
}

static size_t token_span(struct slice text)
{
    size_t i = 0;
    while (i < text.size && char_is((unsigned char)text.data[i], CHAR_TOKEN))
        i++;
    return i;
}

/* From behind the first quote. */
static bool take_quoted(struct slice *rest, struct slice *value)
{
    const char *end = memchr(rest->data, '"', rest->size);
    if (end == NULL)
        return false;
    *value = (struct slice){rest->data, (size_t)(end - rest->data)};
    advance(rest, value->size + 1);
    return memchr(value->data, '\\', value->size) == NULL;
}

static bool take_pair(struct slice *rest, struct slice *name, struct slice *value)
{
    *name = (struct slice){rest->data, token_span(*rest)};
    if (name->size == 0 || name->size == rest->size || rest->data[name->size] != '=')
        return false;
    advance(rest, name->size + 1);
    if (rest->size > 0 && rest->data[0] == '"') {
        advance(rest, 1);
        return take_quoted(rest, value);
    }
    *value = (struct slice){rest->data, token_span(*rest)};
    advance(rest, value->size);
    return value->size > 0;
}

static bool store(struct forwarded_element *element, struct slice name, struct slice value)
{
    const struct {
        struct slice name;
        struct slice *value;
    } known[] = {
        {SLICE("for"), &element->node},
        {SLICE("proto"), &element->proto},
        {SLICE("host"), &element->host},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!slice_eq_nocase(name, known[i].name))
            continue;
        if (known[i].value->data != NULL)
            return false;
        *known[i].value = value;
    }
    return true;
}

bool forwarded_element_parse(struct slice text, struct forwarded_element *element)
{
    struct slice rest = slice_trim(text), name, value;
    *element = (struct forwarded_element){.node = {NULL, 0}};
    while (rest.size > 0) {
        if (rest.data[0] != ';' && (!take_pair(&rest, &name, &value) || !store(element, name, value)))
            return false;
        rest = slice_trim(rest);
        if (rest.size > 0 && rest.data[0] != ';')
            return false;
        if (rest.size > 0)
            advance(&rest, 1);
        rest = slice_trim(rest);
    }
    return true;
}

static char *put(char *out, const char *from, const char *to)
{
    memcpy(out, from, (size_t)(to - from));
    return out + (to - from);
}

static bool is_believed(const struct forwarded_fields *fields, struct slice name)
{
    enum forwarded_part part = forwarded_part_find(name);
    return part != FORWARDED_PARTS && forwarded_fields_have(fields, part);
}

size_t forwarded_elements_keep(struct slice text, const struct forwarded_fields *fields, char *out)
{
    struct slice rest = slice_trim(text), name, value;
    char *end = out;
    bool comma = false;
    while (rest.size > 0) {
        const char *begin = rest.data;
        if (*begin == ',' || *begin == ';') {
            comma = comma || *begin == ',';
            advance(&rest, 1);
        } else if (!take_pair(&rest, &name, &value)) {
            break;
        } else if (is_believed(fields, name)) {
            const char *separator = comma ? ", " : ";";
            if (end > out)
                end = put(end, separator, separator + strlen(separator));
            end = put(end, begin, rest.data);
            comma = false;
        }
        rest = slice_trim(rest);
    }
    return (size_t)(end - out);
}

/* Cuts a port off, which has to stand behind brackets or behind the only colon. */
static bool split_node(struct slice text, struct slice *address, struct slice *port)
{
    *address = text;
    *port = (struct slice){NULL, 0};
    if (text.data[0] == '[') {
        const char *end = memchr(text.data, ']', text.size);
        if (end == NULL)
            return false;
        *address = (struct slice){text.data + 1, (size_t)(end - text.data - 1)};
        advance(&text, address->size + 2);
        if (memchr(address->data, ':', address->size) == NULL || (text.size > 0 && text.data[0] != ':'))
            return false;
        if (text.size > 0)
            *port = (struct slice){text.data + 1, text.size - 1};
        return true;
    }
    const char *colon = memchr(text.data, ':', text.size);
    if (colon != NULL && colon == memrchr(text.data, ':', text.size)) {
        address->size = (size_t)(colon - text.data);
        *port = (struct slice){colon + 1, text.size - address->size - 1};
    }
    return true;
}

static bool port_parse(struct slice text, struct peer_endpoint *endpoint)
{
    uint64_t port;
    endpoint->port[0] = '\0';
    if (text.data == NULL)
        return true;
    if (text.size > 1 && text.data[0] == '_')
        return true;
    if (slice_to_uint64(text, &port) < 0 || port > 65535)
        return false;
    snprintf(endpoint->port, sizeof(endpoint->port), "%u", (unsigned)port);
    return true;
}

bool forwarded_node_parse(struct slice text, struct peer_endpoint *endpoint)
{
    struct slice address, port;
    struct ip_address ip;
    *endpoint = (struct peer_endpoint){.address = ""};
    if (slice_eq(text, SLICE("unix:")))
        return true;
    if (text.size == 0 || !split_node(text, &address, &port) || ip_parse(address, &ip) < 0 ||
        !port_parse(port, endpoint))
        return false;
    ip_format(&ip, endpoint->address);
    return true;
}
