/*
 * Every request of tests/wire gets the answers that its file expects, whole and byte by byte, with
 * and without the memo.
 */
#include "session.h"
#include "unit.h"
#include "wire.h"

static struct wire_case *cases;
static size_t count;

static void check(const struct wire_case *wire, size_t step, struct memo *memo)
{
    struct session session;
    session_run(&session, (struct slice){wire->bytes, wire->size}, step, memo);
    for (size_t i = 0; i < session.count && i < wire->count; i++) {
        ck_assert_msg(session.answers[i].status == wire->answers[i].status,
                      "%s: answer %zu is %d, not %d (fed by %zu). %s", wire->name, i + 1,
                      session.answers[i].status, wire->answers[i].status, step, wire->sentence);
        ck_assert_msg(session.answers[i].keep_alive == wire->answers[i].keep_alive,
                      "%s: after answer %zu the connection is %s (fed by %zu). %s", wire->name, i + 1,
                      session.answers[i].keep_alive ? "kept" : "closed", step, wire->sentence);
    }
    ck_assert_msg(session.count == wire->count, "%s: %zu answers, not %zu (fed by %zu). %s", wire->name,
                  session.count, wire->count, step, wire->sentence);
    ck_assert_msg(session.incomplete == wire->incomplete, "%s: is %sincomplete (fed by %zu). %s", wire->name,
                  session.incomplete ? "" : "not ", step, wire->sentence);
    session_free(&session);
}

START_TEST(the_request_is_answered_as_its_file_expects)
{
    check(&cases[_i], 0, NULL);
}
END_TEST

START_TEST(the_request_is_answered_alike_when_it_arrives_in_pieces)
{
    check(&cases[_i], 1, NULL);
    check(&cases[_i], 7, NULL);
}
END_TEST

START_TEST(the_request_is_answered_alike_when_its_fields_are_known)
{
    struct memo *memo = memo_new();
    for (int i = 0; i < 3; i++)
        check(&cases[_i], 0, memo);
    memo_free(memo);
}
END_TEST

START_TEST(there_are_cases)
{
    ck_assert_uint_gt(count, 100);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, there_are_cases);
    tcase_add_loop_test(tests, the_request_is_answered_as_its_file_expects, 0, (int)count);
    tcase_add_loop_test(tests, the_request_is_answered_alike_when_it_arrives_in_pieces, 0, (int)count);
    tcase_add_loop_test(tests, the_request_is_answered_alike_when_its_fields_are_known, 0, (int)count);
}

int main(void)
{
    const char *directory = getenv("WIRE_DIR");
    cases = wire_load(directory != NULL ? directory : WIRE_DIR, &count);
    int result = unit_run("http/wire", add);
    wire_free(cases, count);
    return result;
}
