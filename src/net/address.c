/* An address to listen on: its forms, its sockets, and the file of a unix socket (by way of
 * base/place.h). */
#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/place.h"
#include "base/slice.h"
#include "net/port_owner.h"

#define FORMS "give HOST:PORT, :PORT, [V6]:PORT, unix:PATH, unix:@NAME or fd://N"

static int fail(int error, char *message, size_t size, const struct address *address, const char *what)
{
    snprintf(message, size, "%s: \"%s\" %s", address->option, address->text, what);
    errno = error;
    return -1;
}

static int parse_unix(struct address *address, const char *path, char *message, size_t message_size)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&address->socket_address;
    size_t size = strlen(path);
    bool abstract = path[0] == '@';
    if (size == 0)
        return fail(EINVAL, message, message_size, address, "has no path: " FORMS);
    if (size >= sizeof(un->sun_path))
        return fail(ENAMETOOLONG, message, message_size, address,
                    "is too long: a socket's path has at most 107 bytes");
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, size);
    if (abstract)
        un->sun_path[0] = '\0';
    else
        address->path = xstrdup(path);
    address->family = AF_UNIX;
    address->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (abstract ? 0 : 1));
    address->shared = true;
    address->url = xstrdup(address->text);
    address->local = (struct local_endpoint){xstrdup("localhost"), xstrdup("80"), false};
    return 0;
}

static int resolve(struct address *address, char *message, size_t message_size)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found;
    int error = getaddrinfo(address->local.server_name, address->local.server_port, &hints, &found);
    if (error != 0) {
        char what[128];
        snprintf(what, sizeof(what), "cannot be resolved: %s", gai_strerror(error));
        return fail(EADDRNOTAVAIL, message, message_size, address, what);
    }
    memcpy(&address->socket_address, found->ai_addr, found->ai_addrlen);
    address->size = found->ai_addrlen;
    address->family = found->ai_family;
    freeaddrinfo(found);
    return 0;
}

static int split_tcp(struct address *address, char *message, size_t message_size)
{
    const char *text = address->text;
    const char *colon = strrchr(text, ':');
    uint64_t port;
    if (colon == NULL || slice_to_uint64(slice_of(colon + 1), &port) < 0 || port > 65535)
        return fail(EINVAL, message, message_size, address,
                    "is not an address with a port of 0 to 65535: " FORMS);
    struct slice host = {text, (size_t)(colon - text)};
    bool v6 = host.size >= 2 && host.data[0] == '[' && host.data[host.size - 1] == ']';
    if (v6)
        host = (struct slice){host.data + 1, host.size - 2};
    else if (memchr(host.data, ':', host.size) != NULL)
        return fail(EINVAL, message, message_size, address,
                    "is an IPv6 address without brackets: write [V6]:PORT");
    char *name = host.size > 0 ? xstrndup(host.data, host.size) : xstrdup(v6 ? "::" : "0.0.0.0");
    address->local = (struct local_endpoint){name, xstrdup(colon + 1), false};
    return 0;
}

static int parse_tcp(struct address *address, char *message, size_t message_size)
{
    int r = split_tcp(address, message, message_size);
    return r < 0 ? r : resolve(address, message, message_size);
}

static int parse_inherited(struct address *address, const char *number, char *message, size_t message_size)
{
    uint64_t fd;
    int listening;
    socklen_t size = sizeof(listening);
    if (slice_to_uint64(slice_of(number), &fd) < 0 || fd > 1 << 20)
        return fail(EINVAL, message, message_size, address, "is not a descriptor: " FORMS);
    address->inherited = (int)fd;
    address->shared = true;
    if (getsockopt((int)fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) < 0 || !listening)
        return fail(ENOTSOCK, message, message_size, address,
                    "is not a listening socket that this process inherited");
    address->size = sizeof(address->socket_address);
    getsockname((int)fd, (struct sockaddr *)&address->socket_address, &address->size);
    address->family = address->socket_address.ss_family;
    return 0;
}

static bool is_tcp(const char *text)
{
    return strncmp(text, "unix:", 5) != 0 && strncmp(text, "fd://", 5) != 0;
}

static int parse_local(struct address *address, char *message, size_t message_size)
{
    const char *name = address->text + 5;
    return (address->text[0] == 'u' ? parse_unix : parse_inherited)(address, name, message, message_size);
}

int address_parse(struct address *address, const char *option, const char *text, char *message,
                  size_t message_size)
{
    *address = (struct address){.option = option, .text = xstrdup(text), .inherited = -1};
    return (is_tcp(text) ? parse_tcp : parse_local)(address, message, message_size);
}

