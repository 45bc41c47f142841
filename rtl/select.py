"""Quantizers that choose among candidate scales by the exact squared error (spec §15).

Candidates stand side by side (`SelectQuantizer`) or share one set of lanes and take turns
(`SelectInTurn`). Both are chains of the same units; `Evaluation` is what a candidate needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.amax import Amax
from rtl.amax_bits import AmaxBits
from rtl.candidates import CandidateEncoder
from rtl.chain import Chain, numbered
from rtl.columns import ripple_add
from rtl.element import Element
from rtl.hierarchy import place
from rtl.limited_variant import LimitedVariant
from rtl.powers import PowerElement, PowerReference, PowerSteps, is_infinite
from rtl.select_error import Merit, lane_layout
from rtl.select_shapes import SelectShapes
from rtl.select_variant import SelectVariant
from rtl.thresholds import ThresholdGenerator
from rtl.unpack import Unpack


class Selecting(wiring.Component):
    """What both kinds share: ports, and the units of the pipeline.

    Args:
        variant: what to build.
        shapes: widths; by default `SelectShapes` of the variant.

    Members:
        i: In, stream of input words (spec §11.1, §23.1).
        o: Out, stream of output words (spec §11.2).
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(
        self, variant: SelectVariant | LimitedVariant, shapes: SelectShapes | None = None
    ) -> None:
        self.variant = variant
        self.shapes = SelectShapes.of(variant) if shapes is None else shapes
        self.lanes = variant.recipe.block_size
        super().__init__(
            {
                "i": In(stream.Signature(variant.input_layout.width)),
                "o": Out(stream.Signature(variant.output_layout.width)),
            }
        )

    def front(self, m: Module, platform: object, pipe: Chain) -> Any:
        """From the input port to behind cut a: lanes and the largest key."""
        s, n = self.shapes, self.lanes
        word = pipe.cut("i", {"word": self.i.payload}).word
        amax = (AmaxBits if s.lanes.powers else Amax)(s.lanes, n)
        place(m, platform, "amax_tree", amax, kind="amax")
        lanes = []
        for i in range(n):
            unpack = Unpack(s.lanes, whole=True)
            place(m, platform, f"unpack{i}", unpack, kind="unpack")
            lane = Signal(lane_layout(s), name=f"unpacked{i}")
            m.d.comb += [
                unpack.x.eq(word.word_select(i, s.lanes.input.width)),
                amax.keys[i].eq(unpack.key),
                lane.whole.eq(unpack.whole),
                lane.exponent.eq(unpack.lane.exponent),
                lane.sign.eq(unpack.lane.sign),
            ]
            lanes.append(lane)
        return pipe.cut("a", {"amax": amax.amax, **numbered(lanes)})

    def candidates(
        self, m: Module, platform: object, at: Any, number: Value | None
    ) -> tuple[dict[str, Any], Value]:
        """From behind cut a to cut s.

        Args:
            m: the module.
            platform: that of `elaborate`.
            at: what `front` gave.
            number: of the candidate, if they take turns.

        Returns:
            What `evaluate` needs but ``about``, and whether the first candidate wins anyway.
        """
        encoder = CandidateEncoder(self.shapes.lanes, numbered=number is not None)
        place(m, platform, "candidate_encoder", encoder, kind="candidates")
        m.d.comb += encoder.amax.eq(at.amax)
        if number is not None:
            m.d.comb += encoder.number.eq(number)
        scales = {f"scale{k}": scale for k, scale in enumerate(encoder.scales)}
        lanes = numbered([at[f"x{i}"] for i in range(self.lanes)])
        return {**scales, "peak": at.amax.exponent, **lanes}, self.decided(at.amax)

    def decided(self, amax: Any) -> Value:
        """Whether the first candidate wins without a look at errors."""
        least = self.shapes.decided_from
        return Const(0, 1) if least is None else amax.exponent >= least

    def evaluate(
        self, m: Module, platform: object, pipe: Chain, at: Any, candidates: int
    ) -> Evaluated:
        """From behind cut s to behind cut f: element codes and merits of the candidates.

        Args:
            m: the module.
            platform: that of `elaborate`.
            pipe: gets the cuts.
            at: has ``scale<k>`` of each candidate, ``peak``, the lane exponent of amax, ``x<i>``
                and ``about``, which goes along.
            candidates: their number.
        """
        n, kinds = self.lanes, range(candidates)
        fields = {f"scale{k}": at[f"scale{k}"] for k in kinds} | {"about": at.about}
        lanes = [at[f"x{i}"] for i in range(n)]
        thresholds = {}
        for k in kinds:
            if self.shapes.lanes.powers:
                reference = PowerReference(self.shapes.lanes)
                place(m, platform, f"power_reference{k}", reference, kind="power_reference")
                m.d.comb += reference.scale.eq(at[f"scale{k}"])
                thresholds[f"thresholds{k}"] = reference.reference
                continue
            generator = ThresholdGenerator(self.shapes.lanes)
            place(m, platform, f"threshold_generator{k}", generator, kind="thresholds")
            m.d.comb += generator.scale.eq(at[f"scale{k}"])
            thresholds[f"thresholds{k}"] = generator.thresholds
        at = pipe.cut("t", {**fields, **thresholds, "peak": at.peak, **numbered(lanes)})
        at = pipe.cut("e", self._codes(m, platform, at, candidates))

        fields = {name: at[name] for name in fields}
        codes = {f"codes{k}": at[f"codes{k}"] for k in kinds}
        merits = self._merits(m, platform, at, candidates)
        at = pipe.cut("f", {**fields, **codes, "signs": at.signs, **merits})
        return Evaluated(
            [word_of(at[f"codes{k}"], at.signs, at[f"scale{k}"], n) for k in kinds],
            [at[f"merit{k}"] for k in kinds],
            at.about,
        )

    def _codes(self, m: Module, platform: object, at: Any, candidates: int) -> dict[str, Any]:
        """Magnitude codes and steps of all lanes under each candidate, and the lanes' rest."""
        s, n = self.shapes, self.lanes
        lanes = [at[f"x{i}"] for i in range(n)]
        fields: dict[str, Any] = {"about": at.about, "wholes": Cat(*(x.whole for x in lanes))}
        if s.lanes.powers:
            return fields | self._power_codes(m, platform, at, candidates)
        for k in range(candidates):
            thresholds = at[f"thresholds{k}"]
            codes, steps, signs = [], [], []
            for i, lane in enumerate(lanes):
                element = Element(s.lanes)
                place(m, platform, f"element{k}_{i}", element, kind="element")
                above = Signal(s.lanes.exponent_bits, name=f"above{k}_{i}")
                m.d.comb += [
                    element.thresholds.eq(thresholds),
                    above.eq(lane.exponent - thresholds.origin),
                    *self._shorten(element.lane, lane),
                ]
                codes.append(element.code[:3])
                signs.append(element.code[3])
                steps.append(above[: s.steps_bits])
            peak = Signal(s.lanes.exponent_bits, name=f"peak{k}")
            m.d.comb += peak.eq(at.peak - thresholds.origin)
            fields |= {
                f"scale{k}": at[f"scale{k}"],
                f"codes{k}": Cat(*codes),
                f"steps{k}": Cat(*steps),
                f"peak{k}": peak[:3],
                f"fraction{k}": thresholds.n1,
                "signs": Cat(*signs),  # equal for all candidates
            }
        return fields

    def _power_codes(self, m: Module, platform: object, at: Any, candidates: int) -> dict[str, Any]:
        """The same under powers of two, with the leading ones of raw lanes."""
        s, n = self.shapes, self.lanes
        lanes = [at[f"x{i}"] for i in range(n)]
        leading = [lane.exponent.any() if s.lanes.raw else Const(1, 1) for lane in lanes]
        fields: dict[str, Any] = {"leading": Cat(*leading)} if s.lanes.raw else {}
        for k in range(candidates):
            reference, scale = at[f"thresholds{k}"], at[f"scale{k}"]
            codes, steps, signs = [], [], []
            for i, lane in enumerate(lanes):
                stepper, element = PowerSteps(s.lanes), PowerElement(s.lanes)
                place(m, platform, f"steps{k}_{i}", stepper, kind="steps")
                place(m, platform, f"element{k}_{i}", element, kind="element")
                above = Signal(3, name=f"above{k}_{i}")
                # A subnormal has the exponent of field 1, without a leading one (spec §2.1); where
                # it counts, three bits show it.
                low = lane.exponent[:3]
                low = low | (reference.tiny & ~low.any())
                m.d.comb += [
                    stepper.reference.eq(reference),
                    element.stepped.eq(stepper.stepped),
                    element.infinite.eq(is_infinite(s.lanes, scale)),
                    above.eq(low + s.plain_steps - reference.origin),
                    *self._shorten(stepper.lane, lane),
                ]
                codes.append(element.code[:3])
                signs.append(element.code[3])
                steps.append(above)
            peak = Signal(3, name=f"peak{k}")
            m.d.comb += peak.eq(at.peak[:3] + s.plain_steps - reference.origin)
            fields |= {
                f"scale{k}": scale,
                f"codes{k}": Cat(*codes),
                f"steps{k}": Cat(*steps),
                f"peak{k}": peak,
                f"fraction{k}": Const(0, 1),
                "signs": Cat(*signs),  # equal for all candidates
            }
        return fields

    def _shorten(self, short: Any, lane: Any) -> list[Any]:
        """The statements that make an element's lane."""
        k, f = self.shapes.lanes.fraction_bits, self.shapes.whole_bits
        spare = f - k
        return [
            short.sign.eq(lane.sign),
            short.exponent.eq(lane.exponent),
            short.fraction.eq(lane.whole[spare:] if spare >= 0 else lane.whole << -spare),
            short.sticky.eq(lane.whole[:spare].any() if spare > 0 else 0),
        ]

    def _merits(self, m: Module, platform: object, at: Any, candidates: int) -> dict[str, Any]:
        """The merit of each candidate."""
        s, n = self.shapes, self.lanes
        wholes = [at.wholes.word_select(i, s.whole_bits) for i in range(n)]
        ones, triples = [], []
        for i, whole in enumerate(wholes):
            triple = Signal(s.whole_bits + 3, name=f"triple{i}")
            one = Cat(whole, at.leading[i] if s.lanes.raw else Const(1, 1))
            ones.append(one)
            m.d.comb += triple.eq(ripple_add(m, f"triple{i}", one, Cat(Const(0, 1), one)))
            triples.append(triple)
        fields = {}
        for k in range(candidates):
            merit = Merit(s, n)
            place(m, platform, f"merit{k}", merit, kind="merit")
            m.d.comb += [merit.fraction.eq(at[f"fraction{k}"]), merit.peak.eq(at[f"peak{k}"])]
            for i in range(n):
                m.d.comb += [
                    merit.significand[i].eq(ones[i]),
                    merit.triple[i].eq(triples[i]),
                    merit.steps[i].eq(at[f"steps{k}"].word_select(i, s.steps_bits)),
                    merit.magnitude[i].eq(at[f"codes{k}"].word_select(i, 3)),
                ]
            fields[f"merit{k}"] = merit.merit
        return fields


