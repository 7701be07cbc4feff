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
    if (found->prefix.size > 0 && found->prefix.data[0] != '/')
        abort();
    for (size_t i = 0; i < found->prefix.size; i++)
        if ((unsigned char)found->prefix.data[i] < ' ' || found->prefix.data[i] == '\\' ||
            (i > 0 && found->prefix.data[i] == '/' && found->prefix.data[i - 1] == '/'))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* All fields; the default; only those without a client. */
    static const struct forwarded_fields believed[] = {{.parts = -1U}, {.parts = 3}, {.parts = -2U}};
    struct networks trusted;
    struct header_section *section;
    networks_parse(&trusted, "10.0.0.0/8, ::1, unix", (char[1]){0}, 1);
    if (header_section_parse((struct slice){(const char *)data, size}, &limits, &section) == 0) {
        for (size_t i = 0; i < sizeof(believed) / sizeof(believed[0]); i++) {
            struct forwarded *found = forwarded_new(section, &trusted, &believed[i]);
            check(found);
            free(found);
        }
        header_section_unref(section);
    }
    networks_free(&trusted);
    return 0;
}
