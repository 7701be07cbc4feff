/*
 * A log's destination: it never blocks, reports dropped records, and follows a file that was moved.
 */
#include "base/log_file.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char directory[] = "/tmp/test_log_file-XXXXXX";
static char path[64], moved[64];

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/log", directory);
    snprintf(moved, sizeof(moved), "%s/log.1", directory);
}

static void tear_down(void)
{
    unlink(path);
    unlink(moved);
    rmdir(directory);
}

static void write_text(struct log_file *file, const char *text)
{
    log_file_write(file, PRIORITY_ERROR, text, strlen(text));
}

/* The content of a file, or of a pipe so far; the caller frees it. */
static char *read_all(int fd)
{
    size_t size = 0, room = 1 << 20;
    char *text = malloc(room);
    ssize_t got;
    while ((got = read(fd, text + size, room - 1 - size)) > 0)
        size += (size_t)got;
    text[size] = '\0';
    return text;
}

static void assert_holds(const char *name, const char *expected)
{
    int fd = open(name, O_RDONLY);
    ck_assert_msg(fd >= 0, "%s: %s", name, strerror(errno));
    char *text = read_all(fd);
    ck_assert_str_eq(text, expected);
    free(text);
    close(fd);
}

START_TEST(records_are_appended_to_what_is_there)
{
    struct log_file *file = log_file_open(path, STDERR_FILENO);
    write_text(file, "one\n");
    log_file_close(file);
    file = log_file_open(path, STDERR_FILENO);
    errno = EXDEV;
    write_text(file, "two\n");
    ck_assert_int_eq(errno, EXDEV);
    log_file_close(file);
    assert_holds(path, "one\ntwo\n");
}
END_TEST

START_TEST(a_file_that_cannot_be_opened_is_told)
{
    ck_assert_ptr_null(log_file_open("/nonexistent/log", STDERR_FILENO));
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(closing_no_file_is_fine)
{
    log_file_close(NULL);
}
END_TEST

START_TEST(the_standard_descriptor_stays_open)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    struct log_file *file = log_file_open("-", fd);
    write_text(file, "one\n");
    ck_assert_int_eq(log_file_reopen(file), 0);
    log_file_close(file);
    ck_assert_int_eq(write(fd, "two\n", 4), 4);
    close(fd);
    assert_holds(path, "one\ntwo\n");
}
END_TEST

static void make_pipe(int ends[2])
{
    ck_assert_int_eq(pipe(ends), 0);
}

static void make_socket(int ends[2])
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
}

static struct log_file *open_standard(int fd)
{
    return log_file_open("-", fd);
}

/* No descriptor is left to open the pipe anew: the same happens when another user owns the pipe. */
static struct log_file *open_without_reopening(int fd)
{
    struct rlimit limit, none;
    getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
    struct log_file *file = log_file_open("-", fd);
    setrlimit(RLIMIT_NOFILE, &limit);
    return file;
}

static const struct {
    const char *name;
    void (*make)(int ends[2]);
    struct log_file *(*open)(int fd);
    size_t record; /* its size: small records are whole or dropped, large ones may be cut */
} readers[] = {
    {"a pipe", make_pipe, open_standard, 100},
    {"a pipe that cannot be opened anew", make_pipe, open_without_reopening, 100},
    {"a socket", make_socket, open_standard, 100},
    {"a pipe and long records", make_pipe, open_standard, 20000},
    {"a pipe that cannot be opened anew and long records", make_pipe, open_without_reopening, 20000},
    {"a socket and long records", make_socket, open_standard, 20000},
};

enum { RECORDS = 5000 };

/* Writes far more than a pipe or a socket buffer takes: blocking would be a time-out of the
 * test. */
static void overfill(struct log_file *file, size_t size)
{
    char *record = malloc(size);
    memset(record, 'x', size - 1);
    record[size - 1] = '\n';
    for (int i = 0; i < RECORDS; i++)
        log_file_write(file, PRIORITY_INFO, record, size);
    free(record);
}

