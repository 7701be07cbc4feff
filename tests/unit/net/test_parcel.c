/*
 * Parcels: a connection arrives with all its state. A parcel that cannot be sent is reported.
 */
#include "net/parcel.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
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
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, client), 0);
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
    const struct iovec piece = {"GET /", 5};
    sent.spool = fileno(file);
    sent.spool_size = 1 << 20;
    sent.head = 5;
    sent.rest = 0;
    ck_assert_int_eq(ftruncate(sent.spool, 1 << 20), 0);
    ck_assert_int_eq(parcel_send(post[1], &sent, &piece, 1), 0);
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

START_TEST(a_full_socket_is_reported)
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

/* A single descriptor may not be enough: there may be a spool. */
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
    _exit(0); /* a process that closes descriptors by number should not go on */
}
END_TEST

static int next_descriptor(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

/* Sends like parcel_send without its checks, with `size` bytes behind the parcel. */
static void forge(const void *parcel, size_t size, const int *descriptors, int count)
{
    static char room[CMSG_SPACE(64 * sizeof(int))] __attribute__((aligned(8)));
    struct iovec vectors[] = {{(void *)parcel, sizeof(sent)}, {bytes, size}};
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = 2};
    size_t taken = (size_t)count * sizeof(int);
    if (count > 0) {
        message.msg_control = room;
        message.msg_controllen = CMSG_SPACE(taken);
        *CMSG_FIRSTHDR(&message) = (struct cmsghdr){CMSG_LEN(taken), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), descriptors, taken);
    }
    ck_assert_int_ge(sendmsg(post[1], &message, 0), 0);
}

static int blocking(void)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    close(ends[1]);
    return ends[0];
}

enum { CLIENT, FILE_OF_1000, BLOCKING, DATAGRAM, PIPE };

static int descriptor_of(int kind)
{
    int ends[2], fd = -1;
    if (kind == CLIENT)
        fd = dup(client[0]);
    if (kind == FILE_OF_1000 && (fd = fileno(tmpfile())) >= 0)
        ck_assert_int_eq(ftruncate(fd, 1000), 0);
    if (kind == BLOCKING)
        fd = blocking();
    if (kind == DATAGRAM)
        fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (kind == PIPE && pipe(ends) == 0)
        fd = ends[0];
    return fd;
}

#define HUGE_PART (SIZE_MAX / 2 + 1)

/* Sizes whose sum overflows once passed, and 64 MiB behind the buffer were read. */
static const struct {
    const char *name;
    struct parcel parcel;
    size_t bytes;
    int count, descriptors[4];
} forgeries[] = {
    {"sizes that overflow to the right sum",
     {.head = HUGE_PART, .body = HUGE_PART - 10, .rest = 15, .spool = -1},
     5,
     1,
     {CLIENT}},
    {"a head that is larger than all", {.head = HUGE_PART, .rest = HUGE_PART, .spool = -1}, 0, 1, {CLIENT}},
    {"more bytes than sizes", {.rest = 4, .spool = -1}, 5, 1, {CLIENT}},
    {"fewer bytes than sizes", {.rest = 6, .spool = -1}, 5, 1, {CLIENT}},
    {"a body without a head", {.body = 5, .spool = -1}, 5, 1, {CLIENT}},
    {"no descriptor", {.rest = 5, .spool = -1}, 5, 0, {0}},
    {"one too many", {.rest = 5, .spool = -1}, 5, 2, {CLIENT, FILE_OF_1000}},
    {"far too many", {.rest = 5, .spool = -1}, 5, 4, {CLIENT, CLIENT, CLIENT, CLIENT}},
    {"a spool that has not come", {.head = 5, .spool = 7, .spool_size = 10}, 5, 1, {CLIENT}},
    {"a spool that is too short", {.head = 5, .spool = 7, .spool_size = 1001}, 5, 2, {CLIENT, FILE_OF_1000}},
    {"a spool without a head", {.spool = 7, .rest = 5, .spool_size = 10}, 5, 2, {CLIENT, FILE_OF_1000}},
    {"a spool and a body", {.head = 3, .body = 2, .spool = 7}, 5, 2, {CLIENT, FILE_OF_1000}},
    {"a spool that a read waits for", {.head = 5, .spool = 7}, 5, 2, {CLIENT, PIPE}},
    {"the size of a spool without one", {.head = 5, .spool = -1, .spool_size = 10}, 5, 1, {CLIENT}},
    {"a connection that is a file", {.rest = 5, .spool = -1}, 5, 1, {FILE_OF_1000}},
    {"a connection that is a pipe", {.rest = 5, .spool = -1}, 5, 1, {PIPE}},
    {"a connection of datagrams", {.rest = 5, .spool = -1}, 5, 1, {DATAGRAM}},
    {"a connection that reads wait for", {.rest = 5, .spool = -1}, 5, 1, {BLOCKING}},
    {"a reason that is none", {.reason = HANDOVER_REASONS, .rest = 5, .spool = -1}, 5, 1, {CLIENT}},
    {"a beginning in the future", {.started_ns = UINT64_MAX, .rest = 5, .spool = -1}, 5, 1, {CLIENT}},
    {"an end in the future", {.ready_ns = UINT64_MAX, .rest = 5, .spool = -1}, 5, 1, {CLIENT}},
};

