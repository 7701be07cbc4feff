/* Whether an address can be listened on: the kernel answers a bind(2) without a listen(2). */
#include "net/address_check.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/place.h"

/* The socket has SO_REUSEADDR and does not listen. So it disturbs no socket with that option, and
 * takes no connection. The kernel reports a missing right or a foreign host before it reports an
 * address in use. 0, or -1 and errno. */
static int try_tcp(const struct address *address)
{
    int on = 1, error = 0;
    int fd = socket(address->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)&address->socket_address, address->size) < 0 && errno != EADDRINUSE)
        error = errno;
    close(fd);
    errno = error;
    return error == 0 ? 0 : -1;
}

static int try_file(const char *path)
{
    struct place place;
    struct stat status;
    if (place_find(&place, path) < 0)
        return -1;
    bool other_kind = place_stat(&place, &status) == 0 && !S_ISSOCK(status.st_mode);
    place_close(&place);
    if (!other_kind)
        return place_check_creatable(path);
    errno = EADDRINUSE;
    return -1;
}

int address_check(const struct address *address, char *message, size_t message_size)
{
    int r = 0;
    if (address->path != NULL)
        r = try_file(address->path);
    else if (address->inherited < 0 && address->family != AF_UNIX)
        r = try_tcp(address);
    return r < 0 ? address_explain(address, message, message_size) : 0;
}

/* A place where TCP listens. An IPv4 address is ::ffff:A.B.C.D, as it is for a socket of both
 * families. */
struct tcp_place {
    bool v4, any;
    struct in6_addr host;
    uint32_t scope;
    in_port_t port;
};

static struct tcp_place tcp_place_of(const struct address *address)
{
    struct tcp_place place = {.port = 0};
    if (address->family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&address->socket_address;
        place.host.s6_addr[10] = place.host.s6_addr[11] = 0xff;
        memcpy(&place.host.s6_addr[12], &in->sin_addr, sizeof(in->sin_addr));
        place.port = in->sin_port;
    } else {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->socket_address;
        place.host = in6->sin6_addr;
        place.scope = in6->sin6_scope_id;
        place.port = in6->sin6_port;
    }
    static const struct in6_addr any_v4 = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
    place.v4 = IN6_IS_ADDR_V4MAPPED(&place.host);
    place.any = IN6_IS_ADDR_UNSPECIFIED(&place.host) || memcmp(&place.host, &any_v4, sizeof(any_v4)) == 0;
    return place;
}

/* Whether [::] covers all addresses of IPv4 too. */
static bool is_dual(void)
{
    int only = 0;
    socklen_t size = sizeof(only);
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &size);
    close(fd);
    return !only;
}

static bool covers(const struct tcp_place *a, const struct tcp_place *b)
{
    if (a->any && (a->v4 == b->v4 || (!a->v4 && is_dual())))
        return true;
    return a->scope == b->scope && memcmp(&a->host, &b->host, sizeof(a->host)) == 0;
}

/* For port 0 the kernel chooses a free port. */
static bool tcp_overlaps(const struct address *a, const struct address *b)
{
    struct tcp_place first = tcp_place_of(a), second = tcp_place_of(b);
    return first.port == second.port && first.port != 0 &&
           (covers(&first, &second) || covers(&second, &first));
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static bool stat_directory(const char *path, struct stat *status)
{
    char *directory = xasprintf("%.*s.", (int)(base_name(path) - path), path);
    int r = stat(directory, status);
    free(directory);
    return r == 0;
}

/* The same file may have a relative and an absolute path. */
static bool is_same_file(const char *a, const char *b)
{
    struct stat of_a, of_b;
    return strcmp(base_name(a), base_name(b)) == 0 && stat_directory(a, &of_a) && stat_directory(b, &of_b) &&
           of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino;
}

bool address_overlaps(const struct address *a, const struct address *b)
{
    bool a_local = a->family == AF_UNIX, b_local = b->family == AF_UNIX;
    if (a_local != b_local || (a->inherited >= 0 && b->inherited >= 0))
        return false;
    if (!a_local)
        return tcp_overlaps(a, b);
    if (a->path != NULL && b->path != NULL)
        return is_same_file(a->path, b->path);
    return a->size == b->size && memcmp(&a->socket_address, &b->socket_address, a->size) == 0;
}
