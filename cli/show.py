"""What all commands share: tables, JSON, progress bars, numbers as text, examples in the help."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from inspect import cleandoc
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on stdout.")]
Progress = Callable[[str, int, int], None]

WIDTH = 200
"""Columns of a table that is not printed on a terminal, where nothing need be cut to fit."""


def explain(text: str | None, *example: str) -> str:
    """The help of a command.

    Args:
        text: a docstring; each paragraph goes on one line, to be wrapped anew.
        example: lines that stand as they are: a command and what it prints.
    """
    paragraphs = [" ".join(p.split()) for p in cleandoc(text or "").split("\n\n")]
    if example:
        # One block: \b keeps the lines up to the next empty one.
        paragraphs.append("\b\n" + "\n".join(["Example:", *(line or " " for line in example)]))
    return "\n\n".join(paragraphs).replace("[", r"\[")


def add(app: typer.Typer, command: Callable[..., None], *example: str) -> None:
    """Add a command whose docstring is its help, with an example of its use."""
    app.command(help=explain(command.__doc__, *example))(command)


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    sys.stdout.write(json.dumps(value, indent=1) + "\n")


def say(text: str = "") -> None:
    """Print a line as it is, without markup."""
    sys.stdout.write(text + "\n")


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    right: Sequence[str] = (),
) -> None:
    """Print a table; the columns named in ``right`` are aligned to the right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in columns:
        made.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(Text(str(cell)) for cell in row))
    show_table(made)


def show_table(made: Table) -> None:
    """Print a table of Rich, as wide as the terminal or as it needs."""
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else WIDTH).print(made)


@contextmanager
def progress(what: str, *, off: bool = False) -> Iterator[Progress]:
    """Show a progress bar on stderr, if that is a terminal.

    Yields:
        A function that takes what is being done, how many steps are done and how many there are.
    """
    if off or not sys.stderr.isatty():
        yield lambda text, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn(what, markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def update(text: str, done: int, total: int) -> None:
            bar.update(task, description=text, completed=done, total=total)

        yield update


def exact(value: Fraction) -> str:
    """An exact dyadic number as text: short decimals as they are, else ``c * 2^q``."""
    if value == 0:
        return "0"
    numerator, q = value.numerator, 1 - value.denominator.bit_length()
    decimal = repr(float(value)).removesuffix(".0")
    if "e" not in decimal and len(decimal) <= 8 and Fraction(decimal) == value:
        return decimal
    zeros = (numerator & -numerator).bit_length() - 1
    c, q = numerator >> zeros, q + zeros
    return f"{'-' if c < 0 else ''}2^{q}" if abs(c) == 1 else f"{c} * 2^{q}"


def count(number: int, noun: str) -> str:
    """``1 word``, ``2,000 words``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
