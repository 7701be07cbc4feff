/*
 * The memo of header sections: a direct-mapped table. It does not parse, and trusts only equal
 * bytes.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "http/memo.h"

struct slot {
    struct header_section *section; /* a reference, or NULL */
    /* Hash of the last offer here: the section is kept when it comes again. */
    uint64_t offered;
};

struct memo {
    struct slot slots[MEMO_SLOTS];
    unsigned recent;
};

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u; /* 2^64 / golden ratio */
    return hash ^ hash >> 32;
}

/* A client that forces collisions only evicts entries, because a hit needs equal bytes. So speed
 * counts here, and the hash needs no key. */
static uint64_t hash_bytes(struct slice bytes)
{
    uint64_t hash = bytes.size, word;
    size_t i = 0;
    for (; bytes.size - i >= sizeof(word); i += sizeof(word)) {
        memcpy(&word, bytes.data + i, sizeof(word));
        hash = mix(hash, word);
    }
    word = 0;
    memcpy(&word, bytes.data + i, bytes.size - i);
    return mix(hash, word);
}

static unsigned slot_of(uint64_t hash)
{
    return (unsigned)(hash % MEMO_SLOTS);
}

struct memo *memo_new(void)
{
    return xcalloc(1, sizeof(struct memo));
}

void memo_free(struct memo *memo)
{
    if (memo == NULL)
        return;
    for (unsigned i = 0; i < MEMO_SLOTS; i++)
        header_section_unref(memo->slots[i].section);
    free(memo);
}

struct header_section *memo_guess(const struct memo *memo, unsigned slot, struct slice bytes)
{
    struct header_section *section = slot < MEMO_SLOTS ? memo->slots[slot].section : NULL;
    if (section == NULL || bytes.size < section->bytes.size ||
        memcmp(bytes.data, section->bytes.data, section->bytes.size) != 0)
        return NULL;
    return section;
}

unsigned memo_recent(const struct memo *memo)
{
    return memo->recent;
}

struct header_section *memo_find(struct memo *memo, struct slice bytes, unsigned *slot)
{
    if (bytes.size > MEMO_BYTES)
        return NULL;
    unsigned place = slot_of(hash_bytes(bytes));
    struct header_section *section = memo->slots[place].section;
    if (section == NULL || !slice_eq(section->bytes, bytes))
        return NULL;
    *slot = memo->recent = place;
    return section;
}

bool memo_offer(struct memo *memo, struct header_section *section, unsigned *slot)
{
    if (section->bytes.size > MEMO_BYTES)
        return false;
    uint64_t hash = hash_bytes(section->bytes);
    struct slot *place = &memo->slots[slot_of(hash)];
    if (place->offered != hash) {
        place->offered = hash;
        return false;
    }
    header_section_unref(place->section);
    place->section = header_section_ref(section);
    *slot = memo->recent = slot_of(hash);
    return true;
}
