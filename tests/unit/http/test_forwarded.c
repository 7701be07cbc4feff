/*
 * The fields that name a client: the values that are believed, and the parts that are kept. Our
 * peer is trusted in all cases, and so are 10.0.0.0/8, ::1 and Unix-domain sockets. All fields are
 * believed unless a row says otherwise.
 */
#include "http/forwarded.h"

#include "base/mem.h"
#include "http/parser.h"
#include "unit.h"

#define FOR    "X-Forwarded-For: "
#define PROTO  "X-Forwarded-Proto: "
#define XHOST  "X-Forwarded-Host: "
#define PORT   "X-Forwarded-Port: "
#define PREFIX "X-Forwarded-Prefix: "
#define ALL    "Forwarded: "
#define END    "\r\n"

#define EVERY "for,proto,host,port,prefix,by"

static struct networks trusted;
static struct forwarded_fields fields;

static struct header_section *section; /* the test's */

static struct header_section *section_of(const char *lines)
{
    static const struct parser_limits limits = {8190, 100, 8190, 1 << 16};
    char *bytes = xasprintf("Host: a.example\r\n%s\r\n", lines), wrong[160];
    ck_assert_int_eq(networks_parse(&trusted, "10.0.0.0/8,::1,unix", wrong, sizeof(wrong)), 0);
    ck_assert_msg(header_section_parse(slice_of(bytes), &limits, &section) == 0, "%s", lines);
    free(bytes);
    return section;
}

static void tear_down(void)
{
    header_section_unref(section);
    forwarded_fields_free(&fields);
    networks_free(&trusted);
}

static struct forwarded *found_as(const char *believed, const char *lines)
{
    char wrong[160];
    ck_assert_msg(forwarded_fields_parse(&fields, believed, wrong, sizeof(wrong)) == 0, "%s", wrong);
    return forwarded_new(section_of(lines), &trusted, &fields);
}

static struct forwarded *found_in(const char *lines)
{
    return found_as(EVERY, lines);
}

