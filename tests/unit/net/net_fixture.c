/*
 * A worker without processes, see net_fixture.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/h1.h"
#include "options/options_parse.h"
#include "options/options_table.h"
#include "options/options_values.h"

#include "net_fixture.h"

static void start(struct exchange *exchange, struct slice status)
{
    ck_assert_ptr_null(response_start(&exchange->response, status));
}

static void promise(struct exchange *exchange, struct slice length)
{
    ck_assert_ptr_null(response_add(&exchange->response, SLICE("Content-Length"), length));
}

static int say(struct exchange *exchange, const char *text)
{
    struct slice chunk = slice_of(text);
    return exchange_send(exchange, &chunk, 1);
}

static void end_or_cut(struct fixture *fixture, struct exchange *exchange, int r)
{
    fixture->sent_all = r == 0;
    if (r == 0)
        exchange_end(exchange);
    else
        exchange_cut(exchange);
}

static void run_hello(struct fixture *fixture, struct exchange *exchange)
{
    struct slice chunk = SLICE("hello");
    start(exchange, SLICE("200 OK"));
    exchange_head(exchange, true, chunk.size);
    fixture->sent_all = exchange_send(exchange, &chunk, 1) == 0;
    exchange_end(exchange);
}

static void run_pieces(struct fixture *fixture, struct exchange *exchange)
{
    start(exchange, SLICE("200 OK"));
    exchange_head(exchange, false, 0);
    fixture->sent_all = say(exchange, "one") == 0 && say(exchange, "two") == 0 && say(exchange, "three") == 0;
    exchange_end(exchange);
}

static void run_list(struct fixture *fixture, struct exchange *exchange)
{
    struct slice chunks[] = {SLICE("one"), SLICE("two"), SLICE("three")};
    start(exchange, SLICE("200 OK"));
    exchange_head(exchange, false, 0);
    fixture->sent_all = exchange_send(exchange, chunks, UNIT_ROWS(chunks)) == 0;
    exchange_end(exchange);
}

static void run_nothing(struct fixture *fixture, struct exchange *exchange)
{
    (void)fixture;
    start(exchange, SLICE("200 OK"));
    exchange_head(exchange, true, 0);
    exchange_end(exchange);
}

static void run_nothing_unknown(struct fixture *fixture, struct exchange *exchange)
{
    (void)fixture;
    start(exchange, SLICE("200 OK"));
    exchange_head(exchange, false, 0);
    exchange_end(exchange);
}

static void run_no_content(struct fixture *fixture, struct exchange *exchange)
{
    start(exchange, SLICE("204 No Content"));
    exchange_head(exchange, false, 0);
    fixture->sent_all = say(exchange, "not to be seen") == 0 && !exchange_wants_more(exchange);
    exchange_end(exchange);
}

/* "the file" is at offset 4. The answer announces `size` bytes of it. */
static void send_file(struct fixture *fixture, struct exchange *exchange, bool known, uint64_t size)
{
    char path[] = "/tmp/net_fixture-XXXXXX";
    int fd = mkstemp(path);
    unlink(path);
    ck_assert_int_eq(write(fd, "not the file", 12), 12);
    start(exchange, SLICE("200 OK"));
    exchange_head(exchange, known, size);
    off_t offset = 4;
    int r = exchange_send_file(exchange, fd, &offset, &size);
    close(fd);
    end_or_cut(fixture, exchange, r);
}

static void run_file(struct fixture *fixture, struct exchange *exchange)
{
    send_file(fixture, exchange, true, 8);
}

static void run_file_short(struct fixture *fixture, struct exchange *exchange)
{
    send_file(fixture, exchange, true, 10);
}

static void run_file_short_unknown(struct fixture *fixture, struct exchange *exchange)
{
    send_file(fixture, exchange, false, 10);
}

static void run_fail(struct fixture *fixture, struct exchange *exchange)
{
    (void)fixture;
    exchange_fail(exchange, 500, true);
}

