"""Quantizers that choose among candidate scales with limited width (spec §17).

The scale is chosen before the elements, so that one set of element lanes serves all candidates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.amax import Amax
from rtl.candidates import CandidateEncoder
from rtl.chain import Chain, numbered
from rtl.hierarchy import place
from rtl.limited_cells import CellValue, TableChoice, TableOfAmax
from rtl.limited_lanes import Below, NearElement, NearThresholds, reference_of
from rtl.limited_scaled import ScaledAmax, ScaledNear
from rtl.limited_shapes import LimitedShapes
from rtl.limited_variant import LimitedVariant
from rtl.scaled_amax import LargestMagnitude
from rtl.scaled_shapes import ScaledShapes
from rtl.unpack import Unpack


@dataclass(frozen=True)
class Front:
    """What is known of a block behind cut a.

    Attributes:
        amax: `Shapes.key`, the block's largest key.
        reference: the lane exponent that lanes count from.
        lanes: `LimitedShapes.near`, one per lane.
    """

    amax: data.View
    reference: Value
    lanes: list[Any]

    @property
    def fields(self) -> dict[str, Any]:
        """What the elements need."""
        infinite = self.amax.exponent.all()
        return {"reference": self.reference, "infinite": infinite, **numbered(self.lanes)}


class Limited(wiring.Component):
    """What all kinds share: ports, and the units of the pipeline.

    Args:
        variant: what to build.

    Members:
        i: In, stream of input words (spec §11.1).
        o: Out, stream of output words (spec §11.2).
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, variant: LimitedVariant) -> None:
        self.variant = variant
        self.shapes = LimitedShapes.of(variant)
        self.lanes = variant.recipe.block_size
        super().__init__(
            {
                "i": In(stream.Signature(variant.input_layout.width)),
                "o": Out(stream.Signature(variant.output_layout.width)),
            }
        )

    def front(self, m: Module, platform: object, pipe: Chain) -> Front:
        """From the input port to behind cut a, and on to lanes that count from amax."""
        if self.shapes.scaled is not None:
            return self._scaled_front(m, platform, pipe, self.shapes.scaled)
        s, n = self.shapes, self.lanes
        word = pipe.cut("i", {"word": self.i.payload}).word
        amax = Amax(s.lanes, n)
        place(m, platform, "amax_tree", amax, kind="amax")
        lanes = []
        for i in range(n):
            unpack = Unpack(s.lanes, whole=True)
            place(m, platform, f"unpack{i}", unpack, kind="unpack")
            lane = Signal(s.lane, name=f"unpacked{i}")
            whole, spare = unpack.whole, len(unpack.whole) - s.fraction_bits
            m.d.comb += [
                unpack.x.eq(word.word_select(i, s.lanes.input.width)),
                amax.keys[i].eq(unpack.key),
                lane.sign.eq(unpack.lane.sign),
                lane.exponent.eq(unpack.lane.exponent),
                lane.fraction.eq(whole[spare:] if spare >= 0 else whole << -spare),
                lane.sticky.eq(whole[:spare].any() if spare > 0 else 0),
            ]
            lanes.append(lane)
        at = pipe.cut("a", {"amax": amax.amax, **numbered(lanes)})
        reference = Signal(s.lanes.exponent_bits)
        m.d.comb += reference.eq(reference_of(s, at.amax))
        found = []
        for i in range(n):
            lane, below = at[f"x{i}"], Below(s)
            place(m, platform, f"below{i}", below, kind="below")
            near = Signal(s.near, name=f"near{i}")
            m.d.comb += [
                below.reference.eq(reference),
                below.exponent.eq(lane.exponent),
                near.sign.eq(lane.sign),
                near.below.eq(below.below),
                near.fraction.eq(lane.fraction),
                near.sticky.eq(lane.sticky),
            ]
            found.append(near)
        return Front(at.amax, reference, found)

    def _scaled_front(
        self, m: Module, platform: object, pipe: Chain, scaled: ScaledShapes
    ) -> Front:
        """The same under a tensor scale."""
        s, n, width = self.shapes, self.lanes, scaled.input.width
        x, g = self.i.payload[: n * width], self.i.payload[n * width :][: sum(scaled.g_field)]
        at = pipe.cut("i", {"x": x, "g": g})
        tree = LargestMagnitude(width - 1, n)
        place(m, platform, "amax_tree", tree, kind="amax")
        for i in range(n):
            magnitude = at.x.word_select(i, width)[:-1]
            m.d.comb += tree.magnitudes.word_select(i, width - 1).eq(magnitude)
        at = pipe.cut("a", {"amax": tree.largest, "x": at.x, "g": at.g})
        amax = ScaledAmax(s)
        place(m, platform, "scaled_amax", amax)
        m.d.comb += [amax.largest.eq(at.amax), amax.g.eq(at.g)]
        found = []
        for i in range(n):
            near = ScaledNear(s)
            place(m, platform, f"near{i}", near, kind="near")
            m.d.comb += [near.x.eq(at.x.word_select(i, width)), near.start.eq(amax.start)]
            found.append(near.near)
        return Front(amax.amax, amax.reference, found)

    def word(self, m: Module, platform: object, at: Any, scale: Value) -> Value:
        """The output word under a scale (spec §11.2).

        Args:
            m: the module.
            platform: that of `elaborate`.
            at: has ``reference``, ``infinite`` and the lanes, ``x<i>``.
            scale: stored scale code.
        """
        s = self.shapes
        generator = NearThresholds(s)
        place(m, platform, "threshold_generator", generator, kind="near_thresholds")
        m.d.comb += [
            generator.scale.eq(scale),
            generator.reference.eq(at.reference),
            generator.infinite.eq(at.infinite),
        ]
        codes = []
        for i in range(self.lanes):
            element = NearElement(s)
            place(m, platform, f"element{i}", element, kind="element")
            lane, spare = at[f"x{i}"], s.fraction_bits - s.lanes.fraction_bits
            m.d.comb += [
                element.thresholds.eq(generator.thresholds),
                element.lane.sign.eq(lane.sign),
                element.lane.below.eq(lane.below),
                element.lane.fraction.eq(lane.fraction[spare:]),
                element.lane.sticky.eq(lane.sticky | lane.fraction[:spare].any()),
            ]
            codes.append(element.code)
        return Cat(*codes, scale)

    def finish(self, m: Module, platform: object, pipe: Chain, at: Any, chosen: Value) -> None:
        """From the choice to the output port.

        Args:
            m: the module.
            platform: that of `elaborate`.
            pipe: gets the cuts.
            at: as for `word`.
            chosen: stored scale code.
        """
        lanes = numbered([at[f"x{i}"] for i in range(self.lanes)])
        about = {"reference": at.reference, "infinite": at.infinite}
        at = pipe.cut("f", {"scale": chosen, **about, **lanes})
        out = pipe.cut("o", {"word": self.word(m, platform, at, at.scale)})
        m.d.comb += self.o.payload.eq(out.word)
        pipe.end(self.o)


