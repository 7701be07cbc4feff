#!/bin/sh
# Makes a C header of a text file: `static const char NAME[] = "..."`, on standard output. Called by make:
#
#     sh $(srcdir)/src/py/embed.sh $(srcdir)/src/py/loader.py loader_source > src/py/loader_source.h
#     sh $(srcdir)/src/py/embed.sh $(srcdir)/src/py/loader_help.py loader_help_source > src/py/loader_help_source.h
#     sh $(srcdir)/src/py/embed.sh $(srcdir)/src/status/status_page.html status_page_source > src/status/status_page_source.h
#
# so that `#include "py/loader_source.h"` finds them with -Isrc from the build directory. Needs sed, nothing else.
set -eu
echo "/* Made from $(basename "$1") by embed.sh: edit that one. */"
echo "static const char $2[] ="
sed -e 's/[\\"]/\\&/g' -e 's/^/    "/' -e 's/$/\\n"/' "$1"
echo "    ;"