static void run_fail_started(struct fixture *fixture, struct exchange *exchange)
{
    (void)fixture;
    start(exchange, SLICE("200 OK"));
    promise(exchange, SLICE("10"));
    exchange_head(exchange, false, 0);
    exchange_fail(exchange, 500, true);
}

static void run_fail_late(struct fixture *fixture, struct exchange *exchange)
{
    start(exchange, SLICE("200 OK"));
    exchange_head(exchange, false, 0);
    fixture->sent_all = say(exchange, "begun") == 0;
    exchange_fail(exchange, 500, true);
}

static void run_cut(struct fixture *fixture, struct exchange *exchange)
{
    (void)fixture;
    exchange_cut(exchange);
}

static void run_short(struct fixture *fixture, struct exchange *exchange)
{
    start(exchange, SLICE("200 OK"));
    promise(exchange, SLICE("10"));
    exchange_head(exchange, false, 0);
    fixture->sent_all = say(exchange, "short") == 0;
    exchange_end(exchange);
}

static void run_long(struct fixture *fixture, struct exchange *exchange)
{
    start(exchange, SLICE("200 OK"));
    promise(exchange, SLICE("5"));
    exchange_head(exchange, false, 0);
    fixture->sent_all =
        say(exchange, "hel") == 0 && say(exchange, "lo, world") == 0 && !exchange_wants_more(exchange);
    exchange_end(exchange);
}

static void run_echo(struct fixture *fixture, struct exchange *exchange)
{
    struct body_content content = body_take(&exchange->body);
    char *bytes = xmalloc(content.size);
    if (content.spool >= 0)
        ck_assert_int_eq(pread(content.spool, bytes, content.size, 0), (ssize_t)content.size);
    else if (content.size > 0)
        memcpy(bytes, content.memory, content.size);
    struct slice chunk = {bytes, content.size};
    start(exchange, SLICE("200 OK"));
    exchange_head(exchange, true, content.size);
    fixture->sent_all = exchange_send(exchange, &chunk, 1) == 0;
    free(bytes);
    body_content_free(&content);
    exchange_end(exchange);
}

char big_byte(size_t i)
{
    return (char)('a' + (i * 7 + i / 1000) % 26);
}

/* Blocks of 10,000 bytes, as fast as they are taken or can be kept. */
static int send_big(struct exchange *exchange, uint64_t size)
{
    char block[10000];
    int r = 0;
    for (uint64_t done = 0; r == 0 && done < size;) {
        struct slice chunk = {block, size - done < sizeof(block) ? (size_t)(size - done) : sizeof(block)};
        for (size_t i = 0; i < chunk.size; i++)
            block[i] = big_byte((size_t)done + i);
        r = exchange_send(exchange, &chunk, 1);
        if (r == 0 && exchange_is_full(exchange))
            r = exchange_wait(exchange);
        done += chunk.size;
    }
    return r;
}

/* The number behind the last slash; 0 when there is none. */
static uint64_t number_of(const struct exchange *exchange)
{
    uint64_t number = 0;
    struct slice path = exchange->request.path;
    const char *slash = memrchr(path.data, '/', path.size);
    slice_to_uint64((struct slice){slash + 1, (size_t)(path.data + path.size - slash - 1)}, &number);
    return number;
}

static void run_big(struct fixture *fixture, struct exchange *exchange)
{
    uint64_t size = number_of(exchange);
    start(exchange, SLICE("200 OK"));
    exchange_head(exchange, exchange->request.minor > 0, size);
    end_or_cut(fixture, exchange, send_big(exchange, size));
}

static void run_pause(struct fixture *fixture, struct exchange *exchange)
{
    start(exchange, SLICE("200 OK"));
    exchange_head(exchange, false, 0);
    int r = say(exchange, "before") + send_big(exchange, number_of(exchange));
    fixture->pause(fixture, exchange);
    end_or_cut(fixture, exchange, r + say(exchange, "after"));
}

