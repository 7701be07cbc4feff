/*
 * The status page: complete, with its data, and with a policy for this response alone.
 */
#include "status/status.h"

#include <stdio.h>

#include "base/mem.h"

#include "unit.h"

static char policy[STATUS_PAGE_POLICY_SIZE];

/* The caller frees it. */
static char *render(const char *json)
{
    struct text text;
    text_init(&text);
    status_page_render(slice_of(json), &text, policy);
    char *page = xstrndup(text.data, text.size);
    text_fini(&text);
    return page;
}

static unsigned count(const char *text, const char *part)
{
    unsigned n = 0;
    for (; (text = strstr(text, part)) != NULL; text++)
        n++;
    return n;
}

START_TEST(the_page_holds_its_data_and_is_whole)
{
    char *page = render("{\"a\":1}\n");
    ck_assert_ptr_eq(strstr(page, "<!DOCTYPE html>"), page);
    ck_assert_ptr_nonnull(strstr(page, "id=\"json\">{\"a\":1}\n</script>"));
    ck_assert_str_eq(page + strlen(page) - 8, "</html>\n");
    ck_assert_uint_eq(count(page, "@nonce@") + count(page, "@json@"), 0);
    ck_assert_uint_eq(count(page, "@media"), 3);
    free(page);
}
END_TEST

START_TEST(nothing_in_the_data_ends_its_element)
{
    char *harmless = render(""), *page = render("[\"</script><script>alert(1)</script><!--\",\"@nonce@\"]");
    ck_assert_uint_eq(count(page, "<script"), count(harmless, "<script"));
    ck_assert_uint_eq(count(page, "</script"), count(harmless, "</script"));
    ck_assert_uint_eq(count(page, "<!--"), 0);
    ck_assert_ptr_nonnull(
        strstr(page, "[\"\\u003c/script>\\u003cscript>alert(1)\\u003c/script>\\u003c!--\",\"@nonce@\"]"));
    free(page);
    free(harmless);
}
END_TEST

START_TEST(the_policy_lets_run_what_bears_its_number)
{
    char attribute[64], before[STATUS_PAGE_POLICY_SIZE];
    char *page = render("{}"), *nonce = strstr(policy, "script-src 'nonce-");
    ck_assert_ptr_nonnull(nonce);
    snprintf(attribute, sizeof(attribute), "<script nonce=\"%.32s\">", nonce + strlen("script-src 'nonce-"));
    ck_assert_uint_eq(count(page, attribute), 1);
    ck_assert_ptr_nonnull(strstr(policy, "default-src 'none'"));
    ck_assert_ptr_nonnull(strstr(policy, "frame-ancestors 'none'"));
    ck_assert_ptr_null(strstr(policy, "unsafe"));
    free(page);
    strcpy(before, policy);
    free(render("{}"));
    ck_assert_str_ne(before, policy);
}
END_TEST

/* The page needs no other server. */
START_TEST(the_page_asks_no_other_server)
{
    char *page = render("{}");
    ck_assert_uint_eq(count(page, "http://"), count(page, "http://www.w3.org/2000/svg"));
    ck_assert_uint_eq(
        count(page, "https:") + count(page, "src=") + count(page, "@import") + count(page, "url("), 0);
    ck_assert_uint_eq(count(page, "innerHTML") + count(page, "eval(") + count(page, "insertAdjacent"), 0);
    free(page);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, the_page_holds_its_data_and_is_whole);
    tcase_add_test(tests, nothing_in_the_data_ends_its_element);
    tcase_add_test(tests, the_policy_lets_run_what_bears_its_number);
    tcase_add_test(tests, the_page_asks_no_other_server);
}

int main(void)
{
    return unit_run("status/status_page", add);
}
