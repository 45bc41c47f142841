"""Widths of the error datapath, derived from field widths, block size and rule."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from emulator.formats import Format
from rtl.quantizer_variant import QuantizerVariant
from rtl.select_variant import CANDIDATES
from rtl.shapes import Shapes

DOUBLES = {0: (0, 0), 1: (1, 0), 2: (1, 1), 3: (3, 0), 4: (1, 2), 5: (3, 1), 6: (1, 3), 7: (3, 2)}
"""Twice the magnitude of each E2M1 code, as odd part and power of two."""


@dataclass(frozen=True)
class SelectShapes:
    """Widths for one variant; `docs/hardware.md` derives them.

    `steps` count binades of a lane from a quarter of the scale's binade on, which is 1. Scales
    that are not clamped leave amax at 6 steps or below.
    """

    lanes: Shapes
    block_size: int

    @classmethod
    def of(cls, variant: QuantizerVariant) -> SelectShapes:
        """The shapes of a variant."""
        return cls(Shapes.of(variant), variant.recipe.block_size)

    @property
    def scale(self) -> Format:
        """The scale format."""
        return self.lanes.scale

    @property
    def whole_bits(self) -> int:
        """Fraction bits of the input."""
        return self.lanes.input.fraction_bits

    @cached_property
    def clamped(self) -> bool:
        """Whether candidates of a block whose scale is clamped to the largest one can differ."""
        return any(offset < 0 for _, offset in CANDIDATES.get(self.lanes.rule, ()))

    @property
    def plain_steps(self) -> int:
        """Most steps of a lane under a scale that is not clamped."""
        return 5 if self.lanes.powers else 6

    @cached_property
    def top_steps(self) -> int:
        """Most steps of a lane in a block whose choice depends on errors.

        Beyond, amax prefers the largest scale to the one before it by more than all other lanes
        can prefer the opposite. With integers in units of the scales' last bit, M the largest
        significand: a lane y prefers M - 1 by at most the largest (y - q*M)**2 - (y - p*(M-1))**2.
        """
        if not self.clamped:
            return self.plain_steps
        assert self.scale.max_code & ((1 << self.scale.fraction_bits) - 1), "binade of max alone"
        scale = self.scale
        large = 2 * (
            (1 << scale.fraction_bits) | (scale.max_code & ((1 << scale.fraction_bits) - 1))
        )
        small = large - 2  # doubled, so that half units are integers
        magnitudes = (0, 1, 2, 3, 4, 6, 8, 12)  # doubled
        worst = 0
        for y in range(0, 12 * large + 1):  # in quarters of a unit; errors meet at whole ones
            errors = [min((y - q * code) ** 2 for q in magnitudes) for code in (large, small)]
            worst = max(worst, errors[0] - errors[1])
        steps = self.plain_steps
        while True:
            least = self.least_beyond(steps)
            gain = (least - 12 * small) ** 2 - (least - 12 * large) ** 2
            if gain > (self.block_size - 1) * worst:
                return steps
            steps += 1

    def least_beyond(self, steps: int) -> int:
        """The least amax of more steps, in quarters of the unit of the largest significand."""
        return 4 << (steps - 2 + self.scale.fraction_bits)

    @property
    def decided_from(self) -> int | None:
        """Lane exponent of amax from which the first candidate wins; None if there is none.

        It is the largest scale then; see `top_steps`.
        """
        lanes = self.lanes
        if not self.clamped or lanes.input.max < 6 * self.scale.max:
            return None
        origin = lanes.scale_high + lanes.input.bias - 3 - lanes.base
        exponent = origin + self.top_steps + 1
        assert exponent < lanes.infinity_exponent, "the lanes' window ends too early"
        return exponent

    @property
    def steps_bits(self) -> int:
        """Bits of `steps`."""
        return self.top_steps.bit_length()

    @cached_property
    def product_bits(self) -> int:
        """Bits of twice a magnitude times a lane."""
        most = 0
        for steps in range(1, self.top_steps + 1):
            for code, (odd, power) in DOUBLES.items():
                if self.meets(steps, code):
                    lane = odd * ((2 << self.whole_bits) - 1)
                    most = max(most, lane << (steps - 1 + power))
        return most.bit_length()

    def meets(self, steps: int, code: int) -> bool:
        """Whether a lane of so many steps can have a magnitude code: 2**(steps-4) < |x|/s."""
        odd, power = DOUBLES[code]
        above = (odd << power) / 2  # magnitude
        nearest = {0: 0.25, 1: 0.75, 2: 1.25, 3: 1.75, 4: 2.5, 5: 3.5, 6: 5.0, 7: float("inf")}
        return above > 0 and nearest[code] > 2.0 ** (steps - 4)

    @property
    def squares_bits(self) -> int:
        """Bits of the sum of the squares."""
        return (144 * self.block_size).bit_length()

    @property
    def bare_bits(self) -> int:
        """Bits of the significand times the gain: the merit in a candidate's own units.

        The squared magnitudes of the block bound it: n * amax**2 over 2**(2*e - F - 2 - f), with
        amax below 2**(e + top_steps - 2).
        """
        log_size = (self.block_size - 1).bit_length()
        return log_size + 2 * (self.top_steps - 2) + self.scale.fraction_bits + 2 + self.whole_bits

    @property
    def merit_bits(self) -> int:
        """Bits of a merit; bringing it to common units does not widen it."""
        return self.bare_bits

    @property
    def gain_bits(self) -> int:
        """Bits of the gain, the merit over a significand; partial sums are taken modulo 2**bits."""
        return self.bare_bits - self.scale.fraction_bits
