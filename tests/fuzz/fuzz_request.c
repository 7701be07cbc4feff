/*
 * Fuzz: whatever arrives, the answers must not depend on the pieces it arrives in, nor on what the memo has seen.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "session.h"

static void compare(const struct session *whole, struct slice input, size_t step, struct memo *memo)
{
    struct session other;
    session_run(&other, input, step, memo);
    if (!session_eq(whole, &other))
        abort();
    session_free(&other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = {(const char *)data, size};
    struct session whole;
    struct memo *memo = memo_new();
    session_run(&whole, input, 0, NULL);
    compare(&whole, input, 1, NULL);
    for (int i = 0; i < 3; i++)
        compare(&whole, input, i, memo);
    memo_free(memo);
    session_free(&whole);
    return 0;
}
