/* A request to a service over its control socket. */
#include "ctl/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"

static const char *reason(int error)
{
    if (error == ENOENT)
        return "there is no such file; is the service running, and with this --control-socket?";
    if (error == ECONNREFUSED)
        return "nobody listens there; the service has ended";
    return strerror(error);
}

/* Opens a socket; or -1 and errno. */
static int open_socket(const char *path, unsigned seconds)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = seconds};
    size_t length = strlen(path);
    if (length >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, length);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* Whether only root and the file's owner can change the file and its directory. Then the path tells
 * whose service answers. */
static bool owns(uid_t user, const char *path)
{
    struct stat file, above;
    char *directory = xstrdup(path), *slash = strrchr(directory, '/');
    if (slash != NULL)
        slash[slash == directory] = '\0';
    bool good = lstat(path, &file) == 0 && stat(slash != NULL ? directory : ".", &above) == 0 &&
                file.st_uid == user && (above.st_uid == user || above.st_uid == 0) &&
                (above.st_mode & 022) == 0;
    free(directory);
    return good;
}

/* Warns that any user can listen at a path in a directory that any user can write to. Once, also in
 * top. */
static void tell_of_stranger(int fd, const char *path)
{
    static bool told;
    struct ucred peer;
    socklen_t size = sizeof(peer);
    if (told || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.uid == 0 ||
        peer.uid == geteuid() || owns(peer.uid, path))
        return;
    told = true;
    fprintf(stderr,
            "gatewayctl: process %d of user %u answers, which is neither root nor the owner of the service\n",
            (int)peer.pid, (unsigned)peer.uid);
}

static void print_line(FILE *out, const char *line, size_t size)
{
    struct text text;
    text_init(&text);
    text_add_plain(&text, line, size, false);
    fprintf(out, "%.*s\n", (int)text.size, text.data);
    text_fini(&text);
}

/* The last line of the response is its outcome. */
static enum client_outcome read_answer(FILE *in, FILE *out, char *message, size_t size)
{
    static const char failed[] = "failed: ";
    enum client_outcome outcome = CLIENT_UNREACHABLE;
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    snprintf(message, size, "the service has not finished its answer");
    while (outcome == CLIENT_UNREACHABLE && (length = getline(&line, &room, in)) > 0) {
        if (line[length - 1] == '\n')
            line[--length] = '\0';
        if (line[0] == ' ') {
            print_line(out, line + 1, (size_t)length - 1);
        } else if (strncmp(line, failed, sizeof(failed) - 1) == 0) {
            snprintf(message, size, "%s", line + sizeof(failed) - 1);
            outcome = CLIENT_FAILED;
        } else if (strcmp(line, "ok") == 0) {
            outcome = CLIENT_OK;
        }
    }
    free(line);
    return outcome;
}

enum client_outcome client_ask(const char *path, const char *request, unsigned seconds, FILE *out,
                               char *message, size_t size)
{
    int fd = open_socket(path, seconds);
    FILE *in = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (in == NULL) {
        snprintf(message, size, "%s: %s", path, reason(errno));
        return CLIENT_UNREACHABLE;
    }
    tell_of_stranger(fd, path);
    /* A service that refuses the user closes without reading the request. */
    char *line = xasprintf("%s\n", request);
    ssize_t sent = send(fd, line, strlen(line), MSG_NOSIGNAL);
    (void)sent;
    free(line);
    enum client_outcome outcome = read_answer(in, out, message, size);
    fclose(in);
    return outcome;
}
