/*
 * A scoreboard with some data, for the pages made of it, and a page as a string.
 */
#ifndef RENDERED_H
#define RENDERED_H

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "status/status_facts.h"

#include "unit.h"

static struct status_facts facts;
static struct totals totals;

/* Two slots of two seats, two threads; the worker in row 2 serves. */
static inline void rendered_set_up(void)
{
    facts = (struct status_facts){"1.2", "3.x \"quoted\"", "shop:app", scoreboard_new(4, 2), history_new()};
    facts.board->seats = 2;
    struct scoreboard_row *row = &facts.board->rows[2];
    scoreboard_set(row->pid, (uint32_t)getpid());
    scoreboard_set(row->state, WORKER_READY);
    scoreboard_set(row->forked_ms, clock_ms());
    scoreboard_set(row->requests_before, 40);
    scoreboard_set(row->requests, 42);
    scoreboard_set(row->connections, 3);
    scoreboard_count(row->answers[0], 41);
    scoreboard_count(row->answers[404 - SCOREBOARD_CODE_MIN], 1);
    histogram_add(&row->request, 2000000);
    histogram_add(&row->request, 300000000);
    histogram_add(&row->call, UINT64_C(200000000000));
}

static inline void rendered_tear_down(void)
{
    scoreboard_free(facts.board);
    history_free(facts.history);
}

/* The caller frees it. */
static inline char *rendered(void (*render)(const struct status_facts *, const struct totals *,
                                            struct text *))
{
    struct text text;
    text_init(&text);
    totals_take(&totals, facts.board);
    render(&facts, &totals, &text);
    char *string = xstrndup(text.data, text.size);
    ck_assert_uint_eq(strlen(string), text.size);
    text_fini(&text);
    return string;
}

#endif
