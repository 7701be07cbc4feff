/* --env and --env-file. */
#include "options/environment.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/place.h"
#include "base/text.h"

/* The uses of a line: each returns 0, or -1 when the text is not NAME=VALUE. */
static int check(char *text)
{
    char *equals = strchr(text, '=');
    return equals == NULL || equals == text ? -1 : 0;
}

static int set(char *text)
{
    if (check(text) < 0)
        return -1;
    char *equals = strchr(text, '=');
    *equals = '\0';
    int r = setenv(text, equals + 1, 1);
    *equals = '=';
    return r;
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t size = strlen(text);
    while (size > 0 && isspace((unsigned char)text[size - 1]))
        text[--size] = '\0';
    return text;
}

static void unquote(char *value)
{
    size_t size = strlen(value);
    if (size < 2 || (value[0] != '"' && value[0] != '\'') || value[size - 1] != value[0])
        return;
    memmove(value, value + 1, size - 2);
    value[size - 2] = '\0';
}

static int read_line(char *line, int (*use)(char *text))
{
    line = trim(line);
    if (*line == '\0' || *line == '#')
        return 0;
    if (strncmp(line, "export ", 7) == 0)
        line = trim(line + 7);
    char *equals = strchr(line, '=');
    if (equals != NULL)
        unquote(equals + 1);
    return use(line);
}

/* Refuses pipes: the master, which must not wait, reads the file, and each worker reads it
 * again. */
static int open_regular(const char *path)
{
    struct stat status;
    int fd = place_open_path(path, O_RDONLY);
    if (fd < 0 || (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)))
        return fd;
    close(fd);
    errno = EINVAL;
    return -1;
}

/* More than execve accepts. The application's user may own the file, and a huge file must not fill
 * the master's memory. */
enum { FILE_MAX = 4 * 1024 * 1024 };

/* 0, or -1 and errno. */
static int read_text(int fd, struct text *text)
{
    char block[4096];
    ssize_t n;
    while ((n = read(fd, block, sizeof(block))) > 0) {
        text_add(text, block, (size_t)n);
        if (text->size > FILE_MAX) {
            errno = EFBIG;
            return -1;
        }
    }
    return n == 0 ? 0 : -1;
}

static int read_file(const char *path, struct text *text)
{
    int fd = open_regular(path);
    if (fd < 0)
        return -1;
    int r = read_text(fd, text);
    int error = errno;
    close(fd);
    errno = error;
    return r;
}

static const char *describe(int error)
{
    if (error == EINVAL)
        return "it is no regular file";
    return error == EFBIG ? "it is larger than 4 MiB" : place_strerror(error);
}

/* The number of the first wrong line; 0 when there is none. */
static size_t use_lines(struct text *text, int (*use)(char *text))
{
    text_add(text, "\n", 1);
    size_t number = 1;
    char *line = text->data, *last = text->data + text->size;
    while (line < last) {
        char *end = memchr(line, '\n', (size_t)(last - line));
        *end = '\0';
        if (read_line(line, use) < 0)
            return number;
        line = end + 1;
        number++;
    }
    return 0;
}

static int use_file(const char *path, int (*use)(char *text), char *message, size_t message_size)
{
    struct text text;
    size_t wrong = 0;
    text_init(&text);
    int r = read_file(path, &text);
    if (r < 0)
        snprintf(message, message_size, "gateway: --env-file: %s: %s", path, describe(errno));
    else if ((wrong = use_lines(&text, use)) > 0)
        snprintf(message, message_size, "gateway: --env-file: %s, line %zu: NAME=VALUE is expected", path,
                 wrong);
    text_fini(&text);
    return r < 0 || wrong > 0 ? -1 : 0;
}

static int read_all(const struct options *options, int (*use)(char *text), char *message, size_t message_size)
{
    if (options->env_file != NULL && use_file(options->env_file, use, message, message_size) < 0)
        return -1;
    for (size_t i = 0; i < options->env.count; i++)
        if (use(options->env.items[i]) < 0) {
            snprintf(message, message_size, "gateway: --env: \"%s\": NAME=VALUE is expected",
                     options->env.items[i]);
            return -1;
        }
    return 0;
}

int environment_check(const struct options *options, char *message, size_t message_size)
{
    return read_all(options, check, message, message_size);
}

int environment_apply(const struct options *options, char *message, size_t message_size)
{
    return read_all(options, set, message, message_size);
}
