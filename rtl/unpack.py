"""Unpack: an input number becomes a lane and an amax key (spec §4.2, §6, §7.1)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.shapes import Shapes


class Unpack(wiring.Component):
    """Splits a number, moves its exponent into the lane's window and shortens its fraction.

    Both outputs grow with the magnitude, and keep apart whatever a threshold of the element or
    the scale unit keeps apart: fraction bits below the finest threshold are joined in a sticky
    bit. Combinational.

    Args:
        shapes: widths; the input format decides that of ``x``.
        whole: whether there is an output for the whole fraction, too.

    Members:
        x: In, the input's bits.
        lane: Out, `Shapes.lane`.
        key: Out, `Shapes.key`; greater than infinity's for NaN.
        whole: Out, all fraction bits behind the lane's leading one, if asked for.
    """

    x: Signal
    lane: data.View
    key: data.View
    whole: Signal

    def __init__(self, shapes: Shapes, *, whole: bool = False) -> None:
        self.shapes = shapes
        self._whole = whole
        ports = {"x": In(shapes.input.width), "lane": Out(shapes.lane), "key": Out(shapes.key)}
        if whole:
            ports["whole"] = Out(shapes.input.fraction_bits)
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        s, f = self.shapes, self.shapes.input.fraction_bits
        fraction = Signal(f)
        field = Signal(s.input.exponent_bits)
        exponent = Signal(s.exponent_bits)
        aligned = Signal(f)
        m.d.comb += Cat(fraction, field, self.lane.sign).eq(self.x)

        if s.normalised:
            self._normalise(m, field, fraction, exponent, aligned)
        else:
            m.d.comb += [exponent.eq(self._window(m, field)), aligned.eq(fraction)]

        spare = f - s.fraction_bits
        m.d.comb += [
            self.lane.exponent.eq(exponent),
            self.lane.fraction.eq(aligned[spare:] if spare >= 0 else aligned << -spare),
            self.lane.sticky.eq(aligned[:spare].any() if spare > 0 else 0),
        ]
        m.d.comb += [
            self.key.exponent.eq(exponent),
            self.key.fraction.eq(self._key_fraction(aligned)),
        ]
        if self._whole:
            m.d.comb += self.whole.eq(aligned)
        return m

    def _window(self, m: Module, field: Value) -> Value:
        """The exponent field cut to the lane's window (its ends are harmless, see `Shapes`)."""
        s = self.shapes
        width, base = s.exponent_bits, s.base
        if width == len(field):
            return field
        low = width - 1
        first = base >> low  # the window covers two values of the upper bits, this and the next
        below = Signal()
        above = Signal()
        upper = Signal(low)
        lowest = Signal()
        m.d.comb += [
            below.eq(field[low:] < first),
            above.eq(field[low:] > first + 1),
            upper.eq(Cat(field[1:low], field[low] ^ (first & 1)) | above.replicate(low)),
            # The largest finite lane exponent stays below infinity's, whose field is all ones.
            lowest.eq(Mux(upper.all(), field.all(), field[0])),
        ]
        return Mux(below, 0, Cat(lowest, upper))

    def _normalise(
        self, m: Module, field: Value, fraction: Value, exponent: Signal, aligned: Signal
    ) -> None:
        """Normalise subnormals as far as they can reach a threshold; below that, exponent 0."""
        s = self.shapes
        top = 1 << s.input.exponent_bits
        with m.If(field.any()):
            m.d.comb += [exponent.eq(field | top), aligned.eq(fraction)]
        for zeros in range(s.leading_zeros):
            with m.Elif(fraction[-1 - zeros]):
                m.d.comb += [exponent.eq(top - zeros), aligned.eq(fraction << (zeros + 1))]

    def _key_fraction(self, fraction: Value) -> Value:
        """The fraction reduced, in order, to what the scale rule asks about it."""
        s = self.shapes
        match s.rule:
            case "floor":  # only whether it is zero, which tells infinity from NaN
                return fraction.any()
            case "ceil" | "fc":
                return Cat(fraction[:-1].any(), fraction[-1])
            case "even":
                return Cat(fraction.any(), fraction[-2:].all())
        return Cat(self.lane.sticky, self.lane.fraction)
