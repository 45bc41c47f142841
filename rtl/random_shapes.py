"""Widths of a quantizer with stochastic rounding (spec §19)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from amaranth.lib import data

from rtl.random_variant import RandomVariant
from rtl.shapes import Shapes


@dataclass(frozen=True)
class RandomShapes(Shapes):
    """Shapes of the signals between the units.

    A number below 2**-(k+1) times the scale becomes 0 whatever the k random bits are, so that
    the window of lane exponents reaches k - 1 binades further down than without them.
    """

    bits: int = 1

    @classmethod
    def of_random(cls, variant: RandomVariant) -> RandomShapes:
        """The shapes of a variant."""
        r = variant.recipe
        assert r.sr_bits is not None
        return cls(variant.input, r.scale, r.rule, r.prevent_zero, r.sr_bits)

    @cached_property
    def normalised(self) -> bool:
        """Whether subnormals are normalised: some can round up."""
        return 1 - self.input.bias > self.scale_low - 2 - (self.bits - 1)

    @cached_property
    def _window(self) -> tuple[int, int]:
        width = self.input.exponent_bits
        if self.normalised:
            return width + 1, -(1 << width)
        low, high = self.origin_range
        low -= self.bits - 1
        for bits in range(2, width):
            step = 1 << (bits - 1)
            base = low // step * step
            if high + 7 <= base + (1 << bits) - 2:
                return bits, base
        return width, 0

    @cached_property
    def leading_zeros(self) -> int:
        """Number of subnormal binades that are normalised: all, if any."""
        return self.input.fraction_bits if self.normalised else 0

    @property
    def kept_bits(self) -> int:
        """Fraction bits of a lane that are not below 2**-k of the scale's last bit."""
        return min(self.input.fraction_bits, self.scale.fraction_bits + 2 + self.bits)

    @cached_property
    def random_lane(self) -> data.StructLayout:
        """One number on its way to the element unit."""
        return data.StructLayout(
            {"fraction": self.kept_bits, "exponent": self.exponent_bits, "sign": 1}
        )
