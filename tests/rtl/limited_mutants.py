"""Quantizers of limited width with one deliberate fault each, for tests of what finds faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from unittest import mock

from amaranth.hdl import Cat, Const, Module, Mux, Value

from rtl import limited, limited_error, limited_select
from rtl.hierarchy import place
from rtl.limited_cells import CellValue, TableChoice, TableOfAmax
from rtl.limited_error import LimitedTerm, NearestCode
from rtl.limited_lanes import NearElement
from rtl.limited_select import LimitedInTurn
from rtl.quantizer_variant import QuantizerVariant
from rtl.verilog import to_verilog


class FlippedEntry(TableOfAmax):
    """The lowest bit of the value of cell 14 is flipped (spec §17.6)."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = TableOfAmax(self.shapes)
        place(m, platform, "sound", sound, kind="sound_table")
        m.d.comb += [
            sound.amax.eq(self.amax),
            self.six.eq(sound.six),
            self.table.eq(sound.table ^ (1 << (4 * 13))),
        ]
        return m


class NeverOnly6(TableOfAmax):
    """Candidate 4 may be chosen where it is clamped, too (spec §17.7)."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = TableOfAmax(self.shapes)
        place(m, platform, "sound", sound, kind="sound_table")
        m.d.comb += [sound.amax.eq(self.amax), self.six.eq(0), self.table.eq(sound.table)]
        return m


class SingleCells(CellValue):
    """Lanes from 16 on lose the last of their fraction bits (spec §17.5)."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = CellValue(self.shapes)
        place(m, platform, "sound", sound, kind="sound_cell")
        m.d.comb += [
            sound.table.eq(self.table),
            sound.below.eq(self.below),
            sound.fraction.eq(Mux(self.below.any(), self.fraction, self.fraction & 6)),
            self.value.eq(sound.value),
        ]
        return m


class ZeroIsPositive(TableChoice):
    """A sum of 0 takes candidate 4 (spec §17.7)."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = TableChoice(self.lanes)
        place(m, platform, "sound", sound, kind="sound_choice")
        total = sum(
            (self.values.word_select(i, 4).as_signed() for i in range(self.lanes)), Const(0)
        )
        m.d.comb += [sound.values.eq(self.values), self.positive.eq(sound.positive | (total == 0))]
        return m


class NearTop(NearElement):
    """Elements see one more step (spec §9.1)."""

    def _steps(self, m: Module) -> tuple[Value, Value]:
        steps, positive = super()._steps(m)
        return (steps + 1)[: len(steps)], positive


class BluntNearest(NearestCode):
    """The lowest bit of a lane is left out of the search for the nearest value (spec §17.3)."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = NearestCode(self.shapes)
        place(m, platform, "sound", sound, kind="sound_nearest")
        m.d.comb += [
            sound.seen.eq(Cat(Const(0, 1), self.seen[1:])),
            self.magnitude.eq(sound.magnitude),
        ]
        m.d.comb += [a.eq(b) for a, b in zip(sound.limits, self.limits, strict=True)]
        return m


class NoMiddle(LimitedTerm):
    """The error is that of the lower end of what a lane was, not of its middle (spec §17.3)."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = LimitedTerm(self.shapes)
        place(m, platform, "sound", sound, kind="sound_term")
        once = Cat(Const(0, 1), self.once[1:])
        m.d.comb += [
            sound.once.eq(once),
            sound.triple.eq(3 * once),
            sound.magnitude.eq(self.magnitude),
            self.product.eq(sound.product),
            self.square.eq(sound.square),
        ]
        return m


class NothingDecided(LimitedInTurn):
    """Errors decide where candidate 6 is clamped, too (spec §17.4)."""

    def decided(self, amax: Any) -> Value:
        return Const(0, 1)


@dataclass(frozen=True)
class LimitedMutant:
    """Module and name of what is replaced, by what, and the variant that is spoiled."""

    where: Any
    unit: str
    spoiled: type
    variant: str


TABLE = "quantizer-ue4m3-4o6t-b2-bf16"
ERRORS = "quantizer-ue4m3-3c-e6-b2-bf16-turn"
CLAMPED = "quantizer-ue4m3-3c-e6-b4-bf16-turn"

LIMITED_MUTANTS = {
    "flipped-entry": LimitedMutant(limited, "TableOfAmax", FlippedEntry, TABLE),
    "never-only-6": LimitedMutant(limited, "TableOfAmax", NeverOnly6, TABLE),
    "single-cells": LimitedMutant(limited, "CellValue", SingleCells, TABLE),
    "zero-is-positive": LimitedMutant(limited, "TableChoice", ZeroIsPositive, TABLE),
    "one-step-more": LimitedMutant(limited, "NearElement", NearTop, TABLE),
    "blunt-nearest": LimitedMutant(limited_select, "NearestCode", BluntNearest, ERRORS),
    "no-middle": LimitedMutant(limited_error, "LimitedTerm", NoMiddle, ERRORS),
    "nothing-decided": LimitedMutant(limited_select, "LimitedInTurn", NothingDecided, CLAMPED),
}


def limited_mutant_verilog(variant: QuantizerVariant, name: str) -> str:
    """Return the Verilog of a variant with the fault of that name."""
    fault = LIMITED_MUTANTS[name]
    with mock.patch.object(fault.where, fault.unit, fault.spoiled):
        return to_verilog(variant)
