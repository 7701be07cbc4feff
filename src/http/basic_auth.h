/*
 * The user of "Authorization: Basic" (RFC 7617). For the log alone: nobody here knows whether the password is right.
 */
#ifndef HTTP_BASIC_AUTH_H
#define HTTP_BASIC_AUTH_H

#include "base/slice.h"

/* `value` is the field's. Writes the user to `out`, which has room for value.size bytes and may be where the value stands. Its
 * size; 0 when there is none: another scheme, no well-formed base64, no colon (then it may all be a secret). */
size_t basic_auth_user(struct slice value, char *out);

#endif