START_TEST(a_reader_that_stands_still_blocks_no_writer)
{
    int ends[2];
    readers[_i].make(ends);
    struct log_file *file = readers[_i].open(ends[1]);
    overfill(file, readers[_i].record);
    ck_assert_msg(!(fcntl(ends[1], F_GETFL) & O_NONBLOCK), "%s: others see O_NONBLOCK", readers[_i].name);

    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    char *before = read_all(ends[0]);
    int whole = 0;
    for (const char *line = before; (line = strchr(line, '\n')) != NULL; line++)
        whole++;
    write_text(file, "through\n");
    char *after = read_all(ends[0]), expected[128];
    bool torn = before[strlen(before) - 1] != '\n';
    snprintf(expected, sizeof(expected), "%s%d log records were dropped here\nthrough\n", torn ? "\n" : "",
             RECORDS - whole);
    ck_assert_msg(whole > 0 && whole < RECORDS, "%s: %d went through", readers[_i].name, whole);
    ck_assert_msg(strcmp(after, expected) == 0, "%s: %s", readers[_i].name, after);
    free(before);
    free(after);
    log_file_close(file);
}
END_TEST

/* A child clears O_NONBLOCK on the description that it shares with its parent. */
START_TEST(a_child_cannot_make_its_parent_wait)
{
    int ends[2], status;
    make_pipe(ends);
    int own = dup(ends[1]); /* the number of the log's descriptor */
    close(own);
    struct log_file *file = log_file_open("-", ends[1]);
    ck_assert_int_ne(fcntl(own, F_GETFL) & O_NONBLOCK, 0);
    pid_t child = fork();
    if (child == 0)
        _exit(fcntl(own, F_SETFL, 0));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    log_file_part(file);
    ck_assert_int_ne(fcntl(own, F_GETFD) & FD_CLOEXEC, 0);
    overfill(file, 100);
    log_file_close(file);
}
END_TEST

/* The next descriptor above `below` that leads to the file. */
static int find_open(int below, const char *name)
{
    struct stat named, open;
    ck_assert_int_eq(stat(name, &named), 0);
    for (int fd = below + 1; fd < below + 64; fd++)
        if (fstat(fd, &open) == 0 && open.st_dev == named.st_dev && open.st_ino == named.st_ino)
            return fd;
    ck_abort_msg("%s is not open", name);
}

/* The child, or a process of its user, closes the FIFO's read end before the fork, and opens it
 * afterwards. */
START_TEST(a_child_cannot_make_its_parent_wait_for_a_fifo)
{
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    struct log_file *file = log_file_open(path, STDERR_FILENO);
    ck_assert_ptr_nonnull(file);
    int own = find_open(reader, path), shared = dup(own);
    ck_assert_int_ne(fcntl(own, F_GETFL) & O_NONBLOCK, 0);
    close(reader);
    log_file_part(file);
    ck_assert_int_eq(fcntl(shared, F_SETFL, 0), 0);
    ck_assert_int_ne(fcntl(own, F_GETFL) & O_NONBLOCK, 0);
    reader = open(path, O_RDONLY | O_NONBLOCK);
    overfill(file, 100);
    close(reader);
    close(shared);
    log_file_close(file);
}
END_TEST

