"""Tables for kernels that choose a scale with limited width (spec §17); exact integers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from emulator.blocks import BlockFormat
from emulator.scaled_tables import SelectionTables, number, selection_tables
from emulator.tables import first_pattern

Ints = npt.NDArray[np.int64]

TWICE = np.array([0, 1, 2, 3, 4, 6, 8, 12], np.int64)
"""Twice the values of E2M1's magnitude codes."""

LANES = 32
"""Values of a lane of five bits."""

APART = 8
"""Candidate 4 lies fewer codes than this above candidate 6."""


@dataclass(frozen=True)
class WidthTables:
    """What the kernels of limited width look up.

    Attributes:
        selection: the candidates' codes and the elements' steps.
        outright: the last pattern of amax at which there is a choice (spec §17.4, §17.7).
        c, q: int64, 256 each: scale times tensor scale is ``c * 2**q``.
        rows: int64: where the table values of a pair of scales begin, see `row_index`; empty
            without a table.
        values: int8, `LANES` for each distinct row.
    """

    selection: SelectionTables
    outright: int
    c: Ints
    q: Ints
    rows: Ints
    values: npt.NDArray[np.int8]


def row_index(six: int, four: int, above: int) -> int:
    """Place of a pair of scale codes in `WidthTables.rows`.

    ``above``: floor(log2 amax) minus the exponent of scale 4, 1 or 2.
    """
    return ((six * APART) + (four - six)) * 2 + above - 1


@lru_cache(maxsize=512)
def _table(six: int, four: int) -> tuple[int, ...]:
    """Table values of the lanes 0 to 31, for scales in units of u / 8 (spec §17.6)."""
    points = 4 * np.arange(128, dtype=np.int64)[:, None] + 2  # in units of u / 16
    d6, d4 = (np.abs(points - TWICE * s).min(axis=1) for s in (six, four))
    lanes = (d6 * d6 - d4 * d4).reshape(LANES, 4).sum(axis=1)
    # A sum of four points over `whole` is 32 / S_4^2 times their mean.
    whole = (2 * four) ** 2
    cells = [int(v) * 16 for v in lanes[1:16]] + [
        int(v) * 8 for v in lanes[16:].reshape(8, 2).sum(axis=1)
    ]
    values, total, below = [0], 0, 0
    for cell in cells:
        total += cell
        rounded = (total + whole) // (2 * whole)
        values.append(min(max(rounded - below, -8), 7))
        below = rounded
    return (*values[:16], *(v for v in values[16:] for _ in range(2)))


def _rows(c: Ints, q: Ints) -> tuple[Ints, npt.NDArray[np.int8]]:
    """Rows of all pairs of scale codes that may stand beside each other."""
    found: dict[tuple[int, ...], int] = {}
    rows = np.zeros(c.size * APART * 2, np.int64)
    for six in range(c.size):
        for four in range(six + 1, min(six + APART, c.size)):
            exponent = int(c[four]).bit_length() - 1 + int(q[four])
            for above in (1, 2):
                eighth = exponent + above - 7  # u / 8 is 2**eighth
                scales = [int(c[i]) << int(q[i] - eighth) for i in (six, four)]
                row = found.setdefault(_table(*scales), len(found))
                rows[row_index(six, four, above)] = row * LANES
    return rows, np.array(list(found), np.int8).reshape(-1)


@lru_cache(maxsize=32)
def width_tables(
    block_format: BlockFormat, rule: str, prevent_zero: bool, g: float, table: bool
) -> WidthTables:
    """Return the tables of a rule, under a tensor scale (1 where the recipe has none).

    Args:
        block_format: gives the formats.
        rule: 4o6, 3c or 6c: whose candidates there are.
        prevent_zero: as in the recipe.
        g: the tensor scale; a power of two with ``table``.
        table: whether 4 and 6 are compared by table values.
    """
    scale = block_format.scale
    cg, qg = number(g)
    parts = [scale.parts(code)[1:] for code in range(scale.max_code + 1)]
    c, q = (np.array(part, np.int64) for part in zip(*parts, strict=True))
    # Candidate 6 (for tables: 4) is clamped from the middle above the largest value on; there a
    # tie goes to the even code (spec §3.1, §8.2).
    top = (2 * int(c[-1]) + 1) * cg * (4 if table else 6)
    beyond = scale.max_code % 2 == 0
    outright = first_pattern(top, int(q[-1]) - 1 + qg, beyond) - 1
    c, q = c * cg, q + qg
    rows, values = _rows(c, q) if table else (np.zeros(1, np.int64), np.zeros(1, np.int8))
    chosen = selection_tables(block_format, rule, prevent_zero, g)
    return WidthTables(chosen, outright, c, q, rows, values)