@dataclass(frozen=True)
class Evaluated:
    """What is known of the candidates of a block: output words, merits, and what went along."""

    words: Sequence[Value]
    merits: Sequence[Value]
    about: Any


class SelectQuantizer(Selecting):
    """Candidates side by side: one block per cycle. Latency: one cycle per cut; interval 1."""

    def elaborate(self, platform: object) -> Module:
        """The pipeline, from the input port to the output port."""
        m = Module()
        variant = self.variant
        pipe = Chain(m, platform, variant.cuts, self.i)
        at = self.front(m, platform, pipe)
        fields, wins = self.candidates(m, platform, at, None)
        decided = Signal()
        m.d.comb += decided.eq(wins)
        at = pipe.cut("s", {**fields, "about": decided})
        found = self.evaluate(m, platform, pipe, at, variant.candidates)
        chooser = FirstLargest(len(found.merits[0]), variant.candidates)
        place(m, platform, "chooser", chooser, kind="chooser")
        m.d.comb += chooser.decided.eq(found.about)
        m.d.comb += [
            port.eq(merit) for port, merit in zip(chooser.merits, found.merits, strict=True)
        ]
        words = list(found.words)
        for bit in chooser.winner:
            words += words[-1:] if len(words) % 2 else []
            words = [Mux(bit, *pair[::-1]) for pair in zip(words[::2], words[1::2], strict=True)]
        out = pipe.cut("o", {"word": words[0]})
        m.d.comb += self.o.payload.eq(out.word)
        pipe.end(self.o)
        return m


