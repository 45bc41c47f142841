"""Quantizers that choose under a tensor scale, with one deliberate fault each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from unittest import mock

from amaranth.hdl import Cat, Const, Module, Value

from rtl import select, select_scaled, select_scaled_candidates, select_scaled_error
from rtl.hierarchy import place, ports_of
from rtl.select_scaled import ScaledSelectInTurn
from rtl.select_scaled_candidates import CandidateQuotient
from rtl.select_scaled_error import ScaledMerit, ScaledTerm
from rtl.select_variant import SelectVariant
from rtl.verilog import to_verilog
from tests.rtl.mutants import LastLargest, SelectMutant


def spoiled(unit: Any, sound: Any, faults: Mapping[str, Callable[[Value], Value]]) -> Module:
    """The sound unit between the ports of another, some of its ports overruled."""
    m = Module()
    place(m, None, "sound", sound)
    inner = ports_of(sound)
    for name, (outer, direction) in ports_of(unit).items():
        fault = faults.get(name, lambda value: value)
        if direction.name == "Input":
            m.d.comb += inner[name][0].eq(fault(outer))
        else:
            m.d.comb += outer.eq(fault(inner[name][0]))
    return m


class BluntScale(ScaledMerit):
    """The lowest bit of the product of scale and tensor scale is left out (spec §15.4)."""

    def elaborate(self, platform: object) -> Module:
        sound = ScaledMerit(self.shapes, self.lanes)
        return spoiled(self, sound, {"scale": lambda scale: Cat(Const(0, 1), scale[1:])})


class ForgottenCarry(ScaledTerm):
    """A product of 2 or more does not count for a lane's binade (spec §15.2)."""

    def elaborate(self, platform: object) -> Module:
        return spoiled(self, ScaledTerm(self.shapes), {"carry": lambda carry: Const(0, 1)})


class OwnUnits(ScaledMerit):
    """Merits of candidates with different exponents are compared as they are (spec §15.3)."""

    def _common(self, m: Module, merit: Value) -> Value:
        return merit


class NothingDecided(ScaledSelectInTurn):
    """Errors decide where the scale is clamped far below amax, too (spec §15.3)."""

    def decided_by(self, amax: Value, g: Value) -> Value:
        return Const(0, 1)


class CutDivisor(CandidateQuotient):
    """The last bit of the divisor is lost where it is 4 * g (spec §15.1)."""

    def divisor(self, m: Module, g: Value) -> Value:
        whole = super().divisor(m, g)
        return Cat(whole[0], whole[1] & ~self.four, whole[2:])


SCALED_SELECT_MUTANTS = {
    "last-of-equals": SelectMutant(select, "FirstLargest", LastLargest),
    "blunt-scale": SelectMutant(select_scaled, "ScaledMerit", BluntScale),
    "forgotten-carry": SelectMutant(select_scaled_error, "ScaledTerm", ForgottenCarry),
    "own-units": SelectMutant(select_scaled, "ScaledMerit", OwnUnits),
    "cut-divisor": SelectMutant(select_scaled_candidates, "CandidateQuotient", CutDivisor),
    "nothing-decided": SelectMutant(select_scaled, "ScaledSelectInTurn", NothingDecided, turn=True),
}


def scaled_select_mutant_verilog(variant: SelectVariant, name: str) -> str:
    """Return the Verilog of a variant with the fault of that name."""
    fault = SCALED_SELECT_MUTANTS[name]
    with mock.patch.object(fault.where, fault.unit, fault.spoiled):
        return to_verilog(variant)
