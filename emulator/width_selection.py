"""Which kernel and which tables compute a recipe that selects with limited width (spec §17)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emulator.recipes import TABLE_RULE, Recipe
from emulator.width_tables import width_tables

CANDIDATES: dict[str, tuple[tuple[int, int], ...]] = {
    "4o6": ((0, 0), (1, 0)),
    "3c": ((0, 0), (0, -1), (1, 0)),
    "6c": ((0, 0), (0, -1), (0, 1), (1, 0), (1, -1), (1, 1)),
}
"""Candidates of each rule, in order: index of the table of codes, offset (spec §15.1)."""


def width_function(recipe: Recipe, g: float, halves: bool) -> Callable[[Any, Any, Any], None]:
    """Return ``f(x, codes, scales)``, as `selection.block_function` does."""
    from emulator.width_kernels import table_kernel, width_kernel

    table = recipe.rule == TABLE_RULE
    t = width_tables(
        recipe.block_format, "4o6" if table else recipe.rule, recipe.prevent_zero, g, table
    )
    steps = (t.selection.starts, t.selection.lasts, t.selection.rows, t.selection.codes)
    numbers = (t.outright, t.c, t.q)
    if table:
        by_table = table_kernel(recipe.block_size, halves)
        return lambda x, codes, scales: by_table(
            x, codes, scales, *steps, *numbers, t.rows, t.values
        )
    assert recipe.error_bits is not None
    by_error = width_kernel(recipe.block_size, halves, CANDIDATES[recipe.rule], recipe.error_bits)
    return lambda x, codes, scales: by_error(x, codes, scales, *steps, *numbers)
