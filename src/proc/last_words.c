/* What a worker that crashes says at its end. */
#include "proc/last_words.h"

#include <fcntl.h>
#include <unistd.h>

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

size_t last_words_take(const struct last_words *words, char *out, size_t room)
{
    size_t size = 0;
    ssize_t n;
    while (size < room && (n = read(words->master, out + size, room - size)) > 0)
        size += (size_t)n;
    return size;
}
