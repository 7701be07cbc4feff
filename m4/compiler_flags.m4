# COMPILER_FLAGS_ADD(VARIABLE, FLAGS)
#
# Adds those FLAGS to VARIABLE that the compiler and the linker take without a murmur.
AC_DEFUN([COMPILER_FLAGS_ADD], [
  for flag in $2; do
    AC_MSG_CHECKING([whether $CC takes $flag])
    flag_saved_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS -Werror $flag"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
      [AC_MSG_RESULT([yes])
       $1="$$1 $flag"],
      [AC_MSG_RESULT([no])])
    CFLAGS=$flag_saved_CFLAGS
  done
])

# COMPILER_FLAGS_ALL(VARIABLE, FLAGS)
#
# Adds FLAGS to VARIABLE when the compiler and the linker take them together without a murmur.
AC_DEFUN([COMPILER_FLAGS_ALL], [
  AC_MSG_CHECKING([whether $CC takes $2])
  flag_saved_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS -Werror $2"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
    [AC_MSG_RESULT([yes])
     $1="$$1 $2"],
    [AC_MSG_RESULT([no])])
  CFLAGS=$flag_saved_CFLAGS
])

# COMPILER_FORTIFY_LEVEL
#
# HARDENING_CPPFLAGS with the highest level that compiler and C library know: the library warns of a higher one.
AC_DEFUN([COMPILER_FORTIFY_LEVEL], [
  fortify_saved_CFLAGS=$CFLAGS
  HARDENING_CPPFLAGS="-D_FORTIFY_SOURCE=2"
  CFLAGS="$CFLAGS -Werror -D_FORTIFY_SOURCE=3"
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <string.h>]], [])], [HARDENING_CPPFLAGS="-D_FORTIFY_SOURCE=3"], [])
  CFLAGS=$fortify_saved_CFLAGS
])

# COMPILER_HARDENING
#
# HARDENING_CPPFLAGS, _CFLAGS and _LDFLAGS: what a server that reads strangers' bytes should have. _FORTIFY_SOURCE needs an
# optimising compiler, hides bugs from the sanitizers, and is not ours to change where the distribution sets it.
AC_DEFUN([COMPILER_HARDENING], [
  AC_SUBST([HARDENING_CPPFLAGS])
  AC_SUBST([HARDENING_CFLAGS])
  AC_SUBST([HARDENING_LDFLAGS])
  COMPILER_FLAGS_ADD([HARDENING_CFLAGS], [-fstack-protector-strong -fstack-clash-protection])
  # Indirect jumps and returns: x86, and Arm's.
  COMPILER_FLAGS_ADD([HARDENING_CFLAGS], [-fcf-protection -mbranch-protection=standard])
  # Position-independent programs, asked for where the compiler does not make them by itself.
  COMPILER_FLAGS_ALL([pie_flags], [-fPIE -pie])
  AS_IF([test -n "$pie_flags"], [HARDENING_CFLAGS="$HARDENING_CFLAGS -fPIE" HARDENING_LDFLAGS="$HARDENING_LDFLAGS -pie"])
  COMPILER_FLAGS_ADD([HARDENING_LDFLAGS], [-Wl,-z,relro,-z,now])
  AC_MSG_CHECKING([whether _FORTIFY_SOURCE is ours to set])
  AS_IF([test -z "$SANITIZER_CFLAGS"],
    [AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[
#if !defined __OPTIMIZE__ || defined _FORTIFY_SOURCE
#error leave it
#endif
]], [])], [COMPILER_FORTIFY_LEVEL], [])])
  AS_IF([test -n "$HARDENING_CPPFLAGS"], [AC_MSG_RESULT([$HARDENING_CPPFLAGS])], [AC_MSG_RESULT([no])])
])

# COMPILER_LINKS(VARIABLE, FLAGS, COMPLAINT)
#
# Adds FLAGS to VARIABLE when a program compiled and linked with them comes out, else ends with COMPLAINT.
AC_DEFUN([COMPILER_LINKS], [
  AC_MSG_CHECKING([whether $CC links with $2])
  links_saved_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS $2"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <stdio.h>]], [[puts("")]])],
    [AC_MSG_RESULT([yes])
     $1="$$1 $2"],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([$3])])
  CFLAGS=$links_saved_CFLAGS
])
