"""Products of elements and their exact sum in a block (spec §16.2)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.dot_adders import tree
from rtl.dot_shapes import LARGEST_PRODUCT, PRODUCT_BITS, DotShapes
from rtl.hierarchy import place

CODE_BITS = 4


class ElementProduct(wiring.Component):
    """The product of two E2M1 numbers as a two's complement number of quarters. Combinational.

    Members:
        a, b: In, element codes.
        product: Out, signed.
    """

    a: Signal
    b: Signal
    product: Signal

    def __init__(self) -> None:
        super().__init__(
            {"a": In(CODE_BITS), "b": In(CODE_BITS), "product": Out(signed(PRODUCT_BITS))}
        )

    def elaborate(self, platform: object) -> Module:
        """Two-bit significands are multiplied and given their sign, then shifted by 0 to 4."""
        m = Module()
        a, b = self.a, self.b
        # |x| * 2 is (hidden, fraction) shifted left by exponent - 1, or by 0 for a subnormal.
        a_hidden, b_hidden = a[1:3].any(), b[1:3].any()
        a_one, b_one = a[2] & ~a[1], b[2] & ~b[1]
        a_two, b_two = a[2] & a[1], b[2] & b[1]

        negative = Signal()
        odd, hidden, middle, nine, nonzero = (Signal() for _ in range(5))
        # Significands are 0 to 3, so their product is 0, 1, 2, 3, 4, 6 or 9.
        m.d.comb += [
            negative.eq(a[3] ^ b[3]),
            odd.eq(a[0] & b[0]),
            hidden.eq(a_hidden & b_hidden),
            middle.eq((a_hidden & b[0]) ^ (b_hidden & a[0])),
            nine.eq(hidden & odd),
            nonzero.eq((a_hidden | a[0]) & (b_hidden | b[0])),
        ]
        sign = Signal()
        significand = Signal(5)
        m.d.comb += [
            sign.eq(negative & nonzero),
            significand.eq(
                Cat(
                    odd,
                    middle ^ (negative & odd),
                    Mux(negative, nonzero & ~(hidden & middle), hidden & ~odd),
                    Mux(negative, nonzero & ~nine, nine),
                    sign,
                )
            ),
        ]

        four, two, none = Signal(), Signal(), Signal()
        once = Signal(6)
        m.d.comb += [
            once.eq(Mux(a_one ^ b_one, Cat(0, significand), Cat(significand, sign))),
            four.eq(a_two & b_two),
            two.eq((a_two ^ b_two) | (a_one & b_one)),
            none.eq(~two & ~four),
            self.product.eq(
                (Cat(once, sign.replicate(3)) & none.replicate(PRODUCT_BITS))
                | (Cat(0, 0, once, sign) & two.replicate(PRODUCT_BITS))
                | (Cat(0, 0, 0, 0, significand) & four.replicate(PRODUCT_BITS))
            ),
        ]
        return m


class BlockSum(wiring.Component):
    """The exact sum of the products of the elements of two blocks, in quarters. Combinational.

    Args:
        shapes: widths.

    Members:
        a, b: In, element codes, lane i at bit ``4 * i``.
        sum: Out, signed.
    """

    a: Signal
    b: Signal
    sum: Signal

    def __init__(self, shapes: DotShapes) -> None:
        self.shapes = shapes
        bits = CODE_BITS * shapes.lanes
        super().__init__({"a": In(bits), "b": In(bits), "sum": Out(signed(shapes.sum_bits))})

    def elaborate(self, platform: object) -> Module:
        """A product per lane and a tree of adders."""
        m = Module()
        products: list[Signal] = []
        for i in range(self.shapes.lanes):
            lane = ElementProduct()
            place(m, platform, f"product{i}", lane, kind="product")
            m.d.comb += [
                lane.a.eq(_code(self.a, i)),
                lane.b.eq(_code(self.b, i)),
            ]
            products.append(lane.product)
        m.d.comb += self.sum.eq(
            tree(m, "total", products, self.shapes.sum_bits, LARGEST_PRODUCT).as_signed()
        )
        return m


def _code(codes: Signal, lane: int) -> Value:
    return codes.word_select(lane, CODE_BITS)
