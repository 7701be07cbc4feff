/*
 * The messages about wrong options: the mistake, its place, and the expected form.
 */
#include "options/options_parse.h"

#include "options_line.h"
#include "unit.h"

static const struct {
    const char *line;
    char *environment[2];
    const char *message;
} wrongs[] = {
    {"-w many app", {NULL}, "gateway: --workers: \"many\" is not a number or \"auto\" (command line)"},
    {"app",
     {"GATEWAY_WORKERS=many"},
     "gateway: --workers: \"many\" is not a number or \"auto\" (GATEWAY_WORKERS in the environment)"},
    {"app",
     {"WEB_CONCURRENCY=many"},
     "gateway: --workers: \"many\" is not a number or \"auto\" (WEB_CONCURRENCY in the environment)"},
    {"app",
     {"GATEWAY_CMD_ARGS=-wmany"},
     "gateway: --workers: \"many\" is not a number or \"auto\" (GATEWAY_CMD_ARGS)"},
    {"-w 0 app", {NULL}, "gateway: --workers: \"0\" is not between 1 and 1024 (command line)"},
    {"-w -1 app", {NULL}, "gateway: --workers: \"-1\" is not a number or \"auto\" (command line)"},
    {"--backlog 9x app", {NULL}, "gateway: --backlog: \"9x\" is not a number (command line)"},
    {"--keep-alive 25h app",
     {NULL},
     "gateway: --keep-alive: \"25h\" is not between 0 and 24h (command line)"},
    {"--keep-alive 5x app",
     {NULL},
     "gateway: --keep-alive: \"5x\" is not a time like 30s, 500ms, 2m or 1h (command line)"},
    {"--body-memory 5x app",
     {NULL},
     "gateway: --body-memory: \"5x\" is not a size like 4096, 64k, 10m or 1g (command line)"},
    {"--body-memory 2g app",
     {NULL},
     "gateway: --body-memory: \"2g\" is not between 1k and 1g (command line)"},
    {"--log-level loud app",
     {NULL},
     "gateway: --log-level: \"loud\" is not one of debug, info, warning, error, critical (command line)"},
    {"-e A app", {NULL}, "gateway: --env: \"A\" is not NAME=VALUE (command line)"},
    {"-e =1 app", {NULL}, "gateway: --env: \"=1\" is not NAME=VALUE (command line)"},
    {"app",
     {"GATEWAY_ENV=production"},
     "gateway: --env: \"production\" is not NAME=VALUE (GATEWAY_ENV in the environment)"},
    {"app", {"GATEWAY_ENV=A='"}, "gateway: --env: a quote is not closed (GATEWAY_ENV in the environment)"},
    {"app", {"GATEWAY_CMD_ARGS=\"-w"}, "gateway: a quote is not closed (GATEWAY_CMD_ARGS)"},
    {"--root-path x app", {NULL}, "gateway: --root-path: \"x\" does not start with a slash (command line)"},
    {"--chdir '' app", {NULL}, "gateway: --chdir: \"\" is empty (command line)"},
    {"-m 028 app", {NULL}, "gateway: --umask: \"028\" is not an octal number from 0 to 777 (command line)"},
    {"-m 1000 app", {NULL}, "gateway: --umask: \"1000\" is not an octal number from 0 to 777 (command line)"},
    {"-m -1 app", {NULL}, "gateway: --umask: \"-1\" is not an octal number from 0 to 777 (command line)"},
    {"-m 77777777777777777777777 app",
     {NULL},
     "gateway: --umask: \"77777777777777777777777\" is not an octal number from 0 to 777 (command line)"},
    {"-b '' app", {NULL}, "gateway: --bind: \"\" is empty (command line)"},
    {"app",
     {"PORT=http"},
     "gateway: \"http\" is not a port number from 0 to 65535 (PORT in the environment)"},
    {"app",
     {"PORT=65536"},
     "gateway: \"65536\" is not a port number from 0 to 65535 (PORT in the environment)"},
    {"app -w", {NULL}, "gateway: --workers needs a value: --workers N|auto (command line)"},
    {"--preload=maybe app", {NULL}, "gateway: --preload: \"maybe\" is not yes or no (command line)"},
    {"app",
     {"GATEWAY_PRELOAD=maybe"},
     "gateway: --preload: \"maybe\" is not yes or no (GATEWAY_PRELOAD in the environment)"},
    {"app --help=1", {NULL}, "gateway: --help takes no value (command line)"},
    {"app -h1", {NULL}, "gateway: --help takes no value (command line)"},
    {"--worker 4 app", {NULL}, "gateway: unknown option --worker; did you mean --workers? (command line)"},
    {"--limit-request-lines=4 app",
     {NULL},
     "gateway: unknown option --limit-request-lines; did you mean --limit-request-line? (command line)"},
    {"--blind :1 app", {NULL}, "gateway: unknown option --blind; did you mean --bind? (command line)"},
    {"--access app",
     {NULL},
     "gateway: unknown option --access; did you mean --access-logfile? (command line)"},
    {"--certfile x app",
     {NULL},
     "gateway: unknown option --certfile; TLS is a proxy's business: see doc/deploying.md (command line)"},
    {"--processes 4 app",
     {NULL},
     "gateway: unknown option --processes; that is --workers here (command line)"},
    {"--log_file=x app",
     {NULL},
     "gateway: unknown option --log_file; that is --error-logfile here (command line)"},
    {"-kgevent app",
     {NULL},
     "gateway: unknown option -k; there are --workers and --threads, and neither gevent nor asyncio (command "
     "line)"},
    {"-D app",
     {NULL},
     "gateway: unknown option -D; a service manager does that: see doc/deploying.md (command line)"},
    {"--env-fiel x app",
     {NULL},
     "gateway: unknown option --env-fiel; did you mean --env-file? (command line)"},
    {"--pathfile x app", {NULL}, "gateway: unknown option --pathfile; --help lists them all (command line)"},
    {"--zzzzzzzz x app", {NULL}, "gateway: unknown option --zzzzzzzz; --help lists them all (command line)"},
    {"--help-manuals app",
     {NULL},
     "gateway: unknown option --help-manuals; --help lists them all (command line)"},
    {"--=x app", {NULL}, "gateway: unknown option --; --help lists them all (command line)"},
    {"-x app", {NULL}, "gateway: unknown option -x; --help lists them all (command line)"},
    {"",
     {NULL},
     "gateway: no application is named; usage: gateway [OPTIONS] MODULE[:CALLABLE] (--help lists the "
     "options)"},
    {"''",
     {NULL},
     "gateway: no application is named; usage: gateway [OPTIONS] MODULE[:CALLABLE] (--help lists the "
     "options)"},
    {"a:b c:d",
     {NULL},
     "gateway: two applications, \"a:b\" and \"c:d\", but only one can be served (command line)"},
    {"app",
     {"GATEWAY_WORKERS=\033[2J\"\n"},
     "gateway: --workers: \"\\x1b[2J\\\"\\x0a\" is not a number or \"auto\" (GATEWAY_WORKERS in the "
     "environment)"},
};

