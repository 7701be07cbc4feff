/* The binary upgrade: the check, and the new program in the place of this one. */
#include "proc/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "proc/child.h"
#include "proc/death.h"

/* Of what the check says. */
enum { WORDS_MAX = 65536 };

enum upgrade_state { UPGRADE_IDLE, UPGRADE_CHECKING, UPGRADE_GOOD };

struct upgrade {
    struct upgrade_setup setup;
    enum upgrade_state state;
    pid_t pid; /* of the check */
    bool late; /* it was killed for it */
    struct event *deadline, *says;
    int words_fd;
    struct text words;
};

static struct {
    const char *path; /* absolute: a package's upgrade puts another file there */
    char **argv;
    int directory;
} program;

void upgrade_remember(char **argv)
{
    const char *path = (const char *)(uintptr_t)getauxval(AT_EXECFN);
    char *directory = getcwd(NULL, 0);
    program.argv = argv;
    program.directory = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    program.path = path[0] == '/' || directory == NULL ? xstrdup(path) : xasprintf("%s/%s", directory, path);
    free(directory);
}

static void is_late(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct upgrade *upgrade = arg;
    upgrade->late = true;
    kill(upgrade->pid, SIGKILL);
}

/* More than there is room for is read all the same: nobody waits for us. */
static void hear(struct upgrade *upgrade)
{
    char block[4096];
    ssize_t n;
    while ((n = read(upgrade->words_fd, block, sizeof(block))) > 0) {
        size_t room = WORDS_MAX - upgrade->words.size;
        text_add(&upgrade->words, block, (size_t)n < room ? (size_t)n : room);
    }
    if (n == 0)
        event_del(upgrade->says);
}

static void says_something(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    hear(arg);
}

struct upgrade *upgrade_new(const struct upgrade_setup *setup)
{
    struct upgrade *upgrade = xcalloc(1, sizeof(*upgrade));
    upgrade->setup = *setup;
    upgrade->deadline = evtimer_new(setup->base, is_late, upgrade);
    text_init(&upgrade->words);
    return upgrade;
}

static void end_check(struct upgrade *upgrade)
{
    event_del(upgrade->deadline);
    event_free(upgrade->says);
    close(upgrade->words_fd);
    text_fini(&upgrade->words);
    text_init(&upgrade->words);
    upgrade->pid = 0;
    upgrade->state = UPGRADE_IDLE;
}

void upgrade_free(struct upgrade *upgrade)
{
    if (upgrade == NULL)
        return;
    upgrade_abandon(upgrade);
    event_free(upgrade->deadline);
    text_fini(&upgrade->words);
    free(upgrade);
}

/* From the directory where this program was started, so that what its options name is found again. Returns when it failed. */
static void execute(char *const *argv)
{
    if (fchdir(program.directory) == 0)
        execv(program.path, argv);
}

/* Sockets that the service manager has passed are the check's too, to look at. */
static void claim_passed_sockets(void)
{
    char pid[16];
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("LISTEN_PID", pid, getenv("LISTEN_PID") != NULL);
    if (getenv("LISTEN_FDS") == NULL)
        unsetenv("LISTEN_PID");
}

static char **check_arguments(void)
{
    size_t count = 0;
    while (program.argv[count] != NULL)
        count++;
    char **argv = xcalloc(count + 2, sizeof(*argv));
    argv[0] = program.argv[0];
    argv[1] = (char *)(uintptr_t) "--check-config";
    memcpy(&argv[2], &program.argv[1], (count - 1) * sizeof(*argv));
    return argv;
}

/* In the child. Standard output and error are the pipe from the beginning, so that all that fails is told. */
static void __attribute__((noreturn)) be_check(struct heritage *heritage, int output, pid_t master)
{
    sigset_t none;
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    claim_passed_sockets();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (getppid() == master && heritage_publish(heritage, getpid()) == 0)
        execute(check_arguments());
    dprintf(STDERR_FILENO, "it can not be executed: %s\n", strerror(errno));
    _exit(EXIT_FAILURE_RUNTIME);
}

