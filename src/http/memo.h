/*
 * The memo of header sections: clients and proxies repeat theirs, byte for byte, for every request.
 *
 * A section seen twice is kept, parsed, together with what py/environ made of it; the next request with the same bytes
 * needs one memcmp. Direct-mapped by hash, so memory is bounded: at most MEMO_SLOTS sections of at most MEMO_BYTES
 * bytes each. Only sections that passed the parser get in; framing decisions are stored with the section, never redone.
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

/* The section in `slot` when `bytes` begin with all of it, else NULL. The end of a head need not be known: a section ends
 * with its empty line, so the match is the end. Borrowed: take a reference to keep it. */
struct header_section *memo_guess(const struct memo *memo, unsigned slot, struct slice bytes);

/* The slot to guess with for a connection that has no history: the one found or filled last. */
unsigned memo_recent(const struct memo *memo);

/* The kept section equal to `bytes` (which end with the empty line), and its slot; NULL when there is none. Borrowed. */
struct header_section *memo_find(struct memo *memo, struct slice bytes, unsigned *slot);

/* Offers a section that memo_find has just missed. The memo takes a reference of its own when the same bytes were offered
 * before; then true and *slot, else false. */
bool memo_offer(struct memo *memo, struct header_section *section, unsigned *slot);

#endif
