/* /status.json. */
#include "status/status_json.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "proc/resources.h"

static void add_string(struct text *out, const char *value)
{
    text_printf(out, "\"");
    text_add_json(out, value, strlen(value));
    text_printf(out, "\"");
}

static void add_member(struct text *out, const char *name, const char *value)
{
    text_printf(out, "\"%s\":", name);
    add_string(out, value);
}

static void add_number(struct text *out, const char *name, uint64_t value, const char *after)
{
    text_printf(out, "\"%s\":%" PRIu64 "%s", name, value, after);
}

static double seconds_of(uint64_t ns)
{
    return (double)ns / 1e9;
}

static void add_service(struct text *out, const struct status_facts *facts, const struct totals *totals)
{
    const struct scoreboard *board = facts->board;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    add_member(out, "version", facts->version);
    text_printf(out, ",");
    add_member(out, "python", facts->python);
    text_printf(out, ",");
    add_member(out, "application", facts->application);
    text_printf(out, ",");
    add_member(out, "state", service_state_name(totals->state));
    text_printf(out, ",\"now\":%.3f,", (double)now.tv_sec + (double)now.tv_nsec / 1e9);
    add_number(out, "started", scoreboard_get(board->service->started), ",");
    add_number(out, "generation", scoreboard_get(board->service->generation), ",");
}

static void add_worker(struct text *out, const struct status_facts *facts, const struct totals *totals,
                       uint32_t number)
{
    struct scoreboard *board = facts->board;
    const struct scoreboard_row *row = &board->rows[number];
    uint64_t forked = scoreboard_get(row->forked_ms);
    text_printf(out, "{");
    add_number(out, "worker", number / board->seats, ",");
    add_number(out, "pid", scoreboard_get(row->pid), ",");
    add_number(out, "generation", scoreboard_get(row->generation), ",");
    add_member(out, "state", worker_state_name(totals_worker_state(row)));
    text_printf(out, ",\"saturated\":%s,\"age\":%.1f,",
                scoreboard_is_saturated(row, totals->now_ms) ? "true" : "false",
                totals->now_ms > forked ? (double)(totals->now_ms - forked) / 1000 : 0.0);
    add_number(out, "requests", scoreboard_get(row->requests) - scoreboard_get(row->requests_before), ",");
    add_number(out, "connections", scoreboard_get(row->connections), ",");
    add_number(out, "queued", scoreboard_get(row->ready), ",");
    add_number(out, "busy", scoreboard_busy(board, number), ",");
    add_number(out, "threads", board->threads, ",");
    add_number(out, "rss", memory_resident((pid_t)scoreboard_get(row->pid)), "}");
}

static void add_workers(struct text *out, const struct status_facts *facts, const struct totals *totals)
{
    const char *before = "";
    text_printf(out, "\"workers\":[");
    for (uint32_t i = 0; i < facts->board->count; i++) {
        if (scoreboard_get(facts->board->rows[i].state) == WORKER_NONE)
            continue;
        text_printf(out, "%s", before);
        add_worker(out, facts, totals, i);
        before = ",";
    }
    text_printf(out, "],");
}

/* Adds a call, if one runs. */
static bool add_call(struct text *out, const struct status_facts *facts, const struct totals *totals,
                     uint32_t row, uint32_t thread, const char *before)
{
    char request[SCOREBOARD_REQUEST_SIZE];
    struct scoreboard *board = facts->board;
    uint64_t since = scoreboard_call_read(&scoreboard_calls(board, row)[thread], request);
    if (since == 0)
        return false;
    text_printf(out, "%s{\"worker\":%" PRIu32 ",\"pid\":%" PRIu32 ",\"thread\":%" PRIu32 ",\"age\":%.3f,",
                before, row / board->seats, scoreboard_get(board->rows[row].pid), thread,
                totals->now_ns > since ? seconds_of(totals->now_ns - since) : 0.0);
    add_member(out, "request", request);
    text_printf(out, "}");
    return true;
}

static void add_running(struct text *out, const struct status_facts *facts, const struct totals *totals)
{
    const char *before = "";
    text_printf(out, "\"running\":[");
    for (uint32_t row = 0; row < facts->board->count; row++)
        for (uint32_t thread = 0; thread < facts->board->threads; thread++)
            if (add_call(out, facts, totals, row, thread, before))
                before = ",";
    text_printf(out, "],");
}

