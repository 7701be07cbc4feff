/* The listener drain: a packet filter on the listening sockets, and a question to the kernel about
 * handshakes. */
#include "net/listener_drain.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* The flags of a TCP header: their place, and two of them. */
enum { TCP_FLAGS_OFFSET = 13, TCP_FLAG_SYN_BIT = 0x02, TCP_FLAG_ACK_BIT = 0x10 };

/* The second is the kernel's TCP_NEW_SYN_RECV, a handshake under way. User space has no name for
 * it. */
enum { HANDSHAKE_STATES = 1 << TCP_SYN_RECV | 1 << 12 };

static bool is_ours(const struct address *address)
{
    return address->family != AF_UNIX && address->inherited < 0;
}

/* A segment that begins a handshake has SYN and not ACK. */
static void drop_first_segments(int fd)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS_OFFSET),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, TCP_FLAG_SYN_BIT | TCP_FLAG_ACK_BIT),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TCP_FLAG_SYN_BIT, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
    setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

void listener_drain_begin(const struct address *addresses, size_t count)
{
    const int off = 0;
    for (size_t i = 0; i < count; i++)
        for (unsigned slot = 0; is_ours(&addresses[i]) && slot < addresses[i].slots; slot++) {
            drop_first_segments(addresses[i].sockets[slot]);
            setsockopt(addresses[i].sockets[slot], IPPROTO_TCP, TCP_DEFER_ACCEPT, &off, sizeof(off));
        }
}

static int ask(int fd, const struct address *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->socket_address;
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 body;
    } request = {
        .header = {.nlmsg_len = sizeof(request),
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .body = {.sdiag_family = (uint8_t)address->family,
                 .sdiag_protocol = IPPROTO_TCP,
                 .idiag_states = HANDSHAKE_STATES,
                 .id = {.idiag_sport = v4->sin_port}}, /* sin6_port is at the same place */
    };
    return send(fd, &request, sizeof(request), 0) == sizeof(request) ? 0 : -1;
}

/* The first message says it: a socket, or the end of the list. */
static bool answer_is_none(int fd)
{
    union {
        struct nlmsghdr header;
        char bytes[8192];
    } answer;
    ssize_t n = recv(fd, &answer, sizeof(answer), 0);
    return n >= (ssize_t)sizeof(answer.header) && answer.header.nlmsg_type == NLMSG_DONE;
}

static bool is_quiet(const struct address *address)
{
    const struct timeval patience = {.tv_usec = 100 * 1000};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0)
        return false;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    bool quiet = ask(fd, address) == 0 && answer_is_none(fd);
    close(fd);
    return quiet;
}

bool listener_drain_is_quiet(const struct address *addresses, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (is_ours(&addresses[i]) && !is_quiet(&addresses[i]))
            return false;
    return true;
}