static const struct {
    const char *name, *fields;
    const char *address, *port; /* NULL: our peer is the client */
    const char *kept;           /* of X-Forwarded-For, or else of Forwarded; NULL: nothing */
} clients[] = {
    {"the client that our peer names", FOR "203.0.113.9" END, "203.0.113.9", "", "203.0.113.9"},
    {"what stands left of it is invented", FOR "6.6.6.6, 203.0.113.9" END, "203.0.113.9", "", "203.0.113.9"},
    {"past a proxy that is trusted", FOR "6.6.6.6, 203.0.113.9, 10.0.0.7" END, "203.0.113.9", "",
     "203.0.113.9, 10.0.0.7"},
    {"past two of them", FOR "203.0.113.9,10.1.1.1,10.0.0.7" END, "203.0.113.9", "",
     "203.0.113.9,10.1.1.1,10.0.0.7"},
    {"past one that came by a unix-domain socket, as nginx has it", FOR "203.0.113.9, unix:" END,
     "203.0.113.9", "", "203.0.113.9, unix:"},
    {"all are trusted: the first of them", FOR "10.0.0.9, 10.0.0.7" END, "10.0.0.9", "",
     "10.0.0.9, 10.0.0.7"},
    {"lines are one list",
     FOR "6.6.6.6" END "Accept: */*" END FOR "7.7.7.7, 203.0.113.9" END FOR "10.0.0.7" END
         "x-forwarded-for: 10.0.0.8" END,
     "203.0.113.9", "", "203.0.113.9, 10.0.0.7, 10.0.0.8"},
    {"empty items are skipped", FOR "203.0.113.9, , 10.0.0.7, " END, "203.0.113.9", "",
     "203.0.113.9, , 10.0.0.7,"},
    {"an empty field says nothing", FOR END, NULL, NULL, NULL},
    {"an IPv6 address", FOR "2001:DB8::9" END, "2001:db8::9", "", "2001:DB8::9"},
    {"one in brackets, with its port", FOR "[2001:db8::9]:4711" END, "2001:db8::9", "4711",
     "[2001:db8::9]:4711"},
    {"brackets alone", FOR "[2001:db8::9]" END, "2001:db8::9", "", "[2001:db8::9]"},
    {"an IPv4 address with its port", FOR "203.0.113.9:4711" END, "203.0.113.9", "4711", "203.0.113.9:4711"},
    {"a mapped address is the IPv4 one", FOR "6.6.6.6, ::ffff:10.0.0.7" END, "6.6.6.6", "",
     "6.6.6.6, ::ffff:10.0.0.7"},
    {"the walk ends at what is no address", FOR "203.0.113.9, unknown" END, NULL, NULL, NULL},
    {"and keeps what it has", FOR "203.0.113.9, unknown, 10.0.0.7" END, "10.0.0.7", "", "10.0.0.7"},
    {"a name is no address", FOR "localhost" END, NULL, NULL, NULL},
    {"nor is one with a path behind it", FOR "203.0.113.9/8" END, NULL, NULL, NULL},
    {"nor with a port that is none", FOR "203.0.113.9:65536" END, NULL, NULL, NULL},
    {"nor with an empty port", FOR "203.0.113.9:" END, NULL, NULL, NULL},
    {"nor IPv4 in brackets", FOR "[203.0.113.9]" END, NULL, NULL, NULL},
    {"nor an open bracket", FOR "[2001:db8::9" END, NULL, NULL, NULL},
    {"nor something behind the bracket", FOR "[2001:db8::9]x" END, NULL, NULL, NULL},
    {"nor a quoted one, here", FOR "\"203.0.113.9\"" END, NULL, NULL, NULL},

    {"Forwarded", ALL "for=203.0.113.9" END, "203.0.113.9", "", "for=203.0.113.9"},
    {"in any case, quoted, with a port", ALL "By=x;FOR=\"203.0.113.9:4711\"" END, "203.0.113.9", "4711",
     "By=x;FOR=\"203.0.113.9:4711\""},
    {"an IPv6 address in it", ALL "for=\"[2001:db8::9]:4711\"" END, "2001:db8::9", "4711",
     "for=\"[2001:db8::9]:4711\""},
    {"a port that hides", ALL "for=\"203.0.113.9:_x\"" END, "203.0.113.9", "", "for=\"203.0.113.9:_x\""},
    {"blanks around semicolons", ALL "proto=http ; for=203.0.113.9 ;" END, "203.0.113.9", "",
     "proto=http;for=203.0.113.9"},
    {"what stands left of it is invented too", ALL "for=6.6.6.6, for=203.0.113.9, for=10.0.0.7" END,
     "203.0.113.9", "", "for=203.0.113.9, for=10.0.0.7"},
    {"its lines are one list", ALL "for=203.0.113.9" END ALL "for=10.0.0.7" END, "203.0.113.9", "",
     "for=203.0.113.9, for=10.0.0.7"},
    {"a comma in quotes", ALL "for=203.0.113.9;ext=\"a,b\"" END, "203.0.113.9", "", "for=203.0.113.9"},
    {"a quote that the client has left open", ALL "for=\"6.6.6.6, for=203.0.113.9" END, "203.0.113.9", "",
     "for=203.0.113.9"},
    {"and one that it has opened before a comma", ALL "x=\",for=\"10.0.0.1\", for=203.0.113.9" END,
     "203.0.113.9", "", "for=203.0.113.9"},
    {"unknown", ALL "for=unknown" END, NULL, NULL, "for=unknown"},
    {"unknown, told by one that is trusted", ALL "for=6.6.6.6, for=unknown, for=10.0.0.7" END, "10.0.0.7", "",
     "for=unknown, for=10.0.0.7"},
    {"a hidden name", ALL "for=_secret" END, NULL, NULL, "for=_secret"},
    {"no for", ALL "proto=https" END, NULL, NULL, "proto=https"},
    {"for twice", ALL "for=10.0.0.1;for=203.0.113.9" END, NULL, NULL, NULL},
    {"a backslash", ALL "for=\"203.0.113.\\9\"" END, NULL, NULL, NULL},
    {"a name alone", ALL "for" END, NULL, NULL, NULL},
    {"no value", ALL "for=" END, NULL, NULL, NULL},
    {"two without a semicolon", ALL "for=203.0.113.9 proto=http" END, NULL, NULL, NULL},
    {"something behind the quotes", ALL "for=\"203.0.113.9\"x" END, NULL, NULL, NULL},
    {"where both are there Forwarded is not read", ALL "for=6.6.6.6" END FOR "203.0.113.9" END, "203.0.113.9",
     "", "203.0.113.9"},
    {"whichever of the others it is", ALL "for=6.6.6.6" END PROTO "https" END, NULL, NULL, NULL},
};

