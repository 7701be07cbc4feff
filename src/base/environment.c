/* --env and --env-file. */
#include "base/environment.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/place.h"

/* What is done with each NAME=VALUE: 0, or -1 when it is not of that form. */
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

/* The master, which waits for nobody, reads it too, and each worker once more: a pipe would be neither's. */
static FILE *open_regular(const char *path)
{
    struct stat status;
    int fd = place_open_path(path, O_RDONLY);
    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        return fdopen(fd, "r");
    int error = fd >= 0 ? EINVAL : errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return NULL;
}

static int read_file(const char *path, int (*use)(char *text), char *message, size_t message_size)
{
    char *line = NULL;
    size_t room = 0, number = 0;
    int r = 0;
    FILE *file = open_regular(path);
    if (file == NULL) {
        snprintf(message, message_size, "gateway: --env-file: %s: %s", path,
                 errno == EINVAL ? "it is no regular file" : place_strerror(errno));
        return -1;
    }
    while (r == 0 && getline(&line, &room, file) >= 0) {
        number++;
        r = read_line(line, use);
    }
    if (ferror(file)) {
        snprintf(message, message_size, "gateway: --env-file: %s: %s", path, strerror(errno));
        r = -1;
    } else if (r < 0)
        snprintf(message, message_size, "gateway: --env-file: %s, line %zu: NAME=VALUE is expected", path,
                 number);
    free(line);
    fclose(file);
    return r;
}

static int read_all(const struct options *options, int (*use)(char *text), char *message, size_t message_size)
{
    if (options->env_file != NULL && read_file(options->env_file, use, message, message_size) < 0)
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
