/* The fields in which proxies name the client that they speak for. */
#include "http/forwarded.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "http/token.h"
#include "options/networks.h"

/* An item of Forwarded. Values are without their quotes; data is NULL for a parameter that is
 * absent. */
struct forwarded_element {
    struct slice node; /* for= */
    struct slice proto;
    struct slice host;
};

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

/* `rest` begins after the first quote. */
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

/* An item of Forwarded (RFC 7239 4). False when it is malformed, says a parameter twice, or needs a
 * backslash: no known value needs one. */
static bool forwarded_element_parse(struct slice text, struct forwarded_element *element)
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

static char *put_range(char *out, const char *from, const char *to)
{
    memcpy(out, from, (size_t)(to - from));
    return out + (to - from);
}

static bool is_believed(const struct forwarded_fields *fields, struct slice name)
{
    enum forwarded_part part = forwarded_part_find(name);
    return part != FORWARDED_PARTS && forwarded_fields_have(fields, part);
}

/* For elements that forwarded_element_parse accepted, between commas: copies the parameters that
 * are believed to `out`, which has room for all of them. Returns the size; no NUL is added. Other
 * parameters may be the client's. */
static size_t forwarded_elements_keep(struct slice text, const struct forwarded_fields *fields, char *out)
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
                end = put_range(end, separator, separator + strlen(separator));
            end = put_range(end, begin, rest.data);
            comma = false;
        }
        rest = slice_trim(rest);
    }
    return (size_t)(end - out);
}

/* Cuts off the port. The port follows brackets, or the only colon. */
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

/* A node (RFC 7239 6): ADDRESS, ADDRESS:PORT, [V6] or [V6]:PORT. Also V6 alone, as X-Forwarded-For
 * has it, and "unix:", nginx's name for clients of its Unix-domain sockets. False for any other
 * text: unknown, hidden or nonsense. A hidden port ("_x") counts as no port. */
static bool forwarded_node_parse(struct slice text, struct peer_endpoint *endpoint)
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

/*
 * The items of a list field, which may stand in several lines. The walk goes from the last to the
 * first, as proxies add them. Empty items are skipped (RFC 9110 5.6.1). A comma within a quoted
 * string ends no item.
 *
 * From the right the text is the proxy's, and whole. A quote that a client has left open at the
 * left must not swallow it.
 */
struct hops {
    const struct header_section *section;
    struct slice name;
    uint32_t line;     /* fields from here on are done, or begun */
    struct slice rest; /* of that line: the text before the items that were taken */
};

static void hops_begin(struct hops *hops, const struct header_section *section, struct slice name)
{
    *hops = (struct hops){.section = section, .name = name, .line = section->count};
}

/* Finds the line of that name before those that are done. */
static bool hops_line(struct hops *hops)
{
    while (hops->line > 0) {
        const struct field *field = &hops->section->fields[--hops->line];
        if (slice_eq_nocase(field->name, hops->name)) {
            hops->rest = field->value;
            return true;
        }
    }
    return false;
}

static struct slice hops_cut(struct slice *rest)
{
    bool quoted = false;
    size_t begin = rest->size;
    while (begin > 0 && (quoted || rest->data[begin - 1] != ',')) {
        quoted ^= rest->data[begin - 1] == '"';
        begin--;
    }
    struct slice item = {rest->data + begin, rest->size - begin};
    rest->size = begin > 0 ? begin - 1 : 0;
    return slice_trim(item);
}

static bool hops_next(struct hops *hops, struct slice *item)
{
    do {
        if (hops->rest.size == 0 && !hops_line(hops))
            return false;
        *item = hops->rest.size > 0 ? hops_cut(&hops->rest) : (struct slice){NULL, 0};
    } while (item->size == 0);
    return true;
}

static const struct slice names[FORWARDED_NAMES] = {
    [FORWARDED_FOR] = SLICE("X-Forwarded-For"),
    [FORWARDED_PROTO] = SLICE("X-Forwarded-Proto"),
    [FORWARDED_HOST] = SLICE("X-Forwarded-Host"),
    [FORWARDED_PORT] = SLICE("X-Forwarded-Port"),
    [FORWARDED_PREFIX] = SLICE("X-Forwarded-Prefix"),
    [FORWARDED_BY] = SLICE("X-Forwarded-By"),
    [FORWARDED_ALL] = SLICE("Forwarded"),
};
_Static_assert((int)FORWARDED_ALL == (int)FORWARDED_PARTS, "a name is a part");

