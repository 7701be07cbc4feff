/*
 * Fuzz: the grammar of option values, and whole command lines; the input is cut into arguments at each line end.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "options/options_parse.h"
#include "options/options_values.h"

enum { ARGUMENTS = 16 };

static void values_parse(const char *text)
{
    int64_t value = 0;
    if ((options_parse_time(text, &value) == 0 && value < 0) ||
        (options_parse_size(text, &value) == 0 && value < 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size), *rest = text, *environment[] = {NULL};
    char *arguments[ARGUMENTS + 2] = {(char *)"gateway"}, message[256] = "";
    int count = 1;
    while (rest != NULL && count <= ARGUMENTS)
        arguments[count++] = strsep(&rest, "\n");
    values_parse(arguments[1]);

    struct options options;
    if (options_parse(&options, count, arguments, environment, NULL, message, sizeof(message)) == 0)
        options_free(&options);
    else if (message[0] == '\0')
        abort();
    free(text);
    return 0;
}
