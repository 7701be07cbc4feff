/* The upgrade state: the successor reads what was written, and no other process does. */
#include "upgrade/upgrade_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

static char message[256];

/* Takes the state as an executed program does: the writer's descriptors stay open here. */
static struct upgrade_state *hand_over(struct upgrade_state *saved, int reader)
{
    ck_assert_int_eq(upgrade_state_publish(saved, reader), 0);
    return upgrade_state_take(message, sizeof(message));
}

START_TEST(lines_come_as_they_were)
{
    static const char *const texts[] = {"", "plain", "a b", "100 %", "new\nline", "\x01\xff", "=="};
    struct upgrade_state *saved = upgrade_state_new();
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        upgrade_state_add(saved, "text", texts[i], SAVED_NUMBERS(i, UINT64_MAX));
    upgrade_state_add(saved, "other", NULL, SAVED_NUMBERS(7));
    struct upgrade_state *taken = hand_over(saved, getpid());
    ck_assert_ptr_nonnull(taken);
    const struct saved_line *line = NULL;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        line = upgrade_state_next(taken, "text", line, 2);
        ck_assert_ptr_nonnull(line);
        ck_assert_str_eq(line->text, texts[i]);
        ck_assert(line->count == 2 && line->numbers[0] == i && line->numbers[1] == UINT64_MAX);
    }
    ck_assert_ptr_null(upgrade_state_next(taken, "text", line, 2));
    ck_assert_ptr_nonnull(upgrade_state_next(taken, "other", NULL, 1));
    ck_assert_ptr_null(upgrade_state_next(taken, "other", NULL, 2));
    upgrade_state_free(taken);
    upgrade_state_free(saved);
}
END_TEST

START_TEST(descriptors_pass_and_are_closed_by_the_next_exec)
{
    struct upgrade_state *saved = upgrade_state_new();
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ck_assert_uint_eq(upgrade_state_keep(saved, fd), (uint64_t)fd);
    ck_assert_int_eq(upgrade_state_publish(saved, getpid()), 0);
    ck_assert_int_eq(fcntl(fd, F_GETFD), 0);
    struct upgrade_state *taken = upgrade_state_take(message, sizeof(message));
    ck_assert_ptr_nonnull(taken);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    upgrade_state_free(taken);
    upgrade_state_free(saved);
    close(fd);
}
END_TEST

START_TEST(one_that_is_withdrawn_is_not_found)
{
    struct upgrade_state *saved = upgrade_state_new();
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    upgrade_state_keep(saved, fd);
    ck_assert_int_eq(upgrade_state_publish(saved, getpid()), 0);
    upgrade_state_withdraw(saved);
    ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    ck_assert_ptr_null(upgrade_state_take(message, sizeof(message)));
    ck_assert_str_eq(message, "");
    upgrade_state_free(saved);
    close(fd);
}
END_TEST

START_TEST(a_descriptor_that_has_not_come_along_is_told)
{
    struct upgrade_state *saved = upgrade_state_new();
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    upgrade_state_keep(saved, fd);
    ck_assert_int_eq(upgrade_state_publish(saved, getpid()), 0);
    close(fd);
    ck_assert_ptr_null(upgrade_state_take(message, sizeof(message)));
    ck_assert_ptr_nonnull(strstr(message, "has not come along"));
    upgrade_state_free(saved);
}
END_TEST

START_TEST(what_is_another_process_s_is_left_alone)
{
    struct upgrade_state *saved = upgrade_state_new();
    ck_assert_ptr_null(hand_over(saved, getpid() + 1));
    ck_assert_str_eq(message, "");
    ck_assert_ptr_null(getenv("GATEWAY_HERITAGE"));
    upgrade_state_free(saved);
}
END_TEST

/* The file that the variable leads to. */
static void write_by_hand(const char *text)
{
    char path[] = "/tmp/gateway-test-XXXXXX", number[16];
    int fd = mkstemp(path);
    unlink(path);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    snprintf(number, sizeof(number), "%d", fd);
    setenv("GATEWAY_HERITAGE", number, 1);
}

static const struct {
    const char *text, *message; /* %d: this process */
} rows[] = {
    {"gateway =9.9 999 %d\n", "what gateway 9.9 has in memory: restart"},
    {"gateway =9.9 x %d\n", ""},
    {"gateway =9.9 1\n", ""},
    {"gateway\n", ""},
    {"", ""},
};

START_TEST(what_is_not_understood_is_not_taken)
{
    char text[128];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof(text), rows[_i].text, (int)getpid());
#pragma GCC diagnostic pop
    write_by_hand(text);
    ck_assert_ptr_null(upgrade_state_take(message, sizeof(message)));
    ck_assert_ptr_nonnull(strstr(message, rows[_i].message));
    ck_assert_int_eq(message[0] == '\0', rows[_i].message[0] == '\0');
}
END_TEST

static const char *const values[] = {"", "x", "-1", "99999", "4294967296"};

START_TEST(a_variable_that_leads_nowhere_is_ignored)
{
    setenv("GATEWAY_HERITAGE", values[_i], 1);
    ck_assert_ptr_null(upgrade_state_take(message, sizeof(message)));
    ck_assert_str_eq(message, "");
    ck_assert_ptr_null(getenv("GATEWAY_HERITAGE"));
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, lines_come_as_they_were);
    tcase_add_test(tests, descriptors_pass_and_are_closed_by_the_next_exec);
    tcase_add_test(tests, one_that_is_withdrawn_is_not_found);
    tcase_add_test(tests, a_descriptor_that_has_not_come_along_is_told);
    tcase_add_test(tests, what_is_another_process_s_is_left_alone);
    unit_add_rows(tests, what_is_not_understood_is_not_taken, rows);
    unit_add_rows(tests, a_variable_that_leads_nowhere_is_ignored, values);
}

int main(void)
{
    return unit_run("upgrade/upgrade_state", add);
}
