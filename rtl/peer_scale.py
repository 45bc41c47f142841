"""NormalScale: a scale code that is never subnormal, without a divider (spec §25.4)."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.hierarchy import place
from rtl.scale import ScaleEncoder
from rtl.shapes import Shapes


class _WithoutSubnormal(ScaleEncoder):
    """Gives code 0 for all that is below the normal codes."""

    def _first_subnormal(self) -> list[int]:
        return []


class NormalScale(wiring.Component):
    """Encodes amax / 6, clamped to the normal scales. Combinational.

    Rounding the quotient to float32 first changes no code (lemma of spec §25), so that this is the
    encoder of spec §8.1 with another clamp.

    Args:
        shapes: widths.

    Members:
        amax: In, `Shapes.key`, the block's largest key; infinity's or NaN's counts as infinity.
        scale: Out, the scale code as stored.
    """

    amax: data.View
    scale: Signal

    def __init__(self, shapes: Shapes) -> None:
        self.shapes = shapes
        super().__init__({"amax": In(shapes.key), "scale": Out(shapes.scale.storage_bits)})

    def elaborate(self, platform: object) -> Module:
        """The encoder, and the two ends of the clamp."""
        m = Module()
        encoder = _WithoutSubnormal(self.shapes)
        place(m, platform, "encoder", encoder, kind="scale_quotient")
        f, width = self.shapes.scale.fraction_bits, self.shapes.scale.width
        code = encoder.scale[:width]
        m.d.comb += [
            encoder.amax.eq(self.amax),
            self.scale.eq(
                Cat(
                    code[0] & ~code.all(),  # NaN's code becomes the one before it
                    code[1:f],
                    code[f] | ~code[f:].any(),
                    code[f + 1 :],
                )
            ),
        ]
        return m
