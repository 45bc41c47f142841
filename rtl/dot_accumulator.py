"""The loop of a dot product: a register, and what is added to it in one cycle (spec §22.5)."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, ShapeLike, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from emulator.accumulation import Accumulation
from rtl.dot_add import FloatAdd
from rtl.dot_exact import ExactAdd, accumulator_bits
from rtl.dot_normal import number_layout
from rtl.dot_scales import term_layout, value_layout
from rtl.dot_shapes import DotShapes
from rtl.dot_tensor import TensorStep
from rtl.dot_tensor_scales import product_layout
from rtl.dot_variant import DotVariant
from rtl.hierarchy import place


def shapes_of(variant: DotVariant) -> DotShapes:
    """The shapes of what is summed before the scales enter: a block, or a group (spec §16.7)."""
    return DotShapes(variant.scale, variant.group)


def state_layout(variant: DotVariant) -> data.StructLayout:
    """What the register of the loop holds."""
    bits = 32
    fields: dict[str, ShapeLike] = {}
    if variant.accumulation.kind == "exact":
        bits = accumulator_bits(shapes_of(variant), variant.exact_blocks)
        fields["overflow"] = 1
    return data.StructLayout({"c": bits, "nan": 1, **fields})


def products_layout(variant: DotVariant) -> data.StructLayout:
    """The products of a word's blocks or groups, and what goes with them."""
    product = {"exact": value_layout, "tc": term_layout}.get(
        variant.accumulation.kind, number_layout
    )
    fields: dict[str, ShapeLike] = {
        "products": data.ArrayLayout(product(shapes_of(variant)), variant.groups)
    }
    return data.StructLayout(fields | carried_layout(variant))


def carried_layout(variant: DotVariant) -> dict[str, ShapeLike]:
    """What goes through the pipeline beside the numbers."""
    fields: dict[str, ShapeLike] = {"last": 1}
    return fields | scale_layout_of(variant)


def scale_layout_of(variant: DotVariant) -> dict[str, ShapeLike]:
    """The tensor scale, where there is one."""
    kind = variant.tensor_scale
    return {"g": product_layout(kind)} if kind else {}


class Accumulator(wiring.Component):
    """Adds up the products of the words of a dot product; shows the sum after the last one.

    Latency 1, interval 1: a sum that is being taken makes room for the next one's first word.

    Args:
        variant: what to build.

    Members:
        i: In, stream of `products_layout`.
        o: Out, stream of `state_layout`, with ``g`` of the last word where there is one.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, variant: DotVariant) -> None:
        self.variant = variant
        state = state_layout(variant)
        fields: dict[str, ShapeLike] = {"state": state, **scale_layout_of(variant)}
        super().__init__(
            {
                "i": In(stream.Signature(products_layout(variant))),
                "o": Out(stream.Signature(data.StructLayout(fields))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """One register; only what says whether it counts is reset (spec §12.4)."""
        m = Module()
        layout = state_layout(self.variant)
        state = Signal(layout, reset_less=True)
        start, after = Signal(layout), Signal(layout)
        fresh, done = Signal(init=1), Signal()
        m.d.comb += [
            self.i.ready.eq(~done | self.o.ready),
            self.o.valid.eq(done),
            self.o.payload.state.eq(state),
            start.eq(Mux(fresh, 0, state.as_value())),
        ]
        word = self.i.payload
        nan: Value = start.nan
        for g in range(self.variant.groups):
            nan = nan | word.products[g].nan
        m.d.comb += after.nan.eq(nan)
        getattr(self, f"_{self.variant.accumulation.kind}")(m, platform, start, after)
        kind = self.variant.tensor_scale
        g = Signal(product_layout(kind), reset_less=True) if kind else None
        if g is not None:
            m.d.comb += self.o.payload.g.eq(g)
        with m.If(self.i.ready):
            m.d.sync += done.eq(self.i.valid & word.last)
            with m.If(self.i.valid):
                m.d.sync += [state.eq(after), fresh.eq(word.last)]
                if g is not None:
                    m.d.sync += g.eq(word.g)
        return m

    def _fp32(self, m: Module, platform: object, start: data.View, after: data.View) -> None:
        """A chain of additions, block by block (spec §16.4)."""
        c: Value = start.c
        for g in range(self.variant.groups):
            unit = FloatAdd(shapes_of(self.variant))
            place(m, platform, f"add{g}", unit, kind="add")
            m.d.comb += [unit.c.eq(c), unit.term.eq(self.i.payload.products[g])]
            c = unit.total
        m.d.comb += after.c.eq(c)

    def _exact(self, m: Module, platform: object, start: data.View, after: data.View) -> None:
        """A chain of wide additions; an overflow stays (spec §22.7)."""
        shapes = shapes_of(self.variant)
        bits = accumulator_bits(shapes, self.variant.exact_blocks)
        c: Value = start.c
        overflow: Value = start.overflow
        for g in range(self.variant.groups):
            unit = ExactAdd(shapes, bits)
            place(m, platform, f"add{g}", unit, kind="add")
            m.d.comb += [unit.c.eq(c), unit.product.eq(self.i.payload.products[g])]
            c, overflow = unit.total, overflow | unit.overflow
        m.d.comb += [after.c.eq(c), after.overflow.eq(overflow)]

    def _tc(self, m: Module, platform: object, start: data.View, after: data.View) -> None:
        """One step (spec §16.7)."""
        accumulation = self.variant.accumulation
        assert isinstance(accumulation, Accumulation)
        unit = TensorStep(shapes_of(self.variant), accumulation)
        place(m, platform, "step", unit)
        m.d.comb += [unit.c.eq(start.c), after.c.eq(unit.total)]
        for g in range(self.variant.groups):
            m.d.comb += unit.terms[g].eq(self.i.payload.products[g])
