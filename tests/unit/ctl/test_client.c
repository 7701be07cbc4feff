/*
 * A service's responses, read by gatewayctl. The service is a child that sends the text of the
 * table.
 */
#include "ctl/client.h"

#include <sys/socket.h>
#include <sys/stat.h>
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
    {"control characters and what is no UTF-8", " a\033[2J\r\x9b\xff \xc3\xa9\n \xe2\x80\xa8\nok\n",
     CLIENT_OK, "a\\x1b[2J\\x0d\\x9b\\xff \xc3\xa9\n\\xe2\\x80\\xa8\n", NULL},
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

enum { STRANGER = 54321, OTHER };

static const struct {
    const char *name;
    uid_t listener, owner;
    mode_t directory;
    bool told;
} strangers[] = {
    {"root answers", 0, 0, 0755, false},
    {"the owner of the file answers", STRANGER, STRANGER, 0755, false},
    {"the owner of a file that anybody could have put there answers", STRANGER, STRANGER, 01777, true},
    {"somebody else answers", STRANGER, OTHER, 0755, true},
    {"somebody else answers for root", STRANGER, 0, 0755, true},
};

static void answer_as(uid_t user, int fd, int ready)
{
    char request[64];
    bool listens =
        setuid(user) == 0 && listen(fd, 1) == 0; /* SO_PEERCRED has the credentials of this moment */
    if (!listens || write(ready, "!", 1) != 1)
        _exit(1);
    int client = accept(fd, NULL, NULL);
    if (recv(client, request, sizeof(request), 0) > 0)
        send(client, "ok\n", 3, MSG_NOSIGNAL);
    _exit(0);
}

/* The text on standard error during the request. */
static const char *complaint(void)
{
    static char said[512];
    int ends[2], before = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    ck_assert_int_eq(ask(5), CLIENT_OK);
    dup2(before, STDERR_FILENO);
    close(ends[1]);
    ssize_t n = read(ends[0], said, sizeof(said) - 1);
    said[n > 0 ? n : 0] = '\0';
    close(ends[0]);
    return said;
}

START_TEST(a_stranger_who_answers_is_told)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    bool open = strangers[_i].directory == 01777;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), ready[2];
    char byte;
    strcpy(address.sun_path, path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(chown(path, strangers[_i].owner, 0), 0);
    ck_assert_int_eq(chown(directory, open ? 0 : strangers[_i].owner, 0), 0);
    ck_assert_int_eq(chmod(directory, strangers[_i].directory), 0);
    ck_assert_int_eq(pipe(ready), 0);
    pid_t service = fork();
    if (service == 0)
        answer_as(strangers[_i].listener, fd, ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    const char *said = complaint();
    ck_assert_msg((strstr(said, "of user 54321 answers, which is neither root nor the owner") != NULL) ==
                      strangers[_i].told,
                  "%s: %s", strangers[_i].name, said);
    ck_assert_int_eq(waitpid(service, NULL, 0), service);
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
    if (geteuid() == 0)
        unit_add_rows(tests, a_stranger_who_answers_is_told, strangers);
    else
        puts("SKIP: a service of another user needs root");
    tcase_add_test(tests, a_service_that_is_not_there_is_explained);
    tcase_add_test(tests, patience_has_an_end);
}

int main(void)
{
    return unit_run("ctl/client", add);
}
