# PYTHON_EMBED(OLDEST-VERSION)
#
# Finds the Python to embed and asks that interpreter, not pkg-config, how it was built: python3-config and the .pc files
# on a machine with several Pythons belong to any of them. Sets PYTHON, PYTHON_CPPFLAGS, PYTHON_LIBS and PYTHON_VERSION, and
# defines in config.h PYTHON_EXECUTABLE, the interpreter itself, where PYTHON may be a version manager's shim or a venv, and
# PYTHON_HOME, where its library is.
AC_DEFUN([PYTHON_EMBED], [
  AC_ARG_VAR([PYTHON], [the Python to embed, $1 or later with a shared libpython (default: /usr/bin/python3)])
  AC_MSG_CHECKING([for the Python to embed])
  AS_IF([test -n "$PYTHON"], [python_given=$PYTHON],
        [test -x /usr/bin/python3], [python_given=/usr/bin/python3],
        [python_given=python3])
  PYTHON=`command -v "$python_given"`
  AS_IF([test -z "$PYTHON"], [AC_MSG_ERROR([there is no $python_given; install python3-dev or set PYTHON])])
  AS_CASE([$PYTHON], [/*], [], [PYTHON=`pwd`/$PYTHON])
  AC_MSG_RESULT([$PYTHON])

  AC_MSG_CHECKING([how $PYTHON is built])
  # One line of shell assignments. The values are paths and versions: single quotes hold them.
  python_answers=`"$PYTHON" -c '
import os, sys, sysconfig
var = sysconfig.get_config_var
version = "%d.%d" % sys.version_info@<:@:2@:>@
places = (var("LIBDIR"), os.path.join(sys.base_exec_prefix, "lib"), var("LIBPL"))
library = os.path.basename(var("LDLIBRARY") or "")
found = @<:@p for p in places if p and library.endswith(".so") and os.path.exists(os.path.join(p, library))@:>@
program = os.path.join(sys.base_exec_prefix, "bin", "python" + version)
if not os.access(program, os.X_OK):
    program = os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)
answers = {
    "version": version,
    "old": int(sys.version_info < tuple(map(int, "$1".split(".")))),
    "shared": int(bool(var("Py_ENABLE_SHARED"))),
    "include": sysconfig.get_path("include"),
    "ldversion": var("LDVERSION") or version,
    "libdir": found@<:@0@:>@ if found else "",
    "executable": program,
    "home": sys.base_prefix + ":" + sys.base_exec_prefix,
}
print("; ".join("python_%s=\x27%s\x27" % pair for pair in answers.items()))
'`
  AS_IF([test -z "$python_answers"], [AC_MSG_ERROR([$PYTHON does not run; set PYTHON to a working Python 3])])
  eval "$python_answers"
  AC_MSG_RESULT([$python_version, shared library in ${python_libdir:-no place}])
  AS_IF([test "$python_old" = 1],
    [AC_MSG_ERROR([$PYTHON is Python $python_version, and gateway needs $1 or later; set PYTHON to another one])])
  AS_IF([test "$python_shared" = 0],
    [AC_MSG_ERROR([$PYTHON was built without a shared libpython (--enable-shared); set PYTHON to another one])])
  AS_IF([test -z "$python_libdir"],
    [AC_MSG_ERROR([libpython$python_ldversion.so is missing; install libpython$python_version-dev])])

  PYTHON_VERSION=$python_version
  PYTHON_CPPFLAGS="-isystem $python_include"
  PYTHON_LIBS="-lpython$python_ldversion"
  # A directory that the dynamic linker searches anyway needs no -L, and a run path there would only get in the way of
  # a distribution's packages.
  AS_CASE([$python_libdir],
    [/lib|/lib64|/usr/lib|/usr/lib64|/lib/*-linux-*|/usr/lib/*-linux-*], [],
    [PYTHON_LIBS="-L$python_libdir -Wl,-rpath,$python_libdir $PYTHON_LIBS"])

  AC_MSG_CHECKING([whether a program with Python $python_version inside links])
  python_saved_CPPFLAGS=$CPPFLAGS
  python_saved_LIBS=$LIBS
  CPPFLAGS="$CPPFLAGS $PYTHON_CPPFLAGS"
  LIBS="$PYTHON_LIBS $LIBS"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <Python.h>]],
      [[PyConfig config; PyConfig_InitPythonConfig(&config);]])],
    [AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([Python.h or libpython of $PYTHON cannot be used (install libpython$python_version-dev; config.log has the details)])])
  CPPFLAGS=$python_saved_CPPFLAGS
  LIBS=$python_saved_LIBS

  AC_SUBST([PYTHON_VERSION])
  AC_SUBST([PYTHON_CPPFLAGS])
  AC_SUBST([PYTHON_LIBS])
  AC_DEFINE_UNQUOTED([PYTHON_EXECUTABLE], ["$python_executable"],
    [The Python this program was configured with; sys.executable when there is no virtual environment.])
  AC_DEFINE_UNQUOTED([PYTHON_HOME], ["$python_home"],
    [Where its library is, as PYTHONHOME would name it.])
])
