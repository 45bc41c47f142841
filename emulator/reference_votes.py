"""The meaning of the rules that choose a scale by votes (spec §18), in fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from emulator.recipes import Recipe

QUARTERS = {9: 1, 10: 1, 14: -2, 15: -3, 16: -1, 17: 1, 18: 3, 19: 5, 20: 3}
"""Votes of top2 and top3 by the number of whole quarters in y (spec §18.3)."""

VOTERS = {"top2": slice(1, 2), "top3": slice(1, 3)}
"""The lanes that vote, in falling order of magnitude (spec §18.4)."""


def voted(magnitudes: Sequence[Fraction], codes: Sequence[int], recipe: Recipe, g: Fraction) -> int:
    """One of the candidate codes 6 and 4 of a block (spec §18.1)."""
    six, four = codes
    s6, s4 = recipe.scale.value(six), recipe.scale.value(four)
    if s4 >= 2 * s6:
        return four
    coarse = six < 1 << recipe.scale.fraction_bits and 2 * s4 != 3 * s6
    b = 2 if coarse else 0  # spec §18.2
    ys = sorted((x / (s6 * g) for x in magnitudes), reverse=True)
    if recipe.rule == "pop":
        wins = b + sum(map(pop_vote, ys)) > 5  # spec §18.6
    else:
        votes = sum(top_vote(y) for y in ys[VOTERS[recipe.rule]])
        wins = 8 * (b + votes) > recipe.block_size  # spec §18.4
    return four if wins else six


def top_vote(y: Fraction) -> int:
    """Vote of a lane under top2 and top3 (spec §18.3)."""
    return QUARTERS.get(y * 4 // 1, 0)


def pop_vote(y: Fraction) -> int:
    """Vote of a lane under pop (spec §18.5)."""
    if y >= 4:
        return 5
    if y >= 3:
        return -3
    if y >= 2:
        return 1
    return -1 if y > Fraction(1, 4) else 0
