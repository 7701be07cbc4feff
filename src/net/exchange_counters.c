/* What is counted of an exchange. */
#include "net/exchange_counters.h"

#include "base/clock.h"

void tally_status(struct exchange *exchange, int status)
{
    _Atomic uint64_t *answers = exchange->conn->loop->row->answers;
    if (status < SCOREBOARD_CODE_MIN || status > SCOREBOARD_CODE_MAX)
        return;
    scoreboard_count(answers[status - SCOREBOARD_CODE_MIN], 1);
    if (exchange->counted != 0)
        scoreboard_count(answers[exchange->counted - SCOREBOARD_CODE_MIN], (uint64_t)-1);
    exchange->counted = status;
}

/* A call of the application, and the wait for it; or for nothing, when no thread came. */
static void count_call(struct exchange *exchange, uint64_t ended_ns)
{
    struct scoreboard_row *row = exchange->conn->loop->row;
    uint64_t begun = exchange->begun_ns;
    histogram_add(&row->queue, (begun != 0 ? begun : ended_ns) - exchange->ready_ns);
    if (begun != 0)
        histogram_add(&row->call, exchange->ended_ns - begun);
}

uint64_t exchange_count_end(struct exchange *exchange)
{
    struct scoreboard_row *row = exchange->conn->loop->row;
    if (exchange->ended_ns == 0)
        exchange->ended_ns = clock_ns();
    uint64_t ended = exchange->preempted_ns != 0 ? exchange->preempted_ns : exchange->ended_ns;
    uint64_t duration = ended - exchange->started_ns;
    scoreboard_add(row->requests, 1);
    histogram_add(&row->request, duration);
    if (exchange->ready_ns != 0)
        count_call(exchange, ended);
    return duration;
}

static const struct {
    int status;
    enum refusal refusal;
} refusals[] = {
    {400, REFUSAL_MALFORMED},   {408, REFUSAL_SLOW},        {413, REFUSAL_TOO_LARGE},
    {414, REFUSAL_TOO_LARGE},   {417, REFUSAL_UNSUPPORTED}, {431, REFUSAL_TOO_LARGE},
    {501, REFUSAL_UNSUPPORTED}, {503, REFUSAL_NO_STORAGE},  {505, REFUSAL_UNSUPPORTED},
};

void exchange_count_refusal(struct loop *loop, int status)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        if (refusals[i].status == status)
            scoreboard_add(loop->row->refused[refusals[i].refusal], 1);
}
