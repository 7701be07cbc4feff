/*
 * Output that a client has not taken: in order and within its limits, however much the socket
 * accepts at a time.
 */
#include "net/output.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/spool.h"
#include "unit.h"

static int ends[2]; /* the output's, the reader's */

static void set_up(void)
{
    int small = 4096;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
}

static void tear_down(void)
{
    close(ends[0]);
    close(ends[1]);
}

static char byte_at(size_t i)
{
    return (char)('a' + (i + i / 100) % 26);
}

/* `size` bytes of the pattern from `from`, in two vectors. */
static int append(struct output *output, size_t from, size_t size)
{
    char *bytes = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_at(from + i);
    struct iovec vectors[] = {{bytes, size / 3}, {bytes + size / 3, size - size / 3}};
    int r = output_append(output, vectors, 2);
    free(bytes);
    return r;
}

static int pattern_file(size_t from, size_t size)
{
    char path[] = "/tmp/test_output-XXXXXX";
    int fd = mkstemp(path);
    unlink(path);
    for (size_t i = 0; i < size; i++) {
        char byte = byte_at(from + i);
        ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)i), 1);
    }
    return fd;
}

/* Reads at most `most` bytes, which must continue the pattern. Returns their number. */
static size_t take(size_t from, size_t most)
{
    char bytes[4096];
    ssize_t n = recv(ends[1], bytes, most < sizeof(bytes) ? most : sizeof(bytes), 0);
    for (ssize_t i = 0; i < n; i++)
        ck_assert_msg(bytes[i] == byte_at(from + (size_t)i), "byte %zu", from + (size_t)i);
    return n > 0 ? (size_t)n : 0;
}

/* Drains and reads until nothing is left. Returns the number of all bytes. */
static size_t take_all(struct output *output, size_t from)
{
    uint64_t sent = 0;
    size_t taken = from, n = 1;
    while (n > 0 || !output_is_empty(output)) {
        ck_assert_int_eq(output_drain(output, ends[0], &sent), 0);
        n = take(taken, 4096);
        taken += n;
    }
    return taken;
}

static const struct {
    const char *name;
    size_t memory, spool;
    size_t pieces[4];
    size_t file;
} cases[] = {
    {"nothing", 4096, 1 << 20, {0}, 0},
    {"a little", 4096, 1 << 20, {5}, 0},
    {"what memory takes", 4096, 1 << 20, {4096}, 0},
    {"one byte more than memory takes", 4096, 1 << 20, {4097}, 0},
    {"pieces that cross the border", 4096, 1 << 20, {4000, 4000, 4000, 4000}, 0},
    {"one that is over all limits", 4096, 10000, {300000}, 0},
    {"no spool allowed", 4096, 0, {3000, 3000}, 0},
    {"only a file", 4096, 1 << 20, {0}, 100000},
    {"memory and a file", 4096, 1 << 20, {100}, 100000},
    {"memory, a spool and a file", 4096, 1 << 20, {100, 50000}, 100000},
};

START_TEST(all_of_it_is_sent_in_order)
{
    struct output_limits limits = {cases[_i].memory, cases[_i].spool, "/tmp", NULL};
    struct output *output = output_new(&limits);
    size_t size = 0;
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(append(output, size, cases[_i].pieces[i]), 0);
        size += cases[_i].pieces[i];
    }
    if (cases[_i].file > 0) {
        int fd = pattern_file(size - size % 7, size % 7 + cases[_i].file);
        output_lend_file(output, fd, (off_t)(size % 7), cases[_i].file);
        ck_assert_int_eq(output_keep_file(output), 0);
        close(fd);
        size += cases[_i].file;
    }
    ck_assert_msg(output_is_empty(output) == (size == 0), "%s", cases[_i].name);
    ck_assert_uint_eq(take_all(output, 0), size);
    output_free(output);
}
END_TEST

