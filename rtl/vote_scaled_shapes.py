"""Widths where votes choose between two scale codes under a tensor scale (spec §18, §14.7)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from amaranth.lib import data

from rtl.scaled_shapes import ScaledShapes
from rtl.vote_shapes import QUARTERS, VoteShapes
from rtl.vote_variant import VOTERS, VoteVariant

VOTE_STEPS = tuple(
    k for k in range(min(QUARTERS), max(QUARTERS) + 2) if QUARTERS.get(k) != QUARTERS.get(k - 1)
)
"""Numbers of whole quarters at which the vote of one of the largest magnitudes changes."""

LANE_STEPS = (1, 8, 12, 16)
"""Quarters above which, or from which on, a lane votes otherwise where all lanes vote."""


def odd_part(number: int) -> int:
    """A positive integer without its factors of 2."""
    return number // (number & -number)


@dataclass(frozen=True)
class ScaledVoteShapes(ScaledShapes, VoteShapes):
    """Shapes of the votes on lanes y = |x| / (s6 * g): of what they compare, and of their sum.

    A vote changes where |x| reaches k/4 of s6 * g. ``n<k>``, ``carry<k>`` and ``beyond<k>`` are
    those of odd k as `rtl.scaled_thresholds` has them; twice or four times k lies in another
    binade alone.
    """

    @classmethod
    def of_votes(cls, variant: VoteVariant) -> ScaledVoteShapes:
        """The shapes of a variant whose recipe has a tensor scale."""
        r = variant.recipe
        assert r.tensor_scale is not None
        voters = min(VOTERS.get(r.rule, 0), r.block_size - 1)
        return cls(variant.input, r.scale, "4o6", r.prevent_zero, voters, r.tensor_scale)

    @property
    def elements(self) -> ScaledShapes:
        """The shapes of all that is no vote: candidates, thresholds and elements."""
        return ScaledShapes(self.input, self.scale, self.rule, self.prevent_zero, self.kind)

    @property
    def steps(self) -> tuple[int, ...]:
        """Quarters of s6 * g at which votes change."""
        return VOTE_STEPS if self.voters else LANE_STEPS

    @property
    def multiples(self) -> tuple[int, ...]:
        """Odd numbers whose products with s6 * g are compared with."""
        return tuple(sorted({odd_part(k) for k in self.steps}))

    @property
    def fraction_bits(self) -> int:
        """Fraction bits of a magnitude that some comparison needs."""
        return min(self.input.fraction_bits, self.width(self.multiples[-1]))

    @cached_property
    def lane(self) -> data.StructLayout:
        """A magnitude that votes, normalised."""
        return self.number

    @cached_property
    def thresholds(self) -> data.StructLayout:
        """Multiples of s6 * g; see `rtl.vote_scaled.VoteThresholds`."""
        fractions = {f"n{k}": self.width(k) - self.cut(k) for k in self.multiples}
        carries = {f"carry{k}": 1 for k in self.multiples if k > 1}
        beyond = {f"beyond{k}": 1 for k in self.multiples if self.cut(k)}
        return data.StructLayout(
            {"origin": self.exponent_bits, **fractions, **carries, **beyond, "none": 1, "nan": 1}
        )
