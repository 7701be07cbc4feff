/*
 * The verb `top`: the state of a service on a terminal, refreshed. It uses only the verbs status,
 * workers and requests. One thread.
 */
#ifndef CTL_TOP_H
#define CTL_TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ctl/client.h"

/* Three responses, and their time. */
struct top_sample {
    char *status, *workers, *requests; /* owned, terminated */
    uint64_t at_ms;
};

enum client_outcome top_take(struct top_sample *sample, const char *path, char *message, size_t size);
void top_free(struct top_sample *sample);

struct top_screen {
    unsigned rows, columns; /* 0: unlimited */
    bool colour;
};

/* Prints one frame; `before` is the sample before, or NULL. Every line but the last ends with
 * `end`. */
void top_print(FILE *out, const struct top_sample *now, const struct top_sample *before,
               const struct top_screen *screen, const char *end);

/* Runs until the user quits; prints one frame where standard output is no terminal. */
enum client_outcome top_run(const char *path, int64_t interval_ms, char *message, size_t size);

#endif
