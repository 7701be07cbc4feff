/* environ: constants made once, a template per header section, a copy per request. */
#include "config.h"

#include "py/environ.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/forwarded.h"
#include "http/parser.h"
#include "py/errors_stream.h"
#include "py/field_names.h"
#include "py/file_wrapper.h"
#include "py/input.h"
#include "py/latin1.h"
#include "py/start_response.h"

/* Longer request lines are not compared with the line before. */
enum { LINE_KEPT = 256 };

/* The environ of the last request with a header section. The section keeps it. */
struct environ_template {
    struct environ_template *next_discarded;
    PyObject *dict;
    PyObject *b_client_disconnected; /* in the dict, registered by client_disconnected_held; or NULL */
    const struct local_endpoint *local;
    struct peer_endpoint peer;
    bool busy; /* a thread uses it, and a finaliser made it release the GIL: other threads must not use it */
    bool trusted;       /* contains a trusted proxy's fields */
    bool host_replaced; /* HTTP_HOST is the authority of an absolute-form target */
    size_t line_size;   /* of the last request line; 0: not kept */
    char line[LINE_KEPT];
};

#define KEYS(X)                                  \
    X(request_method, "REQUEST_METHOD")          \
    X(script_name, "SCRIPT_NAME")                \
    X(path_info, "PATH_INFO")                    \
    X(query_string, "QUERY_STRING")              \
    X(request_uri, "REQUEST_URI")                \
    X(raw_uri, "RAW_URI")                        \
    X(server_name, "SERVER_NAME")                \
    X(server_port, "SERVER_PORT")                \
    X(server_protocol, "SERVER_PROTOCOL")        \
    X(server_software, "SERVER_SOFTWARE")        \
    X(remote_addr, "REMOTE_ADDR")                \
    X(remote_port, "REMOTE_PORT")                \
    X(content_length, "CONTENT_LENGTH")          \
    X(http_host, "HTTP_HOST")                    \
    X(http_cookie, "HTTP_COOKIE")                \
    X(request_id, "HTTP_X_REQUEST_ID")           \
    X(https, "HTTPS")                            \
    X(version, "wsgi.version")                   \
    X(url_scheme, "wsgi.url_scheme")             \
    X(input, "wsgi.input")                       \
    X(errors, "wsgi.errors")                     \
    X(multithread, "wsgi.multithread")           \
    X(multiprocess, "wsgi.multiprocess")         \
    X(run_once, "wsgi.run_once")                 \
    X(file_wrapper, "wsgi.file_wrapper")         \
    X(input_terminated, "wsgi.input_terminated") \
    X(client_disconnected, "gateway.client_disconnected")

static struct {
#define X(name, text) PyObject *name;
    KEYS(X)
#undef X
} keys;

static struct {
    PyObject *dict;         /* all keys that every request has */
    PyObject *empty;        /* "" */
    PyObject *http, *https; /* url_scheme */
    PyObject *on;           /* HTTPS */
    PyObject *protocols[2]; /* HTTP/1.0, HTTP/1.1 */
    struct slice root_path;
} base;

static const char *const method_names[] = {"GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"};
enum { METHODS = sizeof(method_names) / sizeof(method_names[0]) };
static PyObject *methods[METHODS];

/* The fields of trusted proxies. */
static const char *const forwarded_names[FORWARDED_NAMES] = {
    [FORWARDED_FOR] = "HTTP_X_FORWARDED_FOR",
    [FORWARDED_PROTO] = "HTTP_X_FORWARDED_PROTO",
    [FORWARDED_HOST] = "HTTP_X_FORWARDED_HOST",
    [FORWARDED_PORT] = "HTTP_X_FORWARDED_PORT",
    [FORWARDED_PREFIX] = "HTTP_X_FORWARDED_PREFIX",
    [FORWARDED_BY] = "HTTP_X_FORWARDED_BY",
    [FORWARDED_ALL] = "HTTP_FORWARDED",
};
static PyObject *forwarded_keys[FORWARDED_NAMES];

