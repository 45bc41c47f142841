"""The comparison as rows of text: for the terminal, for Markdown, for the README."""

from __future__ import annotations

from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table

from compare.results import Comparison, Row
from compare.synthesis import Spread
from rtl.variants import QuantizerVariant

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
    """All columns of the comparison, one row per quantizer."""
    rows = [row for row in comparison.rows if row.bits_per_element is not None]
    sigmas = list(rows[0].errors) if rows else []
    cells = comparison.library is not None
    headings = ["variant", "bits/element", *_gate_headings(cells)]
    headings += [f"error σ={sigma:g}" for sigma in sigmas]
    if comparison.tensor_file is not None:
        headings.append(f"error {comparison.tensor_file}")
    return Grid(tuple(headings), tuple(_cells(row, cells) for row in rows))


def unit_grids(comparison: Comparison) -> dict[str, Grid]:
    """For each unit that is no quantizer its gates and cycles, one row per variant."""
    cells = comparison.library is not None
    found: dict[str, list[Row]] = {}
    for row in comparison.rows:
        if row.bits_per_element is None:
            found.setdefault(row.variant.unit, []).append(row)
    headings = ("variant", *_gate_headings(cells))
    return {
        unit: Grid(headings, tuple((r.variant.name, *_gate_cells(r, cells)) for r in rows))
        for unit, rows in found.items()
    }


def quantizers(comparison: Comparison) -> list[tuple[Row, QuantizerVariant]]:
    """The rows of quantizers."""
    return [(row, row.quantizer) for row in comparison.rows if row.quantizer is not None]


def _gate_headings(with_delay: bool) -> list[str]:
    delay = ["delay ps"] if with_delay else []
    return ["logic GE", "logic GE range", "register GE", "levels", *delay, "latency", "interval"]


def _gate_cells(row: Row, with_delay: bool) -> list[str]:
    synthesis = row.synthesis
    cells = [
        ge_text(synthesis.logic),
        range_text(synthesis.logic),
        ge_text(synthesis.registers),
        f"{synthesis.levels.median:g}",
    ]
    if with_delay:
        cells.append("" if synthesis.delay_ps is None else f"{synthesis.delay_ps.median:,.0f}")
    return [*cells, str(row.verified.latency), f"{row.verified.interval:g}"]


def _cells(row: Row, with_delay: bool) -> tuple[str, ...]:
    cells = [row.variant.name, f"{float(row.bits_per_element or 0):g}"]
    cells += _gate_cells(row, with_delay)
    cells += [error_text(error) for error in row.errors.values()]
    if row.tensors_total is not None:
        cells.append(error_text(row.tensors_total))
    return tuple(cells)


BASELINE = "ue4m3-absmax"
MATRIX_BLOCK = 16
"""Block size of the table of single matrices; comparison.json has all."""


def ratio_grid(comparison: Comparison) -> Grid:
    """Logic, registers and error of each row over those of `BASELINE` at the same block size."""
    found = quantizers(comparison)
    shapes = {_shape(v): row for row, v in found if v.recipe.selection == BASELINE}
    sigmas = list(found[0][0].errors) if found else []
    headings = ("variant", "logic", "registers", *(f"error σ={sigma:g}" for sigma in sigmas))
    rows = []
    for row, v in found:
        base = shapes.get(_shape(v))
        if base is None or base is row:
            continue
        pairs = [
            (row.synthesis.logic.median, base.synthesis.logic.median),
            (row.synthesis.registers.median, base.synthesis.registers.median),
            *((row.errors[s], base.errors[s]) for s in sigmas),
        ]
        rows.append((v.name, *(f"{a / b:.3f}" if b else "" for a, b in pairs)))
    return Grid(headings, tuple(rows))


def _shape(variant: QuantizerVariant) -> tuple[object, ...]:
    """What has to be the same for two rows to be comparable."""
    return variant.recipe.block_size, variant.input, variant.cuts


def total_grid(comparison: Comparison) -> Grid:
    """Error over all matrices of the user's file: a row per selection, a column per block size."""
    totals = {
        (v.recipe.selection, v.input.name, v.recipe.block_size): row
        for row, v in quantizers(comparison)
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
    found = quantizers(comparison)
    sizes = [v.recipe.block_size for _, v in found]
    block = MATRIX_BLOCK if MATRIX_BLOCK in sizes else sizes[0]
    shown = [(row, v) for row, v in found if v.recipe.block_size == block]
    headings = ("matrix", *(f"{v.recipe.name} {v.input.name}" for _, v in shown))
    names = shown[0][0].tensors
    body = [(name, *(error_text(row.tensors[name]) for row, _ in shown)) for name in names]
    return Grid(headings, tuple(body))


def rich_table(comparison: Comparison) -> Table:
    """The main grid for a terminal."""
    title = f"Gates: {comparison.mapping}. Errors: relative MSE in units of {ERROR_UNIT:g}."
    return as_rich(main_grid(comparison), title)


def as_rich(grid: Grid, title: str | None = None) -> Table:
    """A grid for a terminal."""
    table = Table(
        title=title,
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
