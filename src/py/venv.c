/*
 * Virtual environments: reads pyvenv.cfg and checks the files around it.
 */
#include "py/venv.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

/* The content of pyvenv.cfg; NULL where it lacks a line. Owned. */
struct venv_file {
    char *home;         /* the directory of the python that made it */
    char *version;      /* "3.11.2", written by venv */
    char *version_info; /* "3.11.2.final.0", written by virtualenv and uv */
};

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    char *end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1]))
        end--;
    *end = '\0';
    return text;
}

static void keep_value(struct venv_file *file, const char *key, const char *value)
{
    const struct {
        const char *key;
        char **value;
    } known[] = {
        {"home", &file->home},
        {"version", &file->version},
        {"version_info", &file->version_info},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcasecmp(key, known[i].key) == 0 && *known[i].value == NULL)
            *known[i].value = xstrdup(value);
    }
}

/* 0, or -1 and errno. */
static int venv_file_read(struct venv_file *file, const char *directory)
{
    *file = (struct venv_file){0};
    char *path = xasprintf("%s/pyvenv.cfg", directory);
    FILE *stream = fopen(path, "re");
    free(path);
    if (stream == NULL)
        return -1;

    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, stream) > 0) {
        char *equals = strchr(line, '=');
        if (equals == NULL)
            continue;
        *equals = '\0';
        keep_value(file, trim(line), trim(equals + 1));
    }
    free(line);
    fclose(stream);
    return 0;
}

static void venv_file_fini(struct venv_file *file)
{
    free(file->home);
    free(file->version);
    free(file->version_info);
}

/* The length of "3.11" in "3.11.2". */
static int minor_size(const char *version)
{
    size_t size = strspn(version, "0123456789");
    if (version[size] == '.')
        size += 1 + strspn(version + size + 1, "0123456789");
    return (int)size;
}

static bool same_minor(const char *a, const char *b)
{
    int size = minor_size(a);
    return size == minor_size(b) && strncmp(a, b, (size_t)size) == 0;
}

static bool same_file(const char *a, const char *b)
{
    struct stat of_a, of_b;
    return stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
           of_a.st_ino == of_b.st_ino;
}

/* "/usr/bin/python3.11" for "/usr/bin/python3" when both are the same program: `python3` may later
 * be another one. */
static char *python_with_version(const struct venv_host *host)
{
    const char *slash = strrchr(host->python, '/');
    int directory = slash == NULL ? 0 : (int)(slash - host->python + 1);
    char *path =
        xasprintf("%.*spython%.*s", directory, host->python, minor_size(host->version), host->version);
    if (same_file(path, host->python))
        return path;
    free(path);
    return xstrdup(host->python);
}

static bool has_entry(const char *directory, const char *entry, int mode)
{
    char *path = xasprintf("%s/%s", directory, entry);
    bool has = access(path, mode) == 0;
    free(path);
    return has;
}

static bool has_site_packages(const char *directory, const struct venv_host *host)
{
    char *entry = xasprintf("lib/python%.*s/site-packages", minor_size(host->version), host->version);
    bool has = has_entry(directory, entry, R_OK | X_OK);
    free(entry);
    return has;
}

/* Whether our python made it, under any of its names. */
static bool made_here(const struct venv_file *file, const struct venv_host *host)
{
    char *path = xasprintf("%s/python%.*s", file->home, minor_size(host->version), host->version);
    bool same = same_file(path, host->python);
    free(path);
    return same;
}

static enum venv_answer check_file(const char *directory, const struct venv_host *host,
                                   const struct venv_file *file, const char *python, char *message,
                                   size_t message_size)
{
    int ours = minor_size(host->version);
    const char *version = file->version_info != NULL ? file->version_info : file->version;
    if (version != NULL && !same_minor(version, host->version)) {
        snprintf(
            message, message_size,
            "virtualenv %s was made by Python %.*s, this gateway embeds Python %.*s: recreate it with %s -m "
            "venv --clear %s, which empties it, or build gateway with ./configure PYTHON=python%.*s",
            directory, minor_size(version), version, ours, host->version, python, directory,
            minor_size(version), version);
        return VENV_UNFIT;
    }
    if (!has_site_packages(directory, host) || !has_entry(directory, "bin/python", X_OK)) {
        bool packages = has_site_packages(directory, host);
        snprintf(message, message_size, "virtualenv %s has no %s%.*s%s. Recreate it: %s -m venv --clear %s",
                 directory, packages ? "working bin/python" : "lib/python", packages ? 0 : ours,
                 host->version, packages ? "" : "/site-packages", python, directory);
        return VENV_UNFIT;
    }
    if (file->home != NULL && !made_here(file, host)) {
        snprintf(
            message, message_size,
            "virtualenv %s was made by another build of Python %.*s (in %s) than the one embedded here (%s)",
            directory, ours, host->version, file->home, host->python);
        return VENV_OTHER_BUILD;
    }
    return VENV_FITS;
}

enum venv_answer venv_check(const char *directory, const struct venv_host *host, char *message,
                            size_t message_size)
{
    struct stat status;
    struct venv_file file;

    message[0] = '\0';
    if (stat(directory, &status) != 0) {
        snprintf(message, message_size, "virtualenv %s: %s", directory, strerror(errno));
        return errno == ENOENT || errno == ENOTDIR ? VENV_MISSING : VENV_UNFIT;
    }
    char *python = python_with_version(host);
    enum venv_answer answer = VENV_UNFIT;
    if (venv_file_read(&file, directory) == 0)
        answer = check_file(directory, host, &file, python, message, message_size);
    else if (errno == ENOENT || errno == ENOTDIR)
        snprintf(message, message_size,
                 "%s is not a virtualenv, it has no pyvenv.cfg. Make one: %s -m venv %s", directory, python,
                 directory);
    else
        snprintf(message, message_size, "cannot read %s/pyvenv.cfg: %s", directory, strerror(errno));
    venv_file_fini(&file);
    free(python);
    return answer;
}

char *venv_around(const char *program)
{
    const char *slash = program == NULL ? NULL : strrchr(program, '/');
    if (slash == NULL)
        return NULL;
    char *bin = xstrndup(program, (size_t)(slash - program));
    const char *name = strrchr(bin, '/');
    char *directory = NULL;
    if (name != NULL && strcmp(name, "/bin") == 0) {
        directory = xstrndup(bin, (size_t)(name - bin));
        if (!has_entry(directory, "pyvenv.cfg", F_OK)) {
            free(directory);
            directory = NULL;
        }
    }
    free(bin);
    return directory;
}
