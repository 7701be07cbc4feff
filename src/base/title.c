/* The title of the process: what ps(1) shows in place of the command line. */
#include "base/title.h"

#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
    char *start; /* NULL before title_init */
    size_t size;
    char *copies; /* copies of the words: argv and environ may lose some of them */
} area;

/* Returns the end of the words that follow each other in memory from `end` on. */
static char *end_of_words(char *const *words, char *end)
{
    for (; *words != NULL && *words == end; words++)
        end += strlen(end) + 1;
    return end;
}

static bool is_within(const char *word)
{
    return word >= area.start && word < area.start + area.size;
}

static void move_words(char **words)
{
    for (; *words != NULL; words++)
        if (is_within(*words))
            *words = area.copies + (*words - area.start);
}

/* assert(3) and error(3) print this name. */
static void move_program_name(void)
{
    if (is_within(program_invocation_name))
        program_invocation_name = area.copies + (program_invocation_name - area.start);
    if (is_within(program_invocation_short_name))
        program_invocation_short_name = area.copies + (program_invocation_short_name - area.start);
}

void title_init(int argc, char **argv)
{
    if (argc < 1)
        return;
    char *end = end_of_words(environ, end_of_words(argv, argv[0]));
    area.start = argv[0];
    area.size = (size_t)(end - argv[0]);
    area.copies = xmalloc(area.size);
    memcpy(area.copies, area.start, area.size);
    move_words(argv);
    move_words(environ);
    move_program_name();
}

void title_set(const char *format, ...)
{
    va_list args;
    if (area.start == NULL)
        return;
    va_start(args, format);
    int size = vsnprintf(area.start, area.size, format, args);
    va_end(args);
    if (size >= 0 && (size_t)size < area.size)
        memset(area.start + size, '\0', area.size - (size_t)size);
}