static void assert_slice(const char *name, struct slice got, const char *expected)
{
    ck_assert_msg((got.data == NULL) == (expected == NULL), "%s: %.*s", name, (int)got.size,
                  got.data != NULL ? got.data : "nothing");
    if (expected != NULL)
        unit_assert_bytes(name, got.data, got.size, expected, strlen(expected));
}

START_TEST(the_client_is_the_one_that_trusted_peers_name)
{
    struct forwarded *found = found_in(clients[_i].fields);
    bool family = strstr(clients[_i].fields, "X-") != NULL;
    ck_assert_msg(found->has_client == (clients[_i].address != NULL), "%s: %s", clients[_i].name,
                  found->client.address);
    if (found->has_client) {
        ck_assert_msg(strcmp(found->client.address, clients[_i].address) == 0, "%s: %s", clients[_i].name,
                      found->client.address);
        ck_assert_msg(strcmp(found->client.port, clients[_i].port) == 0, "%s: %s", clients[_i].name,
                      found->client.port);
    }
    assert_slice(clients[_i].name, found->kept[family ? FORWARDED_FOR : FORWARDED_ALL], clients[_i].kept);
    assert_slice(clients[_i].name, found->kept[family ? FORWARDED_ALL : FORWARDED_FOR], NULL);
    free(found);
}
END_TEST

