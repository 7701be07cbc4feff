/* traceparent: VERSION "-" TRACE-ID "-" PARENT-ID "-" FLAGS, each of a fixed size. */
#include "http/traceparent.h"

enum {
    VERSION = 2,
    TRACE_ID = 32,
    SPAN_ID = 16,
    FLAGS = 2,
    SIZE = VERSION + 1 + TRACE_ID + 1 + SPAN_ID + 1 + FLAGS
};

static bool is_hex(struct slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if ((c < '0' || c > '9') && (c < 'a' || c > 'f'))
            return false;
    }
    return true;
}

static bool is_zero(struct slice text)
{
    size_t i = 0;
    while (i < text.size && text.data[i] == '0')
        i++;
    return i == text.size;
}

/* Takes the next `size` digits, and the "-" after them. */
static bool take(struct slice *value, size_t size, struct slice *digits)
{
    *digits = (struct slice){value->data, size};
    if (value->size < size || !is_hex(*digits))
        return false;
    bool last = value->size == size;
    if (!last && value->data[size] != '-')
        return false;
    value->data += size + !last;
    value->size -= size + !last;
    return true;
}

bool traceparent_parse(struct slice value, struct traceparent *found)
{
    struct slice version, rest = value;
    if (!take(&rest, VERSION, &version) || slice_eq(version, SLICE("ff")) ||
        !take(&rest, TRACE_ID, &found->trace_id) || !take(&rest, SPAN_ID, &found->span_id) ||
        !take(&rest, FLAGS, &found->flags))
        return false;
    if (is_zero(found->trace_id) || is_zero(found->span_id))
        return false;
    return value.size == SIZE || !is_zero(version); /* only a later version may be longer */
}

bool traceparent_find(const struct header_section *section, struct traceparent *found)
{
    const struct slice name = SLICE("traceparent");
    const struct field *field = header_section_find(section, name);
    if (field == NULL)
        return false;
    for (const struct field *other = field + 1; other < section->fields + section->count; other++)
        if (slice_eq_nocase(other->name, name))
            return false;
    return traceparent_parse(field->value, found);
}