class SelectInTurn(Selecting):
    """One set of lanes, a candidate per cycle; a register keeps the best one so far.

    Interval: the number of candidates. Latency: see `SelectVariant.latency`.
    """

    def elaborate(self, platform: object) -> Module:
        """The pipeline, from the input port to the register that keeps the best."""
        m = Module()
        variant = self.variant
        pipe = Chain(m, platform, variant.cuts, self.i)
        at = self.front(m, platform, pipe)
        last = variant.candidates - 1
        number = take_turns(m, pipe, variant.candidates)
        fields, wins = self.candidates(m, platform, at, number)
        about = Signal(3)
        m.d.comb += about.eq(Cat(~number.any(), number == last, wins))
        at = pipe.cut("s", {**fields, "about": about})
        found = self.evaluate(m, platform, pipe, at, 1)
        keep_best(m, pipe, self.o, found.about, found.merits[0], found.words[0])
        return m


def take_turns(m: Module, pipe: Chain, candidates: int) -> Signal:
    """The number of the candidate of this cycle; the word before it waits for the last one."""
    last = candidates - 1
    number = Signal(range(candidates))
    ready = Signal()
    m.d.comb += pipe.ready.eq(ready & (number == last))
    with m.If(pipe.valid & ready):
        m.d.sync += number.eq(Mux(number == last, 0, number + 1))
    pipe.ready = ready
    return number


