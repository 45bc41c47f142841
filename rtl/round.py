"""Round: an aligned number becomes a code (spec §3)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from emulator.formats import Format
from rtl.align import aligned_layout


class Round(wiring.Component):
    """Adds the rounding bit, then puts overflow, NaN and signs in their place. Combinational.

    Adding one to a code gives the next code, across binades too, so that one addition rounds
    exponent and fraction (spec §3.1).

    Args:
        target: format of the code.
        ieee: whether overflow gives infinity (spec §3.3) and not the largest code (spec §3.2).

    Members:
        aligned: In, `aligned_layout`.
        code: Out, the stored code.
    """

    aligned: data.View
    code: Signal

    def __init__(self, target: Format, ieee: bool) -> None:
        self.target, self.ieee = target, ieee
        super().__init__({"aligned": In(aligned_layout(target)), "code": Out(target.storage_bits)})

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        t, given = self.target, self.aligned
        rounded = Signal(t.magnitude_bits + 1)
        over = Signal()
        m.d.comb += [
            rounded.eq(given.code + given.up),
            over.eq(given.over | (rounded > t.max_code)),
        ]
        limit = t.inf_code if self.ieee else t.max_code
        assert limit is not None, f"{t.name} has no infinity (spec §3.3)"
        magnitude: Value = Mux(over, limit, rounded[: t.magnitude_bits])
        sign: Value = given.sign
        if not t.signed:  # spec §3.6
            magnitude = Mux(given.sign, 0, magnitude)
            sign = Const(0, 0)
        elif t.nan_code is None:  # spec §21.3
            sign = given.sign & ~given.nan
        m.d.comb += self.code.eq(Cat(Mux(given.nan, t.nan_code or 0, magnitude), sign))
        return m
