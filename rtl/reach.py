"""Widths of a dequantizer's datapath, and what its products can reach."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from amaranth.hdl import ShapeLike, signed
from amaranth.lib import data

from emulator.formats import BF16, FP32, Format
from emulator.layout import tensor_scale_bits
from emulator.recipes import Recipe

MAGNITUDES = 7
"""Element magnitude codes above 0: what a block can decode to, up to the sign."""

SIGNIFICANDS = {None: 1, "h": 24, "h256": 24, "hbf16": 8, "hp2": 1}
"""Bits of the significand of each kind of tensor scale (spec §14.2 to §14.5)."""


@dataclass(frozen=True)
class Reach:
    """A scale format, a kind of tensor scale and an output format.

    With t = s * g = M * 2**e, M in [1, 2), an element is M or 3/2 * M times a power of two. The
    *level* of a block is the output's exponent field of t / 2, the smallest product, if fields
    below 1 and above the largest existed.
    """

    scale: Format
    tensor_scale: str | None
    output: Format

    @classmethod
    def of(cls, recipe: Recipe, output: Format) -> Reach:
        """That of a recipe's blocks."""
        return cls(recipe.scale, recipe.tensor_scale, output)

    @property
    def scale_bits(self) -> int:
        """Bits of the tensor scale in a word (spec §21.6)."""
        return 0 if self.tensor_scale is None else tensor_scale_bits(self.tensor_scale)

    @property
    def fraction_g(self) -> int:
        """Fraction bits of the tensor scale."""
        return SIGNIFICANDS[self.tensor_scale] - 1

    @property
    def precision(self) -> int:
        """Bits of M: the product of significands of f + 1 and p bits has f + 1 + p."""
        own = self.scale.fraction_bits + 1
        return own + self.fraction_g + 1 if self.fraction_g else own

    @property
    def offset(self) -> int:
        """Level less the sum of the exponent fields of normal scale and tensor scale."""
        return self.output.bias - 1 - self.scale.bias - (FP32.bias if self.tensor_scale else 0)

    @cached_property
    def levels(self) -> tuple[int, int]:
        """Least and greatest level of a finite scale that is not zero."""
        s = self.scale
        low = 1 - s.fraction_bits if s.has_zero else 0
        high = s.max_code >> s.fraction_bits
        if self.tensor_scale:  # normal numbers (spec §14.6), and a carry of the product
            low, high = low + 1, high + BF16.max_code // (1 << BF16.fraction_bits)
            high += self.fraction_g > 0
        return low + self.offset, high + self.offset

    @property
    def top(self) -> int:
        """The output's exponent field of infinity and NaN."""
        return (1 << self.output.exponent_bits) - 1

    @property
    def subnormal(self) -> bool:
        """Whether a product can lie below the output's normal numbers."""
        return self.levels[0] < 1

    @property
    def overflow(self) -> bool:
        """Whether a product may exceed the output's numbers: the largest is 4 levels up."""
        return self.levels[1] + 4 >= self.top

    @property
    def general(self) -> bool:
        """Whether products differ in more than exponents and a choice of two fractions."""
        return self.subnormal or self.overflow

    @property
    def rounds(self) -> bool:
        """Whether a product may need rounding."""
        if self.precision + 2 > self.output.precision:
            return True
        lowest = self.scale.min_quantum - 1  # of half the smallest scale
        if self.tensor_scale:
            lowest += 1 - FP32.bias - self.fraction_g
        return lowest < self.output.min_quantum

    @cached_property
    def deepest(self) -> int:
        """Largest depth that differs from others: 1 - level, from where all products are 0."""
        return min(self.output.fraction_bits + 6, max(5, 1 - self.levels[0]))

    @cached_property
    def factor(self) -> data.StructLayout:
        """What `Factor` hands to `Products`."""
        bound = max(-self.levels[0], self.levels[1], self.deepest) + 1
        return data.StructLayout(
            {
                "significand": self.precision,
                "level": signed(bound.bit_length() + 1),
                "zero": 1,
                "nan": 1,
            }
        )

    @cached_property
    def products(self) -> data.StructLayout:
        """What `Products` hands to the lanes; see there."""
        fractions = MAGNITUDES if self.general else 2
        steps: dict[str, ShapeLike]
        if self.general:
            steps = {"low": data.ArrayLayout(2, MAGNITUDES), "next": MAGNITUDES}
        else:
            steps = {"low": 2, "carry1": 1, "carry3": 1}
        return data.StructLayout(
            {
                "fraction": data.ArrayLayout(self.output.fraction_bits, fractions),
                **steps,
                "upper": self.output.exponent_bits - 2,
                "above": self.output.exponent_bits - 2,
                "zero": 1,
                "nan": 1,
            }
        )
