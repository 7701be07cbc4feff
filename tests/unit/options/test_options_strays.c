/*
 * Variables that look like an option's and are none: mistyped ones are told, those of others are not.
 */
#include "options/options.h"

#include <stdio.h>

#include "unit.h"

static char said[512];

static void tell(const char *sentence)
{
    ck_assert_str_eq(said, "");
    snprintf(said, sizeof(said), "%s", sentence);
}

static const struct {
    const char *entry, *says; /* NULL: nothing */
} cases[] = {
    {"GATEWAY_WROKERS=3", "GATEWAY_WROKERS in the environment is no option's, and ignored; did you mean "
                          "GATEWAY_WORKERS?"},
    {"GATEWAY_KEEPALIVE=5", "did you mean GATEWAY_KEEP_ALIVE?"},
    {"GATEWAY_workers=5", "did you mean GATEWAY_WORKERS?"},
    {"GATEWAY_KEEP-ALIVE=5", "did you mean GATEWAY_KEEP_ALIVE?"},
    {"GATEWAY_QQQQQQQQQQQQQQ=5", "GATEWAY_QQQQQQQQQQQQQQ in the environment is no option's, and ignored"},
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
    {"GATEWAY_PORT=80", "GATEWAY_PORT in the environment is no option's"},
    {"GATEWAY=x", NULL},
    {"MY_GATEWAY_WROKERS=3", NULL},
};

START_TEST(what_may_be_mistyped_is_told)
{
    char entry[64];
    char *environment[] = {entry, NULL};
    snprintf(entry, sizeof(entry), "%s", cases[_i].entry);
    said[0] = '\0';
    options_tell_strays(environment, tell);
    if (cases[_i].says == NULL)
        ck_assert_str_eq(said, "");
    else
        ck_assert_msg(strstr(said, cases[_i].says) != NULL, "%s", said);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, what_may_be_mistyped_is_told, cases);
}

int main(void)
{
    return unit_run("options/options_strays", add);
}
