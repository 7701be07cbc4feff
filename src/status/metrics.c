/* /metrics. */
#include "status/metrics.h"

#include <inttypes.h>
#include <string.h>

#include "proc/resources.h"

/* The bounds of the histograms that are printed, in ns. */
static const uint64_t shown_bounds[] = {
    UINT64_C(100000),      UINT64_C(250000),      UINT64_C(500000),       UINT64_C(1000000),
    UINT64_C(2500000),     UINT64_C(5000000),     UINT64_C(10000000),     UINT64_C(25000000),
    UINT64_C(50000000),    UINT64_C(100000000),   UINT64_C(250000000),    UINT64_C(500000000),
    UINT64_C(1000000000),  UINT64_C(2500000000),  UINT64_C(5000000000),   UINT64_C(10000000000),
    UINT64_C(25000000000), UINT64_C(50000000000), UINT64_C(100000000000),
};
enum { SHOWN_BOUNDS = sizeof(shown_bounds) / sizeof(shown_bounds[0]) };

static void head(struct text *out, const char *name, const char *type, const char *help)
{
    text_printf(out, "# HELP gateway_%s %s\n# TYPE gateway_%s %s\n", name, help, name, type);
}

static void plain(struct text *out, const char *name, const char *type, const char *help, uint64_t value)
{
    head(out, name, type, help);
    text_printf(out, "gateway_%s %" PRIu64 "\n", name, value);
}

static void labelled(struct text *out, const char *name, const char *label, const char *is, uint64_t value)
{
    text_printf(out, "gateway_%s{%s=\"%s\"} %" PRIu64 "\n", name, label, is, value);
}

/* Adds the value of a label. */
static void add_escaped(struct text *out, const char *value)
{
    for (; *value != '\0'; value++)
        if (*value == '\n')
            text_printf(out, "\\n");
        else
            text_printf(out, *value == '"' || *value == '\\' ? "\\%c" : "%c", *value);
}

static void add_build(struct text *out, const struct status_facts *facts)
{
    head(out, "build_info", "gauge", "Always 1; the labels tell what is running.");
    text_printf(out, "gateway_build_info{version=\"");
    add_escaped(out, facts->version);
    text_printf(out, "\",python=\"");
    add_escaped(out, facts->python);
    text_printf(out, "\"} 1\n");
}

static void add_requests(struct text *out, const struct totals *totals)
{
    head(out, "requests_total", "counter",
         "Requests answered, by status code; 499: the client was gone before.");
    for (int i = 0; i < SCOREBOARD_CODES; i++)
        if (totals->answers_by_code[i] > 0)
            text_printf(out, "gateway_requests_total{code=\"%d\"} %" PRIu64 "\n", SCOREBOARD_CODE_MIN + i,
                        totals->answers_by_code[i]);
    head(out, "refused_total", "counter", "Requests answered without the application, by reason.");
    for (int i = 0; i < REFUSALS; i++)
        labelled(out, "refused_total", "reason", refusal_name(i), totals->refused[i]);
}

static void add_histogram(struct text *out, const char *name, const char *help,
                          const struct histogram_copy *copy)
{
    head(out, name, "histogram", help);
    for (int i = 0; i < SHOWN_BOUNDS; i++)
        text_printf(out, "gateway_%s_bucket{le=\"%g\"} %" PRIu64 "\n", name, (double)shown_bounds[i] / 1e9,
                    histogram_up_to(copy, shown_bounds[i]));
    text_printf(out, "gateway_%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, copy->count);
    text_printf(out, "gateway_%s_sum %.9f\ngateway_%s_count %" PRIu64 "\n", name, (double)copy->sum / 1e9,
                name, copy->count);
}

static void add_durations(struct text *out, const struct totals *totals)
{
    add_histogram(out, "request_duration_seconds",
                  "From the end of a request's head to the end of its answer.", &totals->request);
    add_histogram(out, "app_duration_seconds", "Calls of the application.", &totals->call);
    add_histogram(out, "queue_duration_seconds", "From the end of a request to the beginning of its call.",
                  &totals->queue);
}

static void add_connections(struct text *out, const struct totals *totals)
{
    head(out, "connections", "gauge", "Open connections, by what they are at.");
    labelled(out, "connections", "state", "idle", totals->idle);
    labelled(out, "connections", "state", "reading", totals->reading);
    labelled(out, "connections", "state", "active", totals->active);
    labelled(out, "connections", "state", "writing", totals->writing);
    plain(out, "spooled_bytes", "gauge", "Temporary files of bodies and answers, of --spool-total.",
          totals->spooled);
    plain(out, "connections_accepted_total", "counter", "Connections accepted.", totals->accepted);
    plain(out, "received_bytes_total", "counter", "Bytes received from clients.", totals->received);
    plain(out, "sent_bytes_total", "counter", "Bytes that clients have taken.", totals->sent);
    head(out, "handovers_total", "counter", "Connections handed to another worker, by reason.");
    for (int i = 0; i < HANDOVER_REASONS; i++)
        labelled(out, "handovers_total", "reason", handover_reason_name(i), totals->handed_over[i]);
}

static void add_threads(struct text *out, const struct totals *totals)
{
    uint32_t idle = totals->threads > totals->busy ? totals->threads - totals->busy : 0;
    head(out, "threads", "gauge", "Threads of the application, by what they do.");
    labelled(out, "threads", "state", "busy", totals->busy);
    labelled(out, "threads", "state", "idle", idle);
    plain(out, "requests_queued", "gauge", "Requests that wait for a thread.", totals->queued);
}

/* The resident memory of all workers in a slot: two while one replaces the other. */
static uint64_t slot_rss(const struct scoreboard *board, uint32_t slot)
{
    uint64_t sum = 0;
    for (uint32_t i = slot * board->seats; i < (slot + 1) * board->seats; i++) {
        uint32_t pid = scoreboard_get(board->rows[i].pid);
        sum += pid != 0 ? memory_resident((pid_t)pid) : 0;
    }
    return sum;
}

static void add_workers(struct text *out, const struct scoreboard *board, const struct totals *totals)
{
    head(out, "workers", "gauge", "Worker processes, by state.");
    for (int i = WORKER_NONE + 1; i < WORKER_STATES; i++)
        labelled(out, "workers", "state", worker_state_name(i), totals->workers[i]);
    head(out, "worker_rss_bytes", "gauge", "Resident memory of a worker.");
    for (uint32_t slot = 0; slot < board->count / board->seats; slot++) {
        uint64_t rss = slot_rss(board, slot);
        if (rss > 0)
            text_printf(out, "gateway_worker_rss_bytes{worker=\"%" PRIu32 "\"} %" PRIu64 "\n", slot, rss);
    }
    head(out, "worker_restarts_total", "counter", "Workers that had to be replaced, by cause.");
    for (int i = 0; i < RESTART_CAUSES; i++)
        labelled(out, "worker_restarts_total", "cause", restart_cause_name(i),
                 scoreboard_get(board->service->restarts[i]));
}

void metrics_render(const struct status_facts *facts, const struct totals *totals, struct text *out)
{
    const struct scoreboard *board = facts->board;
    add_build(out, facts);
    plain(out, "start_time_seconds", "gauge", "When the master was started, in Unix time.",
          scoreboard_get(board->service->started));
    plain(out, "generation", "gauge",
          "Of the application: 1 at the start, one more with each reload that is not dropped.",
          scoreboard_get(board->service->generation));
    add_requests(out, totals);
    add_durations(out, totals);
    add_connections(out, totals);
    add_threads(out, totals);
    add_workers(out, board, totals);
}
