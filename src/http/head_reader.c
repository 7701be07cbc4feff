/* Request heads of one connection. */
#include "http/head_reader.h"

#include <string.h>

int head_reader_skip(struct head_reader *reader, struct slice *bytes)
{
    return head_skip_empty_lines(bytes, &reader->empty_lines);
}

void head_reader_begin(struct head_reader *reader)
{
    reader->empty_lines = 0;
    reader->finder = (struct head_finder){0};
}

/* The common case: the client's header section is the one it sent last time. */
static bool guess(const struct head_reader *reader, const struct memo *memo,
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
    if (reader->finder.scanned == 0 && guess(reader, memo, limits, bytes, head))
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
