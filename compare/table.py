"""The comparison as rows of text: for the terminal, for Markdown, for the README."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from compare.results import Comparison, Row
from compare.synthesis import Spread
from emulator.generated import update_file

BEGIN, END = "<!-- comparison:begin -->", "<!-- comparison:end -->"
"""Markers in the README between which the table stands."""

ERROR_UNIT = 1e-3


@dataclass(frozen=True)
class Grid:
    """A table of text: one heading per column, one tuple of cells per row."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """As a Markdown table, the first column to the left, the others to the right."""
        lines = [self.headings, ("---",) + ("---:",) * (len(self.headings) - 1), *self.rows]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def error_text(error: float) -> str:
    """A relative squared error in units of `ERROR_UNIT`, with three digits or two decimals."""
    value = error / ERROR_UNIT
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


def ge_text(spread: Spread) -> str:
    """Median of gate equivalents, with thousands separated."""
    return f"{spread.median:,.0f}"


def range_text(spread: Spread) -> str:
    """Smallest to largest figure."""
    return f"{spread.low:,.0f} to {spread.high:,.0f}"


def main_grid(comparison: Comparison) -> Grid:
    """All columns of the comparison, one row per variant."""
    rows = comparison.rows
    sigmas = list(rows[0].errors) if rows else []
    cells = comparison.library is not None
    headings = ["variant", "bits/element", "logic GE", "logic GE range", "register GE"]
    headings += ["levels", *(["delay ps"] if cells else []), "latency", "interval"]
    headings += [f"error σ={sigma:g}" for sigma in sigmas]
    if comparison.tensor_file is not None:
        headings.append(f"error {comparison.tensor_file}")
    return Grid(tuple(headings), tuple(_cells(row, cells) for row in rows))


def _cells(row: Row, with_delay: bool) -> tuple[str, ...]:
    synthesis = row.synthesis
    cells = [
        row.variant.name,
        f"{float(row.bits_per_element):g}",
        ge_text(synthesis.logic),
        range_text(synthesis.logic),
        ge_text(synthesis.registers),
        f"{synthesis.levels.median:g}",
    ]
    if with_delay:
        cells.append("" if synthesis.delay_ps is None else f"{synthesis.delay_ps.median:,.0f}")
    cells += [str(row.verified.latency), f"{row.verified.interval:g}"]
    cells += [error_text(error) for error in row.errors.values()]
    if row.tensors_total is not None:
        cells.append(error_text(row.tensors_total))
    return tuple(cells)


BASELINE = "ue4m3-absmax"
MATRIX_BLOCK = 16
"""Block size of the table of single matrices; comparison.json has all."""


def ratio_grid(comparison: Comparison) -> Grid:
    """Logic, registers and error of each row over those of `BASELINE` at the same block size."""
    shapes = {_shape(r): r for r in comparison.rows if r.variant.recipe.selection == BASELINE}
    sigmas = list(comparison.rows[0].errors) if comparison.rows else []
    headings = ("variant", "logic", "registers", *(f"error σ={sigma:g}" for sigma in sigmas))
    rows = []
    for row in comparison.rows:
        base = shapes.get(_shape(row))
        if base is None or base is row:
            continue
        pairs = [
            (row.synthesis.logic.median, base.synthesis.logic.median),
            (row.synthesis.registers.median, base.synthesis.registers.median),
            *((row.errors[s], base.errors[s]) for s in sigmas),
        ]
        rows.append((row.variant.name, *(f"{a / b:.3f}" if b else "" for a, b in pairs)))
    return Grid(headings, tuple(rows))


def _shape(row: Row) -> tuple[object, ...]:
    """What has to be the same for two rows to be comparable."""
    return row.variant.recipe.block_size, row.variant.input, row.variant.cuts


def total_grid(comparison: Comparison) -> Grid:
    """Error over all matrices of the user's file: a row per selection, a column per block size."""
    totals = {
        (r.variant.recipe.selection, r.variant.input.name, r.variant.recipe.block_size): r
        for r in comparison.rows
    }
    blocks = sorted({block for _, _, block in totals})
    kinds = list(dict.fromkeys((selection, source) for selection, source, _ in totals))
    rows = []
    for selection, source in kinds:
        found = [totals.get((selection, source, block)) for block in blocks]
        cells = ["" if r is None else error_text(r.tensors_total or 0.0) for r in found]
        rows.append((f"{selection} {source}", *cells))
    return Grid(("recipe and input", *(f"block {block}" for block in blocks)), tuple(rows))


def matrix_grid(comparison: Comparison) -> Grid:
    """Error on each matrix of the user's file: a column per recipe of one block size."""
    sizes = [row.variant.recipe.block_size for row in comparison.rows]
    block = MATRIX_BLOCK if MATRIX_BLOCK in sizes else sizes[0]
    rows = [row for row in comparison.rows if row.variant.recipe.block_size == block]
    headings = ("matrix", *(f"{row.variant.recipe.name} {row.variant.input.name}" for row in rows))
    body = [(name, *(error_text(row.tensors[name]) for row in rows)) for name in rows[0].tensors]
    return Grid(headings, tuple(body))


def rich_table(comparison: Comparison) -> Table:
    """The main grid for a terminal."""
    grid = main_grid(comparison)
    table = Table(
        title=f"Gates: {comparison.mapping}. Errors: relative MSE in units of {ERROR_UNIT:g}.",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    for k, heading in enumerate(grid.headings):
        left = k == 0
        # Headings of several lines keep the columns as narrow as their numbers.
        text = heading if left else heading.replace("/", "/\n").replace(" ", "\n")
        table.add_column(text, justify="left" if left else "right", no_wrap=left, vertical="bottom")
    for cells in grid.rows:
        table.add_row(*cells)
    return table


def readme_table(comparison: Comparison) -> str:
    """A compact Markdown table with the headline columns."""
    rows = comparison.rows
    sigmas = list(rows[0].errors) if rows else []
    shown = [sigmas[0], sigmas[-1]] if sigmas else []
    headings = ("variant", "bits/element", "logic GE", "register GE", "levels", "cycles")
    headings += tuple(f"error σ={sigma:g}" for sigma in shown)
    grid = Grid(
        headings,
        tuple(
            (
                f"`{row.variant.name}`",
                f"{float(row.bits_per_element):g}",
                ge_text(row.synthesis.logic),
                ge_text(row.synthesis.registers),
                f"{row.synthesis.levels.median:g}",
                str(row.verified.latency),
                *(error_text(row.errors[s]) for s in shown),
            )
            for row in rows
        ),
    )
    words = sum(row.verified.words for row in rows)
    note = (
        f"Made by `{comparison.command}`; {words:,} simulated words, all identical to the "
        f"specification's. GE: two-input NANDs, {comparison.mapping}. "
        f"Errors: relative MSE on N(0, σ) in units of 10⁻³."
    )
    return f"{grid.markdown()}\n\n{note}"


def update_readme(path: Path, comparison: Comparison) -> bool:
    """Put `readme_table` between the markers of a Markdown file; return whether it changed.

    Raises:
        ValueError: if the comparison has failures, or the file lacks one pair of markers.
    """
    if not comparison.ok:
        raise ValueError("a comparison with failures does not go into the README")
    return update_file(path, BEGIN, END, f"{BEGIN}\n{readme_table(comparison)}\n{END}")