START_TEST(a_json_log_is_told_in_json)
{
    int ends[2];
    make_pipe(ends);
    struct log_file *file = log_file_open("-", ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    overfill(file, 4096);
    free(read_all(ends[0]));
    write_text(file, "{\"a\":1}\n");
    char *text = read_all(ends[0]);
    const char *start = strchr(text, '{');
    ck_assert_ptr_nonnull(start);
    int dropped, used = 0;
    ck_assert_int_eq(
        sscanf(start, "{\"message\":\"%d log records were dropped here\"}\n{\"a\":1}\n%n", &dropped, &used),
        1);
    ck_assert_uint_eq((size_t)used, strlen(start));
    free(text);
    log_file_close(file);
}
END_TEST

/* Makes a socket, and names it in $JOURNAL_STREAM. */
static void make_journal(int ends[2])
{
    char stream[64];
    struct stat status;
    make_socket(ends);
    ck_assert_int_eq(fstat(ends[1], &status), 0);
    snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
}

START_TEST(the_journal_has_the_priority_of_each_line)
{
    int ends[2];
    make_journal(ends);
    struct log_file *file = log_file_open("-", ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    write_text(file, "one\n<0>two\n\nthree\n");
    char *text = read_all(ends[0]);
    ck_assert_str_eq(text, "<3>one\n<3><0>two\n<3>\n<3>three\n");
    free(text);
    log_file_close(file);
}
END_TEST

START_TEST(what_the_journal_did_not_take_is_a_warning_in_the_records_format)
{
    int ends[2], dropped, used = 0;
    make_journal(ends);
    struct log_file *file = log_file_open("-", ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    overfill(file, 4096);
    free(read_all(ends[0]));
    write_text(file, "{\"a\":1}\n");
    char *text = read_all(ends[0]);
    const char *start = text[0] == '\n' ? text + 1 : text;
    sscanf(start, "<4>{\"message\":\"%d log records were dropped here\"}\n<3>{\"a\":1}\n%n", &dropped, &used);
    ck_assert_msg(used > 0 && (size_t)used == strlen(start), "%s", text);
    free(text);
    log_file_close(file);
}
END_TEST

START_TEST(what_a_full_disk_does_not_take_is_told_when_there_is_room)
{
    ck_assert_int_eq(symlink("/dev/full", path), 0);
    struct log_file *file = log_file_open(path, STDERR_FILENO);
    write_text(file, "lost\n");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(log_file_reopen(file), 0);
    write_text(file, "kept\n");
    write_text(file, "too\n");
    log_file_close(file);
    assert_holds(path, "1 log record was dropped here\nkept\ntoo\n");
}
END_TEST

/* A limit on the size of files acts like a disk that is full in the middle of a record. */
START_TEST(a_record_that_was_cut_does_not_swallow_the_next)
{
    struct rlimit limit, little;
    getrlimit(RLIMIT_FSIZE, &limit);
    little = limit;
    little.rlim_cur = 6;
    signal(SIGXFSZ, SIG_IGN);
    struct log_file *file = log_file_open(path, STDERR_FILENO);
    setrlimit(RLIMIT_FSIZE, &little);
    write_text(file, "one\n");
    write_text(file, "two\n");
    write_text(file, "three\n");
    setrlimit(RLIMIT_FSIZE, &limit);
    write_text(file, "four\n");
    log_file_close(file);
    assert_holds(path, "one\ntw\n2 log records were dropped here\nfour\n");
}
END_TEST

/* A child is cut in the middle of a record, drops another, and is killed. */
static void tear_a_line_and_die(struct log_file *file)
{
    struct rlimit little = {6, 6};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &little);
    write_text(file, "one\n");
    write_text(file, "two\n");
    write_text(file, "three\n");
    kill(getpid(), SIGKILL);
}

/* The count was once lost with the child, and the parent's record was appended to its line. */
START_TEST(what_a_child_could_not_write_is_told_by_another_process)
{
    int status;
    struct log_file *file = log_file_open(path, STDERR_FILENO);
    pid_t child = fork();
    if (child == 0)
        tear_a_line_and_die(file);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, SIGKILL);
    write_text(file, "four\n");
    write_text(file, "five\n");
    log_file_close(file);
    assert_holds(path, "one\ntw\n2 log records were dropped here\nfour\nfive\n");
}
END_TEST

START_TEST(a_line_that_was_torn_before_the_start_is_ended)
{
    struct log_file *file = log_file_open(path, STDERR_FILENO);
    write_text(file, "one\ntw");
    log_file_close(file);
    file = log_file_open(path, STDERR_FILENO);
    write_text(file, "three\n");
    log_file_close(file);
    assert_holds(path, "one\ntw\nthree\n");
}
END_TEST

/* A dishonest process may have written these values there. */
START_TEST(a_shared_gap_may_hold_anything)
{
    struct log_gap gap = {3, 200};
    struct log_file *file = log_file_open(path, STDERR_FILENO);
    log_file_share_gap(file, &gap);
    write_text(file, "one\n");
    log_file_close(file);
    assert_holds(path, "\n3 log records were dropped here\none\n");
}
END_TEST

START_TEST(a_gap_moves_with_what_is_not_told)
{
    struct log_gap gap = {1, 1}, other = {2, 0};
    struct log_file *file = log_file_open(path, STDERR_FILENO);
    log_file_share_gap(file, &gap);
    log_file_share_gap(file, &other);
    ck_assert_uint_eq(gap.dropped + gap.torn, 0);
    ck_assert_uint_eq(other.dropped, 3);
    log_file_share_gap(file, NULL);
    ck_assert_uint_eq(other.dropped + other.torn, 0);
    write_text(file, "one\n");
    log_file_close(file);
    assert_holds(path, "\n3 log records were dropped here\none\n");
}
END_TEST

/* Room for the end of the torn line and a part of the count is no room for the count. */
START_TEST(a_count_that_was_cut_is_told_again)
{
    struct rlimit limit, little;
    getrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, SIG_IGN);
    struct log_file *file = log_file_open(path, STDERR_FILENO);
    for (rlim_t room = 6; room < 12; room++) {
        little = (struct rlimit){room, limit.rlim_max};
        setrlimit(RLIMIT_FSIZE, &little);
        write_text(file, "one two three\n");
    }
    setrlimit(RLIMIT_FSIZE, &limit);
    write_text(file, "four\n");
    log_file_close(file);
    assert_holds(path, "one tw\n2\n4\n6 log records were dropped here\nfour\n");
}
END_TEST

