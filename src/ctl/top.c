/* top on a terminal: the screen, the keys and the clock. */
#include "ctl/top.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"

/* The alternate screen without a cursor, and back. */
static const char enter_screen[] = "\033[?1049h\033[?25l", leave_screen[] = "\033[?25h\033[?1049l";

static const int end_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
enum { END_SIGNALS = sizeof(end_signals) / sizeof(end_signals[0]) };

static volatile sig_atomic_t is_over;

struct terminal {
    bool has_keys;          /* standard input is one too */
    struct termios before;  /* then */
    sigset_t mask, waiting; /* signals come only while we wait */
};

static void note_end(int signal)
{
    (void)signal;
    is_over = 1;
}

/* The size is asked for before each frame. */
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

/* Keys come one by one, Ctrl-C too: there is nothing to be stopped in the middle of. */
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

/* Over what is there, so that nothing flickers. */
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

/* Until it is time for the next sample. The screen that was resized meanwhile is drawn anew. */
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
