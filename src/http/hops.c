/* The items of a list field, from the last to the first. */
#include "http/hops.h"

void hops_begin(struct hops *hops, const struct header_section *section, struct slice name)
{
    *hops = (struct hops){.section = section, .name = name, .line = section->count};
}

/* The line of that name before those that are done. */
static bool line_before(struct hops *hops)
{
    while (hops->line > 0) {
        const struct field *field = &hops->section->fields[--hops->line];
        if (slice_eq_nocase(field->name, hops->name)) {
            hops->rest = field->value;
            return true;
        }
    }
    return false;
}

static struct slice cut_last(struct slice *rest)
{
    bool quoted = false;
    size_t begin = rest->size;
    while (begin > 0 && (quoted || rest->data[begin - 1] != ',')) {
        quoted ^= rest->data[begin - 1] == '"';
        begin--;
    }
    struct slice item = {rest->data + begin, rest->size - begin};
    rest->size = begin > 0 ? begin - 1 : 0;
    return slice_trim(item);
}

bool hops_next(struct hops *hops, struct slice *item)
{
    do {
        if (hops->rest.size == 0 && !line_before(hops))
            return false;
        *item = hops->rest.size > 0 ? cut_last(&hops->rest) : (struct slice){NULL, 0};
    } while (item->size == 0);
    return true;
}
