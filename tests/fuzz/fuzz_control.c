/*
 * Fuzz: requests of the control protocol. What is refused is refused in words that neither a line nor a terminal is broken by.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "options/control_verbs.h"

static void assert_plain(const char *text)
{
    if (*text == '\0')
        abort();
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text > '~')
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice line = {(const char *)data, size < CONTROL_REQUEST_MAX ? size : CONTROL_REQUEST_MAX};
    struct slice argument;
    char message[2048] = "";
    int verb = control_parse(line, &argument, message, sizeof(message));
    if (verb < 0)
        assert_plain(message);
    else if ((size_t)verb >= control_verb_count || argument.size > line.size)
        abort();
    return 0;
}
