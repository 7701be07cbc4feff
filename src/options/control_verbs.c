/* The verbs of the control socket. */
#include "options/control_verbs.h"

#include <stdint.h>
#include <stdio.h>

#include "base/text.h"
#include "options/name_distance.h"

#define ROW(name, arguments, help) {#name, arguments, help},
const struct control_verb control_verbs[] = {CONTROL_VERBS(ROW)};
#undef ROW
const size_t control_verb_count = sizeof(control_verbs) / sizeof(control_verbs[0]);

static const char *nearest(struct slice name)
{
    const char *found = NULL;
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < control_verb_count; i++) {
        size_t distance = name_distance(name.data, name.size, control_verbs[i].name);
        if (distance < best) {
            found = control_verbs[i].name;
            best = distance;
        }
    }
    return found;
}

static bool accepts(const struct control_verb *verb, struct slice argument)
{
    struct slice choices = slice_of(verb->arguments);
    bool optional = choices.size > 0 && choices.data[0] == '[';
    if (argument.size == 0)
        return optional || choices.size == 0;
    if (optional)
        choices = (struct slice){choices.data + 1, choices.size - 2};
    while (choices.data != NULL && choices.size > 0)
        if (slice_eq(slice_next(&choices, '|'), argument))
            return true;
    return false;
}

static int unknown(struct slice name, char *message, size_t size)
{
    char text[4 * CONTROL_REQUEST_MAX + 1];
    text[text_escape(text, sizeof(text) - 1, name.data, name.size, true)] = '\0';
    const char *meant = nearest(name);
    if (meant != NULL)
        snprintf(message, size, "there is no \"%s\"; did you mean \"%s\"?", text, meant);
    else
        snprintf(message, size, "there is no \"%s\"", text);
    return -1;
}

int control_parse(struct slice line, struct slice *argument, char *message, size_t size)
{
    *argument = slice_trim(line);
    struct slice name = slice_next(argument, ' ');
    for (size_t i = 0; i < control_verb_count; i++) {
        const struct control_verb *verb = &control_verbs[i];
        if (!slice_eq(slice_of(verb->name), name))
            continue;
        *argument = slice_trim(*argument);
        if (accepts(verb, *argument))
            return (int)i;
        if (*verb->arguments == '\0')
            snprintf(message, size, "nothing is expected after \"%s\"", verb->name);
        else
            snprintf(message, size, "\"%s %s\" is expected", verb->name, verb->arguments);
        return -1;
    }
    return unknown(name, message, size);
}
