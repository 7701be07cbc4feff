"""For pip: configures, compiles and installs the programs, for the Python that runs this. pyproject.toml has the rest.

All of it happens in a directory that is removed again: build/ here is no directory of setuptools, and nothing is written beside the
sources.
"""

import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from setuptools import Distribution, setup

from distutils.command.build_scripts import build_scripts  # of setuptools, once that is imported

SOURCES = Path(__file__).resolve().parent
# What autoreconf, configure and make read.
NEEDED = ["configure.ac", "Makefile.am", "m4", "src", "doc"]
PROGRAMS = ["gateway", "gatewayctl"]
PAGES = ["doc/gateway.1", "doc/gatewayctl.1"]
# Where shells look. In an environment bash-completion 2.12 finds its own, by the path of the program.
COMPLETION = {
    "bash-completion/completions": ["doc/bash/gateway", "doc/bash/gatewayctl"],
    "fish/vendor_completions.d": ["doc/fish/gateway.fish", "doc/fish/gatewayctl.fish"],
    "zsh/site-functions": ["doc/zsh/_gateway", "doc/zsh/_gatewayctl"],
}
WORK = Path(tempfile.mkdtemp(prefix="gateway-pip-"))
atexit.register(shutil.rmtree, WORK, ignore_errors=True)


def version():
    return re.search(r"AC_INIT\(\[gateway\], \[(.*?)\]\)", (SOURCES / "configure.ac").read_text())[1]


def run(*command):
    try:
        subprocess.run(command, cwd=WORK, check=True)
    except FileNotFoundError:
        sys.exit(f"{command[0]} is missing: gateway is compiled when it is installed; README.md says what that needs")
    except subprocess.CalledProcessError:
        sys.exit(f"{command[0]} has failed: why, it says above; README.md says what is needed")


class Binary(Distribution):
    """Of one platform and one Python, as if it had a module in C."""

    def has_ext_modules(self):
        return True


class BuildPrograms(build_scripts):
    def get_source_files(self):
        return []

    def run(self):
        for name in NEEDED:
            copy = shutil.copytree if (SOURCES / name).is_dir() else shutil.copy2
            keywords = {"dirs_exist_ok": True} if copy is shutil.copytree else {}
            copy(SOURCES / name, WORK / name, **keywords)
        run("autoreconf", "-i")
        run("./configure", "-q", f"PYTHON={sys.executable}")
        run("make", "-s", f"-j{os.cpu_count()}")
        self.mkpath(self.build_dir)
        for program in PROGRAMS:
            shutil.copy2(WORK / program, self.build_dir)


setup(
    version=version(),
    distclass=Binary,
    cmdclass={"build_scripts": BuildPrograms},
    packages=[],
    py_modules=[],
    scripts=PROGRAMS,
    data_files=[
        (f"share/{directory}", [str(WORK / name) for name in names])
        for directory, names in {"man/man1": PAGES, **COMPLETION}.items()
    ],
    options={"build": {"build_base": str(WORK / "setuptools")}, "egg_info": {"egg_base": str(WORK)}},
)
