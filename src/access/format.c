/* A format of the access log: a list of pieces. Each piece is text, or a field of the table. */
#include "access/format.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "access/fields.h"
#include "base/mem.h"
#include "options/name_distance.h"

/* A line while it is written. Text that has no room is dropped. */
struct line {
    size_t size;
    char text[ACCESS_LINE_SIZE];
};

enum escape {
    ESCAPE_TEXT, /* \" and \\, and \xNN for a byte that is not printable ASCII */
    ESCAPE_WORD, /* spaces too: outside of quotes a space would shift the columns that follow */
    ESCAPE_JSON, /* \u00NN, JSON's own escape: each byte as the latin-1 character that environ has too */
    ESCAPES
};

static size_t line_room(const struct line *line)
{
    return ACCESS_LINE_SIZE - 1 - line->size;
}

static void line_begin(struct line *line)
{
    line->size = 0;
}

static void line_add(struct line *line, struct slice text)
{
    size_t size = text.size < line_room(line) ? text.size : line_room(line);
    if (size > 0)
        memcpy(line->text + line->size, text.data, size);
    line->size += size;
}

/* Adds at least `width` digits, or none when they do not all fit. */
static void line_add_digits(struct line *line, uint64_t number, size_t width)
{
    size_t count = 1;
    for (uint64_t rest = number / 10; rest > 0; rest /= 10)
        count++;
    count = count < width ? width : count;
    if (count > line_room(line))
        return;
    line->size += count;
    for (char *digit = line->text + line->size; count > 0; count--, number /= 10)
        *--digit = (char)('0' + number % 10);
}

static void line_add_number(struct line *line, uint64_t number)
{
    line_add_digits(line, number, 1);
}

static void line_add_seconds(struct line *line, uint64_t ns)
{
    uint64_t us = (ns + 500) / 1000;
    line_add_digits(line, us / 1000000, 1);
    line_add(line, SLICE("."));
    line_add_digits(line, us % 1000000, 6);
}

/* The bytes that are written unchanged: a bit for each escape. */
enum { IN_TEXT = 1 << ESCAPE_TEXT, IN_WORD = 1 << ESCAPE_WORD, IN_JSON = 1 << ESCAPE_JSON };
enum { EVERYWHERE = IN_TEXT | IN_WORD | IN_JSON };
static const uint8_t plain[256] = {
    [' '] = IN_TEXT | IN_JSON,
    ['!'] = EVERYWHERE,
    ['#' ... '['] = EVERYWHERE,
    [']' ... '~'] = EVERYWHERE,
};

static const struct slice prefixes[ESCAPES] = {
    [ESCAPE_TEXT] = SLICE("\\x"),
    [ESCAPE_WORD] = SLICE("\\x"),
    [ESCAPE_JSON] = SLICE("\\u00"),
};

static size_t escape_byte(char out[6], unsigned char c, enum escape escape)
{
    static const char hex[] = "0123456789abcdef";
    out[0] = '\\';
    out[1] = (char)c;
    if (c == '"' || c == '\\')
        return 2;
    struct slice prefix = prefixes[escape];
    memcpy(out, prefix.data, prefix.size);
    out[prefix.size] = hex[c >> 4];
    out[prefix.size + 1] = hex[c & 15];
    return prefix.size + 2;
}

static void line_add_client(struct line *line, struct slice text, enum escape escape)
{
    size_t room = line_room(line) < ACCESS_CLIENT_SIZE ? line_room(line) : ACCESS_CLIENT_SIZE;
    char *out = line->text + line->size, *end = out + room;
    for (size_t i = 0; i < text.size && out < end; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (plain[c] >> escape & 1) {
            *out++ = (char)c;
            continue;
        }
        char piece[6];
        size_t size = escape_byte(piece, c, escape);
        if (size > (size_t)(end - out))
            break;
        memcpy(out, piece, size);
        out += size;
    }
    line->size = (size_t)(out - line->text);
}

static void line_end(struct line *line)
{
    line->text[line->size++] = '\n';
}

struct piece {
    const struct access_field *field; /* NULL: the piece is text */
    struct slice text;                /* in JSON the text before the value: ,"name": */
    struct slice argument;            /* the field's argument */
    char *own;                        /* memory for `text` or `argument`, or NULL */
};

struct access_format {
    bool json;
    int pid, worker;
    struct piece *pieces;
    size_t count;
    char *string; /* texts and arguments are slices of it */
    struct line line;
};

/* The formats that have a name. A NULL string is the object of all fields. */
static const struct {
    const char *name, *string;
} named[] = {
    {"common", "%(h)s %(l)s %(u)s %(t)s \"%(r)s\" %(s)s %(b)s"},
    {"combined", "%(h)s %(l)s %(u)s %(t)s \"%(r)s\" %(s)s %(b)s \"%(f)s\" \"%(a)s\""},
    {"json", NULL},
};

