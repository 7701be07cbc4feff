/*
 * Where to listen, when somebody else than the user has a say: systemd, and the platform by $PORT.
 */
#include "base/slice.h"
#include "options/options_parse.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What systemd passes begins after standard error; more than this it would not. */
enum { PASSED_FIRST = 3, PASSED_MAX = 1024 };

/* The list that is to come, in the place of any other. */
static void begin_bind(struct parse *parse, const char *where)
{
    parse_begin_level(parse, where);
    parse_note_origin(parse, (size_t)(option_find_name("bind", 4) - option_rows));
    string_list_free(&parse->options->bind);
}

/* Sockets that systemd has bound for this process, from descriptor 3 on. Whoever wrote the socket unit meant them, so they come
 * in the place of --bind, as with gunicorn. */
int parse_passed_sockets(struct parse *parse)
{
    char quoted[SHOWN_SIZE], address[32];
    const char *pid = parse_variable(parse, "LISTEN_PID"), *text = parse_variable(parse, "LISTEN_FDS");
    struct string_list *bind = &parse->options->bind;
    uint64_t whose, count;
    if (pid == NULL || text == NULL || slice_to_uint64(slice_of(pid), &whose) < 0 ||
        whose != (uint64_t)getpid())
        return 0;
    if (slice_to_uint64(slice_of(text), &count) < 0 || count > PASSED_MAX) {
        snprintf(parse->message, parse->message_size,
                 "gateway: \"%s\" is not a number of sockets from 0 to %d (LISTEN_FDS in the environment)",
                 parse_shown(quoted, text, strlen(text)), PASSED_MAX);
        return parse_mistake(parse);
    }
    parse->options->bind_replaced = count > 0 && bind->count > 0;
    if (count > 0)
        begin_bind(parse, "LISTEN_FDS in the environment");
    for (unsigned i = 0; i < count; i++) {
        snprintf(address, sizeof(address), "fd://%u", PASSED_FIRST + i);
        string_list_add(bind, address);
    }
    return 0;
}

/* --bind has a default that is decided last: where $PORT is set (Heroku, Cloud Run) it asks for all addresses. */
int parse_default_bind(struct parse *parse)
{
    char quoted[SHOWN_SIZE], address[32];
    const char *text = parse_variable(parse, "PORT");
    uint64_t port;
    if (parse->options->bind.count > 0)
        return 0;
    begin_bind(parse, text == NULL ? "default" : "PORT in the environment");
    if (text == NULL) {
        string_list_add(&parse->options->bind, "127.0.0.1:8000");
        return 0;
    }
    if (slice_to_uint64(slice_of(text), &port) < 0 || port > 65535) {
        snprintf(parse->message, parse->message_size,
                 "gateway: \"%s\" is not a port number from 0 to 65535 (PORT in the environment)",
                 parse_shown(quoted, text, strlen(text)));
        return parse_mistake(parse);
    }
    snprintf(address, sizeof(address), "0.0.0.0:%u", (unsigned)port);
    string_list_add(&parse->options->bind, address);
    return 0;
}
