/* The user that runs the application: names and numbers, and the way down without a way back.
 * Most of it needs root. */
#include "proc/privileges.h"

#include <grp.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static char message[256];
static struct passwd nobody;

static int resolve(char *user, char *group)
{
    struct options options = {.user = user, .group = group};
    message[0] = '\0';
    return privileges_resolve(&options, message, sizeof(message));
}

static void set_up(void)
{
    const struct passwd *entry = getpwnam("nobody");
    ck_assert_ptr_nonnull(entry);
    nobody = *entry;
    nobody.pw_name = "nobody";
}

static const struct {
    char *user, *group;
    const char *says;
} mistakes[] = {
    {"no-such-user", NULL, "gateway: --user: there is no user \"no-such-user\""},
    {"-1", NULL, "gateway: --user: there is no user \"-1\""},
    {"4294967295", NULL, "gateway: --user: there is no user \"4294967295\""},
    {"4294967296", NULL, "gateway: --user: there is no user \"4294967296\""},
    {NULL, "no-such-group", "gateway: --group: there is no group \"no-such-group\""},
    {"nobody", "4294967295", "gateway: --group: there is no group \"4294967295\""},
};

START_TEST(a_mistake_is_told)
{
    ck_assert_int_eq(resolve(mistakes[_i].user, mistakes[_i].group), -1);
    ck_assert_str_eq(message, mistakes[_i].says);
    ck_assert_uint_eq(privileges_user(), (uid_t)-1);
}
END_TEST

START_TEST(without_a_user_nothing_changes)
{
    ck_assert_int_eq(resolve(NULL, NULL), 0);
    ck_assert_uint_eq(privileges_user(), (uid_t)-1);
    ck_assert_uint_eq(privileges_group(), (gid_t)-1);
    ck_assert_int_eq(privileges_drop(message, sizeof(message)), 0);
    ck_assert_uint_eq(geteuid(), getuid());
}
END_TEST

static const struct {
    const char *name;
    bool real, effective, saved; /* the user's; or root's */
    bool expected;
} owners[] = {
    {"all are the user's", true, true, true, true},
    {"the real one is root's", false, true, true, false},
    {"the effective one is root's", true, false, true, false},
    {"the saved one is root's: the process can become root again", true, true, false, false},
    {"all are root's", false, false, false, false},
};

START_TEST(a_process_is_the_users_when_all_its_ids_are)
{
    char byte;
    int held[2];
    ck_assert_int_eq(resolve("nobody", NULL), 0);
    ck_assert_int_eq(pipe(held), 0);
    pid_t pid = fork();
    if (pid == 0) {
        uid_t user = nobody.pw_uid;
        if (setresuid(owners[_i].real ? user : 0, owners[_i].effective ? user : 0,
                      owners[_i].saved ? user : 0) < 0)
            _exit(1);
        close(held[0]);
        if (write(held[1], "x", 1) != 1)
            _exit(1);
        pause();
    }
    close(held[1]);
    ck_assert_int_eq(read(held[0], &byte, 1), 1);
    ck_assert_msg(privileges_are_of(pid) == owners[_i].expected, "%s", owners[_i].name);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    ck_assert(!privileges_are_of(pid));
    close(held[0]);
}
END_TEST

START_TEST(each_process_is_ours_when_no_user_is_named)
{
    ck_assert_int_eq(resolve(NULL, NULL), 0);
    ck_assert(privileges_are_of(getpid()));
}
END_TEST

START_TEST(a_name_or_its_number_is_the_user_with_its_group)
{
    char number[16];
    snprintf(number, sizeof(number), "%u", (unsigned)nobody.pw_uid);
    char *const users[] = {"nobody", number};
    for (size_t i = 0; i < UNIT_ROWS(users); i++) {
        ck_assert_msg(resolve(users[i], NULL) == 0, "%s", message);
        ck_assert_uint_eq(privileges_user(), nobody.pw_uid);
        ck_assert_uint_eq(privileges_group(), nobody.pw_gid);
    }
}
END_TEST

