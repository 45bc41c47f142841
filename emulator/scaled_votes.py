"""Named deterministic words at which votes change, with a tensor scale (spec §18, §23.1).

As in `emulator.scaled_choices`, points come from the formats' values alone and nothing is known of
the answers. A word brings its own tensor scale, so that a magnitude can be as near to a multiple
of s6 * g as a tensor scale has bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from emulator.directed import VOTE_FILLERS, VOTE_STEPS, floor_pattern
from emulator.formats import FP32, Format
from emulator.layout import TENSOR_SCALE_FIELDS, Words
from emulator.recipes import Recipe
from emulator.scaled_choices import Choices, Given, given_stimulus

CLOSE_CODES = 7
"""Scale codes per tensor scale whose multiples a magnitude lies next to."""


class Votes(Choices):
    """Generators of blocks under one tensor scale; `values` are the scales times it."""

    def steps(self) -> Iterator[Given]:
        """Each step of the votes and its neighbours under some scale codes, all subnormal ones."""
        every, last = self.values, len(self.values) - 1
        self.values = [v for c, v in enumerate(every) if c < 20 or c % 16 == 9 or c >= last - 1]
        for block in super().votes():
            yield self.g, block
        self.values = every

    def close(self) -> Iterator[Given]:
        """Tensor scales on both sides of the one with which a magnitude is k/4 of s6 * g."""
        exact, step = FP32.value(self.g), 1 << (23 - TENSOR_SCALE_FIELDS[self.kind][1])
        low, high = 1 << 23, FP32.max_code // step * step
        for i in range(CLOSE_CODES):
            code = 1 + self._mix.below(12 if i % 2 else len(self.plain) - 1)
            scale = self.plain[code]
            for quarters in VOTE_STEPS:
                part = 1 + Fraction(self._mix.below(1 << 12), 1 << 13)
                pattern = floor_pattern(quarters * scale * exact * part, self.x)
                g = self.x.value(pattern) / (quarters * scale)
                if not FP32.value(low) <= g <= FP32.value(high):
                    continue
                at = floor_pattern(g, FP32) // step * step
                for given in (at, min(at + step, high)):
                    yield given, self._voting(pattern, scale * FP32.value(given))

    def _voting(self, pattern: int, scale: Fraction) -> list[int]:
        """A block with 6 times a scale, one more magnitude and some votes, in a random order."""
        amax = floor_pattern(6 * scale, self.x)
        lanes = [amax, min(pattern, amax)]
        for _ in range(min(self.size - 2, self._mix.below(4))):
            filler = VOTE_FILLERS[self._mix.below(len(VOTE_FILLERS))] * scale
            lanes.append(min(floor_pattern(filler, self.x), amax))
        lanes += [0] * (self.size - len(lanes))
        turn = self._mix.below(self.size)
        return [self._signed(p) for p in lanes[turn:] + lanes[:turn]]


_MAKE = {
    "votes": Votes.steps,
    "close": Votes.close,
    "candidates": Votes.candidates,
    "clamped": Votes.clamped,
}


def scaled_vote_names() -> list[str]:
    """All names that `scaled_vote_stimulus` knows."""
    return list(_MAKE)


def scaled_vote_stimulus(name: str, recipe: Recipe, x_format: Format, *, seed: int = 0) -> Words:
    """Input words of a named stimulus for a recipe that votes under a tensor scale.

    As `emulator.scaled_choices.given_stimulus`; ``name`` is one of `scaled_vote_names`.
    """
    return given_stimulus(Votes, _MAKE, name, recipe, x_format, seed)
