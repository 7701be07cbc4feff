/*
 * /status.json: its members, and that text from clients stays inside its string.
 */
#include "status/status_json.h"

#include <unistd.h>

#include "rendered.h"

static const struct {
    const char *name, *part;
} parts[] = {
    {"the service", "\"python\":\"3.x \\\"quoted\\\"\",\"application\":\"shop:app\",\"state\":\"ready\""},
    {"a worker's slot", "\"workers\":[{\"worker\":1,\"pid\":"},
    {"its own requests", "\"requests\":2,\"connections\":3,\"queued\":0,\"busy\":1,\"threads\":2,\"rss\":"},
    {"a running call", "\"thread\":1,\"age\":2."},
    {"its request, escaped", ",\"request\":\"GET /\\\"\\\\\\u0001\\u000d\\\\xff<b>\"}]"},
    {"threads", "\"threads\":{\"busy\":1,\"total\":2},\"queued\":0"},
    {"answers", "\"requests\":{\"total\":42,\"codes\":{\"200\":41,\"404\":1},\"refused\":{\"malformed\":0,"},
    {"restarts", "\"causes\":{\"exited\":0,\"signal\":2,\"killed\":0,\"stuck\":0,\"asked\":0,\"recycled\":0,"
                 "\"stalled\":0},"
                 "\"last\":[{\"at\":"},
    {"the last one first",
     "\"worker\":1,\"pid\":78,\"cause\":\"signal\",\"how\":\"died in \\\"GET /\\\"\"},{"},
    {"the last minute", "\"queue\":{\"count\":0,\"p50\":0,\"p90\":0,\"p99\":0}"},
    {"no history yet", "\"history\":{\"interval\":1,\"length\":300,\"requests\":[],\"errors\":[]"},
};

START_TEST(a_part_is_there)
{
    static const char line[] = "GET /\"\\\1\r\xff<b>";
    scoreboard_note_restart(facts.board, 0, 77, RESTART_SIGNAL, "died");
    scoreboard_note_restart(facts.board, 1, 78, RESTART_SIGNAL, "died in \"GET /\"");
    scoreboard_call_begin(&scoreboard_calls(facts.board, 2)[1], clock_ns() - 2000000000, line, strlen(line));
    char *text = rendered(status_json_render);
    ck_assert_msg(strstr(text, parts[_i].part) != NULL, "%s:\n%s", parts[_i].name, text);
    free(text);
}
END_TEST

START_TEST(history_is_in_columns)
{
    for (int i = 0; i < 4; i++) {
        totals_take(&totals, facts.board);
        totals.now_ns = (uint64_t)(i + 1) * 1000000000;
        totals.answers = (uint64_t)(i * i);
        history_add(facts.history, &totals);
    }
    char *text = rendered(status_json_render);
    ck_assert_ptr_nonnull(strstr(text, "\"requests\":[1,3,5],\"errors\":[0,0,0],"));
    ck_assert_ptr_nonnull(strstr(text, "\"connections\":[3,3,3]}}\n"));
    free(text);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, rendered_set_up, rendered_tear_down);
    unit_add_rows(tests, a_part_is_there, parts);
    tcase_add_test(tests, history_is_in_columns);
}

int main(void)
{
    return unit_run("status/status_json", add);
}
