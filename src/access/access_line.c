/* A line of the access log while it is written. */
#include "access/access_line.h"

static size_t room_in(const struct access_line *line)
{
    return ACCESS_LINE_SIZE - 1 - line->size;
}

void access_line_begin(struct access_line *line)
{
    line->size = 0;
}

void access_line_add(struct access_line *line, struct slice text)
{
    size_t size = text.size < room_in(line) ? text.size : room_in(line);
    if (size > 0)
        memcpy(line->text + line->size, text.data, size);
    line->size += size;
}

/* `width` digits at least; all of them or none. */
static void add_digits(struct access_line *line, uint64_t number, size_t width)
{
    size_t count = 1;
    for (uint64_t rest = number / 10; rest > 0; rest /= 10)
        count++;
    count = count < width ? width : count;
    if (count > room_in(line))
        return;
    line->size += count;
    for (char *digit = line->text + line->size; count > 0; count--, number /= 10)
        *--digit = (char)('0' + number % 10);
}

void access_line_add_number(struct access_line *line, uint64_t number)
{
    add_digits(line, number, 1);
}

void access_line_add_seconds(struct access_line *line, uint64_t ns)
{
    uint64_t us = (ns + 500) / 1000;
    add_digits(line, us / 1000000, 1);
    access_line_add(line, SLICE("."));
    add_digits(line, us % 1000000, 6);
}

/* Which bytes stand as they are: a bit for each escape. */
enum { IN_TEXT = 1 << ESCAPE_TEXT, IN_WORD = 1 << ESCAPE_WORD, IN_JSON = 1 << ESCAPE_JSON };
enum { EVERYWHERE = IN_TEXT | IN_WORD | IN_JSON };
static const uint8_t plain[256] = {
    [' '] = IN_TEXT | IN_JSON,
    ['!'] = EVERYWHERE,
    ['#' ... '['] = EVERYWHERE,
    [']' ... '~'] = EVERYWHERE,
};

static const struct slice prefixes[ACCESS_ESCAPES] = {
    [ESCAPE_TEXT] = SLICE("\\x"),
    [ESCAPE_WORD] = SLICE("\\x"),
    [ESCAPE_JSON] = SLICE("\\u00"),
};

static size_t escape_byte(char out[6], unsigned char c, enum access_escape escape)
{
    static const char hex[] = "0123456789abcdef";
    out[0] = '\\';
    out[1] = (char)c;
    if (c == '"' || c == '\\')
        return 2;
    struct slice prefix = prefixes[escape];
    memcpy(out, prefix.data, prefix.size);
    out[prefix.size] = hex[c >> 4];
    out[prefix.size + 1] = hex[c & 15];
    return prefix.size + 2;
}

void access_line_add_client(struct access_line *line, struct slice text, enum access_escape escape)
{
    size_t room = room_in(line) < ACCESS_CLIENT_SIZE ? room_in(line) : ACCESS_CLIENT_SIZE;
    char *out = line->text + line->size, *end = out + room;
    for (size_t i = 0; i < text.size && out < end; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (plain[c] >> escape & 1) {
            *out++ = (char)c;
            continue;
        }
        char piece[6];
        size_t size = escape_byte(piece, c, escape);
        if (size > (size_t)(end - out))
            break;
        memcpy(out, piece, size);
        out += size;
    }
    line->size = (size_t)(out - line->text);
}

void access_line_end(struct access_line *line)
{
    line->text[line->size++] = '\n';
}