static int intern_all(void)
{
#define X(name, text)                                           \
    if ((keys.name = PyUnicode_InternFromString(text)) == NULL) \
        return -1;
    KEYS(X)
#undef X
    for (int i = 0; i < METHODS; i++)
        if ((methods[i] = PyUnicode_InternFromString(method_names[i])) == NULL)
            return -1;
    for (int i = 0; i < FORWARDED_NAMES; i++)
        if ((forwarded_keys[i] = PyUnicode_InternFromString(forwarded_names[i])) == NULL)
            return -1;
    base.empty = PyUnicode_InternFromString("");
    base.http = PyUnicode_InternFromString("http");
    base.https = PyUnicode_InternFromString("https");
    base.on = PyUnicode_InternFromString("on");
    base.protocols[0] = PyUnicode_InternFromString("HTTP/1.0");
    base.protocols[1] = PyUnicode_InternFromString("HTTP/1.1");
    return PyErr_Occurred() != NULL ? -1 : 0;
}

/* Steals `value`. */
static int set_new(PyObject *dict, PyObject *key, PyObject *value)
{
    int r = value != NULL ? PyDict_SetItem(dict, key, value) : -1;
    Py_XDECREF(value);
    return r;
}

static int set_text(PyObject *dict, PyObject *key, const char *text)
{
    return set_new(dict, key, latin1_str(slice_of(text)));
}

/* HTTP_HOST is in it too, so that the dict has room for a usual header section: see environ.h. */
static int fill_base(const struct options *options, bool multiprocess)
{
    PyObject *dict = base.dict;
    PyObject *const blank[] = {keys.request_method, keys.path_info,   keys.query_string, keys.request_uri,
                               keys.raw_uri,        keys.remote_addr, keys.remote_port,  keys.server_name,
                               keys.server_port,    keys.http_host};
    for (size_t i = 0; i < sizeof(blank) / sizeof(blank[0]); i++)
        if (PyDict_SetItem(dict, blank[i], base.empty) < 0)
            return -1;
    struct body_content nothing = {.spool = -1};
    if (set_new(dict, keys.input, input_new(&nothing)) < 0 || set_new(dict, keys.errors, errors_new()) < 0 ||
        set_new(dict, keys.version, Py_BuildValue("(ii)", 1, 0)) < 0 ||
        set_text(dict, keys.script_name, options->root_path) < 0 ||
        set_new(dict, keys.server_software, PyUnicode_FromString(PACKAGE "/" VERSION)) < 0)
        return -1;
    if (PyDict_SetItem(dict, keys.url_scheme, base.http) < 0 ||
        PyDict_SetItem(dict, keys.multithread, options->threads > 1 ? Py_True : Py_False) < 0 ||
        PyDict_SetItem(dict, keys.multiprocess, multiprocess ? Py_True : Py_False) < 0 ||
        PyDict_SetItem(dict, keys.run_once, Py_False) < 0 ||
        PyDict_SetItem(dict, keys.input_terminated, Py_True) < 0 ||
        PyDict_SetItem(dict, keys.server_protocol, base.protocols[1]) < 0 ||
        PyDict_SetItem(dict, keys.client_disconnected, Py_None) < 0) /* replaced for each request */
        return -1;
    return PyDict_SetItem(dict, keys.file_wrapper, file_wrapper_type());
}

int environ_init(const struct options *options, bool multiprocess)
{
    base.root_path = slice_of(options->root_path);
    if (intern_all() < 0 || field_names_init() < 0 || input_init() < 0 || errors_init() < 0 ||
        file_wrapper_init() < 0)
        return -1;
    base.dict = PyDict_New();
    return base.dict != NULL ? fill_base(options, multiprocess) : -1;
}

/* Joins a repeated field: RFC 9110 5.3, and RFC 6265 5.4 for cookies. */
static int join_field(PyObject *dict, PyObject *key, PyObject *b_first, PyObject *value)
{
    const char *format = key == keys.http_cookie ? "%U; %U" : "%U, %U";
    return set_new(dict, key, PyUnicode_FromFormat(format, b_first, value));
}

