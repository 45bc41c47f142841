"""Widths and constants of a dot product's datapath, from the fields of the scale format."""

from __future__ import annotations

from dataclasses import dataclass

from emulator.formats import E2M1, Format

FLOAT_BIAS = 127
FLOAT_FRACTION = 23
FLOAT_NAN = 0x7FC00000
FLOAT_INF = 0x7F800000

LARGEST_PRODUCT = 144
"""The largest product of two E2M1 magnitudes in units of 1/4 (spec §16.2)."""

PRODUCT_BITS = 9
"""Bits of a signed product."""


@dataclass(frozen=True)
class DotShapes:
    """What the units of a dot product know of its formats.

    The product of a block is ``value * 2**(exponent + unit)``: value is the sum of the products of
    elements times the integer significands of the two scales, exponent the sum of what
    `ScaleProduct` gives for them.

    Args:
        scale: format of both scales, of at most 4 significand bits.
        lanes: elements that are summed before the scales enter.
    """

    scale: Format
    lanes: int

    def __post_init__(self) -> None:
        assert self.scale.fraction_bits <= 3, "the lemma of spec §16.2 speaks of 4 bits"

    @property
    def sum_bits(self) -> int:
        """Bits of the signed sum of products of elements."""
        return 1 + (LARGEST_PRODUCT * self.lanes).bit_length()

    @property
    def significand(self) -> int:
        """The largest product of two integer significands."""
        return ((2 << self.scale.fraction_bits) - 1) ** 2

    @property
    def significand_bits(self) -> int:
        """Bits of the product of two integer significands."""
        return self.significand.bit_length()

    @property
    def magnitude_bits(self) -> int:
        """Bits of the magnitude of a block's value; at most 24 (spec §16.2)."""
        return (LARGEST_PRODUCT * self.lanes * self.significand).bit_length()

    @property
    def least_exponent(self) -> int:
        """The smallest sum of two exponent fields; a subnormal's counts 1 (spec §16.8)."""
        return 2 if self.scale.has_zero else 0

    @property
    def largest_exponent(self) -> int:
        """The largest sum of two exponent fields of finite scales."""
        return 2 * (self.scale.max_code >> self.scale.fraction_bits)

    @property
    def exponent_bits(self) -> int:
        """Bits of the sum of two exponent fields."""
        return self.largest_exponent.bit_length()

    @property
    def unit(self) -> int:
        """Exponent of one unit of a value whose exponent is 0."""
        quantum = -self.scale.bias - self.scale.fraction_bits
        return 2 * (quantum + E2M1.min_quantum)

    @property
    def leaves_float(self) -> bool:
        """Whether products leave float32's normal range, so that sums can, too.

        If they do not, every product and every sum of products is a multiple of a normal number's
        quantum far below it, and no float32 sum grows beyond ``2**25`` times the largest product.
        """
        low = self.unit + self.least_exponent
        high = self.unit + self.largest_exponent + self.magnitude_bits + FLOAT_FRACTION + 2
        return low < 1 - FLOAT_BIAS or high > FLOAT_BIAS
