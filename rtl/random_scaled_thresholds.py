"""What lanes share that round at random: the product of scale and tensor scale (spec §26.4)."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.random_scaled_shapes import RandomScaledShapes
from rtl.scaled_thresholds import ScaledThresholds


class RandomScaledThresholds(ScaledThresholds):
    """The product itself, three times it, and both as far as a lane has bits. Combinational.

    Args:
        shapes: widths.

    Members:
        scale, g: In, as in `ScaledThresholds`.
        thresholds: Out, `RandomScaledShapes.thresholds`: ``origin``, ``n1``, ``n3``, ``carry3``,
            ``beyond1``, ``beyond3``, ``none`` and ``nan`` as there; ``product``, the fraction of
            p, and ``triple``, 3 * p, both whole; the last bit of ``zeros`` says that p ends in as
            many zeros as it has more bits than a lane, the one before in one less, and so on.
    """

    shapes: RandomScaledShapes

    def __init__(self, shapes: RandomScaledShapes) -> None:
        super().__init__(shapes)

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        s, out = self.shapes, self.thresholds
        product = self.normalised(m)
        self.threshold(m, product, 1)
        triple = self.threshold(m, product, 3)
        zeros = len(product) - 1 - s.product_bits  # that end a product with a power of two
        m.d.comb += [out.product.eq(product[zeros:-1]), out.triple.eq(triple[zeros:])]
        if cut := s.cut(1):
            first = cut + 1 - len(out.zeros)
            m.d.comb += [
                out.zeros[i].eq(~out.product[: first + i].any()) for i in range(len(out.zeros))
            ]
            m.d.comb += out.beyond1.eq(~out.zeros[-1])
        return m


class RandomPowerThresholds(wiring.Component):
    """The same under scales that are powers of two: the origin alone. Combinational.

    Args:
        shapes: widths; their scale format holds powers of two only.

    Members:
        scale: In, the stored scale code.
        thresholds: Out, `RandomScaledShapes.thresholds`.
    """

    scale: Signal
    thresholds: data.View

    def __init__(self, shapes: RandomScaledShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {"scale": In(shapes.scale.storage_bits), "thresholds": Out(shapes.thresholds)}
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        s, out = self.shapes, self.thresholds
        code = self.scale[: s.scale.width]
        low, high = (bound - s.base for bound in s.origin_range)
        offset = s.input.bias - s.scale.bias - s.base - 3
        origin: Value = code + offset
        if offset < low:
            origin = Mux(code < low - offset, low, origin)
        if s.scale.max_code + offset > high:
            origin = Mux(code > high - offset, high, origin)
        m.d.comb += [
            out.nan.eq(code > s.scale.max_code),
            out.none.eq(out.nan),
            out.origin.eq(origin),
        ]
        return m