static const struct {
    struct slice path;
    void (*run)(struct fixture *fixture, struct exchange *exchange);
} answers[] = {
    {SLICE("/hello"), run_hello},
    {SLICE("/pieces"), run_pieces},
    {SLICE("/list"), run_list},
    {SLICE("/nothing"), run_nothing},
    {SLICE("/nothing-unknown"), run_nothing_unknown},
    {SLICE("/no-content"), run_no_content},
    {SLICE("/file"), run_file},
    {SLICE("/file-short"), run_file_short},
    {SLICE("/file-short-unknown"), run_file_short_unknown},
    {SLICE("/fail"), run_fail},
    {SLICE("/fail-started"), run_fail_started},
    {SLICE("/fail-late"), run_fail_late},
    {SLICE("/cut"), run_cut},
    {SLICE("/short"), run_short},
    {SLICE("/long"), run_long},
    {SLICE("/echo"), run_echo},
    {SLICE("/big/"), run_big},
    {SLICE("/pause/"), run_pause},
};

static void run(void *context, struct exchange *exchange)
{
    struct slice path = exchange->request.path;
    for (size_t i = 0; i < UNIT_ROWS(answers); i++) {
        struct slice known = answers[i].path;
        bool open_end = known.data[known.size - 1] == '/';
        if (slice_eq((struct slice){path.data, open_end && path.size > known.size ? known.size : path.size},
                     known)) {
            answers[i].run(context, exchange);
            return;
        }
    }
    exchange_fail(exchange, 404, true);
}

static const struct handler handler = {.name = "fixture", .run = run};

static void note_answer(void *context, const struct exchange *exchange)
{
    struct fixture *fixture = context;
    if (fixture->answer_count == FIXTURE_ANSWERS)
        return;
    struct fixture_answer *answer = &fixture->answers[fixture->answer_count++];
    snprintf(answer->client, sizeof(answer->client), "%s", exchange_client(exchange)->address);
    bool late = exchange->late_status != 0;
    answer->status = late ? exchange->late_status : exchange->response.status;
    answer->size = late ? exchange->late_size : exchange->body_sent;
}

void fixture_start(struct fixture *fixture, const char *line)
{
    struct string_list words = {NULL, 0};
    char message[512], *arguments[32] = {"gateway"};
    char *const environment[] = {NULL};
    ck_assert_int_eq(words_split(line, &words), 0);
    ck_assert_uint_lt(words.count, UNIT_ROWS(arguments) - 2);
    for (size_t i = 0; i < words.count; i++)
        arguments[i + 1] = words.items[i];
    arguments[words.count + 1] = "a:b";
    memset(fixture, 0, sizeof(*fixture));
    ck_assert_msg(options_parse(&fixture->options, (int)words.count + 2, arguments, environment, NULL,
                                message, sizeof(message)) == 0,
                  "%s", message);
    string_list_free(&words);
    if (fixture->options.worker_connections == 0)
        fixture->options.worker_connections = 1000;
    signal(SIGPIPE, SIG_IGN);
    bool quiet = strcmp(fixture->options.error_logfile, "-") == 0;
    struct log_options log = {quiet ? "/dev/null" : fixture->options.error_logfile, LOG_DEBUG, false};
    ck_assert_int_eq(log_open(&log), 0);
    fixture->local = (struct local_endpoint){"localhost", "80", false};
    fixture->loop = loop_new(&fixture->options, &handler, &fixture->row);
    fixture->loop->answered = note_answer;
    fixture->loop->answered_context = fixture;
}

void fixture_turn(struct fixture *fixture)
{
    struct exchange *exchange;
    loop_turn(fixture->loop, false);
    while ((exchange = loop_take_ready(fixture->loop)) != NULL) {
        handler.run(fixture, exchange);
        exchange_finish(exchange);
    }
}

void fixture_await_open(struct fixture *fixture, size_t count)
{
    for (int i = 0; i < 10000 && (fixture->loop->open_count != count || fixture->loop->deferred != NULL);
         i++) {
        fixture_turn(fixture);
        if (i > 10)
            usleep(2000);
    }
    ck_assert_uint_eq(fixture->loop->open_count, count);
    ck_assert_uint_eq(scoreboard_get(fixture->loop->row->connections), count);
}