/* Applications read these fields, and the server does not. From a client they would be lies
 * (CVE-2022-2255). */
static const struct slice others[] = {SLICE("X-Real-IP"), SLICE("X-Client-IP")};

static const struct slice family = SLICE("X-Forwarded-");

enum forwarded_name forwarded_find_name(struct slice name)
{
    size_t i = 0;
    while (i < FORWARDED_NAMES && !slice_eq_nocase(names[i], name))
        i++;
    return (enum forwarded_name)i;
}

static bool is_other(struct slice name)
{
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (slice_eq_nocase(others[i], name))
            return true;
    return false;
}

bool forwarded_is_name(struct slice name)
{
    if (name.size >= family.size && slice_eq_nocase((struct slice){name.data, family.size}, family))
        return true;
    return is_other(name) || slice_eq_nocase(names[FORWARDED_ALL], name);
}

/* True when X-Real-IP or X-Client-IP names another client than the one found: a client's invention,
 * or a proxy's that was not asked. Most proxies write the address as it is kept here; then nothing
 * is parsed. */
static bool is_contradicted(const struct forwarded *forwarded, struct slice value)
{
    struct peer_endpoint named;
    if (!forwarded->has_client || (value.size > 0 && slice_eq(value, slice_of(forwarded->client.address))))
        return false;
    return !forwarded_node_parse(value, &named) || strcmp(named.address, forwarded->client.address) != 0;
}

bool forwarded_hides(const struct forwarded *forwarded, struct slice name, struct slice value)
{
    if (!forwarded_is_name(name))
        return false;
    if (forwarded == NULL || forwarded_find_name(name) != FORWARDED_NAMES)
        return true;
    if (forwarded_fields_name(forwarded->fields, name))
        return false;
    return !is_other(name) || !forwarded_fields_have(forwarded->fields, PART_FOR) ||
           is_contradicted(forwarded, value);
}

bool forwarded_is_https(const struct forwarded *forwarded, const struct local_endpoint *local)
{
    if (forwarded == NULL || forwarded->scheme == SCHEME_UNSAID)
        return local->https;
    return forwarded->scheme == SCHEME_HTTPS;
}

/* A walk from proxy to proxy. */
struct walk {
    const struct header_section *section;
    struct forwarded *found;
    char *text;         /* the place for the next text of our own */
    unsigned depth;     /* how many items were believed */
    const char *begin;  /* of the leftmost item that was believed; NULL: none was */
    uint32_t line;      /* the field in which it stands */
    struct slice proto; /* of Forwarded */
    struct slice host;
};

static char *put(struct walk *walk, struct slice text)
{
    memcpy(walk->text, text.data, text.size);
    walk->text += text.size;
    return walk->text;
}

static bool believes(const struct walk *walk, enum forwarded_part part)
{
    return forwarded_fields_have(walk->found->fields, part);
}

/* The text from the leftmost believed item to the end, in all lines of the field. */
static struct slice keep_from(struct walk *walk, struct slice name)
{
    const struct header_section *section = walk->section;
    if (walk->begin == NULL)
        return (struct slice){NULL, 0};
    struct slice value = section->fields[walk->line].value;
    struct slice kept = {walk->begin, (size_t)(value.data + value.size - walk->begin)};
    char *joined = walk->text;
    for (uint32_t i = walk->line + 1; i < section->count; i++) {
        if (!slice_eq_nocase(section->fields[i].name, name))
            continue;
        if (kept.data != joined)
            put(walk, kept);
        put(walk, SLICE(", "));
        kept = (struct slice){joined, (size_t)(put(walk, section->fields[i].value) - joined)};
    }
    return kept;
}

static void take_item(struct walk *walk, const struct hops *hops, struct slice item)
{
    walk->begin = item.data;
    walk->line = hops->line;
}

/* The walk ends at `endpoint`. A proxy that --forwarded-allow-ips does not name mostly has a
 * private address. */
static void end_walk(struct walk *walk, struct hops *hops, const struct peer_endpoint *endpoint)
{
    struct slice more;
    walk->found->cut_at_private = hops_next(hops, &more) && address_is_private(endpoint->address);
}

