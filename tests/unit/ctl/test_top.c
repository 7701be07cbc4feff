/*
 * A frame of top: its content, and that it fits the screen.
 */
#include "ctl/top.h"

#include "unit.h"

static char status[] = "version      1.2.3\nuptime       4m05s\napplication  shop:app\nphase        serving\n"
                       "generation   7\nworkers      2 serving\nconnections  12\ncalls        1\n"
                       "requests     1500\nrestarts     3\n";
static char status_before[] = "requests     1000\n";
static char workers[] = "slot     pid\n   0     100\n   1     101\n   2     102\n";
static char requests[] = "slot  request\n   0  GET /a\n   1  GET /b\n   2  GET /c\n   3  GET /d\n";
static char none[] = "slot  request\n";
static char *frame;
static size_t frame_size;

static const char *print(const struct top_sample *now, const struct top_sample *before,
                         struct top_screen screen)
{
    FILE *out = open_memstream(&frame, &frame_size);
    top_print(out, now, before, &screen, "|\n");
    fclose(out);
    return frame;
}

START_TEST(a_frame_without_limits_has_everything)
{
    const struct top_sample now = {status, workers, requests, 12000};
    const struct top_sample before = {status_before, workers, requests, 10000};
    print(&now, &before, (struct top_screen){.rows = 0});
    ck_assert_str_eq(frame, "gateway 1.2.3  shop:app  up 4m05s  generation 7  serving|\n"
                            "250.0 requests/s  12 connections  1 calls  3 restarts  workers: 2 serving|\n"
                            "|\n"
                            "slot     pid|\n   0     100|\n   1     101|\n   2     102|\n"
                            "|\n"
                            "slot  request|\n   0  GET /a|\n   1  GET /b|\n   2  GET /c|\n   3  GET /d");
}
END_TEST

START_TEST(without_a_sample_before_there_is_no_rate)
{
    const struct top_sample now = {status, workers, none, 12000};
    print(&now, NULL, (struct top_screen){.rows = 0});
    ck_assert_ptr_nonnull(strstr(frame, "\n- requests/s"));
    ck_assert_ptr_nonnull(strstr(frame, "|\nslot  request"));
}
END_TEST

static const struct {
    unsigned rows;
    const char *workers, *requests;
} heights[] = {
    {13, "|\n   2     102|\n", "|\n   3  GET /d"},
    {12, "|\n   2     102|\n", "|\n   1  GET /b|\n... and 2 more"},
    {10, "|\n   0     100|\n... and 2 more|\n", "|\n   0  GET /a|\n... and 3 more"},
    {4, "|\n... and 3 more|\n", "|\n... and 4 more"},
};

START_TEST(a_low_screen_shows_what_there_is_room_for)
{
    const struct top_sample now = {status, workers, requests, 12000};
    unsigned lines = 1;
    print(&now, NULL, (struct top_screen){.rows = heights[_i].rows, .columns = 80});
    for (const char *c = frame; *c != '\0'; c++)
        lines += *c == '\n';
    ck_assert_msg(lines <= heights[_i].rows || heights[_i].rows < 8, "%u lines:\n%s", lines, frame);
    ck_assert_msg(strstr(frame, heights[_i].workers) != NULL, "%s", frame);
    ck_assert_msg(strstr(frame, heights[_i].requests) != NULL, "%s", frame);
}
END_TEST

START_TEST(no_line_is_wider_than_the_screen)
{
    char wide[] = "slot  request\n   0  GET /\xc3\xa4\xc3\xb6\xc3\xbc-and-so-on\n";
    const struct top_sample now = {status, workers, wide, 12000};
    print(&now, NULL, (struct top_screen){.rows = 24, .columns = 14});
    ck_assert_ptr_nonnull(strstr(frame, "gateway 1.2.3 |\n"));
    ck_assert_ptr_nonnull(strstr(frame, "|\n   0  GET /\xc3\xa4\xc3\xb6\xc3\xbc"));
    ck_assert_ptr_null(strstr(frame, "-and"));
}
END_TEST

START_TEST(colour_is_only_where_it_is_wanted)
{
    const struct top_sample now = {status, workers, requests, 12000};
    print(&now, NULL, (struct top_screen){.rows = 24, .columns = 80});
    ck_assert_ptr_null(strchr(frame, '\033'));
    free(frame);
    print(&now, NULL, (struct top_screen){.rows = 24, .columns = 80, .colour = true});
    ck_assert_ptr_nonnull(strstr(frame, "\033[7mslot     pid\033[0m"));
}
END_TEST

START_TEST(an_answer_that_lacks_something_is_no_reason_to_fall)
{
    const struct top_sample now = {none + sizeof(none) - 1, none + sizeof(none) - 1, none, 12000};
    print(&now, &now, (struct top_screen){.rows = 24, .columns = 80});
    ck_assert_ptr_nonnull(strstr(frame, "gateway ?  ?  up ?"));
}
END_TEST

static void tear_down(void)
{
    free(frame);
}

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_test(tests, a_frame_without_limits_has_everything);
    tcase_add_test(tests, without_a_sample_before_there_is_no_rate);
    unit_add_rows(tests, a_low_screen_shows_what_there_is_room_for, heights);
    tcase_add_test(tests, no_line_is_wider_than_the_screen);
    tcase_add_test(tests, colour_is_only_where_it_is_wanted);
    tcase_add_test(tests, an_answer_that_lacks_something_is_no_reason_to_fall);
}

int main(void)
{
    return unit_run("ctl/top", add);
}
