"""How the programs are compiled: protection against bugs of memory is not left to the compiler's defaults.

What went wrong once, with one compiler or another: the program had fixed addresses, which everybody knew.
"""

import re
import shutil
import subprocess

import pytest
from control import GATEWAYCTL
from timing import GATEWAY, SANITIZED

pytestmark = pytest.mark.skipif(not shutil.which("readelf"), reason="there is no readelf (Debian: binutils)")


def readelf(program, *arguments):
    return subprocess.run(["readelf", "-W", *arguments, program], capture_output=True, text=True).stdout


@pytest.mark.parametrize("program", [GATEWAY, GATEWAYCTL], ids=["gateway", "gatewayctl"])
def test_a_program_has_no_fixed_addresses_and_nothing_to_relocate_later(program):
    assert re.search(r"Type:\s+DYN", readelf(program, "-h"))
    dynamic = readelf(program, "-d")
    assert "PIE" in dynamic and re.search(r"BIND_NOW|\bNOW\b", dynamic)
    assert "GNU_RELRO" in readelf(program, "-l")


@pytest.mark.skipif(SANITIZED, reason="sanitizers look for the same, and more")
@pytest.mark.parametrize("program", [GATEWAY, GATEWAYCTL], ids=["gateway", "gatewayctl"])
def test_a_program_checks_its_stack_and_what_it_copies(program):
    symbols = readelf(program, "--dyn-syms")
    assert "__stack_chk_fail" in symbols
    assert re.search(r"__\w+_chk@", symbols), "_FORTIFY_SOURCE"
