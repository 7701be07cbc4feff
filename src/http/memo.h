/*
 * The memo of header sections: clients and proxies repeat theirs, byte for byte, in every request.
 *
 * A section that was seen twice is kept, parsed, together with the dict that py/environ made of it.
 * The next request with the same bytes needs one memcmp. The table is direct-mapped by hash, so
 * memory is bounded: at most MEMO_SLOTS sections of at most MEMO_BYTES bytes each. Only sections
 * that passed the parser get in. Their framing decisions are stored with them, and never made
 * again.
 *
 * Belongs to the thread that runs the event loop.
 */
#ifndef HTTP_MEMO_H
#define HTTP_MEMO_H

#include <stdint.h>

#include "base/slice.h"
#include "http/header_section.h"

enum { MEMO_SLOTS = 256, MEMO_BYTES = 2048 };

struct memo;

struct memo *memo_new(void);
void memo_free(struct memo *memo); /* NULL is fine */

/* The section in `slot` when `bytes` begin with all of it, else NULL. The caller need not know
 * where the head ends: a section ends with its empty line, so the match finds the end. Borrowed:
 * take a reference to keep it. */
struct header_section *memo_guess(const struct memo *memo, unsigned slot, struct slice bytes);

/* The slot that was found or filled last: the guess for a connection without history. */
unsigned memo_recent(const struct memo *memo);

/* The kept section that is equal to `bytes` (which end with the empty line), and its slot, or NULL.
 * Borrowed. */
struct header_section *memo_find(struct memo *memo, struct slice bytes, unsigned *slot);

/* Offers a section that memo_find has just missed. The memo takes a reference of its own when the
 * same bytes were offered before. True when it did; *slot is set then. */
bool memo_offer(struct memo *memo, struct header_section *section, unsigned *slot);

#endif