static void assert_follows(struct log_file *file)
{
    struct stat status;
    for (int i = 0; i < 300 && stat(path, &status) < 0; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        write_text(file, "new\n");
    }
    ck_assert_msg(stat(path, &status) == 0, "the file was not made anew");
    ck_assert_int_gt(status.st_size, 0);
}

START_TEST(a_file_that_was_moved_away_is_made_anew)
{
    struct log_file *file = log_file_open(path, STDERR_FILENO);
    write_text(file, "old\n");
    ck_assert_int_eq(rename(path, moved), 0);
    assert_follows(file);
    log_file_close(file);
}
END_TEST

START_TEST(a_file_that_was_removed_is_made_anew)
{
    struct log_file *file = log_file_open(path, STDERR_FILENO);
    ck_assert_int_eq(unlink(path), 0);
    assert_follows(file);
    log_file_close(file);
}
END_TEST

START_TEST(reopening_puts_the_next_record_into_the_new_file)
{
    struct log_file *file = log_file_open(path, STDERR_FILENO);
    write_text(file, "old\n");
    ck_assert_int_eq(rename(path, moved), 0);
    ck_assert_int_eq(log_file_reopen(file), 0);
    write_text(file, "new\n");
    log_file_close(file);
    assert_holds(moved, "old\n");
    assert_holds(path, "new\n");
}
END_TEST