START_TEST(appending_and_draining_may_alternate)
{
    struct output_limits limits = {4096, 1 << 20, "/tmp", NULL};
    struct output *output = output_new(&limits);
    size_t appended = 0, taken = 0;
    uint64_t sent = 0;
    for (size_t i = 0; i < 300; i++) {
        size_t size = i * 37 % 3000;
        ck_assert_int_eq(append(output, appended, size), 0);
        appended += size;
        ck_assert_int_eq(output_drain(output, ends[0], &sent), 0);
        taken += take(taken, i * 53 % 3000);
    }
    ck_assert_uint_eq(take_all(output, taken), appended);
    ck_assert_uint_le(sent, appended);
    output_free(output);
}
END_TEST

/* The kernel's buffer is emptied and dropped: only the bytes in the output count. */
START_TEST(it_is_full_until_the_whole_spool_has_left)
{
    struct output_limits limits = {4096, 100000, "/tmp", NULL};
    struct output *output = output_new(&limits);
    uint64_t sent = 0;
    ck_assert_int_eq(append(output, 0, 4096), 0);
    ck_assert(!output_is_full(output));
    ck_assert_int_eq(append(output, 4096, 100000), 0);
    ck_assert(output_is_full(output));
    /* Memory is sent first. The spool keeps its size on the disk while its first bytes are sent. */
    size_t taken = 0;
    while (taken < 50000) {
        ck_assert_int_eq(output_drain(output, ends[0], &sent), 0);
        taken += take(taken, 4096);
        ck_assert_msg(output_is_full(output), "not full after %zu bytes", taken);
    }
    ck_assert_uint_eq(take_all(output, taken), 104096);
    ck_assert(!output_is_full(output));
    ck_assert_int_eq(append(output, 0, 4096), 0);
    ck_assert(!output_is_full(output));
    output_free(output);
}
END_TEST

START_TEST(without_a_spool_it_is_full_with_its_memory)
{
    struct output_limits limits = {4096, 0, "/tmp", NULL};
    struct output *output = output_new(&limits);
    ck_assert(!output_is_full(output));
    ck_assert_int_eq(append(output, 0, 4095), 0);
    ck_assert(!output_is_full(output));
    ck_assert_int_eq(append(output, 0, 1), 0);
    ck_assert(output_is_full(output));
    output_free(output);
}
END_TEST

/* `first`: appended before the spool refuses. */
static void assert_waits_for_its_reader(struct output *output, size_t first, int error)
{
    uint64_t sent = 0;
    ck_assert_int_eq(append(output, first, 100000), error);
    ck_assert_int_eq(append(output, first + 100000, 5000), 0); /* told once */
    ck_assert(output_is_full(output) && output_is_refused(output) && !output_is_empty(output));
    ck_assert_uint_eq(take_all(output, 0), first + 105000);
    ck_assert(!output_is_full(output) && !output_is_refused(output));
    ck_assert_int_eq(append(output, 0, 1000), 0); /* memory has room again */
    ck_assert_int_eq(output_drain(output, ends[0], &sent), 0);
    ck_assert_uint_eq(take(0, 1000), 1000);
}

START_TEST(what_no_spool_can_take_stays_in_memory_and_in_order)
{
    struct output_limits limits = {4096, 1 << 20, "/nonexistent", NULL};
    struct output *output = output_new(&limits);
    assert_waits_for_its_reader(output, 0, ENOENT);
    output_free(output);
}
END_TEST

START_TEST(a_spool_that_fills_up_keeps_what_it_has)
{
    struct scoreboard *board = scoreboard_new(2, 1);
    const struct spool_budget budget = {1 << 20, board, &board->rows[0], getpid()};
    struct output_limits limits = {4096, 1 << 20, "/tmp", &budget};
    struct output *output = output_new(&limits);
    ck_assert_int_eq(append(output, 0, 50000), 0);
    ck_assert_uint_gt(scoreboard_get(board->rows[0].spooled), 40000);
    scoreboard_set(board->rows[1].spooled, 1 << 20); /* another worker's */
    ck_assert_int_eq(append(output, 50000, 300000), ENOBUFS);
    ck_assert(output_is_full(output));
    ck_assert_uint_eq(take_all(output, 0), 350000);
    ck_assert_uint_eq(scoreboard_get(board->rows[0].spooled), 0);
    assert_waits_for_its_reader(output, 0, ENOBUFS);
    output_free(output);
    scoreboard_free(board);
}
END_TEST

