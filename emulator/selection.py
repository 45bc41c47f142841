"""Which kernel and which tables compute a recipe; exact integers where floats cannot decide.

`block_function` is all that arrays need to know of a recipe.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator import tables
from emulator.formats import FP32
from emulator.recipes import VOTING_RULES, Recipe
from emulator.scaled_tables import SelectionTables, number, selection_tables
from emulator.width_selection import width_function

Bits = npt.NDArray[np.signedinteger[Any]]
Bytes = npt.NDArray[np.uint8]

CANDIDATES: dict[str, tuple[tuple[int, int], ...]] = {
    "absmax": ((0, 0),),
    "4o6": ((0, 0), (1, 0)),
    "3c": ((0, 0), (0, -1), (1, 0)),
    "6c": ((0, 0), (0, -1), (0, 1), (1, 0), (1, -1), (1, 1)),
    "fc": ((0, 0), (1, 0)),
}
"""Candidates of each rule, in order: index of the table of codes, offset (spec §15.1, §15.6)."""

_TWICE = (0, 1, 2, 3, 4, 6, 8, 12)
"""Twice the values of E2M1's magnitude codes."""


def block_function(recipe: Recipe, g: float, halves: bool) -> Callable[[Bits, Bytes, Bytes], None]:
    """Return ``f(x, codes, scales)`` that quantizes whole blocks.

    Args:
        recipe: an available recipe.
        g: the tensor scale, 1 if the recipe has none.
        halves: whether x holds the upper halves of float32 patterns (int16) or whole ones (int32).

    Returns:
        A function of contiguous arrays of whole blocks; codes and scales are written.
    """
    if recipe.limited:
        return width_function(recipe, g, halves)
    size = recipe.block_size
    if recipe.rule in VOTING_RULES:
        return _voting_function(recipe, g, halves)
    direct = recipe.rule not in CANDIDATES and recipe.rule != "search"
    if direct or (recipe.rule == "absmax" and g == 1):
        from emulator.kernels import quantize_kernel

        table = tables.scale_table(recipe.scale, recipe.rule, recipe.prevent_zero)
        rows = tables.element_rows(recipe.element, recipe.scale).reshape(-1)
        steps = (table.shift, table.low, table.high, table.last, rows)
        kernel = quantize_kernel(size, halves)
        return lambda x, codes, scales: kernel(x, codes, scales, *steps)

    from emulator.selection_kernels import candidate_kernel, search_kernel

    chosen = selection_tables(recipe.block_format, recipe.rule, recipe.prevent_zero, g)
    if recipe.rule == "search":
        select = search_kernel(size, halves)
    else:
        select = candidate_kernel(size, halves, CANDIDATES[recipe.rule])

    def quantize(x: Bits, codes: Bytes, scales: Bytes) -> None:
        marks = np.empty(scales.size, np.uint8)
        t = chosen
        if select(x, codes, scales, marks, t.starts, t.lasts, t.rows, t.half, t.reach, t.codes):
            for block in np.flatnonzero(marks):
                lanes = slice(block * size, (block + 1) * size)
                bits = x[lanes].astype(np.int64) << (16 if halves else 0)
                _by_integers(bits, codes[lanes], scales[block : block + 1], recipe, chosen, g)

    return quantize


def _voting_function(
    recipe: Recipe, g: float, halves: bool
) -> Callable[[Bits, Bytes, Bytes], None]:
    """The same as `block_function` for the rules of spec §18."""
    from emulator.vote_kernels import VOTERS, vote_kernel, vote_steps

    t = selection_tables(recipe.block_format, "4o6", recipe.prevent_zero, g)
    steps, changes = vote_steps(recipe.scale, recipe.rule, number(g))
    kernel = vote_kernel(recipe.block_size, halves, VOTERS[recipe.rule])
    tables = (t.starts, t.lasts, t.rows, t.half, t.codes, steps, changes)
    return lambda x, codes, scales: kernel(x, codes, scales, *tables)


def _by_integers(
    bits: npt.NDArray[np.int64],
    codes: Bytes,
    scale: Bytes,
    recipe: Recipe,
    chosen: SelectionTables,
    g: float,
) -> None:
    """Choose the scale of one finite block by integers, and write its codes (spec §15.2)."""
    magnitudes = (bits & 0x7FFFFFFF).tolist()
    smallest, largest = (int(c) for c in chosen.codes[:2])
    if recipe.rule == "search":
        candidates = list(range(1, largest + 1))
    else:
        amax = max(magnitudes)
        starts = [bisect_left(row, amax) for row in chosen.lasts.reshape(-1, 256).tolist()]
        candidates = [
            max(min(starts[table] + offset, largest), smallest)
            for table, offset in CANDIDATES[recipe.rule]
        ]
    rows = chosen.rows.reshape(256, 8)
    steps = {code: rows[code, :7].tolist() for code in candidates}
    scale[0] = smallest_error(magnitudes, candidates, steps, recipe, g)
    row = rows[scale[0]]
    counts = (np.array(magnitudes)[:, None] > row[:7]).sum(axis=1)
    codes[:] = counts | (bits >> 28 & row[7])


def smallest_error(
    magnitudes: Sequence[int],
    candidates: Sequence[int],
    steps: dict[int, list[int]],
    recipe: Recipe,
    g: float,
) -> int:
    """Return the first of the candidates with the smallest squared error (spec §15.3).

    Args:
        magnitudes: finite float32 patterns.
        candidates: scale codes in order.
        steps: the seven stored thresholds of each candidate.
        recipe: gives the scale format.
        g: the tensor scale.
    """
    cg, qg = number(g)
    numbers = [FP32.parts(m)[1:] for m in magnitudes]
    scales = {code: recipe.scale.parts(code)[1:] for code in steps}
    # All numbers in units of 2**unit.
    unit = min(*(q for _, q in numbers), *(q + qg - 1 for _, q in scales.values()))
    x = [c << (q - unit) for c, q in numbers]
    best, least = candidates[0], None
    for code in candidates:
        c, q = scales[code]
        half = (c * cg) << (q + qg - 1 - unit)
        error = 0
        for pattern, value in zip(magnitudes, x, strict=True):
            error += (_TWICE[bisect_left(steps[code], pattern)] * half - value) ** 2
        if least is None or error < least:
            best, least = code, error
    return best