/* True when the walk goes on at the left of the item. */
static bool step(struct walk *walk, struct hops *hops, struct slice item, struct slice node,
                 const struct networks *trusted)
{
    struct peer_endpoint endpoint;
    if (!believes(walk, PART_FOR) || !forwarded_node_parse(node, &endpoint))
        return false;
    take_item(walk, hops, item);
    walk->depth++;
    walk->found->client = endpoint;
    walk->found->has_client = true;
    if (networks_have_peer(trusted, endpoint.address))
        return true;
    end_walk(walk, hops, &endpoint);
    return false;
}

/* Walks while the speaker is trusted. */
static void go_family(struct walk *walk, const struct networks *trusted)
{
    struct hops hops;
    struct slice item;
    hops_begin(&hops, walk->section, names[FORWARDED_FOR]);
    while (hops_next(&hops, &item) && step(walk, &hops, item, item, trusted))
        ;
    walk->found->kept[FORWARDED_FOR] = keep_from(walk, names[FORWARDED_FOR]);
}

/* Walks likewise through items that hold scheme and host as well. */
static void go_forwarded(struct walk *walk, const struct networks *trusted)
{
    struct hops hops;
    struct slice item;
    struct forwarded_element element;
    hops_begin(&hops, walk->section, names[FORWARDED_ALL]);
    while (hops_next(&hops, &item) && forwarded_element_parse(item, &element)) {
        take_item(walk, &hops, item);
        walk->proto = element.proto.data != NULL ? element.proto : walk->proto;
        walk->host = element.host.data != NULL ? element.host : walk->host;
        if (!step(walk, &hops, item, element.node, trusted))
            break;
    }
    struct slice kept = keep_from(walk, names[FORWARDED_ALL]);
    size_t size = forwarded_elements_keep(kept, walk->found->fields, walk->text);
    if (size > 0)
        walk->found->kept[FORWARDED_ALL] = (struct slice){walk->text, size};
    walk->text += size;
}

/* The item that the outermost proxy has added. */
static struct slice outermost(const struct walk *walk, enum forwarded_name name)
{
    struct hops hops;
    struct slice item, found = {NULL, 0};
    hops_begin(&hops, walk->section, names[name]);
    for (unsigned i = 0; (i == 0 || i < walk->depth) && hops_next(&hops, &item); i++)
        found = item;
    return found;
}

static bool set_scheme(struct walk *walk, struct slice text)
{
    if (slice_eq_nocase(text, SLICE("https")))
        walk->found->scheme = SCHEME_HTTPS;
    else if (slice_eq_nocase(text, SLICE("http")))
        walk->found->scheme = SCHEME_HTTP;
    return walk->found->scheme != SCHEME_UNSAID;
}

static bool set_host(struct walk *walk, struct slice host)
{
    struct forwarded *found = walk->found;
    if (!slice_is_host(host))
        return false;
    found->host = host;
    found->host_said = true;
    found->name = host_name(host);
    found->port = host_port(host);
    return true;
}

/* Many proxies send Host without its port. But the port 80 or 443 may be that of a proxy in the
 * middle, whose scheme is not the client's. */
static void add_port(struct walk *walk, struct slice host)
{
    struct slice port = walk->found->port;
    if (host.size == 0 || host_port(host).size > 0 || host.data[host.size - 1] == ':' ||
        slice_eq(port, SLICE("80")) || slice_eq(port, SLICE("443")))
        return;
    char *begin = put(walk, host) - host.size;
    put(walk, SLICE(":"));
    walk->found->host = (struct slice){begin, (size_t)(put(walk, port) - begin)};
}

static bool set_port(struct walk *walk, struct slice text)
{
    uint64_t port;
    if (slice_to_uint64(text, &port) < 0 || port == 0 || port > 65535 || text.data[0] == '0')
        return false;
    walk->found->port = text;
    add_port(walk, walk->found->host_said ? walk->found->host : walk->section->host);
    return true;
}

/* SCRIPT_NAME stands in front of every link. With two slashes or a backslash the link is a URL of
 * another host. A control character begins another header field. A dot segment leads to another
 * place. */
