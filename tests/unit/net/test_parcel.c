/*
 * Parcels: a connection arrives with all that was known of it; what can not be sent is told.
 */
#include "net/parcel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

static int post[2], client[2];
static char bytes[PARCEL_MAX];
static struct parcel sent, got;

static void set_up(void)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, post), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, client), 0);
    sent = (struct parcel){.fd = client[0], .spool = -1, .address = 3, .reason = HANDOVER_RETIRE, .rest = 5};
    strcpy(sent.peer.address, "192.0.2.7");
    strcpy(sent.peer.port, "4711");
}

static void tear_down(void)
{
    for (int i = 0; i < 2; i++) {
        close(post[i]);
        close(client[i]);
    }
}

static void assert_same_file(int fd, int other)
{
    char byte = 0;
    ck_assert_int_ne(fd, other);
    ck_assert_int_eq(write(fd, "!", 1), 1);
    ck_assert_int_eq(read(client[1], &byte, 1), 1);
    ck_assert_int_eq(byte, '!');
}

START_TEST(a_connection_arrives_with_what_was_received)
{
    const struct iovec pieces[] = {{"GET", 3}, {" /", 2}};
    ck_assert_int_eq(parcel_receive(post[0], &got, bytes), 0);
    ck_assert_int_eq(parcel_send(post[1], &sent, pieces, 2), 0);
    ck_assert_int_eq(parcel_receive(post[0], &got, bytes), 1);
    assert_same_file(got.fd, client[0]);
    ck_assert_int_eq(got.spool, -1);
    ck_assert_uint_eq(got.address, 3);
    ck_assert_int_eq(got.reason, HANDOVER_RETIRE);
    ck_assert_str_eq(got.peer.address, "192.0.2.7");
    ck_assert_str_eq(got.peer.port, "4711");
    unit_assert_bytes("the bytes", bytes, got.rest, "GET /", (size_t)5);
    close(got.fd);
    ck_assert_int_eq(parcel_receive(post[0], &got, bytes), 0);
}
END_TEST

START_TEST(a_spool_goes_along)
{
    FILE *file = tmpfile();
    sent.spool = fileno(file);
    sent.spool_size = 1 << 20;
    sent.rest = 0;
    ck_assert_int_eq(parcel_send(post[1], &sent, NULL, 0), 0);
    fclose(file);
    ck_assert_int_eq(parcel_receive(post[0], &got, bytes), 1);
    ck_assert_uint_eq(got.spool_size, 1 << 20);
    ck_assert_int_eq(lseek(got.spool, 7, SEEK_SET), 7);
    close(got.spool);
    close(got.fd);
}
END_TEST

START_TEST(the_largest_parcel_fits_and_a_larger_one_is_refused)
{
    char *large = calloc(1, PARCEL_MAX + 1);
    struct iovec piece = {large, PARCEL_MAX};
    sent.rest = PARCEL_MAX;
    ck_assert_int_eq(parcel_send(post[1], &sent, &piece, 1), 0);
    ck_assert_int_eq(parcel_receive(post[0], &got, bytes), 1);
    ck_assert_uint_eq(got.rest, PARCEL_MAX);
    close(got.fd);
    sent.rest = piece.iov_len = PARCEL_MAX + 1;
    ck_assert_int_lt(parcel_send(post[1], &sent, &piece, 1), 0);
    ck_assert_int_eq(errno, EMSGSIZE);
    free(large);
}
END_TEST

START_TEST(when_nobody_takes_them_it_says_so)
{
    int count = 0;
    sent.rest = 0;
    while (parcel_send(post[1], &sent, NULL, 0) == 0)
        ck_assert_int_lt(count++, 100000);
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_int_gt(count, 50);
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(parcel_receive(post[0], &got, bytes), 1);
        close(got.fd);
    }
}
END_TEST

/* One that is left may not be enough: there may be a spool. */
START_TEST(without_descriptors_it_stays_where_it_is)
{
    struct rlimit before, limit;
    int last = -1, next;
    sent.rest = 0;
    getrlimit(RLIMIT_NOFILE, &before);
    limit = (struct rlimit){16, before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    while ((next = dup(0)) >= 0)
        last = next;
    ck_assert_msg(parcel_receive(post[0], &got, bytes) == 0, "there is none");
    ck_assert_int_eq(parcel_send(post[1], &sent, NULL, 0), 0);
    for (int left = 0; left < 2; left++) {
        ck_assert_int_lt(parcel_receive(post[0], &got, bytes), 0);
        ck_assert_int_eq(errno, EMFILE);
        if (left == 0)
            close(last);
    }
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_int_eq(parcel_receive(post[0], &got, bytes), 1);
    assert_same_file(got.fd, client[0]);
    _exit(0); /* whoever closes descriptors by number had better not go on */
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_connection_arrives_with_what_was_received);
    tcase_add_test(tests, a_spool_goes_along);
    tcase_add_test(tests, the_largest_parcel_fits_and_a_larger_one_is_refused);
    tcase_add_test(tests, when_nobody_takes_them_it_says_so);
    tcase_add_test(tests, without_descriptors_it_stays_where_it_is);
}

int main(void)
{
    return unit_run("net/parcel", add);
}
