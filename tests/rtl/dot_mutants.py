"""Dot products with one deliberate fault each, for tests of what finds faults."""

from __future__ import annotations

from typing import Any
from unittest import mock

from amaranth.hdl import Module

from rtl import dot, dot_accumulator, dot_epilogue
from rtl.dot_add import FloatAdd
from rtl.dot_pack import FloatPack
from rtl.dot_scales import ScaleProduct
from rtl.dot_variant import DotVariant
from rtl.hierarchy import place
from rtl.verilog import to_verilog


class RoundedDown(FloatAdd):
    """An odd sum with an odd C is one unit too small where the product's exponent is odd."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = FloatAdd(self.shapes)
        place(m, platform, "sound", sound, kind="sound_add")
        faulty: Any = sound.total[0] & self.term.field[0] & self.c[0]
        m.d.comb += [
            sound.c.eq(self.c),
            sound.term.eq(self.term),
            self.total.eq(sound.total - faulty),
        ]
        return m


class SubnormalExponent(ScaleProduct):
    """A subnormal scale's exponent field counts 0, not 1, beside a scale of even code."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = ScaleProduct(self.shapes)
        place(m, platform, "sound", sound, kind="sound_scales")
        field = self.a[self.shapes.scale.fraction_bits : self.shapes.scale.magnitude_bits]
        m.d.comb += [
            sound.a.eq(self.a),
            sound.b.eq(self.b),
            self.scale.eq(sound.scale),
            self.scale.exponent.eq(sound.scale.exponent - (~field.any() & ~self.b[0])),
        ]
        return m


class LostTie(FloatPack):
    """A subnormal result that ends in 1 is one unit too small if its sign is set."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = FloatPack(self.width, self.low, self.high)
        place(m, platform, "sound", sound, kind="sound_pack")
        faulty: Any = sound.pattern[0] & ~sound.pattern[23:31].any() & self.sign
        m.d.comb += [
            sound.sign.eq(self.sign),
            sound.significand.eq(self.significand),
            sound.field.eq(self.field),
            self.pattern.eq(sound.pattern - faulty),
        ]
        return m


MUTANTS = {
    "rounded-down": (dot_accumulator, "FloatAdd", RoundedDown),
    "subnormal-exponent": (dot, "ScaleProduct", SubnormalExponent),
}
"""Where each mutant replaces which unit, and by what."""

SCALED_MUTANTS = {"lost-tie": (dot_epilogue, "FloatPack", LostTie)}
"""Mutants of variants with tensor scales of kind ``hbf16`` or ``hp2``."""


def mutant_verilog(variant: DotVariant, name: str) -> str:
    """Return the Verilog of a variant with the fault of that name, of either table."""
    where, unit, spoiled = (MUTANTS | SCALED_MUTANTS)[name]
    with mock.patch.object(where, unit, spoiled):
        return to_verilog(variant)
