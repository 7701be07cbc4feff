/*
 * Names that are no options: names from other servers, and variables that look like an option's.
 */
#include "options/unknown_options.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static const struct {
    const char *name, *here, *instead;
} known[] = {
    {"processes", "workers", NULL},
    {"log-file", "error-logfile", NULL},
    {"config_file", "config", NULL},
    {"http", "bind", NULL},
    {"host", NULL, "--bind HOST:PORT"},
    {"port", NULL, "--bind HOST:PORT"},
    {"k", NULL, "--threads"},
    {"worker-class", NULL, "gevent"},
    {"D", NULL, "service manager"},
    {"daemon", NULL, "service manager"},
    {"certfile", NULL, "TLS"},
    {"keyfile", NULL, "TLS"},
    {"wsgi-file", NULL, "MODULE:CALLABLE"},
    {"master", NULL, "leave it out"},
    {"reuse-port", NULL, "leave it out"},
    {"statsd-host", NULL, "--status"},
};

START_TEST(it_is_said_what_is_here_in_its_place)
{
    const struct foreign_option *found = foreign_option_find(known[_i].name, strlen(known[_i].name));
    ck_assert_msg(found != NULL, "%s", known[_i].name);
    if (known[_i].here != NULL)
        ck_assert_str_eq(found->here, known[_i].here);
    else
        ck_assert_msg(strstr(found->instead, known[_i].instead) != NULL, "%s", found->instead);
}
END_TEST

START_TEST(a_part_of_a_name_is_not_that_name)
{
    ck_assert_ptr_null(foreign_option_find("processes", 7));
    ck_assert_ptr_null(foreign_option_find("processesx", 10));
    ck_assert_ptr_null(foreign_option_find("", 0));
}
END_TEST

START_TEST(no_name_is_ours_or_comes_twice)
{
    for (size_t i = 0; i < foreign_option_count; i++) {
        const char *name = foreign_options[i].name;
        ck_assert_ptr_eq(foreign_option_find(name, strlen(name)), &foreign_options[i]);
        ck_assert_msg(option_find_name(name, strlen(name)) == NULL, "%s", name);
        ck_assert_msg(name[1] != '\0' || option_find_letter(name[0]) == NULL, "%s", name);
    }
}
END_TEST

/* A name ends before a character that is no letter and no dash. */
static void assert_named_options_are_there(const char *text)
{
    for (const char *c = text; (c = strstr(c, "--")) != NULL;) {
        c += 2;
        size_t size = strspn(c, "abcdefghijklmnopqrstuvwxyz-");
        ck_assert_msg(option_find_name(c, size) != NULL, "%s", text);
    }
}

START_TEST(what_is_named_is_there)
{
    for (size_t i = 0; i < foreign_option_count; i++) {
        const struct foreign_option *row = &foreign_options[i];
        ck_assert((row->here == NULL) != (row->instead == NULL));
        if (row->here != NULL)
            ck_assert_msg(option_find_name(row->here, strlen(row->here)) != NULL, "%s", row->here);
        else
            assert_named_options_are_there(row->instead);
    }
}
END_TEST

static char said[512];

static void tell(const char *sentence)
{
    ck_assert_str_eq(said, "");
    snprintf(said, sizeof(said), "%s", sentence);
}

static const struct {
    const char *entry, *says; /* NULL: no message */
} variables[] = {
    {"GATEWAY_WROKERS=3",
     "GATEWAY_WROKERS in the environment belongs to no option and is ignored; did you mean "
     "GATEWAY_WORKERS?"},
    {"GATEWAY_KEEPALIVE=5", "did you mean GATEWAY_KEEP_ALIVE?"},
    {"GATEWAY_workers=5", "did you mean GATEWAY_WORKERS?"},
    {"GATEWAY_KEEP-ALIVE=5", "did you mean GATEWAY_KEEP_ALIVE?"},
    {"GATEWAY_QQQQQQQQQQQQQQ=5",
     "GATEWAY_QQQQQQQQQQQQQQ in the environment belongs to no option and is ignored"},
    {"GATEWAY_WORKERS=3", NULL},
    {"GATEWAY_KEEP_ALIVE=3", NULL},
    {"GATEWAY_CMD_ARGS=-w 3", NULL},
    {"GATEWAY_HERITAGE=3", NULL},
    {"GATEWAY_INTERFACE=CGI/1.1", NULL},
    {"GATEWAY_SERVICE_HOST=10.0.0.1", NULL},
    {"GATEWAY_SERVICE_PORT=80", NULL},
    {"GATEWAY_SERVICE_PORT_HTTP=80", NULL},
    {"GATEWAY_PORT=tcp://10.0.0.1:80", NULL},
    {"GATEWAY_PORT_80_TCP=tcp://10.0.0.1:80", NULL},
    {"GATEWAY_PORT_80_TCP_ADDR=10.0.0.1", NULL},
    {"GATEWAY_SHOP_SERVICE_HOST=10.0.0.1", NULL},
    {"GATEWAY_SHOP_PORT_80_TCP_PROTO=tcp", NULL},
    {"GATEWAY_PORT=80", "GATEWAY_PORT in the environment belongs to no option"},
    {"GATEWAY=x", NULL},
    {"MY_GATEWAY_WROKERS=3", NULL},
};

START_TEST(what_may_be_mistyped_is_told)
{
    char entry[64];
    char *environment[] = {entry, NULL};
    snprintf(entry, sizeof(entry), "%s", variables[_i].entry);
    said[0] = '\0';
    options_tell_strays(environment, tell);
    if (variables[_i].says == NULL)
        ck_assert_str_eq(said, "");
    else
        ck_assert_msg(strstr(said, variables[_i].says) != NULL, "%s", said);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, it_is_said_what_is_here_in_its_place, known);
    tcase_add_test(tests, a_part_of_a_name_is_not_that_name);
    tcase_add_test(tests, no_name_is_ours_or_comes_twice);
    tcase_add_test(tests, what_is_named_is_there);
    unit_add_rows(tests, what_may_be_mistyped_is_told, variables);
}

int main(void)
{
    return unit_run("options/unknown_options", add);
}
