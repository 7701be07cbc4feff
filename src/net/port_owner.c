/* The owner of a port: from address to inode by /proc/net, from inode to process by
 * /proc/PID/fd. */
#include "net/port_owner.h"

#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    HOST_MAX = 33,      /* digits of an IPv6 address, and the NUL */
    LISTENS = 0x0a,     /* TCP_LISTEN, in /proc/net/tcp */
    ACCEPTS = 0x10000,  /* __SO_ACCEPTCON, in /proc/net/unix */
    NAME_MAX_SIZE = 64, /* of a process, or of a socket in a list of descriptors */
};

static bool is_wildcard(const char *host)
{
    return host[strspn(host, "0")] == '\0';
}

/* /proc/net/tcp writes the words of an address as they are in memory. */
static void host_in_hex(const struct sockaddr *address, char host[HOST_MAX])
{
    if (address->sa_family == AF_INET) {
        snprintf(host, HOST_MAX, "%08X", ((const struct sockaddr_in *)address)->sin_addr.s_addr);
        return;
    }
    uint32_t words[4];
    memcpy(words, &((const struct sockaddr_in6 *)address)->sin6_addr, sizeof(words));
    snprintf(host, HOST_MAX, "%08X%08X%08X%08X", words[0], words[1], words[2], words[3]);
}

static unsigned port_of(const struct sockaddr *address)
{
    return ntohs(address->sa_family == AF_INET ? ((const struct sockaddr_in *)address)->sin_port
                                               : ((const struct sockaddr_in6 *)address)->sin6_port);
}

/* Reads a line of /proc/net/tcp: the inode, or 0 when the socket is not in the way. */
static unsigned long tcp_inode(const char *line, const void *wanted)
{
    const struct sockaddr *address = wanted;
    unsigned port, state;
    unsigned long inode;
    char host[HOST_MAX], own[HOST_MAX];
    if (sscanf(line, " %*u: %32[0-9A-F]:%x %*s %x %*s %*s %*s %*u %*u %lu", host, &port, &state, &inode) != 4)
        return 0;
    host_in_hex(address, own);
    bool same_port = port == port_of(address);
    bool same_host = strcmp(host, own) == 0 || is_wildcard(host) || is_wildcard(own);
    return state == LISTENS && same_port && same_host ? inode : 0;
}

/* Reads a line of /proc/net/unix. The name of an abstract socket begins with "@" there. */
static unsigned long unix_inode(const char *line, const void *wanted)
{
    unsigned flags;
    unsigned long inode;
    int path = 0;
    if (sscanf(line, "%*x: %*x %*x %x %*x %*x %lu %n", &flags, &inode, &path) < 2 || path == 0)
        return 0;
    return (flags & ACCEPTS) != 0 && strcmp(line + path, wanted) == 0 ? inode : 0;
}

/* True when a process has the socket, which its list of descriptors names "socket:[INODE]". */
static bool has_socket(const char *pid, const char *name)
{
    char path[300], link[NAME_MAX_SIZE];
    snprintf(path, sizeof(path), "/proc/%s/fd", pid);
    DIR *directory = opendir(path);
    const struct dirent *entry;
    bool found = false;
    if (directory == NULL)
        return false;
    while (!found && (entry = readdir(directory)) != NULL) {
        ssize_t size = readlinkat(dirfd(directory), entry->d_name, link, sizeof(link) - 1);
        link[size > 0 ? size : 0] = '\0';
        found = strcmp(link, name) == 0;
    }
    closedir(directory);
    return found;
}

static void name_socket(unsigned long inode, char name[NAME_MAX_SIZE])
{
    snprintf(name, NAME_MAX_SIZE, "socket:[%lu]", inode);
}

/* The advice to stop the process that asks would help no user. */
static bool is_own(unsigned long inode)
{
    char name[NAME_MAX_SIZE];
    name_socket(inode, name);
    return has_socket("self", name);
}

/* The first inode that `inode_of` finds in a table of /proc/net, or 0. */
static unsigned long search(const char *table, unsigned long (*inode_of)(const char *, const void *),
                            const void *wanted)
{
    FILE *file = fopen(table, "re");
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    unsigned long inode = 0;
    if (file == NULL)
        return 0;
    while (inode == 0 && (size = getline(&line, &room, file)) > 0) {
        line[size - 1] = '\0';
        inode = inode_of(line, wanted);
        if (inode != 0 && is_own(inode))
            inode = 0;
    }
    free(line);
    fclose(file);
    return inode;
}

static unsigned long find_inode(const struct sockaddr *address, socklen_t size)
{
    if (address->sa_family == AF_UNIX) {
        const struct sockaddr_un *un = (const struct sockaddr_un *)address;
        char path[sizeof(un->sun_path) + 1];
        snprintf(path, sizeof(path), "%s%.*s", un->sun_path[0] == '\0' ? "@" : "",
                 (int)(size - offsetof(struct sockaddr_un, sun_path)) - (un->sun_path[0] == '\0'),
                 un->sun_path + (un->sun_path[0] == '\0'));
        return search("/proc/net/unix", unix_inode, path);
    }
    unsigned long inode = search("/proc/net/tcp", tcp_inode, address);
    return inode != 0 ? inode : search("/proc/net/tcp6", tcp_inode, address);
}

/* The command line is not shown: it may hold secrets. */
static void read_name(long pid, char name[NAME_MAX_SIZE])
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL || fgets(name, NAME_MAX_SIZE, file) == NULL)
        name[0] = '\0';
    name[strcspn(name, "\n")] = '\0';
    if (file != NULL)
        fclose(file);
}

bool port_owner_find(const struct sockaddr *address, socklen_t size, char *text, size_t text_size)
{
    char name[NAME_MAX_SIZE];
    long lowest = 0;
    unsigned long inode = find_inode(address, size);
    DIR *processes = inode != 0 ? opendir("/proc") : NULL;
    const struct dirent *entry;
    text[0] = '\0';
    if (processes == NULL)
        return false;
    name_socket(inode, name);
    while ((entry = readdir(processes)) != NULL) {
        long pid = strtol(entry->d_name, NULL, 10);
        if (pid > 0 && (lowest == 0 || pid < lowest) && has_socket(entry->d_name, name))
            lowest = pid;
    }
    closedir(processes);
    if (lowest == 0)
        return false;
    read_name(lowest, name);
    snprintf(text, text_size, "process %ld (%s)", lowest, name);
    return true;
}
