/*
 * The error log: the form of a record in both formats, its escapes, and one write for each record.
 */
#include "base/log.h"
#include "base/text.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Standard error becomes a socket that keeps writes apart; they arrive here. */
static int arriving;
static char got[400000];

static void set_up(void)
{
    int ends[2], room = 1 << 20;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    arriving = ends[0];
    dup2(ends[1], STDERR_FILENO);
    setenv("TZ", "TST-1:30", 1);
    tzset();
}

static void open_log(enum log_level level, bool json)
{
    struct log_options options = {.path = "-", .level = level, .json = json};
    ck_assert_int_eq(log_open(&options), 0);
}

/* The next write as a string; NULL without one. */
static const char *next_write(void)
{
    ssize_t size = recv(arriving, got, sizeof(got) - 1, MSG_DONTWAIT);
    got[size < 0 ? 0 : size] = '\0';
    return size < 0 ? NULL : got;
}

/* The text behind the level in a text record. */
static const char *next_message(void)
{
    const char *record = next_write();
    ck_assert_ptr_nonnull(record);
    const char *level = strstr(record, "error: ");
    ck_assert_ptr_nonnull(level);
    return level + strlen("error: ");
}

static void assert_matches(const char *text, const char *pattern)
{
    regex_t regex;
    ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    ck_assert_msg(text != NULL && regexec(&regex, text, 0, NULL, 0) == 0, "%s does not match %s", text,
                  pattern);
    regfree(&regex);
}

#define STAMP "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}\\+01:30"

static const struct {
    enum log_level level;
    const char *name;
} levels[] = {
    {LOG_DEBUG, "debug"}, {LOG_INFO, "info"},         {LOG_WARNING, "warning"},
    {LOG_ERROR, "error"}, {LOG_CRITICAL, "critical"},
};

START_TEST(a_text_record_has_the_documented_form)
{
    char pattern[256];
    open_log(LOG_DEBUG, false);
    log_identify("worker %d", 3);
    log_write(levels[_i].level, "the %s", "text");
    snprintf(pattern, sizeof(pattern), "^" STAMP " \\[%d\\] \\[worker 3\\] %s: the text\n$", (int)getpid(),
             levels[_i].name);
    assert_matches(next_write(), pattern);
}
END_TEST

START_TEST(a_json_record_has_the_documented_form)
{
    char pattern[256];
    open_log(LOG_DEBUG, true);
    log_identify("worker %d", 3);
    log_write(levels[_i].level, "the %s", "text");
    snprintf(pattern, sizeof(pattern),
             "^\\{\"time\":\"" STAMP
             "\",\"level\":\"%s\",\"pid\":%d,\"process\":\"worker 3\",\"message\":\"the text\"\\}\n$",
             levels[_i].name, (int)getpid());
    assert_matches(next_write(), pattern);
}
END_TEST

START_TEST(lower_levels_are_left_out)
{
    open_log(levels[_i].level, false);
    for (size_t i = 0; i < UNIT_ROWS(levels); i++) {
        bool written = i >= (size_t)_i;
        ck_assert_int_eq(log_enabled(levels[i].level), written);
        log_write(levels[i].level, "text");
        ck_assert_int_eq(next_write() != NULL, written);
        log_block(levels[i].level, "block", 5, "text");
        ck_assert_int_eq(next_write() != NULL, written);
    }
}
END_TEST

START_TEST(until_it_is_opened_the_log_is_standard_error_as_text_at_info)
{
    log_debug("not this");
    log_info("this");
    assert_matches(next_write(), "^" STAMP " \\[[0-9]+\\] \\[master\\] info: this\n$");
    ck_assert_ptr_null(next_write());
}
END_TEST

START_TEST(the_time_is_now)
{
    struct tm parsed = {0};
    time_t before = time(NULL);
    open_log(LOG_INFO, false);
    log_error("text");
    const char *record = next_write();
    ck_assert_ptr_nonnull(strptime(record, "%Y-%m-%dT%H:%M:%S", &parsed));
    time_t written = timegm(&parsed) - (3600 + 1800);
    ck_assert_int_ge(written, before);
    ck_assert_int_le(written, time(NULL));
}
END_TEST

START_TEST(the_time_goes_on)
{
    char first[20] = "";
    open_log(LOG_INFO, false);
    log_error("text");
    memcpy(first, next_write(), sizeof(first) - 1);
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 10000000}, NULL);
    log_error("text");
    ck_assert_int_gt(strncmp(next_write(), first, sizeof(first) - 1), 0);
}
END_TEST

