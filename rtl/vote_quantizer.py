"""Quantizers that choose between two candidate scales by votes (spec §18)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.candidates import CandidateEncoder
from rtl.chain import Chain, numbered
from rtl.element import Element
from rtl.hierarchy import place
from rtl.leading import Leading
from rtl.thresholds import ThresholdGenerator
from rtl.unpack import Unpack
from rtl.vote_shapes import VoteShapes
from rtl.vote_variant import VoteVariant
from rtl.votes import Choice, LaneVote, QuarterVote, sum_of_lanes


class VoteQuantizer(wiring.Component):
    """Takes a block of numbers per cycle and gives its element codes and its scale code.

    The votes choose before the elements, so that there is one set of lanes. Latency: one cycle per
    pipeline cut of the variant. Interval: 1 (spec §12.5).

    Args:
        variant: what to build.

    Members:
        i: In, stream of input words (spec §11.1).
        o: Out, stream of output words (spec §11.2).
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, variant: VoteVariant) -> None:
        self.variant = variant
        self.shapes = VoteShapes.of_votes(variant)
        super().__init__(
            {
                "i": In(stream.Signature(variant.input_layout.width)),
                "o": Out(stream.Signature(variant.output_layout.width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The pipeline, from the input port to the output port."""
        m = Module()
        s, n = self.shapes, self.variant.recipe.block_size
        pipe = Chain(m, platform, self.variant.cuts, self.i)
        word = pipe.cut("i", {"word": self.i.payload}).word

        leading = Leading(s, n, 1 + s.voters)
        place(m, platform, "leading", leading, kind="leading")
        lanes = []
        for i in range(n):
            unpack = Unpack(s, whole=bool(s.voters))
            place(m, platform, f"unpack{i}", unpack, kind="unpack")
            m.d.comb += [
                unpack.x.eq(word.word_select(i, s.input.width)),
                leading.keys[i].eq(vote_key(s, unpack)),
            ]
            lanes.append(unpack.lane)
        runners = {f"voter{k}": key for k, key in enumerate(leading.leading[1:])}
        at = pipe.cut("a", {"amax": leading.leading[0], **runners, **numbered(lanes)})

        encoder = CandidateEncoder(s, numbered=False)
        place(m, platform, "candidate_encoder", encoder, kind="candidates")
        m.d.comb += encoder.amax.eq(at.amax)
        six, four = encoder.scales
        at = pipe.cut("s", {"six": six, "four": four, **self._without(at, "amax")})

        choice = Choice(s, n)
        place(m, platform, "choice", choice, kind="choice")
        votes = self._votes(m, platform, at)
        m.d.comb += [choice.six.eq(at.six), choice.four.eq(at.four), choice.votes.eq(votes)]
        lanes = [at[f"x{i}"] for i in range(n)]
        at = pipe.cut("v", {"scale": choice.scale, **numbered(lanes)})

        generator = ThresholdGenerator(s)
        place(m, platform, "threshold_generator", generator, kind="thresholds")
        m.d.comb += generator.scale.eq(at.scale)
        fields = {"thresholds": generator.thresholds, **self._without(at)}
        at = pipe.cut("t", fields)

        codes = []
        for i in range(n):
            element = Element(s)
            place(m, platform, f"element{i}", element, kind="element")
            m.d.comb += [element.lane.eq(at[f"x{i}"]), element.thresholds.eq(at.thresholds)]
            codes.append(element.code)
        out = pipe.cut("o", {"word": Cat(*codes, at.scale)})
        m.d.comb += self.o.payload.eq(out.word)
        pipe.end(self.o)
        return m

    def _votes(self, m: Module, platform: object, at: data.View) -> Value:
        """The sum of the votes."""
        s, n = self.shapes, self.variant.recipe.block_size
        reference = ThresholdGenerator(s)
        place(m, platform, "reference", reference, kind="thresholds")
        m.d.comb += reference.scale.eq(at.six)
        if s.voters:
            total: Value | None = None
            for k in range(s.voters):
                quarter = QuarterVote(s)
                place(m, platform, f"vote{k}", quarter, kind="vote")
                m.d.comb += [
                    quarter.key.eq(at[f"voter{k}"]),
                    quarter.origin.eq(reference.thresholds.origin),
                    quarter.significand.eq(reference.thresholds.n1),
                ]
                total = quarter.vote if total is None else total + quarter.vote
            assert total is not None
            return total
        lanes = []
        for i in range(n):
            vote = LaneVote(s)
            place(m, platform, f"vote{i}", vote, kind="vote")
            m.d.comb += [vote.lane.eq(at[f"x{i}"]), vote.thresholds.eq(reference.thresholds)]
            lanes.append(vote)
        return sum_of_lanes(m, lanes, s.sum_bits(n))

    @staticmethod
    def _without(at: data.View, *left: str) -> dict[str, Any]:
        """The fields of a cut but some."""
        return {name: at[name] for name, _ in at.shape() if name not in left}


def vote_key(s: VoteShapes, unpack: Unpack) -> Value:
    """The key of a lane, with the bits that quarters need (see `VoteShapes`)."""
    if not s.voters:
        return unpack.key.as_value()
    cut = s.input.fraction_bits - s.key_fraction_bits
    fraction = unpack.whole
    if cut > 0:
        fraction = Cat(fraction[: cut + 1].any(), fraction[cut + 1 :])
    return Cat(fraction, unpack.lane.exponent)