static int add_field(PyObject *dict, const struct field *field)
{
    PyObject *b_key = field_name_key(field->name);
    if (b_key == NULL)
        return PyErr_Occurred() != NULL ? -1 : 0; /* hidden from the application */
    PyObject *value = latin1_str(field->value);
    if (value == NULL)
        return -1;
    int r;
    if (b_key == keys.http_host) {
        r = PyDict_SetItem(dict, b_key, value);
    } else {
        PyObject *b_there = PyDict_SetDefault(dict, b_key, value);
        r = b_there == NULL ? -1 : b_there == value ? 0 : join_field(dict, b_key, b_there, value);
    }
    Py_DECREF(value);
    return r;
}

/* Adds the fields that a trusted proxy has sent, and the path of the application. 0, or -1 with an
 * exception. */
static int show_forwarded(PyObject *dict, const struct forwarded *forwarded)
{
    for (int i = 0; i < FORWARDED_NAMES; i++)
        if (forwarded->kept[i].data != NULL &&
            set_new(dict, forwarded_keys[i], latin1_str(forwarded->kept[i])) < 0)
            return -1;
    if (forwarded->host.data != NULL && set_new(dict, keys.http_host, latin1_str(forwarded->host)) < 0)
        return -1;
    return forwarded->prefix_said ? set_new(dict, keys.script_name, latin1_str(forwarded->prefix)) : 0;
}

static PyObject *dict_of_section(const struct request *request)
{
    const struct header_section *section = request->section;
    PyObject *dict = PyDict_Copy(base.dict);
    if (dict == NULL)
        return NULL;
    if (section->host.data == NULL && PyDict_DelItem(dict, keys.http_host) < 0)
        goto failed;
    for (uint32_t i = 0; i < section->count; i++)
        if (request_shows(request, &section->fields[i]) && add_field(dict, &section->fields[i]) < 0)
            goto failed;
    if (request->forwarded != NULL && show_forwarded(dict, request->forwarded) < 0)
        goto failed;
    return dict;
failed:
    Py_DECREF(dict);
    return NULL;
}

static int set_method(PyObject *dict, struct slice method)
{
    for (int i = 0; i < METHODS; i++)
        if (slice_eq(method, slice_of(method_names[i])))
            return PyDict_SetItem(dict, keys.request_method, methods[i]);
    return set_new(dict, keys.request_method, latin1_str(method));
}

static PyObject *path_info(const struct request *request)
{
    if (!request->path_escaped)
        return latin1_str(request_path_info(request, base.root_path, NULL));
    char *decoded = xmalloc(request->path.size);
    PyObject *text = latin1_str(request_path_info(request, base.root_path, decoded));
    free(decoded);
    return text;
}

static int set_target(PyObject *dict, const struct request *request)
{
    PyObject *target = latin1_str(request->target);
    if (target == NULL)
        return -1;
    int r = -1;
    if (PyDict_SetItem(dict, keys.request_uri, target) == 0 &&
        PyDict_SetItem(dict, keys.raw_uri, target) == 0 &&
        set_new(dict, keys.path_info, path_info(request)) == 0 &&
        set_new(dict, keys.query_string, latin1_str(request->query)) == 0)
        r = 0;
    Py_DECREF(target);
    return r;
}

/* `replaced`: HTTP_HOST belongs to another request. */
static int set_host(PyObject *dict, const struct request *request, bool replaced)
{
    if (request->authority.data == NULL && !replaced)
        return 0;
    struct slice host = request_host(request);
    return host.data != NULL ? set_new(dict, keys.http_host, latin1_str(host))
                             : PyDict_DelItem(dict, keys.http_host);
}

static int set_line(PyObject *dict, const struct request *request, bool host_replaced)
{
    if (set_method(dict, request->method) < 0 || set_target(dict, request) < 0 ||
        set_host(dict, request, host_replaced) < 0)
        return -1;
    return PyDict_SetItem(dict, keys.server_protocol, base.protocols[request->minor]);
}

