"""Codes of products that are rounded to float32 first (spec §25.5 to §25.7).

The float32 is never made. Its 24 bits are those of the product, or one more in their last place;
whether it is above a number of few bits, or has reached it, shows in the product's own bits: see
`Rest`. A carry of that rounding into the next binade changes no code, as both ends of a binade
lead to the same one.
"""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from emulator.formats import UE4M3
from rtl.dot_shapes import FLOAT_FRACTION
from rtl.peer_shapes import UNDERFLOW, PeerShapes


@dataclass(frozen=True)
class Rest:
    """A product of significands, brought to ``1.head rest``.

    Attributes:
        top: whether the product has carried into the next binade.
        head: fraction bits, the first one last.
        ones: whether all bits from there to the 24th of the fraction are set, so that rounding to
            23 of them carries into the head: the float32 has then reached the next head.
        some: whether the float32 is above the head.
        any: whether the product is above the head.
    """

    top: Value
    head: Value
    ones: Value
    some: Value
    any: Value

    @classmethod
    def of(cls, m: Module, product: Value, heads: int) -> Rest:
        """Take a product whose highest or second highest bit is set.

        Args:
            m: takes the statements.
            product: as an integer.
            heads: fraction bits that are asked for.
        """
        size = len(product)
        top, head = Signal(), Signal(heads)
        # Of both positions, bit `first` is the last of the head or the first below it.
        first, last = size - 2 - heads, size - 2 - FLOAT_FRACTION
        inner = product[last:first]
        beyond = Signal()
        ones, some, more = (Signal(name=name) for name in ("ones", "some", "any_rest"))
        m.d.comb += [
            top.eq(product[-1]),
            head.eq(Mux(top, product[first + 1 : -1], product[first:-2])),
            beyond.eq(product[: last - 1].any()),
            ones.eq(inner.all() & Mux(top, product[first], product[last - 1])),
            some.eq(
                inner[1:].any()
                | Mux(
                    top,
                    product[first] | (product[last] & (product[last - 1] | beyond)),
                    product[last] | (product[last - 1] & beyond),
                )
            ),
            more.eq(product[:first].any() | (product[first] & top)),
        ]
        return cls(top, head, ones, some, more)


