"""Element codes under scales that are powers of two (spec §9 with §8.4 to §8.7).

The thresholds of spec §9's lemma are then fixed patterns of a lane's fraction, and which of them
are open is decided by the difference of two exponents.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.shapes import Shapes

STEPS_BITS = 3
"""Bits of `steps`; 5 and more of them are magnitude code 0."""

FRACTION_BITS = 2
"""Fraction bits that a threshold asks for, beside a sticky bit."""

SPAN = 4
"""Binades below 4 times the scale that hold a threshold."""


def step_lane() -> data.StructLayout:
    """A lane with its exponent replaced by `steps`."""
    return data.StructLayout(
        {"sticky": 1, "fraction": FRACTION_BITS, "steps": STEPS_BITS, "sign": 1}
    )


class PowerReference(wiring.Component):
    """What all lanes of a block share. Combinational.

    Args:
        shapes: widths; their scale format holds powers of two only.

    Members:
        scale: In, the stored scale code.
        reference: Out: ``origin``, the lane exponent of 4 times the scale modulo 8; ``least``, the
            smallest lane exponent with a magnitude code above 0; ``tiny``, whether subnormals have
            one; ``nan``, whether no code is left.
    """

    scale: Signal
    reference: data.View

    def __init__(self, shapes: Shapes) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "scale": In(shapes.scale.storage_bits),
                "reference": Out(reference_layout(shapes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        s, code = self.shapes, self.scale[: self.shapes.scale.width]
        offset = s.input.bias - s.scale.bias - s.base + 2
        # So infinity, whose lane exponent is all ones, is one step below the origin.
        assert (s.scale.max_code + offset) % (1 << STEPS_BITS) == 0
        assert s.input.max < 8 * s.scale.max, "no finite lane may exceed 8 times its scale"
        # A window that is not raw has nothing but zeros at lane exponent 0.
        low, high = 0 if s.raw else 1, s.infinity_exponent
        least = code + (offset - SPAN)
        if offset - SPAN < low:
            least = Mux(code < low - offset + SPAN, low, least)
        if s.scale.max_code + offset - SPAN > high:
            least = Mux(code > high - offset + SPAN, high, least)
        m.d.comb += [
            self.reference.origin.eq(code[:STEPS_BITS] + offset % (1 << STEPS_BITS)),
            self.reference.least.eq(least),
            self.reference.tiny.eq(code <= SPAN - offset if s.raw else 0),
            self.reference.nan.eq(code > s.scale.max_code),
        ]
        return m


def reference_layout(shapes: Shapes) -> data.StructLayout:
    """What all lanes of a block share; see `PowerReference`."""
    return data.StructLayout(
        {"origin": STEPS_BITS, "least": shapes.exponent_bits, "tiny": 1, "nan": 1}
    )


class PowerSteps(wiring.Component):
    """Binades from 4 times the scale down to the lane. Combinational.

    A lane never exceeds 8 times its scale, as its block's amax does not (spec §8.4 to §8.6), so
    three bits of the difference tell it, once exponents that are too small are set apart.

    Where lanes are raw, a subnormal is one binade lower for each leading zero of its fraction
    (spec §4.2). Subnormals matter in blocks alone whose lanes' exponents fit three bits.

    Args:
        shapes: widths.

    Members:
        lane: In, `Shapes.lane`.
        reference: In, `reference_layout`.
        stepped: Out, `step_lane`; in a NaN block without sign and with magnitude code 0.
    """

    lane: data.View
    reference: data.View
    stepped: data.View

    def __init__(self, shapes: Shapes) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "lane": In(shapes.lane),
                "reference": In(reference_layout(shapes)),
                "stepped": Out(step_lane()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        lane, block, out = self.lane, self.reference, self.stepped
        steps = Signal(STEPS_BITS)
        reaches = Signal()
        exponent = Signal(STEPS_BITS)
        if self.shapes.raw:
            self._subnormal(m, exponent)
        else:
            m.d.comb += [
                exponent.eq(lane.exponent[:STEPS_BITS]),
                out.fraction.eq(lane.fraction),
                out.sticky.eq(lane.sticky),
            ]
        m.d.comb += [
            steps.eq(block.origin - exponent),
            reaches.eq((lane.exponent >= block.least) & ~block.nan),
            out.steps.eq(steps | (~reaches).replicate(STEPS_BITS)),
            out.sign.eq(lane.sign & ~block.nan),
        ]
        return m

    def _subnormal(self, m: Module, exponent: Signal) -> None:
        """The low bits of the exponent and the fraction, a subnormal's leading one removed.

        Leading zeros count up to three. Of the bits behind the leading one those are kept that the
        smallest scale's thresholds ask for: two after no zero, one after one zero.
        """
        lane, out = self.lane, self.stepped
        low = lane.exponent[:STEPS_BITS]
        f3, f2, f1 = lane.fraction
        tiny = Signal()
        m.d.comb += [
            tiny.eq(self.reference.tiny & ~low.any()),
            # 0 less the zeros: 000, 111, 110, and 101 from three zeros on.
            exponent.eq(low | (Cat(f2 | ~f3, f2 | f3, 1) & (tiny & ~f1).replicate(STEPS_BITS))),
            out.fraction.eq(Mux(tiny, Cat(f1 & f3, Mux(f1, f2, f2 & f3)), Cat(f2, f1))),
            out.sticky.eq(lane.sticky | (f3 & ~tiny)),
        ]


class PowerElement(wiring.Component):
    """The E2M1 code of one lane under a power of two. Combinational.

    Args:
        shapes: widths.

    Members:
        stepped: In, `step_lane`.
        infinite: In, whether the block holds an infinity and no NaN: then one step is infinity's
            alone (spec §6.2).
        code: Out, the element code.
    """

    stepped: data.View
    infinite: Signal
    code: Signal

    def __init__(self, shapes: Shapes) -> None:
        super().__init__({"stepped": In(step_lane()), "infinite": In(1), "code": Out(4)})

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        lane = self.stepped
        magnitude = Signal(3)
        above = Signal()  # 1
        beyond5 = Signal()  # 5/4; ties go to the even code (spec §3.1)
        reach6 = Signal()  # 3/2
        reach7 = Signal()  # 7/4
        m.d.comb += [
            above.eq(lane.fraction.any() | lane.sticky),
            beyond5.eq(lane.fraction[1] | (lane.fraction[0] & lane.sticky)),
            reach6.eq(lane.fraction[1]),
            reach7.eq(lane.fraction.all()),
        ]
        between = beyond5 & ~reach7
        codes = [
            Cat(beyond5, 1, 1),  # 4 times the scale: the threshold 5
            Cat(between | self.infinite, reach7 | self.infinite, 1),  # 2 times: 5/2 and 7/2
            Cat(between, ~reach7, reach7),  # 5/4 and 7/4
            Cat(~reach6, reach6, 0),  # 1/2: 3/4
            Cat(above, 0, 0),  # 1/4: itself
            *3 * [Const(0, 3)],
        ]
        for bit in lane.steps:
            codes = [Mux(bit, *pair[::-1]) for pair in zip(codes[::2], codes[1::2], strict=True)]
        m.d.comb += magnitude.eq(codes[0])
        m.d.comb += self.code.eq(Cat(magnitude, lane.sign))
        return m


def is_infinite(shapes: Shapes, scale: Value) -> Value:
    """Whether a scale code is that of a block with an infinity; no finite amax leads there."""
    return scale[: shapes.scale.width] == shapes.scale.max_code
