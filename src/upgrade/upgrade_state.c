/* The state that a master leaves to the program that takes its place. */
#include "config.h"

#include "upgrade/upgrade_state.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/slice.h"
#include "base/text.h"
#include "net/address.h"
#include "proc/directory.h"

#define VARIABLE "GATEWAY_HERITAGE"

struct upgrade_state {
    struct saved_line *lines;
    size_t count;
    int *kept; /* descriptors */
    size_t kept_count;
    int file; /* -1: not published */
};

struct upgrade_state *upgrade_state_new(void)
{
    struct upgrade_state *saved = xcalloc(1, sizeof(*saved));
    saved->file = -1;
    return saved;
}

void upgrade_state_free(struct upgrade_state *saved)
{
    if (saved == NULL)
        return;
    for (size_t i = 0; i < saved->count; i++) {
        free(saved->lines[i].key);
        free(saved->lines[i].text);
        free(saved->lines[i].numbers);
    }
    free(saved->lines);
    free(saved->kept);
    free(saved);
}

static struct saved_line *add_line(struct upgrade_state *saved)
{
    saved->lines = xrealloc(saved->lines, (saved->count + 1) * sizeof(*saved->lines));
    saved->lines[saved->count] = (struct saved_line){.key = NULL};
    return &saved->lines[saved->count++];
}

void upgrade_state_add(struct upgrade_state *saved, const char *key, const char *text,
                       const uint64_t *numbers, size_t count)
{
    struct saved_line *line = add_line(saved);
    line->key = xstrdup(key);
    line->text = xstrdup(text != NULL ? text : "");
    line->numbers = xcalloc(count, sizeof(*numbers));
    for (size_t i = 0; i < count; i++)
        line->numbers[i] = numbers[i];
    line->count = count;
}

uint64_t upgrade_state_keep(struct upgrade_state *saved, int fd)
{
    saved->kept = xrealloc(saved->kept, (saved->kept_count + 1) * sizeof(*saved->kept));
    saved->kept[saved->kept_count++] = fd;
    return (uint64_t)fd;
}

/* Writes any text as one word: "=" in front, and each character that is not visible as %XX. */
static void put_text(struct text *out, const char *text)
{
    text_add(out, "=", 1);
    for (; *text != '\0'; text++)
        if (isgraph((unsigned char)*text) && *text != '%')
            text_add(out, text, 1);
        else
            text_printf(out, "%%%02X", (unsigned char)*text);
}

static void put_line(struct text *out, const struct saved_line *line)
{
    text_printf(out, "%s ", line->key);
    put_text(out, line->text);
    for (size_t i = 0; i < line->count; i++)
        text_printf(out, " %" PRIu64, line->numbers[i]);
    text_add(out, "\n", 1);
}

/* 0, or -1 and errno. */
static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0)
            return -1;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

static int write_file(const struct upgrade_state *saved, int reader)
{
    struct text text;
    text_init(&text);
    text_printf(&text, "gateway =" VERSION " %d %d\n", UPGRADE_STATE_VERSION, reader);
    for (size_t i = 0; i < saved->count; i++)
        put_line(&text, &saved->lines[i]);
    for (size_t i = 0; i < saved->kept_count; i++)
        text_printf(&text, "kept = %d\n", saved->kept[i]);
    int r = write_all(saved->file, text.data, text.size);
    text_fini(&text);
    return r;
}

static void let_pass(const struct upgrade_state *saved, bool pass)
{
    for (size_t i = 0; i < saved->kept_count; i++)
        fcntl(saved->kept[i], F_SETFD, pass ? 0 : FD_CLOEXEC);
}

int upgrade_state_publish(struct upgrade_state *saved, int reader)
{
    char number[16];
    saved->file = memfd_create("gateway upgrade state", 0);
    if (saved->file < 0)
        return -1;
    snprintf(number, sizeof(number), "%d", saved->file);
    if (write_file(saved, reader) == 0 && setenv(VARIABLE, number, 1) == 0) {
        let_pass(saved, true);
        return 0;
    }
    int error = errno;
    upgrade_state_withdraw(saved);
    errno = error;
    return -1;
}

void upgrade_state_withdraw(struct upgrade_state *saved)
{
    unsetenv(VARIABLE);
    let_pass(saved, false);
    close(saved->file);
    saved->file = -1;
}

static char *get_text(const char *word)
{
    char *text = xmalloc(strlen(word) + 1), *out = text;
    for (word++; *word != '\0'; word++) {
        unsigned character = (unsigned char)*word;
        if (*word == '%' && sscanf(word + 1, "%2x", &character) == 1)
            word += 2;
        *out++ = (char)character;
    }
    *out = '\0';
    return text;
}

/* Reads a line. 0, or -1 when it does not have the form that put_line writes. */
static int get_line(struct upgrade_state *saved, char *from)
{
    char *rest, *key = strtok_r(from, " ", &rest), *text = strtok_r(NULL, " ", &rest), *word;
    if (key == NULL || text == NULL || text[0] != '=')
        return -1;
    struct saved_line *line = add_line(saved);
    line->key = xstrdup(key);
    line->text = get_text(text);
    while ((word = strtok_r(NULL, " ", &rest)) != NULL) {
        line->numbers = xrealloc(line->numbers, (line->count + 1) * sizeof(*line->numbers));
        if (slice_to_uint64(slice_of(word), &line->numbers[line->count++]) < 0)
            return -1;
    }
    return 0;
}

