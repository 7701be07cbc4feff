/*
 * The PID file: whose it is, and that nobody reads half of it.
 */
#include "setup/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static char directory[] = "/tmp/test_pid_file-XXXXXX";
static char path[64], own[32], message[256];
static struct pid_file *file;

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/pid", directory);
    snprintf(own, sizeof(own), "%d\n", (int)getpid());
    umask(022);
}

static void tear_down(void)
{
    pid_file_free(file);
    unlink(path);
    ck_assert_msg(rmdir(directory) == 0, "something is left");
}

static void put(const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void assert_holds(const char *expected)
{
    char text[64] = "";
    int fd = open(path, O_RDONLY);
    ck_assert_int_ge(read(fd, text, sizeof(text) - 1), 0);
    close(fd);
    ck_assert_str_eq(text, expected);
}

static int write_it(void)
{
    message[0] = '\0';
    pid_file_free(file);
    file = pid_file_write(path, message, sizeof(message));
    return file != NULL ? 0 : -1;
}

START_TEST(it_holds_our_number_and_goes_with_us)
{
    struct stat status;
    ck_assert_msg(write_it() == 0, "%s", message);
    assert_holds(own);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0644);
    ck_assert_int_eq(pid_file_remove(file), 0);
    ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

static pid_t gone(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    return child;
}

static const char *const stale[] = {"",     "\n",   "nonsense\n", "-1\n", "0\n", "99999999999\n",
                                    "%d\n", "  \n", "1 2\n"};

START_TEST(what_belongs_to_nobody_is_replaced)
{
    char text[32];
    if (strchr(stale[_i], '%') != NULL)
        snprintf(text, sizeof(text), "%d\n", (int)gone());
    else
        strcpy(text, stale[_i]);
    put(text);
    ck_assert_msg(write_it() == 0, "\"%s\": %s", text, message);
    assert_holds(own);
}
END_TEST

START_TEST(our_own_is_replaced)
{
    put(own);
    ck_assert_msg(write_it() == 0, "%s", message);
    assert_holds(own);
}
END_TEST

/* A child that has the file, until its end of the pair is closed. */
static pid_t start_owner(int *end)
{
    int ends[2];
    char byte;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    pid_t owner = fork();
    if (owner == 0) {
        close(ends[0]);
        if (write_it() == 0 && write(ends[1], "x", 1) == 1)
            _exit(read(ends[1], &byte, 1) == 0 ? 0 : 1);
        _exit(1);
    }
    close(ends[1]);
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    *end = ends[0];
    return owner;
}

START_TEST(that_of_a_living_process_is_left_alone)
{
    char text[32], expected[256];
    int end;
    pid_t owner = start_owner(&end);
    snprintf(text, sizeof(text), "%d\n", (int)owner);
    ck_assert_int_eq(write_it(), -1);
    snprintf(expected, sizeof(expected),
             "--pid: %s belongs to process %d, which is running; stop it, or name another file", path,
             (int)owner);
    ck_assert_str_eq(message, expected);
    assert_holds(text);
    close(end);
    ck_assert_int_eq(waitpid(owner, NULL, 0), owner);
    ck_assert_msg(write_it() == 0, "%s", message);
    assert_holds(own);
}
END_TEST

/* The number of a master that is gone is soon another program's, where numbers are few. */
START_TEST(a_number_that_another_program_has_by_now_says_nothing)
{
    char text[32];
    snprintf(text, sizeof(text), "%d\n", (int)getppid());
    put(text);
    ck_assert_msg(write_it() == 0, "%s", message);
    assert_holds(own);
}
END_TEST

START_TEST(what_another_process_has_put_there_is_not_removed)
{
    ck_assert_int_eq(write_it(), 0);
    put("1\n");
    ck_assert_int_eq(pid_file_remove(file), 0);
    assert_holds("1\n");
    ck_assert_int_eq(write_it(), 0);
    ck_assert_int_eq(unlink(path), 0);
    put(own);
    ck_assert_int_eq(pid_file_remove(file), 0);
    assert_holds(own);
}
END_TEST

/* A process that can only read the file would otherwise keep every master from starting. */
START_TEST(a_read_lock_is_nobodys)
{
    struct flock all = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    int ends[2];
    char byte;
    put("1\n");
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    pid_t reader = fork();
    if (reader == 0) {
        close(ends[0]);
        int fd = open(path, O_RDONLY);
        _exit(fcntl(fd, F_SETLK, &all) == 0 && write(ends[1], "x", 1) == 1 ? (int)read(ends[1], &byte, 1)
                                                                           : 1);
    }
    close(ends[1]);
    ck_assert_int_eq(read(ends[0], &byte, 1), 1);
    ck_assert_msg(write_it() == 0, "%s", message);
    close(ends[0]);
    ck_assert_int_eq(waitpid(reader, NULL, 0), reader);
}
END_TEST

START_TEST(the_next_program_has_it_still)
{
    struct upgrade_state *saved = upgrade_state_new();
    ck_assert_int_eq(write_it(), 0);
    pid_file_save(file, saved);
    struct pid_file *next = pid_file_load(saved);
    ck_assert(pid_file_is_at(next, path));
    ck_assert(!pid_file_is_at(next, "/nonexistent/pid"));
    ck_assert_str_eq(pid_file_path(next), path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert(!pid_file_is_at(next, path));
    file = NULL;
    pid_file_free(next);
    upgrade_state_free(saved);
}
END_TEST

START_TEST(the_umask_has_a_say)
{
    struct stat status;
    umask(077);
    ck_assert_int_eq(write_it(), 0);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0600);
}
END_TEST

START_TEST(a_link_is_replaced_and_its_target_is_not)
{
    char target[80];
    snprintf(target, sizeof(target), "%s.target", path);
    close(open(target, O_WRONLY | O_CREAT, 0600));
    ck_assert_int_eq(symlink(target, path), 0);
    ck_assert_msg(write_it() == 0, "%s", message);
    struct stat status;
    ck_assert_int_eq(lstat(path, &status), 0);
    ck_assert(S_ISREG(status.st_mode));
    ck_assert_int_eq(stat(target, &status), 0);
    ck_assert_int_eq(status.st_size, 0);
    unlink(target);
}
END_TEST

START_TEST(another_kind_of_file_is_left_alone)
{
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(write_it(), -1);
    ck_assert_ptr_nonnull(strstr(message, "/pid is not a regular file"));
}
END_TEST

START_TEST(a_directory_that_is_not_there_is_told)
{
    ck_assert_ptr_null(pid_file_write("/nonexistent/pid", message, sizeof(message)));
    ck_assert_str_eq(message, "--pid: /nonexistent/pid cannot be written: No such file or directory");
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, it_holds_our_number_and_goes_with_us);
    unit_add_rows(tests, what_belongs_to_nobody_is_replaced, stale);
    tcase_add_test(tests, our_own_is_replaced);
    tcase_add_test(tests, that_of_a_living_process_is_left_alone);
    tcase_add_test(tests, a_number_that_another_program_has_by_now_says_nothing);
    tcase_add_test(tests, what_another_process_has_put_there_is_not_removed);
    tcase_add_test(tests, a_read_lock_is_nobodys);
    tcase_add_test(tests, the_next_program_has_it_still);
    tcase_add_test(tests, the_umask_has_a_say);
    tcase_add_test(tests, a_link_is_replaced_and_its_target_is_not);
    tcase_add_test(tests, another_kind_of_file_is_left_alone);
    tcase_add_test(tests, a_directory_that_is_not_there_is_told);
}

int main(void)
{
    return unit_run("setup/pid_file", add);
}
