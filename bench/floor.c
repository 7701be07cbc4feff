/*
 * The floor of the benchmark: what the kernel alone costs.
 *
 * A bare epoll loop that sends the same bytes as the ten-line app behind gateway whenever anything at all has
 * arrived. It is not an HTTP server: it parses nothing, keeps no time and knows a connection only by number.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BODY_SIZE = 10000, HEAD_SIZE = 512, EVENTS = 512, ACCEPTS = 16, BACKLOG = 4096 };

struct floor_options {
    const char *host;
    int port;
    int processes;
    bool close;
    bool defer;
};

static char answer[HEAD_SIZE + BODY_SIZE];
static size_t answer_size;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* The date is that of the start: keeping it right is what a server costs, so it is not in the floor. */
static void answer_init(bool closing)
{
    char date[64];
    time_t now = time(NULL);

    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime(&now));
    int head = snprintf(answer, HEAD_SIZE,
                        "HTTP/1.1 200 OK\r\nServer: gateway\r\nDate: %s\r\n"
                        "Content-Type: text/plain\r\nContent-Length: %d\r\n%s\r\n",
                        date, BODY_SIZE, closing ? "Connection: close\r\n" : "");
    memset(answer + head, 'x', BODY_SIZE);
    answer_size = (size_t)head + BODY_SIZE;
}

static int listener_open(const struct floor_options *options)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (inet_pton(AF_INET, options->host, &address.sin_addr) != 1) {
        fprintf(stderr, "floor: %s is not an IPv4 address\n", options->host);
        exit(2);
    }
    if (fd < 0)
        die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){1}, sizeof(int));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (options->defer)
        setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &(int){1}, sizeof(int));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        die("bind");
    if (listen(fd, BACKLOG) < 0)
        die("listen");
    return fd;
}

/* The answer fits an empty socket buffer; waiting for room is for the rare client whose ACK is late. */
static bool answer_send(int fd)
{
    size_t sent = 0;

    for (;;) {
        ssize_t n = send(fd, answer + sent, answer_size - sent, MSG_NOSIGNAL);
        if (n > 0)
            sent += (size_t)n;
        if (sent == answer_size)
            return true;
        if (n < 0 && errno != EAGAIN)
            return false;
        if (n < 0 && poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, 1000) <= 0)
            return false;
    }
}

/* Answers what has arrived on fd. False when the connection has ended and was closed. */
static bool connection_serve(int fd, bool closing)
{
    char request[4096];
    ssize_t n = recv(fd, request, sizeof(request), 0);

    if (n < 0 && errno == EAGAIN)
        return true;
    if (n > 0 && answer_send(fd) && !closing)
        return true;
    close(fd);
    return false;
}

/*
 * Level-triggered, so it may stop before EAGAIN. A connection that is to be closed is served before epoll
 * hears of it: when its request came along with it, it needs no registration at all.
 */
static void listener_accept(int listener, int epoll, bool closing)
{
    for (int i = 0; i < ACCEPTS; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        if (closing && !connection_serve(fd, closing))
            continue;
        struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = fd};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
            die("epoll_ctl");
    }
}

static void loop_run(const struct floor_options *options)
{
    struct epoll_event events[EVENTS];
    int listener = listener_open(options);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};

    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0)
        die("epoll");
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        if (count < 0 && errno != EINTR)
            die("epoll_wait");
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener)
                listener_accept(listener, epoll, options->close);
            else
                connection_serve(events[i].data.fd, options->close);
        }
    }
}

static bool options_parse(struct floor_options *options, int argc, char **argv)
{
    static const struct option flags[] = {
        {"host", required_argument, NULL, 'h'},      {"port", required_argument, NULL, 'p'},
        {"processes", required_argument, NULL, 'n'}, {"close", no_argument, NULL, 'c'},
        {"defer", no_argument, NULL, 'd'},           {0},
    };
    for (int flag; (flag = getopt_long(argc, argv, "", flags, NULL)) != -1;) {
        switch (flag) {
        case 'h':
            options->host = optarg;
            break;
        case 'p':
            options->port = atoi(optarg);
            break;
        case 'n':
            options->processes = atoi(optarg);
            break;
        case 'c':
            options->close = true;
            break;
        case 'd':
            options->defer = true;
            break;
        default:
            return false;
        }
    }
    return options->port > 0 && options->port < 65536 && options->processes > 0 && optind == argc;
}

int main(int argc, char **argv)
{
    struct floor_options options = {.host = "127.0.0.1", .processes = 1};

    if (!options_parse(&options, argc, argv)) {
        fprintf(stderr, "usage: floor --port N [--host IPV4] [--processes N] [--close] [--defer]\n");
        return 2;
    }
    answer_init(options.close);
    for (int i = 1; i < options.processes; i++) {
        pid_t pid = fork();
        if (pid < 0)
            die("fork");
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            break;
        }
    }
    loop_run(&options);
}
