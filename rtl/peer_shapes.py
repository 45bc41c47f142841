"""Widths of a datapath that multiplies by a float32 factor (spec §25)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from emulator.formats import FP32, UE4M3, Format
from emulator.recipes import recipe
from rtl.dot_float import SIGNIFICAND, signed_bits
from rtl.scaled_shapes import ScaledShapes
from rtl.shapes import Shapes

FACTOR_LOW, FACTOR_HIGH = 1 - FP32.bias, FP32.bias
"""Exponents of a factor that is made of a tensor's multiplier: those of normal float32 numbers."""

SCALE_FIELDS = (1, (1 << UE4M3.exponent_bits) - 1)
"""Exponent fields of scale codes that a factor out of a table is made of."""

UNDERFLOW = FP32.min_quantum - 1
"""Exponent of half of the smallest float32 number: what is not above it rounds to zero."""


@dataclass(frozen=True)
class PeerShapes:
    """What the units know of the input format, and of the range of the factor.

    A lane is ``1.fraction * 2**(exponent - lane_bias)``, the factor ``1.f * 2**e``. A block's
    *origin* is the lane exponent whose product with the factor lies, before it carries, in the
    binade of 1/8; a lane's *steps* are its exponent less that origin.

    Args:
        input: format of the lanes.
        tensor: whether the factor is made of a tensor's multiplier, so that it has the range of
            float32 and subnormal lanes count.
    """

    input: Format
    tensor: bool

    @cached_property
    def block(self) -> Shapes:
        """Those of a quantizer with division-free thresholds, whose unpacking is used here."""
        if self.tensor:
            return ScaledShapes.scaled(recipe("ue4m3-absmax-h-b16"), self.input)
        return Shapes(self.input, UE4M3, "absmax")

    @property
    def fraction_bits(self) -> int:
        """Fraction bits of a lane: all that the input has."""
        return self.input.fraction_bits

    @property
    def exponent_bits(self) -> int:
        """Width of a lane exponent."""
        return self.block.exponent_bits

    @property
    def lane_bias(self) -> int:
        """Lane exponent of numbers in [1, 2)."""
        return self.input.bias - self.block.base

    @property
    def product_bits(self) -> int:
        """Bits of the product of two significands."""
        return self.fraction_bits + 1 + SIGNIFICAND

    @property
    def origin_range(self) -> tuple[int, int]:
        """Least and greatest origin."""
        if self.tensor:
            return self.lane_bias - 3 - FACTOR_HIGH, self.lane_bias - 3 - FACTOR_LOW
        # The reciprocal of a scale that is no power of two lies one binade lower.
        low, high = SCALE_FIELDS
        return self.origin(low), self.origin(high) + 1

    def origin(self, field: int) -> int:
        """The origin of a scale that is a power of two, by its exponent field."""
        return self.lane_bias - 3 + field - UE4M3.bias

    @cached_property
    def steps_bits(self) -> int:
        """Width of signed steps."""
        low, high = self.origin_range
        return signed_bits(-high, (1 << self.exponent_bits) - 1 - low)

    @property
    def origin_bits(self) -> int:
        """Width of a signed origin."""
        return signed_bits(*self.origin_range)

    @property
    def least_exponent(self) -> int:
        """Exponent of the smallest lane above zero."""
        return self.input.min_quantum

    @property
    def underflows(self) -> bool:
        """Whether a product can round to a float32 zero, which loses its sign (spec §25.7).

        The smallest factor is above a power of two (spec §25.6), so that equality is none.
        """
        return self.tensor and self.least_exponent + FACTOR_LOW < UNDERFLOW

    @property
    def infinity_apart(self) -> bool:
        """Whether infinity has to be told from the number that follows the largest finite one.

        Not where that number, 2**128, is beyond all that is compared with it.
        """
        return self.tensor and self.input.exponent_bits < FP32.exponent_bits

    @property
    def zero_apart(self) -> bool:
        """Whether zero has to be told from the smallest binade that a lane can express."""
        if not self.tensor:
            return False
        # Zero comes out of `Normalise` below all numbers, with an implied leading one.
        lowest = 2 - self.input.bias - (1 << self.fraction_bits.bit_length())
        return lowest + FACTOR_HIGH + 3 >= 0
