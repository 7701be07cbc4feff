/*
 * A call without a connection: a request made of text, a response that is not sent, and a client
 * that takes the data of write().
 */
#ifndef FAKE_CALL_H
#define FAKE_CALL_H

#include "embedded.h"
#include "http/parser.h"
#include "py/call.h"

struct fake_call {
    struct request request;
    struct response response;
    struct body_content content;
    struct call_request call;
    bool client_gone;
    char written[256]; /* the data of write(): "[one][two]" */
};

static const struct options fake_options = {.root_path = (char *)""};
static char fake_name[] = "server.example", fake_port[] = "8000";
static const struct local_endpoint fake_local = {.server_name = fake_name, .server_port = fake_port};
static const struct peer_endpoint fake_peer = {.address = "192.0.2.1", .port = "54321"};

static inline int fake_write(void *context, struct slice data)
{
    struct fake_call *fake = context;
    size_t n = strlen(fake->written);
    if (fake->client_gone)
        return -1;
    snprintf(fake->written + n, sizeof(fake->written) - n, "[%.*s]", (int)data.size, data.data);
    return 0;
}

static inline bool fake_client_gone(void *context)
{
    return ((struct fake_call *)context)->client_gone;
}

/* A new reference. `fields` lacks the empty line at the end. */
static inline struct header_section *fake_section(const char *fields)
{
    static const struct parser_limits limits = {8190, 1000, 8190, 1 << 20};
    struct header_section *section = NULL;
    char *bytes = xasprintf("%s\r\n", fields);
    ck_assert_msg(header_section_parse(slice_of(bytes), &limits, &section) == 0, "refused: %s", fields);
    free(bytes);
    return section;
}

/* Takes the reference to `section`; `line` and `body` (NULL: none) must outlive the call. */
static inline void fake_open(struct fake_call *fake, const char *line, struct header_section *section,
                             const char *body)
{
    *fake = (struct fake_call){.content = {.spool = -1}};
    ck_assert_msg(request_line_parse(&fake->request, slice_of(line)) == 0, "refused: %s", line);
    fake->request.section = section;
    if (body != NULL && body[0] != '\0') {
        fake->content.size = strlen(body);
        fake->content.memory = xstrdup(body);
    }
    response_init(&fake->response);
    fake->call = (struct call_request){
        .request = &fake->request,
        .content = &fake->content,
        .local = &fake_local,
        .peer = &fake_peer,
        .response = &fake->response,
        .write = fake_write,
        .client_gone = fake_client_gone,
        .context = fake,
    };
}

static inline void fake_close(struct fake_call *fake)
{
    header_section_unref(fake->request.section);
    body_content_free(&fake->content);
    response_fini(&fake->response);
}

/* Runs Python statements with these globals; an exception fails the test. */
static inline void fake_execute(const char *source, PyObject *globals)
{
    PyObject *value = PyRun_String(source, Py_file_input, globals, globals);
    if (value == NULL)
        PyErr_Print();
    ck_assert_msg(value != NULL, "raised: %s", source);
    Py_DECREF(value);
}

/* A new dict with the builtins, for fake_execute. */
static inline PyObject *fake_globals(void)
{
    PyObject *globals = PyDict_New();
    ck_assert_ptr_nonnull(globals);
    ck_assert_int_eq(PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins()), 0);
    return globals;
}

/*
 * The number of memory blocks that Python holds after a garbage collection; 0 where the allocator
 * does not count them. The interpreter's cache of methods is emptied first. Its 4096 places hold
 * names, and a name that was made for one lookup takes a place by its address. So the number of
 * names in it varies by hundreds without a leak.
 */
static inline long fake_blocks(void)
{
    PyType_ClearCache();
    PyObject *number =
        embedded_evaluate("[__import__('gc').collect(), __import__('sys').getallocatedblocks()][1]", NULL);
    long blocks = PyLong_AsLong(number);
    Py_DECREF(number);
    return blocks;
}

#endif
