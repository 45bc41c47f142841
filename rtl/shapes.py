"""Widths and constants of a quantizer's datapath, derived from field widths alone.

The gates see a number as ``1.F * 2**e``. Exponents travel as *lane exponents*: a window of the
input's biased exponents that is just wide enough for the scale format, so that all its ends mean
the same as the numbers they stand for (see `Shapes`).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from amaranth.lib import data

from emulator.formats import Format
from emulator.recipes import Recipe
from rtl.quantizer_variant import QuantizerVariant


def floor_log2(value: Fraction) -> int:
    """The exponent e of a positive value in [2**e, 2**(e+1))."""
    guess = value.numerator.bit_length() - value.denominator.bit_length()
    return guess if value >= Fraction(2) ** guess else guess - 1


@dataclass(frozen=True)
class Shapes:
    """Shapes of the signals between the units of a quantizer.

    A lane exponent is ``biased exponent - base`` in `exponent_bits` bits. All ones stand for
    infinity and NaN; 0 for everything that is below a quarter of every scale.

    * If no subnormal input can reach a quarter of the smallest scale, the window is a part of the
      exponent field: below it 0, above it the largest finite lane exponent. Subnormals count as 0.
    * Otherwise (`normalised`) the window is one bit wider than the field and subnormals are
      normalised as far as they matter (spec §4.2).
    * Scales that are powers of two and reach to the end of the input's range take the exponent
      field itself, and subnormals are told apart where they matter (`raw`; see `rtl.powers`).
    """

    input: Format
    scale: Format
    rule: str
    prevent_zero: bool = False

    @classmethod
    def of(cls, source: QuantizerVariant | Recipe, input_format: Format | None = None) -> Shapes:
        """The shapes of a variant, or of a recipe and an input format."""
        if isinstance(source, QuantizerVariant):
            source, input_format = source.recipe, source.input
        assert input_format is not None
        return cls(input_format, source.scale, source.rule, source.prevent_zero)

    @cached_property
    def scale_low(self) -> int:
        """Exponent of the smallest scale above zero."""
        s = self.scale
        return 1 - s.bias - s.fraction_bits if s.has_zero else -s.bias

    @cached_property
    def scale_high(self) -> int:
        """Exponent of the largest finite scale."""
        return (self.scale.max_code >> self.scale.fraction_bits) - self.scale.bias

    @property
    def powers(self) -> bool:
        """Whether all scales are powers of two, so that lanes need no thresholds of the block."""
        return not self.scale.has_zero

    @cached_property
    def raw(self) -> bool:
        """Whether lanes hold the exponent field of subnormals as it is.

        So it is where every subnormal amax gives the smallest scale code, and where a number with
        three leading zeros in its fraction has magnitude code 0 under every scale.
        """
        return self.powers and 0 <= self.scale_low + self.input.bias < 3

    @cached_property
    def normalised(self) -> bool:
        """Whether subnormals are normalised: some can exceed a quarter of the smallest scale."""
        return 1 - self.input.bias > self.scale_low - 2 and not self.raw

    @cached_property
    def origin_range(self) -> tuple[int, int]:
        """Least and greatest biased origin: the scale's exponent less 3, where codes begin.

        Outside of the normalised window's reach an origin is clamped to where every finite
        nonzero input has magnitude code 7, or every finite input 0.
        """
        low, high = (e + self.input.bias - 3 for e in (self.scale_low, self.scale_high))
        if not self.normalised:
            return low, high
        smallest = 1 - self.input.fraction_bits
        return max(low, smallest - 7), min(high, (1 << self.input.exponent_bits) - 2)

    @cached_property
    def _window(self) -> tuple[int, int]:
        width = self.input.exponent_bits
        if self.raw:
            return width, 0
        if self.normalised:
            return width + 1, -(1 << width)
        low, high = self.origin_range
        for bits in range(2, width):
            step = 1 << (bits - 1)
            base = low // step * step
            if high + 7 <= base + (1 << bits) - 2:
                return bits, base
        return width, 0

    @property
    def exponent_bits(self) -> int:
        """Width of a lane exponent."""
        return self._window[0]

    @property
    def base(self) -> int:
        """Biased exponent that lane exponent 0 stands for."""
        return self._window[1]

    @property
    def fraction_bits(self) -> int:
        """Fraction bits that a lane keeps: those of the finest threshold, 7 times the scale.

        One more where the leading one of a subnormal is still among them.
        """
        return self.raw + (7 * ((2 << self.scale.fraction_bits) - 1)).bit_length() - 1

    @property
    def infinity_exponent(self) -> int:
        """The lane exponent of infinity and NaN."""
        return (1 << self.exponent_bits) - 1

    @property
    def infinity_implied(self) -> bool:
        """Whether infinity's lane exponent alone leads to magnitude code 7 under every scale."""
        return self.origin_range[1] + 7 <= self.base + self.infinity_exponent

    @cached_property
    def leading_zeros(self) -> int:
        """Number of subnormal binades that are normalised, from the largest down."""
        if not self.normalised:
            return 0
        return min(self.input.fraction_bits, -self.origin_range[0])

    @property
    def key_fraction_bits(self) -> int:
        """Bits of the reduced fraction in an amax key, a sticky bit at its end."""
        return {"floor": 1, "ceil": 2, "even": 2, "fc": 2}.get(self.rule, self.fraction_bits + 1)

    @cached_property
    def lane(self) -> data.StructLayout:
        """One number on its way to the element unit."""
        return data.StructLayout(
            {
                "sticky": 1,
                "fraction": self.fraction_bits,
                "exponent": self.exponent_bits,
                "sign": 1,
            }
        )

    @cached_property
    def key(self) -> data.StructLayout:
        """What the amax tree compares; as an integer it grows with the magnitude."""
        return data.StructLayout(
            {"fraction": self.key_fraction_bits, "exponent": self.exponent_bits}
        )

    @cached_property
    def thresholds(self) -> data.StructLayout:
        """What all lanes of a block share; see `rtl.thresholds`."""
        fraction = self.scale.fraction_bits
        return data.StructLayout(
            {
                "origin": self.exponent_bits,
                "n1": fraction,
                "n3": fraction + 2,
                "n5": self.fraction_bits,
                "n7": self.fraction_bits,
                "carry3": 1,
                "carry5": 1,
                "carry7": 1,
                "none": 1,
                "nan": 1,
            }
        )

    def key_pattern(self, value: Fraction, beyond: bool) -> int:
        """The smallest amax key of a magnitude >= value, or > value if ``beyond``.

        The value has to be representable with the key's fraction bits.
        """
        exponent = floor_log2(value)
        fraction = (value / Fraction(2) ** exponent - 1) * (1 << self.key_fraction_bits)
        assert fraction.denominator == 1, f"{value} does not fit an amax key"
        field = exponent + self.input.bias - self.base
        return (field << self.key_fraction_bits) + fraction.numerator + beyond