void fixture_stop(struct fixture *fixture)
{
    fixture_await_open(fixture, 0);
    ck_assert_uint_eq(fixture->loop->ready_count, 0);
    loop_free(fixture->loop);
    options_free(&fixture->options);
}

static void set_non_blocking(int fd)
{
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

static void open_client(struct client *client, struct fixture *fixture, int ours, int theirs)
{
    struct peer_endpoint peer = {.address = "192.0.2.7", .port = "4711"};
    *client = (struct client){.fd = theirs, .got = xstrdup("")};
    set_non_blocking(ours);
    set_non_blocking(theirs);
    conn_accept(fixture->loop, &h1_protocol, ours, &fixture->local, &peer);
}

void client_open_tcp(struct client *client, struct fixture *fixture)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int small = 4096;
    int listening = socket(AF_INET, SOCK_STREAM, 0), theirs = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listening, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(listening, 1), 0);
    ck_assert_int_eq(getsockname(listening, (struct sockaddr *)&address, &size), 0);
    setsockopt(theirs, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    ck_assert_int_eq(connect(theirs, (struct sockaddr *)&address, size), 0);
    int ours = accept(listening, NULL, NULL);
    close(listening);
    setsockopt(ours, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
    open_client(client, fixture, ours, theirs);
}

void client_open_unix(struct client *client, struct fixture *fixture)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    open_client(client, fixture, pair[0], pair[1]);
}

void client_close(struct client *client)
{
    close(client->fd);
    free(client->got);
    client->got = NULL;
}

void client_receive(struct client *client)
{
    char bytes[16384];
    ssize_t n;
    while (client->end == CLIENT_OPEN && (n = recv(client->fd, bytes, sizeof(bytes), 0)) >= 0) {
        if (n == 0)
            client->end = CLIENT_ENDED;
        if (client->size + (size_t)n + 1 > client->capacity) {
            client->capacity = 2 * (client->size + (size_t)n + 1);
            client->got = xrealloc(client->got, client->capacity);
        }
        memcpy(client->got + client->size, bytes, (size_t)n);
        client->size += (size_t)n;
        client->got[client->size] = '\0';
    }
    if (client->end == CLIENT_OPEN && errno != EAGAIN)
        client->end = CLIENT_RESET;
}

/* Bytes that a closed server does not take are lost, as in life. */
void client_send(struct client *client, struct fixture *fixture, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = send(client->fd, bytes, size, MSG_NOSIGNAL);
        fixture_turn(fixture);
        if (n < 0 && errno != EAGAIN)
            return;
        if (n > 0)
            bytes += n, size -= (size_t)n;
    }
}

void client_say(struct client *client, struct fixture *fixture, const char *text)
{
    client_send(client, fixture, text, strlen(text));
}

void client_await(struct client *client, struct fixture *fixture, size_t size, enum client_end end, int ms)
{
    uint64_t deadline = clock_ms() + (uint64_t)ms;
    do {
        struct pollfd wait_for = {.fd = client->fd, .events = POLLIN};
        size_t before = client->size;
        fixture_turn(fixture);
        client_receive(client);
        if (client->size == before)
            poll(&wait_for, client->end == CLIENT_OPEN ? 1 : 0, 2);
    } while ((client->size < size || client->end != end) && clock_ms() < deadline);
    for (int i = 0; i < 4; i++) {
        fixture_turn(fixture);
        client_receive(client);
    }
}

char *client_transcript(const struct client *client)
{
    static const char server[] = "Server: gateway\r\nDate: ", example[] = "Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    char *text = xmalloc(client->size + 1), *out = text;
    for (size_t i = 0; i < client->size;) {
        const char *at = client->got + i;
        size_t size = sizeof(server) - 1 + sizeof(example) - 1;
        if (client->size - i >= size && memcmp(at, server, sizeof(server) - 1) == 0 &&
            memcmp(at + size - 6, " GMT\r\n", 6) == 0) {
            memcpy(out, "~\r\n", 3);
            out += 3;
            i += size;
        } else {
            *out++ = client->got[i++];
        }
    }
    *out = '\0';
    return text;
}
