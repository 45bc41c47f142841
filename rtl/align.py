"""Align: a number of one format, brought to the exponents and fractions of another (spec §3)."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from emulator.formats import Format


def aligned_layout(target: Format) -> data.StructLayout:
    """What `Align` hands to `Round`.

    ``code`` is the magnitude code of the largest value of the target up to the number's magnitude
    with unbounded exponent, as far as its bits reach; ``up`` says that the next one is nearer.
    ``over`` stands for magnitudes above all codes that fit, ``nan`` for NaN.
    """
    return data.StructLayout(
        {"code": target.magnitude_bits, "up": 1, "over": 1, "nan": 1, "sign": 1}
    )


class Align(wiring.Component):
    """Shifts a number's significand to where the target format has its fraction. Combinational.

    All constants come from the fields of the two formats; gates for what cannot occur between
    them are not there.

    Args:
        source: format of ``x``.
        target: format to be rounded to.

    Members:
        x: In, a stored code of the source; bits above its width are ignored (spec §2.6).
        aligned: Out, `aligned_layout`.
    """

    x: Signal
    aligned: data.View

    def __init__(self, source: Format, target: Format) -> None:
        self.source, self.target = source, target
        super().__init__({"x": In(source.storage_bits), "aligned": Out(aligned_layout(target))})

    @property
    def delta(self) -> int:
        """Exponent field in the target less that in the source, of a number normal in both."""
        return self.target.bias - self.source.bias

    @property
    def lowest(self) -> int:
        """Exponent field of the smallest normal numbers of the target."""
        return int(self.target.has_zero)

    @property
    def normalised(self) -> int:
        """Binades of subnormals of the source that the target holds as normal numbers."""
        if not self.source.has_zero:
            return 0
        return min(self.source.fraction_bits, max(0, self.delta - self.lowest + 1))

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        s, t, out = self.source, self.target, self.aligned
        magnitude = self.x[: s.magnitude_bits]
        fraction, field = magnitude[: s.fraction_bits], magnitude[s.fraction_bits :]
        m.d.comb += out.sign.eq(self.x[s.magnitude_bits] if s.signed else 0)

        last = s.max_code if s.inf_code is None else s.inf_code
        m.d.comb += out.nan.eq(magnitude > last if last < s.magnitude_mask else 0)

        significand, exponent = self._normalise(m, field, fraction)
        kept, guard, sticky, below = self._shift(m, significand, exponent)
        normal = Signal()
        code = Signal(t.magnitude_bits)
        hidden: Value = significand[-1] if s.has_zero else Const(1)
        m.d.comb += [
            normal.eq(hidden & ~below),
            code.eq(
                Cat(
                    kept[: t.fraction_bits]
                    if t.has_zero
                    else kept[:-1] & normal.replicate(t.fraction_bits),
                    exponent[: t.exponent_bits] & normal.replicate(t.exponent_bits),
                )
            ),
        ]
        # Ties go to the even code, whose lowest bit is one of the exponent without a fraction.
        up = guard & (sticky | code[0])
        m.d.comb += [
            out.code.eq(code),
            out.up.eq(up if t.has_zero else up & normal),  # spec §3.7
            out.over.eq(self._over(magnitude, field)),
        ]
        return m

    def _normalise(self, m: Module, field: Value, fraction: Value) -> tuple[Value, Value]:
        """Significand with its hidden bit on top, and the exponent field of the target."""
        s, delta, lowest = self.source, self.delta, self.lowest
        reach = (1 << s.exponent_bits) - 1 + delta
        bound = max(abs(reach), abs(delta - self.normalised), lowest) + 1
        exponent = Signal(range(-bound, bound + 1))
        if not s.has_zero:
            m.d.comb += exponent.eq(field + delta)
            return Cat(fraction, Const(1)), exponent
        significand = Signal(s.fraction_bits + 1)
        if not self.normalised:
            m.d.comb += [
                significand.eq(Cat(fraction, field.any())),
                exponent.eq(Cat(field[0] | ~field.any(), field[1:]) + delta),
            ]
            return significand, exponent
        with m.If(field.any()):
            m.d.comb += [significand.eq(Cat(fraction, 1)), exponent.eq(field + delta)]
        for zeros in range(self.normalised):
            with m.Elif(fraction[-1 - zeros]):
                m.d.comb += [
                    significand.eq(fraction << (zeros + 1)),
                    exponent.eq(delta - zeros),
                ]
        with m.Else():
            m.d.comb += [significand.eq(fraction << self.normalised), exponent.eq(lowest)]
        return significand, exponent

    def _shift(
        self, m: Module, significand: Value, exponent: Value
    ) -> tuple[Value, Value, Value, Value]:
        """Significand in units of the target's last place: kept, guard and sticky bits.

        Also whether the number lies below the smallest normal numbers of the target, where the
        last place is that of its subnormals.
        """
        s, t = self.source, self.target
        spare = s.fraction_bits - t.fraction_bits - 1
        padded = significand if spare >= 0 else Cat(Const(0, -spare), significand)
        rest: Value = padded[:spare].any() if spare > 0 else Const(0)
        word: Value = padded[max(spare, 0) :]
        smallest = self.delta + 1 - self.normalised if s.has_zero else self.delta
        if smallest >= self.lowest:
            return word[1:], word[0], rest, Const(0)
        below = Signal()
        m.d.comb += below.eq(exponent < self.lowest)
        if not t.has_zero:
            return word[1:], word[0], rest, below
        far = t.fraction_bits + 2  # places after which nothing is left to round
        most = min(far, self.lowest - smallest)
        bits = most.bit_length()
        distance = (self.lowest - exponent)[:bits]
        for stage in range(bits):
            step = 1 << stage
            taken = Signal(name=f"shift_{step}")
            shifted = Signal(len(word), name=f"shifted_{step}")
            lost = Signal(name=f"lost_{step}")
            m.d.comb += [
                taken.eq(below & distance[stage]),
                shifted.eq(Mux(taken, word >> step, word)),
                lost.eq(rest | (taken & word[:step].any())),
            ]
            word, rest = shifted, lost
        if self.lowest - smallest > most:
            gone = Signal()
            m.d.comb += gone.eq(exponent <= self.lowest - far)
            word = word & ~gone.replicate(len(word))
        return word[1:], word[0], rest, below

    def _over(self, magnitude: Value, field: Value) -> Value:
        """Whether the exponent alone is beyond the target's, or the number is infinite."""
        s, t = self.source, self.target
        first = (t.max_code >> t.fraction_bits) + 1 - self.delta
        over: Value = Const(0)
        if first <= s.magnitude_mask >> s.fraction_bits:
            over = field >= first
        elif s.inf_code is not None:  # infinity lies within the target's exponents
            over = magnitude == s.inf_code
        return over
