/* gatewayctl: sends a request to a running service, over its control socket. */
#include "config.h"

#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "ctl/client.h"
#include "ctl/top.h"
#include "options/completion.h"
#include "options/control_verbs.h"
#include "options/name_distance.h"
#include "options/options.h"
#include "options/options_values.h"

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_UNREACHABLE };
enum { MESSAGE_SIZE = 2048, HELP_MANUAL = 256, HELP_BASH, HELP_ZSH, HELP_FISH, INTERVAL_MIN_MS = 100 };

static const int exits[] = {
    [CLIENT_OK] = EXIT_OK,
    [CLIENT_FAILED] = EXIT_FAILED,
    [CLIENT_UNREACHABLE] = EXIT_UNREACHABLE,
};

/* The only verb that is not a request. */
static const struct control_verb top = {"top", "[--interval TIME]",
                                        "Show all of this live on a terminal; q quits."};

static int complain(int status, const char *message)
{
    struct text text;
    text_init(&text);
    text_add_plain(&text, message, strlen(message), false);
    fprintf(stderr, "gatewayctl: %.*s\n", (int)text.size, text.data);
    text_fini(&text);
    return status;
}

static void help_verb(const struct control_verb *verb)
{
    char synopsis[64];
    snprintf(synopsis, sizeof(synopsis), "%s %s", verb->name, verb->arguments);
    printf("  %-24s %s\n", synopsis, verb->help);
}

static void help(void)
{
    puts("usage: gatewayctl [-s PATH] VERB\n");
    for (size_t i = 0; i < control_verb_count; i++)
        help_verb(&control_verbs[i]);
    help_verb(&top);
    puts("\n  -s, --socket PATH        The --control-socket of the service [$GATEWAY_CONTROL_SOCKET].\n"
         "  -v, --version            Print the version and exit.\n"
         "  -h, --help               Print this help and exit.");
}

/* Prints a verb as mdoc, for the manual page. */
static void manual_verb(const struct control_verb *verb)
{
    printf(".It Cm %s", verb->name);
    if (*verb->arguments != '\0')
        printf(" Li \"%s\"", verb->arguments);
    printf("\n%s\n", verb->help);
}

static void manual(void)
{
    for (size_t i = 0; i < control_verb_count; i++)
        manual_verb(&control_verbs[i]);
    manual_verb(&top);
}

/* Joins the arguments with blanks. */
static char *join(int count, char **words)
{
    char *line = xstrdup("");
    for (int i = 0; i < count; i++) {
        char *longer = xasprintf("%s%s%s", line, i > 0 ? " " : "", words[i]);
        free(line);
        line = longer;
    }
    return line;
}

static bool is_nearest_to_top(const char *verb)
{
    size_t size = strlen(verb), distance = name_distance(verb, size, top.name);
    for (size_t i = 0; i < control_verb_count; i++)
        if (name_distance(verb, size, control_verbs[i].name) <= distance)
            return false;
    return true;
}

/* top [--interval TIME] */
static int run_top(const char *path, int count, char **words)
{
    char message[MESSAGE_SIZE];
    int64_t interval_ms = 1000;
    bool has_interval = count == 3 && strcmp(words[1], "--interval") == 0;
    if (count > 1 && !has_interval)
        return complain(EXIT_USAGE, "\"top [--interval TIME]\" is expected");
    if (has_interval && (options_parse_time(words[2], &interval_ms) < 0 || interval_ms < INTERVAL_MIN_MS))
        return complain(EXIT_USAGE, "--interval: a time of 100ms or more is expected");
    enum client_outcome outcome = top_run(path, interval_ms, message, sizeof(message));
    return outcome == CLIENT_OK ? EXIT_OK : complain(exits[outcome], message);
}

static int ask(const char *path, int count, char **words)
{
    char message[MESSAGE_SIZE];
    struct slice argument;
    char *request = join(count, words);
    int status = EXIT_OK;
    if (control_parse(slice_of(request), &argument, message, sizeof(message)) < 0) {
        if (is_nearest_to_top(words[0]))
            snprintf(message, sizeof(message), "there is no \"%s\"; did you mean \"top\"?", words[0]);
        status = complain(EXIT_USAGE, message);
    } else {
        enum client_outcome outcome = client_ask(path, request, 0, stdout, message, sizeof(message));
        fflush(stdout); /* before the message about it */
        if (outcome != CLIENT_OK)
            status = complain(exits[outcome], message);
    }
    free(request);
    return status;
}

static int run(const char *path, int count, char **words)
{
    if (count == 0)
        return complain(EXIT_USAGE, "say what to do: gatewayctl --help has the verbs");
    if (path == NULL || *path == '\0')
        return complain(EXIT_USAGE, "say where the service's --control-socket is: -s PATH, or the variable "
                                    "GATEWAY_CONTROL_SOCKET");
    if (strcmp(words[0], top.name) == 0)
        return run_top(path, count, words);
    return ask(path, count, words);
}

static void completion(enum completion_shell shell)
{
    static const struct completion_option options[] = {
        {"socket", 's', false, "PATH", NULL, "The --control-socket of the service."},
        {"version", 'v', false, NULL, NULL, "Print the version and exit."},
        {"help", 'h', false, NULL, NULL, "Print the verbs and exit."},
    };
    struct completion_verb *verbs = xcalloc(control_verb_count + 1, sizeof(*verbs));
    for (size_t i = 0; i < control_verb_count; i++)
        verbs[i] = (struct completion_verb){control_verbs[i].name, control_verbs[i].arguments,
                                            control_verbs[i].help};
    verbs[control_verb_count] = (struct completion_verb){top.name, "--interval", top.help};
    const struct completion completion = {"gatewayctl", options, sizeof(options) / sizeof(options[0]), verbs,
                                          control_verb_count + 1};
    completion_print(stdout, shell, &completion);
    free(verbs);
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"socket", required_argument, NULL, 's'},    {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},         {"help-manual", no_argument, NULL, HELP_MANUAL},
        {"help-bash", no_argument, NULL, HELP_BASH}, {"help-zsh", no_argument, NULL, HELP_ZSH},
        {"help-fish", no_argument, NULL, HELP_FISH}, {NULL, 0, NULL, 0},
    };
    const char *path = getenv("GATEWAY_CONTROL_SOCKET");
    int letter, status = -1;
    while (status < 0 && (letter = getopt_long(argc, argv, "+s:hv", long_options, NULL)) >= 0) {
        if (letter == 's')
            path = optarg;
        else if (letter == 'h')
            help();
        else if (letter == 'v')
            puts("gatewayctl " VERSION);
        else if (letter == HELP_MANUAL)
            manual();
        else if (letter >= HELP_BASH)
            completion((enum completion_shell)(letter - HELP_BASH));
        if (letter != 's')
            status = letter == '?' ? EXIT_USAGE : EXIT_OK;
    }
    if (status < 0)
        status = run(path, argc - optind, argv + optind);
    fflush(stdout);
    if (ferror(stdout) && status == EXIT_OK)
        return complain(EXIT_FAILED, "standard output cannot be written to");
    return status;
}
