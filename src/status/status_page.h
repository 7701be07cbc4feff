/*
 * The status page: one HTML document with all that it needs, made of status_page.html and the JSON it begins with. It asks for
 * /status.json from then on.
 *
 * What clients sent is in the JSON, and nowhere else: nothing in it can end the element it stands in, the page shows it as text only,
 * and the policy lets nothing run that does not bear the number of this very answer.
 */
#ifndef STATUS_STATUS_PAGE_H
#define STATUS_STATUS_PAGE_H

#include "base/slice.h"
#include "base/text.h"

enum { STATUS_PAGE_POLICY_SIZE = 320 };

/* `policy` becomes the value of the field Content-Security-Policy. */
void status_page_render(struct slice json, struct text *out, char policy[STATUS_PAGE_POLICY_SIZE]);

#endif
