/* A header section: its references, and the search for a field. */
#include "http/header_section.h"

#include <stdlib.h>

struct header_section *header_section_ref(struct header_section *section)
{
    uint32_t references = atomic_load_explicit(&section->references, memory_order_relaxed);
    atomic_store_explicit(&section->references, references + 1, memory_order_relaxed);
    return section;
}

void header_section_unref(struct header_section *section)
{
    if (section == NULL)
        return;
    uint32_t references = atomic_load_explicit(&section->references, memory_order_relaxed) - 1;
    atomic_store_explicit(&section->references, references, memory_order_relaxed);
    if (references > 0)
        return;
    if (section->environ != NULL)
        section->environ_free(section->environ);
    free(section->forwarded);
    free(section);
}

const struct field *header_section_find(const struct header_section *section, struct slice name)
{
    for (uint32_t i = 0; i < section->count; i++) {
        if (slice_eq_nocase(section->fields[i].name, name))
            return &section->fields[i];
    }
    return NULL;
}
