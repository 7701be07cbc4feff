/*
 * Character classes of RFC 9110 and 9112, and the scans built on them. Pure.
 */
#ifndef HTTP_TOKEN_H
#define HTTP_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum {
    CHAR_TOKEN = 1,  /* tchar, RFC 9110 5.6.2 */
    CHAR_VALUE = 2,  /* field-content: HTAB, SP, VCHAR, obs-text, RFC 9110 5.5 */
    CHAR_TARGET = 4, /* may stand in a request target: VCHAR but "#" */
    CHAR_HOST = 8,   /* unreserved / sub-delims / "%", RFC 3986 3.2.2 */
    CHAR_HEX = 16,
    CHAR_DIGIT = 32,
};

extern const uint8_t char_classes[256];

static inline bool char_is(unsigned char c, int class)
{
    return char_classes[c] & class;
}

bool slice_all(struct slice s, int class); /* true for an empty slice */
bool slice_is_token(struct slice s);       /* all tchar, and not empty */
int hex_value(unsigned char c);            /* 0-15, or -1 */
size_t value_span(struct slice s);         /* number of bytes at the start that are CHAR_VALUE */
bool escapes_are_whole(struct slice s);    /* every "%" is followed by two hexadecimal digits */

/* Percent-decodes a path that escapes_are_whole has accepted. `out` has room for path.size bytes.
 * Returns the bytes written. "%2F" becomes "/", as WSGI demands. */
size_t path_decode(char *out, struct slice path);

/* uri-host [ ":" port ] of RFC 9112 3.2, without userinfo. The host is a registered name, an IPv4
 * address, or in brackets an IPv6 address or RFC 3986 3.2.2's form for the future. It must not be
 * empty. */
bool slice_is_host(struct slice s);
/* The two parts of a text that slice_is_host accepts. The port is empty without one. */
struct slice host_name(struct slice host);
struct slice host_port(struct slice host);

#endif
