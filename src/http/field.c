/*
 * A response field as an application gives it: what it may say, and how it looks as a line.
 */
#include "http/response.h"
#include "http/token.h"

static const struct {
    struct slice name;
    enum field_kind kind;
} known_fields[] = {
    {SLICE("Content-Length"), FIELD_CONTENT_LENGTH},
    {SLICE("Date"), FIELD_DATE},
    {SLICE("Server"), FIELD_SERVER},
    {SLICE("Connection"), FIELD_PERSISTENCE}, /* or another: see connection_kind */
    {SLICE("Keep-Alive"), FIELD_PERSISTENCE},
    {SLICE("Proxy-Authenticate"), FIELD_HOP_BY_HOP},
    {SLICE("Proxy-Authorization"), FIELD_HOP_BY_HOP},
    {SLICE("Proxy-Connection"), FIELD_HOP_BY_HOP},
    {SLICE("TE"), FIELD_HOP_BY_HOP},
    {SLICE("Trailer"), FIELD_HOP_BY_HOP},
    {SLICE("Trailers"), FIELD_HOP_BY_HOP}, /* so spelt in PEP 3333's list */
    {SLICE("Transfer-Encoding"), FIELD_HOP_BY_HOP},
    {SLICE("Upgrade"), FIELD_HOP_BY_HOP},
};

static enum field_kind field_kind_of(struct slice name)
{
    for (size_t i = 0; i < sizeof(known_fields) / sizeof(known_fields[0]); i++) {
        if (known_fields[i].name.size == name.size && slice_eq_nocase(known_fields[i].name, name))
            return known_fields[i].kind;
    }
    return FIELD_PLAIN;
}

/* Of Connection. What it says of this connection alone, many applications say: each tutorial on server-sent events does. Other
 * options announce fields of the connection (RFC 9110 7.6.1), which are the server's. */
static enum field_kind connection_kind(struct slice value)
{
    enum field_kind kind = FIELD_PERSISTENCE;
    while (value.data != NULL) {
        struct slice option = slice_next(&value, ',');
        if (slice_eq_nocase(option, SLICE("close")))
            kind = FIELD_CLOSE;
        else if (option.size > 0 && !slice_eq_nocase(option, SLICE("keep-alive")))
            return FIELD_HOP_BY_HOP;
    }
    return kind;
}

bool field_text_is_plain(struct slice text)
{
    return value_span(text) == text.size && (text.size == 0 || memchr(text.data, '\t', text.size) == NULL);
}

const char *response_field_check(struct slice name, struct slice value, enum field_kind *kind,
                                 uint64_t *length)
{
    if (!slice_is_token(name))
        return "a header name must consist of letters, digits and !#$%&'*+-.^_`|~";
    if (!field_text_is_plain(value))
        return "a header value must not hold control characters";
    *kind = field_kind_of(name);
    if (*kind == FIELD_PERSISTENCE && slice_eq_nocase(name, SLICE("Connection")))
        *kind = connection_kind(value);
    if (*kind == FIELD_HOP_BY_HOP)
        return "hop-by-hop headers belong to the server, not to the application";
    if (*kind == FIELD_CONTENT_LENGTH &&
        (slice_to_uint64(slice_trim(value), length) != 0 || *length > INT64_MAX))
        return "Content-Length must be a decimal number";
    return NULL;
}

size_t response_field_format(char *out, struct slice name, struct slice value)
{
    value = slice_trim(value);
    memcpy(out, name.data, name.size);
    memcpy(out + name.size, ": ", 2);
    if (value.size > 0)
        memcpy(out + name.size + 2, value.data, value.size);
    memcpy(out + name.size + 2 + value.size, "\r\n", 2);
    return name.size + value.size + 4;
}
