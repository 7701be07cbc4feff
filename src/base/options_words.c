/*
 * Words about options: lists of them, splitting a line into them as a shell does, and finding the one that was meant.
 */
#include "base/mem.h"
#include "base/options_table.h"

#include <stdlib.h>
#include <string.h>

/* An unknown name longer than this is nothing that was mistyped. */
enum { NAME_MAX_SIZE = 48 };

void string_list_add(struct string_list *list, const char *text)
{
    list->items = xrealloc(list->items, (list->count + 1) * sizeof(*list->items));
    list->items[list->count++] = xstrdup(text);
}

void string_list_free(struct string_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct string_list){NULL, 0};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

/* Copies one word without its quotes to `out`, which has room for all of `text`. Returns what stands behind it, or NULL
 * when a quote is left open. */
static const char *copy_word(const char *text, char *out)
{
    char quote = '\0';
    for (; *text != '\0' && (quote != '\0' || !is_blank(*text)); text++) {
        bool escapes = quote == '\0' || (quote == '"' && strchr("\"\\$`", text[1]) != NULL);
        if (*text == '\\' && escapes && text[1] != '\0')
            *out++ = *++text;
        else if (quote != '\0' && *text == quote)
            quote = '\0';
        else if (quote == '\0' && (*text == '"' || *text == '\''))
            quote = *text;
        else
            *out++ = *text;
    }
    *out = '\0';
    return quote == '\0' ? text : NULL;
}

int words_split(const char *text, struct string_list *words)
{
    char *word = xmalloc(strlen(text) + 1);
    *words = (struct string_list){NULL, 0};
    for (;;) {
        while (is_blank(*text))
            text++;
        if (*text == '\0')
            break;
        text = copy_word(text, word);
        if (text == NULL) {
            string_list_free(words);
            break;
        }
        string_list_add(words, word);
    }
    free(word);
    return text == NULL ? -1 : 0;
}

static char dashed(char c)
{
    return c == '_' ? '-' : c;
}

static bool starts_with(const char *name, const char *start, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (name[i] == '\0' || dashed(name[i]) != dashed(start[i]))
            return false;
    }
    return true;
}

const struct option_row *option_find_name(const char *name, size_t size)
{
    for (size_t i = 0; i < option_row_count; i++) {
        if (strlen(option_rows[i].name) == size && starts_with(option_rows[i].name, name, size))
            return &option_rows[i];
    }
    return NULL;
}

const struct option_row *option_find_letter(char letter)
{
    for (size_t i = 0; i < option_row_count; i++) {
        if (letter != '\0' && option_rows[i].letter == letter)
            return &option_rows[i];
    }
    return NULL;
}

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Insertions, deletions and replacements that turn one into the other: the rows of the matrix, one after the other. */
static size_t edit_distance(const char *a, size_t a_size, const char *b)
{
    size_t row[NAME_MAX_SIZE + 1];
    for (size_t i = 0; i <= a_size; i++)
        row[i] = i;
    for (size_t k = 1; b[k - 1] != '\0'; k++) {
        size_t diagonal = row[0];
        row[0] = k;
        for (size_t i = 1; i <= a_size; i++) {
            size_t above = row[i];
            row[i] = least(row[i] + 1, row[i - 1] + 1, diagonal + (dashed(a[i - 1]) != dashed(b[k - 1])));
            diagonal = above;
        }
    }
    return row[a_size];
}

const struct option_row *option_find_nearest(const char *name, size_t size)
{
    const struct option_row *nearest = NULL;
    size_t nearest_distance = 0;
    if (size == 0 || size > NAME_MAX_SIZE)
        return NULL;
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        size_t distance = edit_distance(name, size, row->name);
        /* More than half of it wrong: something else was meant. Unless it is only unfinished. */
        if (row->hidden || (distance > (size + 1) / 2 && !starts_with(row->name, name, size)))
            continue;
        if (nearest == NULL || distance < nearest_distance) {
            nearest = row;
            nearest_distance = distance;
        }
    }
    return nearest;
}
