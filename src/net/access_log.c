/* The access log: a format compiled to a list of pieces, each a literal or a field of the exchange. */
#include "net/access_log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_file.h"
#include "base/mem.h"
#include "net/exchange.h"

/* A line; and what stands of one thing that a client sent, escaped. The lines of the named formats are never cut. */
enum { LINE_SIZE = 128 * 1024, CLIENT_SIZE = 16 * 1024, ESCAPE_SIZE = 6 };

struct line {
    size_t size;
    bool json; /* escapes as JSON strings have them */
    char text[LINE_SIZE];
};

struct source {
    const struct exchange *exchange;
    uint64_t duration_ns;
    time_t now;
};

struct piece {
    void (*write)(struct line *line, const struct source *source, struct slice argument);
    struct slice argument; /* a literal's text, a field's name */
};

struct access_log {
    struct log_file *file;
    char *format; /* what the pieces' slices point into */
    struct piece *pieces;
    size_t count;
    struct line line;
};

static void put(struct line *line, const char *data, size_t size)
{
    /* Two bytes stay free for what closes the line. */
    size_t room = LINE_SIZE - 2 - line->size;
    size = size < room ? size : room;
    memcpy(line->text + line->size, data, size);
    line->size += size;
}

static void __attribute__((format(printf, 2, 3))) put_format(struct line *line, const char *format, ...)
{
    char text[64];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    put(line, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

/* What a client sent. JSON has no \x: bytes that are not printable ASCII become \u00NN, as latin-1 has them. */
static void put_client(struct line *line, struct slice text)
{
    if (!line->json) {
        size_t room = LINE_SIZE - 2 - line->size;
        room = room < CLIENT_SIZE ? room : CLIENT_SIZE;
        line->size += log_escape(line->text + line->size, room, text.data, text.size, true);
        return;
    }
    size_t end = line->size + CLIENT_SIZE - ESCAPE_SIZE;
    for (size_t i = 0; i < text.size && line->size <= end; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
            put_format(line, "\\u%04x", c);
        else
            put(line, text.data + i, 1);
    }
}

static void put_client_or_dash(struct line *line, struct slice text)
{
    if (text.size == 0 && !line->json)
        put(line, "-", 1);
    else
        put_client(line, text);
}

static void write_literal(struct line *line, const struct source *source, struct slice argument)
{
    (void)source;
    put(line, argument.data, argument.size);
}

static void write_dash(struct line *line, const struct source *source, struct slice argument)
{
    (void)source, (void)argument;
    put(line, "-", 1);
}

static void write_address(struct line *line, const struct source *source, struct slice argument)
{
    (void)argument;
    put_client_or_dash(line, slice_of(exchange_client(source->exchange)->address));
}

static void write_time(struct line *line, const struct source *source, struct slice argument)
{
    (void)argument;
    struct tm local;
    char text[40];
    localtime_r(&source->now, &local);
    put(line, text, strftime(text, sizeof(text), "[%d/%b/%Y:%H:%M:%S %z]", &local));
}

static void write_iso_time(struct line *line, const struct source *source, struct slice argument)
{
    (void)argument;
    struct tm local;
    char text[40];
    localtime_r(&source->now, &local);
    put(line, text, strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S%z", &local));
}

static void write_request_line(struct line *line, const struct source *source, struct slice argument)
{
    (void)argument;
    put_client_or_dash(line, source->exchange->request.line);
}

static void write_method(struct line *line, const struct source *source, struct slice argument)
{
    (void)argument;
    put_client_or_dash(line, source->exchange->request.method);
}

static void write_path(struct line *line, const struct source *source, struct slice argument)
{
    (void)argument;
    put_client_or_dash(line, source->exchange->request.path);
}

static void write_query(struct line *line, const struct source *source, struct slice argument)
{
    (void)argument;
    put_client(line, source->exchange->request.query);
}

/* Unknown where the request line could not be parsed. */
static void write_protocol(struct line *line, const struct source *source, struct slice argument)
{
    (void)argument;
    const struct request *request = &source->exchange->request;
    if (request->target.size == 0)
        put(line, "-", 1);
    else
        put_format(line, "HTTP/1.%d", request->minor);
}

static void write_status(struct line *line, const struct source *source, struct slice argument)
{
    (void)argument;
    put_format(line, "%d", source->exchange->response.status);
}

static void write_bytes(struct line *line, const struct source *source, struct slice argument)
{
    (void)argument;
    put_format(line, "%" PRIu64, source->exchange->body_sent);
}

static void write_bytes_or_dash(struct line *line, const struct source *source, struct slice argument)
{
    if (source->exchange->body_sent == 0)
        put(line, "-", 1);
    else
        write_bytes(line, source, argument);
}

static void write_seconds(struct line *line, const struct source *source, struct slice argument)
{
    (void)argument;
    put_format(line, "%" PRIu64, source->duration_ns / 1000000000);
}

static void write_milliseconds(struct line *line, const struct source *source, struct slice argument)
{
    (void)argument;
    put_format(line, "%" PRIu64, source->duration_ns / 1000000);
}

static void write_microseconds(struct line *line, const struct source *source, struct slice argument)
{
    (void)argument;
    put_format(line, "%" PRIu64, source->duration_ns / 1000);
}

static void write_decimal_seconds(struct line *line, const struct source *source, struct slice argument)
{
    (void)argument;
    put_format(line, "%.6f", (double)source->duration_ns / 1e9);
}

static void write_pid(struct line *line, const struct source *source, struct slice argument)
{
    (void)source, (void)argument;
    put_format(line, "<%d>", (int)getpid());
}

static void write_request_id(struct line *line, const struct source *source, struct slice argument)
{
    (void)argument;
    put_client_or_dash(line, source->exchange->request.id);
}

static void write_request_field(struct line *line, const struct source *source, struct slice argument)
{
    const struct header_section *section = source->exchange->request.section;
    const struct field *field = section != NULL ? header_section_find(section, argument) : NULL;
    put_client_or_dash(line, field != NULL ? field->value : SLICE(""));
}

static void write_response_field(struct line *line, const struct source *source, struct slice argument)
{
    const struct response *response = &source->exchange->response;
    put_client_or_dash(line, response_find(response, argument));
}

static void write_bare_pid(struct line *line, const struct source *source, struct slice argument)
{
    (void)source, (void)argument;
    put_format(line, "%d", (int)getpid());
}

/* gunicorn's names. "a" and "f" are the user agent and the referer; identity and user are never known here. */
static const struct {
    const char *name;
    void (*write)(struct line *line, const struct source *source, struct slice argument);
    const char *argument;
} atoms[] = {
    {"h", write_address, NULL},
    {"l", write_dash, NULL},
    {"u", write_dash, NULL},
    {"t", write_time, NULL},
    {"r", write_request_line, NULL},
    {"m", write_method, NULL},
    {"U", write_path, NULL},
    {"q", write_query, NULL},
    {"H", write_protocol, NULL},
    {"s", write_status, NULL},
    {"B", write_bytes, NULL},
    {"b", write_bytes_or_dash, NULL},
    {"f", write_request_field, "Referer"},
    {"a", write_request_field, "User-Agent"},
    {"T", write_seconds, NULL},
    {"M", write_milliseconds, NULL},
    {"D", write_microseconds, NULL},
    {"L", write_decimal_seconds, NULL},
    {"p", write_pid, NULL},
    {"request_id", write_request_id, NULL},
    {"json.time", write_iso_time, NULL},
    {"json.pid", write_bare_pid, NULL},
};

static const struct {
    const char *name, *format;
} formats[] = {
    {"common", "%(h)s %(l)s %(u)s %(t)s \"%(r)s\" %(s)s %(b)s"},
    {"combined", "%(h)s %(l)s %(u)s %(t)s \"%(r)s\" %(s)s %(b)s \"%(f)s\" \"%(a)s\""},
    {"json", "{\"time\":\"%(json.time)s\",\"pid\":%(json.pid)s,\"remote_addr\":\"%(h)s\",\"method\":\"%(m)"
             "s\",\"path\":\"%(U)s\","
             "\"query\":\"%(q)s\",\"protocol\":\"%(H)s\",\"status\":%(s)s,\"bytes\":%(B)s,\"duration\":%(L)s,"
             "\"host\":\"%({host}i)s\",\"referer\":\"%(f)s\",\"user_agent\":\"%(a)s\","
             "\"request_id\":\"%(request_id)s\",\"traceparent\":\"%({traceparent}i)s\"}"},
};

static void add_piece(struct access_log *log, struct piece piece)
{
    log->pieces = xrealloc(log->pieces, (log->count + 1) * sizeof(*log->pieces));
    log->pieces[log->count++] = piece;
}

/* `name` is what stands between "%(" and ")s". */
static int add_atom(struct access_log *log, struct slice name)
{
    if (name.size > 3 && name.data[0] == '{' && name.data[name.size - 2] == '}') {
        struct slice field = {name.data + 1, name.size - 3};
        char kind = name.data[name.size - 1];
        if (kind != 'i' && kind != 'o')
            return -1;
        add_piece(log, (struct piece){kind == 'i' ? write_request_field : write_response_field, field});
        return 0;
    }
    for (size_t i = 0; i < sizeof(atoms) / sizeof(atoms[0]); i++)
        if (slice_eq(name, slice_of(atoms[i].name))) {
            const char *argument = atoms[i].argument;
            add_piece(log, (struct piece){atoms[i].write, argument != NULL ? slice_of(argument) : SLICE("")});
            return 0;
        }
    return -1;
}

/* 0, or -1 with the message filled. */
static int compile(struct access_log *log, char *message, size_t message_size)
{
    const char *at = log->format;
    while (*at != '\0') {
        const char *percent = strchr(at, '%');
        size_t literal = percent != NULL ? (size_t)(percent - at) : strlen(at);
        if (literal > 0)
            add_piece(log, (struct piece){write_literal, {at, literal}});
        at += literal;
        if (*at == '\0')
            break;
        if (at[1] == '%') {
            add_piece(log, (struct piece){write_literal, {at, 1}});
            at += 2;
            continue;
        }
        const char *end = at[1] == '(' ? strstr(at, ")s") : NULL;
        if (end == NULL || add_atom(log, (struct slice){at + 2, (size_t)(end - at - 2)}) < 0) {
            snprintf(message, message_size,
                     "gateway: --access-logformat: \"%.30s\" is not one of gunicorn's atoms; give "
                     "\"common\", \"combined\", \"json\" or "
                     "atoms such as %%(h)s %%(r)s %%(s)s %%({user-agent}i)s",
                     at);
            return -1;
        }
        at = end + 2;
    }
    return 0;
}

struct access_log *access_log_open(const char *path, const char *format, char *message, size_t message_size)
{
    struct access_log *log = xcalloc(1, sizeof(*log));
    const char *text = format;
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (strcmp(format, formats[i].name) == 0)
            text = formats[i].format;
    log->format = xstrdup(text);
    log->line.json = strcmp(format, "json") == 0;
    if (compile(log, message, message_size) < 0) {
        access_log_free(log);
        return NULL;
    }
    log->file = log_file_open(path, STDOUT_FILENO);
    if (log->file == NULL) {
        snprintf(message, message_size, "gateway: --access-logfile: %s can not be opened for writing: %m",
                 path);
        access_log_free(log);
        return NULL;
    }
    return log;
}

void access_log_write(struct access_log *log, const struct exchange *exchange, uint64_t duration_ns)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    struct source source = {exchange, duration_ns, now.tv_sec};
    struct line *line = &log->line;
    line->size = 0;
    for (size_t i = 0; i < log->count; i++)
        log->pieces[i].write(line, &source, log->pieces[i].argument);
    line->text[line->size++] = '\n';
    log_file_write(log->file, line->text, line->size);
}

int access_log_reopen(struct access_log *log)
{
    return log_file_reopen(log->file);
}

void access_log_free(struct access_log *log)
{
    if (log == NULL)
        return;
    log_file_close(log->file);
    free(log->pieces);
    free(log->format);
    free(log);
}
