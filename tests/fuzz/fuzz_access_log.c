/*
 * Fuzz: whatever a request's head is, its line in the access log is one, of printable ASCII, and in JSON an object.
 */
#include <stdlib.h>

#include "access/access_lines.h"
#include "access/format.h"
#include "fuzz.h"
#include "http/parser.h"
#include "net/exchange.h"

static const char *const texts[] = {"combined", "json", "%({PATH_INFO}e)s %({HTTP_HOST}e)s %({x-a}i)s"};
static struct access_format *formats[3];

static void check(struct slice line)
{
    static char unused[1 << 19];
    long found;
    if (!line_is_one(line) || (line.data[0] == '{' && !line_is_json(line, NULL, unused, &found)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct parser_limits limits = {8190, 100, 8190, 1 << 16};
    static const struct options options = {.root_path = ""};
    static struct loop loop = {.options = &options};
    static const struct local_endpoint local = {"a", "80", false};
    struct conn conn = {.loop = &loop, .local = &local};
    struct exchange exchange = {.conn = &conn};
    struct slice rest = {(const char *)data, size}, line = slice_next(&rest, '\n');
    request_line_parse(&exchange.request, (struct slice){line.data, line.size - (line.size > 0)});
    header_section_parse(rest.data != NULL ? rest : SLICE(""), &limits, &exchange.request.section);
    for (int i = 0; i < 3; i++) {
        formats[i] = formats[i] != NULL ? formats[i] : access_format_new(texts[i], NULL, 0);
        check(access_format_line(formats[i], &exchange, 1));
    }
    header_section_unref(exchange.request.section);
    return 0;
}
