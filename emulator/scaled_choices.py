"""Named deterministic words at which a choice among scales changes, with a tensor scale (spec §15).

As in `emulator.scaled_stimulus`, points come from the formats' values alone and nothing is known
of the answers. A word brings its own tensor scale, so that two errors can be made as nearly equal
as a tensor scale has bits: for given lanes and codes their difference is linear in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import TypeVar

import numpy as np

from emulator.directed import THRESHOLDS, Block, Directed, around, floor_pattern
from emulator.errors import UnknownNameError, near
from emulator.formats import E2M1, FP32, Format
from emulator.layout import TENSOR_SCALE_FIELDS, Words, scaled_input_layout
from emulator.recipes import Recipe
from emulator.scaled_stimulus import GIVEN, ScaledDirected
from emulator.scaled_words import kind_of, scaled_words

Given = tuple[int, Block]
"""A tensor scale's float32 pattern and a block."""

MAGNITUDES = tuple(E2M1.value(code) for code in range(8))
SERVING = tuple(Fraction(n, 56) for n in (278, 280, 284, 196, 140))
"""Parts of the largest scale that the scale below it serves better."""

TIES_EACH = 2
"""Nearly equal errors for each scale code and pair of scales."""
TIE_LANES = 5
"""Most lanes of such blocks that are not zero."""


class Choices(ScaledDirected):
    """Generators of blocks under one tensor scale; `values` are the scales times it."""

    def __init__(self, recipe: Recipe, x_format: Format, seed: int, g: int) -> None:
        super().__init__(recipe, x_format, seed, FP32.value(g))
        self.plain = Directed(recipe, x_format, seed).values
        self.g = g
        self.kind = kind_of(recipe)

    def equal(self) -> Iterator[Given]:
        """Equal errors where the tensor scale has few bits, and one ulp beside them."""
        for block in super().choices():
            yield self.g, block

    def candidates(self) -> Iterator[Given]:
        """Each amax at which a candidate changes, and its neighbours (spec §15.1)."""
        for low, high in zip(self.values, self.values[1:], strict=False):
            for divisor in (4, 6):
                point = divisor * (low + high) / 2
                if self.x.min_positive / 4 <= point <= self.x.max:
                    for amax in around(point, self.x):
                        yield self.g, self._block(amax, [])

    def clamped(self) -> Iterator[Given]:
        """A clamped scale: amax up to 128 times it, others where the scale below serves better."""
        top = self.values[-1]
        for eighths in (*range(40, 256, 3), 512, 1023):
            amax = floor_pattern(top * eighths / 8, self.x)
            for part in SERVING:
                filler = min(floor_pattern(top * part, self.x), amax)
                for lanes in (self.size - 1, max(1, self.size - 2)):
                    block = [amax, *[filler] * lanes]
                    block += [0] * (self.size - len(block))
                    yield self.g, [self._signed(pattern) for pattern in block]

    def ties(self) -> Iterator[Given]:
        """Tensor scales next to the one with which two scales have equal errors."""
        codes = range(1, len(self.plain))
        for code in (c for c in codes if c < 5 or c % 19 == 9 or c >= len(codes) - 2):
            scale = self.plain[code]
            others = {code - 1, code + 1, self._nearest(scale * Fraction(3, 2))}
            for other in sorted(others):
                if 0 < other < len(self.plain):
                    yield from self._near(scale, self.plain[other])

    def _nearest(self, value: Fraction) -> int:
        return min(range(len(self.plain)), key=lambda code: abs(self.plain[code] - value))

    def _near(self, first: Fraction, second: Fraction) -> Iterator[Given]:
        """Words with tensor scales around the one that makes two scales equally good."""
        exact = FP32.value(self.g)
        found = 0
        for _ in range(4 * TIES_EACH):
            others = min(self.size, TIE_LANES) - 1
            parts = [Fraction(6), *(self._part() for _ in range(others))]
            block = [floor_pattern(part * first * exact, self.x) for part in parts]
            solved = self._solve(block, first, second, exact)
            if solved is None:
                continue
            block[-1] = solved
            for g in self._around_tie(block, first, second, exact):
                lanes = [self._signed(pattern) for pattern in block]
                yield g, lanes + [0] * (self.size - len(lanes))
            found += 1
            if found == TIES_EACH:
                return

    def _part(self) -> Fraction:
        return Fraction(1 + self._mix.below(191), 32)

    def _codes(self, block: Block, scale: Fraction) -> list[Fraction]:
        return [_magnitude(self.x.value(pattern), scale) for pattern in block]

    def _solve(self, block: Block, first: Fraction, second: Fraction, g: Fraction) -> int | None:
        """The last lane that makes the errors nearly equal, if there is one with its codes."""
        a, b = first * g, second * g
        rest = sum(
            (q * a - p * b) * (q * a + p * b - 2 * self.x.value(pattern))
            for pattern, q, p in zip(
                block[:-1], self._codes(block[:-1], a), self._codes(block[:-1], b), strict=True
            )
        )
        (q,), (p,) = self._codes(block[-1:], a), self._codes(block[-1:], b)
        if q * a == p * b:
            return None
        lane = (rest / (q * a - p * b) + q * a + p * b) / 2
        if not 0 < lane <= self.x.value(block[0]):
            return None
        pattern = floor_pattern(lane, self.x)
        same = self._codes([pattern], a) == [q] and self._codes([pattern], b) == [p]
        return pattern if same else None

    def _around_tie(
        self, block: Block, first: Fraction, second: Fraction, g: Fraction
    ) -> list[int]:
        """Tensor scales below and above the tie, as float32 patterns."""
        values = [self.x.value(pattern) for pattern in block]
        q, p = self._codes(block, first * g), self._codes(block, second * g)
        linear = 2 * sum(x * (i * first - j * second) for x, i, j in zip(values, q, p, strict=True))
        square = sum((i * first) ** 2 - (j * second) ** 2 for i, j in zip(q, p, strict=True))
        if not square or not 0 < linear / square <= FP32.max:
            return []
        step = 1 << (23 - TENSOR_SCALE_FIELDS[self.kind][1])
        at = floor_pattern(linear / square, FP32) // step * step
        low, high = 1 << 23, FP32.max_code // step * step
        return [pattern for pattern in (at, at + step) if low <= pattern <= high]


