/*
 * The request line (RFC 9112 3): method, target, version, exactly one space between them.
 */
#include "http/parser.h"
#include "http/token.h"

enum { METHOD_MAX = 64 };

static size_t span(const char *data, size_t size, int class)
{
    size_t i = 0;
    while (i < size && char_is((unsigned char)data[i], class))
        i++;
    return i;
}

/* "HTTP/" DIGIT "." DIGIT, case-sensitive (RFC 9112 2.3). */
static int version_parse(struct request *request, struct slice version)
{
    const char *text = version.data;
    if (version.size != 8 || memcmp(text, "HTTP/", 5) != 0 || text[6] != '.' ||
        !char_is((unsigned char)text[5], CHAR_DIGIT) || !char_is((unsigned char)text[7], CHAR_DIGIT))
        return 400;
    if (text[5] != '1')
        return 505;
    /* A higher minor version is served as the highest that is known (RFC 9110 2.5). */
    request->minor = text[7] == '0' ? 0 : 1;
    return 0;
}

/* Everything from the path's first byte. An absolute form may have a query and no path. */
static int path_parse(struct request *request, struct slice rest)
{
    const char *mark = rest.size > 0 ? memchr(rest.data, '?', rest.size) : NULL;
    size_t size = mark == NULL ? rest.size : (size_t)(mark - rest.data);
    request->path = size == 0 ? SLICE("/") : (struct slice){rest.data, size};
    if (mark != NULL)
        request->query = (struct slice){mark + 1, rest.size - size - 1};
    request->path_escaped = memchr(request->path.data, '%', request->path.size) != NULL;
    return request->path_escaped && !escapes_are_whole(request->path) ? 400 : 0;
}

/* RFC 9112 3.2.2. The schemes are those a gateway can be reached by; any other resource is not here. */
static int absolute_form_parse(struct request *request)
{
    static const struct slice schemes[] = {SLICE("http://"), SLICE("https://")};
    struct slice target = request->target;
    size_t start = 0;
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]) && start == 0; i++) {
        struct slice prefix = {target.data, schemes[i].size};
        if (target.size > prefix.size && slice_eq_nocase(prefix, schemes[i]))
            start = prefix.size;
    }
    if (start == 0)
        return 400;

    size_t end = start;
    while (end < target.size && target.data[end] != '/' && target.data[end] != '?')
        end++;
    request->authority = (struct slice){target.data + start, end - start};
    if (!slice_is_host(request->authority))
        return 400;
    return path_parse(request, (struct slice){target.data + end, target.size - end});
}

static int target_parse(struct request *request)
{
    if (request->target.data[0] == '/')
        return path_parse(request, request->target);
    if (slice_eq(request->target, SLICE("*"))) {
        request->path = request->target;
        return slice_eq(request->method, SLICE("OPTIONS")) ? 0 : 400;
    }
    return absolute_form_parse(request);
}

int request_line_parse(struct request *request, struct slice line)
{
    *request = (struct request){.line = line};
    size_t method = span(line.data, line.size, CHAR_TOKEN);
    if (method == 0 || method == line.size || line.data[method] != ' ')
        return 400;
    if (method > METHOD_MAX)
        return 501;

    struct slice rest = {line.data + method + 1, line.size - method - 1};
    size_t target = span(rest.data, rest.size, CHAR_TARGET);
    if (target == 0 || target == rest.size || rest.data[target] != ' ')
        return 400;
    request->method = (struct slice){line.data, method};
    request->target = (struct slice){rest.data, target};
    request->is_head = slice_eq(request->method, SLICE("HEAD"));

    int status = version_parse(request, (struct slice){rest.data + target + 1, rest.size - target - 1});
    if (status != 0)
        return status;
    if (slice_eq(request->method, SLICE("CONNECT")))
        return 501; /* a tunnel is not what an application server gives */
    return target_parse(request);
}

size_t path_decode(char *out, struct slice path)
{
    size_t written = 0;
    for (size_t i = 0; i < path.size; i++) {
        char c = path.data[i];
        if (c == '%') {
            c = (char)(hex_value((unsigned char)path.data[i + 1]) << 4 |
                       hex_value((unsigned char)path.data[i + 2]));
            i += 2;
        }
        out[written++] = c;
    }
    return written;
}
