/*
 * --help and the manual page: every option but the hidden ones, in 80 columns, in mdoc.
 */
#include "options/options_help.h"

#include "unit.h"

#include <ctype.h>

static void environment_name(const struct option_row *row, char *out, size_t size)
{
    snprintf(out, size, "GATEWAY_%s", row->name);
    for (char *c = out; *c != '\0'; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
}

static char *printed(void (*print)(FILE *))
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    print(out);
    fclose(out);
    return text;
}

START_TEST(help_and_manual_have_every_option_but_the_hidden)
{
    const struct option_row *row = &option_rows[_i];
    char *help = printed(options_help), *manual = printed(options_manual), flag[64], item[64], name[64];
    snprintf(flag, sizeof(flag), " --%s%s%s\n", row->name, row->value != NULL ? " " : "",
             row->value != NULL ? row->value : "");
    /* After the flag comes a blank or the end of the line. */
    flag[strlen(flag) - 1] = '\0';
    snprintf(item, sizeof(item), "Fl -%s%s%s\n", row->name, row->value != NULL ? " Ar " : "",
             row->value != NULL ? row->value : "");
    environment_name(row, name, sizeof(name));
    ck_assert_msg((strstr(help, flag) != NULL) == !row->hidden, "%s in --help", row->name);
    ck_assert_msg((strstr(manual, item) != NULL) == !row->hidden, "%s in the manual", row->name);
    ck_assert_msg((strstr(manual, name) != NULL) == (row->kind != OPTION_ACTION), "%s in the manual", name);
    free(help);
    free(manual);
}
END_TEST

START_TEST(help_is_readable_in_80_columns)
{
    char *help = printed(options_help);
    for (const char *line = help; *line != '\0'; line += strcspn(line, "\n") + 1) {
        size_t size = strcspn(line, "\n");
        ck_assert_msg(size <= 80, "%.*s", (int)size, line);
        ck_assert_msg(size == 0 || line[size - 1] != ' ', "a blank ends %.*s", (int)size, line);
    }
    ck_assert_ptr_nonnull(strstr(help, "\nServer:\n  -b, --bind ADDR            "));
    ck_assert_ptr_nonnull(strstr(help, "      --tmp-dir DIR "));
    ck_assert_ptr_nonnull(strstr(help, "[$TMPDIR, else /tmp]\n"));
    free(help);
}
END_TEST

START_TEST(the_manual_is_mdoc)
{
    char *manual = printed(options_manual);
    ck_assert_ptr_nonnull(strstr(manual, ".Ss Server\n.Bl -tag -width Ds\n.It Fl b , Fl -bind Ar ADDR\n"));
    ck_assert_ptr_nonnull(strstr(manual, ".Ev GATEWAY_TMP_DIR ,\n.Ev TMPDIR ;\ndefault\n.Cm \\&/tmp .\n"));
    ck_assert_ptr_nonnull(strstr(manual, "Print this help and exit.\n.El\n"));
    free(manual);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_loop_test(tests, help_and_manual_have_every_option_but_the_hidden, 0, (int)option_row_count);
    tcase_add_test(tests, help_is_readable_in_80_columns);
    tcase_add_test(tests, the_manual_is_mdoc);
}

int main(void)
{
    return unit_run("options/options_help", add);
}
