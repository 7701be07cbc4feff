/*
 * Unserved slots: a slot is one while nobody serves there, or its worker has taken no client
 * between two ticks although one waited.
 */
#include "master/unserved_slots.h"

#include <sys/socket.h>
#include <unistd.h>

#include "fleet/slot.h"
#include "unit.h"

enum { SLOTS = 2 };

static struct scoreboard *board;
static struct address address;
static struct unserved_slots *unserved;
static int clients[64], client_count;

static void set_up(void)
{
    char message[256];
    board = scoreboard_new(SLOTS * FLEET_SEATS, 1);
    ck_assert_int_eq(address_parse(&address, "--bind", "127.0.0.1:0", message, sizeof(message)), 0);
    ck_assert_int_eq(address_listen(&address, SLOTS, 64, message, sizeof(message)), 0);
    unserved = unserved_slots_new(board, SLOTS, &address, 1);
    client_count = 0;
}

static void tear_down(void)
{
    while (client_count > 0)
        close(clients[--client_count]);
    unserved_slots_free(unserved);
    address_close(&address, true);
    scoreboard_free(board);
}

static struct scoreboard_row *row(unsigned slot, unsigned seat)
{
    return &board->rows[slot * FLEET_SEATS + seat];
}

static bool is_unserved(unsigned slot)
{
    return scoreboard_get(row(slot, 0)->left_unserved) != 0;
}

static void serve(unsigned slot, unsigned seat)
{
    scoreboard_set(row(slot, seat)->state, WORKER_READY);
}

/* A client with its first bytes for each socket, whichever the kernel chooses. */
static void fill_queues(void)
{
    for (int i = 0; i < 32; i++) {
        int fd = clients[client_count++] = socket(AF_INET, SOCK_STREAM, 0);
        ck_assert_int_eq(connect(fd, (struct sockaddr *)&address.socket_address, address.size), 0);
        ck_assert_int_eq(send(fd, "x", 1, 0), 1);
    }
}

START_TEST(a_slot_is_an_unserved_slot_until_somebody_serves_there)
{
    ck_assert(unserved_slots_look(unserved));
    ck_assert(is_unserved(0) && is_unserved(1));
    serve(0, 0);
    ck_assert(unserved_slots_look(unserved));
    ck_assert(!is_unserved(0) && is_unserved(1));
    serve(1, 1); /* either seat */
    ck_assert(unserved_slots_look(unserved));
    ck_assert(!is_unserved(1));
    ck_assert_msg(!unserved_slots_look(unserved), "nothing has changed");
    scoreboard_set(row(0, 0)->state, WORKER_DRAINING);
    ck_assert(unserved_slots_look(unserved));
    ck_assert(is_unserved(0));
    serve(0, 1);
    ck_assert(unserved_slots_look(unserved));
    ck_assert(!is_unserved(0));
}
END_TEST

/* One connection more. */
static void take_one(unsigned slot)
{
    scoreboard_add(row(slot, 0)->accepted, 1);
    scoreboard_add(row(slot, 0)->progress, 1);
}

START_TEST(a_worker_that_takes_nobody_is_an_unserved_slot_only_when_somebody_waits)
{
    serve(0, 0);
    serve(1, 0);
    unserved_slots_look(unserved);
    for (int i = 0; i < 5; i++)
        ck_assert(!unserved_slots_tick(unserved)); /* idle */
    fill_queues();
    ck_assert(!unserved_slots_tick(unserved));
    take_one(1); /* slow, but it takes them */
    ck_assert(unserved_slots_tick(unserved));
    ck_assert(is_unserved(0) && !is_unserved(1));
    ck_assert(unserved_slots_wait(unserved, 0) && !unserved_slots_wait(unserved, 1));
    for (int i = 0; i < 3; i++) {
        take_one(1);
        ck_assert(!unserved_slots_tick(unserved));
    }
    ck_assert(is_unserved(0));
    take_one(0);
    take_one(1);
    ck_assert(unserved_slots_tick(unserved));
    ck_assert(!is_unserved(0));
}
END_TEST

START_TEST(a_loop_that_turns_and_takes_nobody_is_no_progress)
{
    serve(0, 0);
    serve(1, 0);
    scoreboard_set(row(0, 0)->in_transfer, 1);
    scoreboard_set(row(0, 0)->intake, INTAKE_NO_DESCRIPTORS);
    for (int i = 0; i < 3; i++) {
        scoreboard_add(row(0, 0)->progress, 1);
        unserved_slots_tick(unserved);
    }
    ck_assert(is_unserved(0) && !is_unserved(1));
    scoreboard_set(row(0, 0)->in_transfer, 0);
    for (int i = 0; i < 3; i++) {
        scoreboard_add(row(0, 0)->progress, 1);
        unserved_slots_tick(unserved);
    }
    ck_assert_msg(is_unserved(0), "others have emptied its queue");
    scoreboard_set(row(0, 0)->intake, INTAKE_OPEN);
    scoreboard_add(row(0, 0)->progress, 1);
    ck_assert(unserved_slots_tick(unserved));
    ck_assert(!is_unserved(0));
}
END_TEST

START_TEST(clients_at_a_shared_socket_wait_for_every_worker)
{
    address.shared = true;
    serve(0, 0);
    serve(1, 0);
    unserved_slots_tick(unserved);
    fill_queues();
    ck_assert(!unserved_slots_tick(unserved) && !unserved_slots_wait(unserved, 0));
    unserved_slots_tick(unserved);
    ck_assert(unserved_slots_wait(unserved, 0) && unserved_slots_wait(unserved, 1));
    ck_assert(!is_unserved(0) && !is_unserved(1));
}
END_TEST

START_TEST(what_waits_in_a_transfer_socket_counts_too)
{
    serve(0, 0);
    serve(1, 0);
    unserved_slots_tick(unserved);
    scoreboard_set(row(0, 0)->in_transfer, 1);
    ck_assert(!unserved_slots_tick(unserved));
    ck_assert(unserved_slots_tick(unserved));
    ck_assert(is_unserved(0) && !is_unserved(1));
}
END_TEST

START_TEST(an_unserved_slot_stays_one_when_others_have_emptied_its_queue)
{
    serve(0, 0);
    serve(1, 0);
    scoreboard_set(row(0, 0)->in_transfer, 1);
    for (int i = 0; i < 3; i++)
        unserved_slots_tick(unserved);
    ck_assert(is_unserved(0));
    scoreboard_set(row(0, 0)->in_transfer, 0);
    ck_assert(!unserved_slots_tick(unserved));
    ck_assert(is_unserved(0));
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_slot_is_an_unserved_slot_until_somebody_serves_there);
    tcase_add_test(tests, a_worker_that_takes_nobody_is_an_unserved_slot_only_when_somebody_waits);
    tcase_add_test(tests, a_loop_that_turns_and_takes_nobody_is_no_progress);
    tcase_add_test(tests, clients_at_a_shared_socket_wait_for_every_worker);
    tcase_add_test(tests, what_waits_in_a_transfer_socket_counts_too);
    tcase_add_test(tests, an_unserved_slot_stays_one_when_others_have_emptied_its_queue);
}

int main(void)
{
    return unit_run("master/unserved_slots", add);
}
