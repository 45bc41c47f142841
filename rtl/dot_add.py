"""One addition of the accumulation `fp32`: a float32 plus the product of a block (spec §16.4)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.dot_float import SIGNIFICAND, SPECIAL_FIELD, FloatRound, shifted_right, signed_bits
from rtl.dot_normal import field_range, number_layout, width_of
from rtl.dot_shapes import FLOAT_FRACTION, DotShapes
from rtl.hierarchy import place

GUARDS = 3
"""Bits below a significand: two, and one that stands for all others."""

SPECIAL = SPECIAL_FIELD
GROWTH = 2 + SIGNIFICAND
"""A sum no longer grows once it is this many binades above the largest product."""


class FloatAdd(wiring.Component):
    """``RNE_float32(c + product)``. Combinational.

    Args:
        shapes: widths.

    Members:
        c: In, float32, not NaN; infinity stays.
        term: In, `number_layout`; its NaN bit is not looked at.
        total: Out, float32; an exact sum of zero is +0.
    """

    c: Signal
    term: data.View
    total: Signal

    def __init__(self, shapes: DotShapes) -> None:
        self.shapes = shapes
        super().__init__({"c": In(32), "term": In(number_layout(shapes)), "total": Out(32)})

    def elaborate(self, platform: object) -> Module:
        """Align to the larger exponent, add, round."""
        m = Module()
        shapes, wide = self.shapes, self.shapes.leaves_float
        bits = width_of(shapes)
        assert bits <= SIGNIFICAND

        low, high = field_range(shapes)
        exponent_shape = signed(signed_bits(min(low, 0), max(high, SPECIAL)) + 1)
        significand = self.term.significand
        p_exponent, c_exponent = Signal(exponent_shape), Signal(exponent_shape)
        p, c = Signal(SIGNIFICAND), Signal(SIGNIFICAND)
        field = self.c[FLOAT_FRACTION:31]
        m.d.comb += [
            p_exponent.eq(self.term.field),
            p.eq(Cat(Const(0, SIGNIFICAND - bits), significand)),
            c.eq(Cat(self.c[:FLOAT_FRACTION], field.any())),
            c_exponent.eq(field | ~field.any() if wide else field),
        ]

        c_first = Signal()
        distance = Signal(exponent_shape)
        first, second = Signal(SIGNIFICAND), Signal(SIGNIFICAND)
        first_exponent = Signal(exponent_shape)
        m.d.comb += [
            c_first.eq((c_exponent >= p_exponent) | ~significand[-1]),
            distance.eq(Mux(c_first, c_exponent - p_exponent, p_exponent - c_exponent)),
            first.eq(Mux(c_first, c, p)),
            second.eq(Mux(c_first, p, c)),
            first_exponent.eq(Mux(c_first, c_exponent, p_exponent)),
        ]
        width = SIGNIFICAND + GUARDS
        near = width.bit_length()
        by = Signal(near)
        m.d.comb += by.eq(Mux(distance[near:].any(), (1 << near) - 1, distance[:near]))
        aligned = shifted_right(m, "aligned", Cat(Const(0, GUARDS), second), by)

        # Only where significands are not normalised can the one of the lower exponent be larger.
        subtract = Signal()
        total = Signal(signed(width + 2))
        sum_ = Signal(width + 1)
        first_sign = Mux(c_first, self.c[31], self.term.sign)
        m.d.comb += [
            subtract.eq(self.c[31] ^ self.term.sign),
            total.eq(
                Cat(Const(0, GUARDS), first)
                + Mux(subtract, ~Cat(aligned, 0), Cat(aligned, 0)).as_signed()
                + subtract
            ),
            sum_.eq(Mux(total[-1], -total, total)),
        ]
        last = FloatRound(
            width + 1,
            2 if wide else 1 + min(low, 0),
            1 + (max(high, SPECIAL - 1) if wide else high + GROWTH),
            normal=not wide,
        )
        place(m, platform, "last", last, kind="round")
        infinite = field.all() if wide else Const(0)
        m.d.comb += [
            last.sign.eq((first_sign ^ total[-1]) & sum_.any()),
            last.magnitude.eq(sum_),
            last.top.eq(first_exponent + 1),
            self.total.eq(Mux(infinite, self.c, last.pattern)),
        ]
        return m