class RoundElement(wiring.Component):
    """The E2M1 code of a product. Combinational.

    Args:
        shapes: widths.

    Members:
        product, steps: In, of `Product`.
        sign: In.
        some: In, whether the lane is not zero.
        infinite: In, whether it is infinite; read only if `PeerShapes.infinity_apart`.
        code: Out.
    """

    product: Signal
    steps: Signal
    sign: Signal
    some: Signal
    infinite: Signal
    code: Signal

    def __init__(self, shapes: PeerShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "product": In(shapes.product_bits),
                "steps": In(signed(shapes.steps_bits)),
                "sign": In(1),
                "some": In(1),
                "infinite": In(1),
                "code": Out(4),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """By the binade, the codes that are open in it, and which of their thresholds is passed."""
        m = Module()
        s = self.shapes
        rest = Rest.of(m, self.product, 2)
        half, quarter = rest.head[1], rest.head[0]
        # Thresholds on the fraction; those that lead to an even code are reached at equality.
        above0, above1, reach2, reach3 = (Signal(name=f"fraction{i}") for i in range(4))
        m.d.comb += [
            above0.eq(half | quarter | rest.some),
            above1.eq(half | (quarter & rest.some)),
            reach2.eq(half | (quarter & rest.ones)),
            reach3.eq(half & (quarter | rest.ones)),
        ]
        # The binade from 2**(i - 3) on, with what the product has carried.
        steps, near = self.steps, Signal()
        before = [Signal(name=f"steps{i}") for i in range(6)]
        at = {i: Signal(name=f"binade{i}") for i in range(1, 6)}
        large = Signal()
        m.d.comb += near.eq(~steps[3:].any())
        m.d.comb += before[0].eq(~steps.any())
        m.d.comb += [before[i].eq(near & (steps[:3] == i)) for i in range(1, 6)]
        m.d.comb += [at[i].eq(Mux(rest.top, before[i - 1], before[i])) for i in at]
        m.d.comb += large.eq(
            ~steps[-1] & (steps[3:-1].any() | (steps[1] & steps[2]))
            | (before[5] & rest.top)
            | (self.infinite if s.infinity_apart else 0)
        )
        some = self.some if s.zero_apart else Const(1, 1)
        m.d.comb += [
            self.code[0].eq(
                (
                    at[1] & above0
                    | at[2] & ~reach2
                    | (at[3] | at[4]) & above1 & ~reach3
                    | at[5] & above1
                    | large
                )
                & some
            ),
            self.code[1].eq(
                (at[2] & reach2 | at[3] & ~reach3 | at[4] & reach3 | at[5] | large) & some
            ),
            self.code[2].eq((at[3] & reach3 | at[4] | at[5] | large) & some),
            self.code[3].eq(self.sign & self._signed(m, rest)),
        ]
        return m

    def _signed(self, m: Module, rest: Rest) -> Value:
        """Whether a number below zero shows its sign (spec §25.5, §25.7)."""
        s = self.shapes
        if not s.tensor:
            return Const(1, 1)
        if not s.underflows:
            return self.some
        steps, limit = self.steps, UNDERFLOW + 3  # of the binade from 2**UNDERFLOW on
        above = Signal()
        m.d.comb += above.eq(
            (steps > limit)
            | (steps == limit) & (rest.top | rest.head.any() | rest.any)
            | (steps == limit - 1) & rest.top & (rest.head.any() | rest.any)
        )
        return self.some & above


class RoundScale(wiring.Component):
    """The UE4M3 code of a product, saturating. Combinational.

    Args:
        shapes: widths.
        low, high: least and greatest exponent.

    Members:
        product: In, of two significands.
        exponent: In, signed: that of the product, if it has not carried.
        some: In, whether the product is not zero.
        infinite: In, whether it is infinite; read only if `PeerShapes.infinity_apart`.
        scale: Out, the stored code, never NaN.
    """

    product: Signal
    exponent: Signal
    some: Signal
    infinite: Signal
    scale: Signal

    def __init__(self, shapes: PeerShapes, exponent_bits: int) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "product": In(shapes.product_bits),
                "exponent": In(signed(exponent_bits)),
                "some": In(1),
                "infinite": In(1),
                "scale": Out(UE4M3.storage_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Shift a subnormal quotient; round to the code above, or not."""
        m = Module()
        f, bias = UE4M3.fraction_bits, UE4M3.bias
        rest = Rest.of(m, self.product, f + 1)
        number = Cat(rest.head, Const(1, 1))  # significand and the bit behind it
        exponent = Signal(signed(len(self.exponent) + 1))
        m.d.comb += exponent.eq(self.exponent + rest.top)
        kept, up = Signal(f + 1), Signal()
        # In binade -10 only the bit that rounds is left; below, not even that.
        shifts = {shift: exponent == 1 - bias - shift for shift in range(1, f + 2)}
        bits, rounds = self._rounding(number, rest, 0)
        for shift, chosen in shifts.items():
            shifted, rounds_then = self._rounding(number, rest, shift)
            bits, rounds = Mux(chosen, shifted, bits), Mux(chosen, rounds_then, rounds)
        m.d.comb += [kept.eq(bits), up.eq(rounds)]
        code = Signal(signed(len(exponent) + f + 1))
        subnormal = exponent < 1 - bias
        base = Mux(subnormal, 0, (exponent + (bias - 1)) << f)
        m.d.comb += code.eq(base + kept + up)
        none = ~self.some | (exponent < 1 - bias - (f + 1))
        finite = Mux(code > UE4M3.max_code, UE4M3.max_code, code[: UE4M3.width])
        found = Mux(none, 0, finite)
        if self.shapes.infinity_apart:
            found = Mux(self.infinite, UE4M3.max_code, found)
        m.d.comb += self.scale.eq(found)
        return m

    def _rounding(self, number: Value, rest: Rest, shift: int) -> list[Value]:
        """The code's last bits for a number that is shifted, and whether it rounds up."""
        ones, some = rest.ones, rest.some
        if shift:
            ones, some = ones & number[:shift].all(), some | number[:shift].any()
        half, kept = number[shift], number[shift + 1 :]
        return [kept, Mux(kept[0], half | ones, half & some) if len(kept) else half & some]
