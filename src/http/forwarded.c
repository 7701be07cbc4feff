/* What proxies say of the client they speak for. */
#include "http/forwarded.h"

#include <stdlib.h>

#include "base/mem.h"
#include "http/forwarded_element.h"
#include "http/hops.h"
#include "http/parser.h"
#include "http/token.h"

static const struct slice names[FORWARDED_NAMES] = {
    [FORWARDED_FOR] = SLICE("X-Forwarded-For"),       [FORWARDED_PROTO] = SLICE("X-Forwarded-Proto"),
    [FORWARDED_HOST] = SLICE("X-Forwarded-Host"),     [FORWARDED_PORT] = SLICE("X-Forwarded-Port"),
    [FORWARDED_PREFIX] = SLICE("X-Forwarded-Prefix"), [FORWARDED_ALL] = SLICE("Forwarded"),
};

/* Not read here, but by applications: from a client they would be lies (CVE-2022-2255). */
static const struct slice others[] = {SLICE("X-Real-IP"), SLICE("X-Client-IP")};

static const struct slice family = SLICE("X-Forwarded-");

enum forwarded_name forwarded_find_name(struct slice name)
{
    size_t i = 0;
    while (i < FORWARDED_NAMES && !slice_eq_nocase(names[i], name))
        i++;
    return (enum forwarded_name)i;
}

bool forwarded_is_name(struct slice name)
{
    if (name.size >= family.size && slice_eq_nocase((struct slice){name.data, family.size}, family))
        return true;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (slice_eq_nocase(others[i], name))
            return true;
    return slice_eq_nocase(names[FORWARDED_ALL], name);
}

bool forwarded_hides(const struct forwarded *forwarded, struct slice name)
{
    return forwarded != NULL ? forwarded_find_name(name) != FORWARDED_NAMES : forwarded_is_name(name);
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
    char *text;         /* where the next text of our own goes */
    unsigned depth;     /* how many items were believed */
    const char *begin;  /* of the leftmost of them; NULL: there is none */
    uint32_t line;      /* the field it stands in */
    struct slice proto; /* of Forwarded */
    struct slice host;
};

static char *put(struct walk *walk, struct slice text)
{
    memcpy(walk->text, text.data, text.size);
    walk->text += text.size;
    return walk->text;
}

/* What stands from the leftmost item that was believed to the end, in all lines of the field. */
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

/* While the one who speaks is trusted. */
static void go(struct walk *walk, enum forwarded_name name, const struct networks *trusted)
{
    struct hops hops;
    struct slice item;
    struct peer_endpoint endpoint;
    hops_begin(&hops, walk->section, names[name]);
    while (hops_next(&hops, &item)) {
        struct forwarded_element element = {.node = item};
        if (name == FORWARDED_ALL) {
            if (!forwarded_element_parse(item, &element))
                break;
            take_item(walk, &hops, item);
            walk->proto = element.proto.data != NULL ? element.proto : walk->proto;
            walk->host = element.host.data != NULL ? element.host : walk->host;
        }
        if (!forwarded_node_parse(element.node, &endpoint))
            break;
        take_item(walk, &hops, item);
        walk->depth++;
        walk->found->client = endpoint;
        walk->found->has_client = true;
        if (!networks_have_peer(trusted, endpoint.address))
            break;
    }
    walk->found->kept[name] = keep_from(walk, names[name]);
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

/* Many proxies are told to send Host without its port. A port that is a scheme's own, though, may be that of a proxy between, whose
 * scheme is not the client's. */
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

/* Two slashes would make a URL of another host of it. */
static bool set_prefix(struct walk *walk, struct slice text)
{
    if (text.size == 0 || text.data[0] != '/' || !slice_all(text, CHAR_TARGET) ||
        memchr(text.data, '?', text.size) != NULL || !escapes_are_whole(text))
        return false;
    size_t size = path_decode(walk->text, text);
    if (size > 1 && walk->text[1] == '/')
        return false;
    while (size > 0 && walk->text[size - 1] == '/')
        size--;
    walk->found->prefix = (struct slice){walk->text, size};
    walk->found->prefix_said = true;
    walk->text += text.size;
    return true;
}

/* In this order: a port is added to the host. */
static const struct {
    enum forwarded_name name;
    bool (*set)(struct walk *walk, struct slice text);
} settings[] = {
    {FORWARDED_PROTO, set_scheme},
    {FORWARDED_HOST, set_host},
    {FORWARDED_PORT, set_port},
    {FORWARDED_PREFIX, set_prefix},
};

static void read_family(struct walk *walk, const struct networks *trusted)
{
    go(walk, FORWARDED_FOR, trusted);
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        struct slice text = outermost(walk, settings[i].name);
        if (text.data != NULL && settings[i].set(walk, text))
            walk->found->kept[settings[i].name] = text;
    }
}

static void read_forwarded(struct walk *walk, const struct networks *trusted)
{
    go(walk, FORWARDED_ALL, trusted);
    set_scheme(walk, walk->proto);
    if (walk->host.data != NULL)
        set_host(walk, walk->host);
}

/* Room for text of our own: a field's lines in one, Host and a port, a prefix. */
static size_t room_for(const struct header_section *section, bool *has_family)
{
    size_t room = section->host.size + sizeof(":65535");
    *has_family = false;
    for (uint32_t i = 0; i < section->count; i++) {
        enum forwarded_name name = forwarded_find_name(section->fields[i].name);
        if (name == FORWARDED_NAMES)
            continue;
        room += section->fields[i].value.size + 2;
        *has_family = *has_family || name != FORWARDED_ALL;
    }
    return room;
}

struct forwarded *forwarded_new(const struct header_section *section, const struct networks *trusted)
{
    bool has_family;
    struct forwarded *found = xcalloc(1, sizeof(*found) + room_for(section, &has_family));
    struct walk walk = {.section = section, .found = found, .text = (char *)(found + 1)};
    if (has_family)
        read_family(&walk, trusted);
    else
        read_forwarded(&walk, trusted);
    if (found->port.size == 0 && found->scheme != SCHEME_UNSAID)
        found->port = host_port(section->host);
    return found;
}

const struct forwarded *forwarded_of(struct header_section *section, const struct networks *trusted)
{
    if (section->forwarded == NULL)
        section->forwarded = forwarded_new(section, trusted);
    return section->forwarded;
}
