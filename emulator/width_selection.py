"""Which kernel and which tables compute a recipe that selects with limited width (spec §17)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

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
    from emulator.width_kernels import element_kernel, is_narrow, table_kernel, width_kernel

    size, bits, table = recipe.block_size, recipe.error_bits, recipe.rule == TABLE_RULE
    rule = "4o6" if table else recipe.rule
    t = width_tables(recipe.block_format, rule, recipe.prevent_zero, g, table)
    steps = (t.selection.starts, t.selection.lasts, t.selection.codes, t.outright, t.c, t.q)
    write = element_kernel(size, halves)
    if bits is None:
        choose, rest = table_kernel(halves), (t.rows, t.values, size)
    else:
        choose = width_kernel(halves, is_narrow(size, bits))
        rest = (np.array(CANDIDATES[rule], np.int64).reshape(-1), size, bits)

    def quantize(x: Any, codes: Any, scales: Any) -> None:
        choose(x, scales, *steps, *rest)
        write(x, codes, scales, t.selection.rows)

    return quantize
