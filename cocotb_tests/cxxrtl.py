"""Verilog -> an executable by yosys' CXXRTL: a second simulator that needs a C++ compiler alone.

The model takes the place of Verilator's behind the same driver (`driver.cpp`), so that words,
pauses, resets and timing are tested and judged alike. It simulates yosys' reading of the Verilog.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cocotb_tests import compiling, tools
from cocotb_tests.model import DRIVER, Model
from cocotb_tests.toolchain import Ports, check_ports
from emulator.errors import FileFormatError, ToolError
from rtl.variant import Device

CHILD = Path(__file__).with_name("cxxrtl_child.py")
SHIM = Path(__file__).with_name("cxxrtl_model")
FLAGS = ("-std=c++17", "-O1", "-w")
HEADERS = ("cxxrtl/cxxrtl.h", *compiling.HEADERS)


@dataclass(frozen=True)
class Translated:
    """A design that yosys has read.

    Args:
        top: its top module.
        ports: direction and width of the ports of that.
        initial: whether a register has a first value.
        model: C++ text.
    """

    top: str
    ports: Ports
    initial: bool
    model: str


def require() -> None:
    """Check that yosys and a C++ compiler are there.

    Raises:
        ToolError: naming the first that is missing and what to install.
    """
    if importlib.util.find_spec("pyosys") is None:
        raise ToolError('yosys (pyosys) is not installed (pip install "finescale[rtl]")')
    tools.compiler()


@functools.cache
def versions() -> dict[str, str]:
    """Versions of the tools that decide a simulation's outcome, by name."""
    require()
    command = [tools.compiler(), "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {
        "yosys": importlib.metadata.version("pyosys"),
        "g++": done.stdout.splitlines()[0],
        "python": platform.python_version(),
    }


def include_folder() -> Path:
    """Folder of CXXRTL's headers.

    Raises:
        ToolError: if the pyosys wheel does not hold them.
    """
    spec = importlib.util.find_spec("pyosys")
    assert spec is not None and spec.origin is not None
    root = Path(spec.origin).parent / "share" / "include" / "backends" / "cxxrtl" / "runtime"
    if not (root / "cxxrtl" / "cxxrtl.h").is_file():
        raise ToolError(f"{root} holds no cxxrtl/cxxrtl.h; reinstall pyosys")
    return root


def translate(path: Path, top: str | None = None) -> Translated:
    """Read a Verilog file with yosys.

    Args:
        path: the file; what it includes stands beside it.
        top: the top module; by default the only one that no other instantiates.

    Raises:
        FileFormatError: if the file does not exist.
        ToolError: if yosys rejects it, or if there is no such top module, or several.
    """
    path = Path(path)
    if not path.is_file():
        raise FileFormatError(f"{path}: no such file")
    require()
    with tempfile.TemporaryDirectory(prefix="finescale-") as name:
        target, info = Path(name, "design.cc"), Path(name, "info.json")
        # The model's comments name the file: by its name alone, so that equal designs are equal.
        command = [sys.executable, str(CHILD), path.name, top or "", str(target), str(info)]
        folder = path.resolve().parent
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, errors="replace")
        found = json.loads(info.read_text()) if info.is_file() else {}
        if not done.returncode and "top" not in found:
            _no_top(path, top, found)
        if done.returncode or not target.is_file():
            text = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
            errors = [line for line in text if "ERROR" in line]
            raise ToolError(f"yosys on {path} failed: {(errors or text or ['no output'])[-1]}")
        ports = {port: (direction, width) for port, (direction, width) in found["ports"].items()}
        return Translated(found["top"], ports, found["initial"], target.read_text("utf-8"))


def _no_top(path: Path, top: str | None, found: dict[str, list[str]]) -> None:
    if top:
        raise ToolError(f"{path}: there is no module {top}")
    names = ", ".join(found.get("roots", [])) or "none"
    raise ToolError(f"{path}: name the top module; the candidates are {names}")


def build(
    path: Path, variant: Device, *, top: str | None = None, folder: Path | None = None
) -> Model:
    """Build the executable of a Verilog file, or find it where it was built before.

    Args:
        path: the Verilog file.
        variant: gives the ports that the design has to have (spec §12.1).
        top: the top module; by default the only one that no other instantiates.
        folder: where models are kept; by default ``build/models``.

    Raises:
        FileFormatError: if the file does not exist.
        ToolError: if a tool is missing or fails, or if the ports differ.
    """
    design = translate(path, top)
    check_ports(design.ports, variant.ports, f"{path}: {design.top}")
    return Model(variant, design.top, assemble(path, design, _main(variant, design), folder=folder))


def assemble(
    path: Path,
    design: Translated,
    main: str,
    *,
    shims: Sequence[Path] = (SHIM,),
    driver: Path = DRIVER,
    folder: Path | None = None,
) -> Path:
    """Compile a model with its shim and its driver, or find the program where it was built before.

    Args:
        path: where the Verilog came from, for messages.
        design: the model.
        main: the C++ file that puts all together.
        shims: folders of headers, searched in this order.
        driver: the C++ file that ``main`` includes.
        folder: where models are kept; by default ``build/models``.

    Raises:
        ToolError: if the compiler fails.
    """
    home = (folder or tools.build_root() / "models").resolve()
    home /= f"{design.top}-cxxrtl-{_key(design, main, shims, driver)}"
    program = home / design.top
    if not program.is_file():
        _build_into(home, path, design, main, (*shims, driver.parent))
    return program


def _main(variant: Device, design: Translated) -> str:
    """The C++ file that puts model, shim and driver together."""
    last = -1 if variant.last_bit is None else variant.last_bit
    return (
        f"#define IN_BYTES {variant.input_layout.nbytes}\n"
        f"#define OUT_BYTES {variant.output_layout.nbytes}\n"
        f"#define LAST_BIT {last}\n"
        f'{about(design)}#include "{DRIVER.name}"\n'
    )


def about(design: Translated) -> str:
    """What a shim has to know of a model, for the C++ file that puts all together."""
    return (
        f"#define RANDOM_STATE {int(not design.initial)}\n"
        f"#define TOP p_{design.top.replace('_', '__')}\n"
    )


def _key(design: Translated, main: str, shims: Sequence[Path], driver: Path) -> str:
    """Hash of everything that decides the executable."""
    digest = hashlib.sha256(f"{design.model}\0{main}\0{FLAGS}\0{versions()}".encode())
    for file in (driver, *(file for shim in shims for file in sorted(shim.glob("*.h")))):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _build_into(
    home: Path, path: Path, design: Translated, main: str, includes: Sequence[Path]
) -> None:
    """Build in a temporary folder beside ``home`` and rename it once complete."""
    with compiling.new_build(home, design.top) as (work, finished):
        (work / "design.cc").write_text(design.model, "utf-8")
        (work / "main.cpp").write_text(main, "utf-8")
        compiler = [tools.compiler(), *FLAGS, f"-I{include_folder()}"]
        kept = compiling.precompiled(compiler, HEADERS, versions())
        command = [*compiler, *(f"-I{f}" for f in (work, *includes)), "-include", str(kept)]
        command += [str(work / "main.cpp"), "-o", str(finished / design.top)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if "error" in line]
            raise ToolError(f"compiling the model of {path} failed: {(errors or ['?'])[0]}")
