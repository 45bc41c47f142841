"""Quantizers that vote, with one deliberate fault each, for tests of what finds faults."""

from __future__ import annotations

from dataclasses import dataclass
from unittest import mock

from amaranth.hdl import Cat, Const, Module, Mux

from rtl import vote_quantizer
from rtl.hierarchy import place
from rtl.leading import Leading
from rtl.quantizer_variant import QuantizerVariant
from rtl.verilog import to_verilog
from rtl.votes import Choice, LaneVote, QuarterVote


class BluntQuarter(QuarterVote):
    """The lowest bit of a magnitude is left out (spec §18.3)."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = QuarterVote(self.shapes)
        place(m, platform, "sound", sound, kind="sound_vote")
        m.d.comb += [
            sound.key.exponent.eq(self.key.exponent),
            sound.key.fraction.eq(Cat(Const(0, 1), self.key.fraction[1:])),
            sound.origin.eq(self.origin),
            sound.significand.eq(self.significand),
            self.vote.eq(sound.vote),
        ]
        return m


class WrongQuarterTie(LaneVote):
    """A lane of exactly a quarter of s6 votes (spec §18.5)."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = LaneVote(self.shapes)
        place(m, platform, "sound", sound, kind="sound_vote")
        m.d.comb += [
            sound.lane.eq(self.lane),
            sound.lane.sticky.eq(1),
            sound.thresholds.eq(self.thresholds),
            self.some.eq(sound.some),
            self.reach2.eq(sound.reach2),
            self.reach3.eq(sound.reach3),
            self.reach4.eq(sound.reach4),
        ]
        return m


class NormalChoice(Choice):
    """Candidate 6 counts as normal: nothing is doubled or coarse (spec §18.1, §18.2)."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = Choice(self.shapes, self.block_size)
        place(m, platform, "sound", sound, kind="sound_choice")
        normal = self.six | (1 << self.shapes.scale.fraction_bits)
        m.d.comb += [
            sound.six.eq(normal),
            sound.four.eq(~normal),
            sound.votes.eq(self.votes),
            self.scale.eq(Mux(sound.scale == normal, self.six, self.four)),
        ]
        return m


class LargestTwice(Leading):
    """The largest magnitude counts among the others if it is in the first lane (spec §18.4)."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = Leading(self.shapes, self.lanes, self.count)
        place(m, platform, "sound", sound, kind="sound_leading")
        for i in range(self.lanes):
            m.d.comb += sound.keys[i].eq(self.keys[i])
        m.d.comb += self.leading[0].eq(sound.leading[0])
        equal = sound.leading[0].as_value() == self.keys[0].as_value()
        for k in range(1, self.count):
            m.d.comb += self.leading[k].eq(Mux(equal, sound.leading[0], sound.leading[k]))
        return m


@dataclass(frozen=True)
class VoteMutant:
    """Unit that is replaced, by what, and the variant that has it."""

    unit: str
    spoiled: type
    name: str


VOTE_MUTANTS = {
    "blunt-quarter": VoteMutant("QuarterVote", BluntQuarter, "quantizer-ue5m3-top2-b4-bf16"),
    "wrong-quarter-tie": VoteMutant("LaneVote", WrongQuarterTie, "quantizer-ue4m3-pop-b4-bf16"),
    "normal-choice": VoteMutant("Choice", NormalChoice, "quantizer-ue4m3-top3-pz-b4-bf16"),
    "largest-twice": VoteMutant("Leading", LargestTwice, "quantizer-ue5m3-top3-b4-bf16"),
}


def vote_mutant_verilog(variant: QuantizerVariant, name: str) -> str:
    """Return the Verilog of a voting variant with the fault of that name."""
    fault = VOTE_MUTANTS[name]
    with mock.patch.object(vote_quantizer, fault.unit, fault.spoiled):
        return to_verilog(variant)