static const struct {
    const char *name, *fields;
    enum forwarded_scheme scheme;
    const char *host; /* HTTP_HOST; NULL: as it was sent */
    const char *server, *port, *prefix;
} places[] = {
    {"nothing", FOR "203.0.113.9" END, SCHEME_UNSAID, NULL, NULL, "", NULL},
    {"https", PROTO "https" END, SCHEME_HTTPS, NULL, NULL, "", NULL},
    {"in any case", PROTO "HTTPS" END, SCHEME_HTTPS, NULL, NULL, "", NULL},
    {"http", PROTO "http" END, SCHEME_HTTP, NULL, NULL, "", NULL},
    {"another scheme", PROTO "gopher" END, SCHEME_UNSAID, NULL, NULL, "", NULL},
    {"an empty one", PROTO END, SCHEME_UNSAID, NULL, NULL, "", NULL},
    {"what the proxy has added counts", PROTO "https, http" END, SCHEME_HTTP, NULL, NULL, "", NULL},
    {"what the outermost has added counts",
     FOR "203.0.113.9, 10.0.0.7" END PROTO "https" END PROTO "https, http" END, SCHEME_HTTPS, NULL, NULL, "",
     NULL},
    {"what is left of that is invented", FOR "203.0.113.9, 10.0.0.7" END PROTO "http, https, http" END,
     SCHEME_HTTPS, NULL, NULL, "", NULL},
    {"fewer than there are proxies", FOR "203.0.113.9, 10.0.0.7, 10.0.0.8" END PROTO "https" END,
     SCHEME_HTTPS, NULL, NULL, "", NULL},

    {"a host", XHOST "b.example" END, SCHEME_UNSAID, "b.example", "b.example", "", NULL},
    {"a host with a port", XHOST "b.example:8443" END, SCHEME_UNSAID, "b.example:8443", "b.example", "8443",
     NULL},
    {"an IPv6 host", XHOST "[2001:db8::1]" END, SCHEME_UNSAID, "[2001:db8::1]", "[2001:db8::1]", "", NULL},
    {"an IPv6 host with a port", XHOST "[2001:db8::1]:81" END, SCHEME_UNSAID, "[2001:db8::1]:81",
     "[2001:db8::1]", "81", NULL},
    {"a host with an empty port", XHOST "b.example:" END, SCHEME_UNSAID, "b.example:", "b.example", "", NULL},
    {"a host that is none", XHOST "b.example/x" END, SCHEME_UNSAID, NULL, NULL, "", NULL},
    {"two hosts: what the proxy has added", XHOST "evil.example, b.example" END, SCHEME_UNSAID, "b.example",
     "b.example", "", NULL},

    {"a port that Host has lost", PORT "8443" END, SCHEME_UNSAID, "a.example:8443", NULL, "8443", NULL},
    {"a port that the host said has lost", XHOST "b.example" END PORT "8443" END, SCHEME_UNSAID,
     "b.example:8443", "b.example", "8443", NULL},
    {"another port than the host's", XHOST "b.example:81" END PORT "8443" END, SCHEME_UNSAID, "b.example:81",
     "b.example", "8443", NULL},
    {"a scheme's own port", PROTO "https" END PORT "443" END, SCHEME_HTTPS, NULL, NULL, "443", NULL},
    {"the port of a proxy between", PROTO "https" END PORT "80" END, SCHEME_HTTPS, NULL, NULL, "80", NULL},
    {"a port that is none", PORT "0" END, SCHEME_UNSAID, NULL, NULL, "", NULL},
    {"one that is too large", PORT "65536" END, SCHEME_UNSAID, NULL, NULL, "", NULL},
    {"one with a zero in front", PORT "080" END, SCHEME_UNSAID, NULL, NULL, "", NULL},
    {"one with a sign", PORT "+80" END, SCHEME_UNSAID, NULL, NULL, "", NULL},

    {"a prefix", PREFIX "/app" END, SCHEME_UNSAID, NULL, NULL, "", "/app"},
    {"a prefix with a slash at its end", PREFIX "/app/" END, SCHEME_UNSAID, NULL, NULL, "", "/app"},
    {"dots within a segment", PREFIX "/.a/b..c/..." END, SCHEME_UNSAID, NULL, NULL, "", "/.a/b..c/..."},
    {"two slashes at its end", PREFIX "/app//" END, SCHEME_UNSAID, NULL, NULL, "", NULL},
    {"two slashes within it", PREFIX "/a/%2fb" END, SCHEME_UNSAID, NULL, NULL, "", NULL},
    {"a backslash, which browsers take for a slash", PREFIX "/\\evil.example" END, SCHEME_UNSAID, NULL, NULL,
     "", NULL},
    {"and escaped", PREFIX "/%5cevil" END, SCHEME_UNSAID, NULL, NULL, "", NULL},
    {"a line's end", PREFIX "/x%0d%0aSet-Cookie:%20a" END, SCHEME_UNSAID, NULL, NULL, "", NULL},
    {"a NUL", PREFIX "/x%00" END, SCHEME_UNSAID, NULL, NULL, "", NULL},
    {"a DEL", PREFIX "/x%7f" END, SCHEME_UNSAID, NULL, NULL, "", NULL},
    {"a segment that is a dot", PREFIX "/a/./b" END, SCHEME_UNSAID, NULL, NULL, "", NULL},
    {"one that is two, escaped", PREFIX "/a/%2e%2E/b" END, SCHEME_UNSAID, NULL, NULL, "", NULL},
    {"and at the end", PREFIX "/a/.." END, SCHEME_UNSAID, NULL, NULL, "", NULL},
    {"a slash alone", PREFIX "/" END, SCHEME_UNSAID, NULL, NULL, "", ""},
    {"an escaped prefix", PREFIX "/caf%C3%A9" END, SCHEME_UNSAID, NULL, NULL, "", "/caf\xc3\xa9"},
    {"a prefix without a slash", PREFIX "app" END, SCHEME_UNSAID, NULL, NULL, "", NULL},
    {"another host in the place of a prefix", PREFIX "//evil.example" END, SCHEME_UNSAID, NULL, NULL, "",
     NULL},
    {"and escaped", PREFIX "/%2fevil.example" END, SCHEME_UNSAID, NULL, NULL, "", NULL},
    {"a prefix with a query", PREFIX "/a?b" END, SCHEME_UNSAID, NULL, NULL, "", NULL},
    {"a prefix with a fragment", PREFIX "/a#b" END, SCHEME_UNSAID, NULL, NULL, "", NULL},
    {"a prefix with half an escape", PREFIX "/a%4" END, SCHEME_UNSAID, NULL, NULL, "", NULL},

    {"Forwarded", ALL "for=203.0.113.9;proto=https;host=\"b.example:8443\"" END, SCHEME_HTTPS,
     "b.example:8443", "b.example", "8443", NULL},
    {"of several the outermost counts",
     ALL "for=6.6.6.6;proto=http;host=evil, for=203.0.113.9;proto=https;host=b, "
         "for=10.0.0.7;proto=http;host=c" END,
     SCHEME_HTTPS, "b", "b", "", NULL},
    {"what it does not say the next one does", ALL "for=203.0.113.9, for=10.0.0.7;proto=https;host=c" END,
     SCHEME_HTTPS, "c", "c", "", NULL},
    {"a host in it that is none", ALL "for=203.0.113.9;host=\"a b\"" END, SCHEME_UNSAID, NULL, NULL, "",
     NULL},
};

