/* What a worker that crashes says at its end. */
#include "proc/last_words.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Reads that throw away: together more than an ordinary user's largest pipe (fs.pipe-max-size). */
enum { DISCARD_SIZE = 4096, DISCARD_READS = 1024 };

int last_words_open(struct last_words *words)
{
    int ends[2];
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0)
        return -1;
    *words = (struct last_words){ends[0], ends[1]};
    return 0;
}

void last_words_close(struct last_words *words)
{
    close(words->master);
    close(words->worker);
}

size_t last_words_waiting(const struct last_words *words)
{
    int size = 0;
    if (ioctl(words->master, FIONREAD, &size) < 0 || size < 0)
        return 0;
    return size < LAST_WORDS_MAX ? (size_t)size : LAST_WORDS_MAX;
}

static void discard_rest(const struct last_words *words)
{
    char block[DISCARD_SIZE];
    for (int i = 0; i < DISCARD_READS && read(words->master, block, sizeof(block)) > 0; i++)
        ;
}

size_t last_words_take(const struct last_words *words, char *out, size_t room)
{
    size_t size = 0;
    ssize_t n;
    while (size < room && (n = read(words->master, out + size, room - size)) > 0)
        size += (size_t)n;
    if (size == room)
        discard_rest(words);
    return size;
}
