/*
 * Mistyped names, and whether they are near enough.
 */
#include "options/name_distance.h"

#include <stdint.h>

#include "unit.h"

static const struct {
    const char *name, *typed, *real;
    size_t distance;
} cases[] = {
    {"itself", "status", "status", 0},
    {"two letters in the wrong order", "stauts", "status", 1},
    {"two in three", "tpo", "top", 1},
    {"two in the wrong order, and one missing", "wrokrs", "workers", 2},
    {"half of it", "http", "help", SIZE_MAX},
    {"its end alone", "log-file", "env-file", SIZE_MAX},
    {"a third of it", "wurkrs", "workers", 2},
    {"more than a third", "wurgrs", "workers", SIZE_MAX},
    {"one missing", "worker", "workers", 1},
    {"one too many", "sstop", "stop", 1},
    {"an underscore for a dash", "log_level", "log-level", 0},
    {"only begun", "req", "requests", 5},
    {"something else", "frobnicate", "status", SIZE_MAX},
    {"nothing", "", "status", SIZE_MAX},
    {"longer than any name", "statusstatusstatusstatusstatusstatusstatusstatusstatus", "status", SIZE_MAX},
};

START_TEST(the_distance_is_in_edits)
{
    size_t distance = name_distance(cases[_i].typed, strlen(cases[_i].typed), cases[_i].real);
    ck_assert_msg(distance == cases[_i].distance, "%s: %zu", cases[_i].name, distance);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, the_distance_is_in_edits, cases);
}

int main(void)
{
    return unit_run("options/name_distance", add);
}