START_TEST(a_spool_that_is_left_gives_its_part_back)
{
    struct scoreboard *board = scoreboard_new(1, 1);
    const struct spool_budget budget = {1 << 20, board, &board->rows[0], getpid()};
    struct output_limits limits = {4096, 1 << 20, "/tmp", &budget};
    struct output *output = output_new(&limits);
    ck_assert_int_eq(append(output, 0, 50000), 0);
    output_free(output);
    ck_assert_uint_eq(scoreboard_get(board->rows[0].spooled), 0);
    scoreboard_free(board);
}
END_TEST

START_TEST(a_file_that_became_shorter_is_EIO)
{
    struct output_limits limits = {4096, 1 << 20, "/tmp", NULL};
    struct output *output = output_new(&limits);
    int fd = pattern_file(0, 10);
    uint64_t sent = 0;
    output_lend_file(output, fd, 0, 20);
    ck_assert_int_eq(output_drain(output, ends[0], &sent), -1);
    ck_assert_int_eq(errno, EIO);
    ck_assert_uint_eq(sent, 10);
    ck_assert_int_eq(output_keep_file(output), 0);
    close(fd);
    output_free(output);
}
END_TEST

/* No descriptor can be made, and the file is not lost. */
START_TEST(a_file_that_cannot_be_kept_is_taken_back)
{
    struct output_limits limits = {4096, 1 << 20, "/tmp", NULL};
    struct output *output = output_new(&limits);
    const size_t size = 300000;
    int fd = pattern_file(0, size);
    uint64_t sent = 0, left;
    off_t offset;
    struct rlimit before, none;
    getrlimit(RLIMIT_NOFILE, &before);
    none = (struct rlimit){4, before.rlim_max};
    output_lend_file(output, fd, 0, size);
    ck_assert_int_eq(output_drain(output, ends[0], &sent), 0);
    setrlimit(RLIMIT_NOFILE, &none);
    int r = output_keep_file(output), error = errno;
    setrlimit(RLIMIT_NOFILE, &before);
    ck_assert_int_eq(r, -1);
    ck_assert_int_eq(error, EMFILE);
    output_take_back_file(output, &offset, &left);
    ck_assert_uint_eq((uint64_t)offset, sent);
    ck_assert_uint_eq(left, size - sent);
    ck_assert(output_is_empty(output));
    output_lend_file(output, fd, offset, left);
    ck_assert_int_eq(output_keep_file(output), 0);
    close(fd);
    ck_assert_uint_eq(take_all(output, 0), size);
    output_free(output);
}
END_TEST

START_TEST(a_reader_that_left_is_an_error)
{
    struct output_limits limits = {4096, 1 << 20, "/tmp", NULL};
    struct output *output = output_new(&limits);
    uint64_t sent = 0;
    ck_assert_int_eq(append(output, 0, 10), 0);
    shutdown(ends[1], SHUT_RD);
    ck_assert_int_eq(output_drain(output, ends[0], &sent), -1);
    ck_assert_int_eq(errno, EPIPE);
    output_free(output);
}
END_TEST

START_TEST(freeing_none_is_fine)
{
    output_free(NULL);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    unit_add_rows(tests, all_of_it_is_sent_in_order, cases);
    tcase_add_test(tests, appending_and_draining_may_alternate);
    tcase_add_test(tests, it_is_full_until_the_whole_spool_has_left);
    tcase_add_test(tests, without_a_spool_it_is_full_with_its_memory);
    tcase_add_test(tests, what_no_spool_can_take_stays_in_memory_and_in_order);
    tcase_add_test(tests, a_spool_that_fills_up_keeps_what_it_has);
    tcase_add_test(tests, a_spool_that_is_left_gives_its_part_back);
    tcase_add_test(tests, a_file_that_became_shorter_is_EIO);
    tcase_add_test(tests, a_file_that_cannot_be_kept_is_taken_back);
    tcase_add_test(tests, a_reader_that_left_is_an_error);
    tcase_add_test(tests, freeing_none_is_fine);
}

int main(void)
{
    return unit_run("net/output", add);
}
