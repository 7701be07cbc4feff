/* The sockets that this process has opened. */
#include "preload/sockets.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/mem.h"

enum { TEXT_SIZE = 160 };

/* Calls `visit` for each descriptor that is a socket. */
static void visit_all(void (*visit)(void *context, int fd, ino_t inode), void *context)
{
    DIR *descriptors = opendir("/proc/self/fd");
    const struct dirent *entry;
    while (descriptors != NULL && (entry = readdir(descriptors)) != NULL) {
        struct stat status;
        int fd = (int)strtol(entry->d_name, NULL, 10);
        if (entry->d_name[0] != '.' && fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode))
            visit(context, fd, status.st_ino);
    }
    if (descriptors != NULL)
        closedir(descriptors);
}

static bool has(const struct sockets *sockets, ino_t inode)
{
    for (size_t i = 0; i < sockets->count; i++)
        if (sockets->inodes[i] == inode)
            return true;
    return false;
}

static void note(void *context, int fd, ino_t inode)
{
    (void)fd;
    struct sockets *sockets = context;
    sockets->inodes = xrealloc(sockets->inodes, (sockets->count + 1) * sizeof(ino_t));
    sockets->inodes[sockets->count++] = inode;
}

void sockets_note(struct sockets *sockets)
{
    *sockets = (struct sockets){NULL, 0};
    visit_all(note, sockets);
}

void sockets_fini(struct sockets *sockets)
{
    free(sockets->inodes);
}

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un path;
};

static void describe_unix(const struct sockaddr_un *address, socklen_t size, char *text)
{
    size_t room = TEXT_SIZE - sizeof("unix:@"), start = offsetof(struct sockaddr_un, sun_path);
    size_t length = size > start ? size - start : 0;
    if (length == 0)
        snprintf(text, TEXT_SIZE, "a unix socket without a name");
    else if (address->sun_path[0] == '\0')
        snprintf(text, TEXT_SIZE, "unix:@%.*s", (int)(length - 1 < room ? length - 1 : room),
                 address->sun_path + 1);
    else
        snprintf(text, TEXT_SIZE, "unix:%.*s", (int)(length < room ? length : room), address->sun_path);
}

static void describe_address(const union socket_address *address, socklen_t size, char *text)
{
    char host[INET6_ADDRSTRLEN];
    if (address->any.sa_family == AF_UNIX)
        describe_unix(&address->path, size, text);
    else if (address->any.sa_family == AF_INET)
        snprintf(text, TEXT_SIZE, "%s:%u", inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof(host)),
                 ntohs(address->v4.sin_port));
    else if (address->any.sa_family == AF_INET6)
        snprintf(text, TEXT_SIZE, "[%s]:%u", inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof(host)),
                 ntohs(address->v6.sin6_port));
    else
        snprintf(text, TEXT_SIZE, "a socket of family %d", address->any.sa_family);
}

static int option(int fd, int name)
{
    int value = 0;
    socklen_t size = sizeof(value);
    getsockopt(fd, SOL_SOCKET, name, &value, &size);
    return value;
}

static const char *kind_of(int fd)
{
    if (option(fd, SO_ACCEPTCONN))
        return " (listening)";
    return option(fd, SO_TYPE) == SOCK_DGRAM ? " (datagrams)" : "";
}

/* Describes a socket by its peer, or by its own address when it has none. */
static void describe(int fd, char *text)
{
    union socket_address address;
    socklen_t size = sizeof(address);
    memset(&address, 0, sizeof(address));
    if (getpeername(fd, &address.any, &size) < 0) {
        size = sizeof(address);
        getsockname(fd, &address.any, &size);
    }
    describe_address(&address, size, text);
    size_t length = strlen(text);
    snprintf(text + length, TEXT_SIZE - length, "%s", kind_of(fd));
}

struct list_context {
    struct sockets known;
    struct listing *listing;
};

static void list(void *context, int fd, ino_t inode)
{
    struct list_context *list = context;
    char text[TEXT_SIZE];
    if (has(&list->known, inode))
        return;
    note(&list->known, fd, inode);
    describe(fd, text);
    listing_add(list->listing, "%s", text);
}

void sockets_list_new(const struct sockets *then, struct listing *listing)
{
    struct list_context context = {.listing = listing};
    for (size_t i = 0; i < then->count; i++)
        note(&context.known, -1, then->inodes[i]);
    visit_all(list, &context);
    sockets_fini(&context.known);
}
