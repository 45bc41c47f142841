"""One step of the accumulation `tc`: groups aligned to the largest exponent (spec §16.7)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, ShapeLike, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from emulator.accumulation import Accumulation
from rtl.dot_float import SIGNIFICAND, SPECIAL_FIELD, FloatRound, signed_bits
from rtl.dot_scales import term_layout
from rtl.dot_shapes import FLOAT_BIAS, FLOAT_FRACTION, DotShapes
from rtl.hierarchy import place


class TensorStep(wiring.Component):
    """C and the terms of a step, truncated, summed and truncated again. Combinational.

    Args:
        shapes: widths, of a group of 16 lanes.
        accumulation: a `tc`.

    Members:
        c: In, float32, not NaN; infinity stays.
        terms_<g>: In, `term_layout`, one per group; their NaN bits are not looked at.
        total: Out, float32.
    """

    c: Signal
    terms: list[data.View]
    total: Signal

    def __init__(self, shapes: DotShapes, accumulation: Accumulation) -> None:
        assert accumulation.fraction_bits is not None
        self.shapes, self.accumulation = shapes, accumulation
        self.fraction_bits = accumulation.fraction_bits
        groups = In(term_layout(shapes)).array(accumulation.groups)
        super().__init__({"c": In(32), "terms": groups, "total": Out(32)})

    def elaborate(self, platform: object) -> Module:
        """A tree of maxima, a shifter per term, one adder, one normalisation."""
        m = Module()
        shapes, wide = self.shapes, self.shapes.leaves_float
        # Exponents as float32's field would hold them (spec §16.8).
        base = FLOAT_BIAS - 2 * shapes.scale.bias
        low = min(base + shapes.least_exponent, 1)
        high = max(base + shapes.largest_exponent, SPECIAL_FIELD)
        shape = signed(signed_bits(low, high) + 1)

        field = self.c[FLOAT_FRACTION:31]
        c_exponent = Signal(shape)
        m.d.comb += c_exponent.eq(field | ~field.any())
        exponents = [c_exponent]
        keys: list[Value] = [c_exponent]
        for g, term in enumerate(self.terms):
            exponent, key = Signal(shape, name=f"exponent{g}"), Signal(shape, name=f"key{g}")
            m.d.comb += exponent.eq(term.exponent + base)
            taken = Const(1) if self.accumulation.zeros else term.magnitude.any()
            m.d.comb += key.eq(Mux(taken, exponent, 1))  # no more than that of C (spec §16.9)
            exponents.append(exponent)
            keys.append(key)
        largest = _largest(m, keys, shape)

        frame = self._frame()
        addends = []
        c = Cat(self.c[:FLOAT_FRACTION], field.any())
        parts = [(self.c[31], c, FLOAT_FRACTION)]
        unit = 2 + 2 * shapes.scale.fraction_bits  # of a term: its fraction bits (spec §16.8)
        parts += [(term.sign, term.magnitude, unit) for term in self.terms]
        for i, ((sign, magnitude, fraction), exponent) in enumerate(
            zip(parts, exponents, strict=True)
        ):
            distance = Signal(shape, name=f"distance{i}")
            m.d.comb += distance.eq(largest - exponent)
            kept = self._truncated(m, i, magnitude, fraction, distance)
            addend = Signal(signed(frame + 1), name=f"addend{i}")
            m.d.comb += addend.eq(Mux(sign, -kept, kept))
            addends.append(addend)

        width = frame + (len(addends) - 1).bit_length()
        total = Signal(signed(width + 1))
        magnitude = Signal(width)
        m.d.comb += [
            total.eq(sum(addends[1:], addends[0])),
            magnitude.eq(Mux(total[-1], -total, total)),
        ]
        rise = width - 1 - self.fraction_bits
        last = FloatRound(width, 1 + rise, high + rise, truncate=True, normal=not wide)
        place(m, platform, "last", last, kind="round")
        infinite = field.all() if wide else Const(0)
        m.d.comb += [
            last.sign.eq(total[-1]),
            last.magnitude.eq(magnitude),
            last.top.eq(largest + rise),
            self.total.eq(Mux(infinite, self.c, last.pattern)),
        ]
        return m

    def _frame(self) -> int:
        """Bits of the largest truncated magnitude, counted in ``2**(m - F)``."""
        unit = 2 + 2 * self.shapes.scale.fraction_bits
        of_terms = self.shapes.magnitude_bits + self.fraction_bits - unit
        return max(of_terms, SIGNIFICAND + self.fraction_bits - FLOAT_FRACTION, 1)

    def _truncated(
        self, m: Module, i: int, magnitude: Value, fraction: int, distance: Signal
    ) -> Signal:
        """``magnitude * 2**(F - fraction - distance)``, towards zero (spec §16.10)."""
        raised = max(self.fraction_bits - fraction, 0)
        dropped = max(fraction - self.fraction_bits, 0)
        width = len(magnitude) + raised
        near = width.bit_length()
        kept = Signal(max(width - dropped, 1), name=f"kept{i}")
        value = Cat(Const(0, raised), magnitude)
        shifted = Signal(width, name=f"shifted{i}")
        m.d.comb += [
            shifted.eq(Mux(distance[near:].any(), 0, value >> distance[:near])),
            kept.eq(shifted[dropped:]),
        ]
        return kept


def _largest(m: Module, keys: list[Value], shape: ShapeLike) -> Value:
    """The largest of signed numbers, by a balanced tree."""
    depth = 0
    while len(keys) > 1:
        above: list[Value] = []
        for i in range(0, len(keys) - 1, 2):
            larger: Value = Signal(shape, name=f"largest_{depth}_{i}")
            m.d.comb += larger.eq(Mux(keys[i] >= keys[i + 1], keys[i], keys[i + 1]))
            above.append(larger)
        keys, depth = above + keys[len(keys) & ~1 :], depth + 1
    return keys[0]