START_TEST(zones_west_of_greenwich_have_a_minus)
{
    setenv("TZ", "TST3:30", 1);
    tzset();
    open_log(LOG_INFO, false);
    log_error("text");
    assert_matches(next_write(), "\\.[0-9]{3}-03:30 ");
}
END_TEST

START_TEST(a_log_that_cannot_be_opened_changes_nothing)
{
    struct log_options options = {.path = "/nonexistent/log", .level = LOG_CRITICAL, .json = true};
    open_log(LOG_INFO, false);
    ck_assert_int_eq(log_open(&options), -1);
    ck_assert_int_eq(errno, ENOENT);
    log_error("text");
    ck_assert_str_eq(next_message(), "text\n");
}
END_TEST

START_TEST(a_forked_child_writes_its_own_pid)
{
    char expected[32];
    open_log(LOG_INFO, false);
    log_error("the parent fills what is cached");
    next_write();
    pid_t child = fork();
    if (child == 0) {
        log_error("text");
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    snprintf(expected, sizeof(expected), " [%d] ", (int)child);
    ck_assert_ptr_nonnull(strstr(next_write(), expected));
}
END_TEST

START_TEST(writing_keeps_errno_and_knows_percent_m)
{
    open_log(LOG_INFO, false);
    errno = EACCES;
    log_error("%m");
    ck_assert_int_eq(errno, EACCES);
    ck_assert_str_eq(next_message(), "Permission denied\n");
}
END_TEST

START_TEST(writing_in_vain_keeps_errno_too)
{
    dup2(open("/dev/full", O_WRONLY), STDERR_FILENO);
    errno = EACCES;
    log_error("before it is opened");
    ck_assert_int_eq(errno, EACCES);
    open_log(LOG_INFO, false);
    errno = EACCES;
    log_error("and after");
    ck_assert_int_eq(errno, EACCES);
}
END_TEST

static const struct {
    const char *name, *text, *plain, *json;
} messages[] = {
    {"an empty text is a record too", "", "", ""},
    {"UTF-8 stays", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x8d",
     "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x8d", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x8d"},
    {"a newline cannot forge a record", "a\nb", "a\\x0ab", "a\\nb"},
    {"a carriage return cannot hide a record", "a\rb", "a\\x0db", "a\\u000db"},
    {"an escape cannot reach the terminal", "\033[2J", "\\x1b[2J", "\\u001b[2J"},
    {"DEL is a control character", "\177", "\\x7f", "\\u007f"},
    {"a tab is escaped", "a\tb", "a\\x09b", "a\\tb"},
    {"quotes and backslashes end no JSON string", "\"\\", "\"\\", "\\\"\\\\"},
    {"a byte that is no UTF-8 is shown", "\xff", "\\xff", "\\\\xff"},
    {"a lone continuation is shown", "\x80z", "\\x80z", "\\\\x80z"},
    {"a sequence that is cut is shown", "\xe2\x82", "\\xe2\\x82", "\\\\xe2\\\\x82"},
    {"a sequence that is interrupted is shown", "\xe2\x82z", "\\xe2\\x82z", "\\\\xe2\\\\x82z"},
    {"an overlong form of two is shown", "\xc0\xaf", "\\xc0\\xaf", "\\\\xc0\\\\xaf"},
    {"an overlong form of three is shown", "\xe0\x80\xaf", "\\xe0\\x80\\xaf", "\\\\xe0\\\\x80\\\\xaf"},
    {"a surrogate is shown", "\xed\xa0\x80", "\\xed\\xa0\\x80", "\\\\xed\\\\xa0\\\\x80"},
    {"beyond Unicode is shown", "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\\\\xf4\\\\x90\\\\x80\\\\x80"},
    {"a C1 control character is shown",
     "\xc2\x9b"
     "2J",
     "\\xc2\\x9b"
     "2J",
     "\\u009b"
     "2J"},
    {"a line separator is shown",
     "a\xe2\x80\xa8"
     "b",
     "a\\xe2\\x80\\xa8"
     "b",
     "a\\u2028"
     "b"},
    {"a no-break space stays",
     "a\xc2\xa0"
     "b",
     "a\xc2\xa0"
     "b",
     "a\xc2\xa0"
     "b"},
    {"the last of Unicode stays", "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
};

START_TEST(a_message_is_one_line_whatever_is_in_it)
{
    open_log(LOG_INFO, false);
    log_error("%s", messages[_i].text);
    const char *message = next_message();
    size_t size = strlen(message);
    ck_assert_int_eq(message[size - 1], '\n');
    unit_assert_bytes(messages[_i].name, message, size - 1, messages[_i].plain, strlen(messages[_i].plain));
}
END_TEST

START_TEST(a_message_is_a_json_string_whatever_is_in_it)
{
    char expected[256];
    open_log(LOG_INFO, true);
    log_error("%s", messages[_i].text);
    const char *record = next_write(), *message = strstr(record, ",\"message\"");
    ck_assert_ptr_nonnull(message);
    snprintf(expected, sizeof(expected), ",\"message\":\"%s\"}\n", messages[_i].json);
    unit_assert_bytes(messages[_i].name, message, strlen(message), expected, strlen(expected));
}
END_TEST

START_TEST(a_block_keeps_its_lines)
{
    static const char block[] = "Traceback:\n  a\tb\033\n\n";
    open_log(LOG_INFO, false);
    log_block(LOG_ERROR, block, sizeof(block) - 1, "failed %d\n", 7);
    ck_assert_str_eq(next_message(), "failed 7\\x0a\nTraceback:\n  a\\x09b\\x1b\n\n");
    log_block(LOG_ERROR, "1\n2", 3, "lines like records");
    ck_assert_str_eq(next_message(), "lines like records\n 1\n 2\n");
    log_block(LOG_ERROR, NULL, 0, "no block");
    ck_assert_str_eq(next_message(), "no block\n");

    open_log(LOG_INFO, true);
    log_block(LOG_ERROR, block, sizeof(block) - 1, "failed");
    ck_assert_ptr_nonnull(strstr(next_write(), ":\"failed\\nTraceback:\\n  a\\tb\\u001b\\n\"}\n"));
}
END_TEST

/* Sizes around the limit between a buffer on the stack and one on the heap, and far above. */
static const size_t sizes[] = {1, 900, 1000, 1023, 1024, 1025, 2047, 5000, 100000};

START_TEST(a_record_is_one_write_however_long)
{
    size_t size = sizes[_i];
    char *text = malloc(size + 1);
    memset(text, 'x', size);
    text[size] = '\0';
    open_log(LOG_INFO, false);
    log_error("%s", text);
    const char *message = next_message();
    ck_assert_uint_eq(strlen(message), size + 1);
    ck_assert_uint_eq(strspn(message, "x"), size);
    log_block(LOG_ERROR, text, size, "%s", text);
    message = next_message();
    ck_assert_uint_eq(strlen(message), 2 * size + 2);
    ck_assert_int_eq(message[size], '\n');
    ck_assert_ptr_null(next_write());
    free(text);
}
END_TEST

START_TEST(the_log_can_be_reopened)
{
    ck_assert_int_eq(log_reopen(), 0);
    open_log(LOG_INFO, false);
    ck_assert_int_eq(log_reopen(), 0);
    log_error("text");
    ck_assert_str_eq(next_message(), "text\n");
}
END_TEST

static const struct {
    const char *name, *text;
    size_t size, room;
    bool ascii;
    const char *escaped;
} escapes[] = {
    {"harmless text stays", "GET /a?b=%20", 12, 99, true, "GET /a?b=%20"},
    {"control characters, NUL and DEL are shown", "\0\n\r\t\033\177", 6, 99, false,
     "\\x00\\x0a\\x0d\\x09\\x1b\\x7f"},
    {"quotes and backslashes are escaped", "a\"b\\c", 5, 99, false, "a\\\"b\\\\c"},
    {"bytes beyond ASCII stay", "\xc3\xbc", 2, 99, false, "\xc3\xbc"},
    {"bytes beyond ASCII are shown on demand", "\xc3\xbc", 2, 99, true, "\\xc3\\xbc"},
    {"the room is used to the last byte", "abc", 3, 2, false, "ab"},
    {"an escape is not cut", "a\nb", 3, 4, false, "a"},
    {"a short escape is not cut", "a\"b", 3, 2, false, "a"},
    {"an escape may fill the room", "\n\n", 2, 4, false, "\\x0a"},
    {"nothing goes into no room", "abc", 3, 0, false, ""},
    {"nothing of nothing", "", 0, 99, false, ""},
};

START_TEST(what_a_client_sent_is_escaped)
{
    char out[100];
    size_t size = text_escape(out, escapes[_i].room, escapes[_i].text, escapes[_i].size, escapes[_i].ascii);
    unit_assert_bytes(escapes[_i].name, out, size, escapes[_i].escaped, strlen(escapes[_i].escaped));
}
END_TEST

/* Messages may use errno. */
START_TEST(errors_are_copied_without_time_and_level_on_request)
{
    int ends[2];
    char copy[256];
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
    open_log(levels[_i].level, _i % 2 == 1);
    log_copy_errors_to(ends[1]);
    log_warning("not this");
    errno = ENOENT;
    log_error("that: %m");
    ck_assert_int_eq(errno, ENOENT);
    log_block(LOG_CRITICAL, "  one\n\x1b\n", 8, "and");
    log_copy_errors_to(-1);
    log_error("nor that");
    ssize_t size = read(ends[0], copy, sizeof(copy));
    const char *expected = "that: No such file or directory\nand\n  one\n\\x1b\n";
    unit_assert_bytes("the copy", copy, (size_t)size, expected, strlen(expected));
    ck_assert_int_eq(read(ends[0], copy, sizeof(copy)), -1);
}
END_TEST

static void be_the_journals(void)
{
    char stream[64];
    struct stat status;
    ck_assert_int_eq(fstat(STDERR_FILENO, &status), 0);
    snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
}

static const char priorities[] = {
    [LOG_DEBUG] = '7', [LOG_INFO] = '6', [LOG_WARNING] = '4', [LOG_ERROR] = '3', [LOG_CRITICAL] = '2'};

/* Each record is one write(2), too. */
START_TEST(in_the_journal_each_line_of_a_record_has_its_priority)
{
    char pattern[256];
    be_the_journals();
    for (int json = 0; json < 2; json++) {
        open_log(LOG_DEBUG, json);
        log_block(levels[_i].level, "<0>one\n\n<1>two\n", 15, "<2>text");
        char c = priorities[levels[_i].level];
        if (json)
            snprintf(pattern, sizeof(pattern), "^<%c>\\{.*<2>text\\\\n<0>one.*\\}\n$", c);
        else
            snprintf(pattern, sizeof(pattern),
                     "^<%c>" STAMP "[^\n]*: <2>text\n<%c><0>one\n<%c>\n<%c><1>two\n$", c, c, c, c);
        assert_matches(next_write(), pattern);
        ck_assert_ptr_null(next_write());
    }
}
END_TEST

START_TEST(before_the_log_is_open_too)
{
    be_the_journals();
    log_warning("text");
    assert_matches(next_write(), "^<4>" STAMP "[^\n]*text\n$");
    log_complain("gateway: one\ntwo");
    ck_assert_str_eq(next_write(), "<3>gateway: one\n<3>two\n");
}
END_TEST

START_TEST(a_complaint_is_what_it_says)
{
    log_complain("gateway: one\ntwo");
    ck_assert_str_eq(next_write(), "gateway: one\ntwo\n");
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, NULL);
    unit_add_rows(tests, a_text_record_has_the_documented_form, levels);
    unit_add_rows(tests, a_json_record_has_the_documented_form, levels);
    unit_add_rows(tests, lower_levels_are_left_out, levels);
    tcase_add_test(tests, until_it_is_opened_the_log_is_standard_error_as_text_at_info);
    tcase_add_test(tests, the_time_is_now);
    tcase_add_test(tests, the_time_goes_on);
    tcase_add_test(tests, zones_west_of_greenwich_have_a_minus);
    tcase_add_test(tests, a_log_that_cannot_be_opened_changes_nothing);
    tcase_add_test(tests, a_forked_child_writes_its_own_pid);
    tcase_add_test(tests, writing_keeps_errno_and_knows_percent_m);
    tcase_add_test(tests, writing_in_vain_keeps_errno_too);
    unit_add_rows(tests, a_message_is_one_line_whatever_is_in_it, messages);
    unit_add_rows(tests, a_message_is_a_json_string_whatever_is_in_it, messages);
    unit_add_rows(tests, errors_are_copied_without_time_and_level_on_request, levels);
    tcase_add_test(tests, a_block_keeps_its_lines);
    unit_add_rows(tests, a_record_is_one_write_however_long, sizes);
    tcase_add_test(tests, the_log_can_be_reopened);
    unit_add_rows(tests, in_the_journal_each_line_of_a_record_has_its_priority, levels);
    tcase_add_test(tests, before_the_log_is_open_too);
    tcase_add_test(tests, a_complaint_is_what_it_says);
    unit_add_rows(tests, what_a_client_sent_is_escaped, escapes);
}

int main(void)
{
    return unit_run("base/log", add);
}
