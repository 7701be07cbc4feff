/* The binary upgrade: the check, and the new program in the place of this one. */
#include "upgrade/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/exit_status.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/program.h"
#include "proc/helper_process.h"
#include "proc/worker_end.h"

/* The part of the check's output that is logged. */
enum { SAID_MAX = 16384 };

enum upgrade_phase { UPGRADE_IDLE, UPGRADE_CHECKING, UPGRADE_GOOD };

struct upgrade {
    struct upgrade_setup setup;
    enum upgrade_phase state;
    struct helper_process check;
};

struct upgrade *upgrade_new(const struct upgrade_setup *setup)
{
    struct upgrade *upgrade = xcalloc(1, sizeof(*upgrade));
    upgrade->setup = *setup;
    helper_init(&upgrade->check, setup->base);
    return upgrade;
}

void upgrade_free(struct upgrade *upgrade)
{
    if (upgrade == NULL)
        return;
    helper_fini(&upgrade->check);
    free(upgrade);
}

/* The check may use the sockets that the service manager has passed, to look at them. */
static void claim_passed_sockets(void)
{
    char pid[16];
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    if (getenv("LISTEN_PID") != NULL)
        setenv("LISTEN_PID", pid, 1);
}

/* In the child. Standard output and error are the pipe from the beginning, so that each failure
 * is reported. */
static void be_check(void *context, int output)
{
    static char check[] = "--check-config";
    struct upgrade_state *saved = context;
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    claim_passed_sockets();
    if (upgrade_state_publish(saved, getpid()) == 0)
        program_execute(program_arguments_with(check));
    dprintf(STDERR_FILENO, "it cannot be executed: %s\n", strerror(errno));
    _exit(EXIT_FAILURE_RUNTIME);
}

void upgrade_begin(struct upgrade *upgrade, uint64_t timeout_ms)
{
    if (upgrade->state != UPGRADE_IDLE) {
        log_info("an upgrade is under way");
        return;
    }
    struct upgrade_state *saved = upgrade->setup.save(upgrade->setup.context);
    if (helper_start(&upgrade->check, timeout_ms, be_check, saved) < 0) {
        log_error("not upgraded: the check of %s cannot be started: %s", program_path(), strerror(errno));
    } else {
        log_info("upgrade: %s is checked by process %d", program_path(), (int)upgrade->check.pid);
        upgrade->state = UPGRADE_CHECKING;
    }
    upgrade_state_free(saved);
}

static void tell_failure(const struct upgrade *upgrade, int status)
{
    char how[128];
    size_t size = upgrade->check.words.size;
    if (upgrade->check.late)
        snprintf(how, sizeof(how), "has taken longer than --timeout");
    else
        death_describe_status(status, how, sizeof(how));
    log_block(LOG_ERROR, upgrade->check.words.data, size < SAID_MAX ? size : SAID_MAX,
              "not upgraded: the check of %s %s", program_path(), how);
}

bool upgrade_ended(struct upgrade *upgrade, pid_t pid, int status)
{
    if (!helper_ended(&upgrade->check, pid))
        return false;
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_STOPPED;
    if (!good)
        tell_failure(upgrade, status);
    helper_forget(&upgrade->check);
    upgrade->state = good ? UPGRADE_GOOD : UPGRADE_IDLE;
    return true;
}

void upgrade_abandon(struct upgrade *upgrade)
{
    if (upgrade->state == UPGRADE_IDLE)
        return;
    log_info("not upgraded: the service stops");
    helper_forget(&upgrade->check);
    upgrade->state = UPGRADE_IDLE;
}

bool upgrade_is_checked_by(const struct upgrade *upgrade, pid_t pid)
{
    return upgrade != NULL && upgrade->check.pid == pid;
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
    struct upgrade_state *saved = upgrade->setup.save(upgrade->setup.context);
    int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    upgrade->state = UPGRADE_IDLE;
    log_info("upgrade: %s takes over", program_path());
    if (upgrade_state_publish(saved, getpid()) == 0) {
        program_execute(program_arguments());
        int error = errno;
        upgrade_state_withdraw(saved);
        errno = error;
    }
    log_error("not upgraded: %s cannot be executed: %s", program_path(), strerror(errno));
    if (fchdir(here) < 0)
        log_error("the working directory cannot be restored: %s", strerror(errno));
    close(here);
    upgrade_state_free(saved);
}
