"""Quantizers that round at random, with one deliberate fault each."""

from __future__ import annotations

from unittest import mock

from amaranth.hdl import Cat, Const, Module

from rtl import random_quantizer, speck
from rtl.hierarchy import place
from rtl.quantizer_variant import QuantizerVariant
from rtl.random_element import RandomElement
from rtl.speck import KeyRound
from rtl.verilog import to_verilog


class LateElement(RandomElement):
    """A number that just reaches its limit stays below it: the lane loses its lowest bit."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = RandomElement(self.shapes)
        place(m, platform, "sound", sound, kind="sound_element")
        m.d.comb += [
            sound.lane.eq(self.lane),
            sound.lane.fraction.eq(Cat(Const(0, 1), self.lane.fraction[1:])),
            sound.thresholds.eq(self.thresholds),
            sound.draw.eq(self.draw),
            self.code.eq(sound.code),
        ]
        return m


class ComplementedDraw(RandomElement):
    """Rounds up as often, with other numbers: R counts from the top (spec §19.2)."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = RandomElement(self.shapes)
        place(m, platform, "sound", sound, kind="sound_element")
        m.d.comb += [
            sound.lane.eq(self.lane),
            sound.thresholds.eq(self.thresholds),
            sound.draw.eq(~self.draw),
            self.code.eq(sound.code),
        ]
        return m


class UnnumberedKeys(KeyRound):
    """Round keys do not depend on the round's number (spec §19.5)."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = KeyRound()
        place(m, platform, "sound", sound, kind="sound_key_round")
        m.d.comb += [
            sound.keys.eq(self.keys),
            sound.number.eq(0),
            self.after.eq(sound.after),
        ]
        return m


RANDOM_MUTANTS = {
    "late-element": (random_quantizer, "RandomElement", LateElement),
    "complemented-draw": (random_quantizer, "RandomElement", ComplementedDraw),
    "unnumbered-keys": (speck, "KeyRound", UnnumberedKeys),
}
"""Module and unit that each mutant replaces, and by what."""


def random_mutant_verilog(variant: QuantizerVariant, name: str) -> str:
    """Return the Verilog of a variant with the fault of that name."""
    where, unit, spoiled = RANDOM_MUTANTS[name]
    with mock.patch.object(where, unit, spoiled):
        return to_verilog(variant)
