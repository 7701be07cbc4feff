/*
 * Which events count as a change of a watched file. The files are in a directory of the test's own.
 * Shell commands change them, as users do.
 *
 * Watched: app.py, package/__init__.py and page.html among their neighbours; in alone-/, which is
 * no package's name, one.py alone.
 */
#include "worker/watch.h"

#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "unit.h"

static char directory[] = "/tmp/gateway-unit-XXXXXX";
static struct watch *watch;
static char path[PATH_MAX];

static void run(const char *command)
{
    ck_assert_msg(system(command) == 0, "%s", command);
}

static void watch_one(const char *name, bool neighbours)
{
    char *absolute = xasprintf("%s/%s", directory, name);
    watch_file(watch, absolute, neighbours);
    free(absolute);
}

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
    run("mkdir -p package alone- alone-/below inner/more empty data/files; ln -s alone- link; mkdir links; "
        "touch app.py page.html package/__init__.py package/mod.py alone-/one.py alone-/two.py "
        "alone-/below/x.py "
        "inner/x.py inner/more/y.py data/files/z.py; ln -s ../alone-/real.py links/linked.py; touch "
        "alone-/real.py");
    watch = watch_open();
    ck_assert_ptr_nonnull(watch);
    watch_one("app.py", true);
    watch_one("package/__init__.py", true);
    watch_one("page.html", false);
    watch_one("alone-/one.py", false);
    watch_one("links/linked.py", false);
    watch_one("later/extra", false);
    watch_one("link/three.py", false);
    watch_file(watch, "-", false);
    watch_file(watch, "relative", true);
}

static void tear_down(void)
{
    char *command = xasprintf("rm -rf %s", directory);
    watch_free(watch);
    run(command);
    free(command);
}

/* Reads the change, and its path in `path`, relative to the directory. */
static enum watch_change read_change(void)
{
    static const char nothing[] = "";
    char absolute[PATH_MAX] = "";
    enum watch_change change = watch_read(watch, absolute, sizeof(absolute));
    const char *shown = absolute;
    if (strncmp(absolute, directory, strlen(directory)) == 0)
        shown += strlen(directory) + 1;
    snprintf(path, sizeof(path), "%s", change == WATCH_NONE ? nothing : shown);
    return change;
}

static const struct {
    const char *name, *command;
    enum watch_change change;
    const char *path;
} cases[] = {
    {"nothing", "true", WATCH_NONE, ""},
    {"a file is written", "echo >app.py", WATCH_SAVED, "app.py"},
    {"a file is replaced", "echo >x; mv x app.py", WATCH_SAVED, "app.py"},
    {"a file is replaced by a link", "ln -sf package/mod.py app.py", WATCH_SAVED, "app.py"},
    {"a file is replaced by a hard link", "ln -f page.html app.py", WATCH_SAVED, "app.py"},
    {"a file is removed", "rm app.py", WATCH_GONE, "app.py"},
    {"a file is moved away", "mv app.py app.py~", WATCH_GONE, "app.py"},
    {"a file is moved away and comes again", "mv app.py app.py~; echo >app.py", WATCH_SAVED, "app.py"},
    {"a file whose place is unknown", "echo >relative; echo >./-", WATCH_NONE, ""},
    {"a file is only read", "cat app.py", WATCH_NONE, ""},
    {"its permissions are changed", "chmod 600 app.py", WATCH_NONE, ""},
    {"one that is no source", "echo >page.html", WATCH_SAVED, "page.html"},
    {"another that is no source", "echo >other.html", WATCH_NONE, ""},
    {"a neighbour", "echo >package/mod.py", WATCH_SAVED, "package/mod.py"},
    {"a new neighbour", "echo >new.py", WATCH_SAVED, "new.py"},
    {"a new neighbour that comes by its name", "echo >x; mv x new.py", WATCH_SAVED, "new.py"},
    {"a neighbour that is only begun", "exec 3>new.py; exec sleep 0.01", WATCH_SAVED, "new.py"},
    {"a source below, with the neighbours", "echo >inner/x.py", WATCH_SAVED, "inner/x.py"},
    {"and below that", "echo >inner/more/new.py", WATCH_SAVED, "inner/more/new.py"},
    {"a directory without source is not watched", "echo >empty/x.py; echo >data/files/z.py", WATCH_NONE, ""},
    {"a file alone", "echo >alone-/one.py", WATCH_SAVED, "alone-/one.py"},
    {"it has no neighbours", "echo >alone-/two.py; echo >alone-/new.py; echo >alone-/below/x.py", WATCH_NONE,
     ""},
    {"what a link leads to", "echo >alone-/real.py", WATCH_SAVED, "alone-/real.py"},
    {"a link itself", "ln -sf x links/linked.py", WATCH_SAVED, "links/linked.py"},
    {"a file by another path to its directory", "echo >alone-/three.py", WATCH_SAVED, "link/three.py"},
    {"a directory full of sources comes", "mkdir .t; echo >.t/x.py; mv .t full", WATCH_SAVED, "full"},
    {"a directory that is no package comes", "mkdir .t; echo >.t/x.py; mv .t not-one", WATCH_NONE, ""},
    {"Python's own directory comes", "mkdir .t; echo >.t/x.py; mv .t __pycache__", WATCH_NONE, ""},
    {"an empty directory comes", "mkdir fresh", WATCH_NONE, ""},
    {"a package goes", "mv package .elsewhere", WATCH_GONE, "package"},
    {"a directory goes of which nothing is known", "mv inner .elsewhere", WATCH_NONE, ""},
    {"vim", "echo >.app.py.swp; echo >4913; rm 4913 .app.py.swp", WATCH_NONE, ""},
    {"a backup", "echo >app.py~; echo >app.py.bak; echo >app.py.orig", WATCH_NONE, ""},
    {"Emacs", "ln -s user@host.1 .#app.py; echo >'#app.py#'; rm .#app.py '#app.py#'", WATCH_NONE, ""},
    {"a linter", "echo >flycheck_app.py; rm flycheck_app.py", WATCH_NONE, ""},
    {"an IDE", "echo >app.py___jb_tmp___", WATCH_NONE, ""},
    {"bytecode", "echo >app.pyc; mkdir __pycache__; echo >__pycache__/x.pyc", WATCH_NONE, ""},
    {"a name that is nothing but the suffix", "echo >.py", WATCH_NONE, ""},
    {"a name that is not ASCII", "echo >\xc3\xa9t\xc3\xa9.py", WATCH_SAVED, "\xc3\xa9t\xc3\xa9.py"},
};

