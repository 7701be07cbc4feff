/*
 * The files of imported modules.
 */
#include "py/modules.h"

#include "embedded.h"

static struct module_files files;

static void list(void)
{
    module_files_fini(&files);
    modules_list(&files);
    ck_assert(PyErr_Occurred() == NULL);
}

/* The number of paths with this end. */
static unsigned count(const char *end)
{
    unsigned found = 0;
    for (size_t i = 0; i < files.count; i++) {
        size_t size = strlen(files.paths[i]);
        ck_assert_int_eq(files.paths[i][0], '/');
        found += size >= strlen(end) && strcmp(files.paths[i] + size - strlen(end), end) == 0;
    }
    return found;
}

static void import(const char *name)
{
    char *line = xasprintf("import %s", name);
    ck_assert_int_eq(PyRun_SimpleString(line), 0);
    free(line);
}

START_TEST(what_is_imported_is_listed_and_counted)
{
    embedded_start();
    embedded_write("mine.py", "");
    size_t before = modules_count();
    list();
    ck_assert_uint_eq(count("/mine.py"), 0);
    import("mine");
    ck_assert_uint_eq(modules_count(), before + 1);
    list();
    ck_assert_uint_eq(count("/mine.py"), 1);
    embedded_stop();
}
END_TEST

START_TEST(the_library_is_not_and_what_is_installed_is)
{
    embedded_start();
    import("os, json, decimal, sys, types");
    list();
    ck_assert_uint_eq(count("/os.py") + count("/json/__init__.py") + count("/decimal.py"), 0);
    ck_assert_int_eq(PyRun_SimpleString("for place in 'site-packages', 'dist-packages', 'other-packages':\n"
                                        "    sys.modules[place] = m = types.ModuleType(place)\n"
                                        "    m.__file__ = f'{os.path.dirname(os.__file__)}/{place}/x.py'\n"),
                     0);
    list();
    ck_assert_uint_eq(count("/site-packages/x.py") + count("/dist-packages/x.py"), 2);
    ck_assert_uint_eq(count("/other-packages/x.py"), 0);
    embedded_stop();
}
END_TEST

static const char *const strange[] = {
    "sys.modules['x'] = None",
    "sys.modules['x'] = object()",
    "sys.modules['x'] = 3; sys.modules[4] = sys",
    "sys.modules['x'] = types.ModuleType('x')",
    "sys.modules['x'] = m = types.ModuleType('x'); m.__file__ = None",
    "sys.modules['x'] = m = types.ModuleType('x'); m.__file__ = 'relative/x'",
    "sys.modules['x'] = m = types.ModuleType('x'); m.__file__ = '/a\\0/x'",
    "sys.modules['x'] = m = types.ModuleType('x'); m.__file__ = '/\\ud800/x'",
    "class M(types.ModuleType):\n    def __getattribute__(self, name):\n        raise SystemExit\n"
    "sys.modules['x'] = M('x')",
};

START_TEST(strange_modules_are_left_out)
{
    embedded_start();
    import("sys, types");
    list();
    size_t before = files.count;
    ck_assert_msg(PyRun_SimpleString(strange[_i]) == 0, "%s", strange[_i]);
    list();
    ck_assert_msg(files.count == before, "%s", strange[_i]);
    embedded_stop();
}
END_TEST

START_TEST(a_module_that_loads_when_it_is_used_is_listed_and_not_loaded)
{
    embedded_start();
    embedded_write("lazy.py", "raise SystemExit");
    ck_assert_int_eq(PyRun_SimpleString("import importlib.util as u, sys\n"
                                        "spec = u.find_spec('lazy')\n"
                                        "spec.loader = u.LazyLoader(spec.loader)\n"
                                        "sys.modules['lazy'] = lazy = u.module_from_spec(spec)\n"
                                        "spec.loader.exec_module(lazy)\n"),
                     0);
    list();
    ck_assert_uint_eq(count("/lazy.py"), 1);
    embedded_stop();
}
END_TEST

START_TEST(a_name_that_is_no_utf8_is_listed_byte_by_byte)
{
    embedded_start();
    ck_assert_int_eq(PyRun_SimpleString("import sys, types\n"
                                        "sys.modules['x'] = m = types.ModuleType('x')\n"
                                        "m.__file__ = '/\\udcff/x'\n"),
                     0);
    list();
    ck_assert_uint_eq(count("/\xff/x"), 1);
    embedded_stop();
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, what_is_imported_is_listed_and_counted);
    tcase_add_test(tests, the_library_is_not_and_what_is_installed_is);
    unit_add_rows(tests, strange_modules_are_left_out, strange);
    tcase_add_test(tests, a_module_that_loads_when_it_is_used_is_listed_and_not_loaded);
    tcase_add_test(tests, a_name_that_is_no_utf8_is_listed_byte_by_byte);
}

int main(void)
{
    return unit_run("py/modules", add);
}
