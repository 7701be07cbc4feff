/*
 * A service's answers as gatewayctl takes them. The service is a child that sends what the table says.
 */
#include "ctl/client.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static char directory[] = "/tmp/gateway-unit-XXXXXX", path[64], message[256], *text;
static size_t text_size;

static int listen_there(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    strcpy(address.sun_path, path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    return fd;
}

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/socket", directory);
}

static void tear_down(void)
{
    unlink(path);
    rmdir(directory);
    free(text);
}

static enum client_outcome ask(unsigned seconds)
{
    FILE *out = open_memstream(&text, &text_size);
    enum client_outcome outcome = client_ask(path, "status", seconds, out, message, sizeof(message));
    fclose(out);
    return outcome;
}

static const struct {
    const char *name, *sent;
    enum client_outcome outcome;
    const char *text, *message;
} cases[] = {
    {"nothing but the end", "ok\n", CLIENT_OK, "", NULL},
    {"data, also what looks like an end", " one\n \n   two\n ok\nok\n", CLIENT_OK, "one\n\n  two\nok\n",
     NULL},
    {"a failure with data", " why\nfailed: it is so\n", CLIENT_FAILED, "why\n", "it is so"},
    {"what comes after the end is nobody's", "ok\n more\n", CLIENT_OK, "", NULL},
    {"no end", " one\n", CLIENT_UNREACHABLE, "one\n", "the service has not finished its answer"},
    {"nothing", "", CLIENT_UNREACHABLE, "", "the service has not finished its answer"},
    {"half an end", "o", CLIENT_UNREACHABLE, "", "the service has not finished its answer"},
};

START_TEST(the_last_line_decides)
{
    int fd = listen_there();
    pid_t service = fork();
    if (service == 0) {
        char request[64];
        int client = accept(fd, NULL, NULL);
        ssize_t n = recv(client, request, sizeof(request), 0);
        bool understood = n == 7 && memcmp(request, "status\n", 7) == 0;
        n = send(client, cases[_i].sent, strlen(cases[_i].sent), 0);
        _exit(understood && n >= 0 ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(ask(0), cases[_i].outcome);
    ck_assert_str_eq(text, cases[_i].text);
    if (cases[_i].message != NULL)
        ck_assert_str_eq(message, cases[_i].message);
    ck_assert_int_eq(waitpid(service, &status, 0), service);
    ck_assert_int_eq(status, 0);
    close(fd);
}
END_TEST

START_TEST(a_service_that_is_not_there_is_explained)
{
    ck_assert_int_eq(ask(0), CLIENT_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(message, "there is no such file"));
    free(text);
    close(listen_there());
    ck_assert_int_eq(ask(0), CLIENT_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(message, "nobody listens there"));
}
END_TEST

START_TEST(patience_has_an_end)
{
    int fd = listen_there();
    ck_assert_int_eq(ask(1), CLIENT_UNREACHABLE);
    close(fd);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    unit_add_rows(tests, the_last_line_decides, cases);
    tcase_add_test(tests, a_service_that_is_not_there_is_explained);
    tcase_add_test(tests, patience_has_an_end);
}

int main(void)
{
    return unit_run("ctl/client", add);
}
