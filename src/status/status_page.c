/* The status page. */
#include "status/status.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "status/status_page_source.h"

/* Hexadecimal digits that nobody can foresee. */
enum { NONCE_SIZE = 33 };

static void make_nonce(char nonce[NONCE_SIZE])
{
    uint64_t random[2] = {0, 0};
    ssize_t n = getrandom(random, sizeof(random), GRND_NONBLOCK);
    (void)n; /* of so few bytes only a kernel that has just been started has none */
    snprintf(nonce, NONCE_SIZE, "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
}

/* Inside an element for scripts only "<" means anything to HTML, and in JSON it stands in strings only. */
static void add_json(struct text *out, struct slice json)
{
    const char *end = json.data + json.size;
    for (const char *at = json.data; at < end;) {
        const char *less = memchr(at, '<', (size_t)(end - at));
        text_add(out, at, (size_t)((less != NULL ? less : end) - at));
        if (less == NULL)
            return;
        text_printf(out, "\\u003c");
        at = less + 1;
    }
}

void status_page_render(struct slice json, struct text *out, char policy[STATUS_PAGE_POLICY_SIZE])
{
    static const char nonce_mark[] = "@nonce@", json_mark[] = "@json@";
    char nonce[NONCE_SIZE];
    const char *at = status_page_source, *mark;
    make_nonce(nonce);
    while ((mark = strchr(at, '@')) != NULL) {
        text_add(out, at, (size_t)(mark - at));
        at = mark;
        if (strncmp(at, nonce_mark, sizeof(nonce_mark) - 1) == 0) {
            text_printf(out, "%s", nonce);
            at += sizeof(nonce_mark) - 1;
        } else if (strncmp(at, json_mark, sizeof(json_mark) - 1) == 0) {
            add_json(out, json);
            at += sizeof(json_mark) - 1;
        } else {
            text_add(out, at++, 1);
        }
    }
    text_add(out, at, strlen(at));
    snprintf(
        policy, STATUS_PAGE_POLICY_SIZE,
        "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; img-src data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        nonce, nonce);
}
