/*
 * The parts that all unit tests share: the main of a Check binary, and tables of cases. A header
 * alone: there is nothing to link.
 *
 *     static const struct { const char *name; ... } cases[] = {
 *         { "a sentence about the case", ... }, ...
 *     };
 *
 *     START_TEST(the_parser_answers_as_the_table_says)   each row runs in a process; _i is the row
 *     {
 *         ck_assert_msg(..., "%s: ...", cases[_i].name, ...);
 *     }
 *     END_TEST
 *
 *     static void add(TCase *tests)
 *     {
 *         unit_add_rows(tests, the_parser_answers_as_the_table_says, cases);
 *         tcase_add_test(tests, something_without_a_table);
 *     }
 *
 *     int main(void)
 *     {
 *         return unit_run("http/parser", add);
 *     }
 */
#ifndef UNIT_H
#define UNIT_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define UNIT_ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* Runs `test` once per row of `table`, which is an array; _i is the index. */
#define unit_add_rows(tests, test, table) tcase_add_loop_test((tests), (test), 0, (int)UNIT_ROWS(table))

/* Bytes that may hold NUL. `name` is the row's sentence. */
#define unit_assert_bytes(name, actual, actual_size, expected, expected_size)                               \
    do {                                                                                                    \
        const char *actual_bytes = (const char *)(actual), *expected_bytes = (const char *)(expected);      \
        size_t actual_length = (actual_size), expected_length = (expected_size);                            \
        ck_assert_msg(actual_length == expected_length &&                                                   \
                          (actual_length == 0 || memcmp(actual_bytes, expected_bytes, actual_length) == 0), \
                      "%s: got \"%.*s\" (%zu bytes), expected \"%.*s\" (%zu bytes)", (name),                \
                      (int)actual_length, actual_length > 0 ? actual_bytes : "", actual_length,             \
                      (int)expected_length, expected_length > 0 ? expected_bytes : "", expected_length);    \
    } while (0)

/* Runs the tests that `add` adds; what main returns. The time-out of one test is generous:
 * sanitizers are slow. */
static inline int unit_run(const char *name, void (*add)(TCase *))
{
    Suite *suite = suite_create(name);
    TCase *tests = tcase_create(name);
    tcase_set_timeout(tests, 60);
    add(tests);
    suite_add_tcase(suite, tests);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
