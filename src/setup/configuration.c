/* The configuration: where the options come from. */
#include "setup/configuration.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/exit_status.h"
#include "base/mem.h"
#include "base/place.h"
#include "base/program.h"
#include "options/options_parse.h"
#include "options/options_values.h"
#include "proc/fork.h"
#include "py/settings.h"

enum { READING_MS = 10000 };

/* How this process was started. */
static struct {
    int argc;
    char *const *argv;
    char *path;                /* absolute, of the file that is being read */
    struct settings *settings; /* from the last good reading; NULL: there was no file */
} origin;

/* The program reads files with these names unasked. In the second, only one table belongs to it. */
static const char *const usual[] = {"gateway.toml", "pyproject.toml"};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static const char *table_in(const char *path)
{
    return strcmp(base_name(path), usual[1]) == 0 ? "tool.gateway" : "";
}

static char *in_directory(const char *path)
{
    if (path[0] == '/')
        return xstrdup(path);
    char *directory = program_directory_now();
    char *absolute = xasprintf("%s/%s", directory, path);
    free(directory);
    return absolute;
}

/*
 * A file that cannot be reached, or a link that leads nowhere, counts as being there: the reader
 * says what is wrong. Going on without the file would take back all that it said.
 */
static bool is_there(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

/* Returns the absolute path of the file that the next reading takes; NULL: there is no file. */
static char *find_file(void)
{
    char *named = options_find_config(origin.argc, origin.argv, environ);
    char *path = named != NULL ? in_directory(named) : NULL;
    for (size_t i = 0; path == NULL && i < sizeof(usual) / sizeof(usual[0]); i++) {
        path = in_directory(usual[i]);
        if (!is_there(path)) {
            free(path);
            path = NULL;
        }
    }
    free(named);
    return path;
}

static void be_reader(void *context, int out)
{
    (void)context;
    _exit(settings_write(origin.path, table_in(origin.path), out) == 0 ? EXIT_STOPPED : EXIT_USAGE);
}

/* `words` is: key, NUL, value, NUL, and so on. */
static struct settings *take_settings(const char *words, size_t size)
{
    struct settings *settings = settings_new(origin.path);
    const char *end = words + size;
    while (words < end) {
        const char *value = words + strlen(words) + 1;
        settings_add(settings, words, value);
        words = value + strlen(value) + 1;
    }
    return settings;
}

/* True: only root can change the file, or put another in its place, in its directory or above. */
static bool is_roots(const char *path)
{
    struct place place;
    if (place_follow(&place, path) < 0)
        return false;
    bool roots = place_is_roots(&place);
    place_close(&place);
    return roots;
}

static bool is_named(void)
{
    char *named = options_find_config(origin.argc, origin.argv, environ);
    free(named);
    return named != NULL;
}

/*
 * The file says whom the processes belong to, and which files are written. So a service that root
 * starts for another user obeys a file that this user can write only if root has named it. `user`
 * is that of --user, NULL without.
 */
static int trust(const char *user, const char *path, char *message, size_t size)
{
    if (user == NULL || path == NULL || geteuid() != 0 || is_named() || is_roots(path))
        return 0;
    snprintf(message, size,
             "gateway: %s, which is read unasked, can be changed by others than root: name it with --config",
             path);
    return -1;
}

/*
 * Judges the path before the file is read. trust_read judges the --user that the file itself gives.
 */
static int trust_unread(char *message, size_t size)
{
    char *user = options_find_user(origin.argc, origin.argv, environ);
    int r = trust(user, origin.path, message, size);
    free(user);
    return r;
}

static int trust_read(const struct options *options, const struct settings *settings, char *message,
                      size_t size)
{
    return trust(options->user, settings != NULL ? settings->name : NULL, message, size);
}

static int parse(const struct settings *settings, struct options *options, char *message, size_t size)
{
    if (options_parse(options, origin.argc, origin.argv, environ, settings, message, size) < 0)
        return -1;
    if (settings != NULL) {
        free(options->config);
        options->config = xstrdup(settings->name);
    }
    return 0;
}

/* Keeps the settings as those of the last good reading, and owns them. */
static void keep(struct settings *settings)
{
    settings_free(origin.settings);
    origin.settings = settings;
}

/*
 * Parses the settings, and keeps them when they are good. NULL: there is no file. Returns as
 * options_parse does.
 */
static int use(struct settings *settings, struct options *options, char *message, size_t size)
{
    int r = parse(settings, options, message, size);
    if (r == 0 && (r = trust_read(options, settings, message, size)) < 0)
        options_free(options);
    if (r == 0)
        keep(settings);
    else
        settings_free(settings);
    return r;
}

/* Turns the output of the reader into settings. NULL: one sentence in `message`. */
static struct settings *understand(const char *words, size_t size, int status, char *message,
                                   size_t message_size)
{
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_STOPPED &&
                (size == 0 || words[size - 1] == '\0') && size < HELPER_OUTPUT_MAX;
    if (good)
        return take_settings(words, size);
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_USAGE && size > 0)
        snprintf(message, message_size, "gateway: %s %.*s", origin.path, (int)size, words);
    else
        snprintf(message, message_size, "gateway: %s cannot be read: the reader failed", origin.path);
    return NULL;
}

