"""Quantizers that round at random under a product, with one deliberate fault each."""

from __future__ import annotations

from unittest import mock

from amaranth.hdl import Cat, Const, Module, Value
from amaranth.lib import data

from rtl import random_scaled_quantizer
from rtl.hierarchy import place
from rtl.quantizer_variant import QuantizerVariant
from rtl.random_scaled_element import RandomScaledElement
from rtl.random_scaled_thresholds import RandomPowerThresholds, RandomScaledThresholds
from rtl.verilog import to_verilog


class ForgottenRest(RandomScaledElement):
    """What a limit has below the number's last bit does not count (spec §26.4)."""

    def _whole(self, factor: Value) -> Value:
        return Const(1, 1)


class ComplementedDraw(RandomScaledElement):
    """Rounds up as often, with other numbers: R counts from the top (spec §19.2)."""

    def _up(self, m: Module, number: Value, lower: Value) -> Value:
        draw = self.draw
        self.draw = ~draw  # pyright: ignore[reportAttributeAccessIssue]
        try:
            return super()._up(m, number, lower)
        finally:
            self.draw = draw


class NearLanes(RandomScaledElement):
    """Numbers below a quarter of s * g become 0, as without random numbers (spec §19.2)."""

    def _number(self, m: Module, lane: data.View, quarter: Value, down: Value) -> Value:
        number = super()._number(m, lane, quarter, down)
        far = down[2:].any() | down[:2].all()
        return number & (~far).replicate(len(number))


class CutTriple(RandomScaledThresholds):
    """Three times the product loses its last bit."""

    def threshold(self, m: Module, product: Value, k: int) -> Value:  # pyright: ignore
        whole = super().threshold(m, product, k)  # pyright: ignore[reportArgumentType]
        zeros = len(product) - 1 - self.shapes.product_bits
        return Cat(whole[:zeros], Const(0, 1), whole[zeros + 1 :]) if k == 3 else whole


class LowOrigin(RandomPowerThresholds):
    """Scales are taken to be half as large."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = RandomPowerThresholds(self.shapes)
        place(m, platform, "sound", sound, kind="sound_thresholds")
        m.d.comb += [
            sound.scale.eq(self.scale),
            self.thresholds.eq(sound.thresholds),
            self.thresholds.origin.eq(sound.thresholds.origin - 1),
        ]
        return m


SCALED = "quantizer-ue4m3-absmax-sr4-h-b2-bf16-r9"
POWERS = "quantizer-e8m0-even-sr4-b2-bf16-r9"

RANDOM_SCALED_MUTANTS = {
    "forgotten-rest": (SCALED, "RandomScaledElement", ForgottenRest),
    "complemented-draw": (SCALED, "RandomScaledElement", ComplementedDraw),
    "cut-triple": (
        "quantizer-ue5m3-absmax-sr4-hp2-b2-bf16-r9",
        "RandomScaledThresholds",
        CutTriple,
    ),
    "near-lanes": (POWERS, "RandomScaledElement", NearLanes),
    "low-origin": (POWERS, "RandomPowerThresholds", LowOrigin),
}
"""Variant, unit that each mutant replaces, and by what."""


def random_scaled_mutant_verilog(variant: QuantizerVariant, name: str) -> str:
    """Return the Verilog of a variant with the fault of that name."""
    _, unit, spoiled = RANDOM_SCALED_MUTANTS[name]
    with mock.patch.object(random_scaled_quantizer, unit, spoiled):
        return to_verilog(variant)
