/*
 * Fuzz: whatever stands in the fields that name a client, what is believed is an address, and text from the section, which is the
 * input.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "http/forwarded.h"
#include "http/parser.h"

static const struct parser_limits limits = {8190, 100, 8190, 1 << 16};

static void check(const struct forwarded *found)
{
    struct ip_address ip;
    if (found->client.address[0] != '\0' && ip_parse(slice_of(found->client.address), &ip) < 0)
        abort();
    for (int i = 0; i < FORWARDED_NAMES; i++)
        if (memchr(found->kept[i].data != NULL ? found->kept[i].data : "", '\n', found->kept[i].size) != NULL)
            abort();
    if (found->prefix.size > 1 && (found->prefix.data[0] != '/' || found->prefix.data[1] == '/'))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct networks trusted;
    struct header_section *section;
    networks_parse(&trusted, "10.0.0.0/8, ::1, unix", (char[1]){0}, 1);
    if (header_section_parse((struct slice){(const char *)data, size}, &limits, &section) == 0) {
        check(forwarded_of(section, &trusted));
        header_section_unref(section);
    }
    networks_free(&trusted);
    return 0;
}
