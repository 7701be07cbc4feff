/*
 * Words about options: lists of them, splitting a line into them as a shell does, and finding the one that was meant.
 */
#include "base/mem.h"
#include "options/name_distance.h"
#include "options/options_table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

const struct option_row *option_find_name(const char *name, size_t size)
{
    for (size_t i = 0; i < option_row_count; i++) {
        if (strlen(option_rows[i].name) == size && name_starts_with(option_rows[i].name, name, size))
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

const struct option_row *option_find_nearest(const char *name, size_t size)
{
    const struct option_row *nearest = NULL;
    size_t nearest_distance = SIZE_MAX;
    for (size_t i = 0; i < option_row_count; i++) {
        size_t distance = name_distance(name, size, option_rows[i].name);
        if (option_rows[i].hidden || distance >= nearest_distance)
            continue;
        nearest = &option_rows[i];
        nearest_distance = distance;
    }
    return nearest;
}
