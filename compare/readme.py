"""The README's part of a comparison: what scales cost, and the headline columns of all rows."""

from __future__ import annotations

from pathlib import Path

from compare.answer import block_sizes, short_answer
from compare.results import Comparison
from compare.table import Grid, error_text, ge_text, quantizers
from emulator.generated import update_file

BEGIN, END = "<!-- comparison:begin -->", "<!-- comparison:end -->"
"""Markers in the README between which it stands."""

ANSWER_BLOCK = 16
"""Block size of the short answer, if the comparison has it."""


def readme_table(comparison: Comparison) -> str:
    """A compact Markdown table with the headline columns."""
    rows = [row for row, _ in quantizers(comparison)]
    sigmas = list(rows[0].errors) if rows else []
    shown = [sigmas[0], sigmas[-1]] if sigmas else []
    headings = ("variant", "bits/element", "logic GE", "register GE", "levels", "cycles")
    headings += tuple(f"error σ={sigma:g}" for sigma in shown)
    grid = Grid(
        headings,
        tuple(
            (
                f"`{row.variant.name}`",
                f"{float(row.bits_per_element or 0):g}",
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
    return "\n\n".join([*_answer(comparison), grid.markdown(), note])


def _answer(comparison: Comparison) -> list[str]:
    """What kinds of scales cost over the first one, if the comparison has two of them."""
    sizes = block_sizes(comparison)
    if not sizes:
        return []
    block = ANSWER_BLOCK if ANSWER_BLOCK in sizes else sizes[-1]
    head = (
        f"Logic gates over those of UE4M3 block scales alone, block size {block}: the median ratio "
        "over the mapping scripts (smallest to largest; a tie where they do not agree on which is "
        "larger), beside the error."
    )
    return [head, short_answer(comparison, block).markdown()]


def update_readme(path: Path, comparison: Comparison) -> bool:
    """Put `readme_table` between the markers of a Markdown file; return whether it changed.

    Raises:
        ValueError: if the comparison has failures, or the file lacks one pair of markers.
    """
    if not comparison.ok:
        raise ValueError("a comparison with failures does not go into the README")
    return update_file(path, BEGIN, END, f"{BEGIN}\n{readme_table(comparison)}\n{END}")
