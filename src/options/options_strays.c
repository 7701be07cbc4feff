/*
 * GATEWAY_... variables that are no option's: mistyped, or somebody else's.
 */
#include "options/options_table.h"

#include <ctype.h>
#include <string.h>

#define PREFIX "GATEWAY_"

enum { PREFIX_SIZE = sizeof(PREFIX) - 1, NAME_SIZE = 64, SENTENCE_SIZE = 256 };

static bool ends_with(const char *name, size_t size, const char *end)
{
    size_t end_size = strlen(end);
    return size >= end_size && memcmp(name + size - end_size, end, end_size) == 0;
}

/* Of a Service that is called gateway, or gateway-something: GATEWAY_SERVICE_HOST, GATEWAY_SERVICE_PORT_HTTP, GATEWAY_PORT=tcp://...,
 * GATEWAY_PORT_80_TCP_ADDR. */
static bool is_kubernetes(const char *entry, size_t size)
{
    char name[NAME_SIZE * 2];
    snprintf(name, sizeof(name), "%.*s", (int)size, entry);
    const char *port = strstr(name, "_PORT_");
    return ends_with(name, strlen(name), "_SERVICE_HOST") || strstr(name, "_SERVICE_PORT") != NULL ||
           (ends_with(name, strlen(name), "_PORT") && strstr(entry + size, "://") != NULL) ||
           (port != NULL && isdigit((unsigned char)port[strlen("_PORT_")]));
}

/* "GATEWAY_KEEPALIVE" to "keepalive"; only capitals make an option's variable. */
static size_t option_name(const char *entry, size_t size, char name[NAME_SIZE])
{
    size_t used = 0;
    for (size_t i = PREFIX_SIZE; i < size && used < NAME_SIZE - 1; i++)
        name[used++] = (char)tolower((unsigned char)entry[i]);
    name[used] = '\0';
    return used;
}

static bool is_known(const char *entry, size_t size)
{
    static const char *const others[] = {"GATEWAY_CMD_ARGS", "GATEWAY_HERITAGE", "GATEWAY_INTERFACE"};
    char name[NAME_SIZE];
    size_t name_size = option_name(entry, size, name);
    bool capitals = true;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (strlen(others[i]) == size && memcmp(entry, others[i], size) == 0)
            return true;
    for (size_t i = 0; i < size; i++)
        capitals &= !islower((unsigned char)entry[i]) && entry[i] != '-';
    return capitals && option_find_name(name, name_size) != NULL;
}

static void tell_stray(const char *entry, size_t size, void (*tell)(const char *sentence))
{
    char sentence[SENTENCE_SIZE], name[NAME_SIZE], nearest[NAME_SIZE];
    const struct option_row *row = option_find_nearest(name, option_name(entry, size, name));
    int shown = size < NAME_SIZE ? (int)size : NAME_SIZE;
    snprintf(nearest, sizeof(nearest), "%s", row != NULL ? row->name : "");
    for (char *c = nearest; *c != '\0'; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    snprintf(sentence, sizeof(sentence), "%.*s in the environment is no option's, and ignored%s%s%s", shown,
             entry, row != NULL ? "; did you mean " PREFIX : "", nearest, row != NULL ? "?" : "");
    tell(sentence);
}

void options_tell_strays(char *const *environment, void (*tell)(const char *sentence))
{
    for (; *environment != NULL; environment++) {
        size_t size = strcspn(*environment, "=");
        if (strncmp(*environment, PREFIX, PREFIX_SIZE) == 0 && !is_known(*environment, size) &&
            !is_kubernetes(*environment, size))
            tell_stray(*environment, size, tell);
    }
}
