"""Directed blocks: the floats at which a decision of the specification changes.

Points come from the formats' values alone: no encoder is called, and a pattern counts only if its
value and the next one say so, so that a mistake in an encoder cannot hide its own test cases.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from emulator.formats import Format
from emulator.recipes import Recipe

Block = list[int]
"""Float patterns of the lanes of one block."""

THRESHOLDS = tuple(Fraction(n, 4) for n in (1, 3, 5, 7, 10, 14, 20))
"""Multiples of the scale at which the E2M1 code changes (spec §9.1)."""

E8M0_POINTS = (Fraction(1), Fraction(3, 2), Fraction(7, 4))
"""Significands of amax at which one of the E8M0 rules changes its code (spec §8.4 to §8.6)."""


def floor_pattern(x: Fraction, fmt: Format) -> int:
    """Largest finite magnitude pattern of ``fmt`` with a value <= x, for x >= 0; 0 below all."""
    if x == 0:
        return 0
    n, d = x.numerator, x.denominator
    exponent = n.bit_length() - d.bit_length()
    exponent -= n << max(-exponent, 0) < d << max(exponent, 0)
    q = max(exponent - fmt.fraction_bits, fmt.min_quantum)
    c = (n << max(-q, 0)) // (d << max(q, 0))
    guess = (q - fmt.min_quantum << fmt.fraction_bits) + c
    guess -= 0 if fmt.has_zero else 1 << fmt.fraction_bits
    guess = min(max(guess, 0), fmt.max_code)
    # The guess is made as an encoder makes it; the values decide.
    below = guess == 0 or fmt.value(guess) <= x
    if not below or (guess < fmt.max_code and fmt.value(guess + 1) <= x):
        raise AssertionError(f"{fmt.name}: {guess:#x} is not the largest pattern up to {x}")
    return guess


def around(x: Fraction, fmt: Format) -> list[int]:
    """The pattern at or below x and its two neighbours, within the finite patterns."""
    at = floor_pattern(x, fmt)
    return [p for p in (at - 1, at, at + 1) if 0 <= p <= fmt.max_code]


TIES = tuple(
    tuple(Fraction(n, 4) for n in lanes)
    for lanes in ((24,), (24, 16, 18), (24, 8, 9), (24, 4, 3), (24, 16, 16, 16, 20), (24, 18))
)
"""Lanes, in multiples of s, whose squared errors under s and 3/2 * s are equal, but for the last,
which 3/2 * s serves better (spec §15.3)."""

E8M0_TIES = tuple(tuple(Fraction(n, 2) for n in lanes) for lanes in ((14,), (14, 13), (14, 10)))
"""The same under s and 2 * s (spec §15.6)."""


VOTE_STEPS = tuple(Fraction(n, 4) for n in (1, 8, 9, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21))
"""Multiples of the scale at which a vote changes (spec §18.3, §18.5)."""

VOTE_FILLERS = tuple(Fraction(n, 8) for n in (5, 17, 21, 25, 29, 33, 35, 37, 39, 41))
"""Multiples of the scale inside the ranges between them."""


class Mixer:
    """Deterministic small integers from a seed: a 64-bit linear congruential generator."""

    def __init__(self, seed: int) -> None:
        self._state = (seed * 2 + 1) & 0xFFFFFFFFFFFFFFFF

    def below(self, n: int) -> int:
        """An integer from 0 to n - 1."""
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        return ((self._state >> 33) * n) >> 31


class Directed:
    """Generators of directed blocks for one recipe and input format.

    Args:
        recipe: gives block size, scale format and rule.
        x_format: format of the input lanes.
        seed: varies lane positions, signs and filler lanes.
    """

    def __init__(self, recipe: Recipe, x_format: Format, seed: int) -> None:
        self.scale, self.x, self.size = recipe.scale, x_format, recipe.block_size
        self._mix = Mixer(seed)
        codes = range(self.scale.max_code + 1)
        if not self.scale.has_zero and self.x.exponent_bits == 8:
            # All binades behave alike; the ends and every eighth are kept.
            codes = [c for c in codes if c < 8 or c > codes[-1] - 8 or c % 8 == 0]
        self.values = [self.scale.value(c) for c in codes]

    def _signed(self, pattern: int) -> int:
        return pattern | (self.x.sign_mask if self._mix.below(2) else 0)

    def _block(self, amax: int, others: Sequence[int]) -> Block:
        """A block of amax, the other patterns and filler lanes below amax, in a random order."""
        lanes = [amax, *others]
        while len(lanes) < self.size:
            step = self._mix.below(6 << self.x.fraction_bits)
            lanes.append(max(0, amax - step))
        lanes = [self._signed(p) for p in lanes]
        turn = self._mix.below(self.size)
        return lanes[turn:] + lanes[:turn]

    def _blocks(self, amax: int, others: Sequence[int]) -> Iterator[Block]:
        """As many blocks with that amax as it takes to hold the other patterns."""
        step = self.size - 1
        for i in range(0, max(1, len(others)), step):
            yield self._block(amax, others[i : i + step])

    def zeros(self) -> Iterator[Block]:
        """Zeros of both signs, and one smallest number among zeros in each lane."""
        minus = self.x.sign_mask
        yield [0] * self.size
        yield [minus] * self.size
        yield [minus if i % 2 else 0 for i in range(self.size)]
        for lane in range(self.size):
            for tiny in (1, 1 | minus):
                yield [tiny if i == lane else (minus if i % 3 else 0) for i in range(self.size)]

    def specials(self) -> Iterator[Block]:
        """NaN and infinity of both signs in each lane, alone and together, amid numbers."""
        inf, minus, top = self.x.inf_code, self.x.sign_mask, self.x.magnitude_mask
        assert inf is not None
        one = self.x.bias << self.x.fraction_bits
        for lane in range(self.size):
            for special in (inf, inf + 1, top, inf | minus, top | minus, (inf + 1) | minus):
                block = self._block(self._mix.below(self.x.max_code + 1), [])
                block[lane] = special
                yield block
            block = self._block(one, [])
            block[lane], block[(lane + 1) % self.size] = inf, top
            yield block
        yield [inf] * self.size
        yield [inf | minus] * self.size
        yield [top] * self.size

    def subnormals(self) -> Iterator[Block]:
        """Blocks of subnormal inputs, and subnormals beside the smallest normal numbers."""
        normal = 1 << self.x.fraction_bits
        for shift in range(self.x.fraction_bits + 1):
            for pattern in (1 << shift, (2 << shift) - 1, (3 << shift) >> 1):
                amax = min(pattern, normal + 3)
                yield self._block(amax, [max(0, amax - 1)])
        for amax in (normal - 1, normal, normal + 1, 2 * normal, 3 * normal, 4 * normal + 1):
            yield self._block(amax, [1, normal - 1, normal][: self.size - 1])
            yield self._block(amax, [])

    def scales(self) -> Iterator[Block]:
        """Each amax at which the scale code changes, and its neighbours (spec §8)."""
        for x in self._scale_points():
            for amax in around(x, self.x):
                yield self._block(amax, [])

    def _scale_points(self) -> Iterator[Fraction]:
        if self.scale.has_zero:
            for low, high in zip(self.values, self.values[1:], strict=False):
                if 3 * (low + high) <= self.x.max:
                    yield 3 * (low + high)  # 6 times the midpoint
        else:
            for value in self.values:
                for point in E8M0_POINTS:
                    if self.x.min_positive <= 4 * point * value <= self.x.max:
                        yield 4 * point * value

    def elements(self) -> Iterator[Block]:
        """For each scale code, each element threshold and its neighbours (spec §9)."""
        for value in self.values:
            amax = 6 * value
            if value == 0 or not self.x.min_positive <= amax <= self.x.max:
                continue
            points = [p for t in THRESHOLDS for p in around(t * value, self.x)]
            yield from self._blocks(floor_pattern(amax, self.x), points)

    def choices(self) -> Iterator[Block]:
        """Equal errors under two scales, and one ulp beside them in one lane (spec §15.3)."""
        factor, ties = (Fraction(3, 2), TIES) if self.scale.has_zero else (Fraction(2), E8M0_TIES)
        for value in self.values:
            if not value or value * factor not in self.values:
                continue
            for points in ties:
                lanes = [value * p for p in points][: self.size]
                if not all(self.x.value(floor_pattern(x, self.x)) == x for x in lanes):
                    continue  # beyond the input format's range or bits
                patterns = [floor_pattern(x, self.x) for x in lanes]
                for step in (0, 1, -1):
                    block = [*patterns[:-1], patterns[-1] + step]
                    block += [0] * (self.size - len(block))
                    turn = self._mix.below(self.size)
                    yield [self._signed(p) for p in block[turn:] + block[:turn]]

    def votes(self) -> Iterator[Block]:
        """Each step of the votes and its neighbours, beside some votes, under each scale code."""
        quantum = self.values[1]
        for value in self.values[1:]:
            parts = (-3, 0, 3) if value < 16 * quantum else (0,)
            amaxes = [6 * value + 6 * quantum * Fraction(n, 8) for n in parts]
            if not self.x.min_positive <= amaxes[0] <= amaxes[-1] <= self.x.max:
                continue
            for step in VOTE_STEPS:
                for pattern in around(step * value, self.x):
                    amax = floor_pattern(amaxes[self._mix.below(len(amaxes))], self.x)
                    lanes = [amax, min(pattern, amax)]
                    for _ in range(min(self.size - 2, self._mix.below(4))):
                        filler = VOTE_FILLERS[self._mix.below(len(VOTE_FILLERS))] * value
                        lanes.append(min(floor_pattern(filler, self.x), amax))
                    lanes += [0] * (self.size - len(lanes))
                    turn = self._mix.below(self.size)
                    yield [self._signed(p) for p in lanes[turn:] + lanes[:turn]]

    def extremes(self) -> Iterator[Block]:
        """Amax beyond both ends of the scale's range, and infinite, with elements at thresholds."""
        top = [self.scale.max * n for n in (6, 7, 8, 12, 64, 4096)] + [self.x.max]
        positive = next(v for v in self.values if v > 0)
        bottom = [positive * t / 4 for t in range(1, 32)] + [self.x.min_positive]
        for amaxes, scale in ((top, self.scale.max), (bottom, positive)):
            points = [p for t in THRESHOLDS for p in around(t * scale, self.x)]
            for x in amaxes:
                amax = floor_pattern(x, self.x)
                yield from self._blocks(amax, [min(p, amax) for p in points])
        for pattern in around(3 * positive, self.x):
            yield self._block(pattern, [])
        assert self.x.inf_code is not None
        points = [p for t in THRESHOLDS for p in around(t * self.scale.max, self.x)]
        yield from self._blocks(self.x.inf_code, points)
