"""Choices whose elements round at random, with one deliberate fault each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest import mock

from amaranth.hdl import Module, Value
from amaranth.lib import stream

from rtl import random_select
from rtl.chain import Chain
from rtl.random_select import RandomSelectQuantizer
from rtl.random_select_variant import RandomSelectVariant
from rtl.variants import quantizer
from rtl.verilog import to_verilog
from tests.rtl.random_mutants import ComplementedDraw, LateElement


class Unpaired(RandomSelectQuantizer):
    """A scale goes on without a look at whether its word has come out of the cipher."""

    def join(
        self, m: Module, choice: stream.Interface, waits: Chain, both: stream.Interface
    ) -> None:
        m.d.comb += [
            both.valid.eq(choice.valid),
            waits.ready.eq(both.ready & choice.valid),
            choice.ready.eq(both.ready),
        ]


class EagerChoice(RandomSelectQuantizer):
    """The choice takes a word that the cipher has no room for, and takes it again."""

    def fork(self, m: Module, choice: stream.Interface, cipher: stream.Interface) -> None:
        m.d.comb += [
            choice.valid.eq(self.i.valid),
            cipher.valid.eq(self.i.valid & choice.ready),
            self.i.ready.eq(cipher.ready & choice.ready),
        ]


class LowScale(RandomSelectQuantizer):
    """Lanes round under the code below the one that is given out."""

    def thresholds(self, m: Module, platform: object, scale: Value, rest: Any) -> Any:
        return super().thresholds(m, platform, (scale - 1)[: len(scale)], rest)


def first_candidate(v: RandomSelectVariant) -> RandomSelectVariant:
    """There is no choice: the scale is that of amax / 6."""
    found = replace(v)
    vars(found)["choice"] = quantizer("quantizer-ue5m3-absmax-b2-bf16-cutaso")
    return found


def one_place_less(v: RandomSelectVariant) -> RandomSelectVariant:
    """One word less can wait for its scale: right words, at a slower pace."""

    class Short(RandomSelectVariant):
        """See above."""

        @property
        def waiting(self) -> int:
            return super().waiting - 1

    return Short(v.recipe, v.input, v.cuts, v.rounds, v.turn)


TURNS = "quantizer-ue5m3-4o6-sr4-b2-bf16-turn-r9"
EARLY = "quantizer-ue5m3-4o6-sr4-b2-bf16-turn-r3"
SIDES = "quantizer-ue5m3-4o6-sr4-b2-bf16-cutaow"

RANDOM_SELECT_MUTANTS: dict[str, tuple[str, str, Any]] = {
    "unpaired": (EARLY, "RandomSelectQuantizer", Unpaired),
    "eager-choice": (TURNS, "RandomSelectQuantizer", EagerChoice),
    "low-scale": (SIDES, "RandomSelectQuantizer", LowScale),
    "late-element": (SIDES, "RandomElement", LateElement),
    "complemented-draw": (SIDES, "RandomElement", ComplementedDraw),
    "first-candidate": (SIDES, "", first_candidate),
    "one-place-less": (SIDES, "", one_place_less),
}
"""Variant, unit of `rtl.random_select` that each mutant replaces, and by what; or how to change the
variant."""

PACE = ("one-place-less",)
"""Those whose words are right, at a slower pace."""

IN_TEST = ("eager-choice", "first-candidate")
"""Those that `make test` looks at; `make exhaustive` takes all."""


def random_select_mutant_verilog(name: str) -> str:
    """Return the Verilog of the mutant of that name."""
    of, unit, spoiled = RANDOM_SELECT_MUTANTS[name]
    v = quantizer(of)
    if unit:
        with mock.patch.object(random_select, unit, spoiled):
            return to_verilog(v)
    change: Callable[[Any], Any] = spoiled
    return to_verilog(change(v))
