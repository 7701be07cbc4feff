/*
 * Reads tests/wire, see wire.h.
 */
#include <dirent.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

static void append(struct wire_case *wire, const char *bytes, size_t size)
{
    wire->bytes = realloc(wire->bytes, wire->size + size + 1);
    if (wire->bytes == NULL)
        err(1, NULL);
    memcpy(wire->bytes + wire->size, bytes, size);
    wire->size += size;
}

static const char *escape_read(struct wire_case *wire, const char *text);

/* Up to the end of the text, or to `stop`; returns where it stopped. */
static const char *text_read(struct wire_case *wire, const char *text, char stop)
{
    while (*text != '\0' && *text != stop) {
        if (*text == '\\') {
            text = escape_read(wire, text + 1);
        } else {
            append(wire, text, 1);
            text++;
        }
    }
    return text;
}

/* "{COUNT*TEXT}": TEXT so many times. */
static const char *repetition_read(struct wire_case *wire, const char *text)
{
    char *star;
    unsigned long count = strtoul(text, &star, 10);
    struct wire_case piece = {.name = wire->name};
    const char *end = *star == '*' ? text_read(&piece, star + 1, '}') : star;
    if (*end != '}')
        errx(1, "%s: a repetition must look like \\{COUNT*TEXT}", wire->name);
    for (unsigned long i = 0; i < count; i++)
        append(wire, piece.bytes, piece.size);
    free(piece.bytes);
    return end + 1;
}

/* The byte after a backslash. */
static const char *escape_read(struct wire_case *wire, const char *text)
{
    static const char letters[] = "rnt0\\", meanings[] = "\r\n\t\0\\";
    const char *letter = *text != '\0' ? strchr(letters, *text) : NULL;
    if (letter != NULL) {
        append(wire, &meanings[letter - letters], 1);
        return text + 1;
    }
    if (*text == '{')
        return repetition_read(wire, text + 1);
    unsigned value;
    if (sscanf(text, "x%2x", &value) != 1 || strlen(text) < 3)
        errx(1, "%s: unknown escape at \"\\%.8s\"", wire->name, text);
    append(wire, &(char){(char)value}, 1);
    return text + 3;
}

/* "200 keep-alive, 400 close", or "incomplete" as the last. */
static void expectation_read(struct wire_case *wire, char *text)
{
    for (char *item, *rest = text; (item = strsep(&rest, ",")) != NULL;) {
        int status, used = 0;
        char word[16] = "";
        if (sscanf(item, " %d %15s %n", &status, word, &used) == 2 && item[used] == '\0' &&
            wire->count < WIRE_ANSWERS && (strcmp(word, "close") == 0 || strcmp(word, "keep-alive") == 0)) {
            wire->answers[wire->count].status = status;
            wire->answers[wire->count++].keep_alive = strcmp(word, "keep-alive") == 0;
        } else if (sscanf(item, " %15s %n", word, &used) == 1 && strcmp(word, "incomplete") == 0 &&
                   rest == NULL) {
            wire->incomplete = true;
        } else {
            errx(1, "%s: cannot read the expectation \"%s\"", wire->name, item);
        }
    }
}

static void comment_read(struct wire_case *wire, const char *line)
{
    char *longer;
    const char *before = wire->sentence == NULL ? "" : wire->sentence;
    const char *space = wire->sentence == NULL ? "" : " ";
    if (asprintf(&longer, "%s%s%s", before, space, line + 1 + strspn(line + 1, " ")) < 0)
        err(1, NULL);
    free(wire->sentence);
    wire->sentence = longer;
}

struct wire_case wire_read(const char *path, const char *name)
{
    struct wire_case wire = {.name = strdup(name)};
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    bool raw = false;
    if (file == NULL)
        err(1, "%s", path);
    while (getline(&line, &room, file) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (raw)
            text_read(&wire, line, '\0');
        else if (line[0] == '#')
            comment_read(&wire, line);
        else if (strncmp(line, "expect:", 7) == 0)
            expectation_read(&wire, line + 7);
        else if (line[0] == '\0')
            raw = true;
        else
            errx(1, "%s: cannot read the line \"%s\"", path, line);
    }
    free(line);
    fclose(file);
    if (wire.sentence == NULL || wire.size == 0 || (wire.count == 0 && !wire.incomplete))
        errx(1, "%s: a sentence, an expectation and a request are needed", path);
    return wire;
}

static int is_theme(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && strcmp(entry->d_name, "README") != 0;
}

static int is_case(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot != NULL && strcmp(dot, ".txt") == 0;
}

static void theme_load(const char *directory, const char *theme, struct wire_case **cases, size_t *count)
{
    char path[4096], name[512];
    struct dirent **entries;
    snprintf(path, sizeof(path), "%s/%s", directory, theme);
    int found = scandir(path, &entries, is_case, alphasort);
    if (found < 0)
        err(1, "%s", path);
    for (int i = 0; i < found; i++) {
        const char *file = entries[i]->d_name;
        snprintf(path, sizeof(path), "%s/%s/%s", directory, theme, file);
        snprintf(name, sizeof(name), "%s/%.*s", theme, (int)(strlen(file) - strlen(".txt")), file);
        *cases = reallocarray(*cases, *count + 1, sizeof(**cases));
        if (*cases == NULL)
            err(1, NULL);
        (*cases)[(*count)++] = wire_read(path, name);
        free(entries[i]);
    }
    free(entries);
}

struct wire_case *wire_load(const char *directory, size_t *count)
{
    struct wire_case *cases = NULL;
    struct dirent **themes;
    int found = scandir(directory, &themes, is_theme, alphasort);
    if (found < 0)
        err(1, "%s", directory);
    *count = 0;
    for (int i = 0; i < found; i++) {
        theme_load(directory, themes[i]->d_name, &cases, count);
        free(themes[i]);
    }
    free(themes);
    return cases;
}

void wire_free(struct wire_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(cases[i].name);
        free(cases[i].sentence);
        free(cases[i].bytes);
    }
    free(cases);
}
