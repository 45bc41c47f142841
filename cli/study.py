"""The commands of studies: study areas, study curves, study error, study memory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from cli.show import Json, add, explain, print_json, progress, say, show_table

if TYPE_CHECKING:
    from compare.liberty import Library
    from compare.study import Progress

Found = TypeVar("Found")

studies = typer.Typer(no_args_is_help=True, rich_markup_mode="rich")

Folder = Annotated[Path, typer.Option("--output", "-o", help="Folder for what is written.")]
Liberty = Annotated[
    list[Path],
    typer.Option(
        "--liberty", metavar="FILE", help="Cell library (repeat for one of several files)."
    ),
]
Page = Annotated[
    Path | None, typer.Option("--report", metavar="FILE.md", help="Write the page here too.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    add(
        studies,
        areas,
        "$ finescale study areas --liberty osu018_stdcells.lib",
        "(a table: design, logic GE, range, limit, verdict)",
        "build/study/areas.json, build/study/areas.md",
    )
    add(
        studies,
        curves,
        "$ finescale study curves --liberty osu018_stdcells.lib \\",
        "    --driving-cell INVX2 --load 20",
        "(a table: design, its smallest and its fastest point, open designs)",
        "build/study/curves.json, build/study/curves.md, build/study/curves.svg",
        "",
        "Designs of your own choice:",
        "$ finescale study curves dot-ue5m3-b16-exact block-sum-b16 --liberty cells.lib",
    )
    add(
        studies,
        error,
        "$ finescale study error ue5m3-absmax ue5m3-4o6",
        "(a table: selection, relative MSE at block 4, 8, 16, 32 in units of 1e-3)",
        "build/study/error.json",
    )
    add(
        studies,
        memory,
        "$ finescale study memory -o build/study",
        "(a table: unit, elements, latency, ..., cycles, bytes, formula)",
        "build/study/memory.json, build/study/memory.md, build/study/memory.svg",
    )
    app.add_typer(
        studies,
        name="study",
        help=explain(
            "Answer one question about the hardware, by measuring.",
            "$ finescale study areas --liberty osu018_stdcells.lib",
            "$ finescale study curves --liberty osu018_stdcells.lib",
            "$ finescale study memory",
        ),
    )


def areas(
    liberty: Liberty,
    folder: Folder = Path("build/study"),
    report: Page = None,
    as_json: Json = False,
) -> None:
    """Map the designs that have limits of area, and say which are met; 1 is returned if not all.

    The limits are gate equivalents of OSU 0.18 um cells. What is mapped is kept in build/cache: an
    interrupted run goes on where it stopped.
    """
    from compare.areas import study_areas
    from compare.study_report import write_areas
    from emulator.errors import MismatchError

    found = _run(lambda library, step: study_areas(library, progress=step), liberty, as_json)
    paths = write_areas(found, folder, report)
    if as_json:
        print_json(found.to_json())
    else:
        _show(found.grid(), found.made.library.name, paths)
    if not found.ok:
        missed = [a.limit.design for a in found.areas if not a.met]
        raise MismatchError(f"larger than the limit: {', '.join(missed)}")


def curves(
    liberty: Liberty,
    designs: Annotated[
        list[str] | None,
        typer.Argument(metavar="DESIGN", help="Variants or units inside; one per unit if none."),
    ] = None,
    folder: Folder = Path("build/study"),
    driving_cell: Annotated[
        str | None, typer.Option("--driving-cell", metavar="CELL", help="What drives each input.")
    ] = None,
    load: Annotated[
        float | None, typer.Option("--load", metavar="FF", help="Load of each output in fF.")
    ] = None,
    report: Page = None,
    as_json: Json = False,
) -> None:
    """Map designs from the smallest to the fastest result: curves of area over delay.

    In OSU 0.18 um cells driven by INVX2 and loaded with 20 fF, figures of open designs that do the
    same stand beside ours. 1 is returned if one of them is both smaller and faster, or if a curve
    has fewer than five points. What is mapped is kept in build/cache.
    """
    from compare.curves import study_curves
    from compare.study_report import write_curves
    from emulator.errors import MismatchError

    found = _run(
        lambda library, step: study_curves(
            library.with_conditions(driving_cell, load), designs or (), progress=step
        ),
        liberty,
        as_json,
    )
    paths = write_curves(found, folder, report)
    if as_json:
        print_json(found.to_json())
    else:
        _show(found.grid(), found.made.library.name, paths)
    if found.problems:
        raise MismatchError("\n".join(found.problems))


def error(
    selections: Annotated[
        list[str] | None,
        typer.Argument(metavar="SELECTION", help="Recipes without -b<block>; a choice if none."),
    ] = None,
    sigma: Annotated[float, typer.Option("--sigma", help="Standard deviation.")] = 1.0,
    samples: Annotated[
        int, typer.Option("--samples", metavar="N", help="Normal numbers, the same for all.")
    ] = 1 << 23,
    source: Annotated[
        str, typer.Option("--input", metavar="FORMAT", help="bf16, fp16 or fp32.")
    ] = "fp32",
    folder: Folder = Path("build/study"),
    as_json: Json = False,
) -> None:
    """Measure the relative squared error of selections on normal numbers.

    Errors are sum((x - y)**2) / sum(x**2), y the exact decode, at block sizes 4, 8, 16 and 32, in
    units of 1e-3. What is measured is kept in build/cache.
    """
    import json

    from compare.cache import write_atomically
    from compare.errors import study_errors
    from emulator.errors import UnknownNameError, near

    inputs = ("bf16", "fp16", "fp32")
    if source not in inputs:
        raise UnknownNameError(
            f"unknown input format {source!r}{near(source, inputs)} (known: {', '.join(inputs)})"
        )
    with progress("study", off=as_json) as show:
        found = study_errors(
            selections or (), sigma=sigma, samples=samples, source=source, progress=show
        )
    path = folder / "error.json"
    write_atomically(path, json.dumps(found.to_json(), indent=1) + "\n")
    if as_json:
        print_json(found.to_json())
    else:
        from compare.table import as_rich

        title = f"Relative MSE x 1e-3 on {samples:,} {source} numbers from N(0, {sigma:g})."
        show_table(as_rich(found.grid(), title))
        say(str(path))


def memory(
    units: Annotated[
        list[str] | None,
        typer.Argument(metavar="UNIT", help="Tensor quantizers; those of the study if none."),
    ] = None,
    liberty: Annotated[
        list[Path] | None,
        typer.Option("--liberty", metavar="FILE", help="Map the units to these cells, too."),
    ] = None,
    folder: Folder = Path("build/study"),
    report: Page = None,
    as_json: Json = False,
) -> None:
    """Simulate whole tensors between two ports of a memory: cycles and bytes of each schedule.

    Points are spread over 2^10 to 2^20 elements, latencies of 1 to 512 cycles and 16 to 128 bytes
    per cycle. All bytes are compared with the emulator's, and the figures with a closed formula; 1
    is returned if any of them differs. What is simulated is kept in build/cache.
    """
    from compare.liberty import read_library
    from compare.memory import ELEMENTS
    from compare.memory_report import write_memory
    from compare.memory_study import chosen_points, study_memory
    from compare.table import as_rich
    from emulator.errors import MismatchError

    points = chosen_points(units or ())
    library = read_library(liberty) if liberty else None
    with progress("study", off=as_json) as show, _kept():
        found = study_memory(points, units=units or (), library=library, progress=show)
    paths = write_memory(found, folder, report)
    if as_json:
        print_json(found.to_json())
    else:
        show_table(as_rich(found.grid(), f"{len(found.points)} points, all bytes compared."))
        say()
        show_table(as_rich(found.whole_grid(), f"One tensor of {ELEMENTS:,} elements."))
        say(", ".join(map(str, paths)))
    if found.problems:
        raise MismatchError("\n".join(found.problems))


@contextmanager
def _kept() -> Iterator[None]:
    """Say what an interruption leaves."""
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write("finescale: what is done is kept; the same command goes on from it\n")
        raise


def _run(study: Callable[[Library, Progress], Found], liberty: list[Path], quiet: bool) -> Found:
    """Run a study with a bar, and say what an interruption leaves."""
    from compare.liberty import read_library

    library = read_library(liberty)
    with progress("study", off=quiet) as show, _kept():
        return study(library, show)


def _show(grid: object, library: str, paths: list[Path]) -> None:
    from compare.table import Grid, as_rich

    assert isinstance(grid, Grid)
    show_table(as_rich(grid, f"Cells: {library}."))
    say(", ".join(map(str, paths)))
