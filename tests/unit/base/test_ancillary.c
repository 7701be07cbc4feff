/*
 * Descriptors beside a message: the receiver gets the sent ones, and no others are left open.
 */
#include "base/ancillary.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "unit.h"

static int ends[2], given[4];
static char byte = 'x';

static void set_up(void)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    for (size_t i = 0; i < UNIT_ROWS(given); i++)
        given[i] = dup(ends[0]);
}

static void tear_down(void)
{
    for (size_t i = 0; i < UNIT_ROWS(given); i++)
        close(given[i]);
    close(ends[0]);
    close(ends[1]);
}

/* The number of the next descriptor: unchanged if no descriptor was left open. */
static int next_descriptor(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

static void receive(struct msghdr *message, union ancillary *beside, struct iovec *vector)
{
    *vector = (struct iovec){&byte, 1};
    *message = (struct msghdr){.msg_iov = vector, .msg_iovlen = 1};
    ancillary_expect(message, beside);
    ck_assert_int_eq(recvmsg(ends[0], message, MSG_CMSG_CLOEXEC), 1);
}

static void send_descriptors(int count)
{
    char room[CMSG_SPACE(sizeof(given))] __attribute__((aligned(8))) = {0};
    struct iovec vector = {&byte, 1};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = room;
        message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        *header = (struct cmsghdr){CMSG_LEN((size_t)count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(header), given, (size_t)count * sizeof(int));
    }
    ck_assert_int_eq(sendmsg(ends[1], &message, 0), 1);
}

static const struct {
    const char *name;
    int sent, taken;
} counts[] = {
    {"none", 0, 0},
    {"one", 1, 1},
    {"two", 2, 2},
    {"more than there is room for", 4, 2},
};

START_TEST(those_that_came_are_taken_and_no_others_are_open)
{
    union ancillary beside;
    struct msghdr message;
    struct iovec vector;
    int taken[ANCILLARY_MAX], before = next_descriptor();
    send_descriptors(counts[_i].sent);
    receive(&message, &beside, &vector);
    int count = ancillary_take(&message, taken);
    ck_assert_msg(count == counts[_i].taken, "%s: %d", counts[_i].name, count);
    for (int i = 0; i < ANCILLARY_MAX; i++)
        ck_assert_msg((taken[i] >= 0) == (i < count), "%s: %d", counts[_i].name, taken[i]);
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(close(taken[i]), 0);
    ck_assert_msg(next_descriptor() == before, "%s: one is left", counts[_i].name);
}
END_TEST

START_TEST(what_is_put_arrives)
{
    union ancillary beside;
    struct iovec vector = {&byte, 1};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    int taken[ANCILLARY_MAX];
    ancillary_put(&message, &beside, given, 2);
    ck_assert_int_eq(sendmsg(ends[1], &message, 0), 1);
    receive(&message, &beside, &vector);
    ck_assert_int_eq(ancillary_take(&message, taken), 2);
    close(taken[0]);
    close(taken[1]);
}
END_TEST

/* Other control data was once copied as if it were descriptors. */
START_TEST(other_control_data_is_no_descriptor)
{
    const int yes = 1;
    union ancillary beside;
    struct msghdr message;
    struct iovec vector;
    int taken[ANCILLARY_MAX];
    ck_assert_int_eq(setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)), 0);
    send_descriptors(0);
    receive(&message, &beside, &vector);
    ck_assert_int_eq(ancillary_take(&message, taken), 0);
    ck_assert_int_eq(taken[0], -1);
}
END_TEST

/* An older kernel allows to send them; the recv without room closes them. */
START_TEST(a_receiver_that_refuses_them_gets_none)
{
    struct iovec vector = {&byte, 1};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    union ancillary beside;
    ancillary_refuse(ends[0]);
    int before = next_descriptor();
    ancillary_put(&message, &beside, given, 2);
    if (sendmsg(ends[1], &message, 0) < 0)
        ck_assert_int_eq(errno, EPERM);
    else
        ck_assert_int_eq(recv(ends[0], &byte, 1, 0), 1);
    ck_assert_int_eq(next_descriptor(), before);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    unit_add_rows(tests, those_that_came_are_taken_and_no_others_are_open, counts);
    tcase_add_test(tests, what_is_put_arrives);
    tcase_add_test(tests, other_control_data_is_no_descriptor);
    tcase_add_test(tests, a_receiver_that_refuses_them_gets_none);
}

int main(void)
{
    return unit_run("base/ancillary", add);
}