static int get_lines(struct upgrade_state *saved, char *text)
{
    char *rest;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        if (get_line(saved, line) < 0)
            return -1;
    return 0;
}

/* Returns the whole file, terminated; NULL when it is not a regular file. */
static char *read_file(int fd)
{
    struct stat status;
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
        return NULL;
    char *text = xmalloc((size_t)status.st_size + 1);
    ssize_t n = pread(fd, text, (size_t)status.st_size, 0);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

/* True when the state was written for this process. */
static bool is_ours(const struct upgrade_state *saved)
{
    const struct saved_line *head = upgrade_state_next(saved, "gateway", NULL, 2);
    return head != NULL && head->numbers[1] == (uint64_t)getpid();
}

static int check_version(const struct upgrade_state *saved, char *message, size_t size)
{
    const struct saved_line *head = upgrade_state_next(saved, "gateway", NULL, 2);
    if (head->numbers[0] == UPGRADE_STATE_VERSION)
        return 0;
    snprintf(message, size,
             "gateway " VERSION " cannot go on with what gateway %s has in memory: restart the service",
             head->text);
    return -1;
}

static int take_descriptors(const struct upgrade_state *saved, char *message, size_t size)
{
    const struct saved_line *line = NULL;
    while ((line = upgrade_state_next(saved, "kept", line, 1)) != NULL)
        if (fcntl((int)line->numbers[0], F_SETFD, FD_CLOEXEC) < 0) {
            snprintf(message, size, "descriptor %d has not come along: restart the service",
                     (int)line->numbers[0]);
            return -1;
        }
    return 0;
}

static int open_saved(struct upgrade_state *saved, int fd, char *message, size_t size)
{
    char *text = read_file(fd);
    int r = -1;
    if (text != NULL && get_lines(saved, text) == 0 && is_ours(saved)) {
        close(fd);
        r = check_version(saved, message, size);
        if (r == 0)
            r = take_descriptors(saved, message, size);
    }
    free(text);
    return r;
}

struct upgrade_state *upgrade_state_take(char *message, size_t size)
{
    const char *value = getenv(VARIABLE);
    uint64_t fd;
    message[0] = '\0';
    if (value == NULL)
        return NULL;
    int r = slice_to_uint64(slice_of(value), &fd);
    unsetenv(VARIABLE);
    if (r < 0 || fd > INT32_MAX)
        return NULL;
    struct upgrade_state *saved = upgrade_state_new();
    if (open_saved(saved, (int)fd, message, size) == 0)
        return saved;
    upgrade_state_free(saved);
    return NULL;
}

void upgrade_state_close(const struct upgrade_state *saved)
{
    const struct saved_line *line = NULL;
    while ((line = upgrade_state_next(saved, "kept", line, 1)) != NULL)
        close((int)line->numbers[0]);
}

const struct saved_line *upgrade_state_next(const struct upgrade_state *saved, const char *key,
                                            const struct saved_line *after, size_t count)
{
    const struct saved_line *end = saved->lines + saved->count;
    for (const struct saved_line *line = after != NULL ? after + 1 : saved->lines; line < end; line++)
        if (strcmp(line->key, key) == 0 && line->count >= count)
            return line;
    return NULL;
}

/* An address is a line: slots, the socket file (whether it is ours, device, inode), then the
 * descriptors. */
enum { FIRST_SOCKET = 4 };

void address_save(const struct address *address, const char *key, struct upgrade_state *saved)
{
    unsigned sockets = address->shared ? 1 : address->slots;
    uint64_t *numbers = xcalloc(FIRST_SOCKET + sockets, sizeof(*numbers));
    numbers[0] = address->slots;
    numbers[1] = address->owns_path;
    numbers[2] = address->path_device;
    numbers[3] = address->path_inode;
    for (unsigned i = 0; i < sockets; i++)
        numbers[FIRST_SOCKET + i] = upgrade_state_keep(saved, address->sockets[i]);
    upgrade_state_add(saved, key, address->text, numbers, FIRST_SOCKET + sockets);
    free(numbers);
}

const struct saved_line *address_load(struct address *address, const char *key, const char *option,
                                      const struct upgrade_state *saved, const struct saved_line *after)
{
    const struct saved_line *line = upgrade_state_next(saved, key, after, FIRST_SOCKET + 1);
    if (line == NULL)
        return NULL;
    unsigned count = (unsigned)(line->count - FIRST_SOCKET);
    int *sockets = xcalloc(count, sizeof(*sockets));
    for (unsigned i = 0; i < count; i++)
        sockets[i] = (int)line->numbers[FIRST_SOCKET + i];
    int r = address_adopt(address, option, line->text, sockets, count, (unsigned)line->numbers[0]);
    free(sockets);
    address_resolve_path(address, directory_base());
    address->owns_path = line->numbers[1];
    address->path_device = (dev_t)line->numbers[2];
    address->path_inode = (ino_t)line->numbers[3];
    return r == 0 ? line : NULL;
}