START_TEST(a_number_that_is_unknown_needs_a_group)
{
    ck_assert_int_eq(resolve("54321", NULL), -1);
    ck_assert_str_eq(message, "gateway: --user: nothing is known of user 54321: give --group too");
    ck_assert_msg(resolve("54321", "54322") == 0, "%s", message);
    ck_assert_uint_eq(privileges_user(), 54321);
    ck_assert_uint_eq(privileges_group(), 54322);
}
END_TEST

/* Describes a process after the drop, as one line. */
static const char *dropped(void)
{
    static char line[256];
    uid_t u[3];
    gid_t g[3], groups[64];
    char why[128] = "";
    int r = privileges_drop(why, sizeof(why));
    getresuid(&u[0], &u[1], &u[2]);
    getresgid(&g[0], &g[1], &g[2]);
    int count = getgroups(64, groups);
    snprintf(line, sizeof(line), "%s%d u %u %u %u g %u %u %u, %d groups, first %u, root %s, dumpable %d", why,
             r, u[0], u[1], u[2], g[0], g[1], g[2], count, count > 0 ? groups[0] : 0,
             setuid(0) == 0 || seteuid(0) == 0 || setgroups(0, NULL) == 0 ? "yes" : "no",
             prctl(PR_GET_DUMPABLE));
    return line;
}

static const char *in_child(const char *(*of)(void))
{
    static char line[256];
    int ends[2], status;
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        const char *text = of();
        ssize_t written = write(ends[1], text, strlen(text) + 1);
        _exit(written > 0 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_gt(read(ends[0], line, sizeof(line)), 0);
    close(ends[0]);
    close(ends[1]);
    return line;
}

START_TEST(the_way_down_has_no_way_back)
{
    const gid_t roots[] = {0, 4};
    ck_assert_int_eq(setgroups(2, roots), 0);
    ck_assert_msg(resolve("54321", "54322") == 0, "%s", message);
    ck_assert_str_eq(in_child(dropped),
                     "0 u 54321 54321 54321 g 54322 54322 54322, 1 groups, first 54322, root no, dumpable 1");
    ck_assert_uint_eq(geteuid(), 0);
}
END_TEST

START_TEST(files_are_opened_with_the_users_rights_for_a_moment)
{
    const gid_t roots[] = {0, 4};
    gid_t groups[8];
    ck_assert_int_eq(setgroups(2, roots), 0);
    ck_assert_msg(resolve("54321", "54322") == 0, "%s", message);
    ck_assert_int_eq(privileges_begin_as_user(), 0);
    ck_assert_uint_eq(geteuid(), 54321);
    ck_assert_uint_eq(getegid(), 54322);
    ck_assert_int_eq(getgroups(8, groups), 1);
    ck_assert_uint_eq(groups[0], 54322);
    privileges_end_as_user();
    ck_assert_uint_eq(geteuid(), 0);
    ck_assert_uint_eq(getegid(), 0);
    ck_assert_int_eq(getgroups(8, groups), 2);
    ck_assert_uint_eq(groups[1], 4);
    ck_assert_int_eq(prctl(PR_GET_DUMPABLE), 1);
    privileges_end_as_user();
    ck_assert_uint_eq(geteuid(), 0);
}
END_TEST

START_TEST(a_group_alone_is_taken_too)
{
    ck_assert_msg(resolve(NULL, "54322") == 0, "%s", message);
    ck_assert_ptr_nonnull(strstr(in_child(dropped), "0 u 0 0 0 g 54322 54322 54322, 1 groups, first 54322,"));
}
END_TEST

static const char *as_another(void)
{
    static char line[512];
    if (setresgid(54322, 54322, 54322) < 0 || setresuid(54321, 54321, 54321) < 0)
        return "not another";
    int same = resolve("54321", NULL), group = resolve("54321", "54322");
    snprintf(line, sizeof(line), "%d %d %d", same, group, privileges_user() == (uid_t)-1);
    resolve("nobody", NULL);
    strcat(line, message);
    resolve(NULL, "0");
    return strcat(line, message);
}

START_TEST(a_process_without_root_can_only_keep_its_user)
{
    ck_assert_str_eq(in_child(as_another),
                     "0 0 1gateway: --user: only root can become another user, and this is user 54321"
                     "gateway: --group: only root can take another group, and this is group 54322");
}
END_TEST

static const char *without_the_right(void)
{
    /* Root by number alone, as in some containers. */
    if (resolve("54321", "54322") < 0 || setresuid(0, 54321, 0) < 0 || seteuid(54321) < 0)
        return "not prepared";
    return dropped();
}

START_TEST(a_drop_that_fails_is_told)
{
    ck_assert_ptr_nonnull(
        strstr(in_child(without_the_right),
               "--user: user 54321 and group 54322 cannot be taken: Operation not permitted-1"));
}
END_TEST

static uint64_t capabilities(const char *set)
{
    char line[128], name[16];
    uint64_t found = 0, value;
    FILE *file = fopen("/proc/self/status", "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "%15[^:]: %" SCNx64, name, &value) == 2 && strcmp(name, set) == 0)
            found = value;
    fclose(file);
    return found;
}

#define BIT(capability) (UINT64_C(1) << (capability))

static const uint64_t used = BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_KILL) |
                             BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_SETGID) | BIT(CAP_SETUID) |
                             BIT(CAP_SYS_PTRACE) | BIT(CAP_SYS_RESOURCE);

