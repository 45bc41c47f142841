"""Candidates under a tensor scale: RNE(amax / (6 * g)), RNE(amax / (4 * g)) and codes beside them
(spec §14.7, §15.1)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from rtl.candidates import CandidateEncoder
from rtl.hierarchy import place
from rtl.ripple import widened
from rtl.scaled_scale import ScaledScale, plain_key, plain_shapes
from rtl.scaled_shapes import ScaledShapes
from rtl.scaled_unpack import Normalise


class CandidateQuotient(ScaledScale):
    """The scale of amax / (6 * g) or amax / (4 * g), by one divider. Combinational.

    4 * g stands where 6 * g does, with another significand and the same exponent.

    Members:
        four: In, whether to divide by 4 * g.
    """

    four: Signal

    def __init__(self, shapes: ScaledShapes) -> None:
        super().__init__(shapes, four=In(1))

    def divisor(self, m: Module, g: Value) -> Value:
        """Three halves of g's significand, or all of it, with one bit more of fraction."""
        triple = super().divisor(m, g)
        return Mux(self.four, widened(g << 1, len(triple)), triple)


class ScaledCandidates(CandidateEncoder):
    """The candidate scale codes of a block under its tensor scale. Combinational.

    Args:
        shapes: widths, and rule and prevent-zero of the recipe.
        numbered: as for `CandidateEncoder`.

    Members:
        amax: In, `ScaledShapes.key`, the block's largest magnitude.
        g: In, the tensor scale as the word carries it.
        exponent: Out, lane exponent of amax, subnormal ones included.
        number, scales_<i>: as for `CandidateEncoder`.
    """

    shapes: ScaledShapes
    g: data.View
    exponent: Signal

    def __init__(self, shapes: ScaledShapes, *, numbered: bool) -> None:
        more: dict[str, Any] = {"g": In(shapes.g), "exponent": Out(shapes.exponent_bits)}
        super().__init__(shapes, numbered=numbered, **more)

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        if self.shapes.g_bits > 1:
            return super().elaborate(platform)
        m = Module()
        s = self.shapes
        encoder = CandidateEncoder(plain_shapes(s), numbered=self.numbered)
        place(m, platform, "encoder", encoder, kind="plain_candidates")
        number = self._normalised(m, platform)
        special = self.amax.exponent.all()
        m.d.comb += encoder.amax.eq(plain_key(m, s, number, special, self.g.exponent))
        m.d.comb += [ours.eq(its) for ours, its in zip(self.scales, encoder.scales, strict=True)]
        if self.numbered:
            m.d.comb += encoder.number.eq(self.number)
        return m

    def quotients(self, m: Module, platform: object) -> dict[int | str, Value]:
        """See `CandidateEncoder.quotients`; with ``numbered`` one divider serves all."""
        self._normalised(m, platform)
        bare = replace(self.shapes, prevent_zero=False)
        found: dict[int | str, Value] = {}
        shared: Value | None = None
        for source in self.sources:
            if shared is None or not self.numbered:
                encoder = CandidateQuotient(bare)
                place(m, platform, f"divide{source}", encoder, kind="quotient")
                four = self._is(lambda c: c[0] == 4) if self.numbered else Const(source == 4, 1)
                m.d.comb += [
                    encoder.amax.eq(self.amax),
                    encoder.g.eq(self.g),
                    encoder.four.eq(four),
                ]
                shared = encoder.scale
            found[source] = shared
        return found

    def chosen(self, quotients: Any) -> Value:
        """The only one that there is."""
        return next(iter(quotients.values()))

    def _normalised(self, m: Module, platform: object) -> data.View:
        """Amax with its leading one in front."""
        normalise = Normalise(self.shapes)
        place(m, platform, "normalise", normalise)
        m.d.comb += [
            normalise.magnitude.eq(self.amax),
            self.exponent.eq(normalise.number.exponent),
        ]
        return normalise.number
