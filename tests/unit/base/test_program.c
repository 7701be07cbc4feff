/*
 * The path of the program's file, with which the program can be started again.
 */
#include "base/program.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "unit.h"

/* The test program starts itself again, and then reports what it finds. */
enum { ALIKE = 7, UNLIKE = 8 };
static const char question[] = "PROGRAM_TEST_EXPECTS", again[] = "PROGRAM_TEST_AGAIN";

static char root[] = "/tmp/gateway-unit-XXXXXX";

/* Starts the program a third time, from the directory of the first start and with its arguments. */
static int start_again(void)
{
    setenv(again, "", 1);
    program_execute(program_arguments());
    return UNLIKE;
}

static int answer(const char *expected, char **argv)
{
    if (program_path() != NULL)
        return UNLIKE;
    program_remember(argv);
    const char *found = program_path();
    if (getenv(again) != NULL)
        return strcmp(argv[0], "another name") == 0 && argv[1] == NULL && access("bin/link", F_OK) == 0
                   ? ALIKE
                   : UNLIKE;
    if (chdir("/") == 0 && strcmp(program_path(), expected) == 0 && found == program_path())
        return start_again();
    fprintf(stderr, "%s in the place of %s\n", found, expected);
    return UNLIKE;
}

static const struct {
    const char *name;
    bool absolute;
    const char *started_as; /* relative to `root` */
    const char *expected;   /* below `root` */
} cases[] = {
    {"an absolute path stays", true, "/bin/link", "/bin/link"},
    {"a relative path is of the directory at the start", false, "bin/link", "/bin/link"},
    {"whatever it looks like", false, "./bin/../bin/link", "/./bin/../bin/link"},
};

START_TEST(a_program_knows_by_which_name_it_was_started)
{
    char self[4096];
    ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 1);
    ck_assert_int_gt(size, 0);
    self[size] = '\0';
    ck_assert_ptr_nonnull(mkdtemp(root));
    char *link = xasprintf("%s/bin/link", root);
    char *expected = xasprintf("%s%s", root, cases[_i].expected);
    ck_assert_int_eq(chdir(root), 0);
    ck_assert_int_eq(system("mkdir bin"), 0);
    ck_assert_int_eq(symlink(self, link), 0);

    pid_t pid = fork();
    if (pid == 0) {
        setenv(question, expected, 1);
        execl(cases[_i].absolute ? link : cases[_i].started_as, "another name", NULL);
        _exit(UNLIKE);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == ALIKE, "%s: %d", cases[_i].name, status);
    char *command = xasprintf("rm -rf %s", root);
    ck_assert_int_eq(system(command), 0);
    free(command);
    free(expected);
    free(link);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, a_program_knows_by_which_name_it_was_started, cases);
}

int main(int argc, char **argv)
{
    (void)argc;
    const char *expected = getenv(question);
    return expected != NULL ? answer(expected, argv) : unit_run("base/program", add);
}