/* 0, or -1 and errno. */
static int start_check(struct upgrade *upgrade)
{
    int ends[2];
    pid_t master = getpid();
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    struct heritage *heritage = upgrade->setup.bequeath(upgrade->setup.context);
    upgrade->pid = child_fork_process();
    if (upgrade->pid == 0)
        be_check(heritage, ends[1], master);
    int error = errno;
    heritage_free(heritage);
    close(ends[1]);
    if (upgrade->pid < 0) {
        close(ends[0]);
        errno = error;
        return -1;
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    upgrade->words_fd = ends[0];
    return 0;
}

static void watch_check(struct upgrade *upgrade)
{
    uint64_t ms = upgrade->setup.timeout_ms;
    struct timeval tv = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    upgrade->state = UPGRADE_CHECKING;
    upgrade->late = false;
    upgrade->says =
        event_new(upgrade->setup.base, upgrade->words_fd, EV_READ | EV_PERSIST, says_something, upgrade);
    event_add(upgrade->says, NULL);
    if (ms > 0)
        event_add(upgrade->deadline, &tv);
}

void upgrade_begin(struct upgrade *upgrade)
{
    if (upgrade->state != UPGRADE_IDLE) {
        log_info("an upgrade is under way");
        return;
    }
    if (start_check(upgrade) < 0) {
        log_error("not upgraded: the check of %s can not be started: %s", program.path, strerror(errno));
        return;
    }
    log_info("upgrade: %s is checked by process %d", program.path, (int)upgrade->pid);
    watch_check(upgrade);
}

static void tell_failure(const struct upgrade *upgrade, int status)
{
    char how[128];
    if (upgrade->late)
        snprintf(how, sizeof(how), "has taken longer than --timeout");
    else
        death_describe_status(status, how, sizeof(how));
    log_block(LOG_ERROR, upgrade->words.data, upgrade->words.size, "not upgraded: the check of %s %s",
              program.path, how);
}

bool upgrade_ended(struct upgrade *upgrade, pid_t pid, int status)
{
    if (upgrade->state != UPGRADE_CHECKING || upgrade->pid != pid)
        return false;
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_STOPPED;
    hear(upgrade);
    if (!good)
        tell_failure(upgrade, status);
    end_check(upgrade);
    if (good)
        upgrade->state = UPGRADE_GOOD;
    return true;
}

/* A check that is killed here ends as any stranger's child does. */
void upgrade_abandon(struct upgrade *upgrade)
{
    if (upgrade->state == UPGRADE_IDLE)
        return;
    log_info("not upgraded: the service stops");
    if (upgrade->state == UPGRADE_CHECKING) {
        kill(upgrade->pid, SIGKILL);
        end_check(upgrade);
    }
    upgrade->state = UPGRADE_IDLE;
}

bool upgrade_is_under_way(const struct upgrade *upgrade)
{
    return upgrade->state != UPGRADE_IDLE;
}

bool upgrade_is_due(const struct upgrade *upgrade)
{
    return upgrade->state == UPGRADE_GOOD;
}

void upgrade_execute(struct upgrade *upgrade)
{
    struct heritage *heritage = upgrade->setup.bequeath(upgrade->setup.context);
    int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    upgrade->state = UPGRADE_IDLE;
    log_info("upgrade: %s takes over", program.path);
    if (heritage_publish(heritage, getpid()) == 0) {
        execute(program.argv);
        int error = errno;
        heritage_withdraw(heritage);
        errno = error;
    }
    log_error("not upgraded: %s can not be executed: %s", program.path, strerror(errno));
    if (fchdir(here) < 0)
        log_error("the working directory is another now: %s", strerror(errno));
    close(here);
    heritage_free(heritage);
}