/* bind(2) may get a shorter name: see name_place. */
void address_resolve_path(struct address *address, const char *directory)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&address->socket_address;
    if (address->path == NULL || address->path[0] == '/')
        return;
    char *path = xasprintf("%s/%s", directory, address->path);
    free(address->path);
    address->path = path;
    size_t size = strlen(path);
    if (size >= sizeof(un->sun_path))
        return;
    memcpy(un->sun_path, path, size + 1);
    address->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + 1);
}

/* The URL of an inherited socket, which may have no name. */
static char *unix_url(const struct address *address)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&address->socket_address;
    size_t size = address->size - offsetof(struct sockaddr_un, sun_path);
    if (address->size <= offsetof(struct sockaddr_un, sun_path))
        return xstrdup(address->text);
    if (un->sun_path[0] == '\0')
        return xasprintf("unix:@%.*s", (int)size - 1, un->sun_path + 1);
    return xasprintf("unix:%.*s", (int)size, un->sun_path);
}

/* Fills local and url with the address that the kernel says the socket is bound to. */
static void describe(struct address *address, int fd)
{
    if (address->family == AF_UNIX) {
        if (address->url == NULL) {
            address->url = unix_url(address);
            address->local = (struct local_endpoint){xstrdup("localhost"), xstrdup("80"), false};
        }
        return;
    }
    char host[NI_MAXHOST], port[NI_MAXSERV];
    address->size = sizeof(address->socket_address);
    getsockname(fd, (struct sockaddr *)&address->socket_address, &address->size);
    getnameinfo((struct sockaddr *)&address->socket_address, address->size, host, sizeof(host), port,
                sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
    if (address->local.server_name == NULL)
        address->local.server_name = xstrdup(host);
    free(address->local.server_port);
    address->local.server_port = xstrdup(port);
    free(address->url);
    address->url = xasprintf(address->family == AF_INET6 ? "http://[%s]:%s" : "http://%s:%s", host, port);
}

/* lstat(2) of the socket file. */
static int stat_path(const struct address *address, struct stat *status)
{
    struct place place;
    int r = place_find(&place, address->path);
    if (r == 0)
        r = place_stat(&place, status);
    int error = errno;
    place_close(&place);
    errno = error;
    return r;
}

/* True when a file that is no socket has the name. */
static bool socket_file_is_other(const struct address *address)
{
    struct stat status;
    return address->path != NULL && stat_path(address, &status) == 0 && !S_ISSOCK(status.st_mode);
}

/* Makes the name for bind(2) and connect(2), which take no directory. 0, or -1 and errno. */
static int name_place(const struct place *place, const char *path, struct sockaddr_un *un)
{
    bool fits = strlen(path) < sizeof(un->sun_path);
    char *name = fits ? place_path(place, path) : place_descriptor_path(place);
    size_t size = strlen(name);
    *un = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(un->sun_path, name, size < sizeof(un->sun_path) ? size : 0);
    free(name);
    if (size < sizeof(un->sun_path))
        return 0;
    errno = ENAMETOOLONG;
    return -1;
}

/* bind(2) does not tell the inode. In a directory where others can write, the name may lead to
 * another file by then. The address must not remove or give away a file that is no socket, or has a
 * second name. */
static bool may_be_bound(const struct stat *status)
{
    return S_ISSOCK(status->st_mode) && status->st_nlink == 1;
}

/* Calls bind(2) and notes the file that it made. 0, or -1 and errno. */
static int socket_file_bind(struct address *address, int fd)
{
    struct place place;
    struct stat status;
    if (place_find(&place, address->path) < 0)
        return -1;
    struct sockaddr_un un;
    int r = name_place(&place, address->path, &un);
    if (r == 0)
        r = bind(fd, (const struct sockaddr *)&un, sizeof(un));
    if (r == 0 && place_stat(&place, &status) == 0 && may_be_bound(&status)) {
        address->owns_path = true;
        address->path_device = status.st_dev;
        address->path_inode = status.st_ino;
    }
    int error = errno;
    place_close(&place);
    errno = error;
    return r;
}

/* Removes a file whose server is gone. A file that a server listens on, or of another kind, is not
 * ours to remove. */
static void socket_file_remove_stale(const struct address *address)
{
    struct place place;
    struct stat status;
    if (place_find(&place, address->path) < 0)
        return;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un un;
    if (fd >= 0 && name_place(&place, address->path, &un) == 0 && place_stat(&place, &status) == 0 &&
        S_ISSOCK(status.st_mode) && connect(fd, (const struct sockaddr *)&un, sizeof(un)) < 0 &&
        errno == ECONNREFUSED)
        place_unlink(&place);
    if (fd >= 0)
        close(fd);
    place_close(&place);
}

/* Another server may own the file by then. */
static bool is_own(const struct address *address, const struct stat *status)
{
    return status->st_dev == address->path_device && status->st_ino == address->path_inode;
}

/* Removes the file that this address made. */
static void socket_file_remove(const struct address *address)
{
    struct place place;
    struct stat status;
    if (place_find(&place, address->path) < 0)
        return;
    if (place_stat(&place, &status) == 0 && is_own(address, &status))
        place_unlink(&place);
    place_close(&place);
}

/* True while the file that this address made has its name. */
static bool socket_file_is_own(const struct address *address)
{
    struct stat status;
    return stat_path(address, &status) == 0 && is_own(address, &status);
}

int address_explain(const struct address *address, char *message, size_t size)
{
    int error = errno;
    const char *hint = "", *choose = "";
    char who[128];
    if (error == EADDRINUSE && socket_file_is_other(address))
        hint = "; a file that is no socket has this name";
    else if (error == EADDRINUSE)
        hint = "; stop what listens there, or", choose = address->option;
    else if (error == EACCES && address->family != AF_UNIX)
        hint = "; ports below 1024 need root or CAP_NET_BIND_SERVICE,", choose = address->option;
    if (error == EADDRINUSE &&
        port_owner_find((const struct sockaddr *)&address->socket_address, address->size, who, sizeof(who)))
        snprintf(message, size, "%s cannot be bound: %s, by %s; stop that, or choose another with %s",
                 address->text, strerror(error), who, address->option);
    else
        snprintf(message, size, "%s cannot be bound: %s%s%s%s", address->text, place_strerror(error), hint,
                 choose[0] != '\0' ? " choose another with " : "", choose);
    errno = error;
    return -1;
}

/* 0, or -1 and errno. */
static int bind_socket(struct address *address, int fd)
{
    if (address->path != NULL)
        return socket_file_bind(address, fd);
    return bind(fd, (const struct sockaddr *)&address->socket_address, address->size);
}

/* Returns a bound socket, or -1 and errno. */
static int open_socket(struct address *address, bool reuse_port)
{
    int on = 1, defer_seconds = 1;
    int fd = socket(address->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (address->family != AF_UNIX) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* accepted sockets get it too */
        /* A connection is accepted when its request is there, so that a short connection costs no
         * event. A silent client is accepted after this many seconds. */
        setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer_seconds, sizeof(defer_seconds));
        if (reuse_port)
            setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    }
    if (bind_socket(address, fd) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static int listen_on(struct address *address, int fd, int backlog, char *message, size_t message_size)
{
    if (fd >= 0 && listen(fd, backlog) == 0) {
        describe(address, fd);
        return fd;
    }
    address_explain(address, message, message_size);
    if (fd >= 0)
        close(fd);
    return -1;
}

static int open_shared(struct address *address)
{
    int on = 1;
    if (address->inherited >= 0) {
        if (address->family != AF_UNIX)
            setsockopt(address->inherited, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        fcntl(address->inherited, F_SETFL, fcntl(address->inherited, F_GETFL) | O_NONBLOCK);
        fcntl(address->inherited, F_SETFD, FD_CLOEXEC);
        return address->inherited;
    }
    if (address->path != NULL)
        socket_file_remove_stale(address);
    return open_socket(address, false);
}

/* The first socket is bound and listens without SO_REUSEPORT, with which it would join another
 * server of the same user. It gets the option when it has the address for itself. For port 0 this
 * also chooses the port. */
static int open_first(struct address *address, int backlog, char *message, size_t message_size)
{
    int on = 1;
    int fd = listen_on(address, open_socket(address, false), backlog, message, message_size);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    return fd;
}

static int open_slot(struct address *address, unsigned slot, int backlog, char *message, size_t message_size)
{
    if (address->shared && slot > 0)
        return address->sockets[0];
    if (address->shared)
        return listen_on(address, open_shared(address), backlog, message, message_size);
    if (slot == 0)
        return open_first(address, backlog, message, message_size);
    return listen_on(address, open_socket(address, true), backlog, message, message_size);
}

int address_listen(struct address *address, unsigned slots, int backlog, char *message, size_t message_size)
{
    address->slots = slots;
    address->sockets = xcalloc(slots, sizeof(*address->sockets));
    for (unsigned slot = 0; slot < slots; slot++)
        address->sockets[slot] = -1;
    for (unsigned slot = 0; slot < slots; slot++) {
        address->sockets[slot] = open_slot(address, slot, backlog, message, message_size);
        if (address->sockets[slot] < 0)
            return -1;
    }
    return 0;
}

int address_add_spares(struct address *address, unsigned spares)
{
    unsigned slots = address->slots + spares;
    address->sockets = xrealloc(address->sockets, slots * sizeof(*address->sockets));
    for (unsigned slot = address->slots; slot < slots; slot++) {
        address->sockets[slot] = address->shared ? address->sockets[0] : open_socket(address, true);
        if (address->sockets[slot] < 0)
            return -1;
        address->slots = slot + 1;
    }
    return 0;
}

int address_listen_more(const struct address *address, unsigned slot, int backlog)
{
    return address->shared ? 0 : listen(address->sockets[slot], backlog);
}

/* The host is not looked up again: its name may have another address by then, and the sockets have
 * not. */
int address_adopt(struct address *address, const char *option, const char *text, const int *sockets,
                  unsigned count, unsigned slots)
{
    char message[256];
    *address = (struct address){.option = option, .text = xstrdup(text), .inherited = -1};
    if ((is_tcp(text) ? split_tcp : parse_local)(address, message, sizeof(message)) < 0)
        return -1;
    address->sockets = xcalloc(slots, sizeof(*address->sockets));
    for (unsigned slot = 0; slot < slots; slot++)
        address->sockets[slot] = sockets[slot < count ? slot : 0];
    address->slots = slots;
    address->size = sizeof(address->socket_address);
    getsockname(sockets[0], (struct sockaddr *)&address->socket_address, &address->size);
    address->family = address->socket_address.ss_family;
    describe(address, sockets[0]);
    return 0;
}

static void share(struct address *address, int fd)
{
    for (unsigned slot = 0; slot < address->slots; slot++)
        address->sockets[slot] = fd;
}

void address_close_previous(struct address *address)
{
    if (address->previous > 0)
        close(address->previous);
    address->previous = 0;
}

void address_revert(struct address *address)
{
    if (address->previous <= 0)
        return;
    socket_file_remove(address);
    close(address->sockets[0]);
    share(address, address->previous);
    address->previous = 0;
    address->path_device = address->previous_device;
    address->path_inode = address->previous_inode;
}

int address_renew(struct address *address, int backlog, uid_t user, gid_t group, char *message,
                  size_t message_size)
{
    address_close_previous(address);
    if (!address->owns_path || socket_file_is_own(address))
        return 0;
    const dev_t device = address->path_device;
    const ino_t inode = address->path_inode;
    int fd = listen_on(address, open_shared(address), backlog, message, message_size);
    if (fd < 0) {
        address->path_device = device;
        address->path_inode = inode;
        return -1;
    }
    address->previous = address->sockets[0];
    address->previous_device = device;
    address->previous_inode = inode;
    share(address, fd);
    if (address_give(address, user, group) == 0)
        return 1;
    snprintf(message, message_size, "%s cannot be given to --user: %s", address->text, strerror(errno));
    address_revert(address);
    return -1;
}

/* Opens the file itself, of any kind. -1 and errno. */
static int open_own_path(const struct address *address)
{
    struct place place;
    if (place_find(&place, address->path) < 0)
        return -1;
    int fd = openat(place.directory, place.name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int error = errno;
    place_close(&place);
    errno = error;
    return fd;
}

int address_give(const struct address *address, uid_t user, gid_t group)
{
    struct stat status;
    if (!address->owns_path)
        return 0;
    /* The check and the change use the descriptor: another file may have the name by then. */
    int fd = open_own_path(address);
    if (fd < 0)
        return -1;
    int r = fstat(fd, &status);
    if (r == 0 && is_own(address, &status))
        r = fchownat(fd, "", user, group, AT_EMPTY_PATH);
    int error = errno;
    close(fd);
    errno = error;
    return r;
}

void address_close(struct address *address, bool unlink_path)
{
    address_close_previous(address);
    for (unsigned slot = 0; slot < address->slots; slot++)
        if (address->sockets[slot] >= 0 && (slot == 0 || !address->shared))
            close(address->sockets[slot]);
    if (unlink_path && address->owns_path)
        socket_file_remove(address);
    free(address->sockets);
    free(address->text);
    free(address->url);
    free(address->path);
    free(address->local.server_name);
    free(address->local.server_port);
}
