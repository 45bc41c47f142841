"""Contents of the table of rule 4o6t, as spec §17.6 defines them, for each amax.

The candidates' codes, and with them the table, change at a few amaxes only. Where both scales are
normal, one binade of amax is like every other.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from emulator.formats import Format
from rtl.select_shapes import DOUBLES
from rtl.shapes import floor_log2

CELLS = 24
"""Cells of lanes, the first of which counts nothing (spec §17.5)."""

POINTS = 4
"""Points in a unit at which differences of errors are taken (spec §17.6)."""

Table = tuple[int, ...]
"""Values of the cells 1 to 23."""


@dataclass(frozen=True)
class Interval:
    """Amaxes with one table.

    Attributes:
        start: smallest amax.
        beyond: whether that one belongs to the interval before.
        table: values of the cells; None where there is no choice, or the codes are equal.
        top: the largest cell that a lane can be in.
    """

    start: Fraction
    beyond: bool
    table: Table | None
    top: int


def scale_value(fmt: Format, code: int) -> Fraction:
    """Value of a scale code (spec §2.1)."""
    field, fraction = divmod(code, 1 << fmt.fraction_bits)
    quantum = Fraction(2) ** (max(field, 1) - fmt.bias - fmt.fraction_bits)
    return (fraction + ((1 << fmt.fraction_bits) if field else 0)) * quantum


@lru_cache(maxsize=256)
def table_values(six: Fraction, four: Fraction) -> Table:
    """Values of the cells for two scales in units of u (spec §17.6)."""
    magnitudes = [Fraction(odd << power, 2) for odd, power in DOUBLES.values()]
    sums = [Fraction(0)] * CELLS
    for k in range(POINTS << 5):
        point = Fraction(2 * k + 1, 2 * POINTS)
        nearest = [min(abs(point - q * scale) for q in magnitudes) for scale in (six, four)]
        x = k // POINTS
        cell = x if x < 16 else 8 + x // 2
        width = 1 if x < 16 else 2
        sums[cell] += (nearest[0] ** 2 - nearest[1] ** 2) / (POINTS * width)
    values, total = [], Fraction(0)
    for cell in range(1, CELLS):
        before = rounded(total)
        total += 32 * sums[cell] / four**2
        values.append(min(max(rounded(total) - before, -8), 7))
    return tuple(values)


def rounded(x: Fraction) -> int:
    """The nearest integer, halves upwards."""
    return (2 * x.numerator + x.denominator) // (2 * x.denominator)


def step(fmt: Format, divisor: int, code: int) -> tuple[Fraction, bool]:
    """Smallest amax whose quotient has a code, and whether that one still has the code before.

    The middle of two values, ties to the even code (spec §3.1, §8.1). Above the largest finite
    code values go on as if there were more.
    """
    middle = (scale_value(fmt, code - 1) + scale_value(fmt, code)) / 2
    return divisor * middle, code % 2 == 1


def intervals(fmt: Format, prevent_zero: bool) -> list[Interval]:
    """Amaxes in order, from where a scale is not zero to where candidate 4 exceeds all codes."""
    steps: list[tuple[Fraction, bool, int]] = [
        (*step(fmt, divisor, code), divisor)
        for code in range(1, fmt.max_code + 2)
        for divisor in (6, 4)
    ]
    power, last = scale_value(fmt, 1), step(fmt, 4, fmt.max_code + 1)
    while (power, False) < last:
        steps.append((power, False, 0))
        power *= 2
    steps = sorted(entry for entry in steps if entry[:2] <= last)
    codes, found = {6: 0, 4: 0, 0: 0}, []
    for i, (start, beyond, divisor) in enumerate(steps):
        codes[divisor] += 1
        if (start, beyond) == last:
            break
        end, reached, _ = steps[i + 1]
        if (end, reached) == (start, beyond):
            continue
        table, top = None, 0
        six, four = (max(codes[d], int(prevent_zero)) for d in (6, 4))
        if six != four:
            unit = Fraction(2) ** (floor_log2(start) - 4)
            table = table_values(scale_value(fmt, six) / unit, scale_value(fmt, four) / unit)
            x = end / unit
            most = x.numerator // x.denominator - (x.denominator == 1 and not reached)
            top = 8 + most // 2
        found.append(Interval(start, beyond, table, top))
    return found


def sparse(table: Table, top: int) -> Table:
    """A table with the same choices (spec §17.7), with zeros where they do.

    If no value is negative and those of amax's binade are positive, every sum is positive, since
    amax is one of the lanes; so it is with zeros in all cells below.
    """
    below = 15  # cells 1 to 15 lie below amax's binade
    if min(table[:top]) < 0 or min(table[below:top]) == 0:
        return table
    return (0,) * below + table[below:]
