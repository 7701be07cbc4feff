#include "py/venv.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "unit.h"

/* base/bin/python3.11 is the embedded python, other/bin/python3.11 one of another build; venv is
 * checked. */
static char root[] = "/tmp/gateway-unit-XXXXXX";

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
}

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(root));
    ck_assert_int_eq(chdir(root), 0);
    ck_assert_int_eq(system("mkdir -p base/bin other/bin venv/bin venv/lib"), 0);
    write_file("base/bin/python3.11", "base", 0755);
    write_file("other/bin/python3.11", "other", 0755);
    ck_assert_int_eq(symlink("python3.11", "base/bin/python3"), 0);
    ck_assert_int_eq(symlink("base", "alias"), 0);
}

static void tear_down(void)
{
    char *command = xasprintf("rm -rf %s", root);
    ck_assert_int_eq(system(command), 0);
    free(command);
}

static const struct {
    const char *name;
    const char *directory;
    const char *file;     /* pyvenv.cfg; NULL: no file */
    const char *packages; /* directory to make */
    const char *python;   /* target of bin/python */
    enum venv_answer answer;
    const char *message; /* the whole sentence, or NULL for none */
} cases[] = {
    {"a virtualenv of venv fits", "venv", "home = base/bin\nversion = 3.11.2\n",
     "venv/lib/python3.11/site-packages", "../../base/bin/python3", VENV_FITS, NULL},
    {"one of virtualenv fits, whatever its own version", "venv",
     "Home=alias/bin\nversion = 20.17.1\nversion_info = 3.11.7.final.0\nno equals sign\n",
     "venv/lib/python3.11/site-packages", "../../base/bin/python3", VENV_FITS, NULL},
    {"one that tells nothing fits when its folders do", "venv", "", "venv/lib/python3.11/site-packages",
     "../../base/bin/python3", VENV_FITS, NULL},
    {"one of another minor version does not", "venv", "home = base/bin\nversion = 3.12.0\n",
     "venv/lib/python3.12/site-packages", "../../base/bin/python3", VENV_UNFIT,
     "virtualenv venv was made by Python 3.12, this gateway embeds Python 3.11: recreate it with "
     "base/bin/python3.11 -m venv --clear venv, which empties it, or build gateway with ./configure "
     "PYTHON=python3.12"},
    {"3.1 is not 3.11", "venv", "version_info = 3.1.1\n", "venv/lib/python3.1/site-packages",
     "../../base/bin/python3", VENV_UNFIT,
     "virtualenv venv was made by Python 3.1, this gateway embeds Python 3.11: recreate it with "
     "base/bin/python3.11 -m venv --clear venv, which empties it, or build gateway with ./configure "
     "PYTHON=python3.1"},
    {"one without packages of this version does not", "venv", "home = base/bin\n",
     "venv/lib/python3.12/site-packages", "../../base/bin/python3", VENV_UNFIT,
     "virtualenv venv has no lib/python3.11/site-packages. Recreate it: base/bin/python3.11 -m venv --clear "
     "venv"},
    {"one whose python is gone does not", "venv", "version = 3.11.2\n", "venv/lib/python3.11/site-packages",
     "../../gone/python3", VENV_UNFIT,
     "virtualenv venv has no working bin/python. Recreate it: base/bin/python3.11 -m venv --clear venv"},
    {"one of another build is told", "venv", "home = other/bin\nversion = 3.11.7\n",
     "venv/lib/python3.11/site-packages", "../../other/bin/python3.11", VENV_OTHER_BUILD,
     "virtualenv venv was made by another build of Python 3.11 (in other/bin) than the one embedded here "
     "(base/bin/python3)"},
    {"a directory that is none", "base", NULL, NULL, NULL, VENV_UNFIT,
     "base is not a virtualenv, it has no pyvenv.cfg. Make one: base/bin/python3.11 -m venv base"},
    {"a file is none", "base/bin/python3", NULL, NULL, NULL, VENV_UNFIT,
     "base/bin/python3 is not a virtualenv, it has no pyvenv.cfg. Make one: base/bin/python3.11 -m venv "
     "base/bin/python3"},
    {"nothing is there", "nowhere/venv", NULL, NULL, NULL, VENV_MISSING,
     "virtualenv nowhere/venv: No such file or directory"},
};

START_TEST(a_virtualenv_is_judged_as_the_table_says)
{
    const struct venv_host host = {.version = "3.11.2", .python = "base/bin/python3"};
    char message[1024];

    if (cases[_i].file != NULL)
        write_file("venv/pyvenv.cfg", cases[_i].file, 0644);
    if (cases[_i].packages != NULL) {
        char *command = xasprintf("mkdir -p %s", cases[_i].packages);
        ck_assert_int_eq(system(command), 0);
        free(command);
    }
    if (cases[_i].python != NULL)
        ck_assert_int_eq(symlink(cases[_i].python, "venv/bin/python"), 0);

    enum venv_answer answer = venv_check(cases[_i].directory, &host, message, sizeof(message));
    ck_assert_msg(answer == cases[_i].answer, "%s: %d, %s", cases[_i].name, (int)answer, message);
    const char *expected = cases[_i].message == NULL ? "" : cases[_i].message;
    ck_assert_msg(strcmp(message, expected) == 0, "%s: %s", cases[_i].name, message);
}
END_TEST

START_TEST(a_message_that_does_not_fit_is_cut)
{
    const struct venv_host host = {.version = "3.11.2", .python = "base/bin/python3"};
    char message[16];

    ck_assert_int_eq(venv_check("nowhere", &host, message, sizeof(message)), VENV_MISSING);
    ck_assert_str_eq(message, "virtualenv nowh");
}
END_TEST

/* venv has a pyvenv.cfg. */
static const struct {
    const char *name;
    const char *program;
    const char *directory;
} around[] = {
    {"a program in its bin", "venv/bin/gateway", "venv"},
    {"a program elsewhere in it", "venv/sbin/gateway", NULL},
    {"a program beside its bin", "venv/gateway", NULL},
    {"a program in another bin", "base/bin/gateway", NULL},
    {"a program in a directory that ends like bin", "venv/mybin/gateway", NULL},
    {"a bin of the root", "/bin/gateway", NULL},
    {"a bin of nowhere", "bin/gateway", NULL},
    {"no directory", "gateway", NULL},
    {"no program", NULL, NULL},
};

START_TEST(a_program_belongs_to_the_virtualenv_around_it)
{
    write_file("venv/pyvenv.cfg", "", 0644);
    char *directory = venv_around(around[_i].program);
    ck_assert_pstr_eq(directory, around[_i].directory);
    free(directory);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    unit_add_rows(tests, a_virtualenv_is_judged_as_the_table_says, cases);
    unit_add_rows(tests, a_program_belongs_to_the_virtualenv_around_it, around);
    tcase_add_test(tests, a_message_that_does_not_fit_is_cut);
}

int main(void)
{
    return unit_run("py/venv", add);
}
