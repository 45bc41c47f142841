"""The meaning of stochastic rounding and of its random numbers (spec §19)."""

from __future__ import annotations

from fractions import Fraction

from emulator.formats import Format
from emulator.recipes import Recipe

WORD = 1 << 32
SEEDS = 1 << 128
ROUNDS = 27


def check_seed(seed: int | None, recipe: Recipe) -> None:
    """Refuse a seed without use, none where one is needed, or one out of range (spec §19.7)."""
    if (seed is None) != (recipe.sr_bits is None):
        raise ValueError(f"{recipe.name}: seed={seed} does not go with the recipe (spec §19.7)")
    if seed is not None and not 0 <= seed < SEEDS:
        raise ValueError(f"seed={seed} is not from 0 to 2^128 - 1 (spec §19.7)")


def _right(x: int, by: int) -> int:
    """A 32-bit word rotated to the right."""
    return (x >> by | x << (32 - by)) % WORD


def speck(key: int, block: int) -> int:
    """Speck64/128: the encrypted block of 64 bits under a key of 128 bits (spec §19.5)."""
    k, *rest = (key >> (32 * i) & (WORD - 1) for i in range(4))
    x, y = divmod(block, WORD)
    for i in range(ROUNDS):
        x = (_right(x, 8) + y) % WORD ^ k
        y = _right(y, 29) ^ x
        rest = [*rest[1:], (k + _right(rest[0], 8)) % WORD ^ i]
        k = _right(k, 29) ^ rest[-1]
    return x * WORD + y


def draws(seed: int, number: int, lanes: int, bits: int) -> list[int]:
    """Random numbers of the first lanes of block ``number``, of ``bits`` bits (spec §19.3)."""
    words = -(-lanes * bits // 64)
    stream = sum(speck(seed, 128 * number + w) << (64 * w) for w in range(words))  # spec §19.4
    return [stream >> (i * bits) & ((1 << bits) - 1) for i in range(lanes)]


def stochastic_value(x: Fraction, scale: Fraction, r: int, bits: int, element: Format) -> Fraction:
    """The element value that x >= 0 becomes under a scale and the random number r (spec §19.2)."""
    if scale == 0:
        return Fraction(0)
    values = [element.value(code) for code in range(element.max_code + 1)]
    low = max(v for v in values if v * scale <= x)
    high = min((v for v in values if v > low), default=low)
    limit = low + (high - low) * Fraction((1 << bits) - r, 1 << bits)
    return high if x >= limit * scale else low