/* The last request of the template may have come through a listener of the other kind. */
static int set_https(PyObject *dict, bool https)
{
    if (https)
        return PyDict_SetItem(dict, keys.https, base.on);
    int found = PyDict_Contains(dict, keys.https);
    return found > 0 ? PyDict_DelItem(dict, keys.https) : found;
}

static int set_server(PyObject *dict, bool https, struct slice name, struct slice port)
{
    if (PyDict_SetItem(dict, keys.url_scheme, https ? base.https : base.http) < 0 ||
        set_https(dict, https) < 0 || set_new(dict, keys.server_name, latin1_str(name)) < 0)
        return -1;
    return set_new(dict, keys.server_port, latin1_str(port));
}

/* Sets the server as the client sees it: the listener, or the proxy before it. */
static int set_local(PyObject *dict, const struct local_endpoint *local, const struct forwarded *forwarded)
{
    struct slice name = slice_of(local->server_name), port = slice_of(local->server_port);
    bool https = forwarded_is_https(forwarded, local);
    if (forwarded == NULL)
        return set_server(dict, https, name, port);
    if (forwarded->host_said)
        name = forwarded->name;
    if (forwarded->port.size > 0)
        port = forwarded->port;
    else if (forwarded->host_said || forwarded->scheme != SCHEME_UNSAID)
        port = https ? SLICE("443") : SLICE("80");
    return set_server(dict, https, name, port);
}

static int set_peer(PyObject *dict, const struct peer_endpoint *peer)
{
    return set_text(dict, keys.remote_addr, peer->address) == 0 ? set_text(dict, keys.remote_port, peer->port)
                                                                : -1;
}

/* Clients behind one proxy or on one machine often differ in the port only. */
static int update_peer(struct environ_template *last, const struct peer_endpoint *peer)
{
    if (strcmp(last->peer.address, peer->address) != 0) {
        last->peer.address[0] = '\0';
        if (set_text(last->dict, keys.remote_addr, peer->address) < 0)
            return -1;
        memcpy(last->peer.address, peer->address, sizeof(peer->address));
    }
    if (strcmp(last->peer.port, peer->port) != 0) {
        last->peer.port[0] = '\0';
        if (set_text(last->dict, keys.remote_port, peer->port) < 0)
            return -1;
        memcpy(last->peer.port, peer->port, sizeof(peer->port));
    }
    return 0;
}

static void let_go(struct environ_template *last)
{
    if (last->b_client_disconnected != NULL)
        client_disconnected_held(last->b_client_disconnected, -1);
    last->b_client_disconnected = NULL;
}

/* The function belongs to the thread: with one thread it stays the same, until the application
 * keeps it. */
static int update_client_disconnected(struct environ_template *last, PyObject *client_disconnected)
{
    if (last->b_client_disconnected == client_disconnected)
        return 0;
    let_go(last);
    if (PyDict_SetItem(last->dict, keys.client_disconnected, client_disconnected) < 0)
        return -1;
    client_disconnected_held(client_disconnected, 1);
    last->b_client_disconnected = client_disconnected;
    return 0;
}

/* Templates of dropped sections. The thread that runs the loop drops sections, and must not wait
 * for the GIL. A thread that holds the GIL frees the templates. */
static _Atomic(struct environ_template *) discarded;

static void template_discard(void *environ)
{
    struct environ_template *last = environ;
    last->next_discarded = atomic_load_explicit(&discarded, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&discarded, &last->next_discarded, last,
                                                  memory_order_release, memory_order_relaxed))
        ;
}

void environ_free_discarded(void)
{
    struct environ_template *last = atomic_exchange_explicit(&discarded, NULL, memory_order_acquire);
    while (last != NULL) {
        struct environ_template *next = last->next_discarded;
        let_go(last);
        Py_DECREF(last->dict);
        free(last);
        last = next;
    }
}

/* The section's template, made when a request finds the section in the memo. NULL with an
 * exception. */