START_TEST(a_change_is_what_the_table_says)
{
    run(cases[_i].command);
    enum watch_change change = read_change();
    ck_assert_msg(change == cases[_i].change && strcmp(path, cases[_i].path) == 0, "%s: got %d, \"%s\"",
                  cases[_i].name, change, path);
    ck_assert_msg(read_change() == WATCH_NONE, "%s: and once more", cases[_i].name);
}
END_TEST

START_TEST(what_has_come_is_watched_from_then_on)
{
    run("mkdir fresh");
    ck_assert_int_eq(read_change(), WATCH_NONE);
    run("echo >fresh/new.py; mkdir fresh/more");
    ck_assert_int_eq(read_change(), WATCH_SAVED);
    run("echo >fresh/more/new.py");
    ck_assert_int_eq(read_change(), WATCH_SAVED);
    ck_assert_str_eq(path, "fresh/more/new.py");
}
END_TEST

START_TEST(what_was_put_into_a_new_directory_before_anybody_looked_is_seen)
{
    run("mkdir -p fresh/more; echo >fresh/more/new.py; echo >fresh/new.py");
    ck_assert_int_eq(read_change(), WATCH_SAVED);
    ck_assert_str_eq(path, "fresh");
    run("echo >fresh/more/new.py");
    ck_assert_int_eq(read_change(), WATCH_SAVED);
}
END_TEST

START_TEST(what_is_made_in_one_go_is_watched_to_the_bottom)
{
    run("mkdir -p fresh/more/most");
    ck_assert_int_eq(read_change(), WATCH_NONE);
    run("echo >fresh/more/most/new.py");
    ck_assert_int_eq(read_change(), WATCH_SAVED);
    ck_assert_str_eq(path, "fresh/more/most/new.py");
    run("mkdir -p other/more/most; echo >other/more/most/new.py");
    ck_assert_int_eq(read_change(), WATCH_SAVED);
    ck_assert_str_eq(path, "other");
}
END_TEST

static enum watch_change look(void)
{
    return watch_look_again(watch, path, sizeof(path));
}

static const struct {
    const char *name, *command, *then, *path;
} elsewhere[] = {
    {"a directory is replaced", "mv package .old; mkdir package", "echo >package/__init__.py",
     "package/__init__.py"},
    {"a directory is missing for a while", "rm -r alone-", "mkdir alone-; echo >alone-/one.py", NULL},
    {"a link to a directory leads to another", "ln -sfn inner link", "echo >inner/three.py", "link/three.py"},
    {"a directory comes that was not there", "mkdir later", "echo >later/extra", "later/extra"},
};