def keep_best(
    m: Module, pipe: Chain, sink: stream.Interface, about: Value, merit: Value, word: Value
) -> None:
    """The output register: the first candidate, and each that beats all before it.

    Args:
        m: the module.
        pipe: the stages before it.
        sink: the unit's output stream.
        about: whether the candidate is the first one, the last one, and whether the first wins.
        merit: of the candidate; larger is better.
        word: what the register takes.
    """
    first, final, decided = about
    best = Signal(len(merit), reset_less=True)
    kept = Signal(len(word), reset_less=True)
    done = Signal()
    take = Signal()
    m.d.comb += [
        pipe.ready.eq(~done | sink.ready),
        take.eq(pipe.valid & pipe.ready & (first | ((merit > best) & ~decided))),
        sink.payload.eq(kept),
        sink.valid.eq(done),
    ]
    with m.If(pipe.ready):
        m.d.sync += done.eq(pipe.valid & final)
    with m.If(take):
        m.d.sync += [best.eq(merit), kept.eq(word)]


class FirstLargest(wiring.Component):
    """The first candidate whose merit no other exceeds (spec §15.3). Combinational.

    Any unit with a ``winner`` can stand here: what it goes by is its own affair.

    Args:
        width: of the merits.
        candidates: their number.

    Members:
        merits_<k>: In, the merits in the candidates' order.
        decided: In, whether the first one wins anyway.
        winner: Out, number of the candidate.
    """

    merits: list[Signal]
    decided: Signal
    winner: Signal

    def __init__(self, width: int, candidates: int) -> None:
        super().__init__(
            {
                "merits": In(width).array(candidates),
                "decided": In(1),
                "winner": Out((candidates - 1).bit_length()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        winner: Value = Const(0, len(self.winner))
        best: Value = self.merits[0]
        for k, merit in enumerate(self.merits[1:], 1):
            larger = Signal(name=f"larger{k}")
            after = Signal(len(merit), name=f"best{k}")
            chosen = Signal(len(self.winner), name=f"winner{k}")
            m.d.comb += [
                larger.eq(merit > best),
                after.eq(Mux(larger, merit, best)),
                chosen.eq(Mux(larger, k, winner)),
            ]
            best, winner = after, chosen
        m.d.comb += self.winner.eq(Mux(self.decided, 0, winner))
        return m


def word_of(codes: Value, signs: Value, scale: Value, lanes: int) -> Value:
    """An output word (spec §11.2)."""
    parts = [Cat(codes.word_select(i, 3), signs[i]) for i in range(lanes)]
    return Cat(*parts, scale)
