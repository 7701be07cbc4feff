/*
 * Request heads. The search for the end looks only at line ends, the starts of lines and the
 * limits. The parser says what the lines mean.
 */
#include "http/head.h"

#include <string.h>

#include "http/token.h"

/* The line begins at finder->line. `size` is its size so far without a CR at its end. */
static int line_check(const struct head_finder *finder, size_t size, const struct parser_limits *limits)
{
    if (finder->line == 0)
        return size > limits->request_line ? 414 : 0;
    return size > limits->field_size ? 431 : 0;
}

/* White space here is obs-fold (RFC 9112 5.2), or stands before the first field (2.2). A request
 * line begins with a method: a client that speaks TLS, or nonsense, gets its answer before a
 * time-out. */
static bool line_start_is_bad(const struct head_finder *finder, struct slice bytes)
{
    char first = bytes.data[finder->line];
    return finder->line == 0 ? !slice_all((struct slice){&first, 1}, CHAR_TOKEN)
                             : first == ' ' || first == '\t';
}

/* The last line may not be whole, and be too long already. */
static int tail_check(const struct head_finder *finder, struct slice view, const struct parser_limits *limits)
{
    size_t size = view.size - finder->line;
    if (size == 0)
        return 0;
    if (line_start_is_bad(finder, view))
        return 400;
    return line_check(finder, size - (view.data[view.size - 1] == '\r'), limits);
}

/* Takes the line that ends before `next`. Sets *last for the empty line. */
static int line_take(struct head_finder *finder, struct slice view, size_t next,
                     const struct parser_limits *limits, bool *last)
{
    if (line_start_is_bad(finder, view))
        return 400;
    bool proper = next - finder->line >= 2 && view.data[next - 2] == '\r';
    size_t size = next - finder->line - 1 - proper;
    int status = line_check(finder, size, limits);
    if (status != 0)
        return status;
    if (!proper)
        return 400;
    if (finder->line == 0)
        finder->line_size = size;
    finder->line = next;
    *last = size == 0;
    return 0;
}

int head_find_end(struct head_finder *finder, struct slice bytes, const struct parser_limits *limits,
                  size_t *head_size)
{
    /* The search does not look beyond the limit: so the answer is the same however the bytes
     * arrive. */
    struct slice view = {bytes.data, bytes.size < limits->head ? bytes.size : limits->head};
    *head_size = 0;
    if (bytes.size == 0 || (bytes.size == 1 && bytes.data[0] == '\r'))
        return 0; /* a lone CR may be half of an empty line that is to be skipped */

    while (finder->scanned < view.size) {
        const char *start = view.data + finder->scanned;
        const char *end = memchr(start, '\n', view.size - finder->scanned);
        if (end == NULL) {
            finder->scanned = view.size;
            break;
        }
        bool last = false;
        finder->scanned = (size_t)(end + 1 - view.data);
        int status = line_take(finder, view, finder->scanned, limits, &last);
        if (status != 0)
            return status;
        if (last) {
            *head_size = finder->scanned;
            return 0;
        }
    }

    int status = tail_check(finder, view, limits);
    return status == 0 && bytes.size > limits->head ? 431 : status;
}

int head_check_lines(struct head_finder *finder, struct slice bytes)
{
    size_t begin = finder->checked;
    if (begin == finder->line)
        return 0;
    finder->checked = finder->line;
    if (begin == 0) {
        struct request request;
        int status = request_line_parse(&request, (struct slice){bytes.data, finder->line_size});
        if (status != 0)
            return status;
        begin = finder->line_size + 2;
    }
    return field_lines_check((struct slice){bytes.data + begin, finder->line - begin});
}

int head_skip_empty_lines(struct slice *bytes, unsigned *count)
{
    while (bytes->size >= 2 && bytes->data[0] == '\r' && bytes->data[1] == '\n') {
        if (++*count > EMPTY_LINES_MAX)
            return 400;
        bytes->data += 2;
        bytes->size -= 2;
    }
    return 0;
}

int head_reader_skip(struct head_reader *reader, struct slice *bytes)
{
    return head_skip_empty_lines(bytes, &reader->empty_lines);
}

void head_reader_begin(struct head_reader *reader)
{
    reader->empty_lines = 0;
    reader->finder = (struct head_finder){0};
}

/* The common case: the client sends the same header section again. */
static bool head_guess(const struct head_reader *reader, const struct memo *memo,
                       const struct parser_limits *limits, struct slice bytes, struct head *head)
{
    size_t span = bytes.size < limits->request_line + 2 ? bytes.size : limits->request_line + 2;
    const char *end = memchr(bytes.data, '\n', span);
    if (end == NULL || end == bytes.data || end[-1] != '\r')
        return false;
    size_t line = (size_t)(end + 1 - bytes.data);
    struct slice rest = {end + 1, bytes.size - line};
    struct header_section *section = memo_guess(memo, reader->memo_slot, rest);
    if (section == NULL || line + section->bytes.size > limits->head)
        return false;
    *head = (struct head){line + section->bytes.size, {bytes.data, line - 2}, header_section_ref(section)};
    return true;
}

int head_read(struct head_reader *reader, struct memo *memo, const struct parser_limits *limits,
              struct slice bytes, struct head *head)
{
    if (reader->finder.scanned == 0 && head_guess(reader, memo, limits, bytes, head))
        return 0;
    *head = (struct head){0};
    int status = head_find_end(&reader->finder, bytes, limits, &head->size);
    head->line = (struct slice){bytes.data, reader->finder.line_size};
    if (status != 0 || head->size == 0) {
        int line_status = head_check_lines(&reader->finder, bytes);
        return line_status != 0 ? line_status : status;
    }
    size_t line = reader->finder.line_size + 2;
    struct slice rest = {bytes.data + line, head->size - line};
    struct header_section *section = memo_find(memo, rest, &reader->memo_slot);
    if (section != NULL) {
        head->section = header_section_ref(section);
        return 0;
    }
    status = header_section_parse(rest, limits, &head->section);
    if (status == 0)
        memo_offer(memo, head->section, &reader->memo_slot);
    return status;
}
