"""Factor: scale times tensor scale of a block, exact (spec §14.7)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from emulator.formats import BF16, FP32
from rtl.reach import Reach


class Factor(wiring.Component):
    """Multiplies the significands of scale and tensor scale and adds their exponents.

    Combinational.

    Args:
        reach: formats and widths.

    Members:
        scale: In, the stored scale code.
        g: In, the tensor scale as spec §21.6 stores it; missing without one.
        factor: Out, `Reach.factor`: ``significand`` with its leading one on top, ``level``,
            ``zero`` and ``nan``. The significand of a zero scale is 0, its level the deepest.
    """

    scale: Signal
    g: Signal
    factor: data.View

    def __init__(self, reach: Reach) -> None:
        self.reach = reach
        given = {"g": In(reach.scale_bits)} if reach.scale_bits else {}
        super().__init__(
            {"scale": In(reach.scale.storage_bits), **given, "factor": Out(reach.factor)}
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        r, out = self.reach, self.factor
        code = self.scale[: r.scale.width]  # spec §2.6
        m.d.comb += [
            out.nan.eq(code > r.scale.max_code),
            out.zero.eq(~code.any() if r.scale.has_zero else 0),
        ]
        significand, field = self._scale(m, code)
        extra, exponent = self._tensor_scale()
        carry: Value = Const(0)
        if r.fraction_g:
            product = Signal(r.precision)
            m.d.comb += product.eq(significand * extra)
            carry = product[-1]
            significand = Mux(carry, product, product << 1)[: r.precision]
        level = field + exponent + carry + r.offset
        m.d.comb += [
            out.significand.eq(significand),
            out.level.eq(Mux(out.zero, 1 - r.deepest, level) if r.subnormal else level),
        ]
        return m

    def _scale(self, m: Module, code: Value) -> tuple[Value, Value]:
        """Significand of the scale with its leading one on top, and exponent field."""
        s = self.reach.scale
        f = s.fraction_bits
        fraction, field = code[:f], code[f:]
        if not s.has_zero:
            return Cat(fraction, Const(1)), field
        significand = Signal(f + 1)
        exponent = Signal(range(-f, 1 << s.exponent_bits))
        with m.If(field.any()):
            m.d.comb += [significand.eq(Cat(fraction, 1)), exponent.eq(field)]
        for zeros in range(f):
            with m.Elif(fraction[-1 - zeros]):
                m.d.comb += [significand.eq(fraction << (zeros + 1)), exponent.eq(-zeros)]
        return significand, exponent

    def _tensor_scale(self) -> tuple[Value, Value]:
        """Significand and exponent field of the tensor scale, which is normal (spec §14.6)."""
        r = self.reach
        if not r.scale_bits:
            return Const(1), Const(0)
        if r.scale_bits == FP32.exponent_bits:
            return Const(1), self.g
        fraction = r.scale_bits - BF16.exponent_bits - 1
        return Cat(self.g[:fraction], Const(1)), self.g[fraction:-1]
