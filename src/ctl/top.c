/* The verb top: samples, frames, and a terminal with its keys and its clock. */
#include "ctl/top.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/slice.h"

/* A service that does not answer in this time counts as gone. */
enum { PATIENCE_SECONDS = 5 };

/* Lines of a screen outside the tables' rows: two about the service, an empty one, two heads and an
 * empty one between the tables. */
enum { FIXED_ROWS = 6 };

static enum client_outcome take(char **text, const char *path, const char *verb, char *message, size_t size)
{
    size_t length;
    FILE *out = open_memstream(text, &length);
    if (out == NULL)
        abort();
    enum client_outcome outcome = client_ask(path, verb, PATIENCE_SECONDS, out, message, size);
    fclose(out);
    return outcome;
}

enum client_outcome top_take(struct top_sample *sample, const char *path, char *message, size_t size)
{
    enum client_outcome outcome;
    *sample = (struct top_sample){.at_ms = clock_ns() / 1000000};
    if ((outcome = take(&sample->status, path, "status", message, size)) == CLIENT_OK &&
        (outcome = take(&sample->workers, path, "workers", message, size)) == CLIENT_OK)
        outcome = take(&sample->requests, path, "requests", message, size);
    if (outcome != CLIENT_OK)
        top_free(sample);
    return outcome;
}

void top_free(struct top_sample *sample)
{
    free(sample->status);
    free(sample->workers);
    free(sample->requests);
    *sample = (struct top_sample){.at_ms = 0};
}

/* The next line of the text; its data is NULL after the last. */
static struct slice next_line(const char **text)
{
    if (**text == '\0')
        return (struct slice){NULL, 0};
    struct slice line = {*text, strcspn(*text, "\n")};
    *text += line.size + (line.data[line.size] == '\n');
    return line;
}

/* The value behind that name in a status. */
static struct slice value_of(const char *status, const char *name)
{
    struct slice line;
    size_t size = strlen(name);
    while ((line = next_line(&status)).data != NULL)
        if (line.size > size && memcmp(line.data, name, size) == 0 && line.data[size] == ' ')
            return slice_trim((struct slice){line.data + size, line.size - size});
    return SLICE("?");
}

/* Counts the lines after the head. */
static unsigned count_rows(const char *text)
{
    unsigned count = 0;
    while (next_line(&text).data != NULL)
        count++;
    return count > 0 ? count - 1 : 0;
}

/* Cuts the line at the width of the screen. The text is UTF-8: only the first byte of a sequence
 * counts. */
static void print_line(FILE *out, const struct top_screen *screen, struct slice line)
{
    unsigned width = 0;
    for (size_t i = 0; i < line.size; i++) {
        width += (line.data[i] & 0xc0) != 0x80;
        if (screen->columns > 0 && width > screen->columns)
            return;
        putc(line.data[i], out);
    }
}

static void print_styled(FILE *out, const struct top_screen *screen, const char *style, struct slice line)
{
    if (screen->colour)
        fprintf(out, "\033[%sm", style);
    print_line(out, screen, line);
    if (screen->colour)
        fputs("\033[0m", out);
}

/* Prints the head, and the rows that fit into `room` lines. */
static void print_table(FILE *out, const struct top_screen *screen, const char *text, unsigned room,
                        const char *end)
{
    unsigned left = count_rows(text);
    print_styled(out, screen, "7", next_line(&text));
    for (; left > 0; left--) {
        fputs(end, out);
        if (room-- == 1 && left > 1) {
            fprintf(out, "... and %u more", left);
            return;
        }
        print_line(out, screen, next_line(&text));
    }
}

static void describe_rate(const struct top_sample *now, const struct top_sample *before, char *out,
                          size_t size)
{
    uint64_t count, count_before;
    if (before == NULL || now->at_ms <= before->at_ms ||
        slice_to_uint64(value_of(now->status, "requests"), &count) < 0 ||
        slice_to_uint64(value_of(before->status, "requests"), &count_before) < 0 || count < count_before)
        snprintf(out, size, "-");
    else
        snprintf(out, size, "%.1f",
                 (double)(count - count_before) * 1000 / (double)(now->at_ms - before->at_ms));
}