static bool is_safe_path(struct slice path)
{
    struct slice rest = path;
    for (size_t i = 0; i < path.size; i++) {
        unsigned char c = (unsigned char)path.data[i];
        if (c < ' ' || c == 0x7f || c == '\\' || (c == '/' && i > 0 && path.data[i - 1] == '/'))
            return false;
    }
    while (rest.data != NULL) {
        const char *slash = rest.size > 0 ? memchr(rest.data, '/', rest.size) : NULL;
        struct slice segment = {rest.data, slash != NULL ? (size_t)(slash - rest.data) : rest.size};
        if (slice_eq(segment, SLICE(".")) || slice_eq(segment, SLICE("..")))
            return false;
        rest =
            slash != NULL ? (struct slice){slash + 1, rest.size - segment.size - 1} : (struct slice){NULL, 0};
    }
    return true;
}

static bool set_prefix(struct walk *walk, struct slice text)
{
    struct forwarded *found = walk->found;
    found->prefix_refused = text;
    if (text.size == 0 || text.data[0] != '/' || !slice_all(text, CHAR_TARGET) ||
        memchr(text.data, '?', text.size) != NULL || !escapes_are_whole(text))
        return false;
    size_t size = path_decode(walk->text, text);
    if (!is_safe_path((struct slice){walk->text, size}))
        return false;
    if (walk->text[size - 1] == '/')
        size--;
    found->prefix_refused = (struct slice){NULL, 0};
    found->prefix = (struct slice){walk->text, size};
    found->prefix_said = true;
    walk->text += text.size;
    return true;
}

static bool set_by(struct walk *walk, struct slice text)
{
    (void)walk;
    return text.size > 0;
}

/* The order counts: the port is added to the host. */
static const struct {
    enum forwarded_name name;
    bool (*set)(struct walk *walk, struct slice text);
} settings[] = {
    {FORWARDED_PROTO, set_scheme},  {FORWARDED_HOST, set_host}, {FORWARDED_PORT, set_port},
    {FORWARDED_PREFIX, set_prefix}, {FORWARDED_BY, set_by}, /* for the application alone */
};

static void read_family(struct walk *walk, const struct networks *trusted)
{
    go_family(walk, trusted);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (!believes(walk, (enum forwarded_part)settings[i].name))
            continue;
        struct slice text = outermost(walk, settings[i].name);
        if (text.data != NULL && settings[i].set(walk, text))
            walk->found->kept[settings[i].name] = text;
    }
}

static void read_forwarded(struct walk *walk, const struct networks *trusted)
{
    go_forwarded(walk, trusted);
    if (believes(walk, PART_PROTO))
        set_scheme(walk, walk->proto);
    if (believes(walk, PART_HOST) && walk->host.data != NULL)
        set_host(walk, walk->host);
}

/* Room for text of our own: the lines of a field in one; Host and a port; a prefix; and the rest of
 * Forwarded, in which a comma becomes two bytes. A family field that is not believed may be the
 * client's: it does not keep Forwarded from being read. */
static size_t room_for(const struct header_section *section, const struct forwarded_fields *fields,
                       bool *has_family)
{
    size_t room = section->host.size + sizeof(":65535");
    *has_family = false;
    for (uint32_t i = 0; i < section->count; i++) {
        enum forwarded_name name = forwarded_find_name(section->fields[i].name);
        if (name == FORWARDED_NAMES)
            continue;
        room += (section->fields[i].value.size + 2) * (name == FORWARDED_ALL ? 3 : 1);
        if (name != FORWARDED_ALL && forwarded_fields_have(fields, (enum forwarded_part)name))
            *has_family = true;
    }
    return room;
}

struct forwarded *forwarded_new(const struct header_section *section, const struct networks *trusted,
                                const struct forwarded_fields *fields)
{
    bool has_family;
    struct forwarded *found = xcalloc(1, sizeof(*found) + room_for(section, fields, &has_family));
    found->fields = fields;
    struct walk walk = {.section = section, .found = found, .text = (char *)(found + 1)};
    if (has_family)
        read_family(&walk, trusted);
    else
        read_forwarded(&walk, trusted);
    if (found->port.size == 0 && found->scheme != SCHEME_UNSAID)
        found->port = host_port(section->host);
    return found;
}

const struct forwarded *forwarded_of(struct header_section *section, const struct networks *trusted,
                                     const struct forwarded_fields *fields)
{
    if (section->forwarded == NULL)
        section->forwarded = forwarded_new(section, trusted, fields);
    return section->forwarded;
}
