"""Widths where votes choose between two scale codes (spec §18)."""

from __future__ import annotations

from dataclasses import dataclass

from rtl.shapes import Shapes
from rtl.vote_variant import VOTERS, VoteVariant

QUARTERS = {9: 1, 10: 1, 14: -2, 15: -3, 16: -1, 17: 1, 18: 3, 19: 5, 20: 3}
"""Votes of the largest magnitudes by the number of whole quarters of s6 in them (spec §18.3)."""

BINADES = (1, 3)
"""Exponents of the first and the last binade of s6 in which `QUARTERS` has votes, with every
significand of s6: 9/4 and 21/4 lie between 2**1 and 2**3 times a power of two in (1/2, 1]."""


@dataclass(frozen=True)
class VoteShapes(Shapes):
    """Shapes of the signals between the units of a quantizer that votes.

    `rule` is that of the candidates, 4o6; ``voters`` counts the magnitudes that vote by their
    order, 0 where all lanes vote.

    Keys of the largest magnitudes keep the bits that quarters of s6 have in the last of `BINADES`,
    and a sticky bit of the rest for the scale's ties.
    """

    voters: int = 0

    @classmethod
    def of_votes(cls, variant: VoteVariant) -> VoteShapes:
        """The shapes of a variant."""
        r = variant.recipe
        voters = min(VOTERS.get(r.rule, 0), r.block_size - 1)
        return cls(variant.input, r.scale, "4o6", r.prevent_zero, voters)

    @property
    def key_fraction_bits(self) -> int:
        """Bits of the fraction in an amax key, the last one sticky if there are more below."""
        if not self.voters:
            return super().key_fraction_bits
        return min(self.input.fraction_bits, self.quarter_bits + 1)

    @property
    def quarter_bits(self) -> int:
        """Fraction bits of a number that are not below a quarter of the scale's last bit."""
        return self.scale.fraction_bits + 2 + BINADES[1]

    @property
    def vote_bits(self) -> int:
        """Bits of a vote of `QUARTERS`, in two's complement."""
        return 4

    def sum_bits(self, block_size: int) -> int:
        """Bits of the sum of all votes, in two's complement."""
        largest, voters = (5, self.voters) if self.voters else (5, block_size)
        return (largest * voters).bit_length() + 1
