"""The meaning of the specification, continued: selection with limited width (spec §17)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

from emulator.formats import Format
from emulator.recipes import TABLE_RULE, Recipe
from emulator.reference import ONE, candidate_codes, floor_log2, round_magnitude

TABLE_WIDTH = 5
"""Bits of a lane under the rule `4o6t` (spec §17.5)."""

CELLS = 24
"""Table values of a pair of scales (spec §17.5)."""


def seen(magnitudes: Sequence[Fraction], bits: int) -> tuple[list[int], Fraction]:
    """Lanes as integers, and their unit, for a block that is not all zeros (spec §17.1)."""
    unit = Fraction(2) ** (floor_log2(max(magnitudes)) + 1 - bits)
    return [int(x / unit) for x in magnitudes], unit


def scale_seen(code: int, unit: Fraction, recipe: Recipe, g: Fraction) -> int:
    """A scale as an integer, to nearest, ties to even (spec §17.2)."""
    return round(4 * recipe.scale.value(code) * g / unit)


def integer_error(
    lanes: Sequence[int], unit: Fraction, code: int, recipe: Recipe, g: Fraction
) -> int:
    """Error of a scale code, seen through integers (spec §17.3)."""
    scale = scale_seen(code, unit, recipe, g)
    twice = [int(2 * recipe.element.value(q)) for q in range(recipe.element.max_code + 1)]
    return sum(min((8 * x + 4 - q * scale) ** 2 for q in twice) for x in lanes if x > 0)


@lru_cache(maxsize=1024)
def table_values(scale6: Fraction, scale4: Fraction, element: Format) -> tuple[int, ...]:
    """Table values of all cells, for two scales in units of u (spec §17.6)."""
    values = [element.value(q) for q in range(element.max_code + 1)]
    points: list[list[Fraction]] = [[] for _ in range(CELLS)]
    for k in range(128):
        p = Fraction(2 * k + 1, 8)
        e6, e4 = (min((p - q * s) ** 2 for q in values) for s in (scale6, scale4))
        points[cell(int(p))].append(e6 - e4)
    table, total, below = [0], Fraction(0), 0
    for differences in points[1:]:
        total += 32 * sum(differences) / len(differences) / scale4**2
        rounded = (2 * total + 1) // 2
        table.append(min(max(int(rounded - below), -8), 7))
        below = rounded
    return tuple(table)


def cell(x: int) -> int:
    """Cell of a lane seen as the integer x (spec §17.5)."""
    return x if x < 16 else 8 + x // 2


def table_sum(
    magnitudes: Sequence[Fraction], six: int, four: int, recipe: Recipe, g: Fraction
) -> int:
    """Sum of the table values of all lanes, for two different scale codes (spec §17.7)."""
    lanes, unit = seen(magnitudes, TABLE_WIDTH)
    scales = (recipe.scale.value(code) * g / unit for code in (six, four))
    table = table_values(*scales, recipe.element)
    return sum(table[cell(x)] for x in lanes)


def exceeds(amax: Fraction, divisor: int, recipe: Recipe, g: Fraction) -> bool:
    """Whether a candidate lies above the largest finite code before it is clamped (spec §8.2)."""
    return round_magnitude(amax / (divisor * g), recipe.scale) > recipe.scale.max_code


def chosen_code(magnitudes: Sequence[Fraction], recipe: Recipe, g: Fraction = ONE) -> int:
    """Scale code of a block without NaN and infinity (spec §17.4, §17.7)."""
    amax = max(magnitudes)
    codes = candidate_codes(amax, recipe, g)
    table = recipe.rule == TABLE_RULE
    if amax == 0 or exceeds(amax, 4 if table else 6, recipe, g):
        return codes[0]
    if table:
        six, four = codes
        return four if six != four and table_sum(magnitudes, six, four, recipe, g) > 0 else six
    assert recipe.error_bits is not None
    lanes, unit = seen(magnitudes, recipe.error_bits)
    # `min` keeps the first of equal ones.
    return min(codes, key=lambda code: integer_error(lanes, unit, code, recipe, g))
