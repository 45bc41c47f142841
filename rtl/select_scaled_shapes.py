"""Widths of the error datapath under a tensor scale; `docs/hardware.md` derives them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from rtl.quantizer_variant import QuantizerVariant
from rtl.scaled_shapes import ScaledShapes
from rtl.select_shapes import DOUBLES, SelectShapes


@dataclass(frozen=True)
class ReachingShapes(ScaledShapes):
    """Shapes whose origins are told apart as far down as errors depend on them.

    Args:
        top_steps: most binades of amax above the origin in a block whose choice depends on errors.
    """

    top_steps: int = 7

    @cached_property
    def origin_range(self) -> tuple[int, int]:
        """See `ScaledShapes.origin_range`; the least is `top_steps` below every number, or more.

        Elements may need more than errors: see there.
        """
        low, high = super().origin_range
        return min(low, 1 - self.input.fraction_bits - self.top_steps), high


@dataclass(frozen=True)
class ScaledSelectShapes(SelectShapes):
    """Widths for one variant whose recipe has a tensor scale.

    With g = G * 2**(b - P + 1), G of P bits, and a scale M * 2**(e - F), their product is M*G in
    units of 2**(b + e - F - P + 1). `steps` count binades of a lane from a quarter of 2**(b + e)
    on, which is 1. The product lies below 4 * 2**(b + e), below 2 * 2**(b + e) if P is 1.
    """

    kind: str

    @classmethod
    def of(cls, variant: QuantizerVariant) -> ScaledSelectShapes:
        """The shapes of a variant."""
        recipe = variant.recipe
        assert recipe.tensor_scale is not None
        return cls(
            ScaledShapes.scaled(recipe, variant.input), recipe.block_size, recipe.tensor_scale
        )

    @cached_property
    def reaching(self) -> ReachingShapes:
        """The shapes of thresholds and elements."""
        s = self.lanes
        return ReachingShapes(
            s.input, s.scale, s.rule, s.prevent_zero, self.kind, top_steps=self.top_steps
        )

    @property
    def g_bits(self) -> int:
        """P, the bits of the tensor scale's significand."""
        return self.g_field[1] + 1

    @property
    def g_field(self) -> tuple[int, int]:
        """Bits of the tensor scale's exponent and of its fraction."""
        assert isinstance(self.lanes, ScaledShapes)
        return self.lanes.g_field

    @property
    def wide(self) -> int:
        """1 if the tensor scale's significand can be larger than 1, so that steps grow by one."""
        return int(self.g_bits > 1)

    @property
    def plain_steps(self) -> int:
        """Most steps of a lane under a scale that is not clamped."""
        return 6 + self.wide

    def least_beyond(self, steps: int) -> int:
        """See `SelectShapes.least_beyond`; the unit is up to twice as large as a power of two."""
        return super().least_beyond(steps) >> self.wide

    @property
    def decided_from(self) -> int | None:
        """Least ``lane exponent of amax - exponent field of g`` with which the first one wins.

        None if there is none: no block then has a clamped scale, or all candidates are clamped.
        """
        if not self.clamped:
            return None
        s = self.lanes
        assert isinstance(s, ScaledShapes)
        return self.top_steps + 1 - 3 + s.scale_high - s.g_bias + s.input.bias - s.base

    def meets(self, steps: int, code: int) -> bool:
        """See `SelectShapes.meets`: |x| / (s * g) is above 2**(steps - 4), or half of that."""
        return super().meets(steps - self.wide, code)

    @property
    def above_bits(self) -> int:
        """Bits of the binades of a lane above the first one that counts."""
        return max(3, (self.top_steps - 1).bit_length())

    @property
    def product_scale_bits(self) -> int:
        """Bits of the product of both significands."""
        return self.scale.fraction_bits + self.g_bits + self.wide

    @property
    def finer(self) -> int:
        """Binary places of the gain below the lanes' own, for the product's bits."""
        return max(0, self.scale.fraction_bits + self.g_bits - 1 - self.whole_bits)

    @property
    def unit(self) -> int:
        """Binary places of the product above those of the gain."""
        return max(0, self.whole_bits - self.scale.fraction_bits - self.g_bits + 1)

    @property
    def bare_bits(self) -> int:
        """Bits of the significand times the gain, with the places that the product adds."""
        return super().bare_bits + self.finer

    @property
    def least_steps(self) -> int:
        """Least steps of amax where candidates differ in their exponents; see `docs/hardware.md`.

        With 6 + 1 code alone, or without codes up, a larger binade begins above amax / 4.
        """
        return 3 if self.lanes.rule == "6c" else 4


__all__ = ["DOUBLES", "ReachingShapes", "ScaledSelectShapes"]
