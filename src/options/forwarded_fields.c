/* The fields of trusted proxies that are believed. */
#include "options/forwarded_fields.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"

enum { ITEM_SHOWN = 64 };

static const struct slice words[FORWARDED_PARTS] = {
    [PART_FOR] = SLICE("for"),   [PART_PROTO] = SLICE("proto"),   [PART_HOST] = SLICE("host"),
    [PART_PORT] = SLICE("port"), [PART_PREFIX] = SLICE("prefix"), [PART_BY] = SLICE("by"),
};

static const struct slice family = SLICE("X-Forwarded-");
static const struct slice others[] = {SLICE("X-Real-IP"), SLICE("X-Client-IP")};

static bool is_of_family(struct slice name)
{
    return name.size > family.size && slice_eq_nocase((struct slice){name.data, family.size}, family);
}

enum forwarded_part forwarded_part_find(struct slice word)
{
    unsigned part = 0;
    if (is_of_family(word))
        word = (struct slice){word.data + family.size, word.size - family.size};
    while (part < FORWARDED_PARTS && !slice_eq_nocase(words[part], word))
        part++;
    return (enum forwarded_part)part;
}

/* Accepts letters, digits and hyphens: a name with an underscore never reaches an application. */
static bool is_whole_name(struct slice item)
{
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (slice_eq_nocase(others[i], item))
            return true;
    if (!is_of_family(item))
        return false;
    for (size_t i = family.size; i < item.size; i++) {
        char c = item.data[i];
        if ((c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-')
            return false;
    }
    return true;
}

int forwarded_fields_parse(struct forwarded_fields *fields, const char *list, char *wrong, size_t size)
{
    char shown[ITEM_SHOWN];
    struct slice rest = slice_of(list);
    bool whole = false;
    *fields = (struct forwarded_fields){.parts = 0};
    while (rest.data != NULL) {
        struct slice item = slice_next(&rest, ',');
        enum forwarded_part part = forwarded_part_find(item);
        if (part != FORWARDED_PARTS)
            fields->parts |= 1U << part;
        else if (is_whole_name(item))
            whole = true;
        else if (item.size > 0) {
            shown[text_escape(shown, sizeof(shown) - 1, item.data, item.size, false)] = '\0';
            snprintf(wrong, size,
                     "has \"%s\" in it, which is no field (for, proto, host, port, prefix, by or "
                     "X-Forwarded-NAME)",
                     shown);
            return -1;
        }
    }
    fields->list = whole ? xstrdup(list) : NULL;
    return 0;
}

void forwarded_fields_free(struct forwarded_fields *fields)
{
    free(fields->list);
    *fields = (struct forwarded_fields){.parts = 0};
}

bool forwarded_fields_name(const struct forwarded_fields *fields, struct slice name)
{
    if (fields->list == NULL)
        return false;
    struct slice rest = slice_of(fields->list);
    while (rest.data != NULL)
        if (slice_eq_nocase(slice_next(&rest, ','), name))
            return true;
    return false;
}