START_TEST(a_name_that_leads_elsewhere_is_followed)
{
    run(elsewhere[_i].command);
    read_change();
    look();
    read_change();
    ck_assert_msg(look() == WATCH_NONE, "%s: nothing more has happened", elsewhere[_i].name);
    run(elsewhere[_i].then);
    if (elsewhere[_i].path == NULL)
        ck_assert_msg(look() == WATCH_SAVED || read_change() == WATCH_SAVED, "%s", elsewhere[_i].name);
    else
        ck_assert_msg(read_change() == WATCH_SAVED && strcmp(path, elsewhere[_i].path) == 0, "%s: \"%s\"",
                      elsewhere[_i].name, path);
}
END_TEST

START_TEST(a_link_to_a_directory_that_leads_to_another_is_a_change)
{
    run("ln -sfn inner link");
    ck_assert_int_eq(read_change(), WATCH_NONE);
    ck_assert_int_eq(look(), WATCH_SAVED);
    ck_assert_int_eq(look(), WATCH_NONE);
}
END_TEST

START_TEST(what_the_kernel_could_not_keep_may_have_been_anything)
{
    run("n=$(cat /proc/sys/fs/inotify/max_queued_events); i=0; "
        "while [ $i -le $n ]; do : >x; : >y; i=$((i + 2)); done");
    ck_assert_int_eq(read_change(), WATCH_SAVED);
}
END_TEST

static void assert_warned(const char *expected)
{
    char text[2048] = "";
    FILE *file = fopen("error.log", "re");
    ck_assert_ptr_nonnull(file);
    size_t size = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[size] = '\0';
    const char *found = strstr(text, expected);
    ck_assert_msg(found != NULL && strchr(found, '\n')[1] == '\0', "%s: %s", expected, text);
}

START_TEST(what_cannot_be_watched_is_told_once)
{
    const struct log_options log = {.path = "error.log", .level = LOG_INFO};
    ck_assert_int_eq(log_open(&log), 0);
    run("mkdir secret; chmod 0 secret");
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    watch_one("secret/x.py", false);
    watch_warn(watch);
    watch_warn(watch);
    look();
    watch_warn(watch);
    if (geteuid() != getuid())
        ck_assert_int_eq(seteuid(getuid()), 0);
    assert_warned("/secret is not noticed: Permission denied\n");
}
END_TEST

START_TEST(what_has_changed_before_it_was_watched_can_be_asked_for)
{
    struct timespec before, now;
    char found[4096];
    run("sleep 0.02");
    clock_gettime(CLOCK_REALTIME, &before);
    ck_assert(!watch_find_since(watch, &before, found, sizeof(found)));
    run("sleep 0.02; echo >unknown.txt");
    ck_assert_msg(!watch_find_since(watch, &before, found, sizeof(found)), "%s", found);
    run("echo >neighbour.py");
    ck_assert(watch_find_since(watch, &before, found, sizeof(found)));
    ck_assert_str_eq(strrchr(found, '/'), "/neighbour.py");
    run("sleep 0.02");
    clock_gettime(CLOCK_REALTIME, &now);
    ck_assert(!watch_find_since(watch, &now, found, sizeof(found)));
    ck_assert(watch_is_since("neighbour.py", &before) && !watch_is_since("nothing", &before));
}
END_TEST

START_TEST(that_there_are_more_directories_is_told)
{
    const struct log_options log = {.path = "error.log", .level = LOG_INFO};
    ck_assert_int_eq(log_open(&log), 0);
    run("i=0; mkdir many; while [ $i -le 1000 ]; do mkdir many/d$i; i=$((i + 1)); done");
    read_change();
    watch_warn(watch);
    watch_warn(watch);
    assert_warned("1000 are watched for new files, and there are more\n");
}
END_TEST

START_TEST(without_a_descriptor_there_is_no_watch)
{
    struct rlimit before, none;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert_ptr_null(watch_open());
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    unit_add_rows(tests, a_change_is_what_the_table_says, cases);
    tcase_add_test(tests, what_has_come_is_watched_from_then_on);
    tcase_add_test(tests, what_is_made_in_one_go_is_watched_to_the_bottom);
    tcase_add_test(tests, what_was_put_into_a_new_directory_before_anybody_looked_is_seen);
    unit_add_rows(tests, a_name_that_leads_elsewhere_is_followed, elsewhere);
    tcase_add_test(tests, a_link_to_a_directory_that_leads_to_another_is_a_change);
    tcase_add_test(tests, what_the_kernel_could_not_keep_may_have_been_anything);
    tcase_add_test(tests, what_cannot_be_watched_is_told_once);
    tcase_add_test(tests, what_has_changed_before_it_was_watched_can_be_asked_for);
    tcase_add_test(tests, that_there_are_more_directories_is_told);
    tcase_add_test(tests, without_a_descriptor_there_is_no_watch);
}

int main(void)
{
    return unit_run("worker/watch", add);
}
