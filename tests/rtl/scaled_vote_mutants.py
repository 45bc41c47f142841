"""Quantizers that vote under a tensor scale, with one deliberate fault each (spec §18)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import numpy as np
from amaranth.hdl import Cat, Const, Module

from cocotb_tests.subjects import subject
from rtl import vote_scaled_quantizer
from rtl.hierarchy import place
from rtl.scaled_unpack import Normalise
from rtl.variants import quantizer
from rtl.vote_scaled import Reaching, ScaledLaneVote, VoteThresholds
from rtl.vote_variant import VoteVariant
from tests.rtl.scaled_voting import gates_of
from tests.rtl.vote_mutants import LargestTwice, NormalChoice, VoteMutant


class BluntProduct(VoteThresholds):
    """The lowest bit of the tensor scale does not count for votes (spec §14.7)."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = VoteThresholds(self.shapes)
        place(m, platform, "sound", sound, kind="sound_reference")
        m.d.comb += [
            sound.scale.eq(self.scale),
            sound.g.eq(Cat(Const(0, 1), self.g.as_value()[1:])),
            self.thresholds.eq(sound.thresholds),
        ]
        return m


class _Without(VoteThresholds):
    """Some fields of the multiples are 0."""

    field = ""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = VoteThresholds(self.shapes)
        place(m, platform, "sound", sound, kind="sound_reference")
        m.d.comb += [sound.scale.eq(self.scale), sound.g.eq(self.g)]
        for name, _ in self.shapes.thresholds:
            if not name.startswith(self.field):
                m.d.comb += self.thresholds[name].eq(sound.thresholds[name])
        return m


class ReachedShort(_Without):
    """A magnitude reaches a multiple as far as it has bits, though that has more (spec §18.3)."""

    field = "beyond"


class ForgottenCarry(_Without):
    """No multiple is a binade higher than its odd number (spec §18.3)."""

    field = "carry"


class QuarterVotes(ScaledLaneVote):
    """A lane of exactly a quarter of s6 * g votes (spec §18.5)."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        reaching = Reaching(m, self.shapes, self.lane, self.thresholds)
        m.d.comb += self.some.eq(reaching.quarters(1))
        for k, port in ((8, self.reach2), (12, self.reach3), (16, self.reach4)):
            m.d.comb += port.eq(reaching.quarters(k))
        return m


class NoSubnormals(Normalise):
    """Subnormal voters count as zero (spec §4.2)."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sound = Normalise(self.shapes)
        place(m, platform, "sound", sound, kind="sound_normalise")
        normal = self.magnitude[self.shapes.input.fraction_bits :].any()
        m.d.comb += [
            sound.magnitude.eq(self.magnitude),
            self.number.eq(sound.number),
            self.number.some.eq(sound.number.some & normal),
        ]
        return m


SCALED_VOTE_MUTANTS = {
    "blunt-product": VoteMutant("VoteThresholds", BluntProduct, "quantizer-ue4m3-top2-h-b2-bf16"),
    "reached-short": VoteMutant("VoteThresholds", ReachedShort, "quantizer-ue5m3-pop-h-b2-bf16"),
    "reached-short-top": VoteMutant(
        "VoteThresholds", ReachedShort, "quantizer-ue4m3-top2-hbf16-b2-bf16"
    ),
    "forgotten-carry": VoteMutant(
        "VoteThresholds", ForgottenCarry, "quantizer-ue5m3-top2-hp2-b2-bf16"
    ),
    "quarter-votes": VoteMutant("ScaledLaneVote", QuarterVotes, "quantizer-ue4m3-pop-hp2-b4-bf16"),
    "no-subnormals": VoteMutant("Normalise", NoSubnormals, "quantizer-ue4m3-top2-pz-h256-b2-bf16"),
    "normal-choice": VoteMutant("Choice", NormalChoice, "quantizer-ue4m3-pop-pz-hbf16-b2-bf16"),
    "largest-twice": VoteMutant("Leading", LargestTwice, "quantizer-ue5m3-top2-h-b2-bf16"),
}


def caught_by(name: str, folder: Path, stimuli: Sequence[str] = ()) -> list[str]:
    """The directed stimuli that find a fault; ``stimuli`` are those that are looked at, or all."""
    fault = SCALED_VOTE_MUTANTS[name]
    v = quantizer(fault.name)
    assert isinstance(v, VoteVariant)
    about = subject(v)
    parts = {stimulus: about.stimulus(stimulus) for stimulus in stimuli or about.names()}
    words = np.concatenate(list(parts.values()))
    with mock.patch.object(vote_scaled_quantizer, fault.unit, fault.spoiled):
        found = gates_of(v, words, folder)
    wrong = (found != about.expected(words)).any(axis=1)
    caught, start = [], 0
    for stimulus, part in parts.items():
        if wrong[start : start + len(part)].any():
            caught.append(stimulus)
        start += len(part)
    return caught
