/* The user of "Authorization: Basic": base64 (RFC 4648 4), and the text before its first colon. */
#include "http/basic_auth.h"

static int sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes groups of four characters; the last group may be padded. False when `text` is malformed.
 * Four bytes in make three bytes out, so it may happen in place. */
static bool base64_decode(struct slice text, char *out, size_t *size)
{
    *size = 0;
    if (text.size % 4 != 0)
        return false;
    for (size_t pads = 0; pads < 2 && text.size > 0 && text.data[text.size - 1] == '='; pads++)
        text.size--;
    unsigned bits = 0;
    for (size_t i = 0; i < text.size; i++) {
        int value = sextet(text.data[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (unsigned)value;
        if (i % 4 != 0)
            out[(*size)++] = (char)(bits >> (6 - 2 * (i % 4)));
    }
    return true;
}

size_t basic_auth_user(struct slice value, char *out)
{
    const struct slice scheme = SLICE("Basic ");
    size_t size;
    if (value.size < scheme.size || !slice_eq_nocase((struct slice){value.data, scheme.size}, scheme))
        return 0;
    struct slice text = slice_trim((struct slice){value.data + scheme.size, value.size - scheme.size});
    if (!base64_decode(text, out, &size))
        return 0;
    const char *colon = size > 0 ? memchr(out, ':', size) : NULL;
    return colon != NULL ? (size_t)(colon - out) : 0;
}
