/*
 * Request ids: what they look like, and that none comes twice.
 */
#include "net/request_id.h"

#include "unit.h"

enum { IDS = 100 };

START_TEST(an_id_is_32_hexadecimal_digits_and_no_other_ones)
{
    static char ids[IDS][REQUEST_ID_SIZE + 1];
    static struct request_ids some, others;
    for (int i = 0; i < IDS; i++) {
        request_id_make(i % 2 ? &some : &others, ids[i]);
        ck_assert_uint_eq(strspn(ids[i], "0123456789abcdef"), REQUEST_ID_SIZE);
        for (int n = 0; n < i; n++)
            ck_assert_str_ne(ids[i], ids[n]);
    }
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, an_id_is_32_hexadecimal_digits_and_no_other_ones);
}

int main(void)
{
    return unit_run("net/request_id", add);
}