START_TEST(the_server_is_where_those_say_that_are_trusted)
{
    struct forwarded *found = found_in(places[_i].fields);
    const char *name = places[_i].name;
    ck_assert_msg(found->scheme == places[_i].scheme, "%s: %d", name, found->scheme);
    assert_slice(name, found->host, places[_i].host);
    ck_assert_msg(found->host_said == (places[_i].server != NULL), "%s", name);
    assert_slice(name, found->name, places[_i].server);
    unit_assert_bytes(name, found->port.data, found->port.size, places[_i].port, strlen(places[_i].port));
    ck_assert_msg(found->prefix_said == (places[_i].prefix != NULL), "%s", name);
    bool sent = strstr(places[_i].fields, PREFIX) != NULL;
    ck_assert_msg((found->prefix_refused.data != NULL) == (sent && !found->prefix_said), "%s", name);
    assert_slice(name, found->prefix, places[_i].prefix);
    free(found);
}
END_TEST

static const struct {
    const char *name, *fields;
    const char *kept[FORWARDED_NAMES];
} keeps[] = {
    {"each field keeps the item that was believed",
     FOR "6.6.6.6, 203.0.113.9" END PROTO "http, https" END XHOST "evil, b" END PORT "1, 8443" END PREFIX
         "/evil, /b/" END,
     {"203.0.113.9", "https", "b", "8443", "/b/", NULL, NULL}},
    {"what is none is not kept",
     FOR "unknown" END PROTO "x" END XHOST "/" END PORT "x" END PREFIX "x" END,
     {NULL, NULL, NULL, NULL, NULL, NULL, NULL}},
    {"by is for the application alone",
     FOR "203.0.113.9" END "X-Forwarded-By: 6.6.6.6, 10.0.0.1" END,
     {"203.0.113.9", NULL, NULL, NULL, NULL, "10.0.0.1", NULL}},
};

START_TEST(what_is_left_of_a_field_is_what_was_believed)
{
    struct forwarded *found = found_in(keeps[_i].fields);
    for (int i = 0; i < FORWARDED_NAMES; i++)
        assert_slice(keeps[_i].name, found->kept[i], keeps[_i].kept[i]);
    free(found);
}
END_TEST

#define SAYS_ALL                                                                                            \
    FOR "6.6.6.6, 203.0.113.9" END PROTO "https" END XHOST "b.example:81" END PORT "82" END PREFIX "/b" END \
        "X-Forwarded-By: x" END
#define SAYS_ALL_IN_ONE \
    ALL "for=6.6.6.6;by=x, for=203.0.113.9;host=b.example;proto=https;by=y;z=1,for=10.0.0.7;host=c;by=z" END

