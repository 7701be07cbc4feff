/*
 * The upgrade state: what a master leaves to the binary that takes its place in the same process
 * (upgrade/upgrade.h). Descriptors keep their numbers, and children stay children. The rest is
 * lines of text in a file without a name:
 *
 *     key text number number ...
 *
 * The file's descriptor stands in $GATEWAY_HERITAGE. The variable keeps that name because programs
 * of earlier builds set it; the version in the file refuses what does not fit.
 *
 * Each module that has something to leave writes its lines, and reads them again, in functions
 * named *_save and *_load.
 *
 * A binary reads only the lines of its own version. The version also covers what old workers go on
 * to use: the scoreboard (base/scoreboard.h), messages (proc/worker_channel.h) and connections that
 * are handed over (net/parcel.h).
 *
 * The caller owns the state. It belongs to the master's thread.
 */
#ifndef UPGRADE_UPGRADE_STATE_H
#define UPGRADE_UPGRADE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Raise it with every change to any of these. */
enum { UPGRADE_STATE_VERSION = 3 };

struct address;
struct upgrade_state;

struct saved_line {
    char *key, *text; /* text: "" when there is none */
    uint64_t *numbers;
    size_t count;
};

struct upgrade_state *upgrade_state_new(void);
void upgrade_state_free(struct upgrade_state *saved); /* NULL is fine */

/* Adds a line, and copies what it is made of. `text` may be any or NULL, `numbers` NULL where
 * `count` is 0. */
void upgrade_state_add(struct upgrade_state *saved, const char *key, const char *text,
                       const uint64_t *numbers, size_t count);
#define SAVED_NUMBERS(...) \
    (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t)
/* Keeps the descriptor open in the successor too. Returns its number. */
uint64_t upgrade_state_keep(struct upgrade_state *saved, int fd);

/* Writes the state where upgrade_state_take finds it, in a program that this process or a child
 * of it executes. `reader` is the pid of the only process that may use it. 0, or -1 and errno. */
int upgrade_state_publish(struct upgrade_state *saved, int reader);
/* Undoes upgrade_state_publish when the program was not executed. */
void upgrade_state_withdraw(struct upgrade_state *saved);

/* In the successor: the state that was left to this process. NULL when there is none (`message`
 * is empty), or it cannot be read, with one sentence in `message`. The variable is gone
 * afterwards, and the descriptors are close-on-exec again. */
struct upgrade_state *upgrade_state_take(char *message, size_t size);

/* In a check, which only looks at the state: closes the descriptors that came along and are still
 * open. */
void upgrade_state_close(const struct upgrade_state *saved);

/* The next line after `after`, or the first one (NULL), that has this key and at least `count`
 * numbers. NULL: there is no more. The state owns the line. */
const struct saved_line *upgrade_state_next(const struct upgrade_state *saved, const char *key,
                                            const struct saved_line *after, size_t count);

/* Adds a line for a listening address, and keeps its sockets open in the successor. */
void address_save(const struct address *address, const char *key, struct upgrade_state *saved);
/* Opens the next address with that key, after the line `after`, on the sockets that were kept.
 * Returns its line; NULL: there is no more, or it does not fit. `option` is the option that
 * named it. */
const struct saved_line *address_load(struct address *address, const char *key, const char *option,
                                      const struct upgrade_state *saved, const struct saved_line *after);

#endif
