/*
 * Fuzz: whatever we accept, llhttp in strict mode must accept too, and see the same: method, target, framing, body, where
 * the request ends, and whether the connection is kept. The reverse is not asked for: we refuse more.
 */
#include <llhttp.h>
#include <stdlib.h>

#include "fuzz.h"
#include "http/token.h"
#include "session.h"

/* What llhttp says of one request. */
struct message {
    struct slice bytes; /* the request, as we see it */
    size_t target_size, body_size;
    bool head; /* it has seen the head's end */
    bool chunked, has_length, keep_alive;
    char *body; /* room for all the input */
    int error;  /* HPE_PAUSED at the end of the request */
    const char *error_at;
};

static bool method_is_unknown(const struct session_answer *answer, const struct message *message)
{
    static const char *const names[] = {
#define NAME(number, name, text) #text,
        HTTP_METHOD_MAP(NAME)
#undef NAME
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (slice_eq(answer->method, slice_of(names[i])) && i != HTTP_SOURCE)
            return false;
    }
    return message->error != HPE_PAUSED;
}

static bool trailer_is_framing(const struct session_answer *answer, const struct message *message)
{
    return answer->framing == FRAMING_CHUNKED && message->head &&
           (message->error == HPE_INVALID_TRANSFER_ENCODING ||
            message->error == HPE_UNEXPECTED_CONTENT_LENGTH || message->error == HPE_INVALID_CONTENT_LENGTH);
}

static bool extension_is_refused(const struct session_answer *answer, const struct message *message)
{
    if (answer->framing != FRAMING_CHUNKED || !message->head || message->error == HPE_PAUSED)
        return false;
    const char *at = message->error_at;
    while (*at != '\n' && *at != ';')
        at--;
    return *at == ';';
}

static bool framing_ends_in_tab(const struct session_answer *answer, const struct message *message)
{
    (void)answer;
    return (message->error == HPE_INVALID_CONTENT_LENGTH ||
            message->error == HPE_INVALID_TRANSFER_ENCODING) &&
           memchr(message->bytes.data, '\t', message->bytes.size) != NULL;
}

static bool minor_version_is_high(const struct session_answer *answer, const struct message *message)
{
    (void)answer;
    return message->error == HPE_INVALID_VERSION;
}

/* What llhttp refuses, and why we do not follow. */
static const struct {
    bool (*applies)(const struct session_answer *answer, const struct message *message);
    const char *reason;
} differences[] = {
    {method_is_unknown,
     "llhttp knows a list of methods, and SOURCE only for ICE; any token is the application's to judge"},
    {minor_version_is_high,
     "llhttp takes no HTTP/1.2; RFC 9110 2.5 has it served as the highest minor version known"},
    {trailer_is_framing,
     "llhttp reads trailers as fields; ours are dropped, so what they say of framing means nothing"},
    {framing_ends_in_tab, "llhttp takes no tab behind a Content-Length or Transfer-Encoding; the white space "
                          "around a value is SP and HTAB"},
    {extension_is_refused,
     "llhttp 8.1 takes no extension behind one with a value, nor pairs in quoted strings; RFC 9112 has both"},
};

static bool is_known(const struct session_answer *answer, const struct message *message)
{
    for (size_t i = 0; i < sizeof(differences) / sizeof(differences[0]); i++) {
        if (differences[i].applies(answer, message))
            return true;
    }
    return false;
}

static int on_url(llhttp_t *parser, const char *at, size_t size)
{
    (void)at;
    ((struct message *)parser->data)->target_size += size;
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct message *message = parser->data;
    message->head = true;
    message->keep_alive = llhttp_should_keep_alive(parser);
    message->chunked = parser->flags & F_CHUNKED;
    message->has_length = parser->flags & F_CONTENT_LENGTH;
    parser->upgrade = 0; /* an offer, which may be ignored (RFC 9110 7.8) */
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t size)
{
    struct message *message = parser->data;
    memcpy(message->body + message->body_size, at, size);
    message->body_size += size;
    return 0;
}

static int on_message_complete(llhttp_t *parser)
{
    (void)parser;
    return HPE_PAUSED;
}

/* Closing where llhttp does not is what both ends can live with; to HTTP/1.0 it lets keep-alive win over close. And it
 * knows no tabs in Connection, where we follow RFC 9110 5.6.3. */
static bool keep_alive_may_differ(const struct session_answer *answer, const struct message *message)
{
    return !answer->keep_alive || memchr(message->bytes.data, '\t', message->bytes.size) != NULL;
}

static bool agree(const struct session_answer *answer, const struct message *message, llhttp_t *parser)
{
    const struct body_content *body = &answer->body;
    return slice_eq(answer->method, slice_of(llhttp_method_name(parser->method))) &&
           answer->target.size == message->target_size && answer->minor == parser->http_minor &&
           (answer->framing == FRAMING_CHUNKED) == message->chunked &&
           (answer->framing == FRAMING_LENGTH) == message->has_length && body->size == message->body_size &&
           (body->memory == NULL || memcmp(body->memory, message->body, body->size) == 0) &&
           (answer->keep_alive == message->keep_alive || keep_alive_may_differ(answer, message));
}

static void compare(const struct session *session, struct slice input, llhttp_t *parser)
{
    struct message *message = parser->data;
    for (size_t i = 0, at = 0; i < session->count && session->answers[i].status == 200; i++) {
        const struct session_answer *answer = &session->answers[i];
        *message = (struct message){.bytes = {input.data + at, answer->end - at}, .body = message->body};
        llhttp_reset(parser); /* its opinion of what trailers say of the connection would stay */
        message->error = (int)llhttp_execute(parser, input.data + at, input.size - at);
        message->error_at = llhttp_get_error_pos(parser);
        if (is_known(answer, message))
            return;
        if (message->error != HPE_PAUSED || !agree(answer, message, parser) ||
            message->error_at != input.data + answer->end)
            abort();
        at = answer->end;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const llhttp_settings_t settings = {.on_url = on_url,
                                               .on_headers_complete = on_headers_complete,
                                               .on_body = on_body,
                                               .on_message_complete = on_message_complete};
    struct slice input = {(const char *)data, size};
    struct message message = {.body = malloc(size + 1)};
    struct session session;
    llhttp_t parser;
    llhttp_init(&parser, HTTP_REQUEST, &settings);
    parser.data = &message;
    session_run(&session, input, 0, NULL);
    compare(&session, input, &parser);
    session_free(&session);
    free(message.body);
    return 0;
}
