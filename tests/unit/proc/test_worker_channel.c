/* The worker channel of a seat: messages arrive whole and in order, and its end is seen. */
#include "proc/worker_channel.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/ancillary.h"
#include "unit.h"

static struct worker_channel channel;
static enum message_kind kind;
static pid_t worker;

static void set_up(void)
{
    ck_assert_int_eq(worker_channel_open(&channel), 0);
}

static void tear_down(void)
{
    worker_channel_close(&channel);
}

START_TEST(neither_end_blocks_nor_survives_an_exec)
{
    const int ends[] = {channel.master, channel.worker};
    for (size_t i = 0; i < UNIT_ROWS(ends); i++) {
        ck_assert_int_ne(fcntl(ends[i], F_GETFL) & O_NONBLOCK, 0);
        ck_assert_int_ne(fcntl(ends[i], F_GETFD) & FD_CLOEXEC, 0);
        ck_assert_int_eq(worker_channel_receive(ends[i], &kind, &worker), 0);
    }
}
END_TEST

/* The application has the worker's end too, and libraries make descriptors that they find
 * blocking. */
START_TEST(an_end_whose_o_nonblock_was_taken_off_blocks_no_process)
{
    fcntl(channel.worker, F_SETFL, 0);
    ck_assert_int_eq(worker_channel_receive(channel.worker, &kind, &worker), 0);
    while (worker_channel_send(channel.worker, MESSAGE_PING, 7) == 0)
        ;
    ck_assert_int_eq(errno, EAGAIN);
}
END_TEST

static const enum message_kind kinds[] = {MESSAGE_READY, MESSAGE_REPLACE, MESSAGE_RETIRE, MESSAGE_DRAIN,
                                          MESSAGE_QUIT,  MESSAGE_REOPEN,  MESSAGE_PING};

START_TEST(messages_arrive_whole_and_in_order)
{
    for (size_t i = 0; i < UNIT_ROWS(kinds); i++)
        ck_assert_int_eq(worker_channel_send(channel.master, kinds[i], (pid_t)(1000 + i)), 0);
    for (size_t i = 0; i < UNIT_ROWS(kinds); i++) {
        ck_assert_int_eq(worker_channel_receive(channel.worker, &kind, &worker), 1);
        ck_assert_int_eq(kind, kinds[i]);
        ck_assert_int_eq(worker, (pid_t)(1000 + i));
    }
    ck_assert_int_eq(worker_channel_receive(channel.worker, &kind, &worker), 0);
    ck_assert_int_eq(worker_channel_receive(channel.master, &kind, &worker), 0);
}
END_TEST

START_TEST(both_ways_are_apart)
{
    ck_assert_int_eq(worker_channel_send(channel.worker, MESSAGE_READY, 7), 0);
    ck_assert_int_eq(worker_channel_receive(channel.worker, &kind, &worker), 0);
    ck_assert_int_eq(worker_channel_receive(channel.master, &kind, &worker), 1);
    ck_assert_int_eq(kind, MESSAGE_READY);
}
END_TEST

START_TEST(a_channel_that_is_not_read_fills_up)
{
    int sent = 0;
    while (sent < 1000000 && worker_channel_send(channel.master, MESSAGE_REOPEN, sent) == 0)
        sent++;
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_gt(sent, 10);
    for (int i = 0; i < sent; i++) {
        ck_assert_int_eq(worker_channel_receive(channel.worker, &kind, &worker), 1);
        ck_assert_int_eq(worker, i);
    }
}
END_TEST

START_TEST(what_was_sent_before_the_end_is_read_first)
{
    ck_assert_int_eq(worker_channel_send(channel.master, MESSAGE_QUIT, 7), 0);
    close(channel.master);
    ck_assert_int_eq(worker_channel_receive(channel.worker, &kind, &worker), 1);
    ck_assert_int_eq(worker_channel_receive(channel.worker, &kind, &worker), -1);
    ck_assert_int_eq(worker_channel_send(channel.worker, MESSAGE_READY, 7), -1);
    ck_assert_int_eq(errno, EPIPE);
    channel.master = dup(channel.worker);
}
END_TEST

/* Once: a message that was too long was taken for its beginning. */
static const size_t sizes[] = {0, 1, 7, 9, 100, 60000};

START_TEST(what_has_another_size_is_taken_and_no_message)
{
    static char noise[60000];
    memset(noise, MESSAGE_READY, sizeof(noise));
    ck_assert_int_eq(send(channel.worker, noise, sizes[_i], 0), (ssize_t)sizes[_i]);
    ck_assert_int_eq(worker_channel_send(channel.worker, MESSAGE_READY, 7), 0);
    ck_assert_int_eq(worker_channel_receive(channel.master, &kind, &worker), -1);
    ck_assert_int_eq(worker_channel_receive(channel.master, &kind, &worker), 1);
    ck_assert_int_eq(worker, 7);
    ck_assert_int_eq(worker_channel_receive(channel.master, &kind, &worker), 0);
}
END_TEST

static int next_descriptor(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

START_TEST(descriptors_that_come_along_are_not_left_open_in_the_master)
{
    const int descriptors[] = {0, channel.worker};
    struct iovec vector = {(void *)descriptors, 8};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    union ancillary beside;
    int before = next_descriptor();
    ancillary_put(&message, &beside, descriptors, 2);
    if (sendmsg(channel.worker, &message, 0) > 0)
        ck_assert_int_eq(worker_channel_receive(channel.master, &kind, &worker), 1);
    ck_assert_int_eq(next_descriptor(), before);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, neither_end_blocks_nor_survives_an_exec);
    tcase_add_test(tests, an_end_whose_o_nonblock_was_taken_off_blocks_no_process);
    tcase_add_test(tests, messages_arrive_whole_and_in_order);
    tcase_add_test(tests, both_ways_are_apart);
    tcase_add_test(tests, a_channel_that_is_not_read_fills_up);
    tcase_add_test(tests, what_was_sent_before_the_end_is_read_first);
    unit_add_rows(tests, what_has_another_size_is_taken_and_no_message, sizes);
    tcase_add_test(tests, descriptors_that_come_along_are_not_left_open_in_the_master);
}

int main(void)
{
    return unit_run("proc/worker_channel", add);
}