static void add_piece(struct access_format *format, struct piece piece)
{
    if (piece.argument.data == NULL && piece.field != NULL && piece.field->argument != NULL)
        piece.argument = slice_of(piece.field->argument);
    format->pieces = xrealloc(format->pieces, (format->count + 1) * sizeof(*format->pieces));
    format->pieces[format->count++] = piece;
}

static void add_text(struct access_format *format, const char *text, size_t size)
{
    if (size > 0)
        add_piece(format, (struct piece){.text = {text, size}});
}

static const struct access_field *find_atom(struct slice name)
{
    for (size_t i = 0; i < access_field_count; i++)
        if (access_fields[i].atom != NULL && slice_eq(name, slice_of(access_fields[i].atom)))
            return &access_fields[i];
    return NULL;
}

static const struct access_field *find_variable(struct slice name)
{
    for (size_t i = 0; i < access_field_count; i++)
        if (access_fields[i].environ != NULL && slice_eq_nocase(name, slice_of(access_fields[i].environ)))
            return &access_fields[i];
    return NULL;
}

/* Makes X-NAME of HTTP_X_NAME. NULL when environ has no such variable for a field. */
static char *field_name_of(struct slice variable)
{
    static const struct slice prefix = SLICE("HTTP_");
    static const char *const others[] = {"CONTENT-TYPE", "CONTENT-LENGTH", "TRANSFER-ENCODING"};
    if (variable.size <= prefix.size || !slice_eq_nocase((struct slice){variable.data, prefix.size}, prefix))
        return NULL;
    char *name = xstrndup(variable.data + prefix.size, variable.size - prefix.size);
    for (char *c = name; *c != '\0'; c++)
        *c = *c == '_' ? '-' : *c;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (slice_eq_nocase(slice_of(name), slice_of(others[i]))) {
            free(name);
            return NULL;
        }
    return name;
}

/* Names of variables are compared in any case, as gunicorn does. */
static int add_variable(struct access_format *format, struct slice name, char *message, size_t message_size)
{
    const struct access_field *field = find_variable(name);
    char *own = field == NULL ? field_name_of(name) : NULL;
    if (field != NULL || own != NULL) {
        struct slice argument = own != NULL ? slice_of(own) : (struct slice){NULL, 0};
        add_piece(format, (struct piece){field != NULL ? field : &access_environ_field, .argument = argument,
                                         .own = own});
        return 0;
    }
    struct text known;
    text_init(&known);
    for (size_t i = 0; i < access_field_count; i++)
        if (access_fields[i].environ != NULL && strncmp(access_fields[i].environ, "HTTP_", 5) != 0)
            text_printf(&known, "%s, ", access_fields[i].environ);
    snprintf(
        message, message_size,
        "gateway: --access-logformat: %%({%.*s}e)s is not known to the log: of environ it knows %.*sHTTP_*, "
        "but not the additions of the application",
        name.size < 40 ? (int)name.size : 40, name.data, (int)known.size, known.data);
    text_fini(&known);
    return -1;
}

#define FORMS \
    "give \"common\", \"combined\", \"json\" or atoms such as %%(h)s %%(r)s %%(s)s %%({user-agent}i)s"

static int complain_of_atom(const char *at, char *message, size_t message_size)
{
    snprintf(message, message_size,
             "gateway: --access-logformat: \"%.30s\" is not one of gunicorn's atoms; " FORMS, at);
    return -1;
}

/* `at` is at "%(", and `end` at ")s". 0, or -1 with the message filled. */
static int add_atom(struct access_format *format, const char *at, const char *end, char *message,
                    size_t message_size)
{
    struct slice name = {at + 2, (size_t)(end - at - 2)};
    if (name.size > 3 && name.data[0] == '{' && name.data[name.size - 2] == '}') {
        struct slice argument = {name.data + 1, name.size - 3};
        char kind = name.data[name.size - 1];
        if (kind == 'e')
            return add_variable(format, argument, message, message_size);
        if (kind != 'i' && kind != 'o')
            return complain_of_atom(at, message, message_size);
        add_piece(format, (struct piece){kind == 'i' ? &access_request_field : &access_response_field,
                                         .argument = argument});
        return 0;
    }
    const struct access_field *field = find_atom(name);
    if (field == NULL)
        return complain_of_atom(at, message, message_size);
    add_piece(format, (struct piece){.field = field});
    return 0;
}

/* Cuts the string into pieces. 0, or -1 with the message filled. */
static int compile(struct access_format *format, char *message, size_t message_size)
{
    const char *at = format->string;
    while (*at != '\0') {
        const char *percent = strchr(at, '%');
        size_t literal = percent != NULL ? (size_t)(percent - at) : strlen(at);
        add_text(format, at, literal);
        at += literal;
        if (*at == '\0')
            break;
        if (at[1] == '%') {
            add_text(format, at, 1);
            at += 2;
            continue;
        }
        const char *end = at[1] == '(' ? strstr(at, ")s") : NULL;
        if (end == NULL)
            return complain_of_atom(at, message, message_size);
        if (add_atom(format, at, end, message, message_size) < 0)
            return -1;
        at = end + 2;
    }
    return 0;
}

