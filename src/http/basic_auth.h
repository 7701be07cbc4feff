/*
 * The user of "Authorization: Basic" (RFC 7617), for the log. The server does not check the
 * password. Pure.
 */
#ifndef HTTP_BASIC_AUTH_H
#define HTTP_BASIC_AUTH_H

#include "base/slice.h"

/* Writes the user of a field's value to `out`, which has room for value.size bytes and may be where
 * the value stands. Returns its size. 0 without a user: another scheme, malformed base64, or no
 * colon. Without a colon all of it may be a secret. */
size_t basic_auth_user(struct slice value, char *out);

#endif
