"""What Verilator has written -> a program, with as little compiling as possible.

Most designs here are small: their compiler reads headers for longer than it translates the model.
So driver and model become one source file, and the headers of Verilator's runtime and of the
standard library are read once and kept, as the objects of the runtime are (`objcache`).
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cocotb_tests import toolchain, tools
from emulator.errors import ToolError

HEADERS = ("algorithm", "cinttypes", "cstdio", "cstdlib", "cstring", "ctime", "deque", "memory")
RUNTIME_HEADERS = ("verilated.h", "verilated_vpi.h", "verilated_dpi.h")
KEPT = "kept.h"


def compile_program(
    work: Path, main: str, what: str, *, wave: str = "", optimization: str = ""
) -> None:
    """Compile and link a model and its driver to the program that ``verilator -o`` has named.

    Args:
        work: the folder that Verilator has written to, with the prefix ``Vtop`` and
            ``sim_main.cpp`` as the file of its main program; that file is written here.
        main: C++ text of the main program.
        what: names the design in messages.
        wave: ``vcd`` or ``fst`` if the model can write waves.
        optimization: level for model and driver, not for the runtime, if not that of ``-CFLAGS``.

    Raises:
        ToolError: if compiling fails.
    """
    model = sorted(path.name for path in work.glob("Vtop*.cpp"))
    if not model:
        raise ToolError(f"{what}: Verilator has left no C++ in {work}")
    included = "".join(f'#include "{name}"\n' for name in model)
    # Waves are asked for here and not by flags: the runtime's objects serve with and without them.
    defined = f"#undef VM_TRACE\n#define VM_TRACE {int(bool(wave))}\n"
    (work / "sim_main.cpp").write_text(defined + included + main)
    jobs = "-j1" if "PYTEST_XDIST_WORKER" in os.environ else "-j2"
    make = ["make", jobs, "-f", "Vtop.mk", "VM_TRACE=0", "VM_TRACE_VCD=0", "VK_OBJS="]
    header = kept_header(work, [*make, f"OPT_FAST={optimization}"])
    make.append(f"OPT_FAST={optimization} -include {shlex.quote(str(header))}")
    toolchain.run(make, f"compiling the model of {what}", cwd=work)


def kept_header(work: Path, make: list[str]) -> Path:
    """A header beside which the compiler finds its precompiled form, made here once.

    Compilers read the header itself where they cannot use what is kept.
    """
    dry = toolchain.run(
        [*make, "-nB", "OBJCACHE=", "sim_main.o"],
        "the makefile of the model",
        cwd=work,
    )
    call = next((line for line in dry.splitlines() if "sim_main.cpp" in line), None)
    if call is None:
        raise ToolError(f"the makefile of the model in {work} does not compile sim_main.cpp")
    left_out = ("-MMD", "-MP", "-c", "-o", "sim_main.o")
    words = [w for w in shlex.split(call) if w not in left_out and not w.endswith("sim_main.cpp")]
    return precompiled(words, (*RUNTIME_HEADERS, *HEADERS), toolchain.versions(yosys=False))


def precompiled(compiler: list[str], headers: Sequence[str], versions: dict[str, str]) -> Path:
    """A header that includes others, beside its precompiled form; it goes behind ``-include``.

    Args:
        compiler: the C++ compiler with all flags that the program is compiled with.
        headers: names of the headers.
        versions: of what decides their content.

    Raises:
        ToolError: if they do not compile.
    """
    text = "".join(f"#include <{name}>\n" for name in headers)
    key = hashlib.sha256(repr((compiler, text, sorted(versions.items()))).encode()).hexdigest()
    home = tools.build_root().resolve() / "objcache" / f"headers-{key[:16]}"
    if not (home / KEPT).is_file():
        with new_build(home, KEPT) as (_, finished):
            (finished / KEPT).write_text(text)
            command = [*compiler, "-x", "c++-header", "-o", f"{KEPT}.gch", KEPT]
            what = "precompiling the headers of the simulator"
            tools.run(command, what, cwd=finished, bare=True)
    return home / KEPT


@contextmanager
def new_build(home: Path, file: str) -> Iterator[tuple[Path, Path]]:
    """Give a temporary folder to work in, and one inside it that on success becomes ``home``.

    Nobody sees a ``home`` that is not complete. Where another process was faster its folder stays.

    Args:
        home: the folder to make.
        file: what a complete one holds.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{home.name[:40]}-", dir=home.parent))
    try:
        finished = work / "finished"
        finished.mkdir()
        yield work, finished
        try:
            finished.replace(home)
        except OSError:
            if not (home / file).is_file():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