START_TEST(when_reopening_fails_the_old_file_stays_in_use)
{
    struct log_file *file = log_file_open(path, STDERR_FILENO);
    ck_assert_int_eq(rename(path, moved), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(log_file_reopen(file), -1);
    ck_assert_int_eq(errno, EISDIR);
    write_text(file, "old\n");
    log_file_close(file);
    ck_assert_int_eq(rmdir(path), 0);
    assert_holds(moved, "old\n");
}
END_TEST

enum { WRITERS = 4, LINES = 500 };

static void write_lines(struct log_file *file, int writer)
{
    char line[302];
    memset(line, 'a' + writer, sizeof(line) - 1);
    line[sizeof(line) - 2] = '\n';
    for (int i = 0; i < LINES; i++)
        log_file_write(file, PRIORITY_INFO, line, sizeof(line) - 1);
    _exit(0);
}

static uid_t owner_of(const char *name)
{
    struct stat status;
    ck_assert_int_eq(stat(name, &status), 0);
    return status.st_uid;
}

START_TEST(what_root_opens_belongs_to_who_is_to_open_it_anew)
{
    log_files_belong_to(54321);
    struct log_file *file = log_file_open(path, STDERR_FILENO);
    ck_assert_uint_eq(owner_of(path), 54321);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(log_file_reopen(file), 0);
    ck_assert_uint_eq(owner_of(path), 54321);
    log_file_close(file);
}
END_TEST

START_TEST(root_gives_no_file_away_that_was_there)
{
    char second[80];
    snprintf(second, sizeof(second), "%s.2", path);
    close(open(path, O_WRONLY | O_CREAT, 0600));
    log_files_belong_to(54321);
    log_file_close(log_file_open(path, STDERR_FILENO));
    ck_assert_uint_eq(owner_of(path), 0);
    ck_assert_int_eq(link(path, second), 0);
    log_file_close(log_file_open(path, STDERR_FILENO));
    ck_assert_uint_eq(owner_of(path), 0);
    ck_assert_int_eq(unlink(second), 0);
    ck_assert_int_eq(chown(path, 54322, 0), 0);
    log_file_close(log_file_open(path, STDERR_FILENO));
    ck_assert_uint_eq(owner_of(path), 54322);
}
END_TEST

/* CVE-2016-1247: the user replaced a log by a link to a file of root's, and root gave it that
 * file. */
START_TEST(root_follows_no_link_but_its_own)
{
    char target[80];
    snprintf(target, sizeof(target), "%s.target", path);
    close(open(target, O_WRONLY | O_CREAT, 0600));
    ck_assert_int_eq(symlink(target, path), 0);
    log_files_belong_to(54321);
    log_file_close(log_file_open(path, STDERR_FILENO));
    ck_assert_uint_eq(owner_of(target), 0);
    ck_assert_int_eq(unlink(target), 0);
    log_file_close(log_file_open(path, STDERR_FILENO));
    ck_assert_uint_eq(owner_of(target), 54321);
    ck_assert_int_eq(chown(target, 0, 0), 0);
    ck_assert_int_eq(lchown(path, 54321, 0), 0);
    ck_assert_ptr_null(log_file_open(path, STDERR_FILENO));
    ck_assert_int_eq(errno, ELOOP);
    ck_assert_uint_eq(owner_of(target), 0);
    unlink(target);
}
END_TEST

START_TEST(processes_do_not_mix_their_lines)
{
    struct log_file *file = log_file_open(path, STDERR_FILENO);
    for (int i = 0; i < WRITERS; i++) {
        if (fork() == 0)
            write_lines(file, i);
    }
    while (wait(NULL) > 0)
        continue;
    log_file_close(file);

    int lines = 0;
    char line[400];
    FILE *in = fopen(path, "r");
    for (; fgets(line, sizeof(line), in) != NULL; lines++) {
        ck_assert_uint_eq(strlen(line), 301);
        ck_assert_uint_eq(strspn(line, (char[]){line[0], '\0'}), 300);
    }
    fclose(in);
    ck_assert_int_eq(lines, WRITERS * LINES);
}
END_TEST

static void add_roots(TCase *tests)
{
    if (geteuid() != 0) {
        puts("SKIP: whose a file is needs root");
        return;
    }
    tcase_add_test(tests, what_root_opens_belongs_to_who_is_to_open_it_anew);
    tcase_add_test(tests, root_gives_no_file_away_that_was_there);
    tcase_add_test(tests, root_follows_no_link_but_its_own);
}

static void add(TCase *tests)
{
    add_roots(tests);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, records_are_appended_to_what_is_there);
    tcase_add_test(tests, a_file_that_cannot_be_opened_is_told);
    tcase_add_test(tests, closing_no_file_is_fine);
    tcase_add_test(tests, the_standard_descriptor_stays_open);
    unit_add_rows(tests, a_reader_that_stands_still_blocks_no_writer, readers);
    tcase_add_test(tests, a_child_cannot_make_its_parent_wait);
    tcase_add_test(tests, a_child_cannot_make_its_parent_wait_for_a_fifo);
    tcase_add_test(tests, a_json_log_is_told_in_json);
    tcase_add_test(tests, the_journal_has_the_priority_of_each_line);
    tcase_add_test(tests, what_the_journal_did_not_take_is_a_warning_in_the_records_format);
    tcase_add_test(tests, what_a_full_disk_does_not_take_is_told_when_there_is_room);
    tcase_add_test(tests, a_record_that_was_cut_does_not_swallow_the_next);
    tcase_add_test(tests, what_a_child_could_not_write_is_told_by_another_process);
    tcase_add_test(tests, a_line_that_was_torn_before_the_start_is_ended);
    tcase_add_test(tests, a_shared_gap_may_hold_anything);
    tcase_add_test(tests, a_gap_moves_with_what_is_not_told);
    tcase_add_test(tests, a_count_that_was_cut_is_told_again);
    tcase_add_test(tests, a_file_that_was_moved_away_is_made_anew);
    tcase_add_test(tests, a_file_that_was_removed_is_made_anew);
    tcase_add_test(tests, reopening_puts_the_next_record_into_the_new_file);
    tcase_add_test(tests, when_reopening_fails_the_old_file_stays_in_use);
    tcase_add_test(tests, processes_do_not_mix_their_lines);
}

int main(void)
{
    return unit_run("base/log_file", add);
}