#define ARGUMENTS(slice) (int)(slice).size, (slice).data

static void print_head(FILE *out, const struct top_sample *now, const struct top_sample *before,
                       const struct top_screen *screen, const char *end)
{
    const char *status = now->status;
    char line[512], rate[32];
    struct slice version = value_of(status, "version"), application = value_of(status, "application"),
                 uptime = value_of(status, "uptime"), phase = value_of(status, "phase"),
                 generation = value_of(status, "generation"), workers = value_of(status, "workers"),
                 connections = value_of(status, "connections"), calls = value_of(status, "calls"),
                 restarts = value_of(status, "restarts");
    describe_rate(now, before, rate, sizeof(rate));
    snprintf(line, sizeof(line), "gateway %.*s  %.*s  up %.*s  generation %.*s  %.*s", ARGUMENTS(version),
             ARGUMENTS(application), ARGUMENTS(uptime), ARGUMENTS(generation), ARGUMENTS(phase));
    print_styled(out, screen, "1", slice_of(line));
    fputs(end, out);
    snprintf(line, sizeof(line), "%s requests/s  %.*s connections  %.*s calls  %.*s restarts  workers: %.*s",
             rate, ARGUMENTS(connections), ARGUMENTS(calls), ARGUMENTS(restarts), ARGUMENTS(workers));
    print_line(out, screen, slice_of(line));
    fputs(end, out);
    fputs(end, out);
}

/* The share of `room` lines: half, or the lines that the other table does not need. */
static unsigned share(unsigned room, unsigned wanted, unsigned other)
{
    unsigned half = room / 2, rest = other < room ? room - other : 0;
    unsigned mine = rest > half ? rest : half;
    return wanted < mine ? wanted : mine;
}

void top_print(FILE *out, const struct top_sample *now, const struct top_sample *before,
               const struct top_screen *screen, const char *end)
{
    unsigned workers = count_rows(now->workers), requests = count_rows(now->requests);
    unsigned room = screen->rows > FIXED_ROWS + 2 ? screen->rows - FIXED_ROWS : 2;
    if (screen->rows == 0)
        room = workers + requests;
    print_head(out, now, before, screen, end);
    print_table(out, screen, now->workers, share(room, workers, requests), end);
    fputs(end, out);
    fputs(end, out);
    print_table(out, screen, now->requests, share(room, requests, workers), end);
}

/* The alternate screen without a cursor, and back. */
static const char enter_screen[] = "\033[?1049h\033[?25l", leave_screen[] = "\033[?25h\033[?1049l";

static const int end_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
enum { END_SIGNALS = sizeof(end_signals) / sizeof(end_signals[0]) };

static volatile sig_atomic_t is_over;

struct terminal {
    bool has_keys;          /* standard input is a terminal, too */
    struct termios before;  /* the settings at the start */
    sigset_t mask, waiting; /* signals are delivered only while top waits */
};

static void note_end(int signal)
{
    (void)signal;
    is_over = 1;
}

/* The size is read before each frame. */
static void note_resize(int signal)
{
    (void)signal;
}

static void take_signals(struct terminal *terminal)
{
    struct sigaction action = {.sa_handler = note_end};
    sigset_t ours;
    sigemptyset(&ours);
    for (int i = 0; i < END_SIGNALS; i++) {
        sigaction(end_signals[i], &action, NULL);
        sigaddset(&ours, end_signals[i]);
    }
    action.sa_handler = note_resize;
    sigaction(SIGWINCH, &action, NULL);
    sigaddset(&ours, SIGWINCH);
    sigprocmask(SIG_BLOCK, &ours, &terminal->mask);
    terminal->waiting = terminal->mask;
    for (int i = 0; i < END_SIGNALS; i++)
        sigdelset(&terminal->waiting, end_signals[i]);
    sigdelset(&terminal->waiting, SIGWINCH);
}

