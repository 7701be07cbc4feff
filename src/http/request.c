/* A request as parsed: what its line and its section say together, its name in logs, and its id. */
#include "http/request.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "http/forwarded.h"
#include "http/token.h"

bool request_keep_alive(const struct request *request)
{
    const struct header_section *section = request->section;
    if (section == NULL || section->connection_close)
        return false;
    return request->minor >= 1 || section->connection_keep_alive;
}

struct slice request_host(const struct request *request)
{
    const struct forwarded *forwarded = request->forwarded;
    if (request->authority.data != NULL && (forwarded == NULL || !forwarded->host_said))
        return request->authority;
    if (forwarded != NULL && forwarded->host.data != NULL)
        return forwarded->host;
    return request->section != NULL ? request->section->host : (struct slice){NULL, 0};
}

bool request_shows(const struct request *request, const struct field *field)
{
    return !request->section->forwarding || !forwarded_hides(request->forwarded, field->name, field->value);
}

static bool begins_with(struct slice path, struct slice root)
{
    return root.size > 0 && path.size >= root.size && memcmp(path.data, root.data, root.size) == 0 &&
           (path.size == root.size || path.data[root.size] == '/');
}

struct slice request_path_info(const struct request *request, struct slice root, char *room)
{
    struct slice path = request->path;
    if (path.data[0] == '*')
        return SLICE("");
    if (request->path_escaped)
        path = (struct slice){room, path_decode(room, path)};
    return begins_with(path, root) ? (struct slice){path.data + root.size, path.size - root.size} : path;
}

size_t request_tag(const struct request *request, char out[REQUEST_TAG_SIZE])
{
    struct slice id = request->id;
    out[0] = '\0';
    if (id.data == NULL)
        return 0;
    memcpy(out, " (", 2);
    memcpy(out + 2, id.data, id.size);
    memcpy(out + 2 + id.size, ")", 2);
    return id.size + 3;
}

const char *request_name(const struct request *request, char out[REQUEST_NAME_SIZE])
{
    enum { ROOM = REQUEST_NAME_SIZE - REQUEST_TAG_SIZE };
    size_t n = text_escape(out, ROOM - 1, request->method.data, request->method.size, true);
    out[n++] = ' ';
    n += text_escape(out + n, ROOM - n, request->path.data, request->path.size, true);
    request_tag(request, out + n);
    return out;
}

void request_id_make(struct request_ids *ids, char out[REQUEST_ID_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    if (ids->left == 0) {
        int r = getentropy(ids->bytes, sizeof(ids->bytes));
        assert(r == 0);
        ids->left = sizeof(ids->bytes);
    }
    for (int i = 0; i < REQUEST_ID_SIZE; i += 2) {
        uint8_t byte = ids->bytes[--ids->left];
        out[i] = digits[byte >> 4];
        out[i + 1] = digits[byte & 15];
    }
}
