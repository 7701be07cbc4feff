/* The confinement of a process. */
#include "proc/confine.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/log.h"

#if defined __x86_64__ && !defined __ILP32__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined __aarch64__ && !defined __ILP32__
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined __riscv && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#elif defined __s390x__
#define ARCHITECTURE AUDIT_ARCH_S390X
#elif defined __powerpc64__ && defined __LITTLE_ENDIAN__
#define ARCHITECTURE AUDIT_ARCH_PPC64LE
#endif

/* Sanitizers look into their own process by ptrace(2) and the like. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#undef ARCHITECTURE
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#undef ARCHITECTURE
#endif
#endif

#ifdef ARCHITECTURE

/* Grouped by purpose. A call that an architecture does not have has no number there. */
static const unsigned allowed[] = {
    /* events and time */
    __NR_epoll_create1,
    __NR_epoll_ctl,
    __NR_epoll_pwait,
#ifdef __NR_epoll_wait
    __NR_epoll_wait,
#endif
#ifdef __NR_epoll_pwait2
    __NR_epoll_pwait2,
#endif
#ifdef __NR_poll
    __NR_poll,
#endif
    __NR_ppoll,
    __NR_timerfd_create,
    __NR_timerfd_settime,
    __NR_eventfd2,
    __NR_clock_gettime,
    __NR_clock_getres,
    __NR_clock_nanosleep,
    __NR_gettimeofday,
    __NR_nanosleep,
    __NR_restart_syscall,
#ifdef __NR_time
    __NR_time,
#endif
    /* connections that are accepted */
    __NR_accept4,
    __NR_recvfrom,
    __NR_recvmsg,
    __NR_sendto,
    __NR_sendmsg,
    __NR_shutdown,
    __NR_getsockopt,
    __NR_setsockopt,
    __NR_getsockname,
    __NR_getpeername,
    /* descriptors */
    __NR_read,
    __NR_readv,
    __NR_pread64,
    __NR_preadv,
    __NR_write,
    __NR_writev,
    __NR_pwrite64,
    __NR_close,
    __NR_fcntl,
    __NR_dup,
    __NR_dup3,
    __NR_lseek,
    __NR_pipe2,
    __NR_ioctl,
    /* files: /proc, the log, data that does not fit into memory */
    __NR_openat,
    __NR_fstat,
    __NR_fstatfs,
    __NR_readlinkat,
    __NR_ftruncate,
    __NR_fchown,
#ifdef __NR_newfstatat
    __NR_newfstatat,
#endif
#ifdef __NR_statx
    __NR_statx,
#endif
#ifdef __NR_stat
    __NR_stat,
#endif
#ifdef __NR_lstat
    __NR_lstat,
#endif
#ifdef __NR_open
    __NR_open,
#endif
#ifdef __NR_openat2
    __NR_openat2,
#endif
#ifdef __NR_readlink
    __NR_readlink,
#endif
    /* memory */
    __NR_brk,
    __NR_mmap,
    __NR_munmap,
    __NR_mremap,
    __NR_mprotect,
    __NR_madvise,
    __NR_futex,
#ifdef __NR_getrandom
    __NR_getrandom,
#endif
    /* signals, and the process itself */
    __NR_rt_sigaction,
    __NR_rt_sigprocmask,
    __NR_rt_sigreturn,
    __NR_sigaltstack,
    __NR_getpid,
    __NR_gettid,
    __NR_getppid,
    __NR_getuid,
    __NR_geteuid,
    __NR_getgid,
    __NR_getegid,
    __NR_sysinfo,
    __NR_uname,
    __NR_sched_yield,
    __NR_exit,
    __NR_exit_group,
#ifdef __NR_tgkill
    __NR_tgkill, /* abort(3), on itself */
#endif
#ifdef __NR_rseq
    __NR_rseq,
#endif
};

enum { ALLOWED = sizeof(allowed) / sizeof(allowed[0]), BEFORE = 4, AFTER = 2 };

static void write_filter(struct sock_filter program[BEFORE + ALLOWED + AFTER])
{
    const unsigned architecture = offsetof(struct seccomp_data, arch),
                   number = offsetof(struct seccomp_data, nr);
    struct sock_filter *next = program;
    *next++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, architecture);
    *next++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    *next++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
    *next++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, number);
    for (unsigned i = 0; i < ALLOWED; i++)
        *next++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i],
                                               (unsigned char)(ALLOWED - i), 0);
    *next++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
    *next++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
}

static void filter_calls(void)
{
    struct sock_filter program[BEFORE + ALLOWED + AFTER];
    const struct sock_fprog filter = {BEFORE + ALLOWED + AFTER, program};
    _Static_assert(ALLOWED < 256, "a jump in a filter goes over 255 instructions at most");
    write_filter(program);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
        log_debug("the kernel does not filter system calls: %s", strerror(errno));
}

#else

static void filter_calls(void)
{
}

#endif

static void limit_descriptors(unsigned descriptors)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    if (limit.rlim_max > descriptors)
        limit.rlim_max = descriptors;
    if (limit.rlim_cur > limit.rlim_max)
        limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

void confine_process(unsigned descriptors)
{
    limit_descriptors(descriptors);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        log_debug("PR_SET_NO_NEW_PRIVS fails: %s", strerror(errno));
    else
        filter_calls();
}
