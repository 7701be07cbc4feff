/*
 * The upgrade state: what a master leaves to the binary that takes its place in the same process (upgrade/upgrade.h). Descriptors keep their
 * numbers, children stay children, and the rest is lines of text in a file without a name, whose descriptor stands in
 * $GATEWAY_HERITAGE. The variable keeps that name because programs of earlier builds set it; the version in the file refuses what
 * does not fit.
 *
 *     key text number number ...
 *
 * Each module that has something to leave writes its lines, and reads them again: functions named *_save and *_load.
 *
 * A binary reads only what one of its own version has written. Not only the lines belong to that: the old workers go on to write the
 * scoreboard (base/scoreboard.h), to read and send messages (proc/worker_channel.h) and to hand connections over (net/parcel.h).
 */
#ifndef UPGRADE_UPGRADE_STATE_H
#define UPGRADE_UPGRADE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Raised with every change to what stands above. */
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

/* Adds a line; `text` may be any, or NULL; so may `numbers` be where there are none. */
void upgrade_state_add(struct upgrade_state *saved, const char *key, const char *text,
                       const uint64_t *numbers, size_t count);
#define SAVED_NUMBERS(...) \
    (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t)
/* It is open in the successor too. Its number is what it returns. */
uint64_t upgrade_state_keep(struct upgrade_state *saved, int fd);

/* Writes it where upgrade_state_take finds it in a program that this process, or a child of it, executes: `reader` is the pid of whoever may
 * believe it. 0, or -1 and errno. */
int upgrade_state_publish(struct upgrade_state *saved, int reader);
/* Not executed after all: as it was before upgrade_state_publish. */
void upgrade_state_withdraw(struct upgrade_state *saved);

/* The successor's: what was left to this process, or NULL when nothing was (`message` is empty) or it cannot be read, with one sentence in
 * `message`. The variable is gone afterwards, and the descriptors are close-on-exec again. */
struct upgrade_state *upgrade_state_take(char *message, size_t size);

/* Of who only wanted to see it: closes the descriptors that came along, where they are open still. */
void upgrade_state_close(const struct upgrade_state *saved);

/* The next line with that key and at least so many numbers, behind `after`, or from the first one on (NULL). NULL: there is no more. */
const struct saved_line *upgrade_state_next(const struct upgrade_state *saved, const char *key,
                                            const struct saved_line *after, size_t count);

/* A listening address and its sockets as a line. */
void address_save(const struct address *address, const char *key, struct upgrade_state *saved);

/* The next address with that key, as upgrade_state_next has it; its sockets are those of the one before. NULL: there is no more. `option` is
 * the one it was given with. */
const struct saved_line *address_load(struct address *address, const char *key, const char *option,
                                      const struct upgrade_state *saved, const struct saved_line *after);

#endif