static struct settings *read_now(char *message, size_t size)
{
    int ends[2], status = 0;
    struct text words;
    char block[4096];
    ssize_t n;
    if (trust_unread(message, size) < 0)
        return NULL;
    if (pipe2(ends, O_CLOEXEC) < 0) {
        snprintf(message, size, "gateway: %s cannot be read: %s", origin.path, strerror(errno));
        return NULL;
    }
    pid_t pid = fork_quietly();
    if (pid == 0)
        be_reader(NULL, ends[1]);
    close(ends[1]);
    text_init(&words);
    while (words.size < HELPER_OUTPUT_MAX && (n = read(ends[0], block, sizeof(block))) > 0)
        text_add(&words, block, (size_t)n);
    close(ends[0]);
    if (pid > 0)
        waitpid(pid, &status, 0);
    struct settings *settings = understand(words.data, words.size, pid > 0 ? status : -1, message, size);
    text_fini(&words);
    return settings;
}

static void remember(int argc, char *const *argv)
{
    origin.argc = argc;
    origin.argv = argv;
    origin.path = find_file();
}

/* A user who asks for help gets it, also when the file is bad. */
static bool wants_help(struct options *options)
{
    char message[256];
    if (options_parse(options, origin.argc, origin.argv, environ, NULL, message, sizeof(message)) < 0)
        return false;
    if (options->action != OPTIONS_SERVE)
        return true;
    options_free(options);
    return false;
}

int configuration_read(struct options *options, int argc, char *const *argv, char *message, size_t size)
{
    struct settings *settings = NULL;
    remember(argc, argv);
    if (wants_help(options))
        return 0;
    if (origin.path != NULL && (settings = read_now(message, size)) == NULL)
        return -1;
    return use(settings, options, message, size);
}

static void note(struct mistakes *mistakes, void (*complain)(const char *message), const char *message)
{
    complain(message);
    mistakes->count++;
    mistakes->application = true;
}

void configuration_check(struct options *options, int argc, char *const *argv,
                         void (*complain)(const char *message), struct mistakes *mistakes)
{
    char message[1024];
    struct settings *settings = NULL;
    remember(argc, argv);
    if (origin.path != NULL && (settings = read_now(message, sizeof(message))) == NULL)
        note(mistakes, complain, message);
    options_parse_all(options, argc, argv, environ, settings, complain, mistakes);
    if (settings != NULL && trust_read(options, settings, message, sizeof(message)) < 0)
        note(mistakes, complain, message);
    settings_free(settings);
}

int configuration_print(int argc, char *const *argv, char *message, size_t size)
{
    struct settings *settings = NULL;
    if (origin.path != NULL && (settings = read_now(message, size)) == NULL)
        return -1;
    int r = options_print(stdout, argc, argv, environ, settings, message, size);
    settings_free(settings);
    return r;
}

void configuration_save(struct upgrade_state *saved)
{
    const struct settings *settings = origin.settings;
    if (settings == NULL)
        return;
    upgrade_state_add(saved, "configuration", settings->name, NULL, 0);
    for (size_t i = 0; i < settings->keys.count; i++) {
        char *setting = xasprintf("%s=%s", settings->keys.items[i], settings->values.items[i]);
        upgrade_state_add(saved, "setting", setting, NULL, 0);
        free(setting);
    }
}

int configuration_load(struct options *options, const struct upgrade_state *saved, char *message, size_t size)
{
    const struct saved_line *file = upgrade_state_next(saved, "configuration", NULL, 0), *line = NULL;
    struct settings *settings = file != NULL ? settings_new(file->text) : NULL;
    while (settings != NULL && (line = upgrade_state_next(saved, "setting", line, 0)) != NULL) {
        char *value = strchr(line->text, '=');
        if (value == NULL)
            continue;
        *value++ = '\0';
        settings_add(settings, line->text, value);
    }
    /* The program that read the file has judged whether to trust it. */
    int r = parse(settings, options, message, size);
    if (r == 0)
        keep(settings);
    else
        settings_free(settings);
    return r;
}

int configuration_begin(struct helper_process *helper, char *message, size_t size)
{
    free(origin.path);
    origin.path = find_file();
    if (origin.path == NULL)
        return 0;
    if (trust_unread(message, size) < 0)
        return -1;
    if (helper_start(helper, READING_MS, be_reader, NULL) == 0)
        return 1;
    snprintf(message, size, "%s cannot be read: %s", origin.path, strerror(errno));
    return -1;
}

int configuration_end(const struct helper_process *helper, int status, struct options *options, char *message,
                      size_t size)
{
    struct settings *settings = NULL;
    if (helper != NULL &&
        (settings = understand(helper->words.data, helper->words.size, status, message, size)) == NULL)
        return -1;
    return use(settings, options, message, size);
}
