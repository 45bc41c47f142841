"""Verilog -> one executable, built once and found again by content.

The same Verilated model serves both ways of driving it: cocotb through VPI (only the ports of the
top module are visible to it, so that the model stays as fast as without VPI) and `driver.cpp`
without VPI. cocotb's own build step is not used because it makes every signal visible, which slows
the model several times and would call for a second build.
"""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cocotb_tests import compiling, toolchain
from emulator.errors import ToolError
from rtl.variant import Device

DRIVER = Path(__file__).with_name("driver.cpp")
VERILATOR_FLAGS = ["-cc", "--exe", "--vpi", "--prefix", "Vtop", "-O3", "--no-timing"]
VERILATOR_FLAGS += ["--x-initial", "unique", "--timescale", "1ns/1ps"]
# One C++ file instead of many: no precompiled headers, less work in total.
VERILATOR_FLAGS += ["--output-split", "0"]
# Short functions: compiling takes more than twice as long for a function of twice the length.
VERILATOR_FLAGS += ["--output-split-cfuncs", "500"]
# One copy of what lanes have in common: half the compiling where there are many of them.
VERILATOR_FLAGS += ["--inline-mult", "1"]
VERILATOR_FLAGS += ["-Wno-fatal", "-Wno-lint", "-Wno-style", "-Wno-STMTDLY"]


@dataclass(frozen=True)
class Model:
    """A built model of a design with the ports of a variant.

    Args:
        variant: what the design is meant to compute.
        top: name of its top module.
        program: the executable; named like the top module, as cocotb's runner wants it.
        waves: ``"fst"`` or ``"vcd"`` if the program can write waves, else an empty string.
    """

    variant: Device
    top: str
    program: Path
    waves: str = ""


def wave_format() -> str:
    """The wave format that can be built here: FST if lz4's and zlib's headers are there, or VCD."""
    probe = "#include <lz4.h>\n#include <zlib.h>\n"
    command = [toolchain.compiler(), "-E", "-x", "c++", "-"]
    done = subprocess.run(command, input=probe, text=True, capture_output=True)
    return "fst" if done.returncode == 0 else "vcd"


def build(
    path: Path,
    variant: Device,
    *,
    top: str | None = None,
    waves: bool = False,
    folder: Path | None = None,
) -> Model:
    """Build the executable of a Verilog file, or find it where it was built before.

    Args:
        path: the Verilog file.
        variant: gives the ports that the design has to have (spec §12.1).
        top: the top module; by default the only one that no other instantiates.
        waves: whether the program shall be able to write waves.
        folder: where models are kept; by default ``build/models``.

    Raises:
        ToolError: if a tool is missing or fails, or if the ports differ.
    """
    path = Path(path)
    toolchain.require(yosys=False)
    top = top or toolchain.top_module(path)
    tree, files = toolchain.read_design(path, top)
    toolchain.check_ports(toolchain.ports_of(tree, top, path), variant.ports, f"{path}: {top}")
    wave = wave_format() if waves else ""
    key = _key(files, variant, top, wave)
    home = (folder or toolchain.build_root() / "models").resolve() / f"{top}-{key}"
    program = home / top
    if not program.is_file():
        _build_into(home, path, variant, top, wave)
    return Model(variant, top, program, wave)


def _key(files: list[Path], variant: Device, top: str, wave: str) -> str:
    """Hash of everything that decides the executable."""
    digest = hashlib.sha256()
    for file in [*files, DRIVER, Path(__file__), Path(compiling.__file__)]:
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    versions = toolchain.versions(yosys=False)
    digest.update(
        repr((sorted(versions.items()), variant.ports, variant.last_bit, top, wave)).encode()
    )
    return digest.hexdigest()[:16]


def _build_into(home: Path, path: Path, variant: Device, top: str, wave: str) -> None:
    """Build in a temporary folder beside ``home`` and rename it once complete."""
    import cocotb_tools.config

    if " " in f"{home}{toolchain.verilator_root()}{toolchain.ROOT}":
        raise ToolError(f"{home.parent}: make cannot build where a path contains a space")
    libs, share = cocotb_tools.config.libs_dir, cocotb_tools.config.share_dir
    with compiling.new_build(home, top) as (work, finished):
        public = [f'public_flat_rw -module "{top}" -var "{port}"' for port in variant.ports]
        (work / "ports.vlt").write_text("\n".join(["`verilator_config", *public, ""]))
        main = (
            f"#define IN_BYTES {variant.input_layout.nbytes}\n"
            f"#define OUT_BYTES {variant.output_layout.nbytes}\n"
            f"#define LAST_BIT {-1 if variant.last_bit is None else variant.last_bit}\n"
            f'#define COCOTB_MAIN "{share}/lib/verilator/verilator.cpp"\n'
            f'#include "{DRIVER}"\n'
        )
        command = [
            "verilator",
            *VERILATOR_FLAGS,
            "--top-module",
            top,
            "-o",
            top,
            "-Mdir",
            str(work),
        ]
        command += [f"--trace-{wave}"] if wave else []
        command += ["-I" + str(path.resolve().parent), "-CFLAGS", "-O1"]
        command += ["-LDFLAGS", f"-Wl,-rpath,{libs} -L{libs} -lcocotbvpi_verilator"]
        command += ["ports.vlt", str(path.resolve()), str(work / "sim_main.cpp")]
        toolchain.run(command, f"verilator on {path}", cwd=work)
        compiling.compile_program(work, main, str(path), wave=wave)
        (work / top).replace(finished / top)
