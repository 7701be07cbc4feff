/*
 * What a configuration file says, and which of it a reload cannot change.
 */
#include "base/mem.h"
#include "options/options_table.h"

#include <stdlib.h>

struct settings *settings_new(const char *name)
{
    struct settings *settings = xcalloc(1, sizeof(*settings));
    settings->name = xstrdup(name);
    return settings;
}

void settings_add(struct settings *settings, const char *key, const char *value)
{
    string_list_add(&settings->keys, key);
    string_list_add(&settings->values, value);
}

void settings_free(struct settings *settings)
{
    if (settings == NULL)
        return;
    free(settings->name);
    string_list_free(&settings->keys);
    string_list_free(&settings->values);
    free(settings);
}

void options_keep(struct options *options, const struct options *now,
                  void (*told)(void *context, const char *name), void *context)
{
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
        if (!row->restart || option_is_same(row, options, now))
            continue;
        told(context, row->name);
        option_copy(row, options, now);
    }
}
