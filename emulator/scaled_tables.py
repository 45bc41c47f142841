"""Tables for kernels that choose among scale codes or work under a tensor scale.

Like `emulator.tables`, but with every threshold multiplied by a tensor scale g, which is known
only once the tensor has been seen; so they are made in NumPy, in exact 64-bit integers. Every
number is ``c * 2**q`` with integers c and q; here c stays below 2**40: at most 6 bits from a
midpoint of scales, 3 from 6 or a threshold, 24 from g.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.blocks import BlockFormat
from emulator.errors import NotAvailableError
from emulator.formats import Format
from emulator.tables import INF, NEVER, element_midpoints, midpoint, scale_steps

Ints = npt.NDArray[np.int64]

CELL_SHIFT = 19
CELLS = 1 << (31 - CELL_SHIFT)
"""Cells of float patterns. Steps of a scale with 3 fraction bits are 1/16 or more apart, relative
to the power of two below them, so a cell holds one at most unless it lies among subnormals."""

DIVISORS = {"absmax": (6,), "4o6": (6, 4), "3c": (6, 4), "6c": (6, 4), "search": (6,)}
"""What amax is divided by, for the candidates of each rule (spec §8.1, §15.1)."""

E8M0_CANDIDATES = {"fc": ("floor", "ceil")}
"""Rules whose scale codes are the candidates (spec §15.6)."""


def number(x: float) -> tuple[int, int]:
    """Return ``(c, q)`` with odd c and x = c * 2**q, for a positive x of at most 53 bits."""
    fraction, exponent = math.frexp(x)
    c = int(math.ldexp(fraction, 53))
    zeros = (c & -c).bit_length() - 1
    return c >> zeros, exponent - 53 + zeros


def _bit_length(c: Ints) -> Ints:
    return np.frexp(c.astype(np.float64))[1].astype(np.int64)  # exact: c is below 2**53


def first_patterns(c: Ints, q: Ints, beyond: npt.NDArray[np.bool_]) -> Ints:
    """The same as `tables.first_pattern` for arrays, c from 1 to 2**40."""
    k = np.maximum(q + _bit_length(c) - 24, -149)
    left, right = np.maximum(q - k, 0), np.minimum(np.maximum(k - q, 0), 62)
    floor = (c << left) >> right
    m = floor + (beyond | (floor << right != c << left))
    return np.minimum(((k + 149) << 23) + m, INF)


def rounded_codes(c: Ints, q: Ints, fmt: Format) -> Ints:
    """The same as `tables.round_to_code` for arrays, c from 0 to 2**40."""
    assert fmt.inf_code is not None
    quantum = np.maximum(q + _bit_length(c) - fmt.precision, fmt.min_quantum)
    left, right = np.maximum(q - quantum, 0), np.minimum(np.maximum(quantum - q, 0), 62)
    left = np.where(c == 0, 0, left)
    m, rest = (c << left) >> right, (c << left) & ((1 << right) - 1)
    m = m + (2 * rest + (m & 1) > 1 << right)
    codes = np.where(c == 0, 0, ((quantum - fmt.min_quantum) << fmt.fraction_bits) + m)
    return np.minimum(codes, fmt.inf_code)


@dataclass(frozen=True)
class SelectionTables:
    """What a selection kernel looks up.

    Attributes:
        starts: uint8, `CELLS` per candidate table: the code at the beginning of each cell.
        lasts: int32, 256 per candidate table: the last pattern of amax with that code.
        rows: int32, 8 per scale code, as `tables.element_rows` but under the tensor scale.
        half: float64, half of scale times tensor scale, exact.
        reach: the largest amax / (s * g) for which scores are exact (spec §15.4), or 0.
        codes: int64: smallest and largest scale code that may be chosen, the NaN code, and the
            code from which on every scale has half of it in its format (spec §15.5).
    """

    starts: npt.NDArray[np.uint8]
    lasts: npt.NDArray[np.int32]
    rows: npt.NDArray[np.int32]
    half: npt.NDArray[np.float64]
    reach: float
    codes: Ints


@lru_cache(maxsize=16)
def _values(fmt: Format) -> tuple[Ints, Ints]:
    """``c`` and ``q`` of all finite codes."""
    parts = [fmt.parts(code)[1:] for code in range(fmt.max_code + 1)]
    c, q = np.array(parts, np.int64).T
    return c, q


@lru_cache(maxsize=16)
def _middles(fmt: Format) -> tuple[Ints, Ints]:
    """``c`` and ``q`` of the number halfway below each code from 1 on."""
    middles = [midpoint(fmt, code) for code in range(1, fmt.max_code + 1)]
    c, q = np.array(middles, np.int64).T
    return c, q


def _lasts(scale: Format, rule: str, g: tuple[int, int]) -> Ints:
    """Last patterns of amax for each code but the largest, one row per candidate table."""
    if rule in E8M0_CANDIDATES:
        rows = [[p - 1 for p, _ in scale_steps(scale, r)] for r in E8M0_CANDIDATES[rule]]
        return np.array(rows, np.int64)
    c, q = _middles(scale)
    odd = np.arange(1, scale.max_code + 1) % 2 == 1  # ties to the even code (spec §3.1)
    steps = [first_patterns(c * (d * g[0]), q + g[1], odd) - 1 for d in DIVISORS[rule]]
    return np.stack(steps)


def _rows(element: Format, scale: Format, g: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Element thresholds under each scale code and the tensor scale (lemma of spec §9)."""
    rows = np.full((256, 8), NEVER, np.int32)
    rows[:, 7] = 0
    cs, qs = _values(scale)
    rows[: cs.size, 7] = element.sign_mask
    some = np.flatnonzero(cs)
    for k, (c, q) in enumerate(element_midpoints(element)):
        odd = np.full(some.size, k % 2 == 0)  # step k leads to code k + 1
        patterns = first_patterns(c * cs[some] * g[0], q + qs[some] + g[1], odd)
        rows[some, k] = patterns - 1
    return rows