START_TEST(a_forged_parcel_is_dropped_with_its_descriptors)
{
    int descriptors[4];
    for (int i = 0; i < forgeries[_i].count; i++)
        descriptors[i] = descriptor_of(forgeries[_i].descriptors[i]);
    int before = next_descriptor();
    forge(&forgeries[_i].parcel, forgeries[_i].bytes, descriptors, forgeries[_i].count);
    ck_assert_msg(parcel_receive(post[0], &got, bytes) == -1, "%s", forgeries[_i].name);
    ck_assert_msg(errno == EPROTO, "%s: %s", forgeries[_i].name, strerror(errno));
    ck_assert_msg(next_descriptor() == before, "%s: a descriptor is left", forgeries[_i].name);
    ck_assert_int_eq(parcel_receive(post[0], &got, bytes), 0);
}
END_TEST

START_TEST(texts_without_an_end_and_bools_that_are_none_are_dropped)
{
    unsigned char raw[sizeof(sent)];
    const size_t at[] = {offsetof(struct parcel, asked), offsetof(struct parcel, awaits_proxy),
                         offsetof(struct parcel, unnamed)};
    for (size_t i = 0; i < UNIT_ROWS(at); i++) {
        memcpy(raw, &sent, sizeof(raw));
        raw[at[i]] = 2;
        forge(raw, 5, &client[0], 1);
        ck_assert_int_eq(parcel_receive(post[0], &got, bytes), -1);
    }
    memcpy(raw, &sent, sizeof(raw));
    memset(raw + offsetof(struct parcel, peer), 'x', sizeof(sent.peer));
    forge(raw, 5, &client[0], 1);
    ck_assert_int_eq(parcel_receive(post[0], &got, bytes), -1);
}
END_TEST

START_TEST(a_message_that_is_shorter_than_a_parcel_is_dropped)
{
    for (size_t size = 0; size < sizeof(sent); size++) {
        ck_assert_int_eq(send(post[1], &sent, size, 0), (ssize_t)size);
        ck_assert_int_eq(parcel_receive(post[0], &got, bytes), -1);
        ck_assert_int_eq(errno, EPROTO);
    }
}
END_TEST

/* Each accepted parcel is like ours, whatever was written over it. */
static void assert_sound(size_t size)
{
    ck_assert_uint_le(got.head, PARCEL_MAX);
    ck_assert_uint_le(got.body, PARCEL_MAX);
    ck_assert_uint_le(got.rest, PARCEL_MAX);
    ck_assert_uint_eq(got.head + got.body + got.rest, size);
    ck_assert_uint_lt(got.reason, HANDOVER_REASONS);
    ck_assert_uint_lt(strnlen(got.peer.address, sizeof(got.peer.address)), sizeof(got.peer.address));
    ck_assert_int_ge(got.fd, 0);
}

START_TEST(what_is_accepted_is_sound_whatever_was_written_over_it)
{
    unsigned char raw[sizeof(sent)];
    int accepted = 0, before = next_descriptor();
    srand(1);
    for (int round = 0; round < 20000; round++) {
        memcpy(raw, &sent, sizeof(raw));
        for (int i = rand() % 4; i > 0; i--)
            raw[(size_t)rand() % sizeof(raw)] = (unsigned char)(rand() >> 7);
        size_t size = rand() % 8 == 0 ? (size_t)rand() % PARCEL_MAX : 5;
        forge(raw, size, client, rand() % 3);
        if (parcel_receive(post[0], &got, bytes) != 1)
            continue;
        assert_sound(size);
        accepted++;
        close(got.fd);
        if (got.spool >= 0)
            close(got.spool);
    }
    ck_assert_int_gt(accepted, 100);
    ck_assert_int_eq(next_descriptor(), before);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_connection_arrives_with_what_was_received);
    tcase_add_test(tests, a_spool_goes_along);
    tcase_add_test(tests, the_largest_parcel_fits_and_a_larger_one_is_refused);
    tcase_add_test(tests, a_full_socket_is_reported);
    tcase_add_test(tests, without_descriptors_it_stays_where_it_is);
    unit_add_rows(tests, a_forged_parcel_is_dropped_with_its_descriptors, forgeries);
    tcase_add_test(tests, texts_without_an_end_and_bools_that_are_none_are_dropped);
    tcase_add_test(tests, a_message_that_is_shorter_than_a_parcel_is_dropped);
    tcase_add_test(tests, what_is_accepted_is_sound_whatever_was_written_over_it);
}

int main(void)
{
    return unit_run("net/parcel", add);
}