static struct environ_template *template_of(const struct request *request)
{
    struct header_section *section = request->section;
    if (section->environ != NULL)
        return section->environ;
    PyObject *dict = dict_of_section(request);
    if (dict == NULL)
        return NULL;
    if (section->environ != NULL) { /* a finaliser ran, and another thread made it first */
        Py_DECREF(dict);
        return section->environ;
    }
    struct environ_template *last = xcalloc(1, sizeof(*last));
    last->dict = dict;
    last->trusted = request->forwarded != NULL;
    section->environ = last;
    section->environ_free = template_discard;
    return last;
}

static bool same_line(const struct environ_template *last, struct slice line)
{
    return line.size == last->line_size && memcmp(line.data, last->line, line.size) == 0;
}

/* Writes the differences from the template's last request. After a failure, the next request writes
 * the affected parts again. */
static int template_update(struct environ_template *last, const struct call_request *call,
                           PyObject *client_disconnected)
{
    const struct request *request = call->request;
    if (!same_line(last, request->line)) {
        last->line_size = 0;
        if (set_line(last->dict, request, last->host_replaced) < 0)
            return -1;
        last->host_replaced = request->authority.data != NULL;
        if (request->line.size <= LINE_KEPT) {
            memcpy(last->line, request->line.data, request->line.size);
            last->line_size = request->line.size;
        }
    }
    if (last->local != call->local) {
        last->local = NULL;
        if (set_local(last->dict, call->local, request->forwarded) < 0)
            return -1;
        last->local = call->local;
    }
    if (update_peer(last, call->peer) < 0)
        return -1;
    return update_client_disconnected(last, client_disconnected);
}

static PyObject *environ_from_scratch(const struct call_request *call, PyObject *client_disconnected)
{
    PyObject *dict = dict_of_section(call->request);
    if (dict != NULL &&
        (set_line(dict, call->request, false) < 0 ||
         set_local(dict, call->local, call->request->forwarded) < 0 || set_peer(dict, call->peer) < 0 ||
         PyDict_SetItem(dict, keys.client_disconnected, client_disconnected) < 0))
        Py_CLEAR(dict);
    return dict;
}

static PyObject *environ_from_template(const struct call_request *call, PyObject *client_disconnected)
{
    struct environ_template *last = template_of(call->request);
    if (last == NULL)
        return NULL;
    /* A template with a proxy's fields must not serve a client that sent the same bytes, nor the
     * reverse. */
    if (last->busy || last->trusted != (call->request->forwarded != NULL))
        return environ_from_scratch(call, client_disconnected);
    last->busy = true;
    PyObject *dict = template_update(last, call, client_disconnected) == 0 ? PyDict_Copy(last->dict) : NULL;
    last->busy = false;
    return dict;
}

/* The body is decoded and complete: a chunked body has a length, too. */
static int set_body(PyObject *dict, const struct call_request *call)
{
    if (call->request->section->framing == FRAMING_CHUNKED &&
        set_new(dict, keys.content_length,
                PyUnicode_FromFormat("%llu", (unsigned long long)call->content->size)) < 0)
        return -1;
    if (call->content->size == 0)
        return 0;
    return set_new(dict, keys.input, input_new(call->content));
}

/* The id of a proxy is among the request's fields already. */
static bool has_made_id(const struct request *request)
{
    return request->id.data != NULL && request->id.data != request->section->request_id.data;
}

PyObject *environ_new(const struct call_request *call, PyObject *client_disconnected)
{
    const struct header_section *section = call->request->section;
    if (atomic_load_explicit(&discarded, memory_order_relaxed) != NULL)
        environ_free_discarded();
    /* Only the memo holds a section longer than its first request. */
    bool in_memo =
        section->environ != NULL || atomic_load_explicit(&section->references, memory_order_relaxed) > 1;
    PyObject *dict = in_memo ? environ_from_template(call, client_disconnected)
                             : environ_from_scratch(call, client_disconnected);
    if (dict != NULL && section->framing != FRAMING_NONE && set_body(dict, call) < 0)
        Py_CLEAR(dict);
    if (dict != NULL && has_made_id(call->request) &&
        set_new(dict, keys.request_id, latin1_str(call->request->id)) < 0)
        Py_CLEAR(dict);
    return dict;
}
