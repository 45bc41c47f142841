"""Widths of a quantizer's datapath under a tensor scale (spec §14.7, §23)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from amaranth.lib import data

from emulator.formats import Format
from emulator.layout import TENSOR_SCALE_FIELDS
from emulator.recipes import Recipe
from rtl.shapes import Shapes

MULTIPLES = (1, 3, 5, 7)
"""Odd numbers whose products with scale and tensor scale are the element thresholds."""


@dataclass(frozen=True)
class ScaledShapes(Shapes):
    """Shapes of the signals where s * g stands for the scale s.

    Lane exponents are ``biased exponent + 2**exponent_bits of the input``: the whole range of the
    input format, and below it the binades of the subnormals, which are all normalised: the tensor
    scale can bring every number within reach of a threshold.

    A threshold of more bits than a lane has is cut to the lane's bits: a number of that many bits
    is greater than the threshold exactly if it is greater than what is left, and as great as the
    threshold only if nothing was cut off.
    """

    kind: str = "h"

    @classmethod
    def scaled(cls, recipe: Recipe, input_format: Format) -> ScaledShapes:
        """The shapes of a recipe with a tensor scale."""
        assert recipe.tensor_scale is not None
        return cls(
            input_format, recipe.scale, recipe.rule, recipe.prevent_zero, recipe.tensor_scale
        )

    @property
    def g_field(self) -> tuple[int, int]:
        """Bits of the tensor scale's exponent and of its fraction, as words carry them."""
        return TENSOR_SCALE_FIELDS[self.kind]

    @cached_property
    def g(self) -> data.StructLayout:
        """The tensor scale without its sign: of float32, of bfloat16, or the exponent alone."""
        exponent, fraction = self.g_field
        return data.StructLayout({"fraction": fraction, "exponent": exponent})

    @property
    def g_bits(self) -> int:
        """Bits of the tensor scale's significand."""
        return self.g_field[1] + 1

    @property
    def g_bias(self) -> int:
        """Bias of the tensor scale's exponent, which is that of float32."""
        return (1 << (self.g_field[0] - 1)) - 1

    @cached_property
    def normalised(self) -> bool:
        """Always: see the class."""
        return True

    @cached_property
    def _window(self) -> tuple[int, int]:
        return self.input.exponent_bits + 1, -(1 << self.input.exponent_bits)

    @cached_property
    def origin_range(self) -> tuple[int, int]:
        """Least and greatest biased origin of codes; beyond them nothing changes but infinity.

        A number 7 binades above the origin is 7: five times the product, the last threshold, lies
        5 binades above it, or 6 if it carries.
        """
        return 1 - self.input.fraction_bits - 7, (1 << self.input.exponent_bits) - 2

    def width(self, multiple: int) -> int:
        """Fraction bits of an odd multiple of scale times tensor scale, none cut off."""
        largest = ((2 << self.scale.fraction_bits) - 1) * ((1 << self.g_bits) - 1)
        return (multiple * largest).bit_length() - 1

    @property
    def fraction_bits(self) -> int:
        """Fraction bits that a lane keeps: those of the input, or of the finest threshold."""
        return min(self.input.fraction_bits, self.width(MULTIPLES[-1]))

    def cut(self, multiple: int) -> int:
        """Fraction bits of a threshold that are cut off."""
        return max(0, self.width(multiple) - self.fraction_bits)

    @cached_property
    def key(self) -> data.StructLayout:
        """What the amax tree compares: the magnitude's bits as they are."""
        return data.StructLayout(
            {"fraction": self.input.fraction_bits, "exponent": self.input.exponent_bits}
        )

    @cached_property
    def number(self) -> data.StructLayout:
        """A magnitude ``2**(exponent - offset) * 1.fraction``; zero if ``some`` is 0."""
        return data.StructLayout(
            {"fraction": self.input.fraction_bits, "exponent": self.exponent_bits, "some": 1}
        )

    @cached_property
    def thresholds(self) -> data.StructLayout:
        """What all lanes of a block share; see `rtl.scaled_thresholds`."""
        fractions = {f"n{k}": self.width(k) - self.cut(k) for k in MULTIPLES}
        carries = {f"carry{k}": 1 for k in MULTIPLES[1:]}
        beyond = {f"beyond{k}": 1 for k in (3, 7) if self.cut(k)}
        return data.StructLayout(
            {"origin": self.exponent_bits, **fractions, **carries, **beyond, "none": 1, "nan": 1}
        )
