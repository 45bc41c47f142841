"""Quantizers that choose by votes under a tensor scale (spec §18, §14.7, §23)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.chain import Chain, numbered
from rtl.hierarchy import place
from rtl.leading import Leading
from rtl.ripple import subtract
from rtl.scaled_element import CountingElement, ScaledElement
from rtl.scaled_shapes import ScaledShapes
from rtl.scaled_thresholds import ScaledThresholds
from rtl.scaled_unpack import Normalise
from rtl.select_scaled_candidates import ScaledCandidates
from rtl.vote_scaled import ScaledLaneVote, ScaledQuarterVote, VoteThresholds
from rtl.vote_scaled_shapes import ScaledVoteShapes
from rtl.vote_variant import VoteVariant
from rtl.votes import Choice, sum_of_lanes


class NormalisedElement(CountingElement):
    """The element code of a number that is normalised already. Combinational.

    Args:
        shapes: widths.

    Members:
        number: In, `ScaledShapes.number`.
        sign: In, its sign.
        thresholds: In, `ScaledShapes.thresholds`.
        code: Out, as for `rtl.scaled_element.ScaledElement`.
    """

    number: data.View
    sign: Signal
    code: Signal

    def __init__(self, shapes: ScaledShapes) -> None:
        super().__init__(shapes, {"number": In(shapes.number), "sign": In(1), "code": Out(4)})

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        t, number = self.thresholds, self.number
        steps, not_negative = subtract(m, number.exponent, t.origin, "steps", select=False)
        positive, top = Signal(), Signal()
        magnitude = self.magnitude(m, number.fraction, steps[:3])
        m.d.comb += [
            positive.eq(not_negative & number.some),
            # Infinity is 7 under every scale (spec §6.2).
            top.eq(steps[3:].any() | (number.exponent.all() & ~t.none)),
            self.code.eq(
                Cat((magnitude | top.replicate(3)) & positive.replicate(3), self.sign & ~t.nan)
            ),
        ]
        return m


class ScaledVoteQuantizer(wiring.Component):
    """Takes a block and its tensor scale per cycle; gives element codes and a scale code.

    As in `rtl.vote_quantizer`, the votes choose before the elements, so that there is one set of
    lanes. Latency: one cycle per pipeline cut of the variant. Interval: 1 (spec §12.5).

    Args:
        variant: what to build; its recipe has a tensor scale.

    Members:
        i: In, stream of input words (spec §23.1).
        o: Out, stream of output words (spec §11.2).
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, variant: VoteVariant) -> None:
        self.variant = variant
        self.shapes = ScaledVoteShapes.of_votes(variant)
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
        width = s.input.width
        pipe = Chain(m, platform, self.variant.cuts, self.i)

        # The tensor scale's sign, if it has one, is always 0 (spec §14.6).
        x, g = self.i.payload[: n * width], self.i.payload[n * width :][: sum(s.g_field)]
        at = pipe.cut("i", {"x": x, "g": g})
        leading = Leading(s, n, 1 + s.voters)
        place(m, platform, "leading", leading, kind="leading")
        for i in range(n):
            m.d.comb += leading.keys[i].eq(at.x.word_select(i, width)[:-1])
        voters = {f"voter{k}": key for k, key in enumerate(leading.leading[1:])}
        at = pipe.cut("a", {"amax": leading.leading[0], **voters, "x": at.x, "g": at.g})

        encoder = ScaledCandidates(s.elements, numbered=False)
        place(m, platform, "candidate_encoder", encoder, kind="candidates")
        m.d.comb += [encoder.amax.eq(at.amax), encoder.g.eq(at.g)]
        six, four = encoder.scales
        voters = {name: at[name] for name in voters}
        at = pipe.cut("s", {"six": six, "four": four, **voters, "x": at.x, "g": at.g})

        choice = Choice(s, n)
        place(m, platform, "choice", choice, kind="choice")
        votes, lanes = self._votes(m, platform, at)
        m.d.comb += [choice.six.eq(at.six), choice.four.eq(at.four), choice.votes.eq(votes)]
        at = pipe.cut("v", {"scale": choice.scale, "g": at.g, **lanes})

        generator = ScaledThresholds(s.elements)
        place(m, platform, "threshold_generator", generator, kind="thresholds")
        m.d.comb += [generator.scale.eq(at.scale), generator.g.eq(at.g)]
        shared = {"scale": at.scale, "thresholds": generator.thresholds}
        at = pipe.cut("t", shared | {name: at[name] for name in lanes})

        codes = self._codes(m, platform, at)
        out = pipe.cut("o", {"word": Cat(*codes, at.scale)})
        m.d.comb += self.o.payload.eq(out.word)
        pipe.end(self.o)
        return m

    def _votes(self, m: Module, platform: object, at: Any) -> tuple[Value, dict[str, Any]]:
        """The sum of the votes, and the lanes: as they came, or normalised if all of them vote."""
        s, n = self.shapes, self.variant.recipe.block_size
        reference = VoteThresholds(s)
        place(m, platform, "reference", reference, kind="reference")
        m.d.comb += [reference.scale.eq(at.six), reference.g.eq(at.g)]
        if s.voters:
            total: Value = Const(0)
            for k in range(s.voters):
                vote = ScaledQuarterVote(s)
                place(m, platform, f"vote{k}", vote, kind="vote")
                m.d.comb += [
                    vote.lane.eq(self._normalised(m, platform, k, at[f"voter{k}"])),
                    vote.thresholds.eq(reference.thresholds),
                ]
                total = total + vote.vote if k else vote.vote
            return total, {"x": at.x}
        votes, lanes, signs = [], [], []
        for i in range(n):
            x = at.x.word_select(i, s.input.width)
            vote = ScaledLaneVote(s)
            place(m, platform, f"vote{i}", vote, kind="vote")
            lanes.append(self._normalised(m, platform, i, x[:-1]))
            signs.append(x[-1])
            m.d.comb += [vote.lane.eq(lanes[i]), vote.thresholds.eq(reference.thresholds)]
            votes.append(vote)
        total = sum_of_lanes(m, votes, s.sum_bits(n))
        return total, {"signs": Cat(*signs), **numbered(lanes)}

    def _normalised(self, m: Module, platform: object, i: int, magnitude: Any) -> data.View:
        """A magnitude with its leading one in front."""
        normalise = Normalise(self.shapes.elements)
        place(m, platform, f"normalise{i}", normalise, kind="normalise")
        m.d.comb += normalise.magnitude.eq(magnitude)
        return normalise.number

    def _codes(self, m: Module, platform: object, at: Any) -> list[Value]:
        """The element codes of all lanes."""
        s, codes = self.shapes, []
        for i in range(self.variant.recipe.block_size):
            if s.voters:
                element = ScaledElement(s.elements)
                m.d.comb += element.x.eq(at.x.word_select(i, s.input.width))
            else:
                element = NormalisedElement(s.elements)
                m.d.comb += [element.number.eq(at[f"x{i}"]), element.sign.eq(at.signs[i])]
            place(m, platform, f"element{i}", element, kind="element")
            m.d.comb += element.thresholds.eq(at.thresholds)
            codes.append(element.code)
        return codes
