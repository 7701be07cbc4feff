/* --user and --group: the user that runs the application. */
#include "proc/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/slice.h"

#define NOBODY_NAMED ((uid_t)-1)

/* The user and the groups that the service's processes become. */
static struct {
    uid_t user; /* or NOBODY_NAMED: the ids stay as they are */
    gid_t group;
    gid_t *
        groups; /* the supplementary groups, looked up once: the user database may be slow, or gone when a worker is forked */
    int group_count;
} target = {.user = NOBODY_NAMED, .group = (gid_t)-1};

/* -1 is no ID: setresuid(2) takes it for "unchanged". */
static int parse_id(const char *text, uint32_t *id)
{
    uint64_t number;
    if (slice_to_uint64(slice_of(text), &number) < 0 || number >= UINT32_MAX)
        return -1;
    *id = (uint32_t)number;
    return 0;
}

/* *entry is NULL for a number that has no entry. */
static int find_user(const char *text, uid_t *user, struct passwd **entry, char *message, size_t size)
{
    *entry = getpwnam(text);
    if (*entry == NULL) {
        if (parse_id(text, user) < 0) {
            snprintf(message, size, "gateway: --user: there is no user \"%s\"", text);
            return -1;
        }
        *entry = getpwuid(*user);
    }
    if (*entry != NULL)
        *user = (*entry)->pw_uid;
    return 0;
}

static int find_group(const char *text, gid_t *group, char *message, size_t size)
{
    const struct group *entry = getgrnam(text);
    if (entry == NULL && parse_id(text, group) < 0) {
        snprintf(message, size, "gateway: --group: there is no group \"%s\"", text);
        return -1;
    }
    if (entry != NULL)
        *group = entry->gr_gid;
    return 0;
}

/* A process that is not root may name its own user, which changes nothing. */
static int check_same(const struct options *options, uid_t user, gid_t group, char *message, size_t size)
{
    if (options->user != NULL && user != geteuid())
        snprintf(message, size, "gateway: --user: only root can become another user, and this is user %u",
                 (unsigned)geteuid());
    else if (options->group != NULL && group != getegid())
        snprintf(message, size, "gateway: --group: only root can take another group, and this is group %u",
                 (unsigned)getegid());
    else
        return 0;
    return -1;
}

static void find_groups(const char *name, gid_t group)
{
    int room = 16;
    do {
        target.group_count = room;
        target.groups = xrealloc(target.groups, (size_t)room * sizeof(gid_t));
        room *= 2;
    } while (getgrouplist(name, group, target.groups, &target.group_count) < 0);
}

/* A user without a name has no list of groups: only the group counts. */
static void set_target(uid_t user, gid_t group, const char *name)
{
    target.user = user;
    target.group = group;
    if (name != NULL) {
        find_groups(name, group);
        return;
    }
    target.groups = xrealloc(target.groups, sizeof(gid_t));
    target.groups[0] = group;
    target.group_count = 1;
}

int privileges_resolve(const struct options *options, char *message, size_t size)
{
    struct passwd *entry = NULL;
    uid_t user = geteuid();
    gid_t group = getegid();
    if (options->user == NULL && options->group == NULL)
        return 0;
    if (options->user != NULL && find_user(options->user, &user, &entry, message, size) < 0)
        return -1;
    if (entry != NULL)
        group = entry->pw_gid;
    if (options->group != NULL && find_group(options->group, &group, message, size) < 0)
        return -1;
    if (geteuid() != 0)
        return check_same(options, user, group, message, size);
    if (options->user != NULL && entry == NULL && options->group == NULL) {
        snprintf(message, size, "gateway: --user: nothing is known of user %u: give --group too",
                 (unsigned)user);
        return -1;
    }
    set_target(user, group, entry != NULL ? entry->pw_name : NULL);
    return 0;
}

uid_t privileges_user(void)
{
    return target.user;
}

gid_t privileges_group(void)
{
    return target.group;
}

bool privileges_are_of(pid_t pid)
{
    char path[32], line[256];
    unsigned ids[4];
    bool same = target.user == NOBODY_NAMED;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *file = same ? NULL : fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "Uid: %u %u %u %u", &ids[0], &ids[1], &ids[2], &ids[3]) == 4)
            same = ids[0] == target.user && ids[1] == target.user && ids[2] == target.user &&
                   ids[3] == target.user;
    if (file != NULL)
        fclose(file);
    return same;
}