def _reach(scale: Format, g: tuple[int, int], block_size: int) -> float:
    """The bound of the lemma of spec §15.4."""
    width = g[0].bit_length()
    below = scale.fraction_bits + (width if width > 1 else 0)
    k = (26 - below - (block_size.bit_length() - 1)) // 2
    return 2.0**k if k >= 0 and below <= 23 else 0.0


@lru_cache(maxsize=32)
def selection_tables(
    block_format: BlockFormat, rule: str, prevent_zero: bool, g: float
) -> SelectionTables:
    """Return the tables of a rule under a tensor scale (1 where the recipe has none).

    Raises:
        NotAvailableError: if the formats do not go with the rule.
    """
    element, scale = block_format.element, block_format.scale
    if scale.nan_code is None or scale.inf_code is not None or scale.fraction_bits > 3:
        raise NotAvailableError(
            f"scale format {scale.name} needs a NaN code, no infinity and at most 3 fraction "
            "bits (spec §6.1, §6.2)"
        )
    factor = number(g)
    steps = _lasts(scale, rule, factor)
    lasts = np.full((len(steps), 256), NEVER, np.int32)
    lasts[:, : scale.max_code] = steps
    edges = np.arange(CELLS, dtype=np.int64) << CELL_SHIFT
    starts = np.stack([np.searchsorted(row, edges, side="left") for row in steps])
    c, q = _values(scale)
    half = np.zeros(256)
    half[: c.size] = np.ldexp((c * factor[0]).astype(np.float64), (q + factor[1] - 1).astype(int))
    codes = [int(prevent_zero), scale.max_code, scale.nan_code, 2 << scale.fraction_bits]
    return SelectionTables(
        starts.astype(np.uint8).reshape(-1),
        lasts.reshape(-1),
        _rows(element, scale, factor).reshape(-1),
        half,
        _reach(scale, factor, block_format.block_size),
        np.array(codes, np.int64),
    )


@lru_cache(maxsize=16)
def scaled_product_table(
    block_format: BlockFormat, output: Format, g: float
) -> npt.NDArray[np.unsignedinteger[Any]]:
    """The same as `tables.product_table` with the exact product q * s * g (spec §14.7)."""
    element, scale = block_format.element, block_format.scale
    assert output.nan_code is not None
    cg, qg = number(g)
    table = np.full((256, 16), output.nan_code, np.uint32 if output.width > 16 else np.uint16)
    codes = np.arange(256) & scale.magnitude_mask  # bits above the code are ignored (spec §2.6)
    stored = np.flatnonzero(codes <= scale.max_code)
    cs, qs = (part[codes[stored]] for part in _values(scale))
    for lane in range(16):
        sign, c, q = element.parts(lane)
        magnitude = rounded_codes(c * cs * cg, q + qs + qg, output)
        table[stored, lane] = magnitude | (output.sign_mask if sign else 0)
    return table
