"""How the programs are compiled: protection against bugs of memory is not left to the compiler's defaults.

What went wrong once, with one compiler or another: the program had fixed addresses, which everybody knew. Half of the
flags that configure asks for could be lost, and no test failed.
"""

import platform
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from control import GATEWAYCTL
from timing import GATEWAY, SANITIZED

pytestmark = pytest.mark.skipif(not shutil.which("readelf"), reason="there is no readelf (Debian: binutils)")


def readelf(program, *arguments):
    return subprocess.run(["readelf", "-W", *arguments, program], capture_output=True, text=True).stdout


each_program = pytest.mark.parametrize("program", [GATEWAY, GATEWAYCTL], ids=["gateway", "gatewayctl"])


@each_program
def test_a_program_has_no_fixed_addresses_and_nothing_to_relocate_later(program):
    assert re.search(r"Type:\s+DYN", readelf(program, "-h"))
    dynamic = readelf(program, "-d")
    assert "PIE" in dynamic and re.search(r"BIND_NOW|\bNOW\b", dynamic)
    assert "GNU_RELRO" in readelf(program, "-l")


@pytest.mark.skipif(SANITIZED, reason="sanitizers look for the same, and more")
@each_program
def test_a_program_checks_its_stack_and_what_it_copies(program):
    symbols = readelf(program, "--dyn-syms")
    assert "__stack_chk_fail" in symbols
    assert re.search(r"__\w+_chk@", symbols), "_FORTIFY_SOURCE"


class Build:
    """What configure has written beside the program."""

    def __init__(self):
        makefile = Path(GATEWAY).parent / "Makefile"
        if not makefile.exists():
            pytest.skip("there is no Makefile beside the program: nobody knows which compiler has made it")
        variables = dict(re.findall(r"^(\w+) = ?(.*)", makefile.read_text(), re.M))
        self.objects = sorted((makefile.parent / "src").rglob("*.o"))
        self.compiler = shlex.split(variables["CC"]) + shlex.split(variables["CFLAGS"])
        self.cppflags = variables["HARDENING_CPPFLAGS"]

    def compile(self, *flags, source=""):
        command = [*self.compiler, *flags, "-xc", "-"]
        return subprocess.run(command, input=source, capture_output=True, text=True)

    def needs(self, flag):
        """Skips where configure cannot ask for it."""
        if self.compile("-Werror", flag, "-S", "-o/dev/null").returncode:
            pytest.skip(f"the compiler has no {flag}")


def disassemble(program, *arguments):
    if platform.machine() not in MARKS:
        pytest.skip("what the flag makes is known for x86-64 and AArch64")
    command = ["objdump", "-d", "--no-show-raw-insn", *arguments, program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


# The flag for jumps and calls through pointers, the first instruction of a function, and the note of an object.
MARKS = {
    "x86_64": ("-fcf-protection", r"endbr64", "IBT, SHSTK"),
    "aarch64": ("-mbranch-protection=standard", r"paciasp|bti\s+c", "BTI, PAC"),
}


@each_program
def test_a_program_is_entered_through_pointers_at_marked_places_only(program):
    # The program itself has the note only where the C library's own objects have it.
    entry = re.search(r"<main>:\n\s*\w+:\s+(.*)", disassemble(program, "--disassemble=main"))
    build = Build()
    flag, instruction, note = MARKS[platform.machine()]
    build.needs(flag)
    assert re.match(instruction, entry[1]), entry[0]
    assert [path for path in build.objects if note not in readelf(path, "-n")] == []


def test_a_large_frame_is_probed_page_by_page():
    # A frame larger than the guard page would reach past it, into other memory. gatewayctl has no such frame.
    code = disassemble(GATEWAY)
    build = Build()
    build.needs("-fstack-clash-protection")
    if platform.machine() != "x86_64":
        pytest.skip("how the compiler probes is known for x86-64 only")
    assert re.search(r"sub +\$0x1000,%rsp\n.*\b(or|mov)[lq] +\$0x0,(0x\w+)?\(%rsp\)", code)


@pytest.mark.skipif(SANITIZED, reason="sanitizers look for the same, and more")
def test_copies_into_memory_of_a_size_that_is_known_at_run_time_only_are_checked():
    # Level 2 of _FORTIFY_SOURCE leaves those out: every buffer that is allocated.
    build = Build()
    defined = build.compile("-dM", "-E").stdout
    if "__OPTIMIZE__" not in defined or "_FORTIFY_SOURCE" in defined:
        pytest.skip("the level is not configure's: it needs optimisation, or the distribution has set it")
    if build.compile("-Werror", "-D_FORTIFY_SOURCE=3", "-S", "-o/dev/null", source="#include <string.h>\n").returncode:
        pytest.skip("the compiler or the C library knows no level 3")
    assert build.cppflags == "-D_FORTIFY_SOURCE=3"
    assert re.search(r"__(memset|getgroups)_chk@", readelf(GATEWAY, "--dyn-syms"))
