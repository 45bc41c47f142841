"""The product of two scales, and a block's sum times it (spec §16.2, §16.8)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.dot_shapes import DotShapes


class ScaleProduct(wiring.Component):
    """Significand, exponent and NaN of the product of two scales. Combinational.

    A subnormal's significand stays as it is: its hidden bit is 0, and its exponent field counts 1.

    Args:
        shapes: widths, and the format of both scales.

    Members:
        a, b: In, stored scale codes; bits above the code are ignored (spec §2.6).
        scale: Out, `scale_layout`.
    """

    a: Signal
    b: Signal
    scale: data.View

    def __init__(self, shapes: DotShapes) -> None:
        self.shapes = shapes
        bits = shapes.scale.storage_bits
        super().__init__({"a": In(bits), "b": In(bits), "scale": Out(scale_layout(shapes))})

    def elaborate(self, platform: object) -> Module:
        """Two small adders and a small multiplier."""
        m = Module()
        fmt = self.shapes.scale
        fraction_bits = fmt.fraction_bits
        fields, significands, nans = [], [], []
        for name, code in (("a", self.a), ("b", self.b)):
            field = Signal(fmt.exponent_bits, name=f"{name}_field")
            significand = Signal(fraction_bits + 1, name=f"{name}_significand")
            nan = Signal(name=f"{name}_nan")
            raw = code[fraction_bits : fmt.magnitude_bits]
            hidden = raw.any() if fmt.has_zero else 1
            m.d.comb += [
                field.eq(raw | ~raw.any() if fmt.has_zero else raw),
                significand.eq(Cat(code[:fraction_bits], hidden)),
                nan.eq(code[: fmt.magnitude_bits] > fmt.max_code),
            ]
            fields.append(field)
            significands.append(significand)
            nans.append(nan)
        m.d.comb += [
            self.scale.exponent.eq(fields[0] + fields[1]),
            self.scale.nan.eq(nans[0] | nans[1]),
            self.scale.significand.eq(significands[0] * significands[1]),
        ]
        return m


def scale_layout(shapes: DotShapes) -> data.StructLayout:
    """Product of two scales: ``significand * 2**exponent`` in the smallest units."""
    return data.StructLayout(
        {
            "significand": shapes.significand_bits,
            "exponent": shapes.exponent_bits,
            "nan": 1,
        }
    )


def value_layout(shapes: DotShapes) -> data.StructLayout:
    """Product of a block in two's complement: ``value * 2**(exponent + unit)``."""
    return data.StructLayout(
        {
            "value": signed(1 + shapes.magnitude_bits),
            "exponent": shapes.exponent_bits,
            "nan": 1,
        }
    )


def term_layout(shapes: DotShapes) -> data.StructLayout:
    """Product of a block: ``(-1)**sign * magnitude * 2**(exponent + unit)``."""
    return data.StructLayout(
        {
            "magnitude": shapes.magnitude_bits,
            "sign": 1,
            "exponent": shapes.exponent_bits,
            "nan": 1,
        }
    )


class ScaledSum(wiring.Component):
    """A block's sum times the significand of its scales. Combinational.

    Args:
        shapes: widths.
        negative: whether the product is in two's complement, else it has a sign and a magnitude.

    Members:
        sum: In, signed, of `BlockSum`.
        scale: In, of `ScaleProduct`.
        product: Out, `value_layout` or `term_layout`.
    """

    sum: Signal
    scale: data.View
    product: data.View

    def __init__(self, shapes: DotShapes, *, twos_complement: bool) -> None:
        self.shapes = shapes
        self.twos_complement = twos_complement
        product = (value_layout if twos_complement else term_layout)(shapes)
        super().__init__(
            {
                "sum": In(signed(shapes.sum_bits)),
                "scale": In(scale_layout(shapes)),
                "product": Out(product),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A multiplier."""
        m = Module()
        if self.twos_complement:
            m.d.comb += self.product.value.eq(self.sum * self.scale.significand)
        else:
            # The sum's magnitude is far below 2**(sum_bits - 1), so its negative fits as well.
            magnitude = Signal(self.shapes.sum_bits - 1)
            m.d.comb += [
                self.product.sign.eq(self.sum[-1]),
                magnitude.eq(Mux(self.sum[-1], -self.sum, self.sum)),
                self.product.magnitude.eq(magnitude * self.scale.significand),
            ]
        m.d.comb += [
            self.product.exponent.eq(self.scale.exponent),
            self.product.nan.eq(self.scale.nan),
        ]
        return m
