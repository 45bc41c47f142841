"""Quantizers that compare errors of limited width: 4o6, 3c, 6c with ``-e<bits>`` (spec §17.1).

Candidates stand side by side, and the scale is chosen before the elements; or they take turns,
elements and all.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

from rtl.bits import reaches
from rtl.candidates import CandidateEncoder
from rtl.chain import Chain
from rtl.hierarchy import place
from rtl.limited import Limited
from rtl.limited_error import LimitedMerit, Limits, NearestCode, Seen, tripled
from rtl.limited_table import step
from rtl.select import FirstLargest, keep_best, take_turns


class _Comparing(Limited):
    """What both kinds share: from the candidates' scales to their merits."""

    def decided(self, amax: Any) -> Value:
        """Whether candidate 6 exceeds the largest code before it is clamped (spec §17.4)."""
        s = self.shapes
        start = s.lanes.key_pattern(*step(s.scale, 6, s.scale.max_code + 1))
        return reaches(amax.as_value(), start)

    def limits(
        self, m: Module, platform: object, at: Any, candidates: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """What lanes compare with, and what the merits need; ``at`` has scales and reference."""
        compared: dict[str, Any] = {}
        needed: dict[str, Any] = {}
        for k in range(candidates):
            limits = Limits(self.shapes)
            place(m, platform, f"limits{k}", limits, kind="limits")
            m.d.comb += [limits.scale.eq(at[f"scale{k}"]), limits.reference.eq(at.reference)]
            compared[f"limits{k}"] = Cat(*limits.limits)
            needed |= {f"fraction{k}": limits.fraction, f"shift{k}": limits.shift}
        return compared, needed

    def nearest(self, m: Module, platform: object, at: Any, candidates: int) -> dict[str, Any]:
        """Lanes as integers, and their nearest magnitudes under each candidate."""
        s, n = self.shapes, self.lanes
        seen = []
        for i in range(n):
            unit = Seen(s)
            place(m, platform, f"seen{i}", unit, kind="seen")
            m.d.comb += unit.lane.eq(at[f"x{i}"])
            seen.append(unit.seen)
        fields: dict[str, Any] = {"seen": Cat(*seen)}
        for k in range(candidates):
            codes = []
            for i in range(n):
                nearest = NearestCode(s)
                place(m, platform, f"nearest{k}_{i}", nearest, kind="nearest")
                m.d.comb += nearest.seen.eq(seen[i])
                for j, port in enumerate(nearest.limits):
                    m.d.comb += port.eq(at[f"limits{k}"].word_select(j, s.limit_bits))
                codes.append(nearest.magnitude)
            fields[f"nearest{k}"] = Cat(*codes)
        return fields

    def merits(self, m: Module, platform: object, at: Any, candidates: int) -> list[Value]:
        """The merit of each candidate."""
        s, n = self.shapes, self.lanes
        once = [Cat(Const(1, 1), at.seen.word_select(i, s.bits)) for i in range(n)]
        triples = [tripled(m, f"triple{i}", y) for i, y in enumerate(once)]
        found = []
        for k in range(candidates):
            merit = LimitedMerit(s)
            place(m, platform, f"merit{k}", merit, kind="merit")
            m.d.comb += [merit.fraction.eq(at[f"fraction{k}"]), merit.shift.eq(at[f"shift{k}"])]
            for i in range(n):
                m.d.comb += [
                    merit.once[i].eq(once[i]),
                    merit.triple[i].eq(triples[i]),
                    merit.magnitude[i].eq(at[f"nearest{k}"].word_select(i, 3)),
                ]
            found.append(merit.merit)
        return found


class LimitedSelect(_Comparing):
    """Candidates side by side: one block per cycle. Latency: one cycle per cut; interval 1."""

    def elaborate(self, platform: object) -> Module:
        """The pipeline, from the input port to the output port."""
        m = Module()
        s, count = self.shapes, self.variant.candidates
        pipe = Chain(m, platform, self.variant.cuts, self.i)
        front = self.front(m, platform, pipe)
        encoder = CandidateEncoder(s.lanes, numbered=False)
        place(m, platform, "candidate_encoder", encoder, kind="candidates")
        decided = Signal()
        m.d.comb += [encoder.amax.eq(front.amax), decided.eq(self.decided(front.amax))]
        kept = {f"scale{k}": scale for k, scale in enumerate(encoder.scales)}
        kept |= {"decided": decided, **front.fields}
        at = pipe.cut("s", kept)
        compared, needed = self.limits(m, platform, at, count)
        at = pipe.cut("t", {**{name: at[name] for name in kept}, **compared, **needed})
        fields = {name: at[name] for name in (*kept, *needed)}
        at = pipe.cut("e", {**fields, **self.nearest(m, platform, at, count)})
        merits = self.merits(m, platform, at, count)
        chooser = FirstLargest(s.merit_bits, count)
        place(m, platform, "chooser", chooser, kind="chooser")
        m.d.comb += chooser.decided.eq(at.decided)
        m.d.comb += [port.eq(merit) for port, merit in zip(chooser.merits, merits, strict=True)]
        scales = [at[f"scale{k}"] for k in range(count)]
        for bit in chooser.winner:
            scales += scales[-1:] if len(scales) % 2 else []
            scales = [Mux(bit, *pair[::-1]) for pair in zip(scales[::2], scales[1::2], strict=True)]
        self.finish(m, platform, pipe, at, scales[0])
        return m


class LimitedInTurn(_Comparing):
    """One set of lanes, a candidate per cycle; a register keeps the best one so far.

    Interval: the number of candidates. Latency: see `LimitedVariant.latency`.
    """

    def elaborate(self, platform: object) -> Module:
        """The pipeline, from the input port to the register that keeps the best."""
        m = Module()
        s, last = self.shapes, self.variant.candidates - 1
        pipe = Chain(m, platform, self.variant.cuts, self.i)
        front = self.front(m, platform, pipe)
        number = take_turns(m, pipe, self.variant.candidates)
        encoder = CandidateEncoder(s.lanes, numbered=True)
        place(m, platform, "candidate_encoder", encoder, kind="candidates")
        about = Signal(3)
        m.d.comb += [
            encoder.amax.eq(front.amax),
            encoder.number.eq(number),
            about.eq(Cat(~number.any(), number == last, self.decided(front.amax))),
        ]
        kept = {"scale0": encoder.scales[0], "about": about, **front.fields}
        at = pipe.cut("s", kept)
        compared, needed = self.limits(m, platform, at, 1)
        at = pipe.cut("t", {**{name: at[name] for name in kept}, **compared, **needed})
        word = self.word(m, platform, at, at.scale0)
        fields = {name: at[name] for name in needed} | {"about": at.about, "word": word}
        at = pipe.cut("e", {**fields, **self.nearest(m, platform, at, 1)})
        (merit,) = self.merits(m, platform, at, 1)
        at = pipe.cut("f", {"about": at.about, "word": at.word, "merit": merit})
        keep_best(m, pipe, self.o, at.about, at.merit, at.word)
        return m
