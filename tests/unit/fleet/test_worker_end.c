/*
 * How a worker ended: why it had to be replaced.
 */
#include "fleet/worker_end.h"

#include "unit.h"

static const struct {
    const char *name;
    bool as_asked;
    enum restart_cause alone;
    enum replacement why;
    enum restart_cause cause;
} causes[] = {
    {"it exits", false, RESTART_EXITED, REPLACE_NOT, RESTART_EXITED},
    {"it exits as if it had been asked", true, RESTART_EXITED, REPLACE_NOT, RESTART_EXITED},
    {"it fails while it leaves", false, RESTART_EXITED, REPLACE_ASKED, RESTART_EXITED},
    {"it leaves as it was asked", true, RESTART_EXITED, REPLACE_ASKED, RESTART_ASKED},
    {"it leaves since it has served long enough", true, RESTART_EXITED, REPLACE_PLANNED, RESTART_RECYCLED},
    {"it leaves since its calls are stuck", true, RESTART_EXITED, REPLACE_STUCK, RESTART_STUCK},
    {"it crashes", false, RESTART_SIGNAL, REPLACE_NOT, RESTART_SIGNAL},
    {"somebody kills it", false, RESTART_SIGNAL, REPLACE_STUCK, RESTART_SIGNAL},
    {"we kill it", false, RESTART_KILLED, REPLACE_NOT, RESTART_KILLED},
    {"it was asked, and did not leave", false, RESTART_KILLED, REPLACE_ASKED, RESTART_KILLED},
    {"it is stuck altogether", false, RESTART_KILLED, REPLACE_STUCK, RESTART_STUCK},
    {"it does not move", false, RESTART_KILLED, REPLACE_STALLED, RESTART_STALLED},
    {"it leaves since it has no descriptors", true, RESTART_EXITED, REPLACE_STARVED, RESTART_STALLED},
};

START_TEST(the_cause_of_a_restart_is_named)
{
    const struct worker_end end = {.as_asked = causes[_i].as_asked, .cause = causes[_i].alone};
    ck_assert_msg(worker_end_cause(&end, causes[_i].why) == causes[_i].cause, "%s", causes[_i].name);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, the_cause_of_a_restart_is_named, causes);
}

int main(void)
{
    return unit_run("fleet/worker_end", add);
}
