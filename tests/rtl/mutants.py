"""Quantizers with one deliberate fault each, for tests of what finds faults.

A mutant replaces one unit by a subclass that holds the sound unit and spoils one of its signals.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any
from unittest import mock

from amaranth.hdl import Cat, Const, Module, Mux, Value

from rtl import quantizer, select, select_error
from rtl.element import Element
from rtl.hierarchy import place
from rtl.select import FirstLargest, SelectInTurn
from rtl.select_error import ErrorTerm
from rtl.thresholds import ThresholdGenerator
from rtl.variants import QuantizerVariant
from rtl.verilog import to_verilog


class SpoiledElement(Element):
    """The sound unit between the ports, one of its inputs overruled by `fault`."""

    @abstractmethod
    def fault(self, sound: Element) -> Any:
        """The statement that overrules an input of the sound unit."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = Element(self.shapes)
        place(m, platform, "sound", sound, kind="sound_element")
        m.d.comb += [
            sound.lane.eq(self.lane),
            sound.thresholds.eq(self.thresholds),
            self.fault(sound),
            self.code.eq(sound.code),
        ]
        return m


class FlippedThreshold(SpoiledElement):
    """The lowest bit of the threshold 7m is flipped (spec §9.1)."""

    def fault(self, sound: Element) -> Any:
        return sound.thresholds.n7[0].eq(~self.thresholds.n7[0])


class WrongTie(SpoiledElement):
    """A number exactly on the threshold m or 5m counts as beyond it (spec §3.1)."""

    def fault(self, sound: Element) -> Any:
        return sound.lane.sticky.eq(1)


class ShiftedExponent(ThresholdGenerator):
    """The scale's exponent is one too large where it is even (spec §2.1)."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = ThresholdGenerator(self.shapes)
        place(m, platform, "sound", sound, kind="sound_thresholds")
        m.d.comb += [
            sound.scale.eq(self.scale),
            self.thresholds.eq(sound.thresholds),
            self.thresholds.origin[0].eq(1),
        ]
        return m


MUTANTS = {
    "flipped-threshold": ("Element", FlippedThreshold),
    "wrong-tie": ("Element", WrongTie),
    "exponent-off-by-one": ("ThresholdGenerator", ShiftedExponent),
}
"""Unit that each mutant replaces, and by what."""


def mutant_verilog(variant: QuantizerVariant, name: str) -> str:
    """Return the Verilog of a variant with the fault of that name, one of `MUTANTS`."""
    unit, spoiled = MUTANTS[name]
    with mock.patch.object(quantizer, unit, spoiled):
        return to_verilog(variant)


class LastLargest(FirstLargest):
    """Of equal merits the last one wins (spec §15.3)."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = FirstLargest(len(self.merits[0]), len(self.merits))
        place(m, platform, "sound", sound, kind="sound_chooser")
        for port, merit in zip(sound.merits, reversed(self.merits), strict=True):
            m.d.comb += port.eq(merit)
        m.d.comb += [
            sound.decided.eq(0),
            self.winner.eq(Mux(self.decided, 0, len(self.merits) - 1 - sound.winner)),
        ]
        return m


class BluntTerm(ErrorTerm):
    """A lane's lowest bit is left out of the error (spec §15.4)."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = ErrorTerm(self.shapes)
        place(m, platform, "sound", sound, kind="sound_term")
        blunt = Cat(Const(0, 1), self.significand[1:])
        m.d.comb += [
            sound.significand.eq(blunt),
            sound.triple.eq(3 * blunt),
            sound.steps.eq(self.steps),
            sound.magnitude.eq(self.magnitude),
            self.product.eq(sound.product),
            self.square.eq(sound.square),
        ]
        return m


class NothingDecided(SelectInTurn):
    """Errors decide where the scale is clamped far below amax, too (spec §15.3)."""

    def decided(self, amax: Any) -> Value:
        return Const(0, 1)


@dataclass(frozen=True)
class SelectMutant:
    """Module and name of what is replaced, by what, and whether it takes turns."""

    where: Any
    unit: str
    spoiled: type
    turn: bool = False


SELECT_MUTANTS = {
    "last-of-equals": SelectMutant(select, "FirstLargest", LastLargest),
    "blunt-lane": SelectMutant(select_error, "ErrorTerm", BluntTerm),
    "nothing-decided": SelectMutant(select, "SelectInTurn", NothingDecided, turn=True),
}


def select_mutant_verilog(variant: QuantizerVariant, name: str) -> str:
    """Return the Verilog of a selecting variant with the fault of that name."""
    fault = SELECT_MUTANTS[name]
    with mock.patch.object(fault.where, fault.unit, fault.spoiled):
        return to_verilog(variant)
