"""Tables for the kernels, made from `Format` data with exact integers.

Every rule of this version is a step function of a float32 magnitude, and the magnitude order of
floats is the integer order of their bit patterns. So a table of patterns at which a code changes
carries out an exact comparison with a real number, without a quotient. All numbers here are
``c * 2**q`` with integers c and q.

A pattern p is stored as ``p - 1``, the last one that does *not* reach the step, because the
kernels compare signed 32-bit integers with ``>``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from emulator.blocks import BlockFormat
from emulator.errors import NotAvailableError
from emulator.formats import Format

INF = 0x7F800000
"""Float32 pattern of infinity: reached by no finite number."""

NEVER = 0x7FFFFFFF
"""Stored step that no pattern is beyond."""

Bytes = npt.NDArray[np.uint8]
Patterns = npt.NDArray[np.int32]


def first_pattern(c: int, q: int, beyond: bool = False) -> int:
    """Return the smallest float32 magnitude pattern whose value is at least ``c * 2**q``.

    Args:
        c: integer of at least 0.
        q: exponent.
        beyond: ask for a value greater than ``c * 2**q`` instead.

    Returns:
        The pattern; that of infinity if no finite float32 is large enough.
    """
    if c == 0:
        return int(beyond)
    k = max(q + c.bit_length() - 24, -149)
    if q >= k:
        m = (c << (q - k)) + beyond
    else:
        floor = c >> (k - q)
        m = floor + (beyond or floor << (k - q) != c)
    return min(((k + 149) << 23) + m, INF)


def midpoint(fmt: Format, code: int) -> tuple[int, int]:
    """Return ``(c, q)`` of the real number halfway between the values of ``code - 1`` and it."""
    _, c0, q0 = fmt.parts(code - 1)
    _, c1, q1 = fmt.parts(code)
    q = min(q0, q1)
    return (c0 << (q0 - q)) + (c1 << (q1 - q)), q - 1


@dataclass(frozen=True)
class StepTable:
    """A step function of a 31-bit pattern, cut into cells that hold at most one step inside.

    The code of pattern p is ``high[i] if p > last[i] else low[i]`` with ``i = p >> shift``.
    """

    shift: int
    low: Bytes
    high: Bytes
    last: Patterns


def step_table(start: int, steps: Iterable[tuple[int, int]]) -> StepTable:
    """Build the table of ``start``, then of ``code`` from ``pattern`` on for each step.

    Args:
        start: the code before the first step.
        steps: ``(pattern, code)`` by rising pattern; of equal patterns the last one counts.
    """
    at = dict(steps)
    shift = 30
    while True:
        inner = [p >> shift for p in at if p & ((1 << shift) - 1)]
        if len(inner) == len(set(inner)):
            break
        shift -= 1
    cells = 1 << (31 - shift)
    low, high = np.zeros(cells, np.uint8), np.zeros(cells, np.uint8)
    last = np.full(cells, NEVER, np.int32)
    code, done = start, 0
    for pattern, after in at.items():
        cell = pattern >> shift
        low[done:cell], high[done:cell] = code, code
        if pattern & ((1 << shift) - 1):
            low[cell], high[cell], last[cell] = code, after, pattern - 1
            done = cell + 1
        else:
            done = cell
        code = after
    low[done:], high[done:] = code, code
    return StepTable(shift, low, high, last)


def scale_steps(scale: Format, rule: str) -> list[tuple[int, int]]:
    """Steps of the scale code over amax, clamped to the finite codes (spec §8.2, §8.7)."""
    codes = range(1, scale.max_code + 1)
    if rule == "absmax":  # spec §8.1, ties to the even code: an even one is reached at equality
        middles = [midpoint(scale, code) for code in codes]
        return [
            (first_pattern(6 * c, q, beyond=code % 2 == 1), code)
            for code, (c, q) in zip(codes, middles, strict=True)
        ]
    if scale.fraction_bits:
        raise NotAvailableError(
            f"rule {rule!r} is defined for scales without a fraction, not for {scale.name} "
            "(spec §8.4)"
        )
    if rule == "floor":  # spec §8.4: 2**(code - bias + 2) is the smallest amax
        return [(first_pattern(4, code - scale.bias), code) for code in codes]
    if rule == "ceil":  # spec §8.5: the code below still serves 6 * 2**(code - 1 - bias)
        return [(first_pattern(3, code - scale.bias, beyond=True), code) for code in codes]
    if rule == "even":  # spec §8.6: 3.5 * 2**(code - bias) is the smallest amax
        return [(first_pattern(7, code - scale.bias - 1), code) for code in codes]
    raise NotAvailableError(f"rule {rule!r} is not available yet")


@lru_cache(maxsize=64)
def scale_table(scale: Format, rule: str, prevent_zero: bool) -> StepTable:
    """Return the scale code as a function of the pattern of a block's amax.

    The largest pattern of the block shows infinities and NaN as well: they come last in the
    order of patterns (spec §6). Prevent-zero is part of the table (spec §8.3).

    Raises:
        NotAvailableError: if the scale format has no NaN code or has an infinity, or if the rule
            does not go with it.
    """
    if scale.nan_code is None or scale.inf_code is not None:
        raise NotAvailableError(
            f"scale format {scale.name} needs a NaN code and no infinity (spec §6.1, §6.2)"
        )
    smallest = int(prevent_zero)
    steps = [(p, max(code, smallest)) for p, code in scale_steps(scale, rule) if p < INF]
    steps += [(INF, scale.max_code), (INF + 1, scale.nan_code)]
    return step_table(smallest, steps)


def element_midpoints(element: Format) -> list[tuple[int, int]]:
    """Return ``(c, q)`` of the seven thresholds of an element format, under scale 1."""
    if element.max_code != 7:
        raise NotAvailableError(f"element format {element.name} is not available yet")
    return [midpoint(element, code) for code in range(1, 8)]


@lru_cache(maxsize=64)
def element_rows(element: Format, scale: Format) -> Patterns:
    """Return the element thresholds of every scale code, by the lemma of spec §9.

    Returns:
        int32 of shape (256, 8): seven stored steps, then the mask of the sign bit in the
        element code. A NaN scale has no steps and no sign (spec §6.1); scale zero has no steps
        (spec §9.3).
    """
    middles = element_midpoints(element)
    rows = np.full((256, 8), NEVER, np.int32)
    for stored in range(256):
        code = stored & scale.magnitude_mask
        if not scale.is_finite(code):
            rows[stored, 7] = 0
            continue
        rows[stored, 7] = element.sign_mask
        _, cs, qs = scale.parts(code)
        if cs:
            rows[stored, :7] = [
                first_pattern(c * cs, q + qs, beyond=k % 2 == 1) - 1
                for k, (c, q) in enumerate(middles, 1)
            ]
    return rows


def round_to_code(c: int, q: int, fmt: Format) -> int:
    """Return the magnitude code of ``c * 2**q``, rounded as IEEE 754 does (spec §10.1, §10.3).

    Ties to even; overflow gives infinity. ``fmt`` has a zero, an infinity and a fraction.
    """
    if fmt.inf_code is None or not fmt.has_zero or not fmt.fraction_bits:
        raise NotAvailableError(f"{fmt.name} is no IEEE 754 format")
    if c == 0:
        return 0
    quantum = max(q + c.bit_length() - fmt.precision, fmt.min_quantum)
    if q >= quantum:
        m = c << (q - quantum)
    else:
        shift = quantum - q
        m, rest = c >> shift, c & ((1 << shift) - 1)
        m += 2 * rest + (m & 1) > 1 << shift
    # The leading bit of a normal significand counts up the exponent field, as does a carry.
    return min(((quantum - fmt.min_quantum) << fmt.fraction_bits) + m, fmt.inf_code)


@lru_cache(maxsize=64)
def product_table(block_format: BlockFormat, output: Format) -> npt.NDArray[np.unsignedinteger]:
    """Return the decoded pattern of every pair of scale code and element code (spec §10).

    Returns:
        Patterns of ``output`` as uint32 or uint16, of shape (256, 16).
    """
    element, scale = block_format.element, block_format.scale
    if element.width != 4 or element.nan_code is not None or element.inf_code is not None:
        raise NotAvailableError(f"element format {element.name} is not available yet")
    if scale.inf_code is not None:
        raise NotAvailableError(f"scale format {scale.name} has an infinity (spec §6.2)")
    assert output.nan_code is not None
    table = np.full((256, 16), output.nan_code, np.uint32 if output.width > 16 else np.uint16)
    for stored in range(256):
        code = stored & scale.magnitude_mask
        if not scale.is_finite(code):
            continue
        _, cs, qs = scale.parts(code)
        for lane in range(16):
            sign, c, q = element.parts(lane)
            magnitude = round_to_code(c * cs, q + qs, output)
            table[stored, lane] = magnitude | (output.sign_mask if sign else 0)
    return table
