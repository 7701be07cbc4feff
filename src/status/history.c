/* The history of the last minutes. */
#include "status/history.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

/* Totals that later ones are compared with. */
struct mark {
    uint64_t ns;
    uint64_t answers, errors;
    struct histogram_copy request, queue, call;
};

/* Samples are kept for minutes; marks, which are large, for one minute. */
struct history {
    uint64_t taken; /* number of samples; marks are one more */
    struct history_sample samples[HISTORY_SAMPLES];
    struct mark marks[HISTORY_MINUTE + 1];
    bool begun;
};

struct history *history_new(void)
{
    return xcalloc(1, sizeof(struct history));
}

void history_free(struct history *history)
{
    free(history);
}

static const struct mark *last_mark(const struct history *history)
{
    return &history->marks[history->taken % (HISTORY_MINUTE + 1)];
}

static const struct mark *oldest_mark(const struct history *history)
{
    uint64_t number = history->taken > HISTORY_MINUTE ? history->taken - HISTORY_MINUTE : 0;
    return &history->marks[number % (HISTORY_MINUTE + 1)];
}

static uint64_t count_errors(const struct totals *totals)
{
    uint64_t errors = 0;
    for (int code = 500; code < 600; code++)
        errors += totals->answers_by_code[code - SCOREBOARD_CODE_MIN];
    return errors;
}

static struct mark mark_of(const struct totals *totals)
{
    return (struct mark){totals->now_ns,  totals->answers, count_errors(totals),
                         totals->request, totals->queue,   totals->call};
}

static struct history_sample sample_between(const struct mark *before, const struct mark *now,
                                            const struct totals *totals)
{
    struct histogram_copy came = now->request;
    double seconds = (double)(now->ns - before->ns) / 1e9;
    histogram_subtract(&came, &before->request);
    return (struct history_sample){
        .requests = (double)(now->answers - before->answers) / seconds,
        .errors = (double)(now->errors - before->errors) / seconds,
        .p50 = histogram_quantile(&came, 0.5),
        .p90 = histogram_quantile(&came, 0.9),
        .p99 = histogram_quantile(&came, 0.99),
        .queued = totals->queued,
        .busy = totals->busy,
        .connections = totals->connections,
    };
}

void history_add(struct history *history, const struct totals *totals)
{
    struct mark now = mark_of(totals);
    if (!history->begun) {
        history->begun = true;
        history->marks[0] = now;
        return;
    }
    struct history_sample sample = sample_between(last_mark(history), &now, totals);
    history->samples[history->taken++ % HISTORY_SAMPLES] = sample;
    history->marks[history->taken % (HISTORY_MINUTE + 1)] = now;
}

unsigned history_count(const struct history *history)
{
    return history->taken < HISTORY_SAMPLES ? (unsigned)history->taken : HISTORY_SAMPLES;
}

const struct history_sample *history_sample(const struct history *history, unsigned number)
{
    assert(number < history_count(history));
    return &history->samples[(history->taken - history_count(history) + number) % HISTORY_SAMPLES];
}

void history_minute(const struct history *history, const struct totals *now, struct history_minute *minute)
{
    const struct mark *before = oldest_mark(history);
    *minute = (struct history_minute){(double)(now->now_ns - before->ns) / 1e9, now->request, now->queue,
                                      now->call};
    histogram_subtract(&minute->request, &before->request);
    histogram_subtract(&minute->queue, &before->queue);
    histogram_subtract(&minute->call, &before->call);
}