/* A client's own field goes through a proxy that does not know it. */
static const struct {
    const char *name, *believed, *lines;
    const char *client; /* NULL: our peer */
    enum forwarded_scheme scheme;
    const char *host, *port, *prefix;
    const char *kept[FORWARDED_NAMES];
} believed[] = {
    {"the default",
     "for,proto",
     SAYS_ALL,
     "203.0.113.9",
     SCHEME_HTTPS,
     NULL,
     "",
     NULL,
     {"203.0.113.9", "https"}},
    {"nothing", "", SAYS_ALL, NULL, SCHEME_UNSAID, NULL, "", NULL, {NULL}},
    {"the host alone",
     "host",
     SAYS_ALL,
     NULL,
     SCHEME_UNSAID,
     "b.example:81",
     "81",
     NULL,
     {NULL, NULL, "b.example:81"}},
    {"the port alone",
     "port",
     SAYS_ALL,
     NULL,
     SCHEME_UNSAID,
     "a.example:82",
     "82",
     NULL,
     {NULL, NULL, NULL, "82"}},
    {"the prefix alone",
     "prefix",
     SAYS_ALL,
     NULL,
     SCHEME_UNSAID,
     NULL,
     "",
     "/b",
     {NULL, NULL, NULL, NULL, "/b"}},
    {"by alone", " By ", SAYS_ALL, NULL, SCHEME_UNSAID, NULL, "", NULL, {NULL, NULL, NULL, NULL, NULL, "x"}},
    {"without a walk the peer's own item counts",
     "proto",
     FOR "203.0.113.9, 10.0.0.7" END PROTO "https, http" END,
     NULL,
     SCHEME_HTTP,
     NULL,
     "",
     NULL,
     {NULL, "http"}},
    {"the default, of Forwarded",
     "for,proto",
     SAYS_ALL_IN_ONE,
     "203.0.113.9",
     SCHEME_HTTPS,
     NULL,
     "",
     NULL,
     {[FORWARDED_ALL] = "for=203.0.113.9;proto=https, for=10.0.0.7"}},
    {"a field that is not believed takes nothing from Forwarded",
     "for,proto",
     XHOST "evil.example" END SAYS_ALL_IN_ONE,
     "203.0.113.9",
     SCHEME_HTTPS,
     NULL,
     "",
     NULL,
     {[FORWARDED_ALL] = "for=203.0.113.9;proto=https, for=10.0.0.7"}},
    {"nothing of Forwarded", "", SAYS_ALL_IN_ONE, NULL, SCHEME_UNSAID, NULL, "", NULL, {NULL}},
    {"the host of Forwarded, as the peer says it",
     "host",
     SAYS_ALL_IN_ONE,
     NULL,
     SCHEME_UNSAID,
     "c",
     "",
     NULL,
     {[FORWARDED_ALL] = "host=c"}},
    {"elements without a blank between them",
     "for",
     ALL "for=10.0.0.9,for=10.0.0.8,for=10.0.0.7,for=10.0.0.6" END,
     "10.0.0.9",
     SCHEME_UNSAID,
     NULL,
     "",
     NULL,
     {[FORWARDED_ALL] = "for=10.0.0.9, for=10.0.0.8, for=10.0.0.7, for=10.0.0.6"}},
};

START_TEST(only_those_fields_are_believed_that_proxies_set)
{
    const char *name = believed[_i].name;
    struct forwarded *found = found_as(believed[_i].believed, believed[_i].lines);
    ck_assert_msg(found->has_client == (believed[_i].client != NULL), "%s", name);
    ck_assert_msg(strcmp(found->client.address, believed[_i].client != NULL ? believed[_i].client : "") == 0,
                  "%s: %s", name, found->client.address);
    ck_assert_msg(found->scheme == believed[_i].scheme, "%s", name);
    assert_slice(name, found->host, believed[_i].host);
    unit_assert_bytes(name, found->port.data, found->port.size, believed[_i].port, strlen(believed[_i].port));
    ck_assert_msg(found->prefix_said == (believed[_i].prefix != NULL), "%s", name);
    for (int i = 0; i < FORWARDED_NAMES; i++)
        assert_slice(name, found->kept[i], believed[_i].kept[i]);
    free(found);
}
END_TEST

static const struct {
    const char *name, *believed, *lines;
    struct slice field, value;
    bool hidden;
} shown[] = {
    {"those that are shown as they were believed", "for", FOR "203.0.113.9" END, SLICE("X-Forwarded-For"),
     SLICE("203.0.113.9"), true},
    {"one that is not believed", "for", XHOST "b" END, SLICE("x-forwarded-host"), SLICE("b"), true},
    {"one that is read by applications only", "for,proto", FOR "203.0.113.9" END, SLICE("X-Forwarded-User"),
     SLICE("root"), true},
    {"and is named", "for, x-forwarded-user", FOR "203.0.113.9" END, SLICE("X-Forwarded-User"), SLICE("root"),
     false},
    {"X-Real-IP that names the same client", "for", FOR "203.0.113.9" END, SLICE("X-Real-IP"),
     SLICE("203.0.113.9"), false},
    {"X-Real-IP that names it with a port", "for", FOR "203.0.113.9" END, SLICE("X-Real-IP"),
     SLICE("203.0.113.9:4711"), false},
    {"X-Real-IP in capitals", "for", FOR "2001:db8::a" END, SLICE("X-Real-IP"), SLICE("2001:DB8::A"), false},
    {"X-Real-IP that is empty, of a client that has no address", "for", FOR "unix:" END, SLICE("X-Real-IP"),
     SLICE(""), true},
    {"X-Real-IP that names another", "for", FOR "203.0.113.9" END, SLICE("X-Real-IP"), SLICE("6.6.6.6"),
     true},
    {"X-Client-IP that is no address", "for", FOR "203.0.113.9" END, SLICE("X-Client-IP"), SLICE("x"), true},
    {"X-Real-IP where nothing else names a client", "for", PROTO "http" END, SLICE("X-Real-IP"),
     SLICE("203.0.113.9"), false},
    {"X-Real-IP where no client is believed", "proto", PROTO "http" END, SLICE("X-Real-IP"),
     SLICE("203.0.113.9"), true},
    {"X-Real-IP that is named", "X-Real-IP", FOR "203.0.113.9" END, SLICE("X-Real-IP"), SLICE("6.6.6.6"),
     false},
    {"what proxies do not write", "", FOR "203.0.113.9" END, SLICE("Accept"), SLICE("*"), false},
};