/* The named format that is most like `typed`, or NULL. */
static const char *find_nearest(const char *typed)
{
    const char *nearest = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
        size_t distance = name_distance(typed, strlen(typed), named[i].name);
        if (distance < least) {
            nearest = named[i].name;
            least = distance;
        }
    }
    return nearest;
}

/* Refuses a format without a field. Its line would be the same for every request: most likely it is
 * a mistyped name. */
static int require_field(const struct access_format *format, char *message, size_t message_size)
{
    const char *nearest = find_nearest(format->string);
    for (size_t i = 0; i < format->count; i++)
        if (format->pieces[i].field != NULL)
            return 0;
    if (nearest != NULL)
        snprintf(message, message_size,
                 "gateway: --access-logformat: \"%.30s\" is not a format; did you mean %s?", format->string,
                 nearest);
    else
        snprintf(message, message_size, "gateway: --access-logformat: \"%.30s\" has no atom; " FORMS,
                 format->string);
    return -1;
}

static void compile_json(struct access_format *format)
{
    for (size_t i = 0; i < access_field_count; i++) {
        if (access_fields[i].json == NULL)
            continue;
        char *own = xasprintf(",\"%s\":", access_fields[i].json);
        add_piece(format, (struct piece){&access_fields[i], .text = slice_of(own), .own = own});
    }
}

struct access_format *access_format_new(const char *string, char *message, size_t message_size)
{
    struct access_format *format = xcalloc(1, sizeof(*format));
    format->pid = (int)getpid();
    format->worker = -1;
    format->json = strcmp(string, "json") == 0;
    for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
        if (named[i].string != NULL && strcmp(string, named[i].name) == 0)
            string = named[i].string;
    format->string = xstrdup(string);
    if (format->json) {
        compile_json(format);
    } else if (compile(format, message, message_size) < 0 ||
               require_field(format, message, message_size) < 0) {
        access_format_free(format);
        return NULL;
    }
    return format;
}

void access_format_identify(struct access_format *format, unsigned worker)
{
    format->pid = (int)getpid();
    format->worker = (int)worker;
}

static void add_value(struct line *line, enum access_kind kind, const struct access_value *value)
{
    if (kind == ACCESS_NUMBER)
        line_add_number(line, value->number);
    else if (kind == ACCESS_SECONDS)
        line_add_seconds(line, value->number);
    else
        line_add_client(line, value->text, kind == ACCESS_WORD ? ESCAPE_WORD : ESCAPE_TEXT);
}

static void write_pieces(struct access_format *format, struct access_source *source)
{
    struct line *line = &format->line;
    for (size_t i = 0; i < format->count; i++) {
        const struct piece *piece = &format->pieces[i];
        struct access_value value;
        source->argument = piece->argument;
        if (piece->field == NULL)
            line_add(line, piece->text);
        else if (piece->field->read(source, &value))
            add_value(line, piece->field->kind, &value);
        else
            line_add(line, piece->field->unknown != NULL ? slice_of(piece->field->unknown) : SLICE("-"));
    }
}

static void add_json_value(struct line *line, enum access_kind kind, const struct access_value *value)
{
    if (kind == ACCESS_NUMBER || kind == ACCESS_SECONDS) {
        add_value(line, kind, value);
        return;
    }
    line_add(line, kind == ACCESS_LIST ? SLICE("[\"") : SLICE("\""));
    line_add_client(line, value->text, ESCAPE_JSON);
    line_add(line, kind == ACCESS_LIST ? SLICE("\"]") : SLICE("\""));
}

static void write_json(struct access_format *format, struct access_source *source)
{
    struct line *line = &format->line;
    line_add(line, SLICE("{"));
    for (size_t i = 0; i < format->count; i++) {
        const struct piece *piece = &format->pieces[i];
        struct access_value value;
        source->argument = piece->argument;
        if (!piece->field->read(source, &value))
            continue;
        size_t first = line->size == 1; /* the first field has no comma */
        line_add(line, (struct slice){piece->text.data + first, piece->text.size - first});
        add_json_value(line, piece->field->kind, &value);
    }
    line_add(line, SLICE("}"));
}

struct slice access_format_line(struct access_format *format, const struct exchange *exchange,
                                uint64_t duration_ns)
{
    struct access_source source;
    source.exchange = exchange;
    source.duration_ns = duration_ns;
    source.pid = format->pid;
    source.worker = format->worker;
    source.has_trace = TRACE_UNKNOWN;
    clock_gettime(CLOCK_REALTIME_COARSE, &source.now);
    text_init(&source.scratch);
    line_begin(&format->line);
    if (format->json)
        write_json(format, &source);
    else
        write_pieces(format, &source);
    line_end(&format->line);
    text_fini(&source.scratch);
    return (struct slice){format->line.text, format->line.size};
}

void access_format_free(struct access_format *format)
{
    if (format == NULL)
        return;
    for (size_t i = 0; i < format->count; i++)
        free(format->pieces[i].own);
    free(format->pieces);
    free(format->string);
    free(format);
}