class TableSelect(Limited):
    """Rule 4o6t: one block per cycle. Latency: one cycle per cut; interval 1."""

    def elaborate(self, platform: object) -> Module:
        """The pipeline, from the input port to the output port."""
        m = Module()
        s, n = self.shapes, self.lanes
        pipe = Chain(m, platform, self.variant.cuts, self.i)
        front = self.front(m, platform, pipe)
        encoder = CandidateEncoder(s.lanes, numbered=False)
        place(m, platform, "candidate_encoder", encoder, kind="candidates")
        m.d.comb += encoder.amax.eq(front.amax)
        kept = {"six": encoder.scales[0], "four": encoder.scales[1], **front.fields}
        at = pipe.cut("s", {"amax": front.amax, **kept})

        table = TableOfAmax(s)
        place(m, platform, "table", table)
        m.d.comb += table.amax.eq(at.amax)
        kept = {name: at[name] for name in kept}
        at = pipe.cut("t", {"table": table.table, "only6": table.six, **kept})

        values = []
        for i in range(n):
            cell = CellValue(s)
            place(m, platform, f"cell{i}", cell, kind="cell")
            lane = at[f"x{i}"]
            m.d.comb += [
                cell.table.eq(at.table),
                cell.below.eq(lane.below),
                cell.fraction.eq(lane.fraction[-3:]),
            ]
            values.append(cell.value)
        kept = {name: at[name] for name in kept}
        at = pipe.cut("e", {"values": Cat(*values), "only6": at.only6, **kept})

        choice = TableChoice(n)
        place(m, platform, "choice", choice)
        m.d.comb += choice.values.eq(at.values)
        self.finish(m, platform, pipe, at, Mux(choice.positive & ~at.only6, at.four, at.six))
        return m
