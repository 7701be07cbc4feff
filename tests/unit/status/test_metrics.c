/*
 * /metrics: lines in the format of Prometheus. The system tests parse all of it strictly.
 */
#include "status/metrics.h"

#include <unistd.h>

#include "rendered.h"

static const struct {
    const char *name, *line;
} lines[] = {
    {"labels are escaped", "gateway_build_info{version=\"1.2\",python=\"3.x \\\"quoted\\\"\"} 1\n"},
    {"a family is explained", "# TYPE gateway_requests_total counter\n"},
    {"each code has a line", "gateway_requests_total{code=\"404\"} 1\n"},
    {"a bound includes its value", "gateway_request_duration_seconds_bucket{le=\"0.0025\"} 1\n"},
    {"buckets are cumulative", "gateway_request_duration_seconds_bucket{le=\"0.5\"} 2\n"},
    {"what is over all bounds is in the last bucket only",
     "gateway_app_duration_seconds_bucket{le=\"100\"} 0\n"},
    {"and there", "gateway_app_duration_seconds_bucket{le=\"+Inf\"} 1\n"},
    {"sums are seconds", "gateway_request_duration_seconds_sum 0.302000000\n"},
    {"and there is a count", "gateway_request_duration_seconds_count 2\n"},
    {"threads of the workers that serve", "gateway_threads{state=\"idle\"} 2\n"},
    {"connections", "gateway_connections{state=\"idle\"} 3\n"},
    {"workers by state", "gateway_workers{state=\"ready\"} 1\n"},
    {"memory by slot", "gateway_worker_rss_bytes{worker=\"1\"} "},
    {"nothing was handed over", "gateway_handovers_total{reason=\"retire\"} 0\n"},
    {"restarts", "gateway_worker_restarts_total{cause=\"stuck\"} 1\n"},
    {"the generation", "gateway_generation 1\n"},
};

START_TEST(a_line_is_there)
{
    scoreboard_note_restart(facts.board, 0, 1, RESTART_STUCK, "was stuck");
    char *text = rendered(metrics_render);
    ck_assert_msg(strstr(text, lines[_i].line) != NULL, "%s:\n%s", lines[_i].name, text);
    free(text);
}
END_TEST

START_TEST(an_empty_slot_has_no_memory)
{
    char *text = rendered(metrics_render);
    ck_assert_ptr_null(strstr(text, "rss_bytes{worker=\"0\"}"));
    free(text);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, rendered_set_up, rendered_tear_down);
    unit_add_rows(tests, a_line_is_there, lines);
    tcase_add_test(tests, an_empty_slot_has_no_memory);
}

int main(void)
{
    return unit_run("status/metrics", add);
}
