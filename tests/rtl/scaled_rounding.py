"""The element that rounds at random under a product, with plain ports (spec §19.2, §26.4)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from emulator.formats import FORMATS, FP32
from emulator.recipes import recipe
from emulator.scaled_words import carried
from rtl.hierarchy import place
from rtl.random_scaled_element import RandomScaledElement
from rtl.random_scaled_shapes import RandomScaledShapes
from rtl.random_scaled_thresholds import RandomPowerThresholds, RandomScaledThresholds
from rtl.verilog import convert
from tests.rtl.gates import netlist
from tests.rtl.rounding import rounded
from tests.rtl.voting import patterns_near, values_of


class OneScaledElement(wiring.Component):
    """The element code of a number under a scale, a tensor scale and a random number.

    Combinational.

    Members:
        x: In, the number.
        scale: In, the stored scale code.
        g: In, the tensor scale as words carry it; not looked at by powers of two.
        draw: In, the random number.
        code: Out, the element code.
    """

    x: Signal
    scale: Signal
    g: Signal
    draw: Signal
    code: Signal

    def __init__(self, shapes: RandomScaledShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "x": In(shapes.input.width),
                "scale": In(shapes.scale.storage_bits),
                "g": In(sum(shapes.g_field)),
                "draw": In(shapes.bits),
                "code": Out(4),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        s = self.shapes
        generator = (RandomPowerThresholds if s.powers else RandomScaledThresholds)(s)
        element = RandomScaledElement(s)
        place(m, platform, "generator", generator)
        place(m, platform, "element", element)
        if isinstance(generator, RandomScaledThresholds):
            m.d.comb += generator.g.eq(self.g)
        m.d.comb += [
            generator.scale.eq(self.scale),
            element.x.eq(self.x),
            element.thresholds.eq(generator.thresholds),
            element.draw.eq(self.draw),
            self.code.eq(element.code),
        ]
        return m


def check_scaled_elements(
    selection: str,
    x_name: str,
    codes: Sequence[int],
    scales: Sequence[int],
    draws: Sequence[int],
    folder: Path,
) -> int:
    """All magnitudes (see `patterns_near`) under products and random numbers, in the gates.

    Args:
        selection: name of the recipe without its block size.
        x_name: name of the input format.
        codes: scale codes.
        scales: float32 patterns of tensor scales; only that of 1 where a recipe has none.
        draws: random numbers.
        folder: for files in between.

    Returns:
        How many elements were compared.
    """
    x = FORMATS[x_name]
    r = recipe(f"{selection}-b16")
    s = RandomScaledShapes.of_recipe(r, x)
    gates = netlist(convert(OneScaledElement(s), "one_element"), "one_element", folder)
    assert x.inf_code is not None
    patterns = np.concatenate([patterns_near(x), [np.uint64(x.inf_code)]])
    values = values_of(patterns, x)
    compared = 0
    for code in codes:
        for pattern in scales:
            g = np.full(len(patterns), int(carried(pattern, s.kind)), np.uint64)
            scale = float(s.scale.value(code) * FP32.value(pattern))
            for draw in draws:
                every = np.full(len(patterns), code, np.uint64)
                chosen = np.full_like(every, draw)
                found = gates.run(x=patterns, scale=every, g=g, draw=chosen)["code"]
                want = np.zeros(len(values))
                if scale:
                    want = rounded(values, scale, chosen.astype(np.float64), s.bits)
                assert (found == want).all(), (selection, x_name, code, hex(pattern), draw)
                compared += len(patterns)
    return compared
