/*
 * systemd's journal: the check of a descriptor, and the lines written to it.
 */
#include "base/log_file.h"

#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void name_stream(int fd, const char *format)
{
    char stream[64];
    struct stat status;
    ck_assert_int_eq(fstat(fd, &status), 0);
    snprintf(stream, sizeof(stream), format, (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
}

START_TEST(it_is_the_socket_that_is_named)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    unsetenv("JOURNAL_STREAM");
    ck_assert(!journal_is(ends[1]));
    name_stream(ends[1], "%llu:%llu");
    ck_assert(journal_is(ends[1]));
    ck_assert(journal_is(dup(ends[1])));
    ck_assert(!journal_is(ends[0]));
    ck_assert(!journal_is(-1));
}
END_TEST

START_TEST(it_is_no_file_and_no_pipe)
{
    int ends[2], file = open("/dev/null", O_WRONLY);
    ck_assert_int_eq(pipe(ends), 0);
    name_stream(ends[1], "%llu:%llu");
    ck_assert(!journal_is(ends[1]));
    name_stream(file, "%llu:%llu");
    ck_assert(!journal_is(file));
}
END_TEST

static const char *const wrong[] = {
    "", ":", "%llu", "%llu:", "%llu:%llu ", "%llu:1%llu", "1%llu:%llu", "nonsense"};

START_TEST(what_names_no_stream_names_nothing)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    name_stream(ends[1], wrong[_i]);
    ck_assert_msg(!journal_is(ends[1]), "%s", getenv("JOURNAL_STREAM"));
}
END_TEST

static const struct {
    const char *name, *record, *entries;
} records[] = {
    {"a line", "one\n", "<4>one\n"},
    {"two", "one\ntwo\n", "<4>one\n<4>two\n"},
    {"an empty one", "\n", "<4>\n"},
    {"one without an end", "one", "<4>one"},
    {"one that forges a priority", "<0>one\n", "<4><0>one\n"},
    {"nothing", "", ""},
};

START_TEST(each_line_has_the_priority)
{
    struct text out;
    text_init(&out);
    journal_add(&out, PRIORITY_WARNING, slice_of(records[_i].record));
    unit_assert_bytes(records[_i].name, out.data, out.size, records[_i].entries, strlen(records[_i].entries));
    text_fini(&out);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, it_is_the_socket_that_is_named);
    tcase_add_test(tests, it_is_no_file_and_no_pipe);
    unit_add_rows(tests, what_names_no_stream_names_nothing, wrong);
    unit_add_rows(tests, each_line_has_the_priority, records);
}

int main(void)
{
    return unit_run("base/log_file_journal", add);
}