/* The groups of root, kept while the process has the user's rights. */
static struct {
    bool lent;
    gid_t *groups;
    int count;
} own;

static void remember_groups(void)
{
    own.count = getgroups(0, NULL);
    own.groups = xcalloc((size_t)own.count + 1, sizeof(gid_t));
    own.count = getgroups(own.count, own.groups);
}

/* Changes the effective IDs alone: the saved ones are the way back. */
int privileges_begin_as_user(void)
{
    if (target.user == NOBODY_NAMED || geteuid() != 0)
        return 0;
    remember_groups();
    own.lent = true;
    if (setgroups((size_t)target.group_count, target.groups) == 0 && setegid(target.group) == 0 &&
        seteuid(target.user) == 0)
        return 0;
    int error = errno;
    privileges_end_as_user();
    errno = error;
    return -1;
}

void privileges_end_as_user(void)
{
    if (!own.lent)
        return;
    /* A master that stayed the user could not replace its workers: it ends instead. */
    if (seteuid(0) < 0 || setegid(getgid()) < 0 || setgroups((size_t)own.count, own.groups) < 0)
        abort();
    prctl(PR_SET_DUMPABLE, 1); /* seteuid has taken it */
    free(own.groups);
    own.groups = NULL;
    own.lent = false;
}

/* Checks the result: a kernel, a container or a security module may do less than it says. */
static bool is_dropped(void)
{
    uid_t users[3];
    gid_t groups[3];
    if (getresuid(&users[0], &users[1], &users[2]) < 0 || getresgid(&groups[0], &groups[1], &groups[2]) < 0)
        return false;
    for (int i = 0; i < 3; i++)
        if (users[i] != target.user || groups[i] != target.group)
            return false;
    return target.user == 0 || (setuid(0) < 0 && seteuid(0) < 0);
}

int privileges_drop(char *message, size_t size)
{
    if (target.user == NOBODY_NAMED)
        return 0;
    if (setgroups((size_t)target.group_count, target.groups) < 0 ||
        setresgid(target.group, target.group, target.group) < 0 ||
        setresuid(target.user, target.user, target.user) < 0) {
        snprintf(message, size, "--user: user %u and group %u cannot be taken: %s", (unsigned)target.user,
                 (unsigned)target.group, strerror(errno));
        return -1;
    }
    if (!is_dropped()) {
        snprintf(message, size, "--user: root's rights were given up for user %u, and are still there",
                 (unsigned)target.user);
        return -1;
    }
    /* Otherwise the process's files in /proc would be root's, a crash would leave no core, and a
     * debugger of the same user would see nothing. Nothing here is secret from the user. */
    prctl(PR_SET_DUMPABLE, 1);
    return 0;
}

/* The capabilities(7) of root that a master with --user needs. */
static const unsigned char kept[] = {
    CAP_CHOWN,            /* give log files and sockets to the user */
    CAP_DAC_OVERRIDE,     /* open and remove files in directories of other users */
    CAP_FOWNER,           /* the same where a directory is sticky */
    CAP_KILL,             /* signal workers */
    CAP_NET_BIND_SERVICE, /* bind a port below 1024, at a reload too */
    CAP_SETGID,           /* children become the user */
    CAP_SETUID,           /* the same */
    CAP_SYS_PTRACE,       /* look at the descriptors of a stalled worker in /proc */
    CAP_SYS_RESOURCE,     /* raise the limit of open files */
};

void privileges_limit(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
    uint32_t mask[_LINUX_CAPABILITY_U32S_3] = {0};
    if (target.user == NOBODY_NAMED || target.user == 0 || geteuid() != 0)
        return;
    for (size_t i = 0; i < sizeof(kept); i++)
        mask[CAP_TO_INDEX(kept[i])] |= CAP_TO_MASK(kept[i]);
    if (syscall(SYS_capget, &header, sets) < 0)
        return;
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        sets[i].permitted &= mask[i];
        sets[i].effective &= mask[i];
    }
    if (syscall(SYS_capset, &header, sets) < 0)
        log_debug("the master keeps all capabilities: %s", strerror(errno));
}