static void add_totals(struct text *out, const struct totals *totals)
{
    const char *before = "";
    text_printf(out, "\"threads\":{\"busy\":%" PRIu32 ",\"total\":%" PRIu32 "},", totals->busy,
                totals->threads);
    add_number(out, "queued", totals->queued, ",");
    add_number(out, "spooled", totals->spooled, ",\"connections\":{");
    add_number(out, "total", totals->connections, ",");
    add_number(out, "idle", totals->idle, ",");
    add_number(out, "reading", totals->reading, ",");
    add_number(out, "active", totals->active, ",");
    add_number(out, "writing", totals->writing, ",");
    add_number(out, "accepted", totals->accepted, "},\"bytes\":{");
    add_number(out, "received", totals->received, ",");
    add_number(out, "sent", totals->sent, "},\"requests\":{");
    add_number(out, "total", totals->answers, ",\"codes\":{");
    for (int i = 0; i < SCOREBOARD_CODES; i++)
        if (totals->answers_by_code[i] > 0) {
            text_printf(out, "%s\"%d\":%" PRIu64, before, SCOREBOARD_CODE_MIN + i,
                        totals->answers_by_code[i]);
            before = ",";
        }
    text_printf(out, "},\"refused\":{");
    for (int i = 0; i < REFUSALS; i++)
        add_number(out, refusal_name(i), totals->refused[i], i < REFUSALS - 1 ? "," : "}},\"handovers\":{");
    for (int i = 0; i < HANDOVER_REASONS; i++)
        add_number(out, handover_reason_name(i), totals->handed_over[i],
                   i < HANDOVER_REASONS - 1 ? "," : "},");
}

static void add_restart(struct text *out, const struct scoreboard_restart *restart)
{
    text_printf(out, "{");
    add_number(out, "at", restart->at, ",");
    add_number(out, "worker", restart->slot, ",");
    add_number(out, "pid", restart->pid, ",");
    add_member(out, "cause", restart_cause_name(restart->cause));
    text_printf(out, ",");
    add_member(out, "how", restart->how);
    text_printf(out, "}");
}

static void add_restarts(struct text *out, const struct scoreboard *board)
{
    struct scoreboard_restart restart;
    const char *before = "";
    text_printf(out, "\"restarts\":{\"causes\":{");
    for (int i = 0; i < RESTART_CAUSES; i++)
        add_number(out, restart_cause_name(i), scoreboard_get(board->service->restarts[i]),
                   i < RESTART_CAUSES - 1 ? "," : "},\"last\":[");
    for (uint64_t age = 0; age < SCOREBOARD_RESTARTS; age++)
        if (scoreboard_read_restart(board->service, age, &restart)) {
            text_printf(out, "%s", before);
            add_restart(out, &restart);
            before = ",";
        }
    text_printf(out, "]},");
}

static void add_quantiles(struct text *out, const char *name, const struct histogram_copy *copy,
                          const char *after)
{
    text_printf(out, "\"%s\":{\"count\":%" PRIu64 ",\"p50\":%.6g,\"p90\":%.6g,\"p99\":%.6g}%s", name,
                copy->count, seconds_of(histogram_quantile(copy, 0.5)),
                seconds_of(histogram_quantile(copy, 0.9)), seconds_of(histogram_quantile(copy, 0.99)), after);
}

static void add_minute(struct text *out, const struct history *history, const struct totals *totals)
{
    struct history_minute minute;
    history_minute(history, totals, &minute);
    text_printf(out, "\"minute\":{\"seconds\":%.3f,", minute.seconds);
    add_quantiles(out, "request", &minute.request, ",");
    add_quantiles(out, "queue", &minute.queue, ",");
    add_quantiles(out, "app", &minute.call, "},");
}

static double requests(const struct history_sample *sample)
{
    return sample->requests;
}

static double errors(const struct history_sample *sample)
{
    return sample->errors;
}

static double p50(const struct history_sample *sample)
{
    return seconds_of(sample->p50);
}

static double p90(const struct history_sample *sample)
{
    return seconds_of(sample->p90);
}

static double p99(const struct history_sample *sample)
{
    return seconds_of(sample->p99);
}

static double queued(const struct history_sample *sample)
{
    return sample->queued;
}

static double busy(const struct history_sample *sample)
{
    return sample->busy;
}

static double connections(const struct history_sample *sample)
{
    return sample->connections;
}

/* A column is an array, oldest first: half the size of an object per sample. */
static const struct {
    const char *name;
    double (*value)(const struct history_sample *sample);
} columns[] = {
    {"requests", requests}, {"errors", errors}, {"p50", p50},   {"p90", p90},
    {"p99", p99},           {"queued", queued}, {"busy", busy}, {"connections", connections},
};

static void add_history(struct text *out, const struct history *history)
{
    unsigned count = history_count(history);
    text_printf(out, "\"history\":{\"interval\":%g,\"length\":%d", HISTORY_INTERVAL_MS / 1000.0,
                HISTORY_SAMPLES);
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        text_printf(out, ",\"%s\":[", columns[i].name);
        for (unsigned k = 0; k < count; k++)
            text_printf(out, k == 0 ? "%.6g" : ",%.6g", columns[i].value(history_sample(history, k)));
        text_printf(out, "]");
    }
    text_printf(out, "}");
}

void status_json_render(const struct status_facts *facts, const struct totals *totals, struct text *out)
{
    text_printf(out, "{");
    add_service(out, facts, totals);
    add_workers(out, facts, totals);
    add_running(out, facts, totals);
    add_totals(out, totals);
    add_restarts(out, facts->board);
    add_minute(out, facts->history, totals);
    add_history(out, facts->history);
    text_printf(out, "}\n");
}
