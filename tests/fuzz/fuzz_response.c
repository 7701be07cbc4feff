/*
 * Fuzz: whatever an application says, a response head is lines without CR, LF and NUL inside, and ends with the one empty
 * line. The input is a status and fields: lines of "name:value", cut at bytes 0xff.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "http/response.h"

static void check(const struct response *response, size_t lines)
{
    for (size_t i = 0; i < response->size; i++) {
        bool end = response->head[i] == '\r';
        if (response->head[i] == '\0' ||
            (response->head[i] == '\n') != (i > 0 && response->head[i - 1] == '\r'))
            abort();
        lines -= end;
    }
    if (lines != 0 || memcmp(response->head + response->size - 4, "\r\n\r\n", 4) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = {(const char *)data, size};
    struct request request = {.minor = 1};
    struct date_cache cache = {0};
    struct response response;
    size_t lines = 1;
    response_init(&response);
    if (response_start(&response, slice_next(&input, '\xff')) == NULL) {
        while (input.data != NULL) {
            struct slice value = slice_next(&input, '\xff'), name = slice_next(&value, ':');
            size_t before = response.size;
            response_add(&response, name, value);
            lines += response.size > before;
        }
        bool server = response.has_server, date = response.has_date;
        response_finish(&response, &request, true, false, 0, date_line(&cache, 0));
        bool framed = response.framing == RESPONSE_CHUNKED || response.status == 205;
        check(&response, lines + !server + !date + framed + 1 + 1);
    }
    response_fini(&response);
    return 0;
}
