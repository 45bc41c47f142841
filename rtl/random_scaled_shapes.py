"""Widths of stochastic rounding under the product of scale and tensor scale (spec §19, §26.4)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from amaranth.lib import data

from emulator.formats import Format
from emulator.recipes import Recipe
from rtl.scaled_shapes import ScaledShapes


@dataclass(frozen=True)
class RandomScaledShapes(ScaledShapes):
    """Shapes of the signals between the units, for k random bits.

    Scales that are powers of two take the same datapath, with a significand of 1.
    """

    bits: int = 1

    @classmethod
    def of_recipe(cls, r: Recipe, input_format: Format) -> RandomScaledShapes:
        """The shapes of a recipe with stochastic rounding."""
        assert r.sr_bits is not None
        kind = r.tensor_scale or "hp2"
        return cls(input_format, r.scale, r.rule, r.prevent_zero, kind, r.sr_bits)

    @cached_property
    def origin_range(self) -> tuple[int, int]:
        """As without random numbers, but that a lane counts k - 1 binades further down."""
        low, high = super().origin_range
        return low, high + self.bits - 1

    @property
    def origin_bits(self) -> int:
        """Width of an origin, which can lie above all lane exponents."""
        return self.exponent_bits + 1

    @property
    def product_bits(self) -> int:
        """Fraction bits B of the exact product of both significands."""
        return self.width(1)

    @property
    def number_bits(self) -> int:
        """Bits of a number in units of 2**-k of the product's last bit, or of its own last bit
        after the k + 2 places that it is shifted down at most, whichever is greater."""
        return min(self.input.fraction_bits, self.product_bits) + self.bits + 3

    @cached_property
    def thresholds(self) -> data.StructLayout:
        """What all lanes of a block share; see `rtl.random_scaled_thresholds`."""
        shared = {"origin": self.origin_bits, "none": 1, "nan": 1}
        if self.powers:
            return data.StructLayout(shared)
        n = {f"n{k}": self.width(k) - self.cut(k) for k in (1, 3)}
        beyond = {"beyond3": 1} if self.cut(3) else {}
        if self.cut(1):
            beyond |= {"beyond1": 1, "zeros": min(self.cut(1), self.bits + 2) + 1}
        whole = {"product": self.product_bits, "triple": self.product_bits + 3}
        return data.StructLayout({**shared, **n, "carry3": 1, **beyond, **whole})
