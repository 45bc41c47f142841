"""Lane: the number of one element code, chosen among a block's products (spec §10)."""

from __future__ import annotations

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.products import THREES
from rtl.reach import MAGNITUDES, Reach


class Lane(wiring.Component):
    """Selects; nothing is rounded or multiplied here. Combinational.

    Args:
        reach: formats and widths.

    Members:
        code: In, the element code.
        products: In, `Reach.products`, the same for all lanes of a block.
        number: Out, the number in the output format.
    """

    code: Signal
    products: data.View
    number: Signal

    def __init__(self, reach: Reach) -> None:
        self.reach = reach
        super().__init__(
            {"code": In(4), "products": In(reach.products), "number": Out(reach.output.width)}
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        given = self.products
        # Under a NaN scale no lane is 0, and the products are all NaN (spec §10.2).
        magnitude = Signal(3)
        live = Signal()
        above = Signal()
        m.d.comb += magnitude.eq(self.code[:3] | given.nan)
        fraction, low = self._chosen(m, magnitude, live, above)
        upper = Mux(above, given.above, given.upper) & live.replicate(len(given.upper))
        m.d.comb += self.number.eq(Cat(fraction, low, upper, self.code[3] & ~given.nan))
        return m

    def _chosen(
        self, m: Module, magnitude: Signal, live: Signal, above: Signal
    ) -> tuple[Value, Value]:
        """Fraction and lowest exponent bits; ``live`` unless all of the number is 0."""
        given = self.products
        if self.reach.general:
            chosen = Signal(MAGNITUDES)
            m.d.comb += [
                chosen.eq(Cat((magnitude == k + 1) & ~given.zero for k in range(MAGNITUDES))),
                live.eq(magnitude.any() & ~given.zero),
                above.eq((chosen & given.next).any()),
            ]

            def of_all(parts: data.View) -> Value:
                options = [parts[k] & chosen[k].replicate(len(parts[k])) for k in range(MAGNITUDES)]
                return reduce(or_, options)

            return of_all(given.fraction), of_all(given.low)

        three = Signal()
        total = Signal(3)
        m.d.comb += [
            live.eq(magnitude.any() & ~given.zero),
            three.eq(reduce(or_, (magnitude == code for code in THREES))),
            total.eq(given.low + magnitude[1:] + Mux(three, given.carry3, given.carry1)),
            above.eq(total[2]),
        ]
        fraction = Mux(three, given.fraction[1], given.fraction[0])
        low = total[:2] | given.nan.replicate(2)
        return fraction & live.replicate(len(fraction)), low & live.replicate(2)
