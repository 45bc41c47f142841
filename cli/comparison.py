"""The command that compares variants: compare."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.show import Json, add, print_json, progress, say, show_table

if TYPE_CHECKING:
    from compare.results import Comparison, Failure, Row


def register(app: typer.Typer) -> None:
    """Add the command of this module to the program."""
    add(
        app,
        compare,
        "$ finescale compare quantizer-ue5m3-absmax-b16-bf16 -o build/mine",
        "(a table: bits/element, logic and register GE, levels, latency, errors)",
        "build/mine/comparison.json, build/mine/comparison.md",
        "",
        "Without VARIANT: the quantizers of `finescale variants`. Another unit:",
        "$ finescale compare --unit dot",
        "",
        "With your cells and weights:",
        "$ finescale compare --liberty cells.lib --tensor weights.safetensors",
    )


def compare(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="VARIANT", help="Variants; the default quantizers if none."),
    ] = None,
    units: Annotated[
        list[str] | None,
        typer.Option(
            "--unit",
            metavar="UNIT",
            help="The default variants of a unit (quantizer, tensor, encode, decode, dequantizer, "
            "dot) or of a kind of quantizer (select, limited, votes, random, random-select, peer); "
            "repeatable.",
        ),
    ] = None,
    folder: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for comparison.json and comparison.md.")
    ] = Path("build/compare"),
    liberty: Annotated[
        list[Path] | None,
        typer.Option(
            "--liberty",
            metavar="FILE",
            help="Cell library (repeat for one of several files); generic gates if left out.",
        ),
    ] = None,
    tensor: Annotated[
        Path | None,
        typer.Option(
            "--tensor",
            metavar="FILE",
            help="Also the error on your weights: .npy, .npz, .safetensors, llama2.c .bin.",
        ),
    ] = None,
    key: Annotated[
        str | None, typer.Option("--key", help="Only this tensor of the file of weights.")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option("--dtype", help="What its numbers are, as in `quantize`.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE.md", help="Write the page here too.")
    ] = None,
    readme: Annotated[
        Path | None,
        typer.Option("--readme", metavar="FILE.md", help="Put the table between its markers."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify variants, map them to gates, measure latency and error, and list them.

    A variant gets a row only if its simulation was right in every word. Results are kept by
    content in build/cache: a second run takes seconds, and an interrupted one goes on.
    """
    from rtl.variants import variant

    chosen = [variant(n) for n in names] if names else None
    if chosen is not None and units:
        raise ValueError(f"--unit {units[0]} goes without names of variants")
    if tensor is None and (key is not None or dtype is not None):
        raise ValueError("--key and --dtype go with --tensor FILE")

    from compare.liberty import read_library
    from compare.run import compare as run

    library = read_library(liberty) if liberty else None
    with progress("compare", off=as_json) as show:

        def step(done: int, total: int, outcome: Row | Failure, cached: bool) -> None:
            show(outcome.variant.name, done, total)

        try:
            found = run(
                chosen,
                units=units or (),
                liberty=library,
                tensors=tensor,
                key=key,
                dtype=dtype,
                folder=folder,
                progress=step,
            )
        except KeyboardInterrupt:
            sys.stderr.write("finescale: what is done is kept; the same command goes on from it\n")
            raise
    if as_json:
        print_json(found.to_json())
    else:
        from compare.table import as_rich, main_grid, rich_table, unit_grids

        if main_grid(found).rows or not found.rows:
            show_table(rich_table(found))
        for unit, grid in unit_grids(found).items():
            show_table(as_rich(grid, f"{unit}. Gates: {found.mapping}."))
        say(f"{folder / 'comparison.json'}, {folder / 'comparison.md'}")
    _require_all(found)
    _publish(found, report, readme)


def _require_all(found: Comparison) -> None:
    from emulator.errors import MismatchError

    if not found.ok:
        total = len(found.rows) + len(found.failures)
        reasons = [f"  {f.variant.name}: {f.reason}" for f in found.failures]
        head = f"{len(found.failures)} of {total} variants have no row"
        raise MismatchError("\n".join([head, *reasons]))


def _publish(found: Comparison, report: Path | None, readme: Path | None) -> None:
    from compare.readme import update_readme
    from compare.report import write_report

    if report is not None:
        write_report(report, found)
    if readme is not None:
        update_readme(readme, found)