START_TEST(a_master_keeps_what_it_uses)
{
    uint64_t before = capabilities("CapPrm"), bounding = capabilities("CapBnd");
    ck_assert_int_eq(resolve("nobody", NULL), 0);
    privileges_limit();
    ck_assert_uint_eq(capabilities("CapPrm"), before & used);
    ck_assert_uint_eq(capabilities("CapEff"), before & used);
    ck_assert_msg(capabilities("CapBnd") == bounding,
                  "what sudo gets in a worker is not the master's to take");
    ck_assert_int_eq(privileges_begin_as_user(), 0);
    privileges_end_as_user();
    ck_assert_uint_eq(capabilities("CapEff"), before & used);
    ck_assert_int_eq(privileges_drop(message, sizeof(message)), 0);
    ck_assert_uint_eq(capabilities("CapPrm"), 0);
}
END_TEST

START_TEST(without_a_user_the_master_keeps_all)
{
    uint64_t before = capabilities("CapPrm");
    ck_assert_int_eq(resolve(NULL, NULL), 0);
    privileges_limit();
    ck_assert_uint_eq(capabilities("CapPrm"), before);
    ck_assert_int_eq(resolve("root", NULL), 0);
    privileges_limit();
    ck_assert_uint_eq(capabilities("CapPrm"), before);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, NULL);
    unit_add_rows(tests, a_mistake_is_told, mistakes);
    tcase_add_test(tests, without_a_user_nothing_changes);
    tcase_add_test(tests, each_process_is_ours_when_no_user_is_named);
    if (geteuid() != 0) {
        puts("SKIP: the rest needs root");
        return;
    }
    tcase_add_test(tests, a_name_or_its_number_is_the_user_with_its_group);
    tcase_add_test(tests, a_number_that_is_unknown_needs_a_group);
    unit_add_rows(tests, a_process_is_the_users_when_all_its_ids_are, owners);
    tcase_add_test(tests, the_way_down_has_no_way_back);
    tcase_add_test(tests, files_are_opened_with_the_users_rights_for_a_moment);
    tcase_add_test(tests, a_group_alone_is_taken_too);
    tcase_add_test(tests, a_process_without_root_can_only_keep_its_user);
    tcase_add_test(tests, a_drop_that_fails_is_told);
    tcase_add_test(tests, a_master_keeps_what_it_uses);
    tcase_add_test(tests, without_a_user_the_master_keeps_all);
}

int main(void)
{
    return unit_run("proc/privileges", add);
}
