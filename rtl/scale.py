"""Scale: the block scale code of an amax, without a divider (spec §6, §8)."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.bits import reaches, thermometer_value
from rtl.shapes import Shapes


class ScaleEncoder(wiring.Component):
    """Encodes the scale of a block. Combinational.

    Args:
        shapes: widths, and rule and prevent-zero of the recipe.
        divisor: of amax, 6 or 4, where scales have a fraction (spec §8.1, §15.1).
        rule: of powers of two, in place of that of the recipe (spec §15.6).

    Members:
        amax: In, `Shapes.key`, the block's largest key.
        scale: Out, the scale code as stored: NaN's for a block with a NaN (spec §6.1), the largest
            finite one for a block with an infinity (spec §6.2), else that of spec §8.
    """

    amax: data.View
    scale: Signal

    def __init__(self, shapes: Shapes, divisor: int = 6, rule: str = "") -> None:
        self.shapes = shapes
        self.rule = rule or shapes.rule
        self.divisor = divisor
        super().__init__({"amax": In(shapes.key), "scale": Out(shapes.scale.storage_bits)})

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        scale = self.shapes.scale
        special = Signal()
        nan = Signal()
        finite = Signal(scale.width)
        code = Signal(scale.width)
        m.d.comb += [
            special.eq(self.amax.exponent.all()),
            nan.eq(special & self.amax.fraction.any()),
            finite.eq(self._quotient(m) if scale.has_zero else self._power_of_two(m)),
        ]
        assert scale.nan_code is not None, f"{scale.name} cannot mark a NaN block (spec §6.1)"
        m.d.comb += code.eq(Mux(nan, scale.nan_code, Mux(special, scale.max_code, finite)))
        if self.shapes.prevent_zero:  # spec §8.3
            m.d.comb += self.scale.eq(code | ~code.any())
        else:
            m.d.comb += self.scale.eq(code)
        return m

    # Scale formats with a fraction: RNE(amax / divisor), spec §8.1; the comments take 6.

    @property
    def _halvings(self) -> int:
        """Binades from amax down to where the quotient's first one begins."""
        return (self.divisor - 1).bit_length()

    def _beyond(self, code: int) -> bool:
        """Whether the midpoint below a code belongs to the code before it (ties to even)."""
        return code % 2 == 1

    def _first_subnormal(self) -> list[int]:
        """Key patterns that reach the codes 1 to 2**f, of which all but the last are subnormal."""
        quantum = Fraction(2) ** self.shapes.scale_low
        return [
            self.shapes.key_pattern(
                self.divisor * (code - Fraction(1, 2)) * quantum, self._beyond(code)
            )
            for code in range(1, (1 << self.shapes.scale.fraction_bits) + 1)
        ]

    def _binade(self) -> Iterator[tuple[int, Fraction]]:
        """Offsets within an amax binade, and the amax fraction in [0, 1) from which they hold.

        With amax = (1+F) * 2**e, the quotient (1+F)*2**e / 6 lies in the scale binade e-3 while
        1+F < 3/2, else in binade e-2. An offset counts codes from 2**(e-3) on.
        """
        size = 1 << self.shapes.scale.fraction_bits
        offset = 0
        while True:
            half = offset - Fraction(1, 2)
            quotient = 1 + half / size if offset <= size else 2 * (1 + (half - size) / size)
            fraction = quotient * self.divisor / (1 << self._halvings) - 1
            if fraction >= 1:
                return
            yield offset, max(fraction, Fraction(0))
            offset += 1

    def _quotient(self, m: Module) -> Value:
        s = self.shapes
        f, bias = s.scale.fraction_bits, s.scale.bias
        key = self.amax.as_value()
        binade = list(self._binade())
        first = max(offset for offset, fraction in binade if fraction == 0)
        steps = [
            reaches(
                self.amax.fraction,
                int(fraction * (1 << s.key_fraction_bits)) + self._beyond(offset),
            )
            for offset, fraction in binade
            if offset > first
        ]
        reached = Signal(len(steps))
        offset = Signal((binade[-1][0]).bit_length())
        m.d.comb += [
            reached.eq(Cat(*steps)),
            offset.eq(thermometer_value(list(reached), first, len(offset))),
        ]

        # Exponent field of the scale binade e-3, which offset 0 would have.
        rebias = s.base - s.input.bias - self._halvings + bias
        field = Signal(s.scale.exponent_bits)
        normal = Signal(s.scale.width)
        m.d.comb += [
            field.eq(self.amax.exponent + rebias + (offset >> f)),
            normal.eq(Cat(offset[:f], field)),
        ]

        patterns = self._first_subnormal()
        subnormal = Signal(f + 1)
        steps_below = Signal(len(patterns))
        m.d.comb += [
            steps_below.eq(Cat(*(reaches(key, p) for p in patterns))),
            subnormal.eq(thermometer_value(list(steps_below), 0, f + 1)),
        ]
        is_normal = Signal()
        saturated = Signal()
        m.d.comb += [
            is_normal.eq(
                reaches(key, s.key_pattern(self.divisor * Fraction(2) ** (1 - bias), False))
            ),
            saturated.eq(reaches(key, self._saturation())),
        ]
        return Mux(saturated, s.scale.max_code, Mux(is_normal, normal, subnormal))

    def _saturation(self) -> int:
        """Key pattern from which the code is the largest finite one (spec §3.2)."""
        s, code = self.shapes, self.shapes.scale.max_code
        field, fraction = divmod(code, 1 << s.scale.fraction_bits)
        quantum = Fraction(2) ** (field - s.scale.bias - s.scale.fraction_bits)
        significand = fraction + (1 << s.scale.fraction_bits)
        below = Fraction(1, 2) if fraction else Fraction(1, 4)
        return s.key_pattern(self.divisor * (significand - below) * quantum, self._beyond(code))

    # Powers of two, spec §8.4 to §8.7.

    def _power_of_two(self, m: Module) -> Value:
        s = self.shapes
        key, scale = self.amax, s.scale
        up: Value = {
            "floor": Const(0),
            "ceil": key.fraction.all(),  # more than 3/2 of a power of two
            "even": key.fraction[-1],  # at least 7/4
        }[self.rule]
        offset = s.base - s.input.bias - 2 + scale.bias
        wide = Signal(range(-(1 << scale.width), 2 << scale.width))
        m.d.comb += wide.eq(key.exponent + offset + up)
        code = Mux(wide < 0, 0, wide[: scale.width]) if offset < 0 else wide[: scale.width]
        if (1 << s.exponent_bits) - 2 + offset + 1 > scale.max_code:
            code = Mux(wide > scale.max_code, scale.max_code, code)
        # Exponent 0 holds no amax that reaches a code above 0, and zero itself.
        return code if offset <= 0 else Mux(key.exponent.any(), code, 0)