Made = TypeVar("Made", bound=Choices)
"""Generators of blocks under one tensor scale."""


def _magnitude(x: Fraction, scale: Fraction) -> Fraction:
    """The E2M1 magnitude nearest to x / scale; where two are, either makes the same error."""
    ratio = x / scale
    return MAGNITUDES[sum(ratio > threshold for threshold in THRESHOLDS)]


_MAKE = {
    "equal": Choices.equal,
    "candidates": Choices.candidates,
    "clamped": Choices.clamped,
    "ties": Choices.ties,
}


def choice_names() -> list[str]:
    """All names that `choice_stimulus` knows."""
    return list(_MAKE)


def choice_stimulus(name: str, recipe: Recipe, x_format: Format, *, seed: int = 0) -> Words:
    """Input words of a named stimulus for a recipe that chooses under a tensor scale.

    As `given_stimulus`; ``name`` is one of `choice_names`.
    """
    return given_stimulus(Choices, _MAKE, name, recipe, x_format, seed)


def given_stimulus(
    kind: type[Made],
    makers: Mapping[str, Callable[[Made], Iterator[Given]]],
    name: str,
    recipe: Recipe,
    x_format: Format,
    seed: int,
) -> Words:
    """Input words of a named stimulus under each of the directed tensor scales in turn.

    Args:
        kind: generators of blocks under one tensor scale.
        makers: the generators by name; ``clamped`` also meets the tensor scales of `smallest`.
        name: one of them.
        recipe: gives block size, scale format and kind of tensor scale.
        x_format: FP16, BF16 or FP32.
        seed: a whole number from 0.

    Returns:
        uint8 array of shape ``(n, nbytes)`` of `scaled_input_layout`.

    Raises:
        UnknownNameError: for a name that does not exist.
        ValueError: for a seed below 0.
    """
    if name not in makers:
        known = list(makers)
        raise UnknownNameError(
            f"unknown stimulus {name!r}{near(name, known)} (known: {', '.join(known)})"
        )
    if seed < 0:
        raise ValueError(f"seed {seed} is below 0")
    found: list[Given] = []
    scales = GIVEN[kind_of(recipe)]
    if name == "clamped":
        scales += smallest(recipe, x_format)
    for g in scales:
        found += makers[name](kind(recipe, x_format, seed, g))
    layout = scaled_input_layout(x_format, recipe.block_size, kind_of(recipe))
    given = np.array([g for g, _ in found], np.uint32)
    lanes = np.array([block for _, block in found], layout.field("x").dtype)
    return scaled_words(lanes.reshape(len(found), -1), given, recipe, x_format)


def smallest(recipe: Recipe, x_format: Format) -> tuple[int, ...]:
    """Tensor scales with which the largest scale is about the smallest number, if there are any."""
    step = 1 << (23 - TENSOR_SCALE_FIELDS[kind_of(recipe)][1])
    found = []
    for number in (1, 2, 3, 7, 22):
        g = number * x_format.min_positive / (5 * recipe.scale.max)
        if g >= FP32.value(1 << 23):
            found.append(floor_pattern(g, FP32) // step * step)
    return tuple(found)
