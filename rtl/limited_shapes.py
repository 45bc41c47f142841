"""Widths of quantizers that choose with limited width (spec §17), derived from field widths."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from amaranth.lib import data

from emulator.formats import Format
from rtl.limited_variant import LimitedVariant
from rtl.scaled_scale import plain_shapes
from rtl.scaled_shapes import ScaledShapes
from rtl.shapes import Shapes

TABLE_BITS = 5
"""Bits of a lane under rule 4o6t (spec §17.5)."""


@dataclass(frozen=True)
class LimitedShapes:
    """Widths for one variant; `docs/hardware.md` derives them.

    Behind amax a lane's exponent is *below*, the number of binades below a reference that all
    lanes share: the exponent of amax, or the one from which on every magnitude code is 7 under
    every scale, if amax is larger.

    Attributes:
        lanes: shapes of the scale encoder and the elements; under a tensor scale g, a power of
            two, those of numbers that are divided by g.
        block_size: number of lanes.
        bits: of a lane as the choice sees it (spec §17.1).
        scaled: shapes of the numbers as they come, under a tensor scale.
    """

    lanes: Shapes
    block_size: int
    bits: int
    scaled: ScaledShapes | None = None

    @classmethod
    def of(cls, variant: LimitedVariant) -> LimitedShapes:
        """The shapes of a variant."""
        r = variant.recipe
        rule = variant.candidate_rule  # candidates of 4o6t are those of 4o6 (spec §17)
        bits = r.error_bits or TABLE_BITS
        if r.tensor_scale is None:
            lanes = Shapes(variant.input, r.scale, rule, r.prevent_zero)
            return cls(lanes, r.block_size, bits)
        scaled = replace(ScaledShapes.scaled(r, variant.input), rule=rule)
        return cls(plain_shapes(scaled), r.block_size, bits, scaled)

    @property
    def scale(self) -> Format:
        """The scale format."""
        return self.lanes.scale

    @property
    def input_bits(self) -> int:
        """Bits of a number as it comes."""
        return (self.scaled or self.lanes).input.width

    @property
    def fraction_bits(self) -> int:
        """Fraction bits of a lane: what an element asks for, or what the choice sees."""
        return max(self.lanes.fraction_bits, self.bits - 1)

    @property
    def below_bits(self) -> int:
        """Bits of ``below``; all ones stand for more, too.

        At seven binades below amax an element's code is 0 under every scale that is chosen, and
        at `bits` binades a lane is seen as 0 (spec §17.1).
        """
        return max(3, self.bits.bit_length())

    @cached_property
    def saturation(self) -> int | None:
        """Lane exponent of the reference from which on it grows no more; None if it may grow.

        Seven binades above the origin of the largest scale every code is 7.
        """
        last = self.lanes.origin_range[1] + 7 - self.lanes.base
        return last if last < self.lanes.infinity_exponent else None

    @cached_property
    def lane(self) -> data.StructLayout:
        """A lane before its exponent is compared with amax."""
        return data.StructLayout(
            {
                "sticky": 1,
                "fraction": self.fraction_bits,
                "exponent": self.lanes.exponent_bits,
                "sign": 1,
            }
        )

    @cached_property
    def near(self) -> data.StructLayout:
        """A lane with ``below`` in the place of its exponent."""
        return data.StructLayout(
            {"sticky": 1, "fraction": self.fraction_bits, "below": self.below_bits, "sign": 1}
        )

    @cached_property
    def thresholds(self) -> data.StructLayout:
        """`Shapes.thresholds`, with ``peak``, the steps of the reference, in place of ``origin``.

        ``infinite``: whether lanes at the reference are infinite.
        """
        fields = {k: v.shape for k, v in self.lanes.thresholds if k != "origin"}
        return data.StructLayout({"peak": 3, **fields, "infinite": 1})

    @property
    def limit_bits(self) -> int:
        """Bits of a limit in units of 2**(b - 8), where a lane of b bits has nine.

        All ones stand for more than any lane has; where limits are reached instead of exceeded
        (`rtl.limited_error.NearestCode`) that takes one bit more.
        """
        return 9 if self.bits <= 8 else 10

    @property
    def limit_drop(self) -> int:
        """Bits of a limit below a lane's last one."""
        return max(8 - self.bits, 0)

    @property
    def limit_spare(self) -> int:
        """Bits of a lane below a limit's last one."""
        return max(self.bits - 8, 0)

    @property
    def merit_bits(self) -> int:
        """Bits of a merit: S * gain is at most the sum of (8 * X + 4)**2 (lemma 4 of spec §17.3).

        That is below n * 2**(2 * b + 6), and merits leave out 2**(2 * b - 10) of it, or with
        eight bits and more 2**(b - 2).
        """
        return (self.block_size - 1).bit_length() + 8 + max(self.bits, 8)

    @property
    def gain_bits(self) -> int:
        """Bits of a gain: a merit over M * 2**shift, which is at least 8, or 0."""
        return self.merit_bits - self.scale.fraction_bits
