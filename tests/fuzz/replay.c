/*
 * Replays inputs to a fuzz target, for builds without libFuzzer: every argument is a file, or a directory of files. A
 * file named .txt below a directory wire is a case of tests/wire: its raw bytes are what is fed.
 */
#include <err.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "wire.h"

static size_t replayed;

/* A copy of its own size, so that a sanitizer sees what reads beyond it. */
static void feed(const char *bytes, size_t size)
{
    uint8_t *copy = malloc(size);
    if (copy == NULL && size > 0)
        err(1, NULL);
    if (size > 0)
        memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    replayed++;
}

static void file_feed(const char *path, size_t size)
{
    FILE *file = fopen(path, "r");
    char *bytes = malloc(size + 1);
    if (file == NULL || bytes == NULL || fread(bytes, 1, size, file) != size)
        err(1, "%s", path);
    feed(bytes, size);
    free(bytes);
    fclose(file);
}

static int visit(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    const char *name = path + place->base, *dot = strrchr(name, '.');
    if (kind != FTW_F || strcmp(name, "README") == 0)
        return 0;
    if (strstr(path, "/wire/") != NULL && dot != NULL && strcmp(dot, ".txt") == 0) {
        struct wire_case wire = wire_read(path, name);
        feed(wire.bytes, wire.size);
        free(wire.name);
        free(wire.sentence);
        free(wire.bytes);
    } else {
        file_feed(path, (size_t)status->st_size);
    }
    return 0;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (nftw(argv[i], visit, 8, FTW_PHYS) != 0)
            err(1, "%s", argv[i]);
    }
    printf("%zu inputs replayed\n", replayed);
    return replayed > 0 ? 0 : 1;
}