/* Keys come one by one, and Ctrl-C as a key: no operation needs to be interrupted. */
static void open_terminal(struct terminal *terminal)
{
    take_signals(terminal);
    terminal->has_keys = tcgetattr(STDIN_FILENO, &terminal->before) == 0;
    if (terminal->has_keys) {
        struct termios keys = terminal->before;
        keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
        keys.c_cc[VMIN] = 1;
        keys.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSADRAIN, &keys);
    }
    fputs(enter_screen, stdout);
}

static void close_terminal(const struct terminal *terminal)
{
    fputs(leave_screen, stdout);
    fflush(stdout);
    if (terminal->has_keys)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal->before);
    sigprocmask(SIG_SETMASK, &terminal->mask, NULL);
}

static struct top_screen screen_now(void)
{
    const char *no_colour = getenv("NO_COLOR");
    struct winsize size = {.ws_row = 0};
    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    return (struct top_screen){
        .rows = size.ws_row > 0 ? size.ws_row : 24,
        .columns = size.ws_col > 0 ? size.ws_col : 80,
        .colour = no_colour == NULL || *no_colour == '\0',
    };
}

/* Overwrites the frame before, so that the screen does not flicker. */
static void draw(const struct top_sample *now, const struct top_sample *before)
{
    struct top_screen screen = screen_now();
    fputs("\033[H", stdout);
    top_print(stdout, now, before, &screen, "\033[K\n");
    fputs("\033[K\033[J", stdout);
    fflush(stdout);
}

static bool is_end(char key)
{
    return key == 'q' || key == 'Q' || key == 3 /* Ctrl-C */;
}

static void read_key(struct terminal *terminal)
{
    char key;
    ssize_t n = read(STDIN_FILENO, &key, 1);
    if (n > 0 && is_end(key))
        is_over = 1;
    else if (n <= 0)
        terminal->has_keys = false;
}

/* Waits until the next sample. Redraws the screen when it was resized meanwhile. */
static void pass_time(struct terminal *terminal, uint64_t until_ms, const struct top_sample *now,
                      const struct top_sample *before)
{
    struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};
    uint64_t time;
    while (!is_over && (time = clock_ns() / 1000000) < until_ms) {
        uint64_t left = until_ms - time;
        struct timespec wait = {.tv_sec = (time_t)(left / 1000), .tv_nsec = (long)(left % 1000 * 1000000)};
        keys.revents = 0;
        int n = ppoll(&keys, terminal->has_keys ? 1 : 0, &wait, &terminal->waiting);
        if (n > 0)
            read_key(terminal);
        else if (n < 0 && !is_over)
            draw(now, before);
    }
}

static enum client_outcome watch(struct terminal *terminal, const char *path, int64_t interval_ms,
                                 struct top_sample *now, char *message, size_t size)
{
    struct top_sample before = {.at_ms = 0}, next;
    enum client_outcome outcome = CLIENT_OK;
    while (!is_over && outcome == CLIENT_OK) {
        const struct top_sample *last = before.status != NULL ? &before : NULL;
        draw(now, last);
        pass_time(terminal, now->at_ms + (uint64_t)interval_ms, now, last);
        if (!is_over && (outcome = top_take(&next, path, message, size)) == CLIENT_OK) {
            top_free(&before);
            before = *now;
            *now = next;
        }
    }
    top_free(&before);
    return outcome;
}

enum client_outcome top_run(const char *path, int64_t interval_ms, char *message, size_t size)
{
    static const struct top_screen endless = {.rows = 0};
    struct top_sample now;
    struct terminal terminal;
    enum client_outcome outcome = top_take(&now, path, message, size);
    if (outcome != CLIENT_OK)
        return outcome;
    if (isatty(STDOUT_FILENO)) {
        open_terminal(&terminal);
        outcome = watch(&terminal, path, interval_ms, &now, message, size);
        close_terminal(&terminal);
    } else {
        top_print(stdout, &now, NULL, &endless, "\n");
        putchar('\n');
    }
    top_free(&now);
    return outcome;
}
