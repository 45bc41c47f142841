"""Dot: the units wired to a pipelined dot product (spec §16, §22)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.chain import Chain
from rtl.dot_accumulator import Accumulator, carried_layout, products_layout, shapes_of
from rtl.dot_epilogue import Epilogue
from rtl.dot_exact import ExactRound
from rtl.dot_float import SIGNIFICAND
from rtl.dot_multiply import FloatMultiply
from rtl.dot_normal import NormalProduct, field_range, width_of
from rtl.dot_pack import FloatPack
from rtl.dot_product import CODE_BITS, BlockSum
from rtl.dot_scales import ScaledSum, ScaleProduct
from rtl.dot_shapes import FLOAT_NAN
from rtl.dot_tensor_scales import PLACED, TensorScales
from rtl.dot_variant import DotVariant
from rtl.hierarchy import place


class Dot(wiring.Component):
    """Takes blocks of two operands per cycle and gives a float32 for each dot product.

    Latency: one cycle per pipeline cut of the variant, and one for the accumulator. Interval: 1.

    Args:
        variant: what to build.

    Members:
        i: In, stream of words of operands (spec §22.1).
        o: Out, stream of results (spec §22.4).
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, variant: DotVariant) -> None:
        self.variant = variant
        super().__init__(
            {
                "i": In(stream.Signature(variant.input_layout.width)),
                "o": Out(stream.Signature(variant.output_layout.width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The pipeline, from the input port to the output port."""
        m = Module()
        v = self.variant
        pipe = Chain(m, platform, v.cuts or "", self.i)
        word = pipe.cut("i", {"word": self.i.payload}).word
        carried = self._carried(m, platform, word) if v.accumulates else {}

        sums = self._sums(m, platform, word)
        at = pipe.cut("s", {**sums, **carried})
        carried = {name: at[name] for name in carried}

        products = self._products(m, platform, at)
        at = pipe.cut("p", {**products, **carried})
        if v.accumulates:
            result = self._accumulated(m, platform, pipe, at)
        else:
            result = self._converted(m, platform, at.product0)
        out = pipe.cut("o", {"word": result})
        m.d.comb += self.o.payload.eq(out.word)
        pipe.end(self.o)
        return m

    def _field(self, word: Value, name: str) -> Value:
        field = self.variant.input_layout.field(name)
        return word[field.offset : field.offset + field.width * field.count]

    def _carried(self, m: Module, platform: object, word: Value) -> dict[str, Any]:
        """What goes through the pipeline beside the numbers: of tensor scales their product."""
        kind = self.variant.tensor_scale
        carried: dict[str, Any] = {"last": self._field(word, "last")}
        if kind in PLACED:
            unit = TensorScales(kind)
            place(m, platform, "tensor_scales", unit)
            m.d.comb += [unit.a.eq(self._field(word, "a_g")), unit.b.eq(self._field(word, "b_g"))]
            carried["g"] = unit.g
        elif kind:
            carried["g"] = self._field(word, "g")
        return carried

    def _sums(self, m: Module, platform: object, word: Value) -> dict[str, Any]:
        """Sums of groups and products of scales, by name."""
        v, shapes = self.variant, shapes_of(self.variant)
        found: dict[str, Any] = {}
        a, b = (self._field(word, f"{x}_codes") for x in "ab")
        bits = CODE_BITS * v.group
        for g in range(v.groups):
            unit = BlockSum(shapes)
            place(m, platform, f"sum{g}", unit, kind="sum")
            m.d.comb += [unit.a.eq(a.word_select(g, bits)), unit.b.eq(b.word_select(g, bits))]
            found[f"sum{g}"] = unit.sum
        a, b = (self._field(word, f"{x}_scales") for x in "ab")
        for k in range(v.blocks):
            unit = ScaleProduct(shapes)
            place(m, platform, f"scales{k}", unit, kind="scales")
            m.d.comb += [unit.a.eq(a.word_select(k, 8)), unit.b.eq(b.word_select(k, 8))]
            found[f"scale{k}"] = unit.scale
        return found

    def _products(self, m: Module, platform: object, at: data.View) -> dict[str, Any]:
        """Products of groups, by name."""
        v, shapes = self.variant, shapes_of(self.variant)
        per_block, kind = v.groups // v.blocks, v.accumulation.kind
        found: dict[str, Any] = {}
        for g in range(v.groups):
            if kind in ("exact", "tc"):
                unit = ScaledSum(shapes, twos_complement=kind == "exact")
                place(m, platform, f"scaled{g}", unit, kind="scaled")
            else:
                unit = NormalProduct(shapes)
                place(m, platform, f"normal{g}", unit, kind="normal")
            m.d.comb += [unit.sum.eq(at[f"sum{g}"]), unit.scale.eq(at[f"scale{g // per_block}"])]
            found[f"product{g}"] = unit.product
        return found

    def _converted(self, m: Module, platform: object, term: data.View) -> Value:
        """The float32 of one product, rounded where float32 does not hold it (spec §16.2)."""
        shapes = shapes_of(self.variant)
        significand = Cat(Const(0, SIGNIFICAND - width_of(shapes)), term.significand)
        if not shapes.leaves_float:
            field = Mux(significand[-1], term.field, 0)
            sign = term.sign & significand[-1]
            return Mux(term.nan, FLOAT_NAN, Cat(significand[:-1], field, sign))
        unit = FloatPack(SIGNIFICAND, *field_range(shapes))
        place(m, platform, "convert", unit, kind="pack")
        m.d.comb += [
            unit.sign.eq(term.sign),  # 0 if the sum is 0
            unit.significand.eq(significand),
            unit.field.eq(term.field),
        ]
        return Mux(term.nan, FLOAT_NAN, unit.pattern)

    def _accumulated(self, m: Module, platform: object, pipe: Chain, at: data.View) -> Value:
        """The result word of the accumulator's sums."""
        v, shapes = self.variant, shapes_of(self.variant)
        loop = Accumulator(v)
        place(m, platform, "accumulator", loop, clocked=True)
        word = Signal(products_layout(v))
        m.d.comb += [word.products[g].eq(at[f"product{g}"]) for g in range(v.groups)]
        m.d.comb += [word[name].eq(at[name]) for name in carried_layout(v)]
        total = pipe.through(loop, word)

        state = total.state
        nan, pattern = state.nan, state.c
        if v.accumulation.kind == "exact":
            unit = ExactRound(shapes, len(state.c))
            place(m, platform, "convert", unit)
            m.d.comb += unit.c.eq(state.c)
            nan, pattern = nan | state.overflow, unit.pattern
        y: Value = Signal(32, name="sum")
        m.d.comb += y.eq(Mux(nan, FLOAT_NAN, pattern))
        flag: dict[str, Value] = {}
        if v.accumulation.kind == "exact":
            flag["overflow"] = Signal(name="overflow")
            m.d.comb += flag["overflow"].eq(state.overflow & ~state.nan)
        if v.tensor_scale:
            now = pipe.cut("c", {"y": y, "g": total.g, **flag})
            y, flag = self._scaled(m, platform, now), {name: now[name] for name in flag}
        return Cat(y, *flag.values())

    def _scaled(self, m: Module, platform: object, now: data.View) -> Value:
        """The sum times the tensor scale (spec §16.11)."""
        kind = str(self.variant.tensor_scale)
        if kind in PLACED:
            unit = Epilogue(kind)
            place(m, platform, "epilogue", unit)
            m.d.comb += [unit.c.eq(now.y), unit.g.eq(now.g)]
            return unit.product
        multiply = FloatMultiply(normal=True)
        place(m, platform, "multiply", multiply)
        m.d.comb += [multiply.x.eq(now.y), multiply.y.eq(now.g.pattern)]
        return multiply.product