START_TEST(a_field_that_no_proxy_sets_is_hidden)
{
    struct forwarded *found = found_as(shown[_i].believed, shown[_i].lines);
    ck_assert_msg(forwarded_hides(found, shown[_i].field, shown[_i].value) == shown[_i].hidden, "%s",
                  shown[_i].name);
    ck_assert(forwarded_hides(NULL, shown[_i].field, shown[_i].value) == forwarded_is_name(shown[_i].field));
    free(found);
}
END_TEST

/* Most often the private address is a proxy's that is missing in the list. */
static const struct {
    const char *name, *lines;
    bool cut;
} cuts[] = {
    {"a proxy that is not in the list", FOR "203.0.113.9, 192.168.1.2" END, true},
    {"in another line", FOR "203.0.113.9" END FOR "172.16.0.1, 10.0.0.7" END, true},
    {"of IPv6", FOR "2001:db8::9, fd00::1" END, true},
    {"in Forwarded", ALL "for=203.0.113.9, for=127.0.0.1" END, true},
    {"a client of a private network", FOR "192.168.1.2" END, false},
    {"a client of the internet", FOR "192.168.1.2, 203.0.113.9" END, false},
    {"all are trusted", FOR "203.0.113.9, 10.0.0.1" END, false},
};

START_TEST(a_list_that_is_cut_at_a_private_address_is_noticed)
{
    struct forwarded *found = found_in(cuts[_i].lines);
    ck_assert_msg(found->cut_at_private == cuts[_i].cut, "%s", cuts[_i].name);
    free(found);
}
END_TEST

static const struct {
    struct slice name;
    bool ours;
} names[] = {
    {SLICE("Forwarded"), true},        {SLICE("forwarded"), true},      {SLICE("X-Forwarded-For"), true},
    {SLICE("x-forwarded-ssl"), true},  {SLICE("X-Real-IP"), true},      {SLICE("X-Client-Ip"), true},
    {SLICE("X-Forwarded"), false},     {SLICE("Forwarded-For"), false}, {SLICE("Accept"), false},
    {SLICE("X-Forwarder-For"), false},
};

START_TEST(names_that_only_a_proxy_may_send_are_known)
{
    char *lines = xasprintf("%s: x\r\n", names[_i].name.data);
    ck_assert_msg(forwarded_is_name(names[_i].name) == names[_i].ours, "%s", lines);
    ck_assert_msg(section_of(lines)->forwarding == names[_i].ours, "%s", lines);
    free(lines);
}
END_TEST

START_TEST(what_was_found_is_found_once_and_goes_with_its_section)
{
    fields.parts = 1U << PART_FOR;
    const struct forwarded *found = forwarded_of(section_of(FOR "203.0.113.9" END), &trusted, &fields);
    ck_assert_ptr_eq(forwarded_of(section, &trusted, &fields), found);
    ck_assert_str_eq(found->client.address, "203.0.113.9");
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, NULL, tear_down);
    unit_add_rows(tests, the_client_is_the_one_that_trusted_peers_name, clients);
    unit_add_rows(tests, the_server_is_where_those_say_that_are_trusted, places);
    unit_add_rows(tests, what_is_left_of_a_field_is_what_was_believed, keeps);
    unit_add_rows(tests, only_those_fields_are_believed_that_proxies_set, believed);
    unit_add_rows(tests, a_field_that_no_proxy_sets_is_hidden, shown);
    unit_add_rows(tests, a_list_that_is_cut_at_a_private_address_is_noticed, cuts);
    unit_add_rows(tests, names_that_only_a_proxy_may_send_are_known, names);
    tcase_add_test(tests, what_was_found_is_found_once_and_goes_with_its_section);
}

int main(void)
{
    return unit_run("http/forwarded", add);
}
