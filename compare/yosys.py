"""Yosys as a child process: one process per run, figures from the files that it writes."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from emulator.errors import ToolError

CHILD = Path(__file__).with_name("yosys_child.py")
TIMEOUT_S = 1800.0


def yosys_version() -> str:
    """Return the version of yosys that is installed.

    Raises:
        ToolError: if none is.
    """
    if importlib.util.find_spec("pyosys") is None:
        raise ToolError(
            "pyosys is not installed; install it with: pip install 'finescale[compare]'"
        )
    return version("pyosys")


def run_yosys(commands: Sequence[str], folder: Path, name: str = "run") -> None:
    """Run yosys commands in a child process that works in ``folder``.

    The log goes to ``<name>.log``; temporary files, the tool's caches among them, stay in
    ``folder`` too, so that runs do not see each other.

    Raises:
        ToolError: one line with the error that yosys gave.
    """
    yosys_version()
    script = folder / f"{name}.ys"
    script.write_text("\n".join(commands) + "\n")
    log = folder / f"{name}.log"
    with log.open("w") as out:
        try:
            done = subprocess.run(
                [sys.executable, str(CHILD), script.name],
                cwd=folder,
                env=os.environ | {"TMPDIR": str(folder.resolve()), "PYTHONHASHSEED": "0"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ToolError(f"yosys did not end within {TIMEOUT_S:.0f} s") from None
    if done.returncode:
        raise ToolError(f"yosys failed: {_reason(log.read_text(errors='replace'), folder)}")


def _reason(log: str, folder: Path) -> str:
    """The line of the log that says why, without this machine's temporary paths."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"\bERROR\b|^ABC: Error|Error:", line)]
    text = (errors or lines or ["no output"])[-1]
    return text.replace(f"{folder.resolve()}/", "").replace("ERROR: ", "")