START_TEST(a_mistake_is_explained_in_one_sentence)
{
    struct options options;
    ck_assert_int_eq(parse(&options, wrongs[_i].line, wrongs[_i].environment), -1);
    ck_assert_str_eq(message, wrongs[_i].message);
    ck_assert_ptr_null(options.application);
    options_free(&options);
}
END_TEST

START_TEST(a_message_fits_whatever_was_said)
{
    struct options options;
    static char word[10000], small[16];
    char *arguments[] = {"gateway", word, NULL};
    static const char *const starts[] = {"--", "-", "--workers=", "--log-level=", "-w"};
    for (size_t i = 0; i < UNIT_ROWS(starts); i++) {
        memset(word, '\n', sizeof(word) - 1);
        memcpy(word, starts[i], strlen(starts[i]));
        ck_assert_int_eq(
            options_parse(&options, 2, arguments, no_environment, NULL, message, sizeof(message)), -1);
        ck_assert_uint_lt(strlen(message), sizeof(message) - 1);
        ck_assert_ptr_null(strchr(message, '\n'));
        ck_assert_int_eq(options_parse(&options, 2, arguments, no_environment, NULL, small, sizeof(small)),
                         -1);
        ck_assert_uint_eq(strlen(small), sizeof(small) - 1);
    }
}
END_TEST

START_TEST(a_command_line_without_even_a_name_is_no_application)
{
    struct options options;
    char *arguments[] = {NULL};
    ck_assert_int_eq(options_parse(&options, 0, arguments, no_environment, NULL, message, sizeof(message)),
                     -1);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, a_mistake_is_explained_in_one_sentence, wrongs);
    tcase_add_test(tests, a_message_fits_whatever_was_said);
    tcase_add_test(tests, a_command_line_without_even_a_name_is_no_application);
}

int main(void)
{
    return unit_run("options/options_parse_messages", add);
}
